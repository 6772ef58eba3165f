"""Variables brought by the analyst as one table of numbers. Public: Columns, read_columns."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import IntArray

FloatArray = NDArray[np.float64]
BoolArray = NDArray[np.bool_]


@dataclass(frozen=True)
class Columns:
    """`values` : ndarray, shape (n, k), kept in the type it came in; a value is missing if NaN or listed in `missing`."""

    names: tuple[Hashable, ...]
    values: NDArray[Any]
    missing: tuple[int, ...]
    complete: bool

    def read(self, rows: IntArray) -> tuple[FloatArray, BoolArray]:
        """Numbers, 0 where missing, shape (m, k); and which are valid, shape (m, k), or (m, 1) when all are."""
        block = self.values.take(rows, axis=0)
        if self.complete:
            return block.astype(np.float64), np.ones((len(rows), 1), dtype=bool)
        valid = ~np.isnan(block) if block.dtype.kind == "f" else np.ones(block.shape, dtype=bool)
        for code in self.missing:
            valid &= block != code
        return np.where(valid, block, 0).astype(np.float64), valid


def read_columns(data: Any, name: str, rows: int, missing: Collection[int] = ()) -> Columns:
    """Take an array (n,) or (n, k), a mapping of arrays, or a pandas object.

    Raises AnalysisError for another length, text, or infinite values.
    """
    names, values = _table(data, name)
    if values.ndim != 2 or values.shape[0] != rows or values.shape[1] == 0:
        raise AnalysisError(
            Problem(
                f"{name} has shape {np.shape(data)}, but the design has {rows} rows",
                name,
                f"give an array of shape ({rows},) or ({rows}, k), NaN where an answer is missing",
            )
        )
    if values.dtype.kind == "f":
        sums = values.sum(axis=0, dtype=np.float64)
        complete = not missing and bool(np.isfinite(sums).all())
        if not complete and np.isinf(values).any():
            row, column = np.argwhere(np.isinf(values))[0]
            raise AnalysisError(
                Problem(f"{name} holds an infinite value", f"{names[column]}, row {row}", "give a number or NaN")
            )
    else:
        complete = not missing
    return Columns(names, np.ascontiguousarray(values), tuple(missing), complete)


def _table(data: Any, name: str) -> tuple[tuple[Hashable, ...], NDArray[Any]]:
    if isinstance(data, Mapping):
        names: tuple[Hashable, ...] = tuple(data)
        values = np.column_stack([_numbers(column, str(label)) for label, column in data.items()])
        return names, values
    values = _numbers(data, name)
    if values.ndim == 1:
        label = getattr(data, "name", None)
        return (name if label is None else label,), values[:, None]
    labels = getattr(data, "columns", None)
    if labels is not None:
        return tuple(labels), values
    return tuple(f"{name}{i + 1}" for i in range(values.shape[-1])), values


def _numbers(data: Any, name: str) -> NDArray[Any]:
    values = np.asarray(data)
    if values.dtype.kind in "iuf":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.int8)
    try:
        if hasattr(data, "to_numpy"):  # pandas' nullable types
            return np.asarray(data.to_numpy(dtype=np.float64, na_value=np.nan))
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number(values.reshape(len(values), -1).tolist() if values.ndim else [[values]], name) from error
