"""Figures published by the Ministry of Home Affairs, read from a CSV file or the list shipped.

`read_references`, `shipped_references`, `open_references`.
"""

import importlib.resources
import re
from decimal import Decimal
from pathlib import Path

from survey_app.model import Reference
from survey_app.questionnaire.table import Problems
from survey_app.table_file import Line, TableFile, lines, read_file, refuse

COLUMNS = ("year", "place", "measure", "value", "series", "label", "source")
PLACES = ("national", "province")
LABELS = ("V", "S", "D", "I", "B")
SHIPPED = "references.csv"
MAXIMUM_BYTES = 5_000_000
YEARS = range(2012, 2100)
_MEASURE = re.compile(r"index|rank|area:II?|factor:II?\.[A-E]")
_VALUE = re.compile(r"[0-9]{1,3}(\.[0-9]{1,4})?")
_RANK = re.compile(r"[1-9][0-9]?")


def open_references(path: Path | None = None) -> TableFile:
    """The file, or without a path the list shipped: figures of sources that say what they are."""
    if path is not None:
        return read_file(path, MAXIMUM_BYTES)
    return TableFile(SHIPPED, (importlib.resources.files("survey_app") / "data" / SHIPPED).read_bytes())


def read_references(file: TableFile | Path | None = None) -> tuple[Reference, ...]:
    """Figures of a CSV file with the header `year,place,measure,value,series,label,source`, each as published.

    Raises
    ------
    TableError
        Naming each line that is wrong and how.
    """
    table = file if isinstance(file, TableFile) else open_references(file)
    problems = Problems(table.name)
    found: dict[tuple[str, int, str], Reference] = {}
    for line in lines(table, COLUMNS, COLUMNS, problems):
        one = _reference(line)
        key = (one.place, one.year, one.measure)
        if key in found:
            line.wrong("", f"{one.place} {one.year} {one.measure} comes twice", "give each figure one line")
        if line.sound:
            found[key] = one
    refuse(problems, list(found.values()), "figures")
    return tuple(found.values())


def _reference(line: Line) -> Reference:
    year = line.count("year")
    if line.sound and year not in YEARS:
        line.wrong("year", f"year is {year}", f"write the year measured, {YEARS[0]} to {YEARS[-1]}")
    return Reference(
        year=year,
        place=line.word("place", PLACES),
        measure=line.code("measure", _MEASURE, "index, rank, area:I, area:II, or a factor such as factor:II.A"),
        value=_value(line),
        series=line.text("series"),
        label=line.word("label", LABELS),
        source=line.text("source"),
    )


def _value(line: Line) -> str:
    value = line.cells["value"]
    if line.cells["measure"] == "rank":
        if not _RANK.fullmatch(value):
            line.wrong("value", f"the rank is {value!r}", "write a whole number, 1 to 99")
    elif not _VALUE.fullmatch(value):
        comma = " with a decimal point" if "," in value else ""
        line.wrong("value", f"value is {value!r}", f"write the figure as published{comma}, such as 83.94")
    elif Decimal(value) > 100:
        line.wrong("value", f"value is {value}", "write a figure from 0 to 100")
    return value
