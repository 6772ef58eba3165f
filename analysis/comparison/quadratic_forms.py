"""Tails of the distribution that a Pearson statistic has in a survey: Σ λ χ²₁ over an independent χ²_df/df.

Public: effective_number, satterthwaite, integrated, saddlepoint. λ : ndarray, shape (m,), > 0, the generalised design effects.
"""

from collections.abc import Callable
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def effective_number(weights: FloatArray) -> float:
    """(Σλ)²/Σλ²: of how many equal weights Σ λ χ²₁ has the spread."""
    return float(weights.sum() ** 2 / (weights**2).sum())


def satterthwaite(x: float, weights: FloatArray, df: float) -> float:
    """P(Σ λ χ²₁ / (χ²_df / df) > x), taking x/Σλ as F on (Σλ)²/Σλ² and df degrees of freedom.

    References
    ----------
    Rao, J. N. K. and Scott, A. J. (1984). On chi-squared tests for multiway contingency tables with cell proportions
    estimated from survey data. Annals of Statistics 12, 46–60. https://doi.org/10.1214/aos/1176346391
    """
    from scipy.special import fdtrc

    return float(fdtrc(effective_number(weights), df, x / float(weights.sum())))


def integrated(x: float, weights: FloatArray, df: float) -> float:
    """P(Σ λ χ²₁ / (χ²_df / df) > x), by inverting the characteristic function (Imhof 1961), to about 1e-8.

    The ratio exceeds x where Σ λ χ²₁ − x/df · χ²_df exceeds 0.

    References
    ----------
    Imhof, J. P. (1961). Computing the distribution of quadratic forms in normal variables. Biometrika 48, 419–426.
    https://doi.org/10.1093/biomet/48.3-4.419
    """
    from scipy.integrate import quad

    scale = float(weights.max())
    ratio, share = weights / scale, x / (df * scale)

    def integrand(u: float) -> float:
        angle = 0.5 * (np.arctan(ratio * u).sum() - df * np.arctan(share * u))
        size = 0.25 * (np.log1p((ratio * u) ** 2).sum() + df * np.log1p((share * u) ** 2))
        return float(np.sin(angle) / u * np.exp(-size))

    total = 0.0
    edges = [0.0, *np.geomspace(1e-3, 1e6, 28)]
    for low, high in pairwise(edges):
        total += quad(integrand, low, high, epsabs=1e-11, epsrel=1e-10, limit=400)[0]
    return float(np.clip(0.5 + total / np.pi, 0.0, 1.0))


def saddlepoint(x: float, weights: FloatArray, df: float) -> float:
    """The same tail by the saddlepoint approximation, as R's `pFsum` has it; Satterthwaite's where it breaks down.

    R counts whole degrees of freedom below the line, so df is cut to a whole number there.

    References
    ----------
    Kuonen, D. (1999). Saddlepoint approximations for distributions of quadratic forms in normal variables. Biometrika
    86, 929–935. https://doi.org/10.1093/biomet/86.4.929
    """
    from scipy.optimize import brentq
    from scipy.special import ndtr

    form = np.append(weights, -x / df)
    scale = float(form.max())
    form, count = form / scale, np.append(np.ones(len(weights)), np.floor(df))
    slope: Callable[[float], float] = lambda zeta: float((count * form / (1 - 2 * zeta * form)).sum())
    low = float((1 / (2 * form[form < 0])).max()) * 0.99999
    high = float((1 / (2 * form[form > 0])).min()) * 0.99999
    if slope(low) > 0 or slope(high) < 0:
        return satterthwaite(x, weights, df)
    zeta = float(brentq(slope, low, high, xtol=1e-14))
    if abs(zeta) < 1e-4:
        return satterthwaite(x, weights, df)
    cumulant = -0.5 * float((count * np.log(1 - 2 * zeta * form)).sum())
    curvature = 2 * float((count * form**2 / (1 - 2 * zeta * form) ** 2).sum())
    w = np.sign(zeta) * np.sqrt(-2 * cumulant)
    v = zeta * np.sqrt(curvature)
    return float(ndtr(-(w + np.log(v / w) / w)))
