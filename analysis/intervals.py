"""Confidence intervals from a value, its standard error and degrees of freedom; arrays throughout.

Public: t, logit, index_share, few, korn_graubard, beta, wilson, clopper_pearson. Each gives (low, high), NaN where df < 1.
"""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
Interval = tuple[FloatArray, FloatArray]


def t(value: FloatArray, se: FloatArray, df: FloatArray, level: float) -> Interval:
    """Value ± t·SE. Near 0 % and 100 % it leaves the range and covers too little."""
    half = _quantile(df, level) * se
    return value - half, value + half


def logit(
    value: FloatArray, se: FloatArray, df: FloatArray, level: float | FloatArray, low: float = 0.0, high: float = 1.0
) -> Interval:
    """Interval on the logit scale of (value − low)/(high − low) with the delta SE; R's "xlogit" for low, high = 0, 1.

    NaN at the ends of the range, where the scale is infinite.
    """
    from scipy.special import expit
    from scipy.special import logit as log_odds

    width = high - low
    share = (value - low) / width
    with np.errstate(divide="ignore", invalid="ignore"):
        half = _quantile(df, level) * (se / width) / (share * (1 - share))
        centre = log_odds(np.where((share > 0) & (share < 1), share, np.nan))
    return low + width * expit(centre - half), low + width * expit(centre + half)


FEW = 3.0  # responses' worth of dissatisfaction below which a standard error of an index is not to be trusted


def few(p: FloatArray, se: FloatArray, n: FloatArray) -> NDArray[np.bool_]:
    """Where an index near an end of its range rests on few: size · min(p, 1 − p) < 3, size = min(n, p(1 − p)/SE²)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.fmin(n, p * (1 - p) / se**2) * np.minimum(p, 1 - p) < FEW)


def index_share(p: FloatArray, se: FloatArray, df: FloatArray, n: FloatArray, level: float | FloatArray) -> Interval:
    """Interval of an index or factor as a share of its range: logit, but Korn–Graubard where it rests on `few`.

    A respondent who answers every item alike is then a rare event that a standard error cannot see before it happens:
    near 97 % and 60 to 100 responses logit covers 86–92 %, erring upwards, this 97 % (docs/benchmarks/coverage.md).
    """
    scarce = few(p, se, n)
    usual, cautious = logit(p, se, df, level), korn_graubard(p, se, df, n, level)
    return np.where(scarce, cautious[0], usual[0]), np.where(scarce, cautious[1], usual[1])


def korn_graubard(p: FloatArray, se: FloatArray, df: FloatArray, n: FloatArray, level: float | FloatArray) -> Interval:
    """Clopper–Pearson on min(n, n_eff (t_{n−1}/t_df)²), n_eff = p(1 − p)/SE².

    Korn and Graubard (1998), Survey Methodology 24, 193–201; the cap at n as in the presentation standards of the
    National Center for Health Statistics (2017), Vital and Health Statistics, Series 2, no. 175.
    """
    return clopper_pearson(p, np.minimum(n, _adjusted_size(p, se, df, n, level)), level)


def beta(p: FloatArray, se: FloatArray, df: FloatArray, n: FloatArray, level: float) -> Interval:
    """The same without the cap, as R `svyciprop(method = "beta")`."""
    return clopper_pearson(p, _adjusted_size(p, se, df, n, level), level)


def wilson(p: FloatArray, se: FloatArray, df: FloatArray, n: FloatArray, level: float) -> Interval:
    """Wilson's score interval with n_eff = p(1 − p)/SE² capped at n and the t quantile.

    Franco, Little, Louis and Slud (2019), https://doi.org/10.1093/jssam/smy019
    """
    square = _quantile(df, level) ** 2
    with np.errstate(divide="ignore", invalid="ignore"):
        size = np.minimum(n, p * (1 - p) / se**2)
        centre = (p + square / (2 * size)) / (1 + square / size)
        half = np.sqrt(square * (p * (1 - p) / size + square / (4 * size**2))) / (1 + square / size)
    return centre - half, centre + half


def clopper_pearson(p: FloatArray, size: FloatArray, level: float | FloatArray) -> Interval:
    """Clopper and Pearson (1934) with a size that need not be whole; https://doi.org/10.1093/biomet/26.4.404"""
    from scipy.special import betaincinv

    tail = (1 - level) / 2
    p = np.clip(p, 0.0, 1.0)
    known = np.isfinite(size) & (size > 0)
    size = np.where(known, size, 1.0)
    yes, no = p * size, (1 - p) * size
    with np.errstate(invalid="ignore"):
        low = np.where(p > 0, betaincinv(np.where(yes > 0, yes, 1.0), no + 1, tail), 0.0)
        high = np.where(p < 1, betaincinv(yes + 1, np.where(no > 0, no, 1.0), 1 - tail), 1.0)
    return np.where(known, low, np.nan), np.where(known, high, np.nan)


def _adjusted_size(
    p: FloatArray, se: FloatArray, df: FloatArray, n: FloatArray, level: float | FloatArray
) -> FloatArray:
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = _quantile(n - 1, level) / _quantile(df, level)
        return np.asarray(p * (1 - p) / se**2 * ratio**2)


def _quantile(df: FloatArray, level: float | FloatArray) -> FloatArray:
    """Student's t at 1 − (1 − level)/2, for one level or one of each df; NaN below one degree of freedom."""
    from scipy.special import stdtrit

    if np.ndim(level):
        return np.asarray(stdtrit(np.where(np.asarray(df) >= 1, df, np.nan), 1 - (1 - level) / 2), dtype=np.float64)
    degrees, place = np.unique(np.asarray(df), return_inverse=True)
    usable = np.where(degrees >= 1, degrees, np.nan)
    return np.asarray(stdtrit(usable, 1 - (1 - level) / 2), dtype=np.float64)[place.reshape(np.shape(df))]
