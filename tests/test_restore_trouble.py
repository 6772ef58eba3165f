"""`sipas restore` refused or cut short: the old or the new instance is whole, never neither."""

import dataclasses
import json
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from survey_app import migrations, swapping
from survey_app.backup import BackupError, make_backup, restore, restoring
from survey_app.backup.manifest import file_hash
from survey_app.locks import LockedError, server_lock
from survey_app.settings import Settings, SettingsError
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from tests.backed_up import Ground, copied, make_ground
from tests.ground import tamper


@pytest.fixture
def ground(tmp_path: Path) -> Ground:
    return make_ground(tmp_path)


# ---- refused, with nothing changed


def change_manifest(folder: Path, **changes: object) -> None:
    plain = json.loads((folder / "manifest.json").read_bytes())
    (folder / "manifest.json").write_text(json.dumps({**plain, **changes}))


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


BROKEN = [
    ("a byte of the store", lambda folder: flip(folder / "sipas.sqlite3"), "sipas.sqlite3 of the backup was changed"),
    ("a byte of heads.log", lambda folder: flip(folder / "heads.log"), "heads.log of the backup was changed"),
    ("a file gone", lambda folder: (folder / "heads.log").unlink(), "heads.log is missing from the backup"),
    ("the key gone", lambda folder: (folder / "secret.key").unlink(), "secret.key is missing from the backup"),
    ("no manifest", lambda folder: (folder / "manifest.json").unlink(), "this is no backup"),
    ("rubbish", lambda folder: (folder / "manifest.json").write_text("{"), "manifest of the backup cannot be read"),
    ("a list", lambda folder: (folder / "manifest.json").write_text("[]"), "manifest of the backup cannot be read"),
    ("a later format", lambda folder: change_manifest(folder, format=2), "the backup has format 2"),
    ("a file elsewhere", lambda folder: change_manifest(folder, files={"../x": {"bytes": 1, "sha256": ""}}), "cannot be read"),
    ("a strange file", lambda folder: change_manifest(folder, files={"x": {"bytes": 1, "sha256": ""}}), "does not belong"),
    ("other heads", lambda folder: change_manifest(folder, heads={}), "other heads than its store has"),
    ("found unsound", lambda folder: change_manifest(folder, problems=["a row was changed"]), "did not verify when it was made"),
]  # fmt: skip


@pytest.mark.parametrize(("harm", "said"), [row[1:] for row in BROKEN], ids=[row[0] for row in BROKEN])
def test_a_backup_that_is_not_what_was_written_is_refused(
    ground: Ground, harm: Callable[[Path], object], said: str
) -> None:
    folder = copied(ground, "harmed")
    harm(folder)
    before = sorted(ground.instance.iterdir())
    for target in (ground.instance, ground.instance.parent / "fresh"):
        with pytest.raises(BackupError, match=said) as caught:
            restore(folder, target)
        assert caught.value.problems[0].remedy
    assert ground.stored() == ground.old + ground.since
    assert {path.name for path in ground.instance.iterdir()} - {path.name for path in before} <= {
        "server.lock", "sipas.sqlite3-wal", "sipas.sqlite3-shm",
    }  # fmt: skip
    assert not (ground.instance.parent / "fresh").exists()
    assert not list(ground.instance.parent.glob(".restoring*"))


def test_a_store_forged_together_with_its_manifest_does_not_verify(ground: Ground) -> None:
    folder = copied(ground, "forged")
    tamper(
        dataclasses.replace(ground.settings, instance=folder),
        "UPDATE answer SET code = 1 WHERE response = 2 AND item = 'II.B1'",
    )
    store = folder / "sipas.sqlite3"
    plain = json.loads((folder / "manifest.json").read_bytes())
    plain["files"]["sipas.sqlite3"] = {"bytes": store.stat().st_size, "sha256": file_hash(store)}
    (folder / "manifest.json").write_text(json.dumps(plain))
    with pytest.raises(BackupError, match="the answers to II.B1"):
        restore(folder, ground.instance)
    assert ground.stored() == ground.old + ground.since


def test_a_store_of_a_newer_version_is_refused(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:-1])
    with pytest.raises(StoreError, match="newer version"):
        restore(ground.made.path, ground.instance)
    monkeypatch.undo()
    assert ground.stored() == ground.old + ground.since


def test_a_store_of_an_older_version_is_brought_up_to_date_on_the_way(tmp_path: Path) -> None:
    shutil.copytree(Path(__file__).parent / "fixtures" / "released", tmp_path / "instance")
    settings = Settings.load(tmp_path / "instance")
    made = make_backup(settings)
    Store.migrate(settings)
    done = restore(made.path, settings.instance)
    assert done.migrated == ("0005 sample waves", "0006 kiosk")
    assert verify(Settings.load(settings.instance)) == ()


def test_a_running_server_is_not_pulled_from_under_its_tablets(ground: Ground) -> None:
    with server_lock(ground.settings.server_lock), pytest.raises(LockedError, match="being served already"):
        restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old + ground.since


def test_a_command_that_works_on_the_store_is_waited_for(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(restoring, "PATIENCE_SECONDS", 0.2)
    with Store.open(ground.settings, write=False), pytest.raises(LockedError):
        restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old + ground.since
    restore(ground.made.path, ground.instance)


@pytest.mark.parametrize("name", ["full", "file", "nowhere/deeper"])
def test_a_place_that_will_not_do_is_refused(ground: Ground, tmp_path: Path, name: str) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "letters.txt").touch()
    (tmp_path / "file").touch()
    for new in (True, False):
        with pytest.raises(BackupError):
            restore(ground.made.path, tmp_path / name, new=new)
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["letters.txt"]


def test_into_wants_a_new_folder(ground: Ground) -> None:
    with pytest.raises(BackupError, match="something here already"):
        restore(ground.made.path, ground.instance, new=True)


def test_another_instance_with_responses_is_not_replaced(ground: Ground, tmp_path: Path) -> None:
    other = make_ground(tmp_path / "elsewhere")
    with pytest.raises(BackupError, match="of another instance") as refused:
        restore(other.made.path, ground.instance)
    assert "--into" in refused.value.problems[0].remedy
    assert ground.stored() == ground.old + ground.since and not (ground.instance / "given-up").exists()
    (ground.instance / "secret.key").unlink()
    restore(other.made.path, ground.instance)
    assert ground.stored() == other.old


# ---- the key on another shelf


def test_a_backup_without_the_key_needs_it_named(ground: Ground, tmp_path: Path) -> None:
    made = make_backup(ground.settings, tmp_path / "keyless", key=False)
    with pytest.raises(BackupError, match="without the secret key"):
        restore(made.path, tmp_path / "other", new=True)
    (tmp_path / "wrong.key").write_text("00" * 32)
    with pytest.raises(BackupError, match="not the key the backup was made with"):
        restore(made.path, tmp_path / "other", key=tmp_path / "wrong.key", new=True)
    (tmp_path / "rubbish.key").write_text("no key")
    with pytest.raises(SettingsError):
        restore(made.path, tmp_path / "other", key=tmp_path / "rubbish.key", new=True)
    assert not (tmp_path / "other").exists()
    restore(made.path, tmp_path / "other", key=ground.instance / "secret.key", new=True)
    assert verify(Settings.load(tmp_path / "other")) == ()


def test_in_its_own_place_the_key_that_lies_there_is_used(ground: Ground, tmp_path: Path) -> None:
    made = make_backup(ground.settings, tmp_path / "keyless", key=False)
    restore(made.path, ground.instance)
    assert ground.again() == ()


# ---- cut short

STEPS = """
import os, sys, pathlib
count = int(sys.argv[1])
def counting(name):
    inner = getattr(pathlib.Path, name)
    def step(self, *args, **options):
        global count
        if count == 0:
            os._exit(9)
        count -= 1
        return inner(self, *args, **options)
    setattr(pathlib.Path, name, step)
for name in ("rename", "rmdir", "mkdir", "unlink"):
    counting(name)
from survey_app.backup import restore
restore(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
print("done")
"""


@pytest.mark.parametrize("place", ["old", "new"])
def test_killed_at_any_step_the_old_or_the_new_instance_is_whole(ground: Ground, tmp_path: Path, place: str) -> None:
    """The process ends before its n-th change of a name, for every n, as by a power cut."""
    fates = []
    for count in range(60):
        instance = tmp_path / f"try-{count}" / "instance"
        instance.parent.mkdir()
        if place == "old":
            shutil.copytree(ground.instance, instance)
        command = [sys.executable, "-c", STEPS, str(count), str(ground.made.path), str(instance)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        fates.append(fate(ground, instance))
        if done.returncode == 0:
            break
        assert done.returncode == 9, done.stderr
        restore(ground.made.path, instance)
        assert fate(ground, instance) == "new", "what the kill left does not hinder the next restore"
        shutil.rmtree(instance.parent)
    assert done.stdout == "done\n"
    assert fates == sorted(fates, key=["nothing", "old", "new"].index) and fates[-1] == "new" and len(fates) > 3
    assert (fates[0], fates.count("new") > 3) == (("old", True) if place == "old" else ("nothing", False))


def fate(ground: Ground, instance: Path) -> str:
    if not instance.exists():
        return "nothing"
    settings = Settings.load(instance)
    assert verify(settings) == ()
    assert not list(instance.glob(swapping.READY))
    with Store.open(settings) as store:
        stored = [one.uuid for one in store.responses("q4")]
    assert stored in (ground.old, ground.old + ground.since)
    return "new" if stored == ground.old else "old"


def test_an_instance_in_the_middle_of_a_restore_is_finished_by_whoever_comes(ground: Ground) -> None:
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    original = swapping.finish
    swapping.finish = stop  # type: ignore[assignment]
    try:
        with pytest.raises(KeyboardInterrupt):
            restore(ground.made.path, ground.instance)
    finally:
        swapping.finish = original
    with pytest.raises(StoreError, match="a restore was cut short"):
        Store.open(ground.settings)
    listed = subprocess.run(
        [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "wave", "list"],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert listed.returncode == 0 and "q5" not in listed.stdout
    assert ground.stored() == ground.old and ground.again() == ()


@pytest.mark.parametrize("number", ["SIGTERM", "SIGINT"])
@pytest.mark.parametrize("after", [0.2, 0.4, 0.6, 0.9])
def test_an_interrupted_restore_did_it_or_did_not(ground: Ground, number: str, after: float) -> None:
    command = [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "restore", str(ground.made.path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(getattr(signal, number))
    process.wait(30)
    assert fate(ground, ground.instance) in ("old", "new")
    assert not list(ground.instance.glob(".restoring-*"))


def test_a_disk_that_fills_up_changes_nothing(ground: Ground) -> None:
    size = ground.settings.store_path.stat().st_size // 2
    command = [sys.executable, "-m", "survey_app", "--instance", str(ground.instance), "restore", str(ground.made.path)]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=60, check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size)),
    )  # fmt: skip
    assert done.returncode == 2 and "Traceback" not in done.stderr and "error: " in done.stderr
    assert fate(ground, ground.instance) == "old" and not list(ground.instance.glob(".restoring*"))


def test_a_disk_without_room_is_refused_beforehand(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(ground.instance)._replace(free=1000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    with pytest.raises(BackupError, match="are free"):
        restore(ground.made.path, ground.instance)
    assert ground.stored() == ground.old + ground.since
