"""Replicate weights: what each replicate multiplies the weights by, and sums over respondents under every replicate.

Public: Replicates, and the forms its multipliers take: Dense, LeaveOneOut, Calibrated.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray

FloatArray = NDArray[np.float64]
Centre = Literal["mean", "estimate"]

_LARGEST = 1 << 28  # numbers in the largest matrix of multipliers that is written out
_BLOCK = 1 << 22  # multipliers written out at a time while sums are formed
WORK = 3 * 10**8  # multiplications spent on the ranks of one domain, variable by variable
MANY = 1000  # replicates of which the rank is not looked for domain by domain
_NEW = 1e-5  # the part of a replicate's weights that must be new for it to add to the rank, as in R's degf()


class Multipliers(Protocol):
    """A matrix (units, replicates) that need not be written out."""

    @property
    def shape(self) -> tuple[int, int]: ...

    def sums(self, values: FloatArray, units: IntArray | None = None) -> FloatArray:
        """Σ_u multiplier[u, r] values[u], shape (replicates, m); `units`: which units the rows of values are."""
        ...

    def rows(self, units: IntArray) -> FloatArray:
        """Multipliers of some units, shape (len(units), replicates)."""
        ...

    def column(self, replicate: int) -> FloatArray:
        """Multipliers of one replicate, shape (units,)."""
        ...


@dataclass(frozen=True, eq=False)
class Dense:
    """The matrix itself, times a factor for each unit where one is given: counts fit small integers.

    Attributes
    ----------
    matrix : ndarray of float or small unsigned integers, shape (units, replicates)
    factor : ndarray, shape (units,), or None for ones
    """

    matrix: NDArray[Any]
    factor: FloatArray | None = None

    @property
    def shape(self) -> tuple[int, int]:
        return (self.matrix.shape[0], self.matrix.shape[1])

    def sums(self, values: FloatArray, units: IntArray | None = None) -> FloatArray:
        """Matrix products, of as many units at a time as may be written out as floating-point numbers."""
        size = max(1, _BLOCK // max(self.shape[1], 1))
        result: FloatArray | None = None
        for a in range(0, len(values), size):
            here = slice(a, a + size) if units is None else units[a : a + size]
            block = self.matrix[here].astype(np.float64, copy=False)
            if self.factor is not None:
                block = block * self.factor[here, None]
            product = block.T @ values[a : a + size]
            result = product if result is None else result + product
        return np.zeros((self.shape[1], values.shape[1])) if result is None else np.asarray(result)

    def rows(self, units: IntArray) -> FloatArray:
        chosen = self.matrix[units].astype(np.float64)
        return chosen if self.factor is None else chosen * self.factor[units, None]

    def column(self, replicate: int) -> FloatArray:
        chosen = self.matrix[:, replicate].astype(np.float64)
        return chosen if self.factor is None else chosen * self.factor


@dataclass(frozen=True, eq=False)
class LeaveOneOut:
    """Jackknife multipliers, never written out: replicate r takes one unit out and raises the others of its group.

    The multiplier of unit u in replicate r is 0 if u = left[r]; inside[g] if u is another unit of the group g of left[r];
    outside[g] elsewhere. Sums cost O((units + replicates) · m) instead of O(units · replicates · m).

    Attributes
    ----------
    group : ndarray, shape (units,)
    left : ndarray, shape (replicates,), the unit each replicate leaves out
    inside, outside : ndarray, shape (groups,)
    """

    group: IntArray
    left: IntArray
    inside: FloatArray
    outside: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.group), len(self.left))

    def sums(self, values: FloatArray, units: IntArray | None = None) -> FloatArray:
        """outside (Σ all − Σ group) + inside (Σ group − the unit left out)."""
        from scipy.sparse import csr_array

        unit = np.arange(len(self.group)) if units is None else units
        shape = (len(self.inside), len(unit))
        gather = csr_array((np.ones(len(unit)), (self.group[unit], np.arange(len(unit)))), shape=shape)
        by_group = np.asarray(gather @ values)
        table = self.outside[:, None] * (by_group.sum(axis=0) - by_group)
        table += self.inside[:, None] * by_group
        position = np.full(len(self.group), -1, dtype=np.int64)
        position[unit] = np.arange(len(unit))
        at, group = position[self.left], self.group[self.left]
        result: FloatArray = table[group]
        present = slice(None) if (at >= 0).all() else np.flatnonzero(at >= 0)
        result[present] -= self.inside[group[present], None] * values[at[present]]
        return result

    def rows(self, units: IntArray) -> FloatArray:
        group = self.group[self.left]
        result: FloatArray = np.where(self.group[units][:, None] == group, self.inside[group], self.outside[group])
        result[units[:, None] == self.left] = 0.0
        return result

    def column(self, replicate: int) -> FloatArray:
        left = self.left[replicate]
        group = self.group[left]
        result = np.where(self.group == group, self.inside[group], self.outside[group])
        result[left] = 0.0
        return np.asarray(result)


@dataclass(frozen=True, eq=False)
class Calibrated:
    """Multipliers after every replicate was calibrated to the same totals.

    Units are now the cells of the calibration within each unit of `base`: the multiplier of (unit, cell) in replicate
    r is base[unit, r] · factor[cell, r] · ratio, `ratio` being weight before / weight after.

    Attributes
    ----------
    base : Multipliers, before the calibration
    of_unit, of_cell : ndarray, shape (units,), sorted by unit
    factor : ndarray, shape (cells, replicates)
    ratio : ndarray, shape (units,)
    """

    base: Multipliers
    of_unit: IntArray
    of_cell: IntArray
    factor: FloatArray
    ratio: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        return (len(self.of_unit), self.base.shape[1])

    def sums(self, values: FloatArray, units: IntArray | None = None) -> FloatArray:
        """Matrix products of blocks of units, whose multipliers are written out for the moment."""
        size = max(1, _BLOCK // max(self.shape[1], 1))
        result = np.zeros((self.shape[1], values.shape[1]))
        chosen = np.arange(len(self.of_unit)) if units is None else units
        for a in range(0, len(chosen), size):
            result += self.rows(chosen[a : a + size]).T @ values[a : a + size]
        return result

    def rows(self, units: IntArray) -> FloatArray:
        result = self.base.rows(self.of_unit[units])
        result *= self.factor[self.of_cell[units]]
        result *= self.ratio[units, None]
        return result

    def column(self, replicate: int) -> FloatArray:
        base = self.base.column(replicate)[self.of_unit]
        return np.asarray(base * self.factor[self.of_cell, replicate] * self.ratio)


@dataclass(frozen=True, eq=False)
class Replicates:
    """Replicate weights of a design: design weight × multiplier of the row's unit.

    The variance of an estimate θ is scale · Σ_r rscales_r (θ_r − c)², θ_r the estimate under the weights of replicate
    r; c is the mean of the θ_r with rscales_r > 0 (`centre` "mean") or the estimate itself ("estimate").

    Attributes
    ----------
    method : str
    unit : ndarray, shape (n,), rows of a unit share their multipliers
    multipliers : Multipliers, shape (units, replicates)
    scale : float
    rscales : ndarray, shape (replicates,)
    centre : "mean" or "estimate"
    group : ndarray, shape (units,), where the multipliers of a group have the same sum in every replicate and are
        independent otherwise: strata; None where nothing of the kind is known
    known_df : degrees of freedom given by who made the weights; None: rank − 1

    References
    ----------
    Wolter, K. M. (2007). Introduction to Variance Estimation, 2nd ed. Springer.
    https://doi.org/10.1007/978-0-387-35099-8
    """

    method: str
    unit: IntArray
    multipliers: Multipliers
    scale: float
    rscales: FloatArray
    centre: Centre
    group: IntArray | None = None
    known_df: float | None = None

    @property
    def units(self) -> int:
        return self.multipliers.shape[0]

    @property
    def count(self) -> int:
        """How many replicates."""
        return self.multipliers.shape[1]

    @cached_property
    def df(self) -> float:
        """Degrees of freedom of the whole design: rank of the replicate weights − 1, where none are given."""
        if self.known_df is not None:
            return self.known_df
        units = np.arange(self.units)
        if self.group is None:
            return float(_rank(self.multipliers, units) - 1)
        return float(self._span(units, np.ones((self.units, 1), dtype=bool))[0] - 1)

    def domain_df(self, units: IntArray) -> float:
        """Degrees of freedom of a domain that has rows in `units`: rank of their replicate weights − 1, at most `df`.

        As R's `degf(subset(design, …))`. Where that is much work, because nothing is known of the replicates but their
        numbers, missing answers lower the rank only through the number of units left; with more than 1,000 replicates
        the domain does, too.
        """
        return float(self.domain_dfs(units, np.ones((len(units), 1), dtype=bool))[0])

    def domain_dfs(self, units: IntArray, answered: NDArray[np.bool_]) -> FloatArray:
        """`domain_df` of several variables at once.

        Parameters
        ----------
        units : ndarray, shape (m,), each once; answered : ndarray, shape (m, variables), which of them have an answer

        Returns
        -------
        ndarray, shape (variables,)
        """
        if self.group is not None:
            found = self._span(units, answered)
        else:
            found = self._ranks(units, answered)
        return np.asarray(np.minimum(found - 1.0, self.df))

    def _ranks(self, units: IntArray, answered: NDArray[np.bool_]) -> IntArray:
        """Rank of the multipliers of the units that answered each variable, from the numbers themselves."""
        columns = [column.tobytes() for column in answered.T]
        distinct = dict(zip(columns, answered.T, strict=True))
        left = answered.sum(axis=0)
        if self.count > MANY:
            return np.asarray(left)
        if len(distinct) * len(units) * self.count**2 > WORK:
            return np.asarray(np.minimum(left, _rank(self.multipliers, units[answered.any(axis=1)])))
        ranks = {key: _rank(self.multipliers, units[column]) for key, column in distinct.items()}
        return np.array([ranks[key] for key in columns])

    def _span(self, units: IntArray, answered: NDArray[np.bool_]) -> IntArray:
        """Rank of the multipliers of the units that answered, from how many of each group there are."""
        from scipy.sparse import csr_array

        assert self.group is not None
        size = np.bincount(self.group)[:, None]
        gather = csr_array(
            (np.ones(len(units)), (self.group[units], np.arange(len(units)))), shape=(len(size), len(units))
        )
        present = np.asarray(gather @ answered.astype(np.float64))
        constant = (present == size).any(axis=0)  # a whole group adds up to the same in every replicate
        span = np.minimum(present, size - 1).sum(axis=0) + constant
        return np.asarray(np.minimum(span, self.count), dtype=np.int64)

    def sums(self, values: FloatArray, units: IntArray | None = None) -> FloatArray:
        """Σ_u multiplier[u, r] values[u] for every replicate.

        Parameters
        ----------
        values : ndarray, shape (units, m), sums over the rows of each unit, weighted by the design weights
        units : ndarray, which units the rows of `values` are (each once), all others being 0; None: all, in order

        Returns
        -------
        ndarray, shape (replicates, m)
        """
        return self.multipliers.sums(values, units)

    def deviations(self, theta: FloatArray, estimate: FloatArray) -> FloatArray:
        """√(scale · rscales_r) (θ_r − c): their squares add up to the variance, their products to covariances.

        Replicates in which the estimate does not exist (NaN) count neither here nor in the mean, as in R.

        Parameters
        ----------
        theta : ndarray, shape (replicates, m)
        estimate : ndarray, shape (m,)

        Returns
        -------
        ndarray, shape (replicates, m); NaN throughout a column of which no replicate is known
        """
        known = ~np.isnan(theta)
        if self.centre == "estimate":
            centre = estimate
        else:
            counted = known & (self.rscales > 0)[:, None]
            with np.errstate(invalid="ignore"):
                centre = np.where(counted, theta, 0.0).sum(axis=0) / counted.sum(axis=0)
        result = np.where(known, theta - centre, 0.0) * np.sqrt(self.scale * self.rscales)[:, None]
        result[:, ~known.any(axis=0)] = np.nan
        return np.asarray(result)

    def weights(self, replicate: int, weight: FloatArray) -> FloatArray:
        """Replicate weights of the rows in one replicate, shape (n,), from the design weights."""
        return np.asarray(weight * self.multipliers.column(replicate)[self.unit])

    @cached_property
    def multiplier(self) -> FloatArray:
        """All multipliers, shape (units, replicates), where that is not too large."""
        if self.units * self.count > _LARGEST:
            raise AnalysisError(
                Problem(
                    f"{self.units} units × {self.count} replicates are too many to write out",
                    "replicate multipliers",
                    "use sums(), or weights() of one replicate at a time",
                )
            )
        return self.multipliers.rows(np.arange(self.units))


def _rank(multipliers: Multipliers, units: IntArray) -> int:
    """Rank of the multipliers of some units; a part of them settles it where no replicate depends on the others."""
    count = multipliers.shape[1]
    if len(units) > 2 * count:
        part = np.random.default_rng(0).permutation(units)[: count + count // 4 + 8]
        if _pivots(multipliers, part) == count:
            return count
    return _pivots(multipliers, units)


def _pivots(multipliers: Multipliers, units: IntArray) -> int:
    """Rank by Cholesky's method: columns are dependent where less than 1e-5 of them is new."""
    from scipy.linalg.lapack import dpstrf

    count = multipliers.shape[1]
    size = max(1, _BLOCK // max(count, 1))
    product = np.zeros((count, count))
    for a in range(0, len(units), size):
        rows = multipliers.rows(units[a : a + size])
        product += rows.T @ rows
    length = np.sqrt(np.diag(product))
    kept = length > 0
    if not kept.any():
        return 0
    product = product[np.ix_(kept, kept)] / np.outer(length[kept], length[kept])
    return int(dpstrf(product, lower=1, tol=_NEW**2)[2])
