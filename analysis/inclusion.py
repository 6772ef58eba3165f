"""Rows that were asked only some of the questions: each answer counts 1/π, where π is its chance of being asked.

Public: read_inclusion, expanded, expanded_pairs. With known chances Σ w v y/π is unbiased for Σ w v y (Horvitz and
Thompson 1952), and a mean is the ratio of two such sums, over the rows that were asked and answered.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.columns import Columns
from analysis.design import SurveyDesign
from analysis.engine.columns import TableColumns
from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.moments.sums import Measure

FloatArray = NDArray[np.float64]


def read_inclusion(design: SurveyDesign, inclusion: Any, names: tuple[Hashable, ...]) -> FloatArray:
    """Probabilities of shape (n, k), each above 0 and at most 1.

    Parameters
    ----------
    inclusion : a number for all; a mapping from each of `names` to a number or to array_like (n,); or array_like of
        shape (n,) or (n, k). Of rows that were asked everything it is 1.
    """
    if design.source is not None:
        raise _refusal("inclusion is for rows in memory, and this design has a table", "give the columns as arrays")
    rows = design.n
    if isinstance(inclusion, Mapping):
        if unknown := [name for name in inclusion if name not in names] + [n for n in names if n not in inclusion]:
            what = f"inclusion and the variables differ in {unknown[0]!r}"
            raise _refusal(what, "give a probability for every variable, and for no other")
        return np.column_stack([_probabilities(inclusion[name], name, (rows, 1)) for name in names])
    return _probabilities(inclusion, "all variables", (rows, len(names)))


def _probabilities(given: Any, name: Hashable, shape: tuple[int, int]) -> FloatArray:
    values = np.ma.filled(given, np.nan) if isinstance(given, np.ma.MaskedArray) else np.asarray(given)
    try:
        values = values.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number(
            values.reshape(len(values), -1).tolist() if values.ndim else [[given]], "inclusion"
        ) from error
    if values.ndim == 1:
        values = values[:, None]
    if values.ndim not in (0, 2) or (
        values.ndim and (values.shape[0] != shape[0] or values.shape[1] not in (1, shape[1]))
    ):
        what = f"inclusion of {name} has shape {np.shape(given)}, and there are {shape[0]} rows"
        raise _refusal(what, "give one probability, one a row, or one for each row and variable")
    sound = (values > 0) & (values <= 1)
    if not sound.all():
        row = int(np.argwhere(~sound)[0][0]) if values.ndim else 0
        what = f"a probability of being asked is {np.ravel(values[row] if values.ndim else values)[0]:g} ({name}, row {row})"
        remedy = "give numbers above 0 and at most 1: where nobody could be asked there is no estimate"
        raise _refusal(what, remedy)
    return np.broadcast_to(values, shape)


def _refusal(what: str, remedy: str) -> AnalysisError:
    return AnalysisError(Problem(what, "inclusion", remedy))


def expanded(
    design: SurveyDesign, columns: Columns | TableColumns, inclusion: Any, limits: tuple[float, ...] = ()
) -> Measure:
    """The measure of means of `columns`: Σ w y/π over Σ w/π. Without `inclusion` the plain one.

    limits : the smallest and largest number there can be, where they are known
    """
    if inclusion is None:
        return Measure(columns)
    numbers, chance = _numbers(design, columns, inclusion)
    size = np.where(np.isnan(numbers), np.nan, 1 / chance)
    return Measure(Columns(columns.names, numbers / chance), Columns(columns.names, size), limits=limits)


def expanded_pairs(
    design: SurveyDesign, top: Columns | TableColumns, bottom: Columns | TableColumns, inclusion: Any
) -> tuple[Columns | TableColumns, Columns | TableColumns]:
    """Numerators and denominators of ratios, both over the chance that the pair was asked."""
    if inclusion is None:
        return top, bottom
    numbers, chance = _numbers(design, top, inclusion)
    assert isinstance(bottom, Columns)
    below = bottom.numbers() / chance  # a single denominator goes with every numerator
    return Columns(top.names, numbers / chance), Columns(top.names, below)


def _numbers(design: SurveyDesign, columns: Columns | TableColumns, inclusion: Any) -> tuple[FloatArray, FloatArray]:
    chance = read_inclusion(design, inclusion, columns.names)
    assert isinstance(columns, Columns)
    return columns.numbers(), chance
