"""Hundreds of requests a little or very wrong: each gets an answer of the protocol, none a failure of the server."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask

from benchmarks.mutants import STRANGE, mutated
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()
ROUNDS = 200


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
