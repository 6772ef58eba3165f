"""The extract of a sample wave: design columns, frame, published figures; and what counter extracts do not have."""

import dataclasses
import hashlib
from datetime import timedelta
from pathlib import Path

import pytest

from survey_app.codebook import text_hash
from survey_app.extract import write_extract
from survey_app.model import Reference, RegisterRow
from survey_app.response import Response
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from tests.ground import (
    FORM,
    FRAME,
    NOON,
    enrolled,
    interview,
    make_store,
    record,
    response,
    sample_wave,
    tamper,
    unmet,
)
from tests.test_extract_write import as_json, table


def sampled(path: Path, order: int = 1) -> tuple[Settings, Path, list[Response]]:
    """A sample wave with every outcome, one given after the closing; and its extract."""
    settings, store = make_store(path)
    with store:
        interviewer = sample_wave(store)
        sent = [
            interview(1, {"II.A1": 5}, psu="TAN-A"),
            interview(2, {"II.A1": 1}, psu="TAN-A", submitted=NOON + timedelta(days=1)),
            interview(3, psu="MINH-1"),
            unmet("refused", 4, psu="TAN-A"),
            unmet("not_at_home", 5, psu="MINH-1"),
            unmet("not_at_home", 6, psu="MINH-1"),
            unmet("broken_off", 7, psu="TAN-B"),
        ]
        late = interview(8, psu="TAN-B", submitted=NOON + timedelta(days=9))
        record(store, interviewer, *sent[::order], received=NOON + timedelta(days=2))
        store.close_wave("household", at=NOON + timedelta(days=5))
        record(store, interviewer, late, received=NOON + timedelta(days=9))
        store.import_register([RegisterRow("00691", "ho-tich", "2026-10", "all", 9, 8, 7)], "r.csv", "0" * 64)
        store.import_references(
            [Reference(2024, "national", "index", "83.94", "2023-2026", "S", "news")], "r.csv", "0" * 64
        )
        return settings, write_extract(store, settings, "household"), [*sent, late]


def test_the_responses_of_a_sample_wave_carry_stratum_and_base_weight(tmp_path: Path) -> None:
    _, path, sent = sampled(tmp_path)
    rows = table(path)
    place = rows.column_names.index("psu")
    assert rows.column_names[place : place + 3] == ["psu", "stratum", "base_weight"]
    assert [str(rows.schema.field(name).type) for name in ("stratum", "base_weight")] == ["string", "double"]
    units = {unit.psu: unit for unit in FRAME}
    wanted = sorted((one.psu, units[str(one.psu)].stratum, 1 / units[str(one.psu)].probability) for one in sent)
    found = (rows.column(name).to_pylist() for name in ("psu", "stratum", "base_weight"))
    assert sorted(zip(*found, strict=True)) == wanted


def test_the_frame_counts_what_became_of_the_households_before_the_closing(tmp_path: Path) -> None:
    _, path, _ = sampled(tmp_path)
    rows = table(path, "frame")
    assert [(name, str(kind)) for name, kind in zip(rows.schema.names, rows.schema.types, strict=True)] == [
        ("stratum", "string"), ("psu", "string"), ("name", "string"), ("population", "int64"), ("households", "int64"),
        ("completed", "int64"), ("refused", "int64"), ("not_at_home", "int64"), ("broken_off", "int64"),
        ("probability", "double"),
    ]  # fmt: skip
    assert [tuple(row.values()) for row in rows.to_pylist()] == [
        ("dong-bang", "MINH-1", "Tổ dân phố 1", 2400, 25, 1, 0, 2, 0, 0.01),
        ("nui", "TAN-A", "Thôn Tân A", 900, 20, 2, 1, 0, 0, 0.02),
        ("nui", "TAN-B", "Thôn Tân B", 640, 15, 0, 0, 0, 1, 0.015),
    ]
    manifest = as_json(path, "manifest")
    assert manifest["files"]["frame.parquet"] == hashlib.sha256((path / "frame.parquet").read_bytes()).hexdigest()
    assert sorted(file.name for file in path.iterdir()) == sorted([*manifest["files"], "manifest.json"])
    assert table(path, "register").num_rows == 0


def test_the_codebook_of_a_sample_wave_names_published_figures(tmp_path: Path) -> None:
    _, path, _ = sampled(tmp_path)
    book = as_json(path, "codebook")
    assert book["wave"]["kind"] == "sample"
    assert book["references"] == [
        {
            "year": 2024,
            "place": "national",
            "measure": "index",
            "value": "83.94",
            "series": "2023-2026",
            "label": "S",
            "source": "news",
        }
    ]
    assert {"stratum": "text", "base_weight": "float64"}.items() <= {
        column["name"]: column["type"] for column in book["columns"]
    }.items()


def test_a_sample_extract_has_the_same_bytes_in_whatever_order_the_responses_came(tmp_path: Path) -> None:
    _, first, _ = sampled(tmp_path / "one")
    _, other, _ = sampled(tmp_path / "two", order=-1)
    for name in ("responses.parquet", "frame.parquet", "register.parquet"):
        assert (first / name).read_bytes() == (other / name).read_bytes()


def test_a_sample_extract_twice_is_the_same_folder(tmp_path: Path) -> None:
    settings, path, _ = sampled(tmp_path)
    kept = {file.name: file.read_bytes() for file in path.iterdir()}
    path.rename(path.parent / ".aside")
    with Store.open(settings) as store:
        assert write_extract(store, settings, "household") == path
    assert {file.name: file.read_bytes() for file in path.iterdir()} == kept


def test_a_sample_wave_without_responses_has_an_extract_too(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    with store:
        sample_wave(store)
        path = write_extract(store, settings, "household")
    assert table(path).num_rows == 0
    assert sum(table(path, "frame").column("completed").to_pylist()) == 0


def test_a_village_that_the_frame_lacks_is_named(tmp_path: Path) -> None:
    settings, _, _ = sampled(tmp_path)
    tamper(settings, "UPDATE response SET psu = 'TAN-Z' WHERE psu = 'TAN-B'")
    with Store.open(settings) as store, pytest.raises(StoreError, match="lacks: TAN-Z"):
        write_extract(store, settings, "household")


def test_counter_extracts_have_no_frame_and_no_published_figures(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    store.import_references(
        [Reference(2024, "national", "index", "83.94", "2023-2026", "S", "news")], "r.csv", "0" * 64
    )
    record(store, enrolled(store), response())
    path = write_extract(store, settings, "q4")
    assert not (path / "frame.parquet").exists()
    assert not {"stratum", "base_weight"} & set(table(path).column_names)
    assert as_json(path, "codebook")["references"] == []


def test_items_with_the_same_text_have_the_same_hash_whatever_their_code() -> None:
    item = FORM.item("II.A1")
    assert text_hash(dataclasses.replace(item, code="II.A9")) == text_hash(item)
    text, options = {**item.text, "vi": "Khác"}, item.options[:-1]
    for change in ({"text": text}, {"options": options}, {"kind": "choice"}):
        assert text_hash(dataclasses.replace(item, **change)) != text_hash(item)
    english = dataclasses.replace(item, text={**item.text, "en": "other"})
    assert text_hash(english) == text_hash(item)
