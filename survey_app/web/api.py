"""The device API, version 1: enrolment, responses, heartbeat, questionnaires. Described in `openapi.py`.

Devices show a bearer token; no cookie counts here.
"""

from flask import Blueprint, Response, jsonify

from survey_app.model import stamp
from survey_app.store import EnrolmentError, StoreError
from survey_app.web.body import read_object, read_sending
from survey_app.web.bundle import bundle_of
from survey_app.web.context import services
from survey_app.web.device import bearer_device, require_safe_transport, set_device_cookie
from survey_app.web.errors import WebProblem
from survey_app.web.intake import fields_of, receive, villages_of, wave_of
from survey_app.web.openapi import description
from survey_app.web.plain import plain

api = Blueprint("api", __name__)


@api.post("/api/v1/enrol")
def enrol() -> Response:
    code = read_object(("code",))["code"]
    if not isinstance(code, str) or not 1 <= len(code) <= 100:
        raise WebProblem("bad-request", "code is not a text of 1 to 100 characters")
    require_safe_transport()
    try:
        enrolment = services().write(lambda store: store.enrol(code))
    except EnrolmentError:
        raise WebProblem("bad-code") from None
    response = jsonify(token=enrolment.token, device=enrolment.device, centre=enrolment.centre)
    set_device_cookie(response, enrolment.token)
    return response


@api.post("/api/v1/responses")
def responses() -> Response:
    device = bearer_device()
    sending = read_sending()
    provided = services()
    if wait := provided.limit.spend(device.id, max(1, len(sending.responses))):
        raise WebProblem("too-many-requests", retry_after=wait)
    return jsonify(receive(provided, device, sending))


@api.get("/api/v1/device")
def device() -> Response:
    known = bearer_device()
    provided = services()
    store = provided.reader()
    with store.snapshot():
        centre = store.centre(known.centre)
        wave = wave_of(store, known)
        return jsonify(
            device=known.id,
            simulated=known.simulated,
            centre={"code": centre.code, "name": centre.name, "full_name": centre.full_name},
            wave=wave.id if wave else None,
            questionnaire=wave.questionnaire if wave else None,
            version=wave.version if wave else None,
            fields=fields_of(store),
            server_time=stamp(provided.now()),
            **villages_of(store, known, wave),
        )


@api.get("/api/v1/kiosk")
def kiosk() -> Response:
    """All a counter's tablet needs to ask without a network."""
    return jsonify(bundle_of(services(), bearer_device()))


@api.get("/api/v1/questionnaires/<id>/<version>")
def questionnaire(id: str, version: str) -> Response:
    bearer_device()
    try:
        form = services().reader().questionnaire(id, version)
    except StoreError:
        raise WebProblem("not-found") from None
    return jsonify(plain(form))


@api.get("/api/v1/openapi.json")
def openapi() -> Response:
    return jsonify(description())


@api.get("/healthz")
def healthz() -> Response:
    """Well means: the store can be read, and the writer commits."""
    services().reader().head("")
    services().write(lambda store: None)
    return jsonify(status="ok")
