"""The report of a sample wave: named as the province's own estimate everywhere, and what it leaves unsaid."""

import re
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from playwright.sync_api import Browser

from analysis.report import write_report
from analysis.wave.extract import read_extract
from analysis.wave.margins import read_margins
from analysis.wave.rules import SAMPLE_SENTENCE, SENTENCE, ScoreOptions
from analysis.wave.sample_scores import score_sample
from analysis.wave.wave_result import SampleResult
from tests.sample_extracts import interview, margins_file, unit, visits, write_sample
from tests.test_report import BAND, LOADING, NASTY, Page

ROWS, FRAME = visits(30, strata=6, units=3, seed=7)
SEX = {"1": 400_000, "2": 412_345}


def result_of(folder: Path, *, raked: bool = True, options: ScoreOptions | None = None, **given: Any) -> SampleResult:
    extract = read_extract(
        write_sample(folder / "extract", given.pop("rows", ROWS), given.pop("frame", FRAME), **given)
    )
    margins = read_margins(margins_file(folder, SEX=SEX, PLACE={"1": 400_000, "2": 412_000}), extract.codebook)
    return score_sample(extract, options, margins=margins if raked else None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("sample-report")


@pytest.fixture(scope="module")
def ordinary(folder: Path) -> SampleResult:
    return result_of(folder / "ordinary")


@pytest.fixture(scope="module")
def vietnamese(ordinary: SampleResult, folder: Path) -> Page:
    return Page(write_report(ordinary, folder / "vi", "vi").html)


@pytest.fixture(scope="module")
def english(ordinary: SampleResult, folder: Path) -> Page:
    return Page(write_report(ordinary, folder / "en", "en").html)


def number(value: float | None, decimals: int = 2) -> str:
    return f"{value:.{decimals}f}".replace(".", ",")


def _factors(page: Page) -> str:
    return page.source.split('id="factors"')[1].split("</section>")[0]


class TestWhatItSays:
    def test_opens_on_the_own_estimate_with_interval_areas_and_response(
        self, ordinary: SampleResult, vietnamese: Page
    ) -> None:
        opening = vietnamese.text.split("Hai nội dung và các yếu tố")[0]
        index, area = ordinary.score(), ordinary.score("all", "area:II")
        assert index and area and index.ci_low is not None and index.ci_high is not None
        for said in (
            f"Chỉ số hai nội dung, ước lượng của tỉnh {number(index.value)}%",
            f"khoảng tin cậy 95%: {number(index.ci_low)} – {number(index.ci_high)}",
            f"Cung ứng dịch vụ hành chính công {number(area.value)}% (",
            f"cho khoảng ±{number((index.ci_high - index.ci_low) / 2, 1)} điểm ở đây",
            "không thể xét thứ hạng từ mẫu này",
            "433 / 540 (80,2%)",
            SAMPLE_SENTENCE["vi"],
        ):
            assert said in opening

    @pytest.mark.parametrize("page", ["vietnamese", "english"])
    def test_the_counter_sentence_is_nowhere(self, page: str, request: pytest.FixtureRequest) -> None:
        source = request.getfixturevalue(page).source
        assert SENTENCE["vi"] not in source and SENTENCE["en"] not in source
        assert "hồ sơ" not in request.getfixturevalue(page).text.replace("hồ sơ đúng", "")

    def test_the_sentence_stands_on_page_foot_and_every_plot(self, ordinary: SampleResult, tmp_path: Path) -> None:
        files = write_report(ordinary, tmp_path, "en")
        drawn = [path for path in files.plots if path.suffix == ".svg"]
        assert {path.stem for path in drawn} == {
            "factors.en", "items_1.en", "items_2.en", "visits.en", "weights.en",
        }  # fmt: skip
        for path in drawn:
            said = " ".join(" ".join(ElementTree.fromstring(path.read_text()).itertext()).split())
            assert SAMPLE_SENTENCE["en"] in said
        foot = Page(files.html).source.split("@bottom-center")[1].split("\n")[0]
        assert "&#" not in foot and SAMPLE_SENTENCE["en"].replace("'", "\\000027") in foot

    @pytest.mark.parametrize(
        ("verdict", "sentence"),
        [
            ("above", "Theo ước lượng của tỉnh, chỉ số trên mốc 85."),
            ("below", "Theo ước lượng của tỉnh, chỉ số dưới mốc 85."),
            ("cannot_tell", "Theo ước lượng của tỉnh, chưa đủ bằng chứng"),
            ("", "Không kết luận so với mốc 85: không đủ điều kiện"),
        ],
    )
    def test_a_verdict_is_the_provinces_own(
        self, verdict: str, sentence: str, ordinary: SampleResult, tmp_path: Path
    ) -> None:
        scores = tuple(replace(row, verdict=verdict) if row.measure == "index" else row for row in ordinary.scores)
        page = Page(write_report(replace(ordinary, scores=scores), tmp_path, "vi").html)
        assert sentence in page.text
        assert "ở đây chỉ xét như ước lượng của tỉnh" in page.text

    def test_published_figures_stand_beside_with_year_label_series_and_source(self, vietnamese: Page) -> None:
        rows = [row for row in vietnamese.rows if "2023-2026" in row or "2017" in row]
        assert [row[2:] for row in rows[:2]] == [
            ["Cả nước", "2024", "83,941", "[S]", "2023-2026"],
            ["Cả nước", "2021", "87,161", "[S]", "2017"],
        ]  # 83,94 and 87,16 with the mark of their source
        assert {(row[0], row[1]) for row in rows[:2]} == {("Chỉ số SIPAS, Bộ Nội vụ công bố", "")}
        # the province's number is no SIPAS index, and the Ministry's no estimate of ours
        named = "Chỉ số hai nội dung, ước lượng của tỉnh"
        (own,) = (row for row in vietnamese.rows if row[0] == named and len(row) == 7)
        assert own[1] and own[2:] == [""] * 5
        assert "báo chí (một bài thử)" in vietnamese.text
        assert "[S] theo báo chí hoặc nguồn thứ cấp; [D] tính từ các số ấy" in vietnamese.text
        assert "2017 và 2023-2026" in vietnamese.text and "không bao giờ trừ qua chỗ đứt loạt" in vietnamese.text

    def test_nothing_is_subtracted_from_a_published_figure(self, ordinary: SampleResult, vietnamese: Page) -> None:
        values = [row.value for row in ordinary.scores if row.value is not None]
        table = vietnamese.source.split('id="table-published"')[1].split("</table>")[0]
        for own in values:
            for published in (87.16, 83.94, 83.84, 84.09, 84.27):
                assert number(abs(own - published)) not in re.sub(r"<[^>]+>", " ", table).split()

    def test_without_references_it_says_how_to_enter_them(self, tmp_path: Path) -> None:
        page = Page(write_report(result_of(tmp_path, references=[]), tmp_path / "page", "vi").html)
        assert "Chưa nhập số công bố nào" in page.text and "table-published" not in page.source

    def test_raked_to_what_or_loudly_not(self, vietnamese: Page, tmp_path: Path) -> None:
        assert "biên dân số từ 18 tuổi: Câu SEX và Câu PLACE; tệp margins.csv, tổng 812.345 người" in vietnamese.text
        assert "đã nhân với 1,000425" in vietnamese.text
        assert "CHƯA HIỆU CHỈNH" not in vietnamese.text
        page = Page(write_report(result_of(tmp_path, raked=False), tmp_path / "page", "vi").html)
        assert page.text.count("CHƯA HIỆU CHỈNH THEO DÂN SỐ") == 2
        assert page.text.index("CHƯA HIỆU CHỈNH") < page.text.index("Chỉ số hai nội dung")
        assert "table-margins" not in page.source
        opening = page.text.split("Được dùng")[0]
        assert "cần tệp tổng dân số" in opening and "--margins" not in opening and "[D]" not in opening
        assert "Dành cho người phân tích: thêm --margins FILE" in page.text

    def test_one_day_is_one_date(self, ordinary: SampleResult, vietnamese: Page, english: Page) -> None:
        days = sorted(set(map(str, ordinary.extract.column("local_day"))))
        assert len(days) == 1  # as the helper writes them
        assert "phỏng vấn ngày 01/10/2026." in vietnamese.text and "interviewed on 1 October 2026." in english.text

    def test_the_forms_source_is_introduced_as_the_files_own_words(self, vietnamese: Page) -> None:
        assert "Nguồn của phiếu (ghi trong tệp phiếu): " in vietnamese.text

    def test_the_province_issues_it_and_no_counter_centre(self, vietnamese: Page, english: Page) -> None:
        assert '<p class="capitals">Ủy ban nhân dân tỉnh thử nghiệm</p>' in vietnamese.source
        assert "People&#39;s Committee of a test" in english.source
        assert "Trung tâm phục vụ hành chính công" not in vietnamese.text

    def test_an_effective_size_beyond_n_is_explained(self, ordinary: SampleResult, tmp_path: Path) -> None:
        assert all((row.n_eff or 0) <= (row.n or 0) for row in ordinary.scores if row.measure[:5] != "item:") == (
            "hệ số thiết kế dưới 1" not in _factors(Page(write_report(ordinary, tmp_path / "a", "vi").html))
        )
        scores = tuple(replace(row, n_eff=10.0 * (row.n or 0)) for row in ordinary.scores)
        found = write_report(replace(ordinary, scores=scores), tmp_path / "b", "vi")
        assert "hệ số thiết kế dưới 1" in _factors(Page(found.html))

    def test_visits_are_told_by_unit(self, ordinary: SampleResult, vietnamese: Page) -> None:
        rows = {row[0]: row[1:] for row in vietnamese.rows if row and row[0].startswith("Thôn V")}
        assert len(rows) == len(FRAME)
        one = ordinary.weighting.visits[0]
        assert rows["Thôn V01 (V01)"][:4] == ["S1", "30", str(one.unit.visited), str(one.unit.completed)]
        assert rows["Thôn V01 (V01)"][-1] == number(one.factor, 3)

    def test_left_out_counts_every_visit_once(self, vietnamese: Page) -> None:
        assert "Dùng cho chỉ số: phỏng vấn xong 433" in vietnamese.text
        assert "Tất cả phiếu trong trích xuất 540 100,00" in vietnamese.text


class TestStates:
    def test_simulated_says_so_and_shows_the_truth(self, tmp_path: Path) -> None:
        result = result_of(tmp_path, simulated=True)
        truth = {"simulated": True, "item_method": "top2", "roll_up": "pooled", "index": {"all": 80.004}}
        truth |= {"area:I": {"all": 79.5}, "factor:I.A": {"all": 78.25}}
        files = write_report(result, tmp_path / "page", "vi", truth)
        page = Page(files.html)
        assert page.text.count(BAND) == 6  # the page and its five plots
        assert all(value in page.text for value in ("80,00", "79,50", "78,25"))
        other = score_sample(result.extract, ScoreOptions(roll_up="area_mean"))
        apart = Page(write_report(other, tmp_path / "other", "vi", truth).html)
        assert "80,00" not in apart.text and "tính theo quy tắc khác với quy tắc của bảng này" in apart.text

    def test_a_unit_whose_weight_went_to_another_and_households_not_visited(self, tmp_path: Path) -> None:
        frame = [unit("V1"), unit("V2"), unit("V3", "S2"), unit("V4", "S2")]
        rows = [interview("V1", disposition="refused")] * 3
        rows += [interview(psu, SEX=1 + i % 2, **{"I.A1": 2 + i % 4}) for psu in ("V2", "V3", "V4") for i in range(20)]
        page = Page(write_report(result_of(tmp_path, raked=False, rows=rows, frame=frame), tmp_path / "p", "vi").html)
        assert "Không có phỏng vấn xong; Thôn V2 (V2) mang trọng số của thôn này." in page.text
        assert "57 hộ được chọn mà chưa ghi lần đến nào; tính như không trả lời" in page.text  # 4 × 30 − 63
        assert "S1 + S2" in page.text

    def test_a_unit_with_more_interviews_than_households_drawn_is_named(self, tmp_path: Path) -> None:
        frame = [unit("V1", households=18), unit("V2", households=20)]
        rows = [interview(psu, SEX=1 + i % 2, PLACE=1 + i % 2) for psu in ("V1", "V2") for i in range(20)]
        page = Page(write_report(result_of(tmp_path, raked=False, rows=rows, frame=frame), tmp_path / "p", "vi").html)
        assert "Thôn V1 (V1): 20 phỏng vấn xong cho 18 hộ được chọn – có hộ thay thế" in page.text
        assert "40 phỏng vấn xong trên 38 hộ được chọn" in page.text and "V2): 20 phỏng" not in page.text

    def test_a_class_whose_weights_raking_bent_too_far_is_named(self, ordinary: SampleResult, tmp_path: Path) -> None:
        weighting = ordinary.weighting
        met = tuple(
            replace(one, highest=3.2) if (one.margin, one.code) == ("SEX", "2") else one for one in weighting.met
        )
        bent = replace(ordinary, weighting=replace(weighting, met=met))
        said = "đổi hơn 3 lần (tăng hoặc giảm) so với mức đổi trung bình: Câu SEX: Nữ."
        assert said in Page(write_report(bent, tmp_path / "bent", "vi").html).text
        assert "so với mức đổi trung bình" not in Page(write_report(ordinary, tmp_path / "plain", "vi").html).text

    def test_few_of_a_sex_are_not_counted(self, tmp_path: Path) -> None:
        frame = [unit("V1"), unit("V2")]
        rows = [interview(psu, SEX=1, PLACE=1 + i % 2) for psu in ("V1", "V2") for i in range(30)]
        for row in rows[:2]:
            row["SEX"] = 2
        page = Page(write_report(result_of(tmp_path, rows=rows, frame=frame), tmp_path / "page", "vi").html)
        assert [row[2] for row in page.rows if row[:1] == ["Câu SEX"]] == ["–", "–"]
        assert [row[2] for row in page.rows if row[:1] == ["Câu PLACE"]] == ["30", "30"]

    def test_how_many_of_few_did_not_answer_is_not_told_by_their_residents(self, tmp_path: Path) -> None:
        rows = [interview(psu, SEX=1 + i % 2, PLACE=1 + i // 15) for psu in ("V1", "V2") for i in range(30)]
        rows[0]["SEX"] = -3
        page = Page(
            write_report(result_of(tmp_path, rows=rows, frame=[unit("V1"), unit("V2")]), tmp_path / "p", "vi").html
        )
        (silent,) = (row for row in page.rows if row[:2] == ["Câu SEX", "Không trả lời"])
        assert silent[2:] == ["–", "–", "–", "–"]
        assert next(row for row in page.rows if row[:2] == ["Câu SEX", "Nam"])[5] == "400.000"

    def test_nothing_may_be_shown(self, tmp_path: Path) -> None:
        rows = [interview("V1"), interview("V2")]
        result = result_of(tmp_path, raked=False, rows=rows, frame=[unit("V1"), unit("V2")])
        page = Page(write_report(result, tmp_path / "page", "vi").html)
        assert "Chỉ số không công bố: bảo mật (quá ít phiếu)" in page.text
        assert "100,00%" not in page.text

    def test_of_few_interviews_the_number_stays_and_nothing_of_single_people(self, tmp_path: Path) -> None:
        rows = [interview(f"V{one}", SEX=sex, PLACE=1 + (one + sex) % 2) for one in (1, 2) for sex in (1, 2)]
        result = result_of(tmp_path, rows=rows, frame=[unit("V1"), unit("V2")])
        files = write_report(result, tmp_path / "page", "vi")
        page = Page(files.html)
        assert "4 / 60 (6,7%)" in page.text and "Phiếu được gán trọng số 4" in page.text
        assert "Số phỏng vấn xong và số lần đến hộ là số liệu thực địa, luôn nêu" in page.text
        shown = {row[0]: row[1] for row in page.rows if len(row) == 2}
        assert {shown[name] for name in ("Trọng số nhỏ nhất", "Trọng số lớn nhất", "Hệ số thiết kế Kish")} == {"–"}
        assert "Không nêu từng trọng số" in (tmp_path / "page" / "weights.svg").read_text(encoding="utf-8")
        assert all(row.n is None and row.value is None for row in result.scores)

    def test_where_nothing_is_confidential_nothing_is_said_of_it(self, vietnamese: Page) -> None:
        assert "số liệu thực địa, luôn nêu" not in vietnamese.text

    def test_many_units_stay_in_the_table(self, tmp_path: Path) -> None:
        rows, frame = visits(3, strata=3, units=15, silent=0)
        files = write_report(result_of(tmp_path, rows=rows, frame=frame, raked=False), tmp_path / "page", "vi")
        assert "visits" not in {path.stem for path in files.plots}

    @pytest.mark.parametrize("name", NASTY)
    def test_names_are_shown_as_text(self, name: str, tmp_path: Path) -> None:
        frame = [row | {"name": name} for row in FRAME]
        references = [
            {
                "year": 2024,
                "place": name,
                "measure": "index",
                "value": name,
                "series": name,
                "label": "S",
                "source": name,
            }
        ]
        files = write_report(result_of(tmp_path, frame=frame, references=references), tmp_path / "page", "vi")
        page = Page(files.html)
        assert not page.all("script") and not page.all("img")
        assert not [tag for tag, found in page.tags for key in LOADING & set(found) if not found[key].startswith("#")]
        assert " ".join(name.split()) in page.text


class TestPage:
    @pytest.fixture(params=["vietnamese", "english"])
    def page(self, request: pytest.FixtureRequest) -> Page:
        found: Page = request.getfixturevalue(request.param)
        return found

    def test_fetches_nothing_and_every_table_is_headed(self, page: Page) -> None:
        assert not page.all("script") and not page.all("link") and not re.search(r"https?://|@import", page.source)
        assert len(page.all("caption")) == len(page.all("table")) >= 8
        assert all(header.get("scope") in ("col", "row") for header in page.all("th"))
        ids = [attributes["id"] for _, attributes in page.tags if "id" in attributes]
        assert len(ids) == len(set(ids))

    def test_the_same_result_gives_the_same_bytes(self, ordinary: SampleResult, page: Page, tmp_path: Path) -> None:
        language: Any = page.all("html")[0]["lang"]
        assert write_report(ordinary, tmp_path, language).html.read_text(encoding="utf-8") == page.source

    @pytest.mark.parametrize("width", [1280, 390])
    def test_a_browser_finds_no_barrier_and_nothing_wider_than_the_screen(
        self, width: int, chromium: Browser, tmp_path: Path
    ) -> None:
        from axe_playwright_python.sync_playwright import Axe

        result = result_of(tmp_path, simulated=True, raked=width == 390)
        html = write_report(result, tmp_path / "page", "vi", {"index": {"all": 80.0}}).html
        page = chromium.new_page(viewport={"width": width, "height": 900}, bypass_csp=True)
        page.goto(html.as_uri())
        page.evaluate("document.fonts.ready")
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        found = Axe().run(page)
        assert found.violations_count == 0, found.generate_report()
        page.close()
