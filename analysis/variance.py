"""From scores to variances: the one place where a design becomes a covariance.

An estimator hands over, for every (domain, sampling unit, calibration cells) group, the weighted total of its
linearised scores. Calibration residuals and the between-unit sums of squares of every stage are formed here.
Public: Scores.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray
from analysis.moments import Moments, boundaries

FloatArray = NDArray[np.float64]

_BLOCK = 1 << 22  # numbers held at once while calibration spreads a domain's scores over all units
_LARGEST = 1 << 26  # numbers in the largest table of scores or covariance matrix that is made


@dataclass(frozen=True, eq=False)
class Scores:
    """Weighted totals of linearised scores, shape (groups, variables), of the groups in `moments`."""

    moments: Moments
    total: FloatArray

    @property
    def design(self) -> SurveyDesign:
        return self.moments.design

    @cached_property
    def variance(self) -> FloatArray:
        """Variances, shape (domains, variables).

        Per stage and group of units (stratum, or unit above): scale · Σ_units (z − z̄)², with scale =
        (1 − f) n/(n − 1) times the sampling fractions above. z̄ counts the units without a row in the domain as 0.
        """
        self._require_variance()
        moments, width = self.moments, self.total.shape[1]
        if not self.design.steps:
            start = moments.pair_start
            pairs = moments.by_pair(self.total)
            return _variance(self.design, moments.domain[start], moments.unit[start], pairs, moments.domains)
        units, columns = self.design.stages.units, sum(step.normal.columns for step in self.design.steps)
        size = max(1, _BLOCK // ((units + columns) * width))
        unit = np.arange(units, dtype=np.int64)
        result = np.zeros((moments.domains, width))
        for a in range(0, moments.domains, size):
            b = min(a + size, moments.domains)
            z = self._by_unit(a, b).reshape(units, b - a, width).transpose(1, 0, 2).reshape(-1, width)
            domain = np.repeat(np.arange(b - a), units)
            result[a:b] = _variance(self.design, domain, np.tile(unit, b - a), z, b - a)
        return result

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of all domains and variables, shape (domains · variables, same), domain by domain."""
        self._require_variance()
        size = self.moments.domains * self.total.shape[1]
        largest = max(size, self.design.stages.units)
        if size * largest > _LARGEST:
            raise AnalysisError(
                Problem(
                    f"the covariance of {size} estimates over {self.design.stages.units} sampling units is too large",
                    "Estimates.covariance",
                    "estimate fewer domains or fewer variables at a time",
                )
            )
        z = self._by_unit(0, self.moments.domains)
        result = np.zeros((size, size))
        for stage in self.design.stages:
            start = boundaries(stage.of_unit)
            units = z if len(start) == len(z) else np.add.reduceat(z, start, axis=0)
            deviation = (
                units - (np.add.reduceat(units, boundaries(stage.group), axis=0) / stage.count[:, None])[stage.group]
            )
            deviation *= np.sqrt(np.nan_to_num(stage.scale))[stage.group, None]
            result += deviation.T @ deviation
        return result

    def _require_variance(self) -> None:
        """A lone PSU matters where the domains have answers; after calibration, everywhere."""
        stages, answered = self.design.stages, self.moments.answered.any(axis=1)
        stages.require_variance(np.arange(stages.units) if self.design.steps else self.moments.unit[answered])

    def _by_unit(self, first: int, last: int) -> FloatArray:
        """Score totals of all sampling units for domains first:last, calibrated, shape (units, domains · variables)."""
        moments, width = self.moments, self.total.shape[1]
        count = last - first
        a, b = np.searchsorted(moments.domain, [first, last])
        start = boundaries(moments.domain[a:b], moments.unit[a:b])
        by_domain = np.zeros((self.design.stages.units, count, width))
        if b > a:
            domain, unit = moments.domain[a:b][start] - first, moments.unit[a:b][start]
            by_domain[unit, domain] = np.add.reduceat(self.total[a:b], start, axis=0)
        z = by_domain.reshape(len(by_domain), count * width)
        coefficients: list[FloatArray] = []
        for number, step in enumerate(self.design.steps):
            right = _regress(moments, number, self.total, first, last, slice(a, b))
            for earlier, known in enumerate(coefficients):
                right -= self.design.crossed(number, earlier) @ known
            coefficients.append(step.normal.solve(right))
            z -= self.design.unit_totals(number) @ coefficients[-1]
        return z


def _regress(moments: Moments, number: int, total: FloatArray, first: int, last: int, groups: slice) -> FloatArray:
    """X' (w_before / w_after) s of one adjustment for domains first:last, shape (columns, domains · variables)."""
    from scipy.sparse import csr_array

    step = moments.design.steps[number]
    count, width, columns = last - first, total.shape[1], step.indicators.shape[1]
    cell = moments.cells[number][groups]
    x = step.indicators[cell]
    domain = moments.domain[groups] - first
    entries = np.repeat(np.arange(len(cell)), np.diff(x.indptr))
    data = x.data / step.factor[cell[entries]]
    gather = csr_array(
        (data, (x.indices.astype(np.int64) * count + domain[entries], entries)), shape=(columns * count, len(cell))
    )
    return np.asarray(gather @ total[groups]).reshape(columns, count * width)


def _variance(design: SurveyDesign, domain: IntArray, unit: IntArray, z: FloatArray, domains: int) -> FloatArray:
    """Variance by domain from score totals of (domain, unit) pairs, sorted; pairs that do not exist are 0."""
    result = np.zeros((domains, z.shape[1]))
    if len(z) == 0:
        return result
    for stage in design.stages:
        of = stage.of_unit[unit]
        start = boundaries(domain, of)
        total, where, of = (
            (z, domain, of) if len(start) == len(z) else (np.add.reduceat(z, start, axis=0), domain[start], of[start])
        )
        group = stage.group[of]
        start = boundaries(where, group)
        size = np.diff(np.append(start, len(group)))
        count = stage.count[group[start]][:, None]
        mean = np.add.reduceat(total, start, axis=0) / count
        deviation = total - np.repeat(mean, size, axis=0)
        np.square(deviation, out=deviation)
        squares = np.add.reduceat(deviation, start, axis=0) + (count - size[:, None]) * mean**2
        squares *= np.nan_to_num(stage.scale)[group[start]][:, None]
        first = boundaries(where[start])
        result[where[start][first]] += np.add.reduceat(squares, first, axis=0)
    return result
