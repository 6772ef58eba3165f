"""Answers that came in oddly: how many, and the headline without them.

Public: odd_answers, HEADLINE_FLAGS. The flags are the extract's; what each means: docs/method.md.
"""

from collections.abc import Callable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from analysis.errors import AnalysisError
from analysis.wave.additive import HIDDEN_TOGETHER
from analysis.wave.counter import Targets
from analysis.wave.extract import ODD, Extract
from analysis.wave.wave_result import OddAnswers, Score

if TYPE_CHECKING:
    from numpy.typing import NDArray

HEADLINE_FLAGS = tuple(name for name in ODD if name != "straight_line")
"""Straight lines stay in: leaving out people by what they answered would bias the index, near the ceiling downwards."""

FEWEST_LEFT = 30
Estimate = Callable[[Targets], tuple[Score, ...]]


def odd_answers(
    extract: Extract, chosen: Targets, rows: "NDArray[np.bool_]", estimate: Estimate
) -> "OddAnswers | None":
    """Counts of the flags, and headline rows without those flagged; None where the extract has no flags.

    rows : of the table for all, before anything is left out
    estimate : from targets to published headline rows; called only where the result may be shown: where it differs from
        the headline by HIDDEN_TOGETHER responses or more, and FEWEST_LEFT are left
    """
    if any(name not in extract.responses for name in ODD):
        return None
    flagged = np.logical_or.reduce([extract.column(name) == 1 for name in HEADLINE_FLAGS])
    complete = (extract.column("disposition") == "complete") & ~extract.column("after_close").astype(bool)
    counts = {name: int((complete & (extract.column(name) == 1)).sum()) for name in ODD}
    gone, left = int((rows & flagged).sum()), int((rows & ~flagged).sum())
    without: tuple[Score, ...] = ()
    if gone >= HIDDEN_TOGETHER and left >= FEWEST_LEFT:
        try:
            masks = {name: mask & ~flagged for name, mask in chosen.masks.items()}
            without = estimate(replace(chosen, masks=masks))
        except AnalysisError:
            without = ()  # what is left cannot be weighted: no row, the headline stands
    return OddAnswers(counts, int(complete.sum()), int((complete & flagged).sum()), without)
