"""Every command on an instance that is missing, broken, locked, full or not to be written: a sentence, and nothing moved.

The commands are found by walking the command table, so a new one is under test from its first day.
"""

import os
import shutil
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from survey_app.locks import write_lock
from survey_app.settings import Settings
from survey_app.store import Store, connection
from tests.faults import begin, obey_file_modes, ready, refused, room_for, sipas, stat_of, waited
from tests.faults.commands import COMMANDS, arguments

OWN = {("init",), ("demo",), ("restore",), ("import",), ("audio", "placeholder")}
"""Make an instance, or take one that may lie elsewhere: below by themselves. What speaks has tests of its own."""
WITHOUT_STORE = {
    ("questionnaire", "check"),
    ("questionnaire", "show"),
    ("estimate",),
    *(("audio", name) for name in ("script", "index", "check")),
}
"""Need no instance, or only its extracts."""
COMMON = sorted(path for path in COMMANDS if path not in OWN)
EXTRACTS = {("weights",), ("estimate",), ("report",), ("compare",)}
WAVE = ("wave", "create", "q4", "--form", "counter", "--months", "2026-10", "--title-vi", "a", "--title-en", "b")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ready(
        tmp_path_factory.mktemp("whole") / "instance",
        ("centre", "import"),
        ("field", "import"),
        (*WAVE, "--simulated"),
        ("wave", "open", "q4", "--at", "2026-10-01"),
        ("device", "add", "00691", "--simulated"),
    )


@pytest.fixture
def instance(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "instance"))


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file that some command may take; what the command makes of it is for other tests."""
    path = tmp_path / "file.csv"
    path.write_text("code,name\n00691,Hà Giang 2\n", encoding="utf-8")
    return path


# ---- broken instances


def _config(content: bytes) -> Callable[[Path], object]:
    return lambda instance: (instance / "config.toml").write_bytes(content)


def _key(content: bytes) -> Callable[[Path], object]:
    return lambda instance: (instance / "secret.key").write_bytes(content)


def _store(content: bytes) -> Callable[[Path], object]:
    return lambda instance: (instance / "sipas.sqlite3").write_bytes(content)


def _statement(*statements: str, fresh: bool = False) -> Callable[[Path], None]:
    def execute(instance: Path) -> None:
        path = instance / "sipas.sqlite3"
        if fresh:
            path.unlink()
        with closing(sqlite3.connect(path, isolation_level=None)) as store:
            for statement in statements:
                store.execute(statement)

    return execute


def _folder(name: str) -> Callable[[Path], None]:
    def make(instance: Path) -> None:
        (instance / name).unlink()
        (instance / name).mkdir()

    return make


def _waiting(name: str) -> Callable[[Path], None]:
    def make(instance: Path) -> None:
        (instance / name).unlink()
        os.mkfifo(instance / name)

    return make


def _huge(name: str) -> Callable[[Path], None]:
    return lambda instance: os.truncate(instance / name, 2**30)


def _file_instead(instance: Path) -> None:
    shutil.rmtree(instance)
    instance.write_text("a letter")


def _older(instance: Path) -> None:
    with closing(sqlite3.connect(instance / "sipas.sqlite3", isolation_level=None)) as store:
        (newest,) = store.execute("SELECT name FROM _sqlite_migrations ORDER BY id DESC LIMIT 1").fetchone()
        store.execute("DELETE FROM _sqlite_migrations WHERE name = ?", (newest,))


def _truncated(instance: Path) -> None:
    os.truncate(instance / "sipas.sqlite3", 3 * 4096)


BROKEN: dict[str, Callable[[Path], object]] = {
    "no folder": shutil.rmtree,
    "a file instead of the folder": _file_instead,
    "no config": lambda instance: (instance / "config.toml").unlink(),
    "config is a folder": _folder("config.toml"),
    "config is a pipe": _waiting("config.toml"),
    "config of a gigabyte": _huge("config.toml"),
    "config malformed": _config(b"demo = maybe\n"),
    "config nested too deep": _config(b"demo = " + b"[" * 5000),
    "config not UTF-8": _config('[province]\nvi = "Tuyên"\n'.encode("cp1258", "replace")),
    "config in UTF-16": _config("demo = false\n".encode("utf-16")),
    "config with an unknown setting": _config(b"colour = 1\n"),
    "config with a wrong type": _config(b"idle_seconds = '120'\n"),
    "config with a number too small": _config(b"idle_seconds = 0\n"),
    "config that invites one in less than none": _config(b"invite_every = -1\n"),
    "config with half a province": _config(b"[province]\nvi = 'x'\n"),
    "no key": lambda instance: (instance / "secret.key").unlink(),
    "key too short": _key(b"abcd\n"),
    "key not hex": _key(b"\xff" * 64),
    "key is a folder": _folder("secret.key"),
    "key is a pipe": _waiting("secret.key"),
    "no store": lambda instance: (instance / "sipas.sqlite3").unlink(),
    "store truncated": _truncated,
    "store empty": _store(b""),
    "store is no database": _store(b"PK\x03\x04" + bytes(5000)),
    "store of another program": _statement("CREATE TABLE letter (text)", fresh=True),
    "store is a folder": _folder("sipas.sqlite3"),
    "store is a pipe": _waiting("sipas.sqlite3"),
    "store of a newer version": _statement(
        "INSERT INTO _sqlite_migrations (migration_set, name, applied_at) SELECT migration_set, '9999_later', applied_at"
        " FROM _sqlite_migrations LIMIT 1"
    ),
    "store of an older version": _older,
}
EVERYWHERE = {"no folder", "config malformed", "no key", "store truncated", "store of a newer version", "no store"}
LYING = sorted({"a file instead of the folder", "no config", "config is a pipe", *EVERYWHERE} - {"no folder"})
SOME = [("wave", "list"), ("centre", "import"), ("verify",), ("migrate",), ("serve",), ("extract",), ("backup",)]
"""Every command under the faults that stand for a kind, and one command of each kind under every fault."""


@pytest.mark.parametrize("fault", BROKEN)
def test_a_broken_instance_is_refused_by_every_command_and_left_as_it_is(
    instance: Path, file: Path, fault: str
) -> None:
    BROKEN[fault](instance)
    before = stat_of(instance)
    bad = {}
    for path in COMMON if fault in EVERYWHERE else SOME:
        ended = sipas(instance, *arguments(path, file))
        exempt = path in WITHOUT_STORE | EXTRACTS or (fault == "store of an older version" and path == ("migrate",))
        if reason := "" if exempt and ended.code == 0 else refused(ended):
            bad[" ".join(path)] = reason
        if stat_of(instance) != before and not exempt:
            bad[" ".join(path) + " changed"] = str(dict(set(stat_of(instance).items()) ^ set(before.items())))
    assert bad == {}


HARMLESS: dict[str, Callable[[Path], object]] = {
    "config with a byte order mark": _config(b"\xef\xbb\xbfdemo = false\r\n"),
    "config empty": _config(b""),
    "key with spaces around": lambda instance: (instance / "secret.key").write_text(
        f"  {(instance / 'secret.key').read_text().strip()}\r\n\n"
    ),
}


@pytest.mark.parametrize("fault", HARMLESS)
def test_what_an_editor_leaves_behind_does_no_harm(instance: Path, fault: str) -> None:
    HARMLESS[fault](instance)
    assert sipas(instance, "wave", "list").code == 0


@pytest.mark.parametrize("fault", LYING)
def test_init_makes_nothing_where_something_lies(instance: Path, fault: str) -> None:
    BROKEN[fault](instance)
    before = stat_of(instance)
    ended = sipas(instance, "init")
    assert refused(ended) == ""
    assert stat_of(instance) == before


@pytest.mark.parametrize("fault", [*LYING, "nothing wrong"])
def test_a_demo_replaces_nothing_that_is_no_demo(instance: Path, fault: str) -> None:
    if fault in BROKEN:
        BROKEN[fault](instance)
    before = stat_of(instance)
    ended = sipas(instance, "demo", "--no-serve", "--responses", "50")
    assert refused(ended) == ""
    assert stat_of(instance) == before


# ---- locked


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever waits for a lock here waits for a twentieth of a second."""
    monkeypatch.setattr(connection, "write_lock", partial(write_lock, patience=0.05))
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda *given, **named: connect(*given, **{**named, "timeout": 0.05}))


@pytest.fixture(params=["write lock", "transaction"])
def holder(request: pytest.FixtureRequest, instance: Path, impatient: None) -> Iterator[str]:
    settings = Settings.load(instance)
    if request.param == "write lock":
        with write_lock(settings.write_lock):
            yield request.param
        return
    with closing(sqlite3.connect(settings.store_path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        yield request.param
        other.execute("ROLLBACK")


@pytest.mark.usefixtures("holder")
def test_a_store_that_another_process_holds_is_named_and_nothing_moves(instance: Path, file: Path) -> None:
    before = stat_of(instance)
    bad = {}
    for path in COMMON:
        if path in {("serve",), ("simulate",)}:
            continue
        ended = sipas(instance, *arguments(path, file))
        if ended.code and (reason := refused(ended)):
            bad[" ".join(path)] = reason
        if ended.code and stat_of(instance) != before:
            bad[" ".join(path) + " changed"] = str(dict(set(stat_of(instance).items()) ^ set(before.items())))
    assert bad == {}


@pytest.mark.usefixtures("holder")
@pytest.mark.parametrize(
    "command", [("centre", "import"), ("device", "add", "00691"), ("wave", "close", "q4")], ids=" ".join
)
def test_whoever_must_write_is_told_of_the_lock(instance: Path, command: tuple[str, ...]) -> None:
    assert "locked" in sipas(instance, *command).err


# ---- not to be written, and full


def _read_only(instance: Path) -> None:
    for path in (instance, *instance.rglob("*")):
        path.chmod(0o500 if path.is_dir() else 0o400)


def _writable(instance: Path) -> None:
    for path in (instance, *instance.rglob("*")):
        path.chmod(0o700 if path.is_dir() else 0o600)


@pytest.mark.parametrize("what", ["folder", "store"])
def test_a_read_only_disk_is_named_and_nothing_moves(instance: Path, file: Path, what: str) -> None:
    if what == "folder":
        _read_only(instance)
    else:
        (instance / "sipas.sqlite3").chmod(0o400)
    before = stat_of(instance)
    bad = {}
    for path in COMMON:
        if path in {("serve",), ("simulate",)} and what == "store":
            continue  # the one begins, and says at /healthz that it cannot commit; the other leaves what --resume needs
        ended = sipas(instance, *arguments(path, file), prepare=obey_file_modes)
        if ended.code and (reason := refused(ended)):
            bad[" ".join(path)] = reason
        if ended.code and stat_of(instance) != before:
            bad[" ".join(path) + " changed"] = str(dict(set(stat_of(instance).items()) ^ set(before.items())))
    for command in (("centre", "import"), ("device", "add", "00691"), ("wave", "close", "q4"), ("extract", "q4")):
        if reason := refused(sipas(instance, *command, prepare=obey_file_modes)):
            bad[" ".join(command)] = reason
    assert stat_of(instance) == before or what == "store"
    _writable(instance)
    assert bad == {}


def test_init_in_a_read_only_folder_leaves_nothing(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    ended = sipas(tmp_path / "instance", "init", prepare=obey_file_modes)
    tmp_path.chmod(0o700)
    assert refused(ended) == ""
    assert list(tmp_path.iterdir()) == []


SIZES = (0, 100, 4096, 20_000, 60_000, 150_000)


@pytest.mark.parametrize("size", SIZES)
def test_init_on_a_full_disk_leaves_nothing_or_an_instance(tmp_path: Path, size: int) -> None:
    instance = tmp_path / "instance"
    ended = sipas(instance, "init", prepare=room_for(size))
    if ended.code:
        assert refused(ended) == ""
        assert stat_of(instance) == {}
        ended = sipas(instance, "init")
    assert ended.code == 0, ended.err
    assert sipas(instance, "verify").code == 0


WRITING = (
    ("centre", "import"),
    ("field", "import"),
    ("wave", "create", "q5", *WAVE[3:]),
    ("wave", "close", "q4"),
    ("device", "add", "00691"),
    ("device", "revoke", "00691-1"),
    ("extract", "q4"),
)


@pytest.mark.parametrize("command", WRITING, ids=" ".join)
def test_a_command_on_a_full_disk_does_it_or_does_it_not(instance: Path, command: tuple[str, ...]) -> None:
    """The limit is moved from nothing to enough: each file is whole or as it was, and the store verifies."""
    log, store = instance / "heads.log", instance / "sipas.sqlite3"
    held = log.stat().st_size
    sizes = (0, 30, 200, 1000, held, held + 50, 5000, 40_000, store.stat().st_size, store.stat().st_size + 40_000)
    bad = {}
    for size in sorted(sizes):
        before, state = stat_of(instance), _state(instance)
        ended = sipas(instance, *command, prepare=room_for(size))
        if ended.code == 0:
            break
        bad |= {f"{size}": reason for reason in [refused(ended)] if reason}
        if _state(instance) != state:
            bad[f"{size} store"] = "the store moved"
        left = {name for name in stat_of(instance) if name not in before}
        if left:
            bad[f"{size} left"] = str(left)
        if (clean := sipas(instance, "verify")).code:
            bad[f"{size} verify"] = clean.err
    assert bad == {}
    assert sipas(instance, *command).code == 0 or ended.code == 0
    assert sipas(instance, "verify").code == 0


def _state(instance: Path) -> object:
    with Store.open(Settings.load(instance), write=False) as store:
        return store.heads(), store.waves(), store.devices()


# ---- two at a time


def test_a_second_server_is_told_who_serves(instance: Path) -> None:
    from tests.served import free_port

    serve = ("serve", "--development-http", "--no-access-log", "--port")
    first = begin(instance, *serve, str(free_port()))
    try:
        assert waited(lambda: (instance / "server.lock").exists() and (instance / "server.lock").read_text() != "")
        second = sipas(instance, *serve, str(free_port()))
        assert refused(second) == ""
        assert f"by process {first.pid}" in second.err
    finally:
        first.send(15)
    assert first.wait().code == 0
