"""A simulated sample wave: its frame, its interviews, and what is known of all residents.

`write_frame`, `begin_sample`, `draw_sample`.
"""

import csv
import hashlib
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

from survey_app.model import VIETNAM, PrimaryUnit, Wave
from survey_app.population import (
    Population,
    build_population,
    draw_frame,
    load_residents,
    margins,
    resident_truth,
)
from survey_app.population.world import open_days
from survey_app.problems import Problem
from survey_app.questionnaire import Questionnaire
from survey_app.simulation.citizens import Queue, SimulationError
from survey_app.simulation.households import household_queues
from survey_app.simulation.journal import Journal

FRAME_COLUMNS = ("stratum", "psu", "name", "population", "probability", "households")
MOST_DAYS = 22


def write_frame(path: Path, model: str | None = None, seed: int = 1) -> tuple[PrimaryUnit, ...]:
    """A frame of simulated villages, as `sipas wave create --frame` takes it; an existing file is not replaced."""
    frame = draw_frame(load_residents(*([model] if model else [])), seed)
    rows = [tuple(getattr(unit, name) for name in FRAME_COLUMNS) for unit in frame]
    try:
        _write_csv(path, FRAME_COLUMNS, rows, mode="x")
    except FileExistsError:
        remedy = "name a new file, or remove that one"
        raise SimulationError(Problem("there is a file already", str(path), remedy)) from None
    return frame


def begin_sample(wave: Wave, journal: Journal, model: str | None, seed: int) -> None:
    residents = load_residents(*([model] if model else []))
    days = open_days(wave.months, MOST_DAYS, before=datetime.now(VIETNAM).date())
    run = {
        "simulated": True,
        "wave": wave.id,
        "model": residents.name,
        "model_sha256": hashlib.sha256(residents.content).hexdigest(),
        "seed": seed,
        "days": [day.isoformat() for day in days],
    }
    journal.start(run, residents.content)


def draw_sample(
    wave: Wave, questionnaire: Questionnaire, journal: Journal, frame: Sequence[PrimaryUnit]
) -> tuple[tuple[Queue, ...], Mapping[str, Any]]:
    """The interviews and the truth; writes truth.json and margins.csv."""
    run = journal.run()
    model = load_residents(journal.directory / "model.toml")
    where = f"{questionnaire.id}.{questionnaire.version}.toml"
    if questionnaire.index is None or not {"SEX", "AGE", "PLACE"} <= questionnaire.by_code.keys():
        remedy = "simulate a sample wave of the form qd1001-2026"
        raise SimulationError(Problem("the form has no index, or not the items SEX, AGE and PLACE", where, remedy))
    population = build_population(model, run["seed"], questionnaire)
    _check_frame(wave, population, frame)
    truth = resident_truth(population, questionnaire, wave.id)
    journal.write("truth.json", truth)
    _write_csv(journal.directory / "margins.csv", ("margin", "class", "total"), margins(population))
    days = [date.fromisoformat(day) for day in run["days"]]
    return household_queues(wave, questionnaire, population, frame, days), truth


def _check_frame(wave: Wave, population: Population, frame: Sequence[PrimaryUnit]) -> None:
    known = {village.psu: (village.stratum, village.population) for village in population.villages}
    strange = [unit.psu for unit in frame if known.get(unit.psu) != (unit.stratum, unit.population)]
    if strange:
        raise SimulationError(
            Problem(
                f"{len(strange)} of {len(frame)} villages are not of this simulated population, such as {strange[0]}",
                f"wave {wave.id!r}: frame",
                "make the frame with the same model and seed: sipas simulate-frame FILE --seed SEED",
            )
        )


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]], mode: str = "w") -> None:
    with path.open(mode, encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)
