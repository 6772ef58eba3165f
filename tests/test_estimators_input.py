"""Input that contradicts itself is refused, with place, value and remedy."""

from typing import Any

import numpy as np
import pytest

from analysis import AnalysisError, SurveyDesign, composite, mean, proportion, ratio
from tests.textbook import draw

S = draw(1)
N = len(S.weight)
DESIGN = SurveyDesign(S.weight, S.stratum, S.psu)


def changed(array: np.ndarray, row: int, value: Any) -> np.ndarray:
    result = array.astype(object if isinstance(value, str) or value is None else array.dtype)
    result[row] = value
    return result


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: SurveyDesign(changed(S.weight, 7, np.nan)), ["1 weights", "nan", "row 7"]),
        (lambda: SurveyDesign(changed(S.weight, 7, 0)), ["0.0", "row 7", "leave rows"]),
        (lambda: SurveyDesign(changed(S.weight, 7, -2)), ["-2.0", "row 7"]),
        (lambda: SurveyDesign(changed(S.weight, 7, np.inf)), ["inf", "row 7"]),
        (lambda: SurveyDesign([]), ["(0,)", "weight"]),
        (lambda: SurveyDesign(["many"]), ["numbers", "weight"]),
        (lambda: SurveyDesign(np.ones((3, 2))), ["(3, 2)", "weight"]),
        (lambda: SurveyDesign(S.weight, S.stratum[:-1]), [f"({N - 1},)", f"{N} rows", "stratum"]),
        (lambda: SurveyDesign(S.weight, S.stratum, S.psu[:-1]), [f"({N - 1},)", "psu"]),
        (lambda: SurveyDesign(S.weight, changed(S.stratum, 4, None)), ["1 rows", "stratum", "row 4"]),
        (lambda: SurveyDesign(S.weight, changed(S.stratum, 0, "h1"), S.psu), ["'h0p0'", "h0, h1", "nest=True"]),
        (lambda: SurveyDesign(S.weight, S.stratum, S.psu, np.full(N, 4)), ["4 in the population, 5 sampled", "h0"]),
        (
            lambda: SurveyDesign(S.weight, S.stratum, S.psu, changed(np.full(N, 9), 3, 8)),
            ["differs within h0", "8", "9"],
        ),
        (lambda: SurveyDesign(S.weight, S.stratum, S.psu, np.full(N, np.nan)), ["nan", "fpc"]),
        (lambda: SurveyDesign(S.weight, S.stratum, S.psu, [1, 2]), ["(2,)", "fpc"]),
        (lambda: SurveyDesign(S.weight, [S.stratum, S.stratum], S.psu), ["stratum has 2 stages, psu has 1"]),
        (lambda: SurveyDesign(S.weight, lone_psu="ignore"), ["'ignore'", "lone_psu"]),
        (lambda: mean(DESIGN, S.y[:-1]), [f"({N - 1},)", f"{N} rows"]),
        (lambda: mean(DESIGN, np.where(S.y > 4, np.inf, S.y)), ["infinite", "row"]),
        (lambda: mean(DESIGN, ["good"] * N), ["is not a number", "y"]),
        (lambda: mean(DESIGN, S.y, by=S.domain[:-1]), [f"({N - 1},)", "by"]),
        (lambda: mean(DESIGN, S.y, by=[None] * N), ["no row lies in a domain"]),
        (lambda: mean(DESIGN, S.y, level=95), ["95", "level", "0.95"]),
        (lambda: mean(DESIGN, S.y, df="residual"), ["'residual'", '"domain" or "design"']),
        (lambda: proportion(DESIGN, S.y), ["0, 1 or NaN", "row 0"]),
        (lambda: proportion(DESIGN, S.y > 3, interval="wald"), ["'wald'", "korn_graubard"]),
        (lambda: ratio(DESIGN, np.ones((N, 3)), np.ones((N, 2))), ["2 columns for 3 numerators"]),
        (lambda: composite(DESIGN, np.ones((N, 3)), np.ones((N, 3)), [1, 2]), ["(2,) for 3 ratios"]),
    ],
)
def test_it_is_refused_by_name(call: Any, words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    for problem in caught.value.problems:
        assert problem.what and problem.where and problem.remedy
    for word in words:
        assert word in str(caught.value)


def test_every_stratum_with_a_lone_psu_is_named() -> None:
    psu = np.where(np.isin(S.stratum, ["h1", "h3"]), S.stratum, S.psu)
    design = SurveyDesign(S.weight, S.stratum, psu)
    with pytest.raises(AnalysisError, match="2 strata have only one PSU each.*h1, h3"):
        mean(design, S.y)
    with pytest.raises(AnalysisError, match="h1"):
        _ = mean(design, S.y, by=S.stratum)
    found = mean(design, S.y, by=np.where(np.isin(S.stratum, ["h0", "h2"]), "in", None))  # meets no lone PSU
    assert found.single.se > 0


def test_one_row_has_no_variance() -> None:
    with pytest.raises(AnalysisError, match="the whole sample"):
        mean(SurveyDesign([2.0]), [3.0])


def test_a_lone_psu_that_is_all_there_is_adds_nothing() -> None:
    psu = np.where(S.stratum == "h1", "h1", S.psu)
    fpc = np.where(S.stratum == "h1", 1, 50)
    assert mean(SurveyDesign(S.weight, S.stratum, psu, fpc), S.y).single.se > 0


def test_repeated_psu_labels_are_told_apart_when_nested() -> None:
    inner = np.array([label[2:] for label in S.psu])
    nested = SurveyDesign(S.weight, S.stratum, inner, nest=True)
    assert mean(nested, S.y).single == mean(DESIGN, S.y).single
