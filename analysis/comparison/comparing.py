"""Differences between estimates: of domains among themselves, of two waves, of two measures. Public: Differences, compare, pairwise."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.comparison.contrasts import Linear, UnionDf, behind, check, finished, require_estimates
from analysis.comparison.joint import Combined, Overlap, apply, combine, shortened
from analysis.comparison.multiplicity import Adjust, Simultaneous, adjust_p, critical_values
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.labels import IntArray

if TYPE_CHECKING:
    import pandas as pd

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, eq=False, kw_only=True)
class Differences(Estimates):
    """Differences with their tests. All that `Estimates` has, and:

    Attributes
    ----------
    t : ndarray, shape (domains, variables), (value − null) / se; NaN where se is 0
    p_value : ndarray, of the two-sided test on Student's t with df
    p_adjusted : ndarray, adjusted within each variable by `adjust`
    null : what the difference is tested against
    adjust : "none", "holm" or "bh"
    simultaneous : "none", "bonferroni", "scheffe" or "max_t": what the intervals of a variable hold together
    """

    t: FloatArray
    p_value: FloatArray
    p_adjusted: FloatArray
    null: float
    adjust: Adjust
    simultaneous: Simultaneous

    def frame(self) -> "pd.DataFrame":
        """One row a difference: what `Estimates.frame` has, then t, p_value and p_adjusted."""
        table = super().frame()
        place = list(table.columns).index("df") + 1
        for name in ("p_adjusted", "p_value", "t"):
            table.insert(place, name, getattr(self, name).ravel())
        return table


def compare(
    a: Estimates,
    b: Estimates,
    adjust: Adjust = "none",
    simultaneous: Simultaneous = "none",
    level: float | None = None,
    df: UnionDf | float = "domain",
    overlap: Overlap = "labels",
    null: float = 0.0,
) -> Differences:
    """Differences a − b of the estimates that both have, with the covariance that two samples may share.

    Parameters
    ----------
    a, b : Estimates; of the same (domain, variable) each, or with one estimate each, whatever they are called
    adjust : p-values as they are, or adjusted within each variable: "holm" for no false claim, "bh" (Benjamini and Hochberg)
        for few
    simultaneous : "none": each interval holds by itself; "bonferroni", "scheffe", "max_t": all of a variable hold together
    level : confidence level; None: that of a
    df : "domain" (PSUs − strata with a row behind a or b), "design" (of the whole designs), or a number
    overlap : "labels": PSUs of two designs are the same where the labels of stratum and PSU are; "none": the designs are
        independent whatever the labels
    null : the difference under test

    Returns
    -------
    Differences of shape (common domains, common variables), or (1, 1) with the domain (a's, b's)

    Raises
    ------
    AnalysisError
        where nothing is common; where two designs share PSUs and cannot be united: replicate weights, fpc that disagree,
        several stages in a table.

    Notes
    -----
    One design, or calibrations of it: V(a − b) = V(a) + V(b) − 2 C(a, b) from the score totals of the common sampling units,
    each design's calibration residuals taken by itself. Two designs without a common PSU are independent: V(a) + V(b),
    and df is the sum of both. Where they share PSUs, their samples are put one below the other as one design whose strata and PSUs
    are united by label, and each wave is a domain of it.

    R's `svyttest` takes one degree of freedom less than `df="design"` on the domain; pass it as a number to have the same.

    References
    ----------
    Holm, S. (1979). A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, 65–70.
    https://www.jstor.org/stable/4615733
    Benjamini, Y. and Hochberg, Y. (1995). Controlling the false discovery rate. Journal of the Royal Statistical Society
    B 57, 289–300. https://doi.org/10.1111/j.2517-6161.1995.tb02031.x
    Kish, L. (1965). Survey Sampling. Wiley, New York, chapter 12.4.
    """
    require_estimates("a", a)
    require_estimates("b", b)
    level = a.level if level is None else level
    check(level, df)
    _check_words(adjust, simultaneous, overlap)
    single = a.value.size == 1 == b.value.size
    domains, variables = _one_pair(a, b) if single else _common(a, b)
    places = [np.zeros(1, dtype=np.int64)] * 2 if single else [_places(one, domains, variables) for one in (a, b)]
    linear = [
        Linear(_picks(place, one.value.size, sign), domains, variables)
        for place, one, sign in zip(places, (a, b), (1.0, -1.0), strict=True)
    ]
    value = apply(linear[0].matrix, a.value.ravel()) + apply(linear[1].matrix, b.value.ravel())
    combined = combine([a, b], [one.matrix for one in linear], overlap, len(variables))
    n, population = (_both(combined, places, a, b, name) for name in ("n", "population"))
    found = finished(combined, value, n, population, linear[0], level, df)
    return _tested(found, combined, adjust, simultaneous, null)


def pairwise(
    estimates: Estimates,
    reference: Hashable | None = None,
    adjust: Adjust = "none",
    simultaneous: Simultaneous = "none",
    level: float | None = None,
    df: UnionDf | float = "domain",
    null: float = 0.0,
) -> Differences:
    """Differences between the domains of one `Estimates`: all pairs, or each against a reference domain.

    Parameters
    ----------
    reference : a domain: every other is compared with it, (other, reference); None: all pairs (first, second), in the
        order of the domains
        Others as for `compare`.

    Returns
    -------
    Differences of shape (pairs, variables); a domain is the pair (x, y), its value x − y

    Notes
    -----
    Domains of one design covary through common PSUs and through calibration; both are in the variance. With 125 domains there
    are 7,750 pairs: the variance of each is V(x) + V(y) − 2 C(x, y) from one 125 × 125 matrix a variable, and no matrix of all
    pairs is made unless `covariance` is asked for.
    """
    require_estimates("estimates", estimates)
    level = estimates.level if level is None else level
    check(level, df)
    _check_words(adjust, simultaneous, "labels")
    d, k = estimates.value.shape
    if d < 2:
        raise AnalysisError(
            Problem("there is one domain, and nothing to compare it with", "pairwise", "estimate with by=")
        )
    if reference is None:
        first, second = np.triu_indices(d, 1)
    else:
        if reference not in estimates.domains:
            problem = Problem(
                f"there is no domain {reference!r}", "reference", f"domains are {shortened(estimates.domains)}"
            )
            raise AnalysisError(problem)
        place = estimates.domains.index(reference)
        first = np.array([i for i in range(d) if i != place])
        second = np.full(d - 1, place)
    names = tuple((estimates.domains[i], estimates.domains[j]) for i, j in zip(first, second, strict=True))
    linear = Linear(_pairs(first, second, d, k), names, estimates.variables)
    value = apply(linear.matrix, estimates.value.ravel())
    combined = combine([estimates], [linear.matrix], variables=k)
    n, population = (behind(linear.matrix, array) for array in (estimates.n, estimates.population))
    return _tested(finished(combined, value, n, population, linear, level, df), combined, adjust, simultaneous, null)


def _tested(
    found: Estimates, combined: Combined, adjust: Adjust, simultaneous: Simultaneous, null: float
) -> Differences:
    """Tests of each difference, and intervals that hold together where asked for."""
    from scipy.special import stdtr

    usable = np.where(found.df >= 1, found.df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.where(found.se > 0, (found.value - null) / found.se, np.nan)
    p = np.asarray(2 * stdtr(usable, -np.abs(statistic)))
    given: dict[str, Any] = {one.name: getattr(found, one.name) for one in fields(Estimates)}
    if simultaneous != "none":
        reach = np.column_stack([_reach(found, combined, i, simultaneous) for i in range(len(found.variables))])
        given |= {"ci_low": found.value - reach, "ci_high": found.value + reach}
        given["interval"] = (simultaneous,) * len(found.variables)
    adjusted = np.column_stack([adjust_p(p[:, i], adjust) for i in range(p.shape[1])])
    return Differences(
        **given, t=statistic, p_value=p, p_adjusted=adjusted, null=null, adjust=adjust, simultaneous=simultaneous
    )


def _reach(found: Estimates, combined: Combined, variable: int, method: Simultaneous) -> FloatArray:
    """Half the width of one variable's intervals."""
    rows = np.arange(variable, found.value.size, len(found.variables))
    covariance = None if method == "bonferroni" else combined.block(rows)
    return critical_values(method, found.level, found.df[:, variable], covariance) * found.se[:, variable]


def _check_words(adjust: str, simultaneous: str, overlap: str) -> None:
    problems = [
        Problem(f"there is no {name} {word!r}", name, "choose one of " + ", ".join(get_args(words)))
        for name, word, words in (
            ("adjust", adjust, Adjust),
            ("simultaneous", simultaneous, Simultaneous),
            ("overlap", overlap, Overlap),
        )
        if word not in get_args(words)
    ]
    if problems:
        raise AnalysisError(problems)


def _one_pair(a: Estimates, b: Estimates) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    """Names of the one difference: a name that both have, or the pair."""
    names = [x[0] if x == y else (x[0], y[0]) for x, y in ((a.domains, b.domains), (a.variables, b.variables))]
    return (names[0],), (names[1],)


def _common(a: Estimates, b: Estimates) -> tuple[tuple[Hashable, ...], tuple[Hashable, ...]]:
    domains = tuple(label for label in a.domains if label in set(b.domains))
    variables = tuple(label for label in a.variables if label in set(b.variables))
    problems = [
        Problem(
            f"a and b have no {what} in common: a has {shortened(mine)}, b has {shortened(others)}",
            "compare",
            "compare estimates of the same domains and variables, or of one domain and variable each; domains of one "
            "estimate are compared with pairwise or contrast",
        )
        for what, kept, mine, others in (
            ("domain", domains, a.domains, b.domains),
            ("variable", variables, a.variables, b.variables),
        )
        if not kept
    ]
    if problems:
        raise AnalysisError(problems)
    return domains, variables


def _places(one: Estimates, domains: Sequence[Hashable], variables: Sequence[Hashable]) -> IntArray:
    """Position among all estimates of each domain and variable, domain by domain."""
    row = {label: i for i, label in enumerate(one.domains)}
    column = {label: i for i, label in enumerate(one.variables)}
    rows = np.array([row[label] for label in domains])
    columns = np.array([column[label] for label in variables])
    return np.asarray((rows[:, None] * len(one.variables) + columns).ravel(), dtype=np.int64)


def _both(combined: Combined, places: list[IntArray], a: Estimates, b: Estimates, name: str) -> FloatArray:
    """Rows (or weights) behind a and b: of one sample's domain the larger, of two domains or samples the sum."""
    mine, other = (
        np.broadcast_to(getattr(one, name), one.value.shape).ravel()[place].astype(np.float64)
        for one, place in zip((a, b), places, strict=True)
    )
    sample = {id(part.scores.design.stages) for part in combined.parts}
    same = len(sample) == 1 and (a.value.size > 1 or a.domains == b.domains)
    return np.maximum(mine, other) if same else mine + other


def _picks(place: IntArray, size: int, sign: float) -> Any:
    from scipy.sparse import csr_array

    rows = np.arange(len(place))
    return csr_array((np.full(len(place), sign), (rows, place)), shape=(len(place), size))


def _pairs(first: IntArray, second: IntArray, domains: int, variables: int) -> Any:
    """+1 and −1 for the two domains of each pair, variable by variable within a pair."""
    from scipy.sparse import csr_array

    variable = np.arange(variables)
    plus = (first[:, None] * variables + variable).ravel()
    minus = (second[:, None] * variables + variable).ravel()
    rows = np.arange(len(plus))
    entries = (np.repeat([1.0, -1.0], len(plus)), (np.concatenate([rows, rows]), np.concatenate([plus, minus])))
    return csr_array(entries, shape=(len(plus), domains * variables))
