"""What a command reads it never writes over, and what it cannot read it says in one sentence."""

from pathlib import Path

import pandas as pd
import pytest
from click.testing import CliRunner

from analysis import SurveyDesign, calibrate, mean, replicate
from analysis.commands.cli import estimate, weights
from analysis.commands.compare import compare
from analysis.errors import AnalysisError


@pytest.fixture
def survey(tmp_path: Path) -> Path:
    path = tmp_path / "answers.csv"
    frame = pd.DataFrame({"q": [1, 2, 3, 4] * 10, "w": 1.0, "h": [1, 2] * 20, "day": range(40)})
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize(
    ("command", "arguments"),
    [
        (estimate, ["--variable", "q"]),
        (compare, ["--variable", "q", "--by", "h"]),
    ],
)
def test_the_file_that_is_read_is_never_written_over(command, arguments, survey: Path) -> None:  # type: ignore[no-untyped-def]
    before = survey.read_bytes()
    twin = survey.parent / "." / survey.name
    result = CliRunner().invoke(command, [str(survey), *arguments, "--output", str(twin)], obj={})
    assert isinstance(result.exception, AnalysisError), result.output
    assert "this file is read" in str(result.exception)
    assert survey.read_bytes() == before


def test_a_totals_file_is_not_written_over_either(survey: Path) -> None:
    totals = survey.parent / "totals.csv"
    totals.write_text("margin,label,total\nh,1,50\nh,2,60\n")
    arguments = [str(survey), "--weight", "w", "--rake", str(totals), "--output", str(totals)]
    result = CliRunner().invoke(weights, arguments, obj={})
    assert isinstance(result.exception, AnalysisError)
    assert totals.read_text().startswith("margin")


def test_a_file_of_another_kind_is_named_as_such(survey: Path) -> None:
    sheet = survey.with_suffix(".xlsx")
    sheet.write_bytes(b"PK")
    result = CliRunner().invoke(estimate, [str(sheet), "--variable", "q", "--weight", "w"], obj={})
    assert isinstance(result.exception, AnalysisError)
    assert "no kind of file that can be read" in str(result.exception)
    assert ".csv" in str(result.exception)


def test_codes_that_were_counted_are_said(survey: Path) -> None:
    arguments = [
        str(survey),
        "--statistic",
        "proportion",
        "--variable",
        "q",
        "--of",
        "4",
        "--missing",
        "1",
        "--weight",
        "w",
    ]
    result = CliRunner().invoke(estimate, arguments, obj={})
    assert result.exit_code == 0, result.exception
    assert "codes counted: 4; codes missing: 1" in result.output


def test_calibrating_many_replicates_adds_no_degrees_of_freedom() -> None:
    rows = pd.DataFrame({"h": [i // 12 for i in range(24)], "psu": [i // 4 for i in range(24)], "sex": [0, 1] * 12})
    design = replicate(SurveyDesign([1.0] * 24, rows.h, rows.psu), "bootstrap", 100, seed=1)
    raked = calibrate(design, {"sex": rows.sex}, {"sex": {0: 13.0, 1: 11.0}}, method="raking")
    assert (design.df, raked.df) == (4, 4)


def test_a_name_without_a_table_is_told_from_a_wrong_array() -> None:
    design = SurveyDesign([1.0] * 4)
    for call in (lambda: mean(design, "q1"), lambda: mean(design, [1, 2, 3, 4], by="sex")):
        with pytest.raises(AnalysisError, match="is a name, and this design has its rows in arrays"):
            call()
