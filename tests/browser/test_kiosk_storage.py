"""What a tablet keeps and sends, in real Chromium with real IndexedDB: nothing lost, nothing twice, nothing pretended."""

from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Route

from survey_app.model import StoredResponse
from survey_app.store import Store
from tests.browser.conftest import Site
from tests.browser.tablet import draft, enrolled, open_modules, run
from tests.served import WAVE


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    made = chromium.new_context()
    made.set_default_timeout(30_000)
    yield made
    made.close()


def of(site: Site, device: str) -> list[StoredResponse]:
    with Store.open(site.settings, write=False) as store:
        return [response for response in store.responses(WAVE) if response.device == device]


SEND = """
const storage = await openStorage();
const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
await sender.start();
await until(async () => (await storage.counts()).unsent === 0);
await sender.running;
return storage.counts();
"""


def commit(page: Page, **changes: Any) -> dict[str, Any]:
    given: dict[str, Any] = run(page, "return (await openStorage()).commit(given)", draft(**changes))
    return given


# ---- storing


def test_a_response_gets_uuid_and_number_in_one_strict_transaction(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    seen = run(
        page,
        """
        const storage = await openStorage();
        const seen = [];
        const real = IDBDatabase.prototype.transaction;
        IDBDatabase.prototype.transaction = function (stores, mode, options) {
          const made = real.call(this, stores, mode, options);
          made.addEventListener("complete", () => seen.push(["complete"]));
          seen.push([mode, made.durability, [...made.objectStoreNames]]);
          return made;
        };
        const told = await storage.commit(given);
        IDBDatabase.prototype.transaction = real;
        seen.push(["told", told.seq, told.uuid]);
        return seen;
        """,
        draft(),
    )
    assert seen[0] == ["readwrite", "strict", ["device", "kept", "outbox"]]
    assert [step[0] for step in seen] == ["readwrite", "complete", "told"]
    assert seen[2][1] == 1 and seen[2][2][14] == "4"
    page.close()
    again = open_modules(context, site.url)
    assert commit(again)["seq"] == 2
    assert run(again, "return (await openStorage()).counts()")["unsent"] == 2
    assert device


def test_what_was_sent_is_kept_and_sent_again_on_request(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    first, second = commit(page), commit(page)
    counts = run(page, SEND)
    assert (counts["unsent"], counts["sent"]) == (0, 2)
    assert [one.uuid for one in of(site, device)] == [first["uuid"], second["uuid"]]
    bodies: list[dict[str, Any]] = []

    def forgetful(route: Route) -> None:
        """A server restored from a backup made before both: it misses number 1 and names the uuid of the other."""
        bodies.append(route.request.post_data_json)
        answer = route.fetch()
        reply = answer.json()
        if len(bodies) == 1:
            reply |= {"missing": [[1, 1]], "resend": [second["uuid"]]}
        route.fulfill(response=answer, json=reply)

    page.route("**/api/v1/responses", forgetful)
    run(page, SEND)
    assert [len(body["responses"]) for body in bodies] == [0, 2]
    assert {one["uuid"] for one in bodies[1]["responses"]} == {first["uuid"], second["uuid"]}
    assert len(of(site, device)) == 2


def test_sent_answers_go_after_thirty_days_of_the_servers_time_and_unsent_never(
    site: Site, context: BrowserContext
) -> None:
    page, _ = enrolled(context, site.settings, site.url)
    commit(page)
    run(page, SEND)
    commit(page)
    left = run(
        page,
        """
        const storage = await openStorage();
        const counts = [];
        for (const days of [29, 31, 40_000]) {
          await storage.forget(stamp(Date.now() + days * 86_400_000));
          const { unsent, sent } = await storage.counts();
          counts.push([unsent, sent]);
        }
        return counts;
        """,
    )
    assert left == [[1, 1], [1, 0], [1, 0]]


def test_a_refused_response_leaves_the_queue_and_waits_for_staff(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    commit(page, answers={"OVERALL": 99})
    good = commit(page)
    counts = run(page, SEND)
    assert (counts["unsent"], counts["sent"], counts["staff"]) == (0, 1, 1)
    assert [one.uuid for one in of(site, device)] == [good["uuid"]]
    kept = run(page, "const s = await openStorage(); return s.exportable((await s.device()).id)")
    assert [one["seq"] for group in kept for one in group["responses"]] == [1]


def test_a_body_the_server_cannot_take_does_not_hold_up_the_others(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    uuids = [commit(page)["uuid"] for _ in range(5)]

    def narrow(route: Route) -> None:
        if uuids[2] in (route.request.post_data or ""):
            route.fulfill(status=413, json={"type": "urn:sipas:problem:too-large", "title": "", "status": 413})
        else:
            route.continue_()

    page.route("**/api/v1/responses", narrow)
    counts = run(page, SEND)
    assert (counts["unsent"], counts["sent"], counts["staff"]) == (0, 4, 1)
    assert {one.uuid for one in of(site, device)} == set(uuids) - {uuids[2]}


def test_answers_stay_under_the_token_they_were_given_under(site: Site, context: BrowserContext) -> None:
    page, first = enrolled(context, site.settings, site.url)
    context.set_offline(True)
    commit(page)
    context.set_offline(False)
    page.close()
    page, second = enrolled(context, site.settings, site.url)
    commit(page)
    run(page, SEND)
    assert first != second
    assert [[one.seq for one in of(site, device)] for device in (first, second)] == [[1], [1]]


def test_a_withdrawn_device_keeps_its_answers_and_does_not_silence_the_new_one(
    site: Site, context: BrowserContext
) -> None:
    page, first = enrolled(context, site.settings, site.url)
    commit(page)
    with Store.open(site.settings) as store:
        store.revoke_device(first)
    page.close()
    page, second = enrolled(context, site.settings, site.url)
    commit(page)
    counts = run(
        page,
        """
        const storage = await openStorage();
        const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
        await sender.start();
        await until(async () => (await storage.counts()).sent === 1);
        await sender.running;
        return storage.counts();
        """,
    )
    assert [(one["id"], one["unsent"], one["standing"]) for one in counts["devices"]] == [
        (first, 1, "revoked"),
        (second, 0, "ok"),
    ]
    assert [one.seq for one in of(site, second)] == [1]


# ---- sending


def test_an_acknowledgement_lost_on_the_way_makes_no_second_row(site: Site, context: BrowserContext) -> None:
    page, device = enrolled(context, site.settings, site.url)
    uuid = commit(page)["uuid"]
    lost: list[int] = []

    def cut(route: Route) -> None:
        answer = route.fetch()
        if answer.json()["results"] and len(lost) < 3:
            lost.append(answer.status)
            route.abort("connectionreset")
        else:
            route.fulfill(response=answer)

    page.route("**/api/v1/responses", cut)
    counts = run(page, SEND)
    assert lost == [200] * 3 and (counts["unsent"], counts["sent"]) == (0, 1)
    assert [one.uuid for one in of(site, device)] == [uuid]


@pytest.mark.parametrize(
    "answer", ["not json", "[]", '{"results": []}', '{"results": [{"uuid": "x", "fate": "stored"}]}']
)
def test_nothing_counts_as_sent_that_no_server_named(site: Site, context: BrowserContext, answer: str) -> None:
    """A login page of some network answers 200 to everything."""
    page, _ = enrolled(context, site.settings, site.url)
    commit(page)
    page.route("**/api/v1/responses", lambda route: route.fulfill(status=200, body=answer))
    told = run(
        page,
        """
        const storage = await openStorage();
        const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
        await sender.start();
        await until(() => sender.failures >= 3);
        return [sender.contact.ok, (await storage.counts()).unsent];
        """,
    )
    assert told == [False, 1]


def test_two_pages_send_one_after_the_other(site: Site, context: BrowserContext) -> None:
    one, device = enrolled(context, site.settings, site.url)
    two = open_modules(context, site.url)
    for _ in range(3):
        commit(one), commit(two)
    under_way = {"now": 0, "most": 0}

    def count(route: Route) -> None:
        under_way["now"] += 1
        under_way["most"] = max(under_way.values())
        answer = route.fetch()
        under_way["now"] -= 1
        route.fulfill(response=answer)

    context.route("**/api/v1/responses", count)
    for page in (one, two):
        run(page, f"globalThis.done = null; (async () => {{ {SEND} }})().then(told => (globalThis.done = told));")
    for page in (one, two):
        page.wait_for_function("() => globalThis.done")
    assert sorted(response.seq or 0 for response in of(site, device)) == [1, 2, 3, 4, 5, 6]
    assert under_way["most"] == 1
