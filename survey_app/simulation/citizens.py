"""Simulated citizens: the drawn population as responses of the protocol, ready to be sent.

`Queue`, `form_of`, `queues`. The same wave, model and seed give the same responses to the byte, uuids included: that
is what lets an interrupted simulation go on, and a doubled sending be recognised.
"""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from functools import partial
from typing import Any

import numpy as np

from survey_app.model import VIETNAM, Wave
from survey_app.population import Answers, Visits, World
from survey_app.population.world import Form, Ints
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire import Condition, Item, Part, Questionnaire, asked

DECLINED = -3
OPENS, SHUTS = time(7, 30), time(16, 30)
COMMENTS = {
    "vi": ("(mô phỏng) Chờ hơi lâu.", "(mô phỏng) Công chức hướng dẫn tận tình.", "(mô phỏng) Cần thêm ghế ngồi chờ."),
    "en": ("(simulated) The wait was rather long.", "(simulated) Helpful staff.", "(simulated) More seats, please."),
}


RECRUITED = ("walk_up", "invited", "staff_asked")
REFUSED, INVITE_EVERY = 0.35, 5
"""Share of those invited who refuse, and how many finished customers there are to one who is invited: ours, not measured."""


class SimulationError(SipasError):
    """The wave cannot be simulated, or the server did not take what was sent."""


@dataclass(frozen=True)
class Queue:
    """What one device has to send, in the order given; `seq` counts from 1. `post`: which device, of several a centre."""

    centre: str
    responses: tuple[Mapping[str, Any], ...]
    post: str = ""

    @property
    def key(self) -> str:
        return self.post or self.centre


def form_of(questionnaire: Questionnaire) -> Form:
    """Which items of the index hang on the kind of visit, and which on having made feedback."""
    if questionnaire.index is None or not {"visit", "overall"} <= questionnaire.roles.keys():
        raise SimulationError(
            Problem(
                "the form has no index, or no items with the roles visit and overall",
                f"{questionnaire.id}.{questionnaire.version}.toml",
                "simulate a wave of the form counter",
            )
        )
    causes = {
        code: {condition.item for condition in questionnaire.item(code).conditions}
        for code in questionnaire.index.items
    }
    visit = {questionnaire.roles["visit"]}
    return Form(
        items=tuple(questionnaire.index.items),
        on_result=frozenset(code for code, items in causes.items() if items and items <= visit),
        on_feedback=frozenset(code for code, items in causes.items() if items - visit),
    )


def queues(
    wave: Wave, questionnaire: Questionnaire, world: World, visits: Visits, answers: Answers, centres: Sequence[str]
) -> tuple[Queue, ...]:
    """The responses of those who answer, and the traces of those who walked away, one queue a centre."""
    writer = _Writer(wave, questionnaire, world, visits, answers)
    by_centre: dict[int, list[tuple[datetime, int, str]]] = {}
    for row, disposition in writer.rows():
        by_centre.setdefault(int(visits.centre[row]), []).append((writer.start(row), row, disposition))
    found = []
    for code in centres:
        responses: list[Mapping[str, Any]] = []
        for seq, (_, row, how) in enumerate(sorted(by_centre.get(world.centres.index(code), [])), 1):
            free = responses[-1]["submitted"] if responses else ""
            responses.append(writer.refused(row, seq, free) if how == "refused" else writer.response(row, seq, how))
        found.append(Queue(code, tuple(responses)))
    return tuple(found)


class _Writer:
    """Draws what the population leaves open (hour, language, demographics, times) and writes responses."""

    def __init__(
        self, wave: Wave, questionnaire: Questionnaire, world: World, visits: Visits, answers: Answers
    ) -> None:
        self.wave, self.questionnaire, self.world = wave, questionnaire, world
        self.visits, self.answers = visits, answers
        self.rng = np.random.default_rng([world.seed, 5])
        model, n = world.model, visits.n
        self.completed = np.flatnonzero(visits.responds)
        others = np.flatnonzero(~visits.responds)
        leaving = self.rng.binomial(len(self.completed), model.answering.broken_off)
        self.left = self.rng.choice(others, size=min(leaving, len(others)), replace=False)
        opened = (SHUTS.hour - OPENS.hour) * 3600 + (SHUTS.minute - OPENS.minute) * 60
        self.second = self.rng.integers(0, opened, n)
        self.speeder = self.rng.random(n) < model.answering.speeder
        self.english = self.rng.random(n) < 0.004
        self.assisted = self.rng.random(n) < np.where(visits.age == 4, 0.35, 0.04)
        self.no_field = self.rng.random(n) < model.answering.decline
        self.recruited = self.rng.choice(3, size=n, p=[0.72, 0.08, 0.20])
        self.forms = self._forms(n)
        self.notes = np.random.default_rng([world.seed, 12])  # apart, so that nobody's answers depend on who refused
        self.refusing = self._refusing()
        self.column = {code: place for place, code in enumerate(world.form.items)}
        self.column[questionnaire.roles["overall"]] = len(world.form.items)
        self.drawn = {item.code: self._drawn(item) for item in questionnaire.items if item.kind == "choice"}
        self.sources = self._sources()

    def _refusing(self) -> Ints:
        """Who was invited and refused: of those who did not answer, as many as REFUSED of the invited asks for."""
        asked = np.concatenate([self.completed, self.left])
        accepted = int((self.recruited[asked] == RECRUITED.index("invited")).sum())
        others = np.setdiff1d(np.flatnonzero(~self.visits.responds), self.left)
        number = min(round(accepted * REFUSED / (1 - REFUSED)), len(others))
        chosen: Ints = self.notes.choice(others, size=number, replace=False)
        return chosen

    def rows(self) -> list[tuple[int, str]]:
        kinds = (("complete", self.completed), ("broken_off", self.left), ("refused", self.refusing))
        return [(int(row), disposition) for disposition, rows in kinds for row in rows]

    def start(self, row: int) -> datetime:
        day = self.world.days[self.visits.day[row]]
        local = datetime.combine(day, OPENS, VIETNAM) + timedelta(
            seconds=int(self.second[row]), microseconds=row % 1000
        )
        return local.astimezone(UTC)

    def response(self, row: int, seq: int, disposition: str) -> Mapping[str, Any]:
        broken = disposition == "broken_off"
        form, part = self.forms[row]
        answers = {} if broken else self._answers(form, row)
        durations = self._durations(form, row, answers, broken)
        start = self.start(row)
        end = start + timedelta(milliseconds=sum(durations.values()) + 900)
        return {
            "uuid": str(uuid.UUID(bytes=self.rng.bytes(16), version=4)),
            "seq": seq,
            "wave": self.wave.id,
            "questionnaire": self.wave.questionnaire,
            "version": self.wave.version,
            "language": "en" if self.english[row] else "vi",
            "field": None if self.no_field[row] else self.world.fields[self.visits.field[row]],
            "psu": None,
            "mode": "assisted" if self.assisted[row] else "kiosk",
            "recruitment": RECRUITED[self.recruited[row]],
            "disposition": disposition,
            "part": part,
            "answers": answers,
            "started": _stamp(start),
            "submitted": _stamp(end),
            "durations": durations,
            "paradata": {"simulated": 1, "items_seen": len(durations), "changes": int(self.rng.poisson(0.4))},
        }

    def refused(self, row: int, seq: int, free: str) -> Mapping[str, Any]:
        """What staff note of somebody who was invited and would not: that it was so. Not before the tablet is `free`."""
        at = max(_stamp(self.start(row)), free)
        return {
            "uuid": str(uuid.UUID(bytes=self.notes.bytes(16), version=4)),
            "seq": seq,
            "wave": self.wave.id,
            "questionnaire": self.wave.questionnaire,
            "version": self.wave.version,
            "language": "vi",
            "field": None,
            "psu": None,
            "mode": "kiosk",
            "recruitment": "invited",
            "disposition": "refused",
            "part": None,
            "answers": {},
            "started": at,
            "submitted": at,
            "durations": {},
            "paradata": {"simulated": 1, "invite_every": INVITE_EVERY},
        }

    def _forms(self, n: int) -> list[tuple[Questionnaire, Part | None]]:
        """The form as each citizen meets it, and the part drawn; drawn apart, so that other forms' waves stay the same."""
        whole = self.questionnaire
        if whole.parts is None:
            return [(whole, None)] * n
        every = [(whole.as_drawn(part), part) for part in map(whole.part, range(1, whole.parts.of + 1))]
        drawn = np.random.default_rng([self.world.seed, 6]).integers(0, len(every), n)
        return [every[number] for number in drawn]

    def _answers(self, form: Questionnaire, row: int) -> dict[str, Any]:
        given: dict[str, Any] = {}
        for item in form.items:
            if item.code == self.questionnaire.roles.get("field") or not asked(form, item, given):
                continue
            source = self.sources.get(item.code)
            value = source(row) if source else self._other(item, row)
            if value is not None:
                given[item.code] = value
        return given

    def _sources(self) -> Mapping[str, Callable[[int], int]]:
        """Where each item's answer comes from, for the items the population model knows."""
        roles, visit_codes = self.questionnaire.roles, self.questionnaire.visit_codes
        kinds = {1: visit_codes["filed"], 2: visit_codes["received"], 3: visit_codes["asked"]}
        sources: dict[str, Callable[[int], int]] = {roles["visit"]: lambda row: kinds[int(self.visits.kind[row])]}
        for code, column in self.column.items():
            sources[code] = partial(self._rated, column)
        if "timing" in roles:
            sources[roles["timing"]] = lambda row: int(self.answers.timing[row])
        if "times_back" in roles:
            sources[roles["times_back"]] = lambda row: int(self.answers.back[row])
        for routed in self.world.form.on_feedback:
            for condition in self.questionnaire.item(routed).conditions:
                if condition.item != roles["visit"]:
                    sources[condition.item] = partial(self._feedback, condition)
        return sources

    def _rated(self, column: int, row: int) -> int:
        return DECLINED if self.answers.declined[row, column] else int(self.answers.codes[row, column])

    def _feedback(self, condition: Condition, row: int) -> int:
        options = (int(option.code) for option in self.questionnaire.item(condition.item).options)
        no = next(code for code in options if code not in condition.codes)
        return condition.codes[0] if self.answers.feedback[row] else no

    def _drawn(self, item: Item) -> Ints:
        """Codes for a choice item the population says nothing about: the demographics."""
        model, n = self.world.model, self.visits.n
        codes = np.array([option.code for option in item.options])
        if not len(codes):
            return np.zeros(n, dtype=np.int64)
        if item.code == model.age.item and len(codes) == len(model.age.shares):
            drawn = codes[self.visits.age]
        else:
            shares = model.demographics.get(item.code, ())
            even = len(shares) != len(codes)
            drawn = self.rng.choice(codes, size=n, p=None if even else np.array(shares) / sum(shares))
        declines = item.decline and self.rng.random(n) < model.answering.decline_demographics
        return np.where(declines, DECLINED, drawn)

    def _other(self, item: Item, row: int) -> Any:
        if item.kind == "choice":
            return int(self.drawn[item.code][row])
        if item.kind == "text":
            if self.rng.random() >= self.world.model.answering.comment:
                return DECLINED if item.required else None
            return COMMENTS["en" if self.english[row] else "vi"][int(self.rng.integers(3))]
        if item.kind == "choices":
            return [item.options[int(self.rng.integers(len(item.options)))].code]
        if item.kind == "number":
            low, high = item.minimum or 0, item.maximum if item.maximum is not None else (item.minimum or 0) + 10
            return int(self.rng.integers(low, high + 1))
        return item.options[int(self.rng.integers(len(item.options)))].code

    def _durations(self, form: Questionnaire, row: int, answers: Mapping[str, Any], broken: bool) -> dict[str, int]:
        """Milliseconds an item; someone who walks away saw only the first few."""
        seen = list(answers)
        if broken:
            order = [item.code for item in form.items if not item.ask_if]
            seen = order[: int(self.rng.integers(1, max(2, len(order) - 2)))]
        middle = 350.0 if self.speeder[row] else 3200.0
        spent = middle * np.exp(0.45 * self.rng.standard_normal(len(seen)))
        return {code: int(ms) for code, ms in zip(seen, spent, strict=True)}


def _stamp(moment: datetime) -> str:
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")
