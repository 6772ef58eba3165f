"""`sipas compare` on data files: differences between domains and between files, as the Python door has them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner

import analysis
from analysis import SurveyDesign
from analysis.commands.cli import INSTANCE_KEY
from analysis.commands.compare import compare
from analysis.comparison.comparing import compare as differences
from analysis.comparison.comparing import pairwise
from analysis.errors import AnalysisError

DESIGN = ("--weight", "w", "--stratum", "h", "--psu", "day")
NUMBERS = ("se", "ci_low", "ci_high", "df", "t", "p_value", "p_adjusted", "n")


def draw(seed: int, shift: float) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    n = 350
    stratum = rng.integers(1, 4, n)
    frame = pd.DataFrame({"h": stratum, "day": stratum * 10 + rng.integers(0, 6, n), "w": rng.uniform(1, 3, n)})
    frame["field"], frame["q1"] = rng.choice(["a", "b", "c"], n), rng.integers(1, 6, n)
    frame["minutes"] = rng.uniform(5, 50, n) + shift * (frame["field"] == "b") + rng.normal(0, 4, 40)[frame["day"]]
    return frame


@pytest.fixture
def waves(tmp_path: Path) -> tuple[Path, pd.DataFrame, pd.DataFrame]:
    first, second = draw(1, 6.0), draw(2, 9.0)
    first.to_parquet(tmp_path / "first.parquet")
    second.to_parquet(tmp_path / "second.parquet")
    return tmp_path, first, second


def run(folder: Path, *arguments: str) -> str:
    named = [str(folder / word) if (folder / word).is_file() else word for word in arguments]
    return CliRunner().invoke(compare, named, obj={INSTANCE_KEY: str(folder)}, catch_exceptions=False).output


def rows(folder: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(folder, *arguments, "--json"))["rows"]
    return found


def estimated(frame: pd.DataFrame, by: bool = True) -> analysis.Estimates:
    design = SurveyDesign(frame["w"].to_numpy(), frame["h"].to_numpy(), frame["day"].to_numpy())
    y = {"minutes": frame["minutes"], "q1": frame["q1"]}
    return analysis.mean(design, y, by=frame["field"].to_numpy() if by else None)


def same(found: list[dict[str, Any]], expected: Any) -> None:
    assert len(found) == expected.value.size
    for name in ("difference", *NUMBERS):
        want = np.broadcast_to(getattr(expected, "value" if name == "difference" else name), expected.value.shape)
        np.testing.assert_allclose([row[name] for row in found], want.ravel(), rtol=1e-9, err_msg=name)


ASKED = ("--variable", "minutes", "--variable", "q1", "--by", "field", *DESIGN)


def test_all_pairs_of_domains_with_holm(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    found = rows(waves[0], "first.parquet", *ASKED)
    same(found, pairwise(estimated(waves[1]), adjust="holm"))
    assert [(row["field a"], row["field b"]) for row in found[::2]] == [("a", "b"), ("a", "c"), ("b", "c")]


def test_each_domain_against_one_with_intervals_that_hold_together(
    waves: tuple[Path, pd.DataFrame, pd.DataFrame],
) -> None:
    how = ("--against", "b", "--adjust", "bh", "--simultaneous", "max_t", "--df", "design")
    found = rows(waves[0], "first.parquet", *ASKED, *how)
    design = SurveyDesign(*(waves[1][name].to_numpy() for name in ("w", "h", "day")))
    y = {"minutes": waves[1]["minutes"], "q1": waves[1]["q1"]}
    estimates = analysis.mean(design, y, by=waves[1]["field"].to_numpy(), df="design")
    same(found, pairwise(estimates, "b", adjust="bh", simultaneous="max_t", df="design"))
    assert {row["field b"] for row in found} == {"b"}


@pytest.mark.parametrize("overlap", ["labels", "none"])
def test_two_files_share_the_units_that_are_called_alike(
    waves: tuple[Path, pd.DataFrame, pd.DataFrame], overlap: Any
) -> None:
    found = rows(waves[0], "first.parquet", "second.parquet", *ASKED, "--overlap", overlap)
    same(found, differences(estimated(waves[1]), estimated(waves[2]), adjust="holm", overlap=overlap))
    assert [row["field"] for row in found[::2]] == ["a", "b", "c"]


def test_two_files_as_wholes_without_domains(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    found = rows(
        waves[0], "first.parquet", "second.parquet", "--variable", "minutes", "--psu", "day", "--adjust", "none"
    )
    designs = [SurveyDesign(np.ones(len(frame)), psu=frame["day"].to_numpy()) for frame in waves[1:]]
    a, b = (
        analysis.mean(design, {"minutes": frame["minutes"]}) for design, frame in zip(designs, waves[1:], strict=True)
    )
    same(found, differences(a, b))


def test_the_terminal_says_what_is_compared_and_how(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    lines = run(waves[0], "first.parquet", *ASKED).splitlines()
    assert lines[0] == (
        "differences in mean between field; 95 % intervals, each interval by itself; p_adjusted by Holm in each variable"
    )
    assert lines[1] == "design: 350 rows; weight w; strata h; units day"
    assert lines[2].split()[:5] == ["field", "a", "field", "b", "variable"]
    lines = run(waves[0], "first.parquet", "second.parquet", *ASKED).splitlines()
    assert lines[0].startswith("differences in mean, first.parquet − second.parquet; 95 % intervals")


def test_domains_that_only_one_file_has_are_named(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    waves[2].assign(field=waves[2]["field"].replace("c", "d")).to_parquet(waves[0] / "second.parquet")
    output = run(waves[0], "first.parquet", "second.parquet", *ASKED)
    assert "only in first.parquet: c" in output and "only in second.parquet: d" in output


def test_a_domain_is_named_by_its_words_too(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    frame = waves[1].assign(field=waves[1]["field"].map({"a": 1.0, "b": 2.0, "c": 3.0}))
    words = {"field": {1: "Đất đai", 2: "Hộ tịch", 3: "Y tế"}}
    pyreadstat.write_sav(frame, waves[0] / "own.sav", variable_value_labels=words)
    found = rows(waves[0], "own.sav", *ASKED, "--against", "Hộ tịch")
    assert [row["field a"] for row in found[::2]] == ["1 Đất đai", "3 Y tế"]
    assert found == rows(waves[0], "own.sav", *ASKED, "--against", "2")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("first.parquet", "--variable", "q1"), "domains to compare are not named"),
        (("first.parquet", "--variable", "q1", "--by", "field", "--against", "z"), "there is no domain 'z'"),
        (("first.parquet", "second.parquet", "--variable", "q1", "--against", "a"), "--against speaks of one file"),
        (("first.parquet", "--variable", "q1", "--by", "field", "--overlap", "none"), "--overlap speaks of two files"),
        (("first.parquet", "q4", "--variable", "q1"), "a data file is compared with a data file"),
        (("first.parquet", "second.parquet", "--item", "II.A1"), "--item is for two waves"),
        (("q3", "q4", "--by", "field"), "--by is for data files of your own"),
        (("q3",), "a wave is compared with a second wave"),
        (("q3", "first.parquet"), "a wave is compared with a second wave"),
        (("first.parquet", "--variable", "q1", "--by", "field", "--output", "x.txt"), "x.txt is none of"),
    ],
)
def test_what_cannot_be_compared_is_refused(
    waves: tuple[Path, pd.DataFrame, pd.DataFrame], arguments: tuple[str, ...], words: str
) -> None:
    with pytest.raises(AnalysisError, match=words) as caught:
        run(waves[0], *arguments)
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)


def test_a_table_of_differences_is_written(waves: tuple[Path, pd.DataFrame, pd.DataFrame]) -> None:
    path = waves[0] / "d.csv"
    assert run(waves[0], "first.parquet", *ASKED, "--output", str(path)) == f"written: {path}\n"
    table = pd.read_csv(path)
    assert list(table)[:4] == ["field a", "field b", "variable", "difference"] and len(table) == 6
    np.testing.assert_array_equal(table["p_adjusted"], pairwise(estimated(waves[1]), adjust="holm").p_adjusted.ravel())
