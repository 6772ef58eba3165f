"""The index: item methods, roll-ups, their variance as a whole, their intervals."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, IndexSpec, SurveyDesign, answer_shares, index, kish, mean, proportion, rake
from analysis.intervals import clopper_pearson, logit
from tests.textbook import Sample, design_variance, draw

seeds = st.integers(0, 10**6)
SPEC = IndexSpec(("q1", "q2", "q3", "q4"), {"A": ("I", ("q1", "q2")), "B": ("II", ("q3", "q4"))})
SCORE = {
    "top2": lambda q: np.where(np.isnan(q), np.nan, 100.0 * (q >= 4)),
    "mean5": lambda q: 100 * q / 5,
    "mean01": lambda q: 100 * (q - 1) / 4,
}


def design_of(sample: Sample) -> SurveyDesign:
    return SurveyDesign(sample.weight, sample.stratum, sample.psu)


def sums(s: Sample, method: str, items: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Weighted scores and valid answers of each row over the items."""
    scores = np.column_stack([SCORE[method](s.answers[item]) for item in items])
    return s.weight * np.nansum(scores, axis=1), s.weight * (~np.isnan(scores)).sum(axis=1)


@pytest.mark.parametrize("method", ["top2", "mean5", "mean01"])
def test_pooled_is_linearised_whole(method: str) -> None:
    s = draw(1, missing=0.3)
    top, bottom = sums(s, method, SPEC.items)
    value = top.sum() / bottom.sum()
    error = np.sqrt(design_variance((top - value * bottom) / bottom.sum(), s.stratum, s.psu)[0, 0])
    found = index(design_of(s), s.answers, SPEC, method)["all", "index"]
    assert (found.value, found.se) == pytest.approx((value, error))
    assert found.n == np.any([~np.isnan(q) for q in s.answers.values()], axis=0).sum()


@pytest.mark.parametrize("roll_up", ["item_mean", "factor_mean", "area_mean"])
def test_means_of_parts_covary(roll_up: str) -> None:
    s = draw(2, missing=0.3)
    found = index(design_of(s), s.answers, SPEC, "mean01", roll_up, by=s.group)
    parts = SPEC.areas.values() if roll_up == "area_mean" else [(item,) for item in SPEC.items]
    for g in "xy":
        inside = np.where(s.group == g, 1, 0)
        value, score = 0.0, np.zeros(len(inside))
        for items in parts:
            top, bottom = (inside * column for column in sums(s, "mean01", items))
            value += top.sum() / bottom.sum() / len(parts)
            score += (top - top.sum() / bottom.sum() * bottom) / bottom.sum() / len(parts)
        estimate = found[g, "index"]
        assert estimate.value == pytest.approx(value)
        assert estimate.se == pytest.approx(np.sqrt(design_variance(score, s.stratum, s.psu)[0, 0]))


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_pooled_with_one_item_is_the_proportion(seed: int) -> None:
    s = draw(seed)
    spec = IndexSpec(("q1",), {"A": ("I", ("q1",))})
    found = index(design_of(s), s.answers, spec, by=s.domain)
    share = proportion(design_of(s), SCORE["top2"](s.y) / 100, by=s.domain)
    for variable in range(3):  # index, factor, item
        for name, factor in (("value", 100), ("se", 100), ("df", 1), ("n", 1), ("deff", 1)):
            np.testing.assert_allclose(
                getattr(found, name)[:, variable], factor * getattr(share, name)[:, 0], rtol=1e-9
            )
    np.testing.assert_allclose(found.ci_low[:, 2], 100 * share.ci_low[:, 0])


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_area_mean_with_one_area_is_pooled(seed: int) -> None:
    s = draw(seed, missing=0.4)
    one = IndexSpec(SPEC.items, {code: ("I", items) for code, (_, items) in SPEC.factors.items()})
    area, pooled = (index(design_of(s), s.answers, one, "mean5", r, by=s.domain) for r in ("area_mean", "pooled"))
    for name in ("value", "se", "ci_low", "ci_high", "deff", "n"):
        np.testing.assert_allclose(getattr(area, name)[:, 0], getattr(pooled, name)[:, 0], rtol=1e-9)


@given(seeds)
@settings(max_examples=10, deadline=None)
def test_item_scores_are_means_whatever_the_roll_up(seed: int) -> None:
    s = draw(seed)
    for roll_up in ("pooled", "item_mean", "factor_mean", "area_mean"):
        found = index(design_of(s), s.answers, SPEC, "mean5", roll_up)
        items = mean(design_of(s), {item: SCORE["mean5"](s.answers[item]) for item in SPEC.items})
        np.testing.assert_allclose(found.value[:, 3:], items.value)
        np.testing.assert_allclose(found.covariance[3:, 3:], items.covariance, rtol=1e-8, atol=1e-12)


def test_factor_scores_are_pooled_under_pooled_else_means_of_items() -> None:
    s = draw(3, missing=0.4)
    top, bottom = sums(s, "top2", ("q1", "q2"))
    pooled, means = (index(design_of(s), s.answers, SPEC, roll_up=r) for r in ("pooled", "factor_mean"))
    assert pooled["all", "factor:A"].value == pytest.approx(top.sum() / bottom.sum())
    assert means["all", "factor:A"].value == pytest.approx(means.value[0, 3:5].mean())
    assert means["all", "index"].value == pytest.approx(means.value[0, 1:3].mean())


def test_an_item_without_answers_leaves_only_pooled_defined() -> None:
    s = draw(4)
    s.answers["q4"][s.domain == "b"] = np.nan
    for roll_up in ("item_mean", "factor_mean", "area_mean"):
        found = index(design_of(s), s.answers, SPEC, roll_up=roll_up, by=s.domain)
        assert np.isnan(found.value[:, 0]).tolist() == [False, True, False]
        assert np.isnan(found["b", "factor:B"].value) and not np.isnan(found["b", "factor:A"].value)
    assert index(design_of(s), s.answers, SPEC, by=s.domain)["b", "index"].value > 0


def test_negative_codes_and_nan_are_both_missing() -> None:
    s = draw(5)
    codes = {item: np.where(np.isnan(q), -1 - i, q).astype(np.int8) for i, (item, q) in enumerate(s.answers.items())}
    a, b = (index(design_of(s), answers, SPEC, by=s.domain) for answers in (codes, s.answers))
    np.testing.assert_array_equal([a.value, a.se, a.ci_low], [b.value, b.se, b.ci_low])


# ---- intervals
@pytest.mark.parametrize(("method", "low"), [("top2", 0), ("mean5", 20), ("mean01", 0)])
def test_the_index_has_a_logit_interval_on_its_own_range(method: str, low: float) -> None:
    s = draw(6)
    found = index(design_of(s), s.answers, SPEC, method)
    assert found.interval == ("logit",) * 3 + (("korn_graubard",) * 4 if method == "top2" else ("logit",) * 4)
    first = (found.value[:, :1], found.se[:, :1], found.df[:, :1])
    ends = logit(*first, 0.95, low=low, high=100)
    np.testing.assert_allclose([found.ci_low[:, :1], found.ci_high[:, :1]], ends)


def test_when_everybody_is_satisfied_the_interval_rests_on_kishs_size() -> None:
    s = draw(7)
    answers = {item: np.where(np.isnan(q), -1, 5) for item, q in s.answers.items()}
    for method in ("top2", "mean5", "mean01"):
        found = index(design_of(s), answers, SPEC, method)["all", "index"]
        valid = np.any([q > 0 for q in answers.values()], axis=0)
        size = np.array([kish(s.weight[valid]).n_eff_kish])
        bottom = 20 if method == "mean5" else 0
        expected = bottom + (100 - bottom) * clopper_pearson(np.array([1.0]), size, 0.95)[0][0]
        assert (found.value, found.ci_high, found.flags) == (100, 100, ("se_zero",))
        assert found.ci_low == pytest.approx(expected)


def test_raked_index_is_narrower_where_the_margin_explains_it() -> None:
    s = draw(8, missing=0)
    s.answers = {item: np.where(s.group == "x", 5, np.where(np.arange(240) % 4, 2, 5)) for item in SPEC.items}
    raked = rake(
        design_of(s), {"g": (s.group, {"x": 100.0, "y": 100.0}), "d": (s.domain, dict.fromkeys("abc", 200 / 3))}
    )
    plain = index(design_of(s), s.answers, SPEC, interval="t").covariance[0, 0]
    assert index(raked, s.answers, SPEC, interval="t").covariance[0, 0] < plain / 2


def test_answer_shares_show_the_mix_of_items() -> None:
    s = draw(9, missing=0)
    s.answers["q3"][s.group == "x"] = np.nan
    shares = answer_shares(design_of(s), s.answers, SPEC, by=s.group)
    np.testing.assert_allclose(shares.value, [[2 / 3, 1 / 3], [0.5, 0.5]])
    assert shares.variables == ("factor:A", "factor:B")


# ---- refusals
S = draw(10)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: IndexSpec(()), ["needs items"]),
        (lambda: IndexSpec(("q1", "q1")), ["each once"]),
        (lambda: IndexSpec(("q1",), {"A": ("I", ("q9",))}), ["q9", "factor A"]),
        (lambda: IndexSpec(("q1",), {"A": ("I", ())}), ["no items", "factor A"]),
        (lambda: IndexSpec(("q1",), {"A": ("I", ("q1",)), "B": ("I", ("q1",))}), ["two factors", "A and B"]),
        (lambda: index(design_of(S), {}, SPEC), ["item q1", "item q4"]),
        (lambda: index(design_of(S), S.answers | {"q2": np.full(240, 7)}, SPEC), ["7", "item q2, row 0"]),
        (lambda: index(design_of(S), S.answers | {"q2": np.full(240, 0)}, SPEC), ["0, not one of 1 to 5"]),
        (lambda: index(design_of(S), S.answers | {"q2": np.full(240, 2.5)}, SPEC), ["2.5"]),
        (lambda: index(design_of(S), S.answers | {"q2": np.ones(3)}, SPEC), ["(3,)", "item q2"]),
        (lambda: index(design_of(S), S.answers, SPEC, "top3"), ["'top3'", "mean01"]),
        (lambda: index(design_of(S), S.answers, SPEC, roll_up="mean"), ["'mean'", "factor_mean"]),
        (lambda: index(design_of(S), S.answers, SPEC, interval="wald"), ["'wald'"]),
        (lambda: index(design_of(S), S.answers, IndexSpec(SPEC.items), roll_up="factor_mean"), ["needs factors"]),
    ],
)
def test_it_is_refused_by_name(call: Any, words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
