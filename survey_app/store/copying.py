"""SQL for whole files: the copy of a store made while others write, and what a restore takes from the store given up.

`copy_store`, `use_wal`, `schema_steps`; `Remains`, `remains_of`, `bring_along`, `bring_pins_along`, `link_at`.
"""

import contextlib
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from survey_app import migrations
from survey_app.model import Head
from survey_app.store.connection import EVENTS, Connection, _connect, _damage_named, _ours
from survey_app.store.pins import pin_row_hash

MOST_NAMED = 10_000
DEVICE_EVENTS = ("device_added", "device_enrolled", "device_revoked")


def copy_store(source: Path, target: Path) -> None:
    """SQLite's online backup in one step: the store as it is at one moment, whatever is written meanwhile.

    The copy is one file without companions, and can be read from a disk that cannot be written.
    """
    target.touch(0o600, exist_ok=False)
    with (
        _damage_named(source),
        contextlib.closing(_connect(source, "ro")) as reader,
        contextlib.closing(_connect(target, "rwc")) as copy,
    ):
        copy.execute("PRAGMA synchronous = OFF")  # the caller syncs the finished file
        reader.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE")


def use_wal(path: Path) -> None:
    """What a store is opened with: the copy in a backup is without."""
    with _damage_named(path), contextlib.closing(_connect(path, "rw")) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def schema_steps(path: Path) -> tuple[str, ...]:
    """The steps a store was made by, also where it is of another version than the program."""
    with _damage_named(path), contextlib.closing(_connect(path, "ro")) as connection:
        return migrations.applied(_ours(connection, path))


# ---- what a restore takes from the store it gives up


@dataclass(frozen=True)
class Remains:
    """What the restored store lacks of the one given up.

    `unsendable`: responses that no device can send again: they have no number, or it is revoked. `resend`: by device, those that the gaps in its numbers
    would not bring back, because their number has arrived. `devices`: their rows, and what the audit said of them.
    `purges`: before when, and of which wave, comments were deleted. `states`: waves that were opened or closed since, and when.
    `pins`: by centre the row of its PIN and what the audit said of it, where it was set or removed since.
    """

    heads: Mapping[str, Head] = field(default_factory=dict)
    waves: tuple[str, ...] = ()
    responses: int = 0
    unsendable: int = 0
    resend: Mapping[str, list[str]] = field(default_factory=dict)
    devices: Mapping[str, Mapping[str, object]] = field(default_factory=dict)
    events: tuple[tuple[str, Mapping[str, object]], ...] = ()
    purges: tuple[tuple[str, str | None], ...] = ()
    states: Mapping[str, tuple[str | None, str | None]] = field(default_factory=dict)
    pins: Mapping[str, tuple[str, Mapping[str, object], Mapping[str, object]]] = field(default_factory=dict)


def remains_of(old: Path, new: Path) -> Remains:
    """Compare two stores; `StoreError` where the old one cannot be read."""
    with _damage_named(old), contextlib.closing(_connect(new, "ro")) as connection:
        connection.execute("ATTACH DATABASE ? AS old", (f"{old.absolute().as_uri()}?mode=ro",))
        count, unsendable = connection.execute(
            f"SELECT count(*), coalesce(sum({_UNSENDABLE}), 0) {_LACKING}"
        ).fetchone()
        resend: dict[str, list[str]] = {}
        for device, uuid in connection.execute(_NOT_MISSED, (MOST_NAMED,)):
            resend.setdefault(device, []).append(uuid)
        devices, events = _devices(connection)
        waves = connection.execute("SELECT id FROM old.wave EXCEPT SELECT id FROM main.wave ORDER BY id")
        return Remains(
            _heads(connection),
            tuple(id for (id,) in waves),
            count,
            unsendable,
            resend,
            devices,
            events,
            _purges(connection),
            {id: (opened, closed) for id, opened, closed in connection.execute(_STATES)},
            _pins(connection),
        )


_STATES = """SELECT was.id, was.opened, was.closed FROM old.wave AS was JOIN main.wave AS now ON now.id = was.id
    WHERE was.status <> now.status ORDER BY was.id"""
_UNSENDABLE = "seq IS NULL OR EXISTS (SELECT 1 FROM old.device WHERE id = lost.device AND revoked IS NOT NULL)"
_LACKING = "FROM old.response AS lost WHERE NOT EXISTS (SELECT 1 FROM main.response WHERE uuid = lost.uuid)"
_NOT_MISSED = f"""SELECT device, uuid {_LACKING} AND seq IS NOT NULL AND (
    EXISTS (SELECT 1 FROM main.response AS kept WHERE kept.device = lost.device AND kept.seq = lost.seq)
    OR EXISTS (SELECT 1 FROM old.response AS other
        WHERE other.device = lost.device AND other.seq = lost.seq AND other.uuid <> lost.uuid))
    ORDER BY device, seq, uuid LIMIT ?"""


def _heads(connection: sqlite3.Connection) -> dict[str, Head]:
    found = {
        wave: Head(count, head)
        for wave, count, head in connection.execute(
            "SELECT wave, position, chain FROM old.wave JOIN old.response ON wave = wave.id AND position ="
            " (SELECT max(position) FROM old.response AS last WHERE last.wave = wave.id)"
        )
    }
    for count, head in connection.execute("SELECT number, chain FROM old.event ORDER BY number DESC LIMIT 1"):
        found[EVENTS] = Head(count, head)
    return found


def _devices(
    connection: sqlite3.Connection,
) -> tuple[dict[str, Mapping[str, object]], tuple[tuple[str, Mapping[str, object]], ...]]:
    marks = ", ".join("?" * len(DEVICE_EVENTS))
    events = tuple(
        (kind, json.loads(detail))
        for kind, detail in connection.execute(
            f"SELECT kind, detail FROM old.event AS lost WHERE kind IN ({marks}) AND NOT EXISTS"
            " (SELECT 1 FROM main.event WHERE kind = lost.kind AND json_extract(detail, '$.device')"
            " = json_extract(lost.detail, '$.device')) ORDER BY number",
            DEVICE_EVENTS,
        )
    )
    columns = [row[1] for row in connection.execute("PRAGMA old.table_info(device)")]
    wanted = {str(detail["device"]) for _, detail in events}
    rows = connection.execute(f"SELECT {', '.join(columns)} FROM old.device")
    named = (dict(zip(columns, row, strict=True)) for row in rows)
    return {str(row["id"]): row for row in named if row["id"] in wanted}, events


def _purges(connection: sqlite3.Connection) -> tuple[tuple[str, str | None], ...]:
    """Those of waves that the restored store has; whether it knows them already does no harm."""
    return tuple(
        connection.execute(
            "SELECT json_extract(detail, '$.cutoff'), json_extract(detail, '$.wave') AS wave FROM old.event"
            " WHERE kind = 'comments_purged' AND (wave IS NULL OR wave IN (SELECT id FROM main.wave)) ORDER BY number"
        )
    )


def _pins(connection: sqlite3.Connection) -> dict[str, tuple[str, Mapping[str, object], Mapping[str, object]]]:
    """Kind of event, row (empty: removed) and detail. A row that its own audit does not know stays behind."""
    if not connection.execute("SELECT 1 FROM old.sqlite_schema WHERE name = 'centre_pin'").fetchone():
        return {}
    names = ("centre", "salt", "iterations", "hash", "since")
    rows = {row[0]: dict(zip(names, row, strict=True)) for row in connection.execute(_PIN_ROWS)}
    found: dict[str, tuple[str, Mapping[str, object], Mapping[str, object]]] = {}
    for kind, detail in ((kind, json.loads(detail)) for kind, detail in connection.execute(_PIN_EVENTS)):
        row = rows.get(detail["centre"], {})
        if detail.get("row_sha256") == (pin_row_hash(row) if row else None):
            found[str(detail["centre"])] = (kind, row, detail)
    return found


_PIN_ROWS = "SELECT centre, salt, iterations, hash, since FROM old.centre_pin"
_PIN_EVENTS = """SELECT kind, detail FROM old.event AS last WHERE kind IN ('centre_pin_set', 'centre_pin_removed')
    AND number = (SELECT max(number) FROM old.event WHERE kind IN ('centre_pin_set', 'centre_pin_removed')
        AND json_extract(detail, '$.centre') = json_extract(last.detail, '$.centre'))
    AND NOT EXISTS (SELECT 1 FROM main.event WHERE number = last.number AND chain = last.chain)"""
"""Of each centre the last, unless the restored store knows that very event."""


def bring_pins_along(store: Connection, remains: Remains) -> list[str]:
    """A PIN that was changed or removed since stays so: the earlier one may be known to whom it should not be."""
    centres = {code for (code,) in store._rows("SELECT code FROM centre")}
    brought = {centre: said for centre, said in remains.pins.items() if centre in centres}
    for centre, (kind, row, detail) in brought.items():
        store._execute("DELETE FROM centre_pin WHERE centre = ?", (centre,))
        if row:
            marks = ", ".join("?" * len(row))
            store._execute(f"INSERT INTO centre_pin ({', '.join(row)}) VALUES ({marks})", tuple(row.values()))
        store._log(kind, detail)
    return sorted(brought)


def bring_along(store: Connection, remains: Remains) -> dict[str, list[str]]:
    """Devices added, enrolled or revoked since: a token stays good, and one withdrawn stays withdrawn.

    Only what the old audit knew comes along, each with its event. Returns the devices by kind of event.
    """
    done: dict[str, list[str]] = {kind: [] for kind in DEVICE_EVENTS}
    known = {id for (id,) in store._rows("SELECT id FROM device")}
    centres = {code for (code,) in store._rows("SELECT code FROM centre")}
    for kind, detail in remains.events:
        id = str(detail["device"])
        row = remains.devices.get(id)
        if row is None or row["centre"] not in centres or (kind != "device_added") != (id in known):
            continue
        if kind == "device_added":
            fresh = {**row, "token_sha256": None, "enrolled": None, "revoked": None}
            marks = ", ".join("?" * len(fresh))
            store._execute(f"INSERT INTO device ({', '.join(fresh)}) VALUES ({marks})", tuple(fresh.values()))
            known.add(id)
        elif kind == "device_enrolled":
            values = (row["token_sha256"], row["enrolled"], id)
            store._execute("UPDATE device SET token_sha256 = ?, enrolled = ? WHERE id = ?", values)
        else:
            store._execute("UPDATE device SET revoked = ? WHERE id = ?", (row["revoked"], id))
        store._log(kind, detail)
        done[kind].append(id)
    return done


def link_at(store: Connection, chain: str, count: int) -> str | None:
    """The hash a chain carries at a position."""
    if chain == EVENTS:
        row = store._row("SELECT chain FROM event WHERE number = ?", (count,))
    else:
        row = store._row("SELECT chain FROM response WHERE wave = ? AND position = ?", (chain, count))
    return str(row[0]) if row else None
