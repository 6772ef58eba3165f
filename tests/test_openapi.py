"""The description of the device API and its behaviour hold each other: routes, real answers, what is refused."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.openapi import description
from survey_app.web.plain import plain
from survey_app.writer import Writer
from tests.ground import SHORT
from tests.served import answers_to, counter, enrol, make_field, response, sending

FORM = counter()
SCHEMAS = description()["components"]["schemas"]
TYPES = {"object": dict, "array": list, "string": str, "integer": int, "boolean": bool, "null": type(None)}


def mismatches(value: Any, schema: dict[str, Any], at: str = "$") -> list[str]:
    """What of a value breaks a schema: the part of JSON Schema that the description uses, and no more of it."""
    known = {"type", "properties", "required", "additionalProperties", "maxProperties", "items", "minItems", "maxItems",
             "pattern", "minLength", "maxLength", "minimum", "maximum", "enum", "format", "anyOf", "$ref",
             "description"}  # fmt: skip
    assert set(schema) <= known, f"the checker does not know {set(schema) - known}"
    if "$ref" in schema:
        return mismatches(value, SCHEMAS[schema["$ref"].rpartition("/")[2]], at)
    if "anyOf" in schema:
        tries = [mismatches(value, one, at) for one in schema["anyOf"]]
        return [] if [] in tries else min(tries, key=len)
    wanted = TYPES[schema["type"]]
    if not isinstance(value, wanted) or (wanted is int and isinstance(value, bool)):
        return [f"{at} is not of type {schema['type']}"]
    if isinstance(value, dict):
        return _object(value, schema, at)
    if isinstance(value, list):
        fits = schema.get("minItems", 0) <= len(value) <= schema.get("maxItems", len(value))
        inner = [
            found for place, one in enumerate(value) for found in mismatches(one, schema["items"], f"{at}[{place}]")
        ]
        return inner if fits else [*inner, f"{at} has {len(value)} entries"]
    return [] if _fits(value, schema) else [f"{at} is {value!r}"]


def _object(value: dict[str, Any], schema: dict[str, Any], at: str) -> list[str]:
    named, other = schema.get("properties", {}), schema.get("additionalProperties", False)
    found = [f"{at} lacks {key}" for key in schema.get("required", ()) if key not in value]
    if len(value) > schema.get("maxProperties", len(value)):
        found.append(f"{at} has too many entries")
    for key, one in value.items():
        if key in named or other:
            found += mismatches(one, named.get(key, other), f"{at}.{key}")
        else:
            found.append(f"{at} has the unknown key {key}")
    return found


def _fits(value: Any, schema: dict[str, Any]) -> bool:
    if isinstance(value, str):
        if schema.get("format") == "date-time" and datetime.fromisoformat(value).tzinfo is None:
            return False
        long = schema.get("minLength", 0) <= len(value) <= schema.get("maxLength", len(value))
        return long and re.search(schema.get("pattern", ""), value) is not None and value in schema.get("enum", [value])
    return value is None or schema.get("minimum", value) <= value <= schema.get("maximum", value)


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_every_route_of_the_api_is_described_and_every_description_routed(app: Flask) -> None:
    routed = {
        (re.sub(r"<(\w+)>", r"{\1}", rule.rule), method.lower())
        for rule in app.url_map.iter_rules()
        for method in rule.methods or ()
        if (rule.rule.startswith("/api/") or rule.rule == "/healthz") and method not in {"HEAD", "OPTIONS"}
    }
    described = {(path, method) for path, item in description()["paths"].items() for method in item}
    assert routed == described


def test_the_served_description_is_this_one(client: FlaskClient) -> None:
    assert client.get("/api/v1/openapi.json").json == description()


def told(answer: Any, method: str, path: str) -> Any:
    """The answer's JSON, once it fits what is described for its status and content type."""
    described = description()["paths"][path][method]["responses"]
    assert str(answer.status_code) in described, f"{answer.status_code} is not described for {method} {path}"
    content = described[str(answer.status_code)]["content"]
    assert answer.mimetype in content
    assert mismatches(answer.json, content[answer.mimetype]["schema"]) == []
    return answer.json


def test_real_answers_fit_the_description(client: FlaskClient, settings: Settings) -> None:
    with Store.open(settings) as store:
        code = store.add_device("C01")[1]
    enrolled = told(client.post("/api/v1/enrol", json={"code": code}), "post", "/api/v1/enrol")
    headers = {"Authorization": f"Bearer {enrolled['token']}"}
    good = response(FORM, 1)
    body = sending(good, good, good | {"language": "en"}, {"uuid": 3}, last_seq=9)
    answer = client.post("/api/v1/responses", json=body, headers=headers)
    fates = [one["fate"] for one in told(answer, "post", "/api/v1/responses")["results"]]
    assert fates == ["stored", "already_stored", "conflict", "rejected"]
    told(client.post("/api/v1/responses", json=sending(), headers=headers), "post", "/api/v1/responses")
    told(client.get("/api/v1/device", headers=headers), "get", "/api/v1/device")
    told(client.get("/api/v1/kiosk", headers=headers), "get", "/api/v1/kiosk")
    form = client.get("/api/v1/questionnaires/counter/1", headers=headers)
    told(form, "get", "/api/v1/questionnaires/{id}/{version}")
    told(client.get("/healthz"), "get", "/healthz")
    with Store.open(settings) as store:
        store.close_wave(good["wave"])
    told(client.post("/api/v1/responses", json=sending(), headers=headers), "post", "/api/v1/responses")
    told(client.get("/api/v1/device", headers=headers), "get", "/api/v1/device")
    told(client.get("/api/v1/kiosk", headers=headers), "get", "/api/v1/kiosk")


def test_a_form_in_parts_fits_the_description_and_one_without_says_nothing_of_them() -> None:
    parts = {"name": "factors", "factors": list("ABCDE"), "draw": 2, "of": 10}
    for form, expected in ((SHORT, parts), (FORM, None)):
        sent = plain(form)
        assert mismatches(sent, SCHEMAS["Questionnaire"]) == []
        assert sent.get("parts") == expected and ("parts" in sent) == (expected is not None)


def test_refusals_fit_the_description(client: FlaskClient, settings: Settings) -> None:
    device, token = enrol(settings)
    headers = {"Authorization": f"Bearer {token}"}
    told(client.post("/api/v1/enrol", json={"code": "AAAA"}), "post", "/api/v1/enrol")
    told(client.post("/api/v1/enrol", data="code=AAAA"), "post", "/api/v1/enrol")
    told(client.post("/api/v1/responses", json={}, headers=headers), "post", "/api/v1/responses")
    told(client.post("/api/v1/responses", data="x", headers=headers), "post", "/api/v1/responses")
    told(client.get("/api/v1/questionnaires/x/1", headers=headers), "get", "/api/v1/questionnaires/{id}/{version}")
    with Store.open(settings) as store:
        store.revoke_device(device)
    told(client.post("/api/v1/responses", json=sending(), headers=headers), "post", "/api/v1/responses")
    told(client.get("/api/v1/device"), "get", "/api/v1/device")


def test_what_the_description_allows_is_taken_and_what_it_forbids_is_not() -> None:
    good = response(FORM, 1)
    assert mismatches(sending(good), SCHEMAS["Sending"]) == []
    for change in ({"centre": "C02"}, {"seq": 1.0}, {"seq": 0}, {"uuid": good["uuid"].upper()}, {"mode": "fax"},
                   {"answers": {"OVERALL": True}}, {"part": {"A": [1]}}, {"started": None}):  # fmt: skip
        assert mismatches(good | change, SCHEMAS["Response"]) != [], change


@pytest.mark.parametrize("key", sorted(SCHEMAS["Response"]["properties"]))
def test_each_key_of_a_response_is_demanded(client: FlaskClient, settings: Settings, key: str) -> None:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    one = response(FORM, 1, answers=answers_to(FORM))
    del one[key]
    assert mismatches(one, SCHEMAS["Response"]) == [f"$ lacks {key}"]
    result = client.post("/api/v1/responses", json=sending(one), headers=headers).json["results"][0]
    assert (result["fate"], result["errors"]) == ("rejected", [f"{key}:missing"])
