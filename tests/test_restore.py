"""`sipas restore`: the instance of a backup, verified, in a new place or in the old one, where nothing is lost unnamed."""

import dataclasses
import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from survey_app import swapping
from survey_app.backup import BackupError, make_backup, restore
from survey_app.cli.backup import _states
from survey_app.pin import Pin
from survey_app.problems import SipasError
from survey_app.settings import Settings
from survey_app.store import DeviceRevoked, Store
from survey_app.verification import held_heads, verify
from tests.backed_up import Ground, copied, make_ground
from tests.ground import record, response, tamper


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return make_ground(tmp_path)


# ---- into a new place


def test_a_new_machine_needs_the_backup_folder_alone(ground: Ground, tmp_path: Path) -> None:
    folder = copied(ground, "usb")
    shutil.rmtree(ground.instance)
    done = restore(folder, ground.instance)
    assert ground.stored() == ground.old and ground.again() == ()
    assert done.moved_to is None
    assert {"extracts", "registers", "backups"} <= {path.name for path in ground.instance.iterdir()}
    with Store.open(Settings.load(ground.instance)) as store:
        (event,) = store.events(["restored"])
        assert event.detail["backup"] == "usb" and event.detail["given_up"] == {}
        record(store, ground.device, response(8))
    assert ground.again() == ()


def test_the_present_instance_is_left_alone_when_it_goes_elsewhere(ground: Ground, tmp_path: Path) -> None:
    restore(ground.made.path, tmp_path / "other", new=True)
    assert ground.stored() == ground.old + ground.since and ground.again() == ()
    assert verify(Settings.load(tmp_path / "other")) == ()


def test_it_runs_in_the_mode_a_server_needs(ground: Ground, tmp_path: Path) -> None:
    restore(ground.made.path, tmp_path / "other", new=True)
    with Store.open(Settings.load(tmp_path / "other"), write=False):
        assert (tmp_path / "other" / "sipas.sqlite3-wal").exists()


@pytest.mark.parametrize("left", [(), (".restoring-killed/moving-out/config.toml", "server.lock")])
def test_an_empty_folder_is_filled_and_not_replaced(ground: Ground, tmp_path: Path, left: tuple[str, ...]) -> None:
    """What is around it may belong to others; it may be a disk of its own."""
    (tmp_path / "srv").mkdir()
    for name in left:
        (tmp_path / "srv" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "srv" / name).touch()
    number = (tmp_path / "srv").stat().st_ino
    done = restore(ground.made.path, tmp_path / "srv", new=True)
    assert (tmp_path / "srv").stat().st_ino == number and done.moved_to is None
    names = {path.name for path in (tmp_path / "srv").iterdir()}
    assert {"extracts", "backups", "sipas.sqlite3"} <= names and not names & {"given-up", ".restoring-killed"}
    assert verify(Settings.load(tmp_path / "srv")) == ()
    with Store.open(Settings.load(tmp_path / "srv"), write=False) as store:
        assert [event.detail["folder"] for event in store.events(["restored"])] == [None]


# ---- into the old place


def test_what_was_there_is_moved_aside_whole(ground: Ground) -> None:
    before = {name: (ground.instance / name).read_bytes() for name in ("heads.log", "config.toml", "secret.key")}
    done = restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old
    assert done.moved_to and {name: (done.moved_to / name).read_bytes() for name in before} == before
    with Store.open(dataclasses.replace(ground.settings, instance=done.moved_to), write=False) as store:
        assert [one.uuid for one in store.responses("q4")] == ground.old + ground.since
    assert not list(ground.instance.glob(".restoring*"))


def test_verify_is_clean_though_extracts_and_backups_know_more(ground: Ground) -> None:
    assert list(ground.settings.extracts.glob("q4/*")) and len(list(ground.settings.backups.iterdir())) == 2
    restore(ground.made.path, ground.instance)
    assert ground.again() == ()


def test_a_wave_nobody_answered_that_only_a_later_backup_knows_is_given_up_too(ground: Ground) -> None:
    make_backup(ground.settings)
    restore(ground.made.path, ground.instance)
    assert ground.again() == ()
    assert make_backup(ground.settings).manifest.problems == ()


def test_waves_opened_or_closed_since_are_named(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        store.close_wave("q4")
    done = restore(ground.made.path, ground.instance)
    with Store.open(ground.settings, write=False) as store:
        assert store.wave("q4").status == "open"
    assert done.remains and list(done.remains.states) == ["q4"] and all(done.remains.states["q4"])
    (said,) = _states(done.remains.states)
    assert said.startswith("q4 (closed ")


def test_the_audit_names_the_backup_and_every_head_given_up(ground: Ground) -> None:
    with Store.open(ground.settings, write=False) as store:
        heads = store.heads()
    done = restore(ground.made.path, ground.instance)
    with Store.open(Settings.load(ground.instance), write=False) as store:
        (event,) = store.events(["restored"])
    given_up = event.detail["given_up"]
    assert isinstance(given_up, dict)
    assert dataclasses.asdict(heads["q4"]) in given_up["q4"]
    assert dataclasses.asdict(heads["#events"]) in given_up["#events"]
    assert event.detail["manifest_sha256"] and event.detail["responses_given_up"] == 3
    assert done.remains and (done.remains.responses, done.remains.unsendable) == (3, 1)


def test_a_witness_that_the_restore_does_not_explain_is_still_named(ground: Ground) -> None:
    restore(ground.made.path, ground.instance)
    manifest = next(ground.settings.extracts.glob("q4/*/manifest.json"))
    facts = json.loads(manifest.read_bytes())
    facts["ledger"] = {"count": 8, "head": "a" * 64}
    content = json.dumps(facts).encode()
    manifest.write_bytes(content)
    manifest.parent.rename(manifest.parent.with_name(hashlib.sha256(content).hexdigest()[:12]))
    assert "the last 3 responses were cut off" in str(ground.again()[0])


def test_heads_held_elsewhere_are_explained_by_the_log_moved_aside(ground: Ground) -> None:
    log = (ground.instance / "heads.log").read_text().splitlines()
    done = restore(ground.made.path, ground.instance)
    kept = ground.instance.parent / "kept.txt"
    kept.write_text("\n".join(log) + "\n")
    held = held_heads([], kept)
    assert verify(Settings.load(ground.instance), held=held) == ()
    assert done.moved_to
    with (done.moved_to / "heads.log").open("a") as stream:
        stream.write("x\n")
    assert verify(Settings.load(ground.instance), held=held) != (), "a log that was altered since explains nothing"


def test_a_restore_can_be_taken_back_by_a_later_backup(ground: Ground) -> None:
    newest = max(ground.settings.backups.iterdir(), key=lambda path: path.stat().st_mtime)
    restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old
    restore(newest, ground.instance)
    assert ground.stored() == ground.old + ground.since and ground.again() == ()
    restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old and ground.again() == ()
    assert len(list((ground.instance / swapping.GIVEN_UP).iterdir())) == 3


@pytest.mark.parametrize(
    "harm",
    [
        lambda path: path.write_bytes(b"\xff" * 50_000),
        lambda path: path.write_bytes(path.read_bytes()[:9000]),
        lambda path: path.unlink(),
    ],
    ids=["rubbish", "truncated", "gone"],
)
def test_a_store_that_cannot_be_read_is_given_up_by_what_others_know_of_it(
    ground: Ground, harm: Callable[[Path], object]
) -> None:
    for name in ("sipas.sqlite3-wal", "sipas.sqlite3-shm"):
        (ground.instance / name).unlink(missing_ok=True)
    harm(ground.settings.store_path)
    done = restore(ground.made.path, ground.instance)
    assert done.remains is None
    assert ground.stored() == ground.old and ground.again() == ()


def test_a_tampered_store_is_replaced_by_one_that_verifies(ground: Ground) -> None:
    tamper(ground.settings, "UPDATE response SET centre = 'TINH' WHERE position = 2")
    assert ground.again() != ()
    restore(ground.made.path, ground.instance)
    assert ground.again() == ()


# ---- devices


def test_devices_enrolled_since_stay_enrolled_and_those_revoked_stay_revoked(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        old_token = store.enrol(store.add_device("00694", simulated=True)[1]).token
    made = make_backup(ground.settings)
    with Store.open(ground.settings) as store:
        store.revoke_device("00694-1")
        waiting = store.add_device("00694", simulated=True)[1]
        token = store.enrol(store.add_device("00694", simulated=True)[1]).token
    done = restore(made.path, ground.instance)
    assert done.devices == {
        "device_added": ["00694-2", "00694-3"], "device_enrolled": ["00694-3"], "device_revoked": ["00694-1"]
    }  # fmt: skip
    with Store.open(Settings.load(ground.instance)) as store:
        device = store.device_by_token(token)
        assert device and device.id == "00694-3"
        assert store.enrol(waiting).device == "00694-2"
        with pytest.raises(DeviceRevoked):
            store.device_by_token(old_token)
    assert ground.again() == ()


def test_a_response_whose_number_has_arrived_already_is_asked_for_by_name(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        twice = response(3)
        record(store, ground.device, twice)
    restore(ground.made.path, ground.instance)
    with Store.open(Settings.load(ground.instance), write=False) as store:
        (event,) = store.events(["restored"])
    assert event.detail["resend"] == {ground.device.id: [twice.uuid]}


def test_what_only_a_revoked_device_had_no_device_sends_again(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        store.revoke_device(ground.device.id)
    done = restore(ground.made.path, ground.instance)
    assert done.remains and (done.remains.responses, done.remains.unsendable) == (3, 3)


# ---- PINs


def a_pin(mark: str) -> Pin:
    return Pin(mark * 32, 600_000, mark * 64)


def test_pins_set_changed_or_removed_since_stay_so(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        for centre in ("00691", "00694"):
            store.set_pin(centre, a_pin("a"))
    made = make_backup(ground.settings)
    with Store.open(ground.settings) as store:
        store.set_pin("00691", a_pin("b"))
        store.remove_pin("00694")
        store.set_pin("TINH", a_pin("c"))
        store.set_pin("TINH", a_pin("d"))
    assert restore(made.path, ground.instance).pins == ("00691", "00694", "TINH")
    with Store.open(Settings.load(ground.instance), write=False) as store:
        assert [store.pin(centre) for centre in ("00691", "00694", "TINH")] == [a_pin("b"), None, a_pin("d")]
    assert ground.again() == ()


def test_a_pin_that_nobody_touched_since_is_that_of_the_backup(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        store.set_pin("00691", a_pin("a"))
    made = make_backup(ground.settings)
    assert restore(made.path, ground.instance).pins == ()
    with Store.open(Settings.load(ground.instance), write=False) as store:
        assert store.pin("00691") == a_pin("a")
    assert ground.again() == ()


def test_a_pin_exchanged_behind_the_programs_back_does_not_come_along(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        store.set_pin("00691", a_pin("a"))
    tamper(ground.settings, f"UPDATE centre_pin SET hash = '{'e' * 64}'")
    assert restore(ground.made.path, ground.instance).pins == ()
    with Store.open(Settings.load(ground.instance), write=False) as store:
        assert store.pin("00691") is None
    assert ground.again() == ()


def test_contacts_are_those_of_the_backup_and_go_on(ground: Ground) -> None:
    with Store.open(ground.settings, write=False) as store:
        before = store.contacts(ground.device.id)
    restore(ground.made.path, ground.instance)
    with Store.open(Settings.load(ground.instance)) as store:
        (day,) = store.contacts(ground.device.id)
        assert 0 < day.contacts < before[0].contacts
        record(store, ground.device, response(6))
        assert store.contacts(ground.device.id)[0].contacts == day.contacts + 1
    assert ground.again() == ()


# ---- the command


def test_the_command_says_what_was_given_up(ground: Ground) -> None:
    command = [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "restore", str(ground.made.path)]
    done = subprocess.run([*command, "--json"], capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert (told["responses"], told["responses_given_up"], told["of_these_no_device_sends_again"]) == (5, 3, 1)
    assert told["waves_given_up"] == ["q5"]
    assert told["devices_brought_along"]["device_added"] == ["TINH-1"]
    assert Path(told["moved_to"]).is_dir()


def test_a_folder_that_is_no_backup_is_refused_by_the_command(ground: Ground, tmp_path: Path) -> None:
    for words in ([str(tmp_path)], [str(tmp_path / "nowhere")]):
        done = subprocess.run(
            [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "restore", *words],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 2 and "this is no backup" in done.stderr and "Traceback" not in done.stderr
    assert issubclass(BackupError, SipasError)


def test_verify_says_for_ever_that_there_was_a_restore(ground: Ground) -> None:
    restore(ground.made.path, ground.instance)
    done = subprocess.run(
        [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "verify"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    first, second = done.stdout.splitlines()
    assert first == "clean: 5 responses in 1 wave"
    assert second.endswith(f"from the backup {ground.made.path.name}; responses given up: 3")


def test_comments_that_were_purged_since_stay_purged(ground: Ground) -> None:
    with Store.open(ground.settings) as store:
        purged = store.purge_comments(datetime.now(UTC) + timedelta(days=1))
    assert purged.comments == 5
    restore(ground.made.path, ground.instance)
    with Store.open(Settings.load(ground.instance), write=False) as store:
        assert store.comments_due(datetime.now(UTC) + timedelta(days=9)).comments == 0
        assert len(store.events(["comments_purged"])) == 1
    assert ground.again() == ()
