"""The frame of a sample wave: the primary units that were drawn, how, and what became of the visits.

Public: PrimaryUnit, parse_frame.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from numpy.typing import NDArray

Columns = Mapping[str, "NDArray[Any]"]

TEXTS = ("stratum", "psu", "name")
OUTCOMES = ("completed", "refused", "not_at_home", "broken_off")
COUNTS = ("population", "households", *OUTCOMES)
FRAME_COLUMNS = (*TEXTS, *COUNTS, "probability")
DISPOSITION = {"complete": "completed", "refused": "refused", "not_at_home": "not_at_home", "broken_off": "broken_off"}
REMEDY = "do not use it; write it again with: sipas extract WAVE"
EQUAL = 1e-9


@dataclass(frozen=True)
class PrimaryUnit:
    """A primary sampling unit that was drawn (a village).

    probability : with which a resident of it was drawn, all stages together, in (0, 1]
    households : drawn in it, each for one interview
    completed, refused, not_at_home, broken_off : visits by their outcome, those after the closing not among them
    """

    stratum: str
    psu: str
    name: str
    population: int
    households: int
    completed: int
    refused: int
    not_at_home: int
    broken_off: int
    probability: float

    @property
    def base_weight(self) -> float:
        return 1 / self.probability

    @property
    def visited(self) -> int:
        """Visits recorded: a household that was come to twice may have two."""
        return self.completed + self.refused + self.not_at_home + self.broken_off

    @property
    def not_visited(self) -> int:
        """Households drawn beyond the visits recorded."""
        return max(self.households - self.visited, 0)

    @property
    def response_rate(self) -> float:
        """Completed interviews over households drawn; above 1 where others were interviewed in their place."""
        return self.completed / self.households


def parse_frame(columns: Columns, responses: Columns, where: Path, of_responses: Path) -> tuple[PrimaryUnit, ...]:
    """The units in the order of the file, held against the rows of responses.

    Raises
    ------
    AnalysisError
        Naming every row with an impossible value, units listed twice, responses of an unknown unit, and counts or
        weights that the responses do not have.
    """
    if missing := [name for name in FRAME_COLUMNS if name not in columns]:
        raise AnalysisError(Problem(f"columns are missing: {', '.join(missing)}", str(where), REMEDY))
    if lacking := [name for name in ("stratum", "base_weight") if name not in responses]:
        raise AnalysisError(Problem(f"columns are missing: {', '.join(lacking)}", str(of_responses), REMEDY))
    kinds = [(name, "iu") for name in COUNTS] + [("probability", "iuf")]
    odd = [name for name, kind in kinds if len(columns[name]) and columns[name].dtype.kind not in kind]
    if odd or not len(columns["psu"]):
        what = f"columns hold no numbers, or blanks: {', '.join(odd)}" if odd else "the frame has no rows"
        raise AnalysisError(Problem(what, str(where), REMEDY))
    units = tuple(_unit({name: columns[name][row] for name in FRAME_COLUMNS}) for row in range(len(columns["psu"])))
    problems = [
        Problem(fault, f"{where}, row {row}", REMEDY) for row, unit in enumerate(units) if (fault := _fault(unit))
    ]
    twice = [psu for psu, count in Counter(unit.psu for unit in units).items() if count > 1]
    problems += [Problem(f"primary unit {psu!r} is listed twice", str(where), REMEDY) for psu in twice]
    if problems := problems or _apart(units, responses, where, of_responses):
        raise AnalysisError(problems)
    return units


def _unit(row: Mapping[str, Any]) -> PrimaryUnit:
    stratum, psu, name = ("" if row[text] is None else str(row[text]) for text in TEXTS)
    counts = {count: int(row[count]) for count in COUNTS}
    return PrimaryUnit(stratum, psu, name, **counts, probability=float(row["probability"]))


def _fault(unit: PrimaryUnit) -> str:
    if not unit.psu or not unit.stratum:
        return "a primary unit has no code or no stratum"
    if not 0 < unit.probability <= 1:
        return f"{unit.psu}: a probability of {unit.probability:g} is not above 0 and at most 1"
    if unit.population < 1 or unit.households < 1:
        return f"{unit.psu}: {unit.population} residents and {unit.households} households"
    if unit.households > unit.population:
        return f"{unit.psu}: more households ({unit.households}) than residents ({unit.population})"
    counts = {name: getattr(unit, name) for name in OUTCOMES}
    return next((f"{unit.psu}: {count} {name}" for name, count in counts.items() if count < 0), "")


def _apart(units: tuple[PrimaryUnit, ...], responses: Columns, where: Path, of_responses: Path) -> list[Problem]:
    """Where frame and responses do not speak of the same visits."""
    known = {unit.psu: unit for unit in units}
    psu, stratum, weight = responses["psu"], responses["stratum"], responses["base_weight"]
    if len(weight) and weight.dtype.kind not in "iuf":
        return [Problem("base_weight holds no numbers, or blanks", str(of_responses), REMEDY)]
    problems = []
    for row, (code, named, found) in enumerate(zip(psu.tolist(), stratum.tolist(), weight.tolist(), strict=True)):
        unit = known.get(code)
        if unit is None:
            what = f"primary unit {code!r} is not in the frame"
        elif named != unit.stratum:
            what = f"{code} lies in stratum {unit.stratum!r} of the frame, here in {named!r}"
        elif not abs(found * unit.probability - 1) <= EQUAL:
            what = f"base weight {found:g}, but 1/probability of {code} is {unit.base_weight:g}"
        else:
            continue
        problems.append(Problem(what, f"{of_responses}, row {row}", REMEDY))
    if problems:
        return problems[:20]
    counted = _counted(responses)
    for row, unit in enumerate(units):
        for name in OUTCOMES:
            if getattr(unit, name) != counted[unit.psu, name]:
                what = f"{unit.psu}: {getattr(unit, name)} {name}, the responses have {counted[unit.psu, name]}"
                problems.append(Problem(what, f"{where}, row {row}", REMEDY))
    return problems[:20]


def _counted(responses: Columns) -> Counter[tuple[str, str]]:
    """Visits by unit and outcome, given before the closing."""
    before = ~responses["after_close"].astype(bool)
    psu, disposition = responses["psu"][before], responses["disposition"][before]
    return Counter(
        (str(code), DISPOSITION[kind]) for code, kind in zip(psu, disposition, strict=True) if kind in DISPOSITION
    )
