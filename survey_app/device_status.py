"""What the server knows of its tablets: who is silent, what never arrived, what came twice, whose clock is wrong.

`look`, `Condition`, `notes`, `Note`. Facts by device, and a sentence for each that somebody should see to.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from survey_app.access import CODE_LIFE
from survey_app.model import VIETNAM, Device, Wave
from survey_app.problems import Problem
from survey_app.store import Store, StoreError
from survey_app.store.recording import CLOCK_TOLERANCE
from survey_app.store.standing import Sent

ACTIVE_DAYS = 14
"""Over so many days before the last contact it is counted on how many the device was heard of."""
RANGES_NAMED = 5


@dataclass(frozen=True)
class Condition:
    """One device. Ranges of numbers include both ends.

    `gaps`: never arrived, though later ones did. `tail`: given by its own word, after the last that arrived; they wait
    in its queue, or are lost. `active`: on how many of the ACTIVE_DAYS up to the last contact it was heard of.
    `working_days_silent`: whole days from Monday to Friday that have passed since; holidays are not known here.
    """

    device: Device
    expected: bool
    """Whether an open wave waits for it now."""
    responses: int
    highest: int
    gaps: tuple[tuple[int, int], ...]
    tail: tuple[int, int] | None
    used_twice: int
    conflicts: int
    rejected: int
    active: int
    hours_silent: float | None
    working_days_silent: int
    code_expired: bool

    @property
    def state(self) -> str:
        device = self.device
        if device.revoked:
            return "revoked"
        return "enrolled" if device.enrolled else "code ran out" if self.code_expired else "awaits its code"


@dataclass(frozen=True)
class Note:
    """What needs attention, and what to do; `kind` is for machines."""

    device: str
    kind: str
    what: str
    remedy: str


def look(store: Store, now: datetime, target: str | None = None, wave: str | None = None) -> tuple[Condition, ...]:
    """The devices of a centre, or one of them, or all; with `wave` those that take part in it, and its responses."""
    with store.snapshot():
        devices = _chosen(store, target, store.wave(wave) if wave is not None else None)
        known = _Known(store.sent(wave), store.active_days(ACTIVE_DAYS), _asking(store))
        return tuple(_condition(store, device, now, known) for device in devices)


def _chosen(store: Store, target: str | None, wave: Wave | None) -> tuple[Device, ...]:
    devices = store.devices()
    if target is not None:
        kept = tuple(device for device in devices if target in (device.id, device.centre))
        if not kept and target not in {centre.code for centre in store.centres()}:
            problem = Problem(f"there is no centre and no device {target!r}", "TARGET", "see: sipas device list")
            raise StoreError(problem)
        devices = kept
    if wave is not None:
        devices = tuple(
            device
            for device in devices
            if device.centre in wave.centres and (device.purpose, device.simulated) == (wave.kind, wave.simulated)
        )
    return devices


@dataclass(frozen=True)
class _Known:
    """What is read once for all devices."""

    sent: Mapping[str, Sent]
    active: Mapping[str, int]
    asking: frozenset[tuple[str, str, bool]]


def _asking(store: Store) -> frozenset[tuple[str, str, bool]]:
    """Centre, kind and whether simulated, of every open wave."""
    return frozenset(
        (centre, wave.kind, wave.simulated)
        for wave in store.waves()
        if wave.status == "open"
        for centre in wave.centres
    )


def _condition(store: Store, device: Device, now: datetime, known: _Known) -> Condition:
    sent = known.sent.get(device.id, Sent())
    last_seq = max(device.last_seq, sent.highest)
    missing = store.missing(device.id, last_seq) if last_seq else ()
    seen = device.last_seen
    return Condition(
        device=device,
        expected=(device.centre, device.purpose, device.simulated) in known.asking,
        responses=sent.responses,
        highest=sent.highest,
        gaps=tuple(gap for gap in missing if gap[0] < sent.highest),
        tail=(sent.highest + 1, last_seq) if last_seq > sent.highest else None,
        used_twice=sent.used_twice,
        conflicts=sent.conflicts,
        rejected=sent.rejected,
        active=known.active.get(device.id, 0),
        hours_silent=round((now - seen) / timedelta(hours=1), 1) if seen else None,
        working_days_silent=_working_days(seen, now) if seen else 0,
        code_expired=device.enrolled is None and now > device.created + CODE_LIFE,
    )


def _working_days(since: datetime, until: datetime) -> int:
    """Whole days from Monday to Friday between the two, by the calendar of Vietnam."""
    first, last = (at.astimezone(VIETNAM).date() for at in (since, until))
    return sum((first + timedelta(days=after)).weekday() < 5 for after in range(1, (last - first).days))


# ---- what needs attention

_Found = tuple[str, str, str]


def notes(conditions: Sequence[Condition]) -> tuple[Note, ...]:
    """A note for each thing that somebody should see to, device by device, what touches answers first."""
    usual = _usual_app(conditions)
    return tuple(
        Note(one.device.id, kind, what, remedy)
        for one in conditions
        for kind, what, remedy in (*_of_answers(one), *(() if one.device.revoked else _of_the_device(one, usual)))
    )


def _of_answers(one: Condition) -> Iterator[_Found]:
    dead = one.device.revoked is not None
    if one.conflicts:
        what = f"{_responses(one.conflicts)} came again with other content under a known uuid; both are kept"
        yield "conflict", what, "Find out who altered the tablet's storage, or wrote a client of their own"
    if one.used_twice:
        what = f"{_numbers(one.used_twice)} given to several responses; all are kept"
        yield "used_twice", what, "Its storage was set back, or copied to a second tablet: enrol it anew"
    if one.gaps:
        count = sum(last - first + 1 for first, last in one.gaps)
        what = f"{_numbers(count)} never arrived, though later ones did: {_ranges(one.gaps)}"
        yield "gap", what, _TAKE_OVER if dead else "It sends them by itself if it has them: open its staff page"
    if one.tail:
        count = one.tail[1] - one.tail[0] + 1
        what = f"it has given {_numbers(count)} that did not arrive: {_ranges([one.tail])}"
        yield "tail", what, _TAKE_OVER if dead else "They wait in its queue, or are lost: open its staff page"
    if one.rejected:
        what = f"{_responses(one.rejected)} refused for good, which stay on the tablet for staff"
        yield "rejected", what, "The audit has the reasons (events of kind rejected)"


_TAKE_OVER = "It is revoked: export the answers from its staff page, then sipas device import"


def _of_the_device(one: Condition, usual_app: str | None) -> Iterator[_Found]:
    device = one.device
    if one.code_expired:
        yield "never_enrolled", "it was never enrolled, and its code has run out", "Make a new one: sipas device add"
    if one.expected and one.working_days_silent and not device.simulated:
        what = f"no sign of life for {one.hours_silent:.0f} hours; heard of on {one.active} of the {ACTIVE_DAYS} days before"
        yield "silent", what, "Ask the centre whether it is switched on and has network"
    offset = timedelta(milliseconds=device.offset_ms or 0)
    if abs(offset) > CLOCK_TOLERANCE:
        what = f"its clock is {_length(abs(offset))} {'behind' if offset > timedelta() else 'ahead'}"
        yield "clock", what, "Its times are corrected and flagged; set it to automatic time"
    if usual_app and device.app and device.app != usual_app and one.expected and not one.working_days_silent:
        yield "app", f"it runs {device.app}, most run {usual_app}", "Let it load the page anew with network"


def _usual_app(conditions: Sequence[Condition]) -> str | None:
    """The program that more than half of those heard of lately run."""
    apps = Counter(one.device.app for one in conditions if one.device.app and not one.working_days_silent)
    for app, count in apps.most_common(1):
        return app if 2 * count > apps.total() else None
    return None


def _responses(count: int) -> str:
    return "1 response" if count == 1 else f"{count} responses"


def _numbers(count: int) -> str:
    return "1 number" if count == 1 else f"{count} numbers"


def _ranges(ranges: Sequence[tuple[int, int]]) -> str:
    named = [str(first) if first == last else f"{first}–{last}" for first, last in ranges[:RANGES_NAMED]]
    more = f" and {len(ranges) - RANGES_NAMED} more ranges" if len(ranges) > RANGES_NAMED else ""
    return ", ".join(named) + more


def _length(offset: timedelta) -> str:
    minutes = round(offset / timedelta(minutes=1))
    if minutes < 120:
        return f"{minutes} minutes"
    return f"{minutes // 60} hours" if minutes < 2880 else f"{minutes // 1440} days"
