"""A whole form as lines of text for a terminal of 80 columns: `sheet`."""

import textwrap
from collections.abc import Iterator, Sequence

from survey_app.questionnaire.model import Condition, Index, Item, Option, Parts, Questionnaire, Text

WIDTH = 80
_INDENT = "    "


def sheet(form: Questionnaire, languages: Sequence[str]) -> list[str]:
    """Texts in the languages wanted, codes, routing, who may leave what unanswered, source labels, the index."""
    return [
        *_head(form, languages),
        *_items(form, languages),
        *_index(form.index, languages),
        *_parts(form.parts),
        *_roles(form),
    ]


def _head(form: Questionnaire, languages: Sequence[str]) -> Iterator[str]:
    yield f"{form.id} {form.version} · {len(form.items)} items · {', '.join(form.languages)}"
    yield from _texts("title", form.title, languages, "")
    yield from _texts("authority", form.authority, languages, "")
    yield from _texts("intro", form.intro, languages, "")
    yield from _wrapped("source", form.source, "")
    yield f"sha256       {form.sha256}"
    for scale in form.scales:
        yield ""
        yield f"scale {scale.id}"
        yield from _options(scale.options, languages)
        yield from _wrapped("source", scale.source, _INDENT)


def _items(form: Questionnaire, languages: Sequence[str]) -> Iterator[str]:
    for section in form.sections:
        yield ""
        yield from _ruled(f"{section.code} · {_side_by_side(section.title, languages)}")
        if section.stem:
            yield from _texts("stem", section.stem, languages, _INDENT)
        for code in section.items:
            yield ""
            yield from _item(form, form.item(code), languages)


def _item(form: Questionnaire, item: Item, languages: Sequence[str]) -> Iterator[str]:
    yield from textwrap.wrap(f"{item.code} · " + " · ".join(_traits(form, item)), WIDTH, subsequent_indent=_INDENT)
    yield from _texts("text", item.text, languages, _INDENT)
    if item.hint:
        yield from _texts("hint", item.hint, languages, _INDENT)
    if item.kind != "likert":
        yield from _options(item.options, languages)
    yield from _routing(form, item, languages)
    yield from _wrapped("source", item.source, _INDENT)


def _traits(form: Questionnaire, item: Item) -> Iterator[str]:
    yield f"{item.kind} ({item.scale})" if item.scale else item.kind
    if item.options_from:
        yield "options: the province's service fields"
    if item.kind == "number":
        yield f"{item.minimum} to {item.maximum}"
    if item.kind == "text":
        yield f"at most {item.max_length} characters"
    if item.factor:
        yield f"factor {item.factor}, area {item.area}"
    yield from (f"role {role}" for role, code in form.roles.items() if code == item.code)
    yield "required" if item.required else "may be left blank"
    if not item.decline:
        yield "no declining"
    if item.not_applicable:
        yield "may not apply"


def _routing(form: Questionnaire, item: Item, languages: Sequence[str]) -> Iterator[str]:
    """The conditions in words, one a line."""
    for name, joint, conditions in (("asked if", "and", item.ask_if), ("asked if any", "or", item.ask_if_any)):
        for number, condition in enumerate(conditions):
            told = _condition(form, condition, languages)
            yield from _wrapped("" if number else name, f"{joint} {told}" if number else told, _INDENT)


def _condition(form: Questionnaire, condition: Condition, languages: Sequence[str]) -> str:
    labels = {option.code: _side_by_side(option.text, languages) for option in form.item(condition.item).options}
    return f"{condition.item} = " + " or ".join(f"{code} ({labels[code]})" for code in condition.codes)


def _index(index: Index | None, languages: Sequence[str]) -> Iterator[str]:
    if index is None:
        return
    yield ""
    yield from _ruled(f"index · {len(index.items)} items · item method {index.item_method} · roll-up {index.roll_up}")
    for area in index.areas:
        yield from textwrap.wrap(f"area {area.code} · {_side_by_side(area.text, languages)}", WIDTH)
        for factor in index.factors:
            if factor.area == area.code:
                items = ", ".join(factor.items)
                yield from _wrapped(factor.code, f"{_side_by_side(factor.text, languages)} · {items}", _INDENT)
    left_out = [code for factor in index.factors for code in factor.items if code not in index.items]
    if left_out:
        yield from _wrapped("left out", "not in the headline index: " + ", ".join(left_out), "")


def _parts(parts: Parts | None) -> Iterator[str]:
    """Every part with its factors, and how likely an item of them is to be asked."""
    if parts is None:
        return
    yield ""
    chance = f"each factor is asked with probability {parts.draw}/{len(parts.factors)}"
    yield from _ruled(f"parts {parts.name} · {parts.draw} of {len(parts.factors)} factors a citizen · {chance}")
    for number, factors in enumerate(parts.drawn(), start=1):
        yield from _wrapped(f"{number} of {parts.of}", ", ".join(factors), "")


def _roles(form: Questionnaire) -> Iterator[str]:
    if form.roles:
        yield ""
        yield from _wrapped("roles", ", ".join(f"{role} = {code}" for role, code in form.roles.items()), "")
    if form.visit_codes:
        yield from _wrapped("visits", ", ".join(f"{visit} = {code}" for visit, code in form.visit_codes.items()), "")


def _options(options: Sequence[Option], languages: Sequence[str]) -> Iterator[str]:
    for option in options:
        lead = f"{_INDENT}{option.code:>4}  "
        yield from textwrap.wrap(
            _side_by_side(option.text, languages), WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead)
        )


def _texts(name: str, text: Text, languages: Sequence[str], indent: str) -> Iterator[str]:
    for language in languages:
        yield from _wrapped(f"{name} {language}", text[language], indent)


def _ruled(title: str) -> Iterator[str]:
    """A heading with a rule to the right edge."""
    lines = textwrap.wrap(f"── {title} ", WIDTH, subsequent_indent="   ")
    yield from lines[:-1]
    yield f"{lines[-1]} ".ljust(WIDTH, "─") if len(lines[-1]) < WIDTH else lines[-1]


def _wrapped(name: str, text: str, indent: str) -> Iterator[str]:
    lead = f"{indent}{name:<12} "
    for line in text.splitlines():
        yield from textwrap.wrap(
            line, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
        )
        lead = " " * len(lead)


def _side_by_side(text: Text, languages: Sequence[str]) -> str:
    return " / ".join(text[language] for language in languages)
