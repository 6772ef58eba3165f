"""What must hold between the parts of a questionnaire, beyond the form of each: one function a subject.

`check_rules`, `Placed`.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from survey_app.questionnaire.model import Condition, Index, Item, Option, Questionnaire, Scale, Section
from survey_app.questionnaire.part_rules import check_parts
from survey_app.questionnaire.table import Problems
from survey_app.response import MAX_ITEMS, MAX_TEXT

T = TypeVar("T")
MAX_CODE = 99
MAX_NUMBER = 32_767
_CODED = ("likert", "choice", "choices")
_KEYS_OF = {
    "likert": {"scale"},
    "choice": {"options", "options_from"},
    "choices": {"options"},
    "number": {"minimum", "maximum"},
    "text": {"max_length"},
}
_KIND_KEYS = ("scale", "options", "options_from", "minimum", "maximum", "max_length")
_ROLE_KINDS = {
    "field": ("choice",),
    "visit": ("choice",),
    "overall": ("likert",),
    "timing": ("choice",),
    "times_back": ("choice", "number"),
    "comment": ("text",),
}


@dataclass(frozen=True)
class Placed(Generic[T]):
    """A value with its place in the file; not `sound` if its own form was already found wrong."""

    value: T
    place: str
    sound: bool


def check_rules(
    form: Questionnaire,
    scales: Sequence[Placed[Scale]],
    sections: Sequence[Placed[Section]],
    items: Sequence[Placed[Item]],
    problems: Problems,
) -> None:
    """Note every broken rule. `items` are as written in the file, `form.items` completed from their scales."""
    if len(items) > MAX_ITEMS:
        problems.add(f"the form has {len(items)} items", "items", f"keep to {MAX_ITEMS}, the most a response carries")
    _once("item", "code", ((placed.value.code, placed.place) for placed in items), problems)
    _once("section", "code", ((placed.value.code, placed.place) for placed in sections), problems)
    _once("scale", "id", ((placed.value.id, placed.place) for placed in scales), problems)
    for scale in scales:
        _check_scale(scale, problems)
    for item in items:
        if item.sound:
            _check_kind(item, form, problems)
            _check_options(item.value.options, item.place, problems)
            _check_answering(item, problems)
    _check_routing(form, items, problems)
    _check_sections(form, sections, items, problems)
    _check_columns(items, problems)
    _check_roles(form, problems)
    if form.index:
        _check_factors(form.index, problems)
        _check_index_items(form, form.index, {item.value.code for item in items if item.sound}, problems)
    if form.parts:
        check_parts(form, form.parts, problems)


def _once(what: str, key: str, named: Iterable[tuple[str, str]], problems: Problems) -> None:
    seen: dict[str, str] = {}
    for name, place in named:
        if name and name in seen:
            problems.add(f"two {what}s have the {key} {name!r}", place, f"give each {what} its own {key}")
        seen.setdefault(name, place)


def _check_scale(placed: Placed[Scale], problems: Problems) -> None:
    if not placed.sound:
        return
    codes = [option.code for option in placed.value.options]
    if codes != list(range(1, len(codes) + 1)) or len(codes) < 2:
        problems.add(
            "the codes of a scale do not count 1, 2, 3 …",
            f"{placed.place}.options",
            "write at least two options in order, the least first, numbered from 1",
        )


def _check_kind(placed: Placed[Item], form: Questionnaire, problems: Problems) -> None:
    item, place = placed.value, placed.place
    given = {key for key in _KIND_KEYS if getattr(item, key) not in (None, ())}
    for key in sorted(given - _KEYS_OF[item.kind]):
        problems.add(f"{key} does not go with kind {item.kind!r}", f"{place}.{key}", f"remove {key}, or change kind")
    if item.kind == "likert":
        known = [scale.id for scale in form.scales]
        if item.scale is None:
            problems.add("a likert item without a scale", f"{place}.scale", "name one of: " + ", ".join(known))
        elif item.scale not in known:
            problems.add(f"unknown scale {item.scale!r}", f"{place}.scale", "name one of: " + ", ".join(known))
    elif item.kind in ("choice", "choices"):
        if bool(item.options) == bool(item.options_from):
            problems.add(
                "a choice needs options, or options_from, and not both",
                f"{place}.options",
                'write options, or options_from = "service_fields"',
            )
        if item.options_from and form.roles.get("field") != item.code:
            problems.add(
                "only the item with the role field takes its options from the service fields",
                f"{place}.options_from",
                f'name it in [roles]: field = "{item.code}", or write options',
            )
    elif item.kind == "number":
        _check_bounds(item, place, problems)
    elif item.max_length is None or not 1 <= item.max_length <= MAX_TEXT:
        problems.add(
            f"a text item needs max_length, 1 to {MAX_TEXT}", f"{place}.max_length", "write max_length = 1000, say"
        )


def _check_bounds(item: Item, place: str, problems: Problems) -> None:
    if item.minimum is None or item.maximum is None:
        problems.add("a number needs minimum and maximum", f"{place}.minimum", "write both")
    elif not 0 <= item.minimum < item.maximum <= MAX_NUMBER:
        problems.add(
            "minimum and maximum do not fit",
            f"{place}.minimum",
            f"keep 0 ≤ minimum < maximum ≤ {MAX_NUMBER} (negative numbers are the missing codes)",
        )


def _check_options(options: Sequence[Option], place: str, problems: Problems) -> None:
    if len(options) == 1:
        problems.add("a choice of one option", f"{place}.options", "write at least two options")
    counts = Counter(option.code for option in options)
    for number, option in enumerate(options, start=1):
        where = f"{place}.options[{number}].code"
        if not 0 <= option.code <= MAX_CODE:
            problems.add(f"the code {option.code} is out of range", where, f"use 0 to {MAX_CODE}")
        elif counts[option.code] > 1:
            problems.add(f"two options have the code {option.code}", where, "give each option its own code")


def _check_answering(placed: Placed[Item], problems: Problems) -> None:
    item, place = placed.value, placed.place
    if not item.required and not item.decline:
        problems.add(
            "an item that may be left blank must allow declining",
            f"{place}.decline",
            "leave decline = true (a blank is stored as declined), or remove required = false",
        )
    if item.not_applicable and (item.kind == "text" or item.options_from):
        problems.add("not_applicable does not go with this item", f"{place}.not_applicable", "remove not_applicable")


def _check_routing(form: Questionnaire, items: Sequence[Placed[Item]], problems: Problems) -> None:
    order = {item.code: number for number, item in reversed(list(enumerate(form.items)))}
    routes = {item.code: [condition.item for condition in item.conditions] for item in form.items}
    for number, placed in enumerate(items):
        if len(placed.value.ask_if_any) == 1:
            problems.add(
                "ask_if_any has one condition only",
                f"{placed.place}.ask_if_any",
                "write it as ask_if, or list two conditions or more",
            )
        for where, condition in _conditions(placed):
            if not condition.item or not condition.codes:
                if condition.item and placed.sound:
                    problems.add("a condition without codes can never hold", f"{where}.codes", "list the codes")
                continue
            if condition.item not in order:
                problems.add(f"routing names the unknown item {condition.item!r}", f"{where}.item", "name an item")
            elif ring := _ring(placed.value.code, condition.item, routes):
                problems.add(
                    "routing goes in a ring: " + " → ".join(ring),
                    f"{where}.item",
                    "let it depend on earlier items only",
                )
            elif order[condition.item] >= number:
                problems.add(
                    f"routing depends on the later item {condition.item!r}", f"{where}.item", "ask that item earlier"
                )
            else:
                _check_codes(form.items[order[condition.item]], condition.codes, f"{where}.codes", problems)


def _conditions(placed: Placed[Item]) -> Iterator[tuple[str, Condition]]:
    """Every condition with its place."""
    for key, conditions in (("ask_if", placed.value.ask_if), ("ask_if_any", placed.value.ask_if_any)):
        for position, condition in enumerate(conditions, start=1):
            yield f"{placed.place}.{key}[{position}]", condition


def _ring(start: str, first: str, routes: Mapping[str, Sequence[str]]) -> list[str]:
    """A path of routing from `start` by `first` back to itself, or nothing."""
    paths, seen = [[start, first]], {first}
    while paths:
        path = paths.pop()
        if path[-1] == start:
            return path
        for following in routes.get(path[-1], ()):
            if following not in seen:
                seen.add(following)
                paths.append([*path, following])
    return []


def _check_codes(source: Item, codes: Sequence[int], where: str, problems: Problems) -> None:
    if source.kind not in _CODED or source.options_from:
        problems.add(
            f"routing depends on {source.code!r}, which has no codes of its own",
            where,
            "depend on a likert, choice or choices item with options",
        )
        return
    for code in codes:
        if code not in source.codes:
            known = ", ".join(map(str, sorted(source.codes)))
            problems.add(f"routing names the unknown code {code}", where, f"{source.code} has the codes {known}")


def _check_sections(
    form: Questionnaire, sections: Sequence[Placed[Section]], items: Sequence[Placed[Item]], problems: Problems
) -> None:
    order = {section.code: number for number, section in enumerate(form.sections)}
    reached = 0
    for placed in items:
        section = placed.value.section
        if section and section not in order:
            problems.add(f"unknown section {section!r}", f"{placed.place}.section", "name one of: " + ", ".join(order))
        elif section and order[section] < reached:
            problems.add(
                f"the item stands apart from its section {section!r}",
                f"{placed.place}.section",
                "keep the items of a section together, in the order of the sections",
            )
        reached = max(reached, order.get(section, 0))
    for placed_section in sections:
        if placed_section.sound and not placed_section.value.items:
            problems.add("a section without items", placed_section.place, "remove it, or give it items")


def _check_columns(items: Sequence[Placed[Item]], problems: Problems) -> None:
    """In an extract a choices item has a column for each option, which no other item may be called."""
    codes = {placed.value.code for placed in items}
    for placed in items:
        if placed.value.kind != "choices":
            continue
        for option in placed.value.options:
            column = f"{placed.value.code}_{option.code}"
            if column in codes:
                problems.add(
                    f"the extract's column {column} would mean two things", placed.place, f"rename the item {column!r}"
                )


def _check_roles(form: Questionnaire, problems: Problems) -> None:
    for role, code in form.roles.items():
        item = form.by_code.get(code)
        if item is None:
            problems.add(f"role {role} names the unknown item {code!r}", f"roles.{role}", "name an item")
        elif item.kind not in _ROLE_KINDS[role]:
            kinds = " or ".join(_ROLE_KINDS[role])
            problems.add(f"role {role} names an item of kind {item.kind!r}", f"roles.{role}", f"name a {kinds} item")
        elif role == "field" and not item.options_from:
            problems.add(
                "the item with the role field has options of its own",
                f"roles.{role}",
                f'give {code} options_from = "service_fields"',
            )
    visit = form.by_code.get(form.roles.get("visit", ""))
    if bool(visit) != bool(form.visit_codes):
        problems.add(
            "the role visit and visit_codes go together",
            "roles.visit_codes",
            "write both: visit = ITEM, visit_codes = {filed = 1, received = 2, asked = 3}",
        )
    elif visit:
        codes = list(form.visit_codes.values())
        if not set(codes) <= visit.codes or len(set(codes)) < len(codes):
            problems.add(
                "visit_codes are not three options of the visit item",
                "roles.visit_codes",
                f"use different codes of {visit.code}",
            )


def _check_factors(index: Index, problems: Problems) -> None:
    _once("factor", "code", ((factor.code, "index.factors") for factor in index.factors), problems)
    _once("area", "code", ((area.code, "index.areas") for area in index.areas), problems)
    areas = [area.code for area in index.areas]
    for number, factor in enumerate(index.factors, start=1):
        place = f"index.factors[{number}] {factor.code}"
        if not factor.items:
            problems.add("a factor without items", f"{place}.items", "name its items, or remove the factor")
        if factor.area not in areas:
            problems.add(f"unknown area {factor.area!r}", f"{place}.area", "name one of: " + ", ".join(areas))
    for area in areas:
        if area not in {factor.area for factor in index.factors}:
            problems.add(f"the area {area!r} has no factor", "index.areas", "remove it, or give it a factor")


def _check_index_items(form: Questionnaire, index: Index, sound: Container[str], problems: Problems) -> None:
    held: dict[str, str] = {}
    for number, factor in enumerate(index.factors, start=1):
        place = f"index.factors[{number}] {factor.code}.items"
        for code in factor.items:
            if code in held:
                problems.add(f"the item {code!r} is in two factors", place, "name each item once, in one factor")
            held.setdefault(code, place)
    for code in index.items:
        if code not in held:
            problems.add(f"the index names {code!r}, which is in no factor", "index.items", "put it into a factor")
    for code in dict.fromkeys([*index.items, *held]):
        item, place = form.by_code.get(code), held.get(code, "index.items")
        if item is None:
            problems.add(f"the index names the unknown item {code!r}", place, "name an item of this form")
        elif code in sound and item.kind != "likert":
            problems.add(f"the index names {code!r}, a {item.kind} item", place, "name likert items only")
        elif code in sound and item.options and len(item.options) != 5:
            problems.add(f"{code!r} is in the index without a scale of five", place, "give it a scale of 1 to 5")
