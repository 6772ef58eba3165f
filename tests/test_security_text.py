"""Text that people supply stays text: no formula in a cell, no tag in a page, a drawing or a report (rows 5 to 8, 30)."""

import csv
import io
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from analysis.report import write_report
from analysis.wave.output import table_csv, write_tables
from analysis.wave.wave_result import Score, WaveResult
from survey_app.model import Centre, PrimaryUnit, ServiceField
from survey_app.settings import Settings
from tests import report_waves
from tests.kiosk_pages import RECEIVED, Kiosk, kiosk_at
from tests.villages import interviewer, plan_sample

SCRIPT = "</title></style></textarea>'\"><script>alert(1)</script><img src=x onerror=alert(1)><b zz={{ 7*7 }}>"
PAYLOADS = (
    SCRIPT,
    "<svg/onload=alert(1)>",
    "javascript:alert(1)",
    "{{ config }}{% raw %}",
    "%(x)s {0} ${x}",
    "&lt;script&gt;",
    "\u202e<i>\u2066",
)
SIGNS = tuple("=+-@\t\r\n\0＝＋－＠")


class Tags(HTMLParser):
    """Which tags and attributes a browser finds, and the text between them."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.addresses: set[str] = set()
        self.text = ""
        self.feed(source)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        for name, value in attributes:
            self.attributes.add(name)
            if name in ("href", "src", "action", "formaction", "xlink:href", "data"):
                self.addresses.add(value or "")

    def handle_data(self, data: str) -> None:
        self.text += data


OUR_SCRIPT = re.compile(r'<script type="module" src="/static/kiosk/[a-z]+\.js\?v=[0-9a-f]{12}"></script>')


def check_page(source: str) -> Tags:
    source = OUR_SCRIPT.sub("", source)
    page = Tags(source)
    assert not page.tags & {"script", "img", "b", "i", "iframe", "object"}
    assert not {name for name in page.attributes if name.startswith("on") or name in ("zz", "style")}
    assert all(re.match(r"[/#]|$", address) for address in page.addresses), page.addresses
    assert "<script" not in source
    assert not re.search(r"\b49\b", page.text), "a template was rendered from what somebody wrote"
    return page


# ---- row 6: pages


@pytest.fixture(params=PAYLOADS, ids=lambda text: text[:12])
def kiosk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kiosk]:
    """Everything that the province names is named by somebody who means ill."""
    payload: str = request.param
    with kiosk_at(tmp_path) as made:
        unit = PrimaryUnit("V1", payload, payload, 400, 0.01, 4)

        def rename(store: Any) -> None:
            store.add_centres([Centre("C01", payload, payload, "commune", "G1")])
            store.add_fields([ServiceField("dat-dai", {"vi": payload, "en": payload}, payload)])
            plan_sample(store, frame=(unit,))

        made.asked_of_store(rename)
        made.payload = payload  # type: ignore[attr-defined]
        yield made


def test_row_6_no_name_becomes_a_tag_on_any_page(kiosk: Kiosk) -> None:
    payload, shown = kiosk.payload, ""  # type: ignore[attr-defined]
    tablet = kiosk.tablet()
    tablet.open()
    for go in ("start.vi", "language.en", "stop", "next"):
        shown += check_page(tablet.page.html).text
        tablet.tap(go)
    shown += check_page(tablet.page.html).text
    assert payload in shown
    village, listed = interviewer(kiosk), ""
    for path in ("/", "/?psu=V1", "/?psu=V1&language=en"):
        listed += check_page(village.open(path).html).text
    assert payload in listed
    for go in ("ask.refused", "record.refused"):
        check_page(village.tap(go).html)


def test_row_6_a_comment_comes_back_as_text(kiosk: Kiosk) -> None:
    payload = kiosk.payload  # type: ignore[attr-defined]
    tablet = kiosk.tablet()
    tablet.begin()
    tablet.walk(RECEIVED)
    for go in ("size.2", "back", "next", "stop"):
        check_page(tablet.tap(go, {"COMMENT": payload} if "a-COMMENT" in tablet.page.texts else {}).html)
    check_page(tablet.tap("size.1").html)
    assert tablet.page.texts.get("a-COMMENT", dict(tablet.page.hidden).get("a-COMMENT")) == payload


@pytest.mark.parametrize("payload", PAYLOADS, ids=lambda text: text[:12])
def test_row_6_nothing_sent_comes_back_as_a_tag(tmp_path: Path, payload: str) -> None:
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        sent = tablet.page.sends("next", {})
        for name in {*sent, "x", payload}:
            changed: MultiDict[str, str] = MultiDict(sent)
            changed[name] = payload
            check_page(tablet.client.post("/survey", data=changed, follow_redirects=True).text)
        client = kiosk.app.test_client()
        for path in ("/", "/enrol", "/thanks", "/nowhere", "/survey", "/household", f"/{payload}", "/api/v1/device"):
            answer = client.get(
                path,
                query_string={name: payload for name in ("language", "size", "psu", "noted", "simulated", payload)},
            )
            assert answer.mimetype in ("text/html", "application/problem+json")
            if answer.mimetype == "text/html":
                check_page(answer.text)
        for answer in (client.post("/enrol", data={"code": payload}), client.post("/", data={payload: payload})):
            check_page(answer.text)


def test_row_6_the_province_is_text_too(tmp_path: Path) -> None:
    with kiosk_at(tmp_path) as kiosk:
        config = kiosk.settings.instance / "config.toml"
        config.write_text(
            config.read_text(encoding="utf-8").replace("Tỉnh Tuyên Quang", "<script>x</script>"), encoding="utf-8"
        )
        assert "script" in Settings.load(kiosk.settings.instance).province["vi"]
        check_page(kiosk.tablet().open().html)


# ---- rows 6 and 7: reports


def poisoned(folder: Path, payload: str) -> WaveResult:
    """A wave whose every label, title and file name is the payload."""
    result = report_waves.wave_result(folder, lambda row: replace(row, label=payload))
    book = result.extract.codebook
    both = {"vi": payload, "en": payload}
    wave = replace(book.wave, title=both)
    fields = tuple(replace(field, label=both) for field in book.fields)
    centres = tuple(replace(centre, name=payload, full_name=payload) for centre in book.centres)
    extract = replace(result.extract, codebook=replace(book, wave=wave, fields=fields, centres=centres))
    told = {
        name: f"{payload}.csv" if isinstance(value, str) else value
        for name, value in result.weighting.provenance.items()
    }
    weighting = replace(result.weighting, provenance=told)
    return replace(result, extract=extract, weighting=weighting)


@pytest.mark.parametrize(
    "payload", [SCRIPT, "<svg/onload=alert(1)>", "{{ 7*7 }}", "$x^2$ <b>"], ids=lambda text: text[:12]
)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_rows_6_and_7_a_report_holds_no_tag_of_anybodys(tmp_path: Path, payload: str, language: Any) -> None:
    written = write_report(poisoned(tmp_path / "wave", payload), tmp_path / "report", language)
    source = written.html.read_text(encoding="utf-8")
    page = Tags(source)
    assert not page.tags & {"script", "b", "i", "iframe", "object"} and "<script" not in source
    assert not {name for name in page.attributes if name.startswith("on") or name == "zz"}
    assert all(re.match(r"#|data:", address) for address in page.addresses), "a report fetches nothing"
    assert payload in page.text and (("{{" in payload) <= ("{{" in page.text))
    for plot in written.plots:
        if plot.suffix == ".svg":
            drawing = ElementTree.parse(plot)
            names = {element.tag.rpartition("}")[2] for element in drawing.iter()}
            assert not names & {"script", "foreignObject", "image", "a"}, plot.name
            assert not {name for element in drawing.iter() for name in element.attrib if name.startswith("on")}


# ---- row 5: cells


def cells(text: str) -> Iterator[str]:
    for line in csv.reader(io.StringIO(text, newline="")):
        yield from line


@settings(deadline=None, max_examples=300)
@given(
    st.lists(st.one_of(st.text(max_size=8), st.sampled_from([sign + "1" for sign in SIGNS])), min_size=1, max_size=4)
)
def test_row_5_no_formula_in_any_cell_or_header(words: list[str]) -> None:
    read = list(cells(table_csv(words, [words])))
    assert not any(cell.lstrip(" ").startswith(SIGNS) for cell in read)


@settings(deadline=None)
@given(st.one_of(st.integers(-(10**12), 10**12), st.floats(allow_nan=False, allow_infinity=False)))
def test_row_5_numbers_stay_numbers(number: float) -> None:
    (read,) = cells(table_csv([], [[number]]).removeprefix("\r\n"))
    assert float(read) == number


@pytest.mark.parametrize("payload", ["=HYPERLINK(1)", "+84", "-5 người", "@x", "\tx", "\0=1", "  =1", "＝1"])
def test_row_5_every_table_a_report_writes(tmp_path: Path, payload: str) -> None:
    numbers = {"value", "se", "ci_low", "ci_high", "level", "df", "deff", "n", "n_eff", "responses", "dossiers"}

    def name(row: Score) -> Score:
        return replace(row, label=payload, domain=payload, note=payload)

    result = report_waves.wave_result(tmp_path / "wave", name)
    tables = [file for file in write_tables(result, tmp_path) if file.suffix == ".csv"]
    assert len(tables) == 3
    for file in tables:
        text = file.read_text(encoding="utf-8")
        rows = list(csv.DictReader(io.StringIO(text, newline="")))
        assert rows and payload in rows[0]["label"]
        for row in rows:
            for column, cell in row.items():
                if column in numbers:
                    assert not cell or float(cell) == float(cell), column
                else:
                    assert not cell.lstrip(" ").startswith(SIGNS), column


# ---- row 30: what goes wrong inside stays inside


def test_row_30_debug_cannot_be_switched_on_from_outside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLASK_DEBUG", "1")
    with kiosk_at(tmp_path) as kiosk:
        assert not kiosk.app.debug and not kiosk.app.testing
        assert not kiosk.app.config["PROPAGATE_EXCEPTIONS"] and kiosk.app.secret_key is None


@pytest.mark.parametrize("path", ["/broken", "/api/broken"])
def test_row_30_a_failure_tells_nothing(tmp_path: Path, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail() -> None:
        secret = "inside-the-server"
        raise ZeroDivisionError(secret)

    monkeypatch.setenv("FLASK_DEBUG", "1")
    with kiosk_at(tmp_path) as kiosk:
        kiosk.app.add_url_rule(path, "broken", fail)
        answer = kiosk.app.test_client().get(path)
    assert answer.status_code == 500
    assert not re.search(
        "inside-the-server|ZeroDivision|Traceback|File |line \\d|werkzeug|flask|python", answer.text, re.IGNORECASE
    )


def test_row_30_every_locked_package_is_pinned_and_hashed() -> None:
    """What `make audit` asks about is what gets installed."""
    folder = Path(__file__).resolve().parent.parent
    for name in ("run.lock", "dev.lock", "audit.lock"):
        entries = re.split(r"\n(?=\S)", (folder / "requirements" / name).read_text(encoding="utf-8").strip())
        assert len(entries) > 20
        for entry in entries:
            assert re.match(r"[\w.-]+==[\w.]+( ;[^\\]*)?( \\\n|$)", entry) and "--hash=sha256:" in entry, entry[:80]
    recipe = (folder / "Makefile").read_text(encoding="utf-8")
    assert "--requirement requirements/run.lock --require-hashes --disable-pip --strict" in recipe


def test_row_30_a_command_fails_in_sentences(tmp_path: Path) -> None:
    environment = os.environ | {"FLASK_DEBUG": "1", "SIPAS_INSTANCE": str(tmp_path / "nowhere")}
    done = subprocess.run(
        [sys.executable, "-m", "survey_app", "serve"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2 and "remedy:" in done.stderr and "Traceback" not in done.stderr
