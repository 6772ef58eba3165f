"""The one validation of answers: routing, missing codes, and every answer held against its item.

`asked`, `check`, `Checked`, `AnswerProblem`.
"""

from collections.abc import Collection, Container, Mapping
from dataclasses import dataclass, field

from survey_app.questionnaire.model import (
    BROKEN_OFF,
    DECLINED,
    NOT_APPLICABLE,
    NOT_ASKED,
    NOT_DRAWN,
    Condition,
    Item,
    Questionnaire,
    Text,
)
from survey_app.questionnaire.words import message
from survey_app.response import Answer, Response

GIVEN = 1

Code = int | tuple[int, ...]


@dataclass(frozen=True)
class AnswerProblem:
    """One thing wrong with one answer: `code` for machines, `message` for the citizen who can put it right."""

    item: str
    code: str
    message: Text

    def __str__(self) -> str:
        return f"{self.item}:{self.code}"


@dataclass(frozen=True)
class Checked:
    """Every item's code, the missing codes filled in; of a text only that it was given. No problems: valid."""

    codes: Mapping[str, Code]
    texts: Mapping[str, str] = field(default_factory=dict)
    problems: tuple[AnswerProblem, ...] = ()


def asked(questionnaire: Questionnaire, item: Item | str, answers: Mapping[str, Answer]) -> bool:
    """Whether routing leads to the item: its conditions hold, and so do those of the items they name.

    Answers to items that are not asked themselves (left from before the citizen went back) count for nothing.
    """
    if isinstance(item, str):
        item = questionnaire.item(item)
    return item.is_asked(
        lambda condition: (
            _meets(answers.get(condition.item), condition) and asked(questionnaire, condition.item, answers)
        )
    )


def check(questionnaire: Questionnaire, response: Response, fields: Collection[str]) -> Checked:
    """Hold a response against its form. `fields`: the codes of the service fields known.

    Missing codes are filled in: −1 not asked, −4 broken off, −5 not drawn; an optional item left blank is −3. A
    response that was not completed carries no answers: every item drawn is −4. Never raises; problems name the item.
    """
    problems = _check_envelope(questionnaire, response)
    not_drawn, part_problems = _not_drawn(questionnaire, response)
    problems += part_problems
    known = questionnaire.by_code
    problems += [_problem(code, "unknown_item") for code in response.answers if code not in known]
    if response.disposition != "complete":
        problems += [_problem(code, "not_complete") for code in response.answers if code in known]
        codes: dict[str, Code] = {item.code: BROKEN_OFF for item in questionnaire.items}
        codes.update(dict.fromkeys(not_drawn, NOT_DRAWN))
        return Checked(codes, problems=tuple(problems))

    codes, texts = {}, {}
    for item in questionnaire.items:
        answer = response.answers.get(item.code)
        if type(answer) is int and item.always_asked and answer in item.plain_answers and not not_drawn:
            codes[item.code], code = answer, None  # most answers are such
        elif item.options_from:
            codes[item.code], code = _field_code(response, item, fields)
        elif item.code in not_drawn:
            codes[item.code], code = NOT_DRAWN, None if answer is None else "not_asked"
        elif item.conditions and not item.is_asked(lambda condition: _meets(codes.get(condition.item), condition)):
            codes[item.code], code = NOT_ASKED, None if answer is None else "not_asked"
        elif type(answer) is int and answer in item.plain_answers:
            codes[item.code], code = answer, None
        else:
            codes[item.code], code = _answer_code(item, answer)
            if isinstance(answer, str) and code is None:
                texts[item.code] = answer
        if code:
            problems.append(_problem(item, code))
    return Checked(codes, texts, tuple(problems))


def _meets(answer: Answer | None, condition: Condition) -> bool:
    if isinstance(answer, tuple):
        return any(code in condition.codes for code in answer)
    return answer in condition.codes


def _check_envelope(questionnaire: Questionnaire, response: Response) -> list[AnswerProblem]:
    problems = []
    if (response.questionnaire, response.version) != (questionnaire.id, questionnaire.version):
        problems.append(_problem("questionnaire", "other_questionnaire"))
    if response.language not in questionnaire.languages:
        problems.append(_problem("language", "unknown_language"))
    known = questionnaire.by_code
    problems += [_problem(code, "unknown_item") for code in response.durations if code not in known]
    field_item = questionnaire.roles.get("field")
    if response.field is not None and field_item is None:
        problems.append(_problem("field", "unknown_field"))
    return problems


def _not_drawn(questionnaire: Questionnaire, response: Response) -> tuple[frozenset[str], list[AnswerProblem]]:
    """The items that the response's part leaves out; a part must be one of this form's."""
    try:
        return questionnaire.left_out(response.part), []
    except KeyError:
        return frozenset(), [_problem(f"part.{name}", "bad_part") for name in response.part or ()]


def _field_code(response: Response, item: Item, fields: Collection[str]) -> tuple[int, str | None]:
    """The service field travels in the envelope; among the answers it has no place."""
    if item.code in response.answers:
        return DECLINED, "not_asked"
    if response.field is None:
        return DECLINED, None if item.decline else "missing"
    return (GIVEN, None) if response.field in fields else (DECLINED, "unknown_field")


def _answer_code(item: Item, answer: Answer | None) -> tuple[Code, str | None]:
    """The code of an asked item, and what is wrong with the answer if anything is (then the code means nothing)."""
    if answer is None:
        return DECLINED, "missing" if item.required else None
    if type(answer) is int and answer in (DECLINED, NOT_APPLICABLE):
        return answer, _missing_problem(item, answer)
    if item.kind == "text":
        return GIVEN, _text_problem(item, answer)
    if item.kind == "choices":
        if isinstance(answer, tuple) and answer and all(type(code) is int and code in item.codes for code in answer):
            return answer, None
    elif type(answer) is int and answer in _range(item):
        return answer, None
    return DECLINED, "bad_value"


def _missing_problem(item: Item, code: int) -> str | None:
    if code == DECLINED:
        return None if item.decline else "not_declinable"
    return None if item.not_applicable else "not_applicable"


def _range(item: Item) -> Container[int]:
    return range(item.minimum or 0, (item.maximum or 0) + 1) if item.kind == "number" else item.codes


def _text_problem(item: Item, answer: Answer) -> str | None:
    if not isinstance(answer, str):
        return "bad_value"
    if not answer.strip():
        return "empty"
    return "too_long" if len(answer) > (item.max_length or 0) else None


def _problem(item: Item | str, code: str) -> AnswerProblem:
    if isinstance(item, str):
        return AnswerProblem(item, code, message(code, None))
    return AnswerProblem(item.code, code, message(code, item))
