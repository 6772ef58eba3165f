"""From moments to estimates: values, linearised scores, df and design effect, for every estimator alike.

An estimator is its measure (what is summed) and nothing else; see analysis.estimators and analysis.index.
Public: Linearised, linearise, IntervalRule, finish.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.intervals import Interval, t
from analysis.labels import Codes
from analysis.moments import Measure, Moments, boundaries, mix, spread, squared_weights, sum_by_group
from analysis.variance import Scores

FloatArray = NDArray[np.float64]
DegreesOfFreedom = Literal["domain", "design"]

_ROUNDING = 1e-14  # a variance below this times value² is rounding


@dataclass(frozen=True, eq=False)
class Linearised:
    """Values and scores before any interval; arrays of shape (domains, variables)."""

    moments: Moments
    measure: Measure
    value: FloatArray
    se: FloatArray
    n: FloatArray
    population: FloatArray
    scores: Scores
    deff: FloatArray

    @cached_property
    def df_domain(self) -> FloatArray:
        """PSUs − strata with a row in the domain that answered the variable."""
        moments = self.moments
        stage = moments.design.stages[0]
        psu = stage.of_unit[moments.unit]
        here = moments.answered > 0
        result = np.zeros((moments.domains, here.shape[1]))
        for sign, key in ((1, psu), (-1, stage.group[psu])):
            start = boundaries(moments.domain, key)
            if len(start):
                seen = np.logical_or.reduceat(here, start, axis=0).astype(np.float64)
                domain = moments.domain[start]
                first = boundaries(domain)
                result[domain[first]] += sign * np.add.reduceat(seen, first, axis=0)
        return np.broadcast_to(result, self.value.shape)

    def kish(self) -> FloatArray:
        """Kish's effective number of answers, (Σw)²/Σw², at most n."""
        squares = np.broadcast_to(squared_weights(self.moments, self.measure), self.value.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.minimum(self.n, self.population**2 / squares)


def linearise(design: SurveyDesign, measure: Measure, by: Codes, total: bool = False) -> Linearised:
    """Sum, divide, linearise: u = (top − R·bottom)/Σ w·bottom for a ratio R, u = top for a total."""
    moments = sum_by_group(design, measure, by)
    top, bottom = moments.by_domain(moments.top), moments.by_domain(moments.bottom)
    n, population = moments.by_domain(moments.answered), moments.by_domain(moments.population)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(bottom != 0, top / bottom, np.nan)
        factor = np.where(bottom != 0, 1 / bottom, 0.0)
    if total:
        value, score = top, moments.top
    else:
        value = ratio
        score = (moments.top - np.nan_to_num(ratio)[moments.domain] * moments.bottom) * factor[moments.domain]
    if measure.combine is not None:
        value, score = _mixed(ratio, measure.combine), mix(score, measure.combine)
    n, population = (np.broadcast_to(a, value.shape) for a in (n, population))
    scores = Scores(moments, score)
    with np.errstate(invalid="ignore"):
        variance = np.where(scores.variance < _ROUNDING * value**2, 0.0, scores.variance)
    variance[np.isnan(value)] = np.nan
    squares = spread(moments, measure, ratio, np.where(bottom != 0, 1.0, 0.0) if total else bottom)
    squares[population * squares <= 1e-20 * value**2] = 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(n > 1, variance * (n - 1) / (population * squares), np.nan)
    return Linearised(moments, measure, value, np.sqrt(variance), n, population, scores, deff)


def _mixed(ratio: FloatArray, combine: FloatArray) -> FloatArray:
    """Σ_r combine_r ratio_r; NaN where a ratio that takes part is."""
    value = np.nan_to_num(ratio) @ combine
    value[(np.isnan(ratio).astype(np.float64) @ (combine != 0)) > 0] = np.nan
    return value


IntervalRule = Callable[[Linearised, FloatArray, float], Interval]


def t_rule(result: Linearised, df: FloatArray, level: float) -> Interval:
    """The t interval, as means and totals have it."""
    return t(result.value, result.se, df, level)


def finish(
    result: Linearised,
    domains: Sequence[Hashable],
    variables: Sequence[Hashable],
    level: float,
    df: DegreesOfFreedom,
    interval: tuple[str, ...],
    rule: IntervalRule = t_rule,
) -> Estimates:
    """Add interval, df and flags."""
    degrees = result.df_domain if df == "domain" else np.full(result.value.shape, float(result.moments.design.df))
    low, high = rule(result, degrees, level)
    with np.errstate(divide="ignore", invalid="ignore"):
        n_eff = result.n / result.deff
    return Estimates(
        domains=tuple(domains),
        variables=tuple(variables),
        value=result.value,
        se=result.se,
        ci_low=np.where(degrees >= 1, low, np.nan),
        ci_high=np.where(degrees >= 1, high, np.nan),
        df=degrees,
        deff=result.deff,
        n=result.n.astype(np.int64),
        n_eff=n_eff,
        population=result.population,
        level=level,
        interval=interval,
        flags=_flags(result.se, degrees),
        scores=result.scores,
    )


def check_options(level: float, df: str) -> None:
    problems = []
    if not 0 < level < 1:
        problems.append(Problem(f"a confidence level of {level} is not between 0 and 1", "level", "give 0.95 for 95 %"))
    if df not in get_args(DegreesOfFreedom):
        problems.append(Problem(f"there is no rule {df!r} for the degrees of freedom", "df", '"domain" or "design"'))
    if problems:
        raise AnalysisError(problems)


def _flags(se: FloatArray, df: FloatArray) -> NDArray[np.object_]:
    flags = np.empty(se.shape, dtype=object)
    flags.fill(())
    for word, where in (("se_zero", se == 0), ("low_df", df < 8), ("no_df", df < 1)):
        for place in zip(*np.nonzero(where), strict=True):
            flags[place] += (word,)
    return flags
