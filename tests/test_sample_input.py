"""What bad input to the statistics gets: a sentence that names the place, or a sound result; never a traceback."""

import json
import os
import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner, Result

from analysis.commands.cli import INSTANCE_KEY, estimate, report, weights
from analysis.errors import AnalysisError
from analysis.report import write_report
from analysis.wave.extract import read_extract
from analysis.wave.output import replacing
from analysis.wave.sample_scores import score_sample
from analysis.wave.scores import score_wave
from analysis.wave.wave_result import AnyResult
from survey_app.cli import main
from tests import extracts
from tests.extracts import write
from tests.sample_extracts import SAMPLE_ITEMS, interview, margins_file, unit, visits, write_sample

ROWS, FRAME = visits(10, strata=2, units=3)


def run(command: Any, *arguments: str, instance: Path | None = None) -> Result:
    obj = {INSTANCE_KEY: str(instance or "nowhere")}
    return CliRunner().invoke(command, arguments, obj=obj, catch_exceptions=False)


# ---- extracts whose files are whole, and say what cannot be


def column(name: str, row: int, value: Any) -> Any:
    def change(columns: Any, frame: Any, words: Any) -> None:
        columns[name][row] = value

    return change


def framed(name: str, row: int, value: Any) -> Any:
    def change(columns: Any, frame: Any, words: Any) -> None:
        frame[name][row] = value

    return change


def without(where: str, name: str) -> Any:
    def change(columns: Any, frame: Any, words: Any) -> None:
        del {"responses": columns, "frame": frame}[where][name]

    return change


def ruled(name: str, value: Any) -> Any:
    def change(columns: Any, frame: Any, words: Any) -> None:
        words["wave"]["rules"][name] = value

    return change


def emptied(columns: Any, frame: Any, words: Any) -> None:
    for values in frame.values():
        values.clear()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (column("base_weight", 0, 0.0), r"base weight 0, [\s\S]*responses.parquet, row 0"),
        (column("base_weight", 1, -3.0), "base weight -3, "),
        (column("base_weight", 1, float("nan")), "base weight nan, "),
        (column("base_weight", 1, float("inf")), "base weight inf, "),
        (column("base_weight", 1, None), "base weight nan|no numbers, or blanks"),
        (column("base_weight", 2, 7.0), "base weight 7, but 1/probability"),
        (column("psu", 0, "V99"), "'V99' is not in the frame"),
        (column("psu", 0, None), "primary unit None is not in the frame"),
        (column("stratum", 0, "S9"), "lies in stratum 'S1' of the frame, here in 'S9'"),
        (column("disposition", 0, "not_at_home"), "the responses have"),
        (column("I.A1", 0, None), "columns hold something other than they should, or blanks: I.A1"),
        (framed("probability", 0, 0.0), r"probability of 0 is not above 0[\s\S]*frame.parquet, row 0"),
        (framed("probability", 0, 1.5), "probability of 1.5"),
        (framed("probability", 0, float("nan")), "probability of nan"),
        (framed("probability", 0, None), "probability of nan|no numbers, or blanks"),
        (framed("households", 0, 0), "900 residents and 0 households"),
        (framed("households", 0, 901), r"more households \(901\) than residents"),
        (framed("households", 0, None), "no numbers, or blanks: households"),
        (framed("refused", 0, -1), "-1 refused"),
        (framed("completed", 0, 3), "V01: 3 completed, the responses have"),
        (framed("psu", 1, "V01"), "primary unit 'V01' is listed twice"),
        (framed("psu", 0, None), "no code or no stratum"),
        (without("frame", "households"), "columns are missing: households"),
        (without("responses", "base_weight"), "columns are missing: base_weight"),
        (emptied, "the frame has no rows"),
        (ruled("level", float("nan")), "codebook cannot be read: NaN is no number"),
        (ruled("level", 10**400), "rule level is 1000000"),
        (ruled("level", "95"), "rule level is 95, not a number"),
        (ruled("reference_line", -1), "rule reference_line is -1"),
        (ruled("minimum_class", 0), "rule minimum_class is 0"),
        (lambda c, f, w: w.pop("index"), "codebook cannot be read"),
        (lambda c, f, w: w["items"].append(5), "codebook cannot be read"),
        (
            lambda c, f, w: w["items"][0]["options"][0].update(code=float("inf")),
            "codebook cannot be read: Infinity is no number",
        ),
        (lambda c, f, w: w["wave"].update(kind="counter"), "frame.parquet is there"),
    ],
)
def test_a_sample_extract_that_cannot_be_is_refused_by_place(tmp_path: Path, change: Any, words: str) -> None:
    with pytest.raises(AnalysisError, match=words) as caught:
        read_extract(write_sample(tmp_path, ROWS, FRAME, change=change))
    assert all(problem.what and problem.where and problem.remedy for problem in caught.value.problems)


def test_a_sample_extract_without_its_frame_is_refused(tmp_path: Path) -> None:
    columns, register = extracts.many(30)
    words = extracts.codebook("w", columns, register)
    words["wave"]["kind"] = "sample"
    with pytest.raises(AnalysisError, match=r"frame.parquet is missing"):
        read_extract(extracts.put(tmp_path, columns, register, words))


# ---- few, alike, none


@pytest.mark.parametrize("kind", ["all alike", "one respondent", "nobody answered an item", "all declined", "one unit"])
def test_thin_samples_give_a_sound_result(tmp_path: Path, kind: str) -> None:
    frame = [unit("V1"), unit("V2"), unit("V3", "S2"), unit("V4", "S2")]
    rows = [interview(psu, SEX=1 + i % 2) for psu in ("V1", "V2", "V3", "V4") for i in range(30)]
    if kind == "one respondent":
        frame, rows = [unit("V1")], [interview("V1")]
    if kind == "one unit":
        frame, rows = [unit("V1")], [interview("V1", **{"I.A1": 2 + i % 4}) for i in range(60)]
    if kind == "nobody answered an item":
        rows = [row | {"I.A1": -3} for row in rows]
    if kind == "all declined":
        rows = [row | dict.fromkeys(SAMPLE_ITEMS, -3) for row in rows]
    found = score_sample(read_extract(write_sample(tmp_path / "extract", rows, frame)))
    states = {row.measure: row.suppressed for row in found.scores}
    if kind == "all alike":
        row = found.scores[0]
        assert (row.value, row.se, row.suppressed) == (100, 0, "no") and "no_verdict:df<8" in row.note
        assert row.ci_low is not None and 90 < row.ci_low < 100
    elif kind == "one respondent":
        assert set(states.values()) == {"confidential"}
    elif kind == "nobody answered an item":
        assert states["item:I.A1"] == "unreliable" and states["index"] == "no"
    else:
        assert set(states.values()) == {"unreliable"}
    for language in ("vi", "en"):
        page = write_report(found, tmp_path / "page", language).html.read_text(encoding="utf-8")  # type: ignore[arg-type]
        assert "nan" not in page.split("</style>")[1].lower().replace("finance", "")


@pytest.mark.parametrize("rows", [[], [interview("V1", disposition="refused")] * 3], ids=["none", "refusals only"])
@pytest.mark.parametrize("command", [weights, report, estimate])
def test_a_sample_wave_nobody_answered_is_refused_with_its_strata(tmp_path: Path, rows: Any, command: Any) -> None:
    path = write_sample(tmp_path / "extracts" / "w", rows, [unit("V1"), unit("V2")], wave="w")
    with pytest.raises(AnalysisError, match="stratum S1 has no completed response"):
        run(command, str(path), instance=tmp_path)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize(
    ("rows", "counts"),
    [
        ([], ": 0 responses$"),
        ([extracts.response(disposition="broken_off")] * 3 + [extracts.response(field=None)] * 2,
         ": 5 responses, broken_off 3, no_field 2"),
        ([extracts.response(field="y-te"), extracts.response(VISIT=3)], ": 2 responses, visit asked 1, not_in_register 1"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", [weights, report, estimate])
def test_a_counter_wave_nobody_can_be_weighted_in_names_the_counts(
    tmp_path: Path, rows: Any, counts: str, command: Any
) -> None:
    register = [extracts.register_row("C01", "chung-thuc", 100)]
    columns = rows or {name: [] for name in extracts.response()}
    path = write(tmp_path / "extracts" / "w", columns, register, wave="w")
    with pytest.raises(AnalysisError, match="no response can be weighted") as caught:
        run(command, str(path), instance=tmp_path)
    assert re.search(counts, caught.value.problems[0].what)
    assert not (tmp_path / "reports").exists()


@pytest.mark.parametrize("kind", ["all declined", "an item nobody answered", "one respondent in a field"])
def test_thin_counter_waves_give_an_honest_page(tmp_path: Path, kind: str) -> None:
    rows = [extracts.response(centre=f"C0{i % 3}", local_day=extracts.day(i % 9)) for i in range(120)]
    if kind == "all declined":
        rows = [row | dict.fromkeys(extracts.ITEMS, -3) | {"OVERALL": -3} for row in rows]
    if kind == "an item nobody answered":
        rows = [row | {"II.A1": -3} for row in rows]
    if kind == "one respondent in a field":
        rows[0] |= {"field": "y-te"}
    fields = sorted({str(row["field"]) for row in rows})
    register = [extracts.register_row(f"C0{c}", f, 1 if f == "y-te" else 100) for c in range(3) for f in fields]
    found = score_wave(read_extract(write(tmp_path / "extract", rows, register)))
    index = found.score()
    assert index is not None and (index.value is None) == (kind == "all declined")
    assert "không công bố" in write_report(found, tmp_path / "page", "vi").html.read_text(encoding="utf-8")


# ---- options


def test_each_kind_of_wave_refuses_the_options_of_the_other(tmp_path: Path) -> None:
    sample = str(write_sample(tmp_path / "extracts" / "s", ROWS, FRAME, wave="s"))
    counter = str(write(tmp_path / "extracts" / "c", *extracts.many(300), wave="c"))
    margins = str(margins_file(tmp_path, SEX={"1": 5, "2": 5}))
    for command in (weights, report, estimate):
        for option in (("--cells",), ("--register", margins), ("--minimum", "3")):
            with pytest.raises(AnalysisError, match=f"{option[0]} is for counter waves"):
                run(command, sample, *option)
        with pytest.raises(AnalysisError, match="population margins of residents are refused"):
            run(command, counter, "--margins", margins)
    with pytest.raises(AnalysisError, match="--margins is for a wave"):
        run(estimate, "own.csv", "--variable", "x", "--margins", margins)


def test_the_commands_of_a_sample_wave(tmp_path: Path) -> None:
    write_sample(tmp_path / "extracts" / "s", ROWS, FRAME, wave="s")
    margins = str(margins_file(tmp_path, SEX={"1": 50, "2": 50}))
    said = run(weights, "s", instance=tmp_path).output
    assert "interviews (" in said and "nonresponse)" in said
    said = run(report, "s", "--margins", margins, instance=tmp_path).output
    assert "nonresponse+rake" in said and "Ước lượng của tỉnh, không phải số công bố" in said
    assert {"scores.csv", "report.html", "factors.svg", "items_1.png", "visits.svg"} <= {
        file.name for file in (tmp_path / "reports" / "s").iterdir()
    }
    said = run(estimate, "s", instance=tmp_path).output
    assert "NOT RAKED TO THE POPULATION" in said and "area:II" in said
    assert json.loads(run(report, "s", "--json", "--lang", "en", instance=tmp_path).output)["not_raked"]["vi"]


# ---- where files go


@pytest.mark.parametrize("command", [weights, report])
def test_an_extract_outside_an_instance_needs_an_output(tmp_path: Path, command: Any) -> None:
    path = str(write(tmp_path / "copied", *extracts.many(300), wave="w1"))
    (tmp_path / "other").mkdir()
    with pytest.raises(AnalysisError, match="the extract lies in no instance"):
        run(command, path, instance=tmp_path / "other")
    assert list((tmp_path / "other").iterdir()) == []
    run(command, path, "--output", str(tmp_path / "out"), instance=tmp_path / "other")
    assert (tmp_path / "out" / "weights.json").is_file()


def test_the_truth_of_another_instance_is_not_shown(tmp_path: Path) -> None:
    path = str(write(tmp_path / "copied", *extracts.many(300), wave="w1", simulated=True))
    (tmp_path / "simulations" / "w1").mkdir(parents=True)
    (tmp_path / "simulations" / "w1" / "truth.json").write_text('{"index": {"all": 77.77}}')
    run(report, path, "--output", str(tmp_path / "out"), instance=tmp_path)
    assert "77,77" not in (tmp_path / "out" / "report.html").read_text(encoding="utf-8")


@pytest.mark.parametrize("content", ["{", "[1]", '{"index": {"all": NaN}}'])
def test_a_broken_truth_is_named(tmp_path: Path, content: str) -> None:
    write(tmp_path / "extracts" / "w1", *extracts.many(300), wave="w1", simulated=True)
    (tmp_path / "simulations" / "w1").mkdir(parents=True)
    (tmp_path / "simulations" / "w1" / "truth.json").write_text(content)
    with pytest.raises(AnalysisError, match="truth of the simulated wave cannot be read"):
        run(report, "w1", instance=tmp_path)


def test_nothing_half_written_stays(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError), replacing(tmp_path / "a" / "b") as parts:
        (parts / "x").write_text("half")
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("whole")
    with pytest.raises(KeyboardInterrupt), replacing(tmp_path / "a") as parts:
        (parts / "x").write_text("half")
        raise KeyboardInterrupt
    assert [(file.name, file.read_text()) for file in (tmp_path / "a").iterdir()] == [("x", "whole")]


@pytest.mark.parametrize("what", ["a file in the way", "a disk that is full"])
@pytest.mark.parametrize("command", ["weights", "report", "estimate"])
def test_a_folder_that_cannot_be_written_ends_with_exit_code_2(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any, command: str, what: str
) -> None:
    write(tmp_path / "extracts" / "w1", *extracts.many(300), wave="w1")
    target = tmp_path / "target"
    if what == "a file in the way":
        target.write_text("")
        output = target / "out"
    else:
        target.mkdir()
        output = target

        def full(self: Path, *arguments: Any, **options: Any) -> int:
            raise OSError(28, os.strerror(28), str(self))

        monkeypatch.setattr(Path, "write_text", full)
    place = str(output / "table.csv" if command == "estimate" else output)
    monkeypatch.setattr("sys.argv", ["sipas", "--instance", str(tmp_path), command, "w1", "--output", place])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    said = capsys.readouterr().err
    assert "Traceback" not in said and str(target) in said
    assert not target.is_dir() or list(target.iterdir()) == []


# ---- a data file of one's own


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("own.csv", b"", "the file is empty"),
        ("own.csv", b"a,w\n", "a header and no rows"),
        ("own.csv", "a,w\nNữ,1\n".encode("utf-16"), "the file is not in UTF-8"),
        ("own.csv", "a,w,t\n1,1,Nữ\n".encode("cp1258", "replace") + b"1,1,\xff\n", "the file is not in UTF-8"),
        ("own.csv", b"a;w\n1;1\n", "semicolons between the columns"),
        ("own.csv", b"a\tw\n1\t1\n", "tabs between the columns"),
        ("own.csv", b'a,w\n"1,5",1\n2,1\n', "'1,5' has a decimal comma"),
        ("own.csv", b"a,w\n1,5,1\n2,5,1\n", "lines have more columns than the header"),
        ("own.csv", b"a,w\n1,1\n1,2,3\n", "lines have more columns|the file cannot be read"),
        ("own.csv", b"a,a,w\n1,1,1\n", "columns come twice: a"),
        ("own.csv", b"a,w\n1,0\n1,1\n", "weights are not positive numbers, the first is 0"),
        ("own.csv", b"a,w\n1,-1\n1,1\n", "the first is -1"),
        ("own.csv", b"a,w\n1,\n1,1\n", "the first is nan"),
        ("own.csv", b"a,w\n1,inf\n1,1\n", "the first is inf"),
        ("own.csv", b"a,w\n1,x\n1,1\n", "'x' is not a number"),
        ("own.csv", b"a,w\ninf,1\n1,1\n", "an infinite value"),
        ("own.parquet", b"", "the file is empty"),
        ("own.parquet", b"PAR1" + b"\0" * 40, "the file cannot be read"),
    ],
)
def test_a_broken_data_file_is_told_by_its_fault(tmp_path: Path, name: str, content: bytes, words: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(AnalysisError, match=words) as caught:
        run(estimate, str(tmp_path / name), "--variable", "a", "--weight", "w")
    assert all(name in problem.where for problem in caught.value.problems)


def test_a_truncated_parquet_is_told_so(tmp_path: Path) -> None:
    import pandas as pd

    pd.DataFrame({"a": range(500), "w": 1.0}).to_parquet(tmp_path / "own.parquet")
    content = (tmp_path / "own.parquet").read_bytes()
    for size in (10, len(content) // 2, len(content) - 1):
        (tmp_path / "own.parquet").write_bytes(content[:size])
        with pytest.raises(AnalysisError, match="the file cannot be read"):
            run(estimate, str(tmp_path / "own.parquet"), "--variable", "a")


def test_a_spreadsheets_csv_is_read(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_bytes(b"\xef\xbb\xbfa,w\r\n1,1\r\n3,1\r\n")
    found = json.loads(run(estimate, str(tmp_path / "own.csv"), "--variable", "a", "--json").output)
    assert found["rows"][0]["value"] == 2


def test_domains_of_one_and_answers_all_alike(tmp_path: Path) -> None:
    (tmp_path / "own.csv").write_text("ok,g,psu\n1,a,1\n" + "".join(f"1,b,{i % 5}\n" for i in range(50)) + ",c,1\n")
    arguments = ("--variable", "ok", "--by", "g", "--statistic", "proportion", "--json")
    found = {row["g"]: row for row in json.loads(run(estimate, str(tmp_path / "own.csv"), *arguments).output)["rows"]}
    assert found["a"]["n"] == 1 and found["a"]["value"] == 1
    assert found["b"]["se"] == 0 and 0.9 < found["b"]["ci_low"] < 1 and "se_zero" in found["b"]["flags"]
    assert found["c"]["n"] == 0 and found["c"]["value"] is None


def test_register_files_get_the_same_treatment(tmp_path: Path) -> None:
    write(tmp_path / "extracts" / "w", *extracts.many(300), wave="w")
    head = "centre,field,month,channel,received,resolved,on_time\n"
    for content, words in (
        ("", "the file is empty"),
        (head.replace(",", ";"), "semicolons between the columns"),
        (head + "C001,dat-dai,2026-10,counter,1,5,1,1\n", "8 columns, the header has 7"),
        (head + "C001,dat-dai,2026-10,counter,-1,5,1\n", "a count is negative"),
        (head + "C001,dat-dai,2026-10,counter,x,5,1\n", "not a whole number"),
        (head + "x" * 20_000 + "\n", "longer than"),
    ):
        (tmp_path / "r.csv").write_text(content)
        with pytest.raises(AnalysisError, match=words):
            run(weights, "w", "--register", str(tmp_path / "r.csv"), instance=tmp_path)


def test_weights_of_an_extract_are_never_zero(tmp_path: Path) -> None:
    found: AnyResult = score_sample(read_extract(write_sample(tmp_path, ROWS, FRAME)))
    assert np.isfinite(found.weighting.design.weight).all() and (found.weighting.design.weight > 0).all()
