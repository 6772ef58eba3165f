"""A table of the report as the page takes it: words already rounded, columns that say their unit.

Public: Column, Cell, Row, Table, Notes.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Column:
    title: str
    number: bool = True


@dataclass(frozen=True)
class Cell:
    """A hidden cell holds the words that say why it is blank.

    marks : point to the notes below the table
    below : smaller lines under the text
    span : columns it takes
    short : words that stay on one line
    wrapped : words rather than a number, so the line may break
    """

    text: str
    hidden: bool = False
    marks: tuple[str, ...] = ()
    below: tuple[str, ...] = ()
    wrapped: bool = False
    span: int = 1
    short: bool = False


@dataclass(frozen=True)
class Row:
    """The first cell is the row's header. `whole` sets the province apart from its parts."""

    cells: tuple[Cell, ...]
    whole: bool = False


@dataclass(frozen=True)
class Table:
    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    notes: tuple[tuple[str, str], ...] = field(default=())
    narrow: bool = False


class Notes:
    """Numbers the notes of one table; the same words get the same mark."""

    def __init__(self) -> None:
        self._marks: dict[str, str] = {}

    def mark(self, text: str) -> str:
        return self._marks.setdefault(text, str(len(self._marks) + 1))

    @property
    def listed(self) -> tuple[tuple[str, str], ...]:
        return tuple((mark, text) for text, mark in self._marks.items())
