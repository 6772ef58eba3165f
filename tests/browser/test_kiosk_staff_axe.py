"""The staff page and the set-up page: WCAG 2.0 to 2.2 A and AA, their targets, keys alone, nothing cut off."""

from collections.abc import Iterator

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Site
from tests.browser.staff_page import PIN, enter, give, give_pin, offline, open_staff, tablet_of, tap
from tests.browser.test_kiosk_axe import OPTIONS

CENTRE = "00733"
SIZES = [LANDSCAPE, PORTRAIT, PHONE]


@pytest.fixture(scope="module")
def pinned(site: Site) -> Site:
    give_pin(site, CENTRE)
    return site


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(pinned: Site, context: BrowserContext) -> Page:
    return tablet_of(context, pinned, CENTRE)


_SMALL = """() => [...document.querySelectorAll("button, a[href], input, [tabindex='0']")]
  .filter(one => one.checkVisibility() && !one.classList.contains("skip") && !one.matches(".wide"))
  .map(one => [one.textContent.trim(), one.getBoundingClientRect()])
  .filter(([, box]) => box.height < 64 || box.width < 64).map(([text, box]) => [text, box.width, box.height])"""


def assert_sound(page: Page) -> None:
    for width, height in SIZES:
        page.set_viewport_size({"width": width, "height": height})
        results = Axe().run(page, options=OPTIONS)
        assert results.violations_count == 0, f"{page.title()} at {width}\n{results.generate_report()}"
        assert page.evaluate(_SMALL) == []
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), f"cut off at {width}"


def fits(page: Page) -> bool:
    """Nothing scrolls on a tablet, on its side or upright."""
    fitting = []
    for width, height in (LANDSCAPE, PORTRAIT):
        page.set_viewport_size({"width": width, "height": height})
        fitting.append(page.evaluate("document.documentElement.scrollHeight <= innerHeight"))
    return all(fitting)


def test_the_pin_page(page: Page) -> None:
    open_staff(page)
    assert fits(page)
    assert_sound(page)
    tap(page, "language")
    assert_sound(page)


def test_the_state_with_everything_on_it(page: Page, context: BrowserContext) -> None:
    with offline(context):
        give(page)
        enter(page)
        assert fits(page)
        assert_sound(page)
        tap(page, "export")
        page.locator(".files a").first.wait_for()
        assert_sound(page)
        tap(page, "language")
        assert_sound(page)


def test_enlarged_to_400_per_cent_nothing_is_lost(page: Page) -> None:
    """1280 pixels at 400 per cent are 320 (WCAG 1.4.10): only up and down is scrolled, and the table within itself."""
    enter(page)
    page.set_viewport_size({"width": 320, "height": 256})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_with_keys_alone(page: Page) -> None:
    """Tab and space on the keys of the page; the focus begins on the heading and every key shows it."""
    open_staff(page)
    assert page.evaluate("document.activeElement.tagName") == "H1"
    names = []
    for _ in range(13):
        page.keyboard.press("Tab")
        names.append(page.evaluate("document.activeElement.textContent.trim()"))
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert names == ["1", "2", "3", "4", "5", "6", "7", "8", "9", "Xóa", "0", "Vào", "Về trang đầu"]
    for digit in PIN:
        page.locator(f"[data-digit='{digit}']").focus()
        page.keyboard.press("Space")
    page.locator("[data-do=enter]").focus()
    page.keyboard.press("Enter")
    page.locator("tbody tr").first.wait_for()
    page.locator("[data-do=send]").focus()
    page.keyboard.press("Enter")
    page.locator(".told", has_text="Phiếu còn chờ gửi: 0.").wait_for()
