"""The kiosk protocol as a device meets it: enrolment, the fate of each response, heartbeats, what is refused whole."""

import json
import re
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from flask.testing import FlaskClient

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.web.body import MAX_BODY_BYTES
from survey_app.web.limits import DeviceLimit
from survey_app.writer import Writer
from tests.served import CENTRES, FIELDS, WAVE, counter, enrol, make_field, response, sending

FORM = counter()
UUID = re.compile(r"[0-9a-f-]{36}")


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer).test_client()


@pytest.fixture
def token(settings: Settings) -> str:
    return enrol(settings)[1]


Post = Callable[..., Any]


@pytest.fixture
def post(client: FlaskClient, token: str) -> Post:
    """Send responses as the enrolled device; returns the answer."""

    def send(*responses: Any, **changes: Any) -> Any:
        headers = {"Authorization": f"Bearer {changes.pop('token', token)}"}
        return client.post("/api/v1/responses", json=sending(*responses, **changes), headers=headers)

    return send


def kind(answer: Any) -> str:
    assert answer.content_type == "application/problem+json"
    assert answer.json["status"] == answer.status_code
    return str(answer.json["type"].removeprefix("urn:sipas:problem:"))


# ---- enrolment


def test_a_code_becomes_a_token_once(client: FlaskClient, settings: Settings) -> None:
    with Store.open(settings) as store:
        device, code = store.add_device("C02")
    answer = client.post("/api/v1/enrol", json={"code": code})
    assert answer.status_code == 200
    assert (answer.json["device"], answer.json["centre"]) == (device.id, "C02")
    headers = {"Authorization": f"Bearer {answer.json['token']}"}
    assert client.get("/api/v1/device", headers=headers).json["centre"]["code"] == "C02"
    again = client.post("/api/v1/enrol", json={"code": code})
    assert (again.status_code, kind(again)) == (400, "bad-code")


def test_enrolment_sets_a_cookie_the_api_does_not_take(client: FlaskClient, settings: Settings) -> None:
    with Store.open(settings) as store:
        code = store.add_device("C01")[1]
    answer = client.post("/api/v1/enrol", json={"code": code}, base_url="https://kiosk.example")
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("__Host-device=")
    for attribute in ("Secure", "HttpOnly", "SameSite=Strict", "Path=/"):
        assert attribute in cookie
    assert "Domain" not in cookie
    refused = client.get("/api/v1/device", base_url="https://kiosk.example")
    assert (refused.status_code, kind(refused)) == (401, "no-token")


def test_on_this_machine_a_cookie_without_tls(settings: Settings) -> None:
    with Writer(settings) as writer, Store.open(settings) as store:
        client = create_app(settings, writer=writer, development_http=True).test_client()
        answer = client.post("/api/v1/enrol", json={"code": store.add_device("C01")[1]})
    cookie = answer.headers["Set-Cookie"]
    assert cookie.startswith("device=")
    assert "Secure" not in cookie
    assert "HttpOnly" in cookie


@pytest.mark.parametrize(
    ("url", "address", "enrolled"),
    [
        ("http://localhost", "127.0.0.1", True),
        ("http://[::1]:8000", "::1", True),
        ("http://kiosk.example", "10.0.0.7", False),
        ("http://kiosk.example", "127.0.0.1", False),  # a proxy on this machine that does no TLS
        ("http://localhost", "10.0.0.7", False),
        ("https://kiosk.example", "10.0.0.7", True),
    ],
)
def test_plain_http_beyond_this_machine_is_refused_with_the_reason(
    client: FlaskClient, settings: Settings, url: str, address: str, enrolled: bool
) -> None:
    with Store.open(settings) as store:
        code = store.add_device("C01")[1]
    answer = client.post("/api/v1/enrol", json={"code": code}, base_url=url, environ_overrides={"REMOTE_ADDR": address})
    if enrolled:
        assert answer.status_code == 200
    else:
        assert (answer.status_code, kind(answer)) == (400, "insecure-transport")
        assert "https" in answer.json["title"]
        retried = client.post("/api/v1/enrol", json={"code": code}, base_url="https://kiosk.example")
        assert retried.status_code == 200, "a refused try does not use up the code"


def test_behind_a_proxy_one_hop_is_believed(settings: Settings) -> None:
    headers = {"X-Forwarded-Proto": "https", "X-Forwarded-For": "10.9.9.9, 10.0.0.7", "X-Forwarded-Host": "k.example"}
    with Writer(settings) as writer, Store.open(settings) as store:
        for believed in (True, False):
            client = create_app(settings, writer=writer, behind_proxy=believed).test_client()
            code = store.add_device("C01")[1]
            answer = client.post(
                "/api/v1/enrol", json={"code": code}, headers=headers, base_url="http://backend.internal"
            )
            assert (answer.status_code == 200) is believed


# ---- responses


def test_every_response_has_its_fate_in_order(post: Post, settings: Settings) -> None:
    first, second = response(FORM, 1), response(FORM, 2)
    changed = first | {"field": FIELDS[1]}
    broken = response(FORM, 3, answers={})
    answer = post(first, second, first, changed, broken, {"uuid": "?", "seq": 4}, 17)
    assert answer.status_code == 200
    told = answer.json["results"]
    assert [one["fate"] for one in told] == [
        "stored", "stored", "already_stored", "conflict", "rejected", "rejected", "rejected"
    ]  # fmt: skip
    assert [one["uuid"] for one in told] == [
        first["uuid"], second["uuid"], first["uuid"], first["uuid"], broken["uuid"], "?", None
    ]  # fmt: skip
    assert all(("errors" in one) == (one["fate"] == "rejected") for one in told)
    assert "OVERALL:missing" in told[4]["errors"]
    assert answer.json["ledger"]["count"] == 2
    with Store.open(settings, write=False) as store:
        assert answer.json["ledger"]["head"] == store.head(WAVE).head
        assert {event.detail["uuid"] for event in store.events(["rejected"])} == {broken["uuid"], "?", None}
    assert verify(settings) == ()


def test_what_is_acknowledged_is_on_disk(post: Post, settings: Settings) -> None:
    one = response(FORM, 1)
    assert post(one).json["results"][0]["fate"] == "stored"
    with Store.open(settings, write=False) as store:
        assert [stored.uuid for stored in store.responses(WAVE)] == [one["uuid"]]


def test_the_answer_says_what_to_ask_next(post: Post) -> None:
    told = post().json
    assert told["results"] == []
    assert (told["wave"], told["questionnaire"], told["version"]) == (WAVE, "counter", "1")
    assert [field["code"] for field in told["fields"]] == list(FIELDS)
    assert told["missing"] == []
    assert told["resend"] == []
    assert told["ledger"] == {"count": 0, "head": "0" * 64}


def test_gaps_are_named_until_they_are_filled(post: Post) -> None:
    assert post(response(FORM, 2), last_seq=6).json["missing"] == [[1, 1], [3, 6]]
    told = post(response(FORM, 3), {"seq": 4, "uuid": "illegible"}, response(FORM, 1), last_seq=6).json
    assert told["missing"] == [[5, 6]], "what was rejected has arrived, too"


def test_a_heartbeat_is_a_sign_of_life(post: Post, settings: Settings) -> None:
    assert post(last_seq=7).json["missing"] == [[1, 7]]
    with Store.open(settings, write=False) as store:
        assert store.devices()[0].last_seen is not None


def test_a_closed_wave_still_receives(post: Post, settings: Settings) -> None:
    given = response(FORM, 1)
    with Store.open(settings) as store:
        store.close_wave(WAVE)
    told = post(given).json
    assert told["results"][0]["fate"] == "stored"
    assert told["wave"] is told["questionnaire"] is told["version"] is None
    assert told["ledger"]["count"] == 1
    assert post().json["ledger"] is None


def test_the_server_sets_what_a_device_may_not(post: Post) -> None:
    one = response(FORM, 1) | {"centre": CENTRES[1], "received": "2026-01-01T00:00:00Z"}
    told = post(one).json["results"][0]
    assert told["fate"] == "rejected"
    assert {"centre:unknown_key", "received:unknown_key"} <= set(told["errors"])


def test_one_response_from_many_threads_is_stored_once(post: Post, settings: Settings) -> None:
    one = response(FORM, 1)
    fates: list[str] = []
    threads = [threading.Thread(target=lambda: fates.append(post(one).json["results"][0]["fate"])) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fates) == ["already_stored"] * 7 + ["stored"]
    with Store.open(settings, write=False) as store:
        assert store.response_count(WAVE) == 1


# ---- what is refused as a whole


def test_an_unknown_token_is_not_a_revoked_one(post: Post, settings: Settings, client: FlaskClient) -> None:
    device, token = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    revoked, unknown = post(token=token), post(token="x" * 43)
    assert (revoked.status_code, kind(revoked)) == (401, "revoked-token")
    assert (unknown.status_code, kind(unknown)) == (401, "unknown-token")
    assert kind(client.post("/api/v1/responses", json=sending())) == "no-token"
    assert revoked.headers["WWW-Authenticate"].startswith("Bearer")


GOOD = json.dumps(sending())


@pytest.mark.parametrize(
    ("body", "kind_of"),
    [
        (b"", "bad-request"),
        (b"[]", "bad-request"),
        (b"{", "bad-request"),
        (GOOD.encode("utf-16"), "bad-request"),
        (b"\xef\xbb\xbf" + GOOD.encode(), "bad-request"),
        (b"\xff" + GOOD.encode(), "bad-request"),
        (GOOD.replace('"app"', '"app": "twice", "app"').encode(), "bad-request"),
        (GOOD.replace('"last_seq": 0', '"last_seq": NaN').encode(), "bad-request"),
        (GOOD.replace('"last_seq": 0', '"last_seq": 1e400').encode(), "bad-request"),
        (GOOD.replace('"last_seq": 0', '"last_seq": ' + "9" * 6000).encode(), "bad-request"),
        (b"[" * 200_000, "bad-request"),
        (b'{"a":' * 200_000, "bad-request"),
        (b" " * (MAX_BODY_BYTES + 1), "too-large"),
    ],
    ids=lambda value: repr(value[:24]) if isinstance(value, bytes) else value,
)
def test_bodies_that_cannot_be_read(client: FlaskClient, token: str, body: bytes, kind_of: str) -> None:
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    assert kind(client.post("/api/v1/responses", data=body, headers=headers)) == kind_of


@pytest.mark.parametrize(
    "changes",
    [
        {"sent_at": None},
        {"sent_at": "2026-11-24 08:00:00"},
        {"sent_at": "2026-11-24T08:00:00"},
        {"sent_at": "2026-13-24T08:00:00Z"},
        {"sent_at": "0001-01-01T00:00:00+14:00"},
        {"sent_at": "2026-11-24T08:00:00+99:00"},
        {"last_seq": -1},
        {"last_seq": True},
        {"last_seq": 1.0},
        {"last_seq": 2**63},
        {"app": ""},
        {"app": "a" * 101},
        {"app": "a\nb"},
        {"responses": {}},
        {"responses": [{}] * 201},
        {"later": 1},
    ],
    ids=str,
)
def test_envelopes_that_are_refused(post: Post, changes: dict[str, Any]) -> None:
    answer = post(**changes)
    assert (answer.status_code, kind(answer)) == (400, "bad-request")
    assert answer.json["detail"]


@pytest.mark.parametrize("missing", ["sent_at", "last_seq", "app", "responses"])
def test_an_envelope_is_complete(client: FlaskClient, token: str, missing: str) -> None:
    body = sending()
    del body[missing]
    answer = client.post("/api/v1/responses", json=body, headers={"Authorization": f"Bearer {token}"})
    assert (kind(answer), answer.json["detail"]) == ("bad-request", f"{missing} is missing")


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/plain"},
        {"Content-Type": "application/json; charset=iso-8859-1"},
        {"Content-Type": "application/x-www-form-urlencoded"},
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
    ],
    ids=str,
)
def test_only_plain_json_in_utf_8_is_taken(client: FlaskClient, token: str, headers: dict[str, str]) -> None:
    answer = client.post("/api/v1/responses", data=GOOD, headers={"Authorization": f"Bearer {token}"} | headers)
    assert (answer.status_code, kind(answer)) == (415, "unsupported-media")


def test_a_device_is_slowed_alone(settings: Settings) -> None:
    tokens = [enrol(settings)[1] for _ in range(2)]
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer)
        spent = app.extensions["sipas"].limit
        spent._clock = lambda: 0.0  # a slow machine must not fill the bucket meanwhile
        assert spent.spend("C01-1", 3000) is None
        answers = [
            app.test_client().post("/api/v1/responses", json=sending(), headers={"Authorization": f"Bearer {token}"})
            for token in tokens
        ]
    assert [answer.status_code for answer in answers] == [429, 200]
    assert kind(answers[0]) == "too-many-requests"
    assert int(answers[0].headers["Retry-After"]) >= 1


def test_a_bucket_lets_twenty_a_second_pass_for_ever() -> None:
    at = 0.0
    limit = DeviceLimit(clock=lambda: at)
    for _ in range(20 * 600):
        at += 0.05
        assert limit.spend("C01-1", 1) is None
    assert limit.spend("C01-1", 3001) is not None
    assert limit.spend("C01-2", 200) is None


# ---- the other routes


def test_the_questionnaire_is_the_stores_own_copy(client: FlaskClient, token: str) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    form = client.get("/api/v1/questionnaires/counter/1", headers=headers).json
    assert form["sha256"] == FORM.sha256
    assert [item["code"] for item in form["items"]] == [item.code for item in FORM.items]
    for path in ("counter/999", "nix/1", "%00/1", "..%2f/1"):
        assert client.get(f"/api/v1/questionnaires/{path}", headers=headers).status_code == 404
    assert client.get("/api/v1/questionnaires/counter/1").status_code == 401


def test_asking_for_the_device_writes_nothing(client: FlaskClient, token: str, settings: Settings) -> None:
    with Store.open(settings, write=False) as store:
        before = store.devices(), store.events()
        for _ in range(3):
            assert client.get("/api/v1/device", headers={"Authorization": f"Bearer {token}"}).status_code == 200
        assert (store.devices(), store.events()) == before


def test_titles_speak_the_readers_language(client: FlaskClient) -> None:
    vietnamese = client.get("/api/v1/device")
    english = client.get("/api/v1/device", headers={"Accept-Language": "en-GB, vi;q=0.1"})
    assert vietnamese.headers["Content-Language"] == "vi"
    assert english.json["title"] == "The request carries no device token."
    assert vietnamese.json["title"] != english.json["title"]
