"""Questionnaire files: TOML into frozen dataclasses, with all problems of a file named at once.

`load` (a path), `parse` (bytes, such as the store's copy), `shipped` (the forms that come with the program).
"""

import codecs
import hashlib
import importlib.resources
import re
import stat
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

from survey_app.problems import Problem
from survey_app.questionnaire.lines import Lines
from survey_app.questionnaire.model import (
    ITEM_METHODS,
    ROLL_UPS,
    Area,
    Condition,
    Factor,
    Index,
    Item,
    Kind,
    Option,
    Parts,
    Questionnaire,
    QuestionnaireError,
    Scale,
    Section,
)
from survey_app.questionnaire.rules import Placed, check_rules
from survey_app.questionnaire.table import Problems, Table, texts

PUBLISHED = "published.sha256"
MAX_BYTES = 512 * 1024
KINDS = ("likert", "choice", "choices", "number", "text")
ROLES = ("field", "visit", "overall", "timing", "times_back", "comment")
VISITS = ("filed", "received", "asked")

_PUBLISHED_LINE = re.compile(r"(?P<sha256>[0-9a-f]{64}) [ *](?P<name>\S+)")
_ID = re.compile(r"[a-z][a-z0-9-]{0,31}")
_VERSION = re.compile(r"[1-9][0-9]{0,3}(\.[0-9]{1,4}){0,2}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?")
_ITEM = re.compile(r"[A-Z][A-Z0-9_]{0,15}(\.[A-Z0-9_]{1,15}){0,2}")
_PART = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_ITEM_FORM = "capitals, digits and _, in parts joined by dots, such as II.A1"
_PART_FORM = "a letter, then letters, digits, hyphen or underscore"


def load(path: Path) -> Questionnaire:
    """Read a questionnaire file; a published one must be what it was when it was published."""
    content = _content(path, "name an existing questionnaire file")
    problems = Problems(path.name, new=True)
    questionnaire = _read(content, problems)
    if questionnaire and path.name != f"{questionnaire.id}.{questionnaire.version}.toml":
        wanted = f"{questionnaire.id}.{questionnaire.version}.toml"
        problems.add("the file's name is not its id and version", "", f"call it {wanted}")
    _check_published(path, content, problems)
    return _result(questionnaire, problems)


def parse(content: bytes, name: str) -> Questionnaire:
    """The same from bytes; `name` is what problems call the file."""
    problems = Problems(name)
    return _result(_read(content, problems), problems)


def shipped() -> Mapping[tuple[str, str], Path]:
    """The forms that come with the program, by id and version."""
    folder = Path(str(importlib.resources.files("survey_app.questionnaires")))
    found = {}
    for path in sorted(folder.glob("*.toml")):
        identity, _, version = path.name.removesuffix(".toml").partition(".")
        found[identity, version] = path
    return found


def _content(path: Path, remedy: str) -> bytes:
    """What stands in a file, never more than a form can need."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            what = "this is a directory, not a file" if stat.S_ISDIR(mode) else "this is no ordinary file"
            raise QuestionnaireError(Problem(what, str(path), remedy))
        with path.open("rb") as stream:
            content = stream.read(MAX_BYTES + 1)
    except OSError as error:
        raise QuestionnaireError(Problem(f"the file cannot be read: {error.strerror}", str(path), remedy)) from None
    if len(content) > MAX_BYTES:
        raise QuestionnaireError(Problem(f"the file is larger than {MAX_BYTES // 1024} kB", str(path), remedy))
    return content


def _result(questionnaire: Questionnaire | None, problems: Problems) -> Questionnaire:
    if problems.found or questionnaire is None:
        raise QuestionnaireError(problems.found)
    return questionnaire


def _check_published(path: Path, content: bytes, problems: Problems) -> None:
    """Compare with `published.sha256` beside the file, if there is one and it names the file."""
    record = path.with_name(PUBLISHED)
    if not record.exists():
        return
    try:
        text = _content(record, "restore the record of published versions").decode("utf-8", errors="replace")
    except QuestionnaireError as error:
        problems.found.extend(error.problems)
        return
    for number, line in enumerate(text.splitlines(), start=1):
        entry = _PUBLISHED_LINE.fullmatch(line)
        if entry is None:
            problems.add(
                f"line {number} of {PUBLISHED} is not a sha256 and a file name", "", "write it as sha256sum does"
            )
        elif entry["name"] == path.name and entry["sha256"] != hashlib.sha256(content).hexdigest():
            problems.add(
                f"a published version was changed: it is not what {PUBLISHED} records",
                "",
                "restore the file, and write the change as a new version",
            )


def _read(content: bytes, problems: Problems) -> Questionnaire | None:
    """Everything that can be read; None only when it is no TOML at all."""
    raw = _read_toml(content, problems)
    if raw is None:
        return None
    top = Table(raw, "", problems)
    languages = _read_languages(top)
    index_table = top.table("index", required=False)
    scales = _read_scales(top, languages)
    items = _read_items(top, languages)
    sections = _read_sections(top, languages, [placed.value for placed in items])
    index = None if index_table is None else _read_index(index_table, languages)
    roles, visit_codes = _read_roles(top)
    parts_table = top.table("parts", required=False)
    questionnaire = Questionnaire(
        id=top.code("id", _ID, "small letters, digits and hyphens") or "",
        version=top.code("version", _VERSION, 'a number such as "1"') or "",
        title=top.text("title", languages) or {},
        authority=top.text("authority", languages) or {},
        source=top.source(),
        intro=top.text("intro", languages, lines=True) or {},
        languages=languages,
        scales=tuple(placed.value for placed in scales),
        sections=tuple(placed.value for placed in sections),
        items=_completed([placed.value for placed in items], [placed.value for placed in scales], index),
        index=index,
        roles=roles,
        visit_codes=visit_codes,
        parts=None if parts_table is None else _read_parts(parts_table),
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
    )
    top.close()
    check_rules(questionnaire, scales, sections, items, problems)
    return questionnaire


def _read_toml(content: bytes, problems: Problems) -> dict[str, Any] | None:
    if content.startswith(codecs.BOM_UTF8):
        problems.add("the file begins with a byte order mark", "", "save it as UTF-8 without a byte order mark")
        return None
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        problems.add(f"the file is not UTF-8 (line {line})", "", "save it as UTF-8")
        return None
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # a huge number is a ValueError too
        problems.add(f"not a TOML file: {error}", "", "mend the file at the line named")
        return None
    problems.lines = Lines(text)
    return raw


def _completed(items: Sequence[Item], scales: Sequence[Scale], index: Index | None) -> tuple[Item, ...]:
    """Items with what other tables say of them: their scale's options, their factor and its area."""
    by_id = {scale.id: scale for scale in scales}
    factors = {code: factor for factor in (index.factors if index else ()) for code in factor.items}
    done = []
    for item in items:
        scale = by_id.get(item.scale or "")
        factor = factors.get(item.code)
        done.append(
            replace(
                item,
                options=scale.options if scale and item.kind == "likert" else item.options,
                factor=factor.code if factor else None,
                area=factor.area if factor else None,
            )
        )
    return tuple(done)


def _read_languages(top: Table) -> tuple[str, ...]:
    languages = top.strings("languages")
    for language in languages:
        if not _LANGUAGE.fullmatch(language):
            top.problems.add(f"{language!r} is not a language code", "languages", "write codes such as vi, en, tyz")
    for language in ("vi", "en"):
        if language not in languages:
            top.problems.add(f"the form lacks the language {language!r}", "languages", f"add {language!r}")
    if len(set(languages)) < len(languages):
        top.problems.add("a language is named twice", "languages", "name each language once")
    return tuple(dict.fromkeys([*filter(_LANGUAGE.fullmatch, languages), "vi", "en"]))


def _read_options(table: Table, languages: Sequence[str], required: bool) -> tuple[Option, ...]:
    options = []
    for row in table.tables("options", required=required):
        code = row.needed_integer("code")
        read = texts(row, languages)
        row.close()
        options.append(Option(code, read))
    return tuple(options)


def _read_scales(top: Table, languages: Sequence[str]) -> list[Placed[Scale]]:
    scales = []
    for table in top.tables("scales", name="id", required=False):
        before = len(top.problems.found)
        scale = Scale(
            id=table.code("id", _PART, _PART_FORM) or "",
            source=table.source(),
            options=_read_options(table, languages, required=True),
        )
        table.close()
        scales.append(Placed(scale, table.place, sound=len(top.problems.found) == before))
    return scales


def _read_items(top: Table, languages: Sequence[str]) -> list[Placed[Item]]:
    items = []
    for table in top.tables("items", name="code"):
        before = len(top.problems.found)
        item = Item(
            code=table.code("code", _ITEM, _ITEM_FORM) or "",
            kind=cast(Kind, table.word("kind", KINDS) or "text"),
            section=table.code("section", _PART, _PART_FORM) or "",
            text=table.text("text", languages) or {},
            hint=table.text("hint", languages, required=False),
            source=table.source(),
            scale=table.string("scale", required=False),
            options=_read_options(table, languages, required=False),
            options_from=table.word("options_from", ("service_fields",), required=False),
            ask_if=_read_conditions(table, "ask_if"),
            ask_if_any=_read_conditions(table, "ask_if_any"),
            required=table.flag("required", True),
            decline=table.flag("decline", True),
            not_applicable=table.flag("not_applicable", False),
            minimum=table.integer("minimum"),
            maximum=table.integer("maximum"),
            max_length=table.integer("max_length"),
        )
        table.close()
        items.append(Placed(item, table.place, sound=len(top.problems.found) == before))
    return items


def _read_conditions(item: Table, key: str) -> tuple[Condition, ...]:
    conditions = []
    for table in item.tables(key, required=False):
        conditions.append(Condition(table.string("item") or "", table.integers("codes")))
        table.close()
    return tuple(conditions)


def _read_sections(top: Table, languages: Sequence[str], items: Sequence[Item]) -> list[Placed[Section]]:
    sections = []
    for table in top.tables("sections", name="code"):
        code = table.code("code", _PART, _PART_FORM) or ""
        section = Section(
            code=code,
            title=table.text("title", languages) or {},
            items=tuple(item.code for item in items if item.section == code),
            stem=table.text("stem", languages, required=False),
        )
        table.close()
        sections.append(Placed(section, table.place, sound=bool(code)))
    return sections


def _read_index(table: Table, languages: Sequence[str]) -> Index:
    """`items` may be left out: then the index is all items of its factors, in their order."""
    named = table.strings("items", required=False)
    areas = []
    for row in table.tables("areas", name="code"):
        areas.append(Area(row.code("code", _PART, _PART_FORM) or "", row.text("text", languages) or {}))
        row.close()
    factors = []
    for row in table.tables("factors", name="code"):
        code, area = row.code("code", _PART, _PART_FORM) or "", row.string("area") or ""
        factors.append(Factor(code, row.text("text", languages) or {}, area, row.strings("items")))
        row.close()
    index = Index(
        items=named or tuple(item for factor in factors for item in factor.items),
        factors=tuple(factors),
        areas=tuple(areas),
        item_method=table.word("item_method", ITEM_METHODS) or "",
        roll_up=table.word("roll_up", ROLL_UPS) or "",
    )
    table.close()
    return index


def _read_parts(table: Table) -> Parts:
    parts = Parts(
        name=table.code("name", _PART, _PART_FORM) or "",
        factors=table.strings("factors"),
        draw=table.needed_integer("draw"),
    )
    table.close()
    return parts


def _read_roles(top: Table) -> tuple[Mapping[str, str], Mapping[str, int]]:
    table = top.table("roles", required=False)
    if table is None:
        return {}, {}
    read = {role: table.string(role, required=False) for role in ROLES}
    visits = table.table("visit_codes", required=False)
    visit_codes = {} if visits is None else {visit: visits.needed_integer(visit) for visit in VISITS}
    if visits is not None:
        visits.close()
    table.close()
    return {role: item for role, item in read.items() if item}, visit_codes
