"""The tablet's storage fails: at opening, at writing, by quota. The staff are told at once, and nothing is pretended."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.model import StoredResponse
from survey_app.store import Store
from tests.browser.conftest import Site, fill_screen, on_last, walk
from tests.browser.tablet import ENROL, new_code, open_modules, run
from tests.served import WAVE

BEGIN = "[value='start.vi']"
STAFF = "bộ nhớ của máy không lưu được"

CANNOT_OPEN = "IDBFactory.prototype.open = () => { throw new DOMException('broken', 'InvalidStateError'); };"
NEVER_OPENS = "IDBFactory.prototype.open = () => new EventTarget();"
CANNOT_WRITE = "IDBObjectStore.prototype.put = () => { throw new DOMException('full', 'QuotaExceededError'); };"
REFUSES_ANSWERS = """
const real = IDBObjectStore.prototype.add;
IDBObjectStore.prototype.add = function () { throw new DOMException("full", "QuotaExceededError"); };
"""
ABORTS_ANSWERS = """
const real = IDBObjectStore.prototype.add;
IDBObjectStore.prototype.add = function (...all) {
  const made = real.apply(this, all);
  made.addEventListener("success", () => made.transaction.abort());
  return made;
};
"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(60_000)
    yield made
    made.close()


def tablet(site: Site, context: BrowserContext, fault: str) -> tuple[Page, str]:
    """An enrolled tablet whose storage fails from now on; and its device."""
    page = open_modules(context, site.url)
    device: str = run(page, ENROL, new_code(site.settings))
    page.close()
    context.add_init_script(fault)
    return context.new_page(), device


def of(site: Site, device: str) -> list[StoredResponse]:
    with Store.open(site.settings, write=False) as store:
        return [
            response
            for response in store.responses(WAVE)
            if response.device == device and response.disposition == "complete"
        ]


def answer_all(page: Page) -> None:
    """Every question, up to and with the last button."""
    page.locator("fieldset.card").first.wait_for()
    while not on_last(page):
        before = page.title()
        fill_screen(page)
        page.locator("button.forward").click()
        page.wait_for_function("title => document.title !== title", arg=before)
    page.locator("button.forward").click()


@pytest.mark.parametrize("fault", [CANNOT_OPEN, NEVER_OPENS, CANNOT_WRITE], ids=["open", "open for ever", "write"])
def test_without_storage_the_servers_pages_go_on_and_the_staff_are_told(
    site: Site, context: BrowserContext, fault: str
) -> None:
    page, device = tablet(site, context, fault)
    page.goto(f"{site.url}/kiosk")
    page.wait_for_url("**/?online=1&trouble=*")
    assert STAFF in page.locator("[role=alert]").inner_text()
    with page.expect_navigation():
        page.locator("button[value='start.vi']").click()
    walk(page)
    page.locator("button.forward").click()
    page.wait_for_url("**/thanks**")
    assert [(one.mode, one.seq) for one in of(site, device)] == [("page", None)]


def test_without_storage_and_network_nobody_is_asked(site: Site, context: BrowserContext) -> None:
    page, _ = tablet(site, context, CANNOT_OPEN)
    page.route("**/healthz", lambda route: route.abort())
    page.goto(f"{site.url}/kiosk")
    page.locator("#app h1").wait_for()
    assert STAFF in page.locator("#app").inner_text()
    assert page.locator(BEGIN).count() == 0


@pytest.mark.parametrize("fault", [REFUSES_ANSWERS, ABORTS_ANSWERS], ids=["quota", "aborted"])
def test_an_answer_that_cannot_be_stored_goes_to_the_server_before_anybody_is_thanked(
    site: Site, context: BrowserContext, fault: str
) -> None:
    page, device = tablet(site, context, fault)
    page.goto(f"{site.url}/kiosk")
    page.locator(BEGIN).click()
    stored_at_thanks: list[int] = []
    page.expose_function("thanked", lambda: stored_at_thanks.append(len(of(site, device))))
    page.evaluate(
        """() => new MutationObserver((_, seen) => {
          if (document.querySelector(".thanks")) { seen.disconnect(); thanked(); }
        }).observe(document.body, { subtree: true, childList: true })"""
    )
    answer_all(page)
    page.locator(".thanks").wait_for()
    page.wait_for_timeout(0)
    assert [(one.mode, one.seq) for one in of(site, device)] == [("page", None)]
    page.locator(".forward").first.press("Enter")
    page.locator(BEGIN).wait_for()
    assert STAFF in page.locator("main").inner_text()
    assert stored_at_thanks == [1]


def test_an_answer_that_can_go_nowhere_is_not_called_saved(site: Site, context: BrowserContext) -> None:
    page, device = tablet(site, context, REFUSES_ANSWERS)
    page.goto(f"{site.url}/kiosk")
    page.locator(BEGIN).click()
    page.route("**/api/v1/responses", lambda route: route.abort())
    answer_all(page)
    page.locator("h1.alarm").wait_for()
    assert "Chưa gửi được" in page.locator("h1").inner_text() and page.locator(".thanks").count() == 0
    page.locator("button[value='send']").click()
    page.wait_for_function("() => document.querySelector('h1.alarm') && !document.querySelector('[aria-busy=true]')")
    assert of(site, device) == []
    page.unroute("**/api/v1/responses")
    page.locator("button[value='send']").click()
    page.locator(".thanks").wait_for()
    assert len(of(site, device)) == 1
