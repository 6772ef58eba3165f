"""A bad line: requests lost, acknowledgements lost, seconds of delay, hours without network. Everything arrives once."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext

from survey_app.store import Store
from tests.browser.conftest import Site
from tests.browser.tablet import ENROL, draft, new_code, open_modules, run
from tests.flaky_line import flaky_line
from tests.served import WAVE

ANSWER_AND_SEND = """
const storage = await openStorage();
const sender = new Sender({ storage, app: "test", wait: { first: 10, longest: 50, heartbeat: 60_000 } });
await sender.start();
const uuids = [];
for (let citizen = 0; citizen < given.citizens; citizen += 1) {
  uuids.push((await storage.commit(given.draft)).uuid);
  sender.wake();
  await new Promise(next => setTimeout(next, 20));
}
await until(async () => (await storage.counts()).unsent === 0);
await sender.running;
return uuids;
"""


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context()
    made.set_default_timeout(60_000)
    yield made
    made.close()


def test_over_a_line_that_loses_a_third_everything_arrives_once(site: Site, context: BrowserContext) -> None:
    port = urlsplit(site.url).port or 0
    with flaky_line(port, loss=0.0) as line:
        page = open_modules(context, line.url)
        device = run(page, ENROL, new_code(site.settings))
        line.loss, line.latency = 0.3, 0.05
        uuids = run(page, ANSWER_AND_SEND, {"citizens": 25, "draft": draft()})
        lost = (line.lost_requests, line.lost_answers)
    with Store.open(site.settings, write=False) as store:
        stored = [response for response in store.responses(WAVE) if response.device == device]
        assert store.missing(device, 25) == ()
    assert sorted(response.uuid for response in stored) == sorted(uuids)
    assert len(stored) == 25 and min(lost) > 0


def test_a_day_without_network_goes_out_when_it_is_back(site: Site, context: BrowserContext) -> None:
    port = urlsplit(site.url).port or 0
    with flaky_line(port, loss=0.0) as line:
        page = open_modules(context, line.url)
        device = run(page, ENROL, new_code(site.settings))
        line.down = True
        body = ANSWER_AND_SEND.partition("await until")[0]
        told = run(page, body + "await until(() => sender.failures >= 2); return (await storage.counts()).unsent;",
                   {"citizens": 60, "draft": draft()})  # fmt: skip
        assert told == 60
        line.down = False
        run(page, ANSWER_AND_SEND, {"citizens": 0, "draft": draft()})
    with Store.open(site.settings, write=False) as store:
        assert [one.seq for one in store.responses(WAVE) if one.device == device] == list(range(1, 61))
