"""`sipas weights` on data files: the file again with final weights, whole or not at all, and what became of them."""

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pyreadstat
import pytest
from click.testing import CliRunner

from analysis import SurveyDesign, calibrate, mean, post_stratify, rake
from analysis.commands.cli import INSTANCE_KEY, estimate, weights
from analysis.errors import AnalysisError


@pytest.fixture
def data(tmp_path: Path) -> pd.DataFrame:
    rng = np.random.default_rng(4)
    n = 500
    frame = pd.DataFrame({"w": rng.uniform(1, 4, n), "sex": rng.integers(1, 3, n), "age": rng.integers(1, 5, n)})
    frame["centre"] = [f"{code:05d}" for code in rng.integers(690, 694, n)]
    frame["day"], frame["size"], frame["q"] = rng.integers(0, 30, n), rng.integers(1, 7, n), rng.integers(1, 6, n)
    frame["note"] = rng.choice(["=1+1", "", "tốt"], n)
    frame.to_csv(tmp_path / "own.csv", index=False)
    frame.to_parquet(tmp_path / "own.parquet", index=False)
    pyreadstat.write_sav(frame, tmp_path / "own.sav")
    totals = ["sex,1,5200", "sex,2,4800", "age,1,2500", "age,2+3,5000", "age,4,2500"]
    (tmp_path / "margins.csv").write_text("\n".join(["margin,label,total", *totals]))
    (tmp_path / "sexes.csv").write_text("margin,label,total\nsex,1,5200\nsex,2,4800\n")
    (tmp_path / "size.csv").write_text("margin,label,total\n*,,10000\nsize,,39000\n")
    return frame


def run(folder: Path, *arguments: str, command: Any = weights) -> str:
    obj = {INSTANCE_KEY: str(folder)}
    named = [str(folder / word) if (folder / word).is_file() or word.startswith("out") else word for word in arguments]
    return CliRunner().invoke(command, named, obj=obj, catch_exceptions=False).output


def raked(frame: pd.DataFrame) -> SurveyDesign:
    age = frame["age"].map({1: "1", 2: "2+3", 3: "2+3", 4: "4"}).to_numpy()
    margins: Any = {
        "sex": (frame["sex"].to_numpy(), {1: 5200, 2: 4800}),
        "age": (age, {"1": 2500, "2+3": 5000, "4": 2500}),
    }
    return rake(SurveyDesign(frame["w"].to_numpy(), psu=frame["day"].to_numpy()), margins)


@pytest.mark.parametrize("source", ["own.csv", "own.parquet", "own.sav"])
@pytest.mark.parametrize("target", ["out.parquet", "out.csv", "out.xlsx"])
def test_the_file_comes_back_whole_with_its_final_weights(
    data: pd.DataFrame, tmp_path: Path, source: str, target: str
) -> None:
    output = run(tmp_path, source, "--rake", "margins.csv", "--weight", "w", "--output", target)
    assert output.startswith(f"written: {tmp_path / target}\n")
    expected = raked(data).weight
    if target == "out.xlsx":
        return
    found = pq.read_table(tmp_path / target).to_pandas() if target == "out.parquet" else _read(tmp_path / target)
    assert list(found) == [*data, "final_weight"]
    np.testing.assert_allclose(found["final_weight"], expected, rtol=1e-12)
    np.testing.assert_allclose(found["w"], data["w"], rtol=1e-15)
    assert found["centre"].tolist() == data["centre"].tolist()
    if target == "out.csv":
        assert set(found["note"].dropna()) == {"'=1+1", "tốt"}
    assert not [file for file in tmp_path.iterdir() if file.name.startswith(".")]


def _read(path: Path) -> pd.DataFrame:
    return pd.read_csv(path, dtype={"centre": str})


def test_a_column_keeps_its_type_in_parquet(data: pd.DataFrame, tmp_path: Path) -> None:
    run(tmp_path, "own.parquet", "--rake", "margins.csv", "--weight", "w", "--output", "out.parquet")
    before, after = pq.read_schema(tmp_path / "own.parquet"), pq.read_schema(tmp_path / "out.parquet")
    assert [after.field(name).type for name in before.names] == [field.type for field in before]


def test_what_was_done_is_told_with_numbers(data: pd.DataFrame, tmp_path: Path) -> None:
    arguments = ("own.csv", "--rake", "margins.csv", "--weight", "w", "--psu", "day")
    found = json.loads(run(tmp_path, *arguments, "--json"))
    weight = raked(data).weight
    diagnostics = found["diagnostics"]
    assert diagnostics["sum"] == pytest.approx(10000) and diagnostics["sum_before"] == pytest.approx(data["w"].sum())
    assert diagnostics["deff_kish"] == pytest.approx(len(weight) * (weight**2).sum() / weight.sum() ** 2)
    assert diagnostics["largest"] == pytest.approx(weight.max())
    assert diagnostics["highest_factor"] == pytest.approx((weight / data["w"]).max())
    assert diagnostics["tolerance"] < 1e-9 and diagnostics["not_positive"] == 0
    joined = next(one for one in found["margins"] if one["label"] == "2+3")
    inside = data["age"].isin([2, 3])
    assert joined["rows"] == inside.sum() and joined["before"] == pytest.approx(data["w"][inside].sum())
    assert joined["after"] == pytest.approx(5000) and found["files"] == []
    text = run(tmp_path, *arguments)
    assert re.search(r"^age +2\+3 +\d+ +[\d.]+ +5000\.0 +5000\.0$", text, re.MULTILINE)
    assert "deff_kish" in text and "nothing is written: --output" in text


def test_other_ways_and_trimming(data: pd.DataFrame, tmp_path: Path) -> None:
    base = SurveyDesign(data["w"].to_numpy())
    run(tmp_path, "own.csv", "--post-stratify", "sexes.csv", "--weight", "w", "--output", "out.parquet")
    expected = post_stratify(base, data["sex"].to_numpy(), {1: 5200, 2: 4800}).weight
    np.testing.assert_allclose(pq.read_table(tmp_path / "out.parquet")["final_weight"], expected)
    arguments = ("own.csv", "--calibrate", "size.csv", "--weight", "w", "--column", "g", "--output", "out.parquet")
    run(tmp_path, *arguments, "--bounds", "0.2", "20", "--method", "raking")
    x = np.column_stack([np.ones(len(data)), data["size"]])
    calibrated = calibrate(base, x, np.array([10000.0, 39000.0]), method="raking", bounds=(0.2, 20))
    np.testing.assert_allclose(pq.read_table(tmp_path / "out.parquet")["g"], calibrated.weight)
    text = run(tmp_path, "own.csv", "--weight", "w", "--trim", "1.5", "3.5", "--output", "out.parquet")
    trimmed = np.asarray(pq.read_table(tmp_path / "out.parquet")["final_weight"])
    assert trimmed.min() >= 1.5 - 1e-12 and trimmed.max() <= 3.5 + 1e-12
    assert trimmed.sum() == pytest.approx(data["w"].sum())
    assert re.search(r"trimmed to 1\.5 to 3\.5: \d+ weights raised, \d+ lowered, \d+\.\d+% of their sum moved", text)


def test_weights_that_are_not_positive_are_counted_with_what_to_do(data: pd.DataFrame, tmp_path: Path) -> None:
    (tmp_path / "far.csv").write_text("margin,label,total\n*,,10000\nsize,,12000\n")
    text = run(tmp_path, "own.csv", "--calibrate", "far.csv", "--weight", "w")
    assert re.search(r"^\d+ weights are not positive: give --bounds", text, re.MULTILINE)


def test_the_column_alone_has_lost_what_the_calibration_knew(data: pd.DataFrame, tmp_path: Path) -> None:
    """Why `estimate` takes --rake itself: the same value, another standard error."""
    run(tmp_path, "own.csv", "--rake", "margins.csv", "--weight", "w", "--output", "out.parquet")
    asked = ("--variable", "q", "--psu", "day", "--json")
    column = json.loads(run(tmp_path, "out.parquet", "--weight", "final_weight", *asked, command=estimate))["rows"][0]
    again = ("own.csv", "--weight", "w", "--rake", "margins.csv", *asked)
    known = json.loads(run(tmp_path, *again, command=estimate))["rows"][0]
    assert column["value"] == pytest.approx(known["value"], rel=1e-12)
    assert known["se"] == pytest.approx(mean(raked(data), data["q"].to_numpy()).single.se)
    assert abs(column["se"] / known["se"] - 1) > 1e-4


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("own.csv", "--weight", "w"), "nothing is to be done to the weights"),
        (("own.csv", "--rake", "margins.csv", "--column", "q"), "the file has a column q already"),
        (("own.csv", "--rake", "margins.csv", "--output", "out.doc"), "out.doc is none of"),
        (("own.csv", "--rake", "margins.csv", "--cells"), "--cells is for a wave"),
        (("nowhere", "--rake", "margins.csv"), "--rake is for a data file of your own"),
        (("nowhere", "--column", "q"), "--column is for a data file of your own"),
    ],
)
def test_what_cannot_be_done_is_refused(
    data: pd.DataFrame, tmp_path: Path, arguments: tuple[str, ...], words: str
) -> None:
    before = {file.name: file.read_bytes() for file in tmp_path.iterdir()}
    with pytest.raises(AnalysisError, match=re.escape(words)) as caught:
        run(tmp_path, *arguments)
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)
    assert {file.name: file.read_bytes() for file in tmp_path.iterdir()} == before


def test_a_source_may_be_replaced_by_itself_with_weights(data: pd.DataFrame, tmp_path: Path) -> None:
    """Read whole before anything is put in its place."""
    run(tmp_path, "own.parquet", "--rake", "margins.csv", "--weight", "w", "--output", str(tmp_path / "own.parquet"))
    found = pq.read_table(tmp_path / "own.parquet")
    assert found.num_rows == len(data) and found.column_names[-1] == "final_weight"
