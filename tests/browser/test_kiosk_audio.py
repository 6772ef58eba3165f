"""Reading aloud in real Chromium, with the recordings that are shipped: heard when asked for, offline too, and else silent."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import BrowserContext, Page

from survey_app.audio import audio_of
from tests.browser.conftest import LANDSCAPE, PORTRAIT, Contexts, Site, begin, fill_screen, forward
from tests.served import counter

LISTEN = re.compile("^Nghe")
NEXT, BACK, LONG = "message.next", "message.back", "intro.2"


def offered(site: Site) -> dict[str, Any]:
    return audio_of(site.settings, counter(), ())


@pytest.fixture
def context(tablets: Contexts) -> Iterator[BrowserContext]:
    yield tablets(javascript=True)


MODULE = """
  const { Reader, offerReading, keepRecordings } = await import("/static/kiosk/audio.js");
  window.sound ??= new Audio();
  window.reader ??= new Reader(given.audio, "vi", () => window.sound);
"""


def run(page: Page, body: str, site: Site, **given: Any) -> Any:
    return page.evaluate(f"async given => {{ {MODULE} {body} }}", {"audio": offered(site), **given})


@pytest.fixture
def page(context: BrowserContext, site: Site) -> Page:
    """A page on which somebody has tapped, as browsers ask before anything is heard."""
    opened = context.new_page()
    opened.goto(f"{site.url}/thanks")
    opened.locator("h1").click()
    return opened


def until(page: Page, condition: str) -> None:
    """Playwright's own waiting compiles text in the page, which the page's policy forbids."""
    page.evaluate(
        f"""async () => {{
          for (let turn = 0; !({condition}); turn += 1) {{
            if (turn > 1500) throw new Error("it did not come");
            await new Promise(next => setTimeout(next, 20));
          }}
        }}"""
    )


def asked_for(page: Page) -> list[str]:
    """The recordings that the page fetches from now on."""
    found: list[str] = []
    page.on("request", lambda request: found.append(request.url) if "/audio/" in request.url else None)
    return found


# ---- the sound itself


def test_recordings_are_heard_one_after_the_other_to_their_end(page: Page, site: Site) -> None:
    heard = run(
        page,
        """
        const heard = [];
        window.sound.addEventListener("ended", () => heard.push([window.sound.currentTime, window.sound.duration]));
        const begun = [];
        const whole = await window.reader.play(given.prompts, prompt => begun.push(prompt));
        return { heard, begun, whole, playing: window.reader.playing, plays: window.reader.plays };
        """,
        site,
        prompts=[NEXT, "item.of no form", BACK],
    )
    assert heard["begun"] == [NEXT, BACK] and heard["whole"] and not heard["playing"] and heard["plays"] == 1
    assert len(heard["heard"]) == 2
    assert all(0.5 < end == pytest.approx(duration, abs=0.2) for end, duration in heard["heard"])


def test_while_it_plays_time_goes_on_and_stopping_is_at_once(page: Page, site: Site) -> None:
    told = run(
        page,
        """
        const moved = new Promise(seen => window.sound.addEventListener("timeupdate", () =>
          window.sound.currentTime > 0.3 && seen(window.sound.currentTime)));
        const whole = window.reader.play(given.prompts);
        const at = await moved;
        const playing = window.reader.playing;
        window.reader.stop();
        return { at, playing, whole: await whole, after: window.reader.playing, paused: window.sound.paused };
        """,
        site,
        prompts=[LONG, NEXT],
    )
    assert told["at"] > 0.3 and told["playing"]
    assert (told["whole"], told["after"], told["paused"]) == (False, False, True)


def test_a_second_text_silences_the_first(page: Page, site: Site) -> None:
    told = run(
        page,
        """
        const first = window.reader.play([given.long]);
        await new Promise(seen => window.sound.addEventListener("playing", seen, { once: true }));
        const second = window.reader.play([given.next]);
        return [await first, await second, window.sound.src];
        """,
        site,
        long=LONG,
        next=NEXT,
    )
    assert told[:2] == [False, True] and f"/{NEXT}.mp3" in told[2]


def test_what_the_server_has_lost_is_passed_over(page: Page, site: Site) -> None:
    page.route(f"**/{NEXT}.mp3**", lambda route: route.fulfill(status=404))
    ends = run(
        page,
        """
        let ends = 0;
        window.sound.addEventListener("ended", () => (ends += 1));
        return [await window.reader.play(given.prompts), ends];
        """,
        site,
        prompts=[NEXT, BACK],
    )
    assert ends == [True, 1]


def test_without_recordings_there_is_nothing_to_press(page: Page, site: Site) -> None:
    assert run(
        page,
        """
        const silent = new Reader(given.audio, "tyz");
        return [window.reader.has(given.next), silent.has(given.next), new Reader(undefined, "vi").has(given.next),
                window.reader.has("constructor")];
        """,
        site,
        next=NEXT,
    ) == [True, False, False, False]


# ---- without network

WORKER = """
await navigator.serviceWorker.register("/sw.js", { scope: "/", updateViaCache: "none" });
await navigator.serviceWorker.ready;
if (!navigator.serviceWorker.controller)
  await new Promise(seen => navigator.serviceWorker.addEventListener("controllerchange", seen, { once: true }));
"""


def test_what_was_fetched_before_is_heard_without_network(page: Page, context: BrowserContext, site: Site) -> None:
    page.evaluate(f"async () => {{ {WORKER} }}")
    kept = run(page, "return keepRecordings(given.audio);", site)
    assert kept == {"kept": len(set(offered(site)["vi"]["files"].values())), "missing": 0}
    context.set_offline(True)
    told = run_offline(page, site)
    assert told["whole"] and len(told["ends"]) == 2 and min(told["ends"]) > 0.5
    assert told["online"] is False


def run_offline(page: Page, site: Site) -> Any:
    """The module is on the page already; without network it is not asked for again."""
    return page.evaluate(
        """async prompts => {
          const ends = [];
          window.sound.addEventListener("ended", () => ends.push(window.sound.currentTime));
          return { whole: await window.reader.play(prompts), ends, online: navigator.onLine };
        }""",
        ["item.II.C1", "option.satisfaction.5"],
    )


def test_recordings_are_fetched_once_and_dropped_when_no_longer_offered(page: Page, site: Site) -> None:
    run(page, "return keepRecordings(given.audio);", site)
    asked = asked_for(page)
    kept = run(
        page,
        """
        const again = await keepRecordings(given.audio);
        const few = { vi: { files: { [given.next]: given.audio.vi.files[given.next] } } };
        const after = await keepRecordings(few);
        const cache = await caches.open("sipas-audio");
        return [again.missing, after, (await cache.keys()).map(({ url }) => new URL(url).pathname)];
        """,
        site,
        next=NEXT,
    )
    assert kept == [0, {"kept": 1, "missing": 0}, [f"/audio/vi-placeholder/{NEXT}.mp3"]]
    assert asked == []


def test_a_recording_that_does_not_come_is_missing_and_no_more(page: Page, site: Site) -> None:
    page.route(f"**/{NEXT}.mp3**", lambda route: route.abort())
    page.route(f"**/{BACK}.mp3**", lambda route: route.fulfill(status=503))
    kept = run(page, "return keepRecordings(given.audio);", site)
    assert kept["missing"] == 2 and kept["kept"] > 100
    page.unroute_all()
    assert run(page, "return keepRecordings(given.audio);", site)["missing"] == 0


# ---- on the pages

BUTTON = """
const button = document.createElement("template");
button.innerHTML = given.button;
offerReading(document.querySelector(".page"), window.reader, button.content.firstElementChild);
"""


def button_of(site: Site, page: Page) -> str:
    """The button as the bundle has it."""
    from tests.served import enrol

    token = enrol(site.settings, "00691")[1]
    answer = page.request.get(f"{site.url}/api/v1/kiosk", headers={"Authorization": f"Bearer {token}"})
    html: str = answer.json()["pages"]["vi"]
    return html.split('data-frame="listen">')[1].split("</template>")[0].strip()


def offer(page: Page, site: Site) -> None:
    run(page, BUTTON, site, button=button_of(site, page))


@pytest.fixture
def cards(context: BrowserContext, site: Site) -> Page:
    """The first screen with three questions, each with its button."""
    opened = context.new_page()
    begin(opened, site)
    while opened.locator(".card").count() < 3:
        fill_screen(opened)
        forward(opened)
    offer(opened, site)
    return opened


def test_each_card_has_its_button_which_says_what_it_reads(cards: Page) -> None:
    buttons = cards.get_by_role("button", name=LISTEN)
    assert buttons.count() == cards.locator(".card").count() == 3
    names = [button.text_content() for button in buttons.all()]
    assert "biển hiệu" in (names[0] or "") and "ghế ngồi chờ" in (names[1] or "")


def test_nothing_is_heard_or_fetched_before_somebody_asks(cards: Page, site: Site) -> None:
    asked = asked_for(cards)
    fill_screen(cards)
    assert cards.evaluate("[window.sound.paused, window.sound.src, window.reader.plays]") == [True, "", 0]
    assert asked == []


def test_by_keyboard_it_reads_the_question_and_its_answers_and_marks_them(cards: Page) -> None:
    button = cards.get_by_role("button", name=LISTEN).nth(1)
    cards.evaluate(
        """() => { window.said = []; new MutationObserver(seen => seen.forEach(({ target }) =>
             target.classList.contains("spoken") && window.said.push(target.dataset.prompt)))
           .observe(document.body, { subtree: true, attributeFilter: ["class"] }); }"""
    )
    button.focus()
    cards.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "true"
    until(cards, "window.said.includes('option.satisfaction.1')")
    assert cards.evaluate("window.said.slice(0, 2)") == ["item.II.A2", "option.satisfaction.1"]
    assert cards.locator(".card").nth(1).locator(".spoken").count() == 1
    cards.keyboard.press("Space")
    assert button.get_attribute("aria-pressed") == "false"
    assert cards.evaluate("window.sound.paused") and cards.locator(".spoken").count() == 0


def test_the_first_card_begins_with_what_stands_above(cards: Page) -> None:
    cards.get_by_role("button", name=LISTEN).first.click()
    until(cards, "window.sound.src !== ''")
    assert "/heading.A.mp3" in cards.evaluate("window.sound.src")


def test_an_answer_taken_silences_its_card(cards: Page) -> None:
    button = cards.get_by_role("button", name=LISTEN).first
    button.click()
    cards.locator(".card").first.locator("input").nth(2).check()
    until(cards, "window.sound.paused")
    assert button.get_attribute("aria-pressed") == "false"


def test_the_next_page_is_silent(cards: Page, site: Site) -> None:
    cards.get_by_role("button", name=LISTEN).first.click()
    until(cards, "window.reader.playing")
    cards.evaluate("document.querySelectorAll('.listen').forEach(each => each.remove())")
    offer(cards, site)
    assert cards.evaluate("window.sound.paused")


@pytest.mark.parametrize("size", [LANDSCAPE, PORTRAIT], ids=["landscape", "upright"])
def test_with_buttons_no_screen_scrolls_and_targets_stay_large(
    tablets: Contexts, site: Site, size: tuple[int, int]
) -> None:
    page = tablets(size, javascript=True).new_page()
    begin(page, site)
    button = button_of(site, page)
    while not page.locator("button.forward[value=send]").count():
        _fits(page, site, button)
        forward(page)
        _fits(page, site, button)  # and when every answer is wanting
        fill_screen(page)
        forward(page)
    _fits(page, site, button)


def _fits(page: Page, site: Site, button: str) -> None:
    run(page, BUTTON, site, button=button)
    over = page.evaluate(
        "[document.documentElement.scrollHeight - innerHeight, document.documentElement.scrollWidth - innerWidth]"
    )
    assert max(over) <= 0, (page.locator("h1").text_content(), over)
    boxes = [each.bounding_box() for each in page.locator(".listen").all()]
    assert boxes and all(box and min(box["width"], box["height"]) >= 64 for box in boxes)


def test_axe_finds_nothing(cards: Page) -> None:
    results = Axe().run(cards, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]})
    assert results.response["violations"] == []
