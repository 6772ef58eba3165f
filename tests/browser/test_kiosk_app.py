"""The tablet that asks on its own, in real Chromium with its own storage: from the start screen to the thanks."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.model import StoredResponse
from survey_app.store import Store
from tests.browser.conftest import LANDSCAPE, Site, fill_screen
from tests.browser.kiosk_app import arrived, begin, go, last_kept, on_last, set_up, thanked, walk, where


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]}, has_touch=True)
    made.set_default_timeout(20_000)
    yield made
    made.close()


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Page:
    return set_up(context, site)


def newest(site: Site, disposition: str = "complete") -> StoredResponse:
    return site.stored(disposition)[-1]


# ---- the whole way


def test_a_visit_by_finger(site: Site, page: Page) -> None:
    before = len(site.stored())
    page.locator("button[value='start.vi']").tap()
    while not on_last(page):
        for card in page.locator("fieldset.card").all():
            card.locator(".answers .answer").last.tap()
        page.locator("button.forward").tap()
    page.locator("textarea").fill("Phục vụ tận tình, chu đáo")
    page.locator("button.forward").tap()
    page.locator(".thanks").wait_for()
    arrived(page)
    assert len(site.stored()) == before + 1
    stored = newest(site)
    assert (stored.mode, stored.recruitment, stored.seq, stored.field) == ("kiosk", "walk_up", 1, "y-te")
    with Store.open(site.settings, write=False) as store:
        answers = store.stored_answers(stored.uuid)
    assert [answers[item] for item in ("OVERALL", "II.A1", "II.C3", "BACK", "PLACE", "COMMENT")] == [5, 5, 5, 2, 2, 1]
    page.wait_for_timeout(1100)  # a second tap at once would be taken for a mistake
    page.locator("a.forward").tap()
    page.locator(".attract").wait_for()


def test_it_is_stored_before_the_thanks_and_the_button_says_so(site: Site, page: Page) -> None:
    """The disk is slow: while it writes the button says so and takes no second tap; only then come the thanks."""
    begin(page)
    walk(page)
    page.evaluate(
        """() => { const real = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = function (stores, mode, options) {
          const made = real.call(this, stores, mode, options);
          if ([stores].flat().includes("outbox") && mode === "readwrite") {
            window.held = made;
            const keep = () => { if (!window.released) made.objectStore("kept").get("x").onsuccess = keep; };
            keep();
          }
          return made; } }"""
    )
    go(page, "send")
    assert page.locator("button.forward").inner_text() == "Đang lưu…"
    page.locator("button.forward").click(force=True)
    page.locator("button[value=back]").click(force=True)
    assert page.locator(".thanks").count() == 0
    assert page.locator("form[aria-busy=true]").count() == 1
    page.evaluate("window.released = true")
    page.locator(".thanks").wait_for()


def test_what_is_missing_is_asked_for_and_announced(site: Site, page: Page) -> None:
    begin(page)
    go(page, "next")
    assert page.locator("#errors:focus").count() == 1
    assert page.title().startswith("Cần trả lời: Câu 1 / ")
    assert page.locator("fieldset.wanting .error").inner_text() == "Xin chọn một câu trả lời, hoặc chọn Không trả lời."
    page.locator("#errors a").click()
    assert page.evaluate("document.activeElement.name") == "a-FIELD"
    fill_screen(page)
    go(page, "next")
    assert page.locator("#errors").count() == 0


def test_the_focus_is_on_the_heading_of_each_screen(site: Site, page: Page) -> None:
    begin(page)
    while not on_last(page):
        assert page.evaluate("document.activeElement.tagName") == "H1"
        assert page.evaluate("document.activeElement.getAttribute('aria-describedby')") == "progress"
        fill_screen(page)
        go(page, "next")


def test_back_language_size_and_patience_keep_what_was_answered(site: Site, page: Page) -> None:
    begin(page)
    fill_screen(page, 0)
    go(page, "next")
    fill_screen(page, 1)
    go(page, "language.en")
    assert page.locator("html").get_attribute("lang") == "en" and "Question 2" in where(page)
    assert page.locator("input:checked").count() == 1
    assert page.evaluate("document.activeElement.value") == "language.vi"
    go(page, "size.3")
    assert page.locator("html").get_attribute("class") == "size-3"
    assert page.evaluate("document.activeElement.value") == "size.3"
    go(page, "slow.1")
    assert page.locator("[value='slow.0'][aria-pressed=true]").count() == 1
    assert page.locator("input:checked").count() == 1
    go(page, "back")
    assert page.locator("input:checked").count() == 1
    walk(page)
    thanked(page)
    arrived(page)
    stored = newest(site)
    assert stored.language == "en"
    assert last_kept(page)["paradata"] == {
        "backs": 1, "language_changes": 1, "unanswered": 0, "text_size": 3, "more_time": 1
    }  # fmt: skip


# ---- how a visit ends


def test_the_browsers_back_button_is_one_screen_back(site: Site, page: Page) -> None:
    begin(page)
    length = page.evaluate("history.length")
    fill_screen(page)
    go(page, "next")
    fill_screen(page)
    go(page, "next")
    assert where(page).startswith("Câu 3")
    page.go_back()
    assert where(page).startswith("Câu 2") and page.locator("input:checked").count() == 1
    page.go_back()
    assert where(page).startswith("Câu 1")
    page.go_back()
    assert page.locator("h1").inner_text() == "Ông/Bà muốn dừng lại?"
    go(page, "leave")
    page.locator(".attract").wait_for()
    assert page.evaluate("history.length") == length


def test_whoever_stops_is_noted_without_their_answers(site: Site, page: Page) -> None:
    before = len(site.stored("broken_off"))
    begin(page)
    fill_screen(page)
    go(page, "next")
    fill_screen(page)
    go(page, "stop")
    assert page.locator("h1").inner_text() == "Ông/Bà muốn dừng lại?"
    go(page, "stay")
    assert where(page).startswith("Câu 2") and page.locator("input:checked").count() == 1
    go(page, "stop")
    go(page, "leave")
    page.locator(".attract").wait_for()
    arrived(page)
    assert len(site.stored("broken_off")) == before + 1
    assert set(newest(site, "broken_off").answers.values()) == {-4}


def test_ten_citizens_one_after_another(site: Site, page: Page) -> None:
    """Each begins with an empty form, each is stored once, and history does not grow."""
    before, lengths = len(site.stored()), []
    for number in range(10):
        begin(page, "en" if number % 2 else "vi")
        assert page.locator("input:checked").count() == 0
        walk(page, number % 5)
        thanked(page)
        page.locator("a.forward").press("Enter")
        page.locator(".attract").wait_for()
        lengths.append(page.evaluate("history.length"))
    arrived(page)
    stored = site.stored()[before:]
    assert [one.seq for one in stored] == list(range(1, 11))
    assert len({one.uuid for one in stored}) == 10 and lengths[-1] == lengths[0]


def test_a_second_tap_chooses_nothing_and_complains_of_nothing(page: Page) -> None:
    """Many tap twice. What the second tap falls on has only just come."""

    box = page.locator("button[value='start.vi']").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.dblclick(x, y)
    page.locator("#progress").wait_for()
    assert page.locator("input:checked").count() == 0
    fill_screen(page)
    box = page.locator("button.forward").bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    before = where(page)
    page.mouse.dblclick(x, y)
    assert where(page) != before and page.locator("#errors").count() == 0
    go(page, "back")
    assert where(page) == before
    page.locator("button[value='back']").press("Enter")
    assert page.locator("button[value='stay']").count() == 1, "what was answered is not thrown away unasked"
