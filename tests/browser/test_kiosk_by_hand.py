"""From a tablet without network to the province: files by hand, taken in by `sipas device import`, nothing doubled."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, BrowserContext, Page

from survey_app.cli import sipas
from survey_app.model import StoredResponse
from survey_app.store import Store
from survey_app.verification import verify
from tests.browser.conftest import LANDSCAPE, Site
from tests.browser.staff_page import enter, fact, give, give_pin, offline, tablet_of, tap, told, type_pin
from tests.browser.tablet import ENROL, draft, new_code, run
from tests.served import WAVE

CENTRE = "00721"


@pytest.fixture(scope="module")
def pinned(site: Site) -> Site:
    give_pin(site, CENTRE)
    return site


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]}, accept_downloads=True)
    made.set_default_timeout(30_000)
    yield made
    made.close()


@pytest.fixture
def page(pinned: Site, context: BrowserContext) -> Page:
    return tablet_of(context, pinned, CENTRE)


def saved(page: Page, folder: Path) -> list[Path]:
    """Export, and save every file by its link."""
    tap(page, "export")
    page.locator(".files a").first.wait_for()
    files = []
    for link in page.locator(".files a").all():
        with page.expect_download() as download:
            link.click()
        file = folder / download.value.suggested_filename
        download.value.save_as(file)
        files.append(file)
    return files


def import_(site: Site, *files: Path) -> list[dict[str, Any]]:
    done = CliRunner().invoke(
        sipas, ["--instance", str(site.settings.instance), "device", "import", "--json", *map(str, files)]
    )
    assert done.exit_code == 0, done.output
    taken: list[dict[str, Any]] = json.loads(done.stdout)
    return taken


def of(site: Site, device: str) -> list[StoredResponse]:
    with Store.open(site.settings, write=False) as store:
        return [response for response in store.responses(WAVE) if response.device == device]


def id_of(page: Page) -> str:
    device: str = run(page, "return (await (await openStorage()).device()).id")
    return device


def test_what_a_tablet_could_not_send_reaches_the_store_by_hand(
    pinned: Site, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    device = id_of(page)
    with offline(context):
        uuids = [give(page)["uuid"], give(page, language="en")["uuid"]]
        enter(page)
        (file,) = saved(page, tmp_path)
        assert (
            "2" in page.locator(".files a").inner_text()
            and "sipas device import" in page.locator(".files").inner_text()
        )
        assert "Lần xuất gần nhất" in fact(page, "exported")
        assert [one["fates"] for one in import_(pinned, file)] == [{"stored": 2}]
        stored = of(pinned, device)
        assert [one.uuid for one in stored] == uuids and {one.centre for one in stored} == {CENTRE}
        assert not any(one.clock for one in stored)
        assert [one["fates"] for one in import_(pinned, file)] == [{"already_stored": 2}]
    tap(page, "send")
    told(page, "Phiếu còn chờ gửi: 0.")
    assert [one.uuid for one in of(pinned, device)] == uuids
    assert verify(pinned.settings) == ()


def test_a_withdrawn_tablet_gives_its_answers_by_hand(
    pinned: Site, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    device = id_of(page)
    with offline(context):
        uuid = give(page)["uuid"]
        with Store.open(pinned.settings) as store:
            store.revoke_device(device)
    run(page, "const s = await openStorage(); await until(async () => (await s.device()).standing === 'revoked')")
    page.reload()
    page.locator("h1", has_text="đã ngừng dùng").wait_for()
    page.locator("[data-do=staff]").click()
    type_pin(page)
    page.locator("tbody tr").first.wait_for()
    (file,) = saved(page, tmp_path)
    assert [(one["device"], one["fates"]) for one in import_(pinned, file)] == [(device, {"stored": 1})]
    assert [one.uuid for one in of(pinned, device)] == [uuid]


def test_each_device_the_tablet_has_been_has_a_file_of_its_own(
    pinned: Site, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    first = id_of(page)
    context.route("**/api/v1/responses", lambda route: route.abort())
    one = give(page)["uuid"]
    run(page, ENROL, new_code(pinned.settings, CENTRE))
    page.goto(pinned.url)
    page.locator(".attract").wait_for()
    second = id_of(page)
    two = give(page)["uuid"]
    enter(page)
    files = saved(page, tmp_path)
    assert {one["device"]: one["fates"] for one in import_(pinned, *files)} == {
        first: {"stored": 1},
        second: {"stored": 1},
    }
    assert [[one.uuid for one in of(pinned, device)] for device in (first, second)] == [[one], [two]]


def test_what_the_server_refused_is_in_the_file(
    pinned: Site, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    give(page, answers={"OVERALL": 99})
    enter(page)
    tap(page, "send")
    told(page, "Phiếu còn chờ gửi: 0.")
    (file,) = saved(page, tmp_path)
    assert [one["fates"] for one in import_(pinned, file)] == [{"rejected": 1}]


def test_the_clock_of_each_response_is_put_right_by_hand_too(
    pinned: Site, page: Page, context: BrowserContext, tmp_path: Path
) -> None:
    """The clock was three days slow while they were given, and the server was heard then."""
    device = id_of(page)
    page.goto(f"{pinned.url}/enrol")  # where nothing else of the kiosk runs, whose clock is right
    run(
        page,
        """const slow = { wall: () => Date.now() - 3 * 86_400_000 };
        const storage = await openStorage(slow);
        const sender = new Sender({ storage, app: "test" });
        await sender.wake();
        while (sender.running) await sender.running;
        clearTimeout(sender.timer);
        await storage.commit(given);""",
        draft(),
    )
    with offline(context):
        page.goto(pinned.url)
        enter(page)
        (file,) = saved(page, tmp_path)
        assert [one["fates"] for one in import_(pinned, file)] == [{"stored": 1}]
    (stored,) = of(pinned, device)
    assert stored.clock and abs(stored.offset_ms - 3 * 86_400_000) < 60_000


def test_a_month_of_answers_is_cut_into_files_the_province_can_read(page: Page) -> None:
    counts = run(
        page,
        """const { takeOverFiles } = await load("export");
        const real = await openStorage();
        const device = await real.device();
        const responses = Array.from({ length: 12_001 }, () => given);
        const storage = { clock: real.clock, devices: async () => [device],
          exportable: async () => [{ responses, offset_ms: 1.5 }] };
        const files = await takeOverFiles(storage, "test");
        const offsets = await Promise.all(files.map(async file => JSON.parse((await file.blob.text()).split("\\n")[0]).offset_ms));
        return [files.map(file => file.count), new Set(files.map(file => file.name)).size, offsets];""",
        {"uuid": "x"},
    )
    assert counts == [[5000, 5000, 2001], 3, [2, 2, 2]]


def test_nothing_to_export_is_said(page: Page) -> None:
    enter(page)
    tap(page, "export")
    told(page, "Không có phiếu phải xuất")
    assert page.locator(".files").is_hidden()
