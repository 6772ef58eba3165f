"""What an archive tells besides the responses: the wave, its lists, its second contents, its part of the audit.

`gather`, `Lists`, `Scope`.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any

from survey_app.archive.layout import (
    CENTRE_COLUMNS,
    FRAME_COLUMNS,
    REFERENCE_COLUMNS,
    REGISTER_COLUMNS,
    table,
)
from survey_app.model import Centre, Wave, stamp
from survey_app.store import Store
from survey_app.store.archiving import DEVICE_COLUMNS, FIELD_COLUMNS
from survey_app.store.auditing import ConflictRow
from survey_app.store.fieldwork import definition

_OF_THE_WAVE = {
    "wave_created": "id", "wave_opened": "wave", "wave_closed": "wave", "extract": "wave", "archive_imported": "wave",
}  # fmt: skip
_OF_DEVICES = ("device_added", "device_enrolled", "device_revoked", "rejected", "seq_used_twice")
SECRETS = ("code_sha256", "token_sha256")
_IMPORTS = ("register_imported", "references_imported")


@dataclass(frozen=True)
class Lists:
    wave: Wave
    definition: Mapping[str, Any]
    centres: Mapping[str, Centre]
    field_names: Mapping[str, str]
    tables: Mapping[str, bytes]
    conflicts: Sequence[ConflictRow]
    events: Sequence[Mapping[str, Any]]


def gather(store: Store, wave: Wave) -> Lists:
    """Small enough for memory, of one moment with the responses if called inside the same snapshot."""
    centres, fields = store.centres(), store.field_rows()
    devices = store.archived_devices(wave.id)
    conflicts = [row for row in store.conflict_rows() if row.wave == wave.id]
    months = set(wave.months)
    register = {
        number: rows
        for number, rows in sorted(store.register_imports().items())
        if any(row.month in months for row in rows)
    }
    references = dict(sorted(store.reference_imports().items()))
    opened, closed = (stamp(moment) if moment else None for moment in (wave.opened, wave.closed))
    return Lists(
        wave=wave,
        definition={
            **definition(wave),
            "centres": sorted(wave.centres),
            "status": wave.status,
            "opened": opened,
            "closed": closed,
        },
        centres={centre.code: centre for centre in centres},
        field_names={row[0]: json.loads(row[1])["vi"] for row in fields},
        tables={
            "centres.csv": table(CENTRE_COLUMNS, map(dataclasses.astuple, centres)),
            "fields.csv": table(FIELD_COLUMNS, fields),
            "devices.csv": table(DEVICE_COLUMNS, devices),
            "frame.csv": table(
                FRAME_COLUMNS, ([getattr(one, name) for name in FRAME_COLUMNS] for one in store.frame(wave.id))
            ),
            "register.csv": table(REGISTER_COLUMNS, _numbered(register)),
            "references.csv": table(REFERENCE_COLUMNS, _numbered(references)),
        },
        conflicts=conflicts,
        events=_events(
            store,
            Scope(wave.id, {row[0] for row in devices}, {row.uuid for row in conflicts}, {*register, *references}),
        ),
    )


def _numbered(imports: Mapping[int, Sequence[Any]]) -> list[list[Any]]:
    return [[number, *row] for number, rows in imports.items() for row in sorted(map(dataclasses.astuple, rows))]


@dataclass(frozen=True)
class Scope:
    """What an archive is about: the part of the audit that belongs to it, and no other, goes out and comes back."""

    wave: str
    devices: AbstractSet[str]
    conflicts: AbstractSet[str]
    imports: AbstractSet[int]

    def has(self, kind: str, detail: Mapping[str, Any], number: object) -> bool:
        """Not who exported it, nor when: then the same wave would not give the same bytes."""
        return (
            (kind in _OF_THE_WAVE and detail.get(_OF_THE_WAVE[kind]) == self.wave)
            or (kind in _OF_DEVICES and detail.get("device") in self.devices)
            or (kind == "conflict" and detail.get("uuid") in self.conflicts)
            or (kind in _IMPORTS and number in self.imports)
            or (kind == "comments_purged" and detail.get("wave") in (None, self.wave))
        )


def _events(store: Store, scope: Scope) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = []
    for row, chain in store.event_rows():
        detail = json.loads(str(row["detail"]))
        if scope.has(str(row["kind"]), detail, row["number"]):
            told = {name: value for name, value in detail.items() if name not in SECRETS}
            found.append({**row, "detail": told, "chain": chain})
    return found
