"""Weighted distributions of variables within domains, and the quantiles read off them.

A variable is sorted once; answers that are whole numbers in a narrow range are counted instead.
Public: Rule, Distribution, distributions, at_or_below.
"""

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.labels import IntArray, sort

FloatArray = NDArray[np.float64]
Array = Any
Rule = Literal["math", "school", "hf1", "hf2", "hf3", "hf4", "hf5", "hf6", "hf7", "hf8", "hf9"]

MISSING = -1

_ROUNDING = 1e-12  # shares closer than this are the same share: sums of weights are not exact
_COUNTED = 1 << 10  # a range of whole numbers up to this wide is counted, not sorted
_THREADED = 1 << 20  # numbers from which several threads are worth their start
# rules that run linearly between the rows: row i stands at Σ w of the rows before + (1 − a) w_i, the end at W + b w_n
_LINEAR = {
    "hf4": (0, 0),
    "hf5": (1 / 2, 0),
    "hf6": (0, 1),
    "hf7": (1, -1),
    "hf8": (1 / 3, 1 / 3),
    "hf9": (3 / 8, 1 / 4),
}


@dataclass(frozen=True, eq=False)
class Distribution:
    """Distinct values of one variable by domain, in rising order: those of domain d lie at start[d]:start[d + 1].

    Attributes
    ----------
    start : ndarray, shape (domains + 1,)
    value : ndarray, shape (m,)
    below : ndarray, shape (m,), Σ w of the domain's rows up to and with the value
    first, last : ndarray, shape (m,), weights of the first and last row with the value, in the order of the rows; only
        linear rules ask for them, and sorted values have them only then
    """

    start: IntArray
    value: FloatArray
    below: FloatArray
    first: FloatArray
    last: FloatArray

    def quantile(self, p: FloatArray, rule: Rule) -> FloatArray:
        """Quantiles of the shares p, shape (domains, m), by the rules named in `analysis.quantile`.

        NaN for a domain without rows and where p is NaN.
        """
        if len(self.value) == 0:
            return np.full(p.shape, np.nan)
        end = np.broadcast_to((self.start[1:] - 1)[:, None], p.shape)
        known = (end >= self.start[:-1, None]) & ~np.isnan(p)
        p, end = np.where(known, p, 0.0), np.where(known, end, 0)
        begin = np.where(known, self.start[:-1, None], 0)
        value = self._linear(p, begin, end, *_LINEAR[rule]) if rule in _LINEAR else self._step(p, begin, end, rule)
        return np.where(known, value, np.nan)

    def _step(self, p: FloatArray, begin: IntArray, end: IntArray, rule: Rule) -> FloatArray:
        """The smallest value with F ≥ p; where F = p, half-way to the next, or the next, as the rule says."""
        whole = self.below[end]
        target, slack = p * whole, _ROUNDING * whole
        place = _first(self.below, target - slack, begin, end)
        value, following = self.value[place], self.value[np.minimum(place + 1, end)]
        met = np.abs(self.below[place] - target) <= slack
        if rule in ("school", "hf2"):
            return np.where(met, (value + following) / 2, value)
        if rule == "hf3":
            return np.where(met & ((place - begin) % 2 == 0), following, value)
        return value

    def _linear(self, p: FloatArray, begin: IntArray, end: IntArray, a: float, b: float) -> FloatArray:
        """Linear between the rows; tied rows make a level stretch."""
        whole = self.below[end]
        target = p * (whole + b * self.last[end])
        reach = self.below - a * self.last  # where the last row of each value stands
        place = _first(reach, target - _ROUNDING * whole, begin, end)
        before = np.maximum(place - 1, begin)
        left = reach[before]
        gap = a * self.last[before] + (1 - a) * self.first[place]
        with np.errstate(invalid="ignore", divide="ignore"):
            part = np.where((place > begin) & (gap > 0), (target - left) / gap, 1.0)
        lower = self.value[before]
        return np.asarray(lower + (self.value[place] - lower) * np.clip(part, 0.0, 1.0))


def _first(level: FloatArray, target: FloatArray, begin: IntArray, end: IntArray) -> IntArray:
    """First place in begin … end where `level` reaches the target, by halving; `end` where none does."""
    low, high = begin.copy(), end.copy()
    while True:
        unsure = low < high
        if not unsure.any():
            return low
        middle = (low + high) >> 1
        short = level[middle] < target
        low = np.where(unsure & short, middle + 1, low)
        high = np.where(unsure & ~short, middle, high)


def distributions(
    values: NDArray[Any], missing: IntArray, code: IntArray, domains: int, weight: FloatArray, rule: Rule
) -> list[Distribution]:
    """One of each column of values, shape (n, k), over the rows with a value, a domain (code ≥ 0) and a weight."""
    code = np.where(weight != 0, code, -1)
    absent = missing.astype(np.float64)
    low, high = np.full(values.shape[1], np.inf), np.full(values.shape[1], -np.inf)
    whole = np.ones(values.shape[1], dtype=bool)
    _each(partial(_describe, values, absent, low, high, whole), values.shape[1], values.size)
    width = np.where(whole & (high >= low), high - low + 1, np.where(high >= low, np.inf, 1))
    counted = (width <= _COUNTED) & (domains * width <= 4 * len(values) + _COUNTED)
    result: dict[int, Distribution] = {}
    columns = np.flatnonzero(counted)
    if len(columns):
        sizes = width[columns].astype(np.int64)
        found = _counted(values, absent, code, domains, weight, columns, low, sizes)
        result |= dict(zip(columns.tolist(), found, strict=True))
    columns = np.flatnonzero(~counted)
    if len(columns):
        rows = np.flatnonzero(code >= 0)
        rows = rows[sort(code[rows], domains)]
        of, share = code[rows], weight[rows]

        def one(first: int, last: int) -> None:
            for number in columns[first:last].tolist():
                column = values[:, number].take(rows).astype(np.float64, copy=False)
                result[number] = _sorted(column, absent, of, domains, share, rule in _LINEAR)

        _each(one, len(columns), len(rows) * len(columns))
    return [result[number] for number in range(values.shape[1])]


def _each(work: Callable[[int, int], Any], count: int, size: int) -> None:
    """Call work(first, last) on parts of range(count), in several threads where there is much to do."""
    threads = min(os.cpu_count() or 1, count) if size >= _THREADED else 1
    if threads == 1:
        work(0, count)
        return
    bounds = np.linspace(0, count, threads + 1).astype(int).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, bounds[:-1], bounds[1:]))


@compiled
def _describe(values: Array, missing: Array, low: Array, high: Array, whole: Array, first: int, last: int) -> None:
    """Least and greatest value of the columns first:last, and whether all are whole numbers."""
    for i in range(values.shape[0]):
        for c in range(first, last):
            v = values[i, c]
            valid = not np.isnan(v)
            for code in missing:
                valid = valid and v != code
            if valid:
                low[c] = min(low[c], v)
                high[c] = max(high[c], v)
                if v != np.floor(v):
                    whole[c] = False


@compiled
def _count(
    values: Array,
    missing: Array,
    domain: Array,
    weight: Array,
    columns: Array,
    low: Array,
    offset: Array,
    total: Array,
    head: Array,
    tail: Array,
    begin: int,
    end: int,
) -> None:
    """Σ w, and the weight of the first and last row, by domain and value of the columns begin:end of `columns`."""
    for i in range(values.shape[0]):
        d = domain[i]
        if d < 0:
            continue
        w = weight[i]
        for j in range(begin, end):
            c = columns[j]
            v = values[i, c]
            valid = not np.isnan(v)
            for code in missing:
                valid = valid and v != code
            if valid:
                cell = offset[j] + int(v - low[c])
                total[d, cell] += w
                tail[d, cell] = w
                if head[d, cell] == 0:
                    head[d, cell] = w


@compiled
def _compare(values: Array, missing: Array, domain: Array, cut: Array, result: Array, first: int, last: int) -> None:
    """Whether the answers of rows first:last are at or below the cuts of their domain: 1, 0, or missing."""
    for i in range(first, last):
        d = max(domain[i], 0)
        for c in range(values.shape[1]):
            v = values[i, c]
            valid = not np.isnan(v)
            for code in missing:
                valid = valid and v != code
            for m in range(cut.shape[2]):
                result[i, c, m] = (1 if v <= cut[d, c, m] else 0) if valid else MISSING


def _counted(
    values: NDArray[Any],
    missing: FloatArray,
    code: IntArray,
    domains: int,
    weight: FloatArray,
    columns: IntArray,
    low: FloatArray,
    sizes: IntArray,
) -> list[Distribution]:
    offset = np.concatenate([[0], np.cumsum(sizes)])
    total, head, tail = (np.zeros((domains, int(offset[-1]))) for _ in range(3))
    work = partial(_count, values, missing, code, weight, columns, low, offset, total, head, tail)
    _each(work, len(columns), len(code) * len(columns))
    result = []
    for number, column in enumerate(columns):
        part = np.s_[:, offset[number] : offset[number + 1]]
        present = head[part] != 0
        where = np.nonzero(present)
        start = np.concatenate([[0], np.cumsum(present.sum(axis=1))])
        base = 0.0 if np.isinf(low[column]) else low[column]
        below = np.cumsum(total[part], axis=1)[where]
        result.append(Distribution(start, where[1] + base, below, head[part][where], tail[part][where]))
    return result


def _sorted(
    value: FloatArray, missing: FloatArray, code: IntArray, domains: int, weight: FloatArray, ties: bool
) -> Distribution:
    """From rows in the order of their domains; `ties` keeps tied rows in their order."""
    valid = ~np.isnan(value)
    for absent in missing:
        valid &= value != absent
    if not valid.all():
        value, code, weight = value[valid], code[valid], weight[valid]
    bounds = np.searchsorted(code, np.arange(domains + 1))
    below = np.empty(len(value))
    weights = np.empty(len(value)) if ties else below
    for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True):
        order = np.argsort(value[a:b], kind="stable" if ties else None)
        weights[a:b] = weight[a:b][order]
        np.cumsum(weights[a:b], out=below[a:b])
        value[a:b] = value[a:b][order]
    final = np.ones(len(value), dtype=bool)  # the last row of each run of equal values
    np.not_equal(value[1:], value[:-1], out=final[:-1])
    final[bounds[1:][np.diff(bounds) > 0] - 1] = True
    if final.all():
        return Distribution(bounds, value, below, weights, weights)
    kept = np.flatnonzero(final)
    initial = np.concatenate([[0], kept[:-1] + 1]) if len(kept) else kept
    return Distribution(np.searchsorted(kept, bounds), value[kept], below[kept], weights[initial], weights[kept])


def at_or_below(values: NDArray[Any], missing: IntArray, code: IntArray, cut: FloatArray) -> NDArray[np.int8]:
    """Whether each answer is at or below the cuts of its domain, shape (n, k, m): 1, 0, or MISSING.

    `cut` has shape (domains, k, m); a row outside all domains (code < 0) is compared with the first.
    """
    result = np.empty((len(code), *cut.shape[1:]), dtype=np.int8)
    absent = missing.astype(np.float64)
    _each(partial(_compare, values, absent, code, cut, result), len(code), result.size)
    return result
