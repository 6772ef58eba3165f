"""Post-stratification and raking: exact totals, residual variances, and refusals that name what is wrong."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, SurveyDesign, composite, mean, post_stratify, proportion, rake, ratio, total
from tests.textbook import Sample, design_variance, draw, indicators, raked, residuals

seeds = st.integers(0, 10**6)


def design_of(sample: Sample) -> SurveyDesign:
    return SurveyDesign(sample.weight, sample.stratum, sample.psu)


def totals_of(labels: np.ndarray, factor: float = 1.0, weight: np.ndarray | None = None) -> dict[str, float]:
    weight = np.ones(len(labels)) if weight is None else weight
    return {label: factor * weight[labels == label].sum() for label in np.unique(labels)}


def margins_of(sample: Sample) -> dict[str, tuple[np.ndarray, dict[str, float]]]:
    """Two margins that agree in their total and differ from the sample's."""
    size = float(len(sample.y))
    domain = dict(zip("abc", size * np.array([0.5, 0.3, 0.2]), strict=True))
    return {"domain": (sample.domain, domain), "group": (sample.group, {"x": 0.6 * size, "y": 0.4 * size})}


# ---- weights
@given(seeds)
@settings(max_examples=20, deadline=None)
def test_raked_margins_are_exact(seed: int) -> None:
    s = draw(seed)
    found = rake(design_of(s), margins_of(s))
    for labels, totals in margins_of(s).values():
        for label, expected in totals.items():
            assert found.weight[labels == label].sum() == pytest.approx(expected, rel=1e-10)
    np.testing.assert_allclose(found.weight, raked(s.weight, list(margins_of(s).values())), rtol=1e-8)


@given(seeds)
@settings(max_examples=20, deadline=None)
def test_totals_the_weights_already_have_change_no_weight_and_no_value(seed: int) -> None:
    s = draw(seed)
    cells = np.char.add(s.domain, s.group)
    design = design_of(s)
    for found in (
        post_stratify(design, cells, totals_of(cells, weight=s.weight)),
        rake(design, {name: (c, totals_of(c, weight=s.weight)) for name, c in (("d", s.domain), ("g", s.group))}),
    ):
        np.testing.assert_allclose(found.weight, s.weight, rtol=1e-9)
        a, b = mean(found, s.y, by=s.domain), mean(design, s.y, by=s.domain)
        np.testing.assert_allclose(a.value, b.value)
        np.testing.assert_array_equal(a.df, b.df)


def test_post_stratified_cells_are_exact_and_their_counts_have_no_error() -> None:
    s = draw(1)
    found = post_stratify(design_of(s), s.domain, {"a": 500, "b": 300, "c": 200})
    counts = total(found, np.ones(len(s.y)), by=s.domain)
    np.testing.assert_allclose(counts.value[:, 0], [500, 300, 200])
    np.testing.assert_array_equal(counts.se, 0)
    np.testing.assert_allclose(found.base_weight, s.weight)


def test_one_margin_is_post_stratification() -> None:
    s = draw(2)
    totals = {"a": 500, "b": 300, "c": 200}
    a, b = rake(design_of(s), {"d": (s.domain, totals)}), post_stratify(design_of(s), s.domain, totals)
    np.testing.assert_allclose(a.weight, b.weight)
    np.testing.assert_allclose(mean(a, s.y, by=s.group).covariance, mean(b, s.y, by=s.group).covariance)


# ---- variance
def expected_variance(s: Sample, design: SurveyDesign, score: np.ndarray, steps: list[Any]) -> np.ndarray:
    for x, before, after in steps:
        score = residuals(score, x, before, after)
    return design_variance(score, s.stratum, s.psu)


def mean_score(s: Sample, weight: np.ndarray, item: str, inside: np.ndarray) -> np.ndarray:
    valid = ~np.isnan(s.answers[item]) & inside
    w, y = np.where(valid, weight, 0), np.nan_to_num(s.answers[item])
    return w * (y - (w * y).sum() / w.sum()) / w.sum()


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_variance_is_that_of_the_residuals_also_in_domains(seed: int) -> None:
    s = draw(seed)
    margins = margins_of(s)
    design = rake(design_of(s), margins)
    steps = [(indicators(s.domain, s.group), s.weight, design.weight)]
    scores = np.column_stack(
        [mean_score(s, design.weight, item, s.stratum == h) for h in np.unique(s.stratum) for item in ("q1", "q2")]
    )
    expected = expected_variance(s, design, scores, steps)
    found = mean(design, {item: s.answers[item] for item in ("q1", "q2")}, by=s.stratum)
    np.testing.assert_allclose(found.se.ravel() ** 2, np.diag(expected), rtol=1e-8)
    np.testing.assert_allclose(found.covariance, expected, rtol=1e-7, atol=1e-12)


@given(seeds)
@settings(max_examples=15, deadline=None)
def test_adjustments_in_a_row_take_residuals_in_the_order_made(seed: int) -> None:
    s = draw(seed)
    first = post_stratify(design_of(s), s.stratum, totals_of(s.stratum, 7.0))
    second = rake(first, margins_of(s))
    third = post_stratify(second, s.group, {"x": 40.0, "y": 90.0})
    steps = [
        (indicators(s.stratum), s.weight, first.weight),
        (indicators(s.domain, s.group), first.weight, second.weight),
        (indicators(s.group), second.weight, third.weight),
    ]
    # as R does: each step regresses the score over its own final weight, so the steps that follow stay in it
    score = mean_score(s, third.weight, "q1", s.domain == "a")
    expected = expected_variance(s, third, score, steps)[0, 0]
    assert mean(third, s.y, by=s.domain)["a", "y"].se ** 2 == pytest.approx(expected, rel=1e-7)


def test_every_estimator_carries_the_residuals() -> None:
    s = draw(3, missing=0)
    design = rake(design_of(s), margins_of(s))
    w, x = design.weight, s.answers["q2"]
    steps = [(indicators(s.domain, s.group), s.weight, w)]
    share = (w * s.y).sum() / (w * x).sum()
    top = (s.y >= 4).astype(float)
    cases = [
        (total(design, s.y), w * s.y),
        (ratio(design, s.y, x), w * (s.y - share * x) / (w * x).sum()),
        (proportion(design, top), w * (top - np.average(top, weights=w)) / w.sum()),
        (composite(design, s.y, x, [3.0]), 3 * w * (s.y - share * x) / (w * x).sum()),
    ]
    for found, score in cases:
        assert found.single.se**2 == pytest.approx(expected_variance(s, design, score, steps)[0, 0], rel=1e-8)
        assert found.covariance[0, 0] == pytest.approx(found.single.se**2)


def test_margins_that_fall_apart_into_groups_of_classes() -> None:
    s = draw(4)
    other = np.where(s.domain == "a", s.group, np.char.add(s.group, "2"))  # a meets x, y only; b, c meet x2, y2 only
    margins = {"d": (s.domain, totals_of(s.domain, 3.0)), "g": (other, totals_of(other, 3.0))}
    design = rake(design_of(s), margins)
    score = mean_score(s, design.weight, "q1", s.stratum == "h0")
    steps = [(indicators(s.domain, other), s.weight, design.weight)]
    found = mean(design, s.y, by=s.stratum)["h0", "y"]
    assert found.se**2 == pytest.approx(expected_variance(s, design, score, steps)[0, 0], rel=1e-7)


def test_calibrated_finite_populations_use_residuals_at_every_stage() -> None:
    s = draw(5, missing=0)
    unit = np.array([f"{p}-{i % 6}" for i, p in enumerate(s.psu)])
    base = SurveyDesign(s.weight, s.stratum, [s.psu, unit], [np.full(len(unit), 20), np.full(len(unit), 9)])
    design = post_stratify(base, s.domain, {"a": 500, "b": 300, "c": 200})
    score = residuals(design.weight * s.y, indicators(s.domain), s.weight, design.weight)
    within = design_variance(score, s.psu, unit)[0, 0]
    expected = 0.75 * design_variance(score, s.stratum, s.psu)[0, 0] + 5 / 20 * (1 - 6 / 9) * within
    assert total(design, s.y).single.se ** 2 == pytest.approx(expected)


# ---- refusals
S = draw(6)
BASE = design_of(S)
THREE = {"a": 50.0, "b": 30.0, "c": 20.0}
TWO = {"x": 60.0, "y": 40.0}


def raking(domain: dict[Any, float], group: dict[Any, float], labels: np.ndarray = S.domain) -> SurveyDesign:
    return rake(BASE, {"field": (labels, domain), "centre": (S.group, group)})


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: raking(THREE, {"x": 60.0, "y": 41.0}), ["field sums to 100", "centre to 101"]),
        (lambda: raking(THREE | {"d": 5.0}, TWO), ["'d' has a total of 5 and no row", "field"]),
        (lambda: raking({"a": 50.0, "b": 50.0}, TWO), ["no total for 'c'", "field"]),
        (lambda: raking(THREE | {"c": 0.0}, TWO), ["total of 'c' is 0", "field"]),
        (lambda: raking(THREE | {"c": -1.0}, TWO), ["total of 'c' is -1"]),
        (lambda: raking(THREE | {"c": np.nan}, TWO), ["total of 'c' is nan"]),
        (lambda: raking({"a": 50.0}, {"x": 60.0}), ["'b'", "'c'", "'y'"]),
        (lambda: raking(THREE, TWO, S.domain[:-1]), ["margin field", "239"]),
        (lambda: raking(THREE, TWO, np.where(S.domain == "a", None, S.domain)), ["no label in margin field"]),
        (lambda: rake(BASE, {}), ["no margin"]),
        (lambda: post_stratify(BASE, S.domain, {"a": 1, "b": 1}), ["no total for 'c'", "cells"]),
        (lambda: post_stratify(BASE, S.domain, THREE | {"d": 2}), ["'d' has a total of 2 and no row"]),
        (lambda: post_stratify(BASE, np.where(S.domain == "a", None, S.domain), THREE), ["no label in cells", "row 1"]),
    ],
)
def test_it_is_refused_by_name(call: Any, words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)
    for word in words:
        assert word in str(caught.value)


def test_margins_that_cannot_be_met_together_are_named_with_what_was_reached() -> None:
    labels = np.where(S.group == "x", "a", S.domain)  # x meets a only, so a cannot be less than x
    with pytest.raises(AnalysisError) as caught:
        rake(
            BASE,
            {
                "field": (labels, totals_of(labels) | {"a": 10.0, "b": 220.0, "c": 10.0}),
                "centre": (S.group, {"x": 120.0, "y": 120.0}),
            },
        )
    assert "raking does not meet 'a'" in str(caught.value) and "of 10" in str(caught.value)


def test_a_class_with_neither_rows_nor_total_may_stay_in_the_totals() -> None:
    assert raking(THREE | {"z": 0.0}, TWO).weight.sum() == pytest.approx(100)
