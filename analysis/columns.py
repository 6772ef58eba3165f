"""Variables brought by the analyst as one table of numbers. Public: Variables, Columns, read_columns, of_codes."""

from collections.abc import Collection, Hashable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem, not_a_number

FloatArray = NDArray[np.float64]
ByteArray = NDArray[np.uint8]

MISSING = 255  # the code of a missing value
_CODES = 255  # how many others there are


class Variables(Protocol):
    """k variables, wherever their values are; the number of code q is offset + scale·q."""

    @property
    def names(self) -> tuple[Hashable, ...]: ...

    @property
    def lookup(self) -> ByteArray | None: ...

    @property
    def offset(self) -> float: ...

    @property
    def scale(self) -> float: ...


@dataclass(frozen=True)
class Columns:
    """Numbers of k variables for n rows, as they came.

    Attributes
    ----------
    names : tuple of labels, length k
    values : ndarray, shape (n, k), integers or floats
    lookup : ndarray or None: the code of each value − low, 255 where it is missing; the number of code q is
        offset + scale·q. None: the values are the numbers, NaN where missing
    """

    names: tuple[Hashable, ...]
    values: NDArray[Any]
    lookup: ByteArray | None = None
    low: int = 0
    offset: float = 0.0
    scale: float = 1.0

    def numbers(self) -> FloatArray:
        """As floats, NaN where missing, shape (n, k)."""
        if self.lookup is None:
            return np.asarray(self.values, dtype=np.float64)
        number = self.offset + self.scale * np.arange(256.0)
        number[MISSING] = np.nan
        return np.asarray(number[self.lookup].take(self.values.astype(np.int64) - self.low))


def read_columns(
    data: Any,
    name: str,
    rows: int,
    missing: Collection[int] = (),
    of: Collection[int] | None = None,
) -> Columns:
    """Take an array (n,) or (n, k), a mapping of arrays, or a pandas object.

    `missing` are codes that mean no answer; with `of` the number is 1 for the codes in it and 0 for the others.
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
    if values.dtype.kind in "iu":
        low, high = int(values.min()), int(values.max())
        if high - low < _CODES:
            return of_codes(names, values, low, high, missing, of)
        values = values.astype(np.float64)
    _require_finite(values, names, name)
    if of is not None or missing:
        absent = np.isnan(values) | np.isin(values, list(missing))
        numbers = values if of is None else np.isin(values, list(of)).astype(np.float64)
        values = np.where(absent, np.nan, numbers)
    return Columns(names, values)


def of_codes(
    names: tuple[Hashable, ...],
    values: NDArray[Any],
    low: int,
    high: int,
    missing: Collection[int] = (),
    of: Collection[int] | None = None,
) -> Columns:
    """Integers low to high, at most 255 of them, kept in the type they came in."""
    value = np.arange(low, high + 1)
    absent = np.isin(value, list(missing))
    offset = 0.0 if high < MISSING and bool((absent | (value >= 0)).all()) else float(low)
    code = (value - int(offset)).astype(np.uint8)
    if of is not None:
        code = np.isin(value, list(of)).astype(np.uint8)
        offset = 0.0
    code[absent] = MISSING
    return Columns(names, values, code, low, offset)


def _require_finite(values: NDArray[Any], names: tuple[Hashable, ...], name: str) -> None:
    """A sum shows at once whether any value may be infinite."""
    with np.errstate(invalid="ignore"):
        finite = bool(np.isfinite(values.sum(dtype=np.float64)))
    if not finite and np.isinf(values).any():
        row, column = np.argwhere(np.isinf(values))[0]
        raise AnalysisError(
            Problem(f"{name} holds an infinite value", f"{names[column]}, row {row}", "give a number or NaN")
        )


def _table(data: Any, name: str) -> tuple[tuple[Hashable, ...], NDArray[Any]]:
    if isinstance(data, Mapping):
        names: tuple[Hashable, ...] = tuple(data)
        parts = [_numbers(column, str(label)) for label, column in data.items()]
        shapes = {part.shape for part in parts}
        if len(shapes) > 1 or parts and parts[0].ndim != 1:
            found = ", ".join(f"{label}: {part.shape}" for label, part in zip(names, parts, strict=True))
            raise AnalysisError(
                Problem(f"the columns of {name} differ in shape: {found[:200]}", name, "give one value a row")
            )
        return names, np.column_stack(parts) if parts else np.zeros((0, 0))
    values = np.atleast_1d(_numbers(data, name))
    if values.ndim == 1:
        label = getattr(data, "name", None)
        return (name if label is None else label,), values[:, None]
    labels = getattr(data, "columns", None)
    if labels is not None:
        return tuple(labels), values
    return tuple(f"{name}{i + 1}" for i in range(values.shape[-1])), values


def _numbers(data: Any, name: str) -> NDArray[Any]:
    if isinstance(data, np.ma.MaskedArray):  # asarray would uncover what the mask hides
        return np.ma.filled(data.astype(np.float64), np.nan)
    values = np.asarray(data)
    if values.dtype.kind in "iuf":
        return values.astype(values.dtype.newbyteorder("="), copy=False)
    if values.dtype.kind in "cmM":
        what = f"{name} holds {'dates or times' if values.dtype.kind in 'mM' else 'complex numbers'}"
        raise AnalysisError(Problem(what, name, "give a column of numbers"))
    if values.dtype.kind == "b":
        return values.view(np.int8)
    try:
        if hasattr(data, "to_numpy"):  # pandas' nullable types
            return np.asarray(data.to_numpy(dtype=np.float64, na_value=np.nan))
        return values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number(values.reshape(len(values), -1).tolist() if values.ndim else [[values]], name) from error
