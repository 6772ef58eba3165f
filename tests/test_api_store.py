"""The store goes away, is cut, locked, read-only or full while the server runs: told so, nothing lost, well again after."""

import resource
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from survey_app.web import context
from survey_app.writer import StoreUnusable
from tests.kiosk_pages import RECEIVED, Kiosk, Tablet, kiosk_at
from tests.served import WAVE, counter, enrol, response, sending, serving

FORM = counter()
THANKS = "Cảm ơn Ông/Bà"
BUSY = "Máy chủ đang bận."


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


class Device:
    """Sends responses through the API, and knows which were acknowledged."""

    def __init__(self, kiosk: Kiosk) -> None:
        self.client, self.token = kiosk.app.test_client(), enrol(kiosk.settings)[1]
        self.acknowledged: set[str] = set()
        self.waiting: list[dict[str, Any]] = []
        self.seq = 0

    def send(self) -> Any:
        """A new response and all that were not acknowledged yet, as a tablet would."""
        self.seq += 1
        self.waiting.append(response(FORM, self.seq))
        headers = {"Authorization": f"Bearer {self.token}"}
        answer = self.client.post("/api/v1/responses", json=sending(*self.waiting), headers=headers)
        if answer.status_code == 200:
            assert {one["fate"] for one in answer.json["results"]} <= {"stored", "already_stored"}
            self.acknowledged |= {one["uuid"] for one in answer.json["results"]}
            self.waiting = []
        return answer


def ready(kiosk: Kiosk) -> Tablet:
    tablet = kiosk.tablet()
    tablet.begin()
    tablet.walk(RECEIVED)
    return tablet


def stored(settings: Settings) -> set[str]:
    with Store.open(settings, write=False) as store:
        return {one.uuid for one in store.responses(WAVE)}


def aside(path: Path) -> Path:
    return path.with_name("aside.sqlite3")


def gone(path: Path) -> None:
    path.rename(aside(path))


def a_directory(path: Path) -> None:
    gone(path)
    path.mkdir()


def another(path: Path) -> None:
    """A copy, such as a backup put in its place: not what the server has open."""
    gone(path)
    shutil.copy(aside(path), path)


def rubbish(path: Path) -> None:
    gone(path)
    path.write_bytes(b"not a store" * 1000)


def back(path: Path) -> None:
    if path.is_dir():
        path.rmdir()
    aside(path).rename(path)


@pytest.mark.parametrize("trouble", [gone, a_directory, another, rubbish], ids=lambda trouble: trouble.__name__)
def test_a_store_that_went_away_takes_nothing_and_loses_nothing(kiosk: Kiosk, trouble: Callable[[Path], None]) -> None:
    device, tablet, path = Device(kiosk), ready(kiosk), kiosk.settings.store_path
    assert device.send().status_code == 200
    sent = tablet.page.sends("send", tablet.answers_here(RECEIVED))
    trouble(path)
    for _ in range(2):
        answer = device.send()
        assert (answer.status_code, answer.json["type"]) == (503, "urn:sipas:problem:unavailable")
        assert int(answer.headers["Retry-After"]) > 0 and str(path) not in answer.text
    for page in (tablet.send(sent), tablet.open("/")):
        assert page.status == 503 and BUSY in page.words
    assert device.client.get("/healthz").status_code == 503
    back(path)
    assert device.send().status_code == 200
    assert THANKS in tablet.send(sent).headings, "the browser still has the form"
    assert device.acknowledged < stored(kiosk.settings) and len(stored(kiosk.settings)) == 5
    assert verify(kiosk.settings) == ()


@pytest.mark.parametrize("left", [0, 100, 4096, 3 * 4096 + 17])
def test_a_store_cut_under_the_server_loses_nothing_once_it_is_whole_again(kiosk: Kiosk, left: int) -> None:
    device, tablet, path = Device(kiosk), kiosk.tablet(), kiosk.settings.store_path
    assert device.send().status_code == 200
    whole = path.read_bytes()
    with path.open("r+b") as stream:
        stream.truncate(left)
    for _ in range(3):
        assert device.send().status_code in {200, 503}
    assert tablet.open("/").status in {200, 503}
    with path.open("r+b") as stream:
        stream.write(whole)
    assert device.send().status_code == 200
    assert device.acknowledged == stored(kiosk.settings) and len(device.acknowledged) == 5
    assert verify(kiosk.settings) == ()


def test_a_store_locked_by_another_program(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch) -> None:
    device, tablet = Device(kiosk), ready(kiosk)
    with (
        closing(sqlite3.connect(kiosk.settings.store_path, isolation_level=None)) as other,
        monkeypatch.context() as fast,
    ):
        fast.setattr(context, "COMMIT_SECONDS", 0.2)
        other.execute("BEGIN IMMEDIATE")
        assert device.send().status_code == 503
        page = tablet.tap("send", tablet.answers_here(RECEIVED))
        assert page.status == 503 and "send" in page.buttons, "the answers stay on the page, to be sent again"
        assert device.client.get("/").status_code != 500 and tablet.client.get("/").status_code == 200, (
            "reading goes on"
        )
        other.execute("ROLLBACK")
    assert device.send().status_code == 200
    assert THANKS in tablet.tap("send").headings
    assert device.acknowledged < stored(kiosk.settings) and len(stored(kiosk.settings)) == 3
    assert verify(kiosk.settings) == ()


@pytest.mark.parametrize(
    ("code", "status"), [(5, 503), (6, 503), (8, 503), (10, 503), (11, 503), (13, 507), (14, 503), (26, 503)]
)
def test_a_store_that_cannot_be_written(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, code: int, status: int) -> None:
    """Busy, locked, read-only, broken, damaged, full, not to be opened, no database: what SQLite says to every write."""
    device, tablet = Device(kiosk), ready(kiosk)

    def refuse(*_: object) -> None:
        error = sqlite3.OperationalError("refused")
        error.sqlite_errorcode = code
        raise error

    with monkeypatch.context() as patched:
        patched.setattr("survey_app.store.connection.write_lock", refuse)
        answer = device.send()
        assert (answer.status_code, answer.json["status"]) == (status, status) and "refused" not in answer.text
        page = tablet.tap("send", tablet.answers_here(RECEIVED))
        assert page.status == 503 and "send" in page.buttons, "the answers stay on the page, to be sent again"
        assert tablet.client.get("/").status_code == 200, "reading goes on"
    assert device.send().status_code == 200 and THANKS in tablet.tap("send").headings
    assert device.acknowledged < stored(kiosk.settings) and len(stored(kiosk.settings)) == 3
    assert verify(kiosk.settings) == ()


@pytest.mark.parametrize("number", [13, 28, 30, 5, 24])
def test_the_witness_of_the_heads_cannot_be_written(kiosk: Kiosk, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """heads.log on a disk that is full, read-only, broken, closed to us, or out of descriptors: no commit without it."""
    device = Device(kiosk)
    with monkeypatch.context() as patched:

        def refuse(*_: object) -> None:
            raise OSError(number, "refused")

        patched.setattr("survey_app.store.connection.Connection._append_heads", refuse)
        assert device.send().status_code == (507 if number == 28 else 503)
    assert stored(kiosk.settings) == set()
    assert device.send().status_code == 200 and stored(kiosk.settings) == device.acknowledged
    assert verify(kiosk.settings) == ()


def workers(pid: int) -> list[int]:
    told = subprocess.run(["ps", "-o", "pid=", "--ppid", str(pid)], capture_output=True, text=True, check=True)
    return [int(word) for word in told.stdout.split()]


def limit_files(pids: list[int], size: int) -> None:
    """No file of these processes may grow beyond `size`, as on a full disk; the hard limit stays."""
    for pid in pids:
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


def test_a_disk_that_fills_up_under_a_running_server(tmp_path: Path) -> None:
    with kiosk_at(tmp_path) as kiosk:
        settings, (_, token) = kiosk.settings, enrol(kiosk.settings)
    acknowledged: set[str] = set()
    with serving(settings, "--development-http", "--no-access-log") as server:
        pids = workers(server.process.pid)
        assert len(pids) == 1
        client = httpx.Client(base_url=server.url, headers={"Authorization": f"Bearer {token}"}, timeout=30)

        def send(seq: int) -> int:
            body = sending(*[response(FORM, number) for number in range(seq, seq + 40)])
            answer = client.post("/api/v1/responses", json=body)
            if answer.status_code == 200:
                acknowledged.update(one["uuid"] for one in answer.json()["results"])
            else:
                assert answer.json()["type"] in ("urn:sipas:problem:storage-full", "urn:sipas:problem:unavailable")
                assert int(answer.headers["Retry-After"]) > 0
            return answer.status_code

        assert send(1) == 200
        limit_files(pids, 8192)
        assert [send(seq) in {503, 507} for seq in (100, 200)] == [True, True]
        assert client.get("/api/v1/device").status_code == 200, "reading goes on"
        limit_files(pids, resource.RLIM_INFINITY)
        assert [send(seq) for seq in (300, 400)] == [200, 200]
        assert server.stop() == 0
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log and "the store failed on POST '/api/v1/responses'" in log
    assert stored(settings) == acknowledged and len(acknowledged) == 120
    assert verify(settings) == ()


@pytest.mark.parametrize("trouble", [gone, a_directory, another, rubbish], ids=lambda trouble: trouble.__name__)
def test_the_writer_commits_nothing_into_a_file_that_went_away(kiosk: Kiosk, trouble: Callable[[Path], None]) -> None:
    """SQLite itself would: into a file that nobody sees any more."""
    path = kiosk.settings.store_path
    trouble(path)
    event = kiosk.writer.submit(lambda store: store.log_event("rejected", {"uuid": "lost"}))
    with pytest.raises(StoreUnusable, match="moved, deleted, emptied or replaced"):
        event.result()
    back(path)
    kiosk.writer.submit(lambda store: store.log_event("rejected", {"uuid": "kept"})).result()
    with Store.open(kiosk.settings, write=False) as store:
        assert [event.detail["uuid"] for event in store.events(["rejected"])] == ["kept"]
    assert verify(kiosk.settings) == ()


def test_an_emptied_store_is_opened_by_nobody(kiosk: Kiosk) -> None:
    """SQLite would take it for a new one and throw away the log beside it, which still holds what was acknowledged."""
    device, path = Device(kiosk), kiosk.settings.store_path
    assert device.send().status_code == 200
    whole = path.read_bytes()
    with path.open("r+b") as stream:
        stream.truncate(0)
    for write in (True, False):
        with pytest.raises(StoreError, match="the store is empty"):
            Store.open(kiosk.settings, write=write)
    with path.open("r+b") as stream:
        stream.write(whole)
    assert stored(kiosk.settings) == device.acknowledged and verify(kiosk.settings) == ()
