"""What a citizen's pages carry from one to the next, since nothing of an unfinished form is stored.

`Sheet`, `new_sheet`, `read_sheet`, `is_psu`, `SheetError`. It travels in hidden fields, beside the answers (`forms.py`). Every
value is read strictly: who tampers with it is shown the start again, and harms no one else.
"""

import re
import uuid as uuids
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from survey_app.model import moment, stamp
from survey_app.response import MAX_CHOICES, MAX_DURATION_MS, MAX_ITEMS
from survey_app.web.messages import LANGUAGES

SIZES = (1, 2, 3)
COUNTERS = ("backs", "language_changes", "unanswered")
MAX_COUNT = 999
MORE_TIME = 10
"""Who asks for more time gets ten times as much (WCAG 2.2.1)."""
WRITING_TIME = 3
INTERVIEW_TIME = 10
"""In a household people talk between two touches, and an interview that is given up is lost."""
GRACE = timedelta(seconds=30)

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", re.ASCII)
_WAVE = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SCREEN = re.compile(r"[A-Z][A-Z0-9_.]{0,63}")
_PSU = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_DURATION = "d-"


class SheetError(Exception):
    """The hidden fields are not ours."""


@dataclass(frozen=True)
class Sheet:
    """`shown` is when the page at hand was made; `screen` is where the citizen is, empty on the start page.

    `psu` is the village of an interview, empty at a counter. `part` is the number of the part of the form that was drawn
    for this citizen, 0 where everything is asked.
    """

    uuid: str
    started: datetime
    wave: str
    shown: datetime
    language: str = "vi"
    size: int = 1
    slow: bool = False
    screen: str = ""
    psu: str = ""
    part: int = 0
    durations: Mapping[str, int] = field(default_factory=dict)
    counts: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(COUNTERS, 0))

    def hidden(self) -> list[tuple[str, str]]:
        """The hidden fields, in order."""
        return [
            ("uuid", self.uuid),
            ("started", stamp(self.started)),
            ("wave", self.wave),
            ("shown", stamp(self.shown)),
            ("language", self.language),
            ("size", str(self.size)),
            ("slow", str(int(self.slow))),
            ("screen", self.screen),
            *([("psu", self.psu)] if self.psu else []),
            *([("part", str(self.part))] if self.part else []),
            *((name, str(self.counts[name])) for name in COUNTERS),
            *((_DURATION + screen, str(spent)) for screen, spent in self.durations.items()),
        ]

    def counted(self, name: str) -> "Sheet":
        return replace(self, counts={**self.counts, name: min(MAX_COUNT, self.counts[name] + 1)})

    def timed(self, now: datetime) -> "Sheet":
        """The time since the page was made, added to its screen's."""
        spent = max(0, int((now - self.shown) / timedelta(milliseconds=1)))
        total = min(MAX_DURATION_MS, self.durations.get(self.screen, 0) + spent)
        return replace(self, durations={**self.durations, self.screen: total})

    def patience(self, idle_seconds: int, *, writing: bool) -> int:
        """After how many seconds without a touch the page goes back to the start."""
        times = MORE_TIME if self.slow else WRITING_TIME if writing else 1
        return idle_seconds * times * (INTERVIEW_TIME if self.psu else 1)


def new_sheet(wave: str, now: datetime, *, size: int = 1, slow: bool = False, psu: str = "") -> Sheet:
    """A fresh sheet with a fresh uuid."""
    return Sheet(str(uuids.uuid4()), now, wave, now, size=size, slow=slow, psu=psu)


def read_sheet(sent: Mapping[str, str]) -> Sheet:
    """The sheet that came back; `SheetError` when it is not one of ours."""
    try:
        return Sheet(
            uuid=_match(_UUID, sent["uuid"]),
            started=_moment(sent["started"]),
            wave=_match(_WAVE, sent["wave"]),
            shown=_moment(sent["shown"]),
            language=_one_of(LANGUAGES, sent["language"]),
            size=int(_one_of(("1", "2", "3"), sent["size"])),
            slow=_one_of(("0", "1"), sent["slow"]) == "1",
            screen=sent["screen"] and _match(_SCREEN, sent["screen"]),
            psu=sent.get("psu", "") and _match(_PSU, sent["psu"]),
            part=_count(sent.get("part", "0"), MAX_CHOICES),
            durations=_durations(sent),
            counts={name: _count(sent[name], MAX_COUNT) for name in COUNTERS},
        )
    except (KeyError, ValueError) as error:
        raise SheetError(str(error)) from None


def is_psu(text: str) -> bool:
    """Whether a text has the form of a village's code."""
    return _PSU.fullmatch(text) is not None


def _moment(text: str) -> datetime:
    """A time that a response can carry: what a visit noted must never be refused when it is recorded."""
    found = moment(_match(_TIME, text))
    if not 2000 <= found.year < 2200:
        raise ValueError("a time far from ours")
    return found


def _durations(sent: Mapping[str, str]) -> dict[str, int]:
    names = [name for name in sent if name.startswith(_DURATION)]
    if len(names) > MAX_ITEMS:
        raise ValueError("more screens than a form has")
    return {_match(_SCREEN, name.removeprefix(_DURATION)): _count(sent[name], MAX_DURATION_MS) for name in names}


def _count(text: str, most: int) -> int:
    if not re.fullmatch(r"[0-9]{1,8}", text) or int(text) > most:
        raise ValueError("not a count")
    return int(text)


def _match(pattern: re.Pattern[str], text: str) -> str:
    if not pattern.fullmatch(text):
        raise ValueError("not of our form")
    return text


def _one_of(words: tuple[str, ...], text: str) -> str:
    if text not in words:
        raise ValueError("not one of our words")
    return text
