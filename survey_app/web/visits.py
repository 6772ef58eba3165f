"""Citizens who are answering on pages just now, and those who walked away.

`Visits`, `Visit`. Kept in memory only, and of each citizen only how far they came: never an answer. One who walks away
becomes a `broken_off` record under a uuid of its own, so that their form, sent late after all, meets no other content.
"""

import threading
import uuid as uuids
from collections import OrderedDict
from dataclasses import dataclass, replace
from datetime import datetime

from survey_app.model import Device, stamp
from survey_app.questionnaire import Part
from survey_app.response import Response, parse_response

REMEMBERED = 20_000
"""So many uuids of finished visits are known again, so that their pages are never shown to the next citizen."""


@dataclass(frozen=True)
class Visit:
    """How far one citizen came; `until` is when the page will have gone back to the start by itself."""

    device: Device
    uuid: str
    wave: str
    questionnaire: str
    version: str
    language: str
    started: datetime
    seen: datetime
    until: datetime
    screens: int
    total: int
    psu: str = ""
    part: Part | None = None

    def broken_off(self) -> Response:
        """The record of one who walked away: how far, and no answers."""
        return parse_response(
            {
                "uuid": str(uuids.uuid4()),
                "seq": None,
                "wave": self.wave,
                "questionnaire": self.questionnaire,
                "version": self.version,
                "language": self.language,
                "field": None,
                **asked_how(self.psu),
                "disposition": "broken_off",
                "part": self.part,
                "answers": {},
                "started": stamp(min(self.started, self.seen)),
                "submitted": stamp(self.seen),
                "durations": {},
                "paradata": {"screens_done": self.screens, "screens_total": self.total},
            }
        )


def asked_how(psu: str) -> dict[str, str | None]:
    """How a response on our pages came about: read out by an interviewer in a village, or tapped at a counter."""
    if psu:
        return {"psu": psu, "mode": "assisted", "recruitment": "invited"}
    return {"psu": None, "mode": "page", "recruitment": "walk_up"}


class Visits:
    """One for a server; safe to use from its threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: dict[str, Visit] = {}
        self._ended: OrderedDict[str, None] = OrderedDict()

    def note(self, visit: Visit) -> None:
        """A citizen is still there."""
        with self._lock:
            if visit.uuid not in self._ended:
                self._open[visit.uuid] = visit

    def has_ended(self, uuid: str) -> bool:
        with self._lock:
            return uuid in self._ended

    def finish(self, uuid: str) -> None:
        """The form was sent: nothing is left to record."""
        with self._lock:
            self._open.pop(uuid, None)
            self._end(uuid)

    def forget_unbegun(self, device: str) -> None:
        """An interviewer who turns to the next household leaves no trace of one where nothing was answered.

        Such a household is noted as refused, or as not at home, or was begun again after the browser's back button.
        """
        with self._lock:
            for visit in list(self._open.values()):
                if visit.device.id == device and visit.screens == 0 and visit.uuid not in self._ended:
                    del self._open[visit.uuid]
                    self._end(visit.uuid)

    def stop(self, uuid: str, now: datetime) -> None:
        """The citizen chose to stop: as good as walked away."""
        with self._lock:
            self._end(uuid)
            if uuid in self._open:
                self._open[uuid] = replace(self._open[uuid], until=now)

    def take_away(self, now: datetime) -> tuple[Visit, ...]:
        """Those who stopped, or whose page has gone back to the start by itself; each is given out once."""
        with self._lock:
            gone = tuple(visit for visit in self._open.values() if visit.until <= now)
            for visit in gone:
                del self._open[visit.uuid]
                self._end(visit.uuid)
            return gone

    def give_back(self, visits: tuple[Visit, ...]) -> None:
        """They could not be recorded: try again later."""
        with self._lock:
            self._open.update({visit.uuid: visit for visit in visits})

    def __len__(self) -> int:
        with self._lock:
            return len(self._open)

    def _end(self, uuid: str) -> None:
        self._ended[uuid] = None
        while len(self._ended) > REMEMBERED:
            self._ended.popitem(last=False)


def by_device(visits: tuple[Visit, ...]) -> tuple[tuple[Visit, ...], ...]:
    """Grouped, since a sending to the store is one device's."""
    names = sorted({visit.device.id for visit in visits})
    return tuple(tuple(visit for visit in visits if visit.device.id == name) for name in names)
