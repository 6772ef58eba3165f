"""The way back: a new instance built from a backup, verified, and put in the place of the present one.

`restore`, `Restored`. Until the decision (`swapping.decide`) nothing of the present instance is touched; after it the new
one is complete, whoever is killed. What was there is moved aside whole, and the audit names the heads given up.
"""

import contextlib
import dataclasses
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from survey_app import swapping
from survey_app.backup.making import SPARE_BYTES, sync_tree
from survey_app.backup.manifest import (
    MANIFEST,
    BackupError,
    Manifest,
    file_hash,
    key_fingerprint,
    read_manifest,
    wrong_files,
)
from survey_app.heads_log import sync_folder
from survey_app.interruptions import later
from survey_app.locks import folder_lock, server_lock, write_lock
from survey_app.model import Head, moment, stamp
from survey_app.problems import Problem
from survey_app.settings import FOLDERS, KEY, Settings
from survey_app.store import Store, StoreError
from survey_app.store.copying import Remains, bring_along, bring_pins_along, link_at, remains_of, use_wal
from survey_app.verification import verify
from survey_app.verification.witnesses import read_backups, read_heads_log, read_manifests

BUILDING = ".restoring-"
PATIENCE_SECONDS = 60.0
LOCKS = ("write.lock", "write.turn", "server.lock")
Step = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


@dataclass(frozen=True)
class Restored:
    """`moved_to`: where what was there lies now; None in a new place. `remains`: None where it could not be read."""

    instance: Path
    manifest: Manifest
    migrated: tuple[str, ...]
    moved_to: Path | None
    remains: Remains | None
    devices: Mapping[str, list[str]]
    waves_given_up: tuple[str, ...]
    pins: tuple[str, ...] = ()
    """Centres whose PIN was set or removed since the backup, and stays so."""


def restore(
    backup: Path, instance: Path, *, key: Path | None = None, new: bool = False, step: Step = _silent
) -> Restored:
    """Build the instance of a backup and put it at `instance`; with `new` only where nothing is.

    `key`: the secret key's file, for a backup without it. Refused, with nothing changed, when the backup is not what
    was written, does not verify, or a server serves the instance.
    """
    manifest = read_manifest(backup)
    if manifest.problems:
        what = f"this backup did not verify when it was made: {manifest.problems[0]}"
        raise BackupError(Problem(what, str(backup), "use a sound one: sipas backup --list"))
    instance = instance.absolute()
    if not _occupied(instance, new=new):
        return _restore_into_nothing(backup, manifest, instance, key, step)
    with server_lock(instance / "server.lock"):
        if swapping.is_pending(instance):
            swapping.finish(instance)
        for abandoned in instance.glob(f"{BUILDING}*"):  # of a restore that was killed: only one holds this lock
            shutil.rmtree(abandoned)
        with _building(instance) as building:
            return _restore_over(backup, manifest, instance, building, key, step)


def _occupied(instance: Path, *, new: bool) -> bool:
    if not instance.exists():
        if not instance.parent.is_dir():
            raise BackupError(Problem("the folder for the instance does not exist", str(instance.parent), "make it"))
        return False
    begun = instance.is_dir() and all(path.name in LOCKS or BUILDING in path.name for path in instance.iterdir())
    if begun:  # empty, or a restore was killed there; what lies around it may belong to others, or be another disk
        return True
    if new or not instance.is_dir():
        raise BackupError(Problem("there is something here already", str(instance), "name a new folder"))
    ours = {*swapping.PARTS, *FOLDERS, *LOCKS, swapping.GIVEN_UP, swapping.READY}
    strange = sorted(path.name for path in instance.iterdir() if path.name not in ours)
    if strange and not any((instance / part).exists() for part in swapping.PARTS):
        what = f"this folder is no instance: it holds {strange[0]!r}"
        raise BackupError(Problem(what, str(instance), "name an instance, or a new folder with --into"))
    return True


@contextlib.contextmanager
def _building(folder: Path, name: str = "") -> Iterator[Path]:
    """A folder to build in, gone in the end unless it got its place."""
    building = Path(tempfile.mkdtemp(prefix=f"{BUILDING}{name}", dir=folder))
    try:
        yield building
    finally:
        shutil.rmtree(building, ignore_errors=True)


def _restore_into_nothing(backup: Path, manifest: Manifest, instance: Path, key: Path | None, step: Step) -> Restored:
    with folder_lock(instance.parent):
        prefix = f"{instance.name}-"
        for abandoned in instance.parent.glob(f"{BUILDING}{prefix}*"):
            shutil.rmtree(abandoned)
        with _building(instance.parent, prefix) as building:
            built, migrated = _build(backup, manifest, building, key, step)
            for name in FOLDERS:
                (building / name).mkdir(exist_ok=True)
            with Store.open(built) as store:
                store.log_event("restored", _detail(backup, manifest, {}))
            _settle(building)
            building.rename(instance)
            sync_folder(instance.parent)
    return Restored(instance, manifest, migrated, None, None, {}, ())


def _restore_over(
    backup: Path, manifest: Manifest, instance: Path, building: Path, key: Path | None, step: Step
) -> Restored:
    parts = building / swapping.OUT
    parts.mkdir()
    built, migrated = _build(backup, manifest, parts, key or _present_key(manifest, instance), step)
    folder = f"{datetime.now(UTC):%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    moved_to: Path | None = instance / swapping.GIVEN_UP / folder
    if not any((instance / part).exists() for part in swapping.PARTS):
        moved_to = None
    with write_lock(instance / "write.lock", PATIENCE_SECONDS):
        old = dataclasses.replace(built, instance=instance)
        try:
            remains = remains_of(old.store_path, built.store_path) if old.store_path.is_file() else None
        except StoreError:
            remains = (
                None  # it is given up for being unreadable; heads.log, extracts and backups still say how far it went
            )
        if remains and remains.responses:
            _refuse_anothers(backup, manifest, instance)
        with Store.open(built) as store:
            for cutoff, wave in remains.purges if remains else ():
                store.purge_comments(moment(cutoff), wave)  # what was deleted since stays deleted
        with Store.open(built) as store, store.group():
            given_up = _given_up(store, old, remains)
            devices = bring_along(store, remains) if remains else {}
            pins = bring_pins_along(store, remains) if remains else []
            detail = _detail(backup, manifest, given_up) | {
                "folder": moved_to.name if moved_to else None,
                "heads_log_sha256": file_hash(old.heads_log) if old.heads_log.is_file() else None,
                "responses_given_up": remains.responses if remains else None,
                "resend": dict(remains.resend) if remains else {},
            }
            store.log_event("restored", detail)
            waves = tuple(sorted({*given_up, *(remains.waves if remains else ())} - store.heads().keys()))
        (building / swapping.NAME).write_text(folder, encoding="ascii")
        _settle(parts)
        sync_tree(building)
        with folder_lock(instance, PATIENCE_SECONDS), later():
            swapping.decide(building, instance)
            swapping.finish(instance, alone=True)
            for name in FOLDERS:
                (instance / name).mkdir(exist_ok=True)
    return Restored(instance, manifest, migrated, moved_to, remains, devices, waves, tuple(pins))


def _refuse_anothers(backup: Path, manifest: Manifest, instance: Path) -> None:
    """Responses are given up for an earlier state of the same instance only."""
    key = instance / KEY
    if key.is_file() and key_fingerprint(Settings.load(instance).key) != manifest.key:
        what = f"this backup is of another instance than {instance}, which holds responses: their secret keys differ"
        remedy = "name a new folder with --into; where the key here is the wrong one, move that file away first"
        raise BackupError(Problem(what, str(backup), remedy))


# ---- building


def _build(
    backup: Path, manifest: Manifest, place: Path, key: Path | None, step: Step
) -> tuple[Settings, tuple[str, ...]]:
    """The parts of an instance as the backup has them, held against its manifest, brought up to date, verified."""
    _refuse_without_room(manifest, place)
    for name in manifest.files:
        if Path(name).parts[0] not in swapping.PARTS:
            raise BackupError(Problem(f"{name} does not belong into a backup", str(backup), "use another backup"))
        source = backup / name
        if source.is_file() and not source.is_symlink():
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, place / name)
            (place / name).chmod(0o600)
    if problems := wrong_files(place, manifest):
        raise BackupError([dataclasses.replace(problem, where=str(backup)) for problem in problems])
    _put_key(backup, manifest, place, key)
    built = Settings.load(place)
    (place / built.questionnaires.name).mkdir(exist_ok=True)
    use_wal(built.store_path)
    migrated = Store.migrate(built)
    problems = list(verify(built, step))
    with Store.open(built, write=False) as store:
        if store.heads() != dict(manifest.heads):
            problems.append(Problem("the manifest names other heads than its store has", str(backup), "use another"))
    if problems:
        raise BackupError(problems)
    return built, migrated


def _refuse_without_room(manifest: Manifest, place: Path) -> None:
    needed, free = sum(size for size, _ in manifest.files.values()) + SPARE_BYTES, shutil.disk_usage(place).free
    if free < needed:
        what = f"the instance needs about {needed // 2**20} MiB, and {free // 2**20} MiB are free"
        raise BackupError(Problem(what, str(place.parent), "make room, or name another place with --into"))


def _present_key(manifest: Manifest, instance: Path) -> Path | None:
    return None if KEY in manifest.files else instance / KEY


def _put_key(backup: Path, manifest: Manifest, place: Path, key: Path | None) -> None:
    if key is not None:
        try:
            shutil.copyfile(key, place / KEY)
        except OSError as error:
            what = f"the secret key cannot be read: {error.strerror}"
            raise BackupError(Problem(what, str(key), "name its file with --key")) from None
        (place / KEY).chmod(0o600)
    elif KEY not in manifest.files:
        raise BackupError(Problem("this backup is without the secret key", str(backup), "name its file with --key"))
    if key_fingerprint(Settings.load(place).key) != manifest.key:
        where = str(key or backup)
        raise BackupError(Problem("this is not the key the backup was made with", where, "find the right secret.key"))


def _settle(place: Path) -> None:
    """Leave nothing but the parts, on disk."""
    for name in LOCKS:
        (place / name).unlink(missing_ok=True)
    sync_tree(place)


# ---- what is given up


def _detail(backup: Path, manifest: Manifest, given_up: Mapping[str, list[Head]]) -> dict[str, object]:
    return {
        "backup": backup.name,
        "manifest_sha256": file_hash(backup / MANIFEST),
        "made": stamp(manifest.made),
        "heads": {chain: dataclasses.asdict(head) for chain, head in manifest.heads.items()},
        "given_up": {chain: [dataclasses.asdict(head) for head in heads] for chain, heads in given_up.items()},
        "folder": None,
        "heads_log_sha256": None,
        "responses_given_up": None,
        "resend": {},
    }


def _given_up(store: Store, old: Settings, remains: Remains | None) -> dict[str, list[Head]]:
    """Every head somebody knows that the restored chains do not have: of the old store and heads.log, extracts, backups."""
    seen: dict[str, set[Head]] = {}
    kept = store.heads().keys()  # a wave that was never answered is known by having been there
    for chain, head in (remains.heads if remains else {}).items():
        seen.setdefault(chain, set()).add(head)
    log, _ = read_heads_log(old.heads_log)
    for chain, witnesses in log.confirmed.items():
        seen.setdefault(chain, set()).add(max((Head(one.count, one.head) for one in witnesses), key=lambda h: h.count))
    for read in (read_manifests(old.extracts)[0], read_backups(old.backups)[0]):
        for chain, witnesses in read.items():
            seen.setdefault(chain, set()).update(
                Head(one.count, one.head) for one in witnesses if one.count or chain not in kept
            )
    found = {
        chain: sorted((one for one in heads if link_at(store, chain, one.count) != one.head), key=lambda h: h.count)
        for chain, heads in seen.items()
    }
    return {chain: heads for chain, heads in found.items() if heads}
