"""Cutting off extreme weights, the weight cut off given to the other rows. Public: trim."""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.calibration.trimmed import Trimmed
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem

FloatArray = NDArray[np.float64]
Rounds = Literal["strict", "once"]

_MOST = 100_000  # rounds; each gives on a share of what is left
_ROUNDING = 1e-15  # of all weight: what is left over when nothing more can be given on


def trim(design: SurveyDesign, lower: float | None, upper: float | None, rounds: Rounds = "strict") -> SurveyDesign:
    """Set weights outside the bounds to the bounds and give the difference to the other rows in equal parts.

    Parameters
    ----------
    design : SurveyDesign, also a calibrated one
    lower, upper : bounds of the weights (not of their ratios); None: no bound
    rounds : "strict": again until all weights are within (R's `trimWeights(strict=TRUE)`); "once": the rows that got
        weight may end up outside (R's `strict=FALSE`)

    Returns
    -------
    SurveyDesign with the same sum of weights; `design.trimmed` says what was done. Calibration residuals stay in its
    variances, with the trimmed weights; calibrated totals are met no longer. The bounds are taken as fixed: that they
    were chosen after seeing the weights adds nothing to the variance.

    Raises
    ------
    AnalysisError
        for bounds that do not hold the mean weight between them, which the sum of weights could not fit into; and for
        replicate weights: trim first, then make the replicates.

    References
    ----------
    Potter, F. J. (1990). A study of procedures to identify and trim extreme sampling weights. Proceedings of the
    Section on Survey Research Methods, American Statistical Association, 225–230.
    """
    design.require_rows("trim")
    low, high = _bound("lower", lower, -np.inf), _bound("upper", upper, np.inf)
    design.require_rows("trim()")
    _check(design, low, high, rounds)
    before = design.weight
    weight, total, count = before.copy(), float(before.sum()), 0
    outside = (weight < low) | (weight > high)
    while outside.any() and count < (1 if rounds == "once" else _MOST):
        count += 1
        cut = np.clip(weight, low, high)
        left = float((weight - cut).sum())
        inside = ~outside
        if not inside.any() or (count > 1 and abs(left) <= _ROUNDING * abs(total)):
            weight = cut
            break
        weight = np.where(inside, cut + left / inside.sum(), cut)
        outside = (weight < low) | (weight > high)
    change = weight - before
    moved = float(change[change > 0].sum())
    done = Trimmed(
        lower=low,
        upper=high,
        raised=int((before < low).sum()),
        lowered=int((before > high).sum()),
        moved=moved,
        share=moved / total,
        rounds=count,
        smallest=float(weight.min()),
        largest=float(weight.max()),
    )
    return design.reweighted(weight, done)


def _bound(name: str, given: float | None, without: float) -> float:
    try:
        return without if given is None else float(given)
    except (TypeError, ValueError) as error:
        raise AnalysisError(
            Problem(f"{given!r} is not a number", name, "give a weight, or None for no bound")
        ) from error


def _check(design: SurveyDesign, low: float, high: float, rounds: str) -> None:
    problems = []
    if rounds not in get_args(Rounds):
        problems.append(Problem(f"there is no way {rounds!r} to trim", "rounds", '"strict" or "once"'))
    if np.isnan(low) or np.isnan(high) or not low < high:
        problems.append(
            Problem(f"bounds {low:g} and {high:g} leave nothing between them", "lower, upper", "lower < upper")
        )
    elif low == -np.inf and high == np.inf:
        problems.append(Problem("there is no bound", "lower, upper", "give at least one"))
    elif high <= 0:
        problems.append(Problem(f"no weight is positive below {high:g}", "upper", "give an upper bound above 0"))
    mean = float(design.weight.mean())
    if not problems and not low <= mean <= high:
        what = f"the mean weight {mean:.6g} does not lie between {low:g} and {high:g}"
        problems.append(Problem(what, "lower, upper", "the sum of the weights stays: give bounds around the mean"))
    if design.replicates is not None:
        remedy = "trim the design first, and then make its replicates"
        problems.append(Problem("a design with replicate weights is not trimmed", "design", remedy))
    if problems:
        raise AnalysisError(problems)
