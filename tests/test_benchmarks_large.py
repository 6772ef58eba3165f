"""The benchmark of large tables on a small one: its two questions ask the same table, and its numbers are those of arrays."""

import json
import sys
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

import analysis
from benchmarks import hundred_million as large


def test_the_survey_question_gives_the_numbers_of_arrays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(large, "CHUNK", 20_000)
    path = tmp_path / "responses.parquet"
    large.write(path, 60_000)
    frame = pq.read_table(path).to_pandas()
    assert (len(frame), frame["psu"].nunique()) == (60_000, large.PSUS)
    assert frame[list(large.ITEMS)].isna().to_numpy().mean() == pytest.approx(13 / 256, rel=0.05)
    design = analysis.SurveyDesign(frame["weight"], frame["stratum"], frame["psu"])
    expected = analysis.mean(design, frame[list(large.ITEMS)], by=frame["field"].to_numpy(dtype=object))
    assert large.survey(path) == pytest.approx(expected.value[0, 0], rel=1e-12)
    assert large.plain(path) == pytest.approx(frame.loc[frame["field"] == "field01", "q01"].mean(), rel=1e-12)
    assert 1.05 < np.median(expected.deff) < 3


def test_both_questions_are_asked_and_the_table_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["hundred_million", "--rows", "30000", "--folder", str(tmp_path), "--json"])
    large.main()
    found = json.loads(capsys.readouterr().out)
    assert found["rows"] == 30_000 and found["survey"]["gigabytes"] < 8 and found["plain"]["seconds"] > 0
    assert list(tmp_path.iterdir()) == []
