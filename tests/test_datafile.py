"""Data files of the analyst's own: every kind gives the same columns, and nothing doubtful is read in silence."""

import datetime
import decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pyreadstat
import pytest

from analysis.errors import AnalysisError
from analysis.files.datafile import FileFormat, matching
from analysis.files.opendata import SUFFIXES, open_data

N = 6
SEX = [1.0, 2.0, 2.0, 1.0, 9.0, np.nan]
SATISFIED = [5.0, 4.0, 99.0, 3.0, 1.0, np.nan]
WEIGHT = [1.5, 2.0, 1.0, 1.25, 1.0, 3.0]
CENTRE = ["00691", "00694", "00691", "TINH", "", "00694"]
DAYS = [datetime.date(2026, 10, day) for day in range(1, N + 1)]


def frame() -> pd.DataFrame:
    return pd.DataFrame({"sex": SEX, "q": SATISFIED, "w": WEIGHT, "centre": CENTRE, "day": DAYS})


def written(folder: Path, suffix: str) -> Path:
    """The same table as each kind of file has it; where the kind knows such, 9 and 99 are declared missing."""
    path = folder / f"own{suffix}"
    words = {"sex": {1: "Nam", 2: "Nữ", 9: "không nói"}}
    table = frame()
    if suffix == ".csv":
        table.to_csv(path, index=False)
    elif suffix == ".parquet":
        pq.write_table(pa.Table.from_pandas(table, preserve_index=False), path)
    elif suffix == ".por":
        pyreadstat.write_por(table, path)
    elif suffix == ".dta":
        table["q"] = table["q"].astype(object).where(table["q"] != 99, "a")
        pyreadstat.write_dta(table, path, variable_value_labels=words, missing_user_values={"q": ["a"]})
    else:
        ranges: Any = {"q": [99], "sex": [9]}
        pyreadstat.write_sav(
            table, path, compress=suffix == ".zsav", variable_value_labels=words, missing_ranges=ranges
        )
    return path


def read(path: Path, form: FileFormat | None = None) -> tuple[dict[str, list[Any]], dict[str, list[Any]]]:
    source = open_data(path, form)
    upper = path.suffix == ".por"
    names = {name: name.upper() if upper else name for name in ("sex", "q", "w", "centre", "day")}
    found = source.read([names["q"], names["w"]], [names["sex"], names["centre"], names["day"]])
    assert found.rows == N
    lower = {new: old for old, new in names.items()}
    return (
        {lower[name]: values.tolist() for name, values in found.numbers.items()},
        {lower[name]: values.tolist() for name, values in found.labels.items()},
    )


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_kind_of_file_gives_the_same_columns(tmp_path: Path, suffix: str) -> None:
    numbers, labels = read(written(tmp_path, suffix))
    declared = suffix in (".sav", ".zsav", ".dta")
    expected = [np.nan if declared and value == 99 else value for value in SATISFIED]
    np.testing.assert_array_equal(numbers["q"], expected)
    assert numbers["w"] == WEIGHT
    spoken_for = None if suffix in (".sav", ".zsav") else 9
    assert labels["sex"] == [1, 2, 2, 1, spoken_for, None] or suffix == ".csv"
    if suffix != ".parquet":
        assert labels["centre"] == ["00691", "00694", "00691", "TINH", None, "00694"]
    assert labels["day"] == [day.isoformat() for day in DAYS]


def test_words_of_codes_come_along(tmp_path: Path) -> None:
    for suffix in (".sav", ".dta"):
        found = open_data(written(tmp_path, suffix)).read(["q"], ["sex", "centre"])
        assert found.value_words["sex"] == {1: "Nam", 2: "Nữ", 9: "không nói"}
        assert found.value_words["centre"] == {}


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_whole_file_keeps_its_rows_and_columns(tmp_path: Path, suffix: str) -> None:
    source = open_data(written(tmp_path, suffix))
    table = source.whole()
    assert tuple(table.column_names) == source.names and table.num_rows == N
    name = "CENTRE" if suffix == ".por" else "centre"
    assert table.column(name).to_pylist()[0] == "00691"
    assert table.column("W" if suffix == ".por" else "w").to_pylist() == WEIGHT


# ---- CSV


def csv(folder: Path, content: str | bytes, form: FileFormat | None = None) -> Any:
    path = folder / "own.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return open_data(path, form)


def test_a_nought_before_a_code_keeps_it_a_label(tmp_path: Path) -> None:
    found = csv(tmp_path, "a,b,c\n007,1,-3\n12,20,0\n").read([], ["a", "b", "c"])
    assert found.labels["a"].tolist() == ["007", "12"]
    assert found.labels["b"].tolist() == [1, 20]
    assert found.labels["c"].tolist() == [-3, 0]


@pytest.mark.parametrize("form", [FileFormat("semicolon", "comma"), FileFormat("tab", "comma")])
@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf"])
def test_a_spreadsheet_of_the_continent_is_read_as_announced(tmp_path: Path, form: FileFormat, start: bytes) -> None:
    sign = b";" if form.separator == "semicolon" else b"\t"
    source = csv(tmp_path, start + b"a;w\r\n1;1,5\r\n;2\r\n".replace(b";", sign), form)
    found = source.read(["a", "w"], ["a"])
    np.testing.assert_array_equal(found.numbers["a"], [1, np.nan])
    assert found.numbers["w"].tolist() == [1.5, 2] and found.labels["a"].tolist() == [1, None]


def test_a_point_among_decimal_commas_is_not_guessed_at(tmp_path: Path) -> None:
    """1.500 may be one and a half or fifteen hundred."""
    found = csv(tmp_path, "w\n1,5\n1.500\n", FileFormat("semicolon", "comma")).read(["w"], [])
    assert found.numbers["w"].tolist() == ["1,5", "1.500"], "text, which every estimator refuses by its row"


@pytest.mark.parametrize(
    ("content", "what", "remedy"),
    [
        ("a;w\n1;2\n", "semicolons between the columns", "--separator semicolon"),
        ("a\tw\n1\t2\n", "tabs between the columns", "--separator tab"),
        ('a,w\n1,"1,5"\n', "'1,5' has a decimal comma", "--decimal comma"),
        ("a,a,w\n1,1,1\n", "columns come twice: a", "a name of its own"),
        ("a,,w\n1,1,1\n", "column 2 has no name", "give each column a name"),
        ("\0\0\0", "no table of text", "CSV"),
        ("\n \n", "the file is empty", "header"),
        ("a,w\n", "a header and no rows", "one row"),
    ],
)
def test_what_is_doubtful_is_refused_with_what_to_say(tmp_path: Path, content: str, what: str, remedy: str) -> None:
    with pytest.raises(AnalysisError) as caught:
        csv(tmp_path, content).read(["a", "w"], ["w"])
    (problem,) = caught.value.problems
    assert what in problem.what and remedy in problem.remedy and "own.csv" in problem.where


def test_what_programs_write_for_no_number_is_none(tmp_path: Path) -> None:
    blank = ("", "NA", ".", "NaN", "NULL", "#N/A")
    found = csv(tmp_path, "x,w\n" + "".join(f"{text},1\n" for text in blank) + "7,1\n").read(["x"], ["x"])
    assert np.isnan(found.numbers["x"][:-1]).all() and found.numbers["x"][-1] == 7
    assert found.labels["x"].tolist() == [None, None, ".", "NaN", "NULL", "#N/A", "7"]


def test_an_empty_column_is_a_column_without_numbers(tmp_path: Path) -> None:
    found = csv(tmp_path, "a,x\n1,\n2,\n").read(["x"], ["x"])
    assert np.isnan(found.numbers["x"]).all() and found.labels["x"].tolist() == [None, None]


def test_only_csv_has_a_separator(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="only CSV files have a separator"):
        open_data(written(tmp_path, ".parquet"), FileFormat("tab"))


# ---- Parquet


def test_decimals_dictionaries_nulls_and_moments_of_parquet(tmp_path: Path) -> None:
    moment = datetime.datetime(2026, 10, 1, 8, 30)
    table = pa.table(
        {
            "w": pa.array([decimal.Decimal("1.50"), None], pa.decimal128(10, 2)),
            "sex": pa.array(["Nam", None]).dictionary_encode(),
            "code": pa.array([3, 4], pa.int8()).dictionary_encode(),
            "q": pa.array([4, None], pa.int16()),
            "ok": pa.array([True, None]),
            "none": pa.nulls(2),
            "at": pa.array([moment, None], pa.timestamp("ns", "UTC")),
            "large": pa.array(["a", "b"], pa.large_string()),
        }
    )
    pq.write_table(table, tmp_path / "own.parquet")
    numbers = ["w", "q", "ok", "none", "code"]
    found = open_data(tmp_path / "own.parquet").read(numbers, ["sex", "q", "at", "large", "code"])
    np.testing.assert_array_equal(found.numbers["w"], [1.5, np.nan])
    np.testing.assert_array_equal(found.numbers["q"], [4, np.nan])
    np.testing.assert_array_equal(found.numbers["ok"], [1, np.nan])
    assert np.isnan(found.numbers["none"]).all() and found.numbers["code"].tolist() == [3, 4]
    assert found.labels["sex"].tolist() == ["Nam", None] and found.labels["q"].tolist() == [4, None]
    assert found.labels["at"].tolist() == ["2026-10-01T08:30:00+00:00", None]
    assert found.labels["code"].tolist() == [3, 4] and found.labels["large"].tolist() == ["a", "b"]


def test_a_nested_column_is_refused_only_where_it_is_asked_for(tmp_path: Path) -> None:
    pq.write_table(pa.table({"a": [1, 2], "list": [[1], [2]]}), tmp_path / "own.parquet")
    source = open_data(tmp_path / "own.parquet")
    assert source.read(["a"], []).rows == 2
    with pytest.raises(AnalysisError, match="neither a number nor a label"):
        source.read(["list"], [])


# ---- what is no file


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_a_broken_file_of_every_kind_is_refused_by_its_name(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"own{suffix}"
    path.write_bytes(bytes(range(256)) * 8)
    with pytest.raises(AnalysisError) as caught:
        open_data(path).read(["a"], [])
    assert all("own" in problem.where and problem.remedy for problem in caught.value.problems)


@pytest.mark.parametrize("suffix", [".sav", ".dta", ".parquet"])
def test_a_file_cut_short_is_refused(tmp_path: Path, suffix: str) -> None:
    path = written(tmp_path, suffix)
    content = path.read_bytes()
    for size in (1, len(content) // 3, len(content) - 40):
        path.write_bytes(content[:size])
        with pytest.raises(AnalysisError):
            open_data(path).read(["q", "w"], ["sex"])


@pytest.mark.parametrize(("name", "words"), [("own.xls", "end in .xls"), ("own", "end in nothing")])
def test_other_kinds_are_named(tmp_path: Path, name: str, words: str) -> None:
    (tmp_path / name).write_text("a\n1\n")
    with pytest.raises(AnalysisError, match=words):
        open_data(tmp_path / name)


# ---- names and patterns


def test_patterns_stand_for_columns_in_the_files_order(tmp_path: Path) -> None:
    source = csv(tmp_path, "q2,q1,x,q*\n1,1,1,1\n")
    assert matching(source, ["x", "q?"], "--variable") == ("x", "q2", "q1", "q*")
    assert matching(source, ["q*"], "--variable") == ("q*",), "a column that is called so comes first"


def test_every_name_that_is_not_there_is_named_with_the_nearest(tmp_path: Path) -> None:
    source = csv(tmp_path, "Satisfied,w\n1,1\n")
    with pytest.raises(AnalysisError) as caught:
        matching(source, ["satisfied", "zz*"], "--variable")
    first, second = caught.value.problems
    assert first.what == "there is no column 'satisfied'" and first.remedy.startswith("is it Satisfied?")
    assert second.what == "there is no column 'zz*'" and second.remedy.startswith("columns there are")
