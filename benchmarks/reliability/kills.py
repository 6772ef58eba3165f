"""R4: the server killed at random moments while tablets send."""

import random
import threading
import time
from pathlib import Path

from benchmarks.reliability.ground import make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import free_port, start
from benchmarks.reliability.tablets import Tablet, acknowledged, left_wrong
from survey_app.store import Store
from survey_app.verification import verify

DEVICES, KILLS = 24, 50
PATIENCE_SECONDS = 120.0


def r4(folder: Path, short: bool) -> list[Outcome]:
    devices, kills = (6, 3) if short else (DEVICES, KILLS)
    ground, chance = make_ground(folder / "instance", devices), random.Random(4)
    tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
    port, ended = free_port(), threading.Event()
    server = start(ground.settings, port)
    threads = [threading.Thread(target=_busy, args=(tablet, port, ended)) for tablet in tablets]
    lost: list[str] = []
    checked: set[str] = set()
    try:
        for thread in threads:
            thread.start()
        for kill in range(kills):
            _wait_for(tablets, _count(tablets) + chance.randint(2 * devices, 6 * devices))
            time.sleep(chance.uniform(0, 0.02))
            server.kill()
            told = acknowledged(tablets)
            with Store.open(ground.settings, write=False) as store:
                lost += [f"kill {kill}: {uuid}" for uuid in told - checked if not store.is_stored(uuid)]
            checked = told
            server = start(ground.settings, port)
        ended.set()
        for thread in threads:
            thread.join()
        for tablet in tablets:
            tablet.flush(port, time.monotonic() + PATIENCE_SECONDS)
    finally:
        ended.set()
        server.stop()
    stored = ground.stored()
    wrong = lost + left_wrong(tablets, stored) + [str(problem) for problem in verify(ground.settings)]
    hit = sum(bool(tablet.interruptions) for tablet in tablets)
    found = (
        f"{len(stored)} responses of {devices} tablets: {len(lost)} acknowledged and lost,"
        f" {len(stored) - len(set(stored))} doubled, {len(wrong)} faults in all; {hit} tablets were interrupted"
    )
    holds = not wrong and hit > 0
    detail = {"wrong": wrong[:3], "interruptions": sum(sum(tablet.interruptions.values()) for tablet in tablets)}
    bar = "0 acknowledged lost, 0 doubled, verify clean"
    return [Outcome("R4", f"kill -9 of the server, {kills} times under load", bar, found, holds, holds, detail)]


def _busy(tablet: Tablet, port: int, ended: threading.Event) -> None:
    """Citizens come as long as there is a server; nothing waits for an acknowledgement but the next sending."""
    while not ended.is_set():
        tablet.fill(random.randint(1, 4))
        tablet.flush(port, time.monotonic() + PATIENCE_SECONDS, batch=3)


def _count(tablets: list[Tablet]) -> int:
    return sum(len(tablet.acknowledged) for tablet in tablets)


def _wait_for(tablets: list[Tablet], count: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while _count(tablets) < count:
        if time.monotonic() > until:
            raise RuntimeError("the tablets get no acknowledgement any more")
        time.sleep(0.002)
