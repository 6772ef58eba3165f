"""No violation of WCAG 2.0 to 2.2, levels A and AA, on any page of the tablet: language × text size × screen size.

Every screen of a visit is looked at in both languages and all three text sizes before the walk goes on.
"""

from collections.abc import Iterator
from pathlib import Path

import axe_playwright_python
import pytest
from playwright.sync_api import Browser, Page

from tests.browser.conftest import LANDSCAPE, PHONE, PORTRAIT, Site, fill_screen
from tests.browser.kiosk_app import begin, go, on_last, set_up, where
from tests.browser.test_kiosk_axe import OPTIONS

AXE = Path(axe_playwright_python.__file__).with_name("axe.min.js")
SIZES = pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])
RUN = """async options => (await axe.run(document, options)).violations.map(
  each => [each.id, each.nodes.map(node => node.html)])"""


@pytest.fixture
def page(site: Site, chromium: Browser, size: tuple[int, int]) -> Iterator[Page]:
    """Its own security policy would keep the checker out; that it holds is tested elsewhere."""
    context = chromium.new_context(viewport={"width": size[0], "height": size[1]}, bypass_csp=True)
    context.set_default_timeout(20_000)
    made = set_up(context, site)
    made.add_script_tag(path=AXE)
    yield made
    context.close()


def _assert_sound(page: Page) -> None:
    assert page.evaluate(RUN, OPTIONS) == [], page.title()


def _in_every_way(page: Page) -> None:
    """Both languages, three sizes of text; then as it was."""
    for language in ("en", "vi"):
        go(page, f"language.{language}")
        for letters in (1, 2, 3):
            go(page, f"size.{letters}")
            _assert_sound(page)
    go(page, "size.1")


@SIZES
def test_every_page_of_a_visit(page: Page) -> None:
    for letters in (3, 2, 1):
        go(page, f"size.{letters}")
        _assert_sound(page)
    begin(page)
    while True:
        _in_every_way(page)
        if where(page).split()[1] in ("1", "4"):
            go(page, "next")
            _assert_sound(page)
        if on_last(page):
            break
        fill_screen(page)
        go(page, "next")
    for language in ("en", "vi"):
        go(page, f"language.{language}")
        go(page, "stop")
        _assert_sound(page)
        go(page, "stay")
    go(page, "send")
    page.locator(".thanks").wait_for()
    _assert_sound(page)


@SIZES
def test_what_could_not_be_sent(page: Page) -> None:
    begin(page, "en")
    page.evaluate(
        "() => { IDBDatabase.prototype.transaction = () => { throw new DOMException('x', 'UnknownError'); }; }"
    )
    page.route("**/api/v1/responses", lambda route: route.abort())
    while not on_last(page):
        fill_screen(page)
        go(page, "next")
    go(page, "send")
    page.locator("h1.alarm").wait_for()
    _assert_sound(page)


COUNTDOWN = """async language => {
  const load = name => import(`/static/kiosk/${name}.js`);
  const [{ Idle }, { Pages }, { openStorage }] = await Promise.all(["idle", "screen", "storage"].map(load));
  const bundle = await (await openStorage()).kept("bundle");
  let ahead = 0;
  window.idle?.stop();
  const dialog = new Pages(bundle).frame(language, "still-there");
  window.idle = new Idle({ seconds: 120, onEnd() {}, dialog, steady: () => performance.now() + ahead });
  ahead = 105_000;
}"""


@SIZES
@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_countdown(page: Page, language: str) -> None:
    for letters in (1, 2, 3):
        go(page, f"size.{letters}")
        page.evaluate(COUNTDOWN, language)
        page.locator("dialog:modal").wait_for()
        _assert_sound(page)
        box = page.locator("dialog button").bounding_box()
        assert box and box["height"] >= 64
        page.evaluate("idle.stop()")
