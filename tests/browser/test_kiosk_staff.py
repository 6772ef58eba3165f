"""The staff page in real Chromium: behind the PIN, and what it tells of the tablet; no answer is ever on it."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect

from survey_app.store import Store
from tests.browser.conftest import LANDSCAPE, Site
from tests.browser.staff_page import (
    PIN,
    WRONG,
    enter,
    fact,
    give,
    give_pin,
    offline,
    open_staff,
    queue,
    tablet_of,
    tap,
    tap_pin,
    told,
    type_pin,
)
from tests.browser.tablet import ENROL, draft, new_code, open_modules, run

PINNED, BARE, LATER = "00691", "00694", "00700"
"""Centres: with a PIN, without, and one that gets its PIN while the tablet stands there."""


@pytest.fixture(scope="module")
def pinned(site: Site) -> Site:
    give_pin(site, PINNED)
    return site


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(pinned: Site, context: BrowserContext) -> Page:
    return tablet_of(context, pinned, PINNED)


def all_kept(page: Page) -> str:
    """Everything the tablet keeps anywhere, as text."""
    kept: str = run(
        page,
        """const { database } = await openStorage();
        const all = await Promise.all([...database.objectStoreNames].map(name => database.getAll(name)));
        return JSON.stringify([all, {...localStorage}, {...sessionStorage}, document.cookie]);""",
    )
    return kept


# ---- the PIN


def test_the_pin_on_the_keys_is_checked_by_the_server_and_kept_nowhere(page: Page) -> None:
    open_staff(page)
    with page.expect_response("**/api/v1/pin") as answered:
        tap_pin(page)
    assert answered.value.json() == {"fate": "right"}
    page.locator("tbody tr").first.wait_for()
    assert page.evaluate("document.activeElement.tagName") == "H1"
    assert PIN not in all_kept(page) and PIN not in page.content()


def test_while_it_is_typed_only_the_number_of_digits_is_shown_and_said(page: Page) -> None:
    open_staff(page)
    for digit in PIN[:4]:
        page.keyboard.press(digit)
    assert page.locator(".typed").inner_text() == "••••"
    told(page, "Số chữ số đã nhập: 4")
    page.keyboard.press("Backspace")
    tap(page, "erase")
    assert page.locator(".typed").inner_text() == "••"
    tap(page, "enter")
    told(page, "từ 6 đến 12 chữ số")
    assert PIN[:4] not in page.locator("main").inner_text()


def test_without_network_the_hash_in_the_bundle_checks_it(page: Page, context: BrowserContext) -> None:
    with offline(context):
        page.reload()
        open_staff(page)
        type_pin(page, WRONG)
        told(page, "Sai mã PIN")
        type_pin(page)
        page.locator("tbody tr").first.wait_for()
        assert "chưa được" in fact(page, "problem") and "Không tới được máy chủ" in fact(page, "problem")


@pytest.mark.parametrize("trouble", ["silent", 500, 404, "not json"])
def test_a_server_that_does_not_answer_well_is_not_waited_for(page: Page, trouble: str | int) -> None:
    def answer(route: Route) -> None:
        if trouble == "silent":
            return  # never
        route.fulfill(status=trouble if isinstance(trouble, int) else 200, body="<p>not json</p>")

    page.route("**/api/v1/pin", answer)
    open_staff(page)
    type_pin(page)
    page.locator("tbody tr").first.wait_for()


def test_a_new_pin_counts_at_once_while_there_is_network(site: Site, context: BrowserContext) -> None:
    give_pin(site, LATER, "271820")
    page = tablet_of(context, site, LATER)
    give_pin(site, LATER, PIN)
    open_staff(page)
    type_pin(page, "271820")
    told(page, "Sai mã PIN")
    type_pin(page)
    page.locator("tbody tr").first.wait_for()


def test_wrong_tries_wait_longer_and_longer_and_a_reload_is_no_way_round(page: Page, context: BrowserContext) -> None:
    """On a clock that the test moves on: a second at first, a minute at most."""
    page.clock.install()
    page.route("**/api/v1/pin", lambda route: route.abort())
    page.reload()
    open_staff(page)
    for seconds in (1, 1, 1, 2, 4, 8, 16, 32, 60, 60):
        type_pin(page, WRONG)
        told(page, "đợi 1 phút" if seconds == 60 else f"đợi {seconds} giây")
        page.clock.fast_forward(60_000)
    type_pin(page, WRONG)
    told(page, "đợi 1 phút")
    page.keyboard.press("1")
    assert page.locator(".typed").inner_text() == ""
    page.reload()
    open_staff(page)
    told(page, "Xin đợi")
    assert page.locator(".key[aria-disabled=true]").count() == 12
    page.clock.fast_forward(60_000)
    type_pin(page)
    page.locator("tbody tr").first.wait_for()
    assert '"wrong":0' in all_kept(page)


def test_a_try_is_counted_before_it_is_checked(page: Page) -> None:
    page.route("**/api/v1/pin", lambda route: None)
    wrong = run(
        page,
        """const storage = await openStorage();
        const { Pin } = await load("pin");
        new Pin({ storage, known: null }).check(given);
        await until(async () => (await storage.kept("staff"))?.wrong);
        return (await storage.kept("staff")).wrong;""",
        WRONG,
    )
    assert wrong == 1


def test_a_clock_set_back_locks_nobody_out(page: Page) -> None:
    waits = run(
        page,
        """const ahead = { wall: () => Date.now() + 10 * 365 * 86_400_000 };
        const { Pin } = await load("pin");
        const request = () => Promise.reject(new Error("no network"));
        const known = (await (await openStorage()).kept("bundle")).pin;
        const storage = await openStorage(ahead);
        await storage.keep("staff", { wrong: 7, until: storage.clock.wall() + 16_000 });
        const later = new Pin({ storage: await openStorage(), known, request });
        const first = await later.waiting();
        await new Promise(next => setTimeout(next, 50));
        return [first, await later.waiting()];""",
    )
    assert waits[0] == 16_000 and waits[1] < waits[0]


def test_the_server_slows_a_device_too(page: Page) -> None:
    fates = run(
        page,
        """const { Pin } = await load("pin");
        const pin = new Pin({ storage: await openStorage(), known: null });
        const first = await pin.check(given);
        return [first, await pin.check(given), (await pin.waiting()) > 0];""",
        WRONG,
    )
    assert fates == ["wrong", "wait", True]


def test_where_storage_takes_no_count_the_page_counts(page: Page) -> None:
    fates = run(
        page,
        """const { Pin } = await load("pin");
        const real = await openStorage();
        const storage = { clock: real.clock, device: () => real.device(), kept: key => real.kept(key),
          keep: () => Promise.reject(new StorageTrouble("quota")) };
        const request = () => Promise.reject(new Error("no network"));
        const pin = new Pin({ storage, known: (await real.kept("bundle")).pin, request });
        return [await pin.check(given), await pin.check(given)];""",
        WRONG,
    )
    assert fates == ["wrong", "wait"]


# ---- without a PIN


def only_shows(page: Page) -> bool:
    return not page.locator("[data-do=send]").is_visible() and not page.locator("[data-do=export]").is_visible()


def test_a_centre_without_a_pin_sees_the_state_and_how_to_get_one(site: Site, context: BrowserContext) -> None:
    page = tablet_of(context, site, BARE)
    open_staff(page)
    page.locator("tbody tr").first.wait_for()
    assert f"sipas centre pin {BARE}" in fact(page, "pin")
    assert only_shows(page)
    tap(page, "language")
    assert "has no PIN" in fact(page, "pin") and only_shows(page)


def test_a_pin_set_meanwhile_is_asked_for(site: Site, context: BrowserContext) -> None:
    centre = "00706"
    page = tablet_of(context, site, centre)
    give_pin(site, centre)
    open_staff(page)
    type_pin(page)
    page.locator("tbody tr").first.wait_for()
    assert page.locator("[data-do=export]").is_visible()


def test_a_pin_taken_away_leaves_the_state(site: Site, context: BrowserContext) -> None:
    centre = "00715"
    give_pin(site, centre)
    page = tablet_of(context, site, centre)
    with Store.open(site.settings) as store:
        store.remove_pin(centre)
    open_staff(page)
    type_pin(page, WRONG)
    page.locator("tbody tr").first.wait_for()
    assert only_shows(page) and "sipas centre pin" in fact(page, "pin")


def test_a_tablet_that_never_heard_of_its_pin_only_shows(pinned: Site, context: BrowserContext) -> None:
    context.route("**/api/v1/kiosk", lambda route: route.abort())
    page = open_modules(context, pinned.url)
    run(page, ENROL, new_code(pinned.settings, PINNED))
    page.goto(f"{pinned.url}/kiosk")
    page.locator("[data-do=staff]").click()
    page.locator("tbody tr").first.wait_for()
    assert "chưa biết mã PIN" in fact(page, "pin") and only_shows(page)
    assert fact(page, "wave") == "chưa có"


# ---- the state


def test_the_state_in_words(page: Page, context: BrowserContext) -> None:
    device = run(page, "return (await (await openStorage()).device()).id")
    enter(page)
    assert queue(page) == [[f"{device}: máy này", "0", "0", "0"]]
    assert fact(page, "queue") == "Máy chưa có phiếu nào."
    assert re.match(r"Lần gần nhất: \d\d:\d\d \d\d/\d\d/\d{4} \(.+ trước\)\.", fact(page, "contact"))
    assert fact(page, "clock") == "Đồng hồ của máy đúng."
    assert "trình duyệt" in fact(page, "persisted").lower()
    assert re.match(r"Đã dùng [\d,]+ MB trong [\d,]+ GB\.", fact(page, "space"))
    told_of = [fact(page, name) for name in ("centre", "device", "wave", "form")]
    assert told_of == [PINNED, device, "thu-2026", "counter 1"]
    assert fact(page, "version") == page.locator("meta[name='sipas-version']").get_attribute("content")
    tap(page, "language")
    assert page.title() == "Staff page" and page.locator("html").get_attribute("lang") == "en"
    assert fact(page, "queue") == "There are no responses yet."
    assert page.evaluate("document.activeElement.value") == "vi"


def test_what_waits_is_counted_and_sent_at_once(page: Page, context: BrowserContext) -> None:
    with offline(context):
        give(page)
        give(page)
        enter(page)
        assert fact(page, "queue").startswith("Phiếu chờ gửi: 2.")
        tap(page, "send")
        told(page, "Chưa gửi được. Không tới được máy chủ.")
    tap(page, "send")
    told(page, "Phiếu còn chờ gửi: 0.")
    assert fact(page, "queue") == "Mọi phiếu đã về máy chủ."
    assert queue(page)[0][1:] == ["0", "2", "0"]
    assert page.locator("[data-fact=problem]").is_hidden()


def test_a_refused_response_is_for_the_province_and_is_not_called_missing(page: Page) -> None:
    give(page, answers={"OVERALL": 99})
    give(page)
    enter(page)
    tap(page, "send")
    told(page, "Phiếu còn chờ gửi: 0.")
    assert fact(page, "refused").startswith("Phiếu máy chủ không nhận: 1.")
    assert queue(page)[0][1:] == ["0", "1", "1"]
    assert page.locator("[data-fact=missing]").is_hidden() and page.locator("[data-fact=queue]").is_hidden()


def test_numbers_that_neither_the_server_nor_the_tablet_has_are_named(page: Page) -> None:
    give(page)

    def lacking(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"missing": [[7, 7], [9, 12]]})

    page.route("**/api/v1/responses", lacking)
    enter(page)
    tap(page, "send")
    told(page, "Phiếu còn chờ gửi: 0.")
    assert fact(page, "missing").startswith("Máy chủ thiếu phiếu số 7, 9–12,")


PROBLEMS = {
    "too-many-requests": (429, "nhiều máy gửi"),
    "unavailable": (503, "đang bận"),
    "storage-full": (507, "Máy chủ hết chỗ lưu"),
    "unknown-token": (401, "không nhận ra máy này"),
    "internal": (500, "khác thường (internal)"),
}


@pytest.mark.parametrize("kind", PROBLEMS)
def test_what_went_wrong_is_said_in_words(page: Page, kind: str) -> None:
    status, words = PROBLEMS[kind]
    problem = {"type": f"urn:sipas:problem:{kind}", "title": "", "status": status}
    page.route("**/api/v1/responses", lambda route: route.fulfill(status=status, json=problem))
    enter(page)
    tap(page, "send")
    told(page, words)
    assert words in fact(page, "problem") and "Lần gần nhất" in fact(page, "contact")
    assert ("không nhận ra" in queue(page)[0][0]) == (kind == "unknown-token")


def test_a_withdrawn_tablet_says_so_and_still_opens(pinned: Site, page: Page, context: BrowserContext) -> None:
    with offline(context):
        give(page)
        device = run(page, "return (await (await openStorage()).device()).id")
        with Store.open(pinned.settings) as store:
            store.revoke_device(device)
    run(page, "const s = await openStorage(); await until(async () => (await s.device()).standing === 'revoked')")
    page.reload()
    page.locator("[data-do=staff]").click()
    type_pin(page)
    page.locator("tbody tr").first.wait_for()
    assert queue(page) == [[f"{device}: đã thu hồi", "1", "0", "0"]]
    assert "Tỉnh đã thu hồi máy này" in fact(page, "problem")
    assert page.locator("[data-do=export]").is_visible()


def words_of(page: Page, state: dict[str, Any]) -> dict[str, str]:
    """The facts as they would be told of such a state."""
    plain: dict[str, Any] = {
        "counts": None,
        "device": None,
        "bundle": None,
        "contact": None,
        "now": 0,
        "lost": [],
        "offset": None,
    }
    told_of: dict[str, str] = run(
        page,
        """const { Words, facts } = await load("facts");
        const words = new Words("vi", document.querySelector("template[data-staff=words][lang=vi]"));
        return facts(words, given, "x");""",
        plain | {"exported": None, "persisted": None, "space": None} | state,
    )
    return told_of


def test_clock_and_storage_in_words(page: Page) -> None:
    table: list[tuple[dict[str, Any], str, str | None]] = [
        ({"offset": None}, "clock", "Chưa biết đồng hồ đúng hay sai"),
        ({"offset": 59_000}, "clock", "Đồng hồ của máy đúng."),
        ({"offset": 600_000}, "clock", "Đồng hồ của máy chậm 10 phút."),
        ({"offset": -2 * 86_400_000}, "clock", "Đồng hồ của máy nhanh 2 ngày."),
        ({"persisted": True}, "persisted", "Trình duyệt giữ phiếu cả khi máy gần đầy."),
        ({"persisted": False}, "persisted", "Trình duyệt có thể xóa phiếu khi máy đầy."),
        ({"persisted": None}, "persisted", "Trình duyệt không cho biết"),
        ({"space": {"usage": 950_000_000, "quota": 1_000_000_000}}, "space", "Bộ nhớ gần đầy: đã dùng 950 MB"),
        ({"space": None}, "space", None),
        ({"counts": None}, "queue", "Không đọc được bộ nhớ của máy."),
        ({"contact": None}, "contact", "Máy chưa liên lạc được lần nào."),
        ({"contact": {"ok": False, "problem": "storage", "at": "2026-11-01T00:00:00Z"}}, "problem", "Bộ nhớ của máy"),
    ]
    for state, name, words in table:
        said = words_of(page, state)[name]
        assert said is None if words is None else words in said, (state, said)


def test_storage_that_cannot_be_read_is_said_and_nothing_breaks(page: Page) -> None:
    run(
        page,
        """const real = await openStorage();
        const storage = new Proxy(real, { get: (target, name) => {
          const value = target[name];
          if (["counts", "device", "devices", "kept"].includes(name)) return () => Promise.reject(new StorageTrouble("read"));
          return typeof value === "function" ? value.bind(target) : value; } });
        const sender = new Sender({ storage: real, app: "test" });
        (await load("staff")).openStaff({ storage, sender });""",
    )
    page.locator("h1", has_text="Trang nhân viên").wait_for()
    expect(page.locator("[data-fact=queue]")).to_contain_text("Không đọc được bộ nhớ của máy")


# ---- around it


def test_no_answer_of_a_citizen_is_on_the_page(page: Page, context: BrowserContext) -> None:
    comment = "Chị Hoa ở quầy số bốn"
    with offline(context):
        given = give(page, answers=draft()["answers"] | {"COMMENT": comment})
        enter(page)
        tap(page, "export")
        page.locator(".files a").first.wait_for()
    html = page.content()
    assert comment not in html and given["uuid"] not in html and "OVERALL" not in html


def test_it_closes_by_itself_after_two_minutes_without_a_touch(page: Page) -> None:
    page.clock.install()
    page.reload()
    enter(page)
    page.clock.fast_forward(110_000)
    page.keyboard.press("Shift")
    page.clock.fast_forward(110_000)
    assert page.locator(".staff-page").count() == 1
    page.clock.fast_forward(11_000)
    page.locator(".attract").wait_for()
    open_staff(page)
    assert page.locator(".keypad").count() == 1


def test_nothing_reloads_under_the_hands_of_staff_and_back_leads_to_the_start(page: Page) -> None:
    enter(page)
    assert page.locator("html").get_attribute("data-between") == "no"
    tap(page, "update")
    told(page, "Máy đang dùng bản mới nhất.")
    tap(page, "back")
    page.locator(".attract").wait_for()
    assert page.locator("html").get_attribute("data-between") == "yes"


def test_without_the_app_installed_the_page_says_what_that_means(pinned: Site, chromium: Browser) -> None:
    context = chromium.new_context(service_workers="block")
    page = open_modules(context, pinned.url)
    run(page, ENROL, new_code(pinned.settings, PINNED))
    page.goto(f"{pinned.url}/kiosk")
    enter(page)
    tap(page, "update")
    told(page, "Trình duyệt chưa cài ứng dụng")
    context.close()
