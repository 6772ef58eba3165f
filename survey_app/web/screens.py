"""Which questions stand on which screen, and how far along a citizen is.

`screens`, `route`, `neighbour`, `Screen`. A screen holds one question, or up to three of the same factor (or of the
same section, where there is no factor) as separate cards, when each card's answers fit in one row. Items on a scale
that belong to no factor stand together only under their section's stem.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from survey_app.questionnaire import Item, Questionnaire, asked
from survey_app.response import Answer

CARDS = 3
ROW_OPTIONS = 5
ROW_LETTERS = 26
"""Options up to this number, with labels up to this length, fit side by side on a tablet."""
Answers = Mapping[str, Answer]


@dataclass(frozen=True)
class Screen:
    """One page of questions; `id` is the code of its first item."""

    id: str
    items: tuple[Item, ...]

    def asked(self, questionnaire: Questionnaire, answers: Answers) -> tuple[Item, ...]:
        """The items of this screen that the answers so far lead to."""
        return tuple(item for item in self.items if asked(questionnaire, item, answers))


@dataclass(frozen=True)
class Place:
    """Screen `number` of `total`, as the citizen counts them."""

    number: int
    total: int

    @property
    def last(self) -> bool:
        return self.number == self.total


def in_one_row(item: Item) -> bool:
    """Whether an item's answers stand side by side."""
    if item.kind == "likert":
        return True
    if item.kind != "choice" or item.options_from or len(item.options) > ROW_OPTIONS:
        return False
    return all(len(text) <= ROW_LETTERS for option in item.options for text in option.text.values())


def screens(questionnaire: Questionnaire) -> tuple[Screen, ...]:
    """All screens of a form, in order, whatever the answers."""
    found: list[Screen] = []
    run: list[Item] = []
    for item in questionnaire.items:
        if run and not _together(questionnaire, run, item):
            found.extend(_split(run))
            run = []
        run.append(item)
    found.extend(_split(run))
    return tuple(found)


def route(questionnaire: Questionnaire, answers: Answers) -> tuple[Screen, ...]:
    """The screens still possible: those whose items are asked, or may be asked once earlier ones are answered.

    So the total a citizen sees can only fall on the way, never grow.
    """
    return tuple(
        screen
        for screen in screens(questionnaire)
        if any(_possible(questionnaire, item, answers) for item in screen.items)
    )


def place_of(questionnaire: Questionnaire, answers: Answers, id: str) -> Place:
    """Where a screen stands on the route; `KeyError` when it is not on it."""
    ids = [screen.id for screen in route(questionnaire, answers)]
    if id not in ids:
        raise KeyError(id)
    return Place(ids.index(id) + 1, len(ids))


def neighbour(questionnaire: Questionnaire, answers: Answers, id: str, step: int) -> Screen | None:
    """The next (`step` 1) or previous (-1) screen with something to ask; None at either end."""
    every = screens(questionnaire)
    ids = [screen.id for screen in every]
    rest = every[ids.index(id) + 1 :] if step > 0 else reversed(every[: ids.index(id)])
    return next((screen for screen in rest if screen.asked(questionnaire, answers)), None)


def screen_with(questionnaire: Questionnaire, codes: Iterable[str]) -> Screen | None:
    """The first screen that holds one of the items."""
    wanted = set(codes)
    return next((s for s in screens(questionnaire) if any(item.code in wanted for item in s.items)), None)


def _together(questionnaire: Questionnaire, run: list[Item], item: Item) -> bool:
    """Whether an item may stand on one screen with those before it."""
    first = run[0]
    if not in_one_row(first) or not in_one_row(item):
        return False
    if (first.kind, first.section, first.factor, first.scale) != (item.kind, item.section, item.factor, item.scale):
        return False
    if item.kind == "likert" and item.factor is None and questionnaire.section(item.section).stem is None:
        return False
    return not {condition.item for condition in item.conditions} & {other.code for other in run}


def _split(run: list[Item]) -> list[Screen]:
    """A run of items over as few screens as needed, evenly: four make two and two."""
    if not run:
        return []
    count = -(-len(run) // CARDS)
    size, longer = divmod(len(run), count)
    found, at = [], 0
    for number in range(count):
        end = at + size + (number < longer)
        found.append(Screen(run[at].code, tuple(run[at:end])))
        at = end
    return found


def _possible(questionnaire: Questionnaire, item: Item, answers: Answers) -> bool:
    return item.is_asked(
        lambda condition: _holds_or_open(questionnaire, questionnaire.item(condition.item), condition.codes, answers)
    )


def _holds_or_open(questionnaire: Questionnaire, item: Item, codes: tuple[int, ...], answers: Answers) -> bool:
    if not _possible(questionnaire, item, answers):
        return False
    answer = answers.get(item.code)
    if answer is None:
        return True
    chosen = answer if isinstance(answer, tuple) else (answer,)
    return any(code in codes for code in chosen)
