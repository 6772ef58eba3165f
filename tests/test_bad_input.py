"""Bad input at the door: an error with place, value and remedy, or the right answer; never a wrong number or a traceback."""

import tracemalloc
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

import analysis
from analysis import (
    AnalysisError,
    SurveyDesign,
    calibrate,
    compare,
    composite,
    contrast,
    mean,
    post_stratify,
    proportion,
    quantile,
    rake,
    ratio,
    regress,
    replicate,
    replicate_design,
    total,
    trim,
)
from analysis import test_independence as independence

rng = np.random.default_rng(20)
N = 60
W = rng.uniform(1, 3, N)
H, P = np.repeat([0, 1, 2], 20), np.repeat(np.arange(12), 5)
Y = rng.integers(1, 6, N).astype(float)
D = rng.choice(list("abc"), N)
BASE = SurveyDesign(W, H, P)
REPLICATED = replicate(BASE, "jackknife")
TOTALS = {"a": 40.0, "b": 30.0, "c": 50.0}
CALIBRATED = post_stratify(BASE, D, TOTALS)
FRAME = pd.DataFrame({"y": Y, "x": rng.normal(size=N), "g": D, "one": np.ones(N), "b": (Y > 3) * 1.0})


def put(values: Any, row: int, value: Any) -> np.ndarray:
    changed = np.array(values, dtype=object if value is None or isinstance(value, str) else None)
    changed[row] = value
    return changed


def refused(call: Callable[[], Any], *words: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


# ---- weights, strata, PSUs, fpc
@pytest.mark.parametrize(
    ("weight", "words"),
    [
        (put(W, 3, np.nan), ["nan", "row 3"]),
        (put(W, 3, 0.0), ["0.0", "row 3"]),
        (put(W, 3, -1.0), ["-1.0", "row 3"]),
        (put(W, 3, np.inf), ["inf", "row 3"]),
        (put(W, 3, None), ["not positive numbers", "row 3"]),
        (["a"] * N, ["'a' is not a number", "row 0"]),
        (["1,5"] * N, ["decimal comma"]),
        (np.ma.masked_less(W, 1.2), ["nan"]),
        (pd.Series([pd.NA, *W[1:]], dtype="Float64"), ["row 0"]),
        (W + 1j, ["complex"]),
        (pd.to_datetime(W.astype(int), unit="D"), ["datetime"]),
        (W[:, None], ["shape (60, 1)"]),
        ([], ["shape (0,)"]),
        (W[:-1], ["59 rows"]),
    ],
)
def test_a_weight_that_is_none_is_named(weight: Any, words: list[str]) -> None:
    refused(lambda: SurveyDesign(weight, H, P), *words)


@pytest.mark.parametrize("weight", [W * 1e300, W * 1e-300, W * 1e150])
def test_the_size_of_weights_changes_no_mean(weight: np.ndarray) -> None:
    found, expected = mean(SurveyDesign(weight, H, P), Y).single, mean(BASE, Y).single
    assert (found.value, found.se) == pytest.approx((expected.value, expected.se), rel=1e-12)
    assert (found.deff, found.n_eff) == pytest.approx((expected.deff, expected.n_eff), rel=1e-12)


@pytest.mark.parametrize(
    "weight",
    [
        [str(w) for w in W],
        W.astype(object),
        np.repeat(W, 2)[::2],
        W.astype(">f8"),
        pd.Series(W, dtype="Float64"),
        np.ma.masked_less(W, 0),
    ],
)
def test_weights_of_other_kinds_are_read(weight: Any) -> None:
    assert mean(SurveyDesign(weight, H, P), Y).single.se == mean(BASE, Y).single.se


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SurveyDesign(W, H, P[:-1]), ["psu has shape (59,)", "60 rows"]),
        (lambda: SurveyDesign(W, H[:-1], P), ["stratum has shape (59,)"]),
        (lambda: SurveyDesign(W, H, put(P, 2, None)), ["no label in psu", "row 2"]),
        (lambda: SurveyDesign(W, H, np.ma.masked_equal(P, 3)), ["5 rows have no label in psu", "row 15"]),
        (lambda: SurveyDesign(W, pd.Series([pd.NA, *H[1:]], dtype="Int64"), P), ["no label in stratum", "row 0"]),
        (lambda: SurveyDesign(W, H, np.column_stack([P, P])), ["psu has shape (60, 2)"]),
        (lambda: SurveyDesign(W, H, np.arange(N) % 7), ["more than one stratum", "nest=True"]),
        (lambda: SurveyDesign(W, H, P, np.full(N, 2)), ["smaller than the sample: 2", "4 sampled"]),
        (lambda: SurveyDesign(W, H, P, np.full(N, np.nan)), ["nan in row 0"]),
        (lambda: SurveyDesign(W, H, P, ["a"] * N), ["'a' is not a number", "fpc"]),
        (lambda: SurveyDesign(W, H, P, np.arange(N) + 100), ["differs within"]),
        (lambda: SurveyDesign(W, H, P, np.full(N - 1, 9)), ["fpc has shape (59,)"]),
        (lambda: SurveyDesign(W, lone_psu="drop"), ["'drop'", "fail, remove, adjust, average"]),  # type: ignore[arg-type]
        (lambda: mean(SurveyDesign(W, H, np.where(H == 0, 0, P)), Y), ["only one PSU"]),
        (lambda: mean(SurveyDesign(W, None, np.zeros(N, int)), Y), ["only one PSU", "the whole sample"]),
        (lambda: mean(SurveyDesign([2.0]), [3.0]), ["only one PSU"]),
    ],
)
def test_a_design_that_is_none_is_named(call: Callable[[], Any], words: list[str]) -> None:
    refused(call, *words)


@pytest.mark.parametrize(
    "psu",
    [
        P.astype("S3"),
        P.astype(object),
        pd.Series(P, dtype="Int64"),
        pd.Categorical(P),
        P.astype(np.uint64) + np.uint64(2**63),
        P + 2**62,
        np.repeat(P, 2)[::2],
        pd.to_datetime(P, unit="D"),
        P * 1.5,
        np.ma.masked_less(P, 0),
    ],
)
def test_labels_of_every_kind_are_the_same_design(psu: Any) -> None:
    assert mean(SurveyDesign(W, H, psu), Y).single.se == pytest.approx(mean(BASE, Y).single.se, rel=1e-12)


@pytest.mark.parametrize("policy", ["remove", "adjust"])
def test_one_row_has_a_value_and_no_interval(policy: Any) -> None:
    found = mean(SurveyDesign([2.0], lone_psu=policy), [3.0]).single
    assert (found.value, found.se, found.df) == (3.0, 0.0, 0) and np.isnan(found.ci_low)


def test_a_domain_label_that_is_masked_or_missing_lies_in_no_domain() -> None:
    masked = mean(BASE, Y, by=np.ma.masked_equal(P, 3))
    named = mean(BASE, Y, by=np.where(P == 3, None, P.astype(object)))
    assert masked.domains == named.domains == tuple(i for i in range(12) if i != 3)
    np.testing.assert_array_equal(masked.value, named.value)


# ---- what is measured
ESTIMATORS: dict[str, Callable[[SurveyDesign, Any], Any]] = {
    "mean": mean,
    "total": total,
    "ratio": lambda design, y: ratio(design, y, np.ones(N)),
    "composite": lambda design, y: composite(design, y, np.ones(N), [1.0]),
    "quantile": lambda design, y: quantile(design, y, [0.5]),
}
DESIGNS = {"plain": BASE, "calibrated": CALIBRATED, "replicated": REPLICATED}


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    ("y", "words"),
    [
        (Y[:-1], ["(59,)", "60 rows"]),
        (3.0, ["60 rows"]),
        (put(Y, 2, np.inf), ["infinite", "row 2"]),
        (["yes"] * N, ["'yes' is not a number", "row 0"]),
        (Y + 1j, ["complex numbers"]),
        (pd.to_datetime(Y, unit="D"), ["dates or times"]),
        (np.zeros((N, 2, 2)), ["(60, 2, 2)"]),
        (np.zeros((N, 0)), ["(60, 0)"]),
        ({"a": Y, "b": Y[:-1]}, ["differ in shape", "b: (59,)"]),
        ({}, ["60 rows"]),
    ],
)
def test_answers_that_are_none_are_named(estimator: str, design: str, y: Any, words: list[str]) -> None:
    refused(lambda: ESTIMATORS[estimator](DESIGNS[design], y), *words)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(
    "y",
    [
        Y.astype(object),
        Y.astype(">f8"),
        Y.astype(">i4"),
        Y.astype(np.uint8),
        Y.astype(np.float32),
        np.repeat(Y, 2)[::2],
        np.asfortranarray(np.column_stack([Y, Y]))[:, 1],
        pd.Series(Y, dtype="Int64"),
        np.ma.masked_greater(Y, 9),
        Y.astype(int).astype("S1"),
    ],
)
def test_answers_of_every_kind_are_read(estimator: str, design: str, y: Any) -> None:
    found, expected = ESTIMATORS[estimator](DESIGNS[design], y).single, ESTIMATORS[estimator](DESIGNS[design], Y).single
    assert (found.value, found.se, found.df) == pytest.approx((expected.value, expected.se, expected.df), rel=1e-12)


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_masked_nullable_and_missing_answers_are_the_same_domain(estimator: str, design: str) -> None:
    given = [
        np.where(Y == 3, np.nan, Y),
        np.ma.masked_equal(Y, 3),
        pd.Series([pd.NA if y == 3 else y for y in Y], dtype="Int64"),
        np.array([None if y == 3 else y for y in Y]),
    ]
    found = [ESTIMATORS[estimator](DESIGNS[design], y).single for y in given]
    assert len({(one.value, one.se, one.n) for one in found}) == 1 and found[0].n == (Y != 3).sum()


@pytest.mark.parametrize("design", DESIGNS)
@pytest.mark.parametrize("estimator", ["mean", "ratio", "composite", "quantile"])
def test_one_answer_for_all_has_no_error_and_none_has_no_value(estimator: str, design: str) -> None:
    constant = ESTIMATORS[estimator](DESIGNS[design], np.full(N, 3.0)).single
    assert (constant.value, constant.se) == (pytest.approx(3.0, rel=1e-12), 0.0)
    empty = ESTIMATORS[estimator](DESIGNS[design], np.full(N, np.nan)).single
    assert np.isnan(empty.value) and np.isnan(empty.se) and empty.n == 0


@pytest.mark.parametrize("design", DESIGNS)
def test_numbers_far_from_zero_keep_their_error(design: str) -> None:
    far, near = (mean(DESIGNS[design], y).single for y in (Y + 1e9, Y))
    assert far.se == pytest.approx(near.se, rel=1e-5)


@pytest.mark.parametrize("interval", ["korn_graubard", "beta", "logit", "wilson", "t"])
@pytest.mark.parametrize("share", [0.0, 1.0])
def test_shares_of_none_and_all_have_intervals_inside_0_and_1(interval: Any, share: float) -> None:
    found = proportion(BASE, np.full(N, share), interval=interval).single
    assert found.value == share and 0 <= found.ci_low <= share <= found.ci_high <= 1


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: proportion(BASE, np.full(N, 2.0)), ["a proportion needs 0, 1", "2.0"]),
        (lambda: proportion(BASE, Y > 3, interval="exact"), ["'exact'", "korn_graubard"]),  # type: ignore[arg-type]
        (lambda: mean(BASE, Y, level=95), ["level of 95"]),  # type: ignore[arg-type]
        (lambda: mean(BASE, Y, level="high"), ["level of high"]),  # type: ignore[arg-type]
        (lambda: mean(BASE, Y, by=D[:-1]), ["by has shape (59,)"]),
        (lambda: mean(BASE, Y, by=np.full(N, None)), ["no row lies in a domain"]),
        (lambda: ratio(BASE, Y, Y[:-1]), ["(59,)"]),
        (lambda: composite(BASE, np.column_stack([Y, Y]), np.ones(N), [1.0]), ["shape (1,) for 2 ratios"]),
        (lambda: composite(BASE, Y, np.ones(N), [np.nan]), ["finite"]),
        (lambda: quantile(BASE, Y, [1.5]), ["1.5"]),
        (lambda: quantile(BASE, Y, []), ["not a share"]),
        (lambda: quantile(BASE, Y, [0.5], rule="median"), ["'median'", "math, school"]),  # type: ignore[arg-type]
    ],
)
def test_options_that_are_none_are_named(call: Callable[[], Any], words: list[str]) -> None:
    refused(call, *words)


def test_a_denominator_of_zero_has_no_ratio() -> None:
    found = ratio(BASE, Y, np.zeros(N)).single
    assert np.isnan(found.value) and np.isnan(found.se)


# ---- adjustments
@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: rake(BASE, {"m": (np.ma.masked_equal(P, 3), dict.fromkeys(range(12), 10.0))}),
            ["no label in margin m"],
        ),
        (lambda: rake(BASE, {"m": D}), ["a margin is (labels, totals)"]),
        (lambda: rake(BASE, {"m": (D, 5)}), ["totals are int"]),
        (lambda: rake(BASE, {"m": (D, TOTALS | {"a": "x"})}), ["total of 'a' is 'x'"]),
        (lambda: rake(BASE, {"m": (D, TOTALS | {"a": np.inf})}), ["total of 'a' is inf"]),
        (lambda: rake(BASE, {"m": (P, dict.fromkeys(range(11), 10.0))}), ["no total for 11"]),
        (lambda: rake(BASE, {"m": (P, dict.fromkeys(range(13), 10.0))}), ["12 has a total of 10 and no row"]),
        (lambda: rake(BASE, {"m": (D, TOTALS)}, tolerance=0), ["tolerance of 0"]),
        (lambda: post_stratify(BASE, D[:-1], TOTALS), ["cells has shape (59,)"]),
        (lambda: post_stratify(BASE, [D, P], TOTALS), ["no total for ('a', "]),
        (lambda: calibrate(BASE, FRAME[["one", "x"]], {"one": 100.0}), ["no total for 'x'"]),
        (lambda: calibrate(BASE, FRAME["y"].to_numpy(), -50.0, "raking"), ["does not meet x"]),
        (lambda: trim(BASE, 1, "big"), ["'big' is not a number"]),  # type: ignore[arg-type]
        (lambda: trim(REPLICATED, 1, 2), ["replicate weights"]),
    ],
)
def test_adjustments_that_cannot_be_made_are_named(call: Callable[[], Any], words: list[str]) -> None:
    refused(call, *words)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: replicate(BASE, "jack"), ["'jack'"]),  # type: ignore[arg-type]
        (lambda: replicate(BASE, "bootstrap", 1), ["1 replicates"]),
        (lambda: replicate(BASE, "fay", rho=1.0), ["rho is 1.0"]),
        (lambda: replicate(CALIBRATED, "jackknife"), ["post-stratification", "replicates first"]),
        (lambda: replicate(SurveyDesign([1.0]), "jackknife"), ["only one PSU"]),
        (lambda: replicate_design(W, np.ones((5, 3)), 1.0), ["shape (5, 3)"]),
        (lambda: replicate_design(W, np.full((N, 3), np.nan), 1.0), ["180 replicate weights are missing"]),
        (lambda: replicate_design(W, np.ones((N, 3)), -1.0), ["scale is -1.0"]),
        (lambda: replicate_design(W, np.ones((N, 3)), 1.0, [1.0]), ["rscales have shape (1,)"]),
    ],
)
def test_replicates_that_cannot_be_made_are_named(call: Callable[[], Any], words: list[str]) -> None:
    refused(call, *words)


# ---- comparisons and regressions
BY = mean(BASE, Y, by=D)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: contrast(BY, [1, 2]), ["shape (2,)"]),
        (lambda: contrast(BY, [1, np.nan, 0]), ["not a finite number"]),
        (lambda: contrast(BY, {"x": [1, -1, 0]}), ["contrast 'x' is list"]),
        (lambda: contrast(BY, {"x": {"z": 1}}), ["no estimate for 'z'"]),
        (lambda: contrast(BY, lambda value: 1 / 0), ["ZeroDivisionError"]),
        (lambda: contrast(3, [1]), ["int, not what an estimator returns"]),  # type: ignore[arg-type]
        (lambda: compare(BY, None), ["b is NoneType"]),  # type: ignore[arg-type]
        (lambda: compare(BY, mean(BASE, Y)), ["no domain in common"]),
        (lambda: independence(BASE, np.ones(N), D), ["only the category 1.0"]),
        (lambda: independence(BASE, D[:-1], D), ["(59,)"]),
        (lambda: regress(BASE, "y ~ nope", FRAME), ["no column 'nope'"]),
        (lambda: regress(BASE, "", FRAME), ["response"]),
        (lambda: regress(BASE, "y ~ x + one", FRAME), ["one: determined by the other columns"]),
        (lambda: regress(BASE, "y ~ x", FRAME[:-1]), ["59 rows"]),
        (lambda: regress(BASE, "one ~ x", FRAME), ["response one is 1 in all 60 rows"]),
        (lambda: regress(BASE, "y ~ x", FRAME, "binomial"), ["between 0 and 1"]),
        (lambda: regress(BASE, "b ~ I(y > 3)", FRAME, "binomial"), ["separated"]),
        (lambda: regress(BASE, "y ~ x", FRAME, "robust"), ["'robust'"]),  # type: ignore[arg-type]
    ],
)
def test_comparisons_that_cannot_be_made_are_named(call: Callable[[], Any], words: list[str]) -> None:
    refused(call, *words)


def test_coefficients_that_are_all_zero_give_zero() -> None:
    found = contrast(BY, [0, 0, 0]).single
    assert (found.value, found.se) == (0, 0)


# ---- a hundred thousand domains
ROWS = 200_000
MANY = SurveyDesign(np.ones(ROWS), np.arange(ROWS) // 20_000, np.arange(ROWS) // 2_000)


@pytest.mark.parametrize("estimator", ["mean", "total", "proportion", "post_stratify"])
def test_a_hundred_thousand_domains_fit_into_memory(estimator: str) -> None:
    domain, y = np.arange(ROWS) // 2, np.arange(ROWS) % 3 == 0
    tracemalloc.start()
    try:
        if estimator == "post_stratify":
            weight = post_stratify(MANY, domain, dict.fromkeys(range(ROWS // 2), 5.0)).weight
            np.testing.assert_array_equal(weight, 2.5)
        else:
            found = getattr(analysis, estimator)(MANY, y.astype(float), by=domain)
            assert len(found.domains) == ROWS // 2
            scale = 1 if estimator == "total" else 2
            np.testing.assert_allclose(found.value[:6, 0] * scale, [1, 1, 0, 1, 1, 0])
        assert tracemalloc.get_traced_memory()[1] < 400e6
    finally:
        tracemalloc.stop()


def test_the_covariance_of_a_hundred_thousand_domains_is_refused() -> None:
    found = mean(MANY, np.zeros(ROWS), by=np.arange(ROWS) // 2)
    refused(lambda: found.covariance, "too large")
