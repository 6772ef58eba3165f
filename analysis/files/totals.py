"""Known totals of the population from a CSV file `margin,label,total`, matched to columns of a data file.

Public: read_totals, TotalsFile, Margin. A margin is a column, or several crossed (`sex*age`); a label is one of its
values, several joined by `+` (`4+5`), crossed like the margin (`1*4+5`). A margin without a label is the total of a
column of numbers, and the margin `*` without one the number of units (both for calibration only).
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.files.csvfile import parse_csv, read_bounded
from analysis.files.datafile import DataFile, Source, missing_column
from analysis.labels import cross, encode

if TYPE_CHECKING:
    from numpy.typing import NDArray

COLUMNS = ("margin", "label", "total")
CROSS, JOIN, COUNT = "*", "+", "*"
AGREE = 0.005
"""Margins of one population may differ by this share of the first; the others are then scaled to it, and it is said."""
MOST_BYTES = 16 << 20


@dataclass(frozen=True)
class Margin:
    """One margin: the columns that are crossed, and label -> total as the file has them; no columns for a count."""

    name: str
    columns: tuple[str, ...]
    totals: Mapping[str, float]
    lines: Mapping[str, int] = field(repr=False)

    @property
    def numeric(self) -> bool:
        return "" in self.totals


@dataclass(frozen=True)
class TotalsFile:
    """All margins of a file, in its order."""

    path: Path
    margins: tuple[Margin, ...]
    sha256: str

    @property
    def label_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.margins if not one.numeric for name in one.columns))

    @property
    def number_columns(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name for one in self.margins if one.numeric for name in one.columns))

    def classes(self, data: DataFile) -> dict[str, tuple["NDArray[np.object_]", dict[str, float]]]:
        """Margin -> (class of each row, class -> total), as `rake` takes them."""
        numeric = [one.name for one in self.margins if one.numeric]
        if numeric:
            what = f"margin {', '.join(numeric)} has no label"
            raise AnalysisError(Problem(what, str(self.path), "totals of numbers are for --calibrate"))
        return {one.name: (_classes(one, data, self.path), dict(one.totals)) for one in self.margins}

    def agreed(self) -> tuple["TotalsFile", tuple[str, ...]]:
        """Margins scaled to the sum of the first where they are nearly the same, and what was done in words."""
        first = sum(self.margins[0].totals.values())
        kept, said = [self.margins[0]], []
        for one in self.margins[1:]:
            given = sum(one.totals.values())
            factor = first / given
            if given != first and abs(given - first) <= AGREE * first:
                one = Margin(one.name, one.columns, {k: v * factor for k, v in one.totals.items()}, one.lines)
                if abs(given - first) > 1e-9 * first:
                    said.append(
                        f"margin {one.name} sums to {given:.10g}: scaled by {factor:.6f} to {self.margins[0].name}"
                    )
            kept.append(one)
        return TotalsFile(self.path, tuple(kept), self.sha256), tuple(said)

    def matrix(self, data: DataFile) -> tuple[dict[str, "NDArray[np.float64]"], dict[str, float]]:
        """Columns to calibrate and their totals: 0/1 for a class, the numbers themselves for a margin without label."""
        columns: dict[str, NDArray[np.float64]] = {}
        totals: dict[str, float] = {}
        for one in self.margins:
            if one.numeric:
                columns[one.name] = (
                    np.asarray(data.numbers[one.columns[0]], dtype=np.float64) if one.columns else np.ones(data.rows)
                )
                totals[one.name] = one.totals[""]
                continue
            found = _classes(one, data, self.path)
            for label, total in one.totals.items():
                columns[f"{one.name} {label}"] = (found == label).astype(np.float64)
                totals[f"{one.name} {label}"] = total
        return columns, totals


def read_totals(path: Path, source: Source) -> TotalsFile:
    """Read and check the file against the columns there are.

    Raises
    ------
    AnalysisError
        Naming every line that is wrong: a margin that is no column, a total that is no positive number, a label twice.
    """
    content = read_bounded(path, "the file of totals", "give a CSV file margin,label,total", MOST_BYTES)
    rows = parse_csv(content, str(path), COLUMNS)
    if not rows:
        raise AnalysisError(Problem("the file has a header and no totals", str(path), "one line for each total"))
    problems: list[Problem] = []
    totals: dict[str, dict[str, float]] = {}
    lines: dict[str, dict[str, int]] = {}
    columns: dict[str, tuple[str, ...]] = {}
    for line, row in rows:
        name, label, text = (row[column] for column in COLUMNS)
        where = f"{path}, line {line}"
        if name not in columns:
            columns[name], unknown = _columns(name, label, source)
            problems += [missing_column(source, one, where) for one in unknown]
        total = _number(text)
        if total is None or (total <= 0 and label):
            what = (
                f"the total {text[:40]!r} is not a number"
                if total is None
                else f"the total of {name} {label} is {text}"
            )
            remedy = "digits, with a point before decimals" if total is None else "leave the class out, or join it: 4+5"
            problems.append(Problem(what, where, remedy))
        elif label in totals.setdefault(name, {}):
            what = f"{name} {label} comes a second time, after line {lines[name][label]}"
            problems.append(Problem(what, where, "give each label one total"))
        else:
            totals[name][label] = total
            lines.setdefault(name, {})[label] = line
    problems += [
        Problem(
            f"margin {name} has a line without a label among others", str(path), "a label on every line, or on none"
        )
        for name, given in totals.items()
        if "" in given and len(given) > 1
    ]
    if problems:
        raise AnalysisError(problems[:20])
    margins = tuple(Margin(name, columns[name], given, lines[name]) for name, given in totals.items())
    return TotalsFile(path, margins, hashlib.sha256(content).hexdigest())


def _columns(name: str, label: str, source: Source) -> tuple[tuple[str, ...], list[str]]:
    """The columns a margin names, and those among them that are not there."""
    if name in source.names:
        return (name,), []
    if name == COUNT and not label:
        return (), []
    parts = tuple(part.strip() for part in name.split(CROSS))
    return parts, [part for part in parts if part not in source.names]


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if isfinite(value) and "_" not in text else None


def _classes(margin: Margin, data: DataFile, path: Path) -> "NDArray[np.object_]":
    """The class of each row; a row whose value has no total keeps its value, for the calibration to name."""
    parts = [data.labels[name] for name in margin.columns]
    names = [_names(part, data.value_words.get(name, {})) for name, part in zip(margin.columns, parts, strict=True)]
    place: dict[tuple[str, ...], str] = {}
    problems = []
    for label in margin.totals:
        for values in _values(label, names):
            if values in place:
                where = f"{path}, line {margin.lines[label]}"
                what = f"{margin.name} {CROSS.join(values)} is in {place[values]} and in {label}"
                problems.append(Problem(what, where, "put each value into one class"))
            place[values] = label
    if problems:
        raise AnalysisError(problems)
    codes = cross(
        [encode(part, name, data.rows, missing="outside") for name, part in zip(margin.columns, parts, strict=True)]
    )
    found = np.full(len(codes.labels) + 1, None, dtype=object)
    for code, key in enumerate(codes.labels):
        crossed = tuple(map(str, key)) if isinstance(key, tuple) else (str(key),)
        found[code] = place.get(crossed, CROSS.join(crossed))
    return found[codes.code]


def _names(values: "NDArray[Any]", words: Mapping[Any, str]) -> dict[str, str]:
    """What a value may be called in the file of totals: itself, or its words where those are of one value only."""
    known = {str(value): str(value) for value in dict.fromkeys(values.tolist()) if value is not None}
    for code, word in words.items():
        if list(words.values()).count(word) == 1:
            known.setdefault(word, str(code))
    return known


def _values(label: str, names: Sequence[Mapping[str, str]]) -> list[tuple[str, ...]]:
    """The values, or crossings of them, that a label holds."""
    if len(names) == 1:
        parts = [label]
    else:
        parts = [part.strip() for part in label.split(CROSS)]
        if len(parts) != len(names):
            return [(label,)]
    each = []
    for part, known in zip(parts, names, strict=True):
        joined = [part] if part in known else [one.strip() for one in part.split(JOIN)]
        each.append([known.get(one, one) for one in joined])
    return list(product(*each))
