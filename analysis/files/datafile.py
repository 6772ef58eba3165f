"""A data file of the analyst's own as named columns, whatever kind of file it is.

Public: Source, DataFile, FileFormat, matching, missing_column, refuse_twice, as_labels, text_labels. Files are opened by
analysis.files.opendata.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np

from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    import pyarrow as pa
    from numpy.typing import NDArray

Separator = Literal["comma", "semicolon", "tab"]
Decimal = Literal["point", "comma"]


@dataclass(frozen=True)
class FileFormat:
    """How a CSV file is written; the other kinds say it themselves."""

    separator: Separator = "comma"
    decimal: Decimal = "point"


@dataclass(frozen=True, eq=False)
class DataFile:
    """Columns of a file as estimators take them.

    Attributes
    ----------
    numbers : name -> ndarray, shape (rows,): numbers, NaN where there is none; object where the file holds text
    labels : name -> ndarray, shape (rows,): integers where all are, else text, None where there is none
    value_words : name -> label -> its words, from SPSS and Stata; empty for other files
    """

    path: Path
    rows: int
    numbers: Mapping[str, "NDArray[Any]"] = field(repr=False)
    labels: Mapping[str, "NDArray[Any]"] = field(repr=False)
    value_words: Mapping[str, Mapping[Any, str]] = field(default_factory=dict, repr=False)


class Source(Protocol):
    """An open file: the names of its columns are known, nothing else is read yet."""

    path: Path
    names: tuple[str, ...]

    def read(self, numbers: Collection[str], labels: Collection[str]) -> DataFile:
        """These columns, those under `numbers` to compute with, those under `labels` to tell rows apart."""
        ...

    def whole(self) -> "pa.Table":
        """Every column in its place."""
        ...


def matching(source: Source, patterns: Iterable[str], option: str) -> tuple[str, ...]:
    """Columns that names or patterns (`q*`, `rw[0-9]`) stand for, in the order given, then of the file.

    A column that is called exactly so comes before a pattern. Every name that is not there is a problem of its own.
    """
    found: dict[str, None] = {}
    problems = []
    for pattern in patterns:
        names = [pattern] if pattern in source.names else [n for n in source.names if fnmatchcase(n, pattern)]
        if not names:
            problems.append(missing_column(source, pattern, option))
        found |= dict.fromkeys(names)
    if problems:
        raise AnalysisError(problems)
    return tuple(found)


def missing_column(source: Source, name: str, option: str) -> Problem:
    """There is no such column: the nearest names first, then the first of the file."""
    from difflib import get_close_matches

    folded = {one.casefold(): one for one in reversed(source.names)}
    near = [folded[one] for one in get_close_matches(name.casefold(), folded, 3, 0.7)]
    there = ", ".join(source.names[:30]) + (f" and {len(source.names) - 30} more" if len(source.names) > 30 else "")
    remedy = f"is it {' or '.join(near)}? " if near else ""
    return Problem(f"there is no column {name!r}", f"{source.path}, {option}", f"{remedy}columns there are: {there}")


def refuse_twice(names: Sequence[str], where: str) -> None:
    if twice := sorted({name for name in names if names.count(name) > 1}):
        what = f"columns come twice: {', '.join(twice)}"
        raise AnalysisError(Problem(what, where, "give each column a name of its own"))


def as_labels(values: "NDArray[Any]") -> "NDArray[Any]":
    """Whole numbers as integers, so that a domain is called 3 and not 3.0; other numbers and words as they are."""
    if values.dtype.kind == "f":
        known = values[~np.isnan(values)]
        if not (np.isfinite(known).all() and (known == np.trunc(known)).all() and (np.abs(known) < 2**53).all()):
            return values
        if len(known) == len(values):
            return values.astype(np.int64)
        found = np.full(len(values), None, dtype=object)
        found[~np.isnan(values)] = known.astype(np.int64).tolist()
        return found
    return values


def text_labels(values: "NDArray[Any]") -> "NDArray[Any]":
    """Text that is all whole numbers as integers; a code with a nought before it (00691) keeps all of them text."""
    kept = [value for value in dict.fromkeys(values.tolist()) if value is not None]
    if not all(_whole(value) for value in kept):
        return values
    number = {value: int(value) for value in kept}
    found = np.array([number.get(value) for value in values.tolist()], dtype=object)
    return found.astype(np.int64) if None not in found else found


def _whole(text: str) -> bool:
    digits = text.removeprefix("-")
    return digits.isascii() and digits.isdigit() and len(digits) < 19 and (digits[0] != "0" or text == "0")
