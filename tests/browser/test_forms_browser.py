"""The forms for residents in a real browser: filled whole, without scrolling on a tablet, and sound for everybody."""

from collections.abc import Iterator, Sequence

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from survey_app.model import Wave
from survey_app.province import read_centres
from survey_app.questionnaire import DECLINED, NOT_ASKED
from survey_app.settings import create_instance
from survey_app.store import Store
from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Contexts, Site, begin, forward, on_last
from tests.browser.test_kiosk_axe import OPTIONS
from tests.browser.test_kiosk_browser import _assert_targets, _overflow
from tests.form_walks import FORMS
from tests.served import WAVE, serving

NEW_KINDS = {"INTEREST.1", "CHANNELS", "CONSULT.1", "TROUBLE", "EXPERIENCE.1", "I.A1", "II.B3", "NEED.1", "TERRAIN"}
"""One item of each kind of card that the counter form does not have."""


@pytest.fixture(scope="module")
def site(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """All centres of the province, with a wave of the form open at each; the whole form unless a test names another."""
    form, centres = FORMS[getattr(request, "param", "qd1001-2026.1")], read_centres()
    settings = create_instance(tmp_path_factory.mktemp("forms") / "instance")
    with Store.create(settings) as store:
        store.add_centres(centres)
        codes = tuple(centre.code for centre in centres)
        title = {"vi": "Thử", "en": "Trial"}
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), codes), form)
        store.open_wave(WAVE)
    with serving(settings) as running:
        yield Site(settings, running)


_FILL = """() => document.querySelectorAll("fieldset.card").forEach(card => {
    card.querySelector(".answers input").checked = true;
})"""


def fill(page: Page) -> None:
    """The first answer everywhere, and so every branch; through the debugger, for speed."""
    page.evaluate(_FILL)


def codes(page: Page) -> set[str]:
    names: list[str] = page.locator("fieldset.card input, textarea").evaluate_all("all => all.map(one => one.name)")
    return {name.removeprefix("a-") for name in names}


@pytest.mark.parametrize("site", ["qd1001-2026.1", "sipas-2022.1"], indirect=True)
def test_the_whole_form_by_finger(site: Site, tablets: Contexts) -> None:
    """Tap the last answer of every card, of several channels the first two; decline the occupation."""
    page = tablets(PORTRAIT, has_touch=True).new_page()
    page.goto(site.url)
    with page.expect_navigation():
        page.locator("button[value='start.vi']").tap()
    seen: set[str] = set()
    while True:
        seen |= codes(page)
        for card in page.locator("fieldset.card").all():
            if "several" in (card.get_attribute("class") or ""):
                for place in (0, 1):
                    card.locator(".answers .answer").nth(place).tap()
            elif card.locator("input[name='a-OCCUPATION']").count():
                card.locator(".aside").tap()
            elif card.locator(
                "input[name^='a-EXPERIENCE'], input[name='a-PROCEDURE'], input[name='a-FEEDBACK']"
            ).count():
                card.locator(".answers .answer").first.tap()
            else:
                card.locator(".answers .answer").last.tap()
        if page.locator("textarea").count():
            page.locator("textarea").fill("Đường thôn còn khó đi")
        last = on_last(page)
        with page.expect_navigation():
            page.locator("button.forward").tap()
        if last:
            break
    page.wait_for_url("**/thanks**")
    [response] = site.stored()
    with Store.open(site.settings, write=False) as store:
        form, answers = (
            store.questionnaire(response.questionnaire, response.version),
            store.stored_answers(response.uuid),
        )
    assert seen == {item.code for item in form.items} == set(answers) and NOT_ASKED not in answers.values()
    assert answers["OCCUPATION"] == DECLINED and answers["COMMENT"] == 1
    assert answers.get("CHANNELS", (1, 2)) == (1, 2)
    for item in form.items:
        if item.kind == "likert":
            assert answers[item.code] == len(item.options), item.code


@pytest.mark.parametrize("language", ["vi", "en"])
def test_every_card_has_room(site: Site, tablets: Contexts, language: str) -> None:
    """No sideways scrolling anywhere; on a tablet no scrolling at all, with the errors shown or without."""
    page = tablets(LANDSCAPE).new_page()
    begin(page, site, language)
    while True:
        _assert_room(page, (LANDSCAPE, PORTRAIT, PHONE))
        if on_last(page):
            break
        before = codes(page)
        if "COMMENT" not in before:
            forward(page)
            assert page.locator("#errors:focus").count() == 1
            _assert_room(page, (LANDSCAPE, PORTRAIT))
        fill(page)
        forward(page)
        assert codes(page).isdisjoint(before)


def _assert_room(page: Page, sizes: Sequence[tuple[int, int]]) -> None:
    """On a tablet neither down nor across, on a phone not across."""
    for width, height in sizes:
        page.set_viewport_size({"width": width, "height": height})
        assert max(_overflow(page)[1 if (width, height) == PHONE else 0 :]) <= 0, (page.title(), width)
        _assert_targets(page)


def test_every_new_kind_of_card_is_sound(site: Site, tablets: Contexts) -> None:
    """No violation of WCAG 2.0 to 2.2, levels A and AA, at first and with the errors shown."""
    page = tablets(PHONE, javascript=True).new_page()
    begin(page, site, "vi", size=2)
    seen: set[str] = set()
    while True:
        here = codes(page) & NEW_KINDS
        if here:
            seen |= here
            _assert_sound(page)
            forward(page)
            _assert_sound(page)
        if on_last(page):
            break
        fill(page)
        forward(page)
    assert seen == NEW_KINDS


def _assert_sound(page: Page) -> None:
    results = Axe().run(page, options=OPTIONS)
    assert results.violations_count == 0, f"{page.title()}\n{results.generate_report()}"
