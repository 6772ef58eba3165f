"""Quantiles: identities with numpy, with the design's own shares and under changes that must not matter; bad input."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import AnalysisError, SurveyDesign, quantile
from analysis.distribution import distributions

NONE = np.zeros(0, dtype=np.int64)
SHARES = [0.1, 0.25, 0.5, 0.8, 0.95]


def sample(seed: int, rows: int = 240) -> dict[str, Any]:
    """Three strata of eight PSUs, unequal weights; a continuous and a Likert answer, some missing."""
    rng = np.random.default_rng(seed)
    stratum = np.arange(rows) % 3
    time = rng.gamma(2.0, 10.0, rows)
    likert = rng.integers(1, 6, rows).astype(float)
    time[rng.random(rows) < 0.1] = np.nan
    likert[rng.random(rows) < 0.1] = np.nan
    return {
        "weight": rng.uniform(0.5, 3.0, rows),
        "stratum": stratum,
        "psu": stratum * 8 + np.arange(rows) // 3 % 8,
        "time": time,
        "likert": likert,
        "field": rng.choice(["f01", "f02", "f03"], rows),
    }


def design(s: dict[str, Any], **changed: Any) -> SurveyDesign:
    parts = {name: s[name] for name in ("weight", "stratum", "psu")} | changed
    return SurveyDesign(**parts)


# ---- against numpy
@given(
    values=st.lists(st.one_of(st.integers(-3, 9), st.floats(-50, 50)), min_size=1, max_size=30),
    counts=st.lists(st.integers(1, 5), min_size=30, max_size=30),
    share=st.one_of(st.sampled_from([0.1, 0.2, 0.25, 0.5, 0.75, 0.9]), st.floats(0.01, 0.99)),
)
@settings(deadline=None)
def test_weights_as_counts_are_repeated_rows(values: list[float], counts: list[int], share: float) -> None:
    count = np.array(counts[: len(values)])
    repeated = np.repeat(np.array(values, dtype=np.float64), count)
    n = len(repeated)
    if abs(share * n - round(share * n)) < 1e-9 and share * n != round(share * n):
        share = round(share * n) / n  # numpy compares rounded products here, we compare shares to 1e-12
    if not 0 < share < 1:
        return
    y, w = np.array(values, dtype=np.float64), count.astype(np.float64)
    one = distributions(y[:, None], NONE, np.zeros(len(y), dtype=np.int64), 1, w, "math")[0]
    nearest = np.unique([np.quantile(repeated, share + e, method="inverted_cdf") for e in (-1e-13, 0.0)])
    assert one.quantile(np.array([[share]]), "math").item() in nearest
    averaged = one.quantile(np.array([[share]]), "school").item()
    assert averaged == pytest.approx(np.quantile(repeated, share, method="averaged_inverted_cdf"), abs=1e-9)


@pytest.mark.parametrize(
    ("rule", "method"),
    [
        ("math", "inverted_cdf"),
        ("school", "averaged_inverted_cdf"),
        ("hf1", "inverted_cdf"),
        ("hf2", "averaged_inverted_cdf"),
        ("hf4", "interpolated_inverted_cdf"),
        ("hf5", "hazen"),
        ("hf6", "weibull"),
        ("hf7", "linear"),
        ("hf8", "median_unbiased"),
        ("hf9", "normal_unbiased"),
    ],
)
@pytest.mark.parametrize("tied", [False, True])
def test_equal_weights_give_the_rules_of_hyndman_and_fan(rule: Any, method: Any, tied: bool) -> None:
    rng = np.random.default_rng(5)
    y = rng.integers(1, 6, 83).astype(float) if tied else rng.normal(size=83)
    found = quantile(SurveyDesign(np.full(83, 2.5)), y, SHARES, rule=rule)
    assert found.value[0] == pytest.approx(np.quantile(y, SHARES, method=method), rel=1e-12)


@given(seed=st.integers(0, 10**6), rows=st.integers(1, 60))
@settings(max_examples=30, deadline=None)
def test_linear_rule_with_equal_weights_is_numpy_default(seed: int, rows: int) -> None:
    y = np.random.default_rng(seed).normal(size=rows)
    one = distributions(y[:, None], NONE, np.zeros(rows, dtype=np.int64), 1, np.full(rows, 0.3), "hf7")[0]
    assert one.quantile(np.array([SHARES]), "hf7")[0] == pytest.approx(np.quantile(y, SHARES), rel=1e-12, abs=1e-12)


# ---- what must not matter
@pytest.mark.parametrize("rule", ["math", "school"])
@pytest.mark.parametrize("variable", ["time", "likert"])
@given(seed=st.integers(0, 10**6))
@settings(max_examples=10, deadline=None)
def test_scaling_permuting_and_splitting_rows_change_nothing(rule: Any, variable: str, seed: int) -> None:
    s = sample(seed)
    before = quantile(design(s), s[variable], SHARES, by=s["field"], rule=rule)
    order = np.random.default_rng(seed).permutation(len(s["weight"]))
    half = s["weight"].copy()
    half[7] /= 2
    split = {name: np.append(values, values[7]) for name, values in (s | {"weight": half}).items()}
    for t, factor in ((s, 3.0), ({name: values[order] for name, values in s.items()}, 1.0), (split, 1.0)):
        after = quantile(design(t, weight=t["weight"] * factor), t[variable], SHARES, by=t["field"], rule=rule)
        for name in ("value", "se", "ci_low", "ci_high", "df"):
            np.testing.assert_allclose(getattr(after, name), getattr(before, name), rtol=1e-9, err_msg=name)


def test_a_domain_that_is_everything_and_missing_as_a_domain() -> None:
    s = sample(1)
    whole = quantile(design(s), s["time"], SHARES)
    same = quantile(design(s), s["time"], SHARES, by=np.where(np.isnan(s["time"]), None, "answered"))
    for name in ("value", "se", "ci_low", "ci_high", "df", "n"):
        np.testing.assert_array_equal(getattr(whole, name), getattr(same, name))


def test_codes_of_the_missing_are_left_out_like_nan() -> None:
    s = sample(2)
    coded = np.where(np.isnan(s["likert"]), -3, s["likert"]).astype(np.int8)
    a = quantile(design(s), s["likert"], SHARES, by=s["field"], rule="hf7")
    b = quantile(design(s), coded, SHARES, by=s["field"], rule="hf7", missing=(-3,))
    np.testing.assert_array_equal(a.value, b.value)
    np.testing.assert_allclose(a.covariance, b.covariance)


def test_counted_and_sorted_answers_agree() -> None:
    """Whole numbers in a narrow range are counted; the same numbers spread out are sorted."""
    s = sample(3)
    for rule in ("math", "school", "hf3", "hf4", "hf7", "hf8"):
        counted = quantile(design(s), s["likert"], SHARES, by=s["field"], rule=rule)
        spread = quantile(design(s), s["likert"] * 1e6 + 0.5, SHARES, by=s["field"], rule=rule)
        np.testing.assert_allclose(counted.value, (spread.value - 0.5) / 1e6, rtol=1e-12)
        np.testing.assert_allclose(counted.se, spread.se / 1e6, rtol=1e-9)


# ---- Woodruff
@pytest.mark.parametrize("interval", ["mean", "beta", "logit"])
def test_the_interval_is_that_of_the_share_at_or_below_taken_back(interval: Any) -> None:
    s = sample(4)
    here = design(s)
    found = quantile(here, s["time"], 0.6, interval=interval)
    at_most = np.where(np.isnan(s["time"]), np.nan, s["time"] <= found.single.value)
    share = analysis.proportion(here, at_most, interval={"mean": "t"}.get(interval, interval)).single
    for end in ("ci_low", "ci_high"):
        taken_back = quantile(here, s["time"], getattr(share, end)).single.value
        assert getattr(found.single, end) == taken_back
    t = analysis.mean(here, s["time"])
    width = (t.ci_high[0, 0] - t.ci_low[0, 0]) / (2 * t.se[0, 0])
    assert found.single.se == pytest.approx((found.single.ci_high - found.single.ci_low) / (2 * width))
    assert found.single.deff == pytest.approx(share.deff)


def test_calibration_is_carried_through() -> None:
    """The SE is that of a proportion on the calibrated design, and differs from one that forgets the calibration."""
    s = sample(5, 900)
    raked = analysis.post_stratify(design(s), s["field"], {"f01": 500.0, "f02": 700.0, "f03": 400.0})
    forgotten = design(s, weight=raked.weight)
    score = s["time"] + 60.0 * (s["field"] == "f01")
    known, unknown = quantile(raked, score, 0.6), quantile(forgotten, score, 0.6)
    assert known.single.value == unknown.single.value
    assert known.single.se < unknown.single.se
    at_most = np.where(np.isnan(score), np.nan, score <= known.single.value)
    share = analysis.proportion(raked, at_most, interval="t").single
    assert known.single.ci_low == quantile(raked, score, share.ci_low).single.value


def test_replicate_weights_give_the_share_its_variance() -> None:
    s = sample(6)
    replicated = analysis.replicate(design(s), "jackknife")
    found = quantile(replicated, s["time"], [0.3, 0.6], by=s["field"])
    at_most = np.where(np.isnan(s["time"]) | (s["field"] != "f02"), np.nan, s["time"] <= found["f02", ("y", 0.6)].value)
    share = analysis.mean(replicated, at_most).single
    assert (
        found["f02", ("y", 0.6)].ci_high
        == quantile(replicated, s["time"], share.ci_high, by=s["field"])["f02", "y"].value
    )
    np.testing.assert_allclose(np.sqrt(np.diag(found.covariance)), found.se.ravel())


def test_covariance_is_that_of_the_shares_over_the_densities() -> None:
    s = sample(7)
    here = design(s)
    found = quantile(here, s["time"], [0.25, 0.5, 0.75])
    shares = analysis.mean(here, np.where(np.isnan(s["time"])[:, None], np.nan, s["time"][:, None] <= found.value[0]))
    scale = found.se[0] / shares.se[0]
    np.testing.assert_allclose(found.covariance, shares.covariance * np.outer(scale, scale), rtol=1e-12)
    np.testing.assert_allclose(np.diag(found.covariance), found.se[0] ** 2, rtol=1e-12)


def test_the_spread_of_sample_medians_is_what_the_se_says() -> None:
    """And so is that of the distance between two quartiles, which needs their covariance."""
    medians, distances, claimed, apart = [], [], [], []
    for seed in range(300):
        y = np.random.default_rng(seed).normal(size=400)
        found = quantile(SurveyDesign(np.ones(400)), y, [0.25, 0.5, 0.75])
        medians.append(found.value[0, 1])
        distances.append(found.value[0, 2] - found.value[0, 0])
        claimed.append(found.se[0, 1] ** 2)
        cov = found.covariance
        apart.append(cov[0, 0] + cov[2, 2] - 2 * cov[0, 2])
    assert np.sqrt(np.mean(claimed)) == pytest.approx(np.std(medians), rel=0.12)
    assert np.sqrt(np.mean(apart)) == pytest.approx(np.std(distances), rel=0.12)


# ---- edges
def test_likert_answers_with_many_ties() -> None:
    s = sample(8)
    answers = np.full(240, 5.0)
    answers[:3] = 1.0
    found = quantile(design(s), answers, 0.5).single
    assert (found.value, found.ci_low, found.ci_high, found.se) == (5.0, 5.0, 5.0, 0.0)
    assert found.flags == ("se_zero",)
    assert np.isnan(quantile(design(s), answers, 0.5, interval="logit").single.ci_low)


def test_a_share_below_the_weight_of_the_smallest_row_gives_the_smallest() -> None:
    """R's step rules return the second smallest here."""
    here = SurveyDesign(np.array([4.0, 1.0, 1.0, 1.0]))
    for rule in ("math", "school", "hf3"):
        assert quantile(here, np.array([1.0, 2.0, 3.0, 4.0]), 0.1, rule=rule).single.value == 1.0


def test_a_domain_without_answers_has_no_quantile() -> None:
    s = sample(9)
    y = np.where(s["field"] == "f03", np.nan, s["time"])
    found = quantile(design(s), y, [0.5, 0.9], by=s["field"])
    assert np.isnan(found.value[2]).all()
    assert np.isnan(found.ci_low[2]).all()
    assert found.n[2].tolist() == [0, 0]
    assert np.isfinite(found.value[:2]).all()
    assert np.isnan(found.covariance[4:]).all()
    assert np.isfinite(found.covariance[:4, :4]).all()


def test_one_row_and_one_psu() -> None:
    found = quantile(SurveyDesign(np.array([2.0, 3.0])), np.array([7.0, np.nan]), 0.5).single
    assert (found.value, found.n) == (7.0, 1)
    assert np.isnan(found.ci_low)
    assert found.flags[-1] == "no_df"


def test_many_domains() -> None:
    rng = np.random.default_rng(10)
    y, by = rng.normal(size=20_000), rng.integers(0, 9_000, 20_000)
    found = quantile(SurveyDesign(np.ones(20_000)), y, 0.5, by=by)
    for domain in (0, 1_234, len(found.domains) - 1):
        here = y[by == found.domains[domain]]
        assert found.value[domain, 0] == np.quantile(here, 0.5, method="inverted_cdf")


def test_names_of_variables() -> None:
    s = sample(11)
    table = {"time": s["time"], "likert": s["likert"]}
    assert quantile(design(s), table, 0.5).variables == ("time", "likert")
    several = quantile(design(s), table, [0.5, 0.9])
    assert several.variables == (("time", 0.5), ("time", 0.9), ("likert", 0.5), ("likert", 0.9))
    assert several["all", ("likert", 0.9)].value == quantile(design(s), table, 0.9)["all", "likert"].value


def test_contrast_of_quantiles() -> None:
    s = sample(12)
    found = quantile(design(s), s["time"], [0.25, 0.75])
    apart = analysis.contrast(found, np.array([[-1.0, 1.0]])).single
    assert apart.value == pytest.approx(found.value[0, 1] - found.value[0, 0])
    cov = found.covariance
    assert apart.se == pytest.approx(np.sqrt(cov[0, 0] + cov[1, 1] - 2 * cov[0, 1]))


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        ({"q": 0.0}, "between 0 and 1"),
        ({"q": 50}, "between 0 and 1"),
        ({"q": []}, "not a share"),
        ({"q": "0.5"}, "not a share"),
        ({"q": [0.5, np.nan]}, "between 0 and 1"),
        ({"q": [0.5, 0.5]}, "twice"),
        ({"q": 0.5, "rule": "shahvaish"}, "no rule"),
        ({"q": 0.5, "interval": "score"}, "no interval"),
        ({"q": 0.5, "level": 95}, "level"),
        ({"q": 0.5, "df": "other"}, "df"),
    ],
)
def test_bad_options_are_named(arguments: dict[str, Any], word: str) -> None:
    s = sample(13)
    with pytest.raises(AnalysisError, match=word) as caught:
        quantile(design(s), s["time"], **arguments)
    assert all(problem.where and problem.remedy for problem in caught.value.problems)


@pytest.mark.parametrize("y", [np.ones(3), np.full(240, "a"), np.full(240, np.inf)])
def test_bad_answers_are_named(y: Any) -> None:
    with pytest.raises(AnalysisError):
        quantile(design(sample(14)), y, 0.5)


def test_negative_weights_are_refused() -> None:
    """A distribution function that falls has no quantile."""
    x = np.linspace(-1.0, 1.0, 40)
    calibrated = analysis.calibrate(SurveyDesign(np.ones(40)), x, 25.0)
    assert calibrated.weight.min() < 0
    with pytest.raises(AnalysisError, match="weights ≥ 0"):
        quantile(calibrated, x, 0.5)
