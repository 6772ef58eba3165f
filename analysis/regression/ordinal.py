"""Proportional-odds regression of an ordered response: logit P(Y ≤ k) = ζ_k − xβ.

Public: fit_ordinal.
"""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from analysis.labels import IntArray
from analysis.regression.glm import Basis, Fit, newton, no_finite_fit

FloatArray = NDArray[np.float64]


def fit_ordinal(
    x: FloatArray, y: IntArray, levels: Sequence[str], weight: FloatArray, names: Sequence[str], where: str
) -> Fit:
    """Maximum likelihood by Newton's method with the analytic Hessian H; the influence of a row is −H⁻¹ ∂ log P(y)/∂(β, ζ).

    Parameters
    ----------
    x : ndarray, shape (m, p), without an intercept; p may be 0
    y : ndarray, shape (m,), codes 0 … K − 1 of the `levels`, each of which occurs

    Notes
    -----
    The coefficients are those of the columns, then the thresholds ζ named "1|2", "2|3", … With γ = Λ(ζ_y − xβ) and
    γ' = Λ(ζ_{y−1} − xβ), ∂ log P/∂β = −x (1 − γ − γ').

    References
    ----------
    McCullagh, P. (1980). Regression models for ordinal data. Journal of the Royal Statistical Society B 42, 109–142.
    https://doi.org/10.1111/j.2517-6161.1980.tb01109.x
    """
    scaled = weight / weight.mean()
    ones = np.ones((len(x), 1))
    # an intercept only so that columns which the thresholds determine are found
    Basis.of(np.column_stack([ones, x]), scaled, ("Intercept", *names), where)
    basis = Basis.of(x, scaled, names, where)
    p, thresholds = x.shape[1], len(levels) - 1
    counts = np.bincount(y, weights=scaled, minlength=len(levels))
    share = np.cumsum(counts)[:-1] / counts.sum()
    begin = np.concatenate([np.zeros(p), np.log(share / (1 - share))])

    def fit(weights: FloatArray, start: FloatArray) -> FloatArray:
        def evaluate(value: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            return _evaluate(basis.z, y, value, weights)

        def reach(step: FloatArray) -> float:
            return float(max(np.abs(basis.z @ step[:p]).max(initial=0.0), np.abs(step[p:]).max()))

        value, step, converged = newton(evaluate, start, reach)
        if not converged:
            raise no_finite_fit(basis, basis.coefficients(step[:p]))
        return value

    found = fit(scaled, begin)
    deviance, _, hessian = _evaluate(basis.z, y, found, scaled)
    inverse = np.linalg.inv(hessian)
    scores = _scores(basis.z, y, found)
    back = np.eye(p + thresholds)
    back[:p, :p] = np.linalg.inv(basis.triangle)
    return Fit(
        names=(*names, *(f"{low}|{high}" for low, high in pairwise(levels))),
        value=back @ found,
        influence=(scores @ (back @ inverse).T) / weight.mean(),
        naive=back @ inverse @ back.T,
        dispersion=1.0,
        deviance=2 * deviance,
        null_deviance=-2 * float(counts @ np.log(counts / counts.sum())),
        refit=lambda weights: back @ fit(weights / weights.mean(), found),
    )


def _parts(
    z: FloatArray, y: IntArray, value: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray, FloatArray]:
    """P(y), Λ at the thresholds above and below, and the density there over P(y)."""
    from scipy.special import expit

    p = z.shape[1]
    bounds = np.concatenate([[-np.inf], value[p:], [np.inf]])
    eta = z @ value[:p]
    above, below = bounds[y + 1] - eta, bounds[y] - eta
    high, low = np.asarray(expit(above)), np.asarray(expit(below))
    flip = below > 0  # in the upper tail the difference of the complements keeps its digits
    probability = np.where(flip, expit(-below) - expit(-above), high - low)
    with np.errstate(divide="ignore", invalid="ignore"):
        dense_above = high * np.asarray(expit(-above)) / probability
        dense_below = low * np.asarray(expit(-below)) / probability
    return probability, high, low, dense_above, dense_below


def _scores(z: FloatArray, y: IntArray, value: FloatArray) -> FloatArray:
    """∂ log P(y) of each row by the coefficients of z and the thresholds."""
    p, thresholds = z.shape[1], len(value) - z.shape[1]
    _, high, low, above, below = _parts(z, y, value)
    result = np.zeros((len(y), p + thresholds))
    result[:, :p] = -z * (1 - high - low)[:, None]
    rows = np.arange(len(y))
    upper, lower = y < thresholds, y > 0
    result[rows[upper], p + y[upper]] = above[upper]
    result[rows[lower], p + y[lower] - 1] = -below[lower]
    return result


def _evaluate(
    z: FloatArray, y: IntArray, value: FloatArray, weight: FloatArray
) -> tuple[float, FloatArray, FloatArray]:
    """−Σ w log P(y), Σ w ∂ log P(y), and the Hessian of the first; infinite where thresholds are out of order."""
    p, thresholds = z.shape[1], len(value) - z.shape[1]
    size = p + thresholds
    if (np.diff(value[p:]) <= 0).any():
        return np.inf, np.zeros(size), np.eye(size)
    probability, high, low, above, below = _parts(z, y, value)
    if not (probability > 0).all():
        return np.inf, np.zeros(size), np.eye(size)
    spread_above, spread_below = high * (1 - high), low * (1 - low)
    # second derivatives of −log P by the upper bound, the lower bound, and both
    upper = above**2 - above * (1 - 2 * high)
    lower = below**2 + below * (1 - 2 * low)
    both = -above * below
    hessian = np.zeros((size, size))
    hessian[:p, :p] = (z.T * (weight * (spread_above + spread_below))) @ z
    inner = np.zeros((len(y), thresholds))  # −∂² / ∂ζ ∂(linear predictor)
    diagonal = np.zeros(thresholds)
    for k in range(thresholds):
        at, over = y == k, y == k + 1
        inner[at, k] = (upper + both)[at]
        inner[over, k] = (lower + both)[over]
        diagonal[k] = weight[at] @ upper[at] + weight[over] @ lower[over]
        if k:
            hessian[p + k, p + k - 1] = hessian[p + k - 1, p + k] = weight[at] @ both[at]
    hessian[np.arange(p, size), np.arange(p, size)] = diagonal
    hessian[:p, p:] = -(z.T * weight) @ inner
    hessian[p:, :p] = hessian[:p, p:].T
    return -float(weight @ np.log(probability)), weight @ _scores(z, y, value), hessian
