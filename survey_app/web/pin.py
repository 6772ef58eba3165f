"""The PIN of the staff page: checked here while the tablet has network, by the hash in its bundle while it has none.

`pins` (the route), `pin_of` (what the bundle says). Only the device API asks; no page does.
"""

from typing import Any

from flask import Blueprint, Response, jsonify

from survey_app.model import Device
from survey_app.pin import is_right
from survey_app.store import Store
from survey_app.web.body import read_object
from survey_app.web.context import services
from survey_app.web.device import bearer_device
from survey_app.web.errors import WebProblem

MAX_TYPED = 100

pins = Blueprint("pins", __name__)


@pins.post("/api/v1/pin")
def check() -> Response:
    device = bearer_device()
    typed = read_object(("pin",))["pin"]
    if not isinstance(typed, str) or len(typed) > MAX_TYPED:
        raise WebProblem("bad-request", f"pin is not a text of at most {MAX_TYPED} characters")
    provided = services()
    pin = provided.reader().pin(device.centre)
    if pin is None:
        return jsonify(fate="none")
    if wait := provided.tries.begin(device.id):
        raise WebProblem("too-many-requests", retry_after=wait)
    right = is_right(pin, typed)
    provided.tries.ended(device.id, "right" if right else "wrong")
    return jsonify(fate="right" if right else "wrong")


def pin_of(store: Store, device: Device) -> dict[str, Any] | None:
    """By what a tablet of this centre checks the PIN without network; None where the centre has none."""
    pin = store.pin(device.centre)
    return None if pin is None else {"salt": pin.salt, "iterations": pin.iterations, "hash": pin.hash}
