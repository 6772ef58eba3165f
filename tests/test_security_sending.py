"""What a sender may and may not decide: secrets, uuids, limits, what the server sets (rows 10, 19 to 24)."""

import base64
import threading
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from survey_app.access import CODE_LIFE, new_code, new_token, read_code, secret_hash
from survey_app.model import stamp
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.web.limits import BURST
from survey_app.writer import Writer
from tests.kiosk_pages import RECEIVED, kiosk_at
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


Send = Callable[..., Any]


@pytest.fixture
def send(app: Flask, token: str) -> Send:
    def sent(*responses: Any, by: str = token, **changes: Any) -> Any:
        headers = {"Authorization": f"Bearer {by}"}
        return app.test_client().post("/api/v1/responses", json=sending(*responses, **changes), headers=headers)

    return sent


def fate(answer: Any) -> tuple[str, list[str]]:
    (told,) = answer.json["results"]
    return told["fate"], told.get("errors", [])


def stored(settings: Settings) -> list[Any]:
    with Store.open(settings, write=False) as store:
        return list(store.responses(WAVE))


# ---- row 10: the cookie


@pytest.mark.parametrize("way", ["page", "api"])
@pytest.mark.parametrize("development", [False, True])
def test_row_10_the_cookie_is_bound_to_this_host_and_kept_from_scripts(
    settings: Settings, way: str, development: bool
) -> None:
    base = "http://localhost" if development else "https://kiosk.example"
    with Writer(settings) as writer, Store.open(settings) as store:
        client = create_app(settings, writer=writer, development_http=development).test_client()
        body: dict[str, Any] = {"code": store.add_device("C01")[1]}
        sent = {"data": body} if way == "page" else {"json": body}
        answer = client.post("/enrol" if way == "page" else "/api/v1/enrol", base_url=base, **sent)
    (cookie,) = answer.headers.getlist("Set-Cookie")
    name, _, attributes = cookie.partition("=")
    told = {part.strip().partition("=")[0]: part.strip().partition("=")[2] for part in attributes.split(";")[1:]}
    assert name == ("device" if development else "__Host-device")
    assert set(told) == {"Expires", "Max-Age", "HttpOnly", "Path", "SameSite"} | (set() if development else {"Secure"})
    assert (told["Path"], told["SameSite"]) == ("/", "Strict")


# ---- row 19: tokens


def test_row_19_secrets_are_long_and_never_the_same() -> None:
    tokens, codes = {new_token() for _ in range(1000)}, {new_code() for _ in range(1000)}
    assert len(tokens) == len(codes) == 1000
    assert all(len(base64.urlsafe_b64decode(token + "=")) * 8 >= 128 for token in tokens)
    assert all(len(base64.b32decode(read_code(code))) * 8 == 80 for code in codes)
    assert CODE_LIFE == timedelta(hours=24)


def test_row_19_only_hashes_are_kept(settings: Settings) -> None:
    with Store.open(settings) as store:
        code = store.add_device("C01")[1]
        token = store.enrol(code).token
    files = [path for path in settings.instance.rglob("*") if path.is_file()]
    content = b"".join(path.read_bytes() for path in files)
    for secret in (token, code, read_code(code)):
        assert secret.encode() not in content
    assert secret_hash(token).encode() in content


def test_row_19_a_withdrawn_token_sends_nothing_more(settings: Settings, send: Send) -> None:
    device, token = enrol(settings)
    body = response(FORM, 1)
    assert fate(send(body, by=token)) == ("stored", [])
    with Store.open(settings) as store:
        store.revoke_device(device)
    for again in (body, response(FORM, 2)):
        assert send(again, by=token).status_code == 401
    assert len(stored(settings)) == 1


def test_row_19_a_code_works_once_and_for_a_day(
    settings: Settings, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(settings) as store:
        used, late = store.add_device("C01")[1], store.add_device("C01")[1]
    client = app.test_client()
    assert [client.post("/api/v1/enrol", json={"code": used}).status_code for _ in range(2)] == [200, 400]

    class Tomorrow(datetime):
        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) + CODE_LIFE

    monkeypatch.setattr("survey_app.store.devices.datetime", Tomorrow)
    assert client.post("/api/v1/enrol", json={"code": late}).status_code == 400


def test_row_19_a_token_cannot_be_enrolled_with(app: Flask, token: str) -> None:
    assert app.test_client().post("/api/v1/enrol", json={"code": token}).status_code == 400


# ---- row 20: no secret in an address or a log (a running server's log: test_serve.py)


def test_row_20_no_page_puts_a_secret_into_an_address_or_its_text(tmp_path: Path, caplog: Any) -> None:
    caplog.set_level("DEBUG")
    with kiosk_at(tmp_path) as kiosk:
        code = kiosk.asked_of_store(lambda store: store.add_device("C01"))[1]
        client = kiosk.app.test_client()
        answers = [client.get("/enrol"), client.post("/enrol", data={"code": code})]
        cookie = answers[1].headers["Set-Cookie"].partition(";")[0].partition("=")[2]
        answers += [client.get(path) for path in ("/", "/thanks", "/survey", "/enrol")]
        answers += [client.post("/api/v1/enrol", json={"code": code})]
        for answer in answers:
            headers = "".join(f"{name}: {value}" for name, value in answer.headers if name != "Set-Cookie")
            for secret in (cookie, code, read_code(code)):
                assert secret not in answer.text + headers
    assert cookie not in caplog.text and code not in caplog.text


@pytest.mark.parametrize("path", ["/api/v1/device?token={}", "/api/v1/device?access_token={}", "/?device={}"])
def test_row_20_a_token_in_an_address_is_worth_nothing(app: Flask, token: str, path: str) -> None:
    assert app.test_client().get(path.format(token)).status_code in {401, 403}


# ---- row 21: uuids


@pytest.mark.parametrize(
    "uuid",
    [None, "", 1, [], {}, "x", "00000000-0000-0000-0000-000000000000", "A" * 36, "6F9619FF-8B86-4D01-B42D-00CF4FC964FF",
     "6f9619ff-8b86-1d01-b42d-00cf4fc964ff", " 6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff\n"],
)  # fmt: skip
def test_row_21_no_response_without_a_proper_uuid(send: Send, settings: Settings, uuid: object) -> None:
    assert fate(send(response(FORM, 1, uuid=uuid)))[0] == "rejected"
    without = response(FORM, 2)
    del without["uuid"]
    assert fate(send(without)) == ("rejected", ["uuid:missing"])
    assert stored(settings) == []


def test_row_21_a_uuid_cannot_be_null_or_twice_in_the_tables_either(settings: Settings, send: Send) -> None:
    send(response(FORM, 1), response(FORM, 2))
    with Store.open(settings) as store:
        for change in ("NULL", "(SELECT uuid FROM response WHERE number = 1)"):
            columns = ", ".join(
                row[1]
                for row in store._rows("PRAGMA table_info(response)")
                if row[1] not in ("uuid", "number", "position")
            )
            with pytest.raises(Exception, match="constraint failed"), store.group():
                store._execute(
                    f"INSERT INTO response (uuid, number, position, {columns})"
                    f" SELECT {change}, 3, 3, {columns} FROM response WHERE number = 2"
                )
    assert verify(settings) == ()


def test_row_21_replay_and_theft_of_a_uuid(settings: Settings, send: Send) -> None:
    """Another device that sends a known uuid with other answers gets a conflict: nothing is overwritten."""
    first = response(FORM, 1)
    other = enrol(settings, "C02")[1]
    assert [fate(send(first))[0] for _ in range(2)] == ["stored", "already_stored"]
    assert fate(send({**first, "field": "ho-tich"}, by=other))[0] == "conflict"
    assert [(one.centre, one.field) for one in stored(settings)] == [("C01", "dat-dai")]
    assert verify(settings) == ()


def test_row_21_one_uuid_from_many_threads_with_different_answers(settings: Settings, send: Send) -> None:
    one, fates = response(FORM, 1), []
    bodies = [{**one, "field": field} for field in ("dat-dai", "ho-tich")] * 4
    threads = [threading.Thread(target=lambda body=body: fates.append(fate(send(body))[0])) for body in bodies]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(fates) == ["already_stored"] * 3 + ["conflict"] * 4 + ["stored"]
    assert len(stored(settings)) == 1 and verify(settings) == ()


# ---- row 22: the rules hold without the pages


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"answers": {}}, "missing"),
        ({"answers": {"VISIT": 99}}, ""),
        ({"wave": "no-such-wave"}, "unknown_wave"),
        ({"questionnaire": "sipas-2022"}, "wrong_questionnaire"),
        ({"version": "999"}, "wrong_questionnaire"),
        ({"field": "no-such-field"}, ""),
        ({"disposition": "refused", "answers": {}}, ""),
        ({"psu": "V1"}, "psu_in_counter_wave"),
        ({"seq": None}, ""),
        ({"language": "xx"}, ""),
    ],
    ids=lambda value: str(value)[:40],
)
def test_row_22_what_no_page_would_send_is_rejected(
    send: Send, settings: Settings, change: dict[str, Any], wrong: str
) -> None:
    told, errors = fate(send(response(FORM, 1) | change))
    assert told == "rejected" and errors and any(wrong in error for error in errors)
    assert stored(settings) == []


def test_row_22_no_version_of_the_api_is_laxer(app: Flask) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/api/")}
    assert {rule.split("/")[2] for rule in rules} == {"v1"}


# ---- row 23: limits by device


def test_row_23_two_devices_behind_one_address(app: Flask, settings: Settings, token: str) -> None:
    other, client = enrol(settings)[1], app.test_client()
    limit = app.extensions["sipas"].limit
    limit.spend("C01-1", BURST)
    sent = [
        client.post(
            "/api/v1/responses", json=sending(*[response(FORM, n) for n in range(1, 151)]),
            headers={"Authorization": f"Bearer {by}"}, environ_overrides={"REMOTE_ADDR": "10.0.0.7"},
        ).status_code
        for by in (token, other)
    ]  # fmt: skip
    assert sent == [429, 200]
    assert len(stored(settings)) == 150


# ---- row 24: what the server sets itself

SET_BY_THE_SERVER = {
    "centre": "C02", "device": "C02-1", "received": stamp(datetime.now(UTC)), "local_day": "2020-01-01", "offset_ms": 0,
    "late": 0, "after_close": 0, "clock": 0, "weight": 5, "base_weight": 5.0, "stratum": "x", "position": 1, "number": 1,
    "chain": "0" * 64, "content_sha256": "0" * 64, "simulated": False, "kind": "sample", "__proto__": {}, "status": "stored",
}  # fmt: skip


@pytest.mark.parametrize("name", SET_BY_THE_SERVER)
def test_row_24_what_the_server_sets_nobody_sends(send: Send, settings: Settings, name: str) -> None:
    told, errors = fate(send(response(FORM, 1) | {name: SET_BY_THE_SERVER[name]}))
    assert told == "rejected" and any(error.endswith(":unknown_key") for error in errors)
    assert send(response(FORM, 1), **{name: SET_BY_THE_SERVER[name]}).status_code == 400
    assert stored(settings) == []


def test_row_24_centre_and_time_are_the_servers(send: Send, settings: Settings) -> None:
    before = datetime.now(UTC) - timedelta(milliseconds=1)
    send(response(FORM, 1))
    (one,) = stored(settings)
    assert (one.centre, one.device, one.late, one.after_close) == ("C01", "C01-1", False, False)
    assert before <= one.received <= datetime.now(UTC)


def test_row_24_the_pages_take_no_such_field_either(tmp_path: Path) -> None:
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk(RECEIVED)
        sent = tablet.page.sends("send", {})
        for name, value in {**SET_BY_THE_SERVER, "submitted": "2020-01-01T00:00:00.000Z", "mode": "paper"}.items():
            sent[name] = str(value)
        tablet.send(sent)
        (one,) = kiosk.stored()
        assert (one.centre, one.device, one.mode, one.clock) == ("C01", "C01-1", "page", False)
        assert abs(one.submitted - kiosk.clock.now) < timedelta(seconds=1)
