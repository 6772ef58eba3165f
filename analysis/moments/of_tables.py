"""The moments of a table that stays where it is: sums asked of its engine, in the form of the sums over arrays.

Public: sum_in_table.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.design import CalibrationStep, SurveyDesign
from analysis.engine.batches import Rows
from analysis.engine.columns import TableColumns
from analysis.engine.source import Source
from analysis.engine.sums import Questions, Sums, Terms
from analysis.labels import IntArray
from analysis.moments.of_batches import sum_in_batches
from analysis.moments.sums import Measure, Moments, SecondReading

FloatArray = NDArray[np.float64]

_NUMBERS = 1 << 25  # sums by all pairs of domain and unit that there may be, in memory


def sum_in_table(design: SurveyDesign, measure: Measure, by: Any) -> Moments:
    """Ask the engine of the design's table for everything the moments hold."""
    source = design.source
    assert source is not None
    top, bottom = measure.top, measure.bottom
    assert isinstance(top, TableColumns) and isinstance(bottom, TableColumns | None)
    k, (unit, units) = len(top.names), design.summation_unit
    if Rows.of(source) and len(by.labels) * units * k <= _NUMBERS:
        return sum_in_batches(design, measure, Rows(source, by, top, bottom))
    questions = Questions(
        source,
        Terms(_numbers(top, k), None if bottom is None else _numbers(bottom, k), measure.pool, measure.combine),
        by,
    )
    sums = questions.by_place(_telling_apart(source, unit), unit)
    domains = len(by.labels)
    crossed = tuple(
        _crossed(questions.by_place(columns, step.cell), step, domains)
        for step, columns in zip(design.regression_steps, source.cells, strict=False)
    )
    return Moments(
        design,
        domains,
        sums.domain,
        sums.place,
        sums.top,
        sums.bottom,
        sums.population,
        sums.answered.astype(np.int64),
        crossed,
        _TableReading(questions),
    )


@dataclass(frozen=True, eq=False)
class _TableReading(SecondReading):
    questions: Questions

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        return self.questions.squares(value, size)

    def squared_weights(self) -> FloatArray:
        return self.questions.squared_weights()


def _numbers(columns: TableColumns, count: int) -> tuple[Any, ...]:
    """Expressions of numbers, one for each of `count` ratios."""
    scale, offset = columns.scale, columns.offset
    values = columns.values if scale == 1 and offset == 0 else tuple(q * scale + offset for q in columns.values)
    return values * count if len(values) == 1 else values


def _telling_apart(source: Source, unit: IntArray) -> tuple[str, ...]:
    """The columns that tell units apart: those of the stages, unless the units are finer, as with calibrated replicates."""
    first = source.places({name: source.atoms[name] for name in source.unit_labels})
    return source.unit_labels if (unit == unit[first]).all() else source.labels


def _crossed(sums: Sums, step: CalibrationStep, domains: int) -> tuple[FloatArray, FloatArray]:
    """Σ ω x·top and Σ ω x·bottom by domain and calibrated total from sums by domain and cell, ω = w · before/after."""
    from scipy.sparse import csr_array

    ratio = np.ones(int(step.x.shape[0]))
    ratio[step.cell] = step.before / step.after
    width = int(step.x.shape[1])
    x = csr_array(step.x[sums.place])
    row = np.repeat(np.arange(len(sums.place)), np.diff(x.indptr))
    gather = csr_array(
        (x.data * ratio[sums.place][row], (sums.domain[row] * width + x.indices, row)),
        shape=(domains * width, len(sums.place)),
    )
    top, bottom = (np.asarray(gather @ part).reshape(domains, width, -1) for part in (sums.top, sums.bottom))
    return top, bottom
