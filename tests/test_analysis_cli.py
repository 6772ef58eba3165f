"""The commands weights, estimate and report: from a wave's name to files, whole or not at all."""

import csv
import json
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner, Result

from analysis.commands.cli import INSTANCE_KEY, estimate, report, weights
from analysis.commands.compare import compare
from analysis.errors import AnalysisError
from analysis.wave.quality import REASONS
from analysis.wave.rules import SAMPLE_SENTENCE, SENTENCE
from analysis.wave.wave_result import COLUMNS
from survey_app.cli import main
from survey_app.cli.context import INSTANCE_KEY as KEY_OF_THE_APP
from tests.extracts import many, write

TABLES = ("scores.csv", "scores_filed.csv", "scores_asked.csv")
SIDE = (
    "scores.about.json",
    "quality.json",
    "weights.parquet",
    "weights.json",
    "report.html",
    "scores.svg",
    "scores.png",
)


@pytest.fixture(scope="module")
def instance(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An instance with two waves; nothing in it but extracts, as the folders' names are all that is agreed on."""
    folder = tmp_path_factory.mktemp("instance")
    write(folder / "extracts" / "w1", *many(1500, centres=5, fields=4), wave="w1")
    write(folder / "extracts" / "sim", *many(900, centres=5, fields=4), wave="sim", simulated=True)
    return folder


def run(command: Any, *arguments: str, instance: Path) -> Result:
    return CliRunner().invoke(command, arguments, obj={INSTANCE_KEY: str(instance)}, catch_exceptions=False)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_both_packages_mean_the_same_key() -> None:
    assert INSTANCE_KEY == KEY_OF_THE_APP


# ---- report


@pytest.fixture(scope="module")
def reported(instance: Path) -> tuple[Path, str]:
    return instance / "reports" / "w1", run(report, "w1", instance=instance).output


def test_a_report_writes_everything_and_names_it(reported: tuple[Path, str]) -> None:
    folder, output = reported
    assert {*TABLES, *SIDE} <= {file.name for file in folder.iterdir()}
    for name in (*TABLES, *SIDE):
        assert name in output
    assert str(folder) in output
    assert [file for file in folder.parent.iterdir() if file.name.startswith(".")] == []


def test_the_terminal_gets_the_sentence_and_the_rules(reported: tuple[Path, str]) -> None:
    output = reported[1]
    assert SENTENCE["vi"] in output
    for word in ("top2", "pooled", "rake", "logit", "Korn-Graubard", "95 %", "dossiers"):
        assert word in output


def test_tables_have_the_published_columns_and_the_about_file_the_rules(reported: tuple[Path, str]) -> None:
    for name in TABLES:
        assert tuple(rows(reported[0] / name)[0]) == COLUMNS
    about = json.loads((reported[0] / "scores.about.json").read_text(encoding="utf-8"))
    assert about["notice"] == SENTENCE
    assert about["rules"]["item_method"] == "top2" and about["rules"]["weighting"] == "rake"
    assert about["simulated"] is False


def test_csv_numbers_read_back_exactly(reported: tuple[Path, str], instance: Path) -> None:
    printed = json.loads(run(estimate, "w1", "--json", instance=instance).output)["rows"]
    for row, expected in zip(rows(reported[0] / "scores.csv"), printed, strict=True):
        for name in ("value", "se", "ci_low", "ci_high", "df", "n", "responses", "dossiers"):
            assert (float(row[name]) if row[name] else None) == expected[name]


def test_a_second_report_gives_the_same_bytes(reported: tuple[Path, str], instance: Path, tmp_path: Path) -> None:
    run(report, "w1", "--output", str(tmp_path), instance=instance)
    for name in (*TABLES, "scores.about.json", "quality.json", "weights.parquet", "weights.json"):
        assert (tmp_path / name).read_bytes() == (reported[0] / name).read_bytes(), name


def test_a_simulated_wave_says_so_everywhere(instance: Path, tmp_path: Path) -> None:
    (instance / "simulations" / "sim").mkdir(parents=True, exist_ok=True)
    whole = {"all": 81.23456, "field": {}}
    truth = {"simulated": True, "wave": "sim", "model": "test", "seed": 1, "item_method": "top2", "roll_up": "pooled"}
    truth |= {"population": "dossiers", "dossiers": 10, "index": whole, "overall": whole}
    truth |= {"process": {"index": whole}}
    (instance / "simulations" / "sim" / "truth.json").write_text(json.dumps(truth))
    output = run(report, "sim", "--output", str(tmp_path), instance=instance).output
    words = "SIMULATED / DỮ LIỆU MÔ PHỎNG"
    assert words in output
    for name in TABLES:
        assert all(words in row["note"] for row in rows(tmp_path / name))
    for name in ("scores.about.json", "quality.json", "weights.json"):
        assert json.loads((tmp_path / name).read_text(encoding="utf-8"))["simulated"] == words
    assert "81,23" in (tmp_path / "report.html").read_text(encoding="utf-8")


def test_when_the_page_fails_the_old_report_stays_whole(
    reported: tuple[Path, str], instance: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = reported[0]
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def fail(*_: Any) -> None:
        raise RuntimeError("disk full")

    monkeypatch.setattr("analysis.report.write_report", fail)
    with pytest.raises(RuntimeError):
        run(report, "w1", "--item-method", "mean5", instance=instance)
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [file.name for file in folder.parent.iterdir() if file.name.startswith(".")] == []


def test_other_rules_are_said_to_be_other(instance: Path, tmp_path: Path) -> None:
    output = run(report, "w1", "--cells", "--roll-up", "item_mean", "--output", str(tmp_path), instance=instance).output
    assert "not the rules fixed before the wave opened: roll_up, method" in output
    assert "by the first rule: index" in output
    about = json.loads((tmp_path / "scores.about.json").read_text(encoding="utf-8"))
    assert [row["roll_up"] for row in about["first_rule"][:1]] == ["pooled"]
    assert {row["roll_up"] for row in rows(tmp_path / "scores.csv")} == {"item_mean"}


def test_json_is_the_tables_and_their_files(instance: Path, tmp_path: Path) -> None:
    found = json.loads(run(report, "w1", "--json", "--output", str(tmp_path), instance=instance).output)
    assert found["notice"] == SENTENCE
    assert all(Path(file).is_file() for file in found["files"])
    assert tuple(found["scores"][0]) == COLUMNS


# ---- weights


def test_weights_are_written_with_their_provenance(instance: Path, tmp_path: Path) -> None:
    output = run(weights, "w1", "--output", str(tmp_path / "new"), instance=instance).output
    assert "weights.parquet" in output and "deff_kish" in output
    table = pq.read_table(tmp_path / "new" / "weights.parquet").to_pydict()
    words = json.loads((tmp_path / "new" / "weights.json").read_text(encoding="utf-8"))
    assert sum(table["weight"]) == pytest.approx(words["diagnostics"]["dossiers"])
    assert words["provenance"]["method"] == "rake"
    assert len(words["provenance"]["extract"]["manifest_sha256"]) == 64


def test_cells_and_minimum_reach_the_weights(instance: Path, tmp_path: Path) -> None:
    arguments = ("w1", "--cells", "--minimum", "60", "--json", "--output", str(tmp_path))
    found = json.loads(run(weights, *arguments, instance=instance).output)
    assert found["provenance"]["method"] == "cells" and found["provenance"]["options"]["minimum"] == 60
    assert all(sum(joining["responses"]) >= 60 for joining in found["joinings"])


def test_a_path_finds_its_own_instance(instance: Path, tmp_path: Path) -> None:
    (path,) = (instance / "extracts" / "w1").iterdir()
    run(weights, str(path), instance=tmp_path / "elsewhere")
    assert (instance / "reports" / "w1" / "weights.json").is_file()


def test_a_register_file_may_be_given(instance: Path, tmp_path: Path) -> None:
    lines = [
        f"C00{c},{f},2026-10,9,9,9" for c in range(1, 6) for f in ("chung-thuc", "dat-dai", "ho-tich", "kinh-doanh")
    ]
    (tmp_path / "r.csv").write_text("\n".join(["centre,field,month,received,resolved,on_time", *lines]))
    found = run(
        weights, "w1", "--register", str(tmp_path / "r.csv"), "--json", "--output", str(tmp_path), instance=instance
    )
    words = json.loads(found.output)
    assert words["diagnostics"]["dossiers"] == 180 and words["online_included"]
    assert words["provenance"]["register"]["source"] == "r.csv"


# ---- estimate


def test_estimates_of_a_wave_as_a_table_and_a_file(instance: Path, tmp_path: Path) -> None:
    output = run(estimate, "w1", instance=instance).output
    assert SENTENCE["vi"] in output
    assert re.search(r"^chung-thuc +index +\d\d\.\d\d ", output, re.MULTILINE)
    run(estimate, "w1", "--output", str(tmp_path / "x.csv"), instance=instance)
    assert tuple(rows(tmp_path / "x.csv")[0]) == COLUMNS
    assert json.loads((tmp_path / "x.about.json").read_text(encoding="utf-8"))["notice"] == SENTENCE
    assert sorted(file.name for file in tmp_path.iterdir()) == ["x.about.json", "x.csv"]


@pytest.fixture
def data(tmp_path: Path) -> pd.DataFrame:
    rng = np.random.default_rng(5)
    stratum = rng.integers(0, 3, 300)
    frame = pd.DataFrame({"h": stratum, "day": stratum * 10 + rng.integers(0, 5, 300), "w": rng.uniform(1, 3, 300)})
    frame["ok"], frame["minutes"] = rng.integers(0, 2, 300), rng.uniform(5, 50, 300)
    frame["where"] = rng.choice(["=town", "village"], 300)
    frame.loc[:9, "minutes"] = np.nan
    frame.to_csv(tmp_path / "own.csv", index=False)
    frame.to_parquet(tmp_path / "own.parquet")
    return frame


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_file_of_ones_own(data: pd.DataFrame, tmp_path: Path, suffix: str) -> None:
    design = ("--weight", "w", "--stratum", "h", "--psu", "day")
    arguments = (str(tmp_path / f"own.{suffix}"), "--variable", "minutes", "--by", "where", *design, "--json")
    found = json.loads(run(estimate, *arguments, instance=tmp_path).output)["rows"]
    for row in found:
        part = data[(data["where"] == row["where"]) & data["minutes"].notna()]
        assert row["n"] == len(part)
        assert row["value"] == pytest.approx(np.average(part["minutes"], weights=part["w"]))
    assert len(found) == 2


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--variable", "ok", "--statistic", "proportion"), lambda d: np.average(d["ok"], weights=d["w"])),
        (("--variable", "ok", "--statistic", "total"), lambda d: (d["ok"] * d["w"]).sum()),
        (
            ("--variable", "ok", "--statistic", "ratio", "--denominator", "day"),
            lambda d: (d["ok"] * d["w"]).sum() / (d["day"] * d["w"]).sum(),
        ),
    ],
)
def test_other_statistics(data: pd.DataFrame, tmp_path: Path, arguments: tuple[str, ...], expected: Any) -> None:
    found = json.loads(
        run(estimate, str(tmp_path / "own.csv"), *arguments, "--weight", "w", "--json", instance=tmp_path).output
    )
    assert found["rows"][0]["value"] == pytest.approx(expected(data))


def test_a_table_of_ones_own_is_no_formula(data: pd.DataFrame, tmp_path: Path) -> None:
    arguments = (str(tmp_path / "own.csv"), "--variable", "ok", "--by", "where", "--output", str(tmp_path / "out.csv"))
    assert "written:" in run(estimate, *arguments, instance=tmp_path).output
    assert [row["where"] for row in rows(tmp_path / "out.csv")] == ["'=town", "village"]
    assert {"own.csv", "own.parquet", "out.csv"} == {file.name for file in tmp_path.iterdir()}


# ---- errors and start-up


@pytest.mark.parametrize(
    ("command", "arguments", "words"),
    [
        (report, ("nowhere",), "sipas extract nowhere"),
        (weights, ("no/such/folder",), "there is no such folder"),
        (estimate, ("missing.csv", "--variable", "x"), "there is no such file"),
        (estimate, ("missing.csv", "--variable", "x", "--cells"), "--cells is for a wave"),
        (estimate, ("nowhere", "--level", "90"), "--level is for a data file"),
    ],
)
def test_errors_say_what_where_and_what_to_do(
    command: Any, arguments: tuple[str, ...], words: str, tmp_path: Path
) -> None:
    with pytest.raises(AnalysisError, match=words) as caught:
        run(command, *arguments, instance=tmp_path)
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)


def test_every_missing_column_is_named(data: pd.DataFrame, tmp_path: Path) -> None:
    with pytest.raises(AnalysisError) as caught:
        run(estimate, str(tmp_path / "own.csv"), "--variable", "a", "--by", "b", "--weight", "w", instance=tmp_path)
    assert ["'a'" in p.what or "'b'" in p.what for p in caught.value.problems] == [True, True]
    with pytest.raises(AnalysisError, match="no variable is named"):
        run(estimate, str(tmp_path / "own.csv"), instance=tmp_path)


def test_a_register_that_is_none_is_refused(instance: Path, tmp_path: Path) -> None:
    pd.DataFrame({"centre": ["c"]}).to_parquet(tmp_path / "short.parquet")
    (tmp_path / "broken.parquet").write_bytes(b"no parquet")
    for name, words in (
        ("missing.csv", "the register cannot be read: No such file"),
        ("broken.parquet", "cannot be read as Parquet"),
        ("short.parquet", "columns are missing: field, month, received, resolved, on_time"),
    ):
        with pytest.raises(AnalysisError, match=words):
            run(weights, "w1", "--register", str(tmp_path / name), instance=instance)


def test_a_problem_in_a_file_of_ones_own_is_told_by_its_columns(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("a,w\n1,1\n2,0\n")
    with pytest.raises(AnalysisError, match=r"own\.csv, column w, row 1 \(the first under the header is 0\)"):
        run(estimate, str(tmp_path / "own.csv"), "--variable", "a", "--weight", "w", instance=tmp_path)
    (tmp_path / "own.csv").write_text("a,w\n")
    with pytest.raises(AnalysisError, match="no rows"):
        run(estimate, str(tmp_path / "own.csv"), "--variable", "a", instance=tmp_path)


@pytest.mark.parametrize(
    ("content", "what", "where"),
    [
        (b'a,w\n2,1\n"1,5",1\n', "'1,5' has a decimal comma", "column a, row 1"),
        (b'a,w\n2,"1.234,5"\n', "'1.234,5' has a decimal comma", "column w, row 0"),
        (b"a,w\n,1\nabc,1\n", "'abc' is not a number", "column a, row 1"),
        (b"", "the file is empty", ""),
        (b"\n\n", "the file is empty", ""),
        (b"a,w\n\xff,1\n", "the file is not in UTF-8", ""),
    ],
)
def test_a_file_of_ones_own_is_refused_in_plain_words(content: bytes, what: str, where: str, tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(content)
    with pytest.raises(AnalysisError) as caught:
        run(estimate, str(tmp_path / "own.csv"), "--variable", "a", "--weight", "w", instance=tmp_path)
    (problem,) = caught.value.problems
    assert problem.what == what and where in problem.where and problem.remedy


def test_parquet_is_read_without_threads_that_could_abort_the_end_of_the_program(tmp_path: Path) -> None:
    pd.DataFrame({"a": range(1000), "b": range(1000)}).to_parquet(tmp_path / "own.parquet")
    code = (
        "import os, pathlib, sys; import pyarrow.parquet; from analysis.files.parquet import read_parquet;"
        "before = len(os.listdir('/proc/self/task')); read_parquet(pathlib.Path(sys.argv[1]).read_bytes());"
        "print(len(os.listdir('/proc/self/task')) - before)"
    )
    command = [sys.executable, "-c", code, str(tmp_path / "own.parquet")]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "0\n"


def test_what_the_system_refuses_ends_with_exit_code_2(
    instance: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    arguments = ["sipas", "--instance", str(instance), "estimate", "w1", "--output", str(tmp_path / "file" / "w1.csv")]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert f"where: {tmp_path / 'file'}" in capsys.readouterr().err


def test_bad_input_ends_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sipas", "--instance", str(tmp_path), "report", "nowhere"])
    with pytest.raises(SystemExit) as caught:
        main()
    assert caught.value.code == 2
    assert "remedy: write one with: sipas extract nowhere" in capsys.readouterr().err


@pytest.mark.parametrize("command", [weights, estimate, report, compare])
def test_help_shows_an_example(command: Any, tmp_path: Path) -> None:
    assert "Example: sipas" in run(command, "--help", instance=tmp_path).output


# ---- the page for analysts

PAGE = (Path(__file__).parent.parent / "docs" / "analyst.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("command", [weights, estimate, report, compare])
def test_every_option_is_documented(command: Any) -> None:
    assert [
        name for option in command.params for name in option.opts if name.startswith("--") and name not in PAGE
    ] == []


def test_every_column_word_and_reason_is_documented() -> None:
    words = (*COLUMNS, *REASONS, "above", "below", "cannot_tell", "unreliable", "confidential", "complementary")
    assert [word for word in words if f"`{word}`" not in PAGE] == []
    tokens = (
        "review",
        "wide_complement",
        "online_included",
        "counter_survey",
        "sample_survey",
        "own_estimate",
        "not_raked",
    )
    assert [token for token in tokens if f"`{token}`" not in PAGE] == []
    for sentence in (*SENTENCE.values(), *SAMPLE_SENTENCE.values()):
        assert sentence in PAGE
