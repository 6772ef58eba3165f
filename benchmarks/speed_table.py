"""The page of the speed comparison: bars with their ratios, then every timing.

Public: document.
"""

import os
import platform
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Protocol

import numpy as np

from benchmarks.speed_tasks import Task


class TimingLike(Protocol):
    seconds: list[float]
    missing: str
    note: str
    value_gap: float | None
    se_gap: float | None


@dataclass(frozen=True)
class Bar:
    """What is asked: seconds of `slower` / seconds of `faster` in a task at least, or at most, a number."""

    task: str
    slower: str
    faster: str
    side: str  # "≥" or "≤"
    ratio: float

    def met(self, ratio: float) -> bool:
        return ratio >= self.ratio if self.side == "≥" else ratio <= self.ratio

    def __str__(self) -> str:
        if self.side == "≥":
            return f"≥ {self.ratio:,g} × {self.slower}"
        return f"≤ {self.ratio:,g} × {self.faster}"


_RAKED = "sipas, after raking to 4 margins"
BARS = (
    Bar("fields 1000000", "svy", "sipas", "≥", 100),
    Bar("fields 1000000", "sipas", "bare kernel", "≤", 3),
    Bar("fields 40000", "svy", "sipas", "≥", 50),
    Bar("fields 40000", "R survey", "sipas", "≥", 500),
    Bar("fields 1000000", _RAKED, "sipas", "≤", 2),
    Bar("agencies 40000", "svy", "sipas", "≥", 100),
    Bar("agencies 40000", "R survey", "sipas", "≥", 500),
    Bar("agencies 1000000", "svy", "sipas", "≥", 100),
    Bar("agencies 1000000", "R survey", "sipas", "≥", 500),
    Bar("raking 40000", "leafblower", "sipas", "≥", 10),
    Bar("raking 40000", "svy", "sipas", "≥", 25),
    Bar("raking 1000000", "leafblower", "sipas", "≥", 10),
    Bar("raking 1000000", "svy", "sipas", "≥", 25),
    Bar("bootstrap 40000", "svy", "sipas", "≥", 40),
    Bar("bootstrap 40000", "R survey", "sipas", "≥", 4000),
)
_HEAD = """# Speed beside other programs

`python -m benchmarks.speed --write` (part of `make bench`; it makes the rivals' environments itself)

{machine} {versions} Measured {date}{load}. Rounds: {rounds}, in each every program once, in turn; medians over rounds
(in a round ours is the median of several calls), ratios the median of the rounds' ratios. "Not measured" means just that.

**The data.** Simulated: 40 rating items from 1 to 5 (int8) of which 2 to 10 % are missing, 25 strata of 24 PSUs, unequal
weights, rows in random order; 12 fields that occur in every PSU; 150 agencies of 4 PSUs. **The clock** runs from data and
design in each program's own form (numpy arrays; polars and pandas frames with nulls; data.frame) to the estimates with
SE and interval; the design, and for `svy` the columns of 0/1 for the share, are made beforehand. **Fairness.** `svy`: `drop_nulls=True`,
shares by `mean` of a 0/1 column (several times faster than its `prop`), raking tolerance as ours; `samplics`: rows
sorted by stratum and PSU; `leafblower`: its limit on weights taken off; R: one item a call (`svyby` with `svymean`, then
`confint`); `weightipy` takes no design weights; `ipfn` is given the ready table and gives back a table. The bare kernel
is a compiled loop that computes value and SE and nothing else (no checks, labels, intervals, design effects).
"""


def document(
    tasks: Sequence[Task],
    timings: Mapping[str, Mapping[str, TimingLike]],
    versions: Mapping[str, str],
    starts: Mapping[str, list[float]],
    memory: Mapping[str, float],
    rounds: int,
) -> str:
    """The whole page in Markdown."""
    lines = [_head(versions, rounds), "## The bars", "", "| Task | Bar | Measured | |", "|---|---|--:|---|"]
    titles = {task.name: task.title for task in tasks}
    for bar in BARS:
        if bar.task in titles:
            lines.append(_bar_row(bar, titles[bar.task], timings[bar.task]))
    lines += _start_rows(starts) + _memory_rows(memory)
    lines += ["", "## The timings", ""]
    lines += ["| Task | Program | Seconds: median (least to most) | max \\|Δ\\| value | max \\|Δ\\| SE | |"]
    lines += ["|---|---|--:|--:|--:|---|"]
    for task in tasks:
        for name, timing in timings[task.name].items():
            lines.append(_timing_row(task, name, timing))
    lines += [
        "",
        "A hundred million rows from Parquet have [a page of their own](hundred_million.md).",
        "",
        "Δ: against ours. Raking: largest relative difference of a weight. Bootstrap: SEs of two random draws differ, and",
        "shown is the median ratio of the SEs, less 1.",
        "",
    ]
    return "\n".join(lines)


def ratio(bar: Bar, timings: Mapping[str, TimingLike]) -> float | None:
    """The median of the rounds' ratios; None where one of the two was not measured."""
    slower, faster = (timings.get(name) for name in (bar.slower, bar.faster))
    if slower is None or faster is None or not slower.seconds or not faster.seconds:
        return None
    pairs = zip(slower.seconds, faster.seconds, strict=False)
    return float(np.median([a / b for a, b in pairs]))


def _bar_row(bar: Bar, title: str, timings: Mapping[str, TimingLike]) -> str:
    found = ratio(bar, timings)
    title = f"{title}, after raking to 4 margins" if bar.slower == _RAKED else title
    if found is None:
        return f"| {title} | {bar} | not measured | |"
    shown = f"{found:,.0f} ×" if found >= 20 else f"{found:.1f} ×"
    return f"| {title} | {bar if bar.slower != _RAKED else '≤ 2 × not calibrated'} | {shown} | {_verdict(bar.met(found))} |"


def _verdict(met: bool) -> str:
    return "met" if met else "**not met**"


def _start_rows(starts: Mapping[str, list[float]]) -> list[str]:
    rows = []
    for name, most in (
        ("import analysis", 0.5),
        ("from analysis import SurveyDesign, mean", 0.5),
        ("sipas estimate --help", 0.4),
    ):
        if starts.get(name):
            seconds = float(np.median(starts[name]))
            bare = float(np.median(starts["python -c pass"]))
            what = f"`{name}`, the whole process (Python alone {bare:.2f} s)"
            rows.append(f"| {what} | ≤ {most} s | {seconds:.2f} s | {_verdict(seconds <= most)} |")
    return rows


def _memory_rows(memory: Mapping[str, float]) -> list[str]:
    title = "memory of 12 fields × 40 items, 1,000,000 rows: input and everything on top of it"
    if not memory:
        return [f"| {title} | ≤ 2 × input | not measured | |"]
    found = (memory["input"] + memory["extra"]) / memory["input"]
    shown = f"{found:.2f} × ({memory['extra'] / 1e6:,.0f} MB on top of {memory['input'] / 1e6:,.0f} MB)"
    return [f"| {title} | ≤ 2 × input | {shown} | {_verdict(found <= 2)} |"]


def _timing_row(task: Task, name: str, timing: TimingLike) -> str:
    if not timing.seconds:
        return f"| {task.title} | {name} | not measured | | | {timing.missing.replace('|', ' ')} |"
    low, middle, high = (_seconds(each(timing.seconds)) for each in (np.min, np.median, np.max))
    gaps = [_gap(gap) for gap in (timing.value_gap, timing.se_gap)]
    return f"| {task.title} | {name} | {middle} ({low} to {high}) | {gaps[0]} | {gaps[1]} | {timing.note} |"


def _gap(gap: float | None) -> str:
    return "" if gap is None else ("0" if gap == 0 else f"{gap:.0e}")


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f}" if seconds >= 100 else f"{seconds:.3g}"


def _head(versions: Mapping[str, str], rounds: int) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    machine = f"A machine with {os.cpu_count()} processor cores ({_processor()}) and {memory:.0f} GB of memory, {platform.system()}."
    ours = [f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in ("numpy", "numba", "scipy"))]
    theirs = [f"{name} {number}" for name, number in versions.items()]
    load = os.getloadavg()[1]
    busy = "" if load <= (os.cpu_count() or 1) else ", while other programs used the machine too"
    return _HEAD.format(
        machine=machine,
        versions=f"{', '.join(ours)}; {', '.join(theirs)}." if theirs else f"{', '.join(ours)}.",
        date=time.strftime("%Y-%m-%d"),
        load=f" (load {load:.1f} over the last five minutes{busy})",
        rounds=rounds,
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []:
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
