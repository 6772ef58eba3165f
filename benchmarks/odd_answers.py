"""How often honest waves are flagged, and how much of planted fraud is found: the flags of odd answers on simulated waves.

    python -m benchmarks.odd_answers [--waves 20] [--write]

Honest waves are those of `sipas simulate`: 125 centres with a tablet each, 23 days, a twentieth of the citizens tap through
in under a second an item. Their hours are drawn evenly over the day, or, harder, mostly in the two hours of the morning rush; they wait
for the tablet to be free, up to twenty minutes. Each fraud is planted into one device-day of every honest
wave by itself. SIMULATED, seeded: the same figures each time. --write writes docs/benchmarks/odd_answers.md.
"""

import argparse
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import numpy as np

from survey_app.model import VIETNAM, Wave
from survey_app.oddities import FLAGS, Alert, Given, alerts, flagged
from survey_app.population import build_world, draw_answers, draw_visits, load_model
from survey_app.population.world import open_days
from survey_app.province import read_centres
from survey_app.questionnaire import Questionnaire, load, shipped
from survey_app.simulation.citizens import form_of, queues

PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "odd_answers.md"
MONTHS = ("2026-10",)
RUSH, RUSH_SHARE = (time(8), time(10)), 0.7
WAIT, CHANGE = timedelta(minutes=20), timedelta(seconds=10)
SIZES = (6_000, 40_000)
HEADLINE = tuple(name for name in FLAGS if name != "straight_line")
"""The flags whose responses the report leaves out in the row beside the headline."""


# ---- honest waves


def form() -> Questionnaire:
    return load(shipped()["counter", "1"])


def honest(seed: int, responses: int, *, rush: bool = False) -> list[Given]:
    """The completed responses of a simulated wave, as the store would hand them to the flags."""
    counter, model, centres = form(), load_model("counter"), read_centres()
    codes = sorted(centre.code for centre in centres)
    world = build_world(
        model, seed, form=form_of(counter), centres=codes, fields=list(model.fields),
        days=list(open_days(MONTHS, model.visits.open_days, before=date(2027, 1, 1))),
        provincial={centre.code for centre in centres if centre.kind == "province"},
    )  # fmt: skip
    visits = draw_visits(world, np.random.default_rng([seed, 3]), responses)
    answers = draw_answers(world, visits, None, np.random.default_rng([seed, 4]))
    wave = Wave("mo-phong", "counter", {}, counter.id, counter.version, MONTHS, tuple(codes), simulated=True)
    made = queues(wave, counter, world, visits, answers, world.centres)
    items = counter.index.items if counter.index else ()
    given = [
        _given(queue.centre, one, items)
        for queue in made
        for one in queue.responses
        if one["disposition"] == "complete"
    ]
    return _queued(_in_a_rush(given, seed) if rush else given)


def _queued(given: Sequence[Given]) -> list[Given]:
    """One citizen after the other at each tablet; who would have to wait longer than WAIT goes away."""
    free: dict[str, datetime] = {}
    kept = []
    for one in sorted(given, key=lambda one: one.at):
        came = one.at - timedelta(milliseconds=one.spent_ms)
        begin = max(came, free.get(one.device, came))
        if begin - came <= WAIT:
            end = begin + timedelta(milliseconds=one.spent_ms)
            free[one.device] = end + CHANGE
            kept.append(replace(one, at=end))
    return kept


def _given(centre: str, response: Any, items: Sequence[str]) -> Given:
    answers = response["answers"]
    return Given(
        device=f"{centre}-1",
        centre=centre,
        at=datetime.fromisoformat(response["submitted"]).astimezone(VIETNAM),
        mode=response["mode"],
        spent_ms=sum(response["durations"].values()),
        taps=len(answers),
        codes=tuple(answers[item] for item in items if answers.get(item, -1) > 0),
    )


def _in_a_rush(given: Sequence[Given], seed: int) -> list[Given]:
    draw = np.random.default_rng([seed, 9])
    length = (datetime.combine(date.min, RUSH[1]) - datetime.combine(date.min, RUSH[0])).total_seconds()
    moved = []
    for one in given:
        if draw.random() < RUSH_SHARE:
            begin = datetime.combine(one.at.date(), RUSH[0], VIETNAM)
            one = replace(one, at=begin + timedelta(seconds=float(draw.random() * length)))
        moved.append(one)
    return moved


# ---- planted fraud


@dataclass(frozen=True)
class Fraud:
    """`forms` answers of one device on one day, one every `every` seconds from `begin` on."""

    what: str
    begin: time
    forms: int
    every: float
    spent_ms: int
    straight: float

    def plant(self, device: str, centre: str, day: date, seed: int) -> list[Given]:
        """Almost all "very satisfied"; a share `straight` of them in one line."""
        draw = np.random.default_rng([seed, 11])
        begin = datetime.combine(day, self.begin, VIETNAM)
        found = []
        for number in range(self.forms):
            codes = [5] * 13
            if draw.random() >= self.straight:
                codes[int(draw.integers(13))] = 4
            at = begin + timedelta(seconds=number * self.every)
            found.append(Given(device, centre, at, "kiosk", self.spent_ms, 24, tuple(codes)))
        return found


FRAUDS = {
    "night": Fraud("an official fills 40 forms from 20:00 on, one every 40 s", time(20), 40, 40, 30_000, 0.5),
    "burst": Fraud("15 forms, all one line, in 8 minutes at 11:30", time(11, 30), 15, 32, 20_000, 1.0),
    "evening": Fraud("10 careful forms after hours, one every 4 min", time(19, 15), 10, 240, 90_000, 0.2),
    "busy day": Fraud("30 careful forms over the day, one every 15 min", time(8), 30, 900, 90_000, 0.2),
    "patient": Fraud("8 careful forms over the day, one an hour", time(8), 8, 3_600, 90_000, 0.2),
}


def planted(given: Sequence[Given], fraud: Fraud, seed: int) -> tuple[list[Given], tuple[str, date]]:
    """The wave with the fraud on a device-day drawn among those that have answers, and which that is."""
    days = sorted({one.device_day for one in given})
    device, day = days[int(np.random.default_rng([seed, 10]).integers(len(days)))]
    return [*given, *fraud.plant(device, device.removesuffix("-1"), day, seed)], (device, day)


# ---- what is found


@dataclass
class Tally:
    """Of several honest waves."""

    responses: int = 0
    device_days: int = 0
    quiet: int = 0
    waves: int = 0
    flags: Counter[str] = None  # type: ignore[assignment]
    named: Counter[str] = None  # type: ignore[assignment]

    def __post_init__(self) -> None:
        self.flags, self.named = Counter(), Counter()

    def add(self, given: Sequence[Given]) -> None:
        flags = flagged(given)
        found = alerts(given, flags)
        self.responses += len(given)
        self.device_days += len({one.device_day for one in given})
        self.waves += 1
        self.quiet += not found
        self.flags.update({name: sum(flags[name]) for name in FLAGS})
        self.named.update(alert.kind for alert in found)


@dataclass(frozen=True)
class Found:
    """One fraud in one wave: whether its device-day was named, by which flags, and how many forms stay in the row beside."""

    named: tuple[str, ...]
    left_in: float


def look(given: Sequence[Given], fraud: Fraud, seed: int) -> Found:
    wave, place = planted(given, fraud, seed)
    flags = flagged(wave)
    found: tuple[Alert, ...] = alerts(wave, flags)
    kinds = tuple(alert.kind for alert in found if (alert.device, alert.day) == place)
    fakes = range(len(given), len(wave))
    out = sum(any(flags[name][number] for name in HEADLINE) for number in fakes)
    return Found(kinds, 1 - out / len(fakes))


# ---- the page


def study(waves: int, sizes: Sequence[int] = SIZES) -> Iterator[str]:
    """The tables, line by line, as they are found."""
    yield "| honest waves | waves | responses | device-days | " + " | ".join(f"`{name}`" for name in FLAGS) + " |"
    yield "|---|" + "---:|" * (3 + len(FLAGS))
    tallies: dict[str, Tally] = {}
    frauds: dict[tuple[str, int], list[Found]] = {}
    for size in sizes:
        for rush in (False, True):
            name = f"{size:,} responses, {'morning rush' if rush else 'even hours'}"
            tally = tallies[name] = Tally()
            for seed in range(1, max(2, waves * SIZES[0] // size) + 1):
                given = honest(seed, size, rush=rush)
                tally.add(given)
                if not rush:
                    for kind, fraud in FRAUDS.items():
                        frauds.setdefault((kind, size), []).append(look(given, fraud, seed))
            yield _row(name, tally, lambda kind, of=tally: f"{100 * of.flags[kind] / of.responses:.2f} %")
    yield ""
    yield "Share of the responses above; device-days named by `sipas wave odd`, of all waves together, below:"
    yield ""
    yield "| honest waves | waves without any | device-days | " + " | ".join(f"`{name}`" for name in FLAGS) + " |"
    yield "|---|" + "---:|" * (2 + len(FLAGS))
    for name, tally in tallies.items():
        cells = " | ".join(str(tally.named[kind]) for kind in FLAGS)
        yield f"| {name} | {tally.quiet} of {tally.waves} | {tally.device_days:,} | {cells} |"
    yield ""
    yield "| planted in one device-day | wave of | named | by | forms left in the row beside the headline |"
    yield "|---|---:|---:|---|---:|"
    for (kind, size), several in frauds.items():
        yield _found(FRAUDS[kind].what, size, several)


def _row(name: str, tally: Tally, cell: Callable[[str], str]) -> str:
    cells = " | ".join(cell(kind) for kind in FLAGS)
    return f"| {name} | {tally.waves} | {tally.responses:,} | {tally.device_days:,} | {cells} |"


def _found(what: str, size: int, several: Sequence[Found]) -> str:
    named = sum(bool(one.named) for one in several)
    kinds = Counter(kind for one in several for kind in one.named)
    by = ", ".join(f"`{kind}` {kinds[kind]}" for kind in FLAGS if kinds[kind]) or "nothing"
    left = 100 * float(np.mean([one.left_in for one in several]))
    return f"| {what} | {size:,} | {named} of {len(several)} | {by} | {left:.0f} % |"


HEAD = """# Odd answers

`python -m benchmarks.odd_answers --write`

How often honest waves are flagged, and how much of planted fraud is found. Everything here is **simulated**: waves of `sipas simulate`
(one tablet a centre, 125 centres, people waiting for it in turn, 4 % of the citizens tap through in under a second an item, and are rightly flagged `fast`). What the flags mean, and why
their lines lie where they lie: [method.md](../method.md#odd-answers).

"""

TAIL = """
Read it so:

- Of an honest wave two to four device-days in thousands are named for `surge` by chance, with a rush at large tablets a few for `burst`, none for the others. In real waves mobile
  counters, school classes and market days will add to them; none of these is in the simulation. A device-day named deserves a question, no more.
- `straight_line` is what satisfied people honestly give, so a response flagged for it means nothing by itself. Only device-days where they pile up are named.
- Careful fraud inside opening hours, at the pace of the place, is found only where the day was busy already, and cannot be by looking at times: eight forms a day are one more busy
  morning. Against it help one tablet in sight of everybody, invitations one in k, and comparing a centre with its dossiers.
- What is found is also taken out of the row that the report prints beside the headline, but for the last column.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waves", type=int, default=20, help="waves of 6,000 responses; larger ones accordingly fewer")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    options = parser.parse_args()
    lines = []
    for line in study(options.waves):
        print(line, flush=True)
        lines.append(line)
    if options.write:
        PAGE.write_text(HEAD + "\n".join(lines) + "\n" + TAIL, encoding="utf-8")


if __name__ == "__main__":
    main()
