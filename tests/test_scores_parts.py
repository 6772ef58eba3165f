"""A counter wave of a form in parts: every row by each item's own weights, and what does not fit is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.errors import AnalysisError
from analysis.report import write_report
from analysis.wave.about import about
from analysis.wave.extract import Extract, read_extract
from analysis.wave.rules import ScoreOptions
from analysis.wave.sample_scores import score_sample
from analysis.wave.scores import score_wave
from analysis.wave.wave_result import WaveResult
from tests import extracts
from tests.sample_extracts import SAMPLE_ITEMS, visits, write_sample

DRAWN = [(a, b) for place, a in enumerate("ABCDE") for b in "ABCDE"[place + 1 :]]
Change = Callable[[dict[str, Any]], None]


def draw(columns: dict[str, Any], whole: float, seed: int = 5) -> None:
    """Leave each response two factors of the five; a share of them everything."""
    rng = np.random.default_rng(seed)
    n = len(columns["centre"])
    part, everything = rng.integers(0, 10, n), rng.random(n) < whole
    named = [None if asked else f"{number + 1}/10" for number, asked in zip(part, everything, strict=True)]
    columns["part"] = np.array(named, dtype=object)
    for item in extracts.ITEMS:
        asked = everything | np.array([item[3] in drawn for drawn in DRAWN])[part]
        columns[item] = np.where(asked, columns[item], -5)


def in_parts(columns: dict[str, Any], register: list[dict[str, Any]]) -> dict[str, Any]:
    """The codebook of such a form."""
    book = extracts.codebook("2026-q4", columns, register)
    items = [item | {"inclusion": "2/5" if item["code"] in extracts.ITEMS else "1"} for item in book["items"]]
    return book | {"items": items, "parts": {"name": "factors", "factors": list("ABCDE"), "draw": 2, "of": 10}}


def extract_of(folder: Path, whole: float = 0.25, change: Change = lambda columns: None) -> Extract:
    columns, register = extracts.many(4000, days=20)
    draw(columns, whole)
    change(columns)
    return read_extract(extracts.put(folder, columns, register, in_parts(columns, register)))


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    return extract_of(tmp_path_factory.mktemp("parts"))


@pytest.fixture(scope="module")
def result(extract: Extract) -> WaveResult:
    return score_wave(extract)


@pytest.fixture(scope="module")
def asked_everything(tmp_path_factory: pytest.TempPathFactory) -> WaveResult:
    """The same responses, before anything was left out."""
    columns, register = extracts.many(4000, days=20)
    return score_wave(read_extract(extracts.write(tmp_path_factory.mktemp("whole"), columns, register)))


def own_weights(extract: Extract, result: WaveResult, item: str) -> tuple[Any, Any]:
    """Valid codes of an item and the weights over the chance of being asked, written out."""
    rows = result.weighting.rows
    codes = extract.column(item)[rows]
    chance = np.where([part is None for part in extract.column("part")[rows]], 1.0, 2 / 5)
    return codes[codes > 0], (result.weighting.design.weight / chance)[codes > 0]


def test_items_and_index_by_their_own_weights(extract: Extract, result: WaveResult) -> None:
    top = bottom = 0.0
    for item in extracts.ITEMS:
        codes, weight = own_weights(extract, result, item)
        row = result.score("all", f"item:{item}")
        assert row is not None and row.n == len(codes)
        assert row.value == pytest.approx(100 * np.average(codes >= 4, weights=weight), rel=1e-12)
        top, bottom = top + weight[codes >= 4].sum(), bottom + weight.sum()
    index = result.score()
    assert index is not None and index.value == pytest.approx(100 * top / bottom, rel=1e-12)
    rows = result.weighting.rows
    answered = np.any([extract.column(item)[rows] > 0 for item in extracts.ITEMS], axis=0)
    assert index.n == answered.sum() and index.responses == rows.sum()


def test_the_shares_of_factors_are_those_of_a_form_asked_whole(
    asked_everything: WaveResult, result: WaveResult
) -> None:
    for factor, share in asked_everything.factor_shares["all"].items():
        assert result.factor_shares["all"][factor] == pytest.approx(share, abs=0.04)


@pytest.mark.parametrize("roll_up", ["item_mean", "factor_mean", "area_mean"])
def test_every_roll_up_is_had(extract: Extract, roll_up: Any) -> None:
    found = score_wave(extract, ScoreOptions(roll_up=roll_up)).score()
    assert found is not None and found.value is not None and found.se is not None and found.se > 0


def test_the_estimates_are_near_those_of_everybody_asked_everything(
    asked_everything: WaveResult, result: WaveResult
) -> None:
    """Differences of the size of the SE that the draw adds; the overall question, asked of everybody, has none."""
    seen = 0
    for row in asked_everything.scores:
        other = result.find(*row.key)
        if row.domain_kind != "all" or row.value is None or other is None or other.value is None:
            continue
        assert row.se is not None and other.se is not None
        seen += 1
        assert abs(other.value - row.value) < 4 * other.se, row.measure
        if row.measure == "overall":
            assert (other.value, other.se, other.n) == (row.value, row.se, row.n)
        elif row.measure.startswith("item:"):
            assert other.se > row.se, row.measure
    assert seen == 2 + 5 + 16


def lacks_more(columns: dict[str, Any]) -> None:
    columns["II.A1"][[part is None for part in columns["part"]].index(True)] = -5


def lacks_nothing(columns: dict[str, Any]) -> None:
    row = columns["part"].tolist().index("1/10")
    for item in extracts.ITEMS:
        columns[item][row] = 4


@pytest.mark.parametrize("change", [lacks_more, lacks_nothing])
def test_rows_that_do_not_fit_their_part_are_refused(tmp_path: Path, change: Change) -> None:
    def spoil(columns: dict[str, Any]) -> None:
        columns["VISIT"] = np.full(len(columns["VISIT"]), extracts.RECEIVED)
        change(columns)

    with pytest.raises(AnalysisError, match="1 responses lack other items than the part they were asked"):
        score_wave(extract_of(tmp_path, change=spoil))


@pytest.mark.parametrize("chance", ["0", "-1/2", "3/2", "x", "1/0"])
def test_an_item_that_nobody_can_be_asked_is_refused(tmp_path: Path, chance: str) -> None:
    columns, register = extracts.many(200)
    draw(columns, 0.0)
    book = in_parts(columns, register)
    book["items"][3]["inclusion"] = chance
    with pytest.raises(AnalysisError, match="the codebook cannot be read"):
        read_extract(extracts.put(tmp_path, columns, register, book))


def test_an_extract_in_parts_without_the_column_is_refused(tmp_path: Path) -> None:
    columns, register = extracts.many(200)
    with pytest.raises(AnalysisError, match="columns are missing: part"):
        read_extract(extracts.put(tmp_path, columns, register, in_parts(columns, register)))


def test_rows_page_and_notes_say_that_a_part_was_asked(tmp_path: Path, result: WaveResult) -> None:
    index, overall = result.score(), result.score("all", "overall")
    assert index is not None and "; parts=2/5" in index.note
    assert overall is not None and "parts=" not in overall.note, "everybody is asked the overall question"
    assert about(result)["rules"]["parts"]["draw"] == 2
    for language, said in (
        ("vi", "Mỗi người được hỏi 2 trong 5 nhóm câu hỏi"),
        ("en", "Each citizen was asked 2 of 5 groups"),
    ):
        write_report(result, tmp_path / language, language=language)
        assert said in next((tmp_path / language).glob("report*.html")).read_text(encoding="utf-8")


def test_a_wave_asked_whole_says_nothing_of_parts(asked_everything: WaveResult) -> None:
    assert not any("parts=" in row.note for row in asked_everything.scores)
    assert "parts" not in about(asked_everything)["rules"]


# ---- a sample wave in parts


SAMPLE_FACTORS = tuple(dict.fromkeys(item[:-1] for item in SAMPLE_ITEMS))


def interviewed_in_parts(columns: Any, frame: Any, book: dict[str, Any]) -> None:
    """Each interview is asked three of the four factors, and one in five everything."""
    rng = np.random.default_rng(8)
    n = len(columns["centre"])
    absent, everything = rng.integers(0, 4, n), rng.random(n) < 0.2
    columns["part"] = [None if whole else f"{4 - left}/4" for whole, left in zip(everything, absent, strict=True)]
    for item in SAMPLE_ITEMS:
        missing = ~everything & (absent == SAMPLE_FACTORS.index(item[:-1]))
        columns[item] = np.where(missing, -5, columns[item]).tolist()
    for item in book["items"]:
        item["inclusion"] = "3/4" if item["code"] in SAMPLE_ITEMS else "1"
    book["parts"] = {"name": "factors", "factors": list(SAMPLE_FACTORS), "draw": 3, "of": 4}


def test_a_sample_wave_in_parts_is_scored_by_each_items_own_weights(tmp_path: Path) -> None:
    rows, frame = visits(60)
    extract = read_extract(write_sample(tmp_path, rows, frame, change=interviewed_in_parts))
    result = score_sample(extract)
    weighted = result.weighting.rows
    chance = np.where([part is None for part in extract.column("part")[weighted]], 1.0, 3 / 4)
    values = {}
    for item in SAMPLE_ITEMS:
        codes = extract.column(item)[weighted]
        own = (result.weighting.design.weight / chance)[codes > 0]
        values[item] = (own[codes[codes > 0] >= 4].sum(), own.sum())
        row = result.find("all", "all", f"item:{item}")
        assert row is not None and row.n == (codes > 0).sum()
        assert row.value is None or row.value == pytest.approx(100 * values[item][0] / values[item][1], rel=1e-12)
    index = result.find("all", "all", "index")
    top, bottom = np.sum(list(values.values()), axis=0)
    assert index is not None and index.value == pytest.approx(100 * top / bottom, rel=1e-12)
    assert "; parts=3/4" in index.note
