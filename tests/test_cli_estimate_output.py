"""What `sipas estimate` writes: tables in three kinds of file, pictures, nothing half-written, no formulas."""

import json
import os
import resource
import subprocess
import sys
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from analysis.commands.cli import INSTANCE_KEY, estimate
from analysis.errors import AnalysisError
from analysis.files.tablefile import MOST_ROWS, write_table
from analysis.wave.output import FORMULA
from tests.extracts import many, write

SHEET = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
SVG = "{http://www.w3.org/2000/svg}"
DESIGN = ("--weight", "w", "--psu", "day")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(2)
    n = 300
    frame = pd.DataFrame({"day": rng.integers(0, 20, n), "w": rng.uniform(1, 3, n), "q1": rng.integers(1, 6, n)})
    frame["minutes"], frame["field"] = rng.uniform(5, 60, n), rng.choice(["=đất đai", "hộ tịch", "y tế"], n)
    path = tmp_path_factory.mktemp("own") / "answers.csv"
    frame.to_csv(path, index=False)
    return path


def run(path: Path, *arguments: str) -> str:
    obj = {INSTANCE_KEY: str(path.parent)}
    return CliRunner().invoke(estimate, (str(path), *arguments), obj=obj, catch_exceptions=False).output


def sheet(content: bytes, number: int = 1) -> list[list[Any]]:
    """A sheet as a spreadsheet has it: numbers where cells are numbers, text where they are text; a formula is an error."""
    with zipfile.ZipFile(BytesIO(content)) as book:
        shared = ElementTree.fromstring(book.read("xl/sharedStrings.xml"))
        strings = ["".join(part.text or "" for part in item.iter(f"{SHEET}t")) for item in shared]
        root = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
        names = book.namelist()
    assert not list(root.iter(f"{SHEET}f")) and not list(root.iter(f"{SHEET}hyperlink"))
    assert not any("external" in name or name.endswith(".rels") and "sheet" in name for name in names)
    rows = []
    for row in root.iter(f"{SHEET}row"):
        cells: list[Any] = []
        for cell in row:
            value = cell.find(f"{SHEET}v")
            text = value.text if value is not None else None
            cells.append(strings[int(text)] if cell.get("t") == "s" and text else None if text is None else float(text))
        rows.append(cells)
    return rows


# ---- tables


def test_the_three_kinds_of_table_hold_the_same(own: Path, tmp_path: Path) -> None:
    asked = ("--variable", "minutes", "--variable", "q1", "--by", "field", *DESIGN)
    printed = json.loads(run(own, *asked, "--json"))
    paths = {suffix: tmp_path / f"table.{suffix}" for suffix in ("csv", "parquet", "xlsx")}
    for path in paths.values():
        assert run(own, *asked, "--output", str(path)) == f"written: {path}\n"
    expected = [list(row.values()) for row in printed["rows"]]
    header = list(printed["rows"][0])
    parquet = pq.read_table(paths["parquet"])
    assert parquet.column_names == header
    assert [list(row.values()) for row in parquet.to_pylist()] == expected
    book = sheet(paths["xlsx"].read_bytes())
    assert book[0] == header
    for row, want in zip(book[1:], expected, strict=True):
        assert row[0] == want[0] and row[2:10] == pytest.approx(want[2:10], rel=1e-14)
    table = pd.read_csv(paths["csv"])
    assert list(table) == header and table["field"][0] == "'=đất đai"
    np.testing.assert_array_equal(table["value"], [row[2] for row in expected])
    assert sorted(file.name for file in tmp_path.iterdir()) == ["table.csv", "table.parquet", "table.xlsx"]


def test_a_table_says_what_it_rests_on(own: Path, tmp_path: Path) -> None:
    run(own, "--variable", "minutes", *DESIGN, "--output", str(tmp_path / "t.parquet"))
    run(own, "--variable", "minutes", *DESIGN, "--output", str(tmp_path / "t.xlsx"))
    about = json.loads(pq.read_schema(tmp_path / "t.parquet").metadata[b"about"])
    assert about["data"] == "answers.csv" and about["statistic"] == "mean" and about["level"] == 95
    said = {row[0]: row[1] for row in sheet((tmp_path / "t.xlsx").read_bytes(), 2)}
    assert said["data"] == "answers.csv" and said["level"] == 95 and "weight w; units day" in said["design"]


def test_the_same_table_is_the_same_workbook(own: Path, tmp_path: Path) -> None:
    for name in ("a.xlsx", "b.xlsx"):
        run(own, "--variable", "minutes", "--output", str(tmp_path / name))
    assert (tmp_path / "a.xlsx").read_bytes() == (tmp_path / "b.xlsx").read_bytes()


def test_a_wave_is_written_as_a_workbook_too(tmp_path: Path) -> None:
    extract = write(tmp_path / "w1", *many(900, centres=5, fields=4), wave="w1", simulated=True)
    run(extract, "--output", str(tmp_path / "scores.xlsx"))
    rows = sheet((tmp_path / "scores.xlsx").read_bytes())
    assert rows[0][:5] == ["wave", "domain_kind", "domain", "label", "measure"]
    assert all("SIMULATED" in row[-1] for row in rows[1:])


WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
CELLS = WORDS | st.tuples(st.sampled_from(FORMULA), WORDS).map("".join)
NUMBERS = st.floats(-1e300, 1e300) | st.integers(-(2**53), 2**53)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(st.lists(st.tuples(CELLS, NUMBERS), min_size=1, max_size=6), CELLS)
@example([('=HYPERLINK("http://x")', -5.0), ("https://x", 1), ("+84", 2), ("@x", 3), ("\t=1", 4), ("123", 5)], "=a")
def test_no_cell_of_a_workbook_is_a_formula_and_numbers_stay_numbers(
    tmp_path: Path, rows: list[tuple[str, float]], name: str
) -> None:
    path = tmp_path / "x.xlsx"
    write_table(path, (name, "value"), rows, {name: name, "said": [name]})
    found = sheet(path.read_bytes())
    assert all(isinstance(cell, str) or cell is None for row in found for cell in row[:1])
    assert [row[-1] for row in found[1:]] == [pytest.approx(float(number), rel=1e-15) for _, number in rows]
    for row, (text, _) in zip(found[1:], rows, strict=True):
        if text.isprintable() and text:
            assert row[0] == text


def test_more_rows_than_a_sheet_holds_are_refused(tmp_path: Path) -> None:
    class Many(list[Any]):
        def __len__(self) -> int:
            return MOST_ROWS

    with pytest.raises(AnalysisError, match="more than a sheet holds"):
        write_table(tmp_path / "x.xlsx", ("a",), Many(), {})
    assert list(tmp_path.iterdir()) == []


# ---- pictures


def words_of(svg: str) -> str:
    root = ElementTree.fromstring(svg)
    return " ".join("".join(node.itertext()) for node in root.iter() if node.tag in (f"{SVG}text", f"{SVG}tspan"))


def test_a_picture_has_real_text_a_title_and_a_description(own: Path, tmp_path: Path) -> None:
    path = tmp_path / "p.svg"
    assert run(own, "--variable", "minutes", "--by", "field", *DESIGN, "--plot", str(path)) == f"written: {path}\n"
    svg = path.read_text(encoding="utf-8")
    root = ElementTree.fromstring(svg)
    rows = json.loads(run(own, "--variable", "minutes", "--by", "field", *DESIGN, "--json"))["rows"]
    low, high = min(rows, key=lambda row: row["value"]), max(rows, key=lambda row: row["value"])
    title, described = root.findtext(f"{SVG}title") or "", root.findtext(f"{SVG}desc") or ""
    assert title.startswith("Mean of minutes by field: from ")
    assert f"{low['value']:.1f} ({low['field']})" in title and f"{high['value']:.1f} ({high['field']})" in title
    seen = words_of(svg)
    for row in rows:
        assert row["field"] in seen and str(row["n"]) in seen
        assert f"{row['value']:.1f} ({row['ci_low']:.1f} to {row['ci_high']:.1f})" in seen
        assert f"{row['value']:.1f}" in described
    assert "95 % intervals (t)" in seen and "the scale need not begin at 0" in seen
    order = [seen.index(row["field"], seen.index("n_eff")) for row in sorted(rows, key=lambda row: -row["value"])]
    assert order == sorted(order), "sorted by value"


def test_a_share_never_leaves_its_scale_and_png_is_one(own: Path, tmp_path: Path) -> None:
    asked = (
        "--variable",
        "q1",
        "--statistic",
        "proportion",
        "--of",
        "1",
        "--of",
        "2",
        "--of",
        "3",
        "--of",
        "4",
        "--of",
        "5",
    )
    run(own, *asked, "--by", "field", "--plot", str(tmp_path / "p.svg"))
    ticks = [
        float(word) for word in words_of((tmp_path / "p.svg").read_text(encoding="utf-8")).split() if _number(word)
    ]
    assert max(tick for tick in ticks if tick < 5) <= 1.0
    run(own, *asked, "--plot", str(tmp_path / "p.png"))
    assert (tmp_path / "p.png").read_bytes().startswith(b"\x89PNG")


def _number(word: str) -> bool:
    try:
        return bool(np.isfinite(float(word)))
    except ValueError:
        return False


def test_several_columns_are_small_groups_on_one_scale(own: Path, tmp_path: Path) -> None:
    run(own, "--variable", "minutes", "--variable", "q1", "--by", "field", "--plot", str(tmp_path / "p.svg"))
    seen = words_of((tmp_path / "p.svg").read_text(encoding="utf-8"))
    assert "Mean of 2 columns by field" in seen and "minutes" in seen and "q1" in seen


def test_a_wave_is_drawn_as_it_may_be_published(tmp_path: Path) -> None:
    extract = write(tmp_path / "w1", *many(900, centres=5, fields=4), wave="w1", simulated=True)
    run(extract, "--plot", str(tmp_path / "p.svg"))
    seen = words_of((tmp_path / "p.svg").read_text(encoding="utf-8"))
    assert "SIMULATED" in seen and "85" in seen and "không thay thế" in seen and "Đất đai" in seen


def test_too_many_rows_to_draw_are_refused_and_nothing_is_written(tmp_path: Path) -> None:
    pd.DataFrame({"x": range(700), "g": [n // 2 for n in range(700)]}).to_csv(tmp_path / "own.csv", index=False)
    with pytest.raises(AnalysisError, match="350 estimates are too many for a picture"):
        run(tmp_path / "own.csv", "--variable", "x", "--by", "g", "--plot", str(tmp_path / "p.svg"))
    assert [file.name for file in tmp_path.iterdir()] == ["own.csv"]


# ---- trouble


@pytest.mark.parametrize("name", ["table.csv", "table.parquet", "table.xlsx", "plot.svg", "plot.png"])
def test_on_a_full_disk_the_old_file_stays_and_nothing_is_left(own: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / name
    target.write_text("the old one")
    option = "--plot" if name.startswith("plot") else "--output"
    command = [sys.executable, "-m", "survey_app", "estimate", str(own), "--variable", "minutes", "--by", "field"]
    done = subprocess.run(
        [*command, option, str(target)],
        capture_output=True, text=True, check=False, env=os.environ | {"MPLCONFIGDIR": str(own.parent)},
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert "make room on the disk" in done.stderr and f"where: {target}" in done.stderr
    assert "Traceback" not in done.stderr
    assert target.read_text() == "the old one"
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_folder_that_is_not_there_is_made_and_goes_again_when_nothing_came_of_it(
    own: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(own, "--variable", "minutes", "--output", str(tmp_path / "new" / "deep" / "t.csv"))
    assert (tmp_path / "new" / "deep" / "t.csv").is_file()
    monkeypatch.setattr(
        "analysis.files.tablefile._workbook", lambda *_: (_ for _ in ()).throw(OSError(28, "No space left"))
    )
    with pytest.raises(OSError, match="No space"):
        run(own, "--variable", "minutes", "--output", str(tmp_path / "other" / "t.xlsx"))
    assert [file.name for file in tmp_path.iterdir()] == ["new"]


def test_a_picture_that_fails_keeps_nobody_from_the_table(own: Path, tmp_path: Path) -> None:
    """Both names are looked at before anything is computed."""
    with pytest.raises(AnalysisError, match="none of .svg"):
        run(own, "--variable", "minutes", "--output", str(tmp_path / "t.csv"), "--plot", str(tmp_path / "p.pdf"))
    assert list(tmp_path.iterdir()) == []


def test_nothing_is_said_of_progress_where_nobody_looks(own: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "survey_app", "estimate", str(own), "--variable", "minutes"],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stderr == ""


def test_on_a_terminal_a_step_that_takes_long_is_named_with_its_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    import io
    import time

    from analysis.commands import progress as cli_progress

    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setattr(cli_progress, "PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(cli_progress, "EVERY_SECONDS", 0.05)
    with cli_progress.Waiting() as step:
        step("reading answers.csv")
        time.sleep(0.3)
    assert "reading answers.csv, 0 s" in screen.getvalue()
    assert screen.getvalue().endswith("\r") and screen.getvalue().rstrip("\r").rsplit("\r", 1)[-1].strip() == ""
    quiet = Terminal()
    monkeypatch.setattr(sys, "stderr", quiet)
    monkeypatch.setattr(cli_progress, "PATIENCE_SECONDS", 5)
    with cli_progress.Waiting() as step:
        step("reading")
    assert quiet.getvalue() == ""
