"""Making a backup: a folder laid out like an instance, whole and verified, or none.

`make_backup`, `Made`. It is built beside its place, synced, verified and renamed last; then the audit is told.
"""

import contextlib
import dataclasses
import hashlib
import os
import secrets
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from survey_app import __version__, migrations
from survey_app.backup.manifest import MANIFEST, BackupError, Kind, Manifest, file_hash, key_fingerprint
from survey_app.heads_log import sync_folder
from survey_app.interruptions import later
from survey_app.locks import Shared, folder_lock
from survey_app.model import Head, moment, stamp
from survey_app.problems import Problem
from survey_app.settings import CONFIG, KEY, Settings
from survey_app.store import EVENTS, Store
from survey_app.store.copying import copy_store, schema_steps
from survey_app.verification import verify
from survey_app.verification.witnesses import LINE, Witnesses, read_backups, read_heads_log, read_manifests

BESIDE = ".sipas-backup-"
SPARE_BYTES = 16 * 2**20
MOST_PROBLEMS = 20
Step = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


@dataclass(frozen=True)
class Made:
    path: Path
    manifest: Manifest


def make_backup(
    settings: Settings, target: Path | None = None, *, kind: Kind = "by_hand", key: bool = True, step: Step = _silent
) -> Made:
    """Copy the instance as it is at one moment, others writing meanwhile, into a new folder.

    By hand a copy that does not verify is refused. By night it is kept, with what was found: the responses since the
    last sound one are worth more than none. `key`: whether the secret key goes with it.
    """
    made = moment(stamp(datetime.now(UTC)))  # as the manifest will say it
    if target is None:
        settings.backups.mkdir(exist_ok=True)
        target = settings.backups / f"{made:%Y%m%dT%H%M%SZ}-{secrets.token_hex(3)}"
    target = _usable(target, settings)
    _refuse_without_room(settings, target.parent)
    with contextlib.ExitStack() as held:
        held.callback(Shared(settings.instance).release)  # no restore may change what is being copied
        held.enter_context(folder_lock(target.parent))
        for abandoned in target.parent.glob(f"{BESIDE}*"):  # nobody else writes here now: its process was killed
            shutil.rmtree(abandoned)
        beside = Path(tempfile.mkdtemp(prefix=BESIDE, dir=target.parent))
        told = False
        try:
            manifest = _fill(beside, settings, made, kind, key, step)
            sync_tree(beside)
            with later():
                beside.rename(target)
                sync_folder(target.parent)
                _tell_the_audit(settings, target, manifest)
                told = True
        except BaseException:
            if told:
                raise
            if not beside.exists():
                target.rename(beside)  # hidden from whoever looks before its files go
            shutil.rmtree(beside, ignore_errors=True)
            raise
    return Made(target, manifest)


def _usable(target: Path, settings: Settings) -> Path:
    target = Path(os.path.abspath(target))
    if not target.parent.is_dir():
        raise BackupError(Problem("the folder for the backup does not exist", str(target.parent), "make it first"))
    place = target.parent.resolve() / target.name
    inside = place == settings.instance or settings.instance in place.parents
    if inside and place.parent != settings.backups:
        remedy = "leave --output out, or name a place elsewhere, best on another disk"
        raise BackupError(Problem("a backup cannot lie inside what it saves", str(target), remedy))
    if os.path.lexists(target) and not (target.is_dir() and not target.is_symlink() and not any(target.iterdir())):
        raise BackupError(Problem("there is something here already", str(target), "name a new folder"))
    return target


def _refuse_without_room(settings: Settings, folder: Path) -> None:
    store = settings.store_path
    pieces = (store, store.with_name(f"{store.name}-wal"), settings.heads_log)
    needed = sum(piece.stat().st_size for piece in pieces if piece.exists()) + SPARE_BYTES
    free = shutil.disk_usage(folder).free
    if free < needed:
        what = f"the backup needs about {needed // 2**20} MiB, and {free // 2**20} MiB are free"
        raise BackupError(Problem(what, str(folder), "make room, or name another place with --output"))


def _fill(beside: Path, settings: Settings, made: datetime, kind: Kind, key: bool, step: Step) -> Manifest:
    copied = dataclasses.replace(settings, instance=beside)
    seen = _witnesses(settings)  # before the copy: whatever these saw, it must have
    if not settings.store_path.is_file():
        Store.open(settings, write=False)  # says what is the matter
    copy_store(settings.store_path, copied.store_path)
    _copy_small_files(settings, beside, key=key)
    with opened_copy(copied) as (present, store):
        heads = store.heads()
        counts = {
            "waves": len(heads) - 1,
            "responses": sum(head.count for chain, head in heads.items() if chain != EVENTS),
            "devices": len(store.devices()),
            "events": heads[EVENTS].count,
        }
        for place in {copied.heads_log, present.heads_log}:
            _copy_lines_reached(settings.heads_log, place, heads)
        problems = verify(present, step, held=seen)
    if problems and kind == "by_hand":
        raise BackupError(problems)
    manifest = Manifest(
        kind=kind,
        made=made,
        program=__version__,
        demo=settings.demo,
        simulated=settings.simulated,
        steps=schema_steps(copied.store_path),
        counts=counts,
        heads=heads,
        key=key_fingerprint(settings.key),
        files=_hashes(beside),
        left_out=_left_out(settings),
        problems=tuple(str(problem) for problem in problems[:MOST_PROBLEMS]),
    )
    (beside / MANIFEST).write_bytes(manifest.content())
    return manifest


@contextlib.contextmanager
def opened_copy(copied: Settings) -> Iterator[tuple[Settings, Store]]:
    """The copy to be read; where it is of an older version, a copy of it that was brought up to date."""
    present = copied
    if len(schema_steps(copied.store_path)) < len(migrations.MIGRATIONS):
        present = dataclasses.replace(copied, instance=Path(tempfile.mkdtemp(prefix="migrated-", dir=copied.instance)))
        shutil.copyfile(copied.store_path, present.store_path)
        Store.migrate(present)
    with Store.open(present, write=False) as store:
        yield present, store
    if present is not copied:
        shutil.rmtree(present.instance)


def _witnesses(settings: Settings) -> Witnesses:
    """The heads that heads.log, extracts and earlier backups know."""
    found = Witnesses()
    log, _ = read_heads_log(settings.heads_log)
    for read in (log.confirmed, read_manifests(settings.extracts)[0], read_backups(settings.backups)[0]):
        for chain, heads in read.items():
            found.setdefault(chain, []).extend(heads)
    return found


def _copy_small_files(settings: Settings, beside: Path, *, key: bool) -> None:
    """Rights are given when a file is made, not afterwards: a memory stick may know none."""
    shutil.copyfile(settings.instance / CONFIG, beside / CONFIG)
    if key:
        (beside / KEY).touch(0o600)
        (beside / KEY).write_bytes((settings.instance / KEY).read_bytes())
    for path in sorted(settings.questionnaires.rglob("*")):
        if path.is_file():
            place = beside / path.relative_to(settings.instance)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _copy_lines_reached(source: Path, target: Path, heads: Mapping[str, Head]) -> None:
    """The lines of heads.log that the copy's chains reach; what came after the copy is not of it."""
    target.touch(0o600)
    if not source.exists():
        return
    with (
        source.open(encoding="utf-8", errors="replace", newline="\n") as lines,
        target.open("w", encoding="ascii") as log,
    ):
        for line in lines:
            parts = LINE.fullmatch(line.removesuffix("\n"))
            if parts and parts[2] in heads and int(parts[3]) <= heads[parts[2]].count:
                log.write(line)


def _hashes(folder: Path) -> dict[str, tuple[int, str]]:
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): (path.stat().st_size, file_hash(path)) for path in files}


def _left_out(settings: Settings) -> dict[str, tuple[str, ...]]:
    """What can be made again from the store, the register's files, whose rows are in it, and the packs of recordings."""
    depth = {settings.extracts: "[!.]*/[!.]*"} | dict.fromkeys(
        (settings.reports, settings.registers, settings.audio), "[!.]*"
    )
    return {
        folder.name: tuple(sorted(path.relative_to(folder).as_posix() for path in folder.glob(pattern)))
        for folder, pattern in depth.items()
    }


def sync_tree(folder: Path) -> None:
    for path in (*folder.rglob("*"), folder):
        if path.is_dir():
            sync_folder(path)
        else:
            with path.open("rb") as stream:
                os.fsync(stream.fileno())


def _tell_the_audit(settings: Settings, target: Path, manifest: Manifest) -> None:
    """The store of an older version cannot be told; its backup is the last thing before `sipas migrate`."""
    if len(manifest.steps) < len(migrations.MIGRATIONS):
        return
    with Store.open(settings) as store:
        store.log_event(
            "backup",
            {
                "name": target.name,
                "kind": manifest.kind,
                "manifest_sha256": hashlib.sha256(manifest.content()).hexdigest(),
                "heads": {chain: dataclasses.asdict(head) for chain, head in manifest.heads.items()},
                "problems": len(manifest.problems),
            },
        )
