"""The province's own lists: service centres and service fields, read from CSV or TSV files or the lists shipped.

`read_centres`, `read_fields`, `ProvinceError`. Every bad line is named; a file with one bad line gives nothing.
"""

import csv
import importlib.resources
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from survey_app.model import Centre, ServiceField
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire.table import Problems, check_text

CENTRE_COLUMNS = ("code", "name", "full_name", "unit", "kind", "group")
FIELD_COLUMNS = ("code", "vi", "en", "source")
KINDS = ("province", "commune")
BLOCK = 6
MAXIMUM_BYTES = 5_000_000

_CENTRE = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]{0,31}")
_FIELD = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_PROVINCIAL = Centre(
    code="TINH",
    name="Trung tâm tỉnh",
    full_name="Trung tâm Phục vụ hành chính công tỉnh Tuyên Quang",
    kind="province",
    group="TINH",
)


class ProvinceError(SipasError):
    """The file is no list of centres or fields; carries one problem for each bad line."""


def read_centres(path: Path | None = None) -> tuple[Centre, ...]:
    """Centres by code; without a path the 124 communes shipped and the provincial centre `TINH`.

    Columns: code, name; optional full_name, kind (province or commune), group, unit (not kept). Without the column
    group, communes in order of their codes form blocks of neighbours of about six.
    """
    if path is None:
        communes = _parse_centres(_shipped("tuyenquang-communes.tsv"), "tuyenquang-communes.tsv")
        return (*communes, _PROVINCIAL)
    return _parse_centres(_content(path), path.name)


def read_fields(path: Path | None = None) -> tuple[ServiceField, ...]:
    """Service fields in the order of the file (columns code, vi, en, source); without a path the list shipped."""
    if path is None:
        return _parse_fields(_shipped("service_fields.csv"), "service_fields.csv")
    return _parse_fields(_content(path), path.name)


def _parse_centres(content: bytes, name: str) -> tuple[Centre, ...]:
    problems = Problems(name)
    centres = []
    for line, row in _rows(content, CENTRE_COLUMNS, ("code", "name"), _CENTRE, problems):
        kind = row.get("kind", "commune")
        if kind not in KINDS:
            problems.add(f"unknown kind {kind!r}", f"line {line}, kind", "write province or commune")
        full_name = row.get("full_name") or row["name"]
        centres.append(
            Centre(
                code=row["code"],
                name=row["name"],
                full_name=full_name,
                kind="province" if kind == "province" else "commune",
                group=row.get("group", ""),
            )
        )
    _refuse(problems, centres, "centres")
    centres.sort(key=lambda centre: centre.code)
    return tuple(centres) if all(centre.group for centre in centres) else _grouped(centres)


def _grouped(centres: Sequence[Centre]) -> tuple[Centre, ...]:
    """Communes in blocks of even size; a provincial centre is a group of its own."""
    communes = [centre.code for centre in centres if centre.kind == "commune"]
    blocks = -(-len(communes) // BLOCK)
    width = max(2, len(str(blocks)))
    group = {code: f"{place * blocks // len(communes) + 1:0{width}}" for place, code in enumerate(communes)}
    return tuple(
        Centre(centre.code, centre.name, centre.full_name, centre.kind, group.get(centre.code, centre.code))
        for centre in centres
    )


def _parse_fields(content: bytes, name: str) -> tuple[ServiceField, ...]:
    problems = Problems(name)
    fields = [
        ServiceField(row["code"], {"vi": row["vi"], "en": row["en"]}, row["source"])
        for _, row in _rows(content, FIELD_COLUMNS, FIELD_COLUMNS, _FIELD, problems)
    ]
    _refuse(problems, fields, "fields")
    return tuple(fields)


def _refuse(problems: Problems, rows: Sequence[object], what: str) -> None:
    if not rows and not problems.found:
        problems.add(f"the file has no {what}", "", "write one line for each, below the header")
    if problems.found:
        raise ProvinceError(problems.found)


def _rows(
    content: bytes, columns: Sequence[str], required: Sequence[str], codes: re.Pattern[str], problems: Problems
) -> Iterator[tuple[int, Mapping[str, str]]]:
    """Good lines with their numbers; whatever is wrong with the others is noted."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problems.add(f"the file is not UTF-8 (byte {error.start})", "", 'save it as "CSV UTF-8"')
        return
    first = text.partition("\n")[0]
    delimiter = next((sign for sign in "\t;" if sign in first), ",")
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    seen: dict[str, int] = {}
    try:
        header = [cell.strip() for cell in next(lines, [])]
        if not _good_header(header, columns, required, problems):
            return
        for cells in lines:
            if any(cell.strip() for cell in cells):
                row = _row(cells, header, lines.line_num, codes, problems)
                if row and (earlier := seen.setdefault(row["code"], lines.line_num)) != lines.line_num:
                    problems.add(
                        f"the code {row['code']!r} comes twice",
                        f"line {lines.line_num}, code",
                        f"give each its own code (first in line {earlier})",
                    )
                elif row:
                    yield lines.line_num, row
    except csv.Error as error:
        problems.add(f"the line cannot be read: {error}", f"line {lines.line_num}", "mend the quoting")


def _good_header(header: Sequence[str], columns: Sequence[str], required: Sequence[str], problems: Problems) -> bool:
    before = len(problems.found)
    remedy = "write the header: " + ",".join(columns)
    for name in required:
        if name not in header:
            problems.add(f"the header lacks {name}", "line 1", remedy)
    for name in header:
        if name not in columns:
            problems.add(f"the header has the unknown column {name!r}", "line 1", remedy)
        elif header.count(name) > 1:
            problems.add(f"the header has {name} twice", "line 1", remedy)
    return len(problems.found) == before


def _row(
    cells: Sequence[str], header: Sequence[str], line: int, codes: re.Pattern[str], problems: Problems
) -> Mapping[str, str] | None:
    if len(cells) != len(header):
        problems.add(
            f"{len(cells)} columns where the header has {len(header)}", f"line {line}", "give every column a value"
        )
        return None
    before = len(problems.found)
    row = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
    for name, value in row.items():
        check_text(value, f"line {line}, {name}", problems)
    if row["code"] and not codes.fullmatch(row["code"]):
        problems.add(
            f"the code {row['code']!r} is not of the form agreed",
            f"line {line}, code",
            "use letters (small ones for fields), digits and hyphens, at most 32",
        )
    return row if len(problems.found) == before else None


def _shipped(name: str) -> bytes:
    return (importlib.resources.files("survey_app") / "data" / name).read_bytes()


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAXIMUM_BYTES:
            raise ProvinceError(Problem("the file is larger than 5 MB", str(path), "name a list of centres or fields"))
        return path.read_bytes()
    except OSError as error:
        raise ProvinceError(
            Problem(f"the file cannot be read: {error.strerror}", str(path), "check the name")
        ) from None
