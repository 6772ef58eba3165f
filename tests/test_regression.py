"""Regressions: identities with means, proportions and statsmodels, changes that must not matter, bad input."""

import re
import warnings
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import AnalysisError, SurveyDesign, regress
from analysis.influence import from_scores
from analysis.regression.ordinal import _evaluate, fit_ordinal
from analysis.regression.regressing import Regression

FORMULA = "y ~ x + group"


def table(seed: int = 0, rows: int = 360) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    stratum = np.arange(rows) % 3
    x = rng.normal(size=rows)
    group = rng.choice(["a", "b", "c"], rows)
    y = 2 + 0.5 * x + (group == "b") + rng.normal(size=rows)
    frame = pd.DataFrame({"x": x, "group": group, "y": y, "stratum": stratum})
    frame["psu"] = stratum * 8 + np.arange(rows) // 3 % 8
    frame["weight"] = rng.uniform(0.5, 3.0, rows)
    frame["yes"] = (y + rng.normal(size=rows) > 2).astype(int)
    frame["level"] = np.digitize(y, [1.0, 2.0, 3.5]) + 1.0
    frame["count"] = rng.poisson(np.exp(0.3 * x))
    frame.loc[rng.random(rows) < 0.08, "x"] = np.nan
    return frame


def design(frame: pd.DataFrame) -> SurveyDesign:
    return SurveyDesign(frame["weight"], frame["stratum"], frame["psu"])


RESPONSES = {"gaussian": "y", "binomial": "yes", "poisson": "count", "ordinal": "level"}


def fitted(frame: pd.DataFrame, family: Any, here: SurveyDesign | None = None, **options: Any) -> Regression:
    return regress(here or design(frame), f"{RESPONSES[family]} ~ x + group", frame, family, **options)


# ---- identities
def test_an_intercept_alone_is_the_mean() -> None:
    frame = table()
    found, mean = regress(design(frame), "y ~ 1", frame), analysis.mean(design(frame), frame["y"])
    for name in ("value", "se", "ci_low", "ci_high", "df", "n", "deff", "n_eff", "population"):
        np.testing.assert_allclose(getattr(found, name), getattr(mean, name), rtol=1e-12, err_msg=name)
    assert found.variables == ("Intercept",)


def test_an_intercept_alone_is_the_logit_of_the_proportion() -> None:
    frame = table()
    found = regress(design(frame), "yes ~ 1", frame, "binomial").single
    share = analysis.proportion(design(frame), frame["yes"]).single
    assert found.value == pytest.approx(np.log(share.value / (1 - share.value)), rel=1e-12)
    assert found.se == pytest.approx(share.se / (share.value * (1 - share.value)), rel=1e-10)
    count = regress(design(frame), "count ~ 1", frame, "poisson").single
    mean = analysis.mean(design(frame), frame["count"]).single
    assert (count.value, count.se) == pytest.approx((np.log(mean.value), mean.se / mean.value), rel=1e-10)


def test_thresholds_alone_are_the_logits_of_the_cumulative_shares() -> None:
    frame = table()
    found = regress(design(frame), "level ~ 1", frame, "ordinal")
    shares = analysis.mean(design(frame), {k: (frame["level"] <= k) * 1.0 for k in (1, 2, 3)})
    p = shares.value[0]
    np.testing.assert_allclose(found.value[0], np.log(p / (1 - p)), rtol=1e-10)
    scale = 1 / (p * (1 - p))
    np.testing.assert_allclose(found.covariance, shares.covariance * np.outer(scale, scale), rtol=1e-8)
    assert found.variables == ("1|2", "2|3", "3|4")
    assert found.df[0, 0] == shares.df[0, 0]


def test_group_means_and_their_covariance() -> None:
    frame = table()
    found = regress(design(frame), "y ~ group - 1", frame)
    means = analysis.mean(design(frame), frame["y"], by=frame["group"])
    np.testing.assert_allclose(found.value[0], means.value[:, 0], rtol=1e-12)
    np.testing.assert_allclose(found.covariance, means.covariance, rtol=1e-10)


def test_two_levels_of_an_ordinal_response_would_be_the_logistic_one() -> None:
    """Coefficients of P(Y ≤ k) with every threshold free fall to those of the logistic fit when one is merged away."""
    frame = table()
    kept = frame.dropna()
    x = np.column_stack([kept["x"], kept["group"] == "b", kept["group"] == "c"]).astype(float)
    code, weight = kept["yes"].to_numpy(dtype=np.int64), kept["weight"].to_numpy()
    ordered = fit_ordinal(x, code, ("0", "1"), weight, ("x", "b", "c"), "formula")
    logistic = fitted(frame, "binomial")
    np.testing.assert_allclose(ordered.value[:3], logistic.value[0, 1:], rtol=1e-9)
    np.testing.assert_allclose(ordered.value[3], -logistic.value[0, 0], rtol=1e-9)


def test_ordinal_gradient_and_hessian_are_the_derivatives() -> None:
    rng = np.random.default_rng(3)
    z, y, w = rng.normal(size=(50, 2)), np.arange(50) % 4, rng.uniform(0.5, 2, 50)
    at = np.array([0.3, -0.2, -1.0, 0.2, 1.1])
    _, downhill, hessian = _evaluate(z, y, at, w)
    for j in range(5):
        step = np.zeros(5)
        step[j] = 1e-5
        (above, up, _), (below, down, _) = (_evaluate(z, y, at + sign * step, w) for sign in (1, -1))
        assert (above - below) / 2e-5 == pytest.approx(-downhill[j], rel=1e-6, abs=1e-8)
        np.testing.assert_allclose(-(up - down) / 2e-5, hessian[j], rtol=1e-5, atol=1e-6)


@pytest.mark.filterwarnings("ignore:cov_type not fully supported")
@pytest.mark.parametrize("family", ["gaussian", "binomial", "poisson"])
def test_statsmodels_cluster_robust_covariance_without_strata(family: Any) -> None:
    """Times G/(G − 1), with use_correction=False."""
    import statsmodels.api as sm

    frame = table().dropna()
    here = SurveyDesign(frame["weight"], psu=frame["psu"])
    found = fitted(frame, family, here)
    x = np.column_stack([np.ones(len(frame)), frame["x"], frame["group"] == "b", frame["group"] == "c"]).astype(float)
    y, kwds = frame[RESPONSES[family]].to_numpy(), {"groups": frame["psu"].to_numpy(), "use_correction": False}
    if family == "gaussian":
        other = sm.WLS(y, x, weights=frame["weight"]).fit(cov_type="cluster", cov_kwds=kwds)
    else:
        kind = sm.families.Binomial() if family == "binomial" else sm.families.Poisson()
        model = sm.GLM(y, x, family=kind, var_weights=frame["weight"].to_numpy())
        other = model.fit(tol=1e-14, maxiter=100, cov_type="cluster", cov_kwds=kwds)
    clusters = frame["psu"].nunique()
    np.testing.assert_allclose(found.value[0], other.params, rtol=1e-9)
    np.testing.assert_allclose(found.covariance, other.cov_params() * clusters / (clusters - 1), rtol=1e-8)


@pytest.mark.parametrize("family", list(RESPONSES))
def test_the_influence_is_the_derivative_by_the_weights(family: Any) -> None:
    """The design's covariance is that of what a change of a row's weight does to the coefficients."""
    frame = table(1)
    base = fitted(frame, family)
    u = np.full((len(frame), base.value.size), np.nan)
    for row in range(0, len(frame), 40):
        moved = []
        for sign in (1, -1):
            weight = frame["weight"].to_numpy().copy()
            weight[row] *= 1 + sign * 1e-4
            moved.append(fitted(frame.assign(weight=weight), family).value[0])
        u[row] = (moved[0] - moved[1]) / (2e-4 * frame["weight"][row])
    exact = _influence(frame, family)
    for row in range(0, len(frame), 40):
        np.testing.assert_allclose(np.nan_to_num(exact[row]), u[row], rtol=1e-4, atol=1e-7)


def _influence(frame: pd.DataFrame, family: Any) -> np.ndarray:
    """Row by row: with every row a PSU of its own, a row's score total is its weight times its influence."""
    here = SurveyDesign(frame["weight"])
    z = fitted(frame, family, here).scores.by_unit()
    return np.asarray(z / frame["weight"].to_numpy()[:, None])


def test_from_scores_gives_the_same_covariance() -> None:
    frame = table()
    here, found = design(frame), fitted(frame, "gaussian")
    u = _influence(frame, "gaussian")
    u[frame["x"].isna()] = np.nan
    again = from_scores(here, found.value[0], u, found.variables)
    np.testing.assert_allclose(again.covariance, found.covariance, rtol=1e-10)


# ---- what must not matter
@pytest.mark.parametrize("family", list(RESPONSES))
@given(seed=st.integers(0, 10**6))
@settings(max_examples=5, deadline=None)
def test_scaling_permuting_and_splitting_rows_change_nothing(family: Any, seed: int) -> None:
    frame = table(seed)
    before = fitted(frame, family)
    split = pd.concat([frame, frame.iloc[[11]]], ignore_index=True)
    split.loc[[11, len(frame)], "weight"] /= 2
    for changed in (frame.assign(weight=7 * frame["weight"]), frame.sample(frac=1, random_state=seed), split):
        after = fitted(changed, family)
        for name in ("value", "se", "ci_low", "df", "p_value"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("family", list(RESPONSES))
def test_a_row_without_a_value_is_outside_the_domain_not_the_design(family: Any) -> None:
    frame = table()
    inside = frame["x"].notna().to_numpy()
    found = fitted(frame, family)
    chosen = fitted(frame.assign(x=frame["x"].fillna(99.0)), family, domain=inside)
    np.testing.assert_array_equal(found.value, chosen.value)
    np.testing.assert_array_equal(found.covariance, chosen.covariance)
    assert found.n[0, 0] == inside.sum()


def test_a_missing_answer_inside_a_comparison_is_missing() -> None:
    """NaN >= 4 is False in Python; the row must not count as a No."""
    frame = table()
    known = frame["x"].notna()
    found = regress(design(frame), "I(x >= 0) ~ 1", frame, "binomial").single
    share = analysis.proportion(design(frame), np.where(known, frame["x"] >= 0, np.nan)).single
    assert (found.n, found.value) == (known.sum(), pytest.approx(np.log(share.value / (1 - share.value))))


def test_degrees_of_freedom() -> None:
    frame = table()
    domain = (frame["stratum"] < 2).to_numpy()
    found = fitted(frame, "gaussian", domain=domain)
    assert set(found.df.ravel()) == {14 - 3}
    assert set(fitted(frame, "gaussian", domain=domain, df="design").df.ravel()) == {21 - 3}
    assert set(fitted(frame, "ordinal").df.ravel()) == {21 - 3}  # thresholds are not counted


# ---- designs
def test_calibration_is_carried_through() -> None:
    """Post-stratified on the group, the coefficients of the group alone lose the variance of its sizes."""
    frame = table()
    totals = {"a": 300.0, "b": 250.0, "c": 400.0}
    adjusted = analysis.post_stratify(design(frame), frame["group"], totals)
    found, mean = regress(adjusted, "y ~ 1", frame), analysis.mean(adjusted, frame["y"])
    np.testing.assert_allclose(found.se, mean.se, rtol=1e-12)
    forgotten = regress(SurveyDesign(adjusted.weight, frame["stratum"], frame["psu"]), "y ~ 1", frame)
    assert abs(found.se / forgotten.se - 1).item() > 1e-3


@pytest.mark.parametrize("family", list(RESPONSES))
@pytest.mark.parametrize("centre", ["mean", "estimate"])
def test_replicates_are_fitted_anew(family: Any, centre: Any) -> None:
    frame = table()
    replicated = analysis.replicate(design(frame), "jackknife", centre=centre)
    found = fitted(frame, family, replicated)
    own = replicated.replicates
    assert own is not None
    theta = []
    for number in range(own.count):
        weight = own.weights(number, replicated.weight)
        kept = weight > 0
        theta.append(fitted(frame[kept].assign(weight=weight[kept]), family).value[0])
    deviations = own.deviations(np.array(theta), found.value[0])
    np.testing.assert_allclose(found.covariance, deviations.T @ deviations, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(found.se, fitted(frame, family).se, rtol=0.1)


def test_a_census_has_no_variance() -> None:
    frame = table()
    psus = frame.groupby("stratum")["psu"].transform("nunique")
    here = SurveyDesign(frame["weight"], frame["stratum"], frame["psu"], psus)
    assert (fitted(frame, "binomial", here).se == 0).all()


# ---- result
def test_wald_test_of_terms() -> None:
    frame = table()
    found = fitted(frame, "gaussian")
    one = found.wald("x")
    assert one.statistic == pytest.approx((found.value[0, 1] / found.se[0, 1]) ** 2)
    assert one.p_value == pytest.approx(found.p_value[0, 1])
    both = found.wald(["group[T.b]", "group[T.c]"])
    assert (both.ndf, both.ddf) == (2, found.df[0, 0])
    assert both.statistic == pytest.approx(found.wald("group").statistic)
    with pytest.raises(AnalysisError, match="no term 'nope'"):
        found.wald("nope")


def test_wald_of_more_coefficients_than_psus_is_refused() -> None:
    frame = table()
    here = SurveyDesign(frame["weight"], psu=frame["psu"] % 2)
    found = regress(here, "y ~ group", frame)
    with pytest.raises(AnalysisError, match="singular"):
        found.wald("group")


def test_a_regression_is_estimates() -> None:
    frame = table()
    found = fitted(frame, "ordinal")
    assert isinstance(found, analysis.Estimates)
    assert (found.domains, found.variables[:3]) == (("all",), ("x", "group[T.b]", "group[T.c]"))
    assert found.terms == {"x": (0,), "group": (1, 2)}
    assert found.levels == ("1", "2", "3", "4")
    assert found["all", "x"].value == found.value[0, 0]
    assert "p_value" in found.frame()
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), found.se[0])
    apart = analysis.contrast(found, np.array([[0.0, 1.0, -1.0, 0.0, 0.0, 0.0]])).single
    cov = found.covariance
    assert apart.se == pytest.approx(np.sqrt(cov[1, 1] + cov[2, 2] - 2 * cov[1, 2]))


def test_deviances_are_those_of_statsmodels() -> None:
    import statsmodels.api as sm

    frame = table().dropna()
    found = fitted(frame, "binomial")
    weight = (frame["weight"] / frame["weight"].mean()).to_numpy()
    x = np.column_stack([np.ones(len(frame)), frame["x"], frame["group"] == "b", frame["group"] == "c"]).astype(float)
    other = sm.GLM(frame["yes"], x, family=sm.families.Binomial(), var_weights=weight).fit(tol=1e-12)
    assert found.deviance == pytest.approx(other.deviance, rel=1e-9)
    assert found.null_deviance == pytest.approx(other.null_deviance, rel=1e-9)


def test_kinds_of_columns() -> None:
    frame = table()
    plain = fitted(frame, "gaussian")
    coded = frame.assign(
        group=pd.Categorical(frame["group"], categories=["a", "b", "c", "never"]),
        x=frame["x"].astype("Float64"),
        unused=object(),
    )
    np.testing.assert_allclose(fitted(coded, "gaussian").value, plain.value, rtol=1e-12)
    arrays = {name: frame[name].to_numpy() for name in ("y", "x", "group")}
    np.testing.assert_allclose(regress(design(frame), FORMULA, arrays).value, plain.value, rtol=1e-12)
    arrow = pa.Table.from_pandas(frame[["y", "x", "group"]])
    np.testing.assert_allclose(regress(design(frame), FORMULA, arrow).value, plain.value, rtol=1e-12)
    truth = regress(design(frame), "flag ~ x", frame.assign(flag=frame["yes"] == 1), "binomial")
    np.testing.assert_allclose(truth.value, regress(design(frame), "yes ~ x", frame, "binomial").value)
    ordered = frame.assign(
        level=pd.Categorical(
            frame["level"].map({1: "low", 2: "mid", 3: "high", 4: "top"}),
            categories=["low", "mid", "high", "top"],
            ordered=True,
        )
    )
    assert fitted(ordered, "ordinal").levels == ("low", "mid", "high", "top")
    np.testing.assert_allclose(fitted(ordered, "ordinal").value, fitted(frame, "ordinal").value)
    spaced = regress(design(frame), "y ~ `my x`", frame.rename(columns={"x": "my x"}))
    assert spaced.n[0, 0] == frame["x"].notna().sum()


# ---- bad input
BAD: list[tuple[str, Any, str, str]] = [
    ("y ~ xx", "gaussian", "no column 'xx'", "did you mean x"),
    ("y ~ poly(nope, 2)", "gaussian", "no column 'nope'", "columns are"),
    ("y + x ~ group", "gaussian", "one response", "response ~ term"),
    ("y ~ x +* group", "gaussian", "cannot be read", "response ~ term"),
    ("y ~ x | group", "gaussian", "one response", "response ~ term"),
    ("y ~ log(x)", "gaussian", "log\\(x\\) is nan", "missing"),
    ("y ~ 0", "gaussian", "no term", "~ 1"),
    ("group ~ x", "gaussian", "text", "I\\("),
    ("group ~ x", "ordinal", "whose order is not known", "Categorical"),
    ("level ~ x", "binomial", "between 0 and 1", "compare it"),
    ("x ~ group", "poisson", "not negative", "counts"),
    ("yes ~ x", "ordinal", "only the categories", "binomial"),
    ("level ~ x - 1", "ordinal", "thresholds", "leave"),
    ("y ~ x + I(2 * x)", "gaussian", "determined by the other columns", "leave one"),
    ("yes ~ x + I(2 * x)", "binomial", "determined by the other columns", "leave one"),
    ("level ~ x + I(2 * x)", "ordinal", "determined by the other columns", "leave one"),
    ("one ~ x", "gaussian", "is 1 in all", "another response"),
    ("one ~ x", "binomial", "is 1 in all", "another response"),
    ("one ~ x", "ordinal", "is 1 in all", "another response"),
    ("yes ~ apart", "binomial", "separated completely by .*apart", "join"),
    ("yes ~ x + quasi", "binomial", "separated completely by quasi", "join"),
    ("level ~ top", "ordinal", "separated completely by top", "join"),
    ("y ~ x", "probit", "no family 'probit'", "gaussian"),
    ("y ~ never", "gaussian", "no row has all variables", "leave out"),
    ("y ~ endless", "gaussian", "is inf", "missing"),
]


@pytest.mark.parametrize(("formula", "family", "what", "remedy"), BAD)
def test_bad_input_is_named(formula: str, family: Any, what: str, remedy: str) -> None:
    frame = table()
    frame["one"], frame["never"], frame["endless"] = 1, np.nan, np.inf
    frame["apart"] = frame["yes"] * 2.0 + 1
    frame["quasi"] = ((frame["yes"] == 1) & (frame.index % 5 == 0)).astype(int)
    frame["top"] = ((frame["level"] == 4) & (frame.index % 2 == 0)).astype(int)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(AnalysisError, match=what) as caught:
            regress(design(frame), formula, frame, family)
    problem = caught.value.problems[0]
    assert problem.where
    assert re.search(remedy, problem.remedy), problem.remedy


@pytest.mark.parametrize("family", list(RESPONSES))
def test_no_warning_of_a_library_leaks(family: Any) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        fitted(table(), family)


def test_tables_and_domains_that_do_not_fit_are_named() -> None:
    frame = table()
    for data in (frame.iloc[:-1], 3, {"y": np.ones(3), "x": np.ones(4)}):
        with pytest.raises(AnalysisError, match="data"):
            regress(design(frame), "y ~ x", data)
    with pytest.raises(AnalysisError, match="truth values"):
        regress(design(frame), "y ~ x", frame, domain=frame["group"])
    with pytest.raises(AnalysisError, match="no row has all variables"):
        regress(design(frame), "y ~ x", frame, domain=np.zeros(len(frame), dtype=bool))


def test_a_replicate_that_cannot_be_fitted_is_named() -> None:
    """Leaving out the only PSU of a category leaves its coefficient without rows."""
    frame = table()
    frame["group"] = np.where(frame["psu"] == 5, "c", np.where(frame["psu"] % 2, "a", "b"))
    replicated = analysis.replicate(design(frame), "jackknife")
    with pytest.raises(AnalysisError, match="replicate 6"):
        regress(replicated, FORMULA, frame)


def test_negative_weights_are_refused() -> None:
    x = np.linspace(-1.0, 1.0, 40)
    calibrated = analysis.calibrate(SurveyDesign(np.ones(40)), x, 25.0)
    with pytest.raises(AnalysisError, match="weights ≥ 0"):
        regress(calibrated, "y ~ 1", {"y": x})
