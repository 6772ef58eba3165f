"""What the server knows of its tablets: each contact is noted, and whatever needs attention is said."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from flask.testing import FlaskClient

from survey_app.cli import sipas
from survey_app.device_status import Condition, look, notes
from survey_app.model import Device, stamp
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.ground import FORM, NOON, enrolled, make_store, record, response, wave
from tests.served import counter, enrol, make_field, sending
from tests.served import response as raw_response

MINUTE = timedelta(minutes=1)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """An instance with the open simulated wave q4."""
    with make_store(tmp_path)[1] as made:
        yield made


def of(store: Store, device: Device, now: datetime = NOON) -> Condition:
    (one,) = look(store, now, device.id)
    return one


def kinds(store: Store, now: datetime = NOON, target: str | None = None) -> list[str]:
    return [note.kind for note in notes(look(store, now, target))]


# ---- contacts


def test_a_day_has_one_row_however_often_a_device_calls(store: Store) -> None:
    device = enrolled(store)
    for minute, offset in ((3, 2), (0, -7), (9, 5)):
        store.note_contact(
            device.id, NOON + minute * MINUTE, last_seq=minute, app=f"kiosk {minute}", offset=timedelta(seconds=offset)
        )
    (day,) = store.contacts(device.id)
    assert (day.contacts, day.first, day.last) == (3, NOON, NOON + 9 * MINUTE)
    assert (day.offset_least, day.offset_most) == (-7000, 5000)
    known = store.device(device.id)
    assert (known.app, known.offset_ms, known.last_seq, known.last_seen) == ("kiosk 9", 5000, 9, NOON + 9 * MINUTE)


def test_the_day_is_that_of_vietnam(store: Store) -> None:
    device = enrolled(store)
    midnight = datetime(2026, 10, 5, 17, 0, tzinfo=UTC)
    for at in (midnight - timedelta(milliseconds=1), midnight):
        store.note_contact(device.id, at)
    assert [day.day.isoformat() for day in store.contacts(device.id)] == ["2026-10-05", "2026-10-06"]


def test_a_page_without_javascript_tells_neither_program_nor_clock(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(None, mode="page"))
    assert (of(store, device).device.app, of(store, device).device.offset_ms) == (None, None)
    assert store.contacts(device.id)[0].offset_least is None
    store.note_contact(device.id, NOON, app="kiosk 1", offset=MINUTE)
    record(store, device, response(None, mode="page"))
    assert (of(store, device).device.app, of(store, device).device.offset_ms) == ("kiosk 1", 60_000)
    assert store.contacts(device.id)[0].offset_most == 60_000


# ---- over the API


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def client(settings: Settings) -> Iterator[FlaskClient]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer).test_client()


def send(client: FlaskClient, token: str, *responses: Any, **changes: Any) -> Any:
    headers = {"Authorization": f"Bearer {token}"}
    return client.post("/api/v1/responses", json=sending(*responses, **changes), headers=headers)


def test_heartbeats_and_responses_teach_alike(client: FlaskClient, settings: Settings) -> None:
    id, token = enrol(settings)
    slow = stamp(datetime.now(UTC) - timedelta(minutes=20))
    assert send(client, token, app="kiosk 7", sent_at=slow).status_code == 200
    assert send(client, token, raw_response(counter(), 1), app="kiosk 8", last_seq=4).json["missing"] == [[2, 4]]
    with Store.open(settings, write=False) as store:
        device, (day,) = store.device(id), store.contacts(id)
        assert (device.app, device.last_seq, day.contacts) == ("kiosk 8", 4, 2)
        assert device.offset_ms is not None and day.offset_least is not None and day.offset_most is not None
        assert day.offset_least == device.offset_ms < 19 * 60_000 < day.offset_most
        (one,) = look(store, datetime.now(UTC), id)
    assert (one.gaps, one.tail, one.highest) == ((), (2, 4), 1), "a heartbeat reveals a lost tail"


def test_what_cannot_be_read_does_not_count_as_missing(client: FlaskClient, settings: Settings) -> None:
    id, token = enrol(settings)
    send(client, token, {"uuid": "x", "seq": 1}, raw_response(counter(), 2))
    with Store.open(settings, write=False) as store:
        (one,) = look(store, datetime.now(UTC), id)
        assert (one.gaps, one.tail, one.rejected, one.responses) == ((), None, 1, 1)


# ---- what needs attention


def test_a_sound_device_needs_none(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(1), response(2))
    assert kinds(store) == []
    one = of(store, device)
    assert (one.responses, one.highest, one.gaps, one.tail, one.hours_silent) == (2, 2, (), None, 0.0)


def test_gaps_and_a_lost_tail_are_told_apart(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(2), response(3), response(6))
    store.note_contact(device.id, NOON, last_seq=9)
    assert (of(store, device).gaps, of(store, device).tail) == (((1, 1), (4, 5)), (7, 9))
    gap, tail = notes(look(store, NOON))
    assert (gap.kind, tail.kind) == ("gap", "tail")
    assert "3 numbers never arrived" in gap.what and "1, 4–5" in gap.what
    assert "it has given 3 numbers that did not arrive: 7–9" in tail.what


def test_r9_a_conflict_is_an_alert(store: Store) -> None:
    device = enrolled(store)
    one = response(1)
    record(store, device, one)
    assert record(store, device, response(1, {"OVERALL": 1}, uuid=one.uuid))[0].fate == "conflict"
    assert of(store, device).conflicts == 1
    (note,) = notes(look(store, NOON))
    assert note.kind == "conflict" and "both are kept" in note.what


def test_a_number_used_twice_and_a_refused_response(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(1), response(1))
    bad = response(2, {"OVERALL": 9})
    record(store, device, bad)
    record(store, device, bad)
    one = of(store, device)
    assert (one.used_twice, one.rejected, one.gaps, one.tail) == (1, 1, (), None)
    assert kinds(store) == ["used_twice", "rejected"]


@pytest.mark.parametrize(
    ("hours", "days", "silent"),
    [(20, 0, False), (43, 1, True), (35, 0, False), (4 * 24, 3, True)],
    ids=["the next morning", "a day later, past midnight", "the next evening", "Friday"],
)
def test_silence_counts_whole_working_days(tmp_path: Path, hours: int, days: int, silent: bool) -> None:
    """NOON is a Monday."""
    with make_store(tmp_path, simulated=False)[1] as store:
        device = enrolled(store, simulated=False)
        for back in (0, 1, 5, 13, 14):
            store.note_contact(device.id, NOON - timedelta(days=back))
        one = of(store, device, NOON + timedelta(hours=hours))
        assert (one.hours_silent, one.working_days_silent, one.active, one.expected) == (hours, days, 4, True)
        found = kinds(store, NOON + timedelta(hours=hours))
        assert (found == ["silent"]) is silent and (found == []) is not silent


def test_a_weekend_is_no_silence_and_without_an_open_wave_nobody_waits(tmp_path: Path) -> None:
    friday, monday = NOON + timedelta(days=4), NOON + timedelta(days=7)
    with make_store(tmp_path, simulated=False)[1] as store:
        device = enrolled(store, simulated=False)
        store.note_contact(device.id, friday)
        assert of(store, device, monday).working_days_silent == 0
        assert kinds(store, monday + timedelta(days=2)) == ["silent"]
        store.close_wave("q4")
        assert kinds(store, monday + timedelta(days=2)) == []


@pytest.mark.parametrize(
    ("offset", "said"),
    [
        (timedelta(minutes=4), None),
        (timedelta(minutes=-7), "7 minutes ahead"),
        (timedelta(hours=5), "5 hours behind"),
        (timedelta(days=3652), "3652 days behind"),
        (timedelta(days=-3652), "3652 days ahead"),
    ],
)
def test_a_wrong_clock_is_said(store: Store, offset: timedelta, said: str | None) -> None:
    device = enrolled(store)
    store.note_contact(device.id, NOON, app="kiosk 1", offset=offset)
    found = notes(look(store, NOON))
    assert [note.kind for note in found] == ([] if said is None else ["clock"])
    assert said is None or said in found[0].what


def test_a_device_on_another_version_than_most(store: Store) -> None:
    for app in ("kiosk b", "kiosk a", "kiosk b"):
        store.note_contact(enrolled(store).id, NOON, app=app, offset=timedelta())
    (note,) = notes(look(store, NOON))
    assert (note.device, note.kind) == ("00691-2", "app")


def test_a_code_that_ran_out(store: Store) -> None:
    device, _ = store.add_device("00691", simulated=True)
    assert of(store, device, device.created).state == "awaits its code"
    assert kinds(store, device.created) == []
    assert of(store, device, device.created + timedelta(hours=25)).state == "code ran out"
    assert kinds(store, device.created + timedelta(hours=25)) == ["never_enrolled"]


def test_of_a_revoked_device_only_its_answers_matter(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(1))
    store.note_contact(device.id, NOON, last_seq=3, app="kiosk 1", offset=timedelta(hours=3))
    store.revoke_device(device.id)
    (note,) = notes(look(store, NOON + timedelta(days=9)))
    assert note.kind == "tail" and "sipas device import" in note.remedy


# ---- which devices


def test_a_centre_a_device_a_wave(store: Store) -> None:
    store.create_wave(wave("other", centres=("00694",)), FORM)
    devices = [enrolled(store), enrolled(store, "00694"), enrolled(store, purpose="sample")]
    record(store, devices[0], response(1))
    ids = [device.id for device in devices]
    chosen = [[one.device.id for one in look(store, NOON, *which)] for which in
              ((), ("00694",), (ids[2],), (None, "q4"), (None, "other"), ("TINH",))]  # fmt: skip
    assert chosen == [[ids[0], ids[2], ids[1]], [ids[1]], [ids[2]], ids[:2], [ids[1]], []]
    assert [one.responses for one in look(store, NOON, None, "q4")] == [1, 0]
    for target, named in (("nowhere", None), (None, "q9")):
        with pytest.raises(StoreError):
            look(store, NOON, target, named)


# ---- the command


def run(settings: Settings, *arguments: str) -> str:
    done = CliRunner().invoke(sipas, ["--instance", str(settings.instance), "device", "status", *arguments])
    assert done.exit_code == 0, done.output
    return done.output


def test_sentences_first_then_the_table(store: Store) -> None:
    device = enrolled(store)
    assert run(store.settings).startswith("1 device: nothing needs attention.\n\ndevice ")
    record(store, device, response(3))
    store.note_contact(device.id, NOON, app="kiosk 1", offset=timedelta(seconds=2))
    told = run(store.settings, "00691").splitlines()
    assert told[0] == "1 device of 1 need attention:"
    assert told[1].startswith("  00691-1: 2 numbers never arrived, though later ones did: 1–2. It sends them")
    assert told[3].split()[:3] == ["device", "state", "last"]
    assert "+2.0" in told[4] and told[4].endswith("kiosk 1")
    told = run(store.settings, "00691-1").splitlines()
    assert told[6].split() == ["day", "contacts", "first", "last", "clock", "s"]
    assert told[7].split()[:2] == ["2026-10-05", "2"]


def test_the_same_for_machines(store: Store) -> None:
    device = enrolled(store)
    record(store, device, response(3))
    told = json.loads(run(store.settings, device.id, "--json"))
    assert told["attention"][0] | {"what": "", "remedy": ""} == {
        "device": device.id,
        "kind": "gap",
        "what": "",
        "remedy": "",
    }
    (one,) = told["devices"]
    assert (one["gaps"], one["tail"], one["state"], one["device"]["id"]) == ([[1, 2]], None, "enrolled", device.id)
    assert told["days"][0]["contacts"] == 1
    assert "token" not in json.dumps(told) and "sha256" not in json.dumps(told)


def test_an_instance_without_devices(store: Store) -> None:
    assert run(store.settings) == "no devices\n"
