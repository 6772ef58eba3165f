"""Rows that are alike in several classifications, as cells: all that a calibration can tell apart.

Integer labels go straight to codes; a cell is found by arithmetic, not by looking labels up row by row.
Public: Classes, read_classes, Cells, cells_of, weight_by_cell, times_factor.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.compiled import compiled
from analysis.labels import IntArray, compact, encode

FloatArray = NDArray[np.float64]

_LARGEST = 2**31 - 1


@dataclass(frozen=True, eq=False)
class Classes:
    """A classification of the rows: row i lies in class `values[i] − low` of `size`.

    `labels` names the classes; None: class p is the integer low + p, which need not have a row.
    """

    values: NDArray[Any]
    low: int
    size: int
    labels: tuple[Hashable, ...] | None

    def named(self, position: IntArray) -> tuple[Hashable, ...]:
        """Labels of classes."""
        if self.labels is None:
            return tuple((position + self.low).tolist())
        return tuple(self.labels[i] for i in position.tolist())


@dataclass(frozen=True, eq=False)
class Cells:
    """`cell` : ndarray, shape (n,); `codes` : ndarray, shape (classifications, cells), the class of each cell."""

    cell: IntArray
    codes: IntArray

    @property
    def count(self) -> int:
        return int(self.codes.shape[1])


def read_classes(labels: Any, name: str, rows: int) -> Classes:
    """Integer labels as they are; any others looked up. Raises AnalysisError for another length or missing labels."""
    array = labels if isinstance(labels, np.ndarray) else np.asarray(labels)
    plain = array.dtype.kind in "iu" and array.shape == (rows,) and rows > 0 and not np.ma.isMaskedArray(labels)
    if plain:
        array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
        low, high = (int(end) for end in _ends(array))
        if high - low < 4 * rows + 1024 and high < 2**62:
            return Classes(array, low, high - low + 1, None)
    codes = encode(labels, name, rows)
    return Classes(codes.code, 0, len(codes.labels), codes.labels)


def cells_of(classes: Sequence[Classes]) -> Cells:
    """Cross classifications; only cells that have a row are kept, in the order of their classes."""
    rows = len(classes[0].values)
    limit = min(4 * rows + (1 << 16), _LARGEST)
    key, span = np.zeros(rows, dtype=np.int32), 1
    table = np.zeros((0, 1), dtype=np.int64)  # classes of the keys numbered last
    pending: list[int] = []  # sizes crossed with them since
    for one in classes:
        if span * one.size > limit and pending:
            kept, cell = _occupied(key, span)
            table, pending = _decode(kept, table, pending), []
            key, span = cell.astype(np.int32), len(kept)
        if span * one.size > limit:
            kept, cell = compact(key.astype(np.int64) * one.size + (one.values.astype(np.int64) - one.low))
            table = _decode(kept, table, [one.size])
            key, span = cell.astype(np.int32), len(kept)
            continue
        _cross(key, one.values, one.low, one.size)
        pending.append(one.size)
        span *= one.size
    kept, cell = _occupied(key, span)
    return Cells(cell, _decode(kept, table, pending))


def weight_by_cell(cell: IntArray, weight: FloatArray, cells: int) -> FloatArray:
    """Σ w by cell."""
    result = np.zeros(cells)
    _add(cell, weight, result)
    return result


def times_factor(weight: FloatArray, factor: FloatArray, cell: IntArray) -> FloatArray:
    """The weights times the factor of their cell."""
    result = np.empty(len(weight))
    _multiply(weight, factor, cell, result)
    return result


def _decode(kept: IntArray, table: IntArray, pending: Sequence[int]) -> IntArray:
    digits: list[IntArray] = []
    for size in reversed(pending):
        digits.append(kept % size)
        kept = kept // size
    return np.concatenate([table[:, kept], np.array(digits[::-1], dtype=np.int64).reshape(len(digits), len(kept))])


def _occupied(key: NDArray[np.int32], span: int) -> tuple[IntArray, IntArray]:
    """Distinct keys in order, and each row's position among them."""
    position = np.full(span, -1, dtype=np.int64)
    cell = np.empty(len(key), dtype=np.int64)
    _mark(key, position)
    kept = np.flatnonzero(position >= 0)
    position[kept] = np.arange(len(kept))
    _number(key, position, cell)
    return kept, cell


@compiled
def _ends(values: NDArray[Any]) -> tuple[Any, Any]:
    low = high = values[0]
    for value in values:
        low = min(low, value)
        high = max(high, value)
    return low, high


@compiled
def _cross(key: NDArray[np.int32], values: NDArray[Any], low: int, size: int) -> None:
    for i in range(len(key)):
        key[i] = key[i] * size + np.int64(values[i]) - low


@compiled
def _mark(key: NDArray[np.int32], position: IntArray) -> None:
    for i in range(len(key)):
        position[key[i]] = 0


@compiled
def _number(key: NDArray[np.int32], position: IntArray, cell: IntArray) -> None:
    for i in range(len(key)):
        cell[i] = position[key[i]]


@compiled
def _add(cell: IntArray, weight: FloatArray, result: FloatArray) -> None:
    for i in range(len(cell)):
        result[cell[i]] += weight[i]


@compiled
def _multiply(weight: FloatArray, factor: FloatArray, cell: IntArray, result: FloatArray) -> None:
    for i in range(len(cell)):
        result[i] = weight[i] * factor[cell[i]]
