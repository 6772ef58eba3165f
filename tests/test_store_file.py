"""The file itself: its schema, its guards, what is refused on opening, who may write, and what a crash leaves."""

import multiprocessing
import os
import resource
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from survey_app import migrations
from survey_app.locks import LockedError, server_lock, write_lock
from survey_app.model import Reference, RegisterRow
from survey_app.settings import Settings, create_instance
from survey_app.store import EVENTS, Store, StoreError
from survey_app.verification import verify
from tests.ground import FORM, FRAME, NOON, enrolled, fates, make_store, record, response, wave

SNAPSHOT = Path(__file__).parent / "snapshots" / "schema.sql"


@pytest.fixture
def made(tmp_path: Path) -> Iterator[tuple[Settings, Store]]:
    settings, store = make_store(tmp_path)
    with store:
        yield settings, store


def raw(settings: Settings) -> "closing[sqlite3.Connection]":
    return closing(sqlite3.connect(settings.store_path, isolation_level=None))


# ---- schema


def test_the_schema_is_the_snapshot() -> None:
    """After a change of the schema: a new migration, and this file written anew from the test's difference."""
    declared = "".join(f"{sql};\n\n" for _, sql in sorted(migrations.expected_schema().items()))
    assert declared == SNAPSHOT.read_text(encoding="utf-8")


def test_every_table_of_ours_is_strict(made: tuple[Settings, Store]) -> None:
    with raw(made[0]) as connection:
        loose = [
            name
            for name, strict in connection.execute("SELECT name, strict FROM pragma_table_list WHERE schema = 'main'")
            if not strict and not name.startswith(("sqlite_", "_sqlite_"))
        ]
    assert loose == []


def test_nothing_identifies_a_person() -> None:
    columns = " ".join(sql for (kind, _), sql in migrations.expected_schema().items() if kind == "table").lower()
    for word in ("phone", "address", "identity", "birth", "email", "ip "):
        assert word not in columns


APPEND_ONLY = (
    "response",
    "answer",
    "conflict",
    "event",
    "register",
    "questionnaire",
    "frame",
    "reference",
    "wave_centre",
)
NEVER_DELETED = (*APPEND_ONLY, "wave", "device", "contact")
BROUGHT_UP_TO_DATE = ("centre", "service_field", "official", "comment", "centre_pin")


def test_each_table_is_append_only_or_has_its_own_rule(made: tuple[Settings, Store]) -> None:
    tables = {name for (kind, name) in migrations.expected_schema() if kind == "table" and not name.startswith("_")}
    assert tables == {*NEVER_DELETED, *BROUGHT_UP_TO_DATE}


@pytest.mark.parametrize("table", NEVER_DELETED)
def test_rows_that_must_stay_cannot_be_deleted(made: tuple[Settings, Store], table: str) -> None:
    fill(made[1])
    with raw(made[0]) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"DELETE FROM {table}")


def columns_of(table: str) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(migrations.expected_schema()["table", table])
        names = [name for _, name, *_ in connection.execute(f"PRAGMA table_info({table})")]
    return [(table, name) for name in names]


@pytest.mark.parametrize(("table", "column"), [pair for table in APPEND_ONLY for pair in columns_of(table)])
def test_no_column_of_a_row_that_was_appended_can_be_changed(
    made: tuple[Settings, Store], table: str, column: str
) -> None:
    fill(made[1])
    with raw(made[0]) as connection:
        assert connection.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
        with pytest.raises(sqlite3.IntegrityError, match=r"append-only|are fixed"):
            connection.execute(f'UPDATE {table} SET "{column}" = "{column}"')


@pytest.mark.parametrize(
    ("table", "assignment"),
    [
        ("comment", "text = 'khác'"),
        ("wave", "rules = '{}'"),
        ("wave", "status = 'planned', opened = NULL"),
        ("device", "centre = 'TINH'"),
        ("device", "purpose = 'sample'"),
        ("device", "simulated = 0"),
        ("device", "token_sha256 = code_sha256"),
    ],
)
def test_rows_that_must_stay_cannot_be_changed(made: tuple[Settings, Store], table: str, assignment: str) -> None:
    fill(made[1])
    with raw(made[0]) as connection, pytest.raises(sqlite3.IntegrityError):
        connection.execute(f"UPDATE {table} SET {assignment}")


def test_replacing_a_row_is_no_way_around(made: tuple[Settings, Store]) -> None:
    fill(made[1])
    with raw(made[0]) as connection:
        connection.execute("PRAGMA recursive_triggers = ON")
        with pytest.raises(sqlite3.IntegrityError):
            connection.execute("REPLACE INTO response SELECT * FROM response LIMIT 1")


def test_a_response_without_uuid_or_with_a_known_one_is_refused_by_the_table(made: tuple[Settings, Store]) -> None:
    fill(made[1])
    with raw(made[0]) as connection:
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(response)")]
        for uuid in ("NULL", "uuid"):
            values = ", ".join({"uuid": uuid, "number": "99", "position": "99"}.get(name, name) for name in names)
            with pytest.raises(sqlite3.IntegrityError, match="response.uuid"):
                connection.execute(f"INSERT INTO response SELECT {values} FROM response LIMIT 1")


def test_a_comment_may_be_deleted_and_no_hash_or_chain_depends_on_it(made: tuple[Settings, Store]) -> None:
    settings, store = made
    fill(store)
    heads = store.heads()
    with raw(settings) as connection:
        assert connection.execute("DELETE FROM comment").rowcount == 2
    assert store.heads() == heads
    assert not [problem for problem in verify(settings) if "COMMENT was removed" not in problem.what]


def fill(store: Store) -> None:
    """One of everything."""
    device = enrolled(store)
    one = response(answers={"COMMENT": "tốt"})
    record(store, device, one, response(1, uuid=one.uuid, answers={"II.A1": 1, "COMMENT": "tốt hơn"}))
    store.import_register([RegisterRow("00691", "ho-tich", "2026-10", "counter", 9, 8, 7)], "r.csv", "0" * 64)
    store.import_references([Reference(2024, "national", "index", "83.94", "s", "S", "b")], "p.csv", "0" * 64)
    store.create_wave(wave("household", kind="sample"), FORM, FRAME)


# ---- opening


def test_a_store_is_made_once(made: tuple[Settings, Store]) -> None:
    with pytest.raises(StoreError, match="already"):
        Store.create(made[0])


def test_the_file_is_durable_and_private(made: tuple[Settings, Store]) -> None:
    settings, store = made
    connection = store._database.conn
    pragmas = {
        name: connection.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("journal_mode", "synchronous", "foreign_keys")
    }
    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1}
    assert settings.store_path.stat().st_mode & 0o777 == 0o600


def spoil_missing(settings: Settings) -> None:
    settings.store_path.unlink()


def spoil_text(settings: Settings) -> None:
    settings.store_path.write_bytes(b"not a database at all" * 300)


def spoil_foreign(settings: Settings) -> None:
    settings.store_path.unlink()
    with raw(settings) as connection:
        connection.execute("CREATE TABLE t (x)")


def spoil_newer(settings: Settings) -> None:
    with raw(settings) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) VALUES ('sipas', '9999 future', '')"
        )


def spoil_older(settings: Settings) -> None:
    with raw(settings) as connection:
        connection.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (migrations.MIGRATIONS[-1][0],))


@pytest.mark.parametrize("write", [True, False])
@pytest.mark.parametrize(
    ("spoil", "what", "remedy"),
    [
        (spoil_missing, "no store", "init"),
        (spoil_text, "damaged", "backup"),
        (spoil_foreign, "not a SIPAS store", "instance"),
        (spoil_newer, "newer version", "update sipas"),
        (spoil_older, "older version", "sipas migrate"),
    ],
)
def test_what_cannot_be_opened_is_refused_with_a_remedy(
    tmp_path: Path, spoil: Callable[[Settings], None], what: str, remedy: str, write: bool
) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    for beside in settings.instance.glob("sipas.sqlite3-*"):
        beside.unlink()
    spoil(settings)
    with pytest.raises(StoreError, match=what) as refused:
        Store.open(settings, write=write)
    assert remedy in refused.value.problems[0].remedy


def test_migrating_an_up_to_date_store_does_nothing(made: tuple[Settings, Store]) -> None:
    assert Store.migrate(made[0]) == ()


def test_an_older_store_is_migrated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = create_instance(tmp_path / "instance")
    with monkeypatch.context() as older:
        older.setattr(migrations, "MIGRATIONS", migrations.MIGRATIONS[:2])
        Store.create(settings).close()
    assert Store.migrate(settings) == tuple(name for name, _ in migrations.MIGRATIONS[2:])
    with Store.open(settings) as store:
        assert store.schema_differences() == ()


def test_a_reader_cannot_write(made: tuple[Settings, Store]) -> None:
    settings, store = made
    with Store.open(settings, write=False) as reader:
        with pytest.raises(StoreError, match="reading only"):
            reader.open_wave("q4")
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            reader._database.conn.execute("DELETE FROM comment")
        record(store, enrolled(store), response())
        assert reader.response_count("q4") == 1


def test_a_reader_finds_a_store_that_nobody_has_open(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    with Store.open(settings, write=False) as reader:
        assert reader.wave("q4").status == "open"


def test_a_snapshot_does_not_see_what_comes_meanwhile(made: tuple[Settings, Store]) -> None:
    settings, store = made
    device = enrolled(store)
    with Store.open(settings, write=False) as reader, reader.snapshot():
        assert reader.response_count("q4") == 0
        record(store, device, response())
        assert reader.response_count("q4") == 0


# ---- transactions and heads.log


def test_a_group_is_all_or_nothing(made: tuple[Settings, Store]) -> None:
    settings, store = made
    device = enrolled(store)
    log = settings.heads_log.read_bytes()
    with pytest.raises(RuntimeError), store.group():
        record(store, device, response())
        raise RuntimeError
    assert (store.response_count("q4"), settings.heads_log.read_bytes()) == (0, log)
    record(store, device, response())
    assert verify(settings) == ()


def test_a_savepoint_undone_leaves_the_rest_of_its_group(made: tuple[Settings, Store]) -> None:
    settings, store = made
    device = enrolled(store)
    with store.group():
        record(store, device, response(1))
        with pytest.raises(RuntimeError), store.group():
            record(store, device, response(2))
            raise RuntimeError
        record(store, device, response(3))
    assert [one.seq for one in store.responses("q4")] == [1, 3]
    assert verify(settings) == ()


def test_heads_log_announces_and_confirms_each_chain_of_a_commit(made: tuple[Settings, Store]) -> None:
    settings, store = made
    device = enrolled(store)
    before = len(settings.heads_log.read_text().splitlines())
    with store.group():
        record(store, device, response(1), response(2))
        record(store, device, response(3))
    record(store, device, response(4))
    record(store, device, response(5, wave="none"))
    lines = [line.split("\t") for line in settings.heads_log.read_text().splitlines()[before:]]
    events = str(store.heads()[EVENTS].count)
    grown = [("q4", "3"), ("q4", "4"), (EVENTS, events)]
    assert [tuple(line[1:3]) for line in lines] == [one for one in grown for _ in range(2)]
    assert [line[4:] for line in lines] == [["pending"], []] * 3
    assert lines[2][3] == lines[3][3] == store.head("q4").head


def test_a_commit_that_cannot_be_announced_is_none(made: tuple[Settings, Store]) -> None:
    """No room for the line in heads.log: nothing is stored, and no half line stays."""
    settings, store = made
    device = enrolled(store)
    log = settings.heads_log.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    store._database.conn.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    try:
        with pytest.raises(OSError), store.group():
            record(store, device, response())
            resource.setrlimit(resource.RLIMIT_FSIZE, (len(log) + 10, limits[1]))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
        signal.signal(signal.SIGXFSZ, handler)
    assert (store.response_count("q4"), settings.heads_log.read_bytes()) == (0, log)
    assert fates(record(store, device, response())) == ["stored"]
    assert verify(settings) == ()


# ---- locks


def test_a_second_server_is_refused_and_told_why(tmp_path: Path) -> None:
    lock = tmp_path / "server.lock"
    with server_lock(lock), pytest.raises(LockedError, match=rf"process {os.getpid()}\b"), server_lock(lock):
        pytest.fail("two servers")
    with server_lock(lock):
        assert lock.read_text() == f"{os.getpid()}\n"


def test_the_write_lock_is_waited_for_but_not_for_ever(tmp_path: Path) -> None:
    with (
        write_lock(tmp_path / "write.lock"),
        pytest.raises(LockedError, match=r"0\.05 seconds"),
        write_lock(tmp_path / "write.lock", patience=0.05),
    ):
        pytest.fail("two writers")


def _write_some(path: Path, device_id: str, first: int) -> None:
    settings = Settings.load(path)
    with Store.open(settings) as store:
        device = store.device(device_id)
        for seq in range(first, first + 20):
            record(store, device, response(seq))


def test_two_processes_write_one_unbroken_chain(made: tuple[Settings, Store]) -> None:
    settings, store = made
    context = multiprocessing.get_context("spawn")
    workers = [
        context.Process(target=_write_some, args=(settings.instance, enrolled(store).id, first)) for first in (1, 101)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert store.response_count("q4") == 40
    assert verify(settings) == ()


def test_a_killed_writer_leaves_what_it_acknowledged_and_no_lock(made: tuple[Settings, Store], tmp_path: Path) -> None:
    """`kill -9` in the middle: every receipt printed is in the store, and the next writer goes on at once."""
    settings, store = made
    device = enrolled(store)
    script = (
        f"import sys; sys.path.insert(0, {str(Path(__file__).parent.parent)!r})\n"
        "from pathlib import Path\nfrom tests.ground import *\nfrom survey_app.settings import Settings, create_instance\n"
        f"store = Store.open(Settings.load(Path({str(settings.instance)!r})))\n"
        f"device = store.device({device.id!r})\nseq = 0\n"
        "while True:\n    seq += 1\n    one = response(seq)\n    record(store, device, one)\n    print(one.uuid, flush=True)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline().strip() for _ in range(20)]
        process.send_signal(signal.SIGKILL)
        acknowledged += [line.strip() for line in process.stdout if len(line) == 37]
    began = time.monotonic()
    record(store, enrolled(store), response())
    assert time.monotonic() - began < 5
    assert all(store.is_stored(uuid) for uuid in acknowledged)
    assert store.response_count("q4") in (len(acknowledged) + 1, len(acknowledged) + 2)
    assert verify(settings) == ()


# ---- start-up


def test_the_store_opens_without_pandas_and_numpy(made: tuple[Settings, Store]) -> None:
    script = (
        "import sys\nfrom pathlib import Path\nfrom survey_app.settings import Settings, create_instance\nfrom survey_app.store import Store\n"
        "assert 'sqlite_utils' not in sys.modules\n"
        f"with Store.open(Settings.load(Path({str(made[0].instance)!r})), write=False) as store: store.waves()\n"
        "assert 'sqlite_utils' in sys.modules and not {'pandas', 'numpy'} & set(sys.modules)\nimport pandas, numpy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_wave_of_the_builders_is_what_it_says(made: tuple[Settings, Store]) -> None:
    _, store = made
    assert store.wave("q4") == wave(status="open", opened=store.wave("q4").opened)
    opened = store.wave("q4").opened
    assert opened is not None and opened < NOON
    assert store.questionnaire("counter", "1").sha256 == FORM.sha256
