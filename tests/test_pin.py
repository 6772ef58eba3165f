"""The PIN of a centre's staff page: what is taken, what is kept, how it is checked, and how slowly it can be guessed."""

import dataclasses
import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from flask.testing import FlaskClient

from survey_app.cli import run as run_cli
from survey_app.cli import sipas
from survey_app.pin import ITERATIONS, PinError, is_right, make_pin
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.web.context import EXTENSION
from survey_app.web.limits import MOST_WAIT, PinTries
from survey_app.writer import Writer
from tests.served import enrol, make_field
from tests.test_openapi import told

GOOD = "402958"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    """The clock of its tries stands still unless a test moves it: no test depends on how long a hash takes."""
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer)
        app.extensions[EXTENSION] = dataclasses.replace(app.extensions[EXTENSION], tries=PinTries(Clock()))
        yield app.test_client()


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def set_pin(settings: Settings, digits: str = GOOD, centre: str = "C01") -> None:
    with Store.open(settings) as store:
        store.set_pin(centre, make_pin(digits))


def ask(client: FlaskClient, token: str, typed: object) -> Any:
    return client.post("/api/v1/pin", json={"pin": typed}, headers={"Authorization": f"Bearer {token}"})


# ---- the PIN itself


@pytest.mark.parametrize("digits", [GOOD, "000137", "910473820165", "40295817"])
def test_digits_without_a_pattern_are_taken(digits: str) -> None:
    pin = make_pin(digits)
    assert is_right(pin, digits)
    assert not is_right(pin, digits[:-1] + str((int(digits[-1]) + 1) % 10))


@pytest.mark.parametrize(
    "digits",
    ["", "12345", "1234567890123", "40295a", "４０２９５８", "-40295", "402 958", "40295\n", "000000", "999999999999",
     "123456", "654321", "012345678901", "987654", "890123", "121212", "123123", "112233", "696969", "111222", "31121985",
     "19851231", "686868", "147258"],
)  # fmt: skip
def test_what_anybody_would_try_first_is_refused_with_a_remedy(digits: str) -> None:
    with pytest.raises(PinError) as refused:
        make_pin(digits)
    (problem,) = refused.value.problems
    assert "6 to 12 digits" in problem.remedy
    assert not digits.strip() or digits not in str(refused.value)


def test_the_hash_is_what_a_tablet_computes() -> None:
    pin = make_pin(GOOD)
    assert (pin.iterations, len(bytes.fromhex(pin.salt))) == (600_000, 16) and ITERATIONS == pin.iterations
    assert hashlib.pbkdf2_hmac("sha256", GOOD.encode(), bytes.fromhex(pin.salt), 600_000).hex() == pin.hash


def test_two_centres_with_one_pin_have_different_hashes() -> None:
    assert make_pin(GOOD).hash != make_pin(GOOD).hash


@pytest.mark.parametrize("typed", ["", "x", "40295", "402958\0", "𝟒𝟎𝟐𝟗𝟓𝟖", "\udcff", "4" * 100])
def test_whatever_is_typed_is_simply_wrong(typed: str) -> None:
    assert not is_right(make_pin(GOOD), typed)


# ---- the store


def test_the_pin_is_nowhere_and_the_audit_knows_when_it_was_set(settings: Settings) -> None:
    set_pin(settings)
    with Store.open(settings) as store:
        store.set_pin("C01", make_pin("710384"))
        store.remove_pin("C01")
        with pytest.raises(StoreError, match="C01 has no PIN"):
            store.remove_pin("C01")
        with pytest.raises(StoreError, match="no centre has the code"):
            store.set_pin("C99", make_pin(GOOD))
        kinds = ["centre_pin_set", "centre_pin_removed"]
        assert [event.kind for event in store.events(kinds)] == [kinds[0], kinds[0], kinds[1]]
        assert store.pin("C01") is None
    for file in settings.instance.rglob("sipas.sqlite3*"):
        assert GOOD.encode() not in file.read_bytes()
    assert verify(settings) == ()


# ---- the route


def test_a_tablet_is_told_right_wrong_or_none(client: FlaskClient, settings: Settings) -> None:
    token = enrol(settings)[1]
    assert ask(client, token, GOOD).json == {"fate": "none"}
    set_pin(settings)
    assert ask(client, token, "402959").json == {"fate": "wrong"}
    assert ask(client, token, GOOD).status_code == 429
    assert ask(client, enrol(settings)[1], GOOD).json == {"fate": "right"}
    assert ask(client, enrol(settings, "C02")[1], GOOD).json == {"fate": "none"}, "each centre has its own"


@pytest.mark.parametrize("body", [{}, {"pin": 402958}, {"pin": None}, {"pin": [GOOD]}, {"pin": "4" * 101},
                                  {"pin": GOOD, "device": "C01-1"}, []])  # fmt: skip
def test_what_is_no_try_is_refused(client: FlaskClient, settings: Settings, body: Any) -> None:
    set_pin(settings)
    answer = client.post("/api/v1/pin", json=body, headers={"Authorization": f"Bearer {enrol(settings)[1]}"})
    assert answer.status_code == 400


def test_rows_15_and_19_without_a_good_token_nothing_is_told(client: FlaskClient, settings: Settings) -> None:
    set_pin(settings)
    device, token = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    answers = [ask(client, token, typed) for typed in (GOOD, "000001")]
    assert [answer.status_code for answer in answers] == [401, 401]
    assert answers[0].data == answers[1].data
    assert client.post("/api/v1/pin", json={"pin": GOOD}).status_code == 401
    client.set_cookie("__Host-device", enrol(settings)[1], secure=True)
    assert client.post("/api/v1/pin", json={"pin": GOOD}, base_url="https://localhost").status_code == 401


def test_row_20_no_pin_in_an_answer_or_a_log(
    client: FlaskClient, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(0)
    set_pin(settings)
    for typed in (GOOD, "402959", "4" * 101):
        assert typed not in ask(client, enrol(settings)[1], typed).text
    assert GOOD not in caplog.text and "402959" not in caplog.text


def test_the_bundle_gives_the_tablet_what_it_needs_offline(client: FlaskClient, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    assert told(client.get("/api/v1/kiosk", headers=headers), "get", "/api/v1/kiosk")["pin"] is None
    pin = make_pin(GOOD)
    with Store.open(settings) as store:
        store.set_pin("C01", pin)
    bundle = told(client.get("/api/v1/kiosk", headers=headers), "get", "/api/v1/kiosk")
    assert bundle["pin"] == {"salt": pin.salt, "iterations": 600_000, "hash": pin.hash}
    assert GOOD not in str(bundle)


# ---- row 14: slowed for each device, never locked out


def guess(tries: PinTries, clock: Clock, count: int) -> float:
    """So many wrong tries as fast as the device may; returns the seconds they take."""
    began = clock.now
    for _ in range(count):
        while wait := tries.begin("C01-1"):
            clock.now += wait
        tries.ended("C01-1", "wrong")
    return clock.now - began


def test_row_14_guessing_slows_down_to_one_try_a_minute() -> None:
    clock = Clock()
    tries = PinTries(clock)
    assert guess(tries, clock, 3) < 10
    guess(tries, clock, 10)
    assert guess(tries, clock, 100) == 100 * MOST_WAIT


def test_row_14_the_honest_official_still_enters_within_a_minute() -> None:
    clock = Clock()
    tries = PinTries(clock)
    guess(tries, clock, 1_000)
    wait = tries.begin("C01-1")
    assert wait is not None and wait <= MOST_WAIT
    assert tries.begin("C01-2") is None, "the other tablets of the centre wait for nobody"
    clock.now += wait
    assert tries.begin("C01-1") is None
    tries.ended("C01-1", "right")
    assert tries.begin("C01-1") is None


def test_row_14_many_tries_at_once_are_no_way_round() -> None:
    """While one is checked the next waits, and so it does after each that was wrong."""
    tries = PinTries(Clock())
    assert [tries.begin("C01-1") is None for _ in range(50)].count(True) == 1


# ---- the command


def sipas_pin(settings: Settings, *arguments: str, typed: str | None = None) -> Result:
    arguments = ("--instance", str(settings.instance), "centre", "pin", *arguments)
    return CliRunner().invoke(sipas, list(arguments), input=typed)


def test_the_command_sets_and_removes_it(settings: Settings, tmp_path: Path) -> None:
    done = sipas_pin(settings, "C01", typed=f"{GOOD}\n")
    assert (done.exit_code, done.output) == (
        0,
        "Trung tâm C01: PIN set. Its tablets learn it with their next contact.\n",
    )
    with Store.open(settings) as store:
        pin = store.pin("C01")
        assert pin is not None and is_right(pin, GOOD)
    (tmp_path / "pin.txt").write_text("\ufeff710384\r\n", encoding="utf-8")
    assert json.loads(sipas_pin(settings, "C01", "--pin-file", str(tmp_path / "pin.txt"), "--json").output) == {
        "centre": "C01",
        "pin": "set",
    }
    with Store.open(settings) as store:
        pin = store.pin("C01")
        assert pin is not None and is_right(pin, "710384") and not is_right(pin, GOOD)
    assert sipas_pin(settings, "C01", "--remove").exit_code == 0
    with Store.open(settings) as store:
        assert store.pin("C01") is None


@pytest.mark.parametrize(
    ("arguments", "typed", "said"),
    [
        (["C01"], "", "no PIN was given"),
        (["C01"], "\n402958\n", "no PIN was given"),
        (["C01"], "123456\n", "one of the first that anybody would try"),
        (["C01"], "40 29 58\n", "not 6 to 12 digits"),
        (["C99"], "402958\n", "no centre has the code 'C99'"),
        (["C01", "--remove"], "", "C01 has no PIN"),
        (["C01", "--remove", "--pin-file", "FILE"], "", "not both"),
    ],
)
def test_what_the_command_refuses(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
    arguments: list[str], typed: str, said: str
) -> None:  # fmt: skip
    (tmp_path / "FILE").write_text(typed, encoding="utf-8")
    given = [str(tmp_path / one) if one == "FILE" else one for one in arguments]
    if "--remove" not in given:
        given += ["--pin-file", str(tmp_path / "FILE")]
    assert run_cli(["--instance", str(settings.instance), "centre", "pin", *given]) == 2
    complaint = capsys.readouterr().err
    assert said in complaint and "remedy: " in complaint
    assert GOOD not in complaint


def test_the_pin_typed_at_a_terminal_is_not_shown(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("survey_app.cli.centre_pin.sys.stdin", type("Terminal", (), {"isatty": lambda self: True})())
    asked: list[dict[str, bool]] = []

    def prompt(text: str, **how: bool) -> str:
        asked.append(how)
        return GOOD

    monkeypatch.setattr("click.prompt", prompt)
    assert run_cli(["--instance", str(settings.instance), "centre", "pin", "C01"]) == 0
    assert asked == [{"hide_input": True, "confirmation_prompt": True}]
