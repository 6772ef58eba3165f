"""Centres, service fields, questionnaire copies, waves and the frames of sample waves."""

import dataclasses
import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Literal

from survey_app.ledger import compact, content_hash
from survey_app.model import Centre, PrimaryUnit, Rules, ServiceField, Wave, WaveKind, moment, stamp
from survey_app.plain_text import faults, invisible
from survey_app.questionnaire import Questionnaire
from survey_app.questionnaire.file import parse
from survey_app.settings import Settings
from survey_app.store.connection import Connection, refusal

if TYPE_CHECKING:
    from sqlite_utils import Database

WAVE_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")

_WAVE = """SELECT id, kind, title, questionnaire, version, months, rules, simulated, status, opened, closed,
    (SELECT json_group_array(centre) FROM (SELECT centre FROM wave_centre WHERE wave = id ORDER BY centre))
    FROM wave"""


class Fieldwork(Connection):
    """What a wave is made of, and its opening and closing."""

    def __init__(self, settings: Settings, database: "Database", *, write: bool) -> None:
        super().__init__(settings, database, write=write)
        self._questionnaires: dict[tuple[str, str], Questionnaire] = {}

    # ---- centres and fields

    def centres(self) -> tuple[Centre, ...]:
        return tuple(Centre(*row) for row in self._rows(f"{_CENTRE} ORDER BY code"))

    def centre(self, code: str) -> Centre:
        row = self._row(f"{_CENTRE} WHERE code = ?", (code,))
        if row is None:
            raise refusal(f"no centre has the code {code!r}", "centre", "see the codes: sipas centre list")
        return Centre(*row)

    def add_centres(self, centres: Iterable[Centre]) -> None:
        """Add centres, or bring those known up to date; none is ever removed, since responses name them."""
        rows = [dataclasses.astuple(centre) for centre in centres]
        with self.group():
            self._executemany(
                'INSERT INTO centre (code, name, full_name, kind, "group") VALUES (?, ?, ?, ?, ?)'
                " ON CONFLICT (code) DO UPDATE SET name = excluded.name, full_name = excluded.full_name,"
                ' kind = excluded.kind, "group" = excluded."group"',
                rows,
            )
            self._log("centres_imported", {"count": len(rows), "list_sha256": self.centres_hash()})

    def fields(self, which: Literal["offered", "known"] = "offered") -> tuple[ServiceField, ...]:
        """The fields offered to citizens now, or all that are known (an older response may name one given up)."""
        return self._once(("fields", which), lambda: self._fields(which))

    def _fields(self, which: str) -> tuple[ServiceField, ...]:
        sql = "SELECT code, label, source FROM service_field WHERE offered >= ? ORDER BY position, code"
        return tuple(
            ServiceField(code, json.loads(label), source)
            for code, label, source in self._rows(sql, (int(which == "offered"),))
        )

    def _known_fields(self) -> frozenset[str]:
        sql = "SELECT code FROM service_field"
        return self._once("known fields", lambda: frozenset(code for (code,) in self._rows(sql)))

    def add_fields(self, fields: Iterable[ServiceField], others: Literal["keep", "retire"] = "keep") -> None:
        """Add fields or bring them up to date, in this order; `others` known before stay offered, or are retired."""
        rows = [
            (field.code, compact(dict(field.label)).decode(), field.source, place)
            for place, field in enumerate(fields, start=1)
        ]
        with self.group():
            if others == "retire":
                self._execute("UPDATE service_field SET offered = 0")
            self._executemany(
                "INSERT INTO service_field (code, label, source, position, offered) VALUES (?, ?, ?, ?, 1)"
                " ON CONFLICT (code) DO UPDATE SET label = excluded.label, source = excluded.source,"
                " position = excluded.position, offered = 1",
                rows,
            )
            self._log("fields_imported", {"count": len(rows), "others": others, "list_sha256": self.fields_hash()})

    def centres_hash(self) -> str:
        """One hash for all centres as they are now, so that the audit's chain covers them."""
        return content_hash(compact([list(dataclasses.astuple(centre)) for centre in self.centres()]))

    def fields_hash(self) -> str:
        """The same for the service fields."""
        rows = self._rows("SELECT code, label, source, position, offered FROM service_field ORDER BY code")
        return content_hash(compact([list(row) for row in rows]))

    # ---- questionnaires

    def questionnaire(self, id: str, version: str) -> Questionnaire:
        """The store's own copy, by which responses are checked for ever."""
        known = self._questionnaires.get((id, version))
        if known is None:
            row = self._row("SELECT content FROM questionnaire WHERE id = ? AND version = ?", (id, version))
            if row is None:
                raise refusal(
                    f"no wave has used questionnaire {id!r} version {version!r}",
                    "questionnaire",
                    "see: sipas wave list",
                )
            known = self._questionnaires[id, version] = parse(row[0], f"{id}.{version}.toml")
        return known

    def _copy_questionnaire(self, form: Questionnaire) -> None:
        row = self._row("SELECT sha256 FROM questionnaire WHERE id = ? AND version = ?", (form.id, form.version))
        if row is None:
            self._execute(
                "INSERT INTO questionnaire (id, version, content, sha256) VALUES (?, ?, ?, ?)",
                (form.id, form.version, form.content, form.sha256),
            )
        elif row[0] != form.sha256:
            raise refusal(
                f"another form was already used as {form.id} version {form.version}",
                f"{form.id}.{form.version}.toml",
                "a version in use is never edited: give the changed form the next version",
            )

    # ---- waves

    def waves(self) -> tuple[Wave, ...]:
        return tuple(_wave(row) for row in self._rows(f"{_WAVE} ORDER BY id"))

    def wave(self, id: str) -> Wave:
        return self._once(("wave", id), lambda: self._wave(id))

    def _wave(self, id: str) -> Wave:
        row = self._row(f"{_WAVE} WHERE id = ?", (id,))
        if row is None:
            raise refusal(f"there is no wave {id!r}", "wave", "see the waves: sipas wave list")
        return _wave(row)

    def current_wave(self, centre: str, kind: WaveKind = "counter") -> Wave | None:
        """The open wave of this kind in which a centre takes part, if any."""
        row = self._row(
            "SELECT id FROM wave WHERE status = 'open' AND kind = ?"
            " AND EXISTS (SELECT 1 FROM wave_centre WHERE wave = id AND centre = ?)",
            (kind, centre),
        )
        return self.wave(row[0]) if row else None

    def frame(self, wave_id: str) -> tuple[PrimaryUnit, ...]:
        """The villages of a sample wave, in the order of its file; none for a counter wave."""
        sql = (
            "SELECT psu, stratum, name, population, probability, households FROM frame WHERE wave = ? ORDER BY position"
        )
        return tuple(PrimaryUnit(*row) for row in self._rows(sql, (wave_id,)))

    def create_wave(self, wave: Wave, questionnaire: Questionnaire, frame: Sequence[PrimaryUnit] = ()) -> Wave:
        """Plan a wave; the form is copied into the store with its hash. A sample wave needs its `frame`."""
        _check_wave(wave, questionnaire)
        _check_frame(wave, frame)
        with self.group():
            if self._row("SELECT 1 FROM wave WHERE id = ?", (wave.id,)):
                raise refusal(
                    f"there is a wave {wave.id!r} already", "wave", "choose another id; none is ever replaced"
                )
            for code in wave.centres:
                self.centre(code)
            self._copy_questionnaire(questionnaire)
            row = definition(wave)
            self._execute(
                "INSERT INTO wave (id, kind, title, questionnaire, version, months, rules, simulated, status)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, 'planned')",
                [compact(value).decode() if isinstance(value, dict | list) else value for value in row.values()],
            )
            self._executemany(
                "INSERT INTO wave_centre (wave, centre) VALUES (?, ?)", [(wave.id, code) for code in wave.centres]
            )
            self._executemany(
                "INSERT INTO frame (wave, psu, stratum, name, population, probability, households, position)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(wave.id, *dataclasses.astuple(unit), place) for place, unit in enumerate(frame, start=1)],
            )
            hashes = {"questionnaire_sha256": questionnaire.sha256}
            if frame:
                hashes["frame_sha256"] = frame_hash(frame)
            self._log("wave_created", {**row, "centres": sorted(wave.centres), **hashes})
        return self.wave(wave.id)

    def open_wave(self, id: str, at: datetime | None = None) -> Wave:
        """Begin the asking; from here on the wave's rules are fixed."""
        with self.group():
            wave = self.wave(id)
            if wave.status != "planned":
                raise refusal(f"wave {id!r} is {wave.status}", "wave", "only a planned wave can be opened")
            if wave.kind == "sample" and not self.frame(id):
                remedy = "create the wave anew, under another id, with --frame FILE"
                raise refusal("the sample wave has no frame", f"wave {id!r}", remedy)
            for code in wave.centres:
                if other := self.current_wave(code, wave.kind):
                    raise refusal(
                        f"centre {code} takes part in the open {wave.kind} wave {other.id!r}",
                        f"wave {id!r}",
                        f"close that one first: sipas wave close {other.id}",
                    )
            opened = stamp(_moment_of(wave, at))
            self._execute("UPDATE wave SET status = 'open', opened = ? WHERE id = ?", (opened, id))
            self._log("wave_opened", {"wave": id, "opened": opened})
        return self.wave(id)

    def close_wave(self, id: str, at: datetime | None = None) -> Wave:
        """End the asking; what was given before is still received."""
        with self.group():
            wave = self.wave(id)
            if wave.status != "open" or wave.opened is None:
                raise refusal(f"wave {id!r} is {wave.status}", "wave", "only an open wave can be closed")
            closing = _moment_of(wave, at)
            if closing < wave.opened:
                raise refusal(
                    f"the closing {stamp(closing)} lies before the opening {stamp(wave.opened)}",
                    f"wave {id!r}",
                    "name a later time",
                )
            self._execute("UPDATE wave SET status = 'closed', closed = ? WHERE id = ?", (stamp(closing), id))
            self._log("wave_closed", {"wave": id, "closed": stamp(closing)})
        return self.wave(id)


_CENTRE = 'SELECT code, name, full_name, kind, "group" FROM centre'


def definition(wave: Wave) -> dict[str, Any]:
    """What a wave is, as plain data: the columns written on creation, and what the event of creation says."""
    rules = dataclasses.asdict(wave.rules)
    return {
        "id": wave.id,
        "kind": wave.kind,
        "title": dict(wave.title),
        "questionnaire": wave.questionnaire,
        "version": wave.version,
        "months": list(wave.months),
        "rules": {**rules, "margins": list(rules["margins"])},
        "simulated": int(wave.simulated),
    }


def frame_hash(frame: Iterable[PrimaryUnit]) -> str:
    """One hash for a frame in its order, so that the audit's chain covers it."""
    return content_hash(compact([list(dataclasses.astuple(unit)) for unit in frame]))


def _check_frame(wave: Wave, frame: Sequence[PrimaryUnit]) -> None:
    where = f"wave {wave.id!r}: frame"
    if wave.kind == "counter" and frame:
        raise refusal("a counter wave has no frame", where, "leave the frame out, or plan a wave of kind sample")
    if wave.kind == "sample" and not frame:
        raise refusal("a sample wave needs its frame", where, "name the file of its villages: --frame FILE")
    if len({unit.psu for unit in frame}) < len(frame):
        raise refusal("a village comes twice", where, "give each its own code")
    for unit in frame:
        if not (0 < unit.probability <= 1 and 1 <= unit.households <= unit.population):
            remedy = "0 < probability ≤ 1, and 1 ≤ households ≤ population"
            raise refusal(f"the numbers of village {unit.psu} cannot be", where, remedy)


def _wave(row: tuple[Any, ...]) -> Wave:
    id, kind, title, questionnaire, version, months, rules, simulated, status, opened, closed, centres = row
    plain = json.loads(rules)
    return Wave(
        id=id,
        kind=kind,
        title=json.loads(title),
        questionnaire=questionnaire,
        version=version,
        months=tuple(json.loads(months)),
        centres=tuple(json.loads(centres)),
        rules=Rules(**{**plain, "margins": tuple(plain["margins"])}),
        simulated=bool(simulated),
        status=status,
        opened=moment(opened) if opened else None,
        closed=moment(closed) if closed else None,
    )


def _moment_of(wave: Wave, at: datetime | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    if not wave.simulated:
        raise refusal(
            "only a simulated wave can be opened or closed at another time than now",
            f"wave {wave.id!r}",
            "leave the time out",
        )
    return at


def _check_wave(wave: Wave, form: Questionnaire) -> None:
    where = f"wave {wave.id!r}"
    if not WAVE_ID.fullmatch(wave.id):
        raise refusal(f"{wave.id!r} cannot be a wave's id", where, "use small letters, digits and hyphens, at most 40")
    if wave.status != "planned":
        raise refusal("a wave is created planned", where, "create it, then open it")
    if (wave.questionnaire, wave.version) != (form.id, form.version):
        raise refusal(
            f"the wave names {wave.questionnaire} {wave.version}, the form is {form.id} {form.version}",
            where,
            "name the same form",
        )
    for month in wave.months:
        if not MONTH.fullmatch(month):
            raise refusal(f"{month!r} is not a month", where, "write months as 2026-10")
    if not wave.months or len(set(wave.months)) != len(wave.months):
        raise refusal("the wave's months are missing or named twice", where, "name each register month once")
    if not wave.centres or len(set(wave.centres)) != len(wave.centres):
        raise refusal("the wave's centres are missing or named twice", where, "import centres: sipas centre import")
    if set(wave.title) < {"vi", "en"}:
        raise refusal("the wave lacks a title in vi or en", where, "give --title-vi and --title-en")
    for language, title in wave.title.items():
        for what, remedy in (*faults(title), *invisible(title)):
            raise refusal(f"the title: {what}", f"{where}: title in {language}", remedy)
    problem = _rule_problem(wave.rules)
    if problem:
        raise refusal(problem, f"{where}: rules", "see the rules in docs/official.md")


_WORDS = {
    "item_method": ("top2", "mean5", "mean01"),
    "roll_up": ("pooled", "item_mean", "factor_mean", "area_mean"),
    "weighting": ("rake", "cells"),
}


def _rule_problem(rules: Rules) -> str:
    for name, words in _WORDS.items():
        if getattr(rules, name) not in words:
            return f"{name} is {getattr(rules, name)!r}, not one of {', '.join(words)}"
    for name, low, high in (
        ("minimum_cell", 1, 1000),
        ("minimum_class", 1, 1000),
        ("reference_line", 1, 99),
        ("level", 50, 99),
    ):
        value = getattr(rules, name)
        if not isinstance(value, int) or not low <= value <= high:
            return f"{name} is {value!r}, not a whole number from {low} to {high}"
    return ""
