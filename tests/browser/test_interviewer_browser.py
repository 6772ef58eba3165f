"""An interviewer's tablet in a real browser: one household of each kind by finger, and pages sound at every size."""

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.model import PrimaryUnit
from survey_app.store import Store
from tests.browser.conftest import CENTRE, LANDSCAPE, PHONE, PORTRAIT, Contexts, Site, on_last
from tests.browser.test_kiosk_axe import _assert_sound
from tests.browser.test_kiosk_browser import _assert_targets, _overflow, _try
from tests.villages import WAVE, plan_sample, visited

STRATA = ("Đô thị", "Ven đô", "Vùng thấp", "Vùng giữa", "Vùng cao", "Vùng xa")
FRAME = tuple(PrimaryUnit(f"T{n:02}", STRATA[n // 3], f"Thôn Thử nghiệm số {n + 1}", 400, 0.005, 33) for n in range(18))
SIZES = pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])


@pytest.fixture(scope="module")
def sample(site: Site) -> Site:
    """The site with a sample wave of 18 villages open beside the counter wave."""
    with Store.open(site.settings) as store:
        plan_sample(store, centres=(CENTRE,), frame=FRAME)
    return site


Tablets = Callable[..., BrowserContext]


@pytest.fixture
def interviewers(sample: Site, tablets: Contexts, chromium: Browser) -> Iterator[Tablets]:
    """Like `tablets`, but of interviewers."""

    def make(size: tuple[int, int] = LANDSCAPE, **options: object) -> BrowserContext:
        context = tablets(size, **options)
        with Store.open(sample.settings) as store:
            token = store.enrol(store.add_device(CENTRE, purpose="sample")[1]).token
        context.add_cookies([{"name": "device", "value": token, "url": sample.url}])
        return context

    yield make


def tap(page: Page, selector: str) -> None:
    with page.expect_navigation():
        page.locator(selector).tap()


def test_one_household_of_each_kind(sample: Site, interviewers: Tablets) -> None:
    page = interviewers(PORTRAIT, has_touch=True).new_page()
    page.goto(sample.url)
    tap(page, "text=Thôn Thử nghiệm số 4")
    for why, words in (("refused", "hộ từ chối"), ("not_at_home", "không có ai ở nhà")):
        tap(page, f"button[value='ask.{why}']")
        tap(page, f"button[value='record.{why}']")
        assert words in page.locator(".noted").inner_text()
    tap(page, "button[value='start.vi']")
    while not on_last(page):
        for card in page.locator("fieldset.card").all():
            card.locator(".answers .answer").first.tap()
        tap(page, "button.forward")
    for card in page.locator("fieldset.card").all():
        card.locator(".answers .answer").first.tap()
    tap(page, "button.forward")
    page.wait_for_url("**/thanks**")
    tap(page, "a.forward")
    assert page.locator("h1").inner_text() == "Thôn Thử nghiệm số 4"
    tap(page, "button[value='start.en']")
    page.locator("fieldset.card .answers .answer").first.tap()
    tap(page, "button[value=stop]")
    tap(page, "button[value=leave]")
    page.wait_for_timeout(300)
    page.reload()
    assert page.locator(".tally dd").all_inner_texts() == ["1", "1", "1", "1"]
    found = [(one.disposition, one.psu, one.mode) for one in visited(sample.settings, WAVE)]
    assert found == [(kind, "T03", "assisted") for kind in ("refused", "not_at_home", "complete", "broken_off")]


def test_refresh_and_back_never_make_two(sample: Site, interviewers: Tablets) -> None:
    before = len(visited(sample.settings))
    page = interviewers(LANDSCAPE, has_touch=True).new_page()
    page.goto(f"{sample.url}/?psu=T00")
    tap(page, "button[value='ask.refused']")
    page.reload()
    page.locator("button[value='record.refused']").dblclick()
    page.wait_for_url("**noted=**")
    page.reload()
    _try(page, page.go_back)
    _try(page, page.reload)
    assert len(visited(sample.settings)) == before + 1


@SIZES
@pytest.mark.parametrize("language", ["vi", "en"])
def test_no_violation_of_wcag(sample: Site, interviewers: Tablets, size: tuple[int, int], language: str) -> None:
    page = interviewers(size, javascript=True).new_page()
    for path in ("/", "/?psu=T05", "/?psu=T05&noted=refused&again=1&slow=1&size=2"):
        page.goto(f"{sample.url}{path}{'&' if '?' in path else '?'}language={language}")
        _assert_sound(page)
    for why in ("refused", "not_at_home"):
        page.goto(f"{sample.url}/?psu=T05&language={language}")
        with page.expect_navigation():
            page.locator(f"button[value='ask.{why}']").click()
        _assert_sound(page)


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "portrait"])
@pytest.mark.parametrize("language", ["vi", "en"])
def test_nothing_scrolls_on_a_tablet_and_fingers_hit(
    sample: Site, interviewers: Tablets, size: tuple[int, int], language: str
) -> None:
    page = interviewers(size).new_page()
    for path in ("/?", "/?psu=T05", "/?psu=T05&noted=not_at_home"):
        page.goto(f"{sample.url}{path}&language={language}")
        assert max(_overflow(page)) <= 0, f"{path} scrolls by {_overflow(page)}"
        _assert_targets(page)
    with page.expect_navigation():
        page.locator("button[value='ask.refused']").click()
    assert max(_overflow(page)) <= 0
    _assert_targets(page)


@SIZES
@pytest.mark.parametrize("letters", [1, 2, 3])
def test_large_text_never_scrolls_sideways(
    sample: Site, interviewers: Tablets, size: tuple[int, int], letters: int
) -> None:
    page = interviewers(size).new_page()
    for path in ("/?", "/?psu=T05"):
        page.goto(f"{sample.url}{path}&size={letters}")
        assert _overflow(page)[1] <= 0
        _assert_targets(page)
