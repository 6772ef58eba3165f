"""Small CSV files an analyst brings beside an extract: read with a bound, every line that is wrong named.

Public: parse_csv, read_bounded.
"""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.errors import AnalysisError, Problem

MOST_BYTES = 64 << 20
LONGEST_LINE = 10_000
REMEDY = "save it as CSV in UTF-8, with commas between the columns"


def read_bounded(path: Path, what: str, remedy: str, most: int = MOST_BYTES) -> bytes:
    """The content of a file, never more than `most` bytes of it: also /dev/zero and a pipe end."""
    try:
        with path.open("rb") as file:
            content = file.read(most + 1)
    except OSError as error:
        raise AnalysisError(Problem(f"{what} cannot be read: {error.strerror}", str(path), remedy)) from error
    if len(content) > most:
        raise AnalysisError(Problem(f"{what} is larger than {most >> 20} MiB", str(path), remedy))
    return content


def parse_csv(content: bytes, where: str, needed: Sequence[str]) -> list[tuple[int, dict[str, str]]]:
    """Lines under the header as (line number, column -> text without blanks at its ends); empty lines are passed over.

    UTF-8 with or without BOM, any line ends, comma between the columns; extra columns are left aside.

    Raises
    ------
    AnalysisError
        for another encoding, control characters, semicolons or tabs between the columns, a missing or double column,
        lines with too few or too many columns (a decimal comma makes one more), lines beyond the bound
    """
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise AnalysisError(Problem(f"not UTF-8 (byte {error.start})", where, REMEDY)) from error
    lines = text.splitlines() or [""]
    problems = [
        Problem(f"the line is longer than {LONGEST_LINE} characters", f"{where}, line {number}", REMEDY)
        for number, line in enumerate(lines, start=1)
        if len(line) > LONGEST_LINE
    ]
    if bad := next((sign for sign in text if sign not in "\t\r\n" and (sign < " " or sign == "\x7f")), ""):
        problems.append(Problem(f"a control character (U+{ord(bad):04X})", where, REMEDY))
    if problems:
        raise AnalysisError(problems[:20])
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    header, rows = _rows(reader, where)
    _check_header(header, lines[0], where, needed)
    problems = [
        Problem(
            f"{len(row)} columns, the header has {len(header)}",
            f"{where}, line {line}",
            "one value a column; no comma inside a number",
        )
        for line, row in rows
        if len(row) != len(header)
    ]
    if problems:
        raise AnalysisError(problems[:20])
    return [(line, dict(zip(header, (cell.strip() for cell in row), strict=True))) for line, row in rows]


def _rows(reader: Any, where: str) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and lines that hold anything."""
    found: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(cell.strip() for cell in row):
                found.append((reader.line_num, row))
    except csv.Error as error:
        raise AnalysisError(Problem(f"not CSV: {error}", f"{where}, line {reader.line_num}", REMEDY)) from error
    if not found:
        raise AnalysisError(Problem("the file is empty", where, "give a header and one line for each row"))
    return [name.strip() for name in found[0][1]], found[1:]


def _check_header(header: list[str], line: str, where: str, needed: Sequence[str]) -> None:
    missing = [name for name in needed if name not in header]
    if missing and (sign := next((sign for sign in ";\t" if sign in line), "")):
        name = "semicolons" if sign == ";" else "tabs"
        raise AnalysisError(Problem(f"{name} between the columns", f"{where}, line 1", REMEDY))
    problems = []
    if missing:
        what = f"columns are missing: {', '.join(missing)}"
        problems.append(Problem(what, f"{where}, line 1", f"use {','.join(needed)}"))
    twice = sorted({name for name in header if header.count(name) > 1})
    if twice:
        problems.append(Problem(f"columns come twice: {', '.join(twice)}", f"{where}, line 1", "give each column once"))
    if problems:
        raise AnalysisError(problems)
