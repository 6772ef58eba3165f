"""Functions of estimates with their covariance: differences, sums, ratios of what was estimated together.

Public: contrast.
"""

from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.comparison.gradients import Function, jacobian_of, values_of
from analysis.comparison.joint import Combined, Part, apply, combine, shortened
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.flags import flag
from analysis.intervals import t
from analysis.labels import IntArray
from analysis.variance import ReplicateScores

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
UnionDf = Literal["domain", "design"]
Coefficients = Mapping[Any, float]

_ROUNDING = 1e-14  # a variance below this times Σ (coefficient · SE)² is rounding
_ROWS = 1 << 14  # functions worked on at once


@dataclass(frozen=True, eq=False)
class Linear:
    """Linear functions of estimates: `matrix`, shape (functions, domains · variables), laid out as (names, variables)."""

    matrix: "csr_array[Any, tuple[int, int]]"
    names: tuple[Hashable, ...]
    variables: tuple[Hashable, ...]


def contrast(
    estimates: Estimates,
    matrix_or_function: Any,
    names: Sequence[Hashable] | None = None,
    level: float | None = None,
    df: UnionDf | float = "domain",
    jacobian: Callable[[FloatArray], FloatArray] | None = None,
) -> Estimates:
    """Linear or smooth functions of estimates, with standard errors from their joint covariance.

    Parameters
    ----------
    estimates : Estimates of d domains and k variables, those of `contrast` and `compare` included
    matrix_or_function : one of
        array_like, shape (m, d), or (d,) for one: coefficients of the domains, applied to every variable by itself;
        array_like, shape (m, d · k): coefficients of all estimates, domain by domain;
        mapping name → {key: coefficient}, where a key is a domain, a pair (domain, variable), or, of estimates with one
        domain, a variable;
        function of the vector of all values, shape (d · k,), domain by domain, giving a number, an array (m,) or a
        mapping name → number.
    names : what to call the m contrasts; a mapping brings its own
    level : confidence level of the t interval; None: that of the estimates
    df : "domain" (PSUs − strata with a row in any of the domains that a contrast takes), "design" (of the whole design),
        or a number
    jacobian : of a function: gives its derivatives at the values, shape (m, d · k)

    Returns
    -------
    Estimates of shape (m, k) where each variable has its contrasts, else (m, 1) with the variable "contrast".
    n is the rows behind a contrast (of several variables the largest n in each domain); deff and n_eff are not defined.

    Raises
    ------
    AnalysisError
        for coefficients of another shape or not finite, keys that are no estimate, a function that fails or gives another
        number of values each time.

    Notes
    -----
    For values θ with covariance V a linear contrast Aθ has A V A', a function f the covariance J V J' with J = ∂f/∂θ (the
    delta method). J is `jacobian`, or found by the complex step, Im f(θ + ih)/h, exact to rounding for analytic
    functions, and compared with central differences of the fourth order, which are taken instead where the two
    disagree: in functions such as |x| or max. On replicate designs f is taken in every replicate instead, and its
    variance is theirs, as R's `svycontrast` does.

    References
    ----------
    Binder, D. A. (1983). On the variances of asymptotically normal estimators from complex surveys. International
    Statistical Review 51, 279–292. https://doi.org/10.2307/1402588
    Squire, W. and Trapp, G. (1998). Using complex variables to estimate derivatives of real functions. SIAM Review 40,
    110–112. https://doi.org/10.1137/S003614459631241X
    """
    require_estimates("estimates", estimates)
    level = estimates.level if level is None else level
    check(level, df)
    if callable(matrix_or_function):
        return _of_function(estimates, matrix_or_function, names, level, df, jacobian)
    linear = read_linear(estimates, matrix_or_function, names)
    value = apply(linear.matrix, estimates.value.ravel())
    n, population = (behind(linear.matrix, array) for array in (estimates.n, estimates.population))
    return finished(
        combine([estimates], [linear.matrix], variables=len(linear.variables)), value, n, population, linear, level, df
    )


def _of_function(
    estimates: Estimates,
    function: Function,
    names: Sequence[Hashable] | None,
    level: float,
    df: UnionDf | float,
    jacobian: Callable[[FloatArray], FloatArray] | None,
) -> Estimates:
    from scipy.sparse import csr_array

    at = estimates.value.ravel()
    value, own = values_of(function, at)
    names = tuple(own or _numbered(len(value)) if names is None else names)
    _same_count(names, len(value))
    if jacobian is None:
        derivative = jacobian_of(function, at, value)
    else:
        derivative = np.atleast_2d(np.asarray(jacobian(at), dtype=np.float64))
        if derivative.shape != (len(value), len(at)):
            raise AnalysisError(
                Problem(
                    f"the jacobian has shape {derivative.shape}",
                    "jacobian",
                    f"give one of shape ({len(value)}, {len(at)}): functions by estimates",
                )
            )
    value = np.where(np.isnan(derivative).any(axis=1), np.nan, value)
    linear = Linear(csr_array(np.nan_to_num(derivative)), names, ("contrast",))
    n, population = (behind(linear.matrix, array) for array in (estimates.n, estimates.population))
    combined = in_replicates(combine([estimates], [linear.matrix]), estimates, function, value)
    return finished(combined, value, n, population, linear, level, df)


def in_replicates(combined: Combined, estimates: Estimates, function: Function, value: FloatArray) -> Combined:
    """With replicate weights: the function of the estimates of every replicate instead of its derivative."""
    from scipy.sparse import csr_array, eye_array

    identity = csr_array(eye_array(estimates.value.size))
    replicates = combine([estimates], [identity]).replicate_values()
    if replicates is None:
        return combined
    values = np.stack([values_of(function, one)[0] for one in replicates])
    first = combined.parts[0]
    assert isinstance(first.scores, ReplicateScores)
    scores = ReplicateScores(first.scores.moments, values[:, :, None], value[:, None])
    part = Part(scores, csr_array(eye_array(len(value))), combined.touched(combined.grounds[0], np.arange(len(value))))
    return Combined((part,), combined.overlap)


def require_estimates(name: str, given: object) -> None:
    if not isinstance(given, Estimates):
        what = f"{name} is {type(given).__name__}, not what an estimator returns"
        raise AnalysisError(
            Problem(
                what,
                name,
                "give the result of mean(), ratio(), total() and the like; two of its domains are compared with pairwise or contrast",
            )
        )


def read_linear(estimates: Estimates, contrasts: Any, names: Sequence[Hashable] | None = None) -> Linear:
    """A matrix or a mapping as coefficients of all estimates."""
    from scipy.sparse import csr_array, eye_array, kron

    d, k = estimates.value.shape
    if isinstance(contrasts, Mapping):
        names = tuple(contrasts) if names is None else names
        coefficients, width = _of_mapping(estimates, contrasts)
    else:
        try:
            coefficients = np.atleast_2d(np.asarray(contrasts, dtype=np.float64))
        except (TypeError, ValueError) as error:
            raise AnalysisError(_shape("contrasts are not numbers", d, k)) from error
        width = coefficients.shape[-1]
        if coefficients.ndim != 2 or width not in (d, d * k) or not len(coefficients):
            raise AnalysisError(_shape(f"contrasts have shape {np.shape(contrasts)}", d, k))
    if not np.isfinite(coefficients).all():
        raise AnalysisError(_shape("a coefficient is not a finite number", d, k))
    names = _numbered(len(coefficients)) if names is None else tuple(names)
    _same_count(names, len(coefficients))
    matrix = csr_array(coefficients)
    if width == d:
        return Linear(csr_array(kron(matrix, eye_array(k), format="csr")), names, estimates.variables)
    return Linear(matrix, names, ("contrast",))


def _of_mapping(estimates: Estimates, contrasts: Mapping[Hashable, Coefficients]) -> tuple[FloatArray, int]:
    """Coefficients of domains, if every key is one, or of all estimates."""
    d, k = estimates.value.shape
    domains = {label: i for i, label in enumerate(estimates.domains)}
    variables = {label: i for i, label in enumerate(estimates.variables)}
    for name, coefficients in contrasts.items():
        if not isinstance(coefficients, Mapping):
            what = f"contrast {name!r} is {type(coefficients).__name__}"
            raise AnalysisError(Problem(what, "contrasts", "give {domain: coefficient} for each name"))
    keys = [key for coefficients in contrasts.values() for key in coefficients]
    plain = all(key in domains for key in keys) or not any(
        _is_pair(key, domains, variables) or key in variables for key in keys
    )
    result = np.zeros((len(contrasts), d if plain else d * k))
    for row, (name, coefficients) in enumerate(contrasts.items()):
        if not coefficients:
            raise AnalysisError(Problem(f"contrast {name!r} has no coefficient", "contrasts", "give at least one"))
        for key, coefficient in coefficients.items():
            if plain and key in domains:
                place = domains[key]
            elif not plain and _is_pair(key, domains, variables):
                place = domains[key[0]] * k + variables[key[1]]
            elif not plain and d == 1 and key in variables:
                place = variables[key]
            else:
                raise AnalysisError(_no_estimate(estimates, name, key))
            result[row, place] += coefficient
    return result, result.shape[1]


def _is_pair(key: Hashable, domains: Mapping[Hashable, int], variables: Mapping[Hashable, int]) -> bool:
    return isinstance(key, tuple) and len(key) == 2 and key[0] in domains and key[1] in variables


def _no_estimate(estimates: Estimates, name: Hashable, key: Hashable) -> Problem:
    return Problem(
        f"there is no estimate for {key!r}",
        f"contrast {name!r}",
        f"name a domain in every contrast, or a pair (domain, variable) in every one; domains are "
        f"{shortened(estimates.domains)}; variables are {shortened(estimates.variables)}",
    )


def _shape(what: str, d: int, k: int) -> Problem:
    return Problem(
        what,
        "contrasts",
        f"give finite numbers, one for each of the {d} domains or of the {d * k} estimates, row by row",
    )


def _numbered(count: int) -> tuple[str, ...]:
    return ("contrast",) if count == 1 else tuple(f"contrast {i}" for i in range(1, count + 1))


def _same_count(names: Sequence[Hashable], count: int) -> None:
    if len(names) != count or len(set(names)) != count:
        raise AnalysisError(
            Problem(
                f"there are {len(set(names))} different names for {count} contrasts", "names", "give each its own name"
            )
        )


def behind(matrix: "csr_array[Any, tuple[int, int]]", n: NDArray[Any]) -> FloatArray:
    """Rows (or weights) behind each function: over its domains the sum of the largest of its variables."""
    d, k = n.shape
    counted = np.broadcast_to(n, (d, k)).ravel()
    entry = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    kept = matrix.data != 0
    entry, column = entry[kept], matrix.indices[kept]
    key = entry.astype(np.int64) * d + column // k
    pairs, position = np.unique(key, return_inverse=True)
    largest = np.zeros(len(pairs))
    np.maximum.at(largest, position, counted[column])
    return np.bincount(pairs // d, weights=largest, minlength=matrix.shape[0]).astype(np.float64)


def check(level: float, df: UnionDf | float) -> None:
    problems = []
    if not isinstance(level, (int, float, np.number)) or not 0 < level < 1:
        problems.append(Problem(f"a confidence level of {level} is not between 0 and 1", "level", "give 0.95 for 95 %"))
    if isinstance(df, str) and df not in get_args(UnionDf) or not isinstance(df, str) and not df > 0:
        problems.append(
            Problem(
                f"there is no rule {df!r} for the degrees of freedom", "df", '"domain", "design" or a number above 0'
            )
        )
    if problems:
        raise AnalysisError(problems)


def finished(
    combined: Combined,
    value: FloatArray,
    n: FloatArray,
    population: FloatArray,
    linear: Linear,
    level: float,
    df: UnionDf | float,
) -> Estimates:
    """Standard errors, degrees of freedom and intervals of functions laid out as (names, variables)."""
    count, wide = len(value), len(linear.variables)
    se, degrees = np.zeros(count), np.full(count, np.nan)
    for rows in _blocks(count, wide):
        variance, size = combined.variances(rows)
        se[rows] = np.sqrt(np.where(variance < _ROUNDING * size, 0.0, variance))
        if df == "domain":
            degrees[rows] = combined.df_union(rows)
    if df != "domain":
        degrees[:] = combined.df_design() if df == "design" else float(df)
    shape = (len(linear.names), wide)
    se[np.isnan(value)] = np.nan
    value, se, degrees = value.reshape(shape), se.reshape(shape), degrees.reshape(shape)
    low, high = t(value, se, degrees, level)
    unknown = np.full(shape, np.nan)
    return Estimates(
        domains=linear.names,
        variables=linear.variables,
        value=value,
        se=se,
        ci_low=low,
        ci_high=high,
        df=degrees,
        deff=unknown,
        n=n.reshape(shape).astype(np.int64),
        n_eff=unknown,
        population=population.reshape(shape),
        level=level,
        interval=("t",) * wide,
        flags=flag(se, degrees),
        scores=combined,
    )


def _blocks(count: int, wide: int) -> Iterator[IntArray]:
    """Numbers of the functions of one variable after another, so that few columns of scores are needed at once."""
    for variable in range(wide):
        rows = np.arange(variable, count, wide)
        for a in range(0, len(rows), _ROWS):
            yield rows[a : a + _ROWS]
