"""Quantiles of survey data by Woodruff's method.

Public: quantile.
"""

from collections.abc import Collection, Hashable, Sequence
from dataclasses import replace
from itertools import product
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis import intervals
from analysis.columns import MISSING as MISSING_CODE
from analysis.columns import Columns, read_columns
from analysis.design import SurveyDesign
from analysis.distribution import MISSING, Distribution, Rule, at_or_below, distributions
from analysis.engine.columns import table_columns, table_domains
from analysis.engine.values import at_or_below as table_at_or_below
from analysis.engine.values import sums_by_value
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.estimators import mean
from analysis.flags import flag
from analysis.labels import IntArray
from analysis.linear import DegreesOfFreedom, check_options
from analysis.reading import read_domains
from analysis.variance import ReplicateScores, Scores, TaylorScores

FloatArray = NDArray[np.float64]
QuantileInterval = Literal["mean", "beta", "logit", "asin"]


def quantile(
    design: SurveyDesign,
    y: Any,
    q: float | Sequence[float],
    by: Any = None,
    interval: QuantileInterval = "mean",
    rule: Rule = "math",
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
) -> Estimates:
    """Weighted quantiles by domain, with Woodruff's interval.

    Parameters
    ----------
    design : SurveyDesign
    y : array_like, shape (n,) or (n, k), numbers or codes; NaN = missing. Mappings and DataFrames name their columns.
    q : shares 0 < q < 1, a number or a sequence. With a sequence the variables of the result are the pairs
        (column, share), all shares of the first column first; with a number they are the columns.
    by : labels, shape (n,), or a list of several to cross; None: the one domain "all"
    interval : how the interval of P(y ≤ q̂) is made: "mean" (t), "beta" (uncapped, with the domain's df), "logit" (R's
        "xlogit"), "asin"
    rule : "math" smallest y with F(y) ≥ q; "school" where F(y) = q the mean of y and the next value, else the same;
        "hf7" linear between the sorted rows, with equal weights numpy's default. Also the other rules of Hyndman and
        Fan, carried over to weights as in R: "hf1" (as "math"), "hf2" (as "school"), "hf3", "hf4", "hf5", "hf6", "hf8",
        "hf9"
    level : confidence level
    df : "domain" (PSUs − strata with a row in the domain) or "design" (of the whole design)
    missing : integer codes that mean no answer

    Returns
    -------
    Estimates of shape (domains, k · shares). `se` is the width of the interval / (2 t); `deff` and `n_eff` are those of
    the share P(y ≤ q̂). Where a bound of the share falls outside [0, 1], or q̂ is the largest value under "logit" and
    "beta", that end of the interval and the SE are NaN.

    Raises
    ------
    AnalysisError
        for shares outside (0, 1), an unknown rule or interval, weights that calibration has made negative, and the input
        errors of `analysis.mean`.

    Notes
    -----
    With p̂ = P(y ≤ q̂), a domain mean with its SE in the design, and (p_low, p_high) its interval, the interval of the
    quantile is (F⁻¹(p_low), F⁻¹(p_high)), F⁻¹ by the same rule (Woodruff 1952).

    Covariances are those of the shares p̂ over the densities, (SE_a/SE(p̂_a)) (SE_b/SE(p̂_b)) cov(p̂_a, p̂_b): Bahadur's
    representation q̂ − q ≈ −(F̂(q) − p)/f(q), with the density f that Woodruff's SE implies (Francisco and Fuller 1991).
    For answers of few distinct codes a quantile moves in steps, and its SE measures the interval, not a normal spread.

    Shares that differ by less than 1e-12 count as equal. R `survey` 4.1-1 compares sums of rounded weights instead, and
    where p is below the share of the smallest row it gives the second smallest value; here it is the smallest. Of designs
    with replicate weights it makes the interval "mean" whichever is asked for. The linear rules put row i at
    Σ_{j<i} w_j + (1 − a) w_i of W + b w_n, with (a, b) = (0, 0) "hf4", (1/2, 0) "hf5", (0, 1) "hf6", (1, −1) "hf7",
    (1/3, 1/3) "hf8", (3/8, 1/4) "hf9"; they depend on the order of tied rows of unequal weight, as in R.

    References
    ----------
    Woodruff, R. S. (1952). Confidence intervals for medians and other position measures. Journal of the American
    Statistical Association 47, 635–646. https://doi.org/10.1080/01621459.1952.10483443
    Francisco, C. A. and Fuller, W. A. (1991). Quantile estimation with a complex survey design. Annals of Statistics 19,
    454–469. https://doi.org/10.1214/aos/1176347993
    Hyndman, R. J. and Fan, Y. (1996). Sample quantiles in statistical packages. The American Statistician 50, 361–365.
    https://doi.org/10.1080/00031305.1996.10473566
    """
    shares = _check(q, interval, rule, level, df)
    if (design.weight < 0).any():
        raise AnalysisError(
            Problem("a quantile needs weights ≥ 0", "design.weight", "calibrate with bounds that keep weights positive")
        )
    if design.source is not None:
        return _of_table(design, y, by, missing, np.ndim(q) == 0, shares, level, df, interval, rule)
    columns = read_columns(y, "y", design.n, missing)
    domains = read_domains(by, design.n)
    values, absent, code = columns.values, _missing(columns), domains.code
    sorted_ = distributions(values, absent, code, len(domains.labels), design.weight, rule)
    wanted = np.broadcast_to(shares, (len(domains.labels), len(shares)))
    value = np.stack([one.quantile(wanted, rule) for one in sorted_], axis=1)  # (domains, columns, shares)
    below = at_or_below(values, absent, code, value).reshape(design.n, -1)
    of = mean(design, below, by=by, level=level, missing=(MISSING,))
    of = replace(of, variables=_names(columns.names, shares, np.ndim(q) == 0))
    return _estimates(of, value, sorted_, interval, rule, df)


def _names(variables: tuple[Hashable, ...], shares: FloatArray, one: bool) -> tuple[Hashable, ...]:
    return variables if one else tuple(product(variables, map(float, shares)))


def _of_table(
    design: SurveyDesign,
    y: Any,
    by: Any,
    missing: Collection[int],
    one: bool,
    shares: FloatArray,
    level: float,
    df: DegreesOfFreedom,
    interval: QuantileInterval,
    rule: Rule,
) -> Estimates:
    """Quantiles from the sums of weights by value, where the table is."""
    if rule not in ("math", "school", "hf1", "hf2"):
        design.require_rows(f"the rule {rule!r}")
    source = design.source
    assert source is not None
    columns, domains = table_columns(source, y, "y", missing), table_domains(source, by)
    nothing, count = np.zeros(0, dtype=np.int64), len(domains.labels)
    sorted_ = [
        distributions(value[:, None], nothing, place, count, weight, rule)[0]
        for place, value, weight in sums_by_value(source, columns, domains)
    ]
    wanted = np.broadcast_to(shares, (count, len(shares)))
    value = np.stack([part.quantile(wanted, rule) for part in sorted_], axis=1)
    compared, below, of_domain = table_at_or_below(source, columns, domains, value)
    of = mean(design.with_source(compared), below, by=of_domain, level=level)
    of = replace(of, variables=_names(columns.names, shares, one))
    return _estimates(of, value, sorted_, interval, rule, df)


def _check(q: float | Sequence[float], interval: str, rule: str, level: float, df: str) -> FloatArray:
    check_options(level, df)
    problems = []
    for name, given, choices in (
        ("interval", interval, get_args(QuantileInterval)),
        ("rule", rule, get_args(Rule)),
    ):
        if given not in choices:
            problems.append(Problem(f"there is no {name} {given!r}", name, f"choose one of {', '.join(choices)}"))
    shares = np.atleast_1d(np.asarray(q))
    if shares.dtype.kind not in "iuf" or shares.ndim != 1 or len(shares) == 0:
        problems.append(Problem(f"{q!r} is not a share or a list of shares", "q", "give 0.5 for the median"))
    else:
        outside = [float(share) for share in shares if not 0 < share < 1]
        if outside:
            problems.append(
                Problem(f"a quantile needs a share between 0 and 1, and there is {outside[0]:g}", "q", "0.9 is 90 %")
            )
        elif len(np.unique(shares)) < len(shares):
            problems.append(Problem("a share is given twice", "q", "give every share once"))
    if problems:
        raise AnalysisError(problems)
    return shares.astype(np.float64)


def _missing(columns: Columns) -> IntArray:
    """Codes that mean no answer; among numbers that is NaN."""
    if columns.lookup is None:
        return np.zeros(0, dtype=np.int64)
    return np.flatnonzero(columns.lookup == MISSING_CODE) + columns.low


def _estimates(
    of: Estimates,
    value: FloatArray,
    sorted_: list[Distribution],
    interval: QuantileInterval,
    rule: Rule,
    df: DegreesOfFreedom,
) -> Estimates:
    """Woodruff's interval and SE from the estimated shares P(y ≤ q̂)."""
    degrees = of.df if df == "domain" else np.full(of.df.shape, float(of.scores.design.df))
    if interval == "mean":
        low, high = intervals.t(of.value, of.se, degrees, of.level)
    elif interval == "logit":
        low, high = intervals.logit(of.value, of.se, degrees, of.level)
    elif interval == "asin":
        low, high = _asin(of.value, of.se, degrees, of.level)
    else:
        low, high = intervals.beta(of.value, of.se, of.df, of.n.astype(np.float64), of.level)
    with np.errstate(invalid="ignore"):
        low = np.where(low >= 0, low, np.nan).reshape(value.shape)
        high = np.where(high <= 1, high, np.nan).reshape(value.shape)
    ends = [
        np.stack([one.quantile(p[:, i], rule) for i, one in enumerate(sorted_)], axis=1).reshape(of.value.shape)
        for p in (low, high)
    ]
    flat = value.reshape(of.value.shape)
    se = (ends[1] - ends[0]) / (2 * t_quantile(degrees, of.level))
    with np.errstate(invalid="ignore", divide="ignore"):
        density = np.where(of.se > 0, -se / of.se, np.where(se == 0, 0.0, np.nan))
    return replace(
        of,
        value=flat,
        se=se,
        ci_low=ends[0],
        ci_high=ends[1],
        df=degrees,
        interval=(interval,) * len(of.variables),
        flags=flag(se, degrees),
        scores=_scaled(of.scores, density, flat),
    )


def _scaled(scores: Scores, factor: FloatArray, value: FloatArray) -> Scores:
    """Scores of P(y ≤ q̂) times −1/f(q̂): those of q̂. `factor` and `value` have shape (domains, variables)."""
    if isinstance(scores, ReplicateScores):
        return replace(scores, values=value + factor * (scores.values - scores.estimate), estimate=value)
    assert isinstance(scores, TaylorScores)
    right = tuple(part * factor[:, None, :] for part in scores.right)
    return replace(scores, total=scores.total * factor[scores.moments.domain], right=right)


def _asin(p: FloatArray, se: FloatArray, df: FloatArray, level: float) -> intervals.Interval:
    """On the scale of asin √p, where the delta SE is SE / (2 √(p(1 − p))); NaN at 0 and 1."""
    with np.errstate(invalid="ignore", divide="ignore"):
        half = t_quantile(df, level) * se / (2 * np.sqrt(p * (1 - p)))
        centre = np.arcsin(np.sqrt(np.clip(p, 0.0, 1.0)))
        return np.sin(centre - half) ** 2, np.sin(centre + half) ** 2


def t_quantile(df: FloatArray, level: float) -> FloatArray:
    """Student's t at 1 − (1 − level)/2; NaN below one degree of freedom."""
    from scipy.special import stdtrit

    return np.asarray(stdtrit(np.where(df >= 1, df, np.nan), 1 - (1 - level) / 2))
