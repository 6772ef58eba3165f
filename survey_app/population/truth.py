"""What an estimate should have found: the finite population's index, and the process mean behind it.

Both pool the top-2 share of all items that routing asks, over dossiers whose result was handed over at the counter,
respondents or not. An answer counts as it would have been given: a declined one counts as the answer withheld, and
since the model lets every item be declined alike, leaving the declined ones out (as the estimators do) moves nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from survey_app.population.visits import RECEIVED, Answers, Visits
from survey_app.population.world import Floats, World

POPULATION = "dossiers resolved, result handed over at the counter"
NODES = 48


@dataclass(frozen=True)
class Truth:
    """Values 0-100; `index_all`, `overall_all` for all fields together, the arrays by field (NaN where no dossier)."""

    dossiers: int
    index_all: float
    index_field: Floats
    overall_all: float
    overall_field: Floats


def finite_truth(world: World, visits: Visits, answers: Answers) -> Truth:
    """From everyone's would-be answers; `answers` must hold all visits, in their order."""
    assert len(answers.codes) == visits.n
    chosen = visits.kind == RECEIVED
    codes, field = answers.codes[chosen], visits.field[chosen]
    satisfied = np.array([np.bincount(field, weights=top, minlength=len(world.fields)) for top in (codes >= 4).T])
    given = np.array([np.bincount(field, weights=valid, minlength=len(world.fields)) for valid in (codes > 0).T])
    return _truth(int(chosen.sum()), satisfied, given)


def process_mean(world: World) -> Truth:
    """Expectation over days, persons, lateness and ages, with centres, fields and the register's counts as they are.

    Person and day effects are normal and enter as their sum, so one Gauss-Hermite rule integrates both.
    """
    model = world.model
    sd = float(np.hypot(model.satisfaction.person_sd, model.satisfaction.day_sd))
    nodes, rule = np.polynomial.hermite_e.hermegauss(NODES)
    score, rule = sd * nodes, rule / rule.sum()
    ages = np.array(model.age.shares) / sum(model.age.shares)
    late = 1 / (1 + np.exp(-world.late_logit))
    feedback = 1 / (1 + np.exp(-world.feedback_logit - model.feedback.slope * score))
    satisfied = np.zeros((len(world.item_effect), len(world.fields)))
    given = np.zeros_like(satisfied)
    routed = [*world.asked_on_feedback, False]
    for is_late, share in ((0.0, 1 - late), (1.0, late)):
        for age, age_share in zip(model.satisfaction.age, ages, strict=True):
            weight = world.resolved * share * age_share
            latent = world.level[:, :, None] + age + score
            line = _expit(latent + world.item_effect[-1] + is_late * world.late_effect[-1])
            for item, effect in enumerate(world.item_effect):
                asked = rule * feedback if routed[item] else rule
                own = _expit(latent + effect + is_late * world.late_effect[item])
                high = own + model.answering.straight_line * (line - own)
                satisfied[item] += (weight * (high @ asked)).sum(axis=0)
                given[item] += weight.sum(axis=0) * asked.sum()
    return _truth(int(world.resolved.sum()), satisfied, given)


def _truth(dossiers: int, satisfied: Floats, given: Floats) -> Truth:
    """From sums by (item, field), the overall question last."""
    with np.errstate(invalid="ignore"):
        return Truth(
            dossiers=dossiers,
            index_all=float(100 * satisfied[:-1].sum() / given[:-1].sum()),
            index_field=100 * satisfied[:-1].sum(axis=0) / given[:-1].sum(axis=0),
            overall_all=float(100 * satisfied[-1].sum() / given[-1].sum()),
            overall_field=100 * satisfied[-1] / given[-1],
        )


def truth_document(world: World, wave: str, finite: Truth, process: Truth) -> dict[str, Any]:
    """truth.json: what a simulated wave's report shows beside its estimates."""

    def by_field(values: Floats) -> Mapping[str, float]:
        return {code: float(value) for code, value in zip(world.fields, values, strict=True) if np.isfinite(value)}

    def measures(truth: Truth) -> dict[str, Any]:
        return {
            "index": {"all": truth.index_all, "field": by_field(truth.index_field)},
            "overall": {"all": truth.overall_all, "field": by_field(truth.overall_field)},
        }

    return {
        "simulated": True,
        "wave": wave,
        "model": world.model.name,
        "seed": world.seed,
        "item_method": "top2",
        "roll_up": "pooled",
        "population": POPULATION,
        "dossiers": finite.dossiers,
        **measures(finite),
        "process": measures(process),
    }


def _expit(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-value))
