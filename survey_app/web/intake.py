"""From a sending to its receipts, and what a device is told of its present standing.

`receive` (`read_responses`, then `take_in`), `wave_of`, `fields_of`, `villages_of`.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from survey_app.incoming import Unreadable, read_response, record_all
from survey_app.model import Device, Receipt, Wave, stamp
from survey_app.response import Response
from survey_app.store import Store
from survey_app.web.body import Sending
from survey_app.web.context import Services


def receive(provided: Services, device: Device, sending: Sending) -> dict[str, Any]:
    """Record a sending; returns the answer once the commit is on disk.

    The answer is read in the transaction that records: of one moment with it, and without waking a second connection.
    """
    received = provided.now()
    read = read_responses(sending)
    return provided.write(lambda store: take_in(provided, store, device, sending, read, received))


def read_responses(sending: Sending) -> tuple[Response | Unreadable, ...]:
    return tuple(read_response(raw) for raw in sending.responses)


def take_in(
    provided: Services,
    store: Store,
    device: Device,
    sending: Sending,
    read: Sequence[Response | Unreadable],
    received: datetime,
) -> dict[str, Any]:
    """Record a sending that was read, inside the writer's transaction; gives the answer."""
    recorded = record_all(
        store,
        read,
        device=device,
        received=received,
        sent_at=sending.sent_at,
        app=sending.app,
        last_seq=sending.last_seq,
    )
    results = [_result(receipt) for receipt in recorded]
    resend = provided.resending.of(store, device.id, {result["uuid"] for result in results})
    fates = zip(read, results, strict=True)
    arrived = frozenset(one.seq for one, result in fates if one.seq and result["fate"] in ("stored", "rejected"))
    standing = _standing(store, device, sending, results, arrived, provided.now())
    return {"results": results, **standing, "resend": resend}


def _result(receipt: Receipt | Unreadable) -> dict[str, Any]:
    if isinstance(receipt, Unreadable):
        return {"uuid": receipt.uuid, "fate": "rejected", "errors": list(receipt.errors)}
    if receipt.fate == "rejected":
        return {"uuid": receipt.uuid, "fate": receipt.fate, "errors": list(receipt.errors)}
    return {"uuid": receipt.uuid, "fate": receipt.fate}


def wave_of(store: Store, device: Device) -> Wave | None:
    """The wave this device asks for now: of its own purpose; simulated devices and simulated waves belong together."""
    wave = store.current_wave(device.centre, device.purpose)
    return wave if wave is not None and wave.simulated == device.simulated else None


def fields_of(store: Store) -> list[dict[str, Any]]:
    return [{"code": field.code, "label": dict(field.label)} for field in store.fields()]


def villages_of(store: Store, device: Device, wave: Wave | None) -> dict[str, Any]:
    """For an interviewer's device the villages of its wave: what a response may name as its `psu`."""
    if device.purpose != "sample":
        return {}
    units = store.frame(wave.id) if wave else ()
    return {
        "psus": [
            {"psu": unit.psu, "stratum": unit.stratum, "name": unit.name, "households": unit.households}
            for unit in units
        ]
    }


def _standing(
    store: Store,
    device: Device,
    sending: Sending,
    results: Sequence[dict[str, Any]],
    arrived: frozenset[int],
    at: datetime,
) -> dict[str, Any]:
    """What every acknowledgement carries. Without an open wave the ledger is that of the last response known."""
    wave = wave_of(store, device)
    chain = wave.id if wave else _last_known_wave(sending, results)
    head = store.head(chain) if chain else None
    return {
        "server_time": stamp(at),
        "wave": wave.id if wave else None,
        "questionnaire": wave.questionnaire if wave else None,
        "version": wave.version if wave else None,
        "fields": fields_of(store),
        "missing": [list(gap) for gap in store.missing(device.id, sending.last_seq, arrived)],
        "resend": [],
        "ledger": {"count": head.count, "head": head.head} if head else None,
    }


def _last_known_wave(sending: Sending, results: Sequence[dict[str, Any]]) -> str | None:
    """The wave of the last response that the store holds now."""
    for raw, told in zip(reversed(sending.responses), reversed(results), strict=True):
        if told["fate"] in ("stored", "already_stored") and isinstance(raw, dict):
            return str(raw["wave"])
    return None
