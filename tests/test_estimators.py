"""Means, totals, ratios, proportions, composites: identities, and the textbook's variance written out."""

import dataclasses
import subprocess
import sys
from pathlib import Path
from typing import get_args

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, Estimates, SurveyDesign, composite, mean, proportion, ratio, total
from analysis.estimators import ShareInterval
from analysis.sipas_index import ItemMethod, RollUp
from tests.textbook import Sample, design_variance, draw

seeds = st.integers(0, 10**6)
COLUMNS = ("value", "se", "ci_low", "ci_high", "df", "deff", "n", "n_eff")


def design_of(sample: Sample) -> SurveyDesign:
    return SurveyDesign(sample.weight, sample.stratum, sample.psu)


def same(a: Estimates, b: Estimates, columns: tuple[str, ...] = COLUMNS, rtol: float = 1e-10) -> None:
    for name in columns:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, err_msg=name)


def top2(q: np.ndarray) -> np.ndarray:
    return np.where(np.isnan(q), np.nan, q >= 4)


# ---- the textbook
@given(seeds)
@settings(max_examples=20, deadline=None)
def test_mean_has_the_linearised_variance_of_the_textbook(seed: int) -> None:
    s = draw(seed)
    valid = ~np.isnan(s.y) & (s.domain == "a")
    w, y = np.where(valid, s.weight, 0), np.nan_to_num(s.y)
    value = (w * y).sum() / w.sum()
    variance = design_variance(w * (y - value) / w.sum(), s.stratum, s.psu)[0, 0]
    found = mean(design_of(s), s.y, by=s.domain)["a", "y"]
    assert found.value == pytest.approx(value, rel=1e-12)
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-10)
    assert found.n == valid.sum()
    spread = (w * (y - value) ** 2).sum() / w.sum() * valid.sum() / (valid.sum() - 1)
    assert found.deff == pytest.approx(variance / (spread / valid.sum()), rel=1e-9)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_covariance_covers_domains_and_variables(seed: int) -> None:
    s = draw(seed)
    scores = []
    for d in "abc":
        for item in ("q1", "q2"):
            valid = ~np.isnan(s.answers[item]) & (s.domain == d)
            w, y = np.where(valid, s.weight, 0), np.nan_to_num(s.answers[item])
            scores.append(w * (y - (w * y).sum() / w.sum()) / w.sum())
    expected = design_variance(np.column_stack(scores), s.stratum, s.psu)
    found = mean(design_of(s), {item: s.answers[item] for item in ("q1", "q2")}, by=s.domain)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), found.se.ravel(), rtol=1e-10)


def test_total_and_ratio_have_the_textbook_variance() -> None:
    s = draw(3, missing=0)
    x = s.answers["q2"] + 1
    sums = total(design_of(s), s.y).single
    assert sums.value == pytest.approx((s.weight * s.y).sum())
    assert sums.se == pytest.approx(np.sqrt(design_variance(s.weight * s.y, s.stratum, s.psu)[0, 0]))
    share = (s.weight * s.y).sum() / (s.weight * x).sum()
    score = s.weight * (s.y - share * x) / (s.weight * x).sum()
    found = ratio(design_of(s), s.y, x).single
    assert (found.value, found.se) == pytest.approx((share, np.sqrt(design_variance(score, s.stratum, s.psu)[0, 0])))


def test_psu_of_one_row_without_strata_is_the_with_replacement_formula() -> None:
    s = draw(4, missing=0)
    value = np.average(s.y, weights=s.weight)
    u = s.weight * (s.y - value) / s.weight.sum()
    expected = np.sqrt(len(u) / (len(u) - 1) * ((u - u.mean()) ** 2).sum())
    assert mean(SurveyDesign(s.weight), s.y).single.se == pytest.approx(expected)


def test_composite_is_the_weighted_sum_of_ratios_with_their_covariance() -> None:
    s = draw(5)
    y = np.column_stack([s.answers[f"q{i}"] for i in range(1, 5)])
    a = np.array([0.4, 0.3, 0.2, 0.1])
    parts = mean(design_of(s), y, by=s.group)
    whole = composite(design_of(s), y, np.ones_like(y), a, by=s.group)
    np.testing.assert_allclose(whole.value[:, 0], parts.value @ a)
    blocks = [parts.covariance[i : i + 4, i : i + 4] for i in (0, 4)]
    np.testing.assert_allclose(whole.se[:, 0], [np.sqrt(a @ block @ a) for block in blocks])


# ---- identities
@given(seeds)
@settings(max_examples=20, deadline=None)
def test_a_domain_that_is_everything(seed: int) -> None:
    s = draw(seed)
    same(mean(design_of(s), s.y, by=np.full(len(s.y), "one")), mean(design_of(s), s.y))


@given(seeds, st.integers(0, 239), st.floats(0.1, 0.9))
@settings(max_examples=20, deadline=None)
def test_splitting_a_row_within_its_psu(seed: int, row: int, part: float) -> None:
    s = draw(seed)
    split = s.take(np.append(np.arange(len(s.y)), row))
    split.weight[-1] = s.weight[row] * (1 - part)
    split.weight[row] = s.weight[row] * part
    same(mean(design_of(split), split.y, by=split.domain), mean(design_of(s), s.y, by=s.domain), ("value", "se", "df"))


@given(seeds, st.floats(1e-3, 1e3))
@settings(max_examples=20, deadline=None)
def test_scaling_the_weights(seed: int, factor: float) -> None:
    s = draw(seed)
    scaled = SurveyDesign(s.weight * factor, s.stratum, s.psu)
    same(proportion(scaled, top2(s.y), by=s.domain), proportion(design_of(s), top2(s.y), by=s.domain), rtol=1e-8)
    sums, larger = total(design_of(s), s.y), total(scaled, s.y)
    np.testing.assert_allclose([larger.value, larger.se], np.multiply([sums.value, sums.se], factor))


@given(seeds, st.randoms(use_true_random=False))
@settings(max_examples=20, deadline=None)
def test_permuting_the_rows(seed: int, shuffle) -> None:  # type: ignore[no-untyped-def]
    s = draw(seed)
    order = list(range(len(s.y)))
    shuffle.shuffle(order)
    t = s.take(np.array(order))
    same(mean(design_of(t), t.y, by=[t.domain, t.group]), mean(design_of(s), s.y, by=[s.domain, s.group]))


def test_missing_answers_are_a_domain_not_dropped_rows() -> None:
    s = draw(6, missing=0.5)
    first = s.psu == s.psu[0]
    s.answers["q1"][first] = np.nan  # a PSU without answers still counts as sampled
    masked = mean(design_of(s), s.y, by=np.where(np.isnan(s.y), None, "in"))
    same(mean(design_of(s), s.y), masked)
    kept = s.take(~np.isnan(s.y))
    assert mean(design_of(kept), kept.y).single.se != pytest.approx(mean(design_of(s), s.y).single.se, rel=1e-4)


def test_integer_codes_are_accepted_with_their_missing_code() -> None:
    s = draw(7)
    codes = np.where(np.isnan(s.y), -3, np.nan_to_num(s.y)).astype(np.int8)
    same(mean(design_of(s), codes, by=s.domain, missing=(-3,)), mean(design_of(s), s.y, by=s.domain))


def test_crossed_domains_are_tuples_and_rows_without_label_lie_in_none() -> None:
    s = draw(8)
    label = np.where(s.domain == "a", None, s.domain)
    found = mean(design_of(s), s.y, by=[label, s.group])
    assert found.domains == (("b", "x"), ("b", "y"), ("c", "x"), ("c", "y"))
    assert found.n.sum() == (~np.isnan(s.y) & (s.domain != "a")).sum()


# ---- stages and finite populations
def test_a_census_at_every_stage_has_no_variance() -> None:
    s = draw(9)
    unit = np.arange(len(s.y))
    census = SurveyDesign(s.weight, s.stratum, [s.psu, unit], [np.full(len(unit), 5), np.full(len(unit), 12)])
    assert mean(census, s.y).single.se == 0


def test_finite_population_shrinks_each_stratum() -> None:
    s = draw(10)
    without, with_fpc = (SurveyDesign(s.weight, s.stratum, s.psu, f) for f in (None, np.full(len(s.y), 20)))
    assert mean(with_fpc, s.y).single.se == pytest.approx(np.sqrt(1 - 5 / 20) * mean(without, s.y).single.se)


def test_second_stage_adds_within_psus_times_the_first_fraction() -> None:
    s = draw(11, missing=0)
    unit = np.array([f"{p}-{i % 6}" for i, p in enumerate(s.psu)])
    first, second = np.full(len(unit), 20), np.full(len(unit), 9)
    two = SurveyDesign(s.weight, s.stratum, [s.psu, unit], [first, second])
    score = s.weight * s.y
    within = design_variance(score, s.psu, unit)[0, 0]
    expected = 0.75 * design_variance(score, s.stratum, s.psu)[0, 0] + 5 / 20 * (1 - 6 / 9) * within
    assert total(two, s.y).single.se == pytest.approx(np.sqrt(expected))


def test_element_designs_take_every_row_as_a_unit() -> None:
    s = draw(12)
    rows = SurveyDesign(s.weight, s.stratum, np.arange(len(s.y)))
    same(mean(SurveyDesign(s.weight, s.stratum), s.y, by=s.domain), mean(rows, s.y, by=s.domain))


def test_degrees_of_freedom_of_domain_and_design() -> None:
    s = draw(13, strata=3, psus=4)
    label = np.where(np.isin(s.psu, ["h0p0", "h0p1", "h1p0"]), "few", "rest")
    found = mean(design_of(s), s.y, by=label)
    assert found["few", "y"].df == 3 - 2
    assert found["few", "y"].flags == ("low_df",)
    assert set(mean(design_of(s), s.y, by=label, df="design").df.ravel()) == {12.0 - 3}


def test_below_one_degree_of_freedom_there_is_no_interval() -> None:
    s = draw(14)
    found = mean(design_of(s), s.y, by=np.where(s.psu == "h0p0", "one", None))["one", "y"]
    assert found.df == 0 and np.isnan([found.ci_low, found.ci_high]).all()
    assert found.flags == ("se_zero", "low_df", "no_df")  # one PSU's scores around its own mean sum to 0


# ---- what comes back
def test_estimates_are_frozen_and_found_by_name() -> None:
    s = draw(15)
    found = mean(design_of(s), {"q1": s.y, "q2": s.answers["q2"]}, by=s.domain)
    assert found.value.shape == (3, 2) and found.variables == ("q1", "q2")
    assert found["b", "q2"].value == found.value[1, 1]
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.level = 0.9  # type: ignore[misc]
    with pytest.raises(AnalysisError, match="'z'.*\n.*\n.*domains are 'a', 'b', 'c'"):
        found["z", "q1"]
    with pytest.raises(AnalysisError, match="3 domains and 2 variables"):
        _ = found.single


def test_frame_has_a_row_for_each_estimate() -> None:
    s = draw(16)
    frame = mean(design_of(s), pd.DataFrame({"q1": s.y}), by=pd.Series(s.domain)).frame()
    assert list(frame.columns) == ["domain", "variable", *COLUMNS, "flags"]
    assert frame["domain"].tolist() == ["a", "b", "c"]


def test_an_absurd_covariance_is_refused() -> None:
    n = 20_000
    found = mean(SurveyDesign(np.ones(n)), np.arange(n, dtype=float), by=np.arange(n) // 2)
    with pytest.raises(AnalysisError, match="covariance of 10000 estimates"):
        _ = found.covariance
    assert found.se.shape == (n // 2, 1)


def test_a_hundred_thousand_domains() -> None:
    n = 300_000
    found = mean(SurveyDesign(np.ones(n)), np.arange(n) % 7, by=np.arange(n) // 3)
    assert len(found.domains) == 100_000 and np.isfinite(found.se).all()


def test_a_domain_without_valid_answers_is_undefined_not_an_error() -> None:
    s = draw(17)
    s.answers["q1"][s.domain == "b"] = np.nan
    found = mean(design_of(s), s.y, by=s.domain)
    assert np.isnan(found["b", "y"].value) and found["b", "y"].n == 0
    assert np.isnan(found.covariance[1]).all() and np.isfinite(found.covariance[0, 0])


def test_a_constant_has_no_error_and_no_design_effect() -> None:
    s = draw(18)
    found = mean(design_of(s), np.full(len(s.weight), 4)).single
    assert (found.value, found.se, found.flags) == (4, 0, ("se_zero",))
    assert np.isnan(found.deff) and np.isnan(found.n_eff)


@pytest.mark.parametrize("shape", ["strided", "fortran", "object", "list", "nullable"])
def test_any_layout_of_the_arrays(shape: str) -> None:
    s = draw(19)
    y = np.column_stack([s.y, s.answers["q2"]])
    layouts = {
        "strided": np.repeat(y, 2, axis=1)[:, ::2],
        "fortran": np.asfortranarray(y),
        "object": np.where(np.isnan(y), None, y),
        "list": y.tolist(),
        "nullable": pd.DataFrame(y).astype("Int64"),
    }
    same(mean(design_of(s), layouts[shape], by=s.domain), mean(design_of(s), y, by=s.domain))


# ---- the door and its page
def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout


def test_the_example_of_the_method_note_runs() -> None:
    page = (Path(__file__).parents[1] / "docs" / "method.md").read_text()
    assert "factor:A" in run(page.split("```python\n")[1].split("```")[0])


def test_the_method_note_names_every_choice() -> None:
    page = (Path(__file__).parents[1] / "docs" / "method.md").read_text()
    for choices in (ShareInterval, ItemMethod, RollUp):
        assert all(f"`{choice}`" in page for choice in get_args(choices))


def test_importing_analysis_loads_numpy_and_nothing_heavier() -> None:
    heavy = ("scipy", "pandas", "pyarrow", "statsmodels", "matplotlib")
    assert run(f"import analysis, sys; print([m for m in {heavy} if m in sys.modules])") == "[]\n"
