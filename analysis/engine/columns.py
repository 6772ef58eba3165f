"""Variables and domains of a table, named or given as Ibis expressions.

Public: TableColumns, TableDomains, table_columns, table_domains, require_shares, one.
"""

from collections.abc import Collection, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.engine.lookup import Columns, Lookup, columns_of
from analysis.engine.source import Source, is_number, require_columns
from analysis.errors import AnalysisError, Problem
from analysis.labels import cross, encode


@dataclass(frozen=True, eq=False)
class TableColumns:
    """Variables of a table.

    Attributes
    ----------
    names : tuple of labels, length k
    values : Ibis expressions of codes, null where missing; the number of code q is offset + scale·q
    lookup : ndarray of the codes there can be, or None where that is not known
    """

    names: tuple[Hashable, ...]
    values: tuple[Any, ...]
    lookup: NDArray[np.uint8] | None = None
    offset: float = 0.0
    scale: float = 1.0


@dataclass(frozen=True, eq=False)
class TableDomains:
    """Domains of a table: `by`, Ibis expressions whose values are crossed; `labels`, those that rows have, sorted."""

    by: tuple[Any, ...]
    labels: tuple[Hashable, ...]
    values: Columns

    @property
    def names(self) -> tuple[str, ...]:
        """What the classifications are called in a question."""
        return tuple(self.values)

    def places(self, found: Columns, rows: int) -> NDArray[np.int64]:
        """The domain of each row of an answer."""
        if not self.by:
            return np.zeros(rows, dtype=np.int64)
        return Lookup(self.values).places({name: found[name] for name in self.names})


def table_columns(
    source: Source, y: Any, name: str, missing: Collection[int] = (), of: Collection[int] | None = None
) -> TableColumns:
    """Take the name of a column, an Ibis expression, a list of either, or a mapping name → either.

    Raises AnalysisError for columns that are not there and for values that are no numbers.
    """
    if isinstance(y, Mapping):
        named = {str(label): bind(source, part, name) for label, part in y.items()}
    else:
        parts = list(y) if isinstance(y, (list, tuple)) else [y]
        bound = [bind(source, part, name) for part in parts]
        labels = [part if isinstance(part, str) else value.get_name() for part, value in zip(parts, bound, strict=True)]
        named = dict(zip(labels, bound, strict=True))
        if len(named) < len(bound):
            raise AnalysisError(Problem("a column is named twice", name, "give a mapping of names to expressions"))
    if not named:
        raise AnalysisError(Problem("no column is given", name, "name at least one column of the table"))
    values = tuple(number(value, label, missing) for label, value in named.items())
    if of is None:
        return TableColumns(tuple(named), values)
    shares = tuple(value.isin(list(of)).cast("int8") for value in values)
    return TableColumns(tuple(named), shares, np.array([0, 1], dtype=np.uint8))


def require_shares(source: Source, columns: TableColumns) -> TableColumns:
    """The same columns, all of 0, 1 or null; else AnalysisError."""
    odd = {f"odd{i}": (~value.isin([0, 1])).ifelse(1, 0).sum() for i, value in enumerate(columns.values)}
    found = source.table.agg(**odd).to_pyarrow()
    problems = [
        Problem(
            f"a proportion needs 0, 1 or NaN, and {count} rows have another number",
            str(name),
            "name the codes that count in of=(4, 5) (--of), or compare first, such as (answer >= 4), or name codes in "
            "missing= (--missing)",
        )
        for name, count in zip(columns.names, (found.column(key)[0].as_py() for key in odd), strict=True)
        if count
    ]
    if problems:
        raise AnalysisError(problems)
    return TableColumns(columns.names, columns.values, np.array([0, 1], dtype=np.uint8))


def table_domains(source: Source, by: Any) -> TableDomains:
    """Read which domains there are; several classifications are crossed; a missing label lies in no domain."""
    if by is None:
        return TableDomains((), ("all",), {})
    parts = list(by) if isinstance(by, (list, tuple)) else [by]
    bound = tuple(bind(source, part, "by") for part in parts)
    names = tuple(f"by{i}" for i in range(len(bound)))
    table = with_labels(source.table.select(**dict(zip(names, bound, strict=True))), names)
    found = table.distinct().to_pyarrow()
    if len(found) == 0:
        raise AnalysisError(Problem("no row lies in a domain", "by", "give at least one label that is not missing"))
    values = columns_of(found, names)
    codes = cross([encode(part, "by", len(found)) for part in values.values()])
    order = np.argsort(codes.code)
    return TableDomains(bound, codes.labels, {name: part[order] for name, part in values.items()})


def one() -> Any:
    """An expression that is 1 in every row."""
    import ibis

    return ibis.literal(1).name("one")


def with_labels(table: Any, names: Sequence[str]) -> Any:
    """The rows that have a label in every one of the columns."""
    for name in names:
        known = table[name].notnull()
        table = table.filter(known & is_number(table[name]) if table[name].type().is_floating() else known)
    return table


def bind(source: Source, part: Any, name: str) -> Any:
    """A column by its name, or an expression of columns, of the table with its weights."""
    import ibis

    if isinstance(part, str):
        require_columns(source.table, (part,))
        return source.table[part]
    if not isinstance(part, (ibis.Value, ibis.Deferred)):
        raise AnalysisError(
            Problem(
                f"a column is given as {type(part).__name__}",
                name,
                "with a table design name its columns, or give Ibis expressions of them",
            )
        )
    (value,) = source.table.bind(part)
    return value


def number(value: Any, name: str, missing: Collection[int]) -> Any:
    """The expression as a number, null where it is missing."""
    kind = value.type()
    if kind.is_boolean():
        value = value.cast("int8")
    elif kind.is_floating():
        value = is_number(value).ifelse(value, None)
    elif kind.is_decimal():
        value = value.cast("float64")
    elif not kind.is_integer():
        raise AnalysisError(Problem(f"{name} is of type {kind}", name, "give a column of numbers"))
    for code in missing:
        value = value.nullif(code)
    return value
