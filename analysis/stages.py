"""Stages of sampling: which units each stage drew, from which group, and the factor its variance carries.

Public: Stage, Stages, build_stages, per_stage.
"""

from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import Codes, IntArray, Labels, compact, encode

FloatArray = NDArray[np.float64]
LabelsOfUnits = Callable[[], tuple[tuple[Hashable, Hashable], ...] | None]


@dataclass(frozen=True)
class Stage:
    """Units sampled at one stage, ordered by the group (stratum, or unit above) they were drawn from.

    Attributes
    ----------
    group : ndarray, shape (units,), sorted
    count : ndarray, shape (groups,), units sampled in each group
    rate : ndarray, shape (groups,), (1 − f) times the sampling fractions of the stages above
    scale : ndarray, shape (groups,), rate · n / (n − 1); NaN where a lone unit leaves the variance unknown
    parent : ndarray, shape (groups,), the unit of the stage above each group lies in; 0 at the first stage
    of_unit : ndarray, shape (units of the last stage,), the unit of this stage each belongs to
    names : what to call the groups in a message
    unit_labels : (label of the group, label of the unit) of each unit, None where every row is a unit of its own
    """

    group: IntArray
    count: IntArray
    rate: FloatArray
    scale: FloatArray
    parent: IntArray
    of_unit: IntArray
    names: tuple[str, ...]
    unit_labels: LabelsOfUnits = field(repr=False)

    @property
    def labels(self) -> tuple[tuple[Hashable, Hashable], ...] | None:
        """(stratum label, PSU label) of each unit; None where every row is a unit of its own."""
        return self.unit_labels()


@dataclass(frozen=True)
class Stages:
    """All stages that add to the variance. `unit` is each row's unit of the last stage, shape (n,)."""

    unit: IntArray
    units: int
    stages: tuple[Stage, ...]

    def __getitem__(self, index: int) -> Stage:
        return self.stages[index]

    def __iter__(self) -> Iterator[Stage]:
        return iter(self.stages)

    def require_variance(self, units: IntArray) -> None:
        """Fail, naming the strata, where a lone PSU among `units` (of the last stage) leaves the variance unknown."""
        problems = []
        for number, stage in enumerate(self.stages, start=1):
            if not np.isnan(stage.scale).any():
                continue
            touched = np.unique(stage.group[stage.of_unit[units]])
            lone = touched[np.isnan(stage.scale[touched])]
            if len(lone):
                names = ", ".join(stage.names[i] for i in lone[:20]) + (" …" if len(lone) > 20 else "")
                what = "stratum has only one PSU" if len(lone) == 1 else "strata have only one PSU each"
                problems.append(
                    Problem(
                        f"{len(lone)} {what}, so the variance cannot be estimated: {names}",
                        f"stratum, stage {number}",
                        "join each with a neighbouring stratum, give fpc where the one PSU is all there is, or choose a policy: lone_psu= (--lone-psu)",
                    )
                )
        if problems:
            raise AnalysisError(problems)


@dataclass(frozen=True)
class _Level:
    """A stage before its units are renumbered: unit and group of each row, and the population of each group."""

    unit: IntArray
    units: int
    group: IntArray
    groups: int
    population: FloatArray | None
    names: tuple[str, ...]
    labels: LabelsOfUnits


def build_stages(
    rows: int,
    stratum: Labels | Sequence[Labels] | None,
    psu: Labels | Sequence[Labels] | None,
    fpc: Labels | Sequence[Labels] | None,
    nest: bool,
) -> Stages:
    """Parse the labels of every stage; refuse what contradicts itself."""
    strata, psus, fpcs = per_stage(stratum), per_stage(psu), per_stage(fpc)
    count = max(len(psus), 1)
    for name, given in (("stratum", strata), ("fpc", fpcs)):
        if len(given) > count:
            raise AnalysisError(
                Problem(f"{name} has {len(given)} stages, psu has {count}", name, "give psu labels for every stage")
            )
    levels: list[_Level] = []
    for number in range(count):
        above = levels[-1] if levels else None
        level = _level(
            rows,
            number,
            strata[number] if number < len(strata) else None,
            psus[number] if psus else None,
            fpcs[number] if number < len(fpcs) else None,
            above,
            nest,
        )
        levels.append(level)
        if level.population is None:  # sampled with replacement: later stages add nothing
            break
    return _assemble(levels)


def per_stage(labels: Labels | Sequence[Labels] | None) -> list[Any]:
    if labels is None:
        return []
    if isinstance(labels, (list, tuple)) and len(labels) and np.ndim(labels[0]) == 1 and not isinstance(labels[0], str):
        return list(labels)
    return [labels]


def _level(rows: int, number: int, stratum: Any, psu: Any, fpc: Any, above: _Level | None, nest: bool) -> _Level:
    tail = "" if number == 0 else f"[{number}]"
    strata = None if stratum is None else encode(stratum, f"stratum{tail}", rows)
    group, names = _groups(rows, strata, above)
    groups = len(names)
    if psu is None:
        order = np.argsort(group, kind="stable")
        unit = np.empty(rows, dtype=np.int64)
        unit[order] = np.arange(rows)
        units = rows
        named: LabelsOfUnits = _no_labels
    else:
        labels = encode(psu, f"psu{tail}", rows)
        kept, unit = compact(group * len(labels.labels) + labels.code)
        units = len(kept)
        if above is None and not nest and units > len(labels.labels):
            raise AnalysisError(_in_two_strata(kept, labels, names))
        named = partial(_labels, kept, labels, strata)
    sampled = np.bincount(_first(unit, units, group), minlength=groups)
    population = None if fpc is None else _population(fpc, f"fpc{tail}", group, sampled, names)
    return _Level(unit, units, group, groups, population, names, named)


def _no_labels() -> None:
    return None


def _labels(kept: IntArray, psu: Codes, strata: Codes | None) -> tuple[tuple[Hashable, Hashable], ...]:
    """(stratum label, PSU label) of first-stage units; the stratum is None where there are no strata."""
    count = len(psu.labels)
    above = strata.labels if strata is not None and len(strata.labels) else (None,)
    return tuple((above[i // count] if i // count < len(above) else None, psu.labels[i % count]) for i in kept.tolist())


def _groups(rows: int, strata: Codes | None, above: _Level | None) -> tuple[IntArray, tuple[str, ...]]:
    """The group each row's unit was drawn from: its stratum, within the unit above."""
    if above is None:
        if strata is None:
            return np.zeros(rows, dtype=np.int64), ("the whole sample",)
        return strata.code, tuple(str(label) for label in strata.labels)
    if strata is None:
        return above.unit, tuple(f"unit {i} of the stage above" for i in range(above.units))
    kept, group = compact(above.unit * len(strata.labels) + strata.code)
    return group, tuple(str(strata.labels[i]) for i in kept % len(strata.labels))


def _first(unit: IntArray, units: int, values: IntArray) -> IntArray:
    """The value each unit's rows share."""
    result = np.zeros(units, dtype=values.dtype)
    result[unit] = values
    return result


def _in_two_strata(kept: IntArray, labels: Codes, names: tuple[str, ...]) -> Problem:
    label, times = np.unique(kept % len(labels.labels), return_counts=True)
    repeated = label[times > 1]
    strata = [names[i] for i in (kept // len(labels.labels))[kept % len(labels.labels) == repeated[0]]]
    return Problem(
        f"{len(repeated)} PSU labels are found in more than one stratum; {labels.labels[repeated[0]]!r} is in "
        + ", ".join(strata[:5]),
        "psu",
        "give each PSU a label of its own, or say nest=True (--nest) when the same label means another PSU in another stratum",
    )


def _population(fpc: Any, name: str, group: IntArray, sampled: IntArray, names: tuple[str, ...]) -> FloatArray:
    try:
        values = np.asarray(fpc, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number([[value] for value in np.ravel(np.asarray(fpc, dtype=object))], name) from error
    if values.shape != group.shape:
        raise AnalysisError(
            Problem(f"{name} has shape {values.shape}, but the design has {len(group)} rows", name, "give one a row")
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise AnalysisError(
            Problem(f"{name} is {values[bad[0]]} in row {bad[0]}", name, "give the number of units in the population")
        )
    population = np.zeros(len(sampled))
    population[group] = values
    varies = np.flatnonzero(population[group] != values)
    if len(varies):
        where = names[group[varies[0]]]
        raise AnalysisError(
            Problem(
                f"{name} differs within {where}: {values[varies[0]]:g} and {population[group[varies[0]]]:g}",
                f"{name}, row {varies[0]}",
                "give the same population count to all rows of a stratum (first stage) or of a unit (later stages)",
            )
        )
    short = np.flatnonzero(population < sampled)
    if len(short):
        first = short[0]
        raise AnalysisError(
            Problem(
                f"{name} is smaller than the sample: {population[first]:g} in the population, {sampled[first]} sampled",
                f"{name}, {names[first]}",
                "fpc counts all sampling units (PSUs such as open days, never dossiers) of the population",
            )
        )
    return population


def _assemble(levels: list[_Level]) -> Stages:
    last = levels[-1]
    stages: list[Stage] = []
    fraction: FloatArray | None = None  # product of sampling fractions above, per unit of the stage above
    for number, level in enumerate(levels):
        group = _first(level.unit, level.units, level.group)
        count = np.bincount(group, minlength=level.groups)
        above, parent = np.ones(level.groups), np.zeros(level.groups, dtype=np.int64)
        if number > 0 and fraction is not None:
            parent[level.group] = levels[number - 1].unit
            above = fraction[parent]
        rate = np.zeros(level.groups) if level.population is None else count / level.population
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = above * (1 - rate) * count / (count - 1)
        scale[(rate == 1) | (above == 0)] = 0.0
        scale[(count == 1) & (rate < 1) & (above > 0)] = np.nan
        fraction = (above * rate)[group]
        of_unit = _first(last.unit, last.units, level.unit)
        stages.append(Stage(group, count, above * (1 - rate), scale, parent, of_unit, level.names, level.labels))
    return Stages(last.unit, last.units, tuple(stages))
