"""`sipas backup`: whole and verified or nothing, made beside writers; what is kept, and what is refused."""

import dataclasses
import json
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from survey_app.backup import BackupError, Made, backups_of, make_backup, read_manifest, remove_old
from survey_app.backup.keeping import Kept, surplus
from survey_app.backup.making import BESIDE
from survey_app.backup.manifest import Kind, Manifest, wrong_files
from survey_app.extract import write_extract
from survey_app.model import Device
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from tests.ground import enrolled, make_store, record, response, tamper

Ground = tuple[Settings, Store, Device]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Five responses with comments, one extract, one local form."""
    settings, store = make_store(tmp_path)
    device = enrolled(store)
    record(store, device, *(response(seq, answers={"COMMENT": f"lời thứ {seq}"}) for seq in range(1, 6)))
    write_extract(store, settings, "q4")
    (settings.questionnaires / "own.1.toml").write_text("id = 'own'\n", encoding="utf-8")
    with store:
        yield settings, store, device


def sipas(settings: Settings, *words: str, **options: object) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, **options)  # type: ignore[call-overload,no-any-return]


def copy_of(settings: Settings, made: Made) -> Settings:
    return dataclasses.replace(settings, instance=made.path)


def left(settings: Settings) -> list[str]:
    """Everything in the backups' folder, hidden things too."""
    return sorted(path.name for path in settings.backups.iterdir())


def test_a_backup_is_laid_out_like_an_instance_and_verifies(ground: Ground) -> None:
    settings, store, _ = ground
    made = make_backup(settings)
    assert sorted(path.relative_to(made.path).as_posix() for path in made.path.rglob("*") if path.is_file()) == [
        "config.toml", "heads.log", "manifest.json", "questionnaires/own.1.toml", "secret.key", "sipas.sqlite3"
    ]  # fmt: skip
    copied = Settings.load(made.path)
    assert verify(copied) == ()
    with Store.open(copied, write=False) as copy:
        assert [one.uuid for one in copy.responses("q4")] == [one.uuid for one in store.responses("q4")]
    assert (made.path / "secret.key").stat().st_mode & 0o077 == 0
    assert made.path.stat().st_mode & 0o077 == 0


def test_the_manifest_says_what_is_in_it_and_what_is_not(ground: Ground) -> None:
    settings, store, _ = ground
    heads = store.heads()
    made = make_backup(settings)
    manifest = read_manifest(made.path)
    assert manifest == made.manifest
    assert dict(manifest.heads) == heads
    assert manifest.counts == {"waves": 1, "responses": 5, "devices": 1, "events": heads["#events"].count}
    assert manifest.left_out["extracts"] == (
        next(settings.extracts.glob("q4/*")).relative_to(settings.extracts).as_posix(),
    )
    assert wrong_files(made.path, manifest) == []
    assert settings.key.hex() not in (made.path / "manifest.json").read_text()


def test_the_audit_names_the_backup_and_its_heads(ground: Ground) -> None:
    settings, store, _ = ground
    made = make_backup(settings)
    (event,) = store.events(["backup"])
    assert event.detail["name"] == made.path.name
    assert event.detail["heads"] == {
        chain: {"count": head.count, "head": head.head} for chain, head in made.manifest.heads.items()
    }
    assert verify(settings) == ()


def test_without_the_key_it_verifies_with_the_key_from_elsewhere(ground: Ground) -> None:
    settings, _, _ = ground
    made = make_backup(settings, key=False)
    assert not (made.path / "secret.key").exists()
    assert verify(copy_of(settings, made)) == ()


def test_what_is_written_meanwhile_is_whole_in_it_or_not_at_all(ground: Ground) -> None:
    settings, _, device = ground
    stop = threading.Event()

    def write() -> None:
        with Store.open(settings) as store:
            seq = 6
            while not stop.is_set():
                record(store, device, *(response(seq + place) for place in range(3)))
                seq += 3

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [make_backup(settings) for _ in range(4)]
    finally:
        stop.set()
        writer.join()
    counts = [one.manifest.heads["q4"].count for one in made]
    assert counts == sorted(counts) and counts[-1] > counts[0], "nothing was written meanwhile"
    assert all((count - 5) % 3 == 0 for count in counts)
    assert [verify(copy_of(settings, one)) for one in made] == [()] * 4
    assert verify(settings) == ()


def test_a_backup_can_be_read_from_a_disk_that_cannot_be_written(ground: Ground) -> None:
    settings, _, _ = ground
    made = make_backup(settings)
    before = sorted(made.path.iterdir())
    with Store.open(copy_of(settings, made), write=False) as store:
        store.response_count("q4")
        assert sorted(made.path.iterdir()) == before, "reading it makes no file beside it"


# ---- refused, with nothing left


def test_a_store_that_does_not_verify_is_not_backed_up_by_hand(ground: Ground) -> None:
    settings, _, _ = ground
    tamper(settings, "UPDATE answer SET code = 1 WHERE response = 3 AND item = 'II.B1'")
    with pytest.raises(BackupError, match="the answers to II.B1"):
        make_backup(settings)
    assert left(settings) == []


def test_a_tail_cut_off_behind_its_back_is_not_backed_up(ground: Ground) -> None:
    settings, _, _ = ground
    tables = ("comment", "answer")
    tamper(
        settings,
        *(f"DELETE FROM {table} WHERE response = 5" for table in tables),
        "DELETE FROM response WHERE number = 5",
    )
    shutil.rmtree(settings.extracts / "q4")
    with pytest.raises(BackupError, match="the last 1 responses were cut off"):
        make_backup(settings)


def test_by_night_it_is_kept_with_what_was_found(ground: Ground) -> None:
    settings, store, _ = ground
    tamper(settings, "UPDATE answer SET code = 1 WHERE response = 3 AND item = 'II.B1'")
    made = make_backup(settings, kind="nightly")
    assert "the answers to II.B1" in read_manifest(made.path).problems[0]
    assert [one.sound for one in backups_of(settings)] == [False]
    assert store.events(["backup"])[0].detail["problems"] == 1


@pytest.mark.parametrize(
    ("place", "said"),
    [
        ("instance", "cannot lie inside what it saves"),
        ("instance/questionnaires/copy", "cannot lie inside what it saves"),
        ("nowhere/copy", "does not exist"),
        ("full", "something here already"),
        ("file", "something here already"),
    ],
)
def test_a_place_that_will_not_do_is_refused(ground: Ground, tmp_path: Path, place: str, said: str) -> None:
    settings, store, _ = ground
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thing").touch()
    (tmp_path / "file").touch()
    with pytest.raises(BackupError, match=said) as caught:
        make_backup(settings, tmp_path / place)
    assert caught.value.problems[0].remedy
    assert store.events(["backup"]) == ()
    assert not list(tmp_path.rglob(f"{BESIDE}*"))


def test_an_empty_folder_elsewhere_will_do(ground: Ground, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    made = make_backup(ground[0], tmp_path / "disk")
    assert made.path == tmp_path / "disk" and verify(copy_of(ground[0], made)) == ()


def test_a_disk_without_room_is_refused_before_anything_is_written(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(ground[0].instance)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BackupError, match="are free"):
        make_backup(ground[0])
    assert left(ground[0]) == []


def limited(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_disk_that_fills_up_leaves_nothing(ground: Ground) -> None:
    """No file of the process may grow beyond the limit, as on a full disk."""
    settings, store, _ = ground
    size = settings.store_path.stat().st_size // 2
    done = sipas(settings, "backup", preexec_fn=lambda: limited(size))
    assert done.returncode == 2 and "Traceback" not in done.stderr and "error: " in done.stderr
    assert left(settings) == [] and store.events(["backup"]) == ()
    assert verify(settings) == ()


def test_an_audit_that_cannot_be_told_undoes_the_backup(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Store, "log_event", refuse)
    with pytest.raises(OSError, match="No space left"):
        make_backup(ground[0])
    assert left(ground[0]) == []


def test_a_store_that_is_damaged_is_refused(ground: Ground) -> None:
    settings, store, _ = ground
    store.close()
    with sqlite3.connect(settings.store_path) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    content = bytearray(settings.store_path.read_bytes())
    content[4096:20480] = os.urandom(16384)
    settings.store_path.write_bytes(content)
    with pytest.raises((BackupError, StoreError)):
        make_backup(settings)
    assert left(settings) == []


def test_what_a_killed_backup_left_is_cleared_away(ground: Ground) -> None:
    (ground[0].backups / f"{BESIDE}abc").mkdir()
    made = make_backup(ground[0])
    assert left(ground[0]) == [made.path.name]


# ---- a store of the first release


def test_a_store_of_an_older_version_is_backed_up_before_it_is_migrated(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent / "fixtures" / "released", tmp_path / "instance")
    settings = Settings.load(tmp_path / "instance")
    made = make_backup(settings)
    assert made.manifest.counts["responses"] > 0
    assert len(made.manifest.steps) == 4, "the copy is of the version it was"
    assert sorted(path.name for path in made.path.iterdir()) == [
        "config.toml", "heads.log", "manifest.json", "secret.key", "sipas.sqlite3"
    ]  # fmt: skip


# ---- which are kept

NIGHT = datetime(2026, 11, 1, 19, 0, tzinfo=UTC)


def kept(night: int, *, sound: bool = True, kind: Kind = "nightly") -> Kept:
    manifest = Manifest(
        kind=kind, made=NIGHT + timedelta(days=night), program="1", demo=False, simulated=False, steps=(), counts={},
        heads={}, key="", files={}, left_out={}, problems=() if sound else ("a problem",),
    )  # fmt: skip
    return Kept(Path(f"night-{night}"), manifest)


@pytest.mark.parametrize(
    ("nights", "number", "gone"),
    [
        ([kept(1), kept(2)], 2, []),
        ([kept(1), kept(2), kept(3)], 2, [1]),
        ([kept(1), kept(2), kept(3), kept(4)], 1, [1, 2, 3]),
        ([kept(1), kept(2, sound=False), kept(3, sound=False)], 2, []),
        ([kept(1), kept(2), kept(3, sound=False), kept(4, sound=False)], 2, [1]),
        ([kept(1, sound=False), kept(2)], 1, [1]),
        ([], 1, []),
    ],
)
def test_the_newest_nightly_ones_stay_and_the_last_sound_one(nights: list[Kept], number: int, gone: list[int]) -> None:
    assert [one.path.name for one in surplus(nights, number)] == [f"night-{night}" for night in gone]


def place(settings: Settings, name: str, made: datetime, kind: Kind) -> None:
    (settings.backups / name).mkdir()
    manifest = kept(0, kind=kind).manifest
    assert manifest
    (settings.backups / name / "manifest.json").write_bytes(dataclasses.replace(manifest, made=made).content())


def test_only_surplus_nightly_backups_are_removed(ground: Ground) -> None:
    settings = dataclasses.replace(ground[0], backups_kept=2)
    for night in range(4):
        place(settings, f"n{night}", NIGHT + timedelta(days=night), "nightly")
        place(settings, f"h{night}", NIGHT + timedelta(days=night), "by_hand")
    place(settings, "future", NIGHT + timedelta(days=900), "nightly")
    (settings.backups / "strange").mkdir()
    removed = remove_old(settings, NIGHT + timedelta(days=4))
    assert [path.name for path in removed] == ["n0", "n1"]
    assert left(settings) == ["future", "h0", "h1", "h2", "h3", "n2", "n3", "strange"]


# ---- the command


def test_the_command_makes_lists_and_says(ground: Ground) -> None:
    settings, _, _ = ground
    done = sipas(settings, "backup", "--json")
    told = json.loads(done.stdout)
    assert done.returncode == 0 and told["counts"]["responses"] == 5
    listed = json.loads(sipas(settings, "backup", "--list", "--json").stdout)
    assert [one["path"] for one in listed] == [told["path"]]
    assert "by_hand  5" in sipas(settings, "backup", "--list").stdout


def test_the_nightly_command_ends_with_2_where_the_copy_does_not_verify(ground: Ground) -> None:
    settings, _, _ = ground
    tamper(settings, "UPDATE answer SET code = 1 WHERE response = 3 AND item = 'II.B1'")
    done = sipas(settings, "backup", "--nightly")
    assert done.returncode == 2 and "the copy was kept, but does not verify" in done.stderr
    assert len(backups_of(settings)) == 1


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("after", [0.15, 0.3, 0.5, 0.8])
def test_an_interrupted_backup_is_there_whole_or_not_at_all(ground: Ground, number: str, after: float) -> None:
    settings, store, _ = ground
    process = subprocess.Popen(
        [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "backup"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(getattr(signal, number))
    process.wait(30)
    whole = backups_of(settings)
    assert left(settings) == [one.path.name for one in whole]
    assert all(one.manifest and not wrong_files(one.path, one.manifest) for one in whole)
    assert len(store.events(["backup"])) == len(whole)
    assert verify(settings) == ()
