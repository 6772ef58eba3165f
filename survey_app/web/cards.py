"""What a screen shows, ready for its template: cards with their answers, the heading, the hidden answers.

`cards_of`, `blank_cards`, `heading_of`, `hidden_answers`, `Card`, `Choice`. Each thing that can be read aloud carries the
name of its recording (`prompt`).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase
from typing import Literal

from babel.numbers import format_decimal
from wtforms import Field

from survey_app.audio import option_prompt
from survey_app.model import ServiceField
from survey_app.questionnaire import DECLINED, NOT_APPLICABLE, Item, Questionnaire
from survey_app.response import Answer
from survey_app.web.forms import PREFIX, answer_form
from survey_app.web.messages import say
from survey_app.web.screens import Answers, Screen, in_one_row

TWO_COLUMNS_FROM = 7


@dataclass(frozen=True)
class Choice:
    """One answer to tap. `quiet` ones are the ways not to choose; `face` is a drawing beside a satisfaction."""

    value: str
    label: str
    checked: bool
    quiet: bool
    face: int | None
    prompt: str


@dataclass(frozen=True)
class Card:
    """One question on a screen."""

    code: str
    name: str
    kind: str
    legend: str
    hint: str
    error: str
    layout: Literal["row", "list", "columns", "write"]
    number: str
    choices: tuple[Choice, ...]
    value: str
    item: Item

    @property
    def id(self) -> str:
        """An id for the page: no dots, so that it can be a selector as it is."""
        return "q-" + self.code.replace(".", "-")

    @property
    def prompt(self) -> str:
        return f"item.{self.code}"

    @property
    def hint_prompts(self) -> str:
        """The names of the hint's sentences among the recordings; that of the letters allowed is not spoken."""
        optional = self.kind == "text" and not self.item.required
        parts = ["message.optional"] * optional + [f"hint.{self.code}"] * bool(self.item.hint)
        return " ".join(parts + ["message.several"] * (self.kind == "choices"))

    @property
    def described_by(self) -> str:
        """The ids of what explains the question: its error, its hint."""
        return " ".join([self.id + "-error"] * bool(self.error) + [self.id + "-hint"] * bool(self.hint))

    @property
    def first_input(self) -> str:
        """Where the error summary leads."""
        return self.id + "-1"


def cards_of(
    questionnaire: Questionnaire,
    fields: Sequence[ServiceField],
    screen: Screen,
    language: str,
    answers: Answers,
    errors: Mapping[str, str],
    number: int,
) -> tuple[Card, ...]:
    """The items of the screen that are asked, in the citizen's language, with the answers given so far.

    Several on screen `number` 4 are called 4a, 4b, 4c.
    """
    items = screen.asked(questionnaire, answers)
    form = answer_form(items, fields, language, answers=answers)
    letters = [f"{number}{letter}" for letter in ascii_lowercase] if len(items) > 1 else [""]
    return tuple(
        _card(item, form[item.code], language, answers, errors.get(item.code, ""), letter)
        for item, letter in zip(items, letters, strict=False)
    )


def blank_cards(items: Sequence[Item], fields: Sequence[ServiceField], language: str) -> tuple[Card, ...]:
    """The items without answers, whatever leads to them: what a tablet keeps to ask on its own."""
    form = answer_form(items, fields, language)
    return tuple(_card(item, form[item.code], language, {}, "", "") for item in items)


def _card(item: Item, field: Field, language: str, answers: Answers, error: str, number: str) -> Card:
    given = answers.get(item.code)
    return Card(
        code=item.code,
        name=field.name,
        kind=item.kind,
        legend=item.text[language],
        hint=_hint(item, language),
        error=error,
        layout=_layout(item, field),
        number=number,
        choices=tuple(_choices(item, field, language)),
        value="" if given is None or given in (DECLINED, NOT_APPLICABLE) else str(given),
        item=item,
    )


def _choices(item: Item, field: Field, language: str) -> Iterator[Choice]:
    if item.kind in ("text", "number"):
        return
    for choice in field.iter_choices():
        quiet = choice.value.startswith("-")
        face = int(choice.value) if item.kind == "likert" and len(item.options) == 5 and not quiet else None
        yield Choice(choice.value, choice.label, choice.selected, quiet, face, option_prompt(item, choice.value))


def _layout(item: Item, field: Field) -> Literal["row", "list", "columns", "write"]:
    if item.kind in ("text", "number"):
        return "write"
    if in_one_row(item):
        return "row"
    options = sum(not choice.value.startswith("-") for choice in field.iter_choices())
    return "columns" if options >= TWO_COLUMNS_FROM else "list"


def _hint(item: Item, language: str) -> str:
    """The item's own hint, and what the kind of question calls for."""
    parts = [say(language, "optional")] * (item.kind == "text" and not item.required)
    parts += [item.hint[language]] if item.hint else []
    parts += [say(language, "several")] * (item.kind == "choices")
    if item.max_length is not None:
        parts.append(say(language, "characters", count=format_decimal(item.max_length, locale=language)))
    return " ".join(parts)


def heading_of(questionnaire: Questionnaire, screen: Screen, cards: Sequence[Card], language: str) -> str:
    """What stands above the cards: the section's stem, or its title over several cards; else the question itself."""
    section = questionnaire.section(screen.items[0].section)
    if section.stem:
        return section.stem[language]
    return section.title[language] if len(cards) > 1 else ""


def hidden_answers(questionnaire: Questionnaire, shown: Sequence[Card], answers: Answers) -> list[tuple[str, str]]:
    """Every answer that the page does not show, as hidden fields."""
    visible = {card.code for card in shown}
    return [
        (PREFIX + item.code, value)
        for item in questionnaire.items
        if item.code in answers and item.code not in visible
        for value in _values(answers[item.code])
    ]


def _values(answer: Answer) -> list[str]:
    return [str(code) for code in answer] if isinstance(answer, tuple) else [str(answer)]
