"""Table designs: what DuckDB is asked of a Parquet file gives the numbers of the arrays."""

from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from ibis import _

import analysis
from analysis import AnalysisError, SurveyDesign
from analysis.engine import batches
from tests.engine_cases import Survey, designs, difference, estimates

SURVEY = Survey(1)
BY = {"everybody": None, "field": "field", "field × year": ["field", "year"]}


def name_itself(name: str) -> str:
    return name


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SURVEY.write(tmp_path_factory.mktemp("survey") / "responses.parquet")


def _by_arrays(by: Any) -> Any:
    return [SURVEY.array(name) for name in by] if isinstance(by, list) else by and SURVEY.array(by)


@pytest.mark.parametrize("name", designs(SURVEY, name_itself))
def test_every_design_gives_the_numbers_of_the_arrays(path: Path, name: str) -> None:
    ours = designs(SURVEY, SURVEY.array)[name]()
    theirs = designs(SURVEY, name_itself, str(path))[name]()
    for kind, by in (("mean", "field"), ("composite", None)):
        expected = estimates(SURVEY, SURVEY.array, _by_arrays(by))[kind](ours)
        assert not difference(expected, estimates(SURVEY, name_itself, by)[kind](theirs)), kind


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("name", estimates(SURVEY, name_itself, None))
def test_every_estimate_gives_the_numbers_of_the_arrays(path: Path, name: str, by: str) -> None:
    ours, theirs = (designs(SURVEY, *how)["raked"]() for how in ((SURVEY.array,), (name_itself, path)))
    expected = estimates(SURVEY, SURVEY.array, _by_arrays(BY[by]))[name](ours)
    assert not difference(expected, estimates(SURVEY, name_itself, BY[by])[name](theirs))


@pytest.mark.parametrize("name", estimates(SURVEY, name_itself, None))
def test_sums_asked_of_the_engine_are_those_of_rows_handed_over(
    path: Path, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What Spark is asked, asked of DuckDB."""
    monkeypatch.setattr(batches.Rows, "of", lambda _: False)
    ours, theirs = (designs(SURVEY, *how)["raked"]() for how in ((SURVEY.array,), (name_itself, path)))
    expected = estimates(SURVEY, SURVEY.array, SURVEY.array("field"))[name](ours)
    assert not difference(expected, estimates(SURVEY, name_itself, "field")[name](theirs))


@pytest.mark.parametrize("seed", [3, 4])
@pytest.mark.parametrize("name", ["mean", "total", "composite", "index, pooled"])
def test_batches_add_up(tmp_path: Path, name: str, seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "_ROWS", 100)
    survey = Survey(seed)
    ours = designs(survey, survey.array)["post-stratified, then raked"]()
    theirs = designs(survey, name_itself, survey.write(tmp_path / "r.parquet"))["post-stratified, then raked"]()
    expected = estimates(survey, survey.array, survey.array("field"))[name](ours)
    assert not difference(expected, estimates(survey, name_itself, "field")[name](theirs))


def test_expressions_and_booleans_are_variables_and_domains(path: Path) -> None:
    design = SurveyDesign("weight", "stratum", "psu", data=path)
    arrays = SurveyDesign(*(SURVEY.array(name) for name in ("weight", "stratum", "psu")))
    answer = SURVEY.array("q1")
    high = np.where(np.isnan(answer), np.nan, answer >= 4)
    found = analysis.proportion(design, {"high": _.q1 >= 4}, by=[_.size > 2, "sex"])
    expected = analysis.proportion(arrays, {"high": high}, by=[SURVEY.array("size") > 2, SURVEY.array("sex")])
    assert not difference(expected, found)


def test_independence_of_two_columns(path: Path) -> None:
    design = SurveyDesign("weight", "stratum", "psu", data=path)
    arrays = SurveyDesign(*(SURVEY.array(name) for name in ("weight", "stratum", "psu")))
    expected = analysis.test_independence(arrays, SURVEY.array("field"), SURVEY.array("sex"))
    found = analysis.test_independence(design, "field", "sex")
    assert (found.rows, found.columns) == (expected.rows, expected.columns)
    assert found.statistic == pytest.approx(expected.statistic, rel=1e-9) and found.p_value == pytest.approx(
        expected.p_value, rel=1e-8
    )


def test_all_answers_alike_give_exactly_that_share(path: Path) -> None:
    design = SurveyDesign("weight", "stratum", "psu", data=path)
    found = analysis.proportion(design, {"any": _.q1 > -100}).single
    assert (found.value, found.se) == (1.0, 0.0) and 0.98 < found.ci_low < found.ci_high == 1.0


def test_nan_is_missing_whatever_the_statistics_of_the_file_say(tmp_path: Path) -> None:
    """Arrow leaves NaN out of the smallest and largest value it writes, and DuckDB then takes isnan() for false."""
    table = pa.table({"w": [1.0] * 6, "p": [1, 2, 3, 1, 2, 3], "y": [1.0, 2.0, float("nan"), 4.0, None, 6.0]})
    pq.write_table(table, tmp_path / "nan.parquet")
    for data in (tmp_path / "nan.parquet", ibis.duckdb.connect().read_parquet(tmp_path / "nan.parquet")):
        found = analysis.mean(SurveyDesign("w", psu="p", data=data), "y").single
        assert (found.value, found.n) == (3.25, 4)


def test_two_files_of_a_folder_are_one_table(tmp_path: Path) -> None:
    (tmp_path / "year=2026").mkdir()
    for name, values in (("a.parquet", [1, 2, 3]), ("year=2026/b.parquet", [4, 5, 6])):
        pq.write_table(pa.table({"w": [1.0] * 3, "p": values, "y": values}), tmp_path / name)
    design = SurveyDesign("w", psu="p", data=tmp_path)
    assert (design.n, analysis.total(design, "y").single.value) == (6, 21)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"weight": "wait"}, "data"),
        ({"weight": "field"}, "field"),
        ({"weight": "zero"}, "zero"),
        ({"weight": np.ones(3)}, "weight"),
        ({"psu": None}, "psu"),
        ({"psu": np.ones(3)}, "psu"),
        ({"stratum": "field"}, "stratum, first at row"),
        ({"stratum": "household"}, "psu"),
        ({"fpc": "small"}, "fpc"),
        ({"data": "nowhere.parquet"}, "nowhere.parquet"),
        ({"data": 3}, "data"),
    ],
)
def test_a_table_that_is_no_design_is_refused(tmp_path: Path, change: dict[str, Any], where: str) -> None:
    table = pq.read_table(SURVEY.write(tmp_path / "r.parquet"))
    zero, small = np.array([0.0, *SURVEY.array("weight")[1:]]), np.ones(SURVEY.rows)
    pq.write_table(
        table.append_column("zero", pa.array(zero)).append_column("small", pa.array(small)), tmp_path / "s.parquet"
    )
    given = {"weight": "weight", "stratum": "stratum", "psu": "psu", "data": tmp_path / "s.parquet"} | change
    with pytest.raises(AnalysisError) as caught:
        SurveyDesign(**given)
    assert caught.value.problems[0].where.startswith(where) and caught.value.problems[0].remedy


@pytest.mark.parametrize(
    "ask",
    [
        lambda design: analysis.mean(design, "q9"),
        lambda design: analysis.mean(design, "field"),
        lambda design: analysis.mean(design, np.ones(3)),
        lambda design: analysis.mean(design, []),
        lambda design: analysis.mean(design, ["q1", "q1"]),
        lambda design: analysis.mean(design, {"y": 1 / (_.size - 1)}),
        lambda design: analysis.mean(design, "q1", by="q9"),
        lambda design: analysis.proportion(design, "q1"),
        lambda design: analysis.index(design, {"q1": "size", "q2": "q2"}, analysis.IndexSpec(("q1", "q2", "q3"))),
        lambda design: analysis.index(design, {"q1": "income"}, analysis.IndexSpec(("q1",))),
        lambda design: analysis.rake(design, {"sex": ("sexes", {1: 1.0})}),
        lambda design: analysis.rake(design, {"sex": (np.ones(900), {1: 1.0})}),
        lambda design: analysis.post_stratify(design, "field", {"y tế": 1.0}),
        lambda design: analysis.calibrate(design, "size", [1.0], aggregate="psu"),
        lambda design: analysis.quantile(design, "size", 0.5, rule="hf7"),
        lambda design: analysis.trim(design, 0.5, 2.0),
        lambda design: analysis.regress(design, "q1 ~ sex", {}),
    ],
)
def test_what_a_table_cannot_answer_is_refused_with_a_remedy(path: Path, ask: Any) -> None:
    with pytest.raises(AnalysisError) as caught:
        ask(SurveyDesign("weight", "stratum", "psu", data=path))
    assert all(problem.where and problem.remedy for problem in caught.value.problems)


def test_estimates_of_tables_are_compared_as_those_of_arrays(path: Path, tmp_path: Path) -> None:
    second = Survey(5)
    arrays = [designs(survey, survey.array)["stratified"]() for survey in (SURVEY, second)]
    tables = [
        designs(SURVEY, name_itself, where)["stratified"]() for where in (path, second.write(tmp_path / "r.parquet"))
    ]
    expected = [
        analysis.mean(design, {"q1": survey.array("q1")}, by=survey.array("field"))
        for design, survey in zip(arrays, (SURVEY, second), strict=True)
    ]
    found = [analysis.mean(design, "q1", by="field") for design in tables]
    for ours, theirs in (
        (analysis.compare(*expected), analysis.compare(*found)),
        (analysis.contrast(expected[0], [[1.0, -1.0, 0.0]]), analysis.contrast(found[0], [[1.0, -1.0, 0.0]])),
    ):
        np.testing.assert_allclose(theirs.value, ours.value, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(theirs.se, ours.se, rtol=1e-9)
        np.testing.assert_array_equal(theirs.df, ours.df)
