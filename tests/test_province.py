"""Lists of centres and service fields: those shipped, and a province's own with every bad line named."""

import hashlib
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from survey_app.province import read_centres, read_fields
from survey_app.table_file import TableError

DATA = Path(__file__).parent.parent / "survey_app" / "data"


def written(folder: Path, text: str) -> Path:
    path = folder / "list.csv"
    path.write_text(text, encoding="utf-8")
    return path


def problems(read: Callable[[Path], object], path: Path) -> list[tuple[str, str]]:
    with pytest.raises(TableError) as caught:
        read(path)
    assert all(problem.remedy for problem in caught.value.problems)
    return [(problem.what, problem.where.removeprefix("list.csv: ")) for problem in caught.value.problems]


# ---- what comes with the program


def test_the_province_has_124_communes_and_its_own_centre() -> None:
    centres = read_centres()
    assert len(centres) == len({centre.code for centre in centres}) == 125
    assert [centre.code for centre in centres] == sorted(centre.code for centre in centres)
    assert [centre.code for centre in centres if centre.kind == "province"] == ["TINH"]
    names = [centre.full_name for centre in centres[:-1]]
    assert sum(name.startswith("Phường ") for name in names) == 7
    assert sum(name.startswith("Xã ") for name in names) == 117


def test_neighbours_stand_in_even_groups() -> None:
    groups: dict[str, list[str]] = {}
    for centre in read_centres():
        groups.setdefault(centre.group, []).append(centre.code)
    assert groups.pop("TINH") == ["TINH"]
    assert len(groups) == 21 and {len(codes) for codes in groups.values()} == {5, 6}
    assert [code for codes in groups.values() for code in codes] == sorted(
        code for codes in groups.values() for code in codes
    )


def test_the_list_of_communes_is_the_one_its_provenance_names() -> None:
    content = (DATA / "tuyenquang-communes.tsv").read_bytes()
    assert hashlib.sha256(content).hexdigest() in (DATA / "README.md").read_text(encoding="utf-8")


def test_the_fields_shipped_are_about_a_dozen_and_ours() -> None:
    fields = read_fields()
    assert 10 <= len(fields) <= 14
    assert len({field.label["vi"] for field in fields}) == len(fields)
    assert all(field.source.startswith("ours") and field.label["en"] for field in fields)
    assert not [field for field in fields if re.search(r"\b[A-ZĐ]{2,}\b", field.label["vi"])], "an abbreviation"


# ---- a province's own


@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("start", ["", "\ufeff"], ids=["", "byte order mark"])
def test_files_as_spreadsheets_write_them(tmp_path: Path, separator: str, start: str) -> None:
    text = start + "code,name,kind,group\r\n0102,An Tường,commune,b\r\n0101,Minh Xuân,commune,a\r\n\r\n"
    centres = read_centres(written(tmp_path, text.replace(",", separator)))
    assert [(centre.code, centre.full_name, centre.group) for centre in centres] == [
        ("0101", "Minh Xuân", "a"),
        ("0102", "An Tường", "b"),
    ]


def test_decomposed_letters_are_composed(tmp_path: Path) -> None:
    (centre,) = read_centres(written(tmp_path, "code,name\n1,Ha\u0300 Giang\n"))
    assert centre.name == "H\u00e0 Giang"


def test_without_groups_communes_are_grouped_by_code(tmp_path: Path) -> None:
    rows = "".join(f"c{number:02},Commune {number},commune\n" for number in range(13))
    centres = read_centres(written(tmp_path, "code,name,kind\n" + rows + "HUB,Hub,province\n"))
    sizes = {group: [c.group for c in centres].count(group) for group in {c.group for c in centres}}
    assert sizes == {"01": 5, "02": 4, "03": 4, "HUB": 1}


def test_fields_keep_the_order_of_the_file(tmp_path: Path) -> None:
    fields = read_fields(written(tmp_path, "code,vi,en,source\nb,Bê,Bee,ours\na,A,Ay,ours\n"))
    assert [(field.code, dict(field.label)) for field in fields] == [
        ("b", {"vi": "Bê", "en": "Bee"}),
        ("a", {"vi": "A", "en": "Ay"}),
    ]


CENTRE_CASES = [
    ("", "the file is empty", "list.csv"),
    ("code\n1\n", "the header lacks name", "line 1"),
    ("code,name,district\n1,a,b\n", "the header has the unknown column 'district'", "line 1"),
    ("code,name,name\n1,a,b\n", "the header has name twice", "line 1"),
    ("code,name\n", "the file has no centres", "list.csv"),
    ("code,name\n1,a\n2\n", "1 columns where the header has 2", "line 3"),
    ("code,name\n1,a\n1,b\n", "the code '1' comes twice", "line 3, code"),
    ("code,name\n1 2,a\n", "the code '1 2' is not of the form agreed", "line 2, code"),
    ("code,name\n1,\n", "the text is empty", "line 2, name"),
    ("code,name\n1,a\x08b\n", "name holds a character that cannot be seen (U+0008)", "line 2, name"),
    ('code,name\n1,"a\nb"\n', "the line cannot be read: unexpected end of data", "line 2"),
    ("code,name,kind\n1,a,district\n", "unknown kind 'district'", "line 2, kind"),
    ("code,name,group\n1,a,\n", "the text is empty", "line 2, group"),
    ('code,name\n1,"a"b\n', "the line cannot be read: ',' expected after '\"'", "line 2"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "what", "place"), CENTRE_CASES, ids=[case[1] for case in CENTRE_CASES])
def test_a_bad_line_of_centres_is_named(tmp_path: Path, text: str, what: str, place: str) -> None:
    assert (what, place) in problems(read_centres, written(tmp_path, text))


@pytest.mark.parametrize(
    ("line", "what", "place"),
    [
        ("Dat Dai,Đất đai,Land,ours", "the code 'Dat Dai' is not of the form agreed", "line 2, code"),
        ("đất-đai,Đất đai,Land,ours", "the code 'đất-đai' is not of the form agreed", "line 2, code"),
        ("dat-dai,Đất đai,,ours", "the text is empty", "line 2, en"),
        ("dat-dai,Đất đai,Land", "3 columns where the header has 4", "line 2"),
    ],
)
def test_a_bad_line_of_fields_is_named(tmp_path: Path, line: str, what: str, place: str) -> None:
    assert problems(read_fields, written(tmp_path, f"code,vi,en,source\n{line}\n")) == [(what, place)]


def test_every_bad_line_is_named_at_once(tmp_path: Path) -> None:
    text = "code,name\n1,a\n?,b\n3,\n4,d,e\n1,f\n"
    assert [place for _, place in problems(read_centres, written(tmp_path, text))] == [
        "line 3, code",
        "line 4, name",
        "line 5",
        "line 6, code",
    ]


def test_files_that_cannot_be_read(tmp_path: Path) -> None:
    assert problems(read_centres, tmp_path / "none.csv")[0][0] == "the file cannot be read: No such file or directory"
    path = tmp_path / "list.csv"
    path.write_bytes("code,name\n1,Hà Giang\n".encode("utf-16"))
    assert problems(read_fields, path)[0][0].startswith("the file is not UTF-8")
