"""trim(): bounds kept, the sum of weights too, a report of what was done; residuals of calibration stay."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, SurveyDesign, rake, replicate, total, trim
from tests.textbook import design_variance, draw, indicators, residuals

W = np.array([1.0, 2.0, 3.0, 4.0, 20.0])


def trimmed_by_hand(w: np.ndarray, low: float, high: float, rounds: int) -> np.ndarray:
    """R's trimWeights: cut, then add what was cut in equal parts to the rows that were within, so many times."""
    for _ in range(rounds):
        outside = (w < low) | (w > high)
        if not outside.any():
            break
        cut = np.minimum(np.maximum(w, low), high)
        w = np.where(outside, cut, cut + (w - cut).sum() / (~outside).sum())
    return w


def test_the_weight_cut_off_goes_to_the_other_rows_in_equal_parts() -> None:
    found = trim(SurveyDesign(W), None, 10, "once")
    np.testing.assert_allclose(found.weight, [3.5, 4.5, 5.5, 6.5, 10])


def test_rows_pushed_out_are_cut_again_until_all_are_within() -> None:
    once = trim(SurveyDesign(W), None, 6.1, "once")
    assert once.weight.max() > 6.1
    strict = trim(SurveyDesign(W), None, 6.1)
    assert strict.weight.max() <= 6.1 and strict.weight.sum() == pytest.approx(30)
    np.testing.assert_allclose(strict.weight, trimmed_by_hand(W, -np.inf, 6.1, 500), rtol=1e-12)


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_bounds_and_sum_are_kept(seed: int) -> None:
    w = np.random.default_rng(seed).lognormal(0, 1, 60)
    low, high = 0.4 * w.mean(), 1.8 * w.mean()
    found = trim(SurveyDesign(w), low, high)
    assert low * (1 - 1e-12) <= found.weight.min() and found.weight.max() <= high * (1 + 1e-12)
    assert found.weight.sum() == pytest.approx(w.sum(), rel=1e-12)
    np.testing.assert_allclose(found.weight, trimmed_by_hand(w, low, high, 10_000), rtol=1e-9)


def test_the_report_says_what_was_done() -> None:
    design = SurveyDesign(W)
    assert design.trimmed is None
    report = trim(design, 2.5, 10, "once").trimmed
    assert report is not None
    assert (report.lower, report.upper, report.raised, report.lowered, report.rounds) == (2.5, 10, 2, 1, 1)
    # 2 rows rise to 2.5 (+2), 1 falls to 10 (−10): the two others get 4 each
    assert report.moved == pytest.approx(10) and report.share == pytest.approx(10 / 30)
    assert (report.smallest, report.largest) == pytest.approx((2.5, 10))


def test_weights_within_the_bounds_stay_as_they_are() -> None:
    found = trim(SurveyDesign(W), 0.5, 20)
    np.testing.assert_array_equal(found.weight, W)
    assert found.trimmed is not None and (found.trimmed.rounds, found.trimmed.moved) == (0, 0)


def test_after_raking_the_residuals_stay_with_the_trimmed_weights() -> None:
    s = draw(3, missing=0)
    margins = {
        "d": (s.domain, {"a": 500.0, "b": 300.0, "c": 200.0}),
        "g": (s.group, {"x": 550.0, "y": 450.0}),
    }
    raked = rake(SurveyDesign(s.weight, s.stratum, s.psu), margins)
    found = trim(raked, 0.5 * raked.weight.mean(), 1.5 * raked.weight.mean())
    score = residuals(found.weight * s.y, indicators(s.domain, s.group), s.weight, raked.weight)
    expected = design_variance(score, s.stratum, s.psu)[0, 0]
    assert total(found, s.y).single.se ** 2 == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: trim(SurveyDesign(W), 5, 2), ["bounds 5 and 2"]),
        (lambda: trim(SurveyDesign(W), np.nan, 2), ["bounds nan"]),
        (lambda: trim(SurveyDesign(W), None, None), ["no bound"]),
        (lambda: trim(SurveyDesign(W), None, 5.9), ["mean weight 6 does not lie between -inf and 5.9"]),
        (lambda: trim(SurveyDesign(W), 6.5, 9), ["mean weight 6 does not lie"]),
        (lambda: trim(SurveyDesign(W), -5, -1), ["no weight is positive below -1"]),
        (lambda: trim(SurveyDesign(W), 1, 10, "often"), ["no way 'often' to trim", '"once"']),  # type: ignore[arg-type]
        (lambda: trim(replicate(SurveyDesign(W), "jackknife"), 1, 10), ["replicate weights", "trim the design first"]),
    ],
)
def test_it_is_refused_by_name(call: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
