"""The numbers of a small counter wave, computed a second time from the formulas alone.

Nothing here comes from `analysis`: rows are plain dictionaries, sums are loops over rows, the linearised scores are
written out one response at a time. Only the distribution functions are scipy's.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy import stats

Row = Mapping[str, Any]


def rake(rows: Sequence[Row], margins: Mapping[str, Mapping[str, float]]) -> list[float]:
    """Base weight 1, scaled to one margin after the other until nothing moves any more."""
    weights = [1.0] * len(rows)
    for _ in range(10_000):
        moved = 0.0
        for column, totals in margins.items():
            sums: dict[str, float] = defaultdict(float)
            for row, weight in zip(rows, weights, strict=True):
                sums[row[column]] += weight
            moved = max(moved, *(abs(sums[label] - total) / total for label, total in totals.items()))
            weights = [w * totals[row[column]] / sums[row[column]] for row, w in zip(rows, weights, strict=True)]
        if moved < 1e-13:
            return weights
    raise AssertionError("the margins of the test cannot be met")


def ratio_scores(
    rows: Sequence[Row],
    weights: Sequence[float],
    numerator: Callable[[Row], float],
    denominator: Callable[[Row], float],
) -> tuple[float, list[float]]:
    """R = Σwa / Σwb and the linearised score (a − R·b) / Σwb of every row."""
    below = sum(w * denominator(row) for row, w in zip(rows, weights, strict=True))
    value = sum(w * numerator(row) for row, w in zip(rows, weights, strict=True)) / below
    return value, [(numerator(row) - value * denominator(row)) / below for row in rows]


def residuals(rows: Sequence[Row], scores: Sequence[float], margins: Mapping[str, Mapping[str, float]]) -> list[float]:
    """What the margins' indicators leave unexplained, fitted with the base weights (here 1)."""
    columns = [(name, label) for name, totals in margins.items() for label in totals]
    x = np.array([[1.0 if row[name] == label else 0.0 for name, label in columns] for row in rows])
    coefficients, *_ = np.linalg.lstsq(x, np.array(scores), rcond=None)
    return [float(v) for v in np.array(scores) - x @ coefficients]


def variance(rows: Sequence[Row], weights: Sequence[float], scores: Sequence[float]) -> float:
    """Σ over strata of n/(n − 1) Σ (z − z̄)², z the weighted scores summed in a PSU (with replacement)."""
    sums: dict[str, dict[Any, float]] = defaultdict(lambda: defaultdict(float))
    for row, weight, score in zip(rows, weights, scores, strict=True):
        sums[row["centre"]][row["day"]] += weight * score
    total = 0.0
    for psus in sums.values():
        n = len(psus)
        mean = sum(psus.values()) / n
        total += n / (n - 1) * sum((z - mean) ** 2 for z in psus.values())
    return total


def simple_random_variance(
    rows: Sequence[Row],
    weights: Sequence[float],
    numerator: Callable[[Row], float],
    denominator: Callable[[Row], float],
) -> float:
    """s²/n: what the ratio's variance would be had the same n valid rows been drawn at random, with replacement."""
    scores = ratio_scores(rows, weights, numerator, denominator)[1]
    kept = [(w, s) for row, w, s in zip(rows, weights, scores, strict=True) if denominator(row) > 0]
    n, population = len(kept), sum(w for w, _ in kept)
    # The scores carry 1 / Σwb; times Σw they are deviations of a mean.
    squares = sum(w * (s * population) ** 2 for w, s in kept)
    return squares / population / (n - 1)


def degrees_of_freedom(rows: Sequence[Row]) -> int:
    return len({(row["centre"], row["day"]) for row in rows}) - len({row["centre"] for row in rows})


def logit_interval(value: float, se: float, df: int) -> tuple[float, float]:
    """On the log-odds scale, with the delta-method SE; value on 0–1."""
    centre = math.log(value / (1 - value))
    half = stats.t.ppf(0.975, df) * se / (value * (1 - value))
    return tuple(1 / (1 + math.exp(-(centre + sign * half))) for sign in (-1, 1))  # type: ignore[return-value]


def kish_size(weights: Sequence[float]) -> float:
    return sum(weights) ** 2 / sum(w * w for w in weights)


def korn_graubard(value: float, se: float, df: int, n: int, kish: float) -> tuple[float, float]:
    """Clopper–Pearson on the effective sample size, adjusted for the degrees of freedom and capped at n.

    Without any variance between the PSUs the effective size is Kish's.
    """
    if se < 1e-12:
        n_eff = min(float(n), kish)
    else:
        n_eff = value * (1 - value) / se**2 * (stats.t.ppf(0.975, n - 1) / stats.t.ppf(0.975, df)) ** 2
    n_eff = min(float(n), n_eff)
    x = n_eff * value
    low = float(stats.beta.ppf(0.025, x, n_eff - x + 1)) if value > 0 else 0.0
    return low, float(stats.beta.ppf(0.975, x + 1, n_eff - x)) if value < 1 else 1.0
