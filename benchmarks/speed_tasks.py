"""What is measured: each task with our way through it, the bare kernel's, and the orders to the rivals.

Public: Task, tasks, Contender. A contender's `prepare(data)` is outside the clock, the function it gives is inside.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

import analysis
from benchmarks import speed_kernel
from benchmarks.speed_data import AGENCIES, FIELDS, MARGINS, MISSING, Data

Floats = NDArray[np.float64]
REPLICATES, TOLERANCE = 500, 1e-8
Contender = Callable[[Data], Callable[[], Any]]


@dataclass(frozen=True)
class Order:
    """What a rival is told: its task and an option.

    Attributes
    ----------
    slow : measured only with --slow, one run
    scale : its time is multiplied by this, and called extrapolated in `note`
    line : a second option and two numbers (a, b): the time taken is t₂ + (t₂ − t₁) a / b, a straight line through both
    comparable : its result is that of the task, so the difference is shown
    """

    task: str
    option: str
    slow: bool = False
    scale: float = 1.0
    line: tuple[str, float, float] | None = None
    note: str = ""
    comparable: bool = True


@dataclass(frozen=True)
class Task:
    """One task at one size. `result` makes a comparable array of what a contender of ours gives."""

    name: str
    title: str
    n: int
    kind: (
        str  # "estimate": arrays (measure, value or SE, domains, items); "bootstrap": the same; "raking": weights (n,)
    )
    domains: int
    ours: Mapping[str, Contender]
    result: Callable[[Any], Floats]
    rivals: Mapping[str, Order] = field(default_factory=dict)


def design_of(data: Data) -> analysis.SurveyDesign:
    return analysis.SurveyDesign(data.weight, stratum=data.stratum, psu=data.psu)


def raked(data: Data) -> analysis.SurveyDesign:
    return analysis.rake(design_of(data), margins_of(data), tolerance=TOLERANCE)


def margins_of(data: Data) -> dict[str, tuple[Any, dict[int, float]]]:
    return {
        name: (data.margins[:, place].copy(), dict(enumerate(data.totals[name]))) for place, name in enumerate(MARGINS)
    }


def both(design: analysis.SurveyDesign, data: Data, by: Any) -> tuple[analysis.Estimates, analysis.Estimates]:
    """Mean and top-2 share with SE and interval."""
    return (
        analysis.mean(design, data.codes, by=by, missing=(MISSING,)),
        analysis.proportion(design, data.codes, by=by, missing=(MISSING,), of=(4, 5)),
    )


def stacked(estimates: tuple[analysis.Estimates, analysis.Estimates] | Floats) -> Floats:
    if isinstance(estimates, np.ndarray):
        return estimates
    return np.stack([np.stack([part.value, part.se]) for part in estimates])


def _estimate(by: str) -> Contender:
    def prepare(data: Data) -> Callable[[], Any]:
        design = design_of(data)  # a new one for every run: nothing kept from the last
        return lambda: both(design, data, getattr(data, by))

    return prepare


def _estimate_raked(data: Data) -> Callable[[], Any]:
    design = raked(data)
    return lambda: both(design, data, data.field)


def _kernel(by: str, domains: int) -> Contender:
    def prepare(data: Data) -> Callable[[], Any]:
        stratum_of_psu = _strata(data)
        domain = getattr(data, by)
        return lambda: speed_kernel.estimate(data.codes, data.weight, domain, domains, data.psu, stratum_of_psu)

    return prepare


def _strata(data: Data) -> NDArray[np.int64]:
    stratum_of_psu = np.zeros(int(data.psu.max()) + 1, dtype=np.int64)
    stratum_of_psu[data.psu] = data.stratum
    return stratum_of_psu


def _rake(data: Data) -> Callable[[], Any]:
    design, margins = design_of(data), margins_of(data)
    return lambda: analysis.rake(design, margins, tolerance=TOLERANCE).weight


def _kernel_rake(data: Data) -> Callable[[], Any]:
    totals = [data.totals[name] for name in MARGINS]
    return lambda: speed_kernel.raking(data.margins, data.weight, totals, TOLERANCE)


def _bootstrap(data: Data) -> Callable[[], Any]:
    design = design_of(data)

    def run() -> Any:
        return both(analysis.replicate(design, "bootstrap", replicates=REPLICATES, seed=1), data, data.field)

    return run


def _kernel_bootstrap(data: Data) -> Callable[[], Any]:
    stratum_of_psu = _strata(data)
    rng = np.random.default_rng(1)
    multiplier = np.empty((REPLICATES, len(stratum_of_psu)))
    for stratum in np.unique(stratum_of_psu):
        psus = np.flatnonzero(stratum_of_psu == stratum)
        size = len(psus)
        drawn = rng.multinomial(size - 1, np.full(size, 1 / size), size=REPLICATES)
        multiplier[:, psus] = size / (size - 1) * drawn
    return lambda: speed_kernel.bootstrap(data.codes, data.weight, data.field, FIELDS, data.psu, multiplier)


def tasks(large: int = 1_000_000, small: int = 40_000) -> list[Task]:
    """All of them, the long ones last."""
    rakers = {
        "leafblower": Order("raking", str(TOLERANCE)),
        "svy": Order("raking", str(TOLERANCE)),
        "weightipy": Order(
            "raking", str(TOLERANCE), note="takes no design weights: starts all rows from 1", comparable=False
        ),
        "ipfn": Order("raking", str(TOLERANCE), note="the ready table of cells only: no rows in, no weights out"),
    }
    measured: list[Task] = []
    ours: dict[str, Contender]
    rivals: dict[str, Order]
    for n in (small, large):
        title = f"raking 4 margins, {n:,} rows"
        ours = {"sipas": _rake, "bare kernel": _kernel_rake}
        measured.append(Task(f"raking {n}", title, n, "raking", 0, ours, np.asarray, rakers))
    one_pass = Order("estimate", "field")
    slowest = Order("estimate", "field", slow=True)
    for n in (small, large):
        rivals = {"svy": one_pass, "samplics": slowest} | ({"R survey": one_pass} if n == small else {})
        ours = {"sipas": _estimate("field"), "bare kernel": _kernel("field", FIELDS)}
        if n == large:
            ours["sipas, after raking to 4 margins"] = _estimate_raked
        title = f"{FIELDS} fields × 40 items, mean and top-2 share, {n:,} rows"
        measured.append(Task(f"fields {n}", title, n, "estimate", FIELDS, ours, stacked, rivals))
    for n in (small, large):
        r = Order("estimate", "agency")
        if n == large:
            r = Order("estimate", "agency,2", scale=20, note="extrapolated from 2 of the 40 items")
        ours = {"sipas": _estimate("agency"), "bare kernel": _kernel("agency", AGENCIES)}
        title = f"{AGENCIES} agencies × 40 items, mean and top-2 share, {n:,} rows"
        rivals = {"svy": Order("estimate", "agency"), "R survey": r}
        measured.append(Task(f"agencies {n}", title, n, "estimate", AGENCIES, ours, stacked, rivals))
    line = ("40", REPLICATES - 40.0, 20.0)
    few = Order("bootstrap", "20", line=line, note="extrapolated: a straight line through 20 and 40 replicates")
    ours = {"sipas": _bootstrap, "bare kernel": _kernel_bootstrap}
    rivals = {"svy": Order("bootstrap", str(REPLICATES)), "R survey": few}
    title = f"bootstrap of {REPLICATES} replicates, {FIELDS} fields × 40 items, both measures, {small:,} rows"
    measured.append(Task(f"bootstrap {small}", title, small, "bootstrap", FIELDS, ours, stacked, rivals))
    return measured
