"""What unequal weights cost. Public: Kish, kish."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.errors import AnalysisError, Problem


@dataclass(frozen=True)
class Kish:
    """deff_kish = n Σw²/(Σw)² = 1 + cv2; n_eff_kish = (Σw)²/Σw²."""

    n: int
    sum: float
    sum_of_squares: float
    deff_kish: float
    n_eff_kish: float
    cv2: float
    minimum: float
    maximum: float


def kish(weights: ArrayLike) -> Kish:
    """Kish's design effect of the weights.

    Parameters
    ----------
    weights : array_like, shape (n,), > 0

    References
    ----------
    Kish, L. (1992). Weighting for unequal Pᵢ. Journal of Official Statistics 8, 183–200.
    """
    w = np.asarray(weights, dtype=np.float64)
    if w.ndim != 1 or len(w) == 0 or not (w > 0).all():
        raise AnalysisError(Problem("weights must be positive numbers", "weights", "give one weight for each row"))
    total, squares = float(w.sum()), float((w**2).sum())
    deff = len(w) * squares / total**2
    cv2 = float(((w - w.mean()) ** 2).mean() / w.mean() ** 2)
    return Kish(len(w), total, squares, deff, total**2 / squares, cv2, float(w.min()), float(w.max()))
