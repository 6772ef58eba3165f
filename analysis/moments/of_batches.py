"""The moments of a table whose rows come in batches: those of each batch, by the loops over arrays, added up.

Public: sum_in_batches.
"""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.engine.batches import Batch, Rows
from analysis.labels import Codes
from analysis.moments.respondents import sum_by_unit
from analysis.moments.sums import Measure, Moments, SecondReading

FloatArray = NDArray[np.float64]


class _Squares:
    """Σ w (y − ȳ)² by domain of all batches so far, centred about the mean of all their rows.

    Chan, T. F., Golub, G. H. and LeVeque, R. J. (1983). Algorithms for computing the sample variance: analysis and
    recommendations. The American Statistician 37, 242–247. https://doi.org/10.1080/00031305.1983.10483115
    """

    def __init__(self) -> None:
        self.total: FloatArray | None = None

    def add(self, part: Moments) -> None:
        top, bottom = part.by_domain(part.top), part.by_domain(part.bottom)
        mean = _divided(top, bottom)
        squares = part.second.spread(mean, np.ones_like(mean))
        if self.total is None:
            self.total, self._mean, self._bottom = squares, mean, bottom
            return
        both = self._bottom + bottom
        apart = np.where((bottom > 0) & (self._bottom > 0), mean - self._mean, 0.0)
        self.total = self.total + squares + apart**2 * _divided(self._bottom * bottom, both)
        self._mean = _divided(self._mean * self._bottom + top, both)
        self._bottom = both


@dataclass(frozen=True, eq=False)
class _Sum:
    """Moments of a table in batches."""

    design: SurveyDesign
    measure: Measure
    rows: Rows

    def parts(self) -> Iterator[Moments]:
        """The moments of each batch."""
        domains = self.rows.domains.labels
        unit, _ = self.design.summation_unit
        ratios = [step.before / step.after for step in self.design.steps]
        for batch in self.rows:
            measure = replace(self.measure, top=batch.top, bottom=batch.bottom)
            yield sum_by_unit(_design_of(self.design, batch, unit, ratios), measure, Codes(batch.domain, domains))

    def moments(self) -> Moments:
        domains, (_, units) = len(self.rows.domains.labels), self.design.summation_unit
        squares, seen = _Squares(), np.zeros(domains * units, dtype=bool)
        sums: list[NDArray[Any]] = []  # by all pairs of domain and unit there may be
        crossed: list[tuple[FloatArray, FloatArray]] = []
        for part in self.parts():
            place = part.domain * units + part.unit
            parts = (part.top, part.bottom, part.population, part.answered)
            if not sums:
                sums = [np.zeros((len(seen), one.shape[1]), np.promote_types(one.dtype, np.int64)) for one in parts]
                crossed = [(np.zeros_like(top), np.zeros_like(bottom)) for top, bottom in part.crossed]
            for whole, one in zip(sums, parts, strict=True):
                whole[place] += one
            crossed = [(a + c, b + d) for (a, b), (c, d) in zip(crossed, part.crossed, strict=True)]
            seen[place] = True
            if self.measure.plain:
                squares.add(part)
        pairs = np.flatnonzero(seen)
        top, bottom, population, answered = (one[pairs] for one in sums)
        second = _BatchReading(self, squares.total)
        return Moments(
            self.design,
            domains,
            pairs // units,
            pairs % units,
            top,
            bottom,
            population,
            answered,
            tuple(crossed),
            second,
        )


@dataclass(frozen=True, eq=False)
class _BatchReading(SecondReading):
    sum: _Sum
    squares: FloatArray | None

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        if self.squares is not None:
            return np.asarray(self.squares / np.where(size != 0, size, 1.0) ** 2)
        return np.asarray(sum(part.second.spread(value, size) for part in self.sum.parts()))

    def squared_weights(self) -> FloatArray:
        return np.asarray(sum(part.second.squared_weights() for part in self.sum.parts()))


def sum_in_batches(design: SurveyDesign, measure: Measure, rows: Rows) -> Moments:
    """Read the table once; once more where squares need the values, or an SE of 0 the squared weights."""
    return _Sum(design, measure, rows).moments()


def _design_of(design: SurveyDesign, batch: Batch, unit: NDArray[np.int64], ratios: list[FloatArray]) -> SurveyDesign:
    """The design of the rows of a batch: the atoms' units and calibration cells, the rows' weights."""
    result = copy(design.with_source(None))
    ones = np.ones(len(batch.atom))
    steps = tuple(
        replace(step, cell=step.cell[batch.atom], before=ratio[batch.atom], after=ones)
        for step, ratio in zip(design.steps, ratios, strict=True)
    )
    changed = {"weight": batch.weight, "steps": steps}
    if design.replicates is None:
        changed["stages"] = replace(design.stages, unit=unit[batch.atom])
    else:
        changed["replicates"] = replace(design.replicates, unit=unit[batch.atom])
    for name, value in changed.items():
        object.__setattr__(result, name, value)
    return result


def _divided(a: FloatArray, b: FloatArray) -> FloatArray:
    return np.divide(a, b, out=np.zeros_like(a), where=b != 0)
