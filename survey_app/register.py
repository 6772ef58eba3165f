"""The register of dossiers handled, as exported from the provincial system: reading a CSV file of it.

`open_register`, `read_register`. Every bad line is named; a file with one bad line gives nothing.
"""

import re
from collections.abc import Collection
from pathlib import Path

from survey_app.model import CHANNELS, RegisterRow
from survey_app.questionnaire.table import Problems
from survey_app.table_file import Line, TableFile, lines, read_file, refuse

COLUMNS = ("centre", "field", "month", "channel", "received", "resolved", "on_time")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
MAXIMUM_BYTES = 50_000_000


def open_register(path: Path) -> TableFile:
    """The file's name and bytes, as they are parsed and hashed."""
    return read_file(path, MAXIMUM_BYTES)


def read_register(file: TableFile | Path, centres: Collection[str], fields: Collection[str]) -> tuple[RegisterRow, ...]:
    """Rows of a CSV file in UTF-8 with the header `centre,field,month,channel,received,resolved,on_time`.

    `channel` may be left out; the rows then count all channels together. Months that no wave names are taken too:
    the register of a month is often there before the wave is planned.

    Raises
    ------
    TableError
        Naming each line that is wrong and how.
    """
    table = file if isinstance(file, TableFile) else open_register(file)
    problems = Problems(table.name)
    rows: dict[tuple[str, ...], RegisterRow] = {}
    for line in lines(table, COLUMNS, [name for name in COLUMNS if name != "channel"], problems):
        row = _row(line, centres, fields)
        key = (row.centre, row.field, row.month, row.channel)
        if line.sound and key in rows:
            line.wrong("", f"{', '.join(key)} comes twice", "give each combination one line")
        if line.sound:
            rows[key] = row
    for what in _mixed_channels(rows.values()):
        problems.add(what, "", "give the channels, or all together, not both")
    refuse(problems, list(rows.values()), "rows")
    return tuple(rows.values())


def _row(line: Line, centres: Collection[str], fields: Collection[str]) -> RegisterRow:
    row = RegisterRow(
        centre=line.cells["centre"],
        field=line.cells["field"],
        month=line.cells["month"],
        channel=line.word("channel", CHANNELS, "all"),
        received=line.count("received"),
        resolved=line.count("resolved"),
        on_time=line.count("on_time"),
    )
    if row.centre not in centres:
        line.wrong("centre", f"unknown centre {row.centre!r}", "see the codes: sipas centre list")
    if row.field not in fields:
        line.wrong("field", f"unknown field {row.field!r}", "see the codes: sipas field list")
    if not _MONTH.fullmatch(row.month):
        line.wrong("month", f"{row.month!r} is not a month", "write months as 2026-10")
    if line.sound and row.on_time > row.resolved:
        what = f"on_time {row.on_time} is more than resolved {row.resolved}"
        line.wrong("on_time", what, "on_time counts those of the resolved that came on time")
    return row


def _mixed_channels(rows: Collection[RegisterRow]) -> list[str]:
    """`all` beside single channels of the same centre, field and month would count dossiers twice."""
    cells: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        cells.setdefault((row.centre, row.field, row.month), set()).add(row.channel)
    return [
        f"{', '.join(cell)} has channel all beside {', '.join(sorted(channels - {'all'}))}"
        for cell, channels in cells.items()
        if "all" in channels and len(channels) > 1
    ]
