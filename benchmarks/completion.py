"""How long the form takes a citizen, and how many taps: all 16 items of area II, and a part of them.

    python -m benchmarks.completion [--visits 40] [--write]

Drives the kiosk in a real browser, every visit with other answers and another part, and counts what a person would
have to do: taps, and the syllables on each screen that they have not read before. The machine itself answers at once,
so its own time says how long the kiosk takes between a tap and the next screen. How long a person takes is a model,
stated below; it compares forms, and is no measurement of people.
"""

import argparse
import json
import random
import statistics
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, sync_playwright

from survey_app.model import Wave
from survey_app.province import read_centres, read_fields
from survey_app.questionnaire import load, shipped
from survey_app.settings import create_instance
from survey_app.store import Store
from tests.browser.chromium import chromium_path
from tests.browser.tablet import ENROL, open_modules, run
from tests.served import serving

PAGE = Path(__file__).resolve().parent.parent / "docs" / "benchmarks" / "completion.md"
FORMS = (("counter", "1"), ("counter-short", "1"))


@dataclass(frozen=True)
class Person:
    """`reading`: syllables a minute; `thinking`: seconds before each answer; `tap`: seconds for each touch."""

    name: str
    reading: int
    thinking: float
    tap: float


PEOPLE = (
    Person("quick reader", 250, 1.35, 0.5),
    Person("typical", 180, 1.35, 0.8),
    Person("slow reader", 90, 2.7, 1.5),
)
"""1.35 s is the mental operator of the keystroke-level model (Card, Moran & Newell 1980, doi:10.1145/358886.358895). The
speeds of reading and tapping are assumptions; silent reading of English is 238 words a minute (Brysbaert 2019,
doi:10.1016/j.jml.2019.104047), and a written syllable of Vietnamese is about a word."""

NEW_TEXT = """seen => [...document.querySelectorAll("main h1, main legend, main .words, main .hint, main .note, main label")]
  .filter(one => !one.closest(".unseen")).map(one => one.innerText.trim()).filter(text => text)"""

FILL = """pick => document.querySelectorAll("fieldset.card").forEach((card, place) => {
  const answers = card.querySelectorAll(".answers input");
  const fixed = { "a-VISIT": 1, "a-FEEDBACK": 0 }[answers[0].name];
  answers[fixed ?? Math.floor(pick[place % pick.length] * answers.length)].click();
})"""


@dataclass
class Visit:
    """One visit: taps, items of the index answered, screens, and the seconds each person would take."""

    taps: int
    items: int
    screens: int
    seconds: dict[str, float]
    waits: list[float]


def visit(page: Page, address: str, chance: random.Random, index: frozenset[str]) -> Visit:
    page.goto(address)
    begin = page.locator("[value='start.vi']")
    begin.wait_for()
    taps, items, shown, waits = 1, 0, 0, []
    seen: set[str] = set()
    syllables, thoughts = len(page.locator(".invitation").first.inner_text().split()), 1
    begin.click()
    page.locator("#progress").wait_for()
    while page.locator(".thanks").count() == 0:
        shown += 1
        for text in page.evaluate(NEW_TEXT):
            syllables += 0 if text in seen else len(text.split())
            seen.add(text)
        page.evaluate(FILL, [chance.random() for _ in range(5)])
        cards = page.locator("fieldset.card").evaluate_all(
            "cards => cards.map(card => card.querySelector('input').name.slice(2))"
        )
        taps += len(cards) + 1
        thoughts += len(cards)
        items += len(index.intersection(cards))
        waits.append(
            page.evaluate(
                """() => new Promise(done => {
                  const began = performance.now(), before = document.querySelector("main");
                  document.querySelector("button.forward").click();
                  const look = () => document.querySelector("main") !== before && !document.querySelector("[aria-busy=true]")
                    ? requestAnimationFrame(() => done(performance.now() - began)) : requestAnimationFrame(look);
                  look();
                })"""
            )
        )
    seconds = {
        person.name: 60 * syllables / person.reading + person.thinking * thoughts + person.tap * taps
        for person in PEOPLE
    }
    return Visit(taps, items, shown, seconds, waits)


def measure(form_id: str, version: str, visits: int) -> dict[str, Any]:
    form = load(shipped()[form_id, version])
    index = frozenset(form.index.items if form.index else ())
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        settings = create_instance(Path(folder) / "instance")
        with Store.create(settings) as store:
            store.add_centres(read_centres())
            store.add_fields(read_fields())
            title = {"vi": "Đo", "en": "Measured"}
            store.create_wave(Wave("do", "counter", title, form.id, form.version, ("2026-11",), ("TINH",)), form)
            store.open_wave("do")
            code = store.add_device("TINH")[1]
        with serving(settings) as server:
            browser = playwright.chromium.launch(executable_path=chromium_path(whole=True), args=["--no-sandbox"])
            context = browser.new_context(viewport={"width": 1280, "height": 800})
            run(open_modules(context, server.url), ENROL, code)
            page, chance = context.new_page(), random.Random(1)
            made = [visit(page, f"{server.url}/kiosk", chance, index) for _ in range(visits)]
            browser.close()
    waits = sorted(wait for one in made for wait in one.waits)
    return {
        "form": f"{form.id} {form.version}",
        "visits": visits,
        "items of the index": statistics.median(one.items for one in made),
        "screens": statistics.median(one.screens for one in made),
        "taps": statistics.median(one.taps for one in made),
        **{name: round(statistics.median(one.seconds[name] for one in made)) for name in made[0].seconds},
        "screen to screen, median ms": round(waits[len(waits) // 2]),
        "screen to screen, 95 % ms": round(waits[int(len(waits) * 0.95)]),
    }


def page_of(results: list[dict[str, Any]]) -> str:
    rows = [name for name in results[0] if name not in ("form", "visits")]
    lines = [
        "# How long the form takes",
        "",
        "`python -m benchmarks.completion --write` drives the kiosk in a real browser and writes this page. Taps and screens are",
        "counted; the seconds are of a model, for three people who read, think and tap at the speeds below. They compare",
        "the forms, and are no measurement of citizens.",
        "",
        f"| Median of {results[0]['visits']} visits | " + " | ".join(result["form"] for result in results) + " |",
        "|---|" + "---|" * len(results),
    ]
    units = {person.name: f"{person.name}, seconds" for person in PEOPLE}
    lines += [
        f"| {units.get(row, row)} | " + " | ".join(f"{result[row]:g}" for result in results) + " |" for row in rows
    ]
    lines += [
        "",
        "| Person | syllables read a minute | seconds of thought an answer | seconds a tap |",
        "|---|---|---|---|",
    ]
    lines += [f"| {one.name} | {one.reading} | {one.thinking:g} | {one.tap:g} |" for one in PEOPLE]
    lines += [
        "",
        "1.35 s is the mental operator of the keystroke-level model (Card, Moran & Newell 1980,",
        "[doi:10.1145/358886.358895](https://doi.org/10.1145/358886.358895)). The other speeds are assumptions; silent reading of",
        "English was found to be 238 words a minute (Brysbaert 2019,",
        "[doi:10.1016/j.jml.2019.104047](https://doi.org/10.1016/j.jml.2019.104047)), and a written syllable of Vietnamese is about a word.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--visits", type=int, default=40)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    results = [measure(*form, options.visits) for form in FORMS]
    for result in results:
        print(json.dumps(result, ensure_ascii=False))
    if options.write:
        PAGE.write_text(page_of(results), encoding="utf-8")


if __name__ == "__main__":
    main()
