"""Calibration variables and their totals, brought by the analyst, as columns over distinct rows.

Public: Auxiliary, read_auxiliary.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.calibration.cells import Cells, Classes, cells_of, read_classes
from analysis.calibration.normal import NormalEquations
from analysis.calibration.targets import Margin, disagreements, match
from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import IntArray, compact

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]

_AGREE = 1e-10  # totals of one population may differ by this share


@dataclass(frozen=True, eq=False)
class Auxiliary:
    """Calibration variables by cell. Numbers are scaled, and centred if they lie far from 0 and a constant is there.

    Attributes
    ----------
    cells : rows of a cell have the same x
    x : csr_array, shape (cells, columns): (value − shift) / scale
    target : ndarray, shape (columns,), what Σ w x must be
    names, wanted, magnitude : of the columns as they were given: what they are called, their totals, and Σ |w x|
    shift, scale : ndarray, shape (columns,)
    first : columns of the classification with the most classes; `implied`, one column of each other classification
    """

    cells: Cells
    x: "csr_array[Any, tuple[int, int]]"
    target: FloatArray
    names: tuple[str, ...]
    wanted: FloatArray
    magnitude: FloatArray
    shift: FloatArray
    scale: FloatArray
    first: range
    implied: tuple[int, ...]

    def normal(self, weight: FloatArray) -> NormalEquations:
        """X'WX for weights of the cells."""
        return NormalEquations(self.x, weight, self.first, self.implied)

    def unscaled(self, reached: FloatArray, population: float) -> FloatArray:
        """Totals of the columns as they were given, from those of x and the sum of the weights."""
        return reached * self.scale + self.shift * population

    def averaged(self, unit: IntArray, weight: FloatArray) -> "Auxiliary":
        """One cell for each unit, with the plain mean of x in it; unit, weight : ndarray, shape (n,)."""
        from scipy.sparse import csr_array

        size = np.bincount(unit)
        cell = self.cells.number[self.cells.key]
        mean = csr_array(csr_array((1 / size[unit], (unit, cell)), shape=(len(size), self.cells.count)) @ self.x)
        cells = Cells.given(unit, weight, (), np.zeros((0, len(size)), dtype=np.int64))
        return replace(self, cells=cells, x=mean, first=range(0), implied=())


@dataclass(frozen=True, eq=False)
class _Variable:
    """One variable: classes of the rows, and either their labels with totals or their numbers with one total."""

    name: str
    classes: Classes
    totals: Any = None
    number: FloatArray | None = None  # of each class
    total: float = 0.0


def read_auxiliary(x: Any, totals: Any, rows: int, weight: FloatArray) -> Auxiliary:
    """Match variables and totals. Raises AnalysisError with every problem."""
    problems: list[Problem] = []
    variables: list[_Variable] = []
    for name, values, total in _paired(_variables(x), totals):
        try:
            variables.append(_variable(name, values, total, rows))
        except AnalysisError as error:
            problems.extend(error.problems)
    if problems:
        raise AnalysisError(problems)
    cells = _cells([one.classes for one in variables], weight)
    margins: dict[int, Margin] = {}
    for i, (one, code) in enumerate(zip(variables, cells.codes, strict=True)):
        if one.number is None:
            present, position = compact(code)
            margins[i], faults = match(one.name, cells.classes[i].named(present), position, one.totals)
            problems.extend(faults)
    if problems:
        raise AnalysisError(problems)
    constants = [one for one in map(_constant, variables, cells.codes) if one is not None]
    if problems := disagreements([*margins.values(), *constants], _AGREE) if margins or constants else []:
        raise AnalysisError(problems)
    known = next((float(margin.target.sum()) for margin in [*margins.values(), *constants]), None)
    return _assembled(variables, cells, margins, known)


def _assembled(
    variables: Sequence[_Variable],
    cells: Cells,
    margins: Mapping[int, Margin],
    population: float | None,
) -> Auxiliary:
    """Columns side by side, in the order of the variables."""
    from scipy.sparse import csr_array

    count, by_cell = cells.count, np.abs(cells.weight)
    columns, data, blocks = [], [], []
    names: list[str] = []
    parts: list[tuple[FloatArray, FloatArray, FloatArray, FloatArray]] = []  # wanted, magnitude, shift, scale
    for i, (one, code) in enumerate(zip(variables, cells.codes, strict=True)):
        if i in margins:
            margin = margins[i]
            size = len(margin.labels)
            columns.append(margin.code + len(names))
            data.append(np.ones(count))
            blocks.append(range(len(names), len(names) + size))
            names += [f"{margin.name} {label!r}" for label in margin.labels]
            sums = np.bincount(margin.code, weights=by_cell, minlength=size).astype(np.float64)
            parts.append((margin.target, sums, np.zeros(size), np.ones(size)))
            continue
        assert one.number is not None
        value = one.number[code]
        centre = _mean(value, by_cell)
        if population is None or not 0 < _mean((value - centre) ** 2, by_cell) < centre**2 / 9:
            centre = 0.0  # no constant to make up for it, or no need; zeros stay zeros
        spread = float(np.sqrt(_mean((value - centre) ** 2, by_cell))) or 1.0
        columns.append(np.full(count, len(names), dtype=np.int64))
        data.append((value - centre) / spread)
        names.append(one.name)
        magnitude = np.array([(by_cell * np.abs(value)).sum()], dtype=np.float64)
        parts.append((np.array([one.total]), magnitude, np.array([centre]), np.array([spread])))
    wanted, magnitude, shift, scale = (np.concatenate(part) for part in zip(*parts, strict=True))
    start = np.arange(0, count * len(variables) + 1, len(variables))
    x = csr_array((np.column_stack(data).ravel(), np.column_stack(columns).ravel(), start), shape=(count, len(names)))
    x.eliminate_zeros()
    target = (wanted - shift * (population or 0.0)) / scale
    first = max(blocks, key=len, default=range(0))
    implied = tuple(block.start for block in blocks if block is not first)
    return Auxiliary(cells, x, target, tuple(names), wanted, magnitude, shift, scale, first, implied)


def _mean(value: FloatArray, weight: FloatArray) -> float:
    return float((weight * value).sum() / weight.sum())  # not a BLAS product, which would start threads


def _constant(one: _Variable, code: IntArray) -> Margin | None:
    """A column that is the same everywhere, as a margin with a single class: its total says how many there are."""
    if one.number is None:
        return None
    value = one.number[code]
    if value.min() != value.max() or value[0] == 0:
        return None
    return Margin(one.name, (one.name,), np.zeros(len(code), dtype=np.int64), np.array([one.total / value[0]]))


def _cells(classes: Sequence[Classes], weight: FloatArray) -> Cells:
    """Distinct rows; every row a cell of its own where a variable differs nearly everywhere."""
    rows = len(weight)
    if any(one.size > rows // 2 and one.labels is None and one.low == 0 for one in classes):
        codes = np.array([one.values.astype(np.int64) - one.low for one in classes])
        return Cells.given(np.arange(rows, dtype=np.int64), weight, classes, codes)
    return cells_of(classes, weight)


# ---- what the analyst brings
def _variables(x: Any) -> tuple[list[tuple[str, Any]], bool]:
    """Names and values of the variables, and whether the names are the analyst's."""
    if isinstance(x, Mapping):
        return [(str(name), values) for name, values in x.items()], True
    if hasattr(x, "columns") and hasattr(x, "iloc"):
        return [(str(name), x.iloc[:, i]) for i, name in enumerate(x.columns)], True
    if getattr(x, "name", None) is not None and np.ndim(x) == 1:
        return [(str(x.name), x)], True
    array = x if np.ma.isMaskedArray(x) else np.asarray(x)
    if array.ndim == 1:
        return [("x", array)], False
    if array.ndim != 2:
        what = f"x has shape {array.shape}"
        raise AnalysisError(Problem(what, "x", "give an array of shape (n,) or (n, p), or name → array"))
    return [(f"x{j + 1}", array[:, j]) for j in range(array.shape[1])], False


def _paired(variables: tuple[list[tuple[str, Any]], bool], totals: Any) -> list[tuple[str, Any, Any]]:
    """Each variable with its total: by name, or in order."""
    given, named = variables
    if not given:
        raise AnalysisError(Problem("there is no calibration variable", "x", "give at least one column"))
    by_name = isinstance(totals, Mapping) or (named and hasattr(totals, "index") and hasattr(totals, "items"))
    if by_name:
        known = {str(name): total for name, total in totals.items()}
        problems = [
            Problem(f"there is no total for {name!r}", "totals", "add its total, or leave the variable out")
            for name, _ in given
            if name not in known
        ]
        names = [name for name, _ in given]
        problems += [
            Problem(f"there is a total for {name!r}, but no such variable", "totals", f"x has {', '.join(names)[:200]}")
            for name in known
            if name not in names
        ]
        if len(set(names)) < len(names):
            problems.append(Problem("two variables have the same name", "x", "give each a name of its own"))
        if problems:
            raise AnalysisError(problems)
        return [(name, values, known[name]) for name, values in given]
    in_order = np.atleast_1d(np.asarray(totals, dtype=object))
    if in_order.shape != (len(given),):
        what = f"totals have shape {in_order.shape} for {len(given)} columns of x"
        raise AnalysisError(Problem(what, "totals", "give one total for each column, in their order, or name → total"))
    return [(name, values, total) for (name, values), total in zip(given, in_order, strict=True)]


def _variable(name: str, values: Any, total: Any, rows: int) -> _Variable:
    if isinstance(total, Mapping) or hasattr(total, "items"):
        return _Variable(name, read_classes(values, f"x, {name}", rows), totals=total)
    try:
        wanted = float(total)
    except (TypeError, ValueError):
        wanted = np.nan
    if not np.isfinite(wanted):
        remedy = "give a number, or {label: total} for labels"
        raise AnalysisError(Problem(f"the total of {name!r} is {repr(total)[:60]}", "totals", remedy))
    classes, number = _coded(_numbers(values, name, rows))
    return _Variable(name, classes, number=number, total=wanted)


def _numbers(values: Any, name: str, rows: int) -> FloatArray:
    if np.ma.isMaskedArray(values):
        values = np.ma.filled(values.astype(np.float64), np.nan)
    try:
        if hasattr(values, "to_numpy") and hasattr(values, "dtype"):  # pandas' own types of missing values
            array = np.asarray(values.to_numpy(dtype=np.float64, na_value=np.nan))
        else:
            array = np.asarray(values).astype(np.float64)
    except (TypeError, ValueError) as error:
        found = not_a_number([[value] for value in np.ravel(np.asarray(values, dtype=object))], f"x, {name}")
        remedy = f"for labels give the totals of {name!r} as {{label: total}}; otherwise give numbers"
        raise AnalysisError(Problem(one.what, one.where, remedy) for one in found.problems) from error
    if array.shape != (rows,):
        what = f"{name} has shape {array.shape}, but the design has {rows} rows"
        raise AnalysisError(Problem(what, f"x, {name}", f"give one value for each of the {rows} rows"))
    bad = np.flatnonzero(~np.isfinite(array))
    if len(bad):
        what = f"{len(bad)} values of {name} are missing or infinite"
        remedy = "a calibration variable must be known for every row: fill it in, or leave it out"
        raise AnalysisError(Problem(what, f"x, {name}, first at row {bad[0]}", remedy))
    return np.ascontiguousarray(array)


def _coded(values: FloatArray) -> tuple[Classes, FloatArray]:
    """Classes of equal numbers, and the number of each class."""
    low, high = float(values.min()), float(values.max())
    if high - low < 1024 and low == int(low) and abs(low) < 2**40:
        whole = (values - low).astype(np.int16)
        if (whole == values - low).all():
            size = int(high - low) + 1
            return Classes(whole, 0, size, ("",)), low + np.arange(size, dtype=np.float64)
    number, code = np.unique(values, return_inverse=True)
    return Classes(code.astype(np.int64), 0, len(number), None), number
