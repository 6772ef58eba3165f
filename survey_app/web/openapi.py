"""The device API in OpenAPI 3.1, built from the same bounds the code enforces. `description`.

A test sends real requests and holds every answer, and every route, against this description.
"""

from functools import cache
from typing import Any

from survey_app import __version__, response
from survey_app.web.body import MAX_APP_LENGTH, MAX_RESPONSES
from survey_app.web.errors import PROBLEMS, TYPE_PREFIX
from survey_app.web.pin import MAX_TYPED
from survey_app.web.schema import array, integer, mapping, nullable, obj, pair, ref, string, word

_CODE = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,39}$"
_UUID = r"^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$"
_NUMBER = integer(-response.MAX_NUMBER, response.MAX_NUMBER)
_TIME = {"type": "string", "format": "date-time"}
_TEXT = {"type": "object", "additionalProperties": {"type": "string"}, "description": "language → text"}
_PARAMETER = {"in": "path", "required": True, "schema": string(pattern=_CODE)}

_RESPONSE = obj(
    uuid=string(pattern=_UUID) | {"description": "version 4, lower case, given by the device"},
    seq=nullable(integer(1, response.MAX_SEQ)) | {"description": "counts from 1 on each device; null only from pages"},
    wave=string(pattern=_CODE),
    questionnaire=string(pattern=_CODE),
    version=string(pattern=_CODE),
    language=string(max_length=20),
    field=nullable(string(pattern=_CODE)) | {"description": "service field; null: declined"},
    psu=nullable(string(pattern=_CODE)) | {"description": "sample waves only"},
    mode=word(*response.MODES),
    recruitment=word(*response.RECRUITMENTS),
    disposition=word(*response.DISPOSITIONS)
    | {"description": "counter waves take `refused` only of who was `invited`, and no `not_at_home`"},
    part=nullable(mapping(pair(1, response.MAX_CHOICES), response.MAX_CHOICES))
    | {"description": "name of the form's parts → [k, of]; null: everything was asked"},
    answers=mapping(
        {"anyOf": [_NUMBER, array(_NUMBER, response.MAX_CHOICES), string(max_length=response.MAX_TEXT)]},
        response.MAX_ITEMS,
    )
    | {"description": "item → code, list of codes or text; −2 not applicable, −3 declined; items not asked are absent"},
    started=_TIME,
    submitted=_TIME,
    durations=mapping(integer(0, response.MAX_DURATION_MS), response.MAX_ITEMS) | {"description": "item → ms"},
    paradata=mapping(_NUMBER, response.MAX_PARADATA),
)

_RESULT = obj(
    uuid=nullable(string()) | {"description": "null when none could be read"},
    fate=word("stored", "already_stored", "conflict", "rejected"),
    optional={"errors": array(string()) | {"description": "`place:code`, only with `rejected`"}},
)

_STANDING = {
    "server_time": _TIME,
    "wave": nullable(string()),
    "questionnaire": nullable(string()),
    "version": nullable(string()),
    "fields": array(ref("Field")),
    "missing": array(pair(1, response.MAX_SEQ)) | {"description": "ranges of seq, both ends included, never received"},
    "resend": array(string(pattern=_UUID)),
    "ledger": nullable(ref("Ledger"))
    | {"description": "head of the chain of `wave`; without an open wave, that of the last response acknowledged here"},
}

SCHEMAS: dict[str, Any] = {
    "EnrolRequest": obj(code=string(min_length=1, max_length=100)),
    "Enrolment": obj(token=string(min_length=22), device=string(), centre=string()),
    "Sending": obj(
        sent_at=_TIME | {"description": "the device's clock at the moment of sending"},
        last_seq=integer(0, response.MAX_SEQ) | {"description": "the highest seq given so far, 0 before the first"},
        app=string(min_length=1, max_length=MAX_APP_LENGTH) | {"description": "name and version of the client"},
        responses=array(ref("Response"), MAX_RESPONSES) | {"description": "an empty list is the heartbeat"},
    ),
    "Response": _RESPONSE,
    "Result": _RESULT,
    "Acknowledgement": obj(results=array(ref("Result"), MAX_RESPONSES), **_STANDING),
    "Field": obj(code=string(), label=_TEXT),
    "Village": obj(psu=string(pattern=_CODE), stratum=string(), name=string(), households=integer(1)),
    "Ledger": obj(count=integer(0), head=string(pattern="^[0-9a-f]{64}$")),
    "Device": obj(
        optional={"psus": array(ref("Village")) | {"description": "only of an interviewer's device: its wave's frame"}},
        device=string(),
        simulated={"type": "boolean"},
        centre=obj(code=string(), name=string(), full_name=string()),
        **{name: _STANDING[name] for name in ("wave", "questionnaire", "version", "fields", "server_time")},
    ),
    "Bundle": obj(
        device=string(),
        simulated={"type": "boolean"},
        purpose=word("counter", "sample"),
        centre=obj(code=string(), name=string(), full_name=string()),
        province=_TEXT,
        **{name: _STANDING[name] for name in ("wave", "questionnaire", "version", "fields", "server_time")},
        form=nullable(ref("Questionnaire")),
        screens=array(ref("Screen")) | {"description": "which items stand on which screen, in order"},
        pages=mapping(string()) | {"description": "language → HTML templates of every page and question"},
        settings=obj(
            idle_seconds=integer(1),
            invite_every=integer(0) | {"description": "staff invite one customer in so many; 0: nobody"},
        ),
        pin=nullable(ref("Pin")) | {"description": "of the staff page, for when there is no network"},
        audio=mapping(ref("AudioPack")) | {"description": "language → recordings"},
    ),
    "Screen": obj(
        id=string(),
        items=array(string()),
        heading=obj(stem=nullable(_TEXT), title=_TEXT, prompt=string() | {"description": "its recording"}),
    ),
    "Pin": obj(salt=string(), iterations=integer(1), hash=string()),
    "AudioPack": obj(
        pack=string(),
        called=string() | {"description": "the language's name for itself"},
        shows=string() | {"description": "language of the texts on the screen"},
        placeholder={"type": "boolean"} | {"description": "a synthesiser's voice, to be replaced"},
        files=mapping(string()) | {"description": "prompt → address of its recording"},
    ),
    "Questionnaire": obj(
        id=string(),
        version=string(),
        title=_TEXT,
        authority=_TEXT,
        source=string(),
        intro=_TEXT,
        languages=array(string()),
        scales=array(obj(id=string(), options=array(ref("Option")), source=string())),
        sections=array(obj(code=string(), title=_TEXT, items=array(string()), stem=nullable(_TEXT))),
        items=array(ref("Item")),
        index=nullable(ref("Index")),
        roles=mapping(string()),
        visit_codes=mapping(integer()),
        optional={"parts": ref("Parts") | {"description": "absent where everybody is asked everything"}},
        sha256=string(pattern="^[0-9a-f]{64}$"),
    ),
    "Option": obj(code=integer(), text=_TEXT),
    "Condition": obj(item=string(), codes=array(integer())),
    "Item": obj(
        code=string(),
        kind=word("likert", "choice", "choices", "number", "text"),
        text=_TEXT,
        section=string(),
        source=string(),
        options=array(ref("Option")),
        options_from=nullable(string()),
        scale=nullable(string()),
        factor=nullable(string()),
        area=nullable(string()),
        ask_if=array(ref("Condition")),
        ask_if_any=array(ref("Condition")) | {"description": "at least one must hold, beside all of ask_if"},
        required={"type": "boolean"},
        decline={"type": "boolean"},
        not_applicable={"type": "boolean"},
        minimum=nullable(integer()),
        maximum=nullable(integer()),
        max_length=nullable(integer()),
        hint=nullable(_TEXT),
    ),
    "Index": obj(
        items=array(string()),
        factors=array(obj(code=string(), text=_TEXT, area=string(), items=array(string()))),
        areas=array(obj(code=string(), text=_TEXT)),
        item_method=string(),
        roll_up=string(),
    ),
    "PinTry": obj(pin=string(max_length=MAX_TYPED) | {"description": "as typed; a PIN has 6 to 12 digits"}),
    "PinAnswer": obj(fate=word("right", "wrong", "none") | {"description": "none: the centre has no PIN"}),
    "Parts": obj(
        name=string(),
        factors=array(string()) | {"description": "codes of the factors that are drawn"},
        draw=integer(1) | {"description": "how many of them each citizen is asked"},
        of=integer(2, response.MAX_CHOICES)
        | {"description": "choices, numbered from 1 in lexicographic order of `factors`, all equally likely"},
    ),
    "Health": obj(status=word("ok")),
    "Problem": obj(
        type=word(*(TYPE_PREFIX + kind for kind in PROBLEMS)),
        title=string() | {"description": "in Vietnamese, or English as Accept-Language asks"},
        status=integer(400, 599),
        optional={"detail": string() | {"description": "for the maker of the client"}},
    ),
}

_TROUBLE = {503: "the store is busy or cannot be used; try again after Retry-After", 507: "the disk is full"}
_BODY = {400: "the body cannot be read", 413: "the body is too large", 415: "not JSON in UTF-8, or compressed"}
_TOKEN = {401: "no token, an unknown one, or a withdrawn one; `type` tells which"}


def _operation(summary: str, schema: str | None, problems: dict[int, str], **more: Any) -> dict[str, Any]:
    content = {"application/json": {"schema": ref(schema) if schema else {"type": "object"}}}
    return {
        "summary": summary,
        "responses": {
            "200": {"description": "done", "content": content},
            **{
                str(status): {
                    "description": why,
                    "content": {"application/problem+json": {"schema": ref("Problem")}},
                }
                for status, why in sorted(problems.items())
            },
        },
        **more,
    }


def _takes(schema: str) -> dict[str, Any]:
    return {"required": True, "content": {"application/json": {"schema": ref(schema)}}}


@cache
def description() -> dict[str, Any]:
    """The OpenAPI document."""
    open_to_all: dict[str, Any] = {"security": []}
    enrol = _operation(
        "Exchange a one-time code for the device's token; refused over plain http",
        "Enrolment",
        {**_BODY, **_TROUBLE},
        requestBody=_takes("EnrolRequest"),
        **open_to_all,
    )
    send = _operation(
        "Send responses, or a sign of life; answered once they are on disk, with the fate of each in order",
        "Acknowledgement",
        {**_BODY, **_TOKEN, 429: "the device sends too fast", **_TROUBLE},
        requestBody=_takes("Sending"),
    )
    pin = _operation(
        "Check the PIN of the centre's staff page; each wrong one in a row makes the device wait longer, up to a minute",
        "PinAnswer",
        {**_BODY, **_TOKEN, 429: "wait for Retry-After before the next try", **_TROUBLE},
        requestBody=_takes("PinTry"),
    )
    form = _operation(
        "A questionnaire as the store keeps it",
        "Questionnaire",
        {**_TOKEN, 404: "no wave has used it", **_TROUBLE},
        parameters=[{"name": name} | _PARAMETER for name in ("id", "version")],
    )
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "SIPAS device API",
            "version": "1",
            "description": f"Spoken by kiosks. Served by sipas {__version__}. A new field means version 2.",
        },
        "security": [{"device": []}],
        "paths": {
            "/api/v1/enrol": {"post": enrol},
            "/api/v1/responses": {"post": send},
            "/api/v1/device": {
                "get": _operation("What this device is and asks for now", "Device", {**_TOKEN, **_TROUBLE})
            },
            "/api/v1/kiosk": {
                "get": _operation("All a counter's tablet needs to ask offline", "Bundle", {**_TOKEN, **_TROUBLE})
            },
            "/api/v1/questionnaires/{id}/{version}": {"get": form},
            "/api/v1/pin": {"post": pin},
            "/api/v1/openapi.json": {"get": _operation("This description", None, {}, **open_to_all)},
            "/healthz": {"get": _operation("Whether the store reads and commits", "Health", _TROUBLE, **open_to_all)},
        },
        "components": {
            "schemas": SCHEMAS,
            "securitySchemes": {"device": {"type": "http", "scheme": "bearer"}},
        },
    }
