"""Intervals of shares: formulas, limits, and what happens where all answers are alike."""

import numpy as np
import pytest

from analysis import SurveyDesign, kish, mean, proportion
from analysis.intervals import beta, clopper_pearson, korn_graubard, logit, t, wilson
from tests.textbook import draw


def one(*numbers: float) -> list[np.ndarray]:
    return [np.array([x]) for x in numbers]


def ends(interval: tuple[np.ndarray, np.ndarray]) -> tuple[float, float]:
    return float(interval[0][0]), float(interval[1][0])


@pytest.mark.parametrize(
    ("p", "size", "expected"),
    [  # R: qbeta(c(.025, .975), x + c(0, 1), n - x + c(1, 0))
        (0.0, 10, (0.0, 0.3084971078187608)),
        (1.0, 10, (0.6915028921812392, 1.0)),
        (0.5, 10, (0.1870860284474045, 0.8129139715525955)),
        (0.9, 50, (0.7818644646335264, 0.9667247604544212)),
    ],
)
def test_clopper_pearson(p: float, size: float, expected: tuple[float, float]) -> None:
    assert ends(clopper_pearson(*one(p, size), 0.95)) == pytest.approx(expected, rel=1e-6)


def test_korn_graubard_is_clopper_pearson_on_the_adjusted_size_capped_at_n() -> None:
    p, se, df, n = 0.8, 0.03, 20, 400
    from scipy.stats import t as student  # an independent quantile

    size = p * (1 - p) / se**2 * (student.ppf(0.975, n - 1) / student.ppf(0.975, df)) ** 2
    assert ends(korn_graubard(*one(p, se, df, n), 0.95)) == pytest.approx(ends(clopper_pearson(*one(p, size), 0.95)))
    assert ends(korn_graubard(*one(p, se, df, 50), 0.95)) == pytest.approx(ends(clopper_pearson(*one(p, 50), 0.95)))
    assert ends(beta(*one(p, se, df, n), 0.95)) == pytest.approx(ends(korn_graubard(*one(p, se, df, n), 0.95)))
    assert np.diff(ends(beta(*one(p, 0.001, df, 50), 0.95))) < np.diff(ends(clopper_pearson(*one(p, 50), 0.95)))


def test_logit_stays_in_its_range_where_t_leaves_it() -> None:
    low, high = ends(logit(*one(0.98, 0.015, 15), 0.95))
    assert 0 < low < 0.98 < high < 1 < ends(t(*one(0.98, 0.015, 15), 0.95))[1]
    low, high = ends(logit(*one(97.0, 2.0, 15), 0.95, low=20, high=100))
    shifted = ends(logit(*one((97 - 20) / 80, 2 / 80, 15), 0.95))
    assert (low, high) == pytest.approx((20 + 80 * shifted[0], 20 + 80 * shifted[1]))


def test_wilson_holds_the_share_and_is_capped() -> None:
    low, high = ends(wilson(*one(0.9, 0.02, 200, 300), 0.95))
    assert 0 < low < 0.9 < high < 1
    assert ends(wilson(*one(0.9, 0.0001, 200, 300), 0.95)) == pytest.approx(
        ends(wilson(*one(0.9, np.sqrt(0.09 / 300), 200, 300), 0.95))
    )


@pytest.mark.parametrize("interval", ["korn_graubard", "beta", "logit", "wilson"])
@pytest.mark.parametrize("answer", [0, 1])
def test_when_all_answers_are_alike_the_size_is_kishs(interval: str, answer: int) -> None:
    s = draw(2)
    y = np.where(s.domain == "a", answer, s.domain == "b")
    found = proportion(SurveyDesign(s.weight, s.stratum, s.psu), y, by=s.domain, interval=interval)["a", "y"]
    size = kish(s.weight[s.domain == "a"]).n_eff_kish
    assert found.se == 0 and found.flags == ("se_zero",)
    assert (found.ci_low, found.ci_high) == pytest.approx(ends(clopper_pearson(*one(answer, size), 0.95)))
    assert size < found.n


def test_proportion_is_the_mean_and_t_is_its_interval() -> None:
    s = draw(3)
    design, y = SurveyDesign(s.weight, s.stratum, s.psu), np.where(np.isnan(s.y), np.nan, s.y >= 4)
    a, b = mean(design, y, by=s.domain, level=0.9), proportion(design, y, by=s.domain, level=0.9, interval="t")
    for name in ("value", "se", "ci_low", "ci_high", "df", "deff"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


def test_the_interval_follows_the_chosen_degrees_of_freedom() -> None:
    s = draw(4)
    design, y = SurveyDesign(s.weight, s.stratum, s.psu), np.where(np.isnan(s.y), np.nan, s.y >= 4)
    only = np.where(np.isin(s.psu, ["h0p0", "h0p1", "h1p0", "h1p1"]), "few", None)
    narrow, wide = (proportion(design, y, by=only, df=df).single for df in ("design", "domain"))
    assert (narrow.df, wide.df) == (16, 2)
    assert wide.ci_high - wide.ci_low > narrow.ci_high - narrow.ci_low
