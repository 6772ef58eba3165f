"""R3: after an outage every device comes back with its queue at once, some of it sent before but never acknowledged."""

import time
from pathlib import Path

from benchmarks.reliability.ground import make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import serving
from benchmarks.reliability.tablets import Tablet, left_wrong, together
from survey_app.verification import verify

DEVICES, QUEUE, BATCH, BAR_SECONDS = 124, 100, 20, 60


def r3(folder: Path, short: bool) -> list[Outcome]:
    devices, queue = (12, 20) if short else (DEVICES, QUEUE)
    ground = make_ground(folder / "instance", devices)
    tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
    before = queue // 20
    with serving(ground.settings) as server:
        for tablet in tablets:
            tablet.fill(before)
        together(tablets, server.port, time.monotonic() + 120)
        for tablet in tablets:
            # Five in a hundred were stored, and their acknowledgement was lost with the network.
            tablet.unsent = list(tablet.outbox)
            tablet.acknowledged.clear()
            tablet.fates.clear()
            tablet.fill(queue - before)
        began = time.monotonic()
        together(tablets, server.port, began + 600, BATCH)
        seconds = time.monotonic() - began
    wrong = left_wrong(tablets, ground.stored()) + [str(problem) for problem in verify(ground.settings)]
    again = sum(tablet.fates["already_stored"] for tablet in tablets)
    errors = sum(sum(tablet.interruptions.values()) for tablet in tablets)
    found = f"{devices * queue} in {seconds:.1f} s, {again} of them known already; {len(wrong)} lost, doubled or untold"
    sound = not wrong and not errors and again == devices * before
    detail = {"seconds": round(seconds, 2), "wrong": wrong[:3], "errors": errors, "again": again}
    what = f"{devices} devices return with {queue} queued each, 5 % sent before"
    return [
        Outcome(
            "R3", what, f"< {BAR_SECONDS} s, each exactly once", found, sound and seconds < BAR_SECONDS, sound, detail
        )
    ]
