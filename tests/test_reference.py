"""Published figures: every bad line named, the newest in force, earlier ones kept, covered by the audit."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from survey_app.model import Reference
from survey_app.reference import open_references, read_references
from survey_app.store import Store
from survey_app.table_file import TableError
from survey_app.verification import verify
from tests.ground import make_store, tamper

HEADER = "year,place,measure,value,series,label,source"
GOOD = "2024,national,index,83.94,2023-2026,S,báo chí"


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with make_store(tmp_path)[1] as made:
        yield made


def written(folder: Path, *lines: str) -> Path:
    path = folder / "published.csv"
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def figure(value: str, year: int = 2024, measure: str = "index", place: str = "national") -> Reference:
    return Reference(year, place, measure, value, "2023-2026", "S", "báo chí")


# ---- what comes with the program


def test_the_figures_shipped_are_national_labelled_and_of_three_series() -> None:
    shipped = read_references()
    index = {one.year: one.value for one in shipped if one.measure == "index"}
    assert index == {2019: "84.45", 2020: "85.48", 2021: "87.16", 2022: "80.08", 2023: "82.66", 2024: "83.94"}
    assert {one.place for one in shipped} == {"national"}
    assert {one.series: one.year for one in shipped} == {"2017": 2021, "2022": 2022, "2023-2026": 2024}
    assert {one.label for one in shipped} == {"S", "D"}, "none was read in the ministry's own publication"
    assert all("[" in one.source and one.source.isascii() is False for one in shipped)


# ---- a province's own


def test_a_figure_is_kept_as_it_was_published(tmp_path: Path) -> None:
    path = written(
        tmp_path, HEADER, GOOD, "2024,province,rank,9,2023-2026,V,QĐ", "2023,national,factor:II.A,83.00,a,S,b"
    )
    assert read_references(path) == (
        figure("83.94"),
        Reference(2024, "province", "rank", "9", "2023-2026", "V", "QĐ"),
        Reference(2023, "national", "factor:II.A", "83.00", "a", "S", "b"),
    )


BAD = [
    ("x,national,index,83.94,s,S,b", "year is 'x'", "year"),
    ("1999,national,index,83.94,s,S,b", "year is 1999", "year"),
    ("20244,national,index,83.94,s,S,b", "year is 20244", "year"),
    ("2024,xã,index,83.94,s,S,b", "unknown place 'xã'", "place"),
    ("2024,national,sipas,83.94,s,S,b", "the measure 'sipas' is not of the form agreed", "measure"),
    ("2024,national,factor:III.A,83.94,s,S,b", "the measure 'factor:III.A' is not of the form agreed", "measure"),
    ("2024,national,area:II,101,s,S,b", "value is 101", "value"),
    ("2024,national,area:II,-1,s,S,b", "value is '-1'", "value"),
    ("2024,national,area:II,83.94 %,s,S,b", "value is '83.94 %'", "value"),
    ('2024,national,area:II,"83,94",s,S,b', "value is '83,94'", "value"),
    ("2024,province,rank,9.5,s,S,b", "the rank is '9.5'", "value"),
    ("2024,province,rank,0,s,S,b", "the rank is '0'", "value"),
    ("2024,national,area:II,83.94,,S,b", "the text is empty", "series"),
    ("2024,national,area:II,83.94,s,X,b", "unknown label 'X'", "label"),
    ("2024,national,area:II,83.94,s,S,", "the text is empty", "source"),
]


@pytest.mark.parametrize(("line", "what", "column"), BAD, ids=[case[1] for case in BAD])
def test_a_bad_line_is_named(tmp_path: Path, line: str, what: str, column: str) -> None:
    with pytest.raises(TableError) as refused:
        read_references(written(tmp_path, HEADER, GOOD, line))
    assert [(problem.what, problem.where) for problem in refused.value.problems] == [
        (what, f"published.csv: line 3, {column}")
    ]


def test_a_figure_named_twice_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="national 2024 index comes twice"):
        read_references(written(tmp_path, HEADER, GOOD, GOOD.replace("83.94", "84")))


# ---- in the store


def test_the_newest_import_of_a_figure_is_in_force_and_the_earlier_stays(store: Store) -> None:
    store.import_references([figure("83.9"), figure("82.66", 2023), figure("9", measure="rank")], "first.csv", "a" * 64)
    store.import_references([figure("83.94")], "second.csv", "b" * 64)
    assert store.references() == (figure("82.66", 2023), figure("83.94"), figure("9", measure="rank"))
    assert sum(len(rows) for rows in store.reference_imports().values()) == 4


def test_an_import_is_in_the_audit(store: Store) -> None:
    file = open_references()
    store.import_references(read_references(file), file.name, file.sha256)
    (event,) = store.events(["references_imported"])
    assert (event.detail["source"], event.detail["sha256"], event.detail["rows"]) == (
        "references.csv", file.sha256, len(read_references()),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("UPDATE reference SET value = '99'", "reference rows of r.csv were changed, removed or inserted"),
        ("DELETE FROM reference", "reference rows of r.csv were changed, removed or inserted"),
        (
            "INSERT INTO reference VALUES (1, 2024, 'province', 'index', '99', 's', 'V', 'b')",
            "reference rows were inserted: the audit knows no such import",
        ),
    ],
)
def test_figures_changed_behind_our_back_are_named(store: Store, statement: str, what: str) -> None:
    store.import_references([figure("83.94")], "r.csv", "a" * 64)
    assert verify(store.settings) == ()
    tamper(store.settings, statement)
    assert what in [problem.what for problem in verify(store.settings)]


# ---- on the command line


def test_figures_are_imported_and_listed(store: Store, tmp_path: Path) -> None:
    def run(*arguments: str, code: int = 0) -> str:
        environment = {name: value for name, value in os.environ.items() if name != "SIPAS_INSTANCE"}
        command = [sys.executable, "-m", "survey_app", "--instance", str(store.settings.instance), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
        assert done.returncode == code, done.stderr
        return done.stderr if code else done.stdout

    assert run("reference", "list") == "none\n"
    assert run("reference", "import") == "imported 18 figures of 2019, 2020, 2021, 2022, 2023, 2024\n"
    assert run("reference", "import", str(written(tmp_path, HEADER, GOOD))) == "imported 1 figure of 2024\n"
    listed = json.loads(run("reference", "list", "--json"))
    assert len(listed) == 18 and set(listed[0]) == set(HEADER.split(","))
    assert "83.94" in run("reference", "list")
    assert "line 2, year" in run("reference", "import", str(written(tmp_path, HEADER, "x" + GOOD)), code=2)
    assert len(store.events(["references_imported"])) == 2
