"""A questionnaire as frozen values. `survey_app.questionnaire` is the door to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from itertools import combinations
from math import comb
from typing import Literal

from survey_app.problems import SipasError

Text = Mapping[str, str]
Kind = Literal["likert", "choice", "choices", "number", "text"]

ITEM_METHODS = ("top2", "mean5", "mean01")
ROLL_UPS = ("pooled", "item_mean", "factor_mean", "area_mean")


class QuestionnaireError(SipasError):
    """A questionnaire file cannot be used; carries everything that is wrong with it."""


NOT_ASKED, NOT_APPLICABLE, DECLINED, BROKEN_OFF, NOT_DRAWN = -1, -2, -3, -4, -5


@dataclass(frozen=True)
class Option:
    code: int
    text: Text


@dataclass(frozen=True)
class Scale:
    id: str
    options: tuple[Option, ...]
    source: str


@dataclass(frozen=True)
class Condition:
    """Holds when `item` was answered with one of `codes`."""

    item: str
    codes: tuple[int, ...]


@dataclass(frozen=True)
class Item:
    """One question. `options` are the scale's for a likert item.

    It is asked if all conditions of `ask_if` hold, and at least one of `ask_if_any` where there are any.
    """

    code: str
    kind: Kind
    text: Text
    section: str
    source: str
    options: tuple[Option, ...] = ()
    options_from: str | None = None
    scale: str | None = None
    factor: str | None = None
    area: str | None = None
    ask_if: tuple[Condition, ...] = ()
    ask_if_any: tuple[Condition, ...] = ()
    required: bool = True
    decline: bool = True
    not_applicable: bool = False
    minimum: int | None = None
    maximum: int | None = None
    max_length: int | None = None
    hint: Text | None = None

    @cached_property
    def conditions(self) -> tuple[Condition, ...]:
        """Every condition that has a say in whether the item is asked."""
        return self.ask_if + self.ask_if_any

    @cached_property
    def always_asked(self) -> bool:
        return not self.conditions and not self.options_from

    def is_asked(self, holds: Callable[[Condition], bool]) -> bool:
        """The rule of routing, given which conditions hold."""
        return all(map(holds, self.ask_if)) and (not self.ask_if_any or any(map(holds, self.ask_if_any)))

    @cached_property
    def codes(self) -> frozenset[int]:
        return frozenset(option.code for option in self.options)

    @cached_property
    def plain_answers(self) -> frozenset[int]:
        """Every code that may answer the item when it is asked and takes one option: most answers are of these."""
        if self.kind not in ("likert", "choice"):
            return frozenset()
        missing = {DECLINED: self.decline, NOT_APPLICABLE: self.not_applicable}
        return (self.codes - missing.keys()) | {code for code, allowed in missing.items() if allowed}


@dataclass(frozen=True)
class Section:
    """Items that belong together; `stem` stands once above them ("Xin Ông/Bà cho biết mức độ hài lòng về …")."""

    code: str
    title: Text
    items: tuple[str, ...]
    stem: Text | None = None


@dataclass(frozen=True)
class Factor:
    code: str
    text: Text
    area: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Area:
    code: str
    text: Text


@dataclass(frozen=True)
class Index:
    items: tuple[str, ...]
    factors: tuple[Factor, ...]
    areas: tuple[Area, ...]
    item_method: str
    roll_up: str


@dataclass(frozen=True)
class Parts:
    """Each citizen is asked `draw` of the `factors`: one of the `of` choices, all of them equally likely.

    The choices are numbered from 1, in lexicographic order of `factors`: with three of which two are drawn, 1 is the
    first and second, 2 the first and third, 3 the second and third.
    """

    name: str
    factors: tuple[str, ...]
    draw: int
    of: int = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "of", comb(len(self.factors), max(0, self.draw)))

    def drawn(self) -> tuple[tuple[str, ...], ...]:
        """The factors of every part, in the order of their numbers."""
        return tuple(combinations(self.factors, self.draw))


Part = Mapping[str, tuple[int, int]]
"""Which part one citizen was asked: the name of the parts, and number and count."""


@dataclass(frozen=True)
class Questionnaire:
    id: str
    version: str
    title: Text
    authority: Text
    source: str
    intro: Text
    languages: tuple[str, ...]
    scales: tuple[Scale, ...]
    sections: tuple[Section, ...]
    items: tuple[Item, ...]
    index: Index | None
    roles: Mapping[str, str]
    visit_codes: Mapping[str, int]
    parts: Parts | None
    content: bytes = field(repr=False)
    sha256: str

    @cached_property
    def by_code(self) -> Mapping[str, Item]:
        return {item.code: item for item in self.items}

    def item(self, code: str) -> Item:
        return self.by_code[code]

    def section(self, code: str) -> Section:
        return next(section for section in self.sections if section.code == code)

    def part(self, number: int) -> Part | None:
        """The part of this number; None is the whole form, number 0. `KeyError`: no such part."""
        if number == 0:
            return None
        if self.parts is None or not 1 <= number <= self.parts.of:
            raise KeyError("no part of this form")
        return {self.parts.name: (number, self.parts.of)}

    def inclusion(self, item: Item) -> Fraction:
        """The probability with which a citizen is asked the item who is asked a part."""
        if self.parts is None or item.factor not in self.parts.factors:
            return Fraction(1)
        return Fraction(self.parts.draw, len(self.parts.factors))

    @cached_property
    def _left_out(self) -> tuple[frozenset[str], ...]:
        """Of each part, in order, the items of the factors that were not drawn."""
        if self.parts is None or self.index is None:
            return ()
        items = {factor.code: factor.items for factor in self.index.factors}
        return tuple(
            frozenset(code for factor in self.parts.factors if factor not in drawn for code in items[factor])
            for drawn in self.parts.drawn()
        )

    def left_out(self, part: Part | None) -> frozenset[str]:
        """The items that a part of this form leaves out; none where everything is asked. `KeyError`: no such part."""
        if not part:
            return frozenset()
        ((name, (number, of)),) = part.items() if len(part) == 1 else (("", (0, 0)),)
        if self.parts is None or (name, of) != (self.parts.name, self.parts.of) or not 1 <= number <= of:
            raise KeyError("no part of this form")
        return self._left_out[number - 1]

    def as_drawn(self, part: Part | None) -> "Questionnaire":
        """The form as a citizen meets it who is asked this part: without the items left out."""
        absent = self.left_out(part)
        if not absent:
            return self
        sections = (
            replace(section, items=tuple(code for code in section.items if code not in absent))
            for section in self.sections
        )
        items = tuple(item for item in self.items if item.code not in absent)
        return replace(self, sections=tuple(sections), items=items)
