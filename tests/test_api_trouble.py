"""When the store cannot take a response: the device is told so, keeps it, and it is stored once later."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from survey_app.locks import write_lock
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import context, create_app
from survey_app.writer import Writer
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()


@pytest.fixture
def app(tmp_path: Path) -> Iterator[Flask]:
    settings = make_field(tmp_path / "instance")
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


def limit_pages(store: Store, more: int) -> None:
    """Let the file grow by so many pages, as a disk nearly full would."""
    pages = store._database.conn.execute("PRAGMA page_count").fetchone()[0]
    store._database.conn.execute(f"PRAGMA max_page_count = {pages + more}")


def test_a_full_disk_is_507_for_all_it_hits_and_loses_nothing(app: Flask) -> None:
    provided = app.extensions["sipas"]
    tokens = [enrol(provided.settings)[1] for _ in range(4)]
    queues = [[response(FORM, seq, durations={}) for seq in range(1, 41)] for _ in tokens]

    def send(token: str, body: Any, told: list[Any]) -> None:
        headers = {"Authorization": f"Bearer {token}"}
        told.append(app.test_client().post("/api/v1/responses", json=body, headers=headers))

    def send_all() -> list[Any]:
        told: list[Any] = []
        threads = [
            threading.Thread(target=send, args=(token, sending(*queue), told))
            for token, queue in zip(tokens, queues, strict=True)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return told

    provided.write(lambda store: limit_pages(store, 4))
    full = send_all()
    assert {answer.status_code for answer in full} == {507}
    assert all(answer.json["type"] == "urn:sipas:problem:storage-full" for answer in full)
    provided.write(lambda store: limit_pages(store, 1_000_000))
    assert verify(provided.settings) == ()
    told = send_all()
    assert {answer.status_code for answer in told} == {200}
    assert {one["fate"] for answer in told for one in answer.json["results"]} == {"stored"}
    assert provided.reader().response_count(WAVE) == 160
    assert verify(provided.settings) == ()


def test_a_store_that_stays_locked_is_503_and_the_response_is_stored_once(
    app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    provided = app.extensions["sipas"]
    headers = {"Authorization": f"Bearer {enrol(provided.settings)[1]}"}
    body = sending(response(FORM, 1))
    with write_lock(provided.settings.write_lock), monkeypatch.context() as patched:
        patched.setattr(context, "COMMIT_SECONDS", 0.2)
        answer = app.test_client().post("/api/v1/responses", json=body, headers=headers)
    assert (answer.status_code, answer.json["type"]) == (503, "urn:sipas:problem:unavailable")
    assert int(answer.headers["Retry-After"]) > 0
    again = app.test_client().post("/api/v1/responses", json=body, headers=headers)
    assert again.json["results"][0]["fate"] in {"stored", "already_stored"}
    assert provided.reader().response_count(WAVE) == 1


def test_after_the_writer_has_closed_the_device_is_told_to_come_again(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer)
    answer = app.test_client().post("/api/v1/responses", json=sending(response(FORM, 1)), headers=headers)
    assert answer.status_code == 503
