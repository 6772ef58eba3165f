"""`sipas estimate` on data files: every option gives what the Python door gives for the same arrays, or is refused."""

import json
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_args, get_type_hints

import numpy as np
import pandas as pd
import pyreadstat
import pytest
from click.testing import CliRunner, Result

import analysis
from analysis import SurveyDesign, estimators
from analysis.commands import options as cli_options
from analysis.commands.cli import INSTANCE_KEY, estimate
from analysis.errors import AnalysisError
from analysis.files import filestatistic, opendata

DESIGN = ("--weight", "w", "--stratum", "h", "--psu", "day")
NUMBERS = ("value", "se", "ci_low", "ci_high", "df", "deff", "n", "n_eff")


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pd.DataFrame]:
    rng = np.random.default_rng(11)
    n = 400
    stratum = rng.integers(1, 5, n)
    frame = pd.DataFrame({"h": stratum, "day": stratum * 10 + rng.integers(0, 6, n), "w": rng.uniform(1, 4, n)})
    frame["sex"], frame["age"] = rng.integers(1, 3, n), rng.integers(1, 5, n)
    for item in ("q1", "q2", "q3", "q4"):
        frame[item] = rng.integers(1, 6, n)
    frame.loc[:15, "q2"] = -3
    frame["minutes"], frame["size"] = rng.uniform(5, 60, n), rng.integers(1, 7, n)
    frame.loc[20:30, "minutes"] = np.nan
    frame["units"] = 9
    for number in range(8):
        frame[f"rw{number + 1}"] = frame["w"] * rng.uniform(0.5, 1.5, n)
    folder = tmp_path_factory.mktemp("data")
    frame.to_parquet(folder / "own.parquet")
    totals = ["margin,label,total", "sex,1,520", "sex,2,480", "age,1,250", "age,2+3,500", "age,4,250"]
    (folder / "margins.csv").write_text("\n".join(totals) + "\n")
    crossed = [f"sex*h,{sex}*{h},{100 + 10 * sex + h}" for sex in (1, 2) for h in (1, 2, 3, 4)]
    (folder / "cells.csv").write_text("\n".join(["margin,label,total", *crossed]) + "\n")
    numbers = ["margin,label,total", "*,,1000", "sex,1,510", "size,,3600"]
    (folder / "numbers.csv").write_text("\n".join(numbers) + "\n")
    return folder / "own.parquet", frame


def run(path: Path, *arguments: str) -> Result:
    obj = {INSTANCE_KEY: str(path.parent)}
    return CliRunner().invoke(estimate, (str(path), *arguments), obj=obj, catch_exceptions=False)


def rows(path: Path, *arguments: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(run(path, *arguments, "--json").output)["rows"]
    return found


def plain(frame: pd.DataFrame, **more: Any) -> SurveyDesign:
    return SurveyDesign(frame["w"].to_numpy(), frame["h"].to_numpy(), frame["day"].to_numpy(), **more)


def classes(frame: pd.DataFrame) -> dict[str, Any]:
    age = frame["age"].map({1: "1", 2: "2+3", 3: "2+3", 4: "4"}).to_numpy()
    return {
        "sex": (frame["sex"].to_numpy(), {1: 520.0, 2: 480.0}),
        "age": (age, {"1": 250.0, "2+3": 500.0, "4": 250.0}),
    }


def raked(frame: pd.DataFrame) -> SurveyDesign:
    return analysis.rake(plain(frame), classes(frame))


def by_cells(frame: pd.DataFrame) -> SurveyDesign:
    cells = (frame["sex"].astype(str) + "*" + frame["h"].astype(str)).to_numpy(dtype=object)
    return analysis.post_stratify(
        plain(frame), cells, {f"{s}*{h}": 100 + 10 * s + h for s in (1, 2) for h in range(1, 5)}
    )


def to_numbers(frame: pd.DataFrame, **how: Any) -> SurveyDesign:
    x = np.column_stack([np.ones(len(frame)), frame["sex"] == 1, frame["size"]])
    return analysis.calibrate(plain(frame), x, np.array([1000.0, 510.0, 3600.0]), **how)


Made = Callable[[pd.DataFrame], Any]
ASKED: dict[str, tuple[tuple[str, ...], Made]] = {
    "mean by two": (
        ("--variable", "minutes", "--by", "sex", "--by", "age", *DESIGN),
        lambda d: analysis.mean(plain(d), {"minutes": d["minutes"]}, by=[d["sex"].to_numpy(), d["age"].to_numpy()]),
    ),
    "a pattern, a missing code, a level, the design's df": (
        ("--variable", "q?", "--missing", "-3", "--level", "90", "--df", "design", "--by", "age", *DESIGN),
        lambda d: analysis.mean(
            plain(d), d[["q1", "q2", "q3", "q4"]], by=d["age"].to_numpy(), level=0.9, df="design", missing=(-3,)
        ),
    ),
    "codes counted": (
        ("--statistic", "proportion", "--variable", "q2", "--of", "4", "--of", "5", "--missing", "-3", *DESIGN),
        lambda d: analysis.proportion(plain(d), {"q2": d["q2"].to_numpy()}, of=(4, 5), missing=(-3,)),
    ),
    "another interval": (
        ("--statistic", "proportion", "--variable", "q1", "--of", "5", "--interval", "wilson", *DESIGN),
        lambda d: analysis.proportion(plain(d), {"q1": (d["q1"] == 5).to_numpy()}, interval="wilson"),
    ),
    "total": (
        ("--statistic", "total", "--variable", "size", "--by", "sex", *DESIGN),
        lambda d: analysis.total(plain(d), {"size": d["size"]}, by=d["sex"].to_numpy()),
    ),
    "ratio": (
        ("--statistic", "ratio", "--variable", "minutes", "--denominator", "size", *DESIGN),
        lambda d: analysis.ratio(plain(d), {"minutes": d["minutes"]}, {"size": d["size"]}),
    ),
    "quantiles": (
        ("--statistic", "quantile", "--variable", "minutes", "--q", "0.5", "--q", "0.9", "--rule", "school", *DESIGN),
        lambda d: analysis.quantile(plain(d), {"minutes": d["minutes"]}, (0.5, 0.9), rule="school"),
    ),
    "index with factors": (
        (
            *("--statistic", "index", "--variable", "q1", "--variable", "q2", "--variable", "q3", "--missing", "-3"),
            *("--factor", "A=q1,q2", "--factor", "B=q3", "--roll-up", "factor_mean", "--item-method", "mean5"),
            *("--by", "sex", *DESIGN),
        ),
        lambda d: analysis.index(
            plain(d),
            {item: d[item].to_numpy() for item in ("q1", "q2", "q3")},
            analysis.IndexSpec(("q1", "q2", "q3"), {"A": ("", ("q1", "q2")), "B": ("", ("q3",))}),
            "mean5",
            "factor_mean",
            by=d["sex"].to_numpy(),
        ),
    ),
    "two stages with fpc": (
        ("--variable", "minutes", *DESIGN, "--fpc", "units", "--nest"),
        lambda d: analysis.mean(plain(d, fpc=d["units"].to_numpy(), nest=True), {"minutes": d["minutes"]}),
    ),
    "jackknife": (
        ("--variable", "minutes", *DESIGN, "--replicate", "jackknife", "--centre", "estimate"),
        lambda d: analysis.mean(
            analysis.replicate(plain(d), "jackknife", centre="estimate"), {"minutes": d["minutes"]}
        ),
    ),
    "bootstrap": (
        ("--variable", "minutes", *DESIGN, "--replicate", "bootstrap", "--replicates", "40", "--seed", "7"),
        lambda d: analysis.mean(analysis.replicate(plain(d), "bootstrap", 40, seed=7), {"minutes": d["minutes"]}),
    ),
    "replicate weights of the file": (
        ("--variable", "minutes", "--weight", "w", "--replicate-weights", "rw*", "--scale", "0.125"),
        lambda d: analysis.mean(
            analysis.replicate_design(d["w"], d[[f"rw{k + 1}" for k in range(8)]].to_numpy(), 0.125),
            {"minutes": d["minutes"]},
        ),
    ),
    "raked": (
        ("--variable", "minutes", "--by", "sex", *DESIGN, "--rake", "margins.csv"),
        lambda d: analysis.mean(raked(d), {"minutes": d["minutes"]}, by=d["sex"].to_numpy()),
    ),
    "post-stratified": (
        ("--variable", "minutes", *DESIGN, "--post-stratify", "cells.csv"),
        lambda d: analysis.mean(by_cells(d), {"minutes": d["minutes"]}),
    ),
    "calibrated to numbers": (
        ("--variable", "minutes", *DESIGN, "--calibrate", "numbers.csv", "--method", "logit", "--bounds", "0.5", "2"),
        lambda d: analysis.mean(to_numbers(d, method="logit", bounds=(0.5, 2)), {"minutes": d["minutes"]}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("asked", ASKED)
def test_the_command_gives_what_the_door_gives(
    data: tuple[Path, pd.DataFrame], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, frame = data
    monkeypatch.chdir(path.parent)
    arguments, made = ASKED[asked]
    expected = made(frame)
    found = rows(path, *arguments)
    assert len(found) == expected.value.size
    for place, name in enumerate(NUMBERS):
        numbers = np.array([np.nan if row[name] is None else row[name] for row in found], dtype=float)
        want = np.broadcast_to(getattr(expected, name), expected.value.shape).ravel()
        np.testing.assert_allclose(numbers, want, rtol=1e-9, err_msg=f"{place} {name}")


def test_the_terminal_shows_a_table_with_units_design_and_fitting_decimals(data: tuple[Path, pd.DataFrame]) -> None:
    output = run(data[0], "--variable", "minutes", "--by", "sex", *DESIGN).output
    lines = output.splitlines()
    assert lines[0].startswith("mean of own.parquet, in the unit of the column; 95 % intervals: t; df of the domain")
    assert lines[1] == "design: 400 rows; weight w; strata h; units day"
    header, first, second = lines[-3:]
    assert header.split() == ["sex", "variable", *NUMBERS, "flags"]
    assert len({line.index(cell) + len(cell) for line, cell in ((header, "value"), (first, first.split()[2]))}) == 1
    assert first.split()[0] == "1" and second.split()[0] == "2"
    se = float(first.split()[3])
    assert se > 0 and len(first.split()[3].lstrip("0.").replace(".", "")) == 2, "two digits of the error are enough"


def test_rows_outside_every_domain_are_counted(data: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    frame = data[1].copy()
    frame["field"] = ["a", None, "b", "a"] * 100
    frame.to_csv(tmp_path / "own.csv", index=False)
    output = run(tmp_path / "own.csv", "--variable", "q1", "--by", "field").output
    assert "100 rows have no field and lie in no domain" in output


@pytest.fixture
def labelled(data: tuple[Path, pd.DataFrame], tmp_path: Path) -> Path:
    frame = data[1][["w", "sex", "age", "q1"]].astype(float)
    words = {"sex": {1: "Nam", 2: "Nữ"}}
    pyreadstat.write_sav(frame, tmp_path / "own.sav", variable_value_labels=words)
    return tmp_path / "own.sav"


def test_words_of_codes_stand_beside_or_instead_or_not(labelled: Path) -> None:
    beside = rows(labelled, "--variable", "q1", "--by", "sex", "--by", "age")
    assert list(beside[0])[:4] == ["sex", "sex_label", "age", "variable"]
    assert [(row["sex"], row["sex_label"]) for row in beside[::4]] == [("1", "Nam"), ("2", "Nữ")]
    instead = rows(labelled, "--variable", "q1", "--by", "sex", "--value-labels", "instead")
    assert [row["sex"] for row in instead] == ["Nam", "Nữ"] and "sex_label" not in instead[0]
    off = rows(labelled, "--variable", "q1", "--by", "sex", "--value-labels", "off")
    assert [row["sex"] for row in off] == ["1", "2"] and "sex_label" not in off[0]


def test_totals_may_be_named_by_the_words_of_codes(labelled: Path, tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text("margin,label,total\nsex,Nam,600\nsex,Nữ,400\n", encoding="utf-8")
    (tmp_path / "u.csv").write_text("margin,label,total\nsex,1,600\nsex,2,400\n", encoding="utf-8")
    both = [
        rows(labelled, "--variable", "q1", "--weight", "w", "--rake", str(tmp_path / name))
        for name in ("t.csv", "u.csv")
    ]
    assert both[0] == both[1] and both[0][0]["value"] > 1


# ---- what is refused

REFUSED: dict[str, tuple[tuple[str, ...], str, str]] = {
    "no variable": ((), "no variable is named", "--variable"),
    "no quantile": (("--variable", "q1", "--statistic", "quantile"), "no quantile is named", "--q 0.5"),
    "no denominator": (("--variable", "q1", "--statistic", "ratio"), "a ratio has a denominator", "column"),
    "codes of a mean": (("--variable", "q1", "--of", "4"), "--of is for proportion, not for mean", "proportion"),
    "an interval of the other": (
        ("--variable", "q1", "--statistic", "quantile", "--q", "0.5", "--interval", "wilson"),
        "there is no interval wilson for a quantile", "mean, beta, logit, asin",
    ),
    "two calibrations": (
        ("--variable", "q1", "--rake", "margins.csv", "--calibrate", "margins.csv"), "two ways to the same end", "one",
    ),
    "seed of nothing": (("--variable", "q1", "--seed", "4"), "--seed speaks of --replicate", "give --replicate too"),
    "bounds of nothing": (("--variable", "q1", "--bounds", "1", "2"), "--bounds speaks of --calibrate", "--calibrate"),
    "two kinds of replicates": (
        ("--variable", "q1", "--replicate", "jackknife", "--replicate-weights", "rw*", "--scale", "1"),
        "replicates are either made or brought", "leave out",
    ),
    "replicate weights without scale": (
        ("--variable", "q1", "--replicate-weights", "rw*"), "without their scale", "--scale",
    ),
    "no such column": (("--variable", "q1", "--by", "sx"), "there is no column 'sx'", "is it sex?"),
    "no factor": (
        ("--variable", "q1", "--statistic", "index", "--factor", "A"), "'A' is no factor", "--factor A=q1,q2,q3",
    ),
    "a factor's item": (
        ("--variable", "q1", "--statistic", "index", "--factor", "A=q9"), "items that are no --variable: q9", "q1",
    ),
    "a table of no kind": (("--variable", "q1", "--output", "x.doc"), "x.doc is none of .csv", ".xlsx"),
    "a picture of no kind": (("--variable", "q1", "--plot", "x.jpg"), "x.jpg is none of .svg", ".png"),
    "margins that are several": (
        ("--variable", "q1", "--post-stratify", "margins.csv"), "post-stratification is to one margin", "sex*age",
    ),
    "numbers to rake to": (
        ("--variable", "q1", "--rake", "numbers.csv"), "margin *, size has no label", "--calibrate",
    ),
    "a file of totals that is not there": (("--variable", "q1", "--rake", "no.csv"), "cannot be read", "margin,label"),
}  # fmt: skip


@pytest.mark.parametrize("asked", REFUSED)
def test_what_does_not_go_together_is_refused_with_what_to_do(
    data: tuple[Path, pd.DataFrame], asked: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments, what, remedy = REFUSED[asked]
    monkeypatch.chdir(data[0].parent)
    with pytest.raises(AnalysisError) as caught:
        run(data[0], *arguments)
    assert any(what in one.what and remedy in one.remedy and one.where for one in caught.value.problems), str(
        caught.value
    )


TOTALS: dict[str, tuple[str, str]] = {
    "no column": ("margin,label,total\nsx,1,5\n", "there is no column 'sx'"),
    "no number": ("margin,label,total\nsex,1,abc\n", "the total 'abc' is not a number"),
    "nothing": ("margin,label,total\nsex,1,0\nsex,2,4\n", "the total of sex 1 is 0"),
    "twice": ("margin,label,total\nsex,1,5\nsex,1,5\n", "sex 1 comes a second time, after line 2"),
    "in two classes": ("margin,label,total\nage,1,5\nage,1+2,5\nage,3,5\nage,4,5\n", "age 1 is in 1 and in 1+2"),
    "none for a label": ("margin,label,total\nsex,1,5\n", "there is no total for '2'"),
    "none in the sample": ("margin,label,total\nsex,1,5\nsex,2,5\nsex,3,5\n", "'3' has a total of 5 and no row"),
    "far apart": ("margin,label,total\nsex,1,5\nsex,2,5\nh,1,5\nh,2,5\nh,3,5\nh,4,5\n", "margins disagree"),
    "half a label": ("margin,label,total\nsex,,5\nsex,2,5\n", "has a line without a label among others"),
    "no rows": ("margin,label,total\n", "a header and no totals"),
    "another header": ("a,b\n1,2\n", "columns are missing: margin, label, total"),
}


@pytest.mark.parametrize("fault", TOTALS)
def test_a_file_of_totals_is_told_by_its_fault(data: tuple[Path, pd.DataFrame], tmp_path: Path, fault: str) -> None:
    content, words = TOTALS[fault]
    (tmp_path / "totals.csv").write_text(content)
    with pytest.raises(AnalysisError) as caught:
        run(data[0], "--variable", "q1", "--rake", str(tmp_path / "totals.csv"))
    assert any(words in problem.what and problem.remedy for problem in caught.value.problems), str(caught.value)


def test_margins_nearly_the_same_are_scaled_and_said_to_be(data: tuple[Path, pd.DataFrame], tmp_path: Path) -> None:
    lines = ["margin,label,total", "sex,1,500", "sex,2,500", *(f"h,{h},250.5" for h in range(1, 5))]
    (tmp_path / "totals.csv").write_text("\n".join(lines))
    output = run(data[0], "--variable", "q1", "--rake", str(tmp_path / "totals.csv")).output
    assert "margin h sums to 1002: scaled by 0.998004 to sex" in output


# ---- words and start-up


def choices(option: str) -> tuple[str, ...]:
    found = next(one for one in estimate.params if option in one.opts)
    return tuple(found.type.choices)  # type: ignore[attr-defined]


def test_words_of_the_options_are_those_of_the_door() -> None:
    from analysis.calibration.adjusting import Aggregate, Method
    from analysis.design import LonePsu
    from analysis.distribution import Rule
    from analysis.linear import DegreesOfFreedom
    from analysis.quantiles import QuantileInterval
    from analysis.replication.replicate_weights import Centre
    from analysis.replication.replicates import Bootstrap
    from analysis.replication.replicates import Method as Replicating
    from analysis.sipas_index import ItemMethod, RollUp

    expected = {
        "--statistic": filestatistic.Statistic, "--rule": Rule, "--df": DegreesOfFreedom, "--item-method": ItemMethod,
        "--roll-up": RollUp, "--lone-psu": LonePsu, "--replicate": Replicating, "--kind": Bootstrap,
        "--centre": Centre, "--method": Method, "--aggregate": Aggregate,
    }  # fmt: skip
    assert {option: set(choices(option)) for option in expected} == {
        option: set(get_args(words)) for option, words in expected.items()
    }
    assert set(choices("--interval")) == {*get_args(estimators.ShareInterval), *get_args(QuantileInterval)}
    assert set(filestatistic.INTERVALS["proportion"]) == set(get_args(estimators.ShareInterval))
    assert set(filestatistic.INTERVALS["quantile"]) == set(get_args(QuantileInterval))
    assert cli_options.DATA_SUFFIXES == opendata.SUFFIXES


@pytest.mark.parametrize(
    "door", ["mean", "proportion", "quantile", "rake", "calibrate", "replicate", "replicate_design"]
)
def test_parameters_of_the_door_are_options(door: str) -> None:
    """By their own names; those that stand for whole arrays have columns or files of their own."""
    arrays = {
        "design",
        "y",
        "x",
        "totals",
        "margins",
        "return",
        "replicate_weights",
        "weight",
        "method",
        "given",
        "tolerance",
        "inclusion",
    }
    names = set(get_type_hints(getattr(analysis, door))) - arrays
    options = {name.removeprefix("--").replace("-", "_") for one in estimate.params for name in one.opts}
    if door == "replicate_design":
        names -= {"df"}
    assert names - options == set()


def test_help_of_estimate_needs_nothing_heavy_and_comes_at_once() -> None:
    heavy = "pandas, scipy, statsmodels, numba, ibis, duckdb, pyarrow, pyreadstat, xlsxwriter, matplotlib"
    code = (
        "import sys; from click.testing import CliRunner; from survey_app.cli import sipas;"
        "assert CliRunner().invoke(sipas, ['estimate', '--help']).exit_code == 0;"
        f"print(sorted(set({heavy.split(', ')!r}) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
    seconds = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([sys.executable, "-m", "survey_app", "estimate", "--help"], capture_output=True, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    assert min(seconds) <= 0.8, "of the processor; 0.4 s on a quiet machine, twice that where others work too"
