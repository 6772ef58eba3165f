"""The server's writing thread: groups, savepoints, and futures that speak only after the commit."""

import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from survey_app.model import Device
from survey_app.settings import Settings
from survey_app.store import EVENTS, Store, StoreError
from survey_app.verification import verify
from survey_app.writer import Call, Writer, WriterClosed
from tests.ground import enrolled, fates, make_store, record, response


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[tuple[Settings, Device]]:
    settings, store = make_store(tmp_path)
    device = enrolled(store)
    store.close()
    yield settings, device


def test_what_a_future_gave_is_on_disk(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    one = response()
    with Writer(settings) as writer:
        receipts = writer.submit(lambda store: record(store, device, one)).result()
        with Store.open(settings, write=False) as reader:
            assert fates(receipts) == ["stored"]
            assert reader.is_stored(one.uuid)


def test_waiting_calls_share_a_commit(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    before = len(settings.heads_log.read_text().splitlines())
    gate = threading.Event()
    with Writer(settings) as writer:
        writer.submit(lambda _: gate.wait())
        futures = [writer.submit(lambda store, seq=seq: record(store, device, response(seq))) for seq in range(1, 21)]
        gate.set()
        assert [fates(future.result()) for future in futures] == [["stored"]] * 20
    lines = settings.heads_log.read_text().splitlines()[before:]
    assert [line.split("\t")[1:3] for line in lines] == [["q4", "20"]] * 2  # announced, then confirmed


def test_a_call_that_fails_undoes_itself_alone(ground: tuple[Settings, Device]) -> None:
    settings, device = ground

    def fail(store: Store) -> None:
        record(store, device, response(2))
        raise RuntimeError("no")

    gate = threading.Event()
    with Writer(settings) as writer:
        writer.submit(lambda _: gate.wait())
        first = writer.submit(lambda store: record(store, device, response(1)))
        second = writer.submit(fail)
        third = writer.submit(lambda store: record(store, device, response(3)))
        gate.set()
        assert fates(first.result() + third.result()) == ["stored", "stored"]
        with pytest.raises(RuntimeError, match="no"):
            second.result()
    with Store.open(settings, write=False) as reader:
        assert [one.seq for one in reader.responses("q4")] == [1, 3]
    assert verify(settings) == ()


def test_a_commit_that_fails_is_told_to_everyone_and_stores_nothing(
    ground: tuple[Settings, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, device = ground
    gate = threading.Event()

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    with Writer(settings) as writer:
        writer.submit(lambda _: gate.wait())
        with monkeypatch.context() as patched:
            futures = [writer.submit(lambda store: record(store, device, response())) for _ in range(2)]
            patched.setattr(Store, "_head", full)
            gate.set()
            for future in futures:
                with pytest.raises(sqlite3.OperationalError, match="full"):
                    future.result()
        assert fates(writer.submit(lambda store: record(store, device, response())).result()) == ["stored"]
    with Store.open(settings, write=False) as reader:
        assert reader.response_count("q4") == 1


class Deaf(Call):
    """A call whose caller cannot be told."""

    device: Device

    def prepare(self) -> None:
        pass

    def work(self, store: Store) -> None:
        record(store, self.device, response(1))

    def done(self) -> None:
        raise OSError("the connection is gone")

    def failed(self, error: BaseException) -> None:
        raise OSError("the connection is gone")


class Broken(Deaf):
    def prepare(self) -> None:
        raise ValueError("unreadable")


def test_a_caller_that_cannot_be_told_keeps_nobody_from_hearing(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    Deaf.device = device
    with Writer(settings) as writer:
        for call in (Deaf(), Broken()):
            writer.put(call)
        assert fates(writer.submit(lambda store: record(store, device, response(2))).result()) == ["stored"]
    with Store.open(settings, write=False) as reader:
        assert [one.seq for one in reader.responses("q4")] == [1, 2]


def test_many_threads_and_one_uuid_store_it_once(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    one = response()
    found: list[str] = []
    with Writer(settings) as writer:

        def send() -> None:
            found.extend(fates(writer.submit(lambda store: record(store, device, one)).result()))

        threads = [threading.Thread(target=send) for _ in range(16)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert sorted(found) == ["already_stored"] * 15 + ["stored"]


def test_closing_finishes_what_waits_and_takes_nothing_more(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    writer = Writer(settings)
    futures = [writer.submit(lambda store, seq=seq: record(store, device, response(seq))) for seq in range(1, 200)]
    writer.close()
    assert all(fates(future.result(timeout=0)) == ["stored"] for future in futures)
    with pytest.raises(WriterClosed):
        writer.submit(lambda store: None)
    writer.close()


def test_a_cancelled_call_is_not_done(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    gate = threading.Event()
    with Writer(settings) as writer:
        writer.submit(lambda _: gate.wait())
        time.sleep(0.05)
        future = writer.submit(lambda store: record(store, device, response()))
        assert future.cancel()
        gate.set()
        with pytest.raises(CancelledError):
            future.result()
    with Store.open(settings, write=False) as reader:
        assert reader.response_count("q4") == 0


def test_a_writer_that_cannot_open_its_store_says_so(ground: tuple[Settings, Device]) -> None:
    ground[0].store_path.unlink()
    with pytest.raises(StoreError, match="no store"):
        Writer(ground[0])


def test_starting_catches_up_a_heads_log_left_behind(ground: tuple[Settings, Device]) -> None:
    settings, device = ground
    with Store.open(settings) as store:
        record(store, device, response())
    lines = settings.heads_log.read_text().splitlines(keepends=True)
    assert all("\tq4\t1\t" in line for line in lines[-2:])
    settings.heads_log.write_text("".join(lines[:-2]))  # as after a power cut
    assert [problem.what for problem in verify(settings)] == [
        "1 responses at the end are unknown to heads.log: inserted, or stored as the power failed"
    ]
    Writer(settings).close()
    assert verify(settings) == ()
    with Store.open(settings, write=False) as reader:
        (event,) = reader.events(["heads_caught_up"])
        assert event.detail == {"known": {"q4": 0}, "counts": {"q4": 1}, "announced": []}
        assert EVENTS in reader.heads()


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from survey_app.settings import Settings
from survey_app.store import Store
from tests.ground import record, response

append = Store._append_heads


def killed(self, heads, mark=""):
    if mark:
        append(self, heads, mark)
    if bool(mark) != {after_commit}:
        os.kill(os.getpid(), signal.SIGKILL)


with Store.open(Settings.load(Path({instance!r}))) as store:
    Store._append_heads = killed
    record(store, store.device({device!r}), response(1), response(2))
"""


def killed_at_its_commit(settings: Settings, device: Device, *, after_commit: bool) -> None:
    """A process killed as it has announced its commit, or as it has committed and not yet confirmed."""
    root = str(Path(__file__).parent.parent)
    script = KILLED.format(root=root, after_commit=after_commit, instance=str(settings.instance), device=device.id)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL


@pytest.mark.parametrize("after_commit", [False, True])
def test_what_a_killed_process_leaves_verifies_at_once(ground: tuple[Settings, Device], after_commit: bool) -> None:
    settings, device = ground
    killed_at_its_commit(settings, device, after_commit=after_commit)
    assert settings.heads_log.read_text().endswith("\tpending\n")
    with Store.open(settings, write=False) as reader:
        assert reader.response_count("q4") == (2 if after_commit else 0)
    assert verify(settings) == ()
    with Writer(settings) as writer:
        writer.submit(lambda store: record(store, device, response(3))).result()
    assert verify(settings) == ()
    with Store.open(settings, write=False) as reader:
        caught_up = [event.detail for event in reader.events(["heads_caught_up"])]
    noted = {"known": {"q4": 0}, "counts": {"q4": 2}, "announced": ["q4"]}
    assert caught_up == ([noted] if after_commit else [])


def test_a_tail_other_than_the_one_announced_is_named(ground: tuple[Settings, Device]) -> None:
    """A commit that failed left its announcement; what somebody then puts in its place was not announced."""
    settings, device = ground
    killed_at_its_commit(settings, device, after_commit=False)
    log = settings.heads_log.read_bytes()
    with Store.open(settings) as store:
        record(store, device, response(8), response(9))
    settings.heads_log.write_bytes(log)
    (problem,) = verify(settings)
    assert (problem.where, problem.what[:11]) == ("wave q4, positions 1 to 2", "2 responses")
