"""A tablet that asks on its own, as a person uses it: set up, begun, filled in, sent."""

from typing import Any

from playwright.sync_api import BrowserContext, Page

from tests.browser.conftest import CENTRE, Site, fill_screen
from tests.browser.tablet import new_code


def set_up(context: BrowserContext, site: Site, centre: str = CENTRE) -> Page:
    """Enrolled through its own page; the start screen is on."""
    return set_up_at(context, site.url, new_code(site.settings, centre))


def set_up_at(context: BrowserContext, url: str, code: str) -> Page:
    page = context.new_page()
    page.goto(f"{url}/enrol")
    page.locator("#code").fill(code)
    page.locator("button.forward").click()
    page.locator(".attract").wait_for()
    return page


def begin(page: Page, language: str = "vi") -> None:
    page.locator(f"button[value='start.{language}']").click()
    page.locator("#progress").wait_for()


def where(page: Page) -> str:
    return page.locator("#progress").inner_text()


def go(page: Page, button: str) -> None:
    """Press a button of the survey; the next screen stands at once. By key: a second tap on one place counts for nothing."""
    page.locator(f"button[value='{button}']:visible").press("Enter")


def on_last(page: Page) -> bool:
    return page.locator("button.forward[value=send]").count() == 1


def walk(page: Page, choice: int = 3) -> None:
    """From the screen that is on to the last one."""
    while not on_last(page):
        before = where(page)
        fill_screen(page, choice)
        go(page, "next")
        assert where(page) != before, "it stays on the same screen"


def thanked(page: Page) -> None:
    go(page, "send")
    page.locator(".thanks").wait_for()


def arrived(page: Page) -> None:
    """Wait until everything on the tablet is at the server; nothing of it was refused."""
    assert page.evaluate(_ARRIVED) == []


_ARRIVED = """async () => {
  const { openStorage } = await import('/static/kiosk/storage.js');
  const storage = await openStorage();
  for (let turn = 0; turn < 1500 && (await storage.counts()).unsent > 0; turn += 1) {
    await new Promise(next => setTimeout(next, 20));
  }
  const all = await storage.database.getAll('outbox');
  return all.filter(one => one.state !== 'sent').map(one => [one.state, one.errors]);
}"""


def last_kept(page: Page) -> dict[str, Any]:
    """The last response in the tablet's own storage."""
    kept: dict[str, Any] = page.evaluate(
        "import('/static/kiosk/storage.js').then(m => m.openStorage())"
        ".then(s => s.database.getAll('outbox')).then(all => all.at(-1).response)"
    )
    return kept
