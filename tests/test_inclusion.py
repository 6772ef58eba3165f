"""Answers of rows that were asked a random part: identities, the draw in the variance, what cannot be is refused."""

from typing import Any

import numpy as np
import pytest

import analysis
from analysis.errors import AnalysisError
from analysis.sipas_index import ItemMethod, RollUp

ITEMS = ("A1", "A2", "B1", "C1", "C2")
SPEC = analysis.IndexSpec(ITEMS, {"A": ("I", ("A1", "A2")), "B": ("I", ("B1",)), "C": ("II", ("C1", "C2"))})
METHODS = ("top2", "mean5", "mean01")
ROLL_UPS = ("pooled", "item_mean", "factor_mean", "area_mean")
N = 600


def population(seed: int = 1) -> tuple[np.ndarray[Any, Any], analysis.SurveyDesign, np.ndarray[Any, Any]]:
    """Correlated answers 1 to 5 of N rows, a stratified design of PSUs with weights, and a field for each row."""
    rng = np.random.default_rng(seed)
    stratum = np.repeat(np.arange(6), N // 6)
    psu = np.arange(N) // 10
    liking = 0.6 * rng.normal(size=N) + 0.4 * rng.normal(size=N // 10)[psu]
    codes = np.clip(np.round(3.7 + liking[:, None] + 0.7 * rng.normal(size=(N, len(ITEMS)))), 1, 5).astype(int)
    weight = rng.uniform(0.5, 3, N)
    design = analysis.SurveyDesign(weight, stratum=stratum, psu=psu)
    field = rng.choice(["x", "y"], N)
    margins = {"field": (field, {"x": 700.0, "y": 500.0}), "stratum": (stratum, {h: 200.0 for h in range(6)})}
    return codes, analysis.rake(design, margins), field


def parted(codes: np.ndarray[Any, Any], whole: float, seed: int = 2) -> tuple[dict[str, Any], dict[str, Any]]:
    """The answers of rows asked two of the three factors, a share of them everything; and the chances by row."""
    rng = np.random.default_rng(seed)
    everything = rng.random(N) < whole
    absent = rng.integers(0, 3, N)  # the factor left out, each equally likely
    factor = np.array([0, 0, 1, 2, 2])
    answers = np.where(everything[:, None] | (factor != absent[:, None]), codes, -5)
    chance = np.where(everything, 1.0, 2 / 3)
    return dict(zip(ITEMS, answers.T, strict=True)), dict.fromkeys(ITEMS, chance)


def as_columns(codes: np.ndarray[Any, Any]) -> dict[str, Any]:
    return dict(zip(ITEMS, codes.T, strict=True))


def same(first: analysis.Estimates, second: analysis.Estimates, names: tuple[str, ...] = ()) -> None:
    for name in names or ("value", "se", "ci_low", "ci_high", "df", "deff", "n"):
        np.testing.assert_allclose(getattr(first, name), getattr(second, name), rtol=1e-9, atol=1e-12, err_msg=name)


@pytest.mark.parametrize("roll_up", ROLL_UPS)
@pytest.mark.parametrize("item_method", METHODS)
def test_who_is_asked_everything_has_the_estimates_of_before(item_method: ItemMethod, roll_up: RollUp) -> None:
    codes, design, field = population()
    plain = analysis.index(design, as_columns(codes), SPEC, item_method, roll_up, by=field, areas=True)
    expanded = analysis.index(
        design, as_columns(codes), SPEC, item_method, roll_up, by=field, areas=True, inclusion=1.0
    )
    same(plain, expanded)
    np.testing.assert_allclose(plain.covariance, expanded.covariance, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("roll_up", ROLL_UPS)
def test_one_chance_for_all_rows_and_items_changes_no_value_where_it_cancels(roll_up: RollUp) -> None:
    """Asked a part, every item with the same chance: π cancels in a ratio, so a plain run on the answers agrees."""
    codes, design, field = population()
    answers, chances = parted(codes, whole=0.0)
    plain = analysis.index(design, answers, SPEC, "mean01", roll_up, by=field)
    same(plain, analysis.index(design, answers, SPEC, "mean01", roll_up, by=field, inclusion=chances))
    same(plain, analysis.index(design, answers, SPEC, "mean01", roll_up, by=field, inclusion=2 / 3))


def test_each_item_has_its_own_weights() -> None:
    """Item by item, the value is the weighted mean under w/π of those who answered it, written out."""
    codes, design, _ = population()
    answers, chances = parted(codes, whole=0.3)
    found = analysis.index(design, answers, SPEC, "top2", "item_mean", inclusion=chances)
    values = []
    for item in ITEMS:
        valid = answers[item] > 0
        own = design.weight[valid] / chances[item][valid]
        values.append(100 * np.average(answers[item][valid] >= 4, weights=own))
        assert found["all", f"item:{item}"].value == pytest.approx(values[-1], rel=1e-12)
        assert found["all", f"item:{item}"].n == valid.sum()
    assert found["all", "index"].value == pytest.approx(np.mean(values), rel=1e-12)


@pytest.mark.parametrize("roll_up", ROLL_UPS)
def test_the_variance_is_that_of_the_scores_written_out(roll_up: RollUp) -> None:
    """Numerical derivatives of the estimate by each row's weight are its scores; no calibration, so V is theirs."""
    codes, design, _ = population()
    design = analysis.SurveyDesign(design.weight, stratum=np.repeat(np.arange(6), N // 6), psu=np.arange(N) // 10)
    answers, chances = parted(codes, whole=0.3)

    def estimate(weight: np.ndarray[Any, Any]) -> float:
        return float(
            analysis.index(
                analysis.SurveyDesign(weight, stratum=np.repeat(np.arange(6), N // 6), psu=np.arange(N) // 10),
                answers, SPEC, "top2", roll_up, inclusion=chances,
            )["all", "index"].value
        )  # fmt: skip

    totals = np.zeros(N // 10)
    for unit in range(N // 10):
        step = np.where(np.arange(N) // 10 == unit, 1e-5, 0.0)
        up, down = estimate(design.weight * (1 + step)), estimate(design.weight * (1 - step))
        totals[unit] = (up - down) / 2e-5
    by_stratum = totals.reshape(6, 10)
    variance = (10 / 9 * ((by_stratum - by_stratum.mean(axis=1, keepdims=True)) ** 2).sum(axis=1)).sum()
    found = analysis.index(design, answers, SPEC, "top2", roll_up, inclusion=chances)["all", "index"]
    assert found.se == pytest.approx(np.sqrt(variance), rel=1e-6)


def test_the_other_estimators_agree_with_the_index() -> None:
    codes, design, field = population()
    answers, chances = parted(codes, whole=0.3)
    items = {item: np.where(answers[item] > 0, (answers[item] >= 4).astype(float), np.nan) for item in ITEMS}
    index = analysis.index(design, answers, SPEC, "top2", "item_mean", by=field, inclusion=chances, interval="t")
    places = [index.variables.index(f"item:{item}") for item in ITEMS]
    means = analysis.mean(design, items, by=field, inclusion=chances)
    np.testing.assert_allclose(100 * means.value, index.value[:, places], rtol=1e-12)
    np.testing.assert_allclose(100 * means.se, index.se[:, places], rtol=1e-9)
    ones = {item: np.ones(N) for item in ITEMS}
    whole = analysis.composite(design, items, ones, np.full(5, 1 / 5), by=field, inclusion=chances)
    np.testing.assert_allclose(100 * whole.value[:, 0], index.value[:, 0], rtol=1e-12)
    np.testing.assert_allclose(100 * whole.se[:, 0], index.se[:, 0], rtol=1e-9)
    shares = analysis.proportion(design, np.column_stack(list(items.values())), by=field, inclusion=chances_of(chances))
    default = analysis.index(design, answers, SPEC, "top2", "item_mean", by=field, inclusion=chances)
    np.testing.assert_allclose(100 * shares.ci_low, default.ci_low[:, places], rtol=1e-9)
    ratios = analysis.ratio(design, items, np.ones(N), by=field, inclusion=chances)
    np.testing.assert_allclose(ratios.se, means.se, rtol=1e-9)


def chances_of(chances: dict[str, Any]) -> np.ndarray[Any, Any]:
    return np.column_stack(list(chances.values()))


def test_shares_of_factors_weigh_what_was_drawn_rarely_more() -> None:
    """Where a factor is asked of everybody and another of half, the shares are those of a form asked whole."""
    codes, design, _ = population()
    rng = np.random.default_rng(3)
    asked = rng.random(N) < 0.5
    answers = as_columns(codes) | {
        item: np.where(asked, codes[:, 3 + place], -5) for place, item in enumerate(("C1", "C2"))
    }
    chances = {item: 0.5 if item in ("C1", "C2") else 1.0 for item in ITEMS}
    shares = analysis.answer_shares(design, answers, SPEC, inclusion=chances)
    expected = {"A": 0.4, "B": 0.2, "C": 0.4}
    for factor, share in expected.items():
        assert shares["all", f"factor:{factor}"].value == pytest.approx(share, abs=0.03)
    plain = analysis.answer_shares(design, answers, SPEC)
    assert plain["all", "factor:C"].value < 0.29


def test_all_answers_alike_are_exact() -> None:
    codes, design, _ = population()
    answers, chances = parted(np.full_like(codes, 5), whole=0.3)
    found = analysis.index(design, answers, SPEC, "top2", "pooled", inclusion=chances)
    assert (found.value == 100).all() and (found.se == 0).all() and (found.ci_high == 100).all()
    assert (found.ci_low > 95).all() and (found.ci_low < 100).all()


@pytest.mark.parametrize(
    ("inclusion", "what"),
    [
        (0, "a probability of being asked is 0"),
        ({**dict.fromkeys(ITEMS, 0.5), "B1": 0.0}, "a probability of being asked is 0 (B1, row 0)"),
        (1.5, "a probability of being asked is 1.5"),
        (-0.5, "a probability of being asked is -0.5"),
        (float("nan"), "a probability of being asked is nan"),
        (np.r_[np.ones(N - 1), 0.0], f"a probability of being asked is 0 (all variables, row {N - 1})"),
        (np.ones(N - 1), f"inclusion of all variables has shape ({N - 1},), and there are {N} rows"),
        (np.ones((N, 4)), f"inclusion of all variables has shape ({N}, 4), and there are {N} rows"),
        ({"A1": 0.5}, "inclusion and the variables differ in 'A2'"),
        ({**dict.fromkeys(ITEMS, 0.5), "Z": 0.5}, "inclusion and the variables differ in 'Z'"),
        ("half", "half"),
    ],
    ids=["zero", "zero of one item", "above one", "negative", "nan", "zero of one row", "too few rows", "too few items",
         "an item missing", "an item too many", "text"],
)  # fmt: skip
def test_what_cannot_be_is_refused(inclusion: Any, what: str) -> None:
    codes, design, _ = population()
    with pytest.raises(AnalysisError) as caught:
        analysis.index(design, as_columns(codes), SPEC, inclusion=inclusion)
    assert what in str(caught.value)
