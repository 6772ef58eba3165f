"""The citizen's pages in a real browser: by finger, by keyboard, turned either way, and with nothing left behind."""

import re
import time
from collections.abc import Callable

import pytest
from playwright.sync_api import BrowserContext, Error, Page

from survey_app.store import Store
from tests.browser.conftest import (
    LANDSCAPE,
    PHONE,
    PORTRAIT,
    Contexts,
    Site,
    begin,
    fill_screen,
    forward,
    on_last,
    walk,
)

TARGET, GAP = 64, 12
TARGETS = "button:visible:not(.default), a.tool, a.step, label.answer .box, textarea"


def _boxes(page: Page, selector: str) -> list[dict[str, float]]:
    """Measured through the debugger: the page's own scripts stay off."""
    boxes: list[dict[str, float]] = page.locator(selector).evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(b => ({x: b.x, y: b.y, width: b.width, height: b.height}))"
    )
    return boxes


def _overflow(page: Page) -> tuple[float, float]:
    """How far the page is longer and wider than the window."""
    down, across = page.evaluate(
        "(e => [e.scrollHeight - innerHeight, e.scrollWidth - innerWidth])(document.documentElement)"
    )
    return down, across


def _assert_targets(page: Page) -> None:
    boxes = _boxes(page, TARGETS)
    assert boxes
    for box in boxes:
        assert box["height"] >= TARGET and box["width"] >= TARGET, (page.title(), box)
    for number, one in enumerate(boxes):
        for other in boxes[number + 1 :]:
            aside = max(other["x"] - one["x"] - one["width"], one["x"] - other["x"] - other["width"])
            below = max(other["y"] - one["y"] - one["height"], one["y"] - other["y"] - other["height"])
            assert max(aside, below) >= GAP - 0.5, (page.title(), one, other)


# ---- the whole way


def test_a_visit_by_finger(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE, has_touch=True).new_page()
    page.goto(site.url)
    with page.expect_navigation():
        page.locator("button[value='start.vi']").tap()
    before = len(site.stored())
    while not on_last(page):
        for card in page.locator("fieldset.card").all():
            card.locator(".answers .answer").last.tap()
        with page.expect_navigation():
            page.locator("button.forward").tap()
    page.locator("textarea").fill("Phục vụ tận tình, chu đáo")
    page.locator("button.forward").tap()
    page.wait_for_url("**/thanks**")
    assert len(site.stored()) == before + 1
    stored = site.stored()[-1]
    assert (stored.mode, stored.field) == ("page", "y-te")
    with Store.open(site.settings, write=False) as store:
        answers = store.stored_answers(stored.uuid)
    assert [answers[item] for item in ("OVERALL", "II.A1", "II.C3", "BACK", "PLACE", "COMMENT")] == [5, 5, 5, 2, 2, 1]


def test_a_visit_by_keyboard_alone(site: Site, tablets: Contexts) -> None:
    """Tab, arrows, space and Enter; the focus can be seen at every step."""
    page = tablets(LANDSCAPE).new_page()
    page.goto(site.url)
    _tab_to(page, "button[value='start.en']")
    page.keyboard.press("Enter")
    before = len(site.stored())
    for _ in range(30):
        last = on_last(page)
        for card in page.locator("fieldset.card").all():
            first = card.locator("input").first
            _tab_to(page, f"#{first.get_attribute('id')}")
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        title = page.title()
        with page.expect_navigation():
            _press(page, "button.forward") if last else page.keyboard.press("Enter")
        if last:
            break
        assert page.title() != title
    page.wait_for_url("**/thanks**")
    stored = site.stored()
    assert len(stored) == before + 1 and stored[-1].language == "en"


def _press(page: Page, selector: str) -> None:
    _tab_to(page, selector)
    page.keyboard.press("Enter")


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            assert page.locator(f"{selector}:focus-visible").count() == 1
            return
    raise AssertionError(f"the keyboard does not reach {selector} on {page.title()}")


def test_a_minute_is_enough(site: Site, tablets: Contexts) -> None:
    """The machine's own share of a visit, every screen included: the rest of the minute is the citizen's."""
    page = tablets(PORTRAIT, has_touch=True).new_page()
    started = time.monotonic()
    begin(page, site)
    taps = 1
    while not on_last(page):
        for card in page.locator("fieldset.card").all():
            card.locator(".answers .answer").nth(0).tap()
            taps += 1
        forward(page)
        taps += 1
    forward(page)
    assert page.url.startswith(f"{site.url}/thanks")
    spent = time.monotonic() - started
    assert spent < 20, f"{spent:.1f} s for {taps} taps"
    assert taps * 1.0 + spent < 60, f"{taps} taps at one a second and {spent:.1f} s of waiting"


# ---- both ways round


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_nothing_scrolls_on_a_tablet_and_fingers_hit(
    site: Site, tablets: Contexts, size: tuple[int, int], language: str
) -> None:
    page = tablets(size).new_page()
    page.goto(site.url)
    assert max(_overflow(page)) <= 0, "the start page scrolls"
    _assert_targets(page)
    begin(page, site, language)
    while True:
        assert max(_overflow(page)) <= 0, f"{page.title()} scrolls"
        _assert_targets(page)
        if on_last(page):
            break
        forward(page)
        assert page.locator("#errors:focus").count() == 1
        assert max(_overflow(page)) <= 0, f"{page.title()} scrolls with its errors"
        fill_screen(page)
        forward(page)
    with page.expect_navigation():
        page.locator("button[value=stop]").click()
    assert max(_overflow(page)) <= 0
    with page.expect_navigation():
        page.locator("button[value=stay]").click()
    forward(page)
    assert max(_overflow(page)) <= 0, "the thanks scroll"
    _assert_targets(page)


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])
@pytest.mark.parametrize("letters", [1, 2, 3])
def test_large_text_never_scrolls_sideways(site: Site, tablets: Contexts, size: tuple[int, int], letters: int) -> None:
    page = tablets(size).new_page()
    begin(page, site, "en", letters)
    while not on_last(page):
        assert _overflow(page)[1] <= 0, page.title()
        _assert_targets(page)
        fill_screen(page)
        forward(page)
    assert _overflow(page)[1] <= 0


def test_the_five_answers_look_alike(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE).new_page()
    begin(page, site)
    while page.locator("input[name='a-OVERALL']").count() == 0:
        fill_screen(page)
        forward(page)
    boxes = _boxes(page, ".answers .box")
    assert len(boxes) == 5
    assert len({(round(box["width"]), round(box["height"]), round(box["y"])) for box in boxes}) == 1
    words = [one.inner_text() for one in page.locator(".answers .words").all()]
    assert words == ["Rất không hài lòng", "Không hài lòng", "Bình thường", "Hài lòng", "Rất hài lòng"]
    aside = page.locator(".asides .box")
    assert aside.inner_text() == "Không trả lời" and aside.is_visible()


def test_a_choice_shows_at_once_and_moves_nothing(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE).new_page()
    begin(page, site)
    title, before = page.title(), _boxes(page, ".box")
    page.locator(".answers .answer").nth(3).click()
    assert page.locator(".tick:visible").count() == 1
    page.locator(".answers .answer").nth(4).click()
    assert page.locator(".tick:visible").count() == 1
    assert page.title() == title and _boxes(page, ".box") == before


# ---- nothing left behind


def _leftovers(context: BrowserContext) -> set[str]:
    return {cookie["name"] for cookie in context.cookies()}


def test_back_after_sending_shows_nothing_of_the_citizen(site: Site, tablets: Contexts) -> None:
    context = tablets(LANDSCAPE)
    page = context.new_page()
    begin(page, site)
    walk(page)
    page.locator("textarea").fill("chỉ mình tôi biết")
    forward(page)
    assert "/thanks" in page.url
    count = len(site.stored())
    for _ in range(5):
        _try(page, page.go_back)
        _assert_no_answers(page)
        _try(page, page.reload)  # where the browser asks whether to send the form again: yes
        _assert_no_answers(page)
    assert len(site.stored()) == count
    assert _leftovers(context) == {"device"}


def _try(page: Page, move: Callable[[], object]) -> None:
    """A move through history; the browser may stop at its question whether to send a form again."""
    try:
        move()
    except Error as error:
        if "ERR_CACHE_MISS" not in str(error):
            raise
    page.wait_for_timeout(300)
    page.wait_for_load_state()


def _assert_no_answers(page: Page) -> None:
    content = page.content()
    assert "chỉ mình tôi biết" not in content
    assert page.locator("input[type=hidden][name^='a-']").count() == 0
    assert page.locator("input:checked").count() == 0


def test_reload_on_the_way_loses_nothing_and_doubles_nothing(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE).new_page()
    begin(page, site)
    fill_screen(page)
    forward(page)
    title = page.title()
    page.reload()
    assert page.title() == title and page.locator("input[name='a-FIELD'][type=hidden]").count() == 1
    walk(page)
    count = len(site.stored())
    page.locator("button.forward").dblclick()
    page.wait_for_url("**/thanks**")
    page.reload()
    assert "/thanks" in page.url and len(site.stored()) == count + 1


def test_a_page_left_alone_goes_back_to_the_start(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE).new_page()

    def hurry(route: object) -> None:
        answer = route.fetch()  # type: ignore[attr-defined]
        headers = {**answer.headers, "refresh": answer.headers["refresh"].replace("120", "1")}
        route.fulfill(response=answer, headers=headers)  # type: ignore[attr-defined]

    page.route("**/survey", hurry)
    begin(page, site)
    assert page.locator("#progress").count() == 1
    page.wait_for_selector("button[value='start.vi']")


def test_the_console_stays_clean(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE, javascript=True).new_page()
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("requestfailed", lambda request: said.append(f"{request.url} {request.failure}"))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith(site.url) else None)
    begin(page, site)
    forward(page)
    walk(page)
    forward(page)
    # The browser itself breaks off an icon still on its way when the next page is asked for.
    failures = [line for line in said if not re.search(r"/icon\.svg\S* net::ERR_ABORTED$", line)]
    assert "/thanks" in page.url and failures == []
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]
    assert page.evaluate("caches.keys().then(keys => keys.length)") == 0
    # The page looked whether this tablet has storage of its own; nothing of a citizen is in it.
    assert page.evaluate("import('/static/kiosk/storage.js').then(m => m.openStorage()).then(s => s.counts())") == {
        "unsent": 0,
        "sent": 0,
        "staff": 0,
        "devices": [],
    }


def test_the_vendored_type_is_used(site: Site, tablets: Contexts) -> None:
    page = tablets(LANDSCAPE, javascript=True).new_page()
    begin(page, site)
    assert page.evaluate("document.fonts.ready.then(() => [...document.fonts].map(f => f.status))") == ["loaded"] * 2
