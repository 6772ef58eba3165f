"""Tests of independence: identities, the textbook's F in a simple random sample, and refusals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import chi2, chi2_contingency, f

import analysis
from analysis import AnalysisError, SurveyDesign
from analysis.comparison.quadratic_forms import integrated, saddlepoint, satterthwaite
from tests.textbook import Sample, draw

ALL = ("rao_scott_f", "rao_scott_chisq", "wald", "adjusted_wald", "integrated", "saddlepoint")


def made(sample: Sample) -> SurveyDesign:
    return SurveyDesign(sample.weight, stratum=sample.stratum, psu=sample.psu)


def test_without_a_design_it_is_pearson_s_test() -> None:
    """Rows as units and weights 1: Δ is n/(n − 1) times the identity, X² is Pearson's."""
    rng = np.random.default_rng(1)
    row, column = rng.integers(0, 3, 2_000), rng.integers(0, 2, 2_000)
    table = np.array([[((row == r) & (column == c)).sum() for c in range(2)] for r in range(3)])
    pearson = chi2_contingency(table, correction=False)
    found = analysis.test_independence(SurveyDesign(np.ones(2_000)), row, column, statistic="rao_scott_chisq")
    assert found.statistic == pytest.approx(pearson.statistic, rel=1e-12)
    assert found.expected * 2_000 == pytest.approx(pearson.expected_freq)
    assert (found.count == table).all() and found.n == 2_000
    assert found.design_effects == pytest.approx(1, abs=0.05) and found.p_value == pytest.approx(
        pearson.pvalue, abs=0.02
    )


@pytest.mark.parametrize("statistic", ALL)
def test_rows_and_columns_may_change_places(statistic: Any) -> None:
    sample = draw(2, strata=6, psus=6)
    one = analysis.test_independence(made(sample), sample.domain, sample.group, statistic)
    other = analysis.test_independence(made(sample), sample.group, sample.domain, statistic)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-8) and one.statistic == pytest.approx(other.statistic)
    assert one.proportion.T == pytest.approx(other.proportion)


@pytest.mark.parametrize("statistic", ALL)
def test_scale_of_weights_order_of_rows_and_names_do_not_matter(statistic: Any) -> None:
    sample = draw(3, strata=6, psus=6)
    one = analysis.test_independence(made(sample), sample.domain, sample.group, statistic)
    order = np.random.default_rng(1).permutation(len(sample.weight))
    moved = sample.take(order)
    moved.weight[:] *= 7.0
    names = {"a": 3, "b": 1, "c": 2}
    other = analysis.test_independence(made(moved), [names[d] for d in moved.domain], moved.group, statistic)
    assert other.rows == (1, 2, 3)
    assert one.p_value == pytest.approx(other.p_value, rel=1e-9)


@pytest.mark.parametrize("ours, theirs", [("rao_scott_f", "F"), ("rao_scott_chisq", "Chisq"), ("wald", "Wald"), ("adjusted_wald", "adjWald"), ("integrated", "lincom")])  # fmt: skip
def test_names_of_r_are_taken(ours: Any, theirs: Any) -> None:
    sample = draw(4)
    one, other = (analysis.test_independence(made(sample), sample.domain, sample.group, s) for s in (ours, theirs))
    assert one.p_value == other.p_value and one.method == other.method


def test_two_by_two_is_a_difference_of_shares_squared() -> None:
    """On one degree of freedom Wald's F is t², t from the interaction's own standard error."""
    sample = draw(5)
    row, column = sample.group, sample.domain == "a"
    found = analysis.test_independence(made(sample), row, column, "wald")
    totals = analysis.total(made(sample), np.ones(len(row)), by=[row, column])
    y = analysis.contrast(totals, lambda v: v[3] - (v[1] + v[3]) * (v[2] + v[3]) / v.sum())
    assert found.statistic == pytest.approx((y.single.value / y.single.se) ** 2, rel=1e-9)
    assert (found.ndf, found.ddf) == (1, 16)


def test_missing_labels_are_a_domain() -> None:
    sample = draw(6)
    row = np.where(np.arange(len(sample.group)) % 7 == 0, None, sample.group)
    found = analysis.test_independence(made(sample), row, sample.domain)
    inside = np.array([label is not None for label in row])
    assert found.n == inside.sum()
    left = analysis.mean(made(sample), sample.group == "x", by=np.where(inside, "in", None))
    assert found.proportion.sum(axis=1)[0] == pytest.approx(left.single.value)
    assert found.df == left.single.df


def test_shares_and_their_errors_are_those_of_proportion() -> None:
    sample = draw(7)
    found = analysis.test_independence(made(sample), sample.group, sample.domain)
    cell = (sample.group == "x") & (sample.domain == "b")
    direct = analysis.proportion(made(sample), cell.astype(float))
    assert found.proportion[0, 1] == pytest.approx(direct.single.value)
    assert found.se[0, 1] == pytest.approx(direct.single.se, rel=1e-10)
    assert list(found.frame().columns) == ["row", "column", "proportion", "se", "expected", "count"]


def test_an_empty_cell_counts_as_nothing() -> None:
    sample = draw(8)
    column = np.where((sample.group == "x") & (sample.domain == "c"), "b", sample.domain)
    found = analysis.test_independence(made(sample), sample.group, column)
    assert found.count[0, 2] == 0 and found.proportion[0, 2] == 0 and 0 <= found.p_value < 0.05


def test_calibration_is_in_the_test() -> None:
    sample = draw(9, missing=0)
    design = analysis.rake(
        made(sample),
        {"g": (sample.group, {"x": 600.0, "y": 600.0}), "d": (sample.domain, {"a": 400.0, "b": 400.0, "c": 400.0})},
    )
    found = analysis.test_independence(design, sample.group, sample.domain)
    assert found.proportion.sum(axis=1) == pytest.approx([0.5, 0.5])
    plain = analysis.test_independence(made(sample), sample.group, sample.domain)
    assert found.p_value != plain.p_value and 0 < found.p_value < 1


def test_replicate_weights_give_nearly_what_linearisation_gives() -> None:
    sample = draw(10, strata=8, psus=6)
    design = analysis.replicate(made(sample), "jackknife")
    for statistic in ALL:
        one = analysis.test_independence(design, sample.group, sample.domain, statistic)
        other = analysis.test_independence(made(sample), sample.group, sample.domain, statistic)
        assert one.p_value == pytest.approx(other.p_value, abs=0.02) and one.df == other.df


def test_the_level_is_held_where_answers_cluster() -> None:
    """PSUs of one mind: Pearson's test alone rejects half of true hypotheses, the corrected ones about 5 %."""
    rng = np.random.default_rng(12)
    rejected = {"naive": 0, "rao_scott_f": 0, "adjusted_wald": 0}
    psu = np.repeat(np.arange(40), 15)
    for _ in range(150):
        row = (rng.random(40) < 0.5)[psu] ^ (rng.random(600) < 0.1)
        column = (rng.random(40) < 0.5)[psu] ^ (rng.random(600) < 0.1)
        design = SurveyDesign(np.ones(600), psu=psu)
        found = analysis.test_independence(design, row, column)
        rejected["naive"] += chi2.sf(found.pearson, 1) < 0.05
        rejected["rao_scott_f"] += found.p_value < 0.05
        rejected["adjusted_wald"] += analysis.test_independence(design, row, column, "adjusted_wald").p_value < 0.05
    assert rejected["naive"] > 60 and 1 <= rejected["rao_scott_f"] <= 18 and 1 <= rejected["adjusted_wald"] <= 18


@pytest.mark.parametrize("statistic", ["rao_scott_f", "adjusted_wald"])
def test_a_table_in_a_file_gives_the_numbers_of_the_arrays(tmp_path: Path, statistic: Any) -> None:
    sample = draw(11)
    columns = {name: getattr(sample, name) for name in ("weight", "stratum", "psu", "domain", "group")}
    path = tmp_path / "sample.parquet"
    pd.DataFrame(columns).to_parquet(path)
    design = SurveyDesign("weight", stratum="stratum", psu="psu", data=str(path))
    found = analysis.test_independence(design, "domain", "group", statistic)
    expected = analysis.test_independence(made(sample), sample.domain, sample.group, statistic)
    assert found.p_value == pytest.approx(expected.p_value, rel=1e-9) and found.rows == expected.rows


# ---- the distribution of Σ λ χ²


def test_equal_weights_make_an_f_distribution() -> None:
    weights = np.full(4, 1.7)
    expected = f.sf(9.0 / (4 * 1.7), 4, 55.5)
    assert satterthwaite(9.0, weights, 55.5) == pytest.approx(expected, rel=1e-12)
    assert integrated(9.0, weights, 55.5) == pytest.approx(expected, abs=1e-8)


@pytest.mark.parametrize("weights, df, x", [((3.0, 1.0, 0.2), 20, 6.0), ((1.0,), 3, 4.0), ((5.0, 0.01), 200, 30.0), ((2.0, 1.5, 1.0, 0.7, 0.1), 12.5, 14.0)])  # fmt: skip
def test_integral_and_saddlepoint_are_near_a_simulation(weights: tuple[float, ...], df: float, x: float) -> None:
    rng = np.random.default_rng(7)
    form = rng.chisquare(1, (400_000, len(weights))) @ weights / (rng.chisquare(df, 400_000) / df)
    truth, lambdas = (form > x).mean(), np.array(weights)
    assert integrated(x, lambdas, df) == pytest.approx(truth, abs=0.003)
    assert saddlepoint(x, lambdas, df) == pytest.approx(truth, abs=0.02)


# ---- refused

PSU = np.repeat(np.arange(6), 10)
BAD: dict[str, tuple[Any, Any, dict[str, Any], str]] = {
    "one category": (np.repeat("x", 60), np.tile(["a", "b"], 30), {}, "only the category 'x'"),
    "statistic": (np.tile(["x", "y"], 30), np.repeat(["a", "b"], 30), {"statistic": "G"}, "no statistic 'G'"),
    "length": (np.tile(["x", "y"], 10), np.repeat(["a", "b"], 30), {}, "60 rows"),
    "too few PSUs for Wald": (np.tile(np.arange(5), 12), np.arange(60) % 7, {"statistic": "wald"}, "no inverse"),
    "diagonal": (np.tile(np.arange(4), 15), np.tile(np.arange(4), 15), {}, "12 cells of the table are empty"),
    "never together": (np.where(PSU < 3, None, "x"), np.where(PSU < 3, "a", None), {}, "no row lies in a domain"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_cannot_be_tested_is_refused_with_reason(name: str) -> None:
    row, column, options, word = BAD[name]
    with pytest.raises(AnalysisError, match=word):
        analysis.test_independence(SurveyDesign(np.ones(60), psu=PSU), row, column, **options)
