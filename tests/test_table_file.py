"""Tables that people hand in: what every kind of file must withstand, said in place and remedy, nothing half taken."""

import os
import threading
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from survey_app import frame, province, reference, register, table_file
from survey_app.cli import run
from survey_app.frame import read_frame
from survey_app.province import read_centres, read_fields
from survey_app.reference import read_references
from survey_app.register import read_register
from survey_app.table_file import MAX_PROBLEMS, TableError, read_file
from tests.ground import CENTRES, FIELDS, make_store

Read = Callable[[Path], Any]

KINDS: dict[str, tuple[Read, str, str]] = {
    "register": (
        lambda path: read_register(path, CENTRES, FIELDS),
        "centre,field,month,channel,received,resolved,on_time",
        "00691,ho-tich,2026-10,counter,90,80,70",
    ),
    "centres": (read_centres, "code,name,full_name,kind,group", "00691,Minh Xuân,Phường Minh Xuân,commune,g1"),
    "fields": (read_fields, "code,vi,en,source", "dat-dai,Đất đai,Land,ours"),
    "frame": (read_frame, "stratum,psu,name,population,probability,households", "núi,TAN-A,Thôn Tân A,900,0.02,20"),
    "references": (
        read_references,
        "year,place,measure,value,series,label,source",
        "2024,national,index,83.94,2023-2026,S,báo chí",
    ),
}
ALL = pytest.mark.parametrize("kind", KINDS)
NUMBERS = ("register", "frame", "references")
TEXTS = {"centres": "Minh Xuân", "fields": "Đất đai", "frame": "Thôn Tân A", "references": "báo chí"}


def written(folder: Path, content: str | bytes) -> Path:
    path = folder / "table.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def good(kind: str, ending: str = "\n") -> str:
    _, header, line = KINDS[kind]
    return f"{header}{ending}{line}{ending}"


def problems(kind: str, path: Path) -> list[tuple[str, str]]:
    with pytest.raises(TableError) as refused:
        KINDS[kind][0](path)
    found = refused.value.problems
    assert all(problem.remedy and problem.where for problem in found)
    return [(problem.what, problem.where.removeprefix("table.csv: ")) for problem in found]


# ---- what is taken


@ALL
@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"], ids=["LF", "CRLF", "CR"])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["", "BOM"])
def test_ends_of_lines_and_a_byte_order_mark_change_nothing(tmp_path: Path, kind: str, ending: str, start: str) -> None:
    read = KINDS[kind][0]
    assert read(written(tmp_path, start + good(kind, ending))) == read(written(tmp_path, good(kind)))


@ALL
def test_empty_lines_and_spaces_around_cells_change_nothing(tmp_path: Path, kind: str) -> None:
    read, header, line = KINDS[kind]
    spaced = "\n".join([header.replace(",", " , "), "", line.replace(",", " ,\u00a0"), "," * header.count(","), "", ""])
    assert read(written(tmp_path, spaced)) == read(written(tmp_path, good(kind)))


@pytest.mark.parametrize("kind", TEXTS)
def test_decomposed_letters_are_composed(tmp_path: Path, kind: str) -> None:
    read = KINDS[kind][0]
    decomposed = unicodedata.normalize("NFD", good(kind))
    assert decomposed != good(kind)
    assert read(written(tmp_path, decomposed)) == read(written(tmp_path, good(kind)))


@pytest.mark.parametrize("kind", ["centres", "fields"])
@pytest.mark.parametrize("separator", [";", "\t"])
def test_lists_of_names_may_be_separated_otherwise(tmp_path: Path, kind: str, separator: str) -> None:
    read = KINDS[kind][0]
    assert read(written(tmp_path, good(kind).replace(",", separator))) == read(written(tmp_path, good(kind)))


# ---- what is no table


@ALL
@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "the file is empty"),
        (b"\xef\xbb\xbf\r\n \r\n", "the file is empty"),
        ("đất,đai\n".encode("utf-16"), "the file is not UTF-8 (byte 0)"),
        ("đất".encode("cp1258", "replace") + b"\xf0\n", "the file is not UTF-8"),
        ("a\ud800".encode("utf-8", "surrogatepass"), "the file is not UTF-8 (byte 1)"),
    ],
    ids=["nothing", "blank", "UTF-16", "Windows", "half a character"],
)
def test_what_is_no_text_is_refused(tmp_path: Path, kind: str, content: bytes, what: str) -> None:
    ((said, place),) = problems(kind, written(tmp_path, content))
    assert said.startswith(what) and place == "table.csv"


@ALL
def test_a_header_alone_is_no_table(tmp_path: Path, kind: str) -> None:
    ((said, place),) = problems(kind, written(tmp_path, KINDS[kind][1] + "\n"))
    assert said.startswith("the file has no ") and place == "table.csv"


@ALL
def test_a_header_of_another_table_is_named_column_by_column(tmp_path: Path, kind: str) -> None:
    found = problems(kind, written(tmp_path, "họ tên,họ tên\na,b\n"))
    assert ("the header has the unknown column 'họ tên'", "line 1") in found
    assert any(what.startswith("the header lacks") for what, _ in found)


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(("separator", "name"), [(";", "semicolons"), ("\t", "tabs")])
def test_tables_with_numbers_are_separated_by_commas(tmp_path: Path, kind: str, separator: str, name: str) -> None:
    ((said, place),) = problems(kind, written(tmp_path, good(kind).replace(",", separator)))
    assert (said, place) == (f"the columns are separated by {name}, not commas", "line 1")


@ALL
def test_a_quotation_mark_left_open_spoils_its_own_line_only(tmp_path: Path, kind: str) -> None:
    _, header, line = KINDS[kind]
    found = problems(kind, written(tmp_path, f'{header}\n"{line}\n{line}\nx"y,"z" \n'))
    assert [(what[:27], place) for what, place in found if "cannot be read" in what] == [
        ("the line cannot be read: un", "line 2"),
        ("the line cannot be read: ',", "line 4"),
    ]


@ALL
def test_every_line_with_cells_too_few_or_too_many_is_named(tmp_path: Path, kind: str) -> None:
    _, header, line = KINDS[kind]
    found = problems(kind, written(tmp_path, f"{header}\n{line},x\n{line}\n{line.rpartition(',')[0]}\n"))
    assert [place for what, place in found if "columns where the header has" in what] == ["line 2", "line 4"]


@ALL
@pytest.mark.parametrize(
    ("sign", "code"),
    [
        ("\0", "U+0000"),
        ("\x1b", "U+001B"),
        ("\x7f", "U+007F"),
        ("\u202e", "U+202E"),
        ("\u2066", "U+2066"),
        ("\u200f", "U+200F"),
        ("\u200b", "U+200B"),
        ("\u2028", "U+2028"),
        ("\ufeff", "U+FEFF"),
    ],
)
def test_what_cannot_be_seen_is_refused_and_named(tmp_path: Path, kind: str, sign: str, code: str) -> None:
    _, header, line = KINDS[kind]
    cells = line.split(",")
    cells[-1] = cells[-1][:1] + sign + cells[-1][1:]
    name = header.split(",")[-1]
    found = problems(kind, written(tmp_path, f"{header}\n{','.join(cells)}\n"))
    assert (f"{name} holds a character that cannot be seen ({code})", f"line 2, {name}") in found


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("start", ["=1+2", "+84", "-1", "@SUM(A1)", "＝1", " =1"])
def test_what_a_spreadsheet_takes_for_a_formula_is_no_text(tmp_path: Path, kind: str, start: str) -> None:
    content = good(kind).replace(TEXTS[kind], start)
    ((what, place),) = problems(kind, written(tmp_path, content))
    assert "takes for a formula" in what and place.startswith("line 2, ")


@pytest.mark.parametrize("kind", TEXTS)
def test_a_text_has_an_end(tmp_path: Path, kind: str) -> None:
    (what, _), *_ = problems(kind, written(tmp_path, good(kind).replace(TEXTS[kind], "a" * 401, 1)))
    assert what == "the text has 401 characters"


# ---- bounds


@ALL
def test_a_line_beyond_the_bound_is_named_and_not_split(tmp_path: Path, kind: str) -> None:
    _, header, line = KINDS[kind]
    found = problems(kind, written(tmp_path, f"{header}\n{line}\n{'x,' * 400_000}\n"))
    assert found == [("the line has 800000 characters", "line 3")]


BOUNDS = {
    "register": register.MAXIMUM_BYTES,
    "centres": province.MAXIMUM_BYTES,
    "fields": province.MAXIMUM_BYTES,
    "frame": frame.MAXIMUM_BYTES,
    "references": reference.MAXIMUM_BYTES,
}


@ALL
def test_a_file_beyond_the_bound_is_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "table.csv"
    with open(path, "wb") as stream:
        stream.truncate(BOUNDS[kind] + 1)
    ((what, _),) = problems(kind, path)
    assert what == f"the file is larger than {BOUNDS[kind] // 1_000_000} MB"


@ALL
def test_a_source_without_end_is_given_up_at_the_bound(kind: str) -> None:
    ((what, place),) = problems(kind, Path("/dev/zero"))
    assert "larger than" in what and place == "/dev/zero"


def test_a_pipe_is_read_to_its_end_and_no_further_than_the_bound(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    for content, taken in ((good("fields").encode(), True), (b"x" * 3_000_000, False)):
        writer = threading.Thread(target=_pour, args=(path, content))
        writer.start()
        if taken:
            assert read_file(path, 1_000_000).content == content
        else:
            with pytest.raises(TableError, match="larger than 1 MB"):
                read_file(path, 1_000_000)
        writer.join()


def _pour(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except BrokenPipeError:
        assert len(content) > 1_000_000, "the reader went away early"


@ALL
def test_a_folder_and_a_missing_file_are_refused(tmp_path: Path, kind: str) -> None:
    ((folder, _),) = problems(kind, tmp_path)
    ((missing, _),) = problems(kind, tmp_path / "none.csv")
    assert (folder, missing) == (
        "the file cannot be read: Is a directory",
        "the file cannot be read: No such file or directory",
    )


def test_ten_thousand_bad_lines_are_counted_and_the_first_named(tmp_path: Path) -> None:
    found = problems("fields", written(tmp_path, "code,vi,en,source\n" + "Ấ,a,b,ours\n" * 10_000))
    assert len(found) == MAX_PROBLEMS + 1
    assert found[0][1] == "line 2, code" and found[-1][0] == f"{10_000 - MAX_PROBLEMS} further faults are not listed"


IMPORT: dict[str, tuple[str, ...]] = {
    "register": ("register", "import"),
    "centres": ("centre", "import"),
    "fields": ("field", "import"),
    "references": ("reference", "import"),
    "frame": (
        "wave", "create", "w2", "--form", "counter", "--months", "2026-11", "--title-vi", "M", "--title-en", "S",
        "--kind", "sample", "--frame",
    ),
}  # fmt: skip


@ALL
def test_a_command_given_a_bad_file_ends_with_2_and_leaves_the_store_as_it_was(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str]
) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    before = settings.store_path.read_bytes()
    _, header, line = KINDS[kind]
    path = written(tmp_path, f"{header}\n{line}\n{line},x\n")
    assert run(["--instance", str(settings.instance), *IMPORT[kind], str(path)]) == 2
    said = capfd.readouterr().err
    assert "line 3" in said and "remedy" in said
    assert settings.store_path.read_bytes() == before


def test_a_file_says_its_name_and_hash_and_hides_its_content() -> None:
    assert "secret" not in repr(table_file.TableFile("a.csv", b"secret"))
