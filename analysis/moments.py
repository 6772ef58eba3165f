"""The one pass over respondents: weighted sums by domain × sampling unit, and by domain × calibrated total.

Everything an estimate, its variance and its calibration need is a sum over respondents. This module and its loops
(analysis.kernels) are the only code that touches them; all else works on the sums.
Public: Measure, Moments, sum_by_unit.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, cached_property
from itertools import pairwise
from os import cpu_count
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis import kernels
from analysis.columns import MISSING, Columns, Variables
from analysis.design import SurveyDesign
from analysis.labels import Codes, IntArray, compact

FloatArray = NDArray[np.float64]

_WALKS = 4  # stretches of rows that may have a thread each; fixed, so that sums come out the same on any machine
_ONE_WALK = 1 << 20  # answers below which a single walk is faster
_CACHE = 1 << 18  # bytes of sums that a stretch of rows should add to


@dataclass(frozen=True)
class Measure:
    """What is summed: `top`, and `bottom` (None: 1 where top is valid); ratios of the two are the estimates.

    `pool` (k, r) adds columns up into r ratios; `combine` (r, v) mixes ratios into v variables.
    """

    top: Variables
    bottom: Variables | None = None
    pool: FloatArray | None = None
    combine: FloatArray | None = None

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
            return ()
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
        return _sum(self.domain, values, self.domains)

    @cached_property
    def n(self) -> FloatArray:
        """Rows with a valid answer, shape (domains, v)."""
        return self.by_domain(self.answered)


class SecondReading:
    """What needs the values of the first: sums of squared scores, and of squared weights. Interface of an engine."""

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        """Weighted sum of squared scores of the respondents, Σ w u², by domain and variable.

        u = Σ_r combine_r (top_r − value_r · bottom_r) / size_r; `value`, `size` have shape (domains, r).
        """
        raise NotImplementedError

    def squared_weights(self) -> FloatArray:
        """Σ w² over rows with a valid answer, by domain and variable."""
        raise NotImplementedError


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


def sum_by_unit(design: SurveyDesign, measure: Measure, by: Codes) -> Moments:
    """Read every respondent of the design once."""
    rows = _pack(design, measure, by)
    top, bottom, answered, squares = rows.describe()
    population = bottom
    if measure.bottom is not None or not measure.plain:
        begin, _ = measure.membership
        if measure.pool is not None or measure.combine is not None:
            population, answered = rows.present(rows.weight)
        elif rows.second is not None:
            population, _ = rows.present(rows.weight)
        assert population.shape[1] == len(begin) - 1
    crossed = tuple(rows.cross(number) for number in range(len(design.steps)))
    if measure.pool is not None:
        pool = measure.pool
        top, bottom = top @ pool, bottom @ pool
        crossed = tuple((high @ pool, low @ pool) for high, low in crossed)
    reading = _ArrayReading(rows, squares)
    return Moments(design, len(by.labels), rows.domain, rows.unit, top, bottom, population, answered, crossed, reading)


@dataclass(frozen=True, eq=False)
class _Packed:
    """Rows that lie in a domain, in the order of their sampling units.

    first : codes of the answers, or numbers (the numerators of pairs); `second`: the denominators of pairs
    order : the row each came from; `bounds` : of the walks; `slot` : its (domain, unit) pair
    """

    design: SurveyDesign
    measure: Measure
    domains: int
    bounds: tuple[tuple[int, int], ...]
    order: IntArray
    weight: FloatArray
    slot: IntArray
    domain: IntArray
    unit: IntArray
    first: NDArray[Any]
    second: FloatArray | None

    @property
    def coded(self) -> bool:
        return self.measure.top.lookup is not None and self.second is None

    @property
    def columns(self) -> int:
        return int(self.first.shape[1])

    def walk(self, step: Callable[[int, int, int], None]) -> None:
        """step(number, first, last) for every stretch of rows, in threads."""
        jobs = [(number, *bounds) for number, bounds in enumerate(self.bounds)]
        in_threads(step, jobs)

    def describe(self) -> tuple[FloatArray, FloatArray, NDArray[np.int32], FloatArray | None]:
        """Σ w·top, Σ w·bottom and rows answered by pair; for means the centred squares Σ w (y − ȳ)² by domain."""
        shape, k = (len(self.domain), self.columns), self.columns
        top, bottom, answered = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int32)
        if self.second is not None:
            second = self.second
            self.walk(
                lambda _, a, b: kernels.describe_pairs(
                    self.first, second, self.weight, self.slot, a, b, top, bottom, answered
                )
            )
            return top, bottom, answered, None
        shift = self._near()
        zero_one = self._zero_one
        squares = np.zeros((len(self.bounds), 0 if zero_one else self.domains, k))
        loop = kernels.describe_codes if self.coded else kernels.describe_numbers
        self.walk(
            lambda number, a, b: loop(
                self.first, self.weight, self.slot, self.domain, a, b, top, bottom, answered, shift, squares[number]
            )
        )
        if zero_one:
            centred = self._of_shares(top, bottom)
        else:
            centred = self._centred(top, bottom, shift, squares.sum(axis=0))
        return self._numbers(top, bottom), bottom, answered, centred * self.measure.top.scale**2

    @property
    def _zero_one(self) -> bool:
        """Codes are 0 and 1 alone, so that squares are the codes themselves."""
        lookup = self.measure.top.lookup
        return self.coded and lookup is not None and bool(np.isin(lookup, (0, 1, MISSING)).all())

    def _of_shares(self, top: FloatArray, bottom: FloatArray) -> FloatArray:
        """Σ w (q − q̄)² of codes 0 and 1 by domain: W₁ W₀ / (W₁ + W₀)."""
        high, low = (_sum(self.domain, values, self.domains) for values in (top, bottom - top))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(high * low / (high + low))

    def _near(self) -> FloatArray:
        """A number near the mean of each column, so that little cancels when squares are centred."""
        some = self.first[:: max(len(self.first) // 1000, 1)].astype(np.float64)
        valid = some != MISSING if self.coded else ~np.isnan(some)
        return np.asarray(np.where(valid, some, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1))

    def _centred(self, top: FloatArray, bottom: FloatArray, shift: FloatArray, squares: FloatArray) -> FloatArray:
        """Σ w (q − q̄)² by domain; 0 where all that is left of the sums is rounding."""
        high, low = (_sum(self.domain, values, self.domains) for values in (top, bottom))
        with np.errstate(divide="ignore", invalid="ignore"):
            centred = squares - np.nan_to_num((high - shift * low) * ((high - shift * low) / low))
        return np.where(centred > 1e-12 * squares, centred, 0.0)

    def _numbers(self, top: FloatArray, bottom: FloatArray) -> FloatArray:
        """Σ w y from Σ w q, y = offset + scale·q."""
        scale, offset = self.measure.top.scale, self.measure.top.offset
        if scale != 1:
            top = top * scale
        return top + offset * bottom if offset else top

    def cross(self, number: int) -> tuple[FloatArray, FloatArray]:
        """Σ ω x·top and Σ ω x·bottom of one adjustment by domain and calibrated total."""
        step = self.design.steps[number]
        width = int(step.x.shape[1])
        shape = (len(self.bounds), self.domains * width, self.columns)
        top, bottom = np.zeros(shape), np.zeros(shape)
        weight = self.design.regression_weight(number)[self.order]
        target, cell = self.domain[self.slot] * width, step.cell[self.order]
        begin, column, x = step.x.indptr, step.x.indices, step.x.data
        if self.second is not None:
            second = self.second
            self.walk(
                lambda i, a, b: kernels.cross_pairs(
                    self.first, second, weight, target, cell, begin, column, x, a, b, top[i], bottom[i]
                )
            )
        else:
            loop = kernels.cross_codes if self.coded else kernels.cross_numbers
            self.walk(lambda i, a, b: loop(self.first, weight, target, cell, begin, column, x, a, b, top[i], bottom[i]))
        high, low = (part.sum(axis=0).reshape(self.domains, width, self.columns) for part in (top, bottom))
        return (high if self.second is not None else self._numbers(high, low)), low

    def present(self, weight: FloatArray) -> tuple[FloatArray, NDArray[np.int32]]:
        """Σ weight and number of the rows that answered any column of each variable, by pair."""
        begin, column = self.measure.membership
        shape = (len(self.domain), len(begin) - 1)
        population, answered = np.zeros(shape), np.zeros(shape, dtype=np.int32)
        valid = self._valid()
        self.walk(lambda _, a, b: kernels.present(valid, weight, self.slot, begin, column, a, b, population, answered))
        return population, answered

    def _valid(self) -> NDArray[np.bool_]:
        if self.second is not None:
            return np.asarray(~(np.isnan(self.first) | np.isnan(self.second)))
        return np.asarray(self.first != MISSING if self.coded else ~np.isnan(self.first))


@dataclass(frozen=True, eq=False)
class _ArrayReading(SecondReading):
    rows: _Packed
    squares: FloatArray | None

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        rows, measure = self.rows, self.rows.measure
        if measure.plain and self.squares is not None:
            divisor = np.where(size != 0, size, 1.0)  # twice: its square may be too small or large for a number
            return np.asarray(self.squares / divisor / divisor)
        with np.errstate(divide="ignore"):
            factor = np.where(size != 0, 1 / size, 0.0)
        begin, column = measure.membership
        a, b = _score_coefficients(measure, np.nan_to_num(value), factor)
        squares = np.zeros((len(rows.bounds), rows.domains, len(begin) - 1))
        if rows.second is not None:
            second = rows.second
            rows.walk(
                lambda i, first, last: kernels.spread_pairs(
                    rows.first,
                    second,
                    rows.weight,
                    rows.slot,
                    rows.domain,
                    begin,
                    column,
                    a,
                    b,
                    first,
                    last,
                    squares[i],
                )
            )
        else:
            a, b = a * measure.top.scale, b + a * measure.top.offset
            rows.walk(
                lambda i, first, last: kernels.spread_codes(
                    rows.first, rows.weight, rows.slot, rows.domain, begin, column, a, b, first, last, squares[i]
                )
            )
        return np.asarray(squares.sum(axis=0))

    def squared_weights(self) -> FloatArray:
        population, _ = self.rows.present(self.rows.weight**2)
        return _sum(self.rows.domain, population, self.rows.domains)


def _score_coefficients(measure: Measure, value: FloatArray, factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What each column's top and bottom add to a variable's score, shape (domains, entries of membership)."""
    begin, column = measure.membership
    variable = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
    pool = np.eye(len(measure.top.names)) if measure.pool is None else measure.pool
    combine = np.eye(pool.shape[1]) if measure.combine is None else measure.combine
    mixed = np.einsum("er,re->er", pool[column], combine[:, variable])  # (entries, r)
    return factor @ mixed.T, -(factor * value) @ mixed.T


def _sum(domain: IntArray, values: NDArray[Any], domains: int) -> FloatArray:
    result = np.zeros((domains, values.shape[1]))
    start = boundaries(domain)
    if len(start):
        result[domain[start]] = add_runs(values, start)
    return result


# ---- packing
def _pack(design: SurveyDesign, measure: Measure, by: Codes) -> _Packed:
    of_row, units = design.summation_unit
    inside = by.code >= 0
    whole = bool(inside.all())
    key = by.code * units + of_row
    kept, position = compact(key if whole else key[inside])
    slot = position
    if not whole:
        slot = np.full(len(key), -1, dtype=np.int64)
        slot[inside] = position
        of_row = np.where(inside, of_row, -1)
    columns = len(measure.top.names)
    answers = len(position) * columns
    buckets = int(np.clip(len(kept) * columns * 20 // _CACHE, 1, 512)) if answers > _ONE_WALK else 1
    walks = _WALKS if answers > _ONE_WALK else 1
    buckets = min(max(buckets, walks), max(units, 1))
    bucket = np.arange(units, dtype=np.int64) * buckets // max(units, 1)
    order, weights, slots, begin, places = _order(bucket, of_row, design.weight, slot, buckets)
    edges = [int(begin[len(begin[:-1]) * i // walks]) for i in range(walks)] + [len(order)]
    bounds = tuple(pairwise(edges))

    def packed(source: Variables, as_numbers: bool) -> NDArray[Any]:
        assert isinstance(source, Columns)
        return _packed(source, as_numbers, bucket, of_row, len(order), places)

    pairs = measure.bottom is not None
    first = packed(measure.top, pairs)
    second = packed(measure.bottom, True) if measure.bottom is not None else None
    return _Packed(
        design,
        measure,
        len(by.labels),
        bounds,
        order,
        weights,
        slots,
        kept // units,
        kept % units,
        first,
        second,
    )


Places = tuple[list[tuple[int, int]], IntArray]


def _order(
    bucket: IntArray, unit: IntArray, weight: FloatArray, slot: IntArray, buckets: int
) -> tuple[IntArray, FloatArray, IntArray, IntArray, Places]:
    """Rows in the order of their buckets with weights and slots, where each bucket begins, and where each stretch of rows
    goes on in it.
    """
    rows = len(unit)
    edges = [rows * i // _WALKS for i in range(_WALKS + 1)]
    stretches = list(pairwise(edges))
    counts = np.zeros((_WALKS, buckets), dtype=np.int64)
    in_threads(lambda i, a, b: kernels.count(bucket, unit, a, b, counts[i]), _numbered(stretches))
    total = counts.sum(axis=0)
    begin = np.concatenate([[0], np.cumsum(total)])
    places = begin[:-1] + np.concatenate([np.zeros((1, buckets), dtype=np.int64), np.cumsum(counts, axis=0)[:-1]])
    size = int(begin[-1])
    order, slots, weights = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64), np.empty(size)
    used = places.copy()
    in_threads(
        lambda i, a, b: kernels.place(bucket, unit, weight, slot, a, b, used[i], order, weights, slots),
        _numbered(stretches),
    )
    return order, weights, slots, begin, (stretches, places)


def _packed(
    source: Columns, as_numbers: bool, bucket: IntArray, unit: IntArray, rows: int, places: Places
) -> NDArray[Any]:
    stretches, position = places[0], places[1].copy()
    if source.lookup is not None and not as_numbers:
        codes = np.empty((rows, source.values.shape[1]), dtype=np.uint8)
        values, lookup, low = source.values, source.lookup, source.low
        in_threads(
            lambda i, a, b: kernels.pack_codes(values, lookup, low, bucket, unit, a, b, position[i], codes),
            _numbered(stretches),
        )
        return codes
    values = source.numbers()
    numbers = np.empty((rows, values.shape[1]))
    in_threads(
        lambda i, a, b: kernels.pack_numbers(values, bucket, unit, a, b, position[i], numbers), _numbered(stretches)
    )
    return numbers


def _numbered(stretches: Sequence[tuple[int, int]]) -> list[tuple[int, int, int]]:
    return [(number, first, last) for number, (first, last) in enumerate(stretches)]


def in_threads(step: Callable[[int, int, int], Any], jobs: Sequence[tuple[int, int, int]]) -> None:
    """Run machine code that gives up the interpreter lock, in as many threads as there are processors."""
    if len(jobs) == 1 or sum(last - first for _, first, last in jobs) < 1 << 14:
        for job in jobs:
            step(*job)
        return
    for done in [_pool().submit(step, *job) for job in jobs]:
        done.result()


@cache
def _pool() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(min(_WALKS, cpu_count() or 1))
