"""Reading a request's JSON strictly: one encoding, one meaning, bounded in size and depth.

`read_object`, `Sending`, `read_sending`; `parse_object`, `sending_of` of bytes that came another way.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from flask import request

from survey_app.incoming import strict_json
from survey_app.response import MAX_SEQ
from survey_app.web.errors import RETRY_SECONDS, WebProblem

MAX_BODY_BYTES = 4 * 1024 * 1024
MAX_RESPONSES = 200
MAX_APP_LENGTH = 100
EARLIEST_YEAR = 1970
"""A tablet whose clock was reset says so; its error is measured all the same."""
SENDING_KEYS = ("sent_at", "last_seq", "app", "responses")

RFC3339 = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,6})?(Z|[+-]\d{2}:\d{2})", re.ASCII)


@dataclass(frozen=True)
class Sending:
    """The envelope of one sending; its responses are still unread."""

    sent_at: datetime
    last_seq: int
    app: str
    responses: tuple[object, ...]


def read_object(keys: Collection[str]) -> dict[str, Any]:
    """The request's JSON object with exactly these keys; `WebProblem` 400, 413 or 415 otherwise."""
    _require_json()
    return parse_object(_whole_body(), keys)


def parse_object(raw: bytes, keys: Collection[str]) -> dict[str, Any]:
    """The JSON object with exactly these keys; `WebProblem` 400 otherwise."""
    value = _parse(raw)
    if not isinstance(value, dict):
        _refuse("the body is not a JSON object")
    for key in keys:
        if key not in value:
            _refuse(f"{key} is missing")
    if len(value) != len(keys):
        _refuse(f"unknown key; the keys are: {', '.join(sorted(keys))}")
    return value


def read_sending() -> Sending:
    """The envelope of `POST /api/v1/responses`."""
    return sending_of(read_object(SENDING_KEYS))


def sending_of(value: dict[str, Any]) -> Sending:
    """The envelope, its own values checked; `WebProblem` 400 otherwise."""
    last_seq, app, responses = value["last_seq"], value["app"], value["responses"]
    if type(last_seq) is not int or not 0 <= last_seq <= MAX_SEQ:
        _refuse(f"last_seq is not a whole number from 0 to {MAX_SEQ}")
    if not isinstance(app, str) or not 1 <= len(app) <= MAX_APP_LENGTH or not app.isprintable():
        _refuse(f"app is not a printable text of 1 to {MAX_APP_LENGTH} characters")
    if not isinstance(responses, list) or len(responses) > MAX_RESPONSES:
        _refuse(f"responses is not a list of 0 to {MAX_RESPONSES}")
    return Sending(_read_time(value["sent_at"]), last_seq, app, tuple(responses))


def _read_time(value: object) -> datetime:
    if isinstance(value, str) and RFC3339.fullmatch(value):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            _refuse("sent_at is not a possible time")
        # Room for the arithmetic with time zones and clock offsets at both ends of the calendar.
        if EARLIEST_YEAR <= moment.year <= 2999:
            return moment
    _refuse("sent_at is not an RFC 3339 time with its offset")


def _whole_body() -> bytes:
    raw = request.get_data(cache=False)
    if request.content_length is None and len(raw) >= MAX_BODY_BYTES:
        # Of a body sent in chunks no more than the bound is read, and no error tells that it was cut.
        raise WebProblem("too-large")
    if len(raw) < (request.content_length or 0):
        # The line's fault, not the client's, who shall send it again.
        raise WebProblem("unavailable", "the body did not come whole", RETRY_SECONDS)
    return raw


def _require_json() -> None:
    charset = request.mimetype_params.get("charset", "utf-8").lower()
    encoding = request.headers.get("Content-Encoding", "identity").lower()
    if request.mimetype != "application/json" or charset not in {"utf-8", "utf8"} or encoding != "identity":
        raise WebProblem("unsupported-media", "send Content-Type: application/json in UTF-8, without Content-Encoding")


def _parse(raw: bytes) -> object:
    try:
        return strict_json(raw)
    except ValueError as error:
        _refuse(f"the body {error}")


def _refuse(detail: str) -> NoReturn:
    raise WebProblem("bad-request", detail)
