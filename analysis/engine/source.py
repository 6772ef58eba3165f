"""A table of respondents that stays where it is: its design columns, its weights, and its atoms.

Public: Source, StageLabels, open_source, finer, multiplied, is_number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.engine.lookup import Columns, Lookup, columns_of
from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]

WEIGHT = "__weight__"
_BASE = "__base_weight__"
_FACTOR = "__factor__"
_LARGEST = 5_000_000  # atoms a design may have: they are held in memory


@dataclass(frozen=True)
class StageLabels:
    """Names of the columns of strata, units and fpc, one a stage."""

    stratum: tuple[str, ...]
    psu: tuple[str, ...]
    fpc: tuple[str, ...]

    @property
    def every(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys((*self.stratum, *self.psu, *self.fpc)))


@dataclass(frozen=True, eq=False)
class Source:
    """Where the respondents are, and what of them is in memory.

    Attributes
    ----------
    table : ibis.Table with the column `__weight__`, the weights after all adjustments
    stages : names of the design columns
    labels : columns whose combinations are the atoms: those of the stages, then the cells of the adjustments
    atoms : the atoms' labels by column, arrays of shape (atoms,)
    base : ndarray, shape (atoms,), Σ of the weights before any adjustment
    rows : how many rows the table has
    cells : of every adjustment of the weights so far, the columns that tell its cells apart
    """

    table: Any
    stages: StageLabels
    labels: tuple[str, ...]
    atoms: Columns
    base: FloatArray
    rows: int
    cells: tuple[tuple[str, ...], ...] = ()

    @cached_property
    def unit_labels(self) -> tuple[str, ...]:
        """The columns that tell the sampling units apart."""
        return tuple(dict.fromkeys((*self.stages.stratum, *self.stages.psu)))

    def places(self, found: Columns) -> NDArray[np.int64]:
        """The first atom with each row's labels, by the columns that are in `found`."""
        return Lookup({name: self.atoms[name] for name in found}).places(found)

    def design_arrays(self) -> dict[str, Any]:
        """The design of the atoms, as `SurveyDesign` takes it."""
        stages = self.stages
        named = {"stratum": stages.stratum, "psu": stages.psu, "fpc": stages.fpc}
        return {"weight": self.base} | {key: [self.atoms[name] for name in of] or None for key, of in named.items()}


def open_source(data: Any, weight: Any, stages: StageLabels) -> Source:
    """Read the design of a table: one pass over its design columns.

    Parameters
    ----------
    data : path of a Parquet file, of a folder or a pattern of them, read by DuckDB; or an Ibis table of any engine
    weight : name of the column of weights, > 0

    Raises
    ------
    AnalysisError
        for a path that is not there, columns that are not there, weights that are missing or not positive, and a
        design without PSUs.
    """
    table = open_table(data)
    if not isinstance(weight, str):
        raise AnalysisError(
            Problem(f"weight is of type {type(weight).__name__}", "weight", "with data=, name the column of weights")
        )
    require_columns(table, (weight, *stages.every))
    if not stages.psu:
        raise AnalysisError(
            Problem(
                "a table design has no PSU, so every row would be a unit whose sums are kept",
                "psu",
                "name the column of sampling units; where each row is one, read the needed columns into memory",
            )
        )
    number = table[weight]
    if not number.type().is_numeric():
        raise AnalysisError(Problem(f"weights are of type {number.type()}", weight, "give a column of numbers"))
    number = number.cast("float64")
    table = table.mutate(**{_BASE: number, WEIGHT: number})
    _require_weights(table, weight)
    return _read_atoms(Source(table, stages, stages.every, {}, np.zeros(0), 0))


def open_table(data: Any) -> Any:
    """An Ibis table from a path or a table."""
    if not isinstance(data, (str, Path)):
        if not (hasattr(data, "schema") and hasattr(data, "group_by")):
            raise AnalysisError(
                Problem(
                    f"data is of type {type(data).__name__}",
                    "data",
                    "give the path of a Parquet file or an Ibis table; arrays in memory are given as they are, without data=",
                )
            )
        return data
    import ibis

    path, where = Path(data), str(data)
    if path.is_dir():
        where = str(path / "**" / "*.parquet")
    elif not path.exists() and not any(mark in where for mark in "*?["):
        raise AnalysisError(Problem("there is no such file", where, "give the path of a Parquet file or folder"))
    try:
        return ibis.duckdb.connect().read_parquet(where, can_have_nan=True)
    except Exception as error:  # DuckDB has a class for every kind of fault
        raise AnalysisError(Problem(f"it cannot be read as Parquet: {error}", where, "give a Parquet file")) from error


def finer(source: Source, columns: Sequence[str]) -> tuple[Source, NDArray[np.int64]]:
    """A source whose atoms tell the given columns apart too, and the present atom that each of them is part of.

    Raises AnalysisError where a column is not there, or the combinations are too many to hold.
    """
    require_columns(source.table, columns)
    labels = tuple(dict.fromkeys((*source.labels, *columns)))
    if labels == source.labels:
        return source, np.arange(len(source.base))
    result = _read_atoms(replace(source, labels=labels))
    return result, source.places({name: result.atoms[name] for name in source.labels})


def multiplied(source: Source, columns: tuple[str, ...], factor: FloatArray) -> Source:
    """The source with its weights times the factor of each atom, which `columns` decide."""
    import ibis
    import pyarrow as pa

    lookup = Lookup({name: source.atoms[name] for name in columns})
    if not np.allclose(factor, factor[lookup.places(lookup.columns)], rtol=1e-9, atol=0):
        raise AnalysisError(
            Problem(
                "the factors on the weights differ between rows with the same values of the columns",
                ", ".join(columns),
                "read the needed columns into memory",
            )
        )
    cells = {name: source.atoms[name][lookup.first] for name in columns}
    schema = pa.schema([(name, source.table[name].type().to_pyarrow()) for name in columns] + [(_FACTOR, pa.float64())])
    factors = pa.table({**cells, _FACTOR: factor[lookup.first]}, schema=schema)
    joined = source.table.inner_join(ibis.memtable(factors), list(columns))
    table = joined.mutate(**{WEIGHT: joined[WEIGHT] * joined[_FACTOR]}).drop(_FACTOR)
    return replace(source, table=table, cells=(*source.cells, columns))


def require_columns(table: Any, names: Sequence[str]) -> None:
    """Fail naming every column that is not in the table."""
    there = set(table.columns)
    problems = [
        Problem(f"there is no column {name!r}", "data", f"its columns are {', '.join(table.columns[:40])}")
        for name in dict.fromkeys(names)
        if name not in there
    ]
    if problems:
        raise AnalysisError(problems)


def is_number(value: Any) -> Any:
    """Whether a floating expression is not NaN; null where it is null.

    DuckDB answers isnan() from the statistics of a Parquet file, which leave NaN out, unless the file is opened with
    can_have_nan; a difference it has to compute.
    """
    return (value - value == 0) | (value.abs() == float("inf"))


def _require_weights(table: Any, name: str) -> None:
    weight = table[_BASE]
    good = (weight > 0) & (weight < float("inf")) & is_number(weight)
    bad = int(table.filter(~good.fill_null(False)).count().to_pyarrow().as_py())
    if bad:
        raise AnalysisError(
            Problem(
                f"{bad} weights are not positive numbers",
                name,
                "leave rows without a weight out of the table; a domain is chosen with by= (--by), not by weight 0",
            )
        )


def _read_atoms(source: Source) -> Source:
    grouped = source.table.group_by(list(source.labels)).agg(
        sum_of_weights=source.table[_BASE].sum(), number_of_rows=source.table.count()
    )
    found = grouped.limit(_LARGEST + 1).to_pyarrow()
    if len(found) == 0:
        raise AnalysisError(Problem("the table has no rows", "data", "give a table with at least one row"))
    if len(found) > _LARGEST:
        raise AnalysisError(
            Problem(
                f"the design and calibration columns have more than {_LARGEST} combinations: {', '.join(source.labels)}",
                "data",
                "group the values of a continuous column, or read the needed columns into memory",
            )
        )
    found = found.sort_by([(name, "ascending") for name in source.labels])
    base = found.column("sum_of_weights").to_numpy().astype(np.float64)
    rows = int(found.column("number_of_rows").to_numpy().sum())
    return replace(source, atoms=columns_of(found, source.labels), base=base, rows=rows)
