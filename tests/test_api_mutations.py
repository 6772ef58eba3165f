"""Hundreds of requests a little or very wrong: each gets an answer of the protocol, none a failure of the server."""

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()
ROUNDS = 200
STRANGE: list[Any] = [
    None, True, False, 0, -1, -4, 1.5, 1e308, 2**31, 2**63, 2**64, 10**40, "", "\x00", "\ud800", "a" * 5000, "𝕊", "ễ",
    "'; DROP TABLE response; --", "../../secret.key", "=1+1", "2026-02-30T00:00:00Z", "9999-12-31T23:59:59-14:00",
    "0001-01-01T00:00:00+14:00", [], [[]], [None], [1, 1], [2**63], {}, {"": 0}, {"\x00": 1}, {"a": {"b": {"c": []}}},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def mutated(body: Any, chance: random.Random) -> Any:
    """The body with one to three places replaced, removed, renamed or doubled."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(places(body)))
        if not path:
            return chance.choice(STRANGE)
        parent = body
        for key in path[:-1]:
            parent = parent[key]
        act = chance.choice(["replace", "replace", "remove", "add"])
        if act == "replace":
            parent[path[-1]] = copy.deepcopy(chance.choice(STRANGE))
        elif act == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[chance.choice(["x", "\x00", "ễ", "centre", "a" * 300])] = copy.deepcopy(chance.choice(STRANGE))
        else:
            parent.append(copy.deepcopy(chance.choice(STRANGE)))
    return body


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings = make_field(tmp_path / "instance")
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


@pytest.mark.parametrize("seed", range(2))
def test_no_sending_breaks_the_server(app: Flask, seed: int) -> None:
    settings = app.extensions["sipas"].settings
    chance = random.Random(seed)
    client = app.test_client()
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}", "Content-Type": "application/json"}
    statuses, fates = set(), set()
    for seq in range(1, ROUNDS + 1):
        body = mutated(sending(response(FORM, seq), response(FORM, seq)), chance)
        text = json.dumps(body)
        if chance.random() < 0.1:
            cut = chance.randrange(len(text))
            text = text[:cut] + chance.choice(["", '"', "\\", "}", "\x00", "NaN"]) + text[cut:]
        answer = client.post("/api/v1/responses", data=text.encode(), headers=headers)
        assert answer.status_code in {200, 400}, (answer.status_code, text[:300])
        statuses.add(answer.status_code)
        if answer.status_code == 200:
            assert len(answer.json["results"]) == len(body["responses"]), "each response has its fate"
            fates |= {one["fate"] for one in answer.json["results"]}
    assert statuses == {200, 400}
    assert {"stored", "rejected"} <= fates
    with Store.open(settings, write=False) as store:
        assert store.response_count(WAVE) > 0
    assert verify(settings) == ()


def test_no_enrolment_breaks_the_server(app: Flask) -> None:
    chance = random.Random(0)
    headers = {"Content-Type": "application/json"}
    for _ in range(100):
        body = chance.choice([*STRANGE, {"code": chance.choice(STRANGE)}, {"code": chance.choice(STRANGE)}])
        assert app.test_client().post("/api/v1/enrol", data=json.dumps(body), headers=headers).status_code == 400


@pytest.mark.parametrize(
    "value", ["Bearer", "Bearer ", "Basic eDp5", "bearer \x00", "Bearer a b", "Bearer " + "a" * 5000, "𝕊"]
)
def test_no_token_breaks_the_server(app: Flask, value: str) -> None:
    environ = {"HTTP_AUTHORIZATION": value.encode("utf-8").decode("latin-1")}
    assert app.test_client().get("/api/v1/device", environ_overrides=environ).status_code == 401
