"""Replicate weights through the door: made from a design, brought by the user, kept up when weights are calibrated.

Public: replicate, replicate_design, recalibrated, Replicates.
"""

from collections.abc import Callable
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import IntArray, compact
from analysis.replication.replicate_weights import MANY, Calibrated, Centre, Dense, Replicates
from analysis.replication.resampling import Bootstrap, balanced, bootstrap, jackknife

FloatArray = NDArray[np.float64]
Method = Literal["jackknife", "brr", "fay", "bootstrap"]
Given = Literal["weights", "multipliers"]

__all__ = ["Replicates", "recalibrated", "replicate", "replicate_design"]

_BLOCK = 1 << 22  # multipliers written out at a time
_SAME = 1e-12  # multipliers closer than this, relatively, are one: the rest is rounding of weight × multiplier


def replicate(
    design: SurveyDesign,
    method: Method,
    replicates: int = 500,
    rho: float = 0.0,
    seed: int | None = None,
    centre: Centre = "mean",
    kind: Bootstrap = "rao_wu",
) -> SurveyDesign:
    """Give a design replicate weights; every estimator then takes its variance from them.

    Parameters
    ----------
    design : SurveyDesign, not yet calibrated: calibrate after, and every replicate is calibrated to the same totals
    method : "jackknife": leave one PSU out, JKn with strata and JK1 without; "brr": balanced halves of two PSUs a
        stratum; "fay": the same with rho left of the weight of the other half; "bootstrap"
    replicates : how many, for the bootstrap, at least 2
    rho : Fay's coefficient, 0 ≤ rho < 1
    seed : of the random numbers of the bootstrap; None: another one each time
    centre : replicates deviate from their own "mean" or from the "estimate" (R's mse=TRUE)
    kind : of bootstrap. "rao_wu": n − 1 of the n PSUs of a stratum, rescaled; no fpc. "canty_davison": n of n from the
        stratum rebuilt to its population's size, first stage, right when strata hold about as many PSUs.
        "preston": halves at every stage, with the fpc of every stage.

    Returns
    -------
    SurveyDesign with `replicates`; df = rank of the replicate weights − 1: PSUs − strata, or less of few bootstraps

    Raises
    ------
    AnalysisError
        naming strata with one PSU (unless `lone_psu` treats them) or, for balanced halves, with an odd number; for a
        design that has been calibrated or has replicates; for rho or replicates out of range.

    Notes
    -----
    variance = scale Σ_r rscales_r (θ_r − c)², with the scales of R's `as.svrepdesign`: jackknife (1 − f)(n − 1)/n,
    balanced halves 1/(R (1 − rho)²), bootstrap 1/(R − 1). The jackknife and the Canty–Davison bootstrap use the fpc of
    the first stage, Preston's that of all, the others none.

    Balanced halves use R's Hadamard matrices; strata with an even number of PSUs above two are split into pairs in the
    order of the rows (of a table: of the labels). Left on purpose: under lone_psu "average" R also scales up for strata
    that were sampled completely, which need no average; here only PSUs without a variance count as the average.

    References
    ----------
    Rao, J. N. K., Wu, C. F. J. and Yue, K. (1992). Some recent work on resampling methods for complex surveys. Survey
    Methodology 18, 209–217. Judkins, D. R. (1990). Fay's method for variance estimation. Journal of Official
    Statistics 6, 223–239. Preston, J. (2009). Rescaled bootstrap for stratified multistage sampling. Survey
    Methodology 35, 227–234. Wolter, K. M. (2007). Introduction to Variance Estimation.
    https://doi.org/10.1007/978-0-387-35099-8
    """
    _check(design, method, replicates, rho, centre, kind)
    if method == "jackknife":
        made = jackknife(design, centre)
    elif method == "bootstrap":
        made = bootstrap(design, replicates, kind, seed, centre)
    else:
        made = balanced(design, rho if method == "fay" else 0.0, centre)
    return design.with_replicates(made)


def _check(design: SurveyDesign, method: str, replicates: int, rho: float, centre: str, kind: str) -> None:
    problems = []
    for name, word, known in (
        ("method", method, get_args(Method)),
        ("centre", centre, get_args(Centre)),
        ("kind", kind, get_args(Bootstrap)),
    ):
        if word not in known:
            problems.append(Problem(f"there is no {name} {word!r}", name, f"choose one of {', '.join(known)}"))
    if design.steps:
        problems.append(
            Problem(
                f"the weights have been through {design.steps[-1].method}",
                "design",
                "make the replicates first and calibrate after: each replicate is then calibrated to the same totals",
            )
        )
    if method == "bootstrap" and not (isinstance(replicates, (int, np.integer)) and replicates >= 2):
        problems.append(Problem(f"{replicates!r} replicates", "replicates", "give a whole number, at least 2"))
    if not 0 <= rho < 1:
        problems.append(Problem(f"rho is {rho!r}", "rho", "give a number from 0 up to, but not, 1"))
    elif rho and method != "fay":
        problems.append(Problem(f"method {method!r} has no rho", "rho", 'leave it out, or choose method "fay"'))
    if design.replicates is not None:
        what = f"the design has replicates already: {design.replicates.method}"
        problems.append(Problem(what, "design", "make replicates from the design as it was sampled"))
    if problems:
        raise AnalysisError(problems)


def replicate_design(
    weight: Any,
    replicate_weights: Any,
    scale: float,
    rscales: ArrayLike | None = None,
    centre: Centre = "mean",
    method: str = "user",
    df: float | None = None,
    given: Given = "weights",
) -> SurveyDesign:
    """Read replicate weights that came with the data.

    Parameters
    ----------
    weight : array_like, shape (n,), > 0, the weights of the estimates themselves
    replicate_weights : array_like or DataFrame, shape (n, R), one column a replicate
    scale, rscales : variance = scale · Σ_r rscales_r (θ_r − c)²; `rscales`, shape (R,), is 1 unless given. Jackknife JK1
        (n − 1)/n; JKn 1 with rscales (n_h − 1)/n_h; BRR 1/R; Fay 1/(R (1 − rho)²); bootstrap 1/(R − 1); successive
        differences (ACS) 4/R
    centre : c is the "mean" of the replicates or the "estimate" itself (R's mse=TRUE)
    method : what to call it
    df : degrees of freedom; None: rank of the replicate weights − 1, as R's `degf`
    given : whether the columns are "weights", or "multipliers" of `weight` (R's combined.weights=FALSE)

    Returns
    -------
    SurveyDesign with `replicates`

    Raises
    ------
    AnalysisError
        for weights that are missing or not positive, replicate weights that are missing or not as many rows, scales
        that are negative or not as many as the replicates.
    """
    design = SurveyDesign(weight)
    matrix = _read_replicates(replicate_weights, design.n)
    rates = _read_scales(scale, rscales, matrix.shape[1], df)
    if centre not in get_args(Centre) or given not in get_args(Given):
        raise AnalysisError(
            Problem(
                f"there is no centre {centre!r}"
                if centre not in get_args(Centre)
                else f"nothing is given as {given!r}",
                "centre, given",
                'centre is "mean" or "estimate"; given is "weights" or "multipliers"',
            )
        )
    if given == "weights":
        matrix = matrix / design.weight[:, None]
    unit, multiplier = _shared(matrix)
    made = Replicates(method, unit, Dense(multiplier), float(scale), rates, centre, None, df)
    return design.with_replicates(made)


def _read_replicates(values: Any, rows: int) -> FloatArray:
    matrix = np.asarray(values)
    try:
        matrix = np.ascontiguousarray(matrix, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number(matrix.reshape(len(matrix), -1).tolist(), "replicate_weights") from error
    if matrix.ndim != 2 or len(matrix) != rows or matrix.shape[1] < 2:
        raise AnalysisError(
            Problem(
                f"replicate weights have shape {matrix.shape}, the weights are {rows}",
                "replicate_weights",
                "give one row for each weight and one column for each replicate, at least two",
            )
        )
    bad = np.argwhere(~np.isfinite(matrix))
    if len(bad):
        raise AnalysisError(
            Problem(
                f"{len(bad)} replicate weights are missing or infinite",
                f"replicate_weights, row {bad[0][0]}, column {bad[0][1]}",
                "a row that a replicate leaves out has the replicate weight 0",
            )
        )
    return matrix


def _read_scales(scale: float, rscales: ArrayLike | None, count: int, df: float | None) -> FloatArray:
    rates = np.ones(count) if rscales is None else np.asarray(rscales, dtype=np.float64)
    rates = np.full(count, float(rates)) if rates.ndim == 0 else rates
    problems = []
    if rates.shape != (count,) or not (np.isfinite(rates).all() and (rates >= 0).all() and (rates > 0).any()):
        what = f"rscales have shape {rates.shape}" if rates.shape != (count,) else "rscales are not all numbers ≥ 0"
        problems.append(Problem(what, "rscales", f"give one number ≥ 0 for each of the {count} replicates"))
    if not (np.isfinite(scale) and scale > 0):
        problems.append(Problem(f"scale is {scale!r}", "scale", "give a positive number"))
    if df is not None and not df > 0:
        problems.append(Problem(f"df is {df!r}", "df", "give a positive number, or None for rank − 1"))
    if problems:
        raise AnalysisError(problems)
    return rates


def _shared(matrix: FloatArray) -> tuple[IntArray, FloatArray]:
    """Rows with the same multipliers as one unit: unit of each row, multipliers of each unit."""
    with np.errstate(divide="ignore", invalid="ignore"):
        digits = 10.0 ** (10 - np.floor(np.log10(np.abs(matrix))))
    rounded = np.where(matrix == 0, 0.0, np.rint(matrix * np.where(np.isfinite(digits), digits, 1.0)))
    odd = np.random.default_rng(0).integers(1 << 62, size=matrix.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(
        1
    )
    key = (rounded.view(np.uint64) * odd).sum(axis=1, dtype=np.uint64)
    _, first, unit = np.unique(key, return_index=True, return_inverse=True)
    unit = unit.ravel().astype(np.int64)
    result = matrix[first]
    if (np.abs(result[unit] - matrix) > _SAME * np.abs(matrix)).any():
        return np.arange(len(matrix)), matrix
    return unit, result


def recalibrated(
    replicates: Replicates,
    cell: IntArray,
    x: Any,
    before: FloatArray,
    after: FloatArray,
    factor_of: Callable[[FloatArray], FloatArray],
) -> Replicates:
    """Replicates after a calibration that every one of them goes through too.

    Parameters
    ----------
    replicates : Replicates of the weights before
    cell : ndarray, shape (n,), the cell of each row; x, shape (cells, columns), what a row of the cell adds to the totals
    before, after : ndarray, shape (n,), the weights
    factor_of : finds what the weights of each cell are multiplied by, from their sums by cell, both of shape (cells,)

    Returns
    -------
    Replicates whose weights meet the totals in every replicate; df = rank − 1 as in R, but the df before where there are
    more replicates than units, since the rank of many calibrated replicates counts what is no information

    Raises
    ------
    AnalysisError
        naming the replicates that cannot meet the totals.
    """
    cells = x.shape[0]
    kept, unit = compact(replicates.unit * cells + cell.astype(np.int64))
    of_unit, of_cell = kept // cells, kept % cells
    ratio = np.ones(len(kept))
    ratio[unit] = before / after
    total = np.bincount(unit, weights=before).astype(np.float64)
    factor, problems = np.empty((cells, replicates.count)), []
    weight = _cell_totals(replicates, of_unit, of_cell, total, cells)
    for r in range(replicates.count):
        try:
            factor[:, r] = factor_of(weight[r])
        except AnalysisError as error:
            problems += [Problem(f"replicate {r + 1}: {p.what}", p.where, p.remedy) for p in error.problems]
    if problems:
        raise AnalysisError(problems)
    form = Calibrated(replicates.multipliers, of_unit, of_cell, factor, ratio)
    method = f"{replicates.method}, each replicate calibrated"
    df = replicates.df if replicates.count > min(MANY, replicates.units) else replicates.known_df
    same = (replicates.scale, replicates.rscales, replicates.centre)
    return Replicates(method, unit, form, *same, group=None, known_df=df)


def _cell_totals(replicates: Replicates, unit: IntArray, cell: IntArray, total: FloatArray, cells: int) -> FloatArray:
    """Weights by cell in every replicate, shape (replicates, cells), from those of units × cells."""
    from scipy.sparse import csr_array

    table = csr_array((total, (unit, cell)), shape=(replicates.units, cells))
    result = np.zeros((cells, replicates.count))
    size = max(1, _BLOCK // replicates.count)
    for a in range(0, replicates.units, size):
        here = np.arange(a, min(a + size, replicates.units))
        result += np.asarray(table[here].T @ replicates.multipliers.rows(here))
    return np.ascontiguousarray(result.T)
