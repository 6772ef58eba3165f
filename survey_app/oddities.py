"""What looks odd about how responses came in: flags that block nothing, and the device-days that need a look.

`Given`, `flagged`, `FLAGS`, `totals`, `by_device_day`, `alerts`, `Alert`, and the thresholds. A flag is a question to people, never a proof: nothing
is refused, changed or left out because of it. How often honest work is flagged, and planted fraud is found:
docs/benchmarks/odd_answers.md.
"""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from statistics import median

FLAGS = ("burst", "night", "straight_line", "surge", "fast")

BURST_COUNT, BURST_TIME = 6, timedelta(minutes=5)
"""Six forms of one tablet completed within five minutes: five changes of person in 60 seconds each, form included. The
16 items alone take a reader about a minute; one tablet serves one citizen at a time."""

OPENS, CLOSES = time(6, 0), time(19, 0)
"""Counters are open from about 7:00 to 17:00. One hour before and two after leave room for early staff and late queues."""

STRAIGHT_ITEMS = 8
"""The same code through all index items answered says little of three items and something of eight: half of the form."""

SURGE_COUNT, SURGE_TIMES = 12, 3.0
"""A device-day with more than three times its usual day, and than the centre's, and with 12 forms at least: a tablet
that usually takes 4 reaches 12 by chance about once in 1,000 days, one that takes 8 reaches 25 less than once in 100,000."""

USUAL_DAYS = 3
"""Fewer other days say nothing of what is usual; then the centre's days are taken, then the wave's."""

FAST_MS, FAST_ITEMS = 1_000, 8
"""Under one second an answer, on average over eight or more. Web panels commonly suspect less than two (Huang et al. 2012,
doi:10.1007/s10869-011-9231-8); half of that leaves those alone who know the scale by the second screen."""

RARE = 0.001
"""A concentration of straight lines or fast answers is named if chance gives one as large, anywhere in the wave, less often."""

DeviceDay = tuple[str, date]

AT_THE_COUNTER = ("kiosk", "page", "assisted")
"""Modes that are answered as they happen. Paper typed in afterwards comes fast, and at any hour."""


@dataclass(frozen=True)
class Given:
    """How one completed response came in.

    at : moment of completion, corrected for the device's clock, in Vietnamese time
    spent_ms, taps : time on the form, and how many answers it took (declined ones too)
    codes : the valid answers to the items of the index
    """

    device: str
    centre: str
    at: datetime
    mode: str
    spent_ms: int
    taps: int
    codes: tuple[int, ...]

    @property
    def device_day(self) -> DeviceDay:
        return self.device, self.at.date()


@dataclass(frozen=True)
class Alert:
    """Why the responses of one device on one day need a look. `usual`: what was to be expected in place of `count`."""

    kind: str
    centre: str
    device: str
    day: date
    count: int
    responses: int
    usual: float


def flagged(given: Sequence[Given]) -> dict[str, list[bool]]:
    """Each flag -> whether it holds, response by response."""
    live = [one.mode in AT_THE_COUNTER for one in given]
    bursts, surges = _bursts(given, live), _surges(given, live)
    return {
        "burst": [place in bursts for place in range(len(given))],
        "night": [flag and not OPENS <= one.at.time() < CLOSES for one, flag in zip(given, live, strict=True)],
        "straight_line": [len(one.codes) >= STRAIGHT_ITEMS and len(set(one.codes)) == 1 for one in given],
        "surge": [flag and one.device_day in surges for one, flag in zip(given, live, strict=True)],
        "fast": [
            flag and one.taps >= FAST_ITEMS and one.spent_ms < FAST_MS * one.taps
            for one, flag in zip(given, live, strict=True)
        ],
    }


def alerts(given: Sequence[Given], flags: Mapping[str, Sequence[bool]]) -> tuple[Alert, ...]:
    """The device-days to look at, by day and device: all with night answers, bursts or a surge; straight lines and fast
    answers only where they pile up beyond the share they have in the whole wave.
    """
    days = defaultdict(list)
    for place, one in enumerate(given):
        days[one.device_day].append(place)
    usual = _surges(given, [one.mode in AT_THE_COUNTER for one in given])
    all_of = totals(flags)
    found = []
    for (device, day), places in sorted(days.items(), key=lambda item: (item[0][1], item[0][0])):
        for kind in FLAGS:
            count = sum(flags[kind][place] for place in places)
            expected = usual.get((device, day), 0.0) if kind == "surge" else 0.0
            if kind in ("straight_line", "fast"):
                # One more is supposed elsewhere: where there is none, a single one must not be a wonder.
                share = (all_of[kind] - count + 1) / (len(given) - len(places) + 1)
                expected = share * len(places)
                if not _is_rare(count, len(places), share, len(days)):
                    continue
            if count:
                found.append(Alert(kind, given[places[0]].centre, device, day, count, len(places), expected))
    return tuple(found)


def _bursts(given: Sequence[Given], live: Sequence[bool]) -> set[int]:
    """Responses inside any run of BURST_COUNT of one device that lasted no longer than BURST_TIME."""
    by_device = defaultdict(list)
    for place, one in enumerate(given):
        if live[place]:
            by_device[one.device].append((one.at, place))
    inside: set[int] = set()
    for moments in by_device.values():
        moments.sort()
        for first in range(len(moments) - BURST_COUNT + 1):
            run = moments[first : first + BURST_COUNT]
            if run[-1][0] - run[0][0] <= BURST_TIME:
                inside.update(place for _, place in run)
    return inside


def _surges(given: Sequence[Given], live: Sequence[bool]) -> dict[DeviceDay, float]:
    """Device-days far above what is usual, each with the larger of the two medians it exceeds."""
    counts = Counter(one.device_day for one, flag in zip(given, live, strict=True) if flag)
    centre_of = {one.device: one.centre for one in given}
    by_device, by_centre = defaultdict(list), defaultdict(list)
    for (device, _), number in counts.items():
        by_device[device].append(number)
        by_centre[centre_of[device]].append(number)
    everywhere = list(counts.values())
    found = {}
    for (device, day), number in counts.items():
        if number < SURGE_COUNT:
            continue
        days = _usual(number, by_centre[centre_of[device]], everywhere)
        if days is None:
            continue
        usual = max(_usual(number, by_device[device]) or 0.0, days)
        if number > SURGE_TIMES * usual:
            found[device, day] = usual
    return found


def _usual(number: int, *choices: list[int]) -> float | None:
    """The median of the other days, of the first choice that has USUAL_DAYS of them."""
    for days in choices:
        if len(days) > USUAL_DAYS:
            others = list(days)
            others.remove(number)
            return float(median(others))
    return None


def _is_rare(count: int, responses: int, share: float, device_days: int) -> bool:
    """Whether so many of them would be less likely than RARE, among as many device-days as there are."""
    if share >= 1 or count <= share * responses:
        return False
    return math.fsum(_binomial(number, responses, share) for number in range(count, responses + 1)) * device_days < RARE


def _binomial(number: int, of: int, share: float) -> float:
    ways = math.lgamma(of + 1) - math.lgamma(number + 1) - math.lgamma(of - number + 1)
    return math.exp(ways + number * math.log(share) + (of - number) * math.log1p(-share))


def totals(flags: Mapping[str, Sequence[bool]]) -> dict[str, int]:
    """How many responses each flag holds for."""
    return {name: sum(flags[name]) for name in FLAGS}


def by_device_day(given: Sequence[Given], flags: Mapping[str, Sequence[bool]]) -> Iterable[Mapping[str, object]]:
    """One row for each device and day with any flag, by day and device."""
    rows: dict[tuple[date, str], Counter[str]] = defaultdict(Counter)
    centre_of = {one.device: one.centre for one in given}
    for place, one in enumerate(given):
        row = rows[one.at.date(), one.device]
        row["responses"] += 1
        row.update(name for name in FLAGS if flags[name][place])
    for (day, device), row in sorted(rows.items()):
        if any(row[name] for name in FLAGS):
            counts = {name: row[name] for name in ("responses", *FLAGS)}
            yield {"centre": centre_of[device], "device": device, "day": day, **counts}
