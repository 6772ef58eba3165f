"""Simulated interviewers: the residents drawn into a sample, as responses of the protocol in the order of the visits.

`household_queues`. One interviewer a stratum, with a device of their own, goes from village to village and from
household to household; the same wave, model, frame and seed give the same responses to the byte.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import groupby
from typing import Any

import numpy as np

from survey_app.model import VIETNAM, PrimaryUnit, Wave
from survey_app.population import (
    BROKEN_OFF,
    COMPLETE,
    MARGINS,
    NOT_AT_HOME,
    REFUSED,
    Population,
    draw_contacts,
    shares_of,
)
from survey_app.questionnaire import DECLINED, Item, Questionnaire, asked
from survey_app.simulation.citizens import COMMENTS, Queue

DISPOSITIONS = {COMPLETE: "complete", REFUSED: "refused", NOT_AT_HOME: "not_at_home", BROKEN_OFF: "broken_off"}
FIRST_VISIT = time(8, 0)
BETWEEN = timedelta(minutes=36)
VISITS_A_DAY = 14
MIDDLE_MS = 9000.0
"""What reading an item aloud and answering it takes, in the middle."""


@dataclass(frozen=True)
class Visit:
    """One household: who was found there, and what came of it."""

    unit: PrimaryUnit
    resident: int
    outcome: int


def household_queues(
    wave: Wave,
    questionnaire: Questionnaire,
    population: Population,
    frame: Sequence[PrimaryUnit],
    days: Sequence[date],
) -> tuple[Queue, ...]:
    """The visits of each interviewer; the devices are of the wave's centres, one after another."""
    writer = _Writer(wave, questionnaire, population)
    visits = [
        Visit(unit, int(resident), int(outcome))
        for unit, residents, outcomes in draw_contacts(population, frame)
        for resident, outcome in zip(residents, outcomes, strict=True)
    ]
    order = list(dict.fromkeys(unit.stratum for unit in frame))
    visits.sort(key=lambda visit: order.index(visit.unit.stratum))
    found = []
    for number, (_, own) in enumerate(groupby(visits, key=lambda visit: visit.unit.stratum)):
        centre = sorted(wave.centres)[number % len(wave.centres)]
        responses = tuple(writer.response(visit, seq, days) for seq, visit in enumerate(own, 1))
        found.append(Queue(centre, responses, post=f"interviewer-{number + 1}"))
    return tuple(found)


class _Writer:
    """Draws what the population leaves open (declined answers, the other items, times) and writes responses."""

    def __init__(self, wave: Wave, questionnaire: Questionnaire, population: Population) -> None:
        self.wave, self.questionnaire, self.population = wave, questionnaire, population
        self.rng = np.random.default_rng([population.seed, 15])
        self.index = frozenset(questionnaire.index.items if questionnaire.index else ())
        self.cumulative = {
            item.code: np.cumsum(np.array(shares_of(item, population.model)) / sum(shares_of(item, population.model)))
            for item in questionnaire.items
            if item.options
        }

    def response(self, visit: Visit, seq: int, days: Sequence[date]) -> Mapping[str, Any]:
        answers = self._answers(visit.resident) if visit.outcome == COMPLETE else {}
        durations = self._durations(answers, visit.outcome == BROKEN_OFF)
        start = self._start(seq, days)
        end = start + timedelta(milliseconds=sum(durations.values()) + 1500)
        return {
            "uuid": str(uuid.UUID(bytes=self.rng.bytes(16), version=4)),
            "seq": seq,
            "wave": self.wave.id,
            "questionnaire": self.wave.questionnaire,
            "version": self.wave.version,
            "language": "vi",
            "field": None,
            "psu": visit.unit.psu,
            "mode": "assisted",
            "recruitment": "invited",
            "disposition": DISPOSITIONS[visit.outcome],
            "part": None,
            "answers": answers,
            "started": _stamp(start),
            "submitted": _stamp(end),
            "durations": durations,
            "paradata": {"simulated": 1, "items_seen": len(durations)},
        }

    def _start(self, seq: int, days: Sequence[date]) -> datetime:
        """The hour of an interviewer's visit number `seq`; who has more visits than days begins with the first again."""
        day, visit = divmod(seq - 1, VISITS_A_DAY)
        local = datetime.combine(days[day % len(days)], FIRST_VISIT, VIETNAM) + visit * BETWEEN
        return (local + timedelta(seconds=int(self.rng.integers(0, 600)))).astimezone(UTC)

    def _answers(self, resident: int) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for item in self.questionnaire.items:
            if not item.options_from and asked(self.questionnaire, item, given):
                value = self._answer(item, resident)
                if value is not None:
                    given[item.code] = value
        return given

    def _answer(self, item: Item, resident: int) -> Any:
        model, known = self.population.model.answering, self.population.codes.get(item.code)
        if known is not None:
            share = model.decline if item.code in self.index else model.decline_demographics * (item.code in MARGINS)
            return DECLINED if item.decline and self.rng.random() < share else int(known[resident])
        if item.kind == "text":
            written = self.rng.random() < model.comment
            return COMMENTS["vi"][int(self.rng.integers(3))] if written else DECLINED if item.required else None
        if item.kind == "number":
            low = item.minimum or 0
            return int(self.rng.integers(low, (low + 10 if item.maximum is None else item.maximum) + 1))
        if item.decline and self.rng.random() < model.decline:
            return DECLINED
        if item.kind == "choices":
            return self._several(item)
        return self._one(item)

    def _one(self, item: Item) -> int:
        place = int(np.searchsorted(self.cumulative[item.code][:-1], self.rng.random(), side="right"))
        return item.options[place].code

    def _several(self, item: Item) -> list[int]:
        """Each option with its own chance, and at least one."""
        chances = self.population.model.answers.get(item.code, (0.5,) * len(item.options))
        drawn = self.rng.random(len(item.options)) < np.array(chances)
        chosen = [option.code for option, one in zip(item.options, drawn, strict=True) if one]
        return chosen or [self._one(item)]

    def _durations(self, answers: Mapping[str, Any], broken: bool) -> dict[str, int]:
        """Milliseconds an item; who breaks off saw only the first few."""
        seen = list(answers)
        if broken:
            order = [item.code for item in self.questionnaire.items if not item.conditions]
            seen = order[: int(self.rng.integers(1, max(2, len(order) // 2)))]
        spent = MIDDLE_MS * np.exp(0.4 * self.rng.standard_normal(len(seen)))
        return {code: int(ms) for code, ms in zip(seen, spent, strict=True)}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
