"""A table as a file: CSV, Parquet or a workbook, by the end of its name; in its place only when it is complete.

Public: write_table, write_columns, in_its_place, check_suffix, TABLE_SUFFIXES. Numbers stay numbers; text stays text, whatever it begins with.
"""

import io
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from math import isfinite
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.wave.output import json_text, replacing, table_csv

if TYPE_CHECKING:
    import pyarrow as pa

TABLE_SUFFIXES = (".csv", ".parquet", ".xlsx")
MOST_ROWS, MOST_COLUMNS, MOST_CELL = 1_048_576, 16_384, 32_767
"""What a sheet of a workbook holds."""
CHUNK = 50_000


def check_suffix(
    path: Path, option: str = "--output", known: Sequence[str] = TABLE_SUFFIXES, read: Iterable[object] = ()
) -> None:
    """Before anything is computed: a name that says no kind of file is refused, and one of the files that are read."""
    if path.exists() and any(isinstance(name, str | Path) and _same(path, Path(name)) for name in read):
        what = "this file is read: what is written would take its place, and its rows would be lost"
        raise AnalysisError(Problem(what, f"{option} {path}", "name another file to write to"))
    if path.suffix.lower() not in known:
        what = f"{path.name} is none of {', '.join(known)}"
        raise AnalysisError(Problem(what, option, f"let the file's name end in {' or '.join(known)}"))
    if path.is_dir():
        raise AnalysisError(Problem("that is a folder", str(path), f"name a file: {path / ('table' + known[0])}"))


def _same(one: Path, other: Path) -> bool:
    return other.exists() and one.samefile(other)


@contextmanager
def in_its_place(path: Path) -> Iterator[Path]:
    """The folder to write into, as `replacing` gives it; trouble is told by the file that was to be written."""
    try:
        with replacing(path.resolve().parent) as parts:
            yield parts
    except OSError as error:
        if error.errno and (error.filename is None or ".writing-" in str(error.filename)):
            raise OSError(error.errno, os.strerror(error.errno), str(path)) from error
        raise


def write_table(
    path: Path,
    header: Sequence[str],
    rows: Sequence[Sequence[Any]],
    context: Mapping[str, Any],
    about: bool = False,
) -> None:
    """Write rows under a header. `about`: a CSV gets what it rests on beside it, as FILE.about.json.

    A workbook has the sheets "table" and "about"; a Parquet file carries the context in its metadata as "about".
    """
    with in_its_place(path) as parts:
        target, suffix = parts / path.name, path.suffix.lower()
        if suffix == ".csv":
            target.write_text(table_csv(header, rows), encoding="utf-8", newline="")
        elif suffix == ".xlsx":
            target.write_bytes(_workbook(header, rows, context))
        else:
            _write_parquet(target, header, rows, context)
        if about and suffix == ".csv":
            (parts / f"{path.stem}.about.json").write_text(json_text(context), encoding="utf-8")


def write_columns(path: Path, table: "pa.Table") -> None:
    """Write a whole data file: Parquet as it is; CSV and workbooks row by row."""
    header = table.column_names
    with in_its_place(path) as parts:
        target, suffix = parts / path.name, path.suffix.lower()
        if suffix == ".parquet":
            import pyarrow.parquet as pq

            pq.write_table(table, target)
        elif suffix == ".xlsx":
            rows = list(zip(*(column.to_pylist() for column in table.columns), strict=True))
            target.write_bytes(_workbook(header, rows, {}))
        else:
            with target.open("w", encoding="utf-8", newline="") as file:
                file.write(table_csv(header, ()))
                for start in range(0, table.num_rows, CHUNK):
                    part = table.slice(start, CHUNK)
                    lines = zip(*(column.to_pylist() for column in part.columns), strict=True)
                    file.write(table_csv((), [list(map(_cell, line)) for line in lines]).removeprefix("\r\n"))


def _cell(value: Any) -> Any:
    """Blank for what is no number; decimals as the numbers they are."""
    if isinstance(value, float) and not isfinite(value):
        return None
    return float(value) if type(value).__name__ == "Decimal" else value


def _write_parquet(
    path: Path, header: Sequence[str], rows: Sequence[Sequence[Any]], context: Mapping[str, Any]
) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = {name: pa.array([row[place] for row in rows], from_pandas=True) for place, name in enumerate(header)}
    table = pa.table(columns).replace_schema_metadata({"about": json_text(context)})
    pq.write_table(table, path)


def _workbook(header: Sequence[str], rows: Sequence[Sequence[Any]], context: Mapping[str, Any]) -> bytes:
    """No formulas, no links: every text is written as text. The same content gives the same bytes."""
    from datetime import UTC, datetime

    import xlsxwriter

    if len(rows) >= MOST_ROWS or len(header) > MOST_COLUMNS:
        what = f"{len(rows)} rows and {len(header)} columns are more than a sheet holds"
        raise AnalysisError(Problem(what, "--output", "write .parquet or .csv"))
    content = io.BytesIO()
    how = {"strings_to_formulas": False, "strings_to_urls": False, "strings_to_numbers": False, "in_memory": True}
    book = xlsxwriter.Workbook(content, how)
    book.set_properties({"created": datetime(2000, 1, 1, tzinfo=UTC)})
    bold = book.add_format({"bold": True, "bottom": 1})
    sheet = book.add_worksheet("table")
    for column, name in enumerate(header):
        sheet.write_string(0, column, _text(name), bold)
    for number, row in enumerate(rows, start=1):
        for column, value in enumerate(row):
            _write_cell(sheet, number, column, value)
    sheet.freeze_panes(1, 0)
    for column, name in enumerate(header):
        longest = max([len(name), *(len(_text(row[column])) for row in rows[:500] if isinstance(row[column], str))])
        sheet.set_column(column, column, min(60, max(9, longest + 2)))
    if context:
        _about_sheet(book, context, bold)
    book.close()
    return content.getvalue()


def _about_sheet(book: Any, context: Mapping[str, Any], bold: Any) -> None:
    sheet = book.add_worksheet("about")
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, 1, 100)
    for row, (name, value) in enumerate(context.items()):
        sheet.write_string(row, 0, _text(name), bold)
        if isinstance(value, bool | int | float | str):
            _write_cell(sheet, row, 1, value)
        else:
            sheet.write_string(row, 1, _text(json_text(value) if isinstance(value, Mapping) else _joined(value)))


def _joined(value: Any) -> str:
    return "; ".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _write_cell(sheet: Any, row: int, column: int, value: Any) -> None:
    value = _cell(value)
    if value is None:
        return
    if isinstance(value, bool | int | float | np.number):
        sheet.write_number(row, column, float(value))
    else:
        sheet.write_string(row, column, _text(value))


def _text(value: Any) -> str:
    return str(value)[:MOST_CELL]
