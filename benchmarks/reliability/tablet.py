"""What the tablet promises, in a real browser: R10 to R14 and A1 to A3.

R12, R13, R14, A1 and A2 are the tests themselves, counted; R10, R11 and A3 are their long forms, measured.
"""

import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from xml.etree import ElementTree

from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.completion import measure
from benchmarks.reliability.outcome import Outcome
from survey_app.model import StoredResponse
from survey_app.settings import Settings
from survey_app.store import Store
from tests.browser.chromium import chromium_path
from tests.browser.power_cuts import cut_power
from tests.browser.tablet import ENROL, draft, new_code, open_modules, run
from tests.browser.test_kiosk_line import ANSWER_AND_SEND
from tests.flaky_line import flaky_line
from tests.served import CENTRES, WAVE, make_field, serving

ROOT = Path(__file__).parents[2]
BEGIN = "[value='start.vi']"
KILOBYTES, START_SECONDS, SCREEN_MS = 120, 1.0, 100


@contextmanager
def _browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(whole=True), args=["--no-sandbox"])
        yield browser
        browser.close()


def r10(folder: Path, short: bool) -> list[Outcome]:
    """`kill -9` of the browser at random moments."""
    settings, cuts = make_field(folder / "instance"), 3 if short else 30
    with _browser() as browser, serving(settings) as server:
        seen = cut_power(
            browser.browser_type,
            chromium_path(whole=True),
            settings,
            server.url,
            folder / "tablet",
            cuts=cuts,
            centre=CENTRES[0],
        )
    sound = seen.cuts == cuts and not seen.lost and not seen.doubled
    found = f"{seen.cuts} kills, {len(seen.thanked):,} thanked, {len(seen.lost)} lost, {seen.doubled} doubled"
    bar = "every response whose thanks was shown arrives"
    detail = {"stored": len(seen.stored)}
    return [Outcome("R10", "kill -9 of the browser at random moments", bar, found, sound, sound, detail)]


def r11(folder: Path, short: bool) -> list[Outcome]:
    """A line that loses 30 %, takes 2 seconds each way, and is gone now and then."""
    settings, citizens = make_field(folder / "instance"), 10 if short else 60
    with _browser() as browser, serving(settings) as server:
        context = browser.new_context()
        context.set_default_timeout(0)
        with flaky_line(urlsplit(server.url).port or 0, loss=0.0) as line:
            page = open_modules(context, line.url)
            device = run(page, ENROL, new_code(settings, CENTRES[0]))
            line.loss, line.latency = 0.3, 0.1 if short else 1.0
            began = time.monotonic()
            uuids = run(page, ANSWER_AND_SEND, {"citizens": citizens, "draft": draft(field="ho-tich")})
            took = time.monotonic() - began
            lost = (line.lost_requests, line.lost_answers)
    stored = [response.uuid for response in _of(settings, device)]
    sound = sorted(stored) == sorted(uuids)
    found = f"{len(stored)} of {citizens} once, after {lost[0]} requests and {lost[1]} answers lost, in {took:.0f} s"
    what = "30 % of what is said is lost, 2 s there and back"
    return [Outcome("R11", what, "all arrive once", found, sound, sound, {"seconds": round(took, 1)})]


def _of(settings: Settings, device: str) -> list[StoredResponse]:
    with Store.open(settings, write=False) as store:
        return [response for response in store.responses(WAVE) if response.device == device]


def _bytes(heard: list[Response]) -> tuple[int, int]:
    """What came over the line, as it was compressed: content and heads, without the recordings of read aloud."""
    sizes = [one.request.sizes() for one in heard if "/audio/" not in one.url]
    came = [size for size in sizes if size["responseBodySize"] >= 0]  # below: from the browser's own cache
    return sum(size["responseBodySize"] for size in came), sum(size["responseHeadersSize"] for size in came)


_TESTED = {
    "R12": ("clock ± 10 years, set back, jumping; time zones", "stored, flagged, right local day", ("kiosk_clock",)),
    "R13": ("update during a visit, broken updates", "no answer lost, old version stays", ("kiosk_updates",)),
    "R14": ("IndexedDB failing at open, at write, by quota", "said to staff, nothing pretended", ("kiosk_trouble",)),
    "A1": ("axe on every kiosk page × language × text size × screen size", "0 violations WCAG 2.0–2.2 A/AA", ("axe",)),
    "A2": ("keyboard alone; the accessibility tree", "passes", ("kiosk_keys",)),
}


def tested(name: str) -> list[Outcome]:
    """The tests of this claim, run and counted."""
    what, bar, words = _TESTED[name]
    files = [path for word in words for path in sorted((ROOT / "tests" / "browser").glob(f"test_*{word}*.py"))]
    report = ROOT / ".pytest_cache" / f"{name}.xml"
    command = [sys.executable, "-m", "pytest", "-n0", "-q", f"--junitxml={report}", *map(str, files)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    suite = next(ElementTree.parse(report).iter("testsuite"))
    bad = sum(int(suite.get(kind, "0")) for kind in ("failures", "errors", "skipped"))
    count = int(suite.get("tests", "0"))
    sound = done.returncode == 0 and count > 0 and bad == 0
    found = f"{count - bad} of {count} tests pass"
    return [Outcome(name, what, bar, found, sound, sound, {} if sound else {"end": done.stdout[-1500:]})]


def a3(folder: Path, short: bool) -> list[Outcome]:
    """Bytes of the first visit, time of a start without network, time from screen to screen."""
    settings, starts = make_field(folder / "instance"), 3 if short else 20
    with _browser() as browser:
        context = browser.new_context(viewport={"width": 1280, "height": 800})
        heard: list[Response] = []
        context.on("response", lambda response: heard.append(response))
        with serving(settings) as server:
            page = context.new_page()
            page.goto(f"{server.url}/enrol#{new_code(settings, CENTRES[0])}")
            page.locator("button.forward").click()
            page.locator(BEGIN).wait_for()
            page.wait_for_function("() => navigator.serviceWorker.controller !== null")
            content, heads = (round(size / 1000) for size in _bytes(heard))
        times = []
        for _ in range(starts):
            page.close()
            page = context.new_page()
            began = time.perf_counter()
            page.goto(f"{server.url}/", wait_until="commit")
            page.locator(BEGIN).wait_for()
            times.append(time.perf_counter() - began)
    waits = measure("counter", "1", 2 if short else 20)
    start = statistics.median(times)
    slow = waits["screen to screen, 95 % ms"]
    return [
        Outcome("A3", "first load: set-up page, kiosk, and the app for later starts", f"≤ {KILOBYTES} KB compressed",
                f"{content} KB, and {heads} KB of heads", content <= KILOBYTES, True),
        Outcome("A3", "later starts, without network", f"< {START_SECONDS:g} s",
                f"median {start:.2f} s, slowest {max(times):.2f} s", start < START_SECONDS, True),
        Outcome("A3", "screen to screen", f"< {SCREEN_MS} ms",
                f"median {waits['screen to screen, median ms']} ms, 95 % {slow} ms", slow < SCREEN_MS, True),
    ]  # fmt: skip
