"""Factors on the weights of cells that make weighted sums meet given totals: proportional fitting, and Newton's method.

Public: Distance, DISTANCES, fit, sweep.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from analysis.calibration.normal import NormalEquations
from analysis.compiled import compiled
from analysis.labels import IntArray

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
Bounds = tuple[float, float]

_STEPS = 200
_NEAR, _EXACT = 1e-9, 1e-13  # shares of the totals: from here Newton's full steps are enough; the rest is rounding
_RIDGE = 1e-9  # share of the full X'WX that keeps a step finite where many cells lie at a bound


@dataclass(frozen=True)
class Distance:
    """How far weights may move, by Deville and Särndal's F: the factor is F(x'λ).

    `factor` F; `slope` F'; `integral` ∫F, up to a constant; each of (u, (lower, upper)).
    """

    factor: Callable[[FloatArray, Bounds], FloatArray]
    slope: Callable[[FloatArray, Bounds], FloatArray]
    integral: Callable[[FloatArray, Bounds], FloatArray]


# ---- linear: F = 1 + u, cut off at the bounds
def _linear(u: FloatArray, bounds: Bounds) -> FloatArray:
    return np.clip(1 + u, *bounds)


def _linear_slope(u: FloatArray, bounds: Bounds) -> FloatArray:
    return ((1 + u > bounds[0]) & (1 + u < bounds[1])).astype(np.float64)


def _linear_integral(u: FloatArray, bounds: Bounds) -> FloatArray:
    inside = np.clip(u, bounds[0] - 1, bounds[1] - 1)
    return inside + inside**2 / 2 + (1 + inside) * (u - inside)


# ---- raking: F = exp u, cut off at the bounds
def _raking(u: FloatArray, bounds: Bounds) -> FloatArray:
    return np.clip(np.exp(np.minimum(u, 700.0)), *bounds)


def _raking_slope(u: FloatArray, bounds: Bounds) -> FloatArray:
    value = np.exp(np.minimum(u, 700.0))
    return np.where((value > bounds[0]) & (value < bounds[1]), value, 0.0)


def _raking_integral(u: FloatArray, bounds: Bounds) -> FloatArray:
    with np.errstate(divide="ignore"):
        low, high = np.log(max(bounds[0], 0.0)), np.log(bounds[1])
    inside = np.clip(u, low, min(high, 700.0))
    value = np.exp(inside)
    return np.asarray(value + np.where(u == inside, 0.0, value * (u - inside)))


# ---- logit: between the bounds by a logistic curve with F(0) = F'(0) = 1
def _rate(bounds: Bounds) -> float:
    low, high = bounds
    return (high - low) / ((high - 1) * (1 - low))


def _share(u: FloatArray, bounds: Bounds) -> FloatArray:
    """(F − L)/(U − L)."""
    low, high = bounds
    return 1 / (1 + (high - 1) / (1 - low) * np.exp(-np.clip(_rate(bounds) * u, -700.0, 700.0)))


def _logit(u: FloatArray, bounds: Bounds) -> FloatArray:
    return bounds[0] + (bounds[1] - bounds[0]) * _share(u, bounds)


def _logit_slope(u: FloatArray, bounds: Bounds) -> FloatArray:
    share = _share(u, bounds)
    return (bounds[1] - bounds[0]) * _rate(bounds) * share * (1 - share)


def _logit_integral(u: FloatArray, bounds: Bounds) -> FloatArray:
    low, high = bounds
    return low * u + (high - low) / _rate(bounds) * np.logaddexp(np.log((high - 1) / (1 - low)), _rate(bounds) * u)


DISTANCES = {
    "linear": Distance(_linear, _linear_slope, _linear_integral),
    "raking": Distance(_raking, _raking_slope, _raking_integral),
    "logit": Distance(_logit, _logit_slope, _logit_integral),
}


def fit(
    x: "csr_array[Any, tuple[int, int]]",
    weight: FloatArray,
    target: FloatArray,
    distance: Distance,
    bounds: Bounds,
    normal: NormalEquations,
    start: FloatArray | None = None,
) -> tuple[FloatArray, FloatArray]:
    """Factors F(Xλ), shape (cells,), with X'(w F(Xλ)) = target where such λ exist, else as near as the steps came; λ.

    Newton's method on the convex D(λ) = Σ w ∫F(x'λ) − λ'target, each step halved until D falls (Deville and Särndal
    1992, section 3). Where steps fail, because cells at a bound leave X'WF'X without full rank, more of X'WX is added.

    normal : the equations X'WX, also those of the distances' first step
    start : λ to begin with, such as that of a similar sample; None: 0, where the factor is 1
    """
    size = np.maximum(np.abs(target), 1e-3 * (abs(x).T @ np.abs(weight)))
    size = np.where(size > 0, size, 1.0)
    lam = np.zeros(x.shape[1]) if start is None else start
    u = np.asarray(x @ lam)
    best, nearest, ridge = distance.factor(u, bounds), lam, _RIDGE
    misfit = target - x.T @ (weight * best)
    least = float(np.abs(misfit / size).max(initial=0))
    value = _sum(weight * distance.integral(u, bounds)) - _sum(target * lam)
    stalled = 0
    for _ in range(_STEPS):
        if least <= _EXACT or stalled > 2:
            break
        slope = distance.slope(u, bounds) + ridge
        full = bool((slope == 1 + ridge).all())
        step = (normal if full else NormalEquations(x, weight * slope, normal.first, normal.implied)).solve(
            misfit[:, None]
        )[:, 0]
        found = _shortened(x, weight, target, distance, bounds, (lam, u, value, least), step, size)
        if found is None:
            if least < _NEAR and ridge == _RIDGE:
                break
            if least < _NEAR:
                ridge = _RIDGE
                continue
            stalled += ridge > 1e-6
            ridge = min(max(ridge * 1e3, _RIDGE), 1.0)
            continue
        lam, u, value, misfit, worst = found
        ridge = max(ridge / 1e2, _RIDGE)
        if worst < least:
            best, nearest, least = distance.factor(u, bounds), lam, worst
    return best, nearest


def _shortened(
    x: "csr_array[Any, tuple[int, int]]",
    weight: FloatArray,
    target: FloatArray,
    distance: Distance,
    bounds: Bounds,
    state: tuple[FloatArray, FloatArray, float, float],
    step: FloatArray,
    size: FloatArray,
) -> tuple[FloatArray, FloatArray, float, FloatArray, float] | None:
    """The point after the longest of step, step/2, step/4 … at which D falls, or the misfit does."""
    lam, _, value, least = state
    for halvings in range(1 if least < _NEAR else 30):
        share = 0.5**halvings
        there = lam + share * step
        v = np.asarray(x @ there)
        reached = _sum(weight * distance.integral(v, bounds)) - _sum(target * there)
        misfit = target - x.T @ (weight * distance.factor(v, bounds))
        worst = float(np.abs(misfit / size).max())
        if not np.isfinite(worst):
            continue
        if worst < 0.9 * least or reached < value - 1e-13 * abs(value):
            return there, v, reached, misfit, worst
    return None


def _sum(values: FloatArray) -> float:
    """Not by a BLAS product, which would start threads that cost more than they bring."""
    return float(values.sum())


# ---- proportional fitting
@compiled
def sweep(
    weight: FloatArray,
    codes: IntArray,
    target: FloatArray,
    start: IntArray,
    factor: FloatArray,
    tolerance: float,
    sweeps: int,
) -> float:
    """Scale `factor` (in place) margin by margin until all margins are met; the largest |Σw − T|/T left.

    codes : shape (margins, cells); the classes of margin m are start[m] … start[m + 1] of `target`
    """
    sums = np.zeros(len(target))
    worst = np.inf
    for _ in range(sweeps):
        worst = 0.0
        for m in range(len(codes)):
            worst = max(worst, _measure(weight, codes[m], target[start[m] : start[m + 1]], factor, sums))
            if worst == np.inf:
                return worst
            for c in range(len(weight)):
                factor[c] *= sums[codes[m, c]]
        if worst <= tolerance:  # each margin just before it was scaled: now all of them as they stand
            worst = 0.0
            for m in range(len(codes)):
                worst = max(worst, _measure(weight, codes[m], target[start[m] : start[m + 1]], factor, sums))
            if worst <= tolerance:
                break
    return worst


@compiled
def _measure(weight: FloatArray, code: IntArray, target: FloatArray, factor: FloatArray, ratio: FloatArray) -> float:
    """The largest |Σw − T|/T of a margin, and T/Σw of its classes into `ratio`; infinite where a class has no weight."""
    worst = 0.0
    ratio[: len(target)] = 0.0
    for c in range(len(weight)):
        ratio[code[c]] += weight[c] * factor[c]
    for k in range(len(target)):
        worst = max(worst, abs(ratio[k] / target[k] - 1))
        if ratio[k] == 0:
            return np.inf
        ratio[k] = target[k] / ratio[k]
    return worst
