"""Designs that share sampling units, seen as one design: score totals, deviations and presence by its units.

Public: United, unite.
"""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray
from analysis.stages import per_stage
from analysis.variance import ReplicateScores, Scores, TaylorScores, deviations

if TYPE_CHECKING:
    from scipy.sparse import csr_array

FloatArray = NDArray[np.float64]
Unit = tuple[Hashable, Hashable]  # labels of the stratum and of the PSU


@dataclass(frozen=True, eq=False)
class United:
    """One design, or several of which every one shares PSUs with another.

    Attributes
    ----------
    design : the design of all units together; where it unites several, one row a first-stage unit
    members : the designs it unites
    places : for each member the unit of `design` that each of its last-stage units is; None: the units are the same
    """

    design: SurveyDesign
    members: tuple[SurveyDesign, ...]
    places: tuple[IntArray | None, ...]

    def holds(self, design: SurveyDesign) -> bool:
        return any(member is design for member in self.members)

    def deviations(self, scores: Scores, columns: IntArray) -> FloatArray:
        """Matrix of which the cross-products are the covariances of the chosen estimates."""
        if isinstance(scores, ReplicateScores):
            return scores.deviations[:, columns]
        assert isinstance(scores, TaylorScores)
        z, parts = self._by_unit(scores, columns), []
        for stage in self.design.stages:
            seen = None if scores.right else scores.seen(stage)
            if seen is not None and len(self.members) > 1:
                raise AnalysisError(_cannot("a lone PSU is treated by what its domain meets"))
            parts.append(deviations(self.design, stage, z, None if seen is None else seen[:, columns]))
        return np.vstack(parts)

    @cached_property
    def strata(self) -> "csr_array[Any, tuple[int, int]]":
        """Which stratum each first-stage unit lies in, shape (strata, PSUs)."""
        from scipy.sparse import csr_array

        first = self.design.stages[0]
        psus = np.arange(len(first.group))
        return csr_array((np.ones(len(psus)), (first.group, psus)), shape=(len(first.count), len(psus)))

    def present(self, scores: Scores, columns: IntArray) -> "csr_array[Any, tuple[int, int]]":
        """Which first-stage (or replicate) units have a row behind each of the chosen estimates, 0 or 1."""
        from scipy.sparse import csr_array, hstack

        assert isinstance(scores, (TaylorScores, ReplicateScores))
        moments, width = scores.moments, _width(scores)
        unit, units = moments.unit, self.units
        if self.design.replicates is None:
            unit = self.design.stages[0].of_unit[self._place(scores.design, unit)]
        if len(columns) == 0:  # every coefficient is 0
            return csr_array((self.units, 0))
        pieces, picked = [], np.zeros(len(columns), dtype=np.int64)
        for number, variable in enumerate(np.unique(columns % width)):
            answered = moments.answered[:, variable if moments.answered.shape[1] > 1 else 0] > 0
            entries = (np.ones(int(answered.sum())), (unit[answered], moments.domain[answered]))
            pieces.append(csr_array(entries, shape=(units, moments.domains)).sign())
            mine = columns % width == variable
            picked[mine] = number * moments.domains + columns[mine] // width
        return csr_array(hstack(pieces, format="csr"))[:, picked]

    @property
    def units(self) -> int:
        """First-stage units, or with replicate weights the units that share their multipliers."""
        if self.design.replicates is not None:
            return self.design.replicates.units
        return len(self.design.stages[0].group)

    def df(self, touched: "csr_array[Any, tuple[int, int]]") -> FloatArray:
        """Degrees of freedom of each column of units that have a row behind a function, shape (units, functions).

        PSUs − strata; with replicate weights the rank of these units' weights − 1.
        """
        counted = np.asarray(touched.sign().sum(axis=0)).ravel()
        if self.design.replicates is None:
            return np.asarray(counted - np.asarray((self.strata @ touched).sign().sum(axis=0)).ravel())
        by_function, known = touched.tocsc(), dict[bytes, float]()
        result = np.zeros(len(counted))
        for i in range(len(counted)):
            units = np.sort(by_function.indices[by_function.indptr[i] : by_function.indptr[i + 1]]).astype(np.int64)
            if units.tobytes() not in known:
                known[units.tobytes()] = self.design.replicates.domain_df(units) if len(units) else 0.0
            result[i] = known[units.tobytes()]
        return result

    def _by_unit(self, scores: TaylorScores, columns: IntArray) -> FloatArray:
        """Calibrated score totals of the chosen estimates by unit of the last stage, shape (units, columns)."""
        width = _width(scores)
        variables, position = np.unique(columns % width, return_inverse=True)
        some = TaylorScores(
            scores.moments, scores.total[:, variables], tuple(right[:, :, variables] for right in scores.right)
        )
        z = some.by_unit()[:, columns // width * len(variables) + position]
        place = self._place(scores.design, np.arange(len(z)))
        if len(z) == self.design.stages.units and (place == np.arange(len(z))).all():
            return z
        result = np.zeros((self.design.stages.units, z.shape[1]))
        result[place] = z
        return result

    def _place(self, design: SurveyDesign, unit: IntArray) -> IntArray:
        place = next(place for member, place in zip(self.members, self.places, strict=True) if member is design)
        return unit if place is None else place[unit]


def _width(scores: TaylorScores | ReplicateScores) -> int:
    """How many variables a domain has."""
    return int((scores.total if isinstance(scores, TaylorScores) else scores.estimate).shape[1])


def unite(designs: Sequence[SurveyDesign], overlap: Literal["labels", "none"]) -> tuple[United, ...]:
    """Join the designs that share units; the others stay by themselves."""
    same: list[list[SurveyDesign]] = []
    for design in designs:  # a design and its calibrations have the same stages
        for group in same:
            if group[0].stages is design.stages and group[0].replicates is design.replicates:
                group.append(design)
                break
        else:
            same.append([design])
    components = (
        _components([_labels(group[0]) for group in same]) if overlap == "labels" else [[i] for i in range(len(same))]
    )
    return tuple(
        _one(same[chosen[0]]) if len(chosen) == 1 else _several([same[i] for i in chosen]) for chosen in components
    )


def _one(group: list[SurveyDesign]) -> United:
    return United(group[0], tuple(group), (None,) * len(group))


def _labels(design: SurveyDesign) -> tuple[Unit, ...] | None:
    return design.stages[0].labels


def _components(labels: Sequence[tuple[Unit, ...] | None]) -> list[list[int]]:
    """Numbers of the designs, those together that are linked by common labels."""
    component = list(range(len(labels)))
    owner: dict[Unit, int] = {}
    for number, units in enumerate(labels):
        for unit in units or ():
            other = component[owner.setdefault(unit, number)]
            mine = component[number]
            if other != mine:
                component = [min(other, mine) if c in (other, mine) else c for c in component]
    return [[i for i, c in enumerate(component) if c == first] for first in sorted(set(component))]


def _several(groups: list[list[SurveyDesign]]) -> United:
    """The design of the units of all, by label; strata are united as well."""
    designs = [group[0] for group in groups]
    if any(design.replicates is not None for design in designs):
        raise AnalysisError(_cannot("replicate weights of two designs are not drawn together"))
    united, places = _by_rows(designs) if any(len(one.stages.stages) > 1 for one in designs) else _by_units(designs)
    return United(
        united,
        tuple(design for group in groups for design in group),
        tuple(place for group, place in zip(groups, places, strict=True) for _ in group),
    )


def _by_units(designs: Sequence[SurveyDesign]) -> tuple[SurveyDesign, list[IntArray]]:
    """A design of one row a first-stage unit, and what unit of it each unit of the given designs is."""
    labels = [_labels(design) or () for design in designs]
    every = [unit for units in labels for unit in units]
    united = SurveyDesign(
        np.ones(len(every)),
        stratum=None if all(stratum is None for stratum, _ in every) else column_of(stratum for stratum, _ in every),
        psu=column_of(psu for _, psu in every),
        fpc=_population(designs),
        lone_psu=designs[0].lone_psu,
        nest=True,
    )
    return united, np.split(united.stages.unit, np.cumsum([len(units) for units in labels])[:-1])


def _by_rows(designs: Sequence[SurveyDesign]) -> tuple[SurveyDesign, list[IntArray]]:
    """The same from the rows of all, with the labels of every stage."""
    if any(design.source is not None for design in designs):
        raise AnalysisError(_cannot("with several stages the rows must be in memory"))
    columns: dict[str, list[NDArray[Any]] | None] = {}
    for name in ("stratum", "psu", "fpc"):
        stages = [per_stage(getattr(design, name)) for design in designs]
        if len({len(one) for one in stages}) > 1:
            raise AnalysisError(_cannot(f"{name} is given for other stages"))
        labels = [[column_of(np.asarray(column).tolist()) for column in one] for one in stages]
        columns[name] = [np.concatenate(column) for column in zip(*labels, strict=True)] or None
    if columns["fpc"] is not None:
        columns["fpc"] = [column.astype(np.float64) for column in columns["fpc"]]
    weight = np.concatenate([design.weight for design in designs])
    united = SurveyDesign(
        weight, columns["stratum"], columns["psu"], columns["fpc"], lone_psu=designs[0].lone_psu, nest=True
    )
    rows = np.split(united.stages.unit, np.cumsum([design.n for design in designs])[:-1])
    places = []
    for design, unit in zip(designs, rows, strict=True):
        place = np.zeros(design.stages.units, dtype=np.int64)
        place[design.stages.unit] = unit
        places.append(place)
    return united, places


def column_of(labels: Iterable[Hashable]) -> NDArray[np.object_]:
    """Labels as a column, also where they are tuples."""
    listed = list(labels)
    column = np.empty(len(listed), dtype=object)
    column[:] = listed
    return column


def _population(designs: Sequence[SurveyDesign]) -> FloatArray | None:
    """Units in the population of each unit's stratum, of all designs one after another."""
    finite = [bool((design.stages[0].rate < 1).any()) for design in designs]
    if not any(finite):
        return None
    if not all(finite):
        raise AnalysisError(_cannot("one of them has an fpc and the other has none"))
    stages = [design.stages[0] for design in designs]
    return np.concatenate([np.round(one.count / (1 - one.rate), 6)[one.group] for one in stages])


def _cannot(reason: str) -> Problem:
    return Problem(
        f"the two designs share PSUs of the same stratum and label, and {reason}",
        "stratum and psu",
        'put both samples in one design and compare its domains; or, where the labels mean other units, overlap="none"',
    )
