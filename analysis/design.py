"""A survey design: weights, strata, PSUs, stages, fpc, and the adjustments its weights have been through.

Public: SurveyDesign, CalibrationStep. The variance itself is computed in analysis.variance.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import IntArray, Labels, compact
from analysis.normal import NormalEquations
from analysis.stages import Stages, build_stages

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
LonePsu = Literal["fail"]


@dataclass(frozen=True, eq=False)
class CalibrationStep:
    """One adjustment of the weights to known totals of indicator variables.

    Attributes
    ----------
    method : "post-stratification" or "raking"
    cell : ndarray, shape (n,), the cell of each row; the factor on the weight is the same within a cell
    indicators : csr_array, shape (cells, columns), what a row of the cell adds to each calibrated total
    normal : NormalEquations, X' W₀ X of the regression on the indicators, W₀ the weights before
    before, after : ndarray, shape (n,), the weights
    """

    method: str
    cell: IntArray
    indicators: "csr_array[Any, tuple[int, int]]"
    normal: NormalEquations
    before: FloatArray
    after: FloatArray

    @cached_property
    def factor(self) -> FloatArray:
        """What the weights of each cell were multiplied by, shape (cells,)."""
        factor = np.ones(self.indicators.shape[0])
        factor[self.cell] = self.after / self.before
        return factor


@dataclass(frozen=True, eq=False)
class SurveyDesign:
    """How the rows were sampled. Holds no data but the design.

    Parameters
    ----------
    weight : array_like, shape (n,), > 0
    stratum : array_like of labels, shape (n,), or a list of them, one per stage
    psu : array_like of labels, shape (n,), or a list of them, one per stage; None: every row is a unit of its own
    fpc : array_like, shape (n,), or a list of them, one per stage: how many units the population of the stratum holds
        (first stage), how many the unit above holds (later stages). None: sampled with replacement, and only the
        first stage counts.
    lone_psu : "fail": a stratum with one PSU, and more in the population, stops every variance, naming the strata
    nest : PSU labels are repeated from stratum to stratum and mean different PSUs. When False such labels are an error.

    Raises
    ------
    AnalysisError
        for weights that are missing, zero or negative; labels missing or of another length; a PSU in two strata; an
        fpc that varies within its stratum or is smaller than the sample.

    References
    ----------
    Lumley, T. (2004). Analysis of complex survey samples. Journal of Statistical Software 9(8).
    https://doi.org/10.18637/jss.v009.i08
    """

    weight: FloatArray
    stratum: Labels | Sequence[Labels] | None = field(default=None, repr=False)
    psu: Labels | Sequence[Labels] | None = field(default=None, repr=False)
    fpc: Labels | Sequence[Labels] | None = field(default=None, repr=False)
    lone_psu: LonePsu = "fail"
    nest: bool = False
    stages: Stages = field(init=False, repr=False)
    steps: tuple[CalibrationStep, ...] = field(init=False, default=(), repr=False)

    def __post_init__(self) -> None:
        if self.lone_psu not in get_args(LonePsu):
            raise AnalysisError(
                Problem(f"there is no lone-PSU policy {self.lone_psu!r}", "lone_psu", 'the policy is "fail"')
            )
        weight = _weights(self.weight)
        object.__setattr__(self, "weight", weight)
        stages = build_stages(len(weight), self.stratum, self.psu, self.fpc, self.nest)
        object.__setattr__(self, "stages", stages)

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.weight)

    @property
    def df(self) -> int:
        """PSUs − strata of the whole design."""
        first = self.stages[0]
        return len(first.group) - len(first.count)

    @property
    def base_weight(self) -> FloatArray:
        """The weights before any adjustment."""
        return self.steps[0].before if self.steps else self.weight

    def adjusted(self, step: CalibrationStep) -> "SurveyDesign":
        """The same sample with the weights of one more adjustment, which its variances will know."""
        design = copy(self)
        for name in ("atoms", "_by_atom"):
            design.__dict__.pop(name, None)
        object.__setattr__(design, "weight", step.after)
        object.__setattr__(design, "steps", (*self.steps, step))
        return design

    @cached_property
    def atoms(self) -> tuple[IntArray, IntArray, tuple[IntArray, ...]]:
        """Code of each row's combination of sampling unit and calibration cells; the unit and the cells of each code.

        Codes are sorted by unit. The finest thing a variance needs to tell apart.
        """
        key = self.stages.unit
        unit = np.arange(self.stages.units, dtype=np.int64)
        cells: list[IntArray] = []
        for step in self.steps:
            size = step.indicators.shape[0]
            kept, key = compact(key * size + step.cell)
            unit, cells = unit[kept // size], [*(cell[kept // size] for cell in cells), kept % size]
        return key, unit, tuple(cells)

    @cached_property
    def _by_atom(self) -> tuple[FloatArray, ...]:
        """Final weights of each step summed by atom."""
        return tuple(np.bincount(self.atoms[0], weights=step.after).astype(np.float64) for step in self.steps)

    def unit_totals(self, number: int) -> "csr_array[Any, tuple[int, int]]":
        """Σ w x of one adjustment's indicators by sampling unit, w the weights it gave, shape (units, columns)."""
        from scipy.sparse import csr_array

        step, (_, unit, cells) = self.steps[number], self.atoms
        shape = (self.stages.units, step.indicators.shape[0])
        by_cell = csr_array((self._by_atom[number], (unit, cells[number])), shape=shape)
        return csr_array(by_cell @ step.indicators)

    def crossed(self, later: int, earlier: int) -> FloatArray:
        """X_later' (w_earlier · w_before / w_after) X_earlier: how an earlier residual enters a later regression."""
        cells = self.atoms[2]
        step, other = self.steps[later], self.steps[earlier]
        weight = self._by_atom[earlier] / step.factor[cells[later]]
        right = other.indicators[cells[earlier]].multiply(weight[:, None])
        return np.asarray((step.indicators[cells[later]].T @ right.tocsr()).toarray())


def _weights(values: object) -> FloatArray:
    weight = np.asarray(values)
    try:
        weight = np.ascontiguousarray(weight, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise not_a_number(weight.reshape(len(weight), -1).tolist() if weight.ndim else [[values]], "weight") from error
    if weight.ndim != 1 or len(weight) == 0:
        raise AnalysisError(
            Problem(f"weights have shape {weight.shape}", "weight", "give one weight for each row, at least one row")
        )
    bad = np.flatnonzero(~((weight > 0) & np.isfinite(weight)))
    if len(bad):
        raise AnalysisError(
            Problem(
                f"{len(bad)} weights are not positive numbers, the first is {weight[bad[0]]}",
                f"weight, row {bad[0]}",
                "leave rows without a weight out before making the design; a domain is chosen with by= (--by), not by weight 0",
            )
        )
    return weight
