"""The one pass over respondents who are in memory: their sums by domain × sampling unit and by calibrated total.

Public: sum_by_unit.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.columns import MISSING, Columns
from analysis.design import SurveyDesign
from analysis.labels import Codes, IntArray, compact
from analysis.moments import kernels
from analysis.moments.packing import Packing, pack_order
from analysis.moments.sums import Measure, Moments, SecondReading, sum_by_domain

FloatArray = NDArray[np.float64]

_LARGEST = 1 << 23  # sums by (domain, calibration cell) that are held at once


def sum_by_unit(design: SurveyDesign, measure: Measure, by: Codes) -> Moments:
    """Read every respondent of the design once."""
    of_row, units = design.summation_unit
    packing = pack_order(by.code, of_row, units, design.weight, len(measure.top.names))
    pairs = measure.bottom is not None
    top_columns = measure.top
    assert isinstance(top_columns, Columns)
    first = packing.codes(top_columns) if top_columns.lookup is not None and not pairs else packing.numbers(top_columns)
    second = packing.numbers(measure.bottom) if measure.bottom is not None else None
    rows = _Respondents(design, measure, len(by.labels), packing, first, second)
    top, bottom, answered, squares = rows.describe()
    population = bottom
    if measure.bottom is not None or not measure.plain:
        if measure.pool is not None or measure.combine is not None:
            population, answered = rows.present(packing.weight)
        elif rows.second is not None:
            population, _ = rows.present(packing.weight)
    crossed = tuple(rows.cross(number) for number in range(len(design.regression_steps)))
    if measure.pool is not None:
        pool = measure.pool
        top, bottom = top @ pool, bottom @ pool
        crossed = tuple((high @ pool, low @ pool) for high, low in crossed)
    reading = _ArrayReading(rows, squares)
    return Moments(
        design, len(by.labels), packing.domain, packing.unit, top, bottom, population, answered, crossed, reading
    )


@dataclass(frozen=True, eq=False)
class _Respondents:
    """Rows that lie in a domain, packed.

    first : codes of the answers, or numbers (the numerators of pairs); `second`: the denominators of pairs
    """

    design: SurveyDesign
    measure: Measure
    domains: int
    packing: Packing
    first: NDArray[Any]
    second: FloatArray | None

    @property
    def coded(self) -> bool:
        return self.measure.top.lookup is not None and self.second is None

    @property
    def columns(self) -> int:
        return int(self.first.shape[1])

    def describe(self) -> tuple[FloatArray, FloatArray, NDArray[np.int32], FloatArray | None]:
        """Σ w·top, Σ w·bottom and rows answered by pair; for means the centred squares Σ w (y − ȳ)² by domain."""
        shape, k = (len(self.packing.domain), self.columns), self.columns
        top, bottom, answered = np.zeros(shape), np.zeros(shape), np.zeros(shape, dtype=np.int32)
        if self.second is not None:
            second = self.second
            self.packing.walk(
                lambda _, a, b: kernels.describe_pairs(
                    self.first, second, self.packing.weight, self.packing.slot, a, b, top, bottom, answered
                )
            )
            return top, bottom, answered, None
        shift = self._near()
        zero_one = self._zero_one
        squares = np.zeros((len(self.packing.bounds), 0 if zero_one else self.domains, k))
        loop = kernels.describe_codes if self.coded else kernels.describe_numbers
        self.packing.walk(
            lambda number, a, b: loop(
                self.first,
                self.packing.weight,
                self.packing.slot,
                self.packing.domain,
                a,
                b,
                top,
                bottom,
                answered,
                shift,
                squares[number],
            )
        )
        if zero_one:
            centred = self._of_shares(top, bottom)
        else:
            centred = self._centred(top, bottom, shift, squares.sum(axis=0))
        return self._numbers(top, bottom), bottom, answered, centred * self.measure.top.scale**2

    @property
    def _zero_one(self) -> bool:
        """Codes are 0 and 1 alone, so that squares are the codes themselves."""
        lookup = self.measure.top.lookup
        return self.coded and lookup is not None and bool(np.isin(lookup, (0, 1, MISSING)).all())

    def _of_shares(self, top: FloatArray, bottom: FloatArray) -> FloatArray:
        """Σ w (q − q̄)² of codes 0 and 1 by domain: W₁ W₀ / (W₁ + W₀)."""
        high, low = (sum_by_domain(self.packing.domain, values, self.domains) for values in (top, bottom - top))
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(high * low / (high + low))

    def _near(self) -> FloatArray:
        """A number near the mean of each column, so that little cancels when squares are centred."""
        some = self.first[:: max(len(self.first) // 1000, 1)].astype(np.float64)
        valid = some != MISSING if self.coded else ~np.isnan(some)
        return np.asarray(np.where(valid, some, 0.0).sum(axis=0) / np.maximum(valid.sum(axis=0), 1))

    def _centred(self, top: FloatArray, bottom: FloatArray, shift: FloatArray, squares: FloatArray) -> FloatArray:
        """Σ w (q − q̄)² by domain; 0 where all that is left of the sums is rounding."""
        high, low = (sum_by_domain(self.packing.domain, values, self.domains) for values in (top, bottom))
        with np.errstate(divide="ignore", invalid="ignore"):
            centred = squares - np.nan_to_num((high - shift * low) * ((high - shift * low) / low))
        return np.where(centred > 1e-12 * squares, centred, 0.0)

    def _numbers(self, top: FloatArray, bottom: FloatArray) -> FloatArray:
        """Σ w y from Σ w q, y = offset + scale·q."""
        scale, offset = self.measure.top.scale, self.measure.top.offset
        if scale != 1:
            top = top * scale
        return top + offset * bottom if offset else top

    def cross(self, number: int) -> tuple[FloatArray, FloatArray]:
        """Σ ω x·top and Σ ω x·bottom of one adjustment by domain and calibrated total.

        Where rows are many for each (domain, cell) pair they are summed by these first, which one addition a row does.
        """
        from scipy.sparse import csr_array

        packing, step = self.packing, self.design.steps[number]
        width = int(step.x.shape[1])
        weight = self.design.regression_weight(number)[packing.order]
        domain, cell = packing.domain[packing.slot], step.cell[packing.order]
        cells = int(step.x.shape[0])
        kept, place = compact(domain * cells + cell)
        few = len(kept) <= len(cell) // 8 and len(kept) * self.columns * len(packing.bounds) < _LARGEST
        if few:
            x, one = step.x[kept % cells], np.arange(len(kept) + 1, dtype=np.int64)
            column = x.indices.astype(np.int64) + np.repeat(kept // cells * width, np.diff(x.indptr))
            by_total = csr_array((x.data, column, x.indptr), shape=(len(kept), self.domains * width)).T
            sums = self._crossed(weight, np.zeros_like(place), place, one, one, np.ones(len(kept)), len(kept))
            top, bottom = by_total @ sums[0], by_total @ sums[1]
        else:
            begin, column = step.x.indptr.astype(np.int64), step.x.indices.astype(np.int64)
            top, bottom = self._crossed(weight, domain * width, cell, begin, column, step.x.data, self.domains * width)
        high, low = (part.reshape(self.domains, width, self.columns) for part in (top, bottom))
        return (high if self.second is not None else self._numbers(high, low)), low

    def _crossed(
        self,
        weight: FloatArray,
        target: IntArray,
        cell: IntArray,
        begin: IntArray,
        column: IntArray,
        x: FloatArray,
        size: int,
    ) -> tuple[FloatArray, FloatArray]:
        """Σ ω x·top and Σ ω x·bottom to target + column, for what the cell of each row adds; shape (size, k)."""
        shape = (len(self.packing.bounds), size, self.columns)
        top, bottom = np.zeros(shape), np.zeros(shape)
        if self.second is not None:
            second = self.second
            self.packing.walk(
                lambda i, a, b: kernels.cross_pairs(
                    self.first, second, weight, target, cell, begin, column, x, a, b, top[i], bottom[i]
                )
            )
        else:
            loop = kernels.cross_codes if self.coded else kernels.cross_numbers
            self.packing.walk(
                lambda i, a, b: loop(self.first, weight, target, cell, begin, column, x, a, b, top[i], bottom[i])
            )
        return top.sum(axis=0), bottom.sum(axis=0)

    def present(self, weight: FloatArray) -> tuple[FloatArray, NDArray[np.int32]]:
        """Σ weight and number of the rows that answered any column of each variable, by pair."""
        begin, column = self.measure.membership
        shape = (len(self.packing.domain), len(begin) - 1)
        population, answered = np.zeros(shape), np.zeros(shape, dtype=np.int32)
        valid = self._valid()
        self.packing.walk(
            lambda _, a, b: kernels.present(valid, weight, self.packing.slot, begin, column, a, b, population, answered)
        )
        return population, answered

    def _valid(self) -> NDArray[np.bool_]:
        if self.second is not None:
            return np.asarray(~(np.isnan(self.first) | np.isnan(self.second)))
        return np.asarray(self.first != MISSING if self.coded else ~np.isnan(self.first))


@dataclass(frozen=True, eq=False)
class _ArrayReading(SecondReading):
    rows: _Respondents
    squares: FloatArray | None

    def spread(self, value: FloatArray, size: FloatArray) -> FloatArray:
        rows, measure = self.rows, self.rows.measure
        if measure.plain and self.squares is not None:
            divisor = np.where(size != 0, size, 1.0)  # twice: its square may be too small or large for a number
            return np.asarray(self.squares / divisor / divisor)
        with np.errstate(divide="ignore"):
            factor = np.where(size != 0, 1 / size, 0.0)
        begin, column = measure.membership
        a, b = _score_coefficients(measure, np.nan_to_num(value), factor)
        squares = np.zeros((len(rows.packing.bounds), rows.domains, len(begin) - 1))
        if rows.second is not None:
            second = rows.second
            rows.packing.walk(
                lambda i, first, last: kernels.spread_pairs(
                    rows.first,
                    second,
                    rows.packing.weight,
                    rows.packing.slot,
                    rows.packing.domain,
                    begin,
                    column,
                    a,
                    b,
                    first,
                    last,
                    squares[i],
                )
            )
        else:
            a, b = a * measure.top.scale, b + a * measure.top.offset
            rows.packing.walk(
                lambda i, first, last: kernels.spread_codes(
                    rows.first,
                    rows.packing.weight,
                    rows.packing.slot,
                    rows.packing.domain,
                    begin,
                    column,
                    a,
                    b,
                    first,
                    last,
                    squares[i],
                )
            )
        return np.asarray(squares.sum(axis=0))

    def squared_weights(self) -> FloatArray:
        population, _ = self.rows.present(self.rows.packing.weight**2)
        return sum_by_domain(self.rows.packing.domain, population, self.rows.domains)


def _score_coefficients(measure: Measure, value: FloatArray, factor: FloatArray) -> tuple[FloatArray, FloatArray]:
    """What each column's top and bottom add to a variable's score, shape (domains, entries of membership)."""
    begin, column = measure.membership
    variable = np.repeat(np.arange(len(begin) - 1), np.diff(begin))
    pool = np.eye(len(measure.top.names)) if measure.pool is None else measure.pool
    combine = np.eye(pool.shape[1]) if measure.combine is None else measure.combine
    mixed = np.einsum("er,re->er", pool[column], combine[:, variable])  # (entries, r)
    return factor @ mixed.T, -(factor * value) @ mixed.T
