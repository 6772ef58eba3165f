"""`sipas simulate`: responses the form accepts, the same every time, and none lost or doubled whatever the server does."""

import json
import os
import signal
import threading
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from survey_app.cli import sipas
from survey_app.demo import DemoServer, free_port
from survey_app.model import VIETNAM, Centre, ServiceField, Wave
from survey_app.population import load_model
from survey_app.problems import SipasError
from survey_app.questionnaire import check, load, shipped
from survey_app.register import read_register
from survey_app.response import parse_response
from survey_app.settings import Settings, create_instance
from survey_app.simulation import Options, SimulationError, field_wave, prepare
from survey_app.simulation.journal import Journal
from survey_app.store import Store
from survey_app.verification import verify

WAVE = "mo-phong-10-2026"
SMALL = Options(seed=4, responses=300)
FIELDS = tuple(load_model().fields)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = create_instance(tmp_path / "instance", demo=True)
    form = load(shipped()["counter", "1"])
    centres = [Centre("TINH", "Tỉnh", "Trung tâm tỉnh", "province", "0")]
    centres += [Centre(f"{n:05}", f"Xã {n}", f"Trung tâm xã {n}", "commune", "1") for n in range(1, 4)]
    with Store.create(settings) as store:
        store.add_centres(centres)
        store.add_fields([ServiceField(code, {"vi": code, "en": code}, "test") for code in FIELDS])
        for id, simulated in ((WAVE, True), ("that", False)):
            store.create_wave(
                Wave(
                    id=id,
                    kind="counter",
                    title={"vi": "Mô phỏng", "en": "Simulated"},
                    questionnaire=form.id,
                    version=form.version,
                    months=("2026-10",),
                    centres=tuple(centre.code for centre in centres),
                    simulated=simulated,
                ),
                form,
            )
        store.open_wave(WAVE, at=datetime(2026, 10, 1, tzinfo=VIETNAM))
    return settings


@pytest.fixture
def server(settings: Settings) -> Iterator[DemoServer]:
    server = DemoServer(free_port())
    server.start(settings.instance)
    yield server
    server.stop()


def stored(settings: Settings) -> list[str]:
    with Store.open(settings, write=False) as store:
        return [response.uuid for response in store.responses(WAVE)]


# ---- what is sent


def test_every_response_is_valid_by_its_own_form(settings: Settings) -> None:
    simulation = prepare(settings, WAVE, SMALL)
    form = load(shipped()["counter", "1"])
    seen = set()
    for queue in simulation.queues:
        responses = [parse_response(dict(raw)) for raw in queue.responses]
        assert [response.seq for response in responses] == list(range(1, len(responses) + 1))
        assert [response.submitted for response in responses] == sorted(response.submitted for response in responses)
        for response in responses:
            assert check(form, response, FIELDS).problems == ()
            assert response.started.astimezone(VIETNAM).date() == response.submitted.astimezone(VIETNAM).date()
            assert response.submitted.astimezone(VIETNAM).month == 10
            seen |= {response.disposition, response.answers.get("VISIT"), response.answers.get("FEEDBACK")}
    assert {"complete", "broken_off", "refused", 1, 2, 3} <= seen


def test_of_those_invited_a_third_refuses(settings: Settings) -> None:
    simulation = prepare(settings, WAVE, Options(seed=4, responses=1500))
    invited = [raw for queue in simulation.queues for raw in queue.responses if raw["recruitment"] == "invited"]
    refused = [raw for raw in invited if raw["disposition"] == "refused"]
    assert abs(len(refused) / len(invited) - 0.35) < 0.01
    assert all(raw["answers"] == {} and raw["field"] is None for raw in refused)


def test_a_form_in_parts_is_answered_in_parts(settings: Settings) -> None:
    """Every part is drawn, each answered response is valid by the whole form and carries nothing it was not asked."""
    form = load(shipped()["counter-short", "1"])
    with Store.open(settings) as store:
        store.close_wave(WAVE)
        centres = tuple(centre.code for centre in store.centres())
        title = {"vi": "Mô phỏng", "en": "Simulated"}
        store.create_wave(
            Wave("parts", "counter", title, form.id, form.version, ("2026-10",), centres, simulated=True), form
        )
        store.open_wave("parts", at=datetime(2026, 10, 1, tzinfo=VIETNAM))
    simulation = prepare(settings, "parts", SMALL)
    everybody = [parse_response(dict(raw)) for queue in simulation.queues for raw in queue.responses]
    responses = [response for response in everybody if response.disposition != "refused"]
    assert {response.part for response in everybody if response.disposition == "refused"} == {None}
    assert {response.part["factors"] for response in responses if response.part} == {(k, 10) for k in range(1, 11)}
    assert all(response.part for response in responses)
    for response in responses:
        checked = check(form, response, FIELDS)
        assert checked.problems == ()
        assert not form.left_out(response.part) & (response.answers.keys() | response.durations.keys())
    assert prepare(settings, "parts", SMALL, resume=True).queues == simulation.queues


def test_the_same_seed_simulates_the_same_responses_to_the_byte(settings: Settings) -> None:
    first = prepare(settings, WAVE, SMALL)
    assert prepare(settings, WAVE, SMALL, resume=True).queues == first.queues
    other = prepare_elsewhere(settings, Options(seed=5, responses=300))
    assert other != first.queues


def prepare_elsewhere(settings: Settings, options: Options) -> object:
    (settings.simulations / WAVE / "run.json").unlink()
    return prepare(settings, WAVE, options).queues


def test_some_answer_too_fast_and_some_decline(settings: Settings) -> None:
    simulation = prepare(settings, WAVE, Options(seed=4, responses=1500))
    responses = [raw for queue in simulation.queues for raw in queue.responses if raw["disposition"] == "complete"]
    fast = [raw for raw in responses if sum(raw["durations"].values()) < 600 * len(raw["durations"])]
    assert 0.01 < len(fast) / len(responses) < 0.10
    assert any(-3 in raw["answers"].values() for raw in responses)
    assert 1300 < len(responses) < 1700


def test_truth_and_register_lie_beside(settings: Settings) -> None:
    simulation = prepare(settings, WAVE, SMALL)
    truth = json.loads((simulation.directory / "truth.json").read_text())
    assert (truth["wave"], truth["simulated"], truth["seed"]) == (WAVE, True, 4)
    with Store.open(settings, write=False) as store:
        centres, fields = {centre.code for centre in store.centres()}, set(FIELDS)
    rows = read_register(simulation.register, centres, fields)
    assert sum(row.resolved for row in rows if row.channel == "counter") == truth["dossiers"] == 45_000


@pytest.mark.parametrize(
    ("wave", "resume", "words"), [("that", False, "real"), (WAVE, True, "begun"), ("none", False, "no wave")]
)
def test_what_cannot_be_simulated_is_refused(settings: Settings, wave: str, resume: bool, words: str) -> None:
    with pytest.raises(SipasError, match=words):
        prepare(settings, wave, SMALL, resume=resume)


def test_a_second_simulation_of_a_wave_is_refused(settings: Settings) -> None:
    prepare(settings, WAVE, SMALL)
    with pytest.raises(SimulationError, match="resume"):
        prepare(settings, WAVE, SMALL)


# ---- what is remembered


def test_half_a_line_is_forgotten_and_the_rest_kept(tmp_path: Path) -> None:
    """A process killed while writing leaves half a line, to which the next run glues its first."""
    journal = Journal(tmp_path)
    journal.sent("a-1", 20)
    with (tmp_path / "sent.jsonl").open("a") as stream:
        stream.write('{"device": "a-1", "s')
    assert journal.acknowledged() == {"a-1": 20}
    journal.sent("b-1", 20)
    journal.sent("b-1", 40)
    assert journal.acknowledged() == {"a-1": 20, "b-1": 40}


# ---- the real server


def test_the_command_fields_a_wave(settings: Settings, server: DemoServer) -> None:
    arguments = ["--instance", str(settings.instance), "simulate", WAVE, "--responses", "300", "--seed", "4"]
    result = CliRunner().invoke(sipas, [*arguments, "--server", server.url, "--json"], catch_exceptions=False)
    told = json.loads(result.stdout)
    assert told["stored"] == told["planned"] == len(set(stored(settings)))
    assert told["already_stored"] == told["doubled"]
    assert verify(settings) == ()
    with Store.open(settings, write=False) as store:
        responses = list(store.responses(WAVE))
    assert not any(response.clock or response.late or response.after_close for response in responses)
    assert {response.local_day.month for response in responses} == {10}
    assert (settings.simulations / WAVE / "devices.jsonl").stat().st_mode & 0o077 == 0


def test_doubled_sendings_are_known_already(settings: Settings, server: DemoServer) -> None:
    simulation = prepare(settings, WAVE, SMALL)
    tally = field_wave(settings, simulation, server.url, doubling=1.0)
    assert tally.stored == tally.already_stored == tally.doubled == simulation.planned
    assert len(stored(settings)) == simulation.planned


def test_an_absent_server_is_named(settings: Settings) -> None:
    simulation = prepare(settings, WAVE, SMALL)
    with pytest.raises(SimulationError, match="no answer from the server"):
        field_wave(settings, simulation, f"http://127.0.0.1:{free_port()}", patience=0.3)


def test_a_killed_server_loses_and_doubles_nothing(settings: Settings, server: DemoServer) -> None:
    """kill -9 of the whole server in mid-flight, twice: once given up on and resumed, once waited out."""
    simulation = prepare(settings, WAVE, SMALL)
    with pytest.raises(SimulationError, match="--resume"):
        progress = KillAfter(60, server)
        field_wave(settings, simulation, server.url, progress=progress, batch=2, doubling=0.1, patience=0.5)
    before = prepare(settings, WAVE, SMALL, resume=True)
    assert 60 < before.acknowledged < before.planned
    server.start(settings.instance)
    assert before.acknowledged <= len(stored(settings)), "an acknowledged response was lost"

    progress = KillAfter(before.acknowledged + 40, server, restart=settings.instance)
    tally = field_wave(settings, before, server.url, progress=progress, batch=2, doubling=0.1)
    assert tally.retries > 0
    given = sorted(raw["uuid"] for queue in simulation.queues for raw in queue.responses)
    assert sorted(stored(settings)) == given
    assert verify(settings) == ()


class KillAfter:
    """A progress listener that kills the server once so many responses are acknowledged, and may start it again."""

    def __init__(self, count: int, server: DemoServer, restart: Path | None = None) -> None:
        self.left, self.server, self.restart = count, server, restart

    def __call__(self, more: int) -> None:
        before, self.left = self.left, self.left - more
        if before >= 0 > self.left:
            kill(self.server)
            if self.restart:
                threading.Thread(target=self.server.start, args=(self.restart,)).start()


def kill(server: DemoServer) -> None:
    """The master and its worker at once, as a power cut would."""
    assert server.pid is not None
    os.killpg(server.pid, signal.SIGKILL)
    server.wait()
