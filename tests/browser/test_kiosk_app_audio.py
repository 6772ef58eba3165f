"""A citizen who cannot read: hears which language to take, then each question, on a tablet that has lost its network."""

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page

from survey_app.audio import audio_of, sentences
from survey_app.province import read_fields
from tests.browser.conftest import LANDSCAPE, PHONE, Site, fill_screen
from tests.browser.kiosk_app import arrived, go, last_kept, set_up, thanked, walk
from tests.browser.test_kiosk_audio import until
from tests.served import counter
from tests.test_audio import make_pack

SOUND = """() => { const real = window.Audio; window.heard = [];
  window.Audio = function () { const made = new real();
    made.addEventListener("ended", () => window.heard.push(new URL(made.src).pathname)); return made; }; }"""
KEPT = "await caches.open('sipas-audio').then(cache => cache.keys()).then(keys => keys.length === {})"


@pytest.fixture(scope="module")
def recorded(site: Site) -> Iterator[None]:
    """Tày recordings; the other tests of this server know nothing of them."""
    spoken = sentences(counter(), read_fields(), "tyz")
    make_pack(site.settings, "tyz-test", "tyz", [(one.prompt, one.text) for one in spoken])
    yield
    shutil.rmtree(site.settings.audio / "tyz-test")


@pytest.fixture
def page(site: Site, chromium: Browser, recorded: None) -> Iterator[Page]:
    """An enrolled tablet that has Tày recordings and has fetched all of them by itself."""
    context = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    context.set_default_timeout(20_000)
    context.add_init_script(f"({SOUND})()")
    page = set_up(context, site)
    offered = audio_of(site.settings, counter(), read_fields())
    until(page, KEPT.format(len({url for pack in offered.values() for url in pack["files"].values()})))
    until(page, "navigator.serviceWorker.controller !== null")
    yield page
    context.close()


def test_each_language_greets_and_every_question_is_heard_without_network(site: Site, page: Page) -> None:
    page.context.set_offline(True)
    page.goto(f"{site.url}/")
    page.locator(".attract").wait_for()
    greeting = page.locator(".greeting").filter(has=page.locator("button[value='start.tyz']"))
    greeting.locator(".listen").click()
    until(page, "window.heard.length >= 1")
    assert page.evaluate("window.heard[0]") == "/audio/tyz-test/message.start_title.mp3"
    page.locator("button[value='start.tyz']").click()
    page.locator("#progress").wait_for()
    assert page.locator("html").get_attribute("lang") == "vi", "Tày is heard, and Vietnamese is shown"
    page.evaluate("window.heard.length = 0")
    fill_screen(page)
    go(page, "next")
    page.get_by_role("button", name="Nghe").click()
    until(page, "window.heard.length >= 2")
    assert page.evaluate("window.heard.slice(0, 2)") == [
        "/audio/tyz-test/item.VISIT.mp3", "/audio/tyz-test/hint.VISIT.mp3",
    ]  # fmt: skip
    go(page, "language.en")
    assert page.get_by_role("button", name="Listen").count() == 0, "no English recordings, so nothing to press"
    go(page, "language.vi")
    walk(page)
    thanked(page)
    paradata = last_kept(page)["paradata"]
    assert (paradata["read_aloud"], paradata["listened_tyz"]) == (1, 1)
    page.context.set_offline(False)
    page.evaluate("dispatchEvent(new Event('online'))")
    arrived(page)


def test_a_visit_in_silence_says_nothing_of_listening(page: Page) -> None:
    page.locator("button[value='start.vi']").click()
    page.locator("#progress").wait_for()
    walk(page)
    thanked(page)
    assert not {"read_aloud", "listened_tyz"} & set(last_kept(page)["paradata"])
    assert page.evaluate("window.heard") == []


@pytest.mark.parametrize("letters", [1, 2, 3])
def test_with_all_languages_nothing_is_cut_off_on_a_phone(page: Page, letters: int) -> None:
    page.set_viewport_size({"width": PHONE[0], "height": PHONE[1]})
    go(page, f"size.{letters}")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_with_all_languages_the_start_screen_does_not_scroll(page: Page) -> None:
    page.locator(".attract .greeting").first.wait_for()
    assert page.locator(".attract .greeting").count() == 2
    for width, height in (LANDSCAPE, LANDSCAPE[::-1]):
        page.set_viewport_size({"width": width, "height": height})
        over = page.evaluate(
            "[document.documentElement.scrollHeight - innerHeight, document.documentElement.scrollWidth - innerWidth]"
        )
        assert max(over) <= 0, (width, over)
