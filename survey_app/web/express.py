"""The short way for what devices send most: `POST /api/v1/responses`, whole at once (with TLS: from the second on).

`Express`, `Parcel`. One plain shape of request is taken, and answered with 200 or not at all. Everything else (another
header, a body that is not whole yet, an unknown token, a limit, a store in trouble) takes the ordinary way from its
first byte, through gunicorn and Flask, and gets the ordinary answer; a response that was stored before that is told as
stored already. What is read, checked and stored is the same code on both ways (`body`, `intake`), so is the answer.

The request is read in the writing thread, before its transaction: a hand-over between threads costs more than that.
"""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from survey_app.problems import Problem, SipasError
from survey_app.store import Store
from survey_app.web.body import MAX_BODY_BYTES, SENDING_KEYS, Sending, parse_object, sending_of
from survey_app.web.context import Services
from survey_app.web.intake import read_responses, take_in
from survey_app.web.security import HEADERS, HSTS
from survey_app.writer import Call

ROUTE = "/api/v1/responses"
MAX_HEAD = 4096
BYTES_A_CALL = 4096
"""A longer body counts as several calls of a commit."""

_LINE = f"POST {ROUTE} HTTP/1.1\r\n".encode("ascii")
_HEADER = re.compile(rb"([A-Za-z0-9-]+): ?([!-~](?:[ -~]*[!-~])?)\r\n")
_TOKEN = re.compile(r"[Bb]earer ([A-Za-z0-9_-]{1,200})")
_JSON = re.compile(r"application/json(; ?charset=utf-8)?", re.IGNORECASE)
_HARMLESS = frozenset(
    (
        "host", "user-agent", "accept", "accept-language", "accept-encoding", "origin", "referer", "cache-control",
        "pragma", "priority", "dnt", "sec-fetch-site", "sec-fetch-mode", "sec-fetch-dest", "sec-ch-ua",
        "sec-ch-ua-mobile", "sec-ch-ua-platform", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "x-request-id",
    )
)  # fmt: skip
"""Headers that change nothing of the answer; with any other one the request takes the ordinary way."""


@dataclass(frozen=True)
class Parcel:
    """A request that can take the short way."""

    token: str
    body: bytes
    forwarded_proto: str

    @classmethod
    def of(cls, data: bytes) -> "Parcel | None":
        """The request, if these bytes are one, whole, of the plain shape, with nothing behind it."""
        end = data.find(b"\r\n\r\n", 0, MAX_HEAD)
        if end < 0 or not data.startswith(_LINE):
            return None
        headers = _headers(data[len(_LINE) : end + 2])
        if headers is None:
            return None
        token = _TOKEN.fullmatch(headers.pop("authorization", ""))
        length = headers.pop("content-length", "")
        proto = headers.pop("x-forwarded-proto", "")
        plain = (
            token is not None
            and _JSON.fullmatch(headers.pop("content-type", ""))
            and headers.pop("connection", "keep-alive").lower() == "keep-alive"
            and length.isdecimal()
            and len(length) <= 8
            and int(length) == len(data) - end - 4 <= MAX_BODY_BYTES
            and proto in ("", "http", "https")
            and "host" in headers
            and headers.keys() <= _HARMLESS
        )
        return cls(token[1], data[end + 4 :], proto) if plain and token else None


def _headers(lines: bytes) -> dict[str, str] | None:
    """Names in small letters; None where a line is not plain, or a name comes twice."""
    found: dict[str, str] = {}
    at = 0
    while at < len(lines):
        line = _HEADER.match(lines, at)
        if line is None:
            return None
        name = line[1].decode("ascii").lower()
        if name in found:
            return None
        found[name] = line[2].decode("ascii")
        at = line.end()
    return found


class NotThisWay(SipasError):
    """The request has to take the ordinary way; nothing was stored."""


Answered = Callable[[bytes | None], None]


class Express:
    """Sends parcels to the writer. `answered` is called in its thread: with the answer's content, or None: see above."""

    def __init__(self, provided: Services) -> None:
        self._provided = provided

    def send(self, parcel: Parcel, answered: Answered) -> None:
        self._provided.writer.put(_Order(self._provided, parcel, answered))


class _Order(Call):
    def __init__(self, provided: Services, parcel: Parcel, answered: Answered) -> None:
        self._provided = provided
        self._parcel = parcel
        self._answered = answered
        self._received: datetime = provided.now()
        self._sending: Sending
        self._answer: dict[str, object]
        self.size = 1 + len(parcel.body) // BYTES_A_CALL

    def prepare(self) -> None:
        self._sending = sending_of(parse_object(self._parcel.body, SENDING_KEYS))
        self._read = read_responses(self._sending)

    def work(self, store: Store) -> None:
        device = store.device_by_token(self._parcel.token)
        if device is None or self._provided.limit.spend(device.id, max(1, len(self._sending.responses))):
            raise NotThisWay(Problem("the device is unknown, or sends too fast", "token", "wait, or enrol anew"))
        self._answer = take_in(self._provided, store, device, self._sending, self._read, self._received)

    def done(self) -> None:
        self._answered(json.dumps(self._answer, separators=(",", ":")).encode("ascii") + b"\n")

    def failed(self, error: BaseException) -> None:
        self._answered(None)


def answer_head(*, secure: bool) -> bytes:
    """All headers of an answer of the API that never change."""
    fixed = {
        "Content-Type": "application/json",
        **HEADERS,
        **({"Strict-Transport-Security": HSTS} if secure else {}),
        "Cache-Control": "no-store",
        # Nobody keeps it, and it is not worth compressing; but the ordinary way might, and says so.
        "Vary": "Accept-Encoding",
    }
    return "".join(f"{name}: {value}\r\n" for name, value in fixed.items()).encode("ascii")
