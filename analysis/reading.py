"""What an analyst names or brings, read for a design of rows in memory or of a table.

Public: read_variables, read_shares, read_classification, read_domains.
"""

from collections.abc import Collection
from typing import Any

import numpy as np

from analysis.columns import MISSING, Columns, read_columns
from analysis.design import SurveyDesign
from analysis.engine.columns import TableColumns, TableDomains, require_shares, table_columns, table_domains
from analysis.errors import AnalysisError, Problem
from analysis.labels import Codes, cross, encode


def read_variables(design: SurveyDesign, y: Any, name: str, missing: Collection[int] = ()) -> Columns | TableColumns:
    """Arrays as `read_columns` takes them; of a table design, names of its columns or Ibis expressions."""
    if design.source is not None:
        return table_columns(design.source, y, name, missing)
    _require_no_name(y, name)
    return read_columns(y, name, design.n, missing)


def read_shares(
    design: SurveyDesign, y: Any, missing: Collection[int], of: Collection[int] | None
) -> Columns | TableColumns:
    """Variables of 0 and 1; with `of`, 1 for the codes in it."""
    if design.source is not None:
        found = table_columns(design.source, y, "y", missing, of)
        return found if of is not None else require_shares(design.source, found)
    _require_no_name(y, "y")
    columns = read_columns(y, "y", design.n, missing, of)
    if of is None:
        _require_shares(columns)
    return columns


def read_classification(design: SurveyDesign, by: Any) -> Codes | TableDomains:
    """Domains of the rows, or of the table's rows; several classifications are crossed."""
    return read_domains(by, design.n) if design.source is None else table_domains(design.source, by)


def read_domains(by: Any, rows: int) -> Codes:
    """Codes of the domains; several classifications are crossed."""
    _require_no_name(by, "by")
    if by is None:
        return Codes(np.zeros(rows, dtype=np.int64), ("all",))
    several = isinstance(by, (list, tuple)) and len(by) > 0 and all(np.ndim(part) == 1 for part in by)
    parts = list(by) if several else [by]
    domains = cross([encode(part, "by", rows, missing="outside") for part in parts])
    if not domains.labels:
        raise AnalysisError(Problem("no row lies in a domain", "by", "give at least one label that is not missing"))
    return domains


def _require_no_name(value: Any, name: str) -> None:
    """A name stands for a column only where the design has a table."""
    if isinstance(value, str):
        raise AnalysisError(
            Problem(
                f"{value!r} is a name, and this design has its rows in arrays",
                name,
                f"give the column itself, such as frame[{value!r}]; names are for SurveyDesign(…, data=TABLE)",
            )
        )


def _require_shares(columns: Columns) -> None:
    values = columns.values
    if columns.lookup is None:
        allowed = (values == 0) | (values == 1) | np.isnan(values)
    else:
        high = columns.low + len(columns.lookup) - 1
        if columns.low >= 0 and high <= 1:
            return
        code = np.arange(columns.low, high + 1)
        fine = (code == 0) | (code == 1) | (columns.lookup == MISSING)
        allowed = fine[values.astype(np.int64) - columns.low]
    if not allowed.all():
        row, column = np.argwhere(~allowed)[0]
        raise AnalysisError(
            Problem(
                f"a proportion needs 0, 1 or NaN, and there is {values[row, column]}",
                f"{columns.names[column]}, row {row}",
                "name the codes that count in of=(4, 5) (--of), or compare first, such as (answer >= 4), keeping NaN where "
                "the answer is missing, or name codes in missing= (--missing)",
            )
        )
