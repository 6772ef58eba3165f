"""`sipas export` and `sipas import`: the wave comes back the same, into a store that verifies and extracts alike."""

import csv
import dataclasses
import io
import json
import re
import stat
import zipfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from survey_app.archive import ArchiveError, export_wave, import_wave
from survey_app.archive.flat import FORMULA, cell
from survey_app.archive.layout import ANSWERS, LINES, MANIFEST, MEMBERS, README, TABLES
from survey_app.cli import sipas
from survey_app.extract import write_extract
from survey_app.model import Device, PrimaryUnit, Reference, RegisterRow
from survey_app.pin import Pin
from survey_app.purge import purge
from survey_app.settings import create_instance
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from tests.ground import (
    FORM,
    NOON,
    OPENING,
    enrolled,
    fates,
    make_store,
    parted,
    record,
    response,
    short_wave,
    tamper,
    wave,
    widened,
)

BARE = dict.fromkeys(response().answers)
CLOSING = NOON + timedelta(hours=1)
FRAME = (PrimaryUnit("V01", "núi", "Thôn Một", 900, 0.012345678901234567, 20), PrimaryUnit("V02", "", "", 400, 1.0, 3))


def fill(store: Store, device: Device) -> None:
    """One of everything a counter wave can have, some comments of it purged."""
    first = response(1, answers={"COMMENT": "=1+1, của người đầu"})
    record(store, device, first, response(2, field=None, language="en"), response(None, mode="page"))
    record(store, device, dataclasses.replace(first, answers={**first.answers, "COMMENT": "của người khác"}))
    record(store, device, response(4, answers=BARE, disposition="broken_off"), response(4, recruitment="invited"))
    record(store, device, response(6))
    record(store, device, response(7, answers={"II.A1": 9}))  # rejected
    purge(store, days=30)
    record(store, device, response(8, answers={"COMMENT": "còn giữ\nhai dòng"}), received=NOON + timedelta(days=60))
    late, after = NOON + timedelta(minutes=1), CLOSING + timedelta(minutes=1)
    store.close_wave("q4", at=CLOSING)
    for seq, moment in ((9, late), (10, after)):
        one = response(seq, submitted=moment, started=moment)
        record(store, device, one, received=CLOSING + timedelta(minutes=2))
    register = [RegisterRow("00691", "ho-tich", "2026-10", "counter", 90, 80, 70)]
    store.import_register(register, "cũ.csv", "0" * 64)
    store.import_register(
        [RegisterRow("00694", "dat-dai", "2026-10", "all", 50, 40, 30), *register], "mới.csv", "1" * 64
    )
    store.import_references(
        [Reference(2024, "national", "index", "83.94", "2023-2026", "S", "nguồn")], "r.csv", "2" * 64
    )


@pytest.fixture
def origin(tmp_path: Path) -> Iterator[Store]:
    _, store = make_store(tmp_path / "a")
    with store:
        device = enrolled(store)
        fill(store, device)
        store.revoke_device(device.id)
        yield store


def another(path: Path, like: Store | None) -> Store:
    return Store.create(create_instance(path, key=like.settings.key if like else None))


def rows(store: Store, sql: str) -> list[Any]:
    return list(store._rows(sql))


SAME = [
    "SELECT * FROM response ORDER BY number",
    "SELECT * FROM answer",
    "SELECT * FROM comment",
    "SELECT * FROM conflict",
    "SELECT * FROM wave",
    "SELECT * FROM wave_centre",
    "SELECT * FROM frame",
    "SELECT * FROM questionnaire",
    "SELECT * FROM centre",
    "SELECT * FROM service_field",
    "SELECT id, centre, simulated, purpose, created, enrolled, revoked, last_seen, last_seq FROM device",
    "SELECT centre, field, month, channel, received, resolved, on_time FROM register ORDER BY import, centre",
    "SELECT year, place, measure, value, series, label, source FROM reference",
]


def assert_equal(first: Store, second: Store, wave_id: str = "q4") -> None:
    for sql in SAME:
        assert rows(first, sql) == rows(second, sql), sql
    assert first.head(wave_id) == second.head(wave_id)
    assert verify(second.settings) == ()
    extracts = [write_extract(store, store.settings, wave_id, devices=True) for store in (first, second)]
    assert extracts[0].name == extracts[1].name
    for name in [path.name for path in extracts[0].iterdir()]:
        assert (extracts[0] / name).read_bytes() == (extracts[1] / name).read_bytes()


def test_a_wave_comes_back_the_same(origin: Store, tmp_path: Path) -> None:
    assert {one.disposition for one in origin.responses("q4")} == {"complete", "broken_off"}
    assert [(one.late, one.after_close) for one in origin.responses("q4")][-2:] == [(True, False), (False, True)]
    assert len(rows(origin, "SELECT * FROM comment")) == 1 and len(rows(origin, "SELECT * FROM conflict")) == 1
    done = export_wave(origin, "q4")
    with another(tmp_path / "b", origin) as copy:
        import_wave(copy, done.path)
        assert_equal(origin, copy)
        assert copy.missing("00691-1", 10) == origin.missing("00691-1", 10) == ((3, 3), (5, 5))


def test_what_came_back_can_be_archived_and_brought_back_again(origin: Store, tmp_path: Path) -> None:
    first = export_wave(origin, "q4").path
    with another(tmp_path / "b", origin) as copy:
        import_wave(copy, first)
        second = export_wave(copy, "q4").path
        told = [zipfile.ZipFile(path).read(name) for path in (first, second) for name in ("responses.jsonl", ANSWERS)]
        assert told[:2] == told[2:]
        with another(tmp_path / "c", origin) as third:
            import_wave(third, second)
            assert_equal(origin, third)
            created = third.events(["device_added"])[0].detail["imported"]
            assert created == {"number": 5, "at": rows(origin, "SELECT at FROM event WHERE number = 5")[0][0]}


def test_a_wave_asked_in_parts_comes_back_the_same(tmp_path: Path) -> None:
    _, store = make_store(tmp_path / "a", opened=False)
    with store:
        device = short_wave(store)
        fates = record(store, device, *(parted(number, number) for number in range(1, 11)), parted(11, 1, part=None))
        assert [receipt.fate for receipt in fates] == ["stored"] * 10 + ["rejected"]
        record(store, device, parted(12, 4, dict.fromkeys(BARE), disposition="broken_off"))
        assert [one.part for one in store.responses("short")][1] == {"factors": (2, 10)}
        done = export_wave(store, "short")
        with another(tmp_path / "b", store) as copy:
            import_wave(copy, done.path)
            assert list(copy.responses("short")) == list(store.responses("short"))
            assert rows(copy, "SELECT * FROM answer") == rows(store, "SELECT * FROM answer")
            assert copy.head("short") == store.head("short") and verify(copy.settings) == ()


def test_a_sample_wave_comes_back_with_its_frame(tmp_path: Path) -> None:
    _, store = make_store(tmp_path / "a")
    with store:
        store.create_wave(wave("mau", kind="sample"), FORM, FRAME)
        store.open_wave("mau", at=OPENING)
        device = enrolled(store, purpose="sample")
        visited = [
            response(
                None, wave="mau", psu="V01", mode="assisted", recruitment="invited", disposition=word, answers=BARE
            )
            for word in ("refused", "not_at_home", "broken_off")
        ]
        answered = response(None, wave="mau", psu="V02", mode="assisted", recruitment="invited")
        assert fates(record(store, device, *visited, answered)) == ["stored"] * 4
        done = export_wave(store, "mau")
        with another(tmp_path / "b", store) as copy:
            import_wave(copy, done.path)
            assert copy.frame("mau") == FRAME
            assert copy.head("mau") == store.head("mau")
            assert verify(copy.settings) == ()
            assert list(copy.responses("mau")) == list(store.responses("mau"))


def test_two_waves_of_one_instance_come_back_into_one(origin: Store, tmp_path: Path) -> None:
    form = widened()
    origin.create_wave(wave("wide", questionnaire="wide"), form)
    origin.open_wave("wide", at=OPENING)
    device = enrolled(origin)
    chosen = [((1, 99), 0), ((2,), 600), (-3, -3)]
    for seq, (who, minutes) in enumerate(chosen, start=20):
        record(
            origin, device, response(seq, wave="wide", questionnaire="wide", answers={"HELP": who, "MINUTES": minutes})
        )
    waves = [export_wave(origin, name).path for name in ("wide", "q4")]
    with another(tmp_path / "b", origin) as copy:
        for path in reversed(waves):
            import_wave(copy, path)
        assert {chain: copy.heads()[chain] for chain in ("q4", "wide")} == {
            chain: origin.heads()[chain] for chain in ("q4", "wide")
        }
        assert verify(copy.settings) == ()
        assert len(rows(copy, "SELECT * FROM register")) == len(rows(origin, "SELECT * FROM register"))


def test_comments_whose_numbers_came_again_after_a_purge_come_back_into_one(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    archives = []
    with store:
        device = enrolled(store)
        for seq, name in ((1, "q4"), (2, "q5")):
            if name == "q5":
                store.create_wave(wave("q5"), FORM)
                store.open_wave("q5", at=OPENING)
            record(store, device, response(seq, wave=name, answers={"COMMENT": f"lời của {name}"}))
            store.close_wave(name)
            archives.append(export_wave(store, name).path)
            store.purge_comments(NOON + timedelta(days=1), name)
    with Store.create(create_instance(tmp_path / "new", key=settings.key)) as back:
        assert [import_wave(back, path).comments for path in archives] == [1, 1]
        assert {text for name in ("q4", "q5") for _, _, text in back.texts_by_uuid(name)} == {
            "lời của q4",
            "lời của q5",
        }
        assert verify(back.settings) == ()


def test_a_wave_beside_an_open_one_is_refused(origin: Store, tmp_path: Path) -> None:
    path = export_wave(origin, "q4").path
    with another(tmp_path / "b", origin) as copy:
        form = widened()
        copy.add_centres(origin.centres())
        copy.add_fields(origin.fields("known"))
        copy.create_wave(wave("wide", questionnaire="wide"), form)
        copy.open_wave("wide", at=OPENING)
        with pytest.raises(StoreError, match="takes part in the open counter wave 'wide' here"):
            import_wave(copy, path)
        assert [one.id for one in copy.waves()] == ["wide"]


def test_an_empty_wave_comes_back_too(tmp_path: Path) -> None:
    _, store = make_store(tmp_path / "a", opened=False)
    with store, another(tmp_path / "b", store) as copy:
        import_wave(copy, export_wave(store, "q4").path)
        assert_equal(store, copy)


codes = st.sampled_from([1, 2, 3, 4, 5, -3])
texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"]), min_size=1, max_size=30).filter(
    str.strip
)
one_of_everything = st.builds(
    dict,
    answers=st.dictionaries(st.sampled_from(["II.A1", "II.B1", "II.C3", "OVERALL"]), codes),
    field=st.sampled_from(["ho-tich", "dat-dai", None]),
    comment=st.none() | texts,
    again=st.none() | texts,
    minutes=st.integers(-100_000, 100_000),
    offset=st.integers(-10_000, 10_000),
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(many=st.lists(one_of_everything, min_size=1, max_size=6), purged=st.booleans(), closed=st.booleans())
def test_any_wave_comes_back_the_same(
    tmp_path_factory: pytest.TempPathFactory, many: list[dict[str, Any]], purged: bool, closed: bool
) -> None:
    _, store = make_store(tmp_path_factory.mktemp("a"))
    with store:
        device = enrolled(store)
        for seq, one in enumerate(many, start=1):
            moment = NOON + timedelta(minutes=one["minutes"])
            answers = {**one["answers"], **({"COMMENT": one["comment"]} if one["comment"] else {})}
            sent = response(seq, answers=answers, field=one["field"], submitted=moment, started=moment)
            store.record([sent], device=device, received=NOON, sent_at=NOON - timedelta(seconds=one["offset"]))
            if one["again"]:
                other = dataclasses.replace(sent, answers={**sent.answers, "COMMENT": one["again"]})
                store.record([other], device=device, received=NOON, sent_at=NOON)
        if closed:
            store.close_wave("q4", at=NOON)
        if purged:
            purge(store, days=1)
        with another(tmp_path_factory.mktemp("b") / "i", store) as copy:
            import_wave(copy, export_wave(store, "q4").path)
            assert_equal(store, copy)


# ---- the file


def test_the_same_wave_gives_the_same_bytes(origin: Store, tmp_path: Path) -> None:
    first, second = (export_wave(origin, "q4", tmp_path / f"{number}.zip") for number in (1, 2))
    assert first.path.read_bytes() == second.path.read_bytes()
    assert first.sha256 == second.sha256


def test_the_file_is_for_its_owner_alone_and_the_audit_knows_it(origin: Store) -> None:
    done = export_wave(origin, "q4")
    assert done.path.parent == origin.settings.archives
    assert stat.S_IMODE(done.path.stat().st_mode) == 0o600
    assert [path.name for path in done.path.parent.iterdir()] == [done.path.name]
    (event,) = origin.events(["export"])
    assert event.detail["sha256"] == done.sha256
    assert (event.detail["what"], event.detail["by"], event.detail["rows"]) == (
        "archive",
        "command line",
        done.head.count,
    )


def test_no_secret_is_in_it(origin: Store) -> None:
    origin.set_pin("00691", Pin("a" * 32, 600_000, "b" * 64))
    content = b"".join(zipfile.ZipFile(export_wave(origin, "q4").path).read(name) for name in MEMBERS)
    (secrets,) = rows(origin, "SELECT code_sha256, token_sha256 FROM device")
    assert all(secret.encode() not in content for secret in (*secrets, origin.settings.key.hex(), "a" * 32, "b" * 64))


def test_what_is_known_of_contacts_stays_where_the_tablets_call(origin: Store, tmp_path: Path) -> None:
    """A device that comes back with its wave has no contacts there, and what it calls later is counted anew."""
    assert rows(origin, "SELECT count(*) FROM contact") == [(2,)]
    with another(tmp_path / "b", origin) as store:
        import_wave(store, export_wave(origin, "q4").path)
        assert rows(store, "SELECT count(*) FROM contact") == [(0,)]
        store.note_contact("00691-1", NOON + timedelta(days=70), app="kiosk 1", offset=timedelta())
        assert verify(store.settings) == ()


def test_the_readme_names_every_member_and_every_column(origin: Store) -> None:
    archive = zipfile.ZipFile(export_wave(origin, "q4").path)
    text = archive.read(README).decode("utf-8")
    assert text.startswith("MÔ PHỎNG: không có công dân nào trả lời. / SIMULATED")
    names = [name for columns in (*TABLES.values(), *LINES.values()) for name in columns]
    names += csv.DictReader(io.StringIO(archive.read(ANSWERS).decode("utf-8-sig"))).fieldnames[:17]  # type: ignore[index]
    names += list(json.loads(archive.read(MANIFEST)))
    words = set(text.replace(",", " ").split())
    assert [name for name in names if name not in words] == []
    assert [name for name in MEMBERS if name != README and name not in text] == []


def test_the_flat_table_has_labels_and_no_formula(origin: Store) -> None:
    table = zipfile.ZipFile(export_wave(origin, "q4").path).read(ANSWERS).decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(table)))
    assert len(lines) == origin.response_count("q4")
    assert (lines[0]["II.A1"], lines[0]["II.A1_label"]) == ("4", "Hài lòng")
    assert (lines[3]["II.A1"], lines[3]["II.A1_label"]) == ("-4", "Bỏ dở giữa chừng")
    assert [line["COMMENT_text"] for line in lines if line["COMMENT_text"]] == ["còn giữ\nhai dòng"]


@given(st.sampled_from([*FORMULA, "a", "1", "'"]), st.text(max_size=10))
def test_no_text_cell_begins_as_a_formula(start: str, rest: str) -> None:
    told = cell(start + rest)
    assert isinstance(told, str) and told.replace("'", "") == (start + rest).replace("'", "")
    assert not any(part.lstrip(" ").startswith(FORMULA) for part in re.split("[;\t\r\n]", told))


@pytest.mark.parametrize("number", [-5, 0, 3])
def test_numbers_stay_numbers(number: int) -> None:
    assert cell(number) == number


def test_a_formula_in_a_comment_comes_as_text(tmp_path: Path) -> None:
    _, store = make_store(tmp_path)
    with store:
        record(store, enrolled(store), response(1, answers={"COMMENT": "=HYPERLINK(1)"}))
        table = zipfile.ZipFile(export_wave(store, "q4").path).read(ANSWERS).decode("utf-8-sig")
    assert next(csv.DictReader(io.StringIO(table)))["COMMENT_text"] == "'=HYPERLINK(1)"


# ---- what is refused


def test_another_key_is_refused_with_the_remedy_and_without_comments_it_goes(origin: Store, tmp_path: Path) -> None:
    done = export_wave(origin, "q4")
    with another(tmp_path / "b", None) as copy:
        with pytest.raises(ArchiveError, match="made with another key") as refused:
            import_wave(copy, done.path)
        assert "init --key FILE" in refused.value.problems[0].remedy
        import_wave(copy, done.path, comments=False)
        assert rows(copy, "SELECT * FROM comment") == []
        assert copy.head("q4") == origin.head("q4")
        assert verify(copy.settings) == ()


def test_numbers_that_are_taken_are_refused(origin: Store, tmp_path: Path) -> None:
    done = export_wave(origin, "q4")
    with pytest.raises(ArchiveError, match="response number 1 of the archive is taken here"):
        import_wave(origin, done.path)


def test_lists_that_differ_are_refused(origin: Store, tmp_path: Path) -> None:
    done = export_wave(origin, "q4")
    with another(tmp_path / "b", origin) as copy:
        copy.add_centres([dataclasses.replace(origin.centre("00691"), name="Khác")])
        with pytest.raises(StoreError, match="centre 00691: here it is another one"):
            import_wave(copy, done.path)
        assert copy.waves() == ()


def test_a_store_that_does_not_verify_is_not_archived(origin: Store, tmp_path: Path) -> None:
    tamper(origin.settings, "UPDATE response SET centre = 'TINH' WHERE position = 2")
    with pytest.raises(ArchiveError, match="does not have the hashes") as refused:
        export_wave(origin, "q4", tmp_path / "x.zip")
    assert refused.value.problems[0].where == "wave q4, position 2"
    assert list(tmp_path.glob("*.zip")) == [] and list(tmp_path.glob(".writing*")) == []
    assert origin.events(["export"]) == ()


def test_an_existing_file_is_refused(origin: Store, tmp_path: Path) -> None:
    (tmp_path / "x.zip").write_text("mine")
    with pytest.raises(ArchiveError, match="a file here already"):
        export_wave(origin, "q4", tmp_path / "x.zip")
    assert (tmp_path / "x.zip").read_text() == "mine"


def test_the_commands(origin: Store, tmp_path: Path) -> None:
    def run(instance: Path, *arguments: str) -> str:
        done = CliRunner().invoke(sipas, ["--instance", str(instance), *arguments], catch_exceptions=False)
        assert done.exit_code == 0, done.output
        return done.stdout

    key = origin.settings.instance / "secret.key"
    file = tmp_path / "q4.zip"
    assert "(SIMULATED)" in run(origin.settings.instance, "export", "q4", "--output", str(file))
    run(tmp_path / "b", "init", "--key", str(key))
    assert f"head: {origin.head('q4').head}" in run(tmp_path / "b", "import", str(file))
    assert run(tmp_path / "b", "verify").startswith("clean: 9 responses in 1 wave")


@pytest.mark.parametrize("content", [b"", b"00", b"zz" * 32, b"ab" * 31, b"\xff" * 64])
def test_a_key_that_is_none_is_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "key").write_bytes(content)
    done = CliRunner().invoke(sipas, ["--instance", str(tmp_path / "b"), "init", "--key", str(tmp_path / "key")])
    assert "the key" in str(done.exception)
    assert not (tmp_path / "b").exists()
