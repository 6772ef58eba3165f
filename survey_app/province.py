"""The province's own lists: service centres and service fields, read from CSV or TSV files or the lists shipped.

`read_centres`, `read_fields`. Every bad line is named; a file with one bad line gives nothing.
"""

import importlib.resources
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from survey_app.model import Centre, ServiceField
from survey_app.questionnaire.table import Problems
from survey_app.table_file import Line, TableFile, lines, read_file, refuse

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


def read_centres(path: Path | None = None) -> tuple[Centre, ...]:
    """Centres by code; without a path the 124 communes shipped and the provincial centre `TINH`.

    Columns: code, name; optional full_name, kind (province or commune), group, unit (not kept). Without the column
    group, communes in order of their codes form blocks of neighbours of about six.
    """
    if path is None:
        return (*_centres(_shipped("tuyenquang-communes.tsv")), _PROVINCIAL)
    return _centres(read_file(path, MAXIMUM_BYTES))


def read_fields(path: Path | None = None) -> tuple[ServiceField, ...]:
    """Service fields in the order of the file (columns code, vi, en, source); without a path the list shipped."""
    file = _shipped("service_fields.csv") if path is None else read_file(path, MAXIMUM_BYTES)
    problems = Problems(file.name)
    fields = [
        ServiceField(code, {"vi": line.text("vi"), "en": line.text("en")}, line.text("source"))
        for line, code in _coded(file, FIELD_COLUMNS, FIELD_COLUMNS, _FIELD, problems)
    ]
    refuse(problems, fields, "fields")
    return tuple(fields)


def _centres(file: TableFile) -> tuple[Centre, ...]:
    problems = Problems(file.name)
    centres = []
    for line, code in _coded(file, CENTRE_COLUMNS, ("code", "name"), _CENTRE, problems):
        name = line.text("name")
        kind = line.word("kind", KINDS, "commune")
        centres.append(
            Centre(
                code=code,
                name=name,
                full_name=line.text("full_name", name),
                kind="province" if kind == "province" else "commune",
                group=line.text("group"),
            )
        )
    refuse(problems, centres, "centres")
    centres.sort(key=lambda centre: centre.code)
    return tuple(centres) if all(centre.group for centre in centres) else _grouped(centres)


def _coded(
    file: TableFile, columns: Sequence[str], required: Sequence[str], codes: re.Pattern[str], problems: Problems
) -> Iterator[tuple[Line, str]]:
    """The lines of a list with their codes. Lists of names may be separated by semicolons or tabs as well."""
    seen: dict[str, int] = {}
    for line in lines(file, columns, required, problems, separators=",\t;"):
        code = line.code("code", codes, "letters (small ones for fields), digits and hyphens, at most 32")
        if line.sound and (earlier := seen.setdefault(code, line.number)) != line.number:
            what = f"the code {code!r} comes twice"
            line.wrong("code", what, f"give each its own code (first in line {earlier})")
        yield line, code


def _shipped(name: str) -> TableFile:
    return TableFile(name, (importlib.resources.files("survey_app") / "data" / name).read_bytes())


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
