"""The staff page of a tablet, as staff use it: opened from the start screen, the PIN entered, read and tapped."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from playwright.sync_api import BrowserContext, Page, expect

from survey_app.pin import make_pin
from survey_app.store import Store
from tests.browser.conftest import Site
from tests.browser.kiosk_app import set_up
from tests.browser.tablet import draft, run

PIN, WRONG = "481516", "481517"


def give_pin(site: Site, centre: str, digits: str = PIN) -> None:
    with Store.open(site.settings) as store:
        store.set_pin(centre, make_pin(digits))


def open_staff(page: Page) -> None:
    page.locator(".attract button[value=staff]").click()
    page.locator(".staff-page").wait_for()


def type_pin(page: Page, digits: str = PIN) -> None:
    """On the keyboard."""
    expect(page.locator("[data-do=enter][aria-disabled=false]")).to_be_visible()
    for digit in digits:
        page.keyboard.press(digit)
    page.keyboard.press("Enter")


def tap_pin(page: Page, digits: str = PIN) -> None:
    """On the keys of the page."""
    expect(page.locator("[data-do=enter][aria-disabled=false]")).to_be_visible()
    for digit in digits:
        page.locator(f"[data-digit='{digit}']").click()
    page.locator("[data-do=enter]").click()


def enter(page: Page) -> None:
    """From the start screen to the facts."""
    open_staff(page)
    type_pin(page)
    page.locator("tbody tr").first.wait_for()


def fact(page: Page, name: str) -> str:
    return page.locator(f"[data-fact={name}]").inner_text()


def told(page: Page, words: str) -> None:
    """Wait until the page says so."""
    expect(page.locator(".told")).to_contain_text(words, timeout=30_000)


def tap(page: Page, action: str) -> None:
    page.locator(f"[data-do={action}]").click()


def queue(page: Page) -> list[list[str]]:
    """The rows of the table of tablets."""
    return [row.locator("th, td").all_inner_texts() for row in page.locator("tbody tr").all()]


def give(page: Page, **changes: Any) -> dict[str, Any]:
    """A citizen's response, kept by the tablet."""
    kept: dict[str, Any] = run(page, "return (await openStorage()).commit(given)", draft(**changes))
    return kept


@contextmanager
def offline(context: BrowserContext) -> Iterator[None]:
    context.set_offline(True)
    yield
    context.set_offline(False)


def tablet_of(context: BrowserContext, site: Site, centre: str) -> Page:
    """Set up, its app installed: it needs no network from now on."""
    page = set_up(context, site, centre)
    page.wait_for_function("() => navigator.serviceWorker.controller !== null")
    return page
