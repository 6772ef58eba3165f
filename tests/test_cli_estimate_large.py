"""`sipas estimate --engine duckdb`: the same numbers as from memory, and what needs the rows in memory refused."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from analysis.commands.cli import INSTANCE_KEY, estimate
from analysis.errors import AnalysisError

DESIGN = ("--weight", "w", "--stratum", "h", "--psu", "day")


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(8)
    n = 800
    stratum = rng.integers(1, 4, n)
    frame = pd.DataFrame({"h": stratum, "day": stratum * 10 + rng.integers(0, 5, n), "w": rng.uniform(1, 3, n)})
    frame["sex"], frame["field"] = rng.integers(1, 3, n), rng.choice(["a", "b"], n)
    frame["q1"], frame["q2"], frame["minutes"] = rng.integers(1, 6, n), rng.integers(1, 6, n), rng.uniform(5, 50, n)
    frame.loc[:40, "q2"] = -3
    frame.loc[50:60, "minutes"] = np.nan
    path = tmp_path_factory.mktemp("large") / "own.parquet"
    frame.to_parquet(path, index=False)
    frame.to_csv(path.with_suffix(".csv"), index=False)
    return path


def run(path: Path, *arguments: str) -> str:
    obj = {INSTANCE_KEY: str(path.parent)}
    return CliRunner().invoke(estimate, (str(path), *arguments), obj=obj, catch_exceptions=False).output


ASKED = {
    "means of a pattern by two": ("--variable", "q?", "--missing", "-3", "--by", "field", "--by", "sex"),
    "share of codes": ("--statistic", "proportion", "--variable", "q2", "--of", "4", "--of", "5", "--missing", "-3"),
    "another interval": ("--statistic", "proportion", "--variable", "q1", "--of", "5", "--interval", "logit"),
    "total by one": ("--statistic", "total", "--variable", "minutes", "--by", "field", "--level", "90"),
    "ratio": ("--statistic", "ratio", "--variable", "minutes", "--denominator", "q1", "--df", "design"),
}


@pytest.mark.parametrize("asked", ASKED)
def test_duckdb_gives_what_memory_gives(own: Path, asked: str) -> None:
    found: list[list[dict[str, Any]]] = [
        json.loads(run(own, *ASKED[asked], *DESIGN, "--engine", engine, "--json"))["rows"]
        for engine in ("memory", "duckdb")
    ]
    assert len(found[0]) == len(found[1]) > 0
    for first, second in zip(*found, strict=True):
        assert list(first) == list(second)
        for name, value in first.items():
            if isinstance(value, float):
                assert second[name] == pytest.approx(value, rel=1e-9, abs=1e-12), name
            else:
                assert second[name] == value, name


def test_the_table_says_where_the_sums_were_formed(own: Path) -> None:
    output = run(own, "--variable", "minutes", *DESIGN, "--engine", "duckdb")
    assert "design: 800 rows on DuckDB; weight w; strata h; units day" in output


def test_everything_that_needs_the_rows_in_memory_is_refused_at_once(own: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("margin,label,total\nsex,1,5\nsex,2,5\n")
    arguments = ("--variable", "q1", "--statistic", "quantile", "--q", "0.5", "--rake", str(tmp_path / "t.csv"))
    with pytest.raises(AnalysisError) as caught:
        run(own.with_suffix(".csv"), *arguments, "--trim", "1", "2", "--engine", "duckdb")
    said = [problem.what for problem in caught.value.problems]
    assert said == [
        "the engine DuckDB reads Parquet",
        "a quantile needs the rows in memory",
        "the engine DuckDB needs a column of weights",
        "--rake, --trim needs the rows in memory",
    ]


def test_a_column_that_is_not_there_and_a_weight_of_nothing_are_named(own: Path, tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="there is no column 'q9'"):
        run(own, "--variable", "q9", *DESIGN, "--engine", "duckdb")
    pd.DataFrame({"w": [1.0, 0.0], "q": [1, 2], "p": [1, 2]}).to_parquet(tmp_path / "zero.parquet")
    with pytest.raises(AnalysisError, match="not positive"):
        run(tmp_path / "zero.parquet", "--variable", "q", "--weight", "w", "--psu", "p", "--engine", "duckdb")
