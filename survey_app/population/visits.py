"""One wave's persons: who came on which day, who answers, and what everyone would have answered."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from survey_app.population.files import ModelError
from survey_app.population.model import AGES
from survey_app.population.world import Bools, Floats, Ints, World
from survey_app.problems import Problem

FILED, RECEIVED, ASKED = 1, 2, 3
KINDS: Mapping[str, int] = {"filed": FILED, "received": RECEIVED, "asked": ASKED}
EARLY, ON_TIME, LATE, UNSURE = 1, 2, 3, 4
Codes = npt.NDArray[np.int8]


@dataclass(frozen=True)
class Visits:
    """One row a visit, whether the person answers or not; all arrays of shape (n,)."""

    kind: Codes
    centre: Ints  # index into World.centres
    field: Ints
    day: Ints
    age: Ints  # 0..4
    late: Bools  # the dossier was resolved late (received a result only)
    score: Floats  # the person's and the day's satisfaction, on the logit
    straight: Bools  # gives the same answer to every item
    probability: Floats  # of answering
    responds: Bools

    @property
    def n(self) -> int:
        return len(self.kind)


@dataclass(frozen=True)
class Answers:
    """What persons would answer; J items and, last, the overall question. -1: routing does not ask it."""

    codes: Codes  # (m, J + 1), as given if not declined
    declined: Bools  # (m, J + 1)
    feedback: Bools  # (m,)
    timing: Codes  # (m,)
    back: Codes  # (m,) times had to come back


def draw_visits(
    world: World, rng: np.random.Generator, responses: float, kinds: tuple[int, ...] = (RECEIVED, FILED, ASKED)
) -> Visits:
    """A wave of visits of the given kinds, of which `responses` are expected to answer, all kinds together."""
    model = world.model
    centres, days = len(world.centres), len(world.days)
    load = np.exp(model.visits.day_load_sd * rng.standard_normal((centres, days)))
    cumulative = np.cumsum(load / load.sum(axis=1, keepdims=True), axis=1)
    day_effect = model.satisfaction.day_sd * rng.standard_normal((centres, days))
    day_response = model.response.day_sd * rng.standard_normal((centres, days))
    wanted = {kind: model.response.kinds[name] for name, kind in KINDS.items() if kind in kinds}
    parts = []
    for kind in kinds:
        target = responses * wanted[kind] / sum(wanted.values())
        parts.append(_draw_kind(world, rng, kind, target, cumulative, day_effect, day_response))
    return Visits(**{name: np.concatenate([getattr(part, name) for part in parts]) for name in vars(parts[0])})


def _draw_kind(
    world: World,
    rng: np.random.Generator,
    kind: int,
    target: float,
    cumulative: Floats,
    day_effect: Floats,
    day_response: Floats,
) -> Visits:
    model = world.model
    counts = {RECEIVED: world.resolved, FILED: world.received, ASKED: world.asked}[kind]
    cells = np.repeat(np.arange(counts.size), counts.ravel())
    centre, field = np.divmod(cells, counts.shape[1])
    n = len(cells)
    day = (rng.random(n)[:, None] > cumulative[centre, :-1]).sum(axis=1)
    age = np.searchsorted(np.cumsum(_normal(model.age.shares))[:-1], rng.random(n))
    late = (rng.random(n) < _expit(world.late_logit[centre, field])) & (kind == RECEIVED)
    score = model.satisfaction.person_sd * rng.standard_normal(n) + day_effect[centre, day]
    propensity = world.response_logit[centre, field] + day_response[centre, day]
    if "age" in model.response.depends_on:
        propensity = propensity + np.array(model.response.age)[age]
    if "satisfaction" in model.response.depends_on:
        felt = world.level[centre, field] - model.satisfaction.base + score + late * world.late_effect[-1]
        propensity = propensity + model.response.satisfaction_slope * felt
    probability = _at_level(propensity, target)
    return Visits(
        kind=np.full(n, kind, dtype=np.int8),
        centre=centre,
        field=field,
        day=day,
        age=age,
        late=late,
        score=score,
        straight=rng.random(n) < model.answering.straight_line,
        probability=probability,
        responds=rng.random(n) < probability,
    )


def draw_answers(world: World, visits: Visits, rows: Bools | None, rng: np.random.Generator) -> Answers:
    """What the chosen visitors (all, without `rows`) would answer, whether or not they are asked at a kiosk."""
    model = world.model
    chosen = np.flatnonzero(rows) if rows is not None else np.arange(visits.n)
    kind, late, score = visits.kind[chosen], visits.late[chosen], visits.score[chosen]
    latent = (
        world.level[visits.centre[chosen], visits.field[chosen]]
        + np.array(model.satisfaction.age)[visits.age[chosen]]
        + score
    )
    noise = rng.random((len(chosen), len(world.item_effect)))
    felt = latent[:, None] + world.item_effect + late[:, None] * world.late_effect + np.log(noise / (1 - noise))
    codes = np.ones(felt.shape, dtype=np.int8)
    for cut in model.satisfaction.cuts:
        codes += felt > cut
    codes = np.where(visits.straight[chosen, None], codes[:, -1:], codes)
    feedback = rng.random(len(chosen)) < _expit(world.feedback_logit + model.feedback.slope * score)
    asked = np.ones(codes.shape, dtype=bool)
    asked[:, :-1] &= ~world.asked_on_result | (kind == RECEIVED)[:, None]
    asked[:, :-1] &= ~world.asked_on_feedback | feedback[:, None]
    return Answers(
        codes=np.where(asked, codes, np.int8(-1)),
        declined=asked & (rng.random(codes.shape) < model.answering.decline),
        feedback=feedback,
        timing=_timing(world, late, rng),
        back=_back(world, len(chosen), rng),
    )


def _timing(world: World, late: Bools, rng: np.random.Generator) -> Codes:
    timing = world.model.timing
    early = rng.random(len(late)) < timing.early / max(1 - timing.late, 1e-9)
    codes = np.where(late, LATE, np.where(early, EARLY, ON_TIME))
    return np.where(rng.random(len(late)) < timing.unsure, UNSURE, codes).astype(np.int8)


def _back(world: World, n: int, rng: np.random.Generator) -> Codes:
    share = rng.random(n)
    model = world.model.come_back
    return ((share < model.once + model.more).astype(np.int8) + (share < model.more)).astype(np.int8)


def _at_level(propensity: Floats, target: float) -> Floats:
    """expit(a + propensity) with the intercept a that makes the probabilities sum to the target."""
    if target >= 0.9 * len(propensity):
        raise ModelError(
            Problem(
                f"{target:.0f} responses wanted from {len(propensity)} visits",
                "the number of responses",
                "ask for fewer, or raise visits.dossiers in the model file",
            )
        )
    low, high = -40.0, 40.0
    intercept = float(np.log(target / (len(propensity) - target)) - propensity.mean())
    for _ in range(100):
        probability = _expit(intercept + propensity)
        gap = float(probability.sum()) - target
        if abs(gap) < 1e-6 * target:
            break
        low, high = (low, intercept) if gap > 0 else (intercept, high)
        step = intercept - gap / max(float((probability * (1 - probability)).sum()), 1e-9)
        intercept = step if low < step < high else (low + high) / 2
    return probability


def _expit(value: Floats) -> Floats:
    return 1 / (1 + np.exp(-value))


def _normal(shares: tuple[float, ...]) -> Floats:
    assert len(shares) == AGES
    return np.array(shares) / sum(shares)
