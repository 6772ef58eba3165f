"""What an extract holds and what it does not, and that the same data give the same bytes."""

import functools
import hashlib
import json
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from survey_app.extract import ExtractError, write_extract
from survey_app.locks import LockedError, folder_lock
from survey_app.model import Device, RegisterRow, Wave
from survey_app.oddities import FLAGS
from survey_app.response import Response
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from tests.ground import (
    CENTRES,
    FORM,
    NOON,
    SHORT,
    enrolled,
    make_store,
    parted,
    record,
    response,
    short_wave,
    tamper,
    widened,
)

ENVELOPE = [
    "centre", "field", "local_day", "disposition", "mode", "recruitment", "language", "late", "after_close", "clock",
    "psu",
]  # fmt: skip
REGISTER = [
    RegisterRow("TINH", "dat-dai", "2026-10", "counter", 9, 8, 7),
    RegisterRow("00691", "ho-tich", "2026-10", "online", 5, 5, 5),
    RegisterRow("00691", "ho-tich", "2026-11", "counter", 3, 3, 3),
]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[tuple[Settings, Store, Device]]:
    settings, store = make_store(tmp_path)
    with store:
        yield settings, store, enrolled(store)


def some(count: int, seed: int = 1) -> list[Response]:
    draw = random.Random(seed)
    return [
        response(
            seq,
            answers={"II.A1": draw.randint(1, 5), "II.B3": draw.choice([-2, -3, 4]), "COMMENT": f"lời {seq}"},
            field=draw.choice(["ho-tich", "dat-dai", None]),
            language=draw.choice(["vi", "en"]),
            submitted=NOON + timedelta(days=draw.randint(0, 3)),
        )
        for seq in range(1, count + 1)
    ]


def table(path: Path, name: str = "responses") -> Any:
    return pq.read_table(path / f"{name}.parquet")


def as_json(path: Path, name: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads((path / f"{name}.json").read_text(encoding="utf-8"))
    return data


def test_the_files_are_exactly_the_contracts(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(5))
    path = write_extract(store, settings, "q4")
    manifest = as_json(path, "manifest")
    assert sorted(file.name for file in path.iterdir()) == sorted([*manifest["files"], "manifest.json"])
    assert manifest == {
        "format": 1,
        "wave": "q4",
        "questionnaire": {"id": "counter", "version": "1", "sha256": FORM.sha256},
        "simulated": True,
        "counts": {"responses": 5, "register": 0},
        "options": {"devices": False},
        "ledger": {"count": 5, "head": store.head("q4").head},
        "files": {
            name: hashlib.sha256((path / name).read_bytes()).hexdigest()
            for name in ("codebook.json", "fieldwork.parquet", "register.parquet", "responses.parquet")
        },
    }
    assert path == settings.extracts / "q4" / hashlib.sha256((path / "manifest.json").read_bytes()).hexdigest()[:12]
    assert [child.name for child in path.parent.iterdir()] == [path.name]


def test_each_row_is_a_response(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    sent = some(40)
    record(store, device, *sent, received=NOON + timedelta(days=4))
    extracted = table(write_extract(store, settings, "q4"))
    assert extracted.equals(extracted.sort_by([(name, "ascending") for name in extracted.column_names]))
    rows = extracted.drop_columns(list(FLAGS)).to_pylist()  # these: test_oddities.py
    stored = [
        {
            **{name: getattr(one, name) for name in ENVELOPE},
            **{item: code for item, code in one.answers.items() if item not in ("FIELD", "COMMENT")},
        }
        for one in store.responses("q4")
    ]

    def order(row: dict[str, Any]) -> list[Any]:
        return [(value is None, value) for value in (row[name] for name in rows[0])]

    assert sorted(rows, key=order) == sorted(stored, key=order)
    assert {row["local_day"] for row in rows} == {date(2026, 10, day) for day in (5, 6, 7, 8)}


def test_columns_stand_in_the_order_and_type_of_the_contract(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(3))
    schema = table(write_extract(store, settings, "q4")).schema
    items = [item.code for item in FORM.items if item.code not in ("FIELD", "COMMENT")]
    assert schema.names == [*ENVELOPE, *FLAGS, *items]
    assert {str(schema.field(name).type) for name in items} == {"int8"}
    assert [str(schema.field(name).type) for name in ("centre", "local_day", "late", "psu")] == [
        "string", "date32[day]", "bool", "string",
    ]  # fmt: skip
    assert schema.metadata is None


def test_nothing_that_tells_who_when_or_in_which_order(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    sent = some(20)
    record(store, device, *sent)
    path = write_extract(store, settings, "q4")
    content = b"".join(file.read_bytes() for file in path.iterdir())
    for secret in (*[one.uuid for one in sent], "lời 3", device.id, "05:00:00"):
        assert secret.encode() not in content
    assert not {"uuid", "seq", "received", "submitted", "started", "device", "COMMENT"} & set(table(path).column_names)


def test_devices_only_when_asked_for(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(3))
    path = write_extract(store, settings, "q4", devices=True)
    assert table(path).column("device").to_pylist() == [device.id] * 3
    assert as_json(path, "manifest")["options"] == {"devices": True}


def test_twice_the_same_data_give_the_same_bytes_and_folder(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(50))
    first = write_extract(store, settings, "q4")
    kept = {file.name: file.read_bytes() for file in first.iterdir()}
    first.rename(first.parent / ".aside")
    second = write_extract(store, settings, "q4")
    assert second == first
    assert {file.name: file.read_bytes() for file in second.iterdir()} == kept
    assert write_extract(store, settings, "q4") == first
    assert len(store.events(["extract"])) == 3


def test_the_order_of_receipt_leaves_no_trace(tmp_path: Path) -> None:
    sent = some(60)
    files = []
    for name, order in (("one", sent), ("two", sorted(sent, key=lambda one: one.uuid))):
        settings, store = make_store(tmp_path / name)
        with store:
            record(store, enrolled(store), *order)
            store.import_register(REGISTER if name == "one" else REGISTER[::-1], "r.csv", "0" * 64)
            path = write_extract(store, settings, "q4")
        files.append([(path / file).read_bytes() for file in ("responses.parquet", "register.parquet")])
    assert files[0] == files[1]


def test_the_register_is_that_of_the_waves_months_and_centres(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, _ = ground
    store.import_register(REGISTER, "r.csv", "0" * 64)
    path = write_extract(store, settings, "q4")
    rows = table(path, "register").to_pylist()
    assert [(row["centre"], row["month"], row["received"]) for row in rows] == [
        ("00691", "2026-10", 5),
        ("TINH", "2026-10", 9),
    ]
    assert as_json(path, "manifest")["counts"] == {"responses": 0, "register": 2}


def test_the_codebook_says_every_column_and_code_in_both_languages(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(5))
    path = write_extract(store, settings, "q4", devices=True)
    book = as_json(path, "codebook")
    assert [column["name"] for column in book["columns"]] == table(path).column_names
    assert all(column["label"]["vi"] and column["label"]["en"] and column["type"] for column in book["columns"])
    assert [item["code"] for item in book["items"]] == [item.code for item in FORM.items]
    assert {item["code"]: item["columns"] for item in book["items"] if item["code"] in ("FIELD", "COMMENT")} == {
        "FIELD": [],
        "COMMENT": [],
    }
    assert sorted(book["missing"]) == ["-1", "-2", "-3", "-4", "-5"]
    assert (book["wave"]["opened"], book["wave"]["closed"]) == ("2026-10-01", None)
    assert book["wave"]["rules"]["reference_line"] == 85
    assert [centre["code"] for centre in book["centres"]] == sorted(CENTRES)
    assert len(book["index"]["items"]) == 16


def test_a_field_retired_but_named_stays_in_the_codebook(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, response(field="ho-tich"))
    store.add_fields([], others="retire")
    book = as_json(write_extract(store, settings, "q4"), "codebook")
    assert [field["code"] for field in book["fields"]] == ["ho-tich"]


def test_an_extract_is_in_the_audit(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(2))
    path = write_extract(store, settings, "q4")
    (event,) = store.events(["extract"])
    assert event.detail["manifest_sha256"] == hashlib.sha256((path / "manifest.json").read_bytes()).hexdigest()
    assert event.detail["counts"] == {"responses": 2, "register": 0}


def test_an_altered_extract_is_not_taken_for_the_same(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(2))
    path = write_extract(store, settings, "q4")
    (path / "codebook.json").write_text("{}")
    with pytest.raises(ExtractError, match=r"altered: codebook\.json"):
        write_extract(store, settings, "q4")


def test_a_failure_leaves_nothing_behind(
    ground: tuple[Settings, Store, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store, device = ground
    record(store, device, *some(2))

    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("os.fsync", full)
        with pytest.raises(OSError, match="No space"):
            write_extract(store, settings, "q4")
    assert list((settings.extracts / "q4").iterdir()) == []
    assert store.events(["extract"]) == ()


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM answer WHERE response = 2 AND item = 'II.A1'",
        "INSERT INTO answer VALUES (2, 'II.A1', 1)",
        "UPDATE answer SET item = 'II.A11' WHERE response = 2 AND item = 'II.A1'",
        "DELETE FROM answer WHERE response = 2",
    ],
    ids=["lacking", "double", "renamed", "none"],
)
def test_answers_that_do_not_fit_are_refused_not_shifted(
    ground: tuple[Settings, Store, Device], statement: str
) -> None:
    settings, store, device = ground
    record(store, device, *some(3))
    tamper(settings, statement)
    with pytest.raises(StoreError, match="1 responses have not exactly one answer"):
        write_extract(store, settings, "q4")


def test_an_unknown_wave_is_refused(ground: tuple[Settings, Store, Device]) -> None:
    with pytest.raises(StoreError, match="no wave 'none'"):
        write_extract(ground[1], ground[0], "none")


# ---- kinds of items that the counter form lacks


def test_choices_become_columns_of_0_and_1_and_numbers_fit(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    form = widened()
    store.close_wave("q4", at=NOON)
    store.create_wave(
        Wave("wide", "counter", {"vi": "v", "en": "e"}, form.id, form.version, ("2026-10",), CENTRES, simulated=True),
        form,
    )
    store.open_wave("wide", at=NOON - timedelta(days=1))
    given: list[tuple[Any, int]] = [((1, 99), 500), (-3, 0), ((2,), -3)]
    record(
        store,
        device,
        *[
            response(seq, wave="wide", questionnaire="wide", answers={"HELP": help_, "MINUTES": minutes})
            for seq, (help_, minutes) in enumerate(given, start=1)
        ],
    )
    path = write_extract(store, settings, "wide")
    rows = table(path).to_pylist()
    names = ("HELP_1", "HELP_2", "HELP_99", "MINUTES")
    assert sorted(tuple(row[name] for name in names) for row in rows) == [
        (-3, -3, -3, 0),
        (0, 1, 0, -3),
        (1, 0, 1, 500),
    ]
    assert [str(table(path).schema.field(name).type) for name in names] == ["int8", "int8", "int8", "int16"]
    items = {item["code"]: item["columns"] for item in as_json(path, "codebook")["items"]}
    assert items["HELP"] == ["HELP_1", "HELP_2", "HELP_99"]
    assert [one.answers["HELP"] for one in store.responses("wide")] == [(1, 99), -3, (2,)]


KILLED = """
import os, signal, sys
sys.path.insert(0, {root!r})
from pathlib import Path
from survey_app import extract
from survey_app.settings import Settings
from survey_app.store import Store

os.fsync = lambda _: os.kill(os.getpid(), signal.SIGKILL)  # the first file is written, the others are not
settings = Settings.load(Path({instance!r}))
with Store.open(settings) as store:
    extract.write_extract(store, settings, "q4")
"""


def test_what_a_killed_extract_left_is_cleared_by_the_next(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(5))
    folder = settings.extracts / "q4"
    script = KILLED.format(root=str(Path(__file__).parent.parent), instance=str(settings.instance))
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == -signal.SIGKILL
    (left,) = folder.iterdir()
    assert left.name.startswith(".writing-") and list(left.iterdir())
    path = write_extract(store, settings, "q4")
    assert list(folder.iterdir()) == [path]


def test_what_another_process_is_writing_is_waited_for(
    ground: tuple[Settings, Store, Device], monkeypatch: pytest.MonkeyPatch
) -> None:
    settings, store, device = ground
    record(store, device, *some(5))
    folder = settings.extracts / "q4"
    theirs = folder / ".writing-theirs"
    theirs.mkdir(parents=True)
    monkeypatch.setattr("survey_app.extract.folder_lock", functools.partial(folder_lock, patience=0.05))
    with folder_lock(folder), pytest.raises(LockedError, match="the folder has been locked"):
        write_extract(store, settings, "q4")
    assert list(folder.iterdir()) == [theirs]


def test_a_form_in_parts_has_the_part_the_codes_and_the_chances(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path, opened=False)
    with store:
        device = short_wave(store)
        whole = response(11, wave="short", questionnaire=SHORT.id, part=None)
        record(store, device, *(parted(number, number) for number in range(1, 11)), whole)
        path = write_extract(store, settings, "short")
    assert SHORT.parts is not None and SHORT.index is not None
    rows = table(path).to_pylist()
    assert sorted(row["part"] or "" for row in rows) == sorted(["", *(f"{number}/10" for number in range(1, 11))])
    for row in rows:
        drawn = "ABCDE" if row["part"] is None else SHORT.parts.drawn()[int(row["part"].split("/")[0]) - 1]
        assert {code[3] for code in SHORT.index.items if row[code] != -5} == set(drawn)
    book = as_json(path, "codebook")
    chances = {item["code"]: item["inclusion"] for item in book["items"]}
    assert {code for code, chance in chances.items() if chance == "2/5"} == set(SHORT.index.items)
    assert set(chances.values()) == {"1", "2/5"} and chances["OVERALL"] == "1"
    assert book["parts"] == {"name": "factors", "factors": list("ABCDE"), "draw": 2, "of": 10}
    assert "part" in {column["name"] for column in book["columns"]}


def test_a_form_asked_whole_has_no_part(ground: tuple[Settings, Store, Device]) -> None:
    settings, store, device = ground
    record(store, device, *some(2))
    path = write_extract(store, settings, "q4")
    book = as_json(path, "codebook")
    assert "part" not in table(path).column_names and book["parts"] is None
    assert {item["inclusion"] for item in book["items"]} == {"1"}
