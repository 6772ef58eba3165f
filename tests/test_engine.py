"""Table designs: what DuckDB is asked of a Parquet file gives the numbers of the arrays."""

from pathlib import Path
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import analysis
from analysis import AnalysisError, SurveyDesign
from tests.engine_cases import ITEMS, Survey, designs, difference, estimates

SURVEY = Survey(1)
BY = {"everybody": None, "field": "field", "field × year": ["field", "year"]}


def name_itself(name: str) -> str:
    return name


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return SURVEY.write(tmp_path_factory.mktemp("survey") / "responses.parquet")


def _by_arrays(by: Any) -> Any:
    return [SURVEY.array(name) for name in by] if isinstance(by, list) else by and SURVEY.array(by)


@pytest.mark.parametrize("name", designs(SURVEY, name_itself))
def test_every_design_gives_the_numbers_of_the_arrays(path: Path, name: str) -> None:
    ours = designs(SURVEY, SURVEY.array)[name]()
    theirs = designs(SURVEY, name_itself, str(path))[name]()
    for kind, by in (("mean", "field"), ("composite", None)):
        expected = estimates(SURVEY, SURVEY.array, _by_arrays(by))[kind](ours)
        assert not difference(expected, estimates(SURVEY, name_itself, by)[kind](theirs)), kind


@pytest.mark.parametrize("by", BY)
@pytest.mark.parametrize("name", estimates(SURVEY, name_itself, None))
def test_every_estimate_gives_the_numbers_of_the_arrays(path: Path, name: str, by: str) -> None:
    ours, theirs = (designs(SURVEY, *how)["raked"]() for how in ((SURVEY.array,), (name_itself, path)))
    expected = estimates(SURVEY, SURVEY.array, _by_arrays(BY[by]))[name](ours)
    assert not difference(expected, estimates(SURVEY, name_itself, BY[by])[name](theirs))
