"""What a device says, read strictly, whether it came over the line or in a file: JSON with one meaning, and responses.

`strict_json`, `read_response`, `Unreadable`, `record_all`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NoReturn

from survey_app.model import Device, Receipt
from survey_app.response import MAX_SEQ, Response, ResponseError, parse_response
from survey_app.store import Store
from survey_app.store.recording import Way

MAX_UUID = 36


@dataclass(frozen=True)
class Unreadable:
    """A response that is none; what can be read of it names it to the device and in the audit."""

    uuid: str | None
    seq: int | None
    errors: tuple[str, ...]


def strict_json(raw: bytes) -> object:
    """JSON in UTF-8 without a key twice in one object, without NaN; `ValueError` says what is wrong with it."""
    try:
        return json.loads(raw.decode("utf-8"), object_pairs_hook=_once_each, parse_constant=_no_constant)
    except UnicodeDecodeError:
        raise ValueError("is not UTF-8") from None
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    except ValueError as error:
        raise ValueError(f"is not JSON: {error}") from None


def _once_each(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("a key stands twice in one object")
    return value


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON number")


def read_response(raw: object) -> Response | Unreadable:
    try:
        return parse_response(raw)
    except ResponseError as error:
        given = raw if isinstance(raw, dict) else {}
        uuid, seq = given.get("uuid"), given.get("seq")
        legible = isinstance(uuid, str) and len(uuid) <= MAX_UUID and uuid.isascii() and uuid.isprintable()
        numbered = type(seq) is int and 1 <= seq <= MAX_SEQ
        return Unreadable(uuid if legible else None, seq if numbered else None, error.errors)


def record_all(
    store: Store,
    read: Sequence[Response | Unreadable],
    *,
    device: Device,
    received: datetime,
    sent_at: datetime,
    app: str,
    last_seq: int,
    way: Way = "line",
) -> tuple[Receipt | Unreadable, ...]:
    """Record what could be read, and note what could not; the fate of each in order."""
    responses = [one for one in read if isinstance(one, Response)]
    receipts = iter(
        store.record(responses, device=device, received=received, sent_at=sent_at, app=app, last_seq=last_seq, way=way)
    )
    for one in read:
        if isinstance(one, Unreadable):
            # Logged as a rejected response is, so that its number is not reported missing for ever.
            detail = {"uuid": one.uuid, "device": device.id, "seq": one.seq, "errors": list(one.errors)}
            store.log_event("rejected", detail)
    return tuple(next(receipts) if isinstance(one, Response) else one for one in read)
