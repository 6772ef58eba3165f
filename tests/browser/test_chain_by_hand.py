"""From taps to a published table, on answers nobody simulated: every number is computed a second time, by hand."""

import csv
import json
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Page
from werkzeug.serving import make_server

from survey_app.cli import sipas
from survey_app.model import Centre, ServiceField
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.writer import Writer
from tests import by_hand
from tests.browser.hand_wave import (
    ASKED,
    CENTRES,
    DAYS,
    DECLINED,
    FACTORS,
    FIELDS,
    FILED,
    ITEMS,
    RECEIVED,
    REGISTER,
    RESOLVED,
    Person,
    people,
)
from tests.browser.kiosk_app import arrived, begin, go, on_last, set_up_at, thanked

WAVE = "tay-2026"
BY_KEY = 2
"""So many people are driven by the keys; the clicks of the others are sent to the answers at once, for speed."""
Row = Mapping[str, Any]


class Clock:
    """The server's clock, moved by the test from one day to the next."""

    def __init__(self) -> None:
        self.now = next(iter(DAYS.values()))

    def __call__(self) -> datetime:
        self.now += timedelta(seconds=2)
        return self.now


def _cli(instance: Path, *arguments: str) -> str:
    done = CliRunner().invoke(sipas, ["--instance", str(instance), *arguments], catch_exceptions=False)
    assert done.exit_code == 0, done.output
    return done.output


def _instance(path: Path) -> tuple[Settings, dict[str, str]]:
    """An open wave at three centres, and an enrolment code for a tablet at each."""
    settings = create_instance(path)
    with Store.create(settings) as store:
        store.add_centres([Centre(code, code, f"Trung tâm {code}", "commune", "nhom-1") for code in CENTRES])
        store.add_fields([ServiceField(code, {"vi": code, "en": code}, "test") for code in FIELDS])
    _cli(
        path,
        "wave",
        "create",
        WAVE,
        "--form",
        "counter",
        "--months",
        "2026-11",
        "--title-vi",
        "Thử",
        "--title-en",
        "Trial",
    )
    _cli(path, "wave", "open", WAVE)
    codes = {c: json.loads(_cli(path, "device", "add", c, "--json"))["code"] for c in CENTRES}
    return settings, codes


VISIT = """([answers, declined]) => {
  const screen = () => document.querySelector("#progress").innerText;
  for (;;) {
    for (const name of new Set([...document.querySelectorAll(".answers [type=radio]")].map(one => one.name))) {
      document.querySelector(`input[name="${name}"][value="${answers[name] ?? declined}"]`).click();
    }
    const forward = document.querySelector("button.forward");
    if (forward.value === "send") return;
    const before = screen();
    forward.click();
    if (screen() === before) throw new Error(`it stays on ${before}`);
  }
}"""


def _fill(page: Page, address: str, person: Person) -> None:
    """One citizen's visit: every screen answered as the person would, an item not named declined."""
    page.goto(address)
    begin(page)
    answers = {f"a-{code}": str(value) for code, value in person.answers.items()}
    answers["a-FIELD"] = person.field or str(DECLINED)
    if person.number <= BY_KEY:
        _key_through(page, answers)
    else:
        page.evaluate(VISIT, [answers, str(DECLINED)])
    thanked(page)
    arrived(page)


def _key_through(page: Page, answers: Mapping[str, str]) -> None:
    while True:
        for name in page.locator(".answers [type=radio]").evaluate_all("all => [...new Set(all.map(one => one.name))]"):
            page.locator(f'input[name="{name}"][value="{answers.get(name, DECLINED)}"]').press("Space")
        if on_last(page):
            return
        go(page, "next")


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory, chromium: Browser) -> Iterator[Path]:
    """The folder with the report of the wave that was tapped in."""
    instance = tmp_path_factory.mktemp("hand") / "instance"
    settings, codes = _instance(instance)
    clock = Clock()
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer, clock=clock, development_http=True)
        server = make_server("127.0.0.1", 0, app, threaded=True)
        address = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        contexts = {centre: chromium.new_context(viewport={"width": 640, "height": 400}) for centre in codes}
        tablets = {centre: set_up_at(contexts[centre], address, code) for centre, code in codes.items()}
        for day, visitors in groupby(people(), lambda person: person.day):
            clock.now = DAYS[day]
            for person in visitors:
                _fill(tablets[person.centre], address, person)
        for context in contexts.values():
            context.close()
        server.shutdown()
    register = instance / "register.csv"
    register.write_text(REGISTER, encoding="utf-8")
    _cli(instance, "register", "import", str(register))
    assert "clean: 71 responses" in _cli(instance, "verify")
    _cli(instance, "extract", WAVE)
    _cli(instance, "report", WAVE, "--lang", "vi")
    yield instance / "reports" / WAVE


# ---- the same numbers, from the formulas


def _answered(item: str) -> Callable[[Row], float]:
    return lambda row: 1.0 if row.get(item, DECLINED) > 0 else 0.0


def _satisfied(item: str) -> Callable[[Row], float]:
    return lambda row: 100.0 if row.get(item, DECLINED) >= 4 else 0.0


def _sum(functions: Sequence[Callable[[Row], float]]) -> Callable[[Row], float]:
    return lambda row: sum(function(row) for function in functions)


MEASURES = {
    "index": ITEMS,
    "overall": ("OVERALL",),
    **{f"factor:{name}": items for name, items in FACTORS.items()},
    **{f"item:{item}": (item,) for item in ITEMS},
}


def _expected(field: str | None, measure: str) -> dict[str, float]:
    """Value, SE, interval, df, deff, n of one cell of the main table."""
    rows = [person.row for person in people() if person.visit == RECEIVED and person.field]
    weights = by_hand.rake(rows, RESOLVED)
    items = MEASURES[measure]
    inside = [field in (None, row["field"]) for row in rows]
    above, below = _sum([_satisfied(item) for item in items]), _sum([_answered(item) for item in items])

    def masked(function: Callable[[Row], float]) -> Callable[[Row], float]:
        return lambda row: function(row) if field in (None, row["field"]) else 0.0

    value, scores = by_hand.ratio_scores(rows, weights, masked(above), masked(below))
    se = by_hand.variance(rows, weights, by_hand.residuals(rows, scores, RESOLVED)) ** 0.5
    valid = [row for row, mine in zip(rows, inside, strict=True) if mine and below(row) > 0]
    df, n = by_hand.degrees_of_freedom(valid), len(valid)
    share = measure == "overall" or measure.startswith("item:")
    if share:
        kept = [w for row, w, mine in zip(rows, weights, inside, strict=True) if mine and below(row) > 0]
        kish = by_hand.kish_size(kept)
        low, high = by_hand.korn_graubard(value / 100, se / 100, df, n, kish)
    else:
        low, high = by_hand.logit_interval(value / 100, se / 100, df)
    deff = se**2 / by_hand.simple_random_variance(rows, weights, masked(above), masked(below))
    found = {"value": value, "se": se, "ci_low": 100 * low, "ci_high": 100 * high, "df": df, "n": n, "deff": deff}
    # Without variance between the PSUs there is no effective size, and its cell stays blank.
    return found | ({"n_eff": n / deff} if deff > 1e-12 else {})


def _rows(path: Path) -> dict[tuple[str, str, str], dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {(row["domain_kind"], row["domain"], row["measure"]): row for row in csv.DictReader(stream)}


@pytest.mark.parametrize("measure", MEASURES)
@pytest.mark.parametrize("field", [None, *FIELDS])
def test_every_published_number_is_the_one_computed_by_hand(report: Path, field: str | None, measure: str) -> None:
    row = _rows(report / "scores.csv")["all" if field is None else "field", field or "all", measure]
    expected = _expected(field, measure)
    shown = {name: float(row[name]) for name in expected if row[name]}
    assert shown == pytest.approx({name: expected[name] for name in shown}, rel=1e-8)
    if row["suppressed"] == "no":
        assert set(shown) == set(expected)
    assert (row["level"], row["item_method"], row["roll_up"]) == ("95", "top2", "pooled")
    assert row["verdict"] == "", "df = 3 supports no verdict"


def test_the_province_is_published_and_thin_cells_are_not(report: Path) -> None:
    rows = _rows(report / "scores.csv")
    assert rows["all", "all", "index"]["suppressed"] == "no"
    assert (rows["all", "all", "index"]["responses"], rows["all", "all", "index"]["dossiers"]) == ("60", "1050")
    assert rows["field", "dat-dai", "index"]["suppressed"] == "no"
    # 24 responses, fewer than 30; and of feedback (factor E) fewer than 5.
    thin = {measure: row["suppressed"] for (_, domain, measure), row in rows.items() if domain == "ho-tich"}
    assert thin.pop("index") == thin.pop("overall") == "unreliable"
    parts = {code: {f"factor:{code}", *(f"item:{item}" for item in FACTORS[code])} for code in FACTORS}
    assert {measure for measure, state in thin.items() if state == "confidential"} <= parts["E"]
    # A factor hidden alone could be solved from the index: the smallest other is hidden with it.
    assert {measure for measure, state in thin.items() if state == "complementary"} <= parts["E"] | parts["A"]
    assert set(thin.values()) == {"unreliable", "confidential", "complementary"}


def test_other_visits_stand_apart_and_what_was_left_out_is_counted(report: Path) -> None:
    filed, asked = _rows(report / "scores_filed.csv"), _rows(report / "scores_asked.csv")
    counted = [person.visit for person in people()]
    # Six people filed, two or so in each field: all that is confidential, and six of them are too few to be a total.
    assert counted.count(FILED) == 6
    assert {(row["value"], row["responses"]) for row in filed.values()} == {("", "")}
    assert filed["all", "all", "overall"]["suppressed"] == "complementary"
    # Four people asked: confidential, so not even their number is printed.
    assert counted.count(ASKED) == 4
    assert {(row["suppressed"], row["value"], row["responses"]) for row in asked.values()} == {("confidential", "", "")}
    quality = json.loads((report / "quality.json").read_text(encoding="utf-8"))
    tables = {each["table"]: each["responses"] for each in quality["tables"]}
    assert (tables["filed"], tables["asked"], quality["blank_together"]) == (None, None, 10)
    assert [(each["reason"], each["responses"]) for each in quality["left_out"]] == [("no_field", 1)]


def test_weights_meet_the_register(report: Path) -> None:
    """The weights file sums to the dossiers of every centre and field, online dossiers aside."""
    diagnostics = json.loads((report / "weights.json").read_text(encoding="utf-8"))
    rows = [person.row for person in people() if person.visit == RECEIVED and person.field]
    weights = by_hand.rake(rows, RESOLVED)
    text = json.dumps(diagnostics)
    assert str(1050) in text
    kish = len(weights) * sum(w * w for w in weights) / sum(weights) ** 2
    assert diagnostics["diagnostics"]["deff_kish"] == pytest.approx(kish, rel=1e-9)
