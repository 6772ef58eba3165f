"""The connection to an instance's SQLite file: opening, refusing, and the one shape of a write transaction.

`Connection`, `StoreError`, `database_trouble`.
"""

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeVar

from survey_app import heads_log, migrations, swapping
from survey_app.ledger import GENESIS, compact, link
from survey_app.locks import LockedError, Shared, server_lock, write_lock
from survey_app.model import Head, stamp
from survey_app.problems import Problem, SipasError
from survey_app.settings import Settings

if TYPE_CHECKING:
    from sqlite_utils import Database

T = TypeVar("T")
LEAST_BYTES = 512
"""No SQLite file is smaller."""
EVENTS = "#events"
"""The name of the events' own chain in heads.log; no wave can be called so."""


class StoreError(SipasError):
    """The store is missing, not ours, of another version, damaged, or was asked for something it must refuse."""


def refusal(what: str, where: str, remedy: str) -> StoreError:
    return StoreError(Problem(what, where, remedy))


class Connection:
    """One SQLite connection, used by one thread. What is above it speaks SQL only through `_execute` and `_rows`."""

    def __init__(self, settings: Settings, database: "Database", *, write: bool) -> None:
        self.settings = settings
        self._database = database
        self._write = write
        self._depth = 0
        self._touched: set[str] = set()
        self._hold: Shared | None = None
        self._undo()

    @classmethod
    def create(cls, settings: Settings) -> Self:
        """Make the store of a new instance; an existing file is refused."""
        if settings.store_path.exists():
            raise refusal("there is a store here already", str(settings.store_path), "use it, or name another place")
        with write_lock(settings.write_lock):
            connection = _connect(settings.store_path, "rwc")
            connection.execute(f"PRAGMA application_id = {migrations.APPLICATION_ID}")
            connection.execute("PRAGMA journal_mode = WAL")
            database = migrations.database_on(connection)
            migrations.apply(database)
            _prepare(connection, write=True)
            os.chmod(settings.store_path, 0o600)
        return cls(settings, database, write=True)

    @classmethod
    def open(cls, settings: Settings, *, write: bool = True) -> Self:
        """Open the store; read-only unless `write`. `StoreError` when it is missing, unknown, older, newer, damaged.

        Until it is closed the instance is held, so that no restore takes the file away from under it.
        """
        with contextlib.ExitStack() as undo:
            hold = _held(settings, undo)
            path = _existing(settings)
            with _damage_named(path):
                connection = _connect(path, "rw" if write else "ro")
                undo.callback(connection.close)
                _prepare(connection, write=write)
                database = _ours(connection, path)
                _refuse_other_versions(database, path)
            undo.pop_all()
        opened = cls(settings, database, write=write)
        opened._hold = hold
        return opened

    @classmethod
    def migrate(
        cls, settings: Settings, step: Callable[[int, int], None] = lambda done, total: None
    ) -> tuple[str, ...]:
        """Bring an older store up to date, whole or not at all; returns the steps applied.

        Refused while a server runs: it holds the old schema, and its tablets would wait for as long as this takes.
        """
        with contextlib.ExitStack() as undo:
            _held(settings, undo)
            path = _existing(settings)
            undo.enter_context(_damage_named(path))
            connection = undo.enter_context(contextlib.closing(_connect(path, "rw")))
            database = _ours(connection, path)
            _refuse_newer(database, path)
            if not migrations.pending(database):
                return ()
            with _no_server(settings), write_lock(settings.write_lock):
                steps = migrations.pending(database)
                if (found := connection.execute("PRAGMA quick_check(1)").fetchone()[0]) != "ok":
                    raise sqlite3.DatabaseError(found)
                connection.execute("PRAGMA synchronous = FULL")
                try:
                    migrations.apply(database, step)
                except migrations.MigrationError as error:
                    raise _orphaned(error, path) from None
        return steps

    def close(self) -> None:
        self._database.close()
        if self._hold is not None:
            self._hold.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # ---- transactions

    @property
    def in_transaction(self) -> bool:
        """False also after SQLite itself gave a transaction up, as it may when the disk is full."""
        return bool(self._database.conn.in_transaction)

    @contextlib.contextmanager
    def group(self) -> Iterator[None]:
        """A write transaction under the instance's write lock; inside another one, a savepoint of it.

        The heads of the chains that grow are announced in heads.log before the commit and confirmed after it, before
        the lock is given up: the lines stand in the order of the commits, and whatever is committed was announced.
        """
        if not self._write:
            raise refusal("the store is open for reading only", str(self.settings.store_path), "open it for writing")
        if self._depth:
            with self._nested():
                yield
            return
        with write_lock(self.settings.write_lock):
            self._touched = set()
            self._forget()
            self._depth = 1
            try:
                self._database.conn.execute("BEGIN IMMEDIATE")
                try:
                    yield
                    heads = {chain: self._head(chain) for chain in sorted(self._touched)}
                    self._append_heads(heads, "\tpending")
                    self._database.conn.execute("COMMIT")
                except BaseException:
                    self._undo()
                    self._database.rollback()
                    raise
            finally:
                self._depth = 0
            self._append_heads(heads)

    @contextlib.contextmanager
    def _nested(self) -> Iterator[None]:
        # Named by depth, not at random as sqlite_utils' atomic() would: there is one for every response.
        connection, name = self._database.conn, f"level_{self._depth}"
        connection.execute(f"SAVEPOINT {name}")
        self._depth += 1
        try:
            yield
        except BaseException:
            self._undo()
            if connection.in_transaction:
                connection.execute(f"ROLLBACK TO {name}")
                connection.execute(f"RELEASE {name}")
            raise
        else:
            connection.execute(f"RELEASE {name}")
        finally:
            self._depth -= 1

    def _forget(self) -> None:
        """Drop what is true inside one transaction only: between two, another process may write."""
        self._known: dict[object, Any] = {}
        self._heads: dict[str, Head] = {}
        self._last_number: int | None = None

    def _once(self, key: object, read: Callable[[], T]) -> T:
        """What `read` gives, read once in a write transaction: nobody else can change it meanwhile, and `_log` forgets."""
        if not self._depth:
            return read()
        if key not in self._known:
            self._known[key] = read()
        found: T = self._known[key]
        return found

    def _undo(self) -> None:
        """Drop whatever a rollback may have made untrue."""
        self._forget()
        self._gaps: dict[str, tuple[int, tuple[tuple[int, int], ...]]] = {}

    @contextlib.contextmanager
    def snapshot(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever is written meanwhile."""
        if self._depth or self._database.conn.in_transaction:
            yield
            return
        self._database.conn.execute("BEGIN")
        try:
            yield
        finally:
            self._database.rollback()

    def _append_heads(self, heads: Mapping[str, Head], mark: str = "") -> None:
        """One line for each chain that grew, whole or not at all; the confirmation is on disk when this returns."""
        if heads:
            at = stamp(datetime.now(UTC))
            lines = "".join(f"{at}\t{chain}\t{head.count}\t{head.head}{mark}\n" for chain, head in heads.items())
            heads_log.append(self.settings.heads_log, lines, sync=not mark)

    # ---- chains and events

    def _head(self, chain: str) -> Head:
        if chain == EVENTS:
            sql = "SELECT number, chain FROM event ORDER BY number DESC LIMIT 1"
            row = self._row(sql, ())
        else:
            sql = "SELECT position, chain FROM response WHERE wave = ? ORDER BY position DESC LIMIT 1"
            row = self._row(sql, (chain,))
        return Head(row[0], row[1]) if row else Head(0, GENESIS)

    def _log(self, kind: str, detail: Mapping[str, object]) -> int:
        """Append an event to the audit inside the running transaction; returns its number."""
        self._known.clear()  # whatever changes a wave, a field or a centre says so here
        last = self._head(EVENTS)
        row: dict[str, str | int | None] = {
            "number": last.count + 1,
            "at": stamp(datetime.now(UTC)),
            "kind": kind,
            "detail": compact(detail).decode("utf-8"),
        }
        self._execute(
            "INSERT INTO event (number, at, kind, detail, chain) VALUES (?, ?, ?, ?, ?)",
            (*row.values(), link(last.head, row)),
        )
        self._touched.add(EVENTS)
        return last.count + 1

    # ---- statements

    def _execute(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> int:
        return self._database.conn.execute(sql, parameters).rowcount

    def _executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        self._database.conn.executemany(sql, rows)

    def _rows(self, sql: str, parameters: Sequence[object] | Mapping[str, object] = ()) -> Iterator[tuple[Any, ...]]:
        return iter(self._database.conn.execute(sql, parameters))

    def _row(self, sql: str, parameters: Sequence[object] = ()) -> tuple[Any, ...] | None:
        row: tuple[Any, ...] | None = self._database.conn.execute(sql, parameters).fetchone()
        return row


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None, timeout=30)


def _prepare(connection: sqlite3.Connection, *, write: bool) -> None:
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    if not write:
        connection.execute("PRAGMA query_only = ON")


def _held(settings: Settings, undo: contextlib.ExitStack) -> Shared | None:
    """Hold the instance until `undo`; refused where a restore was cut short, which another command finishes first."""
    hold = Shared(settings.instance) if settings.instance.is_dir() else None
    if hold:
        undo.callback(hold.release)
    if swapping.is_pending(settings.instance):
        raise refusal("a restore was cut short", str(settings.instance), "run the command again: it goes on first")
    return hold


def _existing(settings: Settings) -> Path:
    path = settings.store_path
    if path.exists() and not path.is_file():
        raise refusal("the store is no file", str(path), "move what lies there, and restore the newest backup")
    if not path.exists():
        raise refusal("the instance has no store", str(path), f"make it: sipas --instance {settings.instance} init")
    if path.stat().st_size < LEAST_BYTES:
        # SQLite would take it for a new one, and delete the log beside it with all that is not yet in the file.
        raise refusal("the store is empty", str(path), "touch nothing beside it; put the file back or restore a backup")
    return path


_TROUBLE = {
    sqlite3.SQLITE_FULL: ("there is no space left for the store", "make room, then try again"),
    sqlite3.SQLITE_READONLY: ("the store cannot be written", "check the rights to the file and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("the store cannot be opened", "check the rights to the file and its folder"),
    sqlite3.SQLITE_BUSY: ("another program has locked the store", "end the program that holds it, then try again"),
    sqlite3.SQLITE_IOERR: ("the disk cannot be read or written", "check the disk and the space left on it"),
}


def database_trouble(error: sqlite3.Error, path: Path) -> Problem | None:
    """What SQLite's error means to a person; None when the statement was at fault, not the file or the disk."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
    if code in (sqlite3.SQLITE_CONSTRAINT, sqlite3.SQLITE_MISUSE, sqlite3.SQLITE_RANGE):
        return None
    what, remedy = _TROUBLE.get(code, ("the store is damaged", "keep the file, and restore the newest backup"))
    return Problem(f"{what}: {error}", str(path), remedy)


@contextlib.contextmanager
def _damage_named(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        if (problem := database_trouble(error, path)) is None:
            raise
        raise StoreError(problem) from None


def _ours(connection: sqlite3.Connection, path: Path) -> "Database":
    if connection.execute("PRAGMA application_id").fetchone()[0] != migrations.APPLICATION_ID:
        raise refusal("this SQLite file is not a SIPAS store", str(path), "name the folder of an instance")
    return migrations.database_on(connection)


def _refuse_newer(database: "Database", path: Path) -> None:
    known = [name for name, _ in migrations.MIGRATIONS]
    if newer := [name for name in migrations.applied(database) if name not in known]:
        what = f"the store was made by a newer version (step {newer[-1]!r})"
        raise refusal(what, str(path), "update sipas, then try again")


def _refuse_other_versions(database: "Database", path: Path) -> None:
    _refuse_newer(database, path)
    if migrations.pending(database):
        raise refusal("the store is of an older version", str(path), "back it up, then run: sipas migrate")


@contextlib.contextmanager
def _no_server(settings: Settings) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(server_lock(settings.server_lock))
        except LockedError as error:
            remedy = "stop the server, run sipas migrate, then start it again"
            raise refusal(error.problems[0].what, str(settings.store_path), remedy) from None
        yield


def _orphaned(error: migrations.MigrationError, path: Path) -> StoreError:
    """Rows that point nowhere were there before; bringing them along would hide that the store was tampered with."""
    remedy = "nothing was changed; run sipas verify of the version that made the store, and restore a backup"
    responses = "write to the makers: responses name villages of a sample wave, which had no frame in that version"
    return StoreError(
        [
            Problem(f"rows of {table} name no {parent}", str(path), responses if parent == "frame" else remedy)
            for table, parent in error.lost
        ]
    )
