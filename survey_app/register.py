"""The register of dossiers handled, as exported from the provincial system: reading a CSV file of it.

`read_register`, `RegisterError`. Every bad line is named; a file with one bad line gives nothing.
"""

import csv
import hashlib
import io
import re
from collections.abc import Collection
from pathlib import Path

from survey_app.model import CHANNELS, RegisterRow
from survey_app.problems import Problem, SipasError

COLUMNS = ("centre", "field", "month", "channel", "received", "resolved", "on_time")
_MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
_COUNT = re.compile(r"[0-9]{1,9}")
MAXIMUM_BYTES = 50_000_000


class RegisterError(SipasError):
    """The file is no register; carries one problem for each bad line."""


def register_hash(path: Path) -> str:
    """SHA-256 of the file as it is."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def read_register(path: Path, centres: Collection[str], fields: Collection[str]) -> tuple[RegisterRow, ...]:
    """Rows of a CSV file in UTF-8 with the header `centre,field,month,channel,received,resolved,on_time`.

    `channel` may be left out; the rows then count all channels together.

    Raises
    ------
    RegisterError
        Naming each line that is wrong and how.
    """
    lines = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    problems: list[Problem] = []
    rows: dict[tuple[str, ...], RegisterRow] = {}
    try:
        header = _header(next(lines, []), path)
        for cells in lines:
            if not any(cell.strip() for cell in cells):
                continue
            where = f"{path.name}, line {lines.line_num}"
            row = _row(cells, header, where, centres, fields, problems)
            if row is None:
                continue
            key = (row.centre, row.field, row.month, row.channel)
            if key in rows:
                problems.append(Problem(f"{', '.join(key)} comes twice", where, "give each combination one line"))
            rows[key] = row
    except csv.Error as error:
        problems.append(Problem(f"not a CSV file: {error}", f"{path.name}, line {lines.line_num}", "mend the quoting"))
    problems.extend(_mixed_channels(rows.values(), path))
    if not rows and not problems:
        problems.append(Problem("the register has no rows", path.name, "export the months again"))
    if problems:
        raise RegisterError(problems)
    return tuple(rows.values())


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise RegisterError(
                Problem("the file is larger than 50 MB", str(path), "export fewer months into one file")
            )
        return path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise RegisterError(
            Problem(f"the file cannot be read: {error.strerror}", str(path), "check the name")
        ) from None
    except UnicodeDecodeError as error:
        raise RegisterError(
            Problem(f"the file is not UTF-8 (byte {error.start})", str(path), 'save it as "CSV UTF-8"')
        ) from None


def _header(cells: list[str], path: Path) -> tuple[str, ...]:
    header = tuple(cell.strip() for cell in cells)
    required = [name for name in COLUMNS if name != "channel"]
    found = [f"lacks {name}" for name in required if name not in header]
    found += [f"has the unknown column {name!r}" for name in header if name not in COLUMNS]
    found += [f"has {name} twice" for name in COLUMNS if header.count(name) > 1]
    if found:
        raise RegisterError(
            [
                Problem(f"the header {what}", f"{path.name}, line 1", f"write the header: {','.join(COLUMNS)}")
                for what in found
            ]
        )
    return header


def _row(
    cells: list[str],
    header: tuple[str, ...],
    where: str,
    centres: Collection[str],
    fields: Collection[str],
    problems: list[Problem],
) -> RegisterRow | None:
    if len(cells) != len(header):
        problems.append(
            Problem(f"{len(cells)} columns where the header has {len(header)}", where, "give every column a value")
        )
        return None
    value = {"channel": "all", **dict(zip(header, (cell.strip() for cell in cells), strict=True))}
    bad = [
        (value["centre"] not in centres, f"unknown centre {value['centre']!r}", "see the codes: sipas centre list"),
        (value["field"] not in fields, f"unknown field {value['field']!r}", "see the codes: sipas field list"),
        (not _MONTH.fullmatch(value["month"]), f"{value['month']!r} is not a month", "write months as 2026-10"),
        (value["channel"] not in CHANNELS, f"unknown channel {value['channel']!r}", f"one of {', '.join(CHANNELS)}"),
    ]
    for name in COLUMNS[-3:]:
        no_count = not _COUNT.fullmatch(value[name])
        bad.append((no_count, f"{name} is {value[name]!r}", "write a whole number, 0 or more, without separators"))
    found = [Problem(what, where, remedy) for wrong, what, remedy in bad if wrong]
    if not found and int(value["on_time"]) > int(value["resolved"]):
        found.append(
            Problem(
                f"on_time {value['on_time']} is more than resolved {value['resolved']}",
                where,
                "on_time counts those of the resolved that came on time",
            )
        )
    problems.extend(found)
    if found:
        return None
    counts = {name: int(value[name]) for name in COLUMNS[-3:]}
    return RegisterRow(value["centre"], value["field"], value["month"], value["channel"], **counts)


def _mixed_channels(rows: Collection[RegisterRow], path: Path) -> list[Problem]:
    """`all` beside single channels of the same centre, field and month would count dossiers twice."""
    cells: dict[tuple[str, str, str], set[str]] = {}
    for row in rows:
        cells.setdefault((row.centre, row.field, row.month), set()).add(row.channel)
    return [
        Problem(
            f"{', '.join(cell)} has channel all beside {', '.join(sorted(channels - {'all'}))}",
            path.name,
            "give the channels, or all together, not both",
        )
        for cell, channels in cells.items()
        if "all" in channels and len(channels) > 1
    ]
