"""No violation of WCAG 2.0 to 2.2, levels A and AA, on any kind of page, in either language, at any size."""

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Contexts, Site, begin, fill_screen, forward, on_last

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22a", "wcag22aa", "best-practice"]
OPTIONS = {"runOnly": {"type": "tag", "values": RULES}, "resultTypes": ["violations"]}


def _assert_sound(page: Page) -> None:
    results = Axe().run(page, options=OPTIONS)
    assert results.violations_count == 0, f"{page.title()}\n{results.generate_report()}"


def _assert_sound_everywhere(page: Page) -> None:
    for width, height in (LANDSCAPE, PORTRAIT, PHONE):
        page.set_viewport_size({"width": width, "height": height})
        _assert_sound(page)


@pytest.mark.parametrize(("language", "size"), [("vi", 1), ("en", 2), ("vi", 3)])
def test_the_survey(site: Site, tablets: Contexts, language: str, size: int) -> None:
    page = tablets(LANDSCAPE, javascript=True).new_page()
    begin(page, site, language, size=size)
    while True:
        _assert_sound_everywhere(page)
        if on_last(page):
            break
        if page.locator("#progress").inner_text().split()[1] in ("1", "4", "11"):
            forward(page)
            _assert_sound_everywhere(page)
        fill_screen(page)
        forward(page)
    with page.expect_navigation():
        page.locator("button[value=stop]").click()
    _assert_sound_everywhere(page)
    with page.expect_navigation():
        page.locator("button[value=stay]").click()
    forward(page)
    _assert_sound(page)


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])
def test_the_pages_around_it(site: Site, tablets: Contexts, size: tuple[int, int]) -> None:
    context = tablets(size, javascript=True)
    page = context.new_page()
    for path in ("/", "/?size=3&slow=1&again=1", "/enrol", "/enrol?language=en"):
        page.goto(site.url + path)
        _assert_sound(page)
    page.locator("#code").fill("AAAA")
    page.locator("button.forward").click()
    page.locator("#code-error").wait_for()
    _assert_sound(page)
    context.clear_cookies()
    page.goto(site.url)
    _assert_sound(page)
