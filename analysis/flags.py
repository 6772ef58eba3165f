"""Words that say how far a standard error carries. Public: flag."""

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]


def flag(se: FloatArray, df: FloatArray) -> NDArray[np.object_]:
    """Tuples of "se_zero", "low_df" (df < 8), "no_df" (df < 1), of the shape of se."""
    flags = np.empty(se.shape, dtype=object)
    flags.fill(())
    for word, where in (("se_zero", se == 0), ("low_df", df < 8), ("no_df", df < 1)):
        for place in zip(*np.nonzero(where), strict=True):
            flags[place] += (word,)
    return flags
