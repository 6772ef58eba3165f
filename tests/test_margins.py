"""Margins of residents: what the file may hold, and what each broken one gets."""

from pathlib import Path
from typing import Any

import pytest

from analysis.errors import AnalysisError
from analysis.files.csvfile import LONGEST_LINE
from analysis.wave.codebook import Codebook, parse_codebook
from analysis.wave.margins import Margins, read_margins
from tests.sample_extracts import sample_codebook

BOOK: Codebook = parse_codebook(sample_codebook("w"))
HEAD = b"margin,class,total\n"
GOOD = HEAD + b"SEX,1,400\nSEX,2,600\n"


def read(tmp_path: Path, content: bytes) -> Margins:
    path = tmp_path / "margins.csv"
    path.write_bytes(content)
    return read_margins(path, BOOK)


@pytest.mark.parametrize(
    "content",
    [
        GOOD,
        b"\xef\xbb\xbf" + GOOD,
        GOOD.replace(b"\n", b"\r\n"),
        GOOD + b"\n,,\n",
        b"total,note,margin,class\n400,x,SEX, 1\n600,,SEX,2 \n",
        HEAD + b'"SEX","1","400"\nSEX,2,600.0\n',
    ],
    ids=["plain", "BOM", "CRLF", "empty lines", "other order, more columns, blanks", "quoted, a decimal point"],
)
def test_what_a_spreadsheet_writes_is_read(tmp_path: Path, content: bytes) -> None:
    found = read(tmp_path, content)
    assert [(one.name, one.totals) for one in found.margins] == [("SEX", {"1": 400, "2": 600})]
    assert found.population == 1000 and found.scaled == {} and len(found.sha256) == 64


def test_classes_may_be_joined_and_strata_are_a_margin(tmp_path: Path) -> None:
    found = read(tmp_path, HEAD + b"AGE,1+2,30\nAGE,3,30\nAGE,4 + 5,40\nstratum,S1,60\nstratum,S2,40\n")
    age, stratum = found.margins
    assert age.codes == {"1+2": (1, 2), "3": (3,), "4+5": (4, 5)}
    assert age.texts["1+2"] == {"vi": "18–24 + 25–34", "en": "18–24 + 25–34"}
    assert stratum.totals == {"S1": 60, "S2": 40}


def test_margins_a_little_apart_are_scaled_to_the_first(tmp_path: Path) -> None:
    found = read(tmp_path, GOOD + b"PLACE,1,501.5\nPLACE,2,502.5\n")
    assert sum(found.margins[1].totals.values()) == pytest.approx(1000)
    assert found.scaled == {"PLACE": 1000 / 1004}


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n\n", "the file is empty"),
        (HEAD, "a header and no margins"),
        ("margin,class,total\nSEX,Nữ,400\n".encode("utf-16"), "not UTF-8"),
        ("margin,class,total\nSEX,Nữ,4\n".encode("cp1258", "replace"), "no option|not UTF-8"),
        (HEAD + b"SEX,1,4\x00\n", r"control character \(U\+0000\)"),
        (GOOD.replace(b",", b";"), "semicolons between the columns"),
        (GOOD.replace(b",", b"\t"), "tabs between the columns"),
        (b"margin,class\nSEX,1\n", "columns are missing: total"),
        (b"margin,class,total,total\nSEX,1,4,4\n", "columns come twice: total"),
        (HEAD + b"SEX,1,400,5\nSEX,2,600,5\n", "4 columns, the header has 3"),
        (HEAD + b"SEX,1\n", "2 columns, the header has 3"),
        (HEAD + b'SEX,1,"400,5"\n', "the total '400,5' is not a number"),
        (HEAD + b"SEX,1,1.000.000\n", "is not a number"),
        (HEAD + b"SEX,1,\n", "the total '' is not a number"),
        (HEAD + b"SEX,1,nan\n", "'nan' is not a number"),
        (HEAD + b"SEX,1,inf\n", "'inf' is not a number"),
        (HEAD + b"SEX,1,1e400\n", "is not a number"),
        (HEAD + b"SEX,1,-5\n", "'-5' is not a number"),
        (HEAD + b"SEX,1,0\n", "the total of SEX 1 is 0"),
        (HEAD + b"SEX,1,0.0\n", "the total of SEX 1 is 0"),
        (HEAD + b"SEX,1,4\nSEX,1,4\n", "class 1 of SEX comes a second time, after line 2"),
        (HEAD + b"AGE,1+2,4\nAGE,2,4\n", "class 2 of AGE comes a second time"),
        (HEAD + b"SHOE,1,4\n", "'SHOE' is no item of the form"),
        (HEAD + b"SEX,7,4\n", "SEX has no option 7"),
        (HEAD + b"AGE,1+9,4\n", "AGE has no option 9"),
        (HEAD + b",1,4\n", "without margin or class"),
        (HEAD + b"SEX,,4\n", "without margin or class"),
        (GOOD + b"PLACE,1,500\nPLACE,2,506\n", "SEX sums to 1000, PLACE to 1006"),
        (HEAD + b"SEX,1," + b"4" * LONGEST_LINE + b"\n", f"longer than {LONGEST_LINE} characters"),
        (HEAD + b'SEX,"1,4\n', "not CSV"),
    ],
)
def test_a_broken_file_is_refused_by_its_fault(tmp_path: Path, content: bytes, words: str) -> None:
    with pytest.raises(AnalysisError, match=words) as caught:
        read(tmp_path, content)
    for problem in caught.value.problems:
        assert problem.remedy and "margins.csv" in problem.where


def test_every_bad_line_is_listed(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as caught:
        read(tmp_path, HEAD + b"SEX,1,x\nSEX,9,4\nSEX,2,4\nSHOE,1,1\n")
    places = [problem.where.rpartition("line ")[2] for problem in caught.value.problems]
    assert places == ["2", "3", "5"]


@pytest.mark.parametrize("make", ["missing", "folder", "endless", "large"])
def test_a_path_that_is_no_file_to_read(tmp_path: Path, make: Any) -> None:
    path = {"missing": tmp_path / "no.csv", "folder": tmp_path, "endless": Path("/dev/zero")}.get(make)
    if path is None:
        path = tmp_path / "large.csv"
        path.write_bytes(HEAD + b"SEX,1,4\n" * 200_000)
    with pytest.raises(AnalysisError, match="cannot be read|larger than 1 MiB"):
        read_margins(path, BOOK)
