"""A counter wave: whose answers count for which table, what is left out and why, and the design they form.

Public: targets, Targets, left_out_by, counter_design, CounterDesign, centre_order.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.calibration.joining import join_neighbours
from analysis.errors import AnalysisError, Problem
from analysis.wave.extract import Extract
from analysis.wave.rules import Visit

if TYPE_CHECKING:
    from numpy.typing import NDArray

VISITS: tuple[Visit, ...] = ("received", "filed", "asked")
DISPOSITIONS = ("broken_off", "refused", "not_at_home")


@dataclass(frozen=True, eq=False)
class Targets:
    """Rows of each table as masks over the extract, and how many responses each reason leaves out of all of them."""

    masks: Mapping[Visit, "NDArray[np.bool_]"] = field(repr=False)
    left_out: Mapping[str, int]


def targets(extract: Extract) -> Targets:
    """Complete, not after the closing, with a field, by kind of visit. The first reason that holds is counted.

    Reasons: broken_off, refused, not_at_home, after_close, no_field, no_visit (declined to say what the visit was).
    """
    visit = _visit(extract)
    disposition = extract.column("disposition")
    reasons: dict[str, NDArray[np.bool_]] = {name: disposition == name for name in DISPOSITIONS}
    reasons["other_disposition"] = disposition != "complete"
    reasons["after_close"] = extract.column("after_close").astype(bool)
    reasons["no_field"] = np.array([code is None for code in extract.column("field")], dtype=bool)
    codes = extract.codebook.visit_codes
    reasons["no_visit"] = ~np.isin(visit, list(codes.values()))
    kept, left_out = left_out_by(reasons, extract.n)
    return Targets({name: kept & (visit == codes[name]) for name in VISITS}, left_out)


def left_out_by(reasons: "Mapping[str, NDArray[np.bool_]]", rows: int) -> "tuple[NDArray[np.bool_], dict[str, int]]":
    """Rows that no reason holds for, and how many each leaves out; a row counts under the first that holds."""
    kept = np.ones(rows, dtype=bool)
    left_out: dict[str, int] = {}
    for reason, holds in reasons.items():
        if count := int((kept & holds).sum()):
            left_out[reason] = count
        kept &= ~holds
    return kept, left_out


def _visit(extract: Extract) -> "NDArray[Any]":
    kind = extract.codebook.wave.kind
    visit = extract.role("visit")
    if kind == "counter" and visit is not None:
        return visit
    what = f"wave {extract.wave} is a {kind} wave" if kind != "counter" else "the form has no item with the role visit"
    remedy = "only counter waves whose form asks for the kind of visit are weighted to the register"
    raise AnalysisError(Problem(what, str(extract.path), remedy))


@dataclass(frozen=True, eq=False)
class CounterDesign:
    """Stratum and PSU of each chosen row, and the centres that had one PSU and were joined with neighbours.

    stratum : ndarray of str, shape (rows,); psu : ndarray of int, shape (rows,)
    joined : tuples of centre codes that form one stratum together
    """

    stratum: "NDArray[Any]" = field(repr=False)
    psu: "NDArray[np.int64]" = field(repr=False)
    joined: tuple[tuple[str, ...], ...]


def counter_design(extract: Extract, rows: "NDArray[np.bool_]", unit: str = "day") -> CounterDesign:
    """Stratum = centre; PSU = centre × local day (or ISO week). A centre with one PSU joins its neighbour.

    Every centre takes part, so the centres are no sample; the days are. No fpc: the target is the service as a process.
    """
    centre, day = extract.column("centre")[rows], extract.column("local_day")[rows]
    codes, place = np.unique(centre.astype(str), return_inverse=True)
    period = day.astype("datetime64[D]").astype(np.int64)
    if unit == "week":
        period = (period + 3) // 7  # 1970-01-01 was a Thursday: weeks begin on Mondays
    span = int(period.max() - period.min() + 1) if len(period) else 1
    pairs, psu = np.unique(place * span + period - (period.min() if len(period) else 0), return_inverse=True)
    psus = np.bincount(pairs // span, minlength=len(codes))
    order = centre_order(extract, codes)
    groups = _groups(extract)
    classes = join_neighbours(
        [groups[str(codes[i])] for i in order], lambda units: sum(psus[order[i]] for i in units) > 1
    )
    stratum_of = np.empty(len(codes), dtype=object)
    joined = []
    for units in classes:
        members = tuple(str(codes[order[i]]) for i in units)
        stratum_of[[order[i] for i in units]] = "+".join(members)
        if len(members) > 1:
            joined.append(members)
    return CounterDesign(stratum_of[place], psu.astype(np.int64), tuple(joined))


def centre_order(extract: Extract, codes: "NDArray[Any]") -> list[int]:
    """Positions of centre codes in the order neighbours are joined: by group, then by code."""
    groups = _groups(extract)
    if unknown := [str(code) for code in codes if str(code) not in groups]:
        what = f"centres unknown to the codebook: {', '.join(unknown[:10])}"
        raise AnalysisError(Problem(what, str(extract.path), "import the centres, then write the extract again"))
    return sorted(range(len(codes)), key=lambda i: (groups[str(codes[i])], str(codes[i])))


def _groups(extract: Extract) -> dict[str, str]:
    return {centre.code: centre.group for centre in extract.codebook.centres}
