"""The one pass over respondents: weighted sums by domain × sampling unit × calibration cell.

Everything an estimate, its variance and its calibration need is a sum over respondents. This module is the only code
that touches them; all else works on the sums. Public: Block, Measure, Moments, sum_by_group, spread, squared_weights.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.labels import Codes, IntArray, compact, sort

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]

_CHUNK = 1 << 19  # numbers in one chunk of rows: small enough to stay in the cache


@dataclass(frozen=True)
class Block:
    """The measure on some rows.

    Attributes
    ----------
    top : ndarray, shape (m, k), 0 where missing
    valid : ndarray of bool, shape (m, k), or (m, 1) when every answer is valid
    bottom : ndarray, shape (m, k), 0 where missing; None when it is `valid` itself, as for a mean
    """

    top: FloatArray
    valid: BoolArray
    bottom: FloatArray | None = None


class Measure(Protocol):
    """What is summed. `pool` (k, r) adds columns up into r ratios; `combine` (r, v) mixes ratios into v variables."""

    @property
    def columns(self) -> int: ...

    @property
    def pool(self) -> FloatArray | None: ...

    @property
    def combine(self) -> FloatArray | None: ...

    def block(self, rows: IntArray) -> Block: ...


@dataclass(frozen=True)
class Moments:
    """Sums over the respondents of each group = (domain, sampling unit, calibration cells), sorted in that order.

    Attributes
    ----------
    order : ndarray, rows that lie in a domain, sorted by group; `start`, shape (groups + 1,), bounds of the groups
    domain, unit, cells : ndarray, shape (groups,)
    top, bottom : ndarray, shape (groups, r): Σ w·numerator, Σ w·denominator
    population : ndarray, shape (groups, v or 1): Σ w over rows with a valid answer to the variable
    answered : ndarray, shape (groups, v or 1): how many such rows
    squares : ndarray, shape (groups, k): Σ w (y − shift)², for plain means; `shift`, shape (k,), is near their mean, so
        that little cancels when they are centred
    """

    design: SurveyDesign
    domains: int
    order: IntArray
    start: IntArray
    domain: IntArray
    unit: IntArray
    cells: tuple[IntArray, ...]
    top: FloatArray
    bottom: FloatArray
    population: FloatArray
    answered: FloatArray
    squares: FloatArray | None = None
    shift: FloatArray | None = None

    def by_domain(self, values: FloatArray) -> FloatArray:
        """Sum values of groups, shape (groups, m), to domains, shape (domains, m)."""
        result = np.zeros((self.domains, values.shape[1]))
        start = boundaries(self.domain)
        if len(start):
            result[self.domain[start]] = np.add.reduceat(values, start, axis=0)
        return result

    @cached_property
    def pair_start(self) -> IntArray:
        """Where each existing (domain, sampling unit) pair begins among the groups."""
        return boundaries(self.domain, self.unit)

    def by_pair(self, values: FloatArray) -> FloatArray:
        """Sum values of groups to (domain, sampling unit) pairs."""
        start = self.pair_start
        return values if len(start) == len(values) else np.add.reduceat(values, start, axis=0)


def boundaries(*keys: IntArray) -> IntArray:
    """First position of every run of equal keys."""
    change = np.zeros(len(keys[0]), dtype=bool)
    change[:1] = True
    for key in keys:
        change[1:] |= key[1:] != key[:-1]
    return np.flatnonzero(change)


def indicator(start: IntArray, weight: FloatArray) -> "csr_array[Any, tuple[int, int]]":
    """Matrix (groups, m) that sums m sorted rows, times their weight, by group."""
    from scipy.sparse import csr_array

    shape = (len(start) - 1, len(weight))
    return csr_array((weight, np.arange(len(weight)), start), shape=shape)


def sum_by_group(design: SurveyDesign, measure: Measure, by: Codes) -> Moments:
    """Read every respondent once."""
    order, start, domain, unit, cells = _groups(design, by)
    groups, k = len(domain), measure.columns
    top, bottom = np.zeros((groups, k)), np.zeros((groups, k))
    population, answered = np.zeros((groups, 1)), np.zeros((groups, 1))
    squares: FloatArray | None = None
    shift: FloatArray | None = None
    for rows, first, last, bounds in _chunks(order, start, 3 * k):
        block = measure.block(rows)
        present = _present(block.valid, measure)
        if present.shape[1] > population.shape[1]:
            population, answered = (np.repeat(a, present.shape[1], axis=1) for a in (population, answered))
        weigh = indicator(bounds, design.weight[rows])
        counted = present.astype(np.float64)
        plain = block.bottom is None and measure.pool is None and measure.combine is None
        here = weigh @ counted
        top[first:last] += weigh @ block.top
        bottom[first:last] += here if plain else weigh @ _bottom(block)
        if plain:
            if shift is None or squares is None:
                shift, squares = block.top.sum(axis=0) / np.maximum(counted.sum(axis=0), 1), np.zeros((groups, k))
            deviation = block.top - shift
            np.square(deviation, out=deviation)
            squares[first:last] += weigh @ (deviation if counted.shape[1] < k else deviation * counted)
        population[first:last] += here
        answered[first:last] += indicator(bounds, np.ones(len(rows))) @ counted
    if measure.pool is not None:
        top, bottom = mix(top, measure.pool), mix(bottom, measure.pool)
    return Moments(
        design, len(by.labels), order, start, domain, unit, cells, top, bottom, population, answered, squares, shift
    )


def spread(moments: Moments, measure: Measure, value: FloatArray, size: FloatArray) -> FloatArray:
    """Weighted sum of squared scores of the respondents, Σ w u², by domain and variable: a second reading.

    u = Σ_r combine_r (top_r − value_r · bottom_r) / size_r, formed row by row; for plain means from the squares summed
    before. `value` and `size` have shape (domains, r).
    """
    if moments.squares is not None:
        return np.asarray(_centred_squares(moments) / np.where(size != 0, size, 1.0) ** 2)
    design = moments.design
    variables = measure.combine.shape[1] if measure.combine is not None else value.shape[1]
    groups = np.zeros((len(moments.domain), variables))
    with np.errstate(divide="ignore"):
        factor = np.where(size != 0, 1 / size, 0.0)
    known = np.nan_to_num(value)
    for rows, first, last, bounds in _chunks(moments.order, moments.start, 3 * measure.columns):
        block = measure.block(rows)
        high, low = block.top, _bottom(block)
        if measure.pool is not None:
            high, low = mix(high, measure.pool), mix(low, measure.pool)
        domain = np.repeat(moments.domain[first:last], np.diff(bounds))
        score = (high - known[domain] * low) * factor[domain]
        if measure.combine is not None:
            score = mix(score, measure.combine)
        np.square(score, out=score)
        groups[first:last] += indicator(bounds, design.weight[rows]) @ score
    return moments.by_domain(groups)


def _centred_squares(moments: Moments) -> FloatArray:
    """Σ w (y − ȳ)² by domain; 0 where all that is left of the sums is rounding."""
    assert moments.squares is not None and moments.shift is not None
    squares, top, bottom = (moments.by_domain(a) for a in (moments.squares, moments.top, moments.bottom))
    with np.errstate(divide="ignore", invalid="ignore"):
        centred = squares - np.nan_to_num((top - moments.shift * bottom) ** 2 / bottom)
    return np.where(centred > 1e-12 * squares, centred, 0.0)


def mix(values: FloatArray, matrix: FloatArray) -> FloatArray:
    """`values @ matrix` in pieces so small that BLAS does not start threads, which cost more than they bring here."""
    size = max((1 << 18) // max(matrix.size, 1), 1)
    if len(values) <= size:
        return np.asarray(values @ matrix)
    result = np.empty((len(values), matrix.shape[1]))
    for a in range(0, len(values), size):
        np.matmul(values[a : a + size], matrix, out=result[a : a + size])
    return result


def squared_weights(moments: Moments, measure: Measure) -> FloatArray:
    """Σ w² over rows with a valid answer, by domain and variable, for Kish's effective size."""
    weight = moments.design.weight
    groups = np.zeros(moments.population.shape)
    for rows, first, last, bounds in _chunks(moments.order, moments.start, 3 * measure.columns):
        present = _present(measure.block(rows).valid, measure).astype(np.float64)
        groups[first:last] += indicator(bounds, weight[rows] ** 2) @ present
    return moments.by_domain(groups)


def _bottom(block: Block) -> FloatArray:
    if block.bottom is not None:
        return block.bottom
    return np.broadcast_to(block.valid.astype(np.float64), block.top.shape)


def _present(valid: BoolArray, measure: Measure) -> BoolArray:
    """Which rows answered any column of each variable, shape (m, v), or (m, 1) when all did."""
    if measure.pool is None and measure.combine is None or valid.shape[1] == 1 < measure.columns:
        return valid
    member = np.eye(measure.columns) if measure.pool is None else measure.pool
    if measure.combine is not None:
        member = member @ (measure.combine != 0)
    return mix(valid.astype(np.float64), member) > 0


def _groups(design: SurveyDesign, by: Codes) -> tuple[IntArray, IntArray, IntArray, IntArray, tuple[IntArray, ...]]:
    atom, unit, cells = design.atoms
    inside = by.code >= 0
    key = by.code * len(unit) + atom
    if inside.all():
        kept, group = compact(key)
        order = sort(group, len(kept))
    else:
        chosen = np.flatnonzero(inside)
        kept, group = compact(key[chosen])
        order = chosen[sort(group, len(kept))]
    start = np.concatenate([[0], np.cumsum(np.bincount(group, minlength=len(kept)))]).astype(np.int64)
    here = kept % len(unit)
    return order, start, kept // len(unit), unit[here], tuple(cell[here] for cell in cells)


def _chunks(order: IntArray, start: IntArray, columns: int) -> Iterator[tuple[IntArray, int, int, IntArray]]:
    """Rows of a chunk; the groups first:last they lie in; where each of these groups begins in the chunk."""
    size = max(_CHUNK // max(columns, 1), 512)
    for a in range(0, len(order), size):
        b = min(a + size, len(order))
        first = int(np.searchsorted(start, a, side="right")) - 1
        last = int(np.searchsorted(start, b, side="left"))
        yield order[a:b], first, last, np.clip(start[first : last + 1], a, b) - a
