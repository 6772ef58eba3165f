"""Weighted least squares and generalised linear models: coefficients and the influence of each row on them.

statsmodels makes the fit; Newton's steps from there take it to the last digit, and show where there is no finite fit.
Public: Fit, Basis, fit_linear, fit_glm, newton, no_finite_fit.
"""

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]
GlmFamily = Literal["binomial", "poisson"]
Link = Callable[[FloatArray], tuple[FloatArray, FloatArray]]

_COLLINEAR = 1e-7  # of a column's length, what is left of it beside the columns before: R's tolerance
_STEPS = 40
_TOGETHER = 12
_CONVERGED = 1e-9  # change of a linear predictor: a Newton step this small leaves an error of its square


@dataclass(frozen=True, eq=False)
class Fit:
    """A fitted model.

    Attributes
    ----------
    names : of the coefficients; `value`, ndarray, shape (p,)
    influence : ndarray, shape (m, p): Σ w · influence over the rows of a sample is the change of the coefficients to
        first order; Σ w · influence over all rows is 0
    naive : ndarray, shape (p, p), covariance of a simple random sample of m rows with these weights
    dispersion : weighted variance of the Pearson residuals r, Σ w̃ (r − r̄)² / (m − 1), the weights w̃ scaled to sum to m;
        1 for ordinal
    deviance, null_deviance : with the weights w̃, of the model and of the model without terms
    refit : function of weights (m,) → coefficients (p,)
    refit_together : function of weights (m, R) → coefficients (R, p), NaN where `refit` has to be asked; None: not offered
    """

    names: tuple[str, ...]
    value: FloatArray
    influence: FloatArray
    naive: FloatArray
    dispersion: float
    deviance: float
    null_deviance: float
    refit: Callable[[FloatArray], FloatArray]
    refit_together: Callable[[FloatArray], FloatArray] | None = None


@dataclass(frozen=True, eq=False)
class Basis:
    """The model matrix made orthogonal under the weights: x = z · triangle, Σ w z z' = I. `where` it comes from."""

    x: FloatArray
    z: FloatArray
    triangle: FloatArray
    names: tuple[str, ...]
    where: str

    @classmethod
    def of(cls, x: FloatArray, weight: FloatArray, names: Sequence[str], where: str) -> "Basis":
        """Columns that the columns before them determine are an error."""
        length = np.sqrt(np.einsum("ij,ij,i->j", x, x, weight))
        scale = np.sqrt(weight)[:, None] / np.where(length > 0, length, 1.0)
        triangle = np.asarray(np.linalg.qr(x * scale, mode="r"))
        left = np.zeros(x.shape[1])
        left[: len(triangle)] = np.abs(np.diag(triangle))
        bad = [name for name, size in zip(names, left, strict=True) if not size > _COLLINEAR]
        if bad:
            raise AnalysisError(
                Problem(
                    f"{_some(bad)}: determined by the other columns in the {len(x)} rows fitted",
                    where,
                    "leave one of the terms that say the same out, or join categories that never occur apart",
                )
            )
        triangle = triangle * length
        return cls(x, x @ np.linalg.inv(triangle), triangle, tuple(names), where)

    def coefficients(self, of_z: FloatArray) -> FloatArray:
        """Of x, from coefficients of z, shape (p,) or (p, m)."""
        return np.asarray(np.linalg.solve(self.triangle, of_z))

    def covariance(self, of_z: FloatArray) -> FloatArray:
        return np.asarray(self.coefficients(self.coefficients(of_z).T))


def fit_linear(x: FloatArray, y: FloatArray, weight: FloatArray, names: Sequence[str], where: str) -> Fit:
    """Weighted least squares; the influence of a row is (X'WX)⁻¹ x (y − xβ)."""
    from statsmodels.regression.linear_model import WLS

    scaled = weight / weight.mean()
    basis = Basis.of(x, scaled, names, where)
    start = basis.triangle @ WLS(y, x, weights=scaled).fit(method="qr").params

    def refit(weights: FloatArray, start: FloatArray = start) -> FloatArray:
        information = (basis.z.T * weights) @ basis.z
        right = basis.z.T @ (weights * (y - basis.z @ start))
        return basis.coefficients(start + _solve(information, right, basis))

    value = refit(scaled)
    residual = y - x @ value
    residual[np.abs(residual) <= 1e-13 * np.abs(y).max()] = 0.0
    squares = float(scaled @ residual**2)
    inverse = np.linalg.inv((basis.z.T * scaled) @ basis.z)
    return Fit(
        names=tuple(names),
        value=value,
        influence=_influence(basis, inverse, residual, weight),
        naive=basis.covariance(inverse) * _per_degree(squares, x),
        dispersion=_variance(residual, scaled),
        deviance=squares,
        null_deviance=float(scaled @ (y - np.average(y, weights=weight)) ** 2),
        refit=refit,
        refit_together=lambda weights: _refit_together(basis, y, _identity, basis.triangle @ value, weights),
    )


def fit_glm(
    x: FloatArray, y: FloatArray, weight: FloatArray, names: Sequence[str], family: GlmFamily, where: str
) -> Fit:
    """Logistic or Poisson regression, canonical link; the influence of a row is (X'WX)⁻¹ x (y − μ)."""
    scaled = weight / weight.mean()
    basis = Basis.of(x, scaled, names, where)
    link, loss = _MODELS[family]
    begin = basis.triangle @ _statsmodels(x, y, scaled, family)

    def refit(weights: FloatArray, start: FloatArray = begin) -> FloatArray:
        def evaluate(of_z: FloatArray) -> tuple[float, FloatArray, FloatArray]:
            eta = basis.z @ of_z
            mean, variance = link(eta)
            return (
                float(weights @ loss(eta, y)),
                basis.z.T @ (weights * (y - mean)),
                (basis.z.T * (weights * variance)) @ basis.z,
            )

        value, step, converged = newton(evaluate, start, lambda step: float(np.abs(basis.z @ step).max()))
        if not converged:
            raise no_finite_fit(basis, basis.coefficients(step))
        return basis.coefficients(value)

    value = refit(scaled)
    mean, variance = link(x @ value)
    inverse = np.linalg.inv((basis.z.T * (scaled * variance)) @ basis.z)
    residual = y - mean
    with np.errstate(divide="ignore", invalid="ignore"):
        pearson = np.where(residual == 0, 0.0, residual / np.sqrt(variance))
    return Fit(
        names=tuple(names),
        value=value,
        influence=_influence(basis, inverse, residual, weight),
        naive=basis.covariance(inverse) * _per_degree(float(scaled @ pearson**2), x),
        dispersion=_variance(pearson, scaled),
        deviance=_deviance(y, mean, scaled, family),
        null_deviance=_deviance(y, np.full(len(y), np.average(y, weights=weight)), scaled, family),
        refit=lambda weights: refit(weights / weights.mean(), basis.triangle @ value),
        refit_together=lambda weights: _refit_together(basis, y, link, basis.triangle @ value, weights),
    )


def newton(
    evaluate: Callable[[FloatArray], tuple[float, FloatArray, FloatArray]],
    start: FloatArray,
    reach: Callable[[FloatArray], float],
) -> tuple[FloatArray, FloatArray, bool]:
    """Minimise a convex loss to the last digit: the minimum, the last step, and whether the steps became small.

    `evaluate` gives the loss, minus its gradient and its Hessian; `reach` the largest change of a linear predictor that
    a step makes. Where the likelihood has no finite maximum the loss settles, and the steps go on.
    """
    value, step = start, np.zeros(len(start))
    loss, downhill, hessian = evaluate(value)
    for _ in range(_STEPS):
        scale = np.sqrt(np.abs(np.diag(hessian)))
        try:
            with np.errstate(all="ignore"):
                found = np.linalg.solve(hessian / scale / scale[:, None], downhill / scale) / scale
        except np.linalg.LinAlgError:
            return value, step, False
        if not np.isfinite(found).all():
            return value, step, False
        step = found
        if reach(step) <= _CONVERGED:
            return value + step, step, True
        part = 1.0
        while True:
            candidate = value + part * step
            with np.errstate(all="ignore"):
                new_loss, downhill, hessian = evaluate(candidate)
            if new_loss <= loss + 1e-10 * abs(loss) or part < 1e-6:
                break
            part /= 2
        value, loss = candidate, new_loss
    return value, step, False


def no_finite_fit(basis: Basis, step: FloatArray) -> AnalysisError:
    """Names the columns whose coefficients grow without end."""
    growth = np.abs(step) * np.abs(basis.x).max(axis=0)
    names = [name for name, size in zip(basis.names, growth, strict=True) if size > 1e-3 * growth.max()]
    return AnalysisError(
        Problem(
            f"no finite coefficients: the answers are separated completely by {_some(names)}",
            basis.where,
            "join a category in which all answers are alike with another, leave its rows out with domain=, or drop the term",
        )
    )


def _influence(basis: Basis, inverse: FloatArray, residual: FloatArray, weight: FloatArray) -> FloatArray:
    """z (Z'WZ)⁻¹ r taken back to the coefficients of x, for the weights as they are."""
    back = np.linalg.solve(basis.triangle, inverse).T
    return np.asarray((basis.z @ back) * (residual / weight.mean())[:, None])


def _solve(information: FloatArray, right: FloatArray, basis: Basis) -> FloatArray:
    try:
        smallest = float(np.linalg.eigvalsh(information)[0])
    except np.linalg.LinAlgError:
        smallest = 0.0
    if not smallest > _COLLINEAR**2 * float(np.abs(information).max()):
        raise AnalysisError(
            Problem("the weights leave too few rows for the columns", basis.where, "fit fewer terms or join categories")
        )
    return np.asarray(np.linalg.solve(information, right))


def _statsmodels(x: FloatArray, y: FloatArray, weight: FloatArray, family: GlmFamily) -> FloatArray:
    """Coefficients of iteratively reweighted least squares; zeros where it breaks down."""
    from statsmodels.genmod import families
    from statsmodels.genmod.generalized_linear_model import GLM

    kind = families.Binomial() if family == "binomial" else families.Poisson()
    try:
        with warnings.catch_warnings(), np.errstate(all="ignore"):
            warnings.simplefilter("ignore")
            fit = GLM(y, x, family=kind, var_weights=weight).fit(maxiter=25, tol=1e-4)
    except (ValueError, ArithmeticError, np.linalg.LinAlgError):
        return np.zeros(x.shape[1])
    return np.nan_to_num(np.asarray(fit.params, dtype=np.float64), posinf=0.0, neginf=0.0)


def _identity(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mean and variance of each row."""
    return eta, np.ones(eta.shape)


def _logistic(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    from scipy.special import expit

    mean = np.asarray(expit(eta))
    return mean, mean * np.asarray(expit(-eta))


def _exponential(eta: FloatArray) -> tuple[FloatArray, FloatArray]:
    mean = np.exp(np.minimum(eta, 600.0))
    return mean, mean


_MODELS: dict[GlmFamily, tuple[Link, Callable[[FloatArray, FloatArray], FloatArray]]] = {
    "binomial": (_logistic, lambda eta, y: np.logaddexp(0.0, eta) - y * eta),
    "poisson": (_exponential, lambda eta, y: np.exp(np.minimum(eta, 600.0)) - y * eta),
}


def _refit_together(basis: Basis, y: FloatArray, link: Link, start: FloatArray, weights: FloatArray) -> FloatArray:
    """Newton's method for many sets of weights at once, shape (m, R): coefficients, NaN where it did not settle."""
    z, count = basis.z, weights.shape[1]
    p = z.shape[1]
    row, column = np.triu_indices(p)
    products = z[:, row] * z[:, column]
    information = np.zeros((count, p, p))
    value, settled = np.repeat(start[:, None], count, axis=1), np.zeros(count, dtype=bool)
    weights = weights / np.maximum(weights.sum(axis=0), np.finfo(float).tiny)
    for _ in range(_TOGETHER):
        with np.errstate(all="ignore"):
            mean, variance = link(z @ value)
            information[:, row, column] = (products.T @ (weights * variance)).T
            information[:, column, row] = information[:, row, column]
            right = z.T @ (weights * (y[:, None] - mean))
        known = np.isfinite(information).all(axis=(1, 2)) & np.isfinite(right).all(axis=0)
        information[~known] = np.eye(p)
        known &= np.linalg.eigvalsh(information)[:, 0] > 1e-10 * np.abs(information).max(axis=(1, 2))
        information[~known] = np.eye(p)
        step = np.linalg.solve(information, right.T[:, :, None])[:, :, 0].T
        value = value + np.where(known, step, np.nan)
        settled = known & (np.abs(z @ step).max(axis=0) <= _CONVERGED)
        if (settled | ~known).all():
            break
    return np.where(settled[:, None], basis.coefficients(value).T, np.nan)


def _deviance(y: FloatArray, mean: FloatArray, weight: FloatArray, family: GlmFamily) -> float:
    from scipy.special import xlogy

    with np.errstate(divide="ignore", invalid="ignore"):
        if family == "binomial":
            parts = xlogy(y, y) - xlogy(y, mean) + xlogy(1 - y, 1 - y) - xlogy(1 - y, 1 - mean)
        else:
            parts = xlogy(y, y) - xlogy(y, mean) - (y - mean)
    return float(2 * (weight @ parts))


def _variance(values: FloatArray, weight: FloatArray) -> float:
    """n/(n − 1) times the weighted variance."""
    rows = len(values)
    mean = np.average(values, weights=weight)
    return float(np.average((values - mean) ** 2, weights=weight)) * rows / (rows - 1) if rows > 1 else float("nan")


def _per_degree(squares: float, x: FloatArray) -> float:
    degrees = len(x) - x.shape[1]
    return squares / degrees if degrees > 0 else float("nan")


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:10]) + (" …" if len(names) > 10 else "")
