"""The tablet's rules against the server's: on answers of every kind, sound and broken, over all forms that are shipped."""

import random
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from survey_app.model import ServiceField
from survey_app.questionnaire import DECLINED, Item, Questionnaire, asked
from survey_app.questionnaire.words import message
from survey_app.web.plain import plain
from survey_app.web.screens import neighbour, place_of, route, screens
from survey_app.web.sending import asked_only, complaints
from survey_app.web.sheet import new_sheet
from tests.browser.conftest import Site
from tests.form_walks import FORMS
from tests.kiosk_pages import Clock

FIELDS = [ServiceField(code, {"vi": code, "en": code}, "test") for code in ("dat-dai", "ho-tich")]
TRIES = 150
TEXTS = ("x", " ", "", "Ông/Bà ơi\nxuống dòng", "y" * 1001, "😀" * 1000)

RULES = """async ({form, screens, fields, tries, part}) => {
  const { Form } = await import("/static/kiosk/form.js");
  const { notDrawn } = await import("/static/kiosk/parts.js");
  const rules = new Form({form, screens, fields}, notDrawn(form, part));
  return tries.map(answers => ({
    asked: form.items.filter(item => rules.asked(item.code, answers)).map(item => item.code),
    route: rules.route(answers).map(screen => screen.id),
    places: rules.route(answers).map(screen => Object.values(rules.place(answers, screen.id))),
    next: rules.route({}).map(screen => rules.neighbour(answers, screen.id, 1)?.id ?? null),
    before: rules.route({}).map(screen => rules.neighbour(answers, screen.id, -1)?.id ?? null),
    kept: rules.askedOnly(answers),
    complaints: rules.complaints(answers),
  }));
}"""


@pytest.fixture(scope="module")
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context()
    made = context.new_page()
    made.goto(f"{site.url}/enrol")  # unlike the thanks, it stays
    yield made
    context.close()


def _answer(item: Item, dice: random.Random) -> Any:
    """What a page may send for an item, or what it may not."""
    if dice.random() < 0.25:
        return None
    if item.options_from:
        return dice.choice(["dat-dai", "ho-tich", "khong-co", DECLINED])
    if dice.random() < 0.1:
        return dice.choice([DECLINED, -2, 0, 7, 99])
    if item.kind == "text":
        return dice.choice(TEXTS) or None
    if item.kind == "number":
        return dice.choice([item.minimum, item.maximum, (item.maximum or 0) + 1])
    codes = [option.code for option in item.options]
    if item.kind == "choices":
        return sorted(dice.sample(codes, dice.randint(1, len(codes)))) + [99] * (dice.random() < 0.1)
    return dice.choice(codes)


def _as_page(form: Questionnaire, answers: Mapping[str, Any]) -> dict[str, Any]:
    """The same answers as the server's pages hold them: lists as tuples, a declined field as text."""
    found: dict[str, Any] = {
        code: tuple(given) if isinstance(given, list) else given for code, given in answers.items()
    }
    field = form.roles.get("field")
    if field in found and found[field] == DECLINED:
        found[field] = str(DECLINED)
    return found


def _by_the_server(form: Questionnaire, given: Mapping[str, Any]) -> dict[str, Any]:
    answers = _as_page(form, given)
    sheet = new_sheet("thu-2026", Clock().now)
    way = route(form, answers)
    kept = asked_only(form, answers)
    back = {code: given[code] for code in kept}
    return {
        "asked": [item.code for item in form.items if asked(form, item, answers)],
        "route": [screen.id for screen in way],
        "places": [
            [place.number, place.total, place.last] for place in (place_of(form, answers, screen.id) for screen in way)
        ],
        "next": [getattr(neighbour(form, answers, screen.id, 1), "id", None) for screen in screens(form)],
        "before": [getattr(neighbour(form, answers, screen.id, -1), "id", None) for screen in screens(form)],
        "kept": back,
        "complaints": complaints(form, sheet, answers, FIELDS),
    }


PARTS = [
    (name, number) for name, form in sorted(FORMS.items()) for number in range((form.parts.of if form.parts else 0) + 1)
]


@pytest.mark.parametrize(("name", "number"), PARTS)
def test_the_tablet_asks_and_checks_as_the_server_does(page: Page, name: str, number: int) -> None:
    """With every part of the form; number 0 is the whole of it."""
    whole, dice = FORMS[name], random.Random(f"{name}{number}")
    part = {whole.parts.name: (number, whole.parts.of)} if whole.parts and number else None
    form, tries = whole.as_drawn(part), []
    for _ in range(TRIES):
        given = {item.code: _answer(item, dice) for item in form.items}
        tries.append({code: answer for code, answer in given.items() if answer is not None})
    argument = {
        "form": plain(whole),
        "part": plain(part),
        "screens": [{"id": screen.id, "items": [item.code for item in screen.items]} for screen in screens(whole)],
        "fields": [{"code": field.code} for field in FIELDS],
        "tries": tries,
    }
    for given, told in zip(tries, page.evaluate(RULES, argument), strict=True):
        told["complaints"] = {
            code: message(problem, form.item(code))["vi"] for code, problem in told["complaints"].items()
        }
        assert told == _by_the_server(form, given), given


def test_the_tries_are_not_all_alike(page: Page) -> None:
    """Both sound and broken forms, both long ways and short ones, or the test above proves little."""
    form, dice = FORMS["counter.1"], random.Random("counter.1")
    ways, sound = set(), 0
    for _ in range(400):
        given = {item.code: _answer(item, dice) for item in form.items}
        answers = {code: answer for code, answer in given.items() if answer is not None}
        ways.add(len(route(form, _as_page(form, answers))))
        sound += (
            not {"VISIT", "FEEDBACK"}
            & complaints(form, new_sheet("w", Clock().now), _as_page(form, answers), FIELDS).keys()
        )
    assert len(ways) >= 3 and 100 < sound < 390
