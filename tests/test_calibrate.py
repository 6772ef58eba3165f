"""calibrate(): totals met, the least change of weights, variances of residuals, and refusals that name what is wrong."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, SurveyDesign, calibrate, mean, post_stratify, rake, replicate, total, trim
from tests.textbook import Sample, design_variance, draw, indicators, residuals

seeds = st.integers(0, 10**6)
METHODS: list[tuple[str, Any]] = [
    ("linear", None),
    ("linear", (0.4, 2.5)),
    ("raking", None),
    ("raking", (0.4, 2.5)),
    ("logit", (0.4, 2.5)),
]


def design_of(s: Sample) -> SurveyDesign:
    return SurveyDesign(s.weight, s.stratum, s.psu)


def numbers_of(s: Sample) -> np.ndarray:
    """A constant, a dummy and a number, shape (n, 3)."""
    rng = np.random.default_rng(len(s.psu) + int(s.weight[0] * 1e6))
    return np.column_stack([np.ones(len(s.y)), s.group == "x", 40 + 5 * rng.normal(size=len(s.y))])


def targets_of(s: Sample, x: np.ndarray, change: float = 0.04) -> np.ndarray:
    """Totals a little off those of the sample."""
    return (s.weight @ x) * (1 + change * np.array([0.0, 1.0, -0.5]))


# ---- weights
@pytest.mark.parametrize(("method", "bounds"), METHODS)
@given(seeds)
@settings(max_examples=10, deadline=None)
def test_totals_are_met_within_the_bounds(method: Any, bounds: Any, seed: int) -> None:
    s = draw(seed)
    x = numbers_of(s)
    found = calibrate(design_of(s), x, targets_of(s, x), method, bounds)
    np.testing.assert_allclose(found.weight @ x, targets_of(s, x), rtol=1e-11)
    if bounds:
        factor = found.weight / s.weight
        assert bounds[0] - 1e-12 <= factor.min() and factor.max() <= bounds[1] + 1e-12


@pytest.mark.parametrize(("method", "bounds"), METHODS)
def test_factors_are_f_of_a_linear_predictor(method: Any, bounds: Any) -> None:
    """F⁻¹ of the factors lies in the space of x, where no factor is at a bound."""
    s = draw(11)
    x = numbers_of(s)
    g = calibrate(design_of(s), x, targets_of(s, x, 0.1), method, bounds).weight / s.weight
    inside = np.ones(len(g), bool) if bounds is None else (g > bounds[0] + 1e-9) & (g < bounds[1] - 1e-9)
    if method == "linear":
        u = g - 1
    elif method == "raking":
        u = np.log(g)
    else:
        low, high = bounds
        u = np.log((g - low) * (high - 1) / ((high - g) * (1 - low))) * ((high - 1) * (1 - low)) / (high - low)
    fitted = x[inside] @ np.linalg.lstsq(x[inside], u[inside], rcond=None)[0]
    assert np.ptp(g) > 0.01
    np.testing.assert_allclose(u[inside], fitted, atol=1e-9)


def test_linear_weights_are_those_of_the_regression_estimator() -> None:
    s = draw(12, missing=0)
    x = numbers_of(s)
    wanted = targets_of(s, x)
    found = calibrate(design_of(s), x, wanted)
    b = np.linalg.solve(x.T @ (s.weight[:, None] * x), x.T @ (s.weight * s.y))
    assert found.weight @ s.y == pytest.approx(s.weight @ s.y + (wanted - s.weight @ x) @ b, rel=1e-12)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_calibration_to_own_totals_changes_nothing_but_the_standard_error(seed: int) -> None:
    s = draw(seed, missing=0)
    x = numbers_of(s)
    for method, bounds in METHODS:
        found = calibrate(design_of(s), x, s.weight @ x, method, bounds)
        np.testing.assert_allclose(found.weight, s.weight, rtol=1e-10)
        a, b = mean(found, s.y, by=s.domain), mean(design_of(s), s.y, by=s.domain)
        np.testing.assert_allclose(a.value, b.value, rtol=1e-10)
        np.testing.assert_array_equal(a.df, b.df)
        score = residuals(s.weight * s.y, x, s.weight, s.weight)
        assert total(found, s.y).single.se ** 2 == pytest.approx(design_variance(score, s.stratum, s.psu)[0, 0])


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_post_stratification_is_linear_calibration_on_cell_indicators(seed: int) -> None:
    s = draw(seed)
    totals = {"a": 500.0, "b": 300.0, "c": 200.0}
    expected = post_stratify(design_of(s), s.domain, totals)
    for found in (
        calibrate(design_of(s), indicators(s.domain), [500, 300, 200]),
        calibrate(design_of(s), {"d": s.domain}, {"d": totals}),
        calibrate(design_of(s), {"d": s.domain}, {"d": totals}, "raking"),
    ):
        np.testing.assert_allclose(found.weight, expected.weight, rtol=1e-12)
        a, b = mean(found, s.y, by=s.stratum), mean(expected, s.y, by=s.stratum)
        np.testing.assert_allclose(a.covariance, b.covariance, rtol=1e-9, atol=1e-15)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_raking_of_indicators_is_rake(seed: int) -> None:
    s = draw(seed)
    size = float(len(s.y))
    domain = dict(zip("abc", size * np.array([0.5, 0.3, 0.2]), strict=True))
    group = {"x": 0.6 * size, "y": 0.4 * size}
    expected = rake(design_of(s), {"d": (s.domain, domain), "g": (s.group, group)}, tolerance=1e-13)
    labels = calibrate(design_of(s), {"d": s.domain, "g": s.group}, {"d": domain, "g": group}, "raking")
    columns = calibrate(design_of(s), indicators(s.domain, s.group), [*domain.values(), *group.values()], "raking")
    for found in (labels, columns):
        np.testing.assert_allclose(found.weight, expected.weight, rtol=1e-9)
        a, b = mean(found, s.y, by=s.stratum), mean(expected, s.y, by=s.stratum)
        np.testing.assert_allclose(a.se, b.se, rtol=1e-7)


def test_a_slow_raking_ends_with_newton() -> None:
    """Two classes that meet in a sliver: proportional fitting would need thousands of sweeps."""
    a = np.repeat([0, 0, 1, 1], [500, 1, 1, 500])
    b = np.repeat([0, 1, 0, 1], [500, 1, 1, 500])
    found = rake(SurveyDesign(np.ones(1002)), {"a": (a, {0: 450, 1: 550}), "b": (b, {0: 530, 1: 470})})
    for labels, totals in ((a, [450, 550]), (b, [530, 470])):
        np.testing.assert_allclose(np.bincount(labels, weights=found.weight), totals, rtol=1e-10)


# ---- variance
@pytest.mark.parametrize(("method", "bounds"), METHODS)
def test_variance_is_that_of_the_residuals_whatever_the_method(method: Any, bounds: Any) -> None:
    s = draw(13, missing=0)
    x = numbers_of(s)
    found = calibrate(design_of(s), x, targets_of(s, x), method, bounds)
    score = residuals(found.weight * s.y, x, s.weight, found.weight)
    expected = design_variance(score, s.stratum, s.psu)[0, 0]
    assert total(found, s.y).single.se ** 2 == pytest.approx(expected, rel=1e-9)


def test_a_calibrated_variable_has_its_total_without_error() -> None:
    s = draw(14)
    x = numbers_of(s)
    found = calibrate(design_of(s), x, targets_of(s, x))
    np.testing.assert_array_equal(total(found, x).se, 0)


def test_calibrations_and_trimming_in_a_row_keep_all_residuals() -> None:
    s = draw(15, missing=0)
    x = numbers_of(s)
    first = post_stratify(design_of(s), s.domain, {"a": 500, "b": 300, "c": 200})
    second = trim(first, 0.6 * first.weight.mean(), 1.6 * first.weight.mean())
    third = calibrate(second, x, [1000.0, 520.0, 39_800.0], "raking")
    last = trim(third, None, 1.5 * third.weight.mean())
    score = residuals(last.weight * s.y, indicators(s.domain), s.weight, first.weight)
    score = residuals(score, x, second.weight, third.weight)
    expected = design_variance(score, s.stratum, s.psu)[0, 0]
    assert total(last, s.y).single.se ** 2 == pytest.approx(expected, rel=1e-9)


def test_rows_of_a_unit_share_a_factor_when_aggregated() -> None:
    s = draw(16, missing=0)
    x, w = numbers_of(s), np.full(len(s.y), 3.0)
    design = SurveyDesign(w, s.stratum, s.psu)
    wanted = (w @ x) * (1, 1.03, 0.99)
    found = calibrate(design, x, wanted, aggregate="psu")
    for psu in np.unique(s.psu):
        assert np.ptp(found.weight[s.psu == psu]) < 1e-12
    np.testing.assert_allclose(found.weight @ x, wanted, rtol=1e-12)
    averaged = np.array([x[s.psu == psu].mean(axis=0) for psu in s.psu])
    same = calibrate(design, averaged, wanted)
    np.testing.assert_allclose(found.weight, same.weight, rtol=1e-12)
    assert total(found, s.y).single.se == pytest.approx(total(same, s.y).single.se, rel=1e-12)


def test_every_replicate_is_calibrated_and_the_jackknife_is_near_the_residuals() -> None:
    s = draw(17, strata=6, psus=8, missing=0)
    x = numbers_of(s)
    for method, bounds in METHODS:
        taylor = calibrate(design_of(s), x, targets_of(s, x), method, bounds)
        jackknife = calibrate(replicate(design_of(s), "jackknife"), x, targets_of(s, x), method, bounds)
        np.testing.assert_array_equal(jackknife.weight, taylor.weight)
        np.testing.assert_allclose(total(jackknife, x).se, 0, atol=1e-6)
        assert total(jackknife, s.y).single.se == pytest.approx(total(taylor, s.y).single.se, rel=0.1)


# ---- what x and totals may be
S = draw(18)
BASE = design_of(S)
X = numbers_of(S)
T = targets_of(S, X)


@pytest.mark.parametrize(
    ("x", "totals"),
    [
        (X, list(T)),
        (X, pd.Series(T)),
        (np.asfortranarray(X), T),
        (X.astype(object), T),
        (pd.DataFrame(X, columns=["one", "x", "size"]), {"size": T[2], "one": T[0], "x": T[1]}),
        (pd.DataFrame(X, columns=["one", "x", "size"]), pd.Series({"x": T[1], "size": T[2], "one": T[0]})),
        (pd.DataFrame(X, columns=["one", "x", "size"]), T),
        ({"one": X[:, 0], "x": S.group == "x", "size": list(X[:, 2])}, {"one": T[0], "x": T[1], "size": T[2]}),
        ({"group": S.group, "size": X[:, 2]}, {"group": {"x": T[1], "y": T[0] - T[1]}, "size": T[2]}),
        ({"group": pd.Categorical(S.group), "size": pd.Series(X[:, 2], dtype="Float64")},
         {"group": pd.Series({"y": T[0] - T[1], "x": T[1]}), "size": T[2]}),
        (np.column_stack([X, S.group == "y"]), [*T, T[0] - T[1]]),
        (np.column_stack([X, X[:, 2] * 1000 + 7]), [*T, T[2] * 1000 + 7 * T[0]]),
    ],
)  # fmt: skip
def test_the_same_calibration_in_other_words(x: Any, totals: Any) -> None:
    expected = calibrate(BASE, X, T)
    found = calibrate(BASE, x, totals)
    np.testing.assert_allclose(found.weight, expected.weight, rtol=1e-9)
    assert mean(found, S.y).single.se == pytest.approx(mean(expected, S.y).single.se, rel=1e-8)


def test_one_variable_may_be_an_array_with_one_total() -> None:
    found = calibrate(BASE, X[:, 2], 12_345.0)
    assert found.weight @ X[:, 2] == pytest.approx(12_345)


def test_collinear_powers_and_far_origins_are_met() -> None:
    year = 2000 + np.arange(len(S.y)) % 25
    x = np.column_stack([np.ones(len(year)), year, year**2 / 1e3, year**3 / 1e6])
    wanted = S.weight @ x + np.array([0, 3.0, 12.0, 36.0])
    found = calibrate(BASE, x, wanted)
    np.testing.assert_allclose(found.weight @ x, wanted, rtol=1e-9)


def test_a_row_order_does_not_matter() -> None:
    order = np.random.default_rng(0).permutation(len(S.y))
    s = S.take(order)
    a, b = calibrate(BASE, X, T, "raking"), calibrate(design_of(s), X[order], T, "raking")
    np.testing.assert_allclose(b.weight, a.weight[order], rtol=1e-12)


# ---- refusals
def spoiled(row: int, column: int, value: float) -> np.ndarray:
    x = X.copy()
    x[row, column] = value
    return x


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: calibrate(BASE, X, T, "greg"), ["no calibration method 'greg'", '"logit"']),
        (lambda: calibrate(BASE, X, T, "logit"), ['"logit" has no bounds']),
        (lambda: calibrate(BASE, X, T, "logit", (1.1, 3)), ["bounds 1.1 and 3", "L < 1 < U"]),
        (lambda: calibrate(BASE, X, T, "logit", (0, np.inf)), ["finite"]),
        (lambda: calibrate(BASE, X, T, bounds=(2, 0.5)), ["bounds 2 and 0.5"]),
        (lambda: calibrate(BASE, X, T, bounds=(-3, -1)), ["bounds -3 and -1", "U > 0"]),
        (lambda: calibrate(BASE, X, T, bounds=0.5), ["no pair"]),
        (lambda: calibrate(BASE, X, T, bounds=(np.nan, 2)), ["bounds nan"]),
        (lambda: calibrate(BASE, X, T, aggregate="centre"), ["'centre'", '"psu"']),
        (lambda: calibrate(BASE, X, T[:2]), ["shape (2,)", "3 columns"]),
        (lambda: calibrate(BASE, X[:-1], T), ["x1 has shape (239,)", "240 rows"]),
        (lambda: calibrate(BASE, spoiled(7, 2, np.nan), T), ["1 values of x3 are missing", "row 7"]),
        (lambda: calibrate(BASE, spoiled(9, 1, np.inf), T), ["x2", "row 9"]),
        (lambda: calibrate(BASE, np.ma.masked_greater(X[:, 2], 50), 9_000.0), ["missing"]),
        (lambda: calibrate(BASE, np.zeros((240, 2, 2)), T), ["shape (240, 2, 2)"]),
        (lambda: calibrate(BASE, {}, {}), ["no calibration variable"]),
        (lambda: calibrate(BASE, X, [T[0], T[1], np.nan]), ["total of 'x3' is nan"]),
        (lambda: calibrate(BASE, {"g": S.group}, {"g": 5.0}), ["'x' is not a number", "as {label: total}"]),
        (lambda: calibrate(BASE, {"g": S.group}, {"h": {"x": 1}}), ["no total for 'g'", "total for 'h'"]),
        (lambda: calibrate(BASE, {"g": S.group}, {"g": {"x": 1.0}}), ["no total for 'y'"]),
        (lambda: calibrate(BASE, {"g": S.group}, {"g": {"x": 1, "y": 2, "z": 3}}), ["'z' has a total of 3 and no row"]),
        (lambda: calibrate(BASE, {"g": S.group, "d": S.domain}, {"g": {"x": 60, "y": 40},
                                                                 "d": {"a": 50, "b": 30, "c": 21}}),
         ["margins disagree: g sums to 100, d to 101"]),
        (lambda: calibrate(BASE, {"one": np.ones(240), "g": S.group}, {"one": 101, "g": {"x": 60, "y": 40}}),
         ["g sums to 100, one to 101"]),
        (lambda: calibrate(BASE, np.column_stack([X, X[:, 1] + X[:, 2]]), [*T, 1.0]),
         ["does not meet x", "reached of"]),
        (lambda: calibrate(BASE, np.column_stack([X, np.zeros(240)]), [*T, 5.0]),
         ["does not meet x4: 0 reached of 5"]),
        (lambda: calibrate(BASE, X, 3 * T, bounds=(0.5, 2)), ["widen the bounds 0.5 and 2", "does not meet x1"]),
        (lambda: calibrate(BASE, X, 3 * T, "logit", (0.5, 2)), ["widen the bounds", "does not meet x1"]),
        (lambda: calibrate(BASE, X, [T[0], 1.01 * T[0], T[2]], "raking"), ["does not meet x2"]),
        (lambda: calibrate(BASE, S.domain == "a", 0.0), ["weight 0", "lower bound above 0"]),
        (lambda: calibrate(calibrate(BASE, X, [T[0], T[1], 2.4 * T[2]]), X, T, "raking"), ["after an earlier"]),
    ],
)  # fmt: skip
def test_it_is_refused_by_name(call: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


def test_a_class_without_weight_in_a_replicate_names_the_replicate() -> None:
    s = draw(19, strata=2, psus=3)
    labels = np.where(s.psu == "h0p0", "rare", "other")
    with pytest.raises(AnalysisError, match=r"replicate 1: [\s\S]*rare"):
        rake(replicate(design_of(s), "jackknife"), {"m": (labels, {"rare": 50.0, "other": 300.0})})
    with pytest.raises(AnalysisError, match=r"replicate 1: [\s\S]*'rare' has no weight"):
        post_stratify(replicate(design_of(s), "jackknife"), labels, {"rare": 50.0, "other": 300.0})
