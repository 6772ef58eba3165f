"""A server that takes responses in, ten processes that write and two that read, all on one store at the same time."""

import subprocess
import sys
from pathlib import Path

from benchmarks.kiosks import make_field, serving
from benchmarks.one_writer import CLIENTS, EVENTS, contend, missing

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
