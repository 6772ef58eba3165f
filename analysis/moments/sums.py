"""Sums over respondents: weighted, by domain × sampling unit and by domain × calibrated total.

Everything an estimate, its variance and its calibration need is such a sum. Two engines fill them in, analysis.moments.respondents
from arrays in memory and analysis.moments.of_tables from a table; all else works on the sums.
Public: Measure, Moments, SecondReading, boundaries, add_runs, count_runs, sum_by_domain.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.columns import MISSING, Variables
from analysis.design import SurveyDesign
from analysis.labels import IntArray
from analysis.moments import kernels

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Measure:
    """What is summed: `top`, and `bottom` (None: 1 where top is valid); ratios of the two are the estimates.

    `pool` (k, r) adds columns up into r ratios; `combine` (r, v) mixes ratios into v variables. `limits`: smallest and
    largest value a ratio of pairs can have, where they are known.
    """

    top: Variables
    bottom: Variables | None = None
    pool: FloatArray | None = None
    combine: FloatArray | None = None
    limits: tuple[float, ...] = ()

    @property
    def plain(self) -> bool:
        """Each variable is the mean of one column."""
        return self.bottom is None and self.pool is None and self.combine is None

    @property
    def variables(self) -> int:
        """How many there are."""
        return len(self.membership[0]) - 1

    @property
    def ends(self) -> tuple[float, ...]:
        """Smallest and largest number there can be, for means of codes: where all answers are alike the mean is one."""
        top = self.top
        if self.bottom is not None or top.lookup is None:
            return self.limits
        codes = top.lookup[top.lookup != MISSING]
        return tuple(top.offset + top.scale * float(code) for code in (codes.min(), codes.max())) if len(codes) else ()

    @cached_property
    def membership(self) -> tuple[IntArray, IntArray]:
        """Columns that take part in each variable: column[begin[v]:begin[v + 1]]."""
        member = np.eye(len(self.top.names)) if self.pool is None else self.pool
        if self.combine is not None:
            member = member @ (self.combine != 0)
        variable, column = np.nonzero(member.T)
        begin = np.concatenate([[0], np.cumsum(np.bincount(variable, minlength=member.shape[1]))])
        return begin.astype(np.int64), column.astype(np.int64)


@dataclass(frozen=True, eq=False)
class Moments:
    """Sums over the respondents.

    Attributes
    ----------
    design : SurveyDesign
    domains : how many
    domain, unit : ndarray, shape (pairs,): the (domain, sampling unit) pairs that have rows, sorted
    top, bottom : ndarray, shape (pairs, r): Σ w·numerator, Σ w·denominator
    population : ndarray, shape (pairs, v): Σ w over rows with a valid answer to the variable
    answered : ndarray, shape (pairs, v): how many such rows
    crossed : for each adjustment of the weights, Σ ω·x·numerator and Σ ω·x·denominator, each of shape (domains,
        columns of x, r), x the calibrated variables, ω = w · w_before/w_after
    """

    design: SurveyDesign
    domains: int
    domain: IntArray
    unit: IntArray
    top: FloatArray
    bottom: FloatArray
    population: FloatArray
    answered: NDArray[np.int32]
    crossed: tuple[tuple[FloatArray, FloatArray], ...]
    second: "SecondReading"

    def by_domain(self, values: NDArray[Any]) -> FloatArray:
        """Sum values of pairs, shape (pairs, m), to domains, shape (domains, m)."""
        return sum_by_domain(self.domain, values, self.domains)

    def forget_rows(self) -> None:
        """Let go of the rows, which what was summed no longer needs: estimates are kept longer than they are made."""
        object.__setattr__(self, "second", None)

    @cached_property
    def n(self) -> FloatArray:
        """Rows with a valid answer, shape (domains, v)."""
        return self.by_domain(self.answered)


class SecondReading(Protocol):
    """What needs the values of the first: sums of squared scores, and of squared weights. Interface of an engine."""

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        """Weighted sum of squared scores of the respondents, Σ w u², by domain and variable.

        u = Σ_r combine_r (top_r − value_r · bottom_r) / size_r; `value`, `size` have shape (domains, r).
        """
        ...

    def squared_weights(self) -> FloatArray:
        """Σ w² over rows with a valid answer, by domain and variable."""
        ...


def boundaries(*keys: IntArray) -> IntArray:
    """First position of every run of equal keys."""
    change = np.zeros(len(keys[0]), dtype=bool)
    change[:1] = True
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(change)


def add_runs(values: NDArray[Any], start: IntArray) -> FloatArray:
    """Sums of the rows of each run, of shape (runs, m)."""
    result = np.zeros((len(start), values.shape[1]))
    kernels.add_runs(np.ascontiguousarray(values), start, result)
    return result


def count_runs(values: NDArray[Any], start: IntArray) -> NDArray[np.int32]:
    """In how many rows of each run a value is above 0, of shape (runs, m)."""
    result = np.zeros((len(start), values.shape[1]), dtype=np.int32)
    kernels.count_runs(np.ascontiguousarray(values), start, result)
    return result


def sum_by_domain(domain: IntArray, values: NDArray[Any], domains: int) -> FloatArray:
    result = np.zeros((domains, values.shape[1]))
    start = boundaries(domain)
    if len(start):
        result[domain[start]] = add_runs(values, start)
    return result
