"""Labels of rows (domains, strata, PSUs, cells) as small integer codes. Public: Codes, encode, cross, compact, sort."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import repeat
from typing import Any, Protocol, cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.errors import AnalysisError, Problem

IntArray = NDArray[np.int64]
Labels = ArrayLike | Iterable[Any]  # numpy arrays, lists, pandas and pyarrow columns


class Domains(Protocol):
    """A classification of rows, wherever they are."""

    @property
    def labels(self) -> tuple[Hashable, ...]: ...


@dataclass(frozen=True)
class Codes:
    """`code` : ndarray, shape (n,), position in `labels`, −1 where the label is missing."""

    code: IntArray
    labels: tuple[Hashable, ...]


def encode(labels: Labels, name: str, rows: int, missing: str = "refuse") -> Codes:
    """Code labels in sorted order; None and NaN are missing: an error, or −1 when `missing` is "outside"."""
    if isinstance(labels, np.ma.MaskedArray):  # asarray would uncover what the mask hides
        bare = np.array(labels, dtype=object)
        bare[np.ma.getmaskarray(labels)] = None
        labels = bare
    array = np.asarray(labels)
    if array.ndim != 1 or len(array) != rows:
        raise AnalysisError(
            Problem(
                f"{name} has shape {array.shape}, but the design has {rows} rows",
                name,
                f"give one label for each of the {rows} rows",
            )
        )
    codes = _encode_integers(array) if array.dtype.kind in "biu" else _encode_objects(array)
    absent = np.flatnonzero(codes.code < 0)
    if missing == "refuse" and len(absent):
        raise AnalysisError(
            Problem(
                f"{len(absent)} rows have no label in {name}",
                f"{name}, first at row {absent[0]}",
                "give these rows a label of their own or leave them out before making the design",
            )
        )
    return codes


def cross(parts: Sequence[Codes]) -> Codes:
    """Cross several codings: the labels become tuples, and only combinations that occur are kept."""
    if len(parts) == 1:
        return parts[0]
    key = parts[0].code.copy()
    outside = parts[0].code < 0
    for part in parts[1:]:
        key = key * len(part.labels) + part.code
        outside |= part.code < 0
    present, inverse = compact(key[~outside])
    code = np.full(len(key), -1, dtype=np.int64)
    code[~outside] = inverse
    columns: list[list[Hashable]] = []
    for part in reversed(parts[1:]):
        columns.append([part.labels[i] for i in present % len(part.labels)])
        present = present // len(part.labels)
    columns.append([parts[0].labels[i] for i in present])
    return Codes(code, tuple(zip(*reversed(columns), strict=True)))


def compact(key: IntArray) -> tuple[IntArray, IntArray]:
    """Sorted distinct values of `key` (≥ 0) and each row's position among them."""
    if len(key) == 0:
        return key, key
    if int(key.max()) < 4 * len(key) + 1024:
        present = np.flatnonzero(np.bincount(key))
        position = np.zeros(int(present[-1]) + 1, dtype=np.int64)
        position[present] = np.arange(len(present))
        return present.astype(np.int64), position[key]
    values, inverse = np.unique(key, return_inverse=True)
    return values, inverse.astype(np.int64)


def sort(code: IntArray, count: int) -> IntArray:
    """Stable order of codes below `count`, by 16-bit digits, which numpy sorts in linear time."""
    order = np.argsort((code & 0xFFFF).astype(np.uint16), kind="stable")
    shift = 16
    while count >> shift:
        digit = (code[order] >> shift & 0xFFFF).astype(np.uint16)
        order = order[np.argsort(digit, kind="stable")]
        shift += 16
    return order


def _encode_integers(array: NDArray[Any]) -> Codes:
    if len(array) == 0:
        return Codes(np.zeros(0, dtype=np.int64), ())
    key = array.astype(np.int64)
    low = int(key.min())
    present, code = compact(key - low)
    values = (present + low).astype(array.dtype)
    return Codes(code, tuple(values.tolist()))


def _encode_objects(array: NDArray[Any]) -> Codes:
    values = array.tolist()
    distinct = [value for value in dict.fromkeys(values) if not _is_missing(value)]
    labels = _ordered(distinct)
    position: dict[Any, int] = {label: i for i, label in enumerate(labels)}
    code = np.fromiter(map(position.get, values, repeat(-1)), dtype=np.int64, count=len(values))
    return Codes(code, tuple(labels))


def _is_missing(value: object) -> bool:
    return value is None or type(value).__name__ in ("NAType", "NaTType") or bool(value != value)  # noqa: PLR0124


def _ordered(labels: list[Any]) -> list[Hashable]:
    try:
        return cast(list[Hashable], sorted(labels))
    except TypeError:
        return cast(list[Hashable], sorted(labels, key=lambda label: (type(label).__name__, str(label))))
