"""Estimates whose linearised variables are known row by row: what quantiles and regressions hand over.

Public: from_scores.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import NDArray

from analysis.columns import read_columns
from analysis.design import SurveyDesign
from analysis.estimates import Estimates
from analysis.labels import Codes
from analysis.linear import DegreesOfFreedom, linearise, of_values
from analysis.moments.sums import Measure

FloatArray = NDArray[np.float64]


def from_scores(
    design: SurveyDesign,
    value: FloatArray,
    u: FloatArray,
    names: Sequence[Hashable],
    level: float = 0.95,
    df: DegreesOfFreedom | float = "domain",
) -> Estimates:
    """Estimates from their influence.

    Parameters
    ----------
    design : SurveyDesign without replicate weights
    value : ndarray, shape (v,)
    u : ndarray, shape (n, v), the linearised variable of each row, without its weight, such that Σ w u is the error of
        the estimate to first order; NaN for rows outside the domain
    names : of the variables
    df : "domain", "design", or the number itself

    Returns
    -------
    Estimates of shape (1, v) with t intervals, deff NaN
    """
    columns = read_columns(u, "u", design.n)
    everybody = Codes(np.zeros(design.n, dtype=np.int64), ("all",))
    result = linearise(design, Measure(columns), everybody, total=True)
    return of_values(result, np.asarray(value, dtype=np.float64)[None, :], tuple(names), level, df)
