"""From moments to estimates: values, linearised scores, df and design effect, for every estimator alike.

An estimator is its measure (what is summed) and nothing else; see analysis.estimators and analysis.sipas_index.
Public: Linearised, linearise, IntervalRule, finish, of_values.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.intervals import Interval, t
from analysis.labels import Codes, Domains, IntArray
from analysis.moments import kernels
from analysis.moments.of_tables import sum_in_table
from analysis.moments.respondents import sum_by_unit
from analysis.moments.sums import Measure, Moments, boundaries, count_runs
from analysis.variance import ReplicateScores, Scores, TaylorScores

FloatArray = NDArray[np.float64]
DegreesOfFreedom = Literal["domain", "design"]

_BLOCK = 1 << 22  # numbers held at once while the sums of replicates are formed
_ROUNDING = 1e-20  # a variance below this times value² is rounding


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
        """PSUs − strata with a row in the domain that answered the variable; rank − 1 with replicate weights."""
        moments = self.moments
        if moments.design.replicates is not None:
            return np.broadcast_to(_replicate_df(moments), self.value.shape)
        stage = moments.design.stages[0]
        psu = stage.of_unit[moments.unit]
        result = np.zeros((moments.domains, moments.answered.shape[1]))
        for sign, key in ((1, psu), (-1, stage.group[psu])):
            start = boundaries(moments.domain, key)
            if len(start):
                seen = moments.answered if len(start) == len(key) else count_runs(moments.answered, start)
                domain = moments.domain[start]
                first = boundaries(domain)
                result[domain[first]] += sign * count_runs(seen, first)
        return np.broadcast_to(result, self.value.shape)

    def kish(self) -> FloatArray:
        """Kish's effective number of answers, (Σw)²/Σw², at most n."""
        squares = np.broadcast_to(self.moments.second.squared_weights(), self.value.shape)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.minimum(self.n, self.population**2 / squares)


def _replicate_df(moments: Moments) -> FloatArray:
    """Rank − 1 of the replicate weights of the units with an answer, by domain and variable."""
    replicates = moments.design.replicates
    assert replicates is not None
    here = moments.answered > 0
    result = np.zeros((moments.domains, here.shape[1]))
    bounds = np.searchsorted(moments.domain, np.arange(moments.domains + 1))
    for domain in range(moments.domains):
        pairs = slice(bounds[domain], bounds[domain + 1])
        result[domain] = replicates.domain_dfs(moments.unit[pairs], here[pairs])
    return result


def linearise(design: SurveyDesign, measure: Measure, by: Domains, total: bool = False) -> Linearised:
    """Sum, divide, linearise: u = (top − R·bottom)/Σ w·bottom for a ratio R, u = top for a total."""
    moments = _sums(design, measure, by)
    top, bottom = moments.by_domain(moments.top), moments.by_domain(moments.bottom)
    n, population = moments.n, moments.by_domain(moments.population)
    value, ratio, factor = _values(top, bottom, measure, total)
    n, population = (np.broadcast_to(a, value.shape) for a in (n, population))
    if design.replicates is not None:
        scores: Scores = ReplicateScores(moments, _replicate_values(moments, measure, total), value)
    else:
        known = np.nan_to_num(ratio)

        def score(high: FloatArray, low: FloatArray, domain: IntArray) -> FloatArray:
            if total:
                return high
            if domain.ndim == 1:
                result = np.empty(high.shape)
                kernels.linear_scores(high, np.broadcast_to(low, high.shape), domain, known, factor, result)
            else:
                result = (high - known[domain] * low) * factor[domain]
            return result if measure.combine is None else result @ measure.combine

        each = np.arange(len(value))
        right = tuple(score(high, low, each[:, None]) for high, low in moments.crossed)
        scores = TaylorScores(moments, score(moments.top, moments.bottom, moments.domain), right)
    with np.errstate(invalid="ignore"):
        variance = np.where(scores.variance < _ROUNDING * value**2, 0.0, scores.variance)
    variance[np.isnan(value)] = np.nan
    squares = moments.second.spread(ratio, np.where(bottom != 0, 1.0, 0.0) if total else bottom)
    squares = np.where(population * squares <= 1e-20 * value**2, 0.0, squares)
    with np.errstate(divide="ignore", invalid="ignore"):
        deff = np.where(n > 1, variance * (n - 1) / (population * squares), np.nan)
    return Linearised(moments, measure, value, np.sqrt(variance), n, population, scores, deff)


def _sums(design: SurveyDesign, measure: Measure, by: Domains) -> Moments:
    """Sums over respondents, where they are: in arrays, or in a table."""
    if design.source is not None:
        return sum_in_table(design, measure, by)
    assert isinstance(by, Codes)
    return sum_by_unit(design, measure, by)


def _values(
    top: FloatArray, bottom: FloatArray, measure: Measure, total: bool
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Values of the variables, the ratios, and 1 / Σ w·bottom (0 where there is none)."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(bottom != 0, top / bottom, np.nan)
        factor = np.where(bottom != 0, 1 / bottom, 0.0)
    if total:
        return top, ratio, factor
    for end in measure.ends:
        ratio[np.abs(ratio - end) <= 1e-13 * abs(end)] = end
    return (ratio if measure.combine is None else _mixed(ratio, measure.combine)), ratio, factor


def _replicate_values(moments: Moments, measure: Measure, total: bool) -> FloatArray:
    """The estimates under every replicate's weights, shape (replicates, domains, variables)."""
    replicates, r = moments.design.replicates, moments.top.shape[1]
    assert replicates is not None
    bottom = moments.bottom
    if total or (bottom == bottom[:, :1]).all():  # a total has no use for it; answers that are complete share one
        bottom = bottom[:, :1]
    sums = np.hstack([moments.top, bottom])
    width, result = sums.shape[1], np.empty((replicates.count, moments.domains, measure.variables))
    bounds = np.searchsorted(moments.domain, np.arange(moments.domains + 1))

    def fill(domains: Sequence[int], found: FloatArray) -> None:
        for place, domain in enumerate(domains):
            part = found[:, place * width : (place + 1) * width]
            result[:, domain] = _values(part[:, :r], part[:, r:], measure, total)[0]

    broad = [d for d in range(moments.domains) if bounds[d + 1] - bounds[d] > replicates.units // 2]
    size = max(1, _BLOCK // (replicates.units * width))
    for first in range(0, len(broad), size):  # domains that most units meet share one matrix product
        domains = broad[first : first + size]
        block = np.zeros((replicates.units, len(domains), width))
        for place, domain in enumerate(domains):
            pairs = slice(bounds[domain], bounds[domain + 1])
            block[moments.unit[pairs], place] = sums[pairs]
        fill(domains, replicates.sums(block.reshape(replicates.units, -1)))
    for domain in sorted(set(range(moments.domains)) - set(broad)):
        pairs = slice(bounds[domain], bounds[domain + 1])
        fill([domain], replicates.sums(sums[pairs], moments.unit[pairs]))
    return result


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
    degrees: FloatArray | None = None,
) -> Estimates:
    """Add interval, df and flags."""
    if degrees is None:
        degrees = result.df_domain if df == "domain" else np.full(result.value.shape, float(result.moments.design.df))
    low, high = rule(result, degrees, level)
    result.moments.forget_rows()
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
    if not isinstance(level, (int, float, np.number)) or not 0 < level < 1:
        problems.append(Problem(f"a confidence level of {level} is not between 0 and 1", "level", "give 0.95 for 95 %"))
    if df not in get_args(DegreesOfFreedom):
        problems.append(Problem(f"there is no rule {df!r} for the degrees of freedom", "df", '"domain" or "design"'))
    if problems:
        raise AnalysisError(problems)


def _flags(se: FloatArray, df: FloatArray) -> NDArray[np.object_]:
    words = ("se_zero", "low_df", "no_df")
    known = np.empty(1 << len(words), dtype=object)
    for number in range(len(known)):
        known[number] = tuple(word for place, word in enumerate(words) if number >> place & 1)
    number = (se == 0).astype(np.int64) + 2 * (df < 8) + 4 * (df < 1)
    return np.asarray(known[number], dtype=object)


def of_values(
    result: Linearised, value: FloatArray, names: tuple[Hashable, ...], level: float, df: DegreesOfFreedom | float
) -> Estimates:
    """Estimates of other values that have the scores of `result`; deff and n_eff are not defined for them."""
    variance = np.where(result.scores.variance < _ROUNDING * value**2, 0.0, result.scores.variance)
    nothing = np.full(value.shape, np.nan)
    changed = replace(result, value=value, se=np.sqrt(variance), deff=nothing)
    kind: DegreesOfFreedom = df if isinstance(df, str) else "domain"
    fixed = None if isinstance(df, str) else np.full(value.shape, float(df))
    return finish(changed, ("all",), names, level, kind, ("t",) * len(names), degrees=fixed)
