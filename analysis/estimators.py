"""Means, totals, ratios, proportions and composites of survey data, with their standard errors.

Public: mean, total, ratio, proportion, composite. Each returns `Estimates`. A missing answer (NaN, or a code listed in
`missing`) takes the row out of the variable's domain, never out of the design. `by` is None, the labels of a
classification, or a list of several that are crossed; rows whose label is missing lie in no domain.
"""

from collections.abc import Collection, Sequence
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis import intervals
from analysis.columns import Columns
from analysis.design import SurveyDesign
from analysis.engine.columns import TableColumns
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.inclusion import expanded, expanded_pairs
from analysis.linear import DegreesOfFreedom, Linearised, check_options, finish, linearise
from analysis.moments.sums import Measure
from analysis.reading import read_classification, read_shares, read_variables

FloatArray = NDArray[np.float64]
ShareInterval = Literal["korn_graubard", "beta", "logit", "wilson", "t"]


def mean(
    design: SurveyDesign,
    y: Any,
    by: Any = None,
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
    inclusion: Any = None,
) -> Estimates:
    """Weighted means by domain: Σ w y / Σ w.

    Parameters
    ----------
    design : SurveyDesign
    y : array_like, shape (n,) or (n, k), numbers or codes; NaN = missing. Mappings and DataFrames name their columns.
    by : labels, shape (n,), or a list of several to cross; None: the one domain "all"
    level : confidence level of the t interval
    df : "domain" (PSUs − strata with a row in the domain) or "design" (of the whole design)
    missing : integer codes that mean no answer
    inclusion : where each row was asked a random part of the questions, the probability π with which it was asked y, as
        design knows it: a number, array_like of shape (n,) or (n, k), or a mapping from the names of y; above 0, at
        most 1. A row that was not asked has no answer. The mean is then Σ w (y/π) / Σ w (1/π).

    Returns
    -------
    Estimates of shape (domains, k)

    Notes
    -----
    Taylor linearisation: the score of a row is w (y − ȳ)/Σw in the domain and 0 outside; after calibration it is
    w (u − xB), the residual of u = (y − ȳ)/Σw on the calibration indicators. With `inclusion` u is over π, so that the
    draw of the questions is in the variance.

    References
    ----------
    Binder, D. A. (1983). On the variances of asymptotically normal estimators from complex surveys. International
    Statistical Review 51, 279–292. https://doi.org/10.2307/1402588
    """
    check_options(level, df)
    columns = read_variables(design, y, "y", missing)
    domains = read_classification(design, by)
    result = linearise(design, expanded(design, columns, inclusion), domains)
    return finish(result, domains.labels, columns.names, level, df, ("t",) * len(columns.names))


def total(
    design: SurveyDesign,
    y: Any,
    by: Any = None,
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
) -> Estimates:
    """Weighted totals by domain: Σ w y.

    Parameters
    ----------
    design : SurveyDesign
    y : array_like, shape (n,) or (n, k), numbers or codes; NaN = missing. Mappings and DataFrames name their columns.
    by, level, df, missing : as for `mean`

    Returns
    -------
    Estimates of shape (domains, k)

    Notes
    -----
    The score of a row is w y in the domain and 0 outside. deff compares with a simple random sample of the domain's
    size, so the deff of a domain total is large.
    """
    check_options(level, df)
    columns = read_variables(design, y, "y", missing)
    domains = read_classification(design, by)
    result = linearise(design, Measure(columns), domains, total=True)
    return finish(result, domains.labels, columns.names, level, df, ("t",) * len(columns.names))


def ratio(
    design: SurveyDesign,
    y: Any,
    x: Any,
    by: Any = None,
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
    inclusion: Any = None,
) -> Estimates:
    """Ratios of totals by domain: R = Σ w y / Σ w x over the rows where both are valid.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, k)
    x : array_like, shape (n,), or (n, k) to go with the columns of y
        Others as for `mean`.

    Notes
    -----
    The score of a row is w (y − R x)/Σ w x. deff is that of the total of the scores. A domain where Σ w x = 0 has no
    ratio: NaN.
    """
    check_options(level, df)
    top, bottom = read_variables(design, y, "y", missing), read_variables(design, x, "x", missing)
    _match(top, bottom, "x")
    domains = read_classification(design, by)
    names = tuple(f"{a}/{bottom.names[i % len(bottom.names)]}" for i, a in enumerate(top.names))
    result = linearise(design, Measure(*expanded_pairs(design, top, bottom, inclusion)), domains)
    return finish(result, domains.labels, names, level, df, ("t",) * len(names))


def composite(
    design: SurveyDesign,
    numerators: Any,
    denominators: Any,
    coefficients: ArrayLike,
    by: Any = None,
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
    names: Sequence[str] = ("composite",),
    inclusion: Any = None,
) -> Estimates:
    """Weighted sums of ratios, linearised whole: Σ_k a_k Σ w y_k / Σ w x_k, so that the ratios covary.

    Parameters
    ----------
    numerators, denominators : array_like, shape (n, k); for a mean the denominator is 1 where the answer is valid.
        Each ratio is over the rows where its own pair is valid.
    coefficients : array_like, shape (k,), or (k, v) for several composites named by `names`
        Others as for `mean`.

    Notes
    -----
    The score of a row is Σ_k a_k w (y_k − R_k x_k)/Σ w x_k. n counts rows with a valid pair in any ratio that takes
    part. A domain where one of them has Σ w x = 0 has no composite: NaN.
    """
    check_options(level, df)
    top = read_variables(design, numerators, "numerators", missing)
    bottom = read_variables(design, denominators, "denominators", missing)
    _match(top, bottom, "denominators")
    top, bottom = expanded_pairs(design, top, bottom, inclusion)
    mix = np.asarray(coefficients, dtype=np.float64)
    mix = mix[:, None] if mix.ndim == 1 else mix
    if mix.shape != (len(top.names), len(names)) or not np.isfinite(mix).all():
        raise AnalysisError(
            Problem(
                f"coefficients have shape {np.shape(coefficients)} for {len(top.names)} ratios and {len(names)} names",
                "coefficients",
                "give one finite number for each ratio, in columns if there are several composites",
            )
        )
    domains = read_classification(design, by)
    result = linearise(design, Measure(top, bottom, combine=mix), domains)
    return finish(result, domains.labels, tuple(names), level, df, ("t",) * len(names))


def proportion(
    design: SurveyDesign,
    y: Any,
    by: Any = None,
    level: float = 0.95,
    interval: ShareInterval = "korn_graubard",
    df: DegreesOfFreedom = "domain",
    missing: Collection[int] = (),
    of: Collection[int] | None = None,
    inclusion: Any = None,
) -> Estimates:
    """Proportions by domain: the mean of a 0/1 variable with an interval made for shares.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, k), 0, 1, NaN or codes listed in `missing`; with `of` any codes
    of : codes that count as 1, all others that are not missing counting as 0: of=(4, 5) is the share of 4 and 5
    interval : "korn_graubard" (n_eff capped at n, df-adjusted), "beta" (R's, uncapped; always with the domain's df),
        "logit" (R's xlogit), "wilson", "t"
        Others as for `mean`.

    Notes
    -----
    Where SE = 0, all answers being the same, every method but "t" gives the Clopper–Pearson interval with
    n_eff = min(n, Kish's n_eff), flagged "se_zero".

    References
    ----------
    Korn, E. L. and Graubard, B. I. (1998). Confidence intervals for proportions with small expected number of positive
    counts estimated from survey data. Survey Methodology 24, 193–201.
    """
    check_options(level, df)
    if interval not in get_args(ShareInterval):
        raise AnalysisError(
            Problem(
                f"there is no interval {interval!r}", "interval", f"choose one of {', '.join(get_args(ShareInterval))}"
            )
        )
    columns = read_shares(design, y, missing, of)
    domains = read_classification(design, by)
    result = linearise(design, expanded(design, columns, inclusion, (0.0, 1.0)), domains)

    def rule(result: Linearised, degrees: FloatArray, level: float) -> intervals.Interval:
        return share_interval(interval, result, degrees, level)

    return finish(result, domains.labels, columns.names, level, df, (interval,) * len(columns.names), rule)


def share_interval(method: ShareInterval, result: Linearised, df: FloatArray, level: float) -> intervals.Interval:
    """Interval of shares in [0, 1] by name, with Clopper–Pearson on Kish's size where SE = 0."""
    p, se, n = result.value, result.se, result.n
    if method == "t":
        return intervals.t(p, se, df, level)
    if method == "logit":
        low, high = intervals.logit(p, se, df, level)
    else:
        degrees = result.df_domain if method == "beta" else df
        low, high = getattr(intervals, method)(p, se, degrees, n, level)
    flat = se == 0
    if flat.any():
        exact = intervals.clopper_pearson(p, result.kish(), level)
        low, high = np.where(flat, exact[0], low), np.where(flat, exact[1], high)
    return low, high


def _match(top: Columns | TableColumns, bottom: Columns | TableColumns, name: str) -> None:
    if len(bottom.names) not in (1, len(top.names)):
        raise AnalysisError(
            Problem(
                f"{name} has {len(bottom.names)} columns for {len(top.names)} numerators",
                name,
                "give one column, or one for each numerator",
            )
        )
