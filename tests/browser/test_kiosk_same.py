"""One kiosk: whether the server or the tablet draws a screen, the citizen sees the same, letter for letter."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from tests.browser import conftest, kiosk_app
from tests.browser.conftest import LANDSCAPE, Contexts, Site, fill_screen
from tests.browser.kiosk_app import set_up

# What only one of the two needs: hidden fields, names of recordings, what moves the focus, the button to listen.
DRAWN = """() => {
  const form = document.querySelector("form.page").cloneNode(true);
  for (const input of form.querySelectorAll("input[type='hidden'], .listen")) input.remove();
  const source = document.querySelector("form.page");
  const [ticked, shown] = [source, form].map(one => [...one.querySelectorAll("input:not([type='hidden']), textarea")]);
  shown.forEach((input, place) => {
    if (input.matches("textarea")) input.textContent = ticked[place].value;
    else if (ticked[place].checked) input.setAttribute("checked", "");
    else input.removeAttribute("checked");
  });
  for (const element of [form, ...form.querySelectorAll("*")]) {
    for (const name of element.getAttributeNames()) {
      if (name.startsWith("data-") || name === "autofocus") element.removeAttribute(name);
    }
    if (element.matches("h1")) ["tabindex", "aria-describedby"].forEach(name => element.removeAttribute(name));
    if (element.matches("#errors")) element.removeAttribute("tabindex");
    element.classList.remove("heard");
    const names = element.getAttributeNames().sort().map(name => [name, element.getAttribute(name).trim()]);
    for (const [name] of names) element.removeAttribute(name);
    for (const [name, value] of names) element.setAttribute(name, value);
  }
  const html = form.outerHTML.replace(/\\s+/g, " ").replace(/ ?(<[^>]*>) ?/g, "\\n$1");
  return [document.title, document.documentElement.lang, document.documentElement.className, html];
}"""


@pytest.fixture
def tablet(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    context.set_default_timeout(20_000)
    yield set_up(context, site)
    context.close()


def _same(server: Page, tablet: Page) -> None:
    assert tablet.evaluate(DRAWN) == server.evaluate(DRAWN)


def _both(server: Page, tablet: Page, button: str) -> None:
    with server.expect_navigation():
        server.locator(f"button[value='{button}']:visible").click()
    kiosk_app.go(tablet, button)
    _same(server, tablet)


@pytest.mark.parametrize(("language", "choice"), [("vi", 3), ("en", 0)])
def test_every_screen_is_the_same_from_both(
    site: Site, tablets: Contexts, tablet: Page, language: str, choice: int
) -> None:
    server = tablets(LANDSCAPE).new_page()
    conftest.begin(server, site, language)
    kiosk_app.begin(tablet, language)
    _same(server, tablet)
    other = {"vi": "en", "en": "vi"}[language]
    while not conftest.on_last(server):
        if kiosk_app.where(tablet).split()[1] in ("1", "4", "11"):
            _both(server, tablet, "next")  # nothing answered: what is missing is asked for
        for page in (server, tablet):
            fill_screen(page, choice)
        if kiosk_app.where(tablet).split()[1] == "5":
            for button in ("size.2", f"language.{other}", "slow.1", "size.1", f"language.{language}", "back", "next"):
                _both(server, tablet, button)
        _both(server, tablet, "next")
    for page in (server, tablet):
        page.locator("textarea").fill("một < hai & ba")
    for button in ("stop", "stay", "back", "next"):
        _both(server, tablet, button)
