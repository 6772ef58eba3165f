"""A real `sipas serve` on a temporary instance, and Debian's Chromium to visit it as a tablet does."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.model import StoredResponse, Wave
from survey_app.province import read_centres, read_fields
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from tests.served import WAVE, Running, counter, enrol, serving

LANDSCAPE, PORTRAIT, PHONE = (1280, 800), (800, 1280), (390, 844)
CENTRE = "TINH"


@dataclass(frozen=True)
class Site:
    """The province's instance as served."""

    settings: Settings
    server: Running

    @property
    def url(self) -> str:
        return self.server.url

    def stored(self, disposition: str = "complete") -> list[StoredResponse]:
        with Store.open(self.settings, write=False) as store:
            return [response for response in store.responses(WAVE) if response.disposition == disposition]


def _instance(path: Path) -> Settings:
    """All centres and service fields of the province, with a wave open at each."""
    settings = create_instance(path)
    form, centres = counter(), read_centres()
    title = {"vi": "Thử", "en": "Trial"}
    with Store.create(settings) as store:
        store.add_centres(centres)
        store.add_fields(read_fields())
        codes = tuple(centre.code for centre in centres)
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), codes), form)
        store.open_wave(WAVE)
    return settings


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    settings = _instance(tmp_path_factory.mktemp("site") / "instance")
    with serving(settings) as running:
        yield Site(settings, running)


Contexts = Callable[..., BrowserContext]


@pytest.fixture
def tablets(site: Site, chromium: Browser) -> Iterator[Contexts]:
    """Makes browser contexts of enrolled tablets; JavaScript is off unless asked for."""
    made: list[BrowserContext] = []

    def make(size: tuple[int, int] = LANDSCAPE, *, javascript: bool = False, **options: Any) -> BrowserContext:
        context = chromium.new_context(
            viewport={"width": size[0], "height": size[1]}, java_script_enabled=javascript, **options
        )
        context.set_default_timeout(10_000)
        context.add_cookies([{"name": "device", "value": enrol(site.settings, CENTRE)[1], "url": site.url}])
        made.append(context)
        return context

    yield make
    for context in made:
        context.close()


_FILL = """choice => document.querySelectorAll("fieldset.card").forEach(card => {
    const answers = card.querySelectorAll(".answers input");
    const branch = {"a-VISIT": 1, "a-FEEDBACK": 0}[answers[0].name];
    answers[branch ?? Math.min(choice, answers.length - 1)].checked = true;
})"""


def fill_screen(page: Page, choice: int = 3) -> None:
    """Answer every question on the screen with the same place in its list, so as to see every branch.

    Done through the debugger, for speed; fingers and keys have tests of their own.
    """
    page.evaluate(_FILL, choice)


def forward(page: Page) -> None:
    with page.expect_navigation():
        page.locator("button.forward").click()


def begin(page: Page, site: Site, language: str = "vi", size: int = 1) -> None:
    page.goto(f"{site.url}/?size={size}")
    with page.expect_navigation():
        page.locator(f"button[value='start.{language}']").click()


def on_last(page: Page) -> bool:
    return page.locator("button.forward[value=send]").count() == 1


def walk(page: Page, choice: int = 3) -> None:
    """From the first question to the last screen."""
    while not on_last(page):
        fill_screen(page, choice)
        forward(page)
