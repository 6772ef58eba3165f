"""A survey design: weights, strata, PSUs, stages, fpc, and the adjustments its weights have been through.

Public: SurveyDesign, CalibrationStep. The variance itself is computed in analysis.variance.
"""

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Protocol, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.engine.source import Source, StageLabels, finer, open_source
from analysis.errors import AnalysisError, Problem, not_a_number
from analysis.labels import IntArray, Labels, compact
from analysis.stages import Stages, build_stages

if TYPE_CHECKING:
    from scipy.sparse import csr_array

    from analysis.calibration.trimmed import Trimmed
    from analysis.replication.replicate_weights import Replicates

FloatArray = NDArray[np.float64]
LonePsu = Literal["fail", "remove", "adjust", "average"]
LoneDomain = Literal["ignore", "treat"]


class LeastSquares(Protocol):
    """X' W₀ X of a regression on calibrated variables, W₀ the weights before the adjustment."""

    @property
    def columns(self) -> int: ...

    def solve(self, right: FloatArray) -> FloatArray: ...


@dataclass(frozen=True, eq=False)
class CalibrationStep:
    """One adjustment of the weights to known totals of auxiliary variables.

    Attributes
    ----------
    method : "post-stratification", "raking", …
    cell : ndarray, shape (n,), rows of a cell share their auxiliary variables
    x : csr_array, shape (cells, columns), what a row of the cell adds to each calibrated total
    normal : LeastSquares, coefficients (columns, m) from X' W₀ y (columns, m)
    before, after : ndarray, shape (n,), the weights
    """

    method: str
    cell: IntArray
    x: "csr_array[Any, tuple[int, int]]"
    normal: LeastSquares
    before: FloatArray
    after: FloatArray


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
    lone_psu : what a stratum with one PSU, and more in the population, adds to a variance. "fail": it stops every
        variance, naming the strata; "remove": nothing (R's "remove" and "certainty"); "adjust": its score total squared,
        centred at zero; "average": the average of the strata that have a variance
    lone_domain : a stratum with several PSUs of which only one meets the domain is left as it is ("ignore") or treated as
        a lone PSU under "adjust" and "average" ("treat", R's survey.adjust.domain.lonely; uncalibrated designs)
    data : path of a Parquet file, of a folder or a pattern of them, or an Ibis table of any engine, such as DuckDB or Spark.
        Weight, stratum, psu and fpc are then names of its columns, estimators take names or Ibis expressions, and all
        sums over rows are formed where the table is (docs/large-tables.md). `weight` becomes the sum of weights of each
        distinct combination of design columns
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
    lone_domain: LoneDomain = "ignore"
    data: Any = field(default=None, repr=False)
    stages: Stages = field(init=False, repr=False)
    steps: tuple[CalibrationStep, ...] = field(init=False, default=(), repr=False)
    replicates: "Replicates | None" = field(init=False, default=None, repr=False)
    trimmed: "Trimmed | None" = field(init=False, default=None, repr=False)
    source: Source | None = field(init=False, default=None, repr=False)

    def __post_init__(self) -> None:
        _require_known("lone_psu", self.lone_psu, get_args(LonePsu))
        _require_known("lone_domain", self.lone_domain, get_args(LoneDomain))
        if self.data is not None:
            self._open()
        weight = _weights(self.weight)
        object.__setattr__(self, "weight", weight)
        stages = build_stages(len(weight), self.stratum, self.psu, self.fpc, self.nest)
        object.__setattr__(self, "stages", stages)

    @property
    def n(self) -> int:
        """Rows."""
        return len(self.weight) if self.source is None else self.source.rows

    @property
    def df(self) -> float:
        """PSUs − strata of the whole design; of a replicate design that of its replicates."""
        if self.replicates is not None:
            return self.replicates.df
        first = self.stages[0]
        return len(first.group) - len(first.count)

    @property
    def base_weight(self) -> FloatArray:
        """The weights before any adjustment."""
        return self.steps[0].before if self.steps else self.weight

    def adjusted(self, step: CalibrationStep) -> "SurveyDesign":
        """The same sample with the weights of one more adjustment, which its variances will know."""
        design = copy(self)
        design.__dict__.pop("_unit_totals", None)
        object.__setattr__(design, "weight", step.after)
        object.__setattr__(design, "steps", (*self.steps, step))
        return design

    def with_replicates(self, replicates: "Replicates", weight: FloatArray | None = None) -> "SurveyDesign":
        """The same sample with replicate weights, from which its variances are then computed."""
        design = copy(self)
        design.__dict__.pop("_unit_totals", None)
        if weight is not None:
            object.__setattr__(design, "weight", weight)
        object.__setattr__(design, "replicates", replicates)
        return design

    def with_source(self, source: Source | None) -> "SurveyDesign":
        """The same design with its rows in another table; None: with its atoms as the rows."""
        design = copy(self)
        object.__setattr__(design, "source", source)
        return design

    def telling_apart(self, columns: Sequence[str]) -> "SurveyDesign":
        """The same table design, its atoms told apart by the given columns too."""
        assert self.source is not None
        source, coarse = finer(self.source, columns)
        if source is self.source:
            return self
        design = replace(self, data=None, **source.design_arrays())
        weight, steps = design.weight, []
        for step in self.steps:
            after = weight * (step.after / step.before)[coarse]
            steps.append(replace(step, cell=step.cell[coarse], before=weight, after=after))
            weight = after
        changed = {"weight": weight, "steps": tuple(steps), "source": source}
        if self.replicates is not None:
            changed["replicates"] = replace(self.replicates, unit=self.replicates.unit[coarse])
        for name, value in changed.items():
            object.__setattr__(design, name, value)
        return design

    def require_rows(self, what: str) -> None:
        """Fail where the rows are in a table, for what needs them in memory."""
        if self.source is not None:
            raise AnalysisError(
                Problem(
                    f"{what} needs the rows in memory, and this design's are in a table",
                    "design",
                    "read the needed columns, and make the design of arrays",
                )
            )

    def _open(self) -> None:
        names = (_column_names(part, name) for name, part in zip(_PARTS, self._parts, strict=True))
        source = open_source(self.data, self.weight, StageLabels(*names))
        for name, value in ({"source": source} | source.design_arrays()).items():
            object.__setattr__(self, name, value)

    @property
    def _parts(self) -> tuple[Any, Any, Any]:
        return self.stratum, self.psu, self.fpc

    def reweighted(self, weight: FloatArray, trimmed: "Trimmed") -> "SurveyDesign":
        """The same sample with trimmed weights, whose variances keep the residuals of the adjustments before."""
        design = copy(self)
        object.__setattr__(design, "weight", weight)
        object.__setattr__(design, "trimmed", trimmed)
        return design

    @property
    def summation_unit(self) -> tuple[IntArray, int]:
        """What respondents are summed by: the unit of each row, −1 nowhere, and how many units there are."""
        if self.replicates is not None:
            return self.replicates.unit, self.replicates.units
        return self.stages.unit, self.stages.units

    @property
    def regression_steps(self) -> tuple[CalibrationStep, ...]:
        """Adjustments whose residuals a variance needs: none with replicates, which were adjusted one by one."""
        return () if self.replicates is not None else self.steps

    def regression_weight(self, number: int) -> FloatArray:
        """ω = w · w_before / w_after of one adjustment, shape (n,): the weight of a score in its regression."""
        step = self.steps[number]
        if step.after is self.weight:
            return step.before
        return np.asarray(self.weight * (step.before / step.after))

    def unit_totals(self, number: int) -> "csr_array[Any, tuple[int, int]]":
        """Σ w x of one adjustment's variables by sampling unit, w the weights it gave, shape (units, columns)."""
        from scipy.sparse import csr_array

        totals: dict[int, csr_array[Any, tuple[int, int]]] = self.__dict__.setdefault("_unit_totals", {})
        if number not in totals:
            step = self.steps[number]
            cells = int(step.x.shape[0])
            kept, place = compact(self.stages.unit * cells + step.cell)
            weight = np.bincount(place, weights=step.after)
            by_cell = csr_array((weight, (kept // cells, kept % cells)), shape=(self.stages.units, cells))
            totals[number] = csr_array(by_cell @ step.x)
        return totals[number]

    def crossed(self, later: int, earlier: int) -> FloatArray:
        """X_later' (w_earlier · w_before / w_after) X_earlier: how an earlier residual enters a later regression."""
        from scipy.sparse import csr_array

        step, other = self.steps[later], self.steps[earlier]
        weight = other.after * step.before / step.after
        shape = (int(step.x.shape[0]), int(other.x.shape[0]))
        return np.asarray((step.x.T @ csr_array((weight, (step.cell, other.cell)), shape=shape) @ other.x).toarray())


_PARTS = ("stratum", "psu", "fpc")


def _column_names(given: Any, part: str) -> tuple[str, ...]:
    names = () if given is None else tuple(given) if isinstance(given, (list, tuple)) else (given,)
    for name in names:
        if not isinstance(name, str):
            what = f"{part} is given as {type(name).__name__}"
            raise AnalysisError(Problem(what, part, "with data=, name the columns of the table"))
    return names


def _require_known(name: str, word: str, known: tuple[str, ...]) -> None:
    if word not in known:
        raise AnalysisError(Problem(f"there is no {name} {word!r}", name, f"choose one of {', '.join(known)}"))


def _weights(values: object) -> FloatArray:
    if isinstance(values, np.ma.MaskedArray):  # asarray would uncover what the mask hides
        values = np.ma.filled(values.astype(np.float64), np.nan)
    weight = np.asarray(values)
    if weight.dtype.kind in "cmM":
        raise AnalysisError(Problem(f"weights are {weight.dtype}", "weight", "give a column of numbers"))
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
