"""R16: ten minutes at a steady rate while extracts are made again and again: does memory grow, do answers slow down?"""

import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from benchmarks.reliability.generator import generate
from benchmarks.reliability.ground import WAVE, make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import Server, serving
from survey_app.settings import Settings
from survey_app.verification import verify

DEVICES, SECONDS, PER_SECOND = 124, 600.0, 300.0
"""60 % of R1's bar of 500 a second."""
WARM_SECONDS, SAMPLE_SECONDS, PAUSE_SECONDS = 60.0, 5.0, 10.0


def r16(folder: Path, short: bool) -> list[Outcome]:
    seconds, rate, warm = (6.0, 20.0, 2.0) if short else (SECONDS, PER_SECOND, WARM_SECONDS)
    ground = make_ground(folder / "instance", DEVICES)
    ended = threading.Event()
    memory: list[tuple[float, float]] = []
    extracts: list[float] = []
    failed: list[str] = []
    with serving(ground.settings) as server:
        began = time.monotonic()
        watchers = [
            threading.Thread(target=_watch, args=(server, began, ended, memory)),
            threading.Thread(target=_extract, args=(ground.settings, ended, extracts, failed)),
        ]
        for watcher in watchers:
            watcher.start()
        measured = generate(server.port, seconds, ground.tokens, ground.sheet.pattern(), rate)
        ended.set()
        for watcher in watchers:
            watcher.join()
    stored = ground.stored()
    wrong = failed + [str(problem) for problem in verify(ground.settings)]
    wrong += measured["first_error"]
    if sorted(measured.pop("acknowledged")) != sorted(stored):
        wrong.append("what was acknowledged is not what is stored")
    spread = _spread([megabytes for at, megabytes in memory if at >= warm])
    slowest, usual = _minutes(measured)
    sound = not wrong and bool(extracts)
    holds = sound and spread <= 0.10 and slowest < 500
    words = (
        f"{measured['per_second']:.0f}/s for {measured['seconds']:.0f} s, {len(extracts)} extracts meanwhile; memory"
        f" ± {spread:.1%} around {statistics.median(m for _, m in memory):.0f} MB after the first minute; p99 of a minute"
        f" {usual:.0f} ms, {slowest:.0f} ms in the slowest; {len(wrong)} faults"
    )
    detail = {**measured, "memory": [round(m, 1) for _, m in memory[:: max(1, len(memory) // 30)]], "wrong": wrong[:3]}
    what = f"{seconds / 60:g} minutes at {rate:.0f}/s (60 % of R1's bar), extracts running"
    return [Outcome("R16", what, "memory flat (± 10 %), p99 of every minute < 500 ms", words, holds, sound, detail)]


def _watch(server: Server, began: float, ended: threading.Event, found: list[tuple[float, float]]) -> None:
    while not ended.wait(SAMPLE_SECONDS if found else 0.5):
        found.append((time.monotonic() - began, server.memory_mb()))


def _extract(settings: Settings, ended: threading.Event, found: list[float], failed: list[str]) -> None:
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "extract", WAVE]
    while not ended.is_set():
        began = time.monotonic()
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            failed.append(done.stderr[-300:])
        found.append(time.monotonic() - began)
        ended.wait(PAUSE_SECONDS)


def _spread(values: list[float]) -> float:
    """How far the memory in use goes from its middle, as a share of it."""
    if not values:
        return 0.0
    return (max(values) - min(values)) / (max(values) + min(values))


def _minutes(measured: dict[str, Any]) -> tuple[float, float]:
    """The worst and the median of the minutes' p99, after the first."""
    minutes = [minute["p99_ms"] for minute in measured["minutes"]]
    later = minutes[1:-1] or minutes
    return max(later), statistics.median(later)
