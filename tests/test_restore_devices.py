"""A restore under way: devices send, a backup is made meanwhile, more is sent, the backup restored, and nothing is lost."""

import threading
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from survey_app.backup import make_backup, restore
from survey_app.settings import Settings
from survey_app.simulation.outbox import Device, Outbox
from survey_app.store import Store
from survey_app.verification import verify
from tests.served import CENTRES, WAVE, Running, counter, enrol, free_port, make_field, response, start

FORM = counter()
DEVICES = 4
BEFORE, SINCE = 25, 20


class Tablet:
    """A device and its thread; what it acknowledged it keeps, as tablets do for 30 days."""

    def __init__(self, running: Running, token: str) -> None:
        self.client = httpx.Client(base_url=running.url, headers={"Authorization": f"Bearer {token}"}, timeout=20)
        self.outbox = Outbox()
        self.device = Device(self.outbox, self.post, batch=2)
        self.uuids: list[str] = []
        self.fates: Counter[str] = Counter()

    def post(self, body: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.client.post("/api/v1/responses", json=body)
        assert answer.status_code == 200, answer.text
        told: Mapping[str, Any] = answer.json()
        return told

    def give(self, count: int) -> None:
        for _ in range(count):
            self.uuids.append(self.outbox.put(response(FORM, 1))["uuid"])
            self.sync()

    def sync(self) -> None:
        self.fates.update(self.device.sync().fates)


def all_give(tablets: list[Tablet], count: int) -> list[threading.Thread]:
    threads = [threading.Thread(target=tablet.give, args=(count,)) for tablet in tablets]
    for thread in threads:
        thread.start()
    return threads


def stored(settings: Settings) -> list[str]:
    with Store.open(settings, write=False) as store:
        return [one.uuid for one in store.responses(WAVE)]


def test_after_a_restore_the_devices_close_the_gap(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    port = free_port()
    running = start(settings, port, "--development-http")
    try:
        tablets = [Tablet(running, enrol(settings, CENTRES[place % 3])[1]) for place in range(DEVICES)]
        threads = all_give(tablets, BEFORE)
        while sum(len(tablet.uuids) for tablet in tablets) < DEVICES * BEFORE / 2:
            threads[0].join(0.005)
        made = make_backup(settings)
        for thread in threads:
            thread.join()
        tablets.append(Tablet(running, enrol(settings, "C03")[1]))
        for thread in all_give(tablets, SINCE):
            thread.join()
        assert running.stop() == 0
        kept = made.manifest.heads[WAVE].count
        sent = [uuid for tablet in tablets for uuid in tablet.uuids]
        assert len(stored(settings)) == len(sent) == DEVICES * BEFORE + (DEVICES + 1) * SINCE
        done = restore(made.path, settings.instance)
        assert 0 < kept < DEVICES * BEFORE, "the backup was made in the middle"
        assert len(stored(settings)) == kept
        assert done.remains and (done.remains.responses, done.remains.unsendable) == (len(sent) - kept, 0)

        running = start(settings, port, "--development-http")
        for tablet in tablets:
            tablet.fates.clear()
            tablet.sync()
        assert running.stop() == 0
    finally:
        if running.process.poll() is None:
            running.kill()
    assert sum(tablet.fates["stored"] for tablet in tablets) == len(sent) - kept
    assert sorted(stored(settings)) == sorted(sent), "0 lost, 0 doubled"
    assert verify(settings) == ()


def test_a_number_used_twice_comes_back_too(tmp_path: Path) -> None:
    """Its number has arrived under another response, so no gap would show: the server asks for it by name."""
    settings = make_field(tmp_path / "instance")
    port = free_port()
    running = start(settings, port, "--development-http")
    try:
        tablet = Tablet(running, enrol(settings)[1])
        tablet.give(3)
        made = make_backup(settings)
        twice = response(FORM, 2)
        body = {"sent_at": twice["submitted"], "last_seq": 3, "app": "test", "responses": [twice]}
        assert tablet.post(body)["results"][0]["fate"] == "stored"
        running.stop()
        restore(made.path, settings.instance)
        running = start(settings, port, "--development-http")
        told = tablet.post({**body, "responses": []})
        assert (told["missing"], told["resend"]) == ([], [twice["uuid"]])
        assert tablet.post(body)["resend"] == []
        assert tablet.post({**body, "responses": []})["resend"] == []
        running.stop()
    finally:
        if running.process.poll() is None:
            running.kill()
    assert twice["uuid"] in stored(settings)
    assert verify(settings) == ()
