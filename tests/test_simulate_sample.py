"""A simulated sample wave: a frame with known probabilities, interviews the form accepts, and what all residents think."""

import csv
import json
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner

from survey_app.cli import sipas
from survey_app.demo import DemoServer, free_port
from survey_app.model import VIETNAM, Centre, Wave
from survey_app.population import ModelError, Population, build_population, draw_contacts, draw_frame, load_residents
from survey_app.population.resident_model import parse_residents
from survey_app.population.residents import build_villages
from survey_app.problems import SipasError
from survey_app.questionnaire import check, load, shipped
from survey_app.response import parse_response
from survey_app.settings import Settings, create_instance
from survey_app.simulation import Options, SimulationError, field_wave, prepare, write_frame
from survey_app.store import Store
from survey_app.verification import verify

WAVE = "ho-mo-phong"
FORM = load(shipped()["qd1001-2026", "1"])
MODEL = load_residents()
SEED = 4


@pytest.fixture(scope="module")
def population() -> Population:
    return build_population(MODEL, SEED, FORM)


def plan(settings: Settings, id: str = WAVE, *, simulated: bool = True, seed: int = SEED) -> None:
    title = {"vi": "Mô phỏng", "en": "Simulated"}
    wave = Wave(id, "sample", title, FORM.id, FORM.version, ("2026-10",), ("TINH",), simulated=simulated)
    with Store.open(settings) as store:
        store.create_wave(wave, FORM, draw_frame(MODEL, seed))
        store.open_wave(id, at=datetime(2026, 10, 1, tzinfo=VIETNAM) if simulated else None)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = create_instance(tmp_path / "instance", demo=True)
    with Store.create(settings) as store:
        store.add_centres([Centre("TINH", "Tỉnh", "Trung tâm tỉnh", "province", "0")])
    return settings


# ---- the frame and the population


def test_the_frame_is_three_villages_of_each_stratum() -> None:
    frame = draw_frame(MODEL, SEED)
    assert Counter(unit.stratum for unit in frame) == dict.fromkeys(MODEL.strata, 3)
    assert len({unit.psu for unit in frame}) == 18
    assert all(unit.name.startswith("Thôn mô phỏng ") for unit in frame)
    assert draw_frame(MODEL, SEED) == frame != draw_frame(MODEL, SEED + 1)


def test_base_weights_sum_to_the_residents_of_each_stratum() -> None:
    """With one probability a stratum, households / probability over its villages is the number of its residents."""
    villages = build_villages(MODEL, SEED)
    for stratum in MODEL.strata:
        of_frame = sum(u.households / u.probability for u in draw_frame(MODEL, SEED) if u.stratum == stratum)
        residents = sum(village.population for village in villages if village.stratum == stratum)
        assert of_frame == pytest.approx(residents, rel=1e-4)


def test_villages_are_drawn_in_proportion_to_their_population() -> None:
    drawn = [unit.population for seed in range(150) for unit in draw_frame(MODEL, seed) if unit.stratum == "Vùng thấp"]
    sizes = [v.population for seed in range(150) for v in build_villages(MODEL, seed) if v.stratum == "Vùng thấp"]
    expected = np.mean(np.square(sizes)) / np.mean(sizes)
    assert np.mean(drawn) == pytest.approx(expected, rel=0.03) and expected > 1.05 * np.mean(sizes)


def test_about_510_interviews_come_of_it(population: Population) -> None:
    completed = []
    for _, _, outcomes in draw_contacts(population, draw_frame(MODEL, SEED)):
        completed.append(int((outcomes == 0).sum()))
    assert 450 <= sum(completed) <= 560 and min(completed) >= 15


def test_only_who_was_at_a_service_point_is_asked_about_it(population: Population) -> None:
    been = (population.codes["EXPERIENCE.3"] == 1) | (population.codes["EXPERIENCE.4"] == 1)
    assert ((population.codes["II.A1"] > 0) == been).all() and 0.4 < been.mean() < 0.8
    assert ((population.codes["II.E1"] > 0) == (population.codes["EXPERIENCE.7"] == 1)).all()
    assert (population.codes["I.C5"] > 0).all()


def test_villages_differ(population: Population) -> None:
    """What makes a village a cluster: between-village variance well above that of chance."""
    top = population.codes["I.C1"] >= 4
    sizes = np.bincount(population.village)
    shares = np.bincount(population.village, weights=top) / sizes
    chance = np.mean(shares * (1 - shares) / sizes)
    assert shares.var() > 4 * chance


@pytest.mark.parametrize(
    ("before", "after", "words"),
    [
        ("drawn = 3", "drawn = 300", "villages"),
        ("broken_off = 0.02", "broken_off = 2.0", "share"),
        ("place = 1", "place = 7", "place"),
        ("sex = [0.50, 0.50]", "sex = [0.50]", "1 values"),
        ("base = 1.85", "bass = 1.85", "bass"),
        ("[scales]", "[scale]", "scale"),
        ("cuts = [-3.3, -2.2, 0.0, 2.5]", "cuts = [1.0, 0.0, 2.0, 3.0]", "cuts"),
        ('name = "residents"', "name = ", "TOML"),
    ],
)
def test_a_model_that_makes_no_sense_is_refused(before: str, after: str, words: str) -> None:
    content = MODEL.content.decode()
    assert before in content
    with pytest.raises(ModelError, match=words):
        parse_residents(content.replace(before, after).encode(), "mine.toml")


# ---- the wave


def test_every_interview_is_valid_by_its_own_form(settings: Settings) -> None:
    plan(settings)
    simulation = prepare(settings, WAVE, Options(seed=SEED))
    frame = {unit.psu: unit for unit in draw_frame(MODEL, SEED)}
    visited: Counter[str] = Counter()
    dispositions = set()
    for queue in simulation.queues:
        responses = [parse_response(dict(raw)) for raw in queue.responses]
        assert [response.seq for response in responses] == list(range(1, len(responses) + 1))
        assert len({frame[response.psu or ""].stratum for response in responses}) == 1
        for response in responses:
            assert check(FORM, response, ()).problems == ()
            assert (response.mode, response.recruitment, response.field) == ("assisted", "invited", None)
            assert response.submitted.astimezone(VIETNAM).month == 10
            visited[response.psu or ""] += 1
            dispositions.add(response.disposition)
    assert dispositions == {"complete", "refused", "not_at_home", "broken_off"}
    assert visited == {psu: unit.households for psu, unit in frame.items()}


def test_the_same_seed_gives_the_same_interviews_to_the_byte(settings: Settings) -> None:
    plan(settings)
    first = prepare(settings, WAVE, Options(seed=SEED))
    assert prepare(settings, WAVE, Options(seed=9), resume=True).queues == first.queues


def test_truth_and_margins_are_of_all_residents(settings: Settings, population: Population) -> None:
    plan(settings)
    simulation = prepare(settings, WAVE, Options(seed=SEED))
    truth = json.loads((simulation.directory / "truth.json").read_text())
    assert (truth["simulated"], truth["residents"]) == (True, population.n)
    items = FORM.index.items if FORM.index else ()
    satisfied = sum((population.codes[code] >= 4).sum() for code in items)
    valid = sum((population.codes[code] > 0).sum() for code in items)
    assert truth["index"]["all"] == pytest.approx(100 * satisfied / valid)
    area = [code for code in items if code.startswith("II.")]
    assert truth["area:II"]["all"] == pytest.approx(
        100 * sum((population.codes[code] >= 4).sum() for code in area)
        / sum((population.codes[code] > 0).sum() for code in area)
    )  # fmt: skip
    assert {"area:I", "factor:I.A", "factor:II.E", "item:II.C1"} <= truth.keys()
    with simulation.margins.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    totals: Counter[str] = Counter()
    for row in rows:
        totals[row["margin"]] += int(row["total"])
    assert totals == dict.fromkeys(("SEX", "AGE", "PLACE"), population.n)
    assert not simulation.register.exists()


@pytest.mark.parametrize(
    ("options", "words"),
    [(Options(seed=5), "not of this simulated population"), (Options(seed=SEED, responses=9), "frame says"),
     (Options(seed=SEED, devices=1), "frame says"), (Options(seed=SEED, model="none"), "no such population model")],
)  # fmt: skip
def test_what_does_not_fit_the_frame_is_refused(settings: Settings, options: Options, words: str) -> None:
    plan(settings)
    with pytest.raises(SipasError, match=words):
        prepare(settings, WAVE, options)


def test_a_real_sample_wave_is_never_simulated(settings: Settings) -> None:
    plan(settings, simulated=False)
    with pytest.raises(SimulationError, match="real"):
        prepare(settings, WAVE, Options(seed=SEED))


def test_a_frame_in_the_way_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "frame.csv").write_text("mine")
    with pytest.raises(SimulationError, match="already"):
        write_frame(tmp_path / "frame.csv")
    assert (tmp_path / "frame.csv").read_text() == "mine"


# ---- the real server


@pytest.fixture
def server(settings: Settings) -> Iterator[DemoServer]:
    server = DemoServer(free_port())
    server.start(settings.instance)
    yield server
    server.stop()


def run(settings: Settings, *arguments: str) -> str:
    result = CliRunner().invoke(sipas, ["--instance", str(settings.instance), *arguments], catch_exceptions=False)
    assert result.exit_code == 0, result.output
    return result.output


def test_the_commands_make_a_frame_and_field_it(settings: Settings, server: DemoServer, tmp_path: Path) -> None:
    frame = tmp_path / "frame.csv"
    assert "SIMULATED 18 villages of 6 strata" in run(settings, "simulate-frame", str(frame), "--seed", str(SEED))
    wave = ("wave", "create", WAVE, "--kind", "sample", "--form", "qd1001-2026", "--months", "2026-10", "--simulated")
    run(settings, *wave, "--frame", str(frame), "--title-vi", "Mô phỏng", "--title-en", "Simulated")
    with Store.open(settings, write=False) as store:
        assert store.frame(WAVE) == draw_frame(MODEL, SEED)
    run(settings, "wave", "open", WAVE, "--at", "2026-10-01")
    told: dict[str, Any] = json.loads(
        run(settings, "simulate", WAVE, "--seed", str(SEED), "--server", server.url, "--json")
    )
    assert told["stored"] == told["planned"] and told["devices"] == 6 and told["margins"].endswith("margins.csv")
    assert verify(settings) == ()
    with Store.open(settings, write=False) as store:
        assert {device.purpose for device in store.devices()} == {"sample"}
        assert all(device.simulated for device in store.devices())
        responses = list(store.responses(WAVE))
    assert not any(response.clock or response.late or response.after_close for response in responses)


def test_a_resumed_simulation_closes_the_gap_that_a_restore_left(settings: Settings, server: DemoServer) -> None:
    """The store goes back to before the wave was fielded, its devices known: what was acknowledged comes again."""
    plan(settings)
    simulation = prepare(settings, WAVE, Options(seed=SEED))
    few = simulation.queues[:2]
    cut = type(simulation)(**{**vars(simulation), "queues": few})
    first = field_wave(settings, type(simulation)(**{**vars(simulation), "queues": tuple(
        type(queue)(queue.centre, queue.responses[:5], queue.post) for queue in few)}), server.url, doubling=0)  # fmt: skip
    assert first.stored == 10
    server.stop()
    kept = {path: path.read_bytes() for path in settings.instance.glob("sipas.sqlite3*")}
    server.start(settings.instance)
    field_wave(settings, cut, server.url, doubling=0)
    server.stop()
    for path in settings.instance.glob("sipas.sqlite3*"):
        path.unlink()
    for path, content in kept.items():
        path.write_bytes(content)
    server.start(settings.instance)
    again = field_wave(settings, cut, server.url, doubling=0)
    assert again.stored == again.asked_again == sum(len(queue.responses) for queue in few) - 10
