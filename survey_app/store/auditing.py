"""Raw rows for verification: what lies in the tables, not what the reading verbs make of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from survey_app import migrations
from survey_app.ledger import Plain
from survey_app.model import Reference, RegisterRow
from survey_app.store.recording import RESPONSE_COLUMNS
from survey_app.store.standing import Standing


@dataclass(frozen=True)
class LedgerRow:
    """A response's row as it lies there; `values` are the columns its chain link covers.

    `answers` stands for its answer rows as `answers_text` does; `commented`: there is a comment of it.
    """

    values: Mapping[str, Plain]
    content: str
    chain: str
    answers: str
    commented: bool


@dataclass(frozen=True)
class ConflictRow:
    """`wave`: that of the response it competes with; None when there is none."""

    number: int
    uuid: str
    wave: str | None
    device: str
    seq: int | None
    received: str
    content: str
    content_sha256: str


def answers_text(codes: Mapping[str, int | tuple[int, ...]]) -> str:
    """How many answer rows, their codes, their items: one text, the same for no other rows if no item has a comma.

    No number has a comma or semicolon; and as many rows whose items, joined by commas, read alike have the same items.
    """
    items = sorted(codes)
    values: list[Any] = [codes[item] for item in items]
    if tuple in set(map(type, values)):
        rows = [(item, code) for item in items for code in _each(codes[item])]
        items, values = [item for item, _ in rows], [code for _, code in rows]
    return f"{len(items)};{','.join(map(str, values))};{','.join(items)}"


def _each(code: int | tuple[int, ...]) -> tuple[int, ...]:
    return code if isinstance(code, tuple) else (code,)


_ANSWERS = "count(*) || ';' || coalesce(group_concat(code), '') || ';' || coalesce(group_concat(item), '')"


_ODD_CONTACTS = """SELECT device, CASE
        WHEN last > coalesce(last_seen, '') THEN 'there is a later one than the last that was noted with it'
        WHEN enrolled IS NULL THEN 'it was never enrolled'
        ELSE 'they do not lie on the day they are counted for' END
    FROM contact JOIN device ON device.id = contact.device
    WHERE last > coalesce(last_seen, '') OR enrolled IS NULL
        OR date(first, '+7 hours') <> day OR date(last, '+7 hours') <> day
    ORDER BY device, day"""
"""Days are those of Vietnam (UTC+7)."""


class Auditing(Standing):
    """Reads for `survey_app.verification`."""

    def ledger_rows(self, wave_id: str) -> Iterator[LedgerRow]:
        for *values, content, chain, answers, commented in self._rows(
            f"SELECT {', '.join(RESPONSE_COLUMNS)}, content, chain,"
            f" (SELECT {_ANSWERS} FROM answer WHERE answer.response = response.number),"
            " EXISTS (SELECT 1 FROM comment WHERE comment.response = response.number)"
            " FROM response WHERE wave = ? ORDER BY position",
            (wave_id,),
        ):
            named = dict(zip(RESPONSE_COLUMNS, values, strict=True))
            yield LedgerRow(named, content, chain, answers, bool(commented))

    def raw_answers(self, number: int) -> frozenset[tuple[str, int]]:
        return frozenset(self._rows("SELECT item, code FROM answer WHERE response = ?", (number,)))

    def raw_comments(self, number: int) -> dict[str, str]:
        return dict(self._rows("SELECT item, text FROM comment WHERE response = ?", (number,)))

    def event_rows(self) -> Iterator[tuple[dict[str, Plain], str]]:
        names = ("number", "at", "kind", "detail")
        for *values, chain in self._rows(f"SELECT {', '.join(names)}, chain FROM event ORDER BY number"):
            yield dict(zip(names, values, strict=True)), chain

    def conflict_rows(self) -> tuple[ConflictRow, ...]:
        sql = (
            "SELECT number, uuid, (SELECT wave FROM response WHERE response.uuid = conflict.uuid), device, seq, received,"
            " content, content_sha256 FROM conflict ORDER BY number"
        )
        return tuple(ConflictRow(*row) for row in self._rows(sql))

    def conflict_comments(self) -> dict[int, dict[str, str]]:
        """By the number of the conflict: item and text."""
        found: dict[int, dict[str, str]] = {}
        for number, item, text in self._rows("SELECT conflict, item, text FROM comment WHERE conflict IS NOT NULL"):
            found.setdefault(number, {})[item] = text
        return found

    def device_rows(self) -> tuple[dict[str, Plain], ...]:
        """What the audit says of a device, as it lies there: its secrets as their hashes."""
        names = (
            "id", "centre", "simulated", "purpose", "created", "code_sha256", "token_sha256", "enrolled", "revoked",
        )  # fmt: skip
        rows = self._rows(f"SELECT {', '.join(names)} FROM device ORDER BY id")
        return tuple(dict(zip(names, row, strict=True)) for row in rows)

    def odd_contacts(self) -> tuple[tuple[str, str], ...]:
        """Device and what is odd: whatever the program notes, it notes beside the device too, and never before."""
        return tuple(self._rows(_ODD_CONTACTS))

    def count_of_device(self, wave: str, device: str, first: int, last: int) -> int:
        """How many responses of a device stand at these positions."""
        sql = "SELECT count(*) FROM response WHERE wave = ? AND device = ? AND position BETWEEN ? AND ?"
        row = self._row(sql, (wave, device, first, last))
        return int(row[0]) if row else 0

    def official_accounts(self) -> tuple[str, ...]:
        return tuple(account for (account,) in self._rows("SELECT account FROM official ORDER BY account"))

    def register_imports(self) -> dict[int, list[RegisterRow]]:
        found: dict[int, list[RegisterRow]] = {}
        sql = "SELECT import, centre, field, month, channel, received, resolved, on_time FROM register"
        for number, *values in self._rows(sql):
            found.setdefault(number, []).append(RegisterRow(*values))
        return found

    def reference_imports(self) -> dict[int, list[Reference]]:
        found: dict[int, list[Reference]] = {}
        sql = "SELECT import, year, place, measure, value, series, label, source FROM reference"
        for number, *values in self._rows(sql):
            found.setdefault(number, []).append(Reference(*values))
        return found

    def questionnaire_copies(self) -> tuple[tuple[str, str, bytes, str], ...]:
        """id, version, content, sha256."""
        return tuple(self._rows("SELECT id, version, content, sha256 FROM questionnaire ORDER BY id, version"))

    def damage(self) -> tuple[str, ...]:
        """What SQLite itself finds wrong with the file: broken pages and rows that point nowhere."""
        found = [row[0] for row in self._rows("PRAGMA integrity_check") if row[0] != "ok"]
        orphans: dict[tuple[str, str], int] = {}
        for table, _, parent, _ in self._rows("PRAGMA foreign_key_check"):
            orphans[table, parent] = orphans.get((table, parent), 0) + 1
        found += [f"{count} rows of {table} name no {parent}" for (table, parent), count in sorted(orphans.items())]
        return tuple(found)

    def schema_differences(self) -> tuple[str, ...]:
        """Tables, triggers and indexes that are missing, added or altered."""
        ours, expected = self._schema(), migrations.expected_schema()
        return tuple(
            f"{kind} {name} {_difference(ours.get((kind, name)), expected.get((kind, name)))}"
            for kind, name in sorted(ours.keys() | expected.keys())
            if ours.get((kind, name)) != expected.get((kind, name))
        )

    def _schema(self) -> dict[tuple[str, str], str]:
        return {(kind, name): sql for kind, name, sql in self._rows(migrations.SCHEMA)}


def _difference(ours: str | None, expected: str | None) -> str:
    if ours is None:
        return "is missing"
    return "does not belong there" if expected is None else "is not as it was made"
