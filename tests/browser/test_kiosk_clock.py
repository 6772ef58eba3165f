"""The tablet's clock: wrong by years, set back, jumping in the middle of an interview. The server's day is right all the same."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from playwright.sync_api import Browser, BrowserContext

from survey_app.model import VIETNAM
from survey_app.store import Store
from tests.browser.conftest import Site
from tests.browser.tablet import draft, enrolled, run
from tests.served import WAVE

YEARS = 10 * 365 * 86_400_000
HOUR = 3_600_000

CLOCKS = """
let shift = 0, still = 0;  // what the wall clock is set off by; how long the steady clock stood still
const real = () => performance.timeOrigin + performance.now();
const clocks = { wall: () => Math.round(real() + shift + still), steady: () => performance.now() };
const storage = await openStorage(clocks);
const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
const send = async () => { await sender.wake(); await until(async () => (await storage.counts()).unsent === 0); await sender.running; };
"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context()
    made.set_default_timeout(30_000)
    yield made
    made.close()


def stored(site: Site, device: str) -> list[tuple[timedelta, bool, bool]]:
    """For each response: how far the corrected time is from now, whether the day is today's, whether it is flagged."""
    now = datetime.now(UTC)
    with Store.open(site.settings, write=False) as store:
        found = [response for response in store.responses(WAVE) if response.device == device]
    days = {now.astimezone(VIETNAM).date(), (now - timedelta(minutes=3)).astimezone(VIETNAM).date()}
    return [
        (one.submitted + timedelta(milliseconds=one.offset_ms) - now, one.local_day in days, one.clock) for one in found
    ]


@pytest.mark.parametrize("shift", [YEARS, -YEARS], ids=["ten years ahead", "ten years behind"])
def test_a_clock_off_by_years_is_stored_flagged_and_dated_right(
    site: Site, context: BrowserContext, shift: int
) -> None:
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "shift = given.shift; await storage.commit(given.draft); await send();",
        {"shift": shift, "draft": draft()})  # fmt: skip
    ((off, today, flagged),) = stored(site, device)
    assert abs(off) < timedelta(minutes=2) and today and flagged


def test_a_clock_set_back_between_answer_and_sending(site: Site, context: BrowserContext) -> None:
    """Given at a right clock, sent after it fell back by years: without eras the answer would lie in the future."""
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "await sender.wake(); await sender.running; await storage.commit(given.draft);"
        "shift = given.shift; await storage.commit(given.draft); await send();",
        {"shift": -YEARS, "draft": draft()})  # fmt: skip
    (first, today, flagged), (second, also_today, also_flagged) = stored(site, device)
    assert abs(first) < timedelta(minutes=2) and today and not flagged
    assert abs(second) < timedelta(minutes=2) and also_today and also_flagged


def test_a_clock_set_back_while_the_tablet_was_off(site: Site, context: BrowserContext) -> None:
    """Switched off at the wall with an empty battery: the clock begins anew in another year, without network."""
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "await sender.wake(); await sender.running; await storage.commit(given);", draft())
    page.reload()
    body = CLOCKS.replace("let shift = 0", f"let shift = {-YEARS}")
    run(page, body + "await storage.commit(given); await send();", draft())
    (first, today, _), (second, also_today, also_flagged) = stored(site, device)
    assert abs(first) < timedelta(minutes=2) and today
    assert abs(second) < timedelta(minutes=2) and also_today and also_flagged


def test_a_slow_clock_put_right_while_the_tablet_was_off(site: Site, context: BrowserContext) -> None:
    """Three days slow, as the server knew; put right overnight. What was given before is dated by what was known then."""
    page, device = enrolled(context, site.settings, site.url)
    slow = CLOCKS.replace("let shift = 0", f"let shift = {-72 * HOUR}")
    run(page, slow + "await sender.wake(); await sender.running; await storage.commit(given);", draft())
    page.reload()
    run(page, CLOCKS + "await send(); await storage.commit(given); await send();", draft())
    (first, today, flagged), (second, also_today, also_flagged) = stored(site, device)
    assert abs(first) < timedelta(minutes=2) and today and flagged
    assert abs(second) < timedelta(minutes=2) and also_today and not also_flagged


def test_sleep_is_no_jump(site: Site, context: BrowserContext) -> None:
    """An hour in a drawer: the steady clock stands still, the wall clock goes on; the answer was given an hour ago."""
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "shift = -given.hour; await sender.wake(); await sender.running; await storage.commit(given.draft);"
        "still = given.hour; shift = -given.hour; "
        "sender.request = async (url, options) => { const answer = await fetch(url, options); const told = await answer.json();"
        "  return new Response(JSON.stringify({ ...told, server_time: stamp(Date.parse(told.server_time)) }), answer); };"
        "await send();", {"hour": HOUR, "draft": draft()})  # fmt: skip
    # The server's own clock did not pass that hour, so to it this looks as a clock that was put right meanwhile.
    ((off, today, _),) = stored(site, device)
    assert today and abs(off) < timedelta(minutes=2)


def test_a_jump_during_the_interview_leaves_its_length_alone(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "shift = -given.years; await storage.commit({ ...given.draft, elapsed_ms: 90_000 }); await send();",
        {"years": YEARS, "draft": draft()})  # fmt: skip
    with Store.open(site.settings, write=False) as store:
        (one,) = [response for response in store.responses(WAVE) if response.device == device]
    assert one.submitted - one.started == timedelta(seconds=90)


@pytest.mark.parametrize("zone", ["Asia/Ho_Chi_Minh", "America/Los_Angeles", "Pacific/Kiritimati"])
def test_the_time_zone_of_the_tablet_means_nothing(site: Site, chromium: Browser, zone: str) -> None:
    context = chromium.new_context(timezone_id=zone)
    page, device = enrolled(context, site.settings, site.url)
    run(page, CLOCKS + "await storage.commit(given); await send();", draft())
    ((off, today, flagged),) = stored(site, device)
    assert abs(off) < timedelta(minutes=2) and today and not flagged
    context.close()
