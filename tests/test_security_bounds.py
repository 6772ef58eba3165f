"""How much the server takes from a sender, and that it reads no more than that (row 25)."""

import gzip
import json
import re
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.body import MAX_BODY_BYTES, MAX_RESPONSES
from survey_app.writer import Writer
from tests.kiosk_pages import kiosk_at
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


@pytest.fixture
def token(settings: Settings) -> str:
    return enrol(settings)[1]


def stored(settings: Settings) -> list[Any]:
    with Store.open(settings, write=False) as store:
        return list(store.responses(WAVE))


def api(client: FlaskClient, token: str, body: bytes, **headers: str) -> Any:
    told = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | headers
    return client.post("/api/v1/responses", data=body, headers=told)


class Endless:
    """A body that would go on for ever; counts what was read of it."""

    def __init__(self) -> None:
        self.given = 0

    def read(self, size: int = -1) -> bytes:
        self.given += (size := 65_536 if size < 0 else min(size, 65_536))
        return b" " * size

    def readline(self, size: int = -1) -> bytes:
        return self.read(size)


@pytest.mark.parametrize("claimed", [None, 10**9, MAX_BODY_BYTES + 1, 10**40])
@pytest.mark.parametrize("path", ["/api/v1/responses", "/api/v1/enrol", "/survey", "/enrol"])
def test_row_25_a_body_of_a_gigabyte(tmp_path: Path, path: str, claimed: int | None) -> None:
    """Claimed, it is not read at all; sent in chunks, no more than the bound is."""
    with kiosk_at(tmp_path) as kiosk:
        tablet, body = kiosk.tablet(), Endless()
        token = enrol(kiosk.settings)[1]
        environ: dict[str, Any] = {
            "wsgi.input": body,
            "wsgi.input_terminated": True,
            "HTTP_AUTHORIZATION": f"Bearer {token}",
        }
        environ["CONTENT_TYPE"] = (
            "application/json" if path.startswith("/api/") else "application/x-www-form-urlencoded"
        )
        environ |= {} if claimed is None else {"CONTENT_LENGTH": str(claimed)}
        tracemalloc.start()
        answer = tablet.client.post(path, environ_overrides=environ)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert answer.status_code == 413
        assert body.given <= (2 * MAX_BODY_BYTES if claimed is None else 0)
        assert peak < 6 * MAX_BODY_BYTES


NESTED = {
    "lists": "[" * 100_000 + "]" * 100_000,
    "objects": '{"a":' * 100_000 + "1" + "}" * 100_000,
    "inside": None,
}


@pytest.mark.parametrize("kind", NESTED)
def test_row_25_nesting(app: Flask, token: str, kind: str) -> None:
    inside = json.dumps(sending(response(FORM, 1, paradata={"deep": 1}))).replace(
        '"deep": 1', '"deep": ' + "[" * 50_000 + "]" * 50_000
    )
    answer = api(app.test_client(), token, (NESTED[kind] or inside).encode())
    assert answer.status_code == 400 and "Traceback" not in answer.text


@pytest.mark.parametrize("name", ["gzip", "deflate", "br", "zstd", "x-gzip", "identity, gzip", "GZIP"])
def test_row_25_nothing_is_unpacked(app: Flask, token: str, name: str) -> None:
    bomb = gzip.compress(b" " * 50_000_000)
    assert api(app.test_client(), token, bomb, **{"Content-Encoding": name}).status_code == 415


def test_row_25_no_more_responses_than_agreed(app: Flask, token: str, settings: Settings) -> None:
    many = [response(FORM, n) for n in range(1, MAX_RESPONSES + 2)]
    sent = [api(app.test_client(), token, json.dumps(sending(*some)).encode()) for some in (many, many[:-1])]
    assert [answer.status_code for answer in sent] == [400, 200] and len(stored(settings)) == MAX_RESPONSES


@pytest.mark.parametrize("number", ["9" * 4000, "1e400", "-1e400", "1e5", "0.1", "1" + "0" * 400, "NaN", "Infinity"])
@pytest.mark.parametrize("place", ["last_seq", "seq", "VISIT"])
def test_row_25_numbers(app: Flask, token: str, settings: Settings, number: str, place: str) -> None:
    text = re.sub(rf'"{place}": \d+', f'"{place}": {number}', json.dumps(sending(response(FORM, 1))))
    answer = api(app.test_client(), token, text.encode())
    if answer.status_code == 200:
        assert answer.json["results"][0]["fate"] == "rejected"
    else:
        assert answer.status_code == 400
    assert stored(settings) == []


@pytest.mark.parametrize("count", [500, 50_000])
@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
def test_row_25_form_fields(tmp_path: Path, count: int, kind: str) -> None:
    if kind.startswith("multipart"):
        part = '--x\r\nContent-Disposition: form-data; name="a{}"; filename="../../b"\r\n\r\n1\r\n'
        body = "".join(part.format(n) for n in range(count)) + "--x--\r\n"
    else:
        body = "&".join(f"a{n}=1" for n in range(count))
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        began = time.process_time()
        answer = tablet.client.post("/survey", data=body, content_type=kind)
        assert answer.status_code in {303, 413}
        assert time.process_time() - began < 5
        assert kiosk.stored() == [] and not list(kiosk.settings.instance.rglob("*b"))


@pytest.mark.parametrize("text", ["a" * 1_000_000, "e" + "\u0301" * 900_000, "\u0301" * 5000, "ế" * 300_000], ids=len)
def test_row_25_a_comment_of_a_megabyte(app: Flask, token: str, settings: Settings, text: str) -> None:
    """Too long for its form; and refused before anything that takes long is done with it."""
    body = response(FORM, 1)
    body["answers"] |= {"COMMENT": text}
    began = time.process_time()
    answer = api(app.test_client(), token, json.dumps(sending(body), ensure_ascii=False).encode())
    assert time.process_time() - began < 5
    assert answer.json["results"][0]["fate"] == "rejected" and stored(settings) == []
