"""One simulated wave from the population to the acknowledged responses, with its truth beside.

`Options`, `prepare`, `field_wave`, `Simulation`. A counter wave is drawn here, with its dossier register; a sample wave
in `sample.py`, with its margins of residents.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import numpy as np

from survey_app.model import VIETNAM, Wave, WaveKind
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
from survey_app.simulation.sample import begin_sample, draw_sample
from survey_app.store import Store

RESPONSES = 6000


@dataclass(frozen=True)
class Options:
    """How a wave is simulated. Without a model, the shipped one of the wave's kind.

    Counter waves only: `responses` is their expected number, 6000 if not said; `devices` how many centres have a
    kiosk, None for all; by code, the first ones. A sample wave's frame says both.
    """

    model: str | None = None
    seed: int = 1
    responses: int | None = None
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
    kind: WaveKind = "counter"

    @property
    def planned(self) -> int:
        return sum(len(queue.responses) for queue in self.queues)

    @property
    def register(self) -> Path:
        return self.directory / "register.csv"

    @property
    def margins(self) -> Path:
        return self.directory / "margins.csv"


def prepare(settings: Settings, wave_id: str, options: Options, *, resume: bool = False) -> Simulation:
    """Draw the wave and write truth.json, register.csv or margins.csv, and the model; with `resume`, as it was begun."""
    journal = Journal(settings.simulations / wave_id)
    with Store.open(settings, write=False) as store:
        wave = store.wave(wave_id)
        questionnaire = store.questionnaire(wave.questionnaire, wave.version)
        frame = store.frame(wave_id)
        fields = [field.code for field in store.fields()]
        provincial = {centre.code for centre in store.centres() if centre.kind == "province"}
    _check(wave, options, journal, resume)
    if wave.kind == "sample":
        if not resume:
            begin_sample(wave, journal, options.model, options.seed)
        drawn, truth = draw_sample(wave, questionnaire, journal, frame)
        seed, done = journal.run()["seed"], sum(journal.acknowledged().values())
        return Simulation(wave.id, journal.directory, seed, drawn, truth, done, "sample")
    if not resume:
        _begin(wave, journal, options, fields)
    return _draw(wave, questionnaire, journal, provincial)


def _begin(wave: Wave, journal: Journal, options: Options, fields: Sequence[str]) -> None:
    model = load_model(options.model or "counter")
    days = open_days(wave.months, model.visits.open_days, before=datetime.now(VIETNAM).date())
    run = {
        "simulated": True,
        "wave": wave.id,
        "model": model.name,
        "model_sha256": hashlib.sha256(model.content).hexdigest(),
        "seed": options.seed,
        "responses": options.responses or RESPONSES,
        "devices": options.devices,
        "days": [day.isoformat() for day in days],
        "fields": list(fields),
    }
    journal.start(run, model.content)


def _check(wave: Wave, options: Options, journal: Journal, resume: bool) -> None:
    where = f"wave {wave.id!r}"
    if not wave.simulated:
        raise SimulationError(
            Problem("the wave is real", where, "simulate only into a wave created with --simulated; the two never mix")
        )
    if wave.status != "open":
        raise SimulationError(Problem(f"the wave is {wave.status}", where, "simulate into an open wave"))
    if wave.kind == "sample" and (options.responses is not None or options.devices is not None):
        raise SimulationError(
            Problem(
                "a sample wave's frame says how many households are visited, and by whom",
                where,
                "leave --responses and --devices out",
            )
        )
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

    def new_codes(waiting: Sequence[Queue]) -> dict[str, str]:
        with Store.open(settings, write=True) as store, store.group():
            return {
                queue.key: store.add_device(queue.centre, simulated=True, purpose=simulation.kind)[1]
                for queue in waiting
            }

    field = Field(server, Journal(simulation.directory), simulation.seed, progress=progress, **tuning)
    kiosks = field.enrol(simulation.queues, new_codes)
    return field.send(kiosks, simulation.queues)
