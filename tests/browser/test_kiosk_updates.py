"""The kiosk as an app: cold start without network, a new version between two citizens, a broken one never."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser, BrowserContext, Error, Page, Route

from survey_app.settings import Settings
from survey_app.store import Store
from tests.browser.chromium import QUIET, chromium_path
from tests.browser.tablet import ENROL, new_code, open_modules, run
from tests.served import CENTRES, WAVE, free_port, make_field

ROOT = Path(__file__).resolve().parents[2]
BEGIN = "[value='start.vi']"
ALONE = (
    "--headless=new",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


class OwnCopy:
    """A server that runs from a copy of the program, so that a test can change its files; always on one port."""

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings, self.port = folder, settings, free_port()
        for name in ("survey_app", "questionnaires", "analysis"):
            shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        self.static = folder / "survey_app" / "web" / "static"
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        command = [sys.executable, "-m", "survey_app", "--instance", str(self.settings.instance), "serve"]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--port", str(self.port), "--development-http"],
                cwd=self.folder, stdout=log, stderr=subprocess.STDOUT, start_new_session=True,
            )  # fmt: skip
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            with suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/healthz", timeout=5).status_code == 200:
                    return
            time.sleep(0.05)
        raise AssertionError((self.folder / "log").read_text(encoding="utf-8"))

    def stop(self) -> None:
        if self.process and self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGTERM)
            self.process.wait(timeout=30)

    def upgrade(self, name: str, text: str) -> None:
        """Another version: the file gets `text` at its end, and the server is started anew."""
        self.stop()
        with (self.static / name).open("a", encoding="utf-8") as file:
            file.write(text)
        self.start()


@pytest.fixture
def copy(tmp_path: Path) -> Iterator[OwnCopy]:
    made = OwnCopy(tmp_path / "program", make_field(tmp_path / "instance"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context(viewport={"width": 1280, "height": 800})
    made.set_default_timeout(60_000)
    yield made
    made.close()


def installed(copy: OwnCopy, context: BrowserContext) -> tuple[Page, str]:
    """A tablet of the first centre whose app is installed and ready; and its device."""
    page = open_modules(context, copy.url)
    device: str = run(page, ENROL, new_code(copy.settings, CENTRES[0]))
    page.goto(copy.url)
    page.wait_for_url("**/kiosk")
    page.locator(BEGIN).wait_for()
    until(page, SETTLED)
    return page, device


def until(page: Page, true: str) -> None:
    """Wait for a promise that comes true; Playwright's own waiting asks a promise only once."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(Error):  # the page was just being loaded anew
            if page.evaluate(true):
                return
        page.wait_for_timeout(50)
    raise AssertionError(true)


SETTLED = """async () => {
  if (!navigator.serviceWorker.controller) return false;
  const kept = await (await caches.open("sipas-state")).match("/state");
  return kept !== undefined && (await kept.json()).good !== null;
}"""


def version_of(page: Page) -> str:
    found = page.locator("meta[name='sipas-version']").get_attribute("content")
    assert found
    return found


def answer_all(page: Page) -> None:
    """From the first question to the thanks."""
    while page.locator(".thanks").count() == 0:
        for card in page.locator("fieldset.card").all():
            card.locator(".answers input").first.check(force=True)
        page.locator("button.forward").click()
        page.wait_for_function("() => !document.querySelector('[aria-busy=true]')")


def app_of(copy: OwnCopy, device: str) -> str | None:
    """What the server last heard the tablet say of its version."""
    with Store.open(copy.settings, write=False) as store:
        return next(one.app for one in store.devices() if one.id == device)


def served_version(copy: OwnCopy) -> str:
    return httpx.get(f"{copy.url}/sw.js").text.split('"')[1]


def stored_count(copy: OwnCopy) -> int:
    with Store.open(copy.settings, write=False) as store:
        return sum(response.disposition == "complete" for response in store.responses(WAVE))


def test_the_app_starts_cold_without_network(copy: OwnCopy, context: BrowserContext) -> None:
    page, _ = installed(copy, context)
    page.close()
    copy.stop()
    page = context.new_page()
    page.goto(copy.url)
    page.locator(BEGIN).click()
    answer_all(page)
    copy.start()
    page.goto(copy.url)
    page.locator(BEGIN).wait_for()
    deadline = time.monotonic() + 60
    while stored_count(copy) == 0 and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert stored_count(copy) == 1


def test_a_new_version_waits_while_a_citizen_answers(copy: OwnCopy, context: BrowserContext) -> None:
    page, _ = installed(copy, context)
    before = version_of(page)
    page.locator(BEGIN).click()
    page.locator("fieldset.card").first.wait_for()
    copy.upgrade("kiosk/screen.js", "\n// another version\n")
    page.evaluate("() => navigator.serviceWorker.ready.then(one => one.update())")
    until(page, "() => navigator.serviceWorker.ready.then(one => one.waiting !== null)")
    answer_all(page)
    assert version_of(page) == before
    deadline = time.monotonic() + 60
    while stored_count(copy) == 0 and time.monotonic() < deadline:
        page.wait_for_timeout(100)
    assert stored_count(copy) == 1


def test_the_version_that_works_leaves_the_files_of_the_one_that_waits(copy: OwnCopy, context: BrowserContext) -> None:
    page, _ = installed(copy, context)
    page.locator(BEGIN).click()
    copy.upgrade("kiosk/screen.js", "\n// another version\n")
    page.evaluate("() => navigator.serviceWorker.ready.then(one => one.update())")
    until(page, "() => navigator.serviceWorker.ready.then(one => one.waiting !== null)")
    page.evaluate(
        """version => { navigator.serviceWorker.controller.postMessage({ ready: version });
          return new Promise(done => { const { port1, port2 } = new MessageChannel(); port1.onmessage = done;
            setTimeout(() => navigator.serviceWorker.controller.postMessage("which", [port2]), 300); }).then(() => true); }""",
        version_of(page),
    )
    kept = page.evaluate("() => caches.keys().then(keys => keys.filter(key => key.startsWith('sipas-app-')))")
    assert sorted(kept) == sorted([f"sipas-app-{version_of(page)}", f"sipas-app-{served_version(copy)}"])


def test_a_new_version_takes_over_between_two_citizens(copy: OwnCopy, chromium: Browser, tmp_path: Path) -> None:
    """In a browser that nobody debugs: a worker that is debugged is never idle, and cannot be replaced for minutes."""
    profile = tmp_path / "profile"
    program = chromium_path(whole=True)
    context = chromium.browser_type.launch_persistent_context(str(profile), executable_path=program, args=QUIET)
    page, device = installed(copy, context)
    before = version_of(page)
    context.close()
    copy.upgrade("kiosk/screen.js", "\n// another version\n")
    command = [program, *QUIET, *ALONE, f"--user-data-dir={profile}", copy.url]
    tablet = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        deadline = time.monotonic() + 90
        while app_of(copy, device) in (None, f"sipas-kiosk {before}") and time.monotonic() < deadline:
            time.sleep(0.2)
    finally:
        os.killpg(tablet.pid, signal.SIGKILL)
        tablet.wait()
    assert app_of(copy, device) == f"sipas-kiosk {served_version(copy)}" != f"sipas-kiosk {before}"


def test_a_version_that_does_not_come_whole_leaves_the_old_one_in_place(copy: OwnCopy, context: BrowserContext) -> None:
    page, _ = installed(copy, context)
    before = version_of(page)
    copy.upgrade("kiosk/screen.js", "\n// another version\n")
    asked: list[str] = []

    def fail(route: Route) -> None:
        asked.append(route.request.url)
        route.fulfill(status=500, body="")

    context.route("**/static/kiosk/screen.js*", fail)
    refused = page.evaluate(
        """() => navigator.serviceWorker.ready.then(one => new Promise(done => {
          one.addEventListener("updatefound", () => {
            const worker = one.installing;
            worker.addEventListener("statechange", () => worker.state === "redundant" && done(true));
          });
          one.update();
        }))"""
    )
    assert refused and asked
    context.unroute("**/static/kiosk/screen.js*")
    copy.stop()
    page.goto(copy.url)
    page.locator(BEGIN).wait_for()
    assert version_of(page) == before
    kept = page.evaluate("() => caches.keys().then(keys => keys.filter(key => key.startsWith('sipas-app-')))")
    assert kept == [f"sipas-app-{before}"]


def test_a_version_that_comes_but_does_not_work_gives_way_to_the_old_one(
    copy: OwnCopy, context: BrowserContext
) -> None:
    page, _ = installed(copy, context)
    before = version_of(page)
    copy.upgrade("kiosk/attract.js", "\nthrow new Error('a fault that no test had found');\n")
    page.evaluate("() => navigator.serviceWorker.ready.then(one => one.update())")
    page.wait_for_function("old => document.querySelector(\"meta[name='sipas-version']\")?.content !== old", arg=before)
    for _ in range(4):
        page.goto(copy.url)
        page.wait_for_load_state()
    page.locator(BEGIN).wait_for()
    assert version_of(page) == before
