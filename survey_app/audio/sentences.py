"""What can be spoken of a form: every sentence a citizen meets, under the name by which pages ask for it.

`sentences`, `option_prompt`, `Sentence`, `text_hash`. A prompt is `item.CODE`, `hint.CODE`, `option.SCALE.CODE` (of a scale),
`option.ITEM.CODE` (of an item's own options), `field.CODE`, `heading.SECTION`, `error.missing.ITEM`, `intro.LINE`, or
`message.KEY` of the interface.
"""

import hashlib
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from survey_app.messages import messages
from survey_app.model import ServiceField
from survey_app.questionnaire import DECLINED, NOT_APPLICABLE, Item, Questionnaire
from survey_app.questionnaire.words import message

BEFORE = ("start_title",)
AFTER = (
    "start_begin", "start_again", "back", "next", "send", "stop", "decline", "not_applicable", "optional", "several",
    "last_note", "error_title", "not_sent_title", "not_sent", "not_sent_staff", "send_again", "still_there_title", "stop_title", "stop_note", "stop_no",
    "stop_yes", "thanks_title", "thanks_stored", "thanks_next", "thanks_done",
)  # fmt: skip
"""Messages that a citizen meets and that hold no number to be filled in."""


@dataclass(frozen=True)
class Sentence:
    """One sentence to be spoken: its prompt, and the text as the screen shows it."""

    prompt: str
    text: str

    @property
    def text_hash(self) -> str:
        return text_hash(self.text)


def text_hash(text: str) -> str:
    """What a recording remembers of the text it was spoken from: spaces and the form of accents do not count."""
    return hashlib.sha256(_one_line(text).encode()).hexdigest()


def shown_language(form: Questionnaire, language: str) -> str:
    """The language of the texts on the screen: a language without texts of its own shows the form's first."""
    return language if language in form.languages else form.languages[0]


def sentences(form: Questionnaire, fields: Sequence[ServiceField], language: str) -> tuple[Sentence, ...]:
    """Every sentence of the form in the order of the screens, as it is shown to someone who hears `language`.

    A prompt that would stand for two texts (a scale called as an item is) is left out: better silent than wrong.
    """
    shown = shown_language(form, language)
    found: dict[str, str] = {}
    torn: set[str] = set()
    for prompt, text in _spoken(form, fields, shown):
        line = _one_line(text)
        if found.setdefault(prompt, line) != line:
            torn.add(prompt)
    return tuple(Sentence(prompt, text) for prompt, text in found.items() if prompt not in torn)


def _spoken(form: Questionnaire, fields: Sequence[ServiceField], language: str) -> Iterator[tuple[str, str]]:
    yield from _messages(BEFORE, language)
    for number, line in enumerate(form.intro[language].strip().splitlines(), start=1):
        yield f"intro.{number}", line
    for section in form.sections:
        yield f"heading.{section.code}", (section.stem or section.title)[language]
        for code in section.items:
            yield from _item(form.item(code), fields, language)
    yield from _messages(AFTER, language)


def _item(item: Item, fields: Sequence[ServiceField], language: str) -> Iterator[tuple[str, str]]:
    yield f"item.{item.code}", item.text[language]
    if item.hint:
        yield f"hint.{item.code}", item.hint[language]
    for option in item.options:
        yield option_prompt(item, str(option.code)), option.text[language]
    if item.options_from:
        yield from ((option_prompt(item, field.code), field.label[language]) for field in fields)
    if item.required:
        yield f"error.missing.{item.code}", message("missing", item)[language]


def option_prompt(item: Item, value: str) -> str:
    """The prompt of an answer to an item, as a form sends it; the ways not to answer are sentences of the interface."""
    quiet = {str(DECLINED): "message.decline", str(NOT_APPLICABLE): "message.not_applicable"}
    if value in quiet:
        return quiet[value]
    return f"field.{value}" if item.options_from else f"option.{item.scale or item.code}.{value}"


def _messages(keys: Sequence[str], language: str) -> Iterator[tuple[str, str]]:
    table = messages()
    yield from ((f"message.{key}", table[key][language]) for key in keys)


def _one_line(text: str) -> str:
    return " ".join(unicodedata.normalize("NFC", text).split())
