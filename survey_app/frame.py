"""The frame of a sample wave: the villages (primary sampling units) that were drawn, read from a CSV file.

`read_frame`, `lone_units`.
"""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from survey_app.model import PrimaryUnit
from survey_app.questionnaire.table import Problems
from survey_app.table_file import Line, lines, read_file, refuse

COLUMNS = ("stratum", "psu", "name", "population", "probability", "households")
MAXIMUM_BYTES = 5_000_000
LEAST = 1e-7
PSU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")  # as responses name it in the protocol


def read_frame(path: Path) -> tuple[PrimaryUnit, ...]:
    """Villages of a CSV file with the header `stratum,psu,name,population,probability,households`; `name` may lack.

    Raises
    ------
    TableError
        Naming each line that is wrong and how.
    """
    file = read_file(path, MAXIMUM_BYTES)
    problems = Problems(file.name)
    required = [name for name in COLUMNS if name != "name"]
    units: dict[str, PrimaryUnit] = {}
    first: dict[str, int] = {}
    for line in lines(file, COLUMNS, required, problems):
        unit = _unit(line)
        if (earlier := first.setdefault(unit.psu, line.number)) != line.number and unit.psu:
            remedy = f"give each village one line (first in line {earlier})"
            line.wrong("psu", f"the psu {unit.psu!r} comes twice", remedy)
        if line.sound:
            units[unit.psu] = unit
    refuse(problems, list(units.values()), "villages")
    return tuple(units.values())


def _unit(line: Line) -> PrimaryUnit:
    psu = line.code("psu", PSU, "letters without marks, digits, dot, hyphen, underscore, at most 40")
    unit = PrimaryUnit(
        psu=psu,
        stratum=line.text("stratum"),
        name=line.text("name", psu),
        population=line.count("population", 1),
        probability=line.decimal("probability"),
        households=line.count("households", 1),
    )
    if line.sound and not LEAST <= unit.probability <= 1:
        far = "not above 0 and at most 1"
        if 0 < unit.probability < LEAST:
            far = "so small that one answer would stand for over 10 million people"
        remedy = "write the probability with which a resident was drawn, such as 0.0125"
        line.wrong("probability", f"probability is {line.cells['probability']}, {far}", remedy)
    if line.sound and unit.households > unit.population:
        what = f"households {unit.households} is more than population {unit.population}"
        line.wrong("households", what, "give the households to be visited, and the residents")
    return unit


def lone_units(frame: Sequence[PrimaryUnit]) -> tuple[str, ...]:
    """Strata with a single village: no variance can be told from one, so weighting joins the next stratum."""
    counted = Counter(unit.stratum for unit in frame)
    return tuple(sorted(stratum for stratum, villages in counted.items() if villages == 1))
