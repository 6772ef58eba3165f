"""Adjusting weights to known totals, with the variance that goes with them.

Public: post_stratify, rake, calibrate. Each returns a SurveyDesign whose variances use the residuals of the scores on
the calibration variables, fitted with the weights before the adjustment, times the weights after it.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.calibration.auxiliary import Auxiliary, read_auxiliary
from analysis.calibration.cells import Cells, cells_of, read_classes
from analysis.calibration.fitting import DISTANCES, Bounds, fit, sweep
from analysis.calibration.normal import NormalEquations
from analysis.calibration.of_tables import adjust_table, named_columns
from analysis.calibration.targets import Margin, disagreements, indicators, match
from analysis.design import CalibrationStep, SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.labels import compact
from analysis.replication.replicates import recalibrated

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
Method = Literal["linear", "raking", "logit"]
Aggregate = Literal["none", "psu"]
Fit = Callable[[FloatArray], FloatArray]  # factors of the cells from their weights

_SWEEPS = 300  # of proportional fitting, before Newton's method takes over
_MET = 1e-10  # a calibrated total may miss its target by this share


def post_stratify(design: SurveyDesign, cells: Any, totals: Mapping[Any, float]) -> SurveyDesign:
    """Scale the weights of each cell to the cell's known total.

    Parameters
    ----------
    design : SurveyDesign
    cells : labels, shape (n,), or a list of several to cross (their cells are tuples)
    totals : mapping cell → population total, > 0, for exactly the cells that have rows; cells whose total is 0 and that
        have no rows may stay in it

    Returns
    -------
    SurveyDesign with weights w₀ T_c / Σ_c w₀

    Raises
    ------
    AnalysisError
        naming cells without rows, cells without a total, and totals that are not positive.

    References
    ----------
    Valliant, R. (1993). Poststratification and conditional variance estimation. Journal of the American Statistical
    Association 88, 89–96. https://doi.org/10.1080/01621459.1993.10594298
    """
    if design.source is not None:
        names = named_columns(cells, "cells")
        return adjust_table(
            design,
            names,
            lambda rows, of: post_stratify(rows, [of[name] for name in names] if names[1:] else of[names[0]], totals),
        )
    several = isinstance(cells, (list, tuple)) and len(cells) > 0 and all(np.ndim(part) == 1 for part in cells)
    classes = [read_classes(part, "cells", design.n) for part in (cells if several else [cells])]
    found = cells_of(classes, design.weight)
    columns = [one.named(code) for one, code in zip(found.classes, found.codes, strict=True)]
    labels = tuple(zip(*columns, strict=True)) if len(columns) > 1 else columns[0]
    margin, problems = match("cells", labels, np.arange(found.count, dtype=np.int64), totals)
    if problems:
        raise AnalysisError(problems)

    def factors(weight: FloatArray) -> FloatArray:
        if (weight == 0).any():
            raise AnalysisError([_without_weight(margin, i) for i in np.flatnonzero(weight == 0)[:10]])
        return margin.target / weight

    return _adjust_margins(design, "post-stratification", found, [margin], factors)


def rake(
    design: SurveyDesign,
    margins: Mapping[str, tuple[Any, Mapping[Any, float]]],
    tolerance: float = 1e-10,
) -> SurveyDesign:
    """Scale the weights until every margin meets its known totals (iterative proportional fitting).

    Parameters
    ----------
    design : SurveyDesign
    margins : mapping name → (labels, shape (n,), {label: population total})
    tolerance : largest accepted |Σw − T| / T over all classes

    Returns
    -------
    SurveyDesign. Its variance is R's `calibrate(calfun = "raking")`; R's own `rake()` fits residuals without weights.

    Raises
    ------
    AnalysisError
        naming classes without rows, labels without total, margins whose totals disagree (with both sums), and, where no
        weights meet all margins together, the classes that are missed with the totals reached.

    Notes
    -----
    Rows with the same label in every margin share a factor, so the fitting runs on cells, not on rows. Where
    proportional fitting is slow, Newton's method for the same factors ends it.

    References
    ----------
    Deville, J.-C., Särndal, C.-E. and Sautory, O. (1993). Generalized raking procedures in survey sampling. Journal of
    the American Statistical Association 88, 1013–1020. https://doi.org/10.1080/01621459.1993.10476369
    """
    if not (isinstance(tolerance, (int, float)) and 0 < tolerance < 1):
        raise AnalysisError(Problem(f"a tolerance of {tolerance} is not between 0 and 1", "tolerance", "give 1e-10"))
    if design.source is not None:
        return _rake_table(design, margins, tolerance)
    found, read = _read_margins(design, margins, tolerance)
    target = np.concatenate([margin.target for margin in read])
    start = np.concatenate([[0], np.cumsum([len(margin.labels) for margin in read])])
    codes = np.array([margin.code for margin in read])
    known: list[FloatArray] = []  # factors of the whole sample: replicates start from there

    def factors(weight: FloatArray) -> FloatArray:
        factor = known[0].copy() if known else np.ones(len(weight))
        if not sweep(weight, codes, target, start, factor, tolerance, _SWEEPS) <= tolerance:
            factor = _newton(weight, read, factor, tolerance)
        if not known:
            known.append(factor)
        return factor

    return _adjust_margins(design, "raking", found, read, factors)


def calibrate(
    design: SurveyDesign,
    x: Any,
    totals: Any,
    method: Method = "linear",
    bounds: Bounds | None = None,
    aggregate: Aggregate = "none",
) -> SurveyDesign:
    """Move the weights as little as possible so that the weighted sums of x meet known totals.

    The new weights w₀ F(x'λ) solve Σ w₀ F(x'λ) x = T, with F(u) = 1 + u (linear), exp u (raking), or, between the bounds
    L and U, F(u) = (L(U−1) + U(1−L)e^{Au}) / (U−1 + (1−L)e^{Au}), A = (U−L)/((U−1)(1−L)) (logit).

    Parameters
    ----------
    design : SurveyDesign
    x : array_like, shape (n,) or (n, p), a DataFrame, or a mapping name → array, shape (n,): numbers without missing
        values. In a DataFrame or mapping a variable may be labels: one 0/1 column for each. A total that is not given
        is not met: for the number of units give a column of ones, or labels, whose totals hold it.
    totals : array_like, shape (p,), in the order of the columns; or a mapping name → number, or → {label: total} for
        labels. DataFrames and mappings need a mapping, except that numbers alone may come in order.
    method : "linear" (the generalised regression estimator), "raking" or "logit"
    bounds : (L, U), limits of w / w₀; "logit" needs them, with L < 1 < U; the others are cut off there
    aggregate : "psu": one factor for all rows of a first-stage unit, from the plain mean of x in it (R's
        `aggregate.stage = 1`). Totals are met exactly where the rows of a unit have equal weights; otherwise those of
        the mean are. "none": each row by its own x

    Returns
    -------
    SurveyDesign. Linear weights may become negative where x is far out; bounds prevent it.

    Raises
    ------
    AnalysisError
        for missing or infinite x, labels without a total or totals without rows, bounds that leave nothing to choose;
        and, where no such weights exist or are found, naming the columns that are missed with the totals reached.

    Notes
    -----
    Rows with the same x share a factor, so the fitting runs on distinct rows. Columns that others imply do no harm as
    long as their totals agree. The variance is that of residuals from the regression on x with weights w₀, times w,
    whatever the method.

    References
    ----------
    Deville, J.-C. and Särndal, C.-E. (1992). Calibration estimators in survey sampling. Journal of the American
    Statistical Association 87, 376–382. https://doi.org/10.1080/01621459.1992.10475217
    """
    limits = _bounds(method, bounds)
    if aggregate not in get_args(Aggregate):
        raise AnalysisError(Problem(f"there is no {aggregate!r} to aggregate by", "aggregate", '"none" or "psu"'))
    if design.source is not None:
        if aggregate == "psu":
            design.require_rows('aggregate="psu"')
        named = x if isinstance(x, Mapping) else {name: name for name in named_columns(x, "x")}
        return adjust_table(
            design,
            named_columns(tuple(named.values()), "x"),
            lambda rows, of: calibrate(rows, {key: of[name] for key, name in named.items()}, totals, method, bounds),
        )
    if method != "linear" and (design.weight <= 0).any():
        row = int(np.flatnonzero(design.weight <= 0)[0])
        what = f"a weight is {design.weight[row]:g} after an earlier adjustment"
        raise AnalysisError(Problem(what, f"weight, row {row}", f'give bounds there; method "{method}" needs w > 0'))
    found = read_auxiliary(x, totals, design.n, design.weight)
    if aggregate == "psu":
        stages = design.stages
        found = found.averaged(stages[0].of_unit[stages.unit], design.weight)

    known: list[FloatArray] = []  # λ of the whole sample: replicates start from there

    def factors(weight: FloatArray) -> FloatArray:
        start = known[0] if known else None
        factor, reached = fit(found.x, weight, found.target, DISTANCES[method], limits, found.normal(weight), start)
        known.append(reached)
        del known[1:]
        _require_met(found, weight, factor, limits)
        return factor

    return _adjust(design, method, found.cells, found.x, found.normal, factors)


def _rake_table(design: SurveyDesign, margins: Any, tolerance: float) -> SurveyDesign:
    """The labels of the margins are names of columns."""
    pairs = _pairs(margins)
    return adjust_table(
        design,
        named_columns([column for column, _ in pairs.values()], "margins"),
        lambda rows, of: rake(rows, {key: (of[column], known) for key, (column, known) in pairs.items()}, tolerance),
    )


def _bounds(method: str, bounds: Any) -> Bounds:
    if method not in DISTANCES:
        known = ", ".join(f'"{one}"' for one in DISTANCES)
        raise AnalysisError(Problem(f"there is no calibration method {method!r}", "method", f"use one of {known}"))
    if bounds is None:
        if method == "logit":
            what, remedy = 'method "logit" has no bounds', "give bounds=(L, U) for w / w₀, such as (0.3, 3)"
            raise AnalysisError(Problem(what, "bounds", remedy))
        return (-np.inf, np.inf)
    try:
        low, high = (float(end) for end in bounds)
    except (TypeError, ValueError) as error:
        raise AnalysisError(Problem(f"{bounds!r} is no pair of numbers", "bounds", "give (L, U)")) from error
    if not low < high:
        raise AnalysisError(Problem(f"bounds {low:g} and {high:g} leave nothing between them", "bounds", "give L < U"))
    if high <= 0 or (method == "logit" and not -np.inf < low < 1 < high < np.inf):
        needed = "finite L < 1 < U" if method == "logit" else "U > 0"
        what = f"bounds {low:g} and {high:g} do not fit method {method!r}"
        raise AnalysisError(Problem(what, "bounds", f"w / w₀ must be able to move both ways: {needed}"))
    return (low, high)


def _read_margins(design: SurveyDesign, margins: Any, tolerance: float) -> tuple[Cells, list[Margin]]:
    """Cells of the margins crossed; every problem of every margin is collected."""
    problems: list[Problem] = []
    classes = {}
    for name, pair in _pairs(margins).items():
        try:
            expected = pair[1] if isinstance(pair[1], Mapping) else ()
            classes[name] = read_classes(pair[0], f"margin {name}", design.n, expected)
        except AnalysisError as error:
            problems.extend(error.problems)
    if not classes:
        raise AnalysisError(problems)
    found = cells_of(list(classes.values()), design.weight)
    read = []
    for name, one, code in zip(classes, found.classes, found.codes, strict=True):
        present, position = compact(code)
        margin, faults = match(name, one.named(present), position, margins[name][1])
        problems.extend(faults)
        read.append(margin)
    problems = problems or disagreements(read, tolerance)
    if problems:
        raise AnalysisError(problems)
    return found, read


def _pairs(margins: Any) -> Mapping[str, tuple[Any, Any]]:
    """Margins by name, each of labels and totals."""
    if not isinstance(margins, Mapping) or not margins:
        raise AnalysisError(Problem("there is no margin to rake to", "margins", "give name → (labels, totals)"))
    problems = [
        Problem("a margin is (labels, totals)", f"margin {name}", "give both")
        for name, pair in margins.items()
        if not isinstance(pair, (tuple, list)) or len(pair) != 2
    ]
    if problems:
        raise AnalysisError(problems)
    return margins


def _newton(weight: FloatArray, margins: list[Margin], swept: FloatArray, tolerance: float) -> FloatArray:
    """The factors proportional fitting tends to, where it is too slow; else the error that names what is missed."""
    x = indicators(margins)
    target = np.concatenate([margin.target for margin in margins])
    normal = _normal_of(x, margins)
    start = weight * swept
    if np.isfinite(start).all() and (start.min() > 1e-12 * start.max()):
        more, _ = fit(x, start, target, DISTANCES["raking"], (0.0, np.inf), normal(start))
        if np.abs(x.T @ (start * more) / target - 1).max() <= tolerance:
            return swept * more
    factor, _ = fit(x, weight, target, DISTANCES["raking"], (0.0, np.inf), normal(weight))
    reached = x.T @ (weight * factor)
    if np.abs(reached / target - 1).max() <= tolerance:
        return factor
    reached = np.asarray(x.T @ start)
    labels = [(margin.name, label) for margin in margins for label in margin.labels]
    raise AnalysisError(
        Problem(
            f"raking does not meet {label!r}: {total:.6g} reached of {wanted:.6g}",
            f"margin {name}",
            "join classes that meet only in few cells, or leave a margin out",
        )
        for (name, label), total, wanted in zip(labels, reached, target, strict=True)
        if not abs(total / wanted - 1) <= tolerance
    )


def _without_weight(margin: Margin, position: int) -> Problem:
    what = f"cell {margin.labels[position]!r} has no weight in a replicate"
    return Problem(what, margin.name, "join it with another cell, so that each replicate has rows there")


def _require_met(found: Auxiliary, weight: FloatArray, factor: FloatArray, bounds: Bounds) -> None:
    reached = found.unscaled(found.x.T @ (weight * factor), float((weight * factor).sum()))
    size = np.maximum(np.abs(found.wanted), 1e-3 * found.magnitude)
    missed = np.flatnonzero(~(np.abs(reached - found.wanted) <= _MET * np.where(size > 0, size, 1.0)))
    if len(missed) == 0:
        return
    remedy = "leave a column out, join classes, or check that the totals are of one population"
    if np.isfinite(bounds).any():
        remedy = f"widen the bounds {bounds[0]:g} and {bounds[1]:g} (the factors go from {factor.min():.4g} to {factor.max():.4g}), {remedy}"
    raise AnalysisError(
        Problem(
            f"calibration does not meet {found.names[j]}: {reached[j]:.6g} reached of {found.wanted[j]:.6g}",
            "totals",
            remedy,
        )
        for j in missed
    )


def _normal_of(x: "csr_array[Any, tuple[int, int]]", margins: list[Margin]) -> Callable[[FloatArray], NormalEquations]:
    """X'WX of the indicators x of margins: the largest is diagonal, one class of each other is implied by it."""
    sizes = [len(margin.labels) for margin in margins]
    offsets = np.cumsum([0, *sizes]).tolist()
    largest = int(np.argmax(sizes))
    first = range(offsets[largest], offsets[largest + 1])
    implied = tuple(offset for i, offset in enumerate(offsets[:-1]) if i != largest)
    return lambda weight: NormalEquations(x, weight, first, implied)


def _adjust_margins(design: SurveyDesign, method: str, cells: Cells, margins: list[Margin], fit: Fit) -> SurveyDesign:
    x = indicators(margins)
    return _adjust(design, method, cells, x, _normal_of(x, margins), fit)


def _adjust(
    design: SurveyDesign,
    method: str,
    cells: Cells,
    x: "csr_array[Any, tuple[int, int]]",
    normal: Callable[[FloatArray], NormalEquations],
    factors: Fit,
) -> SurveyDesign:
    """One step: weights times the factor of their cell, and the regression on the x of the cells."""
    factor = factors(cells.weight)
    cell, after = cells.rescaled(design.weight, factor)
    if (factor == 0).any():
        what = f"{int((factor[cell] == 0).sum())} rows would have the weight 0"
        raise AnalysisError(Problem(what, "bounds", "give a lower bound above 0, such as 0.1"))
    adjusted = design.adjusted(CalibrationStep(method, cell, x, normal(cells.weight), design.weight, after))
    if design.replicates is None:
        return adjusted
    return adjusted.with_replicates(recalibrated(design.replicates, cell, x, design.weight, after, factors))
