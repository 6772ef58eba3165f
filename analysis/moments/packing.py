"""Packing of rows, and the threads that walk over them.

Rows are copied in the order of buckets of neighbouring sampling units, so that the sums a stretch of rows adds to stay in
the processor's cache, whatever order the file had. Public: Packing, pack_order, in_threads.
"""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from os import cpu_count, getpid
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.columns import Columns, Variables
from analysis.labels import IntArray, compact
from analysis.moments import kernels

FloatArray = NDArray[np.float64]

_WALKS = 4  # stretches of rows that may have a thread each; fixed, so that sums come out the same on any machine
_ONE_WALK = 1 << 20  # answers below which a single walk is faster
_CACHE = 1 << 18  # bytes of sums that a stretch of rows should add to

Stretch = tuple[int, int, int]


@dataclass(frozen=True, eq=False)
class Packing:
    """The order rows are packed in.

    Attributes
    ----------
    order : ndarray, the row each packed row came from
    weight : ndarray, its weight
    slot : ndarray, its (domain, unit) pair
    domain, unit : ndarray, shape (pairs,), of each pair, sorted
    bounds : of the walks over packed rows; units do not cross them
    """

    order: NDArray[np.int32]
    weight: FloatArray
    slot: NDArray[np.int32]
    domain: IntArray
    unit: IntArray
    bounds: tuple[tuple[int, int], ...]
    bucket: IntArray
    of_row: IntArray
    stretches: tuple[Stretch, ...]
    places: IntArray

    def walk(self, step: Callable[[int, int, int], None]) -> None:
        """step(number, first, last) for every stretch of packed rows, in threads."""
        in_threads(step, [(number, *bounds) for number, bounds in enumerate(self.bounds)])

    def codes(self, source: Columns) -> NDArray[np.uint8]:
        """Codes of the rows, packed."""
        assert source.lookup is not None
        result = np.empty((len(self.order), source.values.shape[1]), dtype=np.uint8)
        values, lookup, low, position = source.values, source.lookup, source.low, self.places.copy()
        in_threads(
            lambda i, a, b: kernels.pack_codes(
                values, lookup, low, self.bucket, self.of_row, a, b, position[i], result
            ),
            self.stretches,
        )
        return result

    def numbers(self, source: Variables) -> FloatArray:
        """Numbers of the rows, packed, NaN where missing."""
        assert isinstance(source, Columns)
        values, position = source.numbers(), self.places.copy()
        result = np.empty((len(self.order), values.shape[1]))
        in_threads(
            lambda i, a, b: kernels.pack_numbers(values, self.bucket, self.of_row, a, b, position[i], result),
            self.stretches,
        )
        return result


def pack_order(domain: IntArray, unit: IntArray, units: int, weight: FloatArray, columns: int) -> Packing:
    """Rows in the order of buckets of their units; rows of no domain (−1) are left out.

    columns : how many answers a row has, from which the size of the buckets follows
    """
    inside = domain >= 0
    whole = bool(inside.all())
    key = domain * units + unit
    kept, position = compact(key if whole else key[inside])
    slot, of_row = position, unit
    if not whole:
        slot = np.full(len(key), -1, dtype=np.int64)
        slot[inside] = position
        of_row = np.where(inside, unit, -1)
    large = len(position) * columns > _ONE_WALK
    buckets = int(np.clip(len(kept) * columns * 20 // _CACHE, _WALKS, 512)) if large else 1
    buckets = min(buckets, max(units, 1))
    bucket = np.arange(units, dtype=np.int64) * buckets // max(units, 1)
    edges = [len(unit) * i // _WALKS for i in range(_WALKS + 1)]
    stretches = tuple((number, *pair) for number, pair in enumerate(pairwise(edges)))
    counts = np.zeros((_WALKS, buckets), dtype=np.int64)
    in_threads(lambda i, a, b: kernels.count(bucket, of_row, a, b, counts[i]), stretches)
    begin = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    earlier = np.concatenate([np.zeros((1, buckets), dtype=np.int64), np.cumsum(counts, axis=0)[:-1]])
    places, rows = begin[:-1] + earlier, int(begin[-1])
    order, slots, weights = np.empty(rows, dtype=np.int32), np.empty(rows, dtype=np.int32), np.empty(rows)
    used = places.copy()
    in_threads(
        lambda i, a, b: kernels.place(bucket, of_row, weight, slot, a, b, used[i], order, weights, slots), stretches
    )
    walks = min(_WALKS, buckets) if large else 1
    bounds = tuple(pairwise([*(int(begin[buckets * i // walks]) for i in range(walks)), rows]))
    return Packing(order, weights, slots, kept // units, kept % units, bounds, bucket, of_row, stretches, places)


def in_threads(step: Callable[[int, int, int], Any], jobs: Sequence[Stretch]) -> None:
    """Run machine code that gives up the interpreter lock, in as many threads as there are processors."""
    if len(jobs) == 1 or sum(last - first for _, first, last in jobs) < 1 << 14:
        for job in jobs:
            step(*job)
        return
    for done in [_pool(getpid()).submit(step, *job) for job in jobs]:
        done.result()


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Threads of this process: those of the one it was forked from are not there."""
    return ThreadPoolExecutor(min(_WALKS, cpu_count() or 1), f"sums-{process}")
