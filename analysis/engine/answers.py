"""Answers 1 to 5 to the items of an index, in a table. Public: table_answers, scored, answered."""

from collections.abc import Iterable, Mapping, Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np

from analysis.engine.columns import TableColumns, bind, number
from analysis.engine.source import Source
from analysis.errors import AnalysisError, Problem


def table_answers(source: Source, answers: Mapping[str, Any], items: Sequence[str]) -> TableColumns:
    """Codes 1 to 5, null where there is no valid answer; items with other codes are named."""
    absent = [item for item in items if item not in answers]
    if absent:
        raise AnalysisError(
            Problem("no answers to an item of the index", f"item {i}", "give its column") for i in absent
        )
    codes = []
    for item in items:
        value = number(bind(source, answers[item], f"item {item}"), item, ())
        codes.append((value >= 0).ifelse(value, None))
    odd = {f"odd{i}": (~code.isin([1, 2, 3, 4, 5])).ifelse(1, 0).sum() for i, code in enumerate(codes)}
    found = source.table.agg(**odd).to_pyarrow()
    problems = [
        Problem(
            f"{count} answers are not one of 1 to 5",
            f"item {item}",
            "code answers 1 to 5, missing ones negative or NaN",
        )
        for item, count in zip(items, (found.column(key)[0].as_py() for key in odd), strict=True)
        if count
    ]
    if problems:
        raise AnalysisError(problems)
    return TableColumns(tuple(items), tuple(codes))


def scored(answers: TableColumns, steps: Sequence[int], points: float) -> TableColumns:
    """The score `points` · steps[q − 1] of every answer q."""
    pairs = list(enumerate(steps, start=1))
    values = tuple(code.cases(*pairs) for code in answers.values)
    return TableColumns(answers.names, values, np.array(sorted(set(steps)), dtype=np.uint8), scale=points)


def answered(codes: Iterable[Any]) -> Any:
    """How many of the answers a row gave."""
    return reduce(add, (code.notnull().cast("int16") for code in codes)).name("answered")
