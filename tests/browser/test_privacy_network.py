"""Nothing of a visit leaves for anywhere but the survey's own server; the notice stands on a tablet without scrolling."""

import json
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.store import Store
from tests.browser import kiosk_app
from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Contexts, Site, begin, fill_screen, forward, on_last


def watched(context: BrowserContext) -> list[str]:
    """Every address this context asks for from now on: by its pages, their workers, and their sockets."""
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    context.on("page", lambda page: page.on("websocket", lambda socket: asked.append(socket.url)))
    return asked


def strangers(asked: list[str], site: Site) -> list[str]:
    return [address for address in asked if not address.startswith((f"{site.url}/", "data:", "blob:"))]


def visit(page: Page, site: Site) -> None:
    begin(page, site)
    while not on_last(page):
        fill_screen(page)
        forward(page)
    forward(page)
    page.wait_for_url("**/thanks*")


@pytest.mark.parametrize("javascript", [False, True], ids=["pages alone", "with scripts"])
def test_a_whole_visit_speaks_to_its_own_server_alone(site: Site, tablets: Contexts, javascript: bool) -> None:
    context = tablets(javascript=javascript)
    asked = watched(context)
    page = context.new_page()
    page.goto(site.url)
    page.locator("a[href='/privacy']").click()
    page.wait_for_url("**/privacy")
    page.locator("a.forward").press("Enter")
    before = len(site.stored())
    visit(page, site)
    assert len(site.stored()) == before + 1
    assert len(asked) > 10
    assert strangers(asked, site) == []


def test_a_tablet_on_its_own_speaks_to_its_own_server_alone(site: Site, chromium: Browser) -> None:
    """From enrolling to an answer that has arrived: pages, service worker, sender."""
    with chromium.new_context(viewport={"width": 1280, "height": 800}) as context:
        context.set_default_timeout(30_000)
        asked = watched(context)
        page = kiosk_app.set_up(context, site)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.locator("a[href='/privacy']").click()
        page.wait_for_url("**/privacy")
        page.locator("a.forward").press("Enter")
        kiosk_app.begin(page)
        kiosk_app.walk(page)
        kiosk_app.thanked(page)
        kiosk_app.arrived(page)
        assert f"{site.url}/api/v1/responses" in asked and f"{site.url}/sw.js" in asked
        assert strangers(asked, site) == []


def test_the_notice_is_there_without_network(site: Site, chromium: Browser) -> None:
    with chromium.new_context() as context:
        context.set_default_timeout(30_000)
        page = kiosk_app.set_up(context, site)
        page.evaluate("navigator.serviceWorker.ready.then(() => true)")
        page.wait_for_function("navigator.serviceWorker.controller !== null")
        context.set_offline(True)
        page.locator("a[href='/privacy']").click()
        page.wait_for_url("**/privacy")
        assert page.locator("h1").inner_text() == "Câu trả lời của Ông/Bà được giữ thế nào"
        page.locator("a.forward").press("Enter")
        page.locator(".attract").wait_for()


def test_nothing_the_browser_says_of_itself_is_stored(site: Site, tablets: Contexts) -> None:
    page = tablets().new_page()
    visit(page, site)
    with Store.open(site.settings, write=False) as store:
        rows: Any = json.dumps([row.content for row in store.ledger_rows("thu-2026")])
    assert "VISIT" in rows and "Chrom" not in rows and "Mozilla" not in rows and "127.0.0.1" not in rows


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])
def test_the_notice_fits_a_tablet_and_can_be_read_by_everybody(
    site: Site, tablets: Contexts, size: tuple[int, int]
) -> None:
    page = tablets(size, javascript=True).new_page()
    page.goto(f"{site.url}/privacy")
    wide, high = page.evaluate("[document.documentElement.scrollWidth, document.documentElement.scrollHeight]")
    assert wide <= size[0]
    assert high <= size[1] or size == PHONE
    assert Axe().run(page).violations_count == 0
    box = page.locator("a.forward").bounding_box()
    assert box is not None and box["height"] >= 64
    page.locator("a.forward").press("Enter")
    assert page.url == f"{site.url}/"
