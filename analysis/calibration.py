"""Adjusting weights to known totals: post-stratification and raking, with the variance that goes with them.

Public: post_stratify, rake. Both return a SurveyDesign whose variances use the residuals of the scores on the
calibrated indicators, fitted with the weights before the adjustment, times the weights after it.
"""

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.design import CalibrationStep, SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.estimators import read_domains
from analysis.labels import Codes, IntArray, compact, encode
from analysis.normal import NormalEquations

FloatArray = NDArray[np.float64]

_SWEEPS = 2000  # raking that needs more has margins that cannot be met together


@dataclass(frozen=True)
class _Margin:
    name: str
    labels: tuple[Hashable, ...]
    code: IntArray  # of each row
    target: FloatArray  # of each label


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
    codes = read_domains(cells, design.n)
    if (codes.code < 0).any():
        row = int(np.flatnonzero(codes.code < 0)[0])
        raise AnalysisError(Problem("a row has no cell", f"cells, row {row}", "give every row a cell"))
    margin = _margin("cells", codes, totals)
    summed = np.bincount(margin.code, weights=design.weight, minlength=len(margin.labels))
    factor = margin.target / summed
    return _adjust(design, "post-stratification", margin.code, factor, [np.arange(len(factor))])


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
    Rows with the same label in every margin share a factor, so the fitting runs on cells, not on rows.

    References
    ----------
    Deville, J.-C., Särndal, C.-E. and Sautory, O. (1993). Generalized raking procedures in survey sampling. Journal of
    the American Statistical Association 88, 1013–1020. https://doi.org/10.1080/01621459.1993.10476369
    """
    if not margins:
        raise AnalysisError(Problem("there is no margin to rake to", "margins", "give at least one"))
    read: list[_Margin] = []
    problems: list[Problem] = []
    for name, (labels, totals) in margins.items():
        try:
            read.append(_margin(name, encode(labels, f"margin {name}", design.n), totals))
        except AnalysisError as error:
            problems.extend(error.problems)
    if not problems:
        problems.extend(_disagreements(read, tolerance))
    if problems:
        raise AnalysisError(problems)
    key = read[0].code
    for margin in read[1:]:
        key = key * len(margin.labels) + margin.code
    kept, cell = compact(key)
    codes: list[IntArray] = []
    for margin in reversed(read[1:]):
        codes.insert(0, kept % len(margin.labels))
        kept = kept // len(margin.labels)
    codes.insert(0, kept)
    weight = np.bincount(cell, weights=design.weight).astype(np.float64)
    factor = _fit(weight, codes, read, tolerance)
    return _adjust(design, "raking", cell, factor, codes)


def _margin(name: str, codes: Codes, totals: Mapping[Any, float]) -> _Margin:
    """Match labels and totals; name every class that lacks one or the other."""
    problems = []
    for label in codes.labels:
        if label not in totals:
            problems.append(
                Problem(f"there is no total for {label!r}", name, "add its total or join it with another class")
            )
    target = np.array([float(totals.get(label, np.nan)) for label in codes.labels])
    for label, value in zip(codes.labels, target, strict=True):
        if label in totals and not (np.isfinite(value) and value > 0):
            problems.append(
                Problem(
                    f"the total of {label!r} is {value:g}, but the sample has rows there",
                    name,
                    "a class with rows needs a positive total",
                )
            )
    sampled = set(codes.labels)
    for label, value in totals.items():
        if label not in sampled and value != 0:
            problems.append(
                Problem(
                    f"{label!r} has a total of {value:g} and no row in the sample",
                    name,
                    "join it with another class",
                )
            )
    if problems:
        raise AnalysisError(problems)
    return _Margin(name, codes.labels, codes.code, target)


def _disagreements(margins: list[_Margin], tolerance: float) -> list[Problem]:
    first = margins[0]
    expected = float(first.target.sum())
    return [
        Problem(
            f"margins disagree: {first.name} sums to {expected:.12g}, {margin.name} to {margin.target.sum():.12g}",
            f"margins {first.name} and {margin.name}",
            "take the totals from the same population",
        )
        for margin in margins[1:]
        if abs(float(margin.target.sum()) - expected) > tolerance * expected
    ]


def _fit(weight: FloatArray, codes: list[IntArray], margins: list[_Margin], tolerance: float) -> FloatArray:
    """Factors of the cells by iterative proportional fitting."""
    current = weight.copy()
    worst = np.inf
    for _ in range(_SWEEPS):
        worst = 0.0
        for code, margin in zip(codes, margins, strict=True):
            ratio = margin.target / np.bincount(code, weights=current)
            worst = max(worst, float(np.abs(1 / ratio - 1).max()))
            current *= ratio[code]
        if worst <= tolerance:
            return current / weight
    problems = []
    for code, margin in zip(codes, margins, strict=True):
        reached = np.bincount(code, weights=current)
        for i in np.flatnonzero(np.abs(reached / margin.target - 1) > tolerance):
            problems.append(
                Problem(
                    f"raking does not meet {margin.labels[i]!r}: {reached[i]:.6g} reached of {margin.target[i]:.6g}",
                    f"margin {margin.name}",
                    "join classes that meet only in few cells, or leave a margin out",
                )
            )
    raise AnalysisError(problems)


def _adjust(
    design: SurveyDesign, method: str, cell: IntArray, factor: FloatArray, codes: list[IntArray]
) -> SurveyDesign:
    """One step: weights times the factor of their cell, and the regression on the indicators of `codes`."""
    from scipy.sparse import csr_array

    cells = len(factor)
    sizes = [int(code.max()) + 1 for code in codes]
    offsets = np.cumsum([0, *sizes[:-1]])
    columns = np.column_stack([code + offset for code, offset in zip(codes, offsets, strict=True)]).ravel()
    start = np.arange(0, cells * len(codes) + 1, len(codes))
    indicators = csr_array((np.ones(len(columns)), columns, start), shape=(cells, sum(sizes)))
    before = np.bincount(cell, weights=design.weight, minlength=cells).astype(np.float64)
    normal = NormalEquations.of_margins(codes, before)
    after = design.weight * factor[cell]
    return design.adjusted(CalibrationStep(method, cell, indicators, normal, design.weight, after))
