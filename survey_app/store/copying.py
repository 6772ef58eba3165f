"""SQL for whole files: the copy of a store made while others write, and what a restore needs to know of two stores.

`copy_store`, `use_wal`, `schema_steps`, `GivenUp`, `given_up`.
"""

import contextlib
from dataclasses import dataclass
from pathlib import Path

from survey_app import migrations
from survey_app.store.connection import _connect, _damage_named, _ours

MOST_NAMED = 10_000


def copy_store(source: Path, target: Path) -> None:
    """SQLite's online backup in one step: the store as it is at one moment, whatever is written meanwhile.

    The copy is one file without companions, and can be read from a disk that cannot be written.
    """
    with _damage_named(source), contextlib.closing(_connect(source, "ro")) as reader:
        with contextlib.closing(_connect(target, "rwc")) as copy:
            copy.execute("PRAGMA synchronous = OFF")  # the caller syncs the finished file
            reader.backup(copy, pages=-1)
            copy.execute("PRAGMA journal_mode = DELETE")
    target.chmod(0o600)


def use_wal(path: Path) -> None:
    """What a store is opened with: the copy in a backup is without."""
    with _damage_named(path), contextlib.closing(_connect(path, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def schema_steps(path: Path) -> tuple[str, ...]:
    """The steps a store was made by, also where it is of another version than the program."""
    with _damage_named(path), contextlib.closing(_connect(path, "ro")) as connection:
        return migrations.applied(_ours(connection, path))


@dataclass(frozen=True)
class GivenUp:
    """Responses of one store that another lacks: how many, how many of them no device keeps, and whom to ask for which.

    `resend` names only those that the gaps in the numbers would not bring back: their number has arrived already.
    """

    responses: int = 0
    without_number: int = 0
    resend: dict[str, list[str]] | None = None


def given_up(old: Path, new: Path) -> GivenUp:
    """What the store at `new` lacks of the one at `old`."""
    lacking = "FROM old.response AS lost WHERE NOT EXISTS (SELECT 1 FROM response WHERE response.uuid = lost.uuid)"
    with _damage_named(old), contextlib.closing(_connect(new, "ro")) as connection:
        connection.execute("ATTACH DATABASE ? AS old", (f"{old.absolute().as_uri()}?mode=ro",))
        count, numbered = connection.execute(f"SELECT count(*), count(seq) {lacking}").fetchone()
        named: dict[str, list[str]] = {}
        for device, uuid in connection.execute(
            f"SELECT device, uuid {lacking} AND seq IS NOT NULL AND ("
            " EXISTS (SELECT 1 FROM response AS kept WHERE kept.device = lost.device AND kept.seq = lost.seq)"
            " OR EXISTS (SELECT 1 FROM old.response AS other WHERE other.device = lost.device"
            " AND other.seq = lost.seq AND other.uuid <> lost.uuid)) ORDER BY device, seq, uuid LIMIT ?",
            (MOST_NAMED,),
        ):
            named.setdefault(device, []).append(uuid)
    return GivenUp(count, count - numbered, named)
