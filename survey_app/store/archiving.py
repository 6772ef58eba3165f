"""A wave's rows for the archive, and putting them back: the only way in for rows that were recorded elsewhere.

`Archiving`, `ArchivedResponse`, `Placed`.
"""

import contextlib
import dataclasses
import secrets
import sqlite3
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from survey_app.access import secret_hash
from survey_app.ledger import Plain
from survey_app.model import Centre, Head, Reference, RegisterRow, Wave, stamp
from survey_app.store.auditing import Auditing, ConflictRow
from survey_app.store.connection import refusal
from survey_app.store.recording import RESPONSE_COLUMNS

DEVICE_COLUMNS = (
    "id", "centre", "simulated", "purpose", "created", "code_expires", "enrolled", "revoked", "last_seen", "last_seq",
)  # fmt: skip
"""What an archive tells of a device: neither its code nor its token, nor their hashes."""
FIELD_COLUMNS = ("code", "label", "source", "position", "offered")
COMMENT_COLUMNS = ("number", "response", "conflict", "item", "text")


@dataclasses.dataclass(frozen=True)
class ArchivedResponse:
    """`values`: the columns its chain link covers."""

    values: Mapping[str, Plain]
    content: str
    chain: str


@dataclasses.dataclass(frozen=True)
class Placed:
    """A response ready to be put back, with its answer rows."""

    response: ArchivedResponse
    answers: Sequence[tuple[int, str, int]]


class Archiving(Auditing):
    """Reads for `survey_app.archive`, and the writes of an import."""

    # ---- out

    def archived_responses(self, wave_id: str) -> Iterator[ArchivedResponse]:
        sql = f"SELECT {', '.join(RESPONSE_COLUMNS)}, content, chain FROM response WHERE wave = ? ORDER BY position"
        for *values, content, chain in self._rows(sql, (wave_id,)):
            yield ArchivedResponse(dict(zip(RESPONSE_COLUMNS, values, strict=True)), content, chain)

    def archived_comments(self, wave_id: str) -> Iterator[tuple[Any, ...]]:
        """Rows of COMMENT_COLUMNS, those of the wave's responses and of second contents under their uuids."""
        return self._rows(
            f"SELECT {', '.join(f'comment.{name}' for name in COMMENT_COLUMNS)} FROM comment"
            " LEFT JOIN response ON response.number = comment.response"
            " LEFT JOIN conflict ON conflict.number = comment.conflict"
            " LEFT JOIN response AS first ON first.uuid = conflict.uuid"
            " WHERE coalesce(response.wave, first.wave) = ? ORDER BY comment.number",
            (wave_id,),
        )

    def texts_by_uuid(self, wave_id: str) -> Iterator[tuple[str, str, str]]:
        """uuid, item and text of the comments of the wave's responses."""
        return self._rows(
            "SELECT uuid, item, text FROM comment JOIN response ON response.number = comment.response WHERE wave = ?",
            (wave_id,),
        )

    def archived_devices(self, wave_id: str) -> list[tuple[Any, ...]]:
        """Rows of DEVICE_COLUMNS: the devices that sent responses of the wave, or others under their uuids."""
        return list(
            self._rows(
                f"SELECT {', '.join(DEVICE_COLUMNS)} FROM device WHERE id IN (SELECT device FROM response WHERE wave = :wave"
                " UNION SELECT conflict.device FROM conflict JOIN response ON response.uuid = conflict.uuid"
                " WHERE response.wave = :wave) ORDER BY id",
                {"wave": wave_id},
            )
        )

    def field_rows(self) -> list[tuple[Any, ...]]:
        """Rows of FIELD_COLUMNS, all that are known."""
        return list(self._rows(f"SELECT {', '.join(FIELD_COLUMNS)} FROM service_field ORDER BY code"))

    # ---- in

    @contextlib.contextmanager
    def putting_back(self) -> Iterator[None]:
        """One transaction for a whole import; what the tables refuse undoes it and is said."""
        try:
            with self.group():
                yield
        except (sqlite3.IntegrityError, sqlite3.InterfaceError, sqlite3.ProgrammingError) as error:
            raise refusal(
                f"the store refuses what the archive holds: {error}", "import", "import into a new, empty instance"
            ) from None

    def taken(self, number: int, uuid: str) -> bool:
        """Whether the store has a response of this number or uuid."""
        return self.is_stored(uuid) or self._row("SELECT 1 FROM response WHERE number = ?", (number,)) is not None

    def put_lists_back(self, centres: Sequence[Centre], fields: Sequence[Sequence[Any]]) -> None:
        """Centres and service fields; those here already must be the same."""
        known = {centre.code: centre for centre in self.centres()}
        theirs = {row[0]: tuple(row) for row in self.field_rows()}
        differ = [f"centre {one.code}" for one in centres if known.get(one.code, one) != one]
        differ += [f"service field {row[0]}" for row in fields if theirs.get(row[0], tuple(row)) != tuple(row)]
        if differ:
            raise refusal(
                f"{', '.join(differ[:5])}{' and others' if len(differ) > 5 else ''}: here it is another one",
                "import",
                "import into a new, empty instance",
            )
        new = [dataclasses.astuple(one) for one in centres if one.code not in known]
        if new:
            self._executemany('INSERT INTO centre (code, name, full_name, kind, "group") VALUES (?, ?, ?, ?, ?)', new)
            self._log("centres_imported", {"count": len(new), "list_sha256": self.centres_hash()})
        rows = [row for row in fields if row[0] not in theirs]
        if rows:
            marks = ", ".join("?" * len(FIELD_COLUMNS))
            self._executemany(f"INSERT INTO service_field ({', '.join(FIELD_COLUMNS)}) VALUES ({marks})", rows)
            self._log("fields_imported", {"count": len(rows), "others": "keep", "list_sha256": self.fields_hash()})

    def put_state_back(self, wave: Wave) -> None:
        """Opening and closing, at the moments they had; the wave is planned until now."""
        for code in wave.centres if wave.opened else ():
            if other := self.current_wave(code, wave.kind):
                raise refusal(
                    f"centre {code} takes part in the open {wave.kind} wave {other.id!r} here, so no other can be opened",
                    f"wave {wave.id!r}",
                    "import closed waves before open ones, or into a new, empty instance",
                )
        if wave.opened:
            self._execute("UPDATE wave SET status = 'open', opened = ? WHERE id = ?", (stamp(wave.opened), wave.id))
        if wave.closed:
            self._execute("UPDATE wave SET status = 'closed', closed = ? WHERE id = ?", (stamp(wave.closed), wave.id))

    def put_device_back(self, values: Mapping[str, Plain]) -> Mapping[str, str] | None:
        """A device under hashes of secrets that nobody has, so that no tablet can send here by its old token.

        Returns these hashes; None when the device is here already, by an earlier import.
        """
        names = ("id", "centre", "simulated", "purpose", "created")
        row = self._row(f"SELECT {', '.join(names)} FROM device WHERE id = ?", (values["id"],))
        if row is not None:
            if row != tuple(values[name] for name in names):
                raise refusal(
                    f"device {values['id']} is another one here", "import", "import into a new, empty instance"
                )
            return None
        hashes = {"code_sha256": secret_hash(secrets.token_hex(32)), "token_sha256": secret_hash(secrets.token_hex(32))}
        if values["enrolled"] is None:
            del hashes["token_sha256"]
        everything = {**{name: values[name] for name in DEVICE_COLUMNS}, **hashes}
        self._execute(
            f"INSERT INTO device ({', '.join(everything)}) VALUES ({', '.join('?' * len(everything))})",
            list(everything.values()),
        )
        return hashes

    def put_responses_back(self, placed: Sequence[Placed], head: Head, wave_id: str) -> None:
        """The next responses of the wave's chain, which ends at `head` with them."""
        marks = ", ".join("?" * (len(RESPONSE_COLUMNS) + 2))
        self._executemany(
            f"INSERT INTO response ({', '.join(RESPONSE_COLUMNS)}, content, chain) VALUES ({marks})",
            [(*one.response.values.values(), one.response.content, one.response.chain) for one in placed],
        )
        self._executemany(
            "INSERT INTO answer (response, item, code) VALUES (?, ?, ?)", [row for one in placed for row in one.answers]
        )
        self._touched.add(wave_id)
        self._forget()
        self._heads[wave_id] = head

    def put_conflict_back(self, row: ConflictRow) -> None:
        self._execute(
            "INSERT INTO conflict (number, uuid, device, seq, received, content, content_sha256)"
            " VALUES (?, ?, ?, ?, ?, ?, ?)",
            (row.number, row.uuid, row.device, row.seq, row.received, row.content, row.content_sha256),
        )

    def comment_numbers(self) -> frozenset[int]:
        return frozenset(number for (number,) in self._rows("SELECT number FROM comment"))

    def put_comments_back(self, rows: Sequence[Sequence[Any]]) -> None:
        marks = ", ".join("?" * len(COMMENT_COLUMNS))
        self._executemany(f"INSERT INTO comment ({', '.join(COMMENT_COLUMNS)}) VALUES ({marks})", rows)

    def imported_origins(self) -> set[tuple[str, int, str]]:
        """Kind, number and time, in the audit they come from, of the events that earlier imports said again."""
        rows = self._rows(
            "SELECT kind, json_extract(detail, '$.imported.number'), json_extract(detail, '$.imported.at') FROM event"
            " WHERE json_type(detail, '$.imported') = 'object'"
        )
        return set(rows)

    def put_event_back(self, kind: str, detail: Mapping[str, object], number: int, at: str) -> int:
        """Say an event of another audit again, with its number and time there; returns its number here."""
        return self._log(kind, {**detail, "imported": {"number": number, "at": at}})

    def put_register_back(self, number: int, rows: Sequence[RegisterRow]) -> None:
        self._executemany(
            "INSERT INTO register (import, centre, field, month, channel, received, resolved, on_time)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(number, *dataclasses.astuple(row)) for row in rows],
        )

    def put_references_back(self, number: int, rows: Sequence[Reference]) -> None:
        self._executemany(
            "INSERT INTO reference (import, year, place, measure, value, series, label, source)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            [(number, *dataclasses.astuple(row)) for row in rows],
        )
