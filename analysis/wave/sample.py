"""Weighting a sample wave: 1/probability, non-response within primary units, raking to totals of residents.

Public: sample_rows, weight_sample, SampleWeighting, Visited, ClassMet, SampleDiagnostics, NO_ANSWER.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.calibration.adjusting import rake
from analysis.calibration.joining import join_neighbours
from analysis.design import SurveyDesign
from analysis.diagnostics import kish
from analysis.errors import AnalysisError, Problem
from analysis.wave.codebook import Text
from analysis.wave.counter import DISPOSITIONS, left_out_by
from analysis.wave.extract import FRAME, RESPONSES, Extract
from analysis.wave.frame import PrimaryUnit
from analysis.wave.margins import STRATUM, Margin, Margins
from analysis.wave.provenance import software

if TYPE_CHECKING:
    from numpy.typing import NDArray

NO_ANSWER = "no_answer"
STRAIN = 3.0
"""A raking factor beyond this, or under its inverse, is named: margins that the sample hardly bears together."""
NO_ANSWER_TEXT = {"vi": "Không trả lời", "en": "No answer"}


@dataclass(frozen=True)
class Visited:
    """A primary unit after its visits.

    factor : on the base weight of its completed responses; None where it has none
    given_to : the unit of its stratum that stands for it, where it has no completed response; else empty
    """

    unit: PrimaryUnit
    factor: float | None
    given_to: str


@dataclass(frozen=True)
class ClassMet:
    """One class of a margin: respondents, sums of the weights before and after raking, and the total raked to.

    lowest, highest : of the factors by which raking changed the class's weights, where the mean of all weights is 1
    """

    margin: str
    text: Text
    code: str
    label: Text
    n: int
    before: float
    after: float
    total: float
    lowest: float
    highest: float

    @property
    def strained(self) -> bool:
        """Whether raking bent a weight of the class further than the sample should bear: look at its margin."""
        return self.highest > STRAIN or self.lowest < 1 / STRAIN


@dataclass(frozen=True)
class SampleDiagnostics:
    """deff_kish = n Σw²/(Σw)²; n_eff_kish = n/deff_kish; tolerance = max |Σw − T|/T over the classes raked to.

    drawn, visited, not_visited : households drawn; visits recorded; households drawn beyond them, unit by unit
    response_rate : responses / drawn
    """

    responses: int
    residents: float
    deff_kish: float
    n_eff_kish: float
    smallest: float
    mean: float
    largest: float
    drawn: int
    visited: int
    not_visited: int
    response_rate: float
    units: int
    units_without_response: int
    classes: int
    tolerance: float | None


@dataclass(frozen=True, eq=False)
class SampleWeighting:
    """Weights of the completed responses of a sample wave, and everything needed to judge and repeat them.

    design : with the final weights; raked, where margins were given
    adjusted, plain : the same rows, strata and units with the weights before raking (base × non-response), with weight 1
    rows : ndarray of bool, shape (responses of the extract,), the rows weighted
    strata_joined : tuples of strata that form one in the variance, since one of them had a single unit
    """

    design: SurveyDesign = field(repr=False)
    adjusted: SurveyDesign = field(repr=False)
    plain: SurveyDesign = field(repr=False)
    rows: "NDArray[np.bool_]" = field(repr=False)
    visits: tuple[Visited, ...]
    strata_joined: tuple[tuple[str, ...], ...]
    margins: Margins | None
    met: tuple[ClassMet, ...]
    diagnostics: SampleDiagnostics
    provenance: Mapping[str, Any]

    @property
    def method(self) -> str:
        return "nonresponse+rake" if self.margins else "nonresponse"

    @property
    def given(self) -> tuple[Visited, ...]:
        """Units without a completed response, whose weight another one carries."""
        return tuple(one for one in self.visits if one.given_to)

    @property
    def strained(self) -> tuple[ClassMet, ...]:
        """Classes with a weight that raking bent beyond STRAIN."""
        return tuple(one for one in self.met if one.strained)

    @property
    def beyond(self) -> tuple[Visited, ...]:
        """Units with more completed interviews than households drawn: substitutes, or a household recorded twice."""
        return tuple(one for one in self.visits if one.unit.completed > one.unit.households)


def sample_rows(extract: Extract) -> "tuple[NDArray[np.bool_], Mapping[str, int]]":
    """Complete and not after the closing; how many responses each reason leaves out."""
    if extract.codebook.wave.kind != "sample":
        what = f"wave {extract.wave} is a {extract.codebook.wave.kind} wave"
        raise AnalysisError(Problem(what, str(extract.path), "only sample waves have a frame to be weighted by"))
    disposition = extract.column("disposition")
    reasons = {name: disposition == name for name in DISPOSITIONS}
    reasons["other_disposition"] = disposition != "complete"
    reasons["after_close"] = extract.column("after_close").astype(bool)
    return left_out_by(reasons, extract.n)


def weight_sample(extract: Extract, margins: Margins | None = None) -> SampleWeighting:
    """Weights by which the completed responses stand for the residents of the province.

    The base weight is 1/probability of the unit. Inside a unit it is multiplied by households drawn/completed, so that
    the unit stands for households/probability whatever was visited and however often: a constant within the unit, so
    the variance between units knows it. A unit without a completed response hands its households/probability to the
    next one of its stratum by code, the last to the one before. Then raking, where margins are given. Who did not answer the item of a margin keeps the share of the weights before raking, as a class of its own.

    Raises
    ------
    AnalysisError
        naming strata without a completed response; classes with respondents and no total, or the reverse; margins that
        no weights meet together
    """
    rows, _ = sample_rows(extract)
    visits = _visits(extract)
    weight = {one.unit.psu: one.unit.base_weight * (one.factor or 0.0) for one in visits}
    psu = extract.column("psu")[rows].astype(str)
    stratum = {one.unit.psu: one.unit.stratum for one in visits}
    strata, joined = _variance_strata([stratum[code] for code in dict.fromkeys(psu.tolist())])
    labels = np.array([strata[stratum[code]] for code in psu.tolist()], dtype=object)
    plain = SurveyDesign(np.ones(len(psu)), stratum=labels, psu=psu)
    design = adjusted = SurveyDesign(np.array([weight[code] for code in psu.tolist()]), stratum=labels, psu=psu)
    met: tuple[ClassMet, ...] = ()
    if margins:
        classes = {one.name: _classes(extract, rows, one, adjusted, margins) for one in margins.margins}
        design = rake(adjusted, {name: (labels, totals) for name, (labels, totals) in classes.items()})
        met = tuple(row for one in margins.margins for row in _met(one, *classes[one.name], adjusted, design))
    return SampleWeighting(
        design=design,
        adjusted=adjusted,
        plain=plain,
        rows=rows,
        visits=visits,
        strata_joined=joined,
        margins=margins,
        met=met,
        diagnostics=_diagnostics(design, visits, met),
        provenance=_provenance(extract, margins),
    )


def _visits(extract: Extract) -> tuple[Visited, ...]:
    """Every unit of the frame with its factor, in the order of the frame; weights handed on within strata."""
    strata: dict[str, list[PrimaryUnit]] = {}
    for unit in extract.frame:
        strata.setdefault(unit.stratum, []).append(unit)
    silent = [name for name, units in strata.items() if not any(unit.completed for unit in units)]
    if silent or not strata:
        remedy = "nobody there can stand for it: wait for interviews, or draw the frame again with strata joined"
        raise AnalysisError(
            Problem(f"stratum {name} has no completed response", str(extract.path / FRAME), remedy) for name in silent
        )
    found: dict[str, Visited] = {}
    for units in strata.values():
        ordered = sorted(units, key=lambda unit: unit.psu)

        def enough(places: Any, ordered: list[PrimaryUnit] = ordered) -> bool:
            return any(ordered[place].completed for place in places)

        for places in join_neighbours([""] * len(ordered), enough):
            members = [ordered[place] for place in places]
            (carrier,) = (unit for unit in members if unit.completed)
            carried = sum(unit.households * unit.base_weight for unit in members)
            for unit in members:
                own = unit is carrier
                factor = carried / (unit.completed * unit.base_weight) if own else None
                found[unit.psu] = Visited(unit, factor, "" if own else carrier.psu)
    return tuple(found[unit.psu] for unit in extract.frame)


def _variance_strata(of_units: list[str]) -> tuple[dict[str, str], tuple[tuple[str, ...], ...]]:
    """Stratum -> stratum of the variance: one with a single unit joins the next by code, the last the one before."""
    names = sorted(set(of_units))
    classes = join_neighbours([""] * len(names), lambda places: sum(of_units.count(names[i]) for i in places) > 1)
    groups = [tuple(names[i] for i in places) for places in classes]
    strata = {name: "+".join(group) for group in groups for name in group}
    return strata, tuple(group for group in groups if len(group) > 1)


def _classes(
    extract: Extract, rows: "NDArray[np.bool_]", margin: Margin, design: SurveyDesign, margins: Margins
) -> "tuple[NDArray[Any], dict[str, float]]":
    """The class of each row and the total of each class, with a class for those who did not answer the item."""
    if margin.name == STRATUM:
        labels = extract.column("stratum")[rows].astype(object)
        totals = dict(margin.totals)
    else:
        if margin.name not in extract.responses:
            what = f"the responses have no column {margin.name}"
            raise AnalysisError(Problem(what, str(extract.path / RESPONSES), "leave the margin out"))
        of_code = {code: label for label, codes in margin.codes.items() for code in codes}
        answers = extract.column(margin.name)[rows].tolist()
        labels = np.array(
            [NO_ANSWER if code < 0 else of_code.get(code, str(int(code))) for code in answers], dtype=object
        )
        silent = labels == NO_ANSWER
        share = float(design.weight[silent].sum() / design.weight.sum())
        totals = {label: total * (1 - share) for label, total in margin.totals.items()}
        totals |= {NO_ANSWER: share * margins.population} if silent.any() else {}
    _require_classes(margin, labels, totals, margins.source)
    return labels, totals


def _require_classes(margin: Margin, labels: "NDArray[Any]", totals: Mapping[str, float], source: str) -> None:
    there = set(labels.tolist())
    problems = [
        Problem(f"{(labels == label).sum()} respondents in class {label} of {margin.name}, which has no total", source,
                "add its total, or join it with another class: 4+5")
        for label in sorted(there - set(totals))
    ]  # fmt: skip
    problems += [
        Problem(f"class {label} of {margin.name} has a total of {totals[label]:.12g} and no respondent", source,
                "join it with another class: 4+5" if margin.name != STRATUM else "use the strata of the frame")
        for label in totals
        if label not in there
    ]  # fmt: skip
    if problems:
        raise AnalysisError(problems)


def _met(
    margin: Margin, labels: "NDArray[Any]", totals: Mapping[str, float], before: SurveyDesign, after: SurveyDesign
) -> tuple[ClassMet, ...]:
    factor = (after.weight / after.weight.mean()) / (before.weight / before.weight.mean())
    return tuple(
        ClassMet(
            margin=margin.name,
            text=margin.text,
            code=label,
            label=NO_ANSWER_TEXT if label == NO_ANSWER else margin.texts[label],
            n=int((labels == label).sum()),
            before=float(before.weight[labels == label].sum()),
            after=float(after.weight[labels == label].sum()),
            total=total,
            lowest=float(factor[labels == label].min()),
            highest=float(factor[labels == label].max()),
        )
        for label, total in totals.items()
    )


def _diagnostics(design: SurveyDesign, visits: tuple[Visited, ...], met: tuple[ClassMet, ...]) -> SampleDiagnostics:
    found = kish(design.weight)
    drawn = sum(one.unit.households for one in visits)
    return SampleDiagnostics(
        responses=found.n,
        residents=found.sum,
        deff_kish=found.deff_kish,
        n_eff_kish=found.n_eff_kish,
        smallest=found.minimum,
        mean=found.sum / found.n,
        largest=found.maximum,
        drawn=drawn,
        visited=sum(one.unit.visited for one in visits),
        not_visited=sum(one.unit.not_visited for one in visits),
        response_rate=found.n / drawn,
        units=len(visits),
        units_without_response=sum(1 for one in visits if one.given_to),
        classes=len(met),
        tolerance=max((abs(one.after - one.total) / one.total for one in met), default=None),
    )


def _provenance(extract: Extract, margins: Margins | None) -> dict[str, Any]:
    return {
        "wave": extract.wave,
        "simulated": extract.manifest.simulated,
        "extract": {"manifest_sha256": extract.manifest.sha256},
        "frame": {"source": FRAME, "sha256": extract.manifest.files[FRAME]},
        "margins": {"source": margins.source, "sha256": margins.sha256} if margins else None,
        "method": "nonresponse+rake" if margins else "nonresponse",
        "options": {"scaled": dict(margins.scaled)} if margins else {},
        "software": software(),
    }
