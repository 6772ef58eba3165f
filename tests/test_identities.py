"""Identities that hold for every design and every estimator, whatever the data.

Calibration's own identities: tests/test_calibration.py. Agreement of the engines: tests of the engines.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis import Estimates, IndexSpec, SurveyDesign
from analysis.replication.replicates import replicate, replicate_design

seeds = st.integers(0, 10**6)
few = settings(max_examples=3, deadline=None)
ITEMS = ("q1", "q2", "q3")
EVERY = ("value", "se", "ci_low", "ci_high", "df", "deff", "n", "n_eff")


@dataclass(frozen=True)
class Rows:
    """Rows of a sample of villages within communes within strata, each with what was asked."""

    weight: np.ndarray
    stratum: np.ndarray
    commune: np.ndarray
    village: np.ndarray
    domain: np.ndarray
    sex: np.ndarray
    answers: dict[str, np.ndarray] = field(default_factory=dict)

    @property
    def n(self) -> int:
        return len(self.weight)

    @property
    def y(self) -> np.ndarray:
        return self.answers["q1"]

    @property
    def satisfied(self) -> np.ndarray:
        return np.where(np.isnan(self.y), np.nan, self.y >= 4)

    def take(self, rows: np.ndarray) -> "Rows":
        columns = (self.weight, self.stratum, self.commune, self.village, self.domain, self.sex)
        return Rows(*(column[rows] for column in columns), {item: q[rows] for item, q in self.answers.items()})


def draw(seed: int, strata: int = 4, communes: int = 4, villages: int = 3, rows: int = 5) -> Rows:
    rng = np.random.default_rng(seed)
    village = np.repeat(np.arange(strata * communes * villages), rows)
    commune, n = village // villages, len(village)
    liking = rng.normal(0, 0.6, strata * communes)[commune]
    answers = {item: np.clip(np.rint(3.7 + liking + rng.normal(0, 1, n)), 1, 5) for item in ITEMS}
    for q in answers.values():
        q[rng.random(n) < 0.1] = np.nan
    sex = np.where(np.arange(n) % 2, "f", "m")
    return Rows(rng.uniform(1, 9, n), commune // communes, commune, village, rng.choice(["a", "b"], n), sex, answers)


# ---- every design
def stratified(s: Rows) -> SurveyDesign:
    return SurveyDesign(s.weight, s.stratum, s.commune)


def unstratified(s: Rows) -> SurveyDesign:
    return SurveyDesign(s.weight, psu=s.commune)


def two_stages(s: Rows) -> SurveyDesign:
    return SurveyDesign(s.weight, s.stratum, [s.commune, s.village], [6 + s.stratum, np.full(s.n, 7)])


def raked(s: Rows) -> SurveyDesign:
    size = s.weight.sum()
    targets = {"f": 0.45 * size, "m": 0.55 * size}, {h: (0.2 + 0.04 * h) / 1.04 * size for h in range(4)}
    return analysis.rake(stratified(s), {"sex": (s.sex, targets[0]), "stratum": (s.stratum, targets[1])})


def jackknifed(s: Rows) -> SurveyDesign:
    return replicate(SurveyDesign(s.weight, s.stratum, s.commune, 6 + s.stratum), "jackknife")


def bootstrapped(s: Rows) -> SurveyDesign:
    return replicate(stratified(s), "bootstrap", replicates=30, seed=1, centre="estimate")


def halved(s: Rows) -> SurveyDesign:
    return replicate(stratified(s), "fay", rho=0.4)


def jackknifed_and_post_stratified(s: Rows) -> SurveyDesign:
    size = s.weight.sum()
    return analysis.post_stratify(replicate(stratified(s), "jackknife"), s.sex, {"f": 0.45 * size, "m": 0.55 * size})


def brought(s: Rows) -> SurveyDesign:
    made = jackknifed(s).replicates
    columns = np.column_stack([made.weights(r, s.weight) for r in range(made.count)])
    return replicate_design(s.weight, pd.DataFrame(columns), made.scale, made.rscales)


PLAIN = (stratified, unstratified, two_stages, raked)
REPLICATED = (jackknifed, bootstrapped, halved, jackknifed_and_post_stratified, brought)
DESIGNS = PLAIN + REPLICATED


# ---- every estimator
def mean(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.mean(d, np.column_stack([s.answers[item] for item in ITEMS]), by=by)


def total(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.total(d, s.y, by=by)


def ratio(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.ratio(d, s.y, s.answers["q2"], by=by)


def proportion(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.proportion(d, s.satisfied, by=by)


def composite(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    scores = np.column_stack([s.answers[item] for item in ITEMS])
    return analysis.composite(d, scores, np.ones(s.n), [0.5, -1.0, 2.0], by=by)


def index(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.index(d, s.answers, IndexSpec(ITEMS), roll_up="item_mean", by=by)


def quantile(d: SurveyDesign, s: Rows, by: Any) -> Estimates:
    return analysis.quantile(d, s.answers["q1"] + s.answers["q2"] / 8, [0.3, 0.6], by=by)


ESTIMATORS = (mean, total, ratio, proportion, composite, index, quantile)
Estimator = Callable[[SurveyDesign, Rows, Any], Estimates]
Design = Callable[[Rows], SurveyDesign]
on_all = pytest.mark.parametrize("estimate", ESTIMATORS, ids=lambda f: f.__name__)
on_all_designs = pytest.mark.parametrize("design", DESIGNS, ids=lambda f: f.__name__)


def same(a: Estimates, b: Estimates, columns: tuple[str, ...] = EVERY, rtol: float = 1e-8) -> None:
    for name in columns:
        np.testing.assert_allclose(getattr(a, name), getattr(b, name), rtol=rtol, atol=1e-12, err_msg=name)


# ---- identities
@on_all
@on_all_designs
@given(seeds)
@few
def test_a_domain_that_is_everything(design: Design, estimate: Estimator, seed: int) -> None:
    s = draw(seed)
    d = design(s)
    same(estimate(d, s, np.full(s.n, "one")), estimate(d, s, None), rtol=1e-11)


@on_all
@on_all_designs
@given(seeds, st.integers(0, 239), st.floats(0.1, 0.9))
@few
def test_splitting_a_row_within_its_psu(design: Design, estimate: Estimator, seed: int, row: int, part: float) -> None:
    s = draw(seed)
    split = s.take(np.append(np.arange(s.n), row))
    split.weight[-1] = s.weight[row] * (1 - part)
    split.weight[row] = s.weight[row] * part
    same(estimate(design(split), split, split.domain), estimate(design(s), s, s.domain), ("value", "se", "df"))


@on_all
@on_all_designs
@given(seeds, st.floats(1e-3, 1e3))
@few
def test_scaling_the_weights(design: Design, estimate: Estimator, seed: int, factor: float) -> None:
    s = draw(seed)
    ours, scaled = estimate(design(s), s, s.domain), estimate(design(replace(s, weight=s.weight * factor)), s, s.domain)
    if estimate is not total:
        same(scaled, ours)
        return
    same(scaled, ours, ("df", "deff", "n", "n_eff"))
    for name in ("value", "se", "ci_low", "ci_high"):
        np.testing.assert_allclose(getattr(scaled, name), factor * getattr(ours, name), rtol=1e-8)


@on_all
@pytest.mark.parametrize("design", [d for d in DESIGNS if d is not halved], ids=lambda f: f.__name__)
@given(seeds, st.randoms(use_true_random=False))
@few
def test_permuting_the_rows(design: Design, estimate: Estimator, seed: int, shuffle: Any) -> None:
    """Not of balanced halves: which half a PSU is in goes by the order of the rows, as in R."""
    s = draw(seed)
    order = list(range(s.n))
    shuffle.shuffle(order)
    t = s.take(np.array(order))
    same(estimate(design(t), t, [t.domain, t.sex]), estimate(design(s), s, [s.domain, s.sex]))


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_rows_that_are_psus_without_strata_have_the_linearised_variance_of_the_textbook(seed: int) -> None:
    s = draw(seed)
    found = analysis.mean(SurveyDesign(s.weight), s.y)
    w, y = np.where(np.isnan(s.y), 0, s.weight), np.nan_to_num(s.y)
    value = (w * y).sum() / w.sum()
    variance = s.n / (s.n - 1) * ((w * (y - value) / w.sum()) ** 2).sum()
    assert (found.single.value, found.single.se) == pytest.approx((value, np.sqrt(variance)), rel=1e-12)
    whole = analysis.total(SurveyDesign(s.weight), s.y)
    assert whole.single.se**2 == pytest.approx(s.n / (s.n - 1) * ((w * y - (w * y).mean()) ** 2).sum(), rel=1e-12)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_a_census_at_every_stage_has_no_variance(seed: int) -> None:
    s = draw(seed)
    census = SurveyDesign(s.weight, s.stratum, [s.commune, s.village], [np.full(s.n, 4), np.full(s.n, 3)])
    for estimate in ESTIMATORS:
        assert (estimate(census, s, s.domain).se == 0).all(), estimate.__name__
    first = SurveyDesign(s.weight, s.stratum, [s.commune, s.village], [np.full(s.n, 4), np.full(s.n, 9)])
    assert (mean(first, s, s.domain).se > 0).all()


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_cluster_robust_regression_of_statsmodels(seed: int) -> None:
    """Means by domain are the coefficients of a weighted regression on indicators; G/(G − 1) is our n/(n − 1)."""
    import statsmodels.api as sm

    s = draw(seed)
    kept = ~np.isnan(s.y)
    x = np.column_stack([s.domain == "a", s.domain == "b"])[kept].astype(float)
    clusters = {"groups": s.commune[kept], "use_correction": False}
    fit = sm.WLS(s.y[kept], x, weights=s.weight[kept]).fit(cov_type="cluster", cov_kwds=clusters)
    found = analysis.mean(SurveyDesign(s.weight, psu=s.commune), s.y, by=s.domain)
    assert found.value.ravel() == pytest.approx(fit.params, rel=1e-11)
    assert found.covariance == pytest.approx(fit.cov_params() * 16 / 15, rel=1e-9, abs=1e-14)


# ---- replicates against Taylor
@given(seeds)
@settings(max_examples=10, deadline=None)
def test_jackknife_of_totals_is_taylor_exactly(seed: int) -> None:
    s = draw(seed)
    for fpc in (None, 6 + s.stratum):
        base = SurveyDesign(s.weight, s.stratum, s.commune, fpc)
        ours, taylor = (analysis.total(d, s.y, by=s.domain) for d in (replicate(base, "jackknife"), base))
        same(ours, taylor, ("value", "se"))
        assert ours.covariance == pytest.approx(taylor.covariance, rel=1e-8)
    base = SurveyDesign(s.weight, psu=s.commune)
    same(*(analysis.total(d, s.y, by=s.domain) for d in (replicate(base, "jackknife"), base)), ("value", "se", "df"))


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_balanced_halves_of_totals_are_taylor_exactly(seed: int) -> None:
    s = draw(seed, strata=7, communes=2)
    for method, rho in (("brr", 0.0), ("fay", 0.3), ("fay", 0.7)):
        ours, taylor = (
            analysis.total(d, s.y, by=s.domain) for d in (replicate(stratified(s), method, rho=rho), stratified(s))
        )
        same(ours, taylor, ("value", "se"))
        assert ours.covariance == pytest.approx(taylor.covariance, rel=1e-8)


@pytest.mark.parametrize("estimate", [mean, ratio, proportion, composite, index], ids=lambda f: f.__name__)
def test_jackknife_of_what_is_not_linear_is_near_taylor(estimate: Estimator) -> None:
    s = draw(5, communes=30)
    found = estimate(replicate(stratified(s), "jackknife"), s, s.domain)
    taylor = estimate(stratified(s), s, s.domain)
    same(found, taylor, ("value", "df", "n"))
    assert found.se == pytest.approx(taylor.se, rel=0.02)
    assert not np.allclose(found.se, taylor.se, rtol=1e-9)


@pytest.mark.parametrize("kind", ["rao_wu", "canty_davison", "preston"])
def test_bootstrap_is_near_taylor(kind: str) -> None:
    s = draw(6, communes=10)
    base = SurveyDesign(s.weight, s.stratum, s.commune, None if kind == "rao_wu" else np.full(s.n, 25))
    made = replicate(base, "bootstrap", replicates=4000, seed=1, kind=kind)
    for estimate in (mean, total, index):
        found, taylor = estimate(made, s, s.domain), estimate(base, s, s.domain)
        same(found, taylor, ("value", "n"))
        assert found.se == pytest.approx(taylor.se, rel=0.06)  # 5 standard errors of the simulation


# ---- brought and made
@on_all
@pytest.mark.parametrize("design", [jackknifed, bootstrapped, halved], ids=lambda f: f.__name__)
def test_replicates_brought_are_those_made(design: Design, estimate: Estimator) -> None:
    s = draw(7)
    d = design(s)
    made = d.replicates
    columns = np.column_stack([made.weights(r, s.weight) for r in range(made.count)])
    read = replicate_design(s.weight, columns, made.scale, made.rscales, centre=made.centre)
    ours, theirs = estimate(read, s, s.domain), estimate(d, s, s.domain)
    same(ours, theirs)
    assert ours.covariance == pytest.approx(theirs.covariance, rel=1e-7, abs=1e-12)
