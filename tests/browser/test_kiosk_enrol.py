"""A tablet is set up in real Chromium: by a typed code, by the card's address, by the camera; and what can stand in the way."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import segno
from playwright.sync_api import Browser, BrowserContext, Page, expect

from survey_app.store import Store
from tests.browser.chromium import QUIET, chromium_path
from tests.browser.conftest import CENTRE, LANDSCAPE, PHONE, PORTRAIT, Site
from tests.browser.tablet import new_code, run
from tests.browser.test_kiosk_staff_axe import assert_sound

WIDTH, HEIGHT, FRAMES = 640, 480, 5


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]})
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(site: Site, context: BrowserContext) -> Page:
    made = context.new_page()
    made.goto(f"{site.url}/enrol")
    return made


def type_code(page: Page, code: str) -> None:
    page.locator("#code").fill(code)
    page.locator("button.forward").click()


def device_of(page: Page) -> str | None:
    device: str | None = run(page, "return (await (await openStorage()).device())?.id ?? null")
    return device


def known(site: Site, device: str | None) -> bool:
    with Store.open(site.settings, write=False) as store:
        return any(one.id == device and one.enrolled is not None for one in store.devices())


# ---- ways in


def test_a_typed_code_makes_the_tablet_the_centres(site: Site, page: Page) -> None:
    code = new_code(site.settings)
    type_code(page, f" {code.lower()} ")
    page.locator(".attract").wait_for()
    assert known(site, device_of(page))
    token = run(page, "return (await (await openStorage()).device()).token")
    assert token not in page.content() and code not in page.url
    assert page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


def test_the_address_of_a_card_brings_the_code_and_no_log_sees_it(site: Site, context: BrowserContext) -> None:
    code = new_code(site.settings)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"{site.url}/enrol#{code}")
    expect(page.locator("#code")).to_have_value(code)
    assert page.url == f"{site.url}/enrol" and page.evaluate("location.hash") == ""
    page.locator("button.forward").click()
    page.locator(".attract").wait_for()
    assert not [url for url in asked if code in url]
    assert code not in site.server.log.read_text(encoding="utf-8")


def picture(path: Path, content: str) -> Path:
    """A film of a QR code for the camera: grey frames of YUV4MPEG2, the code in the middle, or nothing."""
    matrix = segno.make(content, error="m").matrix if content else ()
    size = HEIGHT // (len(matrix) + 8)
    left, top = (WIDTH - size * len(matrix)) // 2, (HEIGHT - size * len(matrix)) // 2
    luma = bytearray(b"\xeb" * (WIDTH * HEIGHT))
    for y, row in enumerate(matrix):
        for x, dark in enumerate(row):
            for line in range(size if dark else 0):
                start = (top + y * size + line) * WIDTH + left + x * size
                luma[start : start + size] = b"\x10" * size
    frame = b"FRAME\n" + bytes(luma) + b"\x80" * (WIDTH * HEIGHT // 2)
    path.write_bytes(f"YUV4MPEG2 W{WIDTH} H{HEIGHT} F10:1 Ip A1:1 C420jpeg\n".encode() + frame * FRAMES)
    return path


@pytest.fixture
def filmed(site: Site, chromium: Browser, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A set-up page whose camera looks at a card: the bare code, or the address with the code."""
    code = new_code(site.settings)
    film = picture(tmp_path / "card.y4m", request.param.format(url=site.url, code=code))
    fake = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]
    browser = chromium.browser_type.launch(
        executable_path=chromium_path(),
        args=[*QUIET, *fake, f"--use-file-for-fake-video-capture={film}"],
    )
    page = browser.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{site.url}/enrol")
    yield page
    browser.close()


@pytest.mark.parametrize("filmed", ["{code}", "{url}/enrol#{code}"], indirect=True, ids=["code", "address"])
def test_the_camera_reads_the_card(site: Site, filmed: Page) -> None:
    filmed.locator("[data-do=camera]").click()
    filmed.locator(".attract").wait_for()
    assert known(site, device_of(filmed))


@pytest.mark.parametrize("filmed", [""], indirect=True, ids=["nothing"])
def test_the_camera_is_off_when_staff_turn_it_off(filmed: Page) -> None:
    filmed.evaluate(
        """() => { const real = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
        navigator.mediaDevices.getUserMedia = async how => (window.stream = await real(how)); }"""
    )
    filmed.locator("[data-do=camera]").click()
    expect(filmed.locator("#enrol-told")).to_contain_text("Đưa mã vuông")
    assert filmed.evaluate("stream.active")
    filmed.locator("[data-do=stop-camera]").click()
    filmed.locator("video").wait_for(state="detached")
    assert not filmed.evaluate("stream.active")
    assert filmed.locator("[data-do=stop-camera]").is_hidden() and filmed.locator("#code").input_value() == ""


# ---- what can stand in the way


def test_a_camera_that_is_refused_leaves_the_typing(site: Site, page: Page) -> None:
    page.locator("[data-do=camera]").click()
    expect(page.locator("#enrol-told")).to_contain_text("Không dùng được máy ảnh")
    type_code(page, new_code(site.settings))
    page.locator(".attract").wait_for()


def test_without_network_the_code_is_not_used_up(site: Site, page: Page, context: BrowserContext) -> None:
    code = new_code(site.settings)
    context.set_offline(True)
    type_code(page, code)
    expect(page.locator("#enrol-told")).to_contain_text("Mã vẫn còn dùng được")
    context.set_offline(False)
    assert device_of(page) is None
    page.locator("button.forward").click()
    page.locator(".attract").wait_for()


@pytest.mark.parametrize("code", ["AAAA-BBBB-CCCC-DDDD", "", "<script>alert(1)</script>"])
def test_a_wrong_code_is_told_on_the_page(page: Page, code: str) -> None:
    type_code(page, code)
    page.locator("#code-error").wait_for()
    assert "Xin" in page.locator("#code-error").inner_text()
    assert device_of(page) is None


def test_a_code_works_once(site: Site, page: Page, chromium: Browser) -> None:
    code = new_code(site.settings)
    type_code(page, code)
    page.locator(".attract").wait_for()
    other = chromium.new_context().new_page()
    other.goto(f"{site.url}/enrol")
    type_code(other, code)
    expect(other.locator("#code-error")).to_contain_text("đã dùng")
    other.context.close()


def test_without_storage_the_servers_own_pages_ask(site: Site, context: BrowserContext) -> None:
    context.add_init_script("IDBFactory.prototype.open = () => { throw new DOMException('no', 'SecurityError'); };")
    page = context.new_page()
    page.goto(f"{site.url}/enrol")
    type_code(page, new_code(site.settings))
    page.locator("button[value='start.vi']").wait_for()
    assert page.url == f"{site.url}/"
    assert [cookie["name"] for cookie in context.cookies()] == ["device"]
    page.locator(".summary", has_text="bộ nhớ của máy").wait_for()


def test_an_interviewers_tablet_stays_with_the_servers_pages(site: Site, page: Page) -> None:
    with Store.open(site.settings) as store:
        _, code = store.add_device(CENTRE, purpose="sample")
    type_code(page, code)
    page.wait_for_url(f"{site.url}/")
    assert device_of(page) is None
    assert [cookie["name"] for cookie in page.context.cookies()] == ["device"]


def test_set_up_again_it_counts_from_one_and_keeps_what_waits(site: Site, page: Page) -> None:
    type_code(page, new_code(site.settings))
    page.locator(".attract").wait_for()
    first = device_of(page)
    page.goto(f"{site.url}/enrol")
    type_code(page, new_code(site.settings))
    page.locator(".attract").wait_for()
    second = run(page, "return (await (await openStorage()).device())")
    assert second["id"] != first and second["last_seq"] == 0
    assert len(run(page, "return (await openStorage()).devices()")) == 2


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT, PHONE], ids=["landscape", "portrait", "phone"])
def test_the_page_is_sound_with_the_camera_button(page: Page, size: tuple[int, int]) -> None:
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.locator("[data-do=camera]").click()
    expect(page.locator("#enrol-told")).not_to_be_empty()
    assert_sound(page)
