"""Every command that the documentation shows is run, where the examples' waves, files and folders are.

A block of commands runs from its first to its last on a copy of the prepared place; commands in the text one by one.
Servers that would go on for ever, and demos, which other tests run, are only read by `test_docs.py`, but for one server
that the simulated wave of simulation.md visits. So are a PIN that is asked for at the keyboard (test_pin.py) and files
that only a tablet makes (test_device_import.py, tests/browser/test_kiosk_export.py).
"""

import os
import shutil
from contextlib import ExitStack
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from survey_app.response import Response
from survey_app.settings import Settings
from survey_app.store import Store
from tests.docs_commands import Shown, blocks, inline
from tests.faults import ready, sipas
from tests.faults.commands import COMMANDS
from tests.ground import (
    FIELDS,
    FORM,
    FRAME,
    NOON,
    OPENING,
    enrolled,
    interview,
    make_store,
    record,
    response,
    sample_wave,
    wave,
)
from tests.test_docs import command_of
from tests.test_faults_signals import serving

RESPONSES = 300
ELSEWHERE = {("serve",), ("demo",), ("simulate",)}
FEWER = {"6000": "60", "400": "60"}
CELLS = [(centre, field) for centre in ("00691", "00694", "TINH") for field in FIELDS]
FILES: dict[str, list[str]] = {
    "register.csv": [
        "centre,field,month,received,resolved,on_time",
        *(f"{centre},{field},2026-10,400,400,300" for centre, field in CELLS),
    ],
    "answers.csv": [
        "satisfied,field,w,centre,centre_day",
        *(f"{n % 2},f{n % 3},{1 + n % 4},c{n % 5},c{n % 5}-{n % 10}" for n in range(200)),
    ],
    "totals.csv": ["margin,label,total", "field,f0,700", "field,f1,800", "field,f2,900"],
    "margins.csv": ["margin,class,total", "SEX,1,4000", "SEX,2,4200"],
    "villages.csv": [
        "stratum,psu,name,population,probability,households",
        *(f"{'nui' if n < 2 else 'bang'},T{n},Thôn {n},400,0.02,10" for n in range(4)),
    ],
    "centres.csv": ["code,name", "00691,Hà Giang 2"],
    "pin.txt": ["248163"],
    "fields.csv": ["code,vi,en,source", "ho-tich,Hộ tịch,Civil status,ours"],
}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two counter waves and a sample wave with answers, and the files that the pages name."""
    folder = tmp_path_factory.mktemp("docs")
    settings, store = make_store(folder, opened=False)
    with store:
        store.create_wave(wave("q3"), FORM)
        device = enrolled(store)
        for number, id in enumerate(("q3", "q4")):
            store.open_wave(id, at=OPENING)
            record(store, device, *_answers(id, number * RESPONSES), received=NOON + timedelta(days=20))
            if id == "q3":
                store.close_wave(id, at=NOON + timedelta(days=25))
        households = [
            interview(seq, {"SEX": 1 + seq % 2, "II.A1": 1 + seq % 5}, psu=FRAME[seq % len(FRAME)].psu)
            for seq in range(1, 121)
        ]
        record(store, sample_wave(store), *households)
    for name, lines in FILES.items():
        (folder / name).write_text("\n".join(lines) + "\n", encoding="utf-8")
    own = FORM.content.decode().replace('id = "counter"', 'id = "my-form"', 1)
    (folder / "my-form.1.toml").write_text(own, encoding="utf-8")
    for step in (
        ("register", "import", str(folder / "register.csv")),
        *(("extract", id) for id in ("q3", "q4", "household")),
        ("backup", "--output", str(folder / "backup")),
    ):
        ended = sipas(settings.instance, *step)
        assert ended.code == 0, f"{step}\n{ended.err}"
    return folder


def _answers(id: str, before: int) -> list[Response]:
    return [
        response(
            before + number,
            {"II.A1": 1 + number % 5},
            wave=id,
            field=FIELDS[number % 2],
            submitted=NOON + timedelta(days=number % 18, seconds=number),
            started=NOON + timedelta(days=number % 18, seconds=number - 90),
        )
        for number in range(1, RESPONSES + 1)
    ]


@pytest.fixture
def place(prepared: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(prepared, tmp_path / "place"))


def run(place: Path, shown: Shown, *also: str) -> str:
    """What is wrong when the command is typed there; empty when it ends well."""
    with Store.open(Settings.load(place / "instance"), write=False) as store:
        head = store.head("q4") if any(one.id == "q4" for one in store.waves()) else None
    mark = f"q4:{head.count}:{head.head}" if head else ""
    words = [FEWER.get(word, word).replace("HEAD-OF-Q4", mark) for word in shown.words]
    ended = sipas(place / "instance", *words, *also, prepare=lambda: os.chdir(place))
    return "" if ended.code == 0 else f"{ended.code}: {ended.err[-400:]}"


def _runs(shown: Shown) -> bool:
    name, rest = command_of(shown.words)
    if name == ("device", "import") or (name == ("centre", "pin") and not any(word.startswith("--") for word in rest)):
        return False
    without = name in COMMANDS and not any(parameter.required for parameter in COMMANDS[name].params)
    return name in COMMANDS and "…" not in shown.text and (bool(rest) or without)


BLOCKS = [block for block in blocks() if block[0] != "tutorial.md"]
"""That page is run from top to bottom by its own test."""


@pytest.mark.parametrize(
    "number", range(len(BLOCKS)), ids=[f"{page}-{commands[0].text[:30]}" for page, commands in BLOCKS]
)
def test_a_block_of_commands_runs_from_its_first_to_its_last(place: Path, number: int) -> None:
    page, commands = BLOCKS[number]
    instance: tuple[str, ...] = ()
    with ExitStack() as stack:
        also: dict[tuple[str, ...], tuple[str, ...]] = {}
        if page == "simulation.md":  # begins with an instance that has centres and fields, and no wave
            shutil.rmtree(place / "instance")
            ready(place / "instance", ("centre", "import"), ("field", "import"))
            also["simulate",] = ("--server", stack.enter_context(serving(place / "instance")))
        if page == "host.md":  # plans a sample wave of a centre that has one open
            assert sipas(place / "instance", "wave", "close", "household").code == 0
        for shown in commands:
            name, _ = command_of(shown.words)
            if name == ("serve",) or not _runs(shown):
                continue
            if "--instance" not in shown.words and instance:
                shown = replace(shown, words=(*instance, *shown.words))
            assert run(place, shown, *also.get(name, ())) == "", shown
            if name == ("init",) and page == "host.md":
                instance = shown.words[:2]  # from here on the page sets SIPAS_INSTANCE


INLINE = sorted({shown.page for shown in inline()})


@pytest.mark.parametrize("page", INLINE)
def test_commands_in_the_text_run(place: Path, page: str) -> None:
    """One after the other, as they stand on the page."""
    bad = {}
    shutil.copytree(place / "backup", place / "before-upgrade")
    for shown in inline():
        name, _ = command_of(shown.words)
        if shown.page != page or name in ELSEWHERE or not _runs(shown):
            continue
        if name == ("init",):
            key = "instance/secret.key"
            words = tuple(key if word == "register.csv" else word for word in shown.words)
            shown = replace(shown, words=("--instance", "fresh", *words))
        if name == ("simulate-frame",):
            shown = replace(shown, words=("simulate-frame", "new.csv"))
        if reason := run(place, shown):
            bad[shown.text] = reason
    assert bad == {}


def test_most_of_what_is_shown_is_run() -> None:
    shown = [one for _, commands in BLOCKS for one in commands] + inline()
    assert sum(_runs(one) for one in shown) > 60
