"""What stays as it is from one wave to the next: centres, fields, their effects and the register's counts."""

import calendar
import csv
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from survey_app.population.files import ModelError
from survey_app.population.model import Model
from survey_app.problems import Problem

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

REGISTER_COLUMNS = ("centre", "field", "month", "channel", "received", "resolved", "on_time")


@dataclass(frozen=True)
class Form:
    """What the population is asked: the index's items, and which of them depend on the visit or on feedback."""

    items: tuple[str, ...]
    on_result: frozenset[str]
    on_feedback: frozenset[str]


@dataclass(frozen=True)
class World:
    """Arrays are indexed by centre, by field, or by (centre, field); the last item column is the overall question."""

    model: Model
    form: Form
    seed: int
    centres: tuple[str, ...]
    fields: tuple[str, ...]
    days: tuple[date, ...]
    resolved: Ints  # (C, F) at the counter: fixed, as a register's figures are
    received: Ints  # (C, F)
    asked: Ints  # (C, F)
    level: Floats  # (C, F) base + field + centre + field in centre
    item_effect: Floats  # (J + 1,)
    late_effect: Floats  # (J + 1,)
    late_logit: Floats  # (C, F)
    response_logit: Floats  # (C, F)

    @property
    def asked_on_result(self) -> Bools:
        return np.array([item in self.form.on_result for item in self.form.items])

    @property
    def asked_on_feedback(self) -> Bools:
        return np.array([item in self.form.on_feedback for item in self.form.items])

    @property
    def feedback_logit(self) -> float:
        return float(_logit(self.model.feedback.share))


def open_days(months: Sequence[str], count: int, before: date | None = None) -> tuple[date, ...]:
    """`count` weekdays spread evenly over the months, all of them earlier than `before`."""
    weekdays = []
    for month in sorted(months):
        year, number = (int(part) for part in month.split("-"))
        days = range(1, calendar.monthrange(year, number)[1] + 1)
        weekdays += [day for day in (date(year, number, d) for d in days) if day.weekday() < 5]
    past = [day for day in weekdays if before is None or day < before]
    if not past:
        raise ModelError(
            Problem(
                "no working day of the wave's months is over yet",
                f"months {', '.join(months)}",
                "simulate a wave whose months are past",
            )
        )
    chosen = np.unique(np.linspace(0, len(past) - 1, min(count, len(past))).round().astype(int))
    return tuple(past[index] for index in chosen)


def build_world(
    model: Model,
    seed: int,
    *,
    form: Form,
    centres: Sequence[str],
    fields: Sequence[str],
    days: Sequence[date],
    provincial: Collection[str] = ("TINH",),
) -> World:
    """Draw the centres: size, mix of fields, satisfaction, lateness, willingness to answer."""
    rng = np.random.default_rng([seed, 1])
    service = [model.field(code) for code in fields]
    size = np.exp(model.visits.centre_size_sd * rng.standard_normal(len(centres)))
    size[[index for index, code in enumerate(centres) if code in provincial]] = model.visits.province_factor
    mix = np.array([field.share for field in service]) * np.exp(
        model.visits.field_mix_sd * rng.standard_normal((len(centres), len(fields)))
    )
    share = size[:, None] * mix / mix.sum(axis=1, keepdims=True)
    resolved = rng.multinomial(model.visits.dossiers, (share / share.sum()).ravel()).reshape(share.shape)

    satisfaction, response = model.satisfaction, model.response
    quality = rng.standard_normal(len(centres))
    eagerness = response.centre_correlation * quality + np.sqrt(
        1 - response.centre_correlation**2
    ) * rng.standard_normal(len(centres))
    late_centre = model.timing.late_centre_sd * rng.standard_normal(len(centres))
    level = (
        satisfaction.base
        + satisfaction.centre_sd * quality[:, None]
        + np.array([field.satisfaction for field in service])
        + satisfaction.field_centre_sd * rng.standard_normal(share.shape)
    )
    asks = np.zeros(share.shape)
    if "centre" in response.depends_on:
        asks = asks + response.centre_sd * eagerness[:, None]
    if "field" in response.depends_on:
        asks = asks + np.array([field.response for field in service])
    effects = [model.items.get(item, 0.0) for item in form.items] + [satisfaction.overall]
    lateness = [model.timing.effect + model.timing.effect_items.get(item, 0.0) for item in form.items]
    return World(
        model=model,
        form=form,
        seed=seed,
        centres=tuple(centres),
        fields=tuple(fields),
        days=tuple(days),
        resolved=resolved,
        received=rng.poisson(resolved * model.visits.filed_per_resolved),
        asked=rng.poisson(resolved * model.visits.asked_per_resolved),
        level=level,
        item_effect=np.array(effects),
        late_effect=np.array([*lateness, model.timing.effect]),
        late_logit=_logit(model.timing.late) + np.array([field.late for field in service]) + late_centre[:, None],
        response_logit=asks,
    )


def _logit(share: float) -> Any:
    return np.log(share / (1 - share))


def register_rows(
    world: World, resolved: Mapping[str, tuple[Ints, Ints]], received: Mapping[str, Ints]
) -> Iterator[tuple[str, str, str, str, int, int, int]]:
    """The dossier register: for each month the (C, F) counts resolved and on time, and received, at the counter.

    What is handled online or by post never passes a counter: it follows the model's ratio, at the counter's timeliness.
    """
    rng = np.random.default_rng([world.seed, 2])
    for month in sorted(resolved):
        done, on_time = resolved[month]
        came = received[month]
        for c, f in np.argwhere((done + came) > 0):
            place = world.centres[c], world.fields[f], month
            yield *place, "counter", int(came[c, f]), int(done[c, f]), int(on_time[c, f])
            ratio = world.model.field(world.fields[f]).elsewhere
            punctual = on_time[c, f] / done[c, f] if done[c, f] else 1.0
            for channel, part in (("online", 0.85), ("post", 0.15)):
                there = int(rng.poisson(done[c, f] * ratio * part))
                if there:
                    yield *place, channel, there, there, int(rng.binomial(there, punctual))


def write_register(rows: Iterator[tuple[str, str, str, str, int, int, int]], path: Path) -> int:
    """The CSV that `sipas register import` takes; returns the number of rows."""
    count = 0
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(REGISTER_COLUMNS)
        for count, row in enumerate(rows, start=1):
            writer.writerow(row)
    return count
