"""The store's schema as literal SQL, applied with sqlite_utils' Migrations. Append only: a step that was released is
never edited, a change is a new step at the end.

`MIGRATIONS`, `apply`, `applied`, `pending`, `expected_schema`, `database_on`, `MigrationError`.
"""

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from survey_app.migrations.first import GROUND, GUARDS, LEDGER, REJECTED
from survey_app.migrations.kiosk import KIOSK
from survey_app.migrations.sample import SAMPLE

if TYPE_CHECKING:
    from sqlite_utils import Database, Migrations

APPLICATION_ID = 0x53495041  # "SIPA" in the file's header: any other SQLite file is refused
PORTION = 20_000
Step = Callable[[int, int], None]


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


class MigrationError(Exception):
    """Rows that point nowhere: (table, parent) pairs. Nothing was changed."""

    def __init__(self, lost: Sequence[tuple[str, str]]) -> None:
        self.lost = tuple(lost)
        super().__init__(lost)


MIGRATIONS: tuple[tuple[str, str], ...] = (
    ("0001 ground", GROUND),
    ("0002 ledger", LEDGER),
    ("0003 guards", GUARDS),
    ("0004 rejected numbers", REJECTED),
    ("0005 sample waves", SAMPLE),
    ("0006 kiosk", KIOSK),
)

SCHEMA = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name"
"""Everything that was declared; the indexes SQLite makes by itself have no SQL."""


_OPTIONAL = ("pandas", "numpy")


def database_on(connection: sqlite3.Connection) -> "Database":
    """sqlite_utils' Database, without the half second it spends importing pandas and numpy.

    sqlite_utils imports them only to know some more column types, and does without where they are missing. While it
    is imported for the first time they are therefore made to look missing, unless they are loaded already.
    Measured in processor time: 0.53 s with them, 0.10 s without.
    """
    hidden = () if "sqlite_utils" in sys.modules else tuple(name for name in _OPTIONAL if name not in sys.modules)
    sys.modules.update(dict.fromkeys(hidden))  # type: ignore[arg-type]
    try:
        from sqlite_utils import Database
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
    return Database(connection, execute_plugins=False)


def expected_schema() -> dict[tuple[str, str], str]:
    """What a store freshly made by these steps declares, by type and name."""
    with contextlib.closing(sqlite3.connect(":memory:")) as connection:
        apply(database_on(connection))
        return {(kind, name): sql for kind, name, sql in connection.execute(SCHEMA)}


def apply(database: "Database", step: Step = _silent) -> None:
    """Bring the schema up to date, all steps and the notes that they were applied in one transaction.

    Foreign keys must be off on this connection, since dropping a table would delete its rows one by one and a table
    made anew is for a moment missing. They are checked before the commit instead.
    """
    connection = database.conn
    if connection.execute("PRAGMA foreign_keys").fetchone()[0]:
        raise RuntimeError("migrating with foreign keys on")
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Checking every reference afterwards takes about as long as copying all responses.
        _set(lambda done, total: step(done, 2 * total)).apply(database)
        if lost := {(table, parent) for table, _, parent, _ in connection.execute("PRAGMA foreign_key_check")}:
            raise MigrationError(sorted(lost))
        connection.execute("COMMIT")
        step(1, 1)
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def applied(database: "Database") -> tuple[str, ...]:
    return tuple(step.name for step in _set().applied(database))


def pending(database: "Database") -> tuple[str, ...]:
    return tuple(step.name for step in _set().pending(database))


def _set(step: Step = _silent) -> "Migrations":
    from sqlite_utils import Migrations

    migrations = Migrations("sipas")
    for name, sql in MIGRATIONS:
        migrations(name=name)(_step(sql, step))
    return migrations


def _step(sql: str, step: Step) -> "Callable[[Database], None]":
    def run(database: "Database") -> None:
        for statement in _statements(sql):
            if ":upto" in statement:
                _by_portions(database.conn, statement, step)
            else:
                database.conn.execute(statement)

    return run


def _statements(sql: str) -> Iterator[str]:
    """One after the other: `executescript` would commit, and tell nothing of its progress."""
    statement = ""
    for line in sql.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""


def _by_portions(connection: sqlite3.Connection, statement: str, step: Step) -> None:
    """A statement over all responses, some thousands at a time so that it can say how far it is."""
    total = connection.execute("SELECT coalesce(max(number), 0) FROM response").fetchone()[0]
    for after in range(0, total, PORTION):
        upto = min(after + PORTION, total)
        connection.execute(statement, {"after": after, "upto": upto})
        step(upto, total)
