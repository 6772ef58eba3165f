"""A store of the first released schema comes to today's whole, or stays as it was."""

import contextlib
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from survey_app import migrations
from survey_app.extract import write_extract
from survey_app.locks import server_lock
from survey_app.settings import Settings
from survey_app.store import EVENTS, Store, StoreError
from survey_app.verification import verify
from tests.ground import response, tamper

RELEASED = Path(__file__).parent / "fixtures" / "released"
"""An instance as the first release left it: 46 responses of all kinds, an extract, made by that program itself."""
HEADS = {
    "q4": (46, "d1369fecfc76e483b9261b4f2fd59007dd2b3934f4d9664ffcd1524c30142fb2"),
    "q4-next": (0, "0" * 64),
    EVENTS: (18, "fefe8d5ca886e5e0a5fa07356f71c21d6b8e4ca9e13f8d1fda7b99b30c076690"),
}
STEPS = ("0005 sample waves", "0006 kiosk")


@pytest.fixture
def released(tmp_path: Path) -> Settings:
    shutil.copytree(RELEASED, tmp_path / "instance")
    return Settings.load(tmp_path / "instance")


def raw(settings: Settings) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(settings.store_path, isolation_level=None))


def rows_of(settings: Settings) -> dict[str, list[Any]]:
    """Every row of every table of ours that the first release had, in the columns it had."""
    with raw(settings) as connection, closing(sqlite3.connect(RELEASED / "sipas.sqlite3")) as first:
        tables = first.execute("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '_sqlite%'")
        found = {}
        for (table,) in tables.fetchall():
            columns = ", ".join(f'"{name}"' for _, name, *_ in first.execute(f"PRAGMA table_info({table})"))
            found[table] = sorted(connection.execute(f"SELECT {columns} FROM {table}").fetchall(), key=repr)
        return found


def schema_of(settings: Settings) -> list[Any]:
    with raw(settings) as connection:
        return connection.execute(migrations.SCHEMA).fetchall()


# ---- what arrives


def test_every_row_arrives_and_the_schema_is_todays(released: Settings) -> None:
    before = rows_of(released)
    assert sum(len(rows) for rows in before.values()) > 1_000
    assert Store.migrate(released) == STEPS
    assert rows_of(released) == before
    with Store.open(released) as store:
        assert store.schema_differences() == ()
        assert {chain: (head.count, head.head) for chain, head in store.heads().items()} == HEADS
    assert Store.migrate(released) == ()


def test_a_migrated_store_verifies_and_goes_on(released: Settings) -> None:
    Store.migrate(released)
    assert verify(released) == ()
    with Store.open(released) as store:
        assert {device.purpose for device in store.devices()} == {"counter"}
        device = store.device("00691-1")
        assert store.missing(device.id, 43) == ((43, 43),)
        received = store.wave("q4").opened
        assert received is not None
        assert store.record([response(43)], device=device, received=received, sent_at=received)[0].fate == "stored"
        assert store.head("q4").count == 47
    assert verify(released) == ()


@pytest.mark.parametrize("name", ["responses", "register"])
def test_the_extract_of_a_migrated_store_holds_what_that_of_the_released_one_held(
    released: Settings, name: str
) -> None:
    Store.migrate(released)
    (first,) = (RELEASED / "extracts" / "q4").iterdir()
    with Store.open(released) as store:
        now = write_extract(store, released, "q4")
    before = pq.read_table(first / f"{name}.parquet")
    after = pq.read_table(now / f"{name}.parquet").select(before.column_names)  # later versions add columns
    order = [(column, "ascending") for column in before.column_names]
    assert after.sort_by(order).equals(before.sort_by(order))


def test_references_to_the_table_made_anew_still_hold(released: Settings) -> None:
    Store.migrate(released)
    with raw(released) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        parents = {
            table: {parent for _, _, parent, *_ in connection.execute(f"PRAGMA foreign_key_list({table})")}
            for table in ("answer", "comment", "conflict", "response")
        }
        assert parents == {
            "answer": {"response"},
            "comment": {"response", "conflict"},
            "conflict": {"response", "device"},
            "response": {"wave", "centre", "service_field", "device", "questionnaire", "frame"},
        }
        with pytest.raises(sqlite3.IntegrityError, match="FOREIGN KEY"):
            connection.execute("INSERT INTO answer VALUES (999, 'II.A1', 1)")


def test_progress_is_told_from_the_first_response_to_the_last(
    released: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migrations, "PORTION", 20)
    told: list[tuple[int, int]] = []
    Store.migrate(released, lambda done, total: told.append((done, total)))
    assert told == [(20, 92), (40, 92), (46, 92), (1, 1)]
    assert verify(released) == ()


# ---- whole or not at all


def unchanged(settings: Settings, before: tuple[Any, Any]) -> None:
    assert (rows_of(settings), schema_of(settings)) == before
    with pytest.raises(StoreError, match="older version"):
        Store.open(settings)
    assert Store.migrate(settings) == STEPS
    assert verify(settings) == ()


STATEMENTS = {step: list(migrations._statements(sql)) for step, sql in migrations.MIGRATIONS if step in STEPS}
BREAKS = [(step, after) for step in STEPS for after in range(0, len(STATEMENTS[step]) + 1, 3)]


@pytest.mark.parametrize(("step", "after"), BREAKS)
def test_a_failure_after_any_statement_leaves_the_old_store(
    released: Settings, monkeypatch: pytest.MonkeyPatch, step: str, after: int
) -> None:
    before = rows_of(released), schema_of(released)
    broken = "".join([*STATEMENTS[step][:after], "SELECT * FROM nowhere;\n", *STATEMENTS[step][after:]])
    steps = tuple((name, broken if name == step else sql) for name, sql in migrations.MIGRATIONS)
    with monkeypatch.context() as patched:
        patched.setattr(migrations, "MIGRATIONS", steps)
        with pytest.raises((StoreError, sqlite3.OperationalError), match="nowhere"):
            Store.migrate(released)
    unchanged(released, before)


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from survey_app import migrations
from survey_app.settings import Settings
from survey_app.store import Store
migrations.PORTION = 10
kept = migrations._statements
def statements(sql):
    for number, statement in enumerate(kept(sql)):
        if {at!r} in statement and {at!r} != "portion":
            os.kill(os.getpid(), signal.SIGKILL)
        yield statement
migrations._statements = statements
def step(done, total):
    if {at!r} == "portion" and done >= 20:
        os.kill(os.getpid(), signal.SIGKILL)
Store.migrate(Settings.load(Path({instance!r})), step)
"""


@pytest.mark.parametrize("at", ["portion", "DROP TABLE response", "RENAME TO", "response_no_delete BEFORE DELETE"])
def test_kill_9_in_the_middle_leaves_the_old_store(released: Settings, at: str) -> None:
    before = rows_of(released), schema_of(released)
    script = KILLED.format(root=str(Path(__file__).parent.parent), instance=str(released.instance), at=at)
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    unchanged(released, before)


def test_a_store_with_rows_that_point_nowhere_is_not_carried_over(released: Settings) -> None:
    tamper(released, "INSERT INTO answer VALUES (999, 'II.A1', 1)")
    before = rows_of(released), schema_of(released)
    with pytest.raises(StoreError, match="rows of answer name no response"):
        Store.migrate(released)
    assert (rows_of(released), schema_of(released)) == before


def test_a_store_is_not_migrated_under_a_running_server(released: Settings) -> None:
    before = rows_of(released), schema_of(released)
    with server_lock(released.server_lock), pytest.raises(StoreError, match=f"process {os.getpid()}") as refused:
        Store.migrate(released)
    assert "stop the server" in refused.value.problems[0].remedy
    unchanged(released, before)


# ---- what is no store of ours


def flip_a_page(path: Path) -> None:
    content = bytearray(path.read_bytes())
    place = 4096 * (len(content) // 4096 // 2)
    content[place : place + 64] = bytes(byte ^ 0xFF for byte in content[place : place + 64])
    path.write_bytes(content)


def truncate(path: Path) -> None:
    with open(path, "r+b") as stream:
        stream.truncate(path.stat().st_size // 2 // 4096 * 4096)


def make_newer(path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('sipas', '9999 future', '')"
        )


def make_foreign(path: Path) -> None:
    path.unlink()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("CREATE TABLE t (x)")


def make_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


SPOILT: list[tuple[str, Callable[[Path], object], str, str]] = [
    ("newer", make_newer, "newer version", "update sipas"),
    ("unknown", make_foreign, "not a SIPAS store", "name the folder of an instance"),
    ("flipped page", flip_a_page, "damaged", "restore the newest backup"),
    ("truncated", truncate, "damaged", "restore the newest backup"),
    ("empty", lambda path: path.write_bytes(b""), "the store is empty", "restore a backup"),
    ("zeros", lambda path: path.write_bytes(bytes(8192)), "damaged", "restore the newest backup"),
    ("text", lambda path: path.write_bytes(b"code,name\n" * 900), "damaged", "restore the newest backup"),
    ("folder", make_folder, "no file", "restore the newest backup"),
    ("missing", lambda path: path.unlink(), "has no store", "init"),
]


def content_of(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


@pytest.mark.parametrize("verb", ["migrate", "open"])
@pytest.mark.parametrize(("spoil", "what", "remedy"), [case[1:] for case in SPOILT], ids=[case[0] for case in SPOILT])
def test_what_is_no_sound_store_of_ours_is_refused_and_left_as_it_is(
    released: Settings, spoil: Callable[[Path], object], what: str, remedy: str, verb: str
) -> None:
    spoil(released.store_path)
    before = content_of(released.store_path)
    with pytest.raises(StoreError) as refused:
        getattr(Store, verb)(released)
    (problem,) = refused.value.problems
    if verb == "migrate":
        assert what in problem.what and remedy in problem.remedy
    assert problem.where == str(released.store_path)
    assert content_of(released.store_path) == before


@pytest.mark.parametrize(
    ("settings", "what"),
    [
        ("PRAGMA max_page_count = 70", "no space left"),
        ("PRAGMA query_only = ON", "cannot be written"),
    ],
)
def test_a_full_disk_and_a_file_for_reading_only_are_named_and_change_nothing(
    released: Settings, monkeypatch: pytest.MonkeyPatch, settings: str, what: str
) -> None:
    before = rows_of(released), schema_of(released)
    kept = migrations.database_on

    def hampered(connection: sqlite3.Connection) -> Any:
        connection.execute(settings)
        return kept(connection)

    with monkeypatch.context() as patched, contextlib.suppress(KeyError):
        patched.setattr(migrations, "database_on", hampered)
        with pytest.raises(StoreError, match=what):
            Store.migrate(released)
    unchanged(released, before)
