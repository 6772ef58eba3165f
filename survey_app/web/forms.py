"""The form of a whole questionnaire, as WTForms fields: one for each item, built by its kind.

`answer_form`, `read_answers`, `PREFIX`. The items on the screen are shown; the others travel as hidden fields of the
same names. Whether the answers fit is for `questionnaire.check`: a value that cannot be read counts as not given.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from werkzeug.datastructures import MultiDict
from wtforms import Field, IntegerField, RadioField, SelectChoice, SelectMultipleField, TextAreaField
from wtforms.form import BaseForm

from survey_app.model import ServiceField
from survey_app.questionnaire import DECLINED, NOT_APPLICABLE, Item, Questionnaire
from survey_app.response import MAX_NUMBER, MAX_TEXT, Answer, tidy_text
from survey_app.web.messages import say

PREFIX = "a-"


def _choices(item: Item, language: str, fields: Sequence[ServiceField]) -> list[SelectChoice]:
    """The options in the official order, then the ways not to choose one of them."""
    if item.options_from:
        found = [SelectChoice(field.code, field.label[language]) for field in fields]
    else:
        found = [SelectChoice(str(option.code), option.text[language]) for option in item.options]
    if item.not_applicable:
        found.append(SelectChoice(str(NOT_APPLICABLE), say(language, "not_applicable")))
    if item.decline:
        found.append(SelectChoice(str(DECLINED), say(language, "decline")))
    return found


def _code(text: int | str) -> int:
    """A whole number such as the protocol carries; `ValueError` otherwise."""
    if not re.fullmatch(r"-?[0-9]{1,10}", str(text)) or abs(int(text)) > MAX_NUMBER:
        raise ValueError("not a code")
    return int(text)


def _one(item: Item, language: str, fields: Sequence[ServiceField]) -> Any:
    choices = _choices(item, language, fields)
    if not item.options_from:
        return RadioField(choices=choices, coerce=_code, validate_choice=False)
    offered = {choice.value for choice in choices}

    def known(code: str) -> str:
        if code not in offered:
            raise ValueError("not a service field offered")
        return code

    return RadioField(choices=choices, coerce=known, validate_choice=False)


def _several(item: Item, language: str, fields: Sequence[ServiceField]) -> Any:
    return SelectMultipleField(choices=_choices(item, language, fields), coerce=_code, validate_choice=False)


class NumberField(IntegerField):  # type: ignore[misc]
    """A number, or the code of a reason not to give one, sent under the same name."""

    def process_formdata(self, valuelist: list[str]) -> None:
        given = [value for value in valuelist if value.strip()]
        self.data = _code(given[0]) if given else None


def _number(item: Item, language: str, fields: Sequence[ServiceField]) -> Any:
    return NumberField()


def _text(item: Item, language: str, fields: Sequence[ServiceField]) -> Any:
    return TextAreaField()


BUILDERS: Mapping[str, Callable[[Item, str, Sequence[ServiceField]], Any]] = {
    "likert": _one,
    "choice": _one,
    "choices": _several,
    "number": _number,
    "text": _text,
}


def answer_form(
    items: Sequence[Item],
    fields: Sequence[ServiceField],
    language: str,
    sent: "MultiDict[str, str] | None" = None,
    answers: Mapping[str, Answer] | None = None,
) -> BaseForm:
    """Each item as a field named by its code, filled with what was sent, or with answers known already."""
    form = BaseForm({item.code: BUILDERS[item.kind](item, language, fields) for item in items}, prefix=PREFIX)
    form.process(sent, data={item.code: _as_data(item, (answers or {}).get(item.code)) for item in items})
    return form


def _as_data(item: Item, answer: Answer | None) -> object:
    """An answer as its field takes it: of a question with several answers always a list."""
    return (answer,) if item.kind == "choices" and isinstance(answer, int) else answer


def read_answers(questionnaire: Questionnaire, form: BaseForm) -> dict[str, Answer]:
    """What was given, by item; an item without a readable value is left out."""
    found = {}
    for item in questionnaire.items:
        answer = _answer(item, form[item.code])
        if answer is not None:
            found[item.code] = answer
    return found


def _answer(item: Item, field: Field) -> Answer | None:
    if field.process_errors or field.data in (None, "", []):
        return None
    if item.kind == "text":
        return _plain(str(field.data)) or None
    if item.kind != "choices":
        value: Answer = field.data
        return value
    codes = tuple(sorted(set(field.data)))
    return codes[0] if len(codes) == 1 and codes[0] < 0 else codes


def _plain(text: str) -> str:
    """What a citizen wrote without the characters that no keyboard types: nobody is turned away for them."""
    kept = (sign for sign in tidy_text(text) if sign in "\n\t" or unicodedata.category(sign) not in ("Cc", "Cs"))
    return "".join(kept).strip()[:MAX_TEXT]
