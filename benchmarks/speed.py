"""How fast, beside the rivals: the same data, the same machine, in turn; and how far the results differ.

    python -m benchmarks.speed [--rounds 3] [--slow] [--only WORD] [--skip NAME] [--without NAME …] [--write]

Rivals run in environments of their own that this command makes (.venv/rivals*), R survey is Debian's. A round measures
every program once, ours by the median of several calls; the table has medians over rounds and, for the ratios, the
median of the rounds' ratios. Designs, and the data in each program's own form, are made before the clock starts.
--slow adds samplics (minutes a run). --write writes docs/benchmarks/speed.md.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.speed_data import Data, make_data, save
from benchmarks.speed_rivals import RIVALS, ROOT, NotMeasured, Worker
from benchmarks.speed_table import document
from benchmarks.speed_tasks import Contender, Order, Task, tasks

PAGE = ROOT / "docs" / "benchmarks" / "speed.md"
WARM = 4_000


@dataclass
class Timing:
    """Seconds of one program in one task, a figure a round; or the reason there is none."""

    seconds: list[float] = field(default_factory=list)
    missing: str = ""
    note: str = ""
    value_gap: float | None = None
    se_gap: float | None = None


Timings = dict[str, dict[str, Timing]]
"""Task name → program → timing."""


def call(contender: Contender, data: Data, least: float = 0.3, most: int = 15) -> tuple[float, Any]:
    """Median seconds of several calls, each on a design of its own; the last result."""
    seconds: list[float] = []
    while not seconds or (sum(seconds) < least and len(seconds) < most):
        run = contender(data)
        start = time.perf_counter()
        made = run()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds)), made


def ordered(worker: Worker, order: Order, folder: Path) -> tuple[float, NDArray[np.float64]]:
    """Seconds of a rival, scaled up where its order says so, and its result."""
    seconds, result = worker.run(order.task, folder, order.option)
    if order.line is not None:
        option, a, b = order.line
        second, result = worker.run(order.task, folder, option)
        seconds = second + (second - seconds) * a / b
    return seconds * order.scale, result


def gaps(task: Task, ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> tuple[float, float | None]:
    """Largest absolute difference in value and SE; for weights relative to ours, for a bootstrap's SE relative."""
    if task.kind == "raking":
        return float(np.abs(theirs / ours - 1).max()), None
    theirs = theirs.reshape(2, 2, task.domains, -1)
    ours = ours[..., : theirs.shape[-1]]
    value, se = np.abs(theirs - ours).max(axis=(0, 2, 3))
    if task.kind == "bootstrap":
        se = np.abs(np.median(theirs[:, 1] / ours[:, 1]) - 1)
    return float(value), float(se)


class Measurement:
    """The programs, their processes, and what was measured."""

    def __init__(self, scratch: Path, rounds: int, slow: bool, without: Sequence[str]) -> None:
        self.scratch, self.rounds, self.slow = scratch, rounds, slow
        self.workers: dict[str, Worker | str] = {name: "left out with --without" for name in without}
        self.timings: Timings = {}
        self.versions: dict[str, str] = {}

    def worker(self, name: str) -> Worker:
        """A running rival; raises NotMeasured, with the same reason every time, where there is none."""
        if name not in self.workers:
            try:
                made = Worker(RIVALS[name], self.scratch)
                self.workers[name] = made
                self.versions[name] = made.version
            except NotMeasured as error:
                self.workers[name] = str(error)
        found = self.workers[name]
        if isinstance(found, str):
            raise NotMeasured(found)
        return found

    def measure(self, task: Task, data: Data, warm: Data) -> None:
        """All programs of a task, round by round."""
        folders = {part.n: self.scratch / str(part.n) for part in (data, warm)}
        for part in (data, warm):
            if not folders[part.n].exists():
                save(part, folders[part.n])
        results = self.timings.setdefault(task.name, {})
        reference: NDArray[np.float64] | None = None
        for number in range(-1, self.rounds):  # −1: warming up, on little data
            now = warm if number < 0 else data
            for name, contender in task.ours.items():
                timing = results.setdefault(name, Timing())
                try:
                    seconds, made = call(contender, now)
                except (AttributeError, TypeError) as error:  # the door lacks what the task needs
                    timing.missing = f"{type(error).__name__}: {error}"
                    continue
                if number < 0:
                    continue
                timing.seconds.append(seconds)
                if name == "sipas":
                    reference = task.result(made)
                elif reference is not None and name == "bare kernel":
                    timing.value_gap, timing.se_gap = gaps(task, reference, task.result(made))
            for name, order in task.rivals.items():
                timing = results.setdefault(name, Timing(note=order.note))
                if order.slow and (not self.slow or number > 0):
                    timing.missing = "" if timing.seconds else "measured with --slow"
                    continue
                if timing.missing or (number < 0 and RIVALS[name].environment is None):  # R compiles nothing
                    continue
                try:
                    seconds, result = ordered(self.worker(name), order, folders[now.n])
                except NotMeasured as error:
                    timing.missing = str(error)
                    continue
                if number >= 0:
                    timing.seconds.append(seconds)
                    if reference is not None and order.comparable:
                        timing.value_gap, timing.se_gap = gaps(task, reference, result)

    def close(self) -> None:
        for worker in self.workers.values():
            if isinstance(worker, Worker):
                worker.close()


def starts(rounds: int) -> dict[str, list[float]]:
    """Seconds of whole processes: Python alone, import of analysis, the help of a command."""
    commands = {
        "python -c pass": [sys.executable, "-c", "pass"],
        "import analysis": [sys.executable, "-c", "import analysis"],
        "from analysis import SurveyDesign, mean": [sys.executable, "-c", "from analysis import SurveyDesign, mean"],
        "sipas estimate --help": [str(Path(sys.executable).with_name("sipas")), "estimate", "--help"],
    }
    found: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(-1, 3 * rounds):
        for name, command in commands.items():
            start = time.perf_counter()
            done = subprocess.run(command, check=False, capture_output=True)
            if number >= 0 and done.returncode == 0:
                found[name].append(time.perf_counter() - start)
    return found


def memory(n: int) -> dict[str, float]:
    """Peak memory of the estimates of the largest task, in bytes: see benchmarks.speed_memory."""
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.speed_memory", str(n)], check=False, capture_output=True, text=True, cwd=ROOT
    )
    if done.returncode:
        return {}
    return dict(json.loads(done.stdout))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--slow", action="store_true", help="samplics too")
    parser.add_argument("--only", default="", help="tasks whose name holds this word")
    parser.add_argument("--skip", default=" ", help="leave out the task of this name, and say so")
    parser.add_argument("--without", action="append", default=[], help="leave a rival out")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.relative_to(ROOT)}")
    options = parser.parse_args()
    chosen = [task for task in tasks() if options.only in task.name and task.name != options.skip]
    warm, data = make_data(WARM), None
    with tempfile.TemporaryDirectory() as folder:
        made = Measurement(Path(folder), options.rounds, options.slow, options.without)
        try:
            for task in chosen:
                print(f"{time.strftime('%H:%M:%S')} {task.title} …", file=sys.stderr, flush=True)
                data = data if data is not None and data.n == task.n else make_data(task.n)
                made.measure(task, data, warm)
        finally:
            made.close()
    processes, peak = ({}, {}) if options.only else (starts(options.rounds), memory(1_000_000))
    page = document(chosen, made.timings, made.versions, processes, peak, options.rounds)
    for task in tasks():
        if task.name == options.skip:
            page += f"\nLeft out of this run, so not measured: {task.title}.\n"
    print(page)
    if options.write:
        PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
