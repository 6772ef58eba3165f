"""How the tablet looks on every screen: nothing scrolls at 100 %, fingers hit, large text and zoom lose nothing."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Site, fill_screen
from tests.browser.kiosk_app import begin, go, on_last, set_up, thanked, where
from tests.browser.test_kiosk_browser import _assert_targets, _overflow

TABLETS = pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])


@pytest.fixture
def context(chromium: Browser, size: tuple[int, int]) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": size[0], "height": size[1]})
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Page:
    return set_up(context, site)


@TABLETS
def test_nothing_scrolls_on_a_tablet_and_fingers_hit(page: Page) -> None:
    assert max(_overflow(page)) <= 0, "the start screen scrolls"
    _assert_targets(page)
    begin(page)
    while True:
        for language in ("en", "vi"):
            go(page, f"language.{language}")
            assert max(_overflow(page)) <= 0, f"{page.title()} scrolls"
            _assert_targets(page)
        if on_last(page):
            break
        go(page, "next")
        assert max(_overflow(page)) <= 0, f"{page.title()} scrolls with its errors"
        fill_screen(page)
        go(page, "next")
    go(page, "stop")
    assert max(_overflow(page)) <= 0
    _assert_targets(page)
    go(page, "stay")
    thanked(page)
    assert max(_overflow(page)) <= 0, "the thanks scroll"
    _assert_targets(page)


@TABLETS
def test_the_start_button_is_on_the_screen_in_the_largest_letters_too(page: Page) -> None:
    for letters in (1, 2, 3):
        go(page, f"size.{letters}")
        box = page.locator("button[value='start.vi']").bounding_box()
        assert box and box["y"] + box["height"] <= page.viewport_size["height"], letters  # type: ignore[index]


@pytest.mark.parametrize(
    ("size", "letters"),
    [(LANDSCAPE, 3), (PORTRAIT, 3), (PHONE, 1), (PHONE, 3), ((320, 256), 1), ((320, 200), 1)],
    ids=["landscape", "portrait", "phone", "phone-large", "zoom-400", "zoom-400-portrait"],
)
def test_large_text_and_zoom_never_scroll_sideways(page: Page, letters: int) -> None:
    """A tablet of 1280 by 800 at 400 % is a page of 320 by 200; text of size 3 is 200 %."""
    go(page, f"size.{letters}")
    assert _overflow(page)[1] <= 0, "the start screen"
    _assert_targets(page)
    begin(page, "en")
    while not on_last(page):
        assert _overflow(page)[1] <= 0, page.title()
        _assert_targets(page)
        _assert_nothing_cut(page)
        fill_screen(page)
        go(page, "next")
    assert _overflow(page)[1] <= 0
    thanked(page)
    assert _overflow(page)[1] <= 0


def _assert_nothing_cut(page: Page) -> None:
    """No text is wider than its box."""
    cut = page.evaluate(
        "[...document.querySelectorAll('h1, h2, .words, .tool, .step')].filter(e => e.clientWidth && e.scrollWidth > e.clientWidth + 1)"
        ".map(e => e.textContent)"
    )
    assert cut == [], page.title()


@pytest.mark.parametrize("size", [LANDSCAPE], ids=["landscape"])
def test_a_visit_by_keyboard_or_switch_alone(page: Page) -> None:
    """Tab and Enter or space, as a switch gives them; arrows choose; the focus can be seen at every step."""
    _tab_to(page, "button[value='start.en']")
    page.keyboard.press("Enter")
    page.locator("#progress").wait_for()
    while True:
        for card in page.locator("fieldset.card").all():
            _tab_to(page, f"#{card.locator('input').first.get_attribute('id')}")
            page.keyboard.press("Space")
            page.keyboard.press("ArrowDown")
        if on_last(page):
            break
        before = where(page)
        page.keyboard.press("Enter")
        assert where(page) != before
    _tab_to(page, "button.forward")
    page.keyboard.press("Space")
    page.locator(".thanks").wait_for()
    _tab_to(page, "a.forward")
    page.keyboard.press("Enter")
    page.locator(".attract").wait_for()


def _tab_to(page: Page, selector: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.locator(f"{selector}:focus").count():
            assert page.locator(f"{selector}:focus-visible").count() == 1
            return
    raise AssertionError(f"the keyboard does not reach {selector} on {page.title()}")


@pytest.mark.parametrize("size", [LANDSCAPE], ids=["landscape"])
def test_the_console_stays_clean_and_nobody_else_is_asked(site: Site, context: BrowserContext, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: said.append(request.url) if not request.url.startswith(site.url) else None)
    begin(page)
    while not on_last(page):
        fill_screen(page)
        go(page, "next")
    thanked(page)
    page.locator("a.forward").press("Enter")
    page.locator(".attract").wait_for()
    assert said == []
