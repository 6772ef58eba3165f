"""Putting a restored instance in the place of the present one, so that a crash at any moment leaves one of them whole.

The new parts lie complete in a folder of the instance; giving it its final name is the decision. From then on whoever
loads the instance first finishes what is left: `finish`. `is_pending`, `PARTS`, `GIVEN_UP`, `READY`.
"""

import os
import shutil
from pathlib import Path

from survey_app.heads_log import sync_folder
from survey_app.locks import folder_lock

PARTS = (
    "sipas.sqlite3", "sipas.sqlite3-wal", "sipas.sqlite3-shm", "sipas.sqlite3-journal", "heads.log", "config.toml",
    "secret.key", "questionnaires",
)  # fmt: skip
"""What a restore replaces. Extracts, registers, reports and backups stay where they are."""

GIVEN_UP = "given-up"
READY = ".restoring"
OUT, IN, NAME = "moving-out", "moving-in", "name"
"""In the ready folder: the new parts, under a name that says which half is done, and where the old ones go."""


def is_pending(instance: Path) -> bool:
    return (instance / READY).is_dir()


def decide(built: Path, instance: Path) -> None:
    """The one moment at which the restored instance takes the other's place; `built` holds `OUT` and `NAME`."""
    built.rename(instance / READY)
    sync_folder(instance)


def finish(instance: Path, *, alone: bool = False) -> None:
    """Do what is left to do after the decision; `alone`: the caller holds the instance's folder."""
    if not alone:
        with folder_lock(instance):
            finish(instance, alone=True)
        return
    ready = instance / READY
    if not ready.is_dir():
        return  # another process was faster
    if (ready / OUT).is_dir():
        _move_out(instance, ready)
    if (ready / IN).is_dir():
        for part in sorted((ready / IN).iterdir()):
            part.rename(instance / part.name)
        sync_folder(instance)
        (ready / IN).rmdir()
    shutil.rmtree(ready)
    sync_folder(instance)


def _move_out(instance: Path, ready: Path) -> None:
    """As long as no new part has come in, whatever lies in the instance is old."""
    given_up = instance / GIVEN_UP / (ready / NAME).read_text(encoding="ascii").strip()
    if old := [name for name in PARTS if os.path.lexists(instance / name)]:
        given_up.mkdir(parents=True, exist_ok=True, mode=0o700)
        for name in old:
            (instance / name).rename(given_up / name)
        for folder in (given_up, instance / GIVEN_UP, instance):
            sync_folder(folder)
    (ready / OUT).rename(ready / IN)
    sync_folder(ready)
