"""The field work of a counter wave: who was invited, answered, refused and walked away, by centre and day.

Public: Fieldwork, parse_fieldwork, summed, by_centre. Counts of field work are never suppressed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

Columns = Mapping[str, "NDArray[Any]"]
REMEDY = "do not use it; write it again with: sipas extract WAVE"


@dataclass(frozen=True)
class Fieldwork:
    """Counts of one centre and local day, or of several added up (`day` then empty).

    invited = invited_complete + invited_broken_off + refused; complete + broken_off + refused = invited + walk_up +
    staff_asked. What was given after the closing is not among them.
    """

    centre: str
    day: str
    complete: int = 0
    broken_off: int = 0
    invited: int = 0
    invited_complete: int = 0
    invited_broken_off: int = 0
    refused: int = 0
    walk_up: int = 0
    staff_asked: int = 0
    assisted: int = 0

    @property
    def response_rate(self) -> float | None:
        """invited_complete / invited: AAPOR's RR1 where everyone invited is eligible and was met."""
        return self.invited_complete / self.invited if self.invited else None

    @property
    def refusal_rate(self) -> float | None:
        """refused / invited: AAPOR's REF1."""
        return self.refused / self.invited if self.invited else None

    @property
    def break_off_rate(self) -> float | None:
        """broken_off / (complete + broken_off), invited or not."""
        begun = self.complete + self.broken_off
        return self.broken_off / begun if begun else None


COUNTS = tuple(field.name for field in fields(Fieldwork))[2:]
FIELDWORK_COLUMNS = ("centre", "local_day", *COUNTS)


def parse_fieldwork(columns: Columns, responses: Columns, where: Path) -> tuple[Fieldwork, ...]:
    """The rows of fieldwork.parquet, each held against the responses it counts.

    Raises
    ------
    AnalysisError
        Naming missing columns, and every centre and day whose counts the responses do not have.
    """
    if missing := [name for name in FIELDWORK_COLUMNS if name not in columns]:
        raise AnalysisError(Problem(f"columns are missing: {', '.join(missing)}", str(where), REMEDY))
    rows = len(columns["centre"])
    odd = [name for name in COUNTS if rows and columns[name].dtype.kind not in "iu"]
    if odd:
        raise AnalysisError(Problem(f"columns hold no numbers, or blanks: {', '.join(odd)}", str(where), REMEDY))
    places = list(zip(map(str, columns["centre"]), map(str, columns["local_day"]), strict=True))
    if len(set(places)) < rows:
        raise AnalysisError(Problem("a centre's day is listed twice", str(where), REMEDY))
    found = {place: _row(place, {name: int(columns[name][row]) for name in COUNTS}) for row, place in enumerate(places)}
    counted = _counted(responses)
    if wrong := sorted(place for place in found.keys() | counted.keys() if found.get(place) != counted.get(place)):
        what = f"the counts of {len(wrong)} days are not those of the responses, the first {' '.join(wrong[0])}"
        raise AnalysisError(Problem(what, str(where), REMEDY))
    return tuple(found.values())


def _row(place: tuple[str, str], counts: Mapping[str, int]) -> Fieldwork:
    return Fieldwork(place[0], place[1], **counts)


def _counted(responses: Columns) -> dict[tuple[str, str], Fieldwork]:
    """What the responses themselves say."""
    kept = ~responses["after_close"].astype(bool)
    disposition, recruitment = responses["disposition"][kept], responses["recruitment"][kept]
    invited, done, left = recruitment == "invited", disposition == "complete", disposition == "broken_off"
    masks = {
        "complete": done,
        "broken_off": left,
        "invited": invited,
        "invited_complete": invited & done,
        "invited_broken_off": invited & left,
        "refused": disposition == "refused",
        "walk_up": recruitment == "walk_up",
        "staff_asked": recruitment == "staff_asked",
        "assisted": responses["mode"][kept] == "assisted",
    }
    centre, day = responses["centre"][kept].astype(str), responses["local_day"][kept].astype(str)
    codes, of_centre = np.unique(centre, return_inverse=True)
    days, of_day = np.unique(day, return_inverse=True)
    cells, place = np.unique(of_centre * max(len(days), 1) + of_day, return_inverse=True)
    counts = {name: np.bincount(place[np.asarray(mask, bool)], minlength=len(cells)) for name, mask in masks.items()}
    found = {}
    for number, cell in enumerate(cells.tolist()):
        key = (str(codes[cell // len(days)]), str(days[cell % len(days)]))
        found[key] = _row(key, {name: int(counts[name][number]) for name in COUNTS})
    return found


def summed(rows: Iterable[Fieldwork], centre: str = "") -> Fieldwork:
    """Several added up."""
    several = list(rows)
    return Fieldwork(centre, "", **{name: sum(getattr(row, name) for row in several) for name in COUNTS})


def by_centre(rows: Iterable[Fieldwork]) -> dict[str, Fieldwork]:
    """Centre code -> its days added up."""
    found: dict[str, list[Fieldwork]] = {}
    for row in rows:
        found.setdefault(row.centre, []).append(row)
    return {centre: summed(days, centre) for centre, days in sorted(found.items())}
