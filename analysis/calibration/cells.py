"""Rows that are alike in several classifications, as cells: all that a calibration can tell apart.

Integer labels go straight to codes; a cell is found by arithmetic, not by looking labels up row by row.
Public: Classes, read_classes, Cells, cells_of.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.labels import IntArray, compact, encode

FloatArray = NDArray[np.float64]

_LARGEST = 2**31 - 1
_BLOCK = 1 << 15  # rows whose keys stay in the cache while every classification is added to them


@dataclass(frozen=True, eq=False)
class Classes:
    """A classification of the rows: row i lies in class `values[i] − low` of `size`.

    `labels` names the classes; None: class p is the integer low + p, which need not have a row. `sure`: no row lies
    outside; else the ends are those of the labels that were expected.
    """

    values: NDArray[Any]
    low: int
    size: int
    labels: tuple[Hashable, ...] | None
    sure: bool = True

    def named(self, position: IntArray) -> tuple[Hashable, ...]:
        """Labels of classes."""
        if self.labels is None:
            return tuple((position + self.low).tolist())
        return tuple(self.labels[i] for i in position.tolist())


@dataclass(frozen=True, eq=False)
class Cells:
    """Cells that have a row, in the order of their classes.

    key : ndarray, shape (n,); `number`, the cell of each key, −1 where none has a row
    weight : ndarray, shape (cells,), Σ w
    classes : as found; `codes`, shape (classifications, cells), the class of each cell
    """

    key: NDArray[np.int32]
    number: IntArray
    weight: FloatArray
    classes: tuple[Classes, ...]
    codes: IntArray

    @classmethod
    def given(cls, cell: IntArray, weight: FloatArray, classes: Sequence[Classes], codes: IntArray) -> "Cells":
        """From the cell of each row, 0 … cells − 1."""
        count = codes.shape[1]
        sums = np.bincount(cell, weights=weight, minlength=count).astype(np.float64, copy=False)
        return cls(cell.astype(np.int32), np.arange(count, dtype=np.int64), sums, tuple(classes), codes)

    @property
    def count(self) -> int:
        return len(self.weight)

    def rescaled(self, weight: FloatArray, factor: FloatArray) -> tuple[IntArray, FloatArray]:
        """The cell of each row, and the weight of each row times the factor of its cell, both of shape (n,)."""
        cell, after = np.empty(len(self.key), dtype=np.int64), np.empty(len(self.key))
        _rescale(self.key, self.number, factor, weight, cell, after)
        return cell, after


def read_classes(labels: Any, name: str, rows: int, expected: Iterable[Hashable] = ()) -> Classes:
    """Integer labels as they are; any others looked up. Raises AnalysisError for another length or missing labels.

    expected : labels that are likely: integers among them save looking for the ends
    """
    array = labels if isinstance(labels, np.ndarray) else np.asarray(labels)
    plain = array.dtype.kind in "iu" and array.shape == (rows,) and rows > 0 and not np.ma.isMaskedArray(labels)
    if plain:
        array = array.astype(array.dtype.newbyteorder("="), copy=False)
        known = list(expected)
        sure = not known or not all(isinstance(label, (int, np.integer)) for label in known)
        classes = _between(array, _ends(array) if sure else (min(known), max(known)), sure)  # type: ignore[type-var]
        if classes is not None:
            return classes
    codes = encode(labels, name, rows)
    return Classes(codes.code, 0, len(codes.labels), codes.labels)


def cells_of(classes: Sequence[Classes], weight: FloatArray) -> Cells:
    """Cross classifications and sum the weights by cell."""
    rows, span = len(weight), 1
    for one in classes:
        span *= one.size
    if span > min(4 * rows + (1 << 16), _LARGEST):
        return _step_by_step(classes, weight)
    key = np.empty(rows, dtype=np.int32)
    sums, seen = np.zeros(span), np.zeros(span, dtype=np.uint8)
    for a in range(0, rows, _BLOCK):
        b = min(a + _BLOCK, rows)
        key[a:b] = 0
        for one in classes:
            if _cross(key[a:b], one.values[a:b], one.low, one.size):
                return cells_of([_sure(other) for other in classes], weight)
        _add(key[a:b], weight[a:b], sums, seen)
    kept = np.flatnonzero(seen)
    number = np.full(span, -1, dtype=np.int64)
    number[kept] = np.arange(len(kept))
    codes = _decode(kept, [one.size for one in classes])
    return Cells(key, number, sums[kept], tuple(classes), codes)


def _between(array: NDArray[Any], ends: tuple[Any, Any], sure: bool) -> Classes | None:
    low, high = int(ends[0]), int(ends[1])
    if high - low < 4 * len(array) + 1024 and -(2**62) < low <= high < 2**62:
        return Classes(array, low, high - low + 1, None, sure)
    return None


def _sure(one: Classes) -> Classes:
    if one.sure:
        return one
    found = _between(one.values, _ends(one.values), True)
    if found is not None:
        return found
    codes = encode(one.values, "labels", len(one.values))
    return Classes(codes.code, 0, len(codes.labels), codes.labels)


def _step_by_step(classes: Sequence[Classes], weight: FloatArray) -> Cells:
    """For so many combinations that a table of all of them is larger than the rows: only those met are numbered."""
    classes = [_sure(one) for one in classes]
    table = np.zeros((0, 1), dtype=np.int64)
    cell = np.zeros(len(weight), dtype=np.int64)
    for one in classes:
        kept, cell = compact(cell * one.size + (one.values.astype(np.int64) - one.low))
        table = np.concatenate([table[:, kept // one.size], kept[None, :] % one.size])
    return Cells.given(cell, weight, classes, table)


def _decode(kept: IntArray, sizes: Sequence[int]) -> IntArray:
    digits = []
    for size in reversed(sizes):
        digits.append(kept % size)
        kept = kept // size
    return np.array(digits[::-1], dtype=np.int64)


@compiled
def _ends(values: NDArray[Any]) -> tuple[Any, Any]:
    low = high = values[0]
    for value in values:
        low = min(low, value)
        high = max(high, value)
    return low, high


@compiled
def _cross(key: NDArray[np.int32], values: NDArray[Any], low: int, size: int) -> Any:
    """Add a digit to the keys; whether a value lies outside."""
    outside: Any = False
    for i in range(len(key)):
        digit = np.int64(values[i]) - low
        outside |= (digit < 0) | (digit >= size)
        key[i] = np.int32(key[i] * np.int32(size) + np.int32(digit))
    return outside


@compiled
def _add(key: NDArray[np.int32], weight: FloatArray, sums: FloatArray, seen: NDArray[np.uint8]) -> None:
    for i in range(len(key)):
        sums[key[i]] += weight[i]
        seen[key[i]] = 1


@compiled
def _rescale(
    key: NDArray[np.int32], number: IntArray, factor: FloatArray, weight: FloatArray, cell: IntArray, after: FloatArray
) -> None:
    for i in range(len(key)):
        c = number[key[i]]
        cell[i] = c
        after[i] = weight[i] * factor[c]
