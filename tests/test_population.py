"""The simulated population: its file, its draws, and the truth an estimate is held against."""

from dataclasses import replace
from datetime import date

import numpy as np
import pytest

from survey_app.population import (
    FILED,
    RECEIVED,
    ModelError,
    build_world,
    draw_answers,
    draw_visits,
    finite_truth,
    load_model,
    process_mean,
    register_rows,
    shipped_models,
    truth_document,
)
from survey_app.population.model import parse_model
from survey_app.population.world import Form, World, open_days

ITEMS = tuple(
    f"II.{factor}{k}" for factor, count in zip("ABCDE", (3, 4, 3, 3, 3), strict=True) for k in range(1, count + 1)
)
FORM = Form(ITEMS, frozenset(ITEMS[10:13]), frozenset(ITEMS[13:]))
DAYS = open_days(["2026-10"], 22)


def world(seed: int = 1, **visits: float) -> World:
    model = load_model()
    model = replace(model, visits=replace(model.visits, **({"dossiers": 6000} | visits)))
    return build_world(model, seed, form=FORM, centres=["TINH", "a", "b", "c"], fields=list(model.fields), days=DAYS)


# ---- the file


def test_every_shipped_model_is_read() -> None:
    assert "counter" in shipped_models()
    for name in shipped_models():
        assert load_model(name).name == name


@pytest.mark.parametrize(
    ("old", "new", "where"),
    [
        ("day_sd = 0.35", 'day_sd = "much"', "satisfaction.day_sd"),
        ("day_sd = 0.35", "daysd = 0.35", "satisfaction"),
        ("cuts = [-3.3, -2.2, 0.0, 2.5]", "cuts = [-3.3, -2.2, 0.1, 2.5]", "satisfaction.cuts"),
        ("straight_line = 0.05", "straight_line = 5", "answering.straight_line"),
        ('"field", "age"]', '"field", "weather"]', "response.depends_on"),
        ("received = 0.80", "received = 0.90", "response.kinds"),
        ("share = 0.265", "share = 0", "fields.chung-thuc.share"),
        ("[other_fields]", "[others]", "counter.toml"),
    ],
)
def test_a_wrong_file_is_refused_by_place(old: str, new: str, where: str) -> None:
    content = load_model().content.decode()
    assert old in content
    with pytest.raises(ModelError) as error:
        parse_model(content.replace(old, new, 1).encode(), "counter.toml")
    assert any(where in problem.where for problem in error.value.problems)


def test_an_unknown_model_names_the_shipped_ones() -> None:
    with pytest.raises(ModelError, match="counter"):
        load_model("no-such-model")


# ---- the calendar


def test_october_2026_has_22_working_days() -> None:
    assert len(DAYS) == 22
    assert all(day.weekday() < 5 and day.month == 10 for day in DAYS)


def test_days_to_come_are_not_simulated() -> None:
    assert max(open_days(["2026-10"], 22, before=date(2026, 10, 9))) == date(2026, 10, 8)
    with pytest.raises(ModelError):
        open_days(["2026-10"], 22, before=date(2026, 10, 1))


# ---- draws


def test_the_same_seed_draws_the_same_wave() -> None:
    one, other = (draw_visits(world(), np.random.default_rng(3), 500) for _ in range(2))
    assert all(np.array_equal(value, getattr(other, name)) for name, value in vars(one).items())


@pytest.mark.parametrize("responses", [50, 400, 3000])
def test_as_many_answer_as_are_asked_for(responses: int) -> None:
    visits = draw_visits(world(), np.random.default_rng(3), responses)
    assert visits.probability.sum() == pytest.approx(responses, rel=1e-4)
    assert visits.responds.sum() == pytest.approx(responses, abs=5 * responses**0.5)


def test_more_responses_than_visits_are_refused() -> None:
    with pytest.raises(ModelError, match="visits"):
        draw_visits(world(), np.random.default_rng(3), 20_000)


def test_routing_holds_for_every_visit() -> None:
    w = world()
    visits = draw_visits(w, np.random.default_rng(3), 500)
    answers = draw_answers(w, visits, None, np.random.default_rng(4))
    assert ((answers.codes[:, 10:13] == -1) == (visits.kind != RECEIVED)[:, None]).all()
    assert ((answers.codes[:, 13:16] == -1) == ~answers.feedback[:, None]).all()
    assert (answers.codes[:, :10] >= 1).all() and (answers.codes <= 5).all()
    assert not answers.declined[answers.codes == -1].any()


def test_a_straight_liner_repeats_one_answer() -> None:
    w = world()
    visits = draw_visits(w, np.random.default_rng(3), 500, (FILED,))
    codes = draw_answers(w, visits, visits.straight, np.random.default_rng(4)).codes
    assert len(codes) > 50
    assert (codes[:, :10] == codes[:, -1:]).all()


@pytest.mark.parametrize(("causes", "leans"), [((), False), (("satisfaction",), True)])
def test_satisfaction_moves_response_only_when_switched_on(causes: tuple[str, ...], leans: bool) -> None:
    w = world(dossiers=40_000)
    w = replace(w, model=replace(w.model, response=replace(w.model.response, depends_on=causes, centre_sd=0.0)))
    w = replace(w, response_logit=np.zeros_like(w.response_logit))
    visits = draw_visits(w, np.random.default_rng(3), 8000, (RECEIVED,))
    lean = visits.score[visits.responds].mean() - visits.score.mean()
    assert (lean > 0.2) if leans else abs(lean) < 0.06


# ---- truth


def test_truth_counts_everyone_who_received_a_result() -> None:
    w = world()
    visits = draw_visits(w, np.random.default_rng(3), 500)
    answers = draw_answers(w, visits, None, np.random.default_rng(4))
    truth = finite_truth(w, visits, answers)
    chosen = (visits.kind == RECEIVED) & (visits.field == 2)
    codes = answers.codes[chosen, :-1]
    assert truth.dossiers == w.resolved.sum() == 6000
    assert truth.index_field[2] == pytest.approx(100 * (codes >= 4).sum() / (codes > 0).sum())
    assert truth.overall_field[2] == pytest.approx(100 * (answers.codes[chosen, -1] >= 4).mean())


def test_process_mean_is_the_mean_of_many_waves() -> None:
    w = world(dossiers=4000)
    waves = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        visits = draw_visits(w, rng, 500, (RECEIVED,))
        truth = finite_truth(w, visits, draw_answers(w, visits, None, rng))
        waves.append([truth.index_all, truth.overall_all, *truth.index_field[:3]])
    mean, se = np.mean(waves, axis=0), np.std(waves, axis=0, ddof=1) / 150**0.5
    expected = process_mean(w)
    gap = mean - [expected.index_all, expected.overall_all, *expected.index_field[:3]]
    assert (np.abs(gap) < 4 * se).all()
    assert (se < 0.35).all()


def test_without_any_spread_the_process_mean_is_a_formula() -> None:
    """One item everywhere, nobody late, no effects: expit(base)."""
    model = load_model()
    flat = replace(
        model.satisfaction, age=(0.0,) * 5, overall=0.0, person_sd=1e-9, day_sd=0.0, centre_sd=0.0, field_centre_sd=0.0
    )
    plain = {code: replace(field, satisfaction=0.0, late=-60.0) for code, field in model.fields.items()}
    model = replace(model, satisfaction=flat, items={}, fields=plain)
    w = build_world(model, 1, form=FORM, centres=["a", "b"], fields=list(model.fields), days=DAYS)
    assert process_mean(w).index_all == pytest.approx(100 / (1 + np.exp(-flat.base)), abs=1e-9)


def test_the_document_has_the_agreed_shape() -> None:
    w = world()
    visits = draw_visits(w, np.random.default_rng(3), 500)
    finite = finite_truth(w, visits, draw_answers(w, visits, None, np.random.default_rng(4)))
    document = truth_document(w, "mo-phong", finite, process_mean(w))
    assert document["simulated"] is True
    assert {"wave", "model", "seed", "item_method", "roll_up", "population", "dossiers"} <= document.keys()
    for values in (document["index"], document["overall"], document["process"]["index"]):
        assert set(values["field"]) == set(w.fields)
        assert all(0 < value < 100 for value in (values["all"], *values["field"].values()))


# ---- register


def test_the_register_adds_up_to_the_world() -> None:
    w = world()
    on_time = w.resolved // 2
    rows = list(register_rows(w, {"2026-10": (w.resolved, on_time)}, {"2026-10": w.received}))
    counter = [row for row in rows if row[3] == "counter"]
    assert sum(row[5] for row in counter) == w.resolved.sum()
    assert sum(row[6] for row in counter) == on_time.sum()
    assert sum(row[4] for row in counter) == w.received.sum()
    assert len({row[:4] for row in rows}) == len(rows)
    assert all(row[6] <= row[5] for row in rows)
