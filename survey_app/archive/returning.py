"""The wave, its lists and its part of the audit, on their way back from an archive into a store.

`Returning`.
"""

import json
from collections.abc import Callable, Mapping
from collections.abc import Set as AbstractSet
from datetime import datetime
from typing import Any

from survey_app.archive.layout import (
    CENTRE_COLUMNS,
    EVENTS_MEMBER,
    QUESTIONNAIRE,
    WAVE,
    ArchiveError,
)
from survey_app.archive.lists import Scope
from survey_app.archive.reading import Archive
from survey_app.model import Centre, PrimaryUnit, Reference, RegisterRow, Rules, Wave, moment
from survey_app.problems import Problem
from survey_app.questionnaire import Questionnaire
from survey_app.store import Store, rows_hash
from survey_app.store.archiving import DEVICE_COLUMNS, FIELD_COLUMNS

_ALTERED = "get the archive again from where it is kept"
_IMPORTS = {"register_imported": "register.csv", "references_imported": "references.csv"}
_SECRET = {"device_added": "code_sha256", "device_enrolled": "token_sha256"}
_NEW = ("wave_created",)  # said by the store itself, in the same words
_PASSED_OVER = ("archive_imported",)


class Returning:
    """Everything of an archive but responses and texts; used inside the import's transaction."""

    def __init__(self, store: Store, archive: Archive, form: Questionnaire) -> None:
        self._store, self._archive, self._form = store, archive, form
        self._hashes: dict[str, Mapping[str, str] | None] = {}

    def lists_and_wave(self) -> None:
        """Centres, fields, devices, the form's copy, the wave with its frame, opened and closed as it was."""
        if self._form.sha256 != self._archive.manifest["questionnaire"]["sha256"]:
            raise self._wrong("the form is not the one the manifest names", QUESTIONNAIRE)
        centres = self._rows("centres.csv", lambda row: Centre(**{name: row[name] for name in CENTRE_COLUMNS}))  # type: ignore[arg-type]
        fields = self._rows("fields.csv", _field)
        self._store.put_lists_back(centres, fields)
        frame = self._rows("frame.csv", _unit)
        wave = self._wave()
        self._store.create_wave(_planned(wave), self._form, frame)
        self._store.put_state_back(wave)
        for device in self._rows("devices.csv", _device):
            self._hashes[str(device["id"])] = self._store.put_device_back(device)

    def events_and_imports(self, conflicts: AbstractSet[str]) -> None:
        """Say the wave's events again, each with its number and time in the audit it comes from."""
        known = self._store.imported_origins()
        register = self._grouped("register.csv", _register_row)
        references = self._grouped("references.csv", _reference)
        scope = Scope(
            str(self._archive.manifest["wave"]), self._hashes.keys(), conflicts, register.keys() | references.keys()
        )
        for where, data in self._archive.lines(EVENTS_MEMBER):
            kind, detail = str(data["kind"]), data["detail"]
            if not isinstance(detail, dict) or not scope.has(kind, detail, data["number"]):
                raise ArchiveError(Problem("the event is not of this wave", where, _ALTERED))
            if kind in _NEW or kind in _PASSED_OVER:
                continue
            origin = detail.get("imported") or {"number": data["number"], "at": data["at"]}
            if (kind, origin["number"], origin["at"]) in known:
                continue
            number = self._store.put_event_back(kind, self._as_here(kind, detail), origin["number"], origin["at"])
            if kind in _IMPORTS:
                rows = (register if kind == "register_imported" else references).pop(data["number"], [])
                if rows_hash(rows) != detail["rows_sha256"]:
                    raise ArchiveError(
                        Problem(f"the rows of this import in {_IMPORTS[kind]} are others", where, _ALTERED)
                    )
                put = self._store.put_register_back if kind == "register_imported" else self._store.put_references_back
                put(number, rows)

    def _as_here(self, kind: str, detail: Mapping[str, Any]) -> dict[str, Any]:
        """A device has other secrets here, and a purge of everything was one of this wave."""
        told = {name: value for name, value in detail.items() if name != "imported"}
        hashes = self._hashes.get(str(detail.get("device"))) or {}
        if kind in _SECRET and _SECRET[kind] in hashes:
            told[_SECRET[kind]] = hashes[_SECRET[kind]]
        if kind == "comments_purged":
            told["wave"] = self._archive.manifest["wave"]
        return told

    def left_out(self, comments: int, cutoff: str) -> None:
        """For the audit the texts of an import without comments were purged."""
        self._store.log_event(
            "comments_purged",
            {
                "cutoff": cutoff,
                "wave": self._archive.manifest["wave"],
                "comments": comments,
                "conflict_comments": 0,
                "reason": "left out of an import",
            },
        )

    def _wave(self) -> Wave:
        data = self._archive.json(WAVE)
        try:
            rules = Rules(**{**data["rules"], "margins": tuple(data["rules"]["margins"])})
            wave = Wave(
                id=data["id"],
                kind=data["kind"],
                title=data["title"],
                questionnaire=data["questionnaire"],
                version=data["version"],
                months=tuple(data["months"]),
                centres=tuple(data["centres"]),
                rules=rules,
                simulated=bool(data["simulated"]),
                status=data["status"],
                opened=_moment(data["opened"]),
                closed=_moment(data["closed"]),
            )
        except (TypeError, ValueError, LookupError, AttributeError) as error:
            raise self._wrong(f"this does not describe a wave: {type(error).__name__}", WAVE) from None
        if wave.id != self._archive.manifest["wave"]:
            raise self._wrong("this is another wave than the manifest names", WAVE)
        return wave

    def _rows(self, name: str, make: Callable[[Mapping[str, str]], Any]) -> list[Any]:
        found = []
        for number, row in enumerate(self._archive.table(name), start=2):
            try:
                found.append(make(row))
            except (TypeError, ValueError, LookupError) as error:
                raise self._wrong(f"the row cannot be read: {type(error).__name__}", f"{name}, row {number}") from None
        return found

    def _grouped(self, name: str, make: Callable[[Mapping[str, str]], Any]) -> dict[int, list[Any]]:
        found: dict[int, list[Any]] = {}
        for number, one in self._rows(name, lambda row: (int(row["import"]), make(row))):
            found.setdefault(number, []).append(one)
        return found

    def _wrong(self, what: str, where: str) -> ArchiveError:
        return ArchiveError(Problem(what, f"{self._archive.path.name}: {where}", _ALTERED))


def _planned(wave: Wave) -> Wave:
    return Wave(**{**vars(wave), "status": "planned", "opened": None, "closed": None})


def _moment(text: str | None) -> datetime | None:
    return None if text is None else moment(text)


def _field(row: Mapping[str, str]) -> tuple[Any, ...]:
    json.loads(row["label"])
    numbers = ("position", "offered")
    return tuple(int(row[name]) if name in numbers else row[name] for name in FIELD_COLUMNS)


def _unit(row: Mapping[str, str]) -> PrimaryUnit:
    return PrimaryUnit(
        psu=row["psu"],
        stratum=row["stratum"],
        name=row["name"],
        population=int(row["population"]),
        probability=float(row["probability"]),
        households=int(row["households"]),
    )


def _device(row: Mapping[str, str]) -> dict[str, str | int | None]:
    numbers = ("simulated", "last_seq")
    return {
        name: None if not row[name] else int(row[name]) if name in numbers else row[name] for name in DEVICE_COLUMNS
    }


def _register_row(row: Mapping[str, str]) -> RegisterRow:
    counts = {name: int(row[name]) for name in ("received", "resolved", "on_time")}
    return RegisterRow(row["centre"], row["field"], row["month"], row["channel"], **counts)


def _reference(row: Mapping[str, str]) -> Reference:
    texts = {name: row[name] for name in ("place", "measure", "value", "series", "label", "source")}
    return Reference(year=int(row["year"]), **texts)
