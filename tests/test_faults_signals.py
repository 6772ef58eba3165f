"""Ctrl-C and SIGTERM at many moments of every command that takes its time: it was done, or it was not, and no word of Python.

The moments are parts of the time that the command takes when nobody interrupts it.
"""

import itertools
import os
import re
import shutil
import signal
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

import pytest

from survey_app.demo import prepare_instance
from survey_app.interruptions import later
from survey_app.locks import server_lock
from survey_app.settings import Settings
from survey_app.store import EVENTS, Store
from survey_app.verification import verify
from tests.faults import Ended, begin, sipas, stat_of, waited
from tests.ground import FIELDS, NOON, enrolled, make_store, record, response
from tests.served import free_port

RESPONSES = 600
GOOD = (0, 130, 143, -signal.SIGINT, -signal.SIGTERM)
"""Done; interrupted, as a shell gives it; ended before the command line was there, or after all was done."""
VARYING = re.compile(r"[0-9a-f]{6,}|\d{8}T\d{6}Z?|\d{4}-\d\d-\d\dT?[\d-]*")


@pytest.fixture(autouse=True)
def interruptible(signals_as_they_were: None) -> None:
    """Also where the tests were started with Ctrl-C ignored, as in the background of a script."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A simulated wave with responses, comments, a register, an extract, a backup and an archive."""
    folder = tmp_path_factory.mktemp("whole")
    settings, store = make_store(folder)
    device = enrolled(store)
    days = itertools.cycle(range(20))
    given = [
        replace(
            response(seq, {"COMMENT": "Cán bộ rất tận tình"}),
            field=FIELDS[seq % 2],
            submitted=NOON + timedelta(days=day, seconds=seq),
            started=NOON + timedelta(days=day, seconds=seq - 90),
        )
        for seq, day in zip(range(1, RESPONSES + 1), days, strict=False)
    ]
    record(store, device, *given, received=NOON + timedelta(days=21))
    store.close()
    register = folder / "register.csv"
    rows = [f"{centre},{field},2026-10,900,900,800" for centre in ("00691", "00694", "TINH") for field in FIELDS]
    register.write_text("\n".join(("centre,field,month,received,resolved,on_time", *rows)) + "\n")
    for step in (
        ("register", "import", str(register)),
        ("extract", "q4"),
        ("backup", "--output", str(folder / "backup")),
        ("export", "q4", "--output", str(folder / "q4.zip")),
    ):
        ended = sipas(settings.instance, *step)
        assert ended.code == 0, f"{step}\n{ended.err}"
    (folder / "new").mkdir()
    lines = [f"{number:05},Trung tâm {number}" for number in range(1, 4001)]
    (folder / "centres.csv").write_text("\n".join(("code,name", *lines)) + "\n", encoding="utf-8")
    return folder


@dataclass(frozen=True)
class Place:
    """A copy of everything, in which a command is interrupted."""

    folder: Path

    @property
    def instance(self) -> Path:
        return self.folder / "instance"

    def instances(self) -> list[Path]:
        """All there are: some commands make or fill another one. A backup is none."""
        stores = sorted(self.folder.glob("*/sipas.sqlite3"))
        return [store.parent for store in stores if not (store.parent / "manifest.json").exists()]

    def state(self) -> tuple[dict[str, int], frozenset[str]]:
        """How long each audit is, and which files there are, whatever chance there is in their names."""
        names = frozenset(
            VARYING.sub("*", name)
            for name in stat_of(self.folder)
            if not name.startswith("instance/sipas.") and "heads.log" not in name
        )
        events = {}
        for instance in self.instances():
            with Store.open(Settings.load(instance), write=False) as store:
                events[instance.name] = store.heads()[EVENTS].count
        return events, names


@pytest.fixture
def places(whole: Path, tmp_path: Path) -> Iterator[Iterator[Place]]:
    def copies() -> Iterator[Place]:
        for number in itertools.count():
            yield Place(Path(shutil.copytree(whole, tmp_path / f"place{number}")))

    yield copies()


COMMANDS: dict[str, tuple[str, ...]] = {
    "init": ("--instance", "{}/new", "init"),
    "wave create": (
        "wave",
        "create",
        "q5",
        "--form",
        "counter",
        "--months",
        "2026-12",
        "--title-vi",
        "a",
        "--title-en",
        "b",
    ),
    "wave close": ("wave", "close", "q4", "--at", "2026-10-31"),
    "centre import": ("centre", "import", "{}/centres.csv"),
    "field import": ("field", "import"),
    "register import": ("register", "import", "{}/register.csv"),
    "device sheet": ("device", "sheet", "--all", "--address", "https://kiosk.example.vn", "--output", "{}/cards.html"),
    "reference import": ("reference", "import"),
    "verify": ("verify",),
    "backup": ("backup",),
    "restore": ("restore", "{}/backup"),
    "restore --into": ("restore", "{}/backup", "--into", "{}/restored"),
    "purge": ("purge", "--older-than", "1"),
    "export": ("export", "q4"),
    "import": ("--instance", "{}/imported", "import", "{}/q4.zip"),
    "extract": ("extract", "q4", "--devices"),
    "compare": ("compare", "q4", "q4"),
    "weights": ("weights", "q4"),
    "estimate": ("estimate", "q4", "--output", "{}/scores.csv"),
    "report": ("report", "q4"),
}
SLOW = {"report", "estimate", "weights", "extract"}
PARTS = {name: (0.35, 0.85) if name in SLOW else (0.1, 0.5, 0.9) for name in COMMANDS}


def words(name: str, place: Place) -> list[str]:
    return [word.format(place.folder) for word in COMMANDS[name]]


def test_every_command_that_writes_or_takes_its_time_is_interrupted_here_or_below() -> None:
    from tests.faults.commands import COMMANDS as ALL

    brief = {("questionnaire", "check"), ("questionnaire", "show"), ("wave", "open"), ("wave", "show"), ("migrate",)}
    brief |= {("wave", "rates"), ("wave", "odd"), ("device", "status"), ("device", "import"), ("centre", "pin")}
    brief |= {
        ("device", "add"),
        ("device", "revoke"),
        ("simulate-frame",),
        ("audio", "script"),
        ("audio", "index"),
        ("audio", "check"),
        *((path) for path in ALL if path[-1] == "list"),
    }
    below = {("demo",), ("simulate",), ("serve",), ("audio", "placeholder")}
    here = {tuple(name.split(" --")[0].split()) for name in COMMANDS}
    assert set(ALL) - brief - below == here


@pytest.mark.parametrize("name", COMMANDS)
def test_an_interrupted_command_was_done_or_was_not(name: str, places: Iterator[Place]) -> None:
    place = next(places)
    before, began = prepared(name, place).state(), time.monotonic()
    ended = sipas(place.instance, *words(name, place))
    took, done = time.monotonic() - began, place.state()
    assert ended.code == 0, ended.err
    bad = {}
    for number, part in enumerate(PARTS[name]):
        signalled = (signal.SIGINT, signal.SIGTERM)[number % 2]
        place = prepared(name, next(places))
        running = begin(place.instance, *words(name, place), prepare=_as_in_the_background)
        running.over(took * part)
        running.send(signalled)
        ended, where = running.wait(), f"at {part:.0%}"
        if reason := _rude(ended):
            bad[where] = reason
        if (state := place.state()) not in (before, done):
            bad[f"{where} half"] = f"events {before[0]} {state[0]}, files {sorted(state[1] ^ before[1])[:6]}"
        for instance in place.instances():
            if problems := verify(Settings.load(instance)):
                bad[f"{where} verify {instance.name}"] = str(problems[0])
        if part == PARTS[name][-1]:
            again = sipas(place.instance, *words(name, place))
            if again.code not in ((0,) if state == before else (0, 2)):
                bad[f"{where} again"] = f"{again.code} {again.err[:300]}"
            if left := place.state()[1] - done[1]:
                bad[f"{where} left"] = str(sorted(left))
    assert bad == {}


def prepared(name: str, place: Place) -> Place:
    """`import` needs an instance with the key of the one that exported."""
    if name == "import":
        made = sipas(place.folder / "imported", "init", "--key", str(place.instance / "secret.key"))
        assert made.code == 0, made.err
    return place


def _as_in_the_background() -> None:
    """A script's background job is born deaf to Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def _rude(ended: Ended) -> str:
    """What is wrong with how an interrupted command ended."""
    if ended.code not in GOOD:
        return f"exit code {ended.code}: {ended.err[-300:]}"
    for word in ("Traceback", "Exception ignored", "KeyboardInterrupt", 'File "'):
        if word in ended.err + ended.out:
            return f"{word}: {ended.err[-300:]}"
    if ended.code in (130, 143) and ended.err.strip().splitlines()[-1:] != ["Dừng giữa chừng. / Interrupted."]:
        return f"no word of it: {ended.err[-300:]}"
    return ""


@contextmanager
def serving(instance: Path) -> Iterator[str]:
    port = free_port()
    server = begin(instance, "serve", "--development-http", "--no-access-log", "--port", str(port))
    try:
        assert waited(lambda: _answers(port))
        yield f"http://127.0.0.1:{port}"
    finally:
        server.send(signal.SIGTERM)
        assert server.wait(40).code == 0


def _answers(port: int) -> bool:
    import urllib.error
    import urllib.request

    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=2) as reply:
            return bool(reply.status == 200)
    except (urllib.error.URLError, OSError):
        return False


def test_an_interrupted_simulation_goes_on_where_it_was(places: Iterator[Place]) -> None:
    place = next(places)
    with serving(place.instance) as url:
        arguments = ("simulate", "q4", "--responses", "800", "--seed", "3", "--server", url)
        running = begin(place.instance, *arguments)
        sent = place.instance / "simulations" / "q4" / "sent.jsonl"
        assert waited(lambda: sent.exists() or running.over(0))
        running.send(signal.SIGINT)
        assert _rude(running.wait()) == ""
        again = sipas(place.instance, *arguments, "--resume")
        assert again.code == 0, again.err
        planned = int(re.findall(r"SIMULATED (\d+) responses", again.out)[0])
    with Store.open(Settings.load(place.instance), write=False) as store:
        assert store.response_count("q4") == RESPONSES + planned
    assert verify(Settings.load(place.instance)) == ()


@pytest.mark.parametrize(("seconds", "number"), [(0.15, signal.SIGINT), (0.8, signal.SIGTERM), (2.5, signal.SIGINT)])
def test_an_interrupted_demo_leaves_no_server_and_can_be_made_again(
    tmp_path: Path, seconds: float, number: int
) -> None:
    running = begin(tmp_path / "demo", "demo", "--no-serve", "--responses", "60")
    running.over(seconds)
    running.send(number)
    ended = running.wait(60)
    assert _rude(ended) == ""
    if (tmp_path / "demo" / "config.toml").exists():
        with server_lock(Settings.load(tmp_path / "demo").server_lock):
            assert verify(Settings.load(tmp_path / "demo")) == ()
    assert prepare_instance(tmp_path / "demo").demo


def test_files_of_a_report_change_places_all_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ctrl-C between two of them waits for the last."""
    from analysis.wave.output import replacing

    (tmp_path / "reports").mkdir()
    for name in "abc":
        (tmp_path / "reports" / name).write_text("old")
    put = os.replace

    def interrupted(source: Path, target: Path) -> None:
        put(source, target)
        signal.raise_signal(signal.SIGINT)

    monkeypatch.setattr(os, "replace", interrupted)
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "reports") as parts:
        for name in "abc":
            (parts / name).write_text("new")
    assert {path.read_text() for path in (tmp_path / "reports").iterdir()} == {"new"}
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_what_waits_for_an_interruption_is_told_of_it_afterwards() -> None:
    done = []
    with pytest.raises(KeyboardInterrupt), later():
        signal.raise_signal(signal.SIGINT)
        done.append("audit")
    assert done == ["audit"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("name", ["extract", "backup", "export"])
def test_an_interruption_once_the_audit_knows_takes_nothing_back(
    name: str, places: Iterator[Place], monkeypatch: pytest.MonkeyPatch
) -> None:
    place = next(places)
    events, files = place.state()[0]["instance"], stat_of(place.folder)
    log = Store.log_event

    def interrupted(store: Store, kind: str, detail: Mapping[str, object]) -> None:
        log(store, kind, detail)
        signal.raise_signal(signal.SIGINT)

    ended = sipas(
        place.instance, *words(name, place), prepare=lambda: monkeypatch.setattr(Store, "log_event", interrupted)
    )
    assert ended.code == 130 and _rude(ended) == ""
    assert place.state()[0]["instance"] == events + 1
    assert len(stat_of(place.folder)) > len(files)
    assert verify(Settings.load(place.instance)) == ()
