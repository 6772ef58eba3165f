"""One completed form as it travels: strict parsing of what a device sends, and the canonical way back to plain data.

`Response`, `parse_response`, `as_json`, `ResponseError`. Nothing here knows a questionnaire: whether the answers fit
their form is for `questionnaire.check`. Whatever the protocol does not name is refused, each problem with a code and a
place; what a citizen wrote is never repeated in a problem.
"""

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from survey_app.problems import Problem, SipasError

Answer = int | tuple[int, ...] | str

MODES = ("kiosk", "assisted", "page", "paper", "import")
PAGE_MODES = ("page", "assisted")  # what a page without JavaScript sends has no number: nothing counts there
RECRUITMENTS = ("walk_up", "invited", "staff_asked")
DISPOSITIONS = ("complete", "broken_off", "refused", "not_at_home")

MAX_PROBLEMS = 20
MAX_TEXT = 4_000
MAX_MARKS = 30  # combining marks in a row, as in Unicode's stream-safe format; normalising longer runs takes very long
MAX_ITEMS = 300
MAX_FORMS = 64  # so many sets of names are remembered as agreed
MAX_NAME = 150  # no pattern of a name allows more; longer ones are not even remembered as wrong
MAX_CHOICES = 100
MAX_PARADATA = 50
MAX_SEQ = 2**53 - 1
MAX_NUMBER = 2**31 - 1
MAX_DURATION_MS = 86_400_000

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_CODE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8}){0,2}")
_ITEM = re.compile(r"[A-Z][A-Z0-9_]{0,31}(\.[A-Z0-9_]{1,32}){0,3}")
_BLOCK = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,31}")
_NAME = re.compile(r"[a-z][a-z0-9_]{0,31}")
_TIME = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)", re.ASCII)
_EARLIEST = datetime(1969, 12, 31, tzinfo=UTC)  # a tablet whose clock was reset still counts; the server corrects it
_LATEST = datetime(2200, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Response:
    """One completed (or broken-off) form. Times are aware, UTC, whole milliseconds; texts are NFC."""

    uuid: str
    seq: int | None
    wave: str
    questionnaire: str
    version: str
    language: str
    field: str | None
    psu: str | None
    mode: str
    recruitment: str
    disposition: str
    part: Mapping[str, tuple[int, int]] | None
    answers: Mapping[str, Answer]
    started: datetime
    submitted: datetime
    durations: Mapping[str, int]
    paradata: Mapping[str, int]


KEYS = tuple(Response.__dataclass_fields__)


@dataclass(frozen=True)
class ResponseProblem(Problem):
    """A problem with a code for machines; `where` is the place inside the response, such as `answers.II.A1`."""

    code: str = field(default="refused", kw_only=True)


class ResponseError(SipasError):
    """What was sent is not a response of the protocol."""

    problems: tuple[ResponseProblem, ...]

    @property
    def errors(self) -> tuple[str, ...]:
        """`place:code` of every problem, fit for a log and for the protocol's `errors`."""
        return tuple(f"{problem.where}:{problem.code}" for problem in self.problems)


def parse_response(raw: object) -> Response:
    """Plain data, as JSON gives it, to a Response; `ResponseError` names what does not belong.

    Nothing but `ResponseError` is raised, whatever `raw` is. Parsing what `as_json` gives returns the same response.
    """
    found = _Found()
    if not isinstance(raw, dict):
        found.add("wrong_type", "response", "the response is not an object", "send one JSON object")
        raise ResponseError(found.problems)
    for key in raw:
        if key not in KEYS:
            found.add("unknown_key", _safe(key), "a key the protocol does not know", "leave it out")
    values = {key: _READERS[key](raw[key], key, found) for key in KEYS if key in raw}
    for key in KEYS:
        if key not in raw:
            found.add("missing", key, "a key of the protocol is missing", "send every key, null where allowed")
    _check_together(values, raw, found)
    if found.problems:
        raise ResponseError(found.problems)
    return Response(**values)


def as_json(response: Response) -> dict[str, Any]:
    """Canonical plain data: whole numbers, lists, texts; times RFC 3339 in UTC with milliseconds and Z."""
    part = response.part
    return {
        "uuid": response.uuid,
        "seq": response.seq,
        "wave": response.wave,
        "questionnaire": response.questionnaire,
        "version": response.version,
        "language": response.language,
        "field": response.field,
        "psu": response.psu,
        "mode": response.mode,
        "recruitment": response.recruitment,
        "disposition": response.disposition,
        "part": None if part is None else {block: list(drawn) for block, drawn in part.items()},
        "answers": {
            item: list(value) if isinstance(value, tuple) else value for item, value in response.answers.items()
        },
        "started": _stamp(response.started),
        "submitted": _stamp(response.submitted),
        "durations": dict(response.durations),
        "paradata": dict(response.paradata),
    }


def tidy_text(text: str) -> str:
    """Text as it is kept: NFC, lines ended by a line feed alone (browsers send two characters), marks in reason."""
    return _cut(unicodedata.normalize("NFC", _cut(text.replace("\r\n", "\n"))))


def _cut(text: str) -> str:
    return "".join(sign for sign, run in _marked(text) if run <= MAX_MARKS)


def _buried(text: str) -> bool:
    return any(run > MAX_MARKS for _, run in _marked(text))


def _marked(text: str) -> Iterator[tuple[str, int]]:
    """Each character with how many combining marks in a row end there."""
    run = 0
    for sign in text:
        run = run + 1 if unicodedata.combining(sign) else 0
        yield sign, run


def _stamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


class _Found:
    """Problems so far; stops collecting when there are plenty, so that rubbish cannot fill a log."""

    def __init__(self) -> None:
        self.problems: list[ResponseProblem] = []

    def add(self, code: str, where: str, what: str, remedy: str) -> None:
        if len(self.problems) < MAX_PROBLEMS:
            self.problems.append(ResponseProblem(what, where, remedy, code=code))


def _safe(key: object) -> str:
    """A sender's key as a place to name: as it is if it looks like one, else hidden."""
    return key if isinstance(key, str) and _CODE.fullmatch(key) else "(key)"


def _check_together(values: Mapping[str, Any], raw: Mapping[Any, Any], found: _Found) -> None:
    if raw.get("seq", 0) is None and values.get("mode") in MODES and values["mode"] not in PAGE_MODES:
        found.add("missing", "seq", "no number, and not from a page", "number the responses of a device from 1")
    started, submitted = values.get("started"), values.get("submitted")
    if started and submitted and submitted < started:
        found.add("before_started", "submitted", "handed in before it was started", "send both from one clock")


# ---- one reader a kind of value: (value, place, found) -> the value, or None once a problem is noted


def _string(pattern: re.Pattern[str], wanted: str, code: str = "bad_value") -> Any:
    def read(value: object, place: str, found: _Found) -> str | None:
        if not isinstance(value, str):
            found.add("wrong_type", place, "not a text", f"send {wanted}")
        elif not pattern.fullmatch(value):
            found.add(code, place, "not of the form agreed", f"send {wanted}")
        else:
            return value
        return None

    return read


def _one_of(words: tuple[str, ...]) -> Any:
    def read(value: object, place: str, found: _Found) -> str | None:
        if not isinstance(value, str):
            found.add("wrong_type", place, "not a text", "send one of: " + ", ".join(words))
        elif value not in words:
            found.add("bad_value", place, "not one of the words agreed", "send one of: " + ", ".join(words))
        else:
            return value
        return None

    return read


def _or_null(read: Any) -> Any:
    return lambda value, place, found: None if value is None else read(value, place, found)


def _integer(lowest: int, highest: int) -> Any:
    def read(value: object, place: str, found: _Found) -> int | None:
        if type(value) is not int:
            found.add("wrong_type", place, "not a whole number", f"send a whole number, {lowest} to {highest}")
        elif not lowest <= value <= highest:
            found.add("out_of_range", place, "too small or too large", f"send a whole number, {lowest} to {highest}")
        else:
            return value
        return None

    return read


def _mapping(keys: re.Pattern[str], most: int, read: Any, numbers: range = range(0)) -> Any:
    """An object of agreed names; whole numbers in `numbers` need no further reading."""

    @functools.lru_cache(maxsize=1024)  # the names of one form come again with every response
    def agreed(key: str) -> bool:
        return keys.fullmatch(key) is not None

    forms: set[tuple[str, ...]] = set()  # all names of a response that were agreed before: two lookups, not hundreds

    def plain(value: dict[Any, Any]) -> bool:
        """Names known together, and whole numbers that need no further reading."""
        if not value or tuple(value) not in forms or set(map(type, value.values())) != {int}:
            return False
        return min(value.values()) in numbers and max(value.values()) in numbers

    def remember(known: dict[str, Any]) -> None:
        if len(forms) >= MAX_FORMS:
            forms.clear()
        forms.add(tuple(known))

    def read_all(value: object, place: str, found: _Found) -> dict[str, Any]:
        if not isinstance(value, dict):
            found.add("wrong_type", place, "not an object", "send an object, empty if there is nothing")
            return {}
        if len(value) > most:
            found.add("too_many", place, f"more than {most} entries", f"send at most {most}")
            return {}
        if plain(value):
            return dict(value)
        known = {}
        for key, inner in value.items():
            if not isinstance(key, str) or len(key) > MAX_NAME or not agreed(key):
                found.add("bad_key", f"{place}.{_safe(key)}", "a name not of the form agreed", "send agreed names only")
            elif type(inner) is int and inner in numbers:
                known[key] = inner
            else:
                known[key] = read(inner, f"{place}.{key}", found)
        if len(known) == len(value):
            remember(known)
        return known

    return read_all


_TIME_WANTED = "send RFC 3339 with a zone, such as 2026-11-24T08:30:00.000+07:00"


def _time(value: object, place: str, found: _Found) -> datetime | None:
    if not isinstance(value, str):
        found.add("wrong_type", place, "not a text", _TIME_WANTED)
        return None
    if not _TIME.fullmatch(value):
        found.add("bad_time", place, "not a time with a zone", _TIME_WANTED)
        return None
    if len(value) == 24 and value.endswith("Z") and "T" in value:  # as tablets and `as_json` write it
        return _in_bounds(value, timedelta(), place, found)
    whole, _, rest = value.upper().partition(".")
    zone = re.search(r"(Z|[+-]\d\d:\d\d)\Z", value.upper())
    fraction = re.match(r"\d*", rest)
    milliseconds = int((fraction.group() if fraction else "").ljust(3, "0")[:3])
    text = whole if not rest else whole + (zone.group() if zone else "")
    return _in_bounds(text, timedelta(milliseconds=milliseconds), place, found)


def _in_bounds(text: str, more: timedelta, place: str, found: _Found) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text).astimezone(UTC) + more
    except (ValueError, OverflowError):
        found.add("bad_time", place, "no such time", _TIME_WANTED)
        return None
    if not _EARLIEST <= moment <= _LATEST:
        found.add("bad_time", place, "a time far from ours", _TIME_WANTED)
        return None
    return moment


def _drawn(value: object, place: str, found: _Found) -> tuple[int, int] | None:
    if not isinstance(value, list | tuple) or len(value) != 2 or not all(type(number) is int for number in value):
        found.add("wrong_type", place, "not a pair of whole numbers", "send [k, of]")
    elif not 1 <= value[0] <= value[1] <= MAX_CHOICES:
        found.add("out_of_range", place, "not a part of the whole", f"send [k, of], 1 ≤ k ≤ of ≤ {MAX_CHOICES}")
    else:
        return value[0], value[1]
    return None


def _answer(value: object, place: str, found: _Found) -> Answer | None:
    if isinstance(value, str):
        return _text(value, place, found)
    if not isinstance(value, list | tuple):
        code: int | None = _any_number(value, place, found)
        return code
    if len(value) > MAX_CHOICES:
        found.add("too_many", place, f"more than {MAX_CHOICES} choices", "send each choice once")
        return None
    codes = [_any_number(inner, place, found) for inner in value]
    if None in codes:
        return None
    if len(set(codes)) < len(codes):
        found.add("duplicate", place, "a choice named twice", "send each choice once")
    return tuple(sorted(codes))


def _text(value: str, place: str, found: _Found) -> str | None:
    if len(value) > 3 * MAX_TEXT:  # a decomposed letter is up to three characters
        text = value
    elif _buried(value) or _buried(text := unicodedata.normalize("NFC", value.replace("\r\n", "\n"))):
        found.add("bad_text", place, f"more than {MAX_MARKS} marks on one letter", "send plain text")
        return None
    if len(text) > MAX_TEXT:
        found.add("too_long", place, f"more than {MAX_TEXT} characters", "send less")
        return None
    if any(unicodedata.category(sign) in ("Cc", "Cs") and sign not in "\n\t" for sign in text):
        found.add("bad_text", place, "a control character, or half a character", "send plain text")
        return None
    return text


_any_number = _integer(-MAX_NUMBER, MAX_NUMBER)
_code = _string(_CODE, "a code of letters, digits, dot, hyphen, underscore; at most 40")

_READERS: Mapping[str, Any] = {
    "uuid": _string(_UUID, "a UUID of version 4 in lower case", "bad_uuid"),
    "seq": _or_null(_integer(1, MAX_SEQ)),
    "wave": _code,
    "questionnaire": _code,
    "version": _code,
    "language": _string(_LANGUAGE, "a language such as vi"),
    "field": _or_null(_code),
    "psu": _or_null(_code),
    "mode": _one_of(MODES),
    "recruitment": _one_of(RECRUITMENTS),
    "disposition": _one_of(DISPOSITIONS),
    "part": _or_null(_mapping(_BLOCK, MAX_CHOICES, _drawn)),
    "answers": _mapping(_ITEM, MAX_ITEMS, _answer, range(-MAX_NUMBER, MAX_NUMBER + 1)),
    "started": _time,
    "submitted": _time,
    "durations": _mapping(_ITEM, MAX_ITEMS, _integer(0, MAX_DURATION_MS), range(MAX_DURATION_MS + 1)),
    "paradata": _mapping(_NAME, MAX_PARADATA, _integer(-MAX_NUMBER, MAX_NUMBER)),
}
