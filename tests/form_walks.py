"""Ways through a form for the tests: whatever bytes come, a valid response, and the extract's row that must follow.

`walk(form, turns, text)` answers item after item; each byte of `turns` picks one of what an item allows.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from survey_app.questionnaire import (
    BROKEN_OFF,
    DECLINED,
    NOT_APPLICABLE,
    NOT_ASKED,
    NOT_DRAWN,
    Item,
    Questionnaire,
    asked,
    load,
    shipped,
)

FORMS: Mapping[str, Questionnaire] = {".".join(key): load(path) for key, path in shipped().items()}


@dataclass(frozen=True)
class Walk:
    """What a response says, and every column that an extract must hold of it."""

    disposition: str
    part: Mapping[str, tuple[int, int]] | None
    answers: Mapping[str, Any]
    columns: Mapping[str, int]


def walk(form: Questionnaire, turns: Sequence[int], text: str | None) -> Walk:
    """One way through the form. The last three turns say whether it was finished, and which part was drawn."""
    *turns, ending, whole, number = turns
    part = (
        None if form.parts is None or whole % 4 == 0 else {form.parts.name: (1 + number % form.parts.of, form.parts.of)}
    )
    left_out = _left_out(form, part)
    answers: dict[str, Any] = {}
    columns: dict[str, int] = {}
    finished = ending % 8 > 0
    for item, turn in zip(form.items, turns, strict=True):
        code: Any = NOT_ASKED
        if not finished or item.code in left_out:
            code = NOT_DRAWN if item.code in left_out else BROKEN_OFF
        elif not item.options_from and asked(form, item, answers):
            code = _choose(item, turn, text)
            if code is not None:
                answers[item.code] = code
        columns |= _columns(item, code)
    return Walk("complete" if finished else "broken_off", part, answers, columns)


def turns_of(form: Questionnaire) -> int:
    return len(form.items) + 3


def _left_out(form: Questionnaire, part: Mapping[str, tuple[int, int]] | None) -> set[str]:
    """By the words of the format, not by the code that is tested: choices counted in lexicographic order."""
    if part is None or form.parts is None or form.index is None:
        return set()
    ((number, _),) = part.values()
    choices = itertools.combinations(range(len(form.parts.factors)), form.parts.draw)
    chosen = sorted(choices)[number - 1]
    absent = {factor for place, factor in enumerate(form.parts.factors) if place not in chosen}
    return {code for factor in form.index.factors if factor.code in absent for code in factor.items}


def _choose(item: Item, turn: int, text: str | None) -> Any:
    """The answer, or None for what is left blank."""
    if item.kind == "text":
        return text
    if item.kind == "choices":
        codes = tuple(sorted(option.code for place, option in enumerate(item.options) if turn >> place & 1))
        return codes or (DECLINED if item.decline else (item.options[0].code,))
    allowed = [option.code for option in item.options] or [item.minimum, item.maximum]
    allowed += [DECLINED] * item.decline + [NOT_APPLICABLE] * item.not_applicable
    return allowed[turn % len(allowed)]


def _columns(item: Item, code: Any) -> dict[str, int]:
    """Texts and the service field have no column among the answers."""
    if item.kind == "text" or item.options_from:
        return {}
    if item.kind != "choices":
        return {item.code: code}
    chosen = code if isinstance(code, tuple) else ()
    return {
        f"{item.code}_{option.code}": int(option.code in chosen) if isinstance(code, tuple) else code
        for option in item.options
    }
