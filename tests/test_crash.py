"""The server killed in the middle of a sending, again and again: nothing acknowledged is lost, nothing stored twice."""

import threading
import time
from pathlib import Path

import httpx

from survey_app.store import Store
from survey_app.verification import verify
from tests.served import CENTRES, WAVE, counter, enrol, free_port, make_field, response, sending, start

DEVICES = 6
RESPONSES = 60
KILLS = 3
FORM = counter()


class Tablet(threading.Thread):
    """Sends its queue, a few at a time, until each response is acknowledged; what is not, it sends again."""

    def __init__(self, url: str, token: str, deadline: float) -> None:
        super().__init__(daemon=True)
        self.url, self.token, self.deadline = url, token, deadline
        self.queue = [response(FORM, seq) for seq in range(1, RESPONSES + 1)]
        self.acknowledged: list[str] = []
        self.fates: set[str] = set()
        self.interruptions = 0

    def run(self) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {self.token}"}, timeout=10) as client:
            while self.queue and time.monotonic() < self.deadline:
                try:
                    self.send(client, self.queue[:2])
                except httpx.HTTPError:
                    self.interruptions += 1
                    time.sleep(0.05)

    def send(self, client: httpx.Client, some: list[dict[str, object]]) -> None:
        answer = client.post(f"{self.url}/api/v1/responses", json=sending(*some, last_seq=RESPONSES))
        if answer.status_code != 200:
            self.interruptions += 1
            return
        results = answer.json()["results"]
        self.acknowledged += [one["uuid"] for one in results]
        self.fates |= {one["fate"] for one in results}
        self.queue = self.queue[len(some) :]


def test_a_server_killed_in_the_middle_loses_nothing_and_doubles_nothing(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    port = free_port()
    tokens = [enrol(settings, CENTRES[number % len(CENTRES)])[1] for number in range(DEVICES)]
    running = start(settings, port, "--development-http")
    tablets = [Tablet(running.url, token, time.monotonic() + 40) for token in tokens]
    held = set[str]()
    try:
        for tablet in tablets:
            tablet.start()
        for part in range(1, KILLS + 1):
            # Kill after a quarter, a half, three quarters of everything, while all are sending.
            while sum(len(tablet.acknowledged) for tablet in tablets) < DEVICES * RESPONSES * part / (KILLS + 1):
                time.sleep(0.002)
            running.kill()
            held |= {uuid for tablet in tablets for uuid in tablet.acknowledged}
            with Store.open(settings) as store:
                assert held <= {one.uuid for one in store.responses(WAVE)}, f"lost at kill {part}"
            running = start(settings, port, "--development-http")
        for tablet in tablets:
            tablet.join(40)
    finally:
        running.stop()
    assert all(tablet.interruptions for tablet in tablets), "the kills hit nobody: the test showed nothing"
    assert set().union(*(tablet.fates for tablet in tablets)) <= {"stored", "already_stored"}
    with Store.open(settings, write=False) as store:
        stored = [one.uuid for one in store.responses(WAVE)]
    assert len(stored) == len(set(stored)) == DEVICES * RESPONSES
    assert set(stored) == {uuid for tablet in tablets for uuid in tablet.acknowledged}
    assert verify(settings) == ()
