"""Reading the register: every bad line is named, nothing is half imported, a new import supersedes."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from survey_app.extract import write_extract
from survey_app.model import RegisterRow
from survey_app.register import open_register, read_register
from survey_app.store import Store
from survey_app.table_file import TableError
from tests.ground import CENTRES, FIELDS, make_store

HEADER = "centre,field,month,channel,received,resolved,on_time"
GOOD = "00691,ho-tich,2026-10,counter,90,80,70"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    _, made = make_store(tmp_path)
    with made:
        yield made


def write(folder: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path = folder / "register.csv"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    return path


def read(path: Path) -> tuple[RegisterRow, ...]:
    return read_register(path, CENTRES, FIELDS)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_with_and_without_a_byte_order_mark(tmp_path: Path, encoding: str) -> None:
    assert read(write(tmp_path, HEADER, GOOD, "", encoding=encoding)) == (
        RegisterRow("00691", "ho-tich", "2026-10", "counter", 90, 80, 70),
    )


def test_without_the_channel_all_are_counted_together(tmp_path: Path) -> None:
    path = write(tmp_path, "month,centre,field,received,resolved,on_time", "2026-10,TINH,dat-dai,3,2,1")
    assert read(path) == (RegisterRow("TINH", "dat-dai", "2026-10", "all", 3, 2, 1),)


BAD = [
    ("99999,ho-tich,2026-10,counter,9,8,7", "unknown centre '99999'"),
    ("00691,ca-hat,2026-10,counter,9,8,7", "unknown field 'ca-hat'"),
    ("00691,ho-tich,10/2026,counter,9,8,7", "'10/2026' is not a month"),
    ("00691,ho-tich,2026-13,counter,9,8,7", "'2026-13' is not a month"),
    ("00691,ho-tich,2026-10,fax,9,8,7", "unknown channel 'fax'"),
    ("00691,ho-tich,2026-10,counter,-9,8,7", "received is '-9'"),
    ('00691,ho-tich,2026-10,counter,"1.200",8,7', "received is '1.200'"),
    ("00691,ho-tich,2026-10,counter,9,,7", "resolved is ''"),
    ("00691,ho-tich,2026-10,counter,9,٣,7", "resolved is '٣'"),
    ("00691,ho-tich,2026-10,counter,9,8,9", "on_time 9 is more than resolved 8"),
    ("00691,ho-tich,2026-10,counter,9,8", "6 columns where the header has 7"),
    ("00691,ho-tich,2026-10,counter,9,8,7,6", "8 columns where the header has 7"),
    (GOOD, "00691, ho-tich, 2026-10, counter comes twice"),
]


@pytest.mark.parametrize(("line", "said"), BAD, ids=[said for _, said in BAD])
def test_a_bad_line_is_named(tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(TableError) as refused:
        read(write(tmp_path, HEADER, GOOD, line))
    (problem,) = refused.value.problems
    assert problem.what == said and problem.remedy
    assert problem.where.split(",")[0] == "register.csv: line 3"


def test_every_bad_line_and_every_fault_of_it_is_named(tmp_path: Path) -> None:
    with pytest.raises(TableError) as refused:
        read(write(tmp_path, HEADER, "99999,ca-hat,2026-10,counter,9,8,7", GOOD, "00691,ho-tich,x,counter,9,8,7"))
    assert [problem.where.removeprefix("register.csv: ") for problem in refused.value.problems] == [
        "line 2, centre",
        "line 2, field",
        "line 4, month",
    ]


@pytest.mark.parametrize(
    ("lines", "said"),
    [
        (["centre,field,month,received,resolved", GOOD], "lacks on_time"),
        ([f"{HEADER},note", GOOD], "unknown column 'note'"),
        ([f"{HEADER},centre", GOOD], "has centre twice"),
        ([HEADER], "has no rows"),
        ([], "the file is empty"),
        ([HEADER, '"00691,ho-tich'], "the line cannot be read"),
        ([HEADER, GOOD, GOOD.replace("counter", "all")], "channel all beside counter"),
    ],
)
def test_a_bad_file_is_named(tmp_path: Path, lines: list[str], said: str) -> None:
    with pytest.raises(TableError, match=said):
        read(write(tmp_path, *lines))


def test_another_encoding_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "register.csv"
    path.write_bytes("centre,Lĩnh vực".encode("utf-16"))
    with pytest.raises(TableError, match="not UTF-8"):
        read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="cannot be read"):
        read(tmp_path / "none.csv")


# ---- in the store


def row(month: str, received: int, field: str = "ho-tich") -> RegisterRow:
    return RegisterRow("00691", field, month, "counter", received, received, received)


def test_a_new_import_of_a_month_supersedes_and_the_earlier_stays(store: Store) -> None:
    store.import_register([row("2026-10", 5), row("2026-10", 6, "dat-dai"), row("2026-11", 7)], "first.csv", "a" * 64)
    store.import_register([row("2026-10", 8)], "second.csv", "b" * 64)
    assert store.register(["2026-10"]) == (row("2026-10", 8),)
    assert store.register(["2026-11", "2026-10"]) == (row("2026-10", 8), row("2026-11", 7))
    assert sum(len(rows) for rows in store.register_imports().values()) == 4


def test_an_import_is_in_the_audit_with_the_files_hash(store: Store, tmp_path: Path) -> None:
    path = write(tmp_path, HEADER, GOOD)
    file = open_register(path)
    store.import_register(read(path), file.name, file.sha256)
    (event,) = store.events(["register_imported"])
    assert (event.detail["source"], event.detail["sha256"]) == (
        "register.csv",
        hashlib.sha256(path.read_bytes()).hexdigest(),
    )
    assert (event.detail["months"], event.detail["rows"]) == (["2026-10"], 1)


def test_a_month_that_no_wave_names_is_taken_and_the_extract_leaves_it_out(store: Store) -> None:
    store.import_register([row("2026-10", 5), row("2027-01", 9)], "r.csv", "a" * 64)
    path = write_extract(store, store.settings, "q4")
    assert pq.read_table(path / "register.parquet").column("month").to_pylist() == ["2026-10"]


def test_what_is_hashed_is_what_was_parsed(store: Store, tmp_path: Path) -> None:
    """The file may change between reading and importing."""
    path = write(tmp_path, HEADER, GOOD)
    file = open_register(path)
    write(tmp_path, HEADER, GOOD.replace("90", "95"))
    assert read_register(file, CENTRES, FIELDS)[0].received == 90
    assert file.sha256 != open_register(path).sha256


def test_other_months_are_not_read(store: Store) -> None:
    store.import_register([row("2026-10", 5)], "r.csv", "a" * 64)
    assert store.register(["2026-09"]) == store.register([]) == ()
