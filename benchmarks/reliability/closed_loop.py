"""R1 and R2: kiosks that each wait for the acknowledgement before they send the next response, with fsync on."""

import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from benchmarks.reliability.generator import generate
from benchmarks.reliability.ground import make_form, make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import free_port, listens, serving, slow_disk
from survey_app.verification import verify

DEVICES, SECONDS, SLOW_MS = 124, 30.0, 10
HEADROOM = 3


def r1(folder: Path, short: bool) -> list[Outcome]:
    """The counter form (16 items of the index), a form of 40 items, and the counter form on a slow disk."""
    devices, seconds = (24, 1.0) if short else (DEVICES, SECONDS)
    slow = slow_disk(folder, SLOW_MS)
    found = []
    for name, items, more, bar in [
        ("16 items", 0, {}, 500),
        ("40 items", 40, {}, 500),
        (f"16 items, {SLOW_MS} ms added to every fsync", 0, slow, 300),
    ]:
        measured = loop(folder / name.replace(" ", "-").replace(",", ""), devices, seconds, items, more)
        quick = measured["p99_ms"] < 500 or bar == 300
        sound = measured["whole"]
        holds = sound and quick and measured["per_second"] >= bar
        limit = f"≥ {bar}/s, no error" + (", p99 < 500 ms" if bar == 500 else "")
        found.append(
            Outcome(
                "R1", f"{devices} devices, {seconds:g} s, {name}", limit, sentence(measured), holds, sound, measured
            )
        )
    return found


def r2(folder: Path, short: bool) -> list[Outcome]:
    """ODK Central's published case has 500 connections and 250 questions: 41.2 a second."""
    connections, seconds = (40, 1.0) if short else (500, SECONDS)
    measured = loop(folder / "250-items", connections, seconds, 250, {})
    what = f"{connections} connections, {seconds:g} s, form of 250 items"
    sound = measured["whole"]
    holds = sound and measured["per_second"] >= 300
    return [Outcome("R2", what, "≥ 300/s, no error", sentence(measured), holds, sound, measured)]


def loop(folder: Path, devices: int, seconds: float, items: int, more: Mapping[str, str]) -> dict[str, Any]:
    """The generator against the server, then against one that answers at once."""
    folder.mkdir(parents=True)
    ground = make_ground(folder / "instance", devices, make_form(items, folder) if items else None)
    pattern = ground.sheet.pattern()
    with serving(ground.settings, more=more) as server:
        before = server.cpu_seconds()
        measured = generate(server.port, seconds, ground.tokens, pattern)
        cpu = server.cpu_seconds() - before
    acknowledged, stored = measured.pop("acknowledged"), ground.stored()
    problems = verify(ground.settings)
    measured["server_cores"] = round(cpu / measured["seconds"], 2)
    measured["server_cpu_ms"] = round(cpu * 1000 / max(1, measured["responses"]), 2)
    measured["stored"] = len(stored)
    measured["whole"] = not measured["errors"] and sorted(acknowledged) == sorted(stored) and not problems
    measured["generator_alone"] = headroom(min(seconds, 5.0), ground.tokens, pattern)
    return measured


def headroom(seconds: float, tokens: tuple[str, ...], pattern: str) -> float:
    """What the same generator gets out of a server that answers at once, a second."""
    port = free_port()
    server = subprocess.Popen([sys.executable, "-m", "benchmarks.reliability.instant", str(port)])
    try:
        deadline = time.monotonic() + 20
        while not listens(port) and time.monotonic() < deadline:
            time.sleep(0.02)
        return float(generate(port, seconds, tokens, pattern)["per_second"])
    finally:
        server.terminate()
        server.wait()


def sentence(measured: dict[str, Any]) -> str:
    times = measured["generator_alone"] / max(1.0, measured["per_second"])
    return (
        f"{measured['per_second']:.0f}/s, p99 {measured['p99_ms']:.0f} ms, {measured['errors']} errors;"
        f" server {measured['server_cores']:.2f} cores ({measured['server_cpu_ms']:.2f} ms a response), generator"
        f" {measured['generator_cores']:.2f}; the generator alone {measured['generator_alone']:.0f}/s, {times:.1f} times"
    )
