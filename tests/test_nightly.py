"""The backup of every night: when it is owed, who makes it, what happens when it fails, and that the server goes on."""

import dataclasses
import logging
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from survey_app.backup import backups_of, make_backup
from survey_app.model import VIETNAM, stamp
from survey_app.nightly import Nightly, due, last_moment
from survey_app.response import parse_response
from survey_app.settings import Settings, SettingsError
from survey_app.store import Store, connection
from survey_app.verification import verify
from survey_app.writer import Writer
from tests.ground import tamper
from tests.served import counter, enrol, make_field, response, sending, serving

FORM = counter()


def local(text: str) -> datetime:
    return datetime.fromisoformat(f"2026-11-{text}:00").replace(tzinfo=VIETNAM).astimezone(UTC)


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An instance three days old without a nightly backup; two of them passed by."""
    with monkeypatch.context() as past:
        past.setattr(connection, "stamp", lambda moment: stamp(moment - timedelta(days=3)))
        return make_field(tmp_path / "instance")


@pytest.fixture
def writer(settings: Settings) -> Iterator[Writer]:
    with Writer(settings) as running:
        yield running


# ---- when


@pytest.mark.parametrize(
    ("at", "now", "moment"),
    [
        ("02:00", "20 01:59", "19 02:00"),
        ("02:00", "20 02:00", "20 02:00"),
        ("02:00", "20 23:59", "20 02:00"),
        ("23:30", "20 00:10", "19 23:30"),
        ("06:59", "20 06:59", "20 06:59"),
    ],
)
def test_the_hour_is_that_on_the_wall_in_vietnam(at: str, now: str, moment: str) -> None:
    assert last_moment(at, local(now)) == local(moment)


@pytest.mark.parametrize(
    ("last", "now", "owed"),
    [
        ("20 02:00", "20 23:00", False),
        ("20 02:01", "21 01:59", False),
        ("20 02:01", "21 02:00", True),
        ("20 09:00", "20 23:00", False),  # made up for in the morning
        ("20 09:00", "21 02:00", True),
        ("18 02:00", "20 12:00", True),  # no server ran for two nights: one is made, not two
        ("25 02:00", "20 12:00", True),  # made by a clock that was ahead: it says nothing
    ],
)
def test_one_is_owed_for_each_time_the_hour_has_passed(
    settings: Settings, last: str, now: str, owed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make_backup(settings, kind="nightly")
    manifest = dataclasses.replace(made.manifest, made=local(last))
    (made.path / "manifest.json").write_bytes(manifest.content())
    assert due(settings, local(now), local("01 12:00")) is owed


@pytest.mark.parametrize(
    ("begun", "now", "owed"),
    [
        ("20 09:00", "20 23:00", False),
        ("20 09:00", "21 02:00", True),
        ("20 01:00", "20 02:00", True),
        (None, "20 12:00", False),
        ("28 12:00", "20 12:00", True),  # the clock was ahead when the instance was made
    ],
)
def test_an_instance_without_any_owes_one_from_its_first_night(
    settings: Settings, begun: str | None, now: str, owed: bool
) -> None:
    assert due(settings, local(now), local(begun) if begun else None) is owed


def test_a_backup_made_by_hand_is_not_the_nightly_one(settings: Settings) -> None:
    make_backup(settings)
    assert due(settings, datetime.now(UTC), datetime.now(UTC) - timedelta(days=3))


def test_no_hour_no_backups(settings: Settings) -> None:
    silent = dataclasses.replace(settings, backup_at="")
    assert not due(silent, datetime.now(UTC), datetime.now(UTC) - timedelta(days=3))


@pytest.mark.parametrize("value", ['"2:00"', '"24:00"', '"02:60"', '"02:00:00"', '"nachts"', "2"])
def test_another_way_to_write_the_hour_is_refused(settings: Settings, value: str) -> None:
    config = settings.instance / "config.toml"
    config.write_text(config.read_text().replace('backup_at = "02:00"', f"backup_at = {value}"))
    with pytest.raises(SettingsError, match="backup_at"):
        Settings.load(settings.instance)


def test_none_kept_is_refused(settings: Settings) -> None:
    config = settings.instance / "config.toml"
    config.write_text(config.read_text().replace("backups_kept = 30", "backups_kept = 0"))
    with pytest.raises(SettingsError, match="backups_kept is 0"):
        Settings.load(settings.instance)


# ---- who makes it


def commented(seq: int, text: str, at: datetime) -> dict[str, Any]:
    sent = response(FORM, seq)
    return sent | {"answers": sent["answers"] | {"COMMENT": text}, "started": stamp(at), "submitted": stamp(at)}


def nightly(settings: Settings, writer: Writer, at: datetime | None = None) -> Nightly:
    """One whose thread does not run: the test looks itself, by the real clock or at a moment."""
    quiet = Nightly(dataclasses.replace(settings, backup_at=""), writer, clock=lambda: at or datetime.now(UTC))
    quiet._settings = settings
    return quiet


def test_it_is_made_once_and_verifies(settings: Settings, writer: Writer) -> None:
    owed = nightly(settings, writer)
    owed.look()
    owed.look()
    (made,) = backups_of(settings)
    assert made.sound and made.manifest and made.manifest.kind == "nightly"
    assert verify(settings) == ()


def test_comments_whose_time_is_over_are_deleted_before_the_copy_is_made(settings: Settings, writer: Writer) -> None:
    config = settings.instance / "config.toml"
    config.write_text(config.read_text().replace("comment_days = 365", "comment_days = 2"))
    now = datetime.now(UTC)
    with Store.open(settings) as store:
        device, code = store.add_device("C01")
        store.enrol(code)
        for seq, received in ((1, now - timedelta(days=3)), (2, now)):
            told = parse_response(commented(seq, f"lời thứ {seq}", received))
            (receipt,) = store.record([told], device=device, received=received, sent_at=received)
            assert receipt.fate == "stored"
    nightly(settings, writer).look()
    (made,) = backups_of(settings)
    assert made.sound
    for kept in (settings, Settings.load(made.path)):
        with Store.open(kept, write=False) as store:
            assert [text for number in (1, 2) for text in store.raw_comments(number).values()] == ["lời thứ 2"]
    assert verify(settings) == ()


def test_a_purge_that_fails_is_said_and_keeps_no_backup_from_being_made(
    settings: Settings, writer: Writer, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = Nightly._run_command

    def without_purge(self: Nightly, *arguments: str) -> tuple[int, str]:
        return (2, "no room") if arguments == ("purge",) else run(self, *arguments)

    monkeypatch.setattr(Nightly, "_run_command", without_purge)
    nightly(settings, writer).look()
    assert "could not be deleted: no room" in caplog.text and len(backups_of(settings)) == 1
    with Store.open(settings, write=False) as store:
        assert [event.detail for event in store.events(["purge_failed"])] == [{"said": "no room"}]


def test_a_failure_is_said_noted_and_tried_again_after_an_hour(
    settings: Settings, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    settings.backups.rmdir()
    settings.backups.write_text("not a folder")
    now = datetime.now(UTC)
    owed = nightly(settings, writer, now)
    for minutes in (0, 30, 59):
        owed._clock = lambda minutes=minutes: now + timedelta(minutes=minutes)  # type: ignore[misc]
        with caplog.at_level(logging.ERROR):
            owed.look()
    assert len(caplog.records) == 1 and "the nightly backup failed" in caplog.text
    with Store.open(settings, write=False) as store:
        (event,) = store.events(["backup_failed"])
    assert str(settings.backups) in str(event.detail["said"])
    settings.backups.unlink()
    owed._clock = lambda: now + timedelta(hours=1)
    owed.look()
    assert len(backups_of(settings)) == 1


def test_a_clock_set_back_does_not_stop_the_next_try(settings: Settings, writer: Writer) -> None:
    settings.backups.rmdir()
    settings.backups.write_text("not a folder")
    owed = nightly(settings, writer, datetime.now(UTC) + timedelta(days=5))
    owed.look()
    settings.backups.unlink()
    owed._clock = lambda: datetime.now(UTC)
    owed.look()
    assert len(backups_of(settings)) == 1


def test_one_that_does_not_verify_is_kept_said_and_not_made_again(
    settings: Settings, writer: Writer, caplog: pytest.LogCaptureFixture
) -> None:
    tamper(settings, "UPDATE device SET centre = 'C02'", "UPDATE wave SET months = '[\"2026-12\"]'")
    owed = nightly(settings, writer)
    owed.look()
    owed._not_before = None
    owed.look()
    (made,) = backups_of(settings)
    assert not made.sound and caplog.text.count("does not verify: months of a wave was changed") == 1


# ---- in the server


def wait_for_backup(settings: Settings) -> None:
    deadline = time.monotonic() + 30
    while not backups_of(settings):
        assert time.monotonic() < deadline, "no nightly backup came"
        time.sleep(0.05)


def test_the_server_makes_up_for_the_night_it_did_not_run(settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    with serving(settings) as running:
        seq = 0
        while not backups_of(settings) and seq < 500:
            seq += 1
            body = sending(response(FORM, seq))
            assert httpx.post(f"{running.url}/api/v1/responses", json=body, headers=headers).status_code == 200
        wait_for_backup(settings)
        assert httpx.get(f"{running.url}/healthz").status_code == 200
        assert running.stop() == 0
    (made,) = backups_of(settings)
    assert made.sound
    with Store.open(settings, write=False) as store:
        assert len(store.events(["backup"])) == 1
    assert verify(settings) == ()


def test_a_server_whose_backups_fail_serves_on(settings: Settings) -> None:
    settings.backups.rmdir()
    settings.backups.write_text("not a folder")
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    with serving(settings) as running:
        deadline = time.monotonic() + 30
        while "the nightly backup failed" not in running.log.read_text():
            assert time.monotonic() < deadline
            time.sleep(0.05)
        answer = httpx.post(f"{running.url}/api/v1/responses", json=sending(response(FORM, 1)), headers=headers)
        assert answer.status_code == 200
        assert running.stop() == 0
        assert running.log.read_text().count("the nightly backup failed") == 1


def test_a_server_that_stops_ends_the_backup_with_it(settings: Settings) -> None:
    with serving(settings) as running:
        assert running.stop() == 0
    assert [path.name for path in settings.backups.iterdir()] == [one.path.name for one in backups_of(settings)]
    assert verify(settings) == ()
