"""Many comparisons at once: adjusted p-values, and intervals that hold together.

Public: Adjust, Simultaneous, adjust_p, critical_values.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Adjust = Literal["none", "holm", "bh"]
Simultaneous = Literal["none", "bonferroni", "scheffe", "max_t"]

_DRAWS = 1 << 15  # directions behind max_t
_LEAST_DRAWS = 1 << 13  # and where degrees of freedom differ
_NUMBERS = 1 << 24  # directions times comparisons: fewer directions where there are many comparisons
_NODES = 16  # of the integral over the common χ²
_CHUNK = 1 << 22
_SEED = 20_240_229


def adjust_p(p: FloatArray, method: Adjust) -> FloatArray:
    """Adjusted p-values of one family, shape (m,); NaN stays and counts for nothing.

    Holm (1979) holds the chance of any false claim, Benjamini and Hochberg (1995) the expected share of false ones.
    """
    result = p.copy()
    known = ~np.isnan(p)
    if method == "none" or not known.any():
        return result
    from statsmodels.stats.multitest import multipletests

    result[known] = multipletests(p[known], method={"holm": "holm", "bh": "fdr_bh"}[method])[1]
    return result


def critical_values(method: Simultaneous, level: float, df: FloatArray, covariance: FloatArray | None) -> FloatArray:
    """How many standard errors the intervals of one family reach to each side, shape (m,).

    Parameters
    ----------
    method : "none": Student's t for each by itself; "bonferroni": t at 1 − α/(2m); "scheffe": √(r F_{r, df}), r the rank of
        the covariance, which holds for all linear functions of the differences; "max_t": the smallest that hold
        together, from the distribution of the largest |t| under the covariance
    df : ndarray, shape (m,); below 1 there is no interval
    covariance : ndarray, shape (m, m); needed for "scheffe" and "max_t"

    Notes
    -----
    max_t: with Z ~ N(0, R), R the correlations, and one χ² level for all, t_j = Z_j / √(χ²_{df_j}/df_j), the same local level
    is sought for each comparison, also where df differ, so that all |t_j| keep below their t_{df_j} with 1 − α. The
    length of Z and the χ² are integrated by formula; its direction is averaged over 2¹⁵ random points of the sphere with
    a fixed seed (fewer, at least 2¹³, where there are over 500 comparisons or df differ), so the same data always have the
    same interval. For balanced groups, where Tukey's studentised range is exact, the critical values agree to 0.002, and to
    0.01 where df differ.

    References
    ----------
    Hothorn, T., Bretz, F. and Westfall, P. (2008). Simultaneous inference in general parametric models. Biometrical
    Journal 50, 346–363. https://doi.org/10.1002/bimj.200810425
    Scheffé, H. (1953). A method for judging all contrasts in the analysis of variance. Biometrika 40, 87–110.
    https://doi.org/10.1093/biomet/40.1-2.87
    """
    from scipy.special import fdtri, stdtrit

    usable = np.where(df >= 1, df, np.nan)
    alpha = 1 - level
    if method == "bonferroni":
        alpha /= max(int((~np.isnan(usable)).sum()), 1)
    if method in ("none", "bonferroni") or covariance is None:
        return np.asarray(stdtrit(usable, 1 - alpha / 2))
    variance = np.diag(covariance)
    chosen = np.isfinite(variance) & (variance > 0) & ~np.isnan(usable)
    if not chosen.any():
        return np.asarray(stdtrit(usable, 1 - alpha / 2))
    root = _root(covariance[np.ix_(chosen, chosen)])
    if method == "scheffe":
        rank = root.shape[1]
        with np.errstate(invalid="ignore"):
            return np.asarray(np.sqrt(rank * fdtri(float(rank), usable, level)))
    return np.asarray(stdtrit(usable, 1 - _local_level(root, usable[chosen], alpha) / 2))


def _root(covariance: FloatArray) -> FloatArray:
    """L with correlation = L L', shape (m, rank)."""
    scale = 1 / np.sqrt(np.diag(covariance))
    values, vectors = np.linalg.eigh(covariance * scale[:, None] * scale)
    kept = values > 1e-10 * values[-1]
    return np.asarray(vectors[:, kept] * np.sqrt(values[kept]))


def _local_level(root: FloatArray, df: FloatArray, alpha: float) -> float:
    """The two-sided level that each comparison must have so that all hold together with 1 − alpha."""
    from scipy.optimize import brentq
    from scipy.special import chdtri, fdtr, gammainc, stdtrit

    m, rank = root.shape
    degrees = np.unique(df)
    directions = _directions(rank, m)[: None if len(degrees) == 1 else _LEAST_DRAWS]
    largest = np.column_stack([_largest(directions, root[df == one]) for one in degrees]) ** 2
    nodes, node_weights = np.polynomial.legendre.leggauss(_NODES)
    shrink = chdtri(degrees[:, None], (nodes + 1) / 2) / degrees[:, None]

    def held(local: float) -> float:
        """Chance that all hold, less the level: over lengths of Z, and over the common χ², by formula."""
        square = stdtrit(degrees, 1 - local / 2) ** 2
        if len(degrees) == 1:
            inside = fdtr(float(rank), degrees[0], square[0] / (rank * largest[:, 0])).mean()
        else:
            reach = np.stack([(square * shrink[:, i] / largest).min(axis=1) for i in range(_NODES)])
            inside = node_weights @ gammainc(rank / 2, reach / 2).mean(axis=1) / 2
        return float(inside) - (1 - alpha)

    if m == 1 or held(alpha) >= 0:
        return alpha
    return float(brentq(held, alpha / m / 2, alpha, xtol=1e-10))


def _directions(rank: int, m: int) -> FloatArray:
    """Random points on the unit sphere, always the same; fewer where there are many comparisons."""
    draws = int(np.clip(_NUMBERS // m, _LEAST_DRAWS, _DRAWS))
    normal = np.random.default_rng(_SEED).standard_normal((draws, rank))
    return np.asarray(normal / np.sqrt((normal**2).sum(axis=1))[:, None])


def _largest(directions: FloatArray, root: FloatArray) -> FloatArray:
    """max_j |L_j · direction| for each direction."""
    size = max(_CHUNK // len(root), 1)
    chunks = (directions[a : a + size] for a in range(0, len(directions), size))
    return np.concatenate([np.abs(chunk @ root.T).max(axis=1) for chunk in chunks])
