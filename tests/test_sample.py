"""A sample wave's weights, index, errors and intervals, against the formulas written out a second time from raw rows."""

import json
from math import exp, log
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy.stats import beta, t

from analysis.errors import AnalysisError
from analysis.wave.about import weights_json
from analysis.wave.extract import Extract, read_extract
from analysis.wave.margins import read_margins
from analysis.wave.output import write_tables
from analysis.wave.rules import SAMPLE_SENTENCE, ScoreOptions
from analysis.wave.sample import weight_sample
from analysis.wave.sample_scores import score_sample
from analysis.wave.scores import score_wave
from analysis.wave.waves import say_weights
from tests.sample_extracts import SAMPLE_ITEMS, interview, margins_file, unit, visits, write_sample

CLOSE = 1e-8
ROWS, FRAME = visits(30, strata=6, units=3, seed=7)
FRAME = [row | {"households": 26 + 2 * (number % 5)} for number, row in enumerate(FRAME)]  # drawn; 30 visits each
SEX = {"1": 400_000, "2": 412_345}
AGE = {"1": 100_000, "2": 150_000, "3": 250_000, "4+5": 310_000}
PLACE = {"1": 300_000, "2": 512_000}


def extract_of(folder: Path, rows: Any = ROWS, frame: Any = FRAME, **given: Any) -> Extract:
    return read_extract(write_sample(folder, rows, frame, **given))


# ---- the second computation: nothing of analysis in it


def base_by_hand(rows: list[dict[str, Any]], frame: list[dict[str, Any]]) -> np.ndarray:
    """1/p × households drawn/completed of each completed interview, from the raw rows."""
    found = []
    for one in rows:
        if one["disposition"] == "complete" and not one["after_close"]:
            there = [row for row in rows if row["psu"] == one["psu"] and not row["after_close"]]
            done = [row for row in there if row["disposition"] == "complete"]
            (line,) = (row for row in frame if row["psu"] == one["psu"])
            found.append(line["households"] / line["probability"] / len(done))
    return np.array(found)


def classes_by_hand(rows: list[dict[str, Any]], weight: np.ndarray) -> list[tuple[np.ndarray, np.ndarray]]:
    """Indicators and totals of the margins SEX, AGE, PLACE; the silent keep their share; scaled to the first margin."""
    found = []
    for name, totals in (("SEX", SEX), ("AGE", AGE), ("PLACE", PLACE)):
        codes = np.array([row[name] for row in rows])
        groups = [np.isin(codes, [int(code) for code in label.split("+")]) for label in totals]
        target = np.array(list(totals.values()), dtype=float) * sum(SEX.values()) / sum(totals.values())
        silent = codes < 0
        if silent.any():
            share = weight[silent].sum() / weight.sum()
            groups.append(silent)
            target = np.append(target * (1 - share), share * sum(SEX.values()))
        found.append((np.array(groups, dtype=float).T, target))
    return found


def rake_by_hand(weight: np.ndarray, margins: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    current = weight.copy()
    for _ in range(5000):
        for x, target in margins:
            current = current * (x @ (target / (x.T @ current)))
    return current


def index_by_hand(
    rows: list[dict[str, Any]], frame: list[dict[str, Any]], items: tuple[str, ...], raked: bool
) -> tuple[np.ndarray, float, float, float, float, int]:
    """Weights, pooled top2 index, SE, logit interval and df: Taylor with the residuals of the raking, between units."""
    stratum_of = {line["psu"]: line["stratum"] for line in frame}
    kept = [row for row in rows if row["disposition"] == "complete" and not row["after_close"]]
    before = base_by_hand(rows, frame)
    margins = classes_by_hand(kept, before)
    weight = rake_by_hand(before, margins) if raked else before
    codes = np.array([[row[item] for item in items] for row in kept])
    top, valid = (codes >= 4).sum(axis=1), (codes > 0).sum(axis=1)
    value = (weight @ top) / (weight @ valid)
    score = (top - value * valid) / (weight @ valid)
    if raked:
        x = np.hstack([indicators for indicators, _ in margins])
        root = np.sqrt(before)
        fitted, *_ = np.linalg.lstsq(x * root[:, None], score * root, rcond=None)
        score = score - x @ fitted
    psu = np.array([row["psu"] for row in kept])
    sums: dict[str, dict[str, float]] = {}
    for name in np.unique(psu):
        sums.setdefault(stratum_of[name], {})[name] = float((weight * score)[psu == name].sum())
    variance, df = 0.0, 0
    for of_units in sums.values():
        z = np.array(list(of_units.values()))
        variance += len(z) / (len(z) - 1) * ((z - z.mean()) ** 2).sum()
        df += len(z) - 1
    se = float(np.sqrt(variance))
    half = t.ppf(0.975, df) * se / (value * (1 - value))
    low, high = (100 / (1 + exp(-(log(value / (1 - value)) + side * half))) for side in (-1, 1))
    return weight, 100 * value, 100 * se, low, high, df


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    return extract_of(tmp_path_factory.mktemp("sample"))


@pytest.fixture(scope="module")
def margins(extract: Extract, tmp_path_factory: pytest.TempPathFactory) -> Any:
    file = margins_file(tmp_path_factory.mktemp("margins"), SEX=SEX, AGE=AGE, PLACE=PLACE)
    return read_margins(file, extract.codebook)


PARTS = {
    "index": SAMPLE_ITEMS,
    "area:I": tuple(item for item in SAMPLE_ITEMS if item.startswith("I.")),
    "area:II": tuple(item for item in SAMPLE_ITEMS if item.startswith("II.")),
    "factor:I.C": ("I.C1", "I.C2", "I.C3"),
}


@pytest.mark.parametrize("raked", [False, True], ids=["not raked", "raked"])
@pytest.mark.parametrize("measure", list(PARTS))
def test_weights_index_error_and_interval_by_hand(extract: Extract, margins: Any, measure: str, raked: bool) -> None:
    weight, *expected = index_by_hand(ROWS, FRAME, PARTS[measure], raked)
    found = score_sample(extract, margins=margins if raked else None)
    row = found.score("all", measure)
    assert row is not None
    np.testing.assert_allclose(found.weighting.design.weight, weight, rtol=CLOSE)
    np.testing.assert_allclose([row.value, row.se, row.ci_low, row.ci_high, row.df], expected, rtol=CLOSE)


def test_items_have_korn_graubard_intervals(extract: Extract) -> None:
    row = score_sample(extract).score("all", "item:I.C1")
    assert row and row.value and row.se and row.n and row.df
    p, se = row.value / 100, row.se / 100
    size = min(row.n, p * (1 - p) / se**2 * (t.ppf(0.975, row.n - 1) / t.ppf(0.975, row.df)) ** 2)
    low, high = beta.ppf(0.025, p * size, size - p * size + 1), beta.ppf(0.975, p * size + 1, size - p * size)
    assert (row.ci_low, row.ci_high) == pytest.approx((100 * low, 100 * high), rel=CLOSE)


def test_margins_are_met_and_the_silent_keep_their_share(extract: Extract, margins: Any) -> None:
    found = weight_sample(extract, margins)
    assert found.diagnostics.tolerance is not None and found.diagnostics.tolerance < 1e-9
    assert found.diagnostics.residents == pytest.approx(sum(SEX.values()))
    silent = next(one for one in found.met if one.code == "no_answer")
    before = base_by_hand(ROWS, FRAME)
    assert silent.n == sum(row["AGE"] == -3 for row in ROWS if row["disposition"] == "complete")
    assert silent.after / sum(SEX.values()) == pytest.approx(silent.before / before.sum())
    assert margins.scaled["PLACE"] == pytest.approx(812_345 / 812_000)


@pytest.mark.parametrize(("women", "named"), [(500, []), (350, []), (100, ["SEX 2"])])
def test_a_class_whose_weights_raking_bends_too_far_is_named(women: int, named: list[str], tmp_path: Path) -> None:
    rows = [interview(psu, SEX=1 + i % 2) for psu in ("V1", "V2") for i in range(10)]
    extract = extract_of(tmp_path, rows, [unit("V1"), unit("V2")])
    totals = {"1": 1000 - women, "2": women}
    found = weight_sample(extract, read_margins(margins_file(tmp_path, SEX=totals), extract.codebook))
    assert weights_json(found, extract)["strained"] == named
    men, women_ = found.met
    assert (men.lowest, women_.highest) == pytest.approx(((1000 - women) / 500, women / 500))
    assert bool([line for line in say_weights(found) if "SEX 2" in line]) == bool(named)


def test_kish_and_response_rate(extract: Extract) -> None:
    weight, found = base_by_hand(ROWS, FRAME), weight_sample(extract).diagnostics
    assert found.deff_kish == pytest.approx(len(weight) * (weight**2).sum() / weight.sum() ** 2)
    assert found.n_eff_kish == pytest.approx(len(weight) / found.deff_kish)
    assert (found.smallest, found.largest) == pytest.approx((weight.min(), weight.max()))
    drawn = sum(line["households"] for line in FRAME)
    missed = sum(max(line["households"] - 30, 0) for line in FRAME)
    assert (found.drawn, found.visited, found.not_visited) == (drawn, len(ROWS), missed)
    assert found.response_rate == len(weight) / drawn


# ---- non-response


def test_a_unit_without_interviews_hands_its_weight_to_the_next_of_its_stratum(tmp_path: Path) -> None:
    frame = [unit("V1", probability=0.02, households=3), unit("V2", households=4), unit("V3", households=2)]
    frame += [unit("V4", "S2", households=5), unit("V5", "S2", 0.05, households=2)]
    rows = [interview("V1", disposition="refused")] * 3 + [interview("V2")] * 4 + [interview("V3")] * 2
    rows += [interview("V4")] * 5 + [interview("V5", disposition="not_at_home")] * 2
    found = weight_sample(extract_of(tmp_path, rows, frame))
    assert {one.unit.psu: one.given_to for one in found.given} == {"V1": "V2", "V5": "V4"}
    weight = dict(zip(["V2"] * 4 + ["V3"] * 2 + ["V4"] * 5, found.design.weight, strict=True))
    assert weight == pytest.approx({"V2": (3 * 50 + 4 * 100) / 4, "V3": 100, "V4": (5 * 100 + 2 * 20) / 5})
    assert found.design.weight.sum() == pytest.approx(3 * 50 + 4 * 100 + 2 * 100 + 5 * 100 + 2 * 20)


# unit -> (stratum, households drawn, completed, visits without an interview); whose interviews carry its weight
GIVEN: list[tuple[dict[str, tuple[str, int, int, int]], dict[str, str]]] = [
    ({"V1": ("S1", 10, 5, 5), "V2": ("S1", 10, 4, 6)}, {}),
    ({"V1": ("S1", 10, 5, 1), "V2": ("S1", 10, 4, 0)}, {}),  # not all households were visited
    ({"V1": ("S1", 10, 8, 7), "V2": ("S1", 10, 10, 5)}, {}),  # nobody at home at first, interviewed later
    ({"V1": ("S1", 10, 13, 2), "V2": ("S1", 10, 9, 0)}, {}),  # substitutes
    ({"V1": ("S1", 7, 0, 0), "V2": ("S1", 10, 5, 5), "V3": ("S1", 10, 5, 0)}, {"V1": "V2"}),
    ({"V1": ("S1", 7, 0, 3), "V2": ("S1", 9, 0, 0), "V3": ("S1", 10, 5, 0)}, {"V1": "V3", "V2": "V3"}),
    ({"V1": ("S1", 7, 3, 3), "V2": ("S1", 9, 0, 2), "V3": ("S1", 10, 0, 0)}, {"V2": "V1", "V3": "V1"}),
    ({"V1": ("S1", 7, 0, 1), "V2": ("S1", 9, 4, 0), "V3": ("S1", 8, 0, 2)}, {"V1": "V2", "V3": "V2"}),
    (
        {"V1": ("S1", 7, 4, 0), "V2": ("S1", 9, 0, 1), "V3": ("S2", 8, 6, 0), "V4": ("S2", 8, 2, 0)},
        {"V2": "V1"},  # the last of its stratum, never the first of the next
    ),
]


@pytest.mark.parametrize(("units", "given"), GIVEN)
def test_the_weights_of_a_unit_sum_to_its_households_over_p(units: Any, given: dict[str, str], tmp_path: Path) -> None:
    chance = {psu: 0.01 * (1 + number) for number, psu in enumerate(units)}
    frame = [unit(psu, stratum, chance[psu], households=h) for psu, (stratum, h, _, _) in units.items()]
    rows = [interview(psu) for psu, (_, _, done, _) in units.items() for _ in range(done)]
    rows += [interview(psu, disposition="not_at_home") for psu, (*_, n) in units.items() for _ in range(n)]
    extract = extract_of(tmp_path, rows, frame)
    found = weight_sample(extract)
    psu = extract.column("psu")[found.rows].astype(str)
    for name in units:
        carried = [name, *(one for one, to in given.items() if to == name)] if name not in given else []
        expected = sum(units[one][1] / chance[one] for one in carried)
        weight = found.design.weight[psu == name]
        assert weight.sum() == pytest.approx(expected)
        assert not len(weight) or np.ptp(weight) == 0
    assert {one.unit.psu: one.given_to for one in found.given} == given
    assert [one.unit.psu for one in found.beyond] == [name for name, (_, h, done, _) in units.items() if done > h]
    missed = sum(max(h - done - n, 0) for _, h, done, n in units.values())
    assert found.diagnostics.not_visited == missed
    said = "\n".join(say_weights(found))
    assert ("without a visit" in said) == bool(missed)
    assert ("more interviews than households drawn in V1: 13 for 10" in said) == bool(found.beyond)


def test_a_stratum_without_interviews_is_named(tmp_path: Path) -> None:
    frame = [unit("V1"), unit("V2"), unit("V3", "S2"), unit("V4", "S3")]
    rows = [interview("V1"), interview("V2"), interview("V3", disposition="refused")]
    with pytest.raises(AnalysisError) as caught:
        weight_sample(extract_of(tmp_path, rows, frame))
    assert [problem.what for problem in caught.value.problems] == [
        "stratum S2 has no completed response",
        "stratum S3 has no completed response",
    ]


def test_answers_after_the_closing_stand_outside(tmp_path: Path) -> None:
    frame = [unit("V1", households=1), unit("V2", households=1)]
    rows = [interview("V1"), interview("V2"), interview("V2", after_close=True)]
    rows += [interview("V2", after_close=True, disposition="refused")]
    found = score_sample(extract_of(tmp_path, rows, frame))
    assert found.weighting.design.weight.tolist() == [100, 100]
    assert {one.reason: one.count for one in found.left_out.reasons} == {"refused": 1, "after_close": 1}
    assert found.left_out.kept == {"completed": 2}


def test_a_lone_unit_joins_the_next_stratum(tmp_path: Path) -> None:
    frame = [unit("V1"), unit("V2", "S2"), unit("V3", "S2"), unit("V4", "S3")]
    rows = [interview(psu, **{"I.A1": code}) for psu in ("V1", "V2", "V3", "V4") for code in (2, 5, 5)]
    found = weight_sample(extract_of(tmp_path, rows, frame))
    assert found.strata_joined == (("S1", "S2", "S3"),)
    assert found.design.df == 3


# ---- rows, rules, publication


def test_the_table_has_one_domain_and_every_measure(extract: Extract) -> None:
    found = score_sample(extract)
    factors = [f"factor:{factor.code}" for factor in extract.codebook.index.factors]
    measures = ["index", "area:I", "area:II", *factors, *(f"item:{item}" for item in SAMPLE_ITEMS)]
    assert [row.key for row in found.scores] == [("all", "all", measure) for measure in measures]
    for row in found.scores:
        assert row.dossiers is None and row.responses == int(found.weighting.rows.sum())
        assert row.note.startswith("sample_survey; own_estimate; weights=nonresponse; interval=")
        assert "not_raked" in row.note and (row.verdict == "") == (row.measure != "index")


def test_a_raked_simulated_wave_says_both(tmp_path: Path, margins: Any) -> None:
    found = score_sample(extract_of(tmp_path, simulated=True), margins=margins)
    for row in found.scores:
        assert row.note.startswith(
            "SIMULATED / DỮ LIỆU MÔ PHỎNG; sample_survey; own_estimate; weights=nonresponse+rake"
        )
        assert "not_raked" not in row.note
    assert {row.measure for row in found.not_raked} == {row.measure for row in found.unweighted}


def test_area_mean_is_the_mean_of_the_areas(extract: Extract) -> None:
    found = score_sample(extract, ScoreOptions(roll_up="area_mean"))
    index, one, other = (found.score("all", measure) for measure in ("index", "area:I", "area:II"))
    assert index and one and other and index.value and one.value and other.value
    assert index.value == pytest.approx((one.value + other.value) / 2)
    assert index.roll_up == "area_mean" and found.rules.changed == ("roll_up",)
    assert found.first_rule[0].roll_up == "pooled"
    pooled = score_sample(extract)
    assert (one.value, other.value) == tuple(pooled.score("all", f"area:{a}").value for a in ("I", "II"))  # type: ignore[union-attr]


@pytest.mark.parametrize("roll_up", ["item_mean", "factor_mean"])
def test_areas_follow_the_roll_up(extract: Extract, roll_up: Any) -> None:
    found = score_sample(extract, ScoreOptions(roll_up=roll_up))
    parts = [f"item:{i}" for i in PARTS["area:I"]] if roll_up == "item_mean" else ["factor:I.A", "factor:I.C"]
    area = found.score("all", "area:I")
    rows = {row.key: row for row in found.scores}
    values = [rows["all", "all", part].value for part in parts]
    assert area and area.value == pytest.approx(np.mean([value for value in values if value is not None]))


def test_verdicts_need_a_hundred_answers_and_eight_degrees(tmp_path: Path) -> None:
    rows, frame = visits(6, strata=6, units=3, silent=0)
    found = score_sample(extract_of(tmp_path / "n", rows[:100], frame[:17]))
    assert "no_verdict:n<100" in found.scores[0].note or found.scores[0].suppressed == "unreliable"
    rows, frame = visits(60, strata=1, units=5, silent=0)
    found = score_sample(extract_of(tmp_path / "df", rows, frame))
    assert "no_verdict:df<8" in found.scores[0].note or found.scores[0].suppressed == "unreliable"
    assert {row.verdict for row in found.scores} == {""}


def test_a_handful_of_interviews_is_confidential(tmp_path: Path) -> None:
    found = score_sample(extract_of(tmp_path, [interview("V1"), interview("V2")], [unit("V1"), unit("V2")]))
    assert {row.suppressed for row in found.scores} == {"confidential"}
    assert {row.value for row in found.scores} == {None}


@pytest.mark.parametrize("roll_up", ["pooled", "factor_mean"])
def test_a_hidden_factor_cannot_be_had_from_the_mean_of_its_area(tmp_path: Path, roll_up: Any) -> None:
    frame = [unit("V1"), unit("V2")]
    rows = [interview(psu, **{"I.A1": 2 + i % 4, "II.B1": 1 + i % 5}) for psu in ("V1", "V2") for i in range(60)]
    for row in rows[3:]:
        row["II.C1"] = -3
    found = score_sample(extract_of(tmp_path, rows, frame), ScoreOptions(roll_up=roll_up))
    hidden = {row.measure for row in found.scores if row.suppressed in ("confidential", "complementary")}
    beside = {"factor:II.B", "item:II.B1", "item:II.B2"}  # alone beside its area it would tell the hidden one
    assert hidden == {"factor:II.C", "item:II.C1"} | beside | ({"area:II"} if roll_up == "factor_mean" else set())


# ---- files


def test_files_name_what_they_rest_on(extract: Extract, margins: Any, tmp_path: Path) -> None:
    names = {file.name for file in write_tables(score_sample(extract, margins=margins), tmp_path)}
    assert names == {"scores.csv", "scores.about.json", "quality.json", "weights.parquet", "weights.json"}
    about, quality, weights = (
        json.loads((tmp_path / f"{name}.json").read_text()) for name in ("scores.about", "quality", "weights")
    )
    assert about["notice"] == quality["notice"] == weights["notice"] == SAMPLE_SENTENCE
    assert weights["provenance"]["margins"] == {"source": "margins.csv", "sha256": margins.sha256}
    assert weights["provenance"]["frame"]["sha256"] == extract.manifest.files["frame.parquet"]
    assert [one["value"] for one in about["references"]] == ["87.16", "83.94", "83.84", "84.09", "84.27"]
    assert len(quality["visits"]) == len(FRAME) and quality["visits"][0]["response_rate"] < 1
    table = pq.read_table(tmp_path / "weights.parquet").to_pydict()
    complete = [place for place, row in enumerate(ROWS) if row["disposition"] == "complete"]
    assert table["row"] == complete


def test_without_margins_the_files_say_so_loudly(extract: Extract, tmp_path: Path) -> None:
    write_tables(score_sample(extract), tmp_path)
    for name in ("scores.about.json", "weights.json"):
        assert json.loads((tmp_path / name).read_text())["not_raked"]["en"].startswith("NOT RAKED")


# ---- refusals


def test_each_kind_of_wave_has_its_own_door(extract: Extract) -> None:
    with pytest.raises(AnalysisError, match="is a sample wave"):
        score_wave(extract)
    with pytest.raises(AnalysisError, match="are for counter waves"):
        score_sample(extract, ScoreOptions(method="cells"))


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ({"SEX": {"1": 500}}, "respondents in class 2 of SEX, which has no total"),
        ({"AGE": {"1": 1, "2": 1, "3": 1, "4": 1}}, "class 5 of AGE, which has no total"),
        (
            {"stratum": {"S1": 5, "S2": 5, "S3": 5, "S4": 5, "S5": 5, "S6": 5, "S7": 5}},
            "class S7 of stratum has a total",
        ),
    ],
)
def test_classes_without_their_counterpart_are_named(
    extract: Extract, tmp_path: Path, totals: dict[str, dict[str, float]], words: str
) -> None:
    with pytest.raises(AnalysisError, match=words):
        weight_sample(extract, read_margins(margins_file(tmp_path, **totals), extract.codebook))


def test_a_class_nobody_is_in_is_named_with_the_way_to_join_it(tmp_path: Path) -> None:
    rows = [interview(psu, SEX=1) for psu in ("V1", "V2") for _ in range(20)]
    found = extract_of(tmp_path, rows, [unit("V1"), unit("V2")])
    with pytest.raises(AnalysisError, match="class 2 of SEX has a total of 7 and no respondent") as caught:
        weight_sample(found, read_margins(margins_file(tmp_path, SEX={"1": 5, "2": 7}), found.codebook))
    assert "4+5" in caught.value.problems[0].remedy
    joined = read_margins(margins_file(tmp_path, SEX={"1+2": 12}), found.codebook)
    assert weight_sample(found, joined).design.weight.sum() == pytest.approx(12)


def test_strata_may_be_a_margin(extract: Extract, tmp_path: Path) -> None:
    totals = {f"S{number}": 1000.0 * number for number in range(1, 7)}
    found = weight_sample(extract, read_margins(margins_file(tmp_path, stratum=totals), extract.codebook))
    stratum = extract.column("stratum")[found.rows]
    for name, total in totals.items():
        assert found.design.weight[stratum == name].sum() == pytest.approx(total)
