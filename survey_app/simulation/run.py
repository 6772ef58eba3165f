"""One simulated wave from the population to the acknowledged responses, with its truth and register beside.

`Options`, `prepare`, `field_wave`, `Simulation`.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from survey_app.model import VIETNAM, Wave
from survey_app.population import (
    FILED,
    RECEIVED,
    Visits,
    World,
    build_world,
    draw_answers,
    draw_visits,
    finite_truth,
    load_model,
    process_mean,
    register_rows,
    truth_document,
)
from survey_app.population.world import Bools, Ints, open_days, write_register
from survey_app.problems import Problem
from survey_app.questionnaire import Questionnaire
from survey_app.settings import Settings
from survey_app.simulation.citizens import Queue, SimulationError, form_of, queues
from survey_app.simulation.devices import Field, Tally
from survey_app.simulation.journal import Journal
from survey_app.store import Store


@dataclass(frozen=True)
class Options:
    """How a wave is simulated. `devices`: how many centres have a kiosk, None for all; by code, the first ones."""

    model: str = "counter"
    seed: int = 1
    responses: int = 6000
    devices: int | None = None


@dataclass(frozen=True)
class Simulation:
    """A prepared wave: files are written, nothing is sent yet."""

    wave: str
    directory: Path
    seed: int
    queues: tuple[Queue, ...]
    truth: Mapping[str, Any]
    acknowledged: int

    @property
    def planned(self) -> int:
        return sum(len(queue.responses) for queue in self.queues)

    @property
    def register(self) -> Path:
        return self.directory / "register.csv"


def prepare(settings: Settings, wave_id: str, options: Options, *, resume: bool = False) -> Simulation:
    """Draw the wave and write truth.json, register.csv and the model beside; with `resume`, as it was begun."""
    journal = Journal(settings.simulations / wave_id)
    with Store.open(settings, write=False) as store:
        wave = store.wave(wave_id)
        questionnaire = store.questionnaire(wave.questionnaire, wave.version)
        fields = [field.code for field in store.fields()]
        provincial = {centre.code for centre in store.centres() if centre.kind == "province"}
    _check(wave, journal, resume)
    if not resume:
        model = load_model(options.model)
        days = open_days(wave.months, model.visits.open_days, before=datetime.now(VIETNAM).date())
        run = {
            "simulated": True,
            "wave": wave_id,
            "model": model.name,
            "model_sha256": hashlib.sha256(model.content).hexdigest(),
            "seed": options.seed,
            "responses": options.responses,
            "devices": options.devices,
            "days": [day.isoformat() for day in days],
            "fields": fields,
        }
        journal.start(run, model.content)
    return _draw(wave, questionnaire, journal, provincial)


def _check(wave: Wave, journal: Journal, resume: bool) -> None:
    where = f"wave {wave.id!r}"
    if not wave.simulated:
        raise SimulationError(
            Problem("the wave is real", where, "simulate only into a wave created with --simulated; the two never mix")
        )
    if wave.status != "open":
        raise SimulationError(Problem(f"the wave is {wave.status}", where, "simulate into an open wave"))
    if resume and not journal.started:
        raise SimulationError(
            Problem("no simulation of this wave was begun", str(journal.directory), "leave --resume out")
        )
    if journal.started and not resume:
        raise SimulationError(
            Problem(
                "this wave was simulated already, or its simulation was interrupted",
                str(journal.directory),
                "go on with --resume, or simulate another wave",
            )
        )


def _draw(wave: Wave, questionnaire: Questionnaire, journal: Journal, provincial: set[str]) -> Simulation:
    run = journal.run()
    world = build_world(
        load_model(journal.directory / "model.toml"),
        run["seed"],
        form=form_of(questionnaire),
        centres=sorted(wave.centres),
        fields=run["fields"],
        days=[date.fromisoformat(day) for day in run["days"]],
        provincial=provincial,
    )
    visits = draw_visits(world, np.random.default_rng([world.seed, 3]), run["responses"])
    answers = draw_answers(world, visits, None, np.random.default_rng([world.seed, 4]))
    truth = truth_document(world, wave.id, finite_truth(world, visits, answers), process_mean(world))
    journal.write("truth.json", truth)
    write_register(_register(world, visits), journal.directory / "register.csv")
    return Simulation(
        wave=wave.id,
        directory=journal.directory,
        seed=world.seed,
        queues=queues(wave, questionnaire, world, visits, answers, world.centres[: run["devices"]]),
        truth=truth,
        acknowledged=sum(journal.acknowledged().values()),
    )


def _register(world: World, visits: Visits) -> Any:
    """Counts of the dossiers drawn: a dossier received belongs to the month it came, one resolved to its own."""
    shape = world.resolved.shape
    month_of_day = [f"{day:%Y-%m}" for day in world.days]

    def count(chosen: Bools) -> Ints:
        cells = visits.centre[chosen] * shape[1] + visits.field[chosen]
        return np.bincount(cells, minlength=world.resolved.size).reshape(shape)

    resolved, received = {}, {}
    for month in sorted(set(month_of_day)):
        now = np.array([name == month for name in month_of_day])[visits.day]
        done = now & (visits.kind == RECEIVED)
        resolved[month] = (count(done), count(done & ~visits.late))
        received[month] = count(now & (visits.kind == FILED))
    return register_rows(world, resolved, received)


def field_wave(
    settings: Settings,
    simulation: Simulation,
    server: str,
    *,
    progress: Callable[[int], None] = lambda _: None,
    **tuning: Any,
) -> Tally:
    """Enrol the devices and send what the simulation holds, to the end."""

    def new_codes(centres: Sequence[str]) -> dict[str, str]:
        with Store.open(settings, write=True) as store, store.group():
            return {centre: store.add_device(centre, simulated=True)[1] for centre in centres}

    field = Field(server, Journal(simulation.directory), simulation.seed, progress=progress, **tuning)
    kiosks = field.enrol([queue.centre for queue in simulation.queues], new_codes)
    return field.send(kiosks, simulation.queues)
