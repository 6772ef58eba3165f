"""Who is asked: one in so many is invited, and what they say is counted; each is asked a part of the form."""

from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from survey_app.model import Wave
from survey_app.province import read_centres, read_fields
from survey_app.questionnaire import load, shipped
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from survey_app.web.plain import plain
from tests.browser.conftest import CENTRE, LANDSCAPE, Site
from tests.browser.kiosk_app import arrived, begin, last_kept, set_up, thanked, walk
from tests.browser.test_kiosk_app_axe import AXE, _assert_sound
from tests.served import WAVE, serving

EVERY = 3
FORM = load(shipped()["counter-short", "1"])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """One in three is invited, and each is asked two of five factors."""
    path = tmp_path_factory.mktemp("invited") / "instance"
    create_instance(path)
    config = path / "config.toml"
    config.write_text(f"invite_every = {EVERY}\n" + config.read_text(encoding="utf-8"), encoding="utf-8")
    settings = Settings.load(path)
    with Store.create(settings) as store:
        store.add_centres([centre for centre in read_centres() if centre.code == CENTRE])
        store.add_fields(read_fields())
        title = {"vi": "Thử", "en": "Trial"}
        store.create_wave(Wave(WAVE, "counter", title, FORM.id, FORM.version, ("2026-11",), (CENTRE,)), FORM)
        store.open_wave(WAVE)
    with serving(settings) as running:
        yield Site(settings, running)


@pytest.fixture
def page(site: Site, chromium: Browser) -> Iterator[Page]:
    context = chromium.new_context(viewport={"width": LANDSCAPE[0], "height": LANDSCAPE[1]}, bypass_csp=True)
    context.set_default_timeout(20_000)
    yield set_up(context, site)
    context.close()


def _served_until_invited(page: Page) -> int:
    """Tap for each person served until the tablet says to invite; how many there were."""
    for number in range(1, 2 * EVERY):
        page.locator(".told").evaluate("told => { told.textContent = ''; }")
        page.locator("button[value=finished]").click()
        page.locator("button[value=accepted], .told:not(:empty)").first.wait_for()
        if page.locator("button[value=accepted]").count():
            return number
        assert page.locator(".told").inner_text() == "Đã đếm. Không cần mời người này."
    raise AssertionError("nobody was to be invited")


def test_who_declines_is_counted_and_who_accepts_is_asked(site: Site, page: Page) -> None:
    _served_until_invited(page)
    page.add_script_tag(path=AXE)
    _assert_sound(page)
    page.locator("button[value=declined]").click()
    page.locator(".attract").wait_for()
    arrived(page)
    refused = site.stored("refused")[-1]
    assert (refused.mode, refused.recruitment, refused.seq) == ("kiosk", "invited", 1)
    assert last_kept(page)["paradata"] == {"invite_every": EVERY}
    _served_until_invited(page)
    page.locator("button[value=accepted]").click()
    begin(page, "en")
    walk(page)
    thanked(page)
    arrived(page)
    stored = site.stored()[-1]
    assert (stored.recruitment, stored.language, stored.seq) == ("invited", "en", 2)
    assert last_kept(page)["paradata"]["invite_every"] == EVERY
    page.locator("a.forward").press("Enter")
    begin(page)
    walk(page)
    thanked(page)
    assert last_kept(page)["recruitment"] == "walk_up", "the next one came by themselves"


def test_a_tap_by_mistake_is_taken_back(page: Page) -> None:
    _served_until_invited(page)
    page.locator("button[value=mistaken]").click()
    page.locator(".attract").wait_for()
    page.locator("button[value=finished]").click()
    page.locator("button[value=accepted]").wait_for()


def test_the_count_outlives_the_page(page: Page) -> None:
    """Of every three exactly one, wherever the page was loaded anew."""
    invited = 0
    for _ in range(2 * EVERY):
        page.locator("button[value=finished]").click()
        page.locator("button[value=accepted], .told:not(:empty)").first.wait_for()
        invited += page.locator("button[value=accepted]").count()
        page.reload()
        page.locator(".attract").wait_for()
    assert invited == 2


DRAWS = """async ({ every, times }) => {
  const { Invitations } = await import("/static/kiosk/invite.js");
  const kept = {};
  const storage = { kept: async key => kept[key], keep: async (key, value) => { kept[key] = structuredClone(value); } };
  const invitations = new Invitations(storage, every);
  const told = [];
  for (let number = 0; number < times; number += 1) told.push(await invitations.served());
  return told;
}"""


@pytest.mark.parametrize("every", [1, 2, 7])
def test_each_place_in_a_run_has_the_same_chance(page: Page, every: int) -> None:
    told = page.evaluate(DRAWS, {"every": every, "times": every * 700})
    runs = [told[at : at + every] for at in range(0, len(told), every)]
    assert {sum(run) for run in runs} == {1}
    places = Counter(run.index(True) for run in runs)
    assert (
        len(places) == every and max(abs(count - 700 / every) for count in places.values()) < 6 * (700 / every) ** 0.5
    )


# ---- a part of the form


def test_each_citizen_is_asked_what_was_drawn_and_nothing_else(site: Site, page: Page) -> None:
    parts = set()
    for _ in range(4):
        begin(page)
        walk(page)
        thanked(page)
        kept = last_kept(page)
        (drawn,) = kept["part"].items()
        asked = {FORM.item(code).factor for code in kept["answers"]} - {None}
        left = {FORM.item(code).factor for code in FORM.left_out({drawn[0]: tuple(drawn[1])})}
        assert asked and not asked & left
        parts.add(drawn[1][0])
        page.locator("a.forward").press("Enter")
        page.locator(".attract").wait_for()
    arrived(page)
    assert all(response.part for response in site.stored()[-4:]) and parts <= set(range(1, 11))


LEFT = """async form => {
  const { drawPart, notDrawn } = await import("/static/kiosk/parts.js");
  const parts = Array.from({ length: 4000 }, () => drawPart(form));
  const all = Array.from({ length: form.parts.of }, (_, place) => ({ [form.parts.name]: [place + 1, form.parts.of] }));
  return { drawn: parts.map(part => part[form.parts.name][0]), left: all.map(part => [...notDrawn(form, part)]) };
}"""


def test_parts_are_numbered_as_the_server_numbers_them_and_equally_likely(page: Page) -> None:
    assert FORM.parts is not None
    told: dict[str, Any] = page.evaluate(LEFT, plain(FORM))
    name, of = FORM.parts.name, FORM.parts.of
    assert [set(left) for left in told["left"]] == [set(FORM.left_out({name: (k + 1, of)})) for k in range(of)]
    counts = Counter(told["drawn"])
    assert set(counts) == set(range(1, of + 1))
    assert max(abs(count - 4000 / of) for count in counts.values()) < 6 * (4000 / of) ** 0.5
