"""Contrasts: linear and smooth functions of estimates, against the textbook written out row by row."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import AnalysisError, Estimates, SurveyDesign, contrast
from tests.textbook import Sample, design_variance, draw


def made(sample: Sample, **options: Any) -> SurveyDesign:
    return SurveyDesign(sample.weight, stratum=sample.stratum, psu=sample.psu, **options)


def means(sample: Sample, items: tuple[str, ...] = ("q1",)) -> Estimates:
    y = np.column_stack([sample.answers[item] for item in items])
    return analysis.mean(made(sample), dict(zip(items, y.T, strict=True)), by=sample.domain)


def linearised(sample: Sample, inside: np.ndarray, y: np.ndarray) -> np.ndarray:
    """w (y − ȳ)/Σw in the domain, 0 outside."""
    inside = inside & ~np.isnan(y)
    total = sample.weight[inside].sum()
    centre = (sample.weight * np.where(inside, y, 0))[inside].sum() / total
    return np.where(inside, sample.weight * (np.nan_to_num(y) - centre) / total, 0.0)


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_difference_of_domains_is_the_textbook_s(seed: int) -> None:
    sample = draw(seed)
    found = contrast(means(sample), {"b - a": {"b": 1, "a": -1}})
    score = linearised(sample, sample.domain == "b", sample.y) - linearised(sample, sample.domain == "a", sample.y)
    assert found["b - a", "q1"].se == pytest.approx(
        design_variance(score, sample.stratum, sample.psu)[0, 0] ** 0.5, rel=1e-10
    )


def test_matrix_mapping_and_function_agree() -> None:
    sample = draw(1)
    both = means(sample, ("q1", "q2"))
    wide = np.zeros((2, 6))
    wide[0, [0, 2]], wide[1, [1, 5]] = (1, -1), (0.5, 2)
    by_name = {"x": {("a", "q1"): 1, ("b", "q1"): -1}, "y": {("a", "q2"): 0.5, ("c", "q2"): 2}}
    forms = [
        contrast(both, wide, names=["x", "y"]),
        contrast(both, by_name),
        contrast(both, lambda v: wide @ v, names=["x", "y"]),
        contrast(both, lambda v: wide @ v, names=["x", "y"], jacobian=lambda v: wide),
    ]
    for other in forms[1:]:
        assert np.allclose(other.value, forms[0].value, rtol=1e-14)
        assert np.allclose(other.covariance, forms[0].covariance, rtol=1e-10)
        assert (other.df == forms[0].df).all() and (other.n == forms[0].n).all()


def test_coefficients_of_domains_go_to_every_variable() -> None:
    both = means(draw(2), ("q1", "q2"))
    found = contrast(both, [[1, -1, 0], [0, 0.5, 0.5]], names=["a - b", "b and c"])
    assert found.variables == ("q1", "q2") and found.value.shape == (2, 2)
    one = contrast(both, {"x": {("a", "q2"): 1, ("b", "q2"): -1}})
    assert found["a - b", "q2"].se == pytest.approx(one.single.se, rel=1e-12)
    assert found.covariance.shape == (4, 4)
    assert found.covariance[1, 1] == pytest.approx(found.se[0, 1] ** 2, rel=1e-12)


def test_covariance_is_a_v_a() -> None:
    both = means(draw(3), ("q1", "q2", "q3"))
    matrix = np.random.default_rng(1).normal(size=(5, 9))
    found = contrast(both, matrix)
    assert np.allclose(found.covariance, matrix @ both.covariance @ matrix.T, rtol=1e-9, atol=1e-16)


def test_a_contrast_of_contrasts_is_the_contrast_of_both() -> None:
    one = means(draw(4))
    first = contrast(one, {"x": {"a": 1, "b": -1}, "y": {"b": 1, "c": -1}})
    second = contrast(first, {"z": {"x": 1, "y": 1}})
    direct = contrast(one, {"z": {"a": 1, "c": -1}})
    assert second.single.se == pytest.approx(direct.single.se, rel=1e-12)


FUNCTIONS = {
    "ratio": (lambda v: v[0] / v[1], lambda v: [1 / v[1], -v[0] / v[1] ** 2, 0]),
    "log odds": (lambda v: np.log(v[0] / (9 - v[0])), lambda v: [9 / (v[0] * (9 - v[0])), 0, 0]),
    "absolute value, not analytic": (
        lambda v: abs(v[1] - v[2]),
        lambda v: [0, np.sign(v[1] - v[2]), np.sign(v[2] - v[1])],
    ),
    "largest, not analytic": (lambda v: max(v.real) + 0 * v[0].imag, lambda v: 1.0 * (v == v.max())),
    "imaginary part dropped": (lambda v: float(np.real(v[0])) ** 2, lambda v: [2 * v[0], 0, 0]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_derivatives_are_right_also_where_the_complex_step_is_not(name: str) -> None:
    function, gradient = FUNCTIONS[name]
    one = means(draw(5))
    derivative = np.asarray(gradient(one.value.ravel()), dtype=float)
    expected = (derivative @ one.covariance @ derivative) ** 0.5
    assert contrast(one, function).single.se == pytest.approx(expected, rel=1e-8)


def test_an_analytic_function_is_differentiated_to_rounding() -> None:
    one = means(draw(6))
    function, gradient = FUNCTIONS["ratio"]
    derivative = np.array(gradient(one.value.ravel()))
    expected = (derivative @ one.covariance @ derivative) ** 0.5
    assert contrast(one, function).single.se == pytest.approx(expected, rel=1e-13)


def test_a_function_of_a_ratio_design_is_the_ratio() -> None:
    sample = draw(7, missing=0)
    totals = analysis.total(made(sample), {"y": sample.y, "x": sample.answers["q2"]})
    direct = analysis.ratio(made(sample), sample.y, sample.answers["q2"])
    assert contrast(totals, lambda v: v[0] / v[1]).single.se == pytest.approx(direct.single.se, rel=1e-10)


def test_in_a_replicate_design_the_function_is_taken_in_every_replicate() -> None:
    sample = draw(8, missing=0)
    design = analysis.replicate(made(sample), "jackknife")
    totals = analysis.total(design, {"y": sample.y, "x": sample.answers["q2"]}, by=sample.domain)
    found = contrast(totals, lambda v: {"a": v[0] / v[1], "b": v[2] / v[3]})
    direct = analysis.ratio(design, sample.y, sample.answers["q2"], by=sample.domain)
    assert np.allclose(found.se.ravel(), direct.se.ravel()[:2], rtol=1e-12)
    assert np.allclose(found.df.ravel(), direct.df.ravel()[:2])
    again = contrast(found, {"b - a": {"b": 1, "a": -1}})
    between = direct.covariance
    assert again.single.se == pytest.approx((between[0, 0] + between[1, 1] - 2 * between[0, 1]) ** 0.5, rel=1e-12)
    both = np.isin(sample.domain, ["a", "b"])
    union = analysis.mean(design, sample.y, by=np.where(both, "in", None))
    assert again.single.df == union.single.df


def test_df_is_that_of_the_union_of_the_domains() -> None:
    psu = np.repeat(np.arange(8), 4)
    stratum = psu // 2
    label = np.array(["a", "a", "b", "b", "b", "c", "c", "c"])[psu]
    design = SurveyDesign(np.ones(32), stratum=stratum, psu=psu)
    y = np.random.default_rng(1).normal(size=32)
    one = analysis.mean(design, y, by=label)
    assert one.df.ravel().tolist() == [1, 1, 1]
    found = contrast(one, {"ab": {"a": 1, "b": -1}, "bc": {"b": 1, "c": -1}, "ac": {"a": 1, "c": -1}})
    assert found.df.ravel().tolist() == [2, 3, 2]
    assert contrast(one, [1, -1, 0], df="design").single.df == 4
    assert contrast(one, [1, -1, 0], df=2.5).single.df == 2.5


def test_df_counts_only_rows_that_answered() -> None:
    psu = np.repeat(np.arange(6), 4)
    design = SurveyDesign(np.ones(24), psu=psu)
    y = np.random.default_rng(1).normal(size=(24, 2))
    y[psu > 3, 1] = np.nan
    one = analysis.mean(design, y, by=np.tile(["a", "b"], 12))
    assert contrast(one, [1, -1]).df.tolist() == [[5, 3]]


def test_calibration_is_in_the_variance_of_a_contrast() -> None:
    """A difference of totals that calibration fixes has no variance left."""
    sample = draw(9, missing=0)
    totals = {"a": 400.0, "b": 300.0, "c": 500.0}
    design = analysis.post_stratify(made(sample), sample.domain, totals)
    found = contrast(analysis.total(design, np.ones(design.n), by=sample.domain), {"x": {"a": 1, "b": -1}})
    assert found.single.value == pytest.approx(100) and found.single.se == pytest.approx(0, abs=1e-9)


def test_what_is_not_estimated_is_nan_only_where_it_takes_part() -> None:
    sample = draw(10)
    y = np.where(sample.domain == "c", np.nan, sample.y)
    one = analysis.mean(made(sample), y, by=sample.domain)
    found = contrast(one, {"ab": {"a": 1, "b": -1}, "ac": {"a": 1, "c": -1}})
    assert np.isfinite(found.se[0, 0]) and np.isnan(found.value[1, 0]) and np.isnan(found.se[1, 0])
    function = contrast(one, lambda v: np.array([v[0] - v[1], v[0] - v[2]]))
    assert np.isfinite(function.se[0, 0]) and np.isnan(function.value[1, 0])


ESTIMATORS: dict[str, Any] = {
    "total": lambda d, s: analysis.total(d, s.y, by=s.domain),
    "ratio": lambda d, s: analysis.ratio(d, s.y, s.answers["q2"], by=s.domain),
    "proportion": lambda d, s: analysis.proportion(d, np.where(np.isnan(s.y), np.nan, s.y >= 4), by=s.domain),
    "quantile": lambda d, s: analysis.quantile(d, s.answers["q1"] + s.answers["q2"] / 10, [0.3, 0.5], by=s.domain),
    "regression": lambda d, s: analysis.regress(d, "y ~ x", {"y": s.y, "x": s.answers["q2"]}),
}


@pytest.mark.parametrize("kind", ["plain", "post-stratified", "jackknife"])
@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_s_results_can_be_combined(name: str, kind: str) -> None:
    """The contrast that changes nothing has the same standard error; one of two has that of their covariance."""
    sample = draw(12, strata=5, psus=6)
    design = made(sample) if kind != "jackknife" else analysis.replicate(made(sample), "jackknife")
    if kind == "post-stratified":
        design = analysis.post_stratify(design, sample.group, {"x": 900.0, "y": 950.0})
    found = ESTIMATORS[name](design, sample)
    same = contrast(found, np.eye(found.value.size))
    assert same.se.ravel() == pytest.approx(found.se.ravel(), rel=1e-9)
    sums = np.zeros((1, found.value.size))
    sums[0, :2] = 1
    between = found.covariance
    expected = (between[0, 0] + between[1, 1] + 2 * between[0, 1]) ** 0.5
    assert contrast(found, sums).single.se == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("policy", ["remove", "adjust", "average"])
@pytest.mark.parametrize("domains", ["ignore", "treat"])
def test_policies_for_lone_psus_hold_for_contrasts(policy: Any, domains: Any) -> None:
    sample = draw(13)
    kept = (sample.stratum != "h0") | (sample.psu == "h0p0")
    kept &= (sample.stratum != "h1") | (sample.domain != "a") | (sample.psu == "h1p2")
    design = made(sample.take(kept), lone_psu=policy, lone_domain=domains)
    few = analysis.mean(design, sample.y[kept], by=sample.domain[kept])
    found = contrast(few, [[1, -1, 0], [0, 1, -1]])
    matrix = np.array([[1, -1, 0], [0, 1, -1]])
    assert np.allclose(found.covariance, matrix @ few.covariance @ matrix.T, rtol=1e-10)


BAD: dict[str, tuple[Any, dict[str, Any], str]] = {
    "wrong width": ([[1, -1]], {}, "shape"),
    "text": ([["x", "y", "z"]], {}, "not numbers"),
    "infinite": ([[1, np.inf, 0]], {}, "finite"),
    "unknown domain": ({"x": {"a": 1, "z": -1}}, {}, "'z'"),
    "empty": ({"x": {}}, {}, "no coefficient"),
    "names": ([[1, -1, 0]], {"names": ["a", "b"]}, "names"),
    "repeated names": ([[1, -1, 0], [1, 0, -1]], {"names": ["a", "a"]}, "different names"),
    "failing function": (lambda v: v[99], {}, "fails"),
    "no number": (lambda v: "x", {}, "numbers"),
    "square": (lambda v: np.ones((2, 2)), {}, "shape (2, 2)"),
    "jacobian": (lambda v: v[0], {"jacobian": lambda v: [1, 2]}, "jacobian"),
    "level": ([1, -1, 0], {"level": 95}, "95"),
    "df": ([1, -1, 0], {"df": "residual"}, "degrees of freedom"),
    "df zero": ([1, -1, 0], {"df": 0}, "degrees of freedom"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_contrasts_are_refused_with_reason(name: str) -> None:
    given_, options, word = BAD[name]
    with pytest.raises(AnalysisError, match=word.replace("(", r"\(").replace(")", r"\)")):
        contrast(means(draw(11)), given_, **options)
