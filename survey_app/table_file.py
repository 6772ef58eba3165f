"""The one reading of tables that people hand in (CSV): bounded, in UTF-8, every bad line named.

`read_file`, `TableFile`, `lines`, `Line`, `refuse`, `TableError`. A file with one bad line gives nothing. Texts are
brought to Unicode form NFC; what cannot be seen, and what a spreadsheet would take for a formula, is refused.
"""

import csv
import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from survey_app.plain_text import faults, invisible
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire.table import Problems

MAX_LINE = 10_000
MAX_PROBLEMS = 500

_LINE_END = re.compile(r"\r\n|\n|\r")
_COUNT = re.compile(r"[0-9]{1,9}")
_DECIMAL = re.compile(r"[0-9]{1,9}(\.[0-9]{1,15})?([eE]-?[0-9]{1,2})?")


class TableError(SipasError):
    """The file is no table of the kind asked for; carries one problem for each fault of each bad line."""


@dataclass(frozen=True)
class TableFile:
    """A file's name and bytes: what is parsed is what is hashed."""

    name: str
    content: bytes = field(repr=False)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()


def read_file(path: Path, bound: int) -> TableFile:
    """The bytes of a file, of which never more than the bound are read, whatever `path` is."""
    try:
        with open(path, "rb") as stream:
            content = stream.read(bound + 1)
    except OSError as error:
        remedy = "name a file, not a folder" if path.is_dir() else "check the name, and the rights to it"
        raise TableError(Problem(f"the file cannot be read: {error.strerror}", str(path), remedy)) from None
    if len(content) > bound:
        what = f"the file is larger than {bound / 1e6:g} MB"
        raise TableError(Problem(what, str(path), "check that it is the right file, or make several smaller ones"))
    return TableFile(path.name, content)


class Line:
    """One line of a table; what is asked for is read strictly, or noted as a problem of the file."""

    def __init__(self, number: int, cells: Mapping[str, str], problems: Problems) -> None:
        self.number, self.cells = number, cells
        self._problems, self._before = problems, len(problems.found)

    @property
    def sound(self) -> bool:
        """Whether nothing was wrong with it so far."""
        return len(self._problems.found) == self._before

    def wrong(self, name: str, what: str, remedy: str) -> None:
        self._problems.add(what, f"line {self.number}, {name}" if name else f"line {self.number}", remedy)

    def text(self, name: str, default: str = "") -> str:
        """A text that people read. `default` where the table has no such column."""
        if name not in self.cells:
            return default
        value = self.cells[name]
        for what, remedy in faults(value):
            self.wrong(name, what, remedy)
        return value

    def code(self, name: str, pattern: re.Pattern[str], wanted: str) -> str:
        value = self.cells[name]
        if not value:
            self.wrong(name, f"{name} is empty", f"write {wanted}")
        elif not pattern.fullmatch(value):
            self.wrong(name, f"the {name} {value!r} is not of the form agreed", f"use {wanted}")
        return value

    def word(self, name: str, words: Sequence[str], default: str = "") -> str:
        value = self.cells.get(name, default)
        if value not in words:
            self.wrong(name, f"unknown {name} {value!r}", f"write one of: {', '.join(words)}")
        return value

    def count(self, name: str, lowest: int = 0) -> int:
        value = self.cells[name]
        if not _COUNT.fullmatch(value) or int(value) < lowest:
            remedy = f"write a whole number, {lowest} or more, without separators"
            self.wrong(name, f"{name} is {value!r}", remedy)
            return lowest
        return int(value)

    def decimal(self, name: str) -> float:
        value = self.cells[name]
        if _DECIMAL.fullmatch(value):
            return float(value)
        comma = "," in value and _DECIMAL.fullmatch(value.replace(",", ".", 1))
        remedy = f"write a decimal point: {value.replace(',', '.', 1)}" if comma else "write a number such as 0.0125"
        self.wrong(name, f"{name} is {value!r}" + (", with a decimal comma" if comma else ""), remedy)
        return 0.0


def lines(
    file: TableFile,
    columns: Sequence[str],
    required: Sequence[str],
    problems: Problems,
    separators: str = ",",
) -> Iterator[Line]:
    """The lines of a table with as many cells as its header has; whatever is wrong with the others is noted.

    Only the first of `separators` that the header holds counts. Numbers stand in tables with commas only: a file with
    semicolons comes from a machine that writes decimal commas.
    """
    rows = _lines(file, problems)
    if not rows:
        return
    separator = next((sign for sign in separators if sign in rows[0]), separators[0])
    if separator not in rows[0] and (other := next((sign for sign in ";\t" if sign in rows[0]), "")):
        what = f"the columns are separated by {'semicolons' if other == ';' else 'tabs'}, not commas"
        problems.add(what, "line 1", 'save it as "CSV UTF-8 (comma delimited)", with decimal points in numbers')
        return
    header = [cell.strip() for cell in _cells(1, rows[0], separator, problems)]
    if not _good_header(header, columns, required, problems):
        return
    for number, row in enumerate(rows[1:], start=2):
        cells = _cells(number, row, separator, problems)
        if any(cell.strip() for cell in cells) and (line := _line(number, cells, header, problems)):
            yield line


def refuse(problems: Problems, rows: Sequence[object], what: str) -> None:
    """Raise `TableError` if anything was wrong, or if there are no rows."""
    if not rows and not problems.found:
        problems.add(f"the file has no {what}", "", "write one line for each, below the header")
    found = problems.found
    if len(found) > MAX_PROBLEMS:
        more = f"{len(found) - MAX_PROBLEMS} further faults are not listed"
        found = [*found[:MAX_PROBLEMS], Problem(more, problems.file, "mend those named, then try again")]
    if found:
        raise TableError(found)


def _lines(file: TableFile, problems: Problems) -> list[str]:
    """The file's lines in NFC; none, and the problem noted, where it is no text."""
    try:
        text = unicodedata.normalize("NFC", file.content.decode("utf-8-sig"))
    except UnicodeDecodeError as error:
        problems.add(f"the file is not UTF-8 (byte {error.start})", "", 'save it as "CSV UTF-8"')
        return []
    if not text.strip():
        problems.add("the file is empty", "", "write a header, and below it one line for each")
        return []
    return _LINE_END.split(text)


def _cells(number: int, row: str, separator: str, problems: Problems) -> list[str]:
    """A line is a row: a quotation mark left open spoils its own line only, and is named there."""
    if len(row) > MAX_LINE:
        problems.add(f"the line has {len(row)} characters", f"line {number}", f"write at most {MAX_LINE}")
        return []
    try:
        return next(csv.reader([row], delimiter=separator, strict=True), [])
    except csv.Error as error:
        problems.add(f"the line cannot be read: {error}", f"line {number}", "mend the quotation marks")
        return []


def _good_header(header: Sequence[str], columns: Sequence[str], required: Sequence[str], problems: Problems) -> bool:
    before = len(problems.found)
    remedy = "write the header: " + ",".join(columns)
    for name in required:
        if name not in header:
            problems.add(f"the header lacks {name}", "line 1", remedy)
    for name in dict.fromkeys(header):
        if name not in columns:
            problems.add(f"the header has the unknown column {name!r}", "line 1", remedy)
        elif header.count(name) > 1:
            problems.add(f"the header has {name} twice", "line 1", remedy)
    return len(problems.found) == before


def _line(number: int, cells: Sequence[str], header: Sequence[str], problems: Problems) -> Line | None:
    if len(cells) != len(header):
        what = f"{len(cells)} columns where the header has {len(header)}"
        problems.add(what, f"line {number}", "give every column a value; put a text with a comma in quotation marks")
        return None
    values = {name: cell.strip(" \u00a0") for name, cell in zip(header, cells, strict=True)}
    line = Line(number, values, problems)
    for name, value in values.items():
        for what, remedy in invisible(value):
            line.wrong(name, f"{name} holds {what}", remedy)
    return line if line.sound else None
