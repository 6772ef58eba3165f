"""What an insider does with the file of an instance behind the program's back, and an instance to do it to.

`build`, `Insider`. Used by tests/test_tampering.py and tests/tampering_table.py.
"""

import dataclasses
import json
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from survey_app.backup import make_backup
from survey_app.extract import write_extract
from survey_app.ledger import GENESIS, compact, content_hash, link, text_hmac
from survey_app.model import Head, PrimaryUnit, Reference, RegisterRow
from survey_app.pin import Pin
from survey_app.purge import purge
from survey_app.settings import Settings
from survey_app.store import EVENTS, Store
from survey_app.store.recording import RESPONSE_COLUMNS
from tests.ground import FORM, NOON, OPENING, enrolled, make_store, record, response, wave

FRAME = (PrimaryUnit("V01", "núi", "Thôn Một", 900, 0.125, 20), PrimaryUnit("V02", "núi", "Thôn Hai", 400, 0.25, 3))
EVENT_COLUMNS = ("number", "at", "kind", "detail")
DAY = timedelta(days=1)
LATER = NOON + 60 * DAY
"""The purge knows comments received before today; these came after it, by the server's clock of this instance."""


@dataclass
class Insider:
    """Has the file, the key, the log and the folders; not the paper."""

    settings: Settings
    uuids: Sequence[str]
    paper: Mapping[str, Head]
    """The heads as they were before the deed, kept where the insider cannot reach them."""

    def do(self, *statements: str) -> None:
        """Every guard dropped and put back, no foreign key checked."""
        with self.unguarded() as connection:
            for statement in statements:
                connection.execute(statement)

    @contextmanager
    def unguarded(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.settings.store_path, isolation_level=None)) as connection:
            guards = connection.execute("SELECT name, sql FROM sqlite_schema WHERE type = 'trigger'").fetchall()
            for name, _ in guards:
                connection.execute(f"DROP TRIGGER {name}")
            yield connection
            for _, sql in guards:
                connection.execute(sql)

    def schema(self, statement: str) -> None:
        with closing(sqlite3.connect(self.settings.store_path, isolation_level=None)) as connection:
            connection.execute(statement)

    def rows(self, sql: str) -> list[Any]:
        with closing(sqlite3.connect(self.settings.store_path)) as connection:
            return connection.execute(sql).fetchall()

    # ---- the deeds of somebody who leaves the hashes alone

    def remove(self, *positions: int) -> None:
        """Responses with their answers and comments; the gap stays."""
        for place in positions:
            number = f"(SELECT number FROM response WHERE wave = 'q4' AND position = {place})"
            self.do(
                f"DELETE FROM answer WHERE response = {number}",
                f"DELETE FROM comment WHERE response = {number}",
                f"DELETE FROM response WHERE wave = 'q4' AND position = {place}",
            )

    def close_gaps(self) -> None:
        for to, (uuid,) in enumerate(
            self.rows("SELECT uuid FROM response WHERE wave = 'q4' ORDER BY position"), start=1
        ):
            self.do(f"UPDATE response SET position = {to} WHERE uuid = '{uuid}'")

    def make_room(self, position: int) -> None:
        last = self.rows("SELECT max(position) FROM response WHERE wave = 'q4'")[0][0]
        for place in range(last, position - 1, -1):
            self.do(f"UPDATE response SET position = {place + 1} WHERE wave = 'q4' AND position = {place}")

    def swap(self, first: int, second: int) -> None:
        for old, new in ((first, 9999), (second, first), (9999, second)):
            self.do(f"UPDATE response SET position = {new} WHERE wave = 'q4' AND position = {old}")

    def insert(self, position: int, *, uuid: str, changes: Mapping[str, object]) -> None:
        """A response like the first, of another uuid and seq, with its answers; `changes` alter its content."""
        names = [name for _, name, *_ in self.rows("PRAGMA table_info(response)")]
        (row,) = self.rows(f"SELECT {', '.join(names)} FROM response WHERE wave = 'q4' AND position = 1")
        values = dict(zip(names, row, strict=True))
        content = {**json.loads(values["content"]), "uuid": uuid, "seq": 77, **changes}
        number = 1 + self.rows("SELECT max(number) FROM response")[0][0]
        new = {"uuid": uuid, "seq": 77, "number": number, "position": position, "content": compact(content).decode()}
        with self.unguarded() as connection:
            placed = {**values, **new, **changes}
            connection.execute(
                f"INSERT INTO response ({', '.join(placed)}) VALUES ({', '.join('?' * len(placed))})",
                list(placed.values()),
            )
            connection.execute(
                f"INSERT INTO answer SELECT {number}, item, code FROM answer WHERE response = {values['number']}"
            )

    # ---- the deeds of somebody who knows the program

    def rechain(self) -> None:
        """Content hashes and the chain of q4 anew."""
        head = GENESIS
        updates = []
        sql = f"SELECT {', '.join(RESPONSE_COLUMNS)}, content FROM response WHERE wave = 'q4' ORDER BY position"
        for *values, content in self.rows(sql):
            row = dict(zip(RESPONSE_COLUMNS, values, strict=True))
            row["content_sha256"] = content_hash(content.encode())
            head = link(head, row)
            updates.append((row["content_sha256"], head, row["uuid"]))
        with self.unguarded() as connection:
            connection.executemany("UPDATE response SET content_sha256 = ?, chain = ? WHERE uuid = ?", updates)

    def rechain_audit(self) -> None:
        """Numbers without a gap, and every link anew."""
        head = GENESIS
        events = []
        for number, row in enumerate(self.rows("SELECT at, kind, detail FROM event ORDER BY number"), start=1):
            values = dict(zip(EVENT_COLUMNS, (number, *row), strict=True))
            head = link(head, values)
            events.append((*values.values(), head))
        with self.unguarded() as connection:
            connection.execute("DELETE FROM event")
            connection.executemany("INSERT INTO event (number, at, kind, detail, chain) VALUES (?, ?, ?, ?, ?)", events)

    def better_answer(self, position: int = 3) -> None:
        """II.A1 from 4 to 5: content, answer row, hash, chain."""
        self.do(
            "UPDATE response SET content = replace(content, '\"II.A1\":4', '\"II.A1\":5')"
            f" WHERE wave = 'q4' AND position = {position}",
            "UPDATE answer SET code = 5 WHERE item = 'II.A1' AND response ="
            f" (SELECT number FROM response WHERE wave = 'q4' AND position = {position})",
        )
        self.rechain()

    def other_comment(self) -> None:
        """The text, its HMAC under the key, hash, chain."""
        number, content = self.rows("SELECT number, content FROM response WHERE uuid = '" + self.uuids[5] + "'")[0]
        data = json.loads(content)
        data["answers"]["COMMENT"]["hmac"] = text_hmac("rất tốt", self.settings.key)
        with self.unguarded() as connection:
            connection.execute("UPDATE comment SET text = 'rất tốt' WHERE response = ?", (number,))
            connection.execute("UPDATE response SET content = ? WHERE number = ?", (compact(data).decode(), number))
        self.rechain()

    def rewrite_log(self) -> None:
        """heads.log as if all of it had been so from the start."""
        with Store.open(self.settings, write=False) as store:
            heads = store.heads()
        self.settings.heads_log.write_text(
            "".join(f"2026-11-24T00:00:00.000Z\t{chain}\t{head.count}\t{head.head}\n" for chain, head in heads.items())
        )

    def remove_extracts(self) -> None:
        shutil.rmtree(self.settings.extracts)

    def remove_backups(self) -> None:
        shutil.rmtree(self.settings.backups)


def build(path: Path) -> Insider:
    """Two waves, devices, comments purged and kept, a second content, register, figures, a PIN, an extract, a backup."""
    settings, store = make_store(path)
    with store:
        store.create_wave(wave("mau", kind="sample"), FORM, FRAME)
        store.open_wave("mau", at=OPENING)
        device, interviewer, old = enrolled(store), enrolled(store, "TINH", purpose="sample"), enrolled(store, "00694")
        store.add_device("00691", simulated=True)
        store.revoke_device(old.id)
        sent = [response(seq, answers={"COMMENT": f"lời cũ {seq}"} if seq % 2 else None) for seq in range(1, 5)]
        for one in sent:
            record(store, device, one)
        purge(store, days=30)
        sent += [response(seq, answers={"COMMENT": f"lời mới {seq}"}) for seq in range(5, 9)]
        for first in (4, 6):
            record(store, device, *sent[first : first + 2], received=LATER)
        second = dataclasses.replace(sent[6], answers={**sent[6].answers, "II.A1": 1, "COMMENT": "lời khác"})
        record(store, device, second, received=LATER)
        record(store, device, response(9, answers={"II.A1": 9}))
        visits = [response(None, wave="mau", psu=unit.psu, mode="assisted", recruitment="invited") for unit in FRAME]
        record(store, interviewer, *visits)
        store.import_register([RegisterRow("00691", "ho-tich", "2026-10", "counter", 90, 80, 70)], "r.csv", "0" * 64)
        store.import_references([Reference(2024, "national", "index", "83.94", "2023", "S", "test")], "f.csv", "1" * 64)
        store.set_pin("00691", Pin("a" * 32, 600_000, "b" * 64))
        write_extract(store, settings, "q4")
    make_backup(settings)
    with Store.open(settings) as store:
        record(store, device, response(10), received=LATER)
        paper = store.heads()
        uuids = [one.uuid for one in store.responses("q4")]
    return Insider(settings, uuids, paper)


def copied(insider: Insider, path: Path) -> Insider:
    shutil.copytree(insider.settings.instance, path)
    return dataclasses.replace(insider, settings=Settings.load(path))


Deed = Callable[[Insider], object]
__all__ = ["EVENTS", "Deed", "Insider", "build", "copied"]
