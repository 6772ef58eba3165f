"""Adjusting the weights of a table design: on its atoms, in memory, by the functions that adjust rows.

Public: adjust_table, named_columns.
"""

from collections.abc import Callable, Iterable
from typing import Any

from analysis.design import SurveyDesign
from analysis.engine.lookup import Columns
from analysis.engine.source import multiplied
from analysis.errors import AnalysisError, Problem

Adjust = Callable[[SurveyDesign, Columns], SurveyDesign]


def adjust_table(design: SurveyDesign, columns: tuple[str, ...], adjust: Adjust) -> SurveyDesign:
    """The table design with one more adjustment.

    Parameters
    ----------
    columns : names of the columns whose values decide a row's factor
    adjust : takes the design of the atoms and their labels by column; returns it with one more step
    """
    finer = design.telling_apart(columns)
    source = finer.source
    assert source is not None
    result = adjust(finer.with_source(None), source.atoms)
    step = result.steps[-1]
    return result.with_source(multiplied(source, columns, step.after / step.before))


def named_columns(given: Any, where: str) -> tuple[str, ...]:
    """Names of columns: one, or several."""
    parts: Iterable[Any] = given if isinstance(given, (list, tuple)) else [given]
    names = []
    for part in parts:
        if not isinstance(part, str):
            raise AnalysisError(
                Problem(
                    f"a column is given as {type(part).__name__}",
                    where,
                    "with a table design name the columns; make one that is computed with the table's mutate() first",
                )
            )
        names.append(part)
    return tuple(dict.fromkeys(names))
