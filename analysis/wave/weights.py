"""Weighting a counter wave to the dossier register.

Public: weight_to_register, Weighting, Joining, Diagnostics.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.calibration.adjusting import post_stratify, rake
from analysis.calibration.joining import join_neighbours
from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.wave.counter import CounterDesign, Targets, centre_order, counter_design, targets
from analysis.wave.extract import Extract
from analysis.wave.provenance import software
from analysis.wave.register import COUNTS, Population, Register, register_of
from analysis.wave.rules import Method

if TYPE_CHECKING:
    from numpy.typing import NDArray

Cell = tuple[str, str]
"""Centre and field."""
Margin = tuple[list[str], dict[str, int]]
"""The class of each row, and the total of each class."""


@dataclass(frozen=True)
class Joining:
    """Centres that form one weighting class together, since not each can stand alone.

    kind : "centre" (a class of the centre margin) or "cell" (within `field`)
    responses, dossiers : of each centre, in the order of `centres`
    moved : dossiers of the centres that could not stand alone
    """

    kind: str
    field: str | None
    centres: tuple[str, ...]
    responses: tuple[int, ...]
    dossiers: tuple[int, ...]
    moved: int


@dataclass(frozen=True)
class Diagnostics:
    """deff_kish = n Σw²/(Σw)²; n_eff_kish = n/deff_kish; tolerance = max |Σw − T|/T over the classes weighted to."""

    responses: int
    dossiers: int
    deff_kish: float
    n_eff_kish: float
    smallest: float
    mean: float
    largest: float
    classes: int
    tolerance: float
    dossiers_without_respondents: int
    """Dossiers in centre × field cells where nobody answered; the neighbours they joined stand for them."""


@dataclass(frozen=True, eq=False)
class Weighting:
    """Weights of the rows of one table, and everything needed to judge and repeat them.

    rows : ndarray of bool, shape (responses of the extract,), the rows weighted
    dossiers : field -> dossiers represented
    unrepresented : field -> dossiers, where nobody answered: no weights, outside every total
    unregistered : field -> responses, where the register has no dossiers: left out
    """

    population: Population
    design: SurveyDesign = field(repr=False)
    rows: "NDArray[np.bool_]" = field(repr=False)
    counter: CounterDesign = field(repr=False)
    method: Method
    minimum: int
    joinings: tuple[Joining, ...]
    dossiers: Mapping[str, int]
    unrepresented: Mapping[str, int]
    unregistered: Mapping[str, int]
    online_included: bool
    diagnostics: Diagnostics
    provenance: Mapping[str, Any]

    @property
    def raised_from(self) -> int | None:
        """The minimum of the wave, where both margins could be met only with larger classes; else None."""
        found: int | None = self.provenance["options"].get("raised_from")
        return found


def weight_to_register(
    extract: Extract,
    method: Method = "rake",
    minimum: int | None = None,
    population: Population = "received",
    *,
    register: Register | None = None,
    chosen: Targets | None = None,
    base: "NDArray[np.float64] | None" = None,
    unit: str = "day",
) -> Weighting:
    """Weights that make the rows of one table add up to the register's dossiers.

    Parameters
    ----------
    method : "rake" to centre and field totals; "cells" post-stratifies centre × field
    minimum : a class with fewer responses joins its neighbour (never across fields); default: the rule of the wave,
        doubled as often as raking needs for both margins to be met
    population : "received" -> dossiers resolved, "filed" -> dossiers received
    register : instead of the extract's own
    base : ndarray, shape (responses of the extract,), > 0, weights to begin with; default 1
    unit : "day" or "week", the period that makes a PSU with the centre

    Raises
    ------
    AnalysisError
        where no response or no dossier is left to weight, or raking does not converge under the `minimum` given
    """
    source = register or register_of(extract)
    rule = extract.codebook.wave.rules.minimum(method) if minimum is None else minimum
    dossiers = source.dossiers(population)
    chosen = chosen or targets(extract)
    rows = chosen.masks[population].copy()
    fields = extract.column("field")
    known, answered = dossiers.by_field(), _tally(fields[rows])
    rows &= np.isin(fields.astype(str), [code for code in known if code in answered])
    _require(extract, source, rows, known, population, chosen)
    counter = counter_design(extract, rows, unit)
    start = np.ones(extract.n) if base is None else base
    plain = SurveyDesign(start[rows], stratum=counter.stratum, psu=counter.psu)
    cells = [(str(c), str(f)) for c, f in zip(extract.column("centre")[rows], fields[rows], strict=True)]
    tally = {cell: count for cell, count in dossiers.cells.items() if cell[1] in answered}
    largest = rule if minimum is not None else max(rule, int(rows.sum()))
    used, design, joinings, margins = _adjusted(plain, extract, cells, tally, method, range(rule, largest + 1))
    options = {"population": population, "minimum": used, "unit": unit, "months": list(extract.codebook.wave.months)}
    options |= {"raised_from": rule} if used > rule else {}
    return Weighting(
        population=population,
        design=design,
        rows=rows,
        counter=counter,
        method=method,
        minimum=used,
        joinings=joinings,
        dossiers={code: count for code, count in known.items() if code in answered},
        unrepresented={code: count for code, count in known.items() if code not in answered},
        unregistered={code: count for code, count in answered.items() if code not in known},
        online_included=dossiers.online_included,
        diagnostics=_diagnostics(design.weight, margins, tally, set(cells)),
        provenance=_provenance(extract, source, method, options | {"online_included": dossiers.online_included}),
    )


def _adjusted(
    plain: SurveyDesign,
    extract: Extract,
    cells: Sequence[Cell],
    dossiers: Mapping[Cell, int],
    method: Method,
    allowed: range,
) -> tuple[int, SurveyDesign, tuple[Joining, ...], dict[str, Margin]]:
    """The smallest class used, the design, what was joined, and the margins met.

    Where answers of a field all come from centres with fewer dossiers than the field has, no weights meet both margins.
    Then larger classes are tried, doubling from the first of `allowed`; under its last all centres are one class.
    """
    minimum = allowed[0]
    while True:
        joinings, margins = _margins(extract, cells, dossiers, method, minimum)
        if method == "cells":
            return minimum, post_stratify(plain, *margins["cell"]), joinings, margins
        try:
            return minimum, rake(plain, margins), joinings, margins
        except AnalysisError as error:
            if minimum >= allowed[-1]:
                remedy = f"try --cells, which needs no two margins to agree, or a --minimum above {minimum}"
                raise AnalysisError([Problem(one.what, one.where, remedy) for one in error.problems]) from error
        minimum = min(max(2 * minimum, 1), allowed[-1])


def _tally(labels: Iterable[Any]) -> dict[Any, int]:
    return dict(sorted(Counter(labels).items()))


def _require(
    extract: Extract,
    source: Register,
    rows: "NDArray[np.bool_]",
    known: Mapping[str, int],
    population: Population,
    chosen: Targets,
) -> None:
    if not known:
        months = ", ".join(extract.codebook.wave.months)
        what = f"the register has no dossiers {COUNTS[population]} at the counter in {months}"
        remedy = f"sipas register import FILE, then sipas extract {extract.wave}; or give --register FILE"
        raise AnalysisError(Problem(what, f"{extract.path}, {source.source}", remedy))
    if not rows.any():
        what = f"no response can be weighted to dossiers {COUNTS[population]}: {_counts(extract, chosen, population)}"
        remedy = "complete responses with a field that the register knows are needed"
        raise AnalysisError(Problem(what, str(extract.path), remedy))


def _counts(extract: Extract, chosen: Targets, population: Population) -> str:
    """What became of every response of the extract, for a wave of which none can be weighted."""
    counts = dict(chosen.left_out) | {
        f"visit {name}": int(mask.sum()) for name, mask in chosen.masks.items() if name != population and mask.any()
    }
    if unknown := int(chosen.masks[population].sum()):
        counts["not_in_register"] = unknown
    return f"{extract.n} responses" + "".join(f", {name} {count}" for name, count in counts.items())


def _margins(
    extract: Extract, cells: Sequence[Cell], dossiers: Mapping[Cell, int], method: Method, minimum: int
) -> tuple[tuple[Joining, ...], dict[str, Margin]]:
    """What to weight to: the label of each row and the total of each label, by margin (one margin "cell" for cells).

    Fields are never joined with each other; those without responses were taken out of `dossiers` before, so that the
    centre totals and the field totals have the same sum.
    """
    joinings: list[Joining] = []
    names: dict[Cell, str] = {}
    totals: dict[str, int] = {}
    answered = Counter(cells)
    for code in sorted({cell[1] for cell in dossiers}) if method == "cells" else [None]:
        responses, wanted = (_by_centre(counts, code) for counts in (answered, dossiers))
        for members in _classes(extract, responses, wanted, minimum):
            if len(members) > 1:
                joinings.append(_joining(code, members, responses, wanted, minimum))
            label = "+".join(members) if code is None else f"{'+'.join(members)} × {code}"
            names |= {(centre, code or ""): label for centre in members}
            totals[label] = sum(wanted.get(centre, 0) for centre in members)
    if method == "cells":
        return tuple(joinings), {"cell": ([names[cell] for cell in cells], totals)}
    fields: Counter[str] = Counter()
    for (_, code), count in dossiers.items():
        fields[code] += count
    centre = ([names[centre, ""] for centre, _ in cells], totals)
    return tuple(joinings), {"centre": centre, "field": ([code for _, code in cells], dict(fields))}


def _by_centre(counts: Mapping[Cell, int], code: str | None) -> dict[str, int]:
    sums: Counter[str] = Counter()
    for (centre, field_code), count in counts.items():
        if code is None or field_code == code:
            sums[centre] += count
    return dict(sums)


def _classes(
    extract: Extract, responses: Mapping[str, int], dossiers: Mapping[str, int], minimum: int
) -> tuple[tuple[str, ...], ...]:
    centres = np.array(sorted({*responses, *dossiers}), dtype=object)
    ordered = [str(centres[i]) for i in centre_order(extract, centres)]
    group = {centre.code: centre.group for centre in extract.codebook.centres}

    def enough(units: Sequence[int]) -> bool:
        answers = sum(responses.get(ordered[i], 0) for i in units)
        return answers >= max(minimum, 1) and any(dossiers.get(ordered[i], 0) for i in units)

    classes = join_neighbours([group[code] for code in ordered], enough)
    return tuple(tuple(ordered[i] for i in units) for units in classes)


def _joining(
    code: str | None,
    members: tuple[str, ...],
    responses: Mapping[str, int],
    dossiers: Mapping[str, int],
    minimum: int,
) -> Joining:
    counts = tuple(responses.get(centre, 0) for centre in members)
    wanted = tuple(dossiers.get(centre, 0) for centre in members)
    moved = sum(total for count, total in zip(counts, wanted, strict=True) if count < max(minimum, 1))
    return Joining("centre" if code is None else "cell", code, members, counts, wanted, moved)


def _diagnostics(
    weight: "NDArray[np.float64]", margins: Mapping[str, Margin], dossiers: Mapping[Cell, int], answered: set[Cell]
) -> Diagnostics:
    worst = 0.0
    for labels, totals in margins.values():
        codes, place = np.unique(np.array(labels, dtype=object).astype(str), return_inverse=True)
        sums = dict(zip(codes.tolist(), np.bincount(place, weights=weight).tolist(), strict=True))
        worst = max(worst, *(abs(sums.get(label, 0.0) - total) / total for label, total in totals.items()))
    n, total = len(weight), float(weight.sum())
    deff = float(n * np.square(weight).sum() / total**2)
    return Diagnostics(
        responses=n,
        dossiers=sum(dossiers.values()),
        deff_kish=deff,
        n_eff_kish=n / deff,
        smallest=float(weight.min()),
        mean=total / n,
        largest=float(weight.max()),
        classes=sum(len(totals) for _, totals in margins.values()),
        tolerance=worst,
        dossiers_without_respondents=sum(count for cell, count in dossiers.items() if cell not in answered),
    )


def _provenance(extract: Extract, source: Register, method: Method, options: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "wave": extract.wave,
        "simulated": extract.manifest.simulated,
        "extract": {"manifest_sha256": extract.manifest.sha256},
        "register": {"source": source.source, "sha256": source.sha256},
        "method": method,
        "options": options,
        "software": software(),
    }
