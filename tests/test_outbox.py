"""What a simulated device keeps and sends again: by number, by uuid, for 30 days, until the server lacks nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_app.simulation import Device, Outbox, SimulationError
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import WAVE, counter, enrol, make_field, response

NOW = datetime(2026, 11, 24, tzinfo=UTC)


class Server:
    """Takes what it is sent, and may lose some of it again."""

    def __init__(self) -> None:
        self.held: dict[int, str] = {}
        self.resend: list[str] = []
        self.posts: list[list[int]] = []
        self.forgets = 0

    def post(self, body: Any) -> dict[str, Any]:
        results = [
            {"uuid": one["uuid"], "fate": "already_stored" if one["seq"] in self.held else "stored"}
            for one in body["responses"]
        ]
        self.posts.append([one["seq"] for one in body["responses"]])
        self.held |= {one["seq"]: one["uuid"] for one in body["responses"]}
        missing = [[seq, seq] for seq in range(1, body["last_seq"] + 1) if seq not in self.held]
        resend, self.resend = self.resend, []
        return {"results": results, "missing": missing, "resend": resend, "ledger": {"count": len(self.held)}}


def device(count: int, server: Server, **options: Any) -> Device:
    outbox = Outbox(clock=lambda: NOW)
    for number in range(1, count + 1):
        outbox.put({"uuid": f"u{number}", "answers": {}})
    return Device(outbox, server.post, batch=3, **options)


def test_it_numbers_and_sends_in_batches() -> None:
    server = Server()
    kiosk = device(7, server)
    said = kiosk.sync()
    assert server.posts == [[1, 2, 3], [4, 5, 6], [7]]
    assert (said.fates, said.asked_again, said.ledger) == ({"stored": 7}, 0, {"count": 7})
    assert kiosk.outbox.unsent == [] and kiosk.ledger == {"count": 7}


def test_without_anything_to_send_it_gives_a_sign_of_life() -> None:
    server = Server()
    kiosk = device(2, server)
    kiosk.sync()
    assert kiosk.sync().fates == {} and server.posts[-1] == []


def test_what_the_server_lost_is_sent_again() -> None:
    server = Server()
    kiosk = device(9, server)
    kiosk.sync()
    for seq in (2, 5, 6, 7, 9):
        del server.held[seq]
    said = kiosk.sync()
    assert (said.asked_again, said.fates, said.missing) == (5, {"stored": 5}, ())
    assert sorted(server.held) == list(range(1, 10))


def test_what_is_asked_for_by_uuid_is_sent_again() -> None:
    server = Server()
    kiosk = device(4, server)
    kiosk.sync()
    server.resend = ["u3", "nobody's"]
    assert kiosk.sync().fates == {"already_stored": 1} and server.posts[-1] == [3]


def test_it_keeps_what_was_sent_for_thirty_days() -> None:
    server = Server()
    clock = [NOW]
    kiosk = device(2, server)
    kiosk.outbox._clock = lambda: clock[0]
    kiosk.sync()
    clock[0] += timedelta(days=30)
    assert kiosk.outbox.forget() == 0
    clock[0] += timedelta(seconds=1)
    kiosk.outbox.put({"uuid": "u3"})
    assert kiosk.outbox.forget() == 2 and [one["seq"] for one in kiosk.outbox.unsent] == [3]
    server.held.clear()
    assert kiosk.sync().missing == ((1, 1), (2, 2))


def test_a_response_that_is_not_taken_stays_and_is_named() -> None:
    server = Server()
    kiosk = device(1, server)
    kiosk.post = lambda body: {
        **server.post(body), "results": [{"uuid": "u1", "fate": "rejected", "errors": ["unknown_wave"]}]
    }  # fmt: skip
    with pytest.raises(SimulationError, match="unknown_wave"):
        kiosk.sync()
    assert len(kiosk.outbox.unsent) == 1


def test_numbers_go_on_after_those_known() -> None:
    outbox = Outbox([{"seq": 1, "uuid": "u1"}, {"seq": 2, "uuid": "u2"}], sent=1)
    assert [one["seq"] for one in outbox.unsent] == [2]
    assert outbox.put({"uuid": "u3"})["seq"] == 3


# ---- with the real server


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Any]:
    yield make_field(tmp_path / "instance")


def test_a_store_that_went_back_in_time_gets_everything_again(settings: Any, tmp_path: Path) -> None:
    """A copy of the store is put in the place of a later one, as a restore does: the devices close the gap."""
    form = counter()
    _, token = enrol(settings)
    headers = {"Authorization": f"Bearer {token}"}
    outbox = Outbox()

    def with_server(given: int) -> Any:
        with Writer(settings) as writer:
            client = create_app(settings, writer=writer).test_client()

            def post(body: Any) -> Any:
                return client.post("/api/v1/responses", json=body, headers=headers).json

            device = Device(outbox, post)
            for _ in range(given):
                outbox.put(response(form, 1))
            return device.sync()

    with_server(5)
    before = tmp_path / "before.sqlite3"
    with Store.open(settings) as store:
        store._execute("VACUUM INTO ?", (str(before),))
    with_server(30)
    for name in ("", "-wal", "-shm"):
        settings.store_path.with_name(settings.store_path.name + name).unlink(missing_ok=True)
    before.rename(settings.store_path)
    said = with_server(2)
    assert (said.fates, said.missing) == ({"stored": 32}, ()) and said.asked_again == 30
    with Store.open(settings, write=False) as store:
        assert sorted(one.seq or 0 for one in store.responses(WAVE)) == list(range(1, 38))
