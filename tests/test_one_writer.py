"""A server that takes responses in, ten processes that write and two that read, all on one store at the same time."""

import subprocess
import sys
import threading
import time
from pathlib import Path

from benchmarks.kiosks import make_field, serving
from benchmarks.one_writer import CLIENTS, EVENTS, contend, missing
from survey_app.locks import write_lock

SECONDS = 6.0


def test_nothing_is_lost_and_nobody_is_told_that_the_database_is_locked(tmp_path: Path) -> None:
    settings, tokens = make_field(tmp_path / "instance", CLIENTS)
    with serving(settings, access_log=False) as (port, server):
        outcome = contend(settings, port, tokens, SECONDS)
        second = subprocess.run(
            [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "serve", "--port", str(port + 1)],
            capture_output=True, text=True, timeout=30, check=False,
        )  # fmt: skip
        assert second.returncode == 2 and f"by process {server}" in second.stderr
    assert outcome.failures == []
    assert outcome.done["response"] == len(outcome.acknowledged) > CLIENTS
    assert all(outcome.done[kind] for kind in (*EVENTS, "wave list", "verify")), "each was there meanwhile"
    assert missing(settings, outcome) == []


def test_a_command_gets_its_turn_though_a_busy_server_wants_the_lock_again_at_once(tmp_path: Path) -> None:
    """A server under load holds the lock nearly always: whoever only looks now and then would find it free by luck."""
    path, ended = tmp_path / "write.lock", threading.Event()
    held = []

    def busy() -> None:
        while not ended.is_set():
            with write_lock(path):
                held.append(None)
                time.sleep(0.02)

    server = threading.Thread(target=busy)
    server.start()
    try:
        turns = []
        for _ in range(20):
            before = len(held)
            while len(held) == before:
                time.sleep(0.001)
            with write_lock(path):
                turns.append(len(held) - before - 1)
    finally:
        ended.set()
        server.join()
    assert max(turns) <= 5, turns
