"""Nobody reads what another answered: the countdown, what is left when a visit is over, and what storage that fails does."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from tests.browser.conftest import LANDSCAPE, Site, fill_screen
from tests.browser.kiosk_app import arrived, begin, go, last_kept, set_up, thanked, walk, where

SECRET = "chỉ mình tôi biết"


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Page:
    return set_up(context, site)


# ---- the countdown; the test moves the page's clock


@pytest.fixture
def still(site: Site, context: BrowserContext) -> Page:
    """A tablet at its second question, whose clock only the test moves; `idle_seconds` is 120."""
    page = set_up(context, site)
    page.clock.install()
    page.reload()
    page.locator(".attract").wait_for()
    begin(page)
    fill_screen(page)
    go(page, "next")
    return page


def test_the_last_seconds_are_counted_down_and_any_touch_goes_on(still: Page) -> None:
    still.clock.run_for(99_000)
    assert still.locator("dialog").count() == 0
    still.clock.run_for(2_000)
    assert still.locator("dialog:modal h2").inner_text() == "Ông/Bà còn ở đó không?"
    assert still.locator("dialog .seconds").inner_text() == "19"
    assert still.evaluate("document.activeElement.textContent") == "Trả lời tiếp"
    still.clock.run_for(5_000)
    assert still.locator("dialog .seconds").inner_text() == "14"
    still.mouse.click(5, 5)  # beside the dialog, on what lies under it
    assert still.locator("dialog").count() == 0 and where(still).startswith("Câu 2")
    still.clock.run_for(99_000)
    assert still.locator("dialog").count() == 0, "a touch gives the whole time again"


@pytest.mark.parametrize("key", ["Enter", "Space", "a", "Tab", "Escape"])
def test_any_key_or_switch_goes_on_and_does_nothing_else(still: Page, key: str) -> None:
    fill_screen(still)
    still.locator("button[value=stop]").focus()
    still.clock.run_for(105_000)
    expect(still.locator("dialog:modal")).to_be_visible()
    still.keyboard.press(key)
    assert still.locator("dialog").count() == 0
    assert where(still).startswith("Câu 2") and still.locator("button[value=leave]").count() == 0


def test_touching_the_screen_keeps_the_countdown_away(still: Page) -> None:
    for number in range(6):
        still.clock.run_for(60_000)
        still.locator(".answers .answer").nth(number % 2).click()
    assert still.locator("dialog").count() == 0


def test_whoever_walks_away_is_noted_how_far_and_their_answers_are_gone(site: Site, still: Page) -> None:
    before = len(site.stored("broken_off"))
    still.clock.run_for(121_000)
    still.locator(".attract").wait_for()
    assert still.locator("input").count() == 0
    kept = last_kept(still)
    assert (kept["disposition"], kept["answers"], kept["field"]) == ("broken_off", {}, None)
    assert kept["paradata"]["screens_done"] == 1
    still.clock.resume()
    arrived(still)
    assert len(site.stored("broken_off")) == before + 1


def test_who_asks_for_more_time_has_ten_times_as_much(still: Page) -> None:
    go(still, "slow.1")
    still.clock.run_for(1_150_000)
    assert still.locator("dialog").count() == 0 and where(still).startswith("Câu 2")
    still.clock.run_for(40_000)
    assert still.locator("dialog:modal").count() == 1


def test_what_was_set_on_the_start_screen_is_as_it_was_for_the_next(site: Site, context: BrowserContext) -> None:
    page = set_up(context, site)
    page.clock.install()
    page.reload()
    page.locator("button[value='size.3']").click()
    page.locator("button[value=assisted]").click()
    assert page.locator("html.size-3").count() == 1
    page.clock.run_for(121_000)
    assert page.locator("html.size-1").count() == 1
    assert page.locator("button[value=assisted][aria-pressed=false]").count() == 1


def test_the_thanks_go_by_themselves(site: Site, context: BrowserContext) -> None:
    page = set_up(context, site)
    begin(page)
    walk(page)
    page.clock.install()
    thanked(page)
    page.clock.run_for(21_000)
    page.locator(".attract").wait_for()


# ---- nothing left behind


def _assert_nothing_left(page: Page) -> None:
    assert SECRET not in page.content()
    assert page.locator("input:checked").count() == 0
    left = page.evaluate(
        """async () => {
          const kept = [JSON.stringify({...localStorage}), JSON.stringify({...sessionStorage}), JSON.stringify(history.state)];
          for (const name of await caches.keys()) {
            for (const request of await (await caches.open(name)).keys()) {
              if (!request.url.includes("/audio/")) kept.push(await (await caches.match(request)).text());
            }
          }
          const { openStorage } = await import("/static/kiosk/storage.js");
          const { database } = await openStorage();
          kept.push(JSON.stringify([await database.getAll("kept"), await database.getAll("device")]));
          return kept.join(" ");
        }"""
    )
    assert SECRET not in left and '"COMMENT":' not in left


def test_the_next_citizen_finds_nothing_of_the_one_before(site: Site, context: BrowserContext, page: Page) -> None:
    """Not on the page, in history, storage or caches; only in the store of what is to be sent, which no page shows."""
    begin(page)
    walk(page)
    page.locator("textarea").fill(SECRET)
    thanked(page)
    _assert_nothing_left(page)
    page.locator("a.forward").press("Enter")
    page.locator(".attract").wait_for()
    _assert_nothing_left(page)
    for move in (page.go_back, page.go_forward, page.go_forward):
        move()
        page.wait_for_load_state()
        assert SECRET not in page.content() and page.locator("input:checked").count() == 0
    assert last_kept(page)["answers"]["COMMENT"] == SECRET
    assert {cookie["name"] for cookie in context.cookies()} <= {"device"}


def test_back_after_the_thanks_is_the_start_screen(site: Site, page: Page) -> None:
    begin(page)
    walk(page)
    thanked(page)
    page.go_back()
    page.locator(".attract").wait_for()
    _assert_nothing_left(page)


def test_memory_is_wiped_even_if_the_browser_keeps_the_page(site: Site, page: Page) -> None:
    """The visit itself is emptied, so that a page the browser brings back has nothing to show."""
    page.evaluate(
        """async () => {
          const { Visit } = await import("/static/kiosk/visit.js");
          const real = Visit.prototype.wipe;
          window.wiped = [];
          Visit.prototype.wipe = function () { real.call(this); window.wiped.push(JSON.stringify(this.answers)); };
        }"""
    )
    begin(page)
    walk(page)
    page.locator("textarea").fill(SECRET)
    thanked(page)
    assert page.evaluate("window.wiped") == ["{}"]


# ---- storage that fails


BROKEN = """IDBDatabase.prototype.transaction = function (stores, mode) {
  if (mode === "readwrite" && [stores].flat().includes("outbox")) throw new DOMException("full", "QuotaExceededError");
  return REAL.apply(this, arguments);
}"""


def _break_storage(page: Page) -> None:
    page.evaluate(f"() => {{ const REAL = IDBDatabase.prototype.transaction; {BROKEN} }}")


def test_storage_that_fails_sends_straight_to_the_server_and_tells_the_staff(site: Site, page: Page) -> None:
    before = len(site.stored())
    begin(page)
    walk(page)
    _break_storage(page)
    thanked(page)
    assert len(site.stored()) == before + 1, "thanked only once the server has it"
    stored = site.stored()[-1]
    assert (stored.mode, stored.seq) == ("page", None)
    page.locator("a.forward").press("Enter")
    page.locator(".attract").wait_for()
    assert "bộ nhớ của máy không lưu được" in page.locator("[role=alert]").inner_text()


def test_without_storage_and_network_nothing_is_pretended(site: Site, page: Page) -> None:
    """It says so, keeps the screen, and takes the answers once the network is back: one row."""
    before = len(site.stored())
    begin(page)
    walk(page)
    page.locator("textarea").fill("vẫn còn đây")
    _break_storage(page)
    page.route("**/api/v1/responses", lambda route: route.abort())
    go(page, "send")
    page.locator("h1.alarm").wait_for()
    assert page.locator("h1").inner_text() == "Chưa gửi được" and page.locator(".thanks").count() == 0
    go(page, "stay")
    assert page.locator("textarea").input_value() == "vẫn còn đây"
    go(page, "send")
    page.locator("h1.alarm").wait_for()
    page.unroute("**/api/v1/responses")
    thanked(page)
    assert len(site.stored()) == before + 1


def test_an_acknowledgement_lost_on_the_way_doubles_nothing(site: Site, page: Page) -> None:
    before = len(site.stored())
    begin(page)
    walk(page)
    _break_storage(page)

    def swallow(route: Route) -> None:
        route.fetch()
        route.abort()

    page.route("**/api/v1/responses", swallow)
    go(page, "send")
    page.locator("h1.alarm").wait_for()
    assert len(site.stored()) == before + 1
    page.unroute("**/api/v1/responses")
    thanked(page)
    assert len(site.stored()) == before + 1


# ---- what staff tap; the bundle is changed on its way to the tablet


def _with(page: Page, change: dict[str, Any]) -> None:
    """Let the tablet have another bundle from now on."""
    page.evaluate(
        """async change => {
          const { openStorage } = await import("/static/kiosk/storage.js");
          const storage = await openStorage();
          const bundle = await storage.kept("bundle");
          for (const [key, value] of Object.entries(change)) bundle[key] = {...bundle[key], ...value};
          await storage.keep("bundle", bundle);
        }""",
        change,
    )
    page.route("**/api/v1/kiosk", lambda route: route.abort())
    page.reload()
    page.locator(".attract").wait_for()


def test_who_is_assisted_is_stored_so(site: Site, page: Page) -> None:
    page.locator("button[value=assisted]").click()
    begin(page)
    walk(page)
    thanked(page)
    arrived(page)
    stored = site.stored()[-1]
    assert (stored.mode, stored.seq) == ("assisted", 1)


def test_a_language_that_is_heard_is_offered_where_there_are_recordings(site: Site, page: Page) -> None:
    assert page.locator(".listened").is_hidden()
    pack = {
        "pack": "tyz-1",
        "called": "Tiếng Tày",
        "shows": "vi",
        "placeholder": False,
        "files": {"item.FIELD": "/audio/x"},
    }
    _with(page, {"audio": {"tyz": pack}})
    assert page.locator(".listened button").inner_text() == "Nghe bằng Tiếng Tày"
    begin(page, "tyz")
    assert page.locator("html").get_attribute("lang") == "vi" and where(page) == "Câu 1 / 16"
    walk(page)
    thanked(page)
    kept = last_kept(page)
    assert (kept["language"], kept["paradata"]["listened_tyz"]) == ("vi", 1)
    arrived(page)


def test_every_number_of_a_response_is_whole(page: Page) -> None:
    """The protocol takes no others."""
    begin(page)
    walk(page)
    thanked(page)
    kept = last_kept(page)
    assert {type(number) for number in (*kept["durations"].values(), *kept["paradata"].values())} == {int}
