"""From scores to variances: the one place where a design becomes a covariance.

An estimator hands over the weighted totals of its linearised scores by (domain, sampling unit), and what its calibration
regressions need. Residuals and the between-unit sums of squares of every stage are formed here. With replicate weights
the scores are the deviations of the replicates. Public: Scores, TaylorScores, ReplicateScores, deviations.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray
from analysis.moments import kernels
from analysis.moments.sums import Moments, add_runs, boundaries, count_runs
from analysis.stages import Stage

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]
Counts = NDArray[np.int64] | NDArray[np.int32]

_BLOCK = 1 << 22  # numbers held at once while calibration spreads a domain's scores over all units
_LARGEST = 1 << 26  # numbers in the largest table of scores or covariance matrix that is made


class Scores(Protocol):
    """What the variance and covariance of estimates are made of."""

    @property
    def design(self) -> SurveyDesign: ...

    @property
    def variance(self) -> FloatArray:
        """Shape (domains, variables)."""
        ...

    @property
    def covariance(self) -> FloatArray:
        """Shape (domains · variables, same), domain by domain."""
        ...


@dataclass(frozen=True, eq=False)
class ReplicateScores:
    """Estimates of every replicate less the centre, times √(scale · rscales).

    Attributes
    ----------
    moments : Moments
    values : ndarray, shape (replicates, domains, variables)
    estimate : ndarray, shape (domains, variables)
    """

    moments: Moments
    values: FloatArray
    estimate: FloatArray

    @property
    def design(self) -> SurveyDesign:
        return self.moments.design

    @cached_property
    def deviations(self) -> FloatArray:
        """Shape (replicates, domains · variables); the covariance is their cross-product."""
        replicates = self.design.replicates
        assert replicates is not None
        return replicates.deviations(self.values.reshape(len(self.values), -1), self.estimate.ravel())

    @cached_property
    def variance(self) -> FloatArray:
        return np.asarray(np.square(self.deviations).sum(axis=0).reshape(self.estimate.shape))

    @cached_property
    def covariance(self) -> FloatArray:
        _require_small(self.estimate.size, self.estimate.size)
        return np.asarray(self.deviations.T @ self.deviations)


@dataclass(frozen=True, eq=False)
class TaylorScores:
    """Weighted totals of linearised scores.

    Attributes
    ----------
    moments : Moments
    total : ndarray, shape (pairs, variables)
    right : for each adjustment of the weights Σ ω x u by domain, shape (domains, columns of x, variables)
    """

    moments: Moments
    total: FloatArray
    right: tuple[FloatArray, ...] = ()

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
        design = self.design
        if not self.right:
            seen = moments.answered > 0
            return _variance(design, moments.domain, moments.unit, self.total, seen, moments.domains)
        units = design.stages.units
        size = max(1, _BLOCK // (units * width))
        result = np.zeros((moments.domains, width))
        for a in range(0, moments.domains, size):
            b = min(a + size, moments.domains)
            variance = np.zeros((b - a) * width)
            z = self._by_unit(a, b)
            for stage in design.stages:
                deviation = deviations(design, stage, z)
                variance += np.einsum("ij,ij->j", deviation, deviation)
            result[a:b] = variance.reshape(b - a, width)
        return result

    @cached_property
    def covariance(self) -> FloatArray:
        """Covariance of all domains and variables, shape (domains · variables, same), domain by domain."""
        self._require_variance()
        size = self.moments.domains * self.total.shape[1]
        _require_small(size, max(size, self.design.stages.units))
        z, result = self._by_unit(0, self.moments.domains), np.zeros((size, size))
        for stage in self.design.stages:
            seen = None if self.right else self.seen(stage)
            deviation = deviations(self.design, stage, z, seen)
            result += deviation.T @ deviation
        return result

    def by_unit(self) -> FloatArray:
        """Score totals of all sampling units of the last stage, residuals taken, shape (units, domains · variables)."""
        _require_small(self.moments.domains * self.total.shape[1], self.design.stages.units)
        return self._by_unit(0, self.moments.domains)

    def _require_variance(self) -> None:
        """A lone PSU matters where the domains have answers; after calibration, everywhere."""
        design, answered = self.design, self.moments.answered.any(axis=1)
        if design.lone_psu == "fail":
            stages = design.stages
            stages.require_variance(np.arange(stages.units) if self.right else self.moments.unit[answered])

    def _by_unit(self, first: int, last: int) -> FloatArray:
        """Score totals of all sampling units for domains first:last, residuals taken."""
        moments, width, design = self.moments, self.total.shape[1], self.design
        a, b = np.searchsorted(moments.domain, [first, last])
        by_domain = np.zeros((design.stages.units, last - first, width))
        by_domain[moments.unit[a:b], moments.domain[a:b] - first] = self.total[a:b]
        z = by_domain.reshape(len(by_domain), (last - first) * width)
        coefficients: list[FloatArray] = []
        for number, known in enumerate(self.right):
            step = design.steps[number]
            right = known[first:last].transpose(1, 0, 2).reshape(step.normal.columns, -1).copy()
            for earlier, fitted in enumerate(coefficients):
                right -= design.crossed(number, earlier) @ fitted
            coefficients.append(step.normal.solve(right))
            z -= design.unit_totals(number) @ coefficients[-1]
        return z

    def seen(self, stage: Stage) -> BoolArray | None:
        """Which units of a stage have an answer to each estimate; None where that does not matter."""
        if not _domain_matters(self.design):
            return None
        moments, width = self.moments, self.total.shape[1]
        seen = np.zeros((len(stage.group), moments.domains, width), dtype=bool)
        np.logical_or.at(seen, (stage.of_unit[moments.unit], moments.domain), moments.answered > 0)
        return seen.reshape(len(stage.group), -1)


def _require_small(size: int, other: int) -> None:
    if size * other > _LARGEST:
        raise AnalysisError(
            Problem(
                f"the covariance of {size} estimates is too large",
                "Estimates.covariance",
                "estimate fewer domains or fewer variables at a time",
            )
        )


def _domain_matters(design: SurveyDesign) -> bool:
    return design.lone_psu == "average" or design.lone_psu == "adjust" and design.lone_domain == "treat"


def deviations(design: SurveyDesign, stage: Stage, z: FloatArray, seen: BoolArray | None = None) -> FloatArray:
    """√scale · (z − z̄) of the units of a stage: their squares and products add up to what the stage adds.

    z : ndarray, shape (units of the last stage, m); seen : shape (units of this stage, m), None: all
    """
    start = boundaries(stage.of_unit)
    units = z if len(start) == len(z) else add_runs(z, start)
    begin = boundaries(stage.group)
    mean = add_runs(units, begin) / stage.count[:, None]
    count = np.broadcast_to(stage.count[:, None], mean.shape)
    met = count if seen is None else count_runs(seen, begin)
    scale = np.nan_to_num(stage.scale)[:, None]
    if design.lone_psu != "fail" and _has_lone(design, stage):
        scale, uncentred, unknown = _lone(design, stage.scale[:, None], stage.rate[:, None], count, met)
        mean = np.where(uncentred, 0.0, mean)
        if unknown.any():
            scale = np.multiply(scale, _averaged(unknown, stage.parent, met)[_runs(stage.parent)])
    deviation = units - mean[stage.group]
    deviation *= np.sqrt(scale)[stage.group]
    return np.asarray(deviation)


def _lone(
    design: SurveyDesign, scale: FloatArray, rate: FloatArray, count: Counts, met: Counts
) -> tuple[FloatArray, BoolArray, BoolArray]:
    """The policy for lone PSUs: scale of each group, whether its scores are centred at zero, whether it is unknown."""
    unknown = np.broadcast_to(np.isnan(scale), met.shape)
    treated = unknown
    if design.lone_domain == "treat" and design.lone_psu in ("adjust", "average"):
        treated = unknown | ((met == 1) & (count > 1) & (rate > 1e-7))
    none = np.zeros(met.shape, dtype=bool)
    known = np.broadcast_to(np.nan_to_num(scale), met.shape)
    if design.lone_psu == "adjust":
        return np.where(unknown, np.broadcast_to(rate, met.shape), known), treated, none
    if design.lone_psu == "average":
        return np.where(treated, 0.0, known), none, treated & (met > 0)
    return known, none, none


def _averaged(unknown: BoolArray, parent: IntArray, met: Counts) -> FloatArray:
    """Groups met / groups with a variance, by parent; NaN where none is left to average. Shape (parents, m)."""
    if not unknown.any():
        return np.ones((1, met.shape[1]))
    begin = boundaries(parent)
    all_groups = count_runs(met, begin)
    without = count_runs(unknown, begin)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = all_groups / (all_groups - without)
    return np.where(all_groups > 0, np.where(np.isfinite(ratio), ratio, np.nan), 1.0)


def _variance(
    design: SurveyDesign, domain: IntArray, unit: IntArray, z: FloatArray, seen: BoolArray, domains: int
) -> FloatArray:
    """Variance by domain from score totals of (domain, unit) pairs, sorted; pairs that do not exist are 0."""
    result = np.zeros((domains, z.shape[1]))
    if len(z) == 0:
        return result
    for stage in design.stages:
        of = stage.of_unit[unit]
        start = boundaries(domain, of)
        whole = len(start) == len(z)
        total, where, of = (z, domain, of) if whole else (add_runs(z, start), domain[start], of[start])
        group = stage.group[of]
        begin = boundaries(where, group)
        index, inside = group[begin], where[begin]
        if design.lone_psu == "fail" or not _has_lone(design, stage):
            scale = np.nan_to_num(stage.scale)[index]
            kernels.centred_squares(np.ascontiguousarray(total), begin, inside, stage.count[index], scale, result)
            continue
        size, count = np.diff(np.append(begin, len(group))), stage.count[index][:, None]
        mean = add_runs(total, begin) / count
        here = seen if whole else count_runs(seen, start) > 0
        met = np.broadcast_to(count_runs(here, begin), mean.shape)
        rate, scale = stage.rate[index][:, None], stage.scale[index][:, None]
        scale, uncentred, unknown = _lone(design, scale, rate, np.broadcast_to(count, mean.shape), met)
        mean = np.where(uncentred, 0.0, mean)
        deviation = total - np.repeat(mean, size, axis=0)
        squares = scale * (add_runs(deviation**2, begin) + (count - size[:, None]) * mean**2)
        if unknown.any():
            squares = _scaled(squares, unknown, met, inside, stage.parent[index])
        first = boundaries(inside)
        result[inside[first]] += add_runs(squares, first)
    return result


def _has_lone(design: SurveyDesign, stage: Stage) -> bool:
    return bool(np.isnan(stage.scale).any()) or design.lone_domain == "treat"


def _scaled(squares: FloatArray, unknown: BoolArray, met: Counts, domain: IntArray, parent: IntArray) -> FloatArray:
    """Squares times groups met / groups with a variance, by domain and parent."""
    run = _runs(domain, parent)
    return np.asarray(squares * _averaged(unknown, run, met)[run])


def _runs(*keys: IntArray) -> IntArray:
    """Number of the run of equal keys each position lies in."""
    start = boundaries(*keys)
    return np.repeat(np.arange(len(start)), np.diff(np.append(start, len(keys[0]))))
