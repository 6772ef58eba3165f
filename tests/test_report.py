"""The report of a wave: what it says, what it may not say, and that every state a wave can be in is shown."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from analysis.report import write_report
from analysis.wave.extract import read_extract
from analysis.wave.rules import SENTENCE
from analysis.wave.scores import score_wave
from analysis.wave.wave_result import Score, WaveResult
from tests import extracts, report_waves

BAND = "DỮ LIỆU MÔ PHỎNG – SIMULATED DATA"
LOADING = {"src", "srcset", "href", "xlink:href", "poster", "action", "data", "formaction"}


class Page(HTMLParser):
    """Text, links, headings, tables and ids of a page, as a browser would find them."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.source = path.read_text(encoding="utf-8")
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.parts: list[str] = []
        self.rows: list[list[str]] = []
        self._silent = self._cell = 0
        self.feed(self.source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))
        self._silent += tag in ("style", "script")
        if tag == "tr":
            self.rows.append([])
        elif tag in ("td", "th"):
            self._cell = 1
            self.rows[-1].append("")

    def handle_endtag(self, tag: str) -> None:
        self._silent -= tag in ("style", "script")
        self._cell *= tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if not self._silent:
            self.parts.append(data)
            if self._cell:
                self.rows[-1][-1] = f"{self.rows[-1][-1]}{data}".strip()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.parts).split()).replace("\u00a0", " ")

    def all(self, tag: str) -> list[dict[str, str]]:
        return [attributes for name, attributes in self.tags if name == tag]


def report(result: WaveResult, folder: Path, language: str = "vi", truth: object = None) -> Page:
    return Page(write_report(result, folder / "report", language, truth).html)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("report")


def mixed(row: Score) -> Score:
    """One field hidden as unreliable, one as confidential."""
    states = {"y-te": "unreliable", "kinh-doanh": "confidential"}
    return report_waves.hide(row, states[row.domain]) if row.domain in states else row


@pytest.fixture(scope="module")
def ordinary(folder: Path) -> WaveResult:
    return report_waves.wave_result(folder / "ordinary", mixed)


@pytest.fixture(scope="module")
def vietnamese(ordinary: WaveResult, folder: Path) -> Page:
    return report(ordinary, folder / "vi")


@pytest.fixture(scope="module")
def english(ordinary: WaveResult, folder: Path) -> Page:
    return report(ordinary, folder / "en", "en")


class TestWhatItSays:
    def test_opens_on_score_interval_verdict_and_what_it_rests_on(self, vietnamese: Page) -> None:
        opening = vietnamese.text.split("Theo lĩnh vực")[0]
        for said in (
            "91,23%",
            "khoảng tin cậy 95%: 90,23 – 92,23",
            "Chỉ số tại quầy trên mốc 85, đối với các hồ sơ được đại diện.",
            "Có phiếu của 12,50% số hồ sơ",
            "Kết luận đảo lại nếu các hồ sơ không trả lời có mức hài lòng dưới 84,11%.",
            "8,77% số câu trả lời hợp lệ không ở mức hài lòng",
            "1.240 / 9.920",
            SENTENCE["vi"],
        ):
            assert said in opening

    def test_english_says_the_same_with_its_own_numbers(self, english: Page) -> None:
        opening = english.text.split("By service field")[0]
        for said in ("91.23%", "90.23 – 92.23", "above the reference line of 85", "12.50% of the dossiers", "84.11%"):
            assert said in opening
        assert SENTENCE["en"] in opening

    @pytest.mark.parametrize(
        ("verdict", "sentence"),
        [
            ("above", "Chỉ số tại quầy trên mốc 85"),
            ("below", "Chỉ số tại quầy dưới mốc 85"),
            ("cannot_tell", "Chưa đủ bằng chứng để nói chỉ số tại quầy trên hay dưới mốc 85"),
            ("", "Không kết luận so với mốc 85: dưới 100 phiếu."),
        ],
    )
    def test_verdict_is_worded_for_the_dossiers_and_never_as_a_target_met(
        self, verdict: str, sentence: str, ordinary: WaveResult, tmp_path: Path
    ) -> None:
        changed = tuple(replace(row, verdict=verdict) if row.domain == "all" else row for row in ordinary.scores)
        page = report(replace(ordinary, scores=changed, verdicts=report_waves.verdicts(changed)), tmp_path)
        assert sentence in page.text
        assert "không cho biết chỉ tiêu SIPAS của kế hoạch đạt hay không đạt" in page.text
        assert not re.search(r"(đã|đều|chưa) đạt (mục tiêu|chỉ tiêu|85)", page.text)

    def test_hidden_values_are_named_and_shown_nowhere(self, vietnamese: Page) -> None:
        assert "không công bố: chưa đủ tin cậy" in vietnamese.text
        assert "không công bố: bảo mật (quá ít phiếu)" in vietnamese.text
        rows = [row for row in vietnamese.rows if row[0].startswith("Hộ kinh doanh")]
        assert len(rows) == 9
        for row in rows:
            assert all(re.fullmatch(r"–|(– / )?2\.080|không công bố.*", cell) for cell in row[1:]), row

    def test_every_rule_and_the_counter_sentence_stand_on_page_and_plots(
        self, ordinary: WaveResult, tmp_path: Path
    ) -> None:
        files = write_report(ordinary, tmp_path, "vi", None)
        for path in (files.html, *(plot for plot in files.plots if plot.suffix == ".svg")):
            said = (
                " ".join(" ".join(ElementTree.fromstring(path.read_text()).itertext()).split())
                if (path.suffix == ".svg")
                else Page(path).text
            )
            assert "top2" in said or path.stem == "responses"
            assert "pooled" in said or path.stem == "responses"
            assert SENTENCE["vi"] in said

    def test_intervals_say_they_are_unadjusted(self, vietnamese: Page) -> None:
        assert "tính cho từng lĩnh vực, chưa hiệu chỉnh" in vietnamese.text
        assert "Holm" in vietnamese.text

    @pytest.mark.parametrize("included", [True, False])
    def test_says_whether_online_dossiers_are_included(
        self, included: bool, ordinary: WaveResult, tmp_path: Path
    ) -> None:
        page = report(replace(ordinary, rules=replace(ordinary.rules, online_included=included)), tmp_path)
        assert ("gồm cả hồ sơ trực tuyến" in page.text) is included

    def test_changed_rules_show_the_result_of_the_first(self, ordinary: WaveResult, tmp_path: Path) -> None:
        first = tuple(replace(row, value=77.125) for row in ordinary.scores if row.measure == "index")
        rules = replace(ordinary.rules, item_method="mean5", changed=("item_method",))
        page = report(replace(ordinary, rules=rules, first_rule=first), tmp_path)
        assert "item_method" in page.text
        assert "77,12%" in page.text

    def test_method_note_gives_both_standard_errors(self, vietnamese: Page) -> None:
        assert "trung tâm × tuần ISO (để so) 0,770" in vietnamese.text
        assert "trung tâm × ngày (dùng trong báo cáo) 0,510" in vietnamese.text

    def test_left_out_counts_every_response_once(self, vietnamese: Page) -> None:
        assert "bỏ dở giữa chừng 20 2,22" in vietnamese.text
        assert "Tất cả phiếu trong trích xuất 900 100,00" in vietnamese.text


class TestSimulated:
    def test_band_on_page_and_every_plot_and_print_page(self, folder: Path, tmp_path: Path) -> None:
        result = report_waves.wave_result(folder / "simulated", simulated=True)
        files = write_report(result, tmp_path, "vi", report_waves.truth(result.extract.codebook))
        page = Page(files.html)
        assert page.text.count(BAND) == 5
        assert f'@bottom-center {{ content: "{BAND}' in page.source
        assert "90,50 0,73" in page.text, "true value and error beside the estimate"

    def test_a_real_wave_carries_no_band_and_no_truth(self, vietnamese: Page) -> None:
        assert BAND not in vietnamese.source
        assert "Giá trị thật" not in vietnamese.text


class TestPage:
    @pytest.fixture(params=["vietnamese", "english"])
    def page(self, request: pytest.FixtureRequest) -> Page:
        found: Page = request.getfixturevalue(request.param)
        return found

    def test_fetches_nothing(self, page: Page) -> None:
        for tag, attributes in page.tags:
            for name in LOADING & set(attributes):
                assert attributes[name].startswith(("data:", "#")), (tag, name)
        assert all(link.startswith("data:") for link in re.findall(r"url\(['\"]?([^#)'\"]+)", page.source))
        assert not page.all("script")
        assert not page.all("link")
        assert not re.search(r"https?://|@import", page.source)
        assert "default-src 'none'" in page.all("meta")[2]["content"]

    def test_headings_go_down_one_level_at_a_time(self, page: Page) -> None:
        levels = [int(tag[1]) for tag, _ in page.tags if re.fullmatch("h[1-6]", tag)]
        assert levels[0] == 1
        assert levels.count(1) == 1
        assert all(after <= before + 1 for before, after in pairwise(levels))

    def test_every_table_has_caption_and_scoped_headers(self, page: Page) -> None:
        tables = len(page.all("table"))
        assert tables >= 10
        assert len(page.all("caption")) == tables
        assert all(header.get("scope") in ("col", "row") for header in page.all("th"))

    def test_ids_are_unique(self, page: Page) -> None:
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))

    def test_language_is_declared(self, page: Page, request: pytest.FixtureRequest) -> None:
        assert page.all("html")[0]["lang"] in ("vi", "en")


NASTY = [
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    'A & B\'s "q" {{ 7*7 }} $x$',
    "rất dài " * 60,
    "http://127.0.0.1:9/x file:///etc/passwd",
]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_shown_as_text(name: str, ordinary: WaveResult, tmp_path: Path) -> None:
    book = ordinary.extract.codebook
    fields = tuple(replace(field, label={"vi": name, "en": name}) for field in book.fields)
    centres = tuple(replace(centre, name=name, full_name=name, kind="province") for centre in book.centres)
    wave = replace(book.wave, title={"vi": name, "en": name})
    changed = replace(ordinary.extract, codebook=replace(book, fields=fields, centres=centres, wave=wave))
    files = write_report(replace(ordinary, extract=changed), tmp_path, "vi", None)
    page = Page(files.html)
    assert not page.all("script")
    assert not page.all("img")
    assert not [tag for tag, found in page.tags for name in LOADING & set(found) if not found[name].startswith("#")]
    assert " ".join(name.split()) in page.text
    for plot in files.plots:
        if plot.suffix == ".svg":
            tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(plot.read_text()).iter()}
            assert not tags & {"script", "img", "foreignObject", "image"}


class TestStatesOfAWave:
    def test_a_wave_of_four_responses_is_counted_nowhere(self, tmp_path: Path) -> None:
        rows = [extracts.response(centre=f"C0{i % 2}", local_day=extracts.day(i)) for i in range(4)]
        rows += [extracts.response(field=None)] * 9 + [extracts.response(disposition="broken_off")] * 30
        register = [extracts.register_row(f"C0{c}", "chung-thuc", 100) for c in range(2)]
        result = score_wave(read_extract(extracts.write(tmp_path / "extract", rows, register)))
        page = Page(write_report(result, tmp_path, "vi").html)
        lines = {row[0]: row[1:] for row in page.rows if row}
        blank = ("Phiếu được gán trọng số", "Trọng số trung bình", "Trọng số lớn nhất", "Cỡ mẫu hiệu dụng Kish")
        assert {tuple(lines[name]) for name in blank} == {("–",)}
        assert lines["Dùng cho chỉ số: đã nhận kết quả"] == lines["Không cho biết lĩnh vực"] == ["–", "–"]
        assert lines["Bỏ dở giữa chừng"][0] == "30" and "cộng lại 13 phiếu" in page.text
        assert lines["Xã C00 + Xã C01"][1:] == ["–", "200", "200"]
        assert "Số phiếu được gán trọng số không công bố" in page.text

    def test_everything_hidden(self, folder: Path, tmp_path: Path) -> None:
        result = report_waves.wave_result(folder / "hidden", report_waves.hide)
        page = report(result, tmp_path)
        assert "Chưa lĩnh vực nào đủ phiếu để công bố chỉ số" in page.text
        assert "Chỉ số toàn tỉnh không công bố: chưa đủ tin cậy" in page.text
        assert "91,23" not in page.text

    def test_one_field_only(self, folder: Path, tmp_path: Path) -> None:
        assert "Chứng thực" in report(report_waves.wave_result(folder / "one", fields=1), tmp_path).text

    def test_nobody_filed_or_asked(self, ordinary: WaveResult, tmp_path: Path) -> None:
        page = report(replace(ordinary, filed=(), asked=()), tmp_path)
        assert page.text.count("Không có phiếu.") == 2

    @pytest.mark.parametrize("language", ["vi", "en"])
    @pytest.mark.parametrize("truth", [None, {"simulated": True, "index": {"all": 80.0}}], ids=["no truth", "part"])
    def test_real_scores(self, language: str, truth: object, tmp_path: Path) -> None:
        columns, register = extracts.many(500, fields=5)
        extract = read_extract(extracts.write(tmp_path, columns, register, simulated=truth is not None))
        result = score_wave(extract)
        page = report(result, tmp_path, language, truth)
        whole = result.score()
        assert whole is not None
        assert whole.value is not None
        assert f"{whole.value:.2f}".replace(".", "," if language == "vi" else ".") in page.text

    def test_every_centre_stands_in_the_table_and_those_published_in_the_plot(self, tmp_path: Path) -> None:
        columns, register = extracts.many(1500, centres=6, fields=3)
        kept = (columns["centre"] != "C002") | (columns["local_day"] == extracts.day(0)) & (
            columns["field"] == "dat-dai"
        )
        columns = {name: values[kept] for name, values in columns.items()}
        result = score_wave(read_extract(extracts.write(tmp_path, columns, register)))
        page = report(result, tmp_path)
        lines = {row[0][:7]: row[1:] for row in page.rows if row and row[0].startswith("Xã C0") and len(row) > 5}
        assert list(lines) == [f"Xã C00{number}" for number in range(1, 7)]
        assert lines["Xã C002"][0].startswith("không công bố")
        drawn = (tmp_path / "report" / "centres.svg").read_text(encoding="utf-8")
        shown = [row for row in result.scores if row.domain_kind == "centre" and row.measure == "index" and row.value]
        assert 0 < len(shown) < 6
        for code in range(1, 7):
            assert (f"Xã C00{code}" in drawn) == (f"C00{code}" in {row.domain for row in shown})

    def test_no_weight_tells_how_few_share_the_dossiers_of_a_field(self, tmp_path: Path) -> None:
        """Three answers of one centre stand for 300 dossiers: a weight of 100 would say that they are three."""
        fields = ["chung-thuc"] * 300 + ["dat-dai"] * 100 + ["y-te"] * 3
        rows = [
            extracts.response(
                centre="C00" if field == "y-te" else f"C0{i % 3}", local_day=extracts.day(i % 7), field=field
            )
            for i, field in enumerate(fields)
        ]
        register = [extracts.register_row(f"C0{c}", field, 100) for c in range(3) for field in dict.fromkeys(fields)]
        result = score_wave(read_extract(extracts.write(tmp_path, rows, register)))
        assert result.weighting.design.weight.max() == pytest.approx(100)
        page = report(result, tmp_path)
        lines = {row[0]: row[1:] for row in page.rows if row}
        assert float(lines["Trọng số lớn nhất"][0].replace(",", ".")) < 10

    def test_a_handful_of_responses(self, tmp_path: Path) -> None:
        rows = [extracts.response(local_day=extracts.day(number)) for number in range(3)]
        register = [extracts.register_row("C01", extracts.FIELDS[0], 40)]
        result = score_wave(read_extract(extracts.write(tmp_path, rows, register)))
        assert "không công bố" in report(result, tmp_path).text


def test_the_same_result_gives_the_same_bytes(ordinary: WaveResult, tmp_path: Path) -> None:
    written = [write_report(ordinary, tmp_path / name, "vi", None) for name in ("a", "b")]
    for first, second in zip(*([files.html, *files.plots] for files in written), strict=True):
        assert first.read_bytes() == second.read_bytes()


def test_both_languages_lie_side_by_side(ordinary: WaveResult, tmp_path: Path) -> None:
    names = set()
    for language in ("vi", "en"):
        files = write_report(ordinary, tmp_path, language, None)  # type: ignore[arg-type]
        names |= {path.name for path in (files.html, *files.plots)}
    assert {"report.html", "report.en.html", "scores.svg", "scores.en.svg", "weights.png", "weights.en.png"} < names
    assert len(names) == 18
    assert names == {path.name for path in tmp_path.iterdir()}


@pytest.mark.parametrize("width", [1280, 390])
def test_browser_finds_no_barrier_no_request_and_nothing_wider_than_the_screen(
    width: int, chromium: Browser, folder: Path, tmp_path: Path
) -> None:
    from axe_playwright_python.sync_playwright import Axe

    result = report_waves.wave_result(tmp_path, mixed, simulated=True)
    html = write_report(result, tmp_path / "report", "vi", report_waves.truth(result.extract.codebook)).html
    page = chromium.new_page(viewport={"width": width, "height": 900}, bypass_csp=True)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(html.as_uri())
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('16px \"Be Vietnam Pro\"')")
    assert [url for url in requests if not url.startswith(("data:", html.as_uri()))] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    found = Axe().run(page)
    assert found.violations_count == 0, found.generate_report()
    page.close()
