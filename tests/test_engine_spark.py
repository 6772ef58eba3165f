"""Table designs: Spark, asked the very same expressions, gives the numbers of the arrays. Run by `make test-spark`."""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.engine_cases import Survey, designs, difference, estimates

pytest.importorskip("pyspark", reason="the extra [spark] is not installed")
pytestmark = [pytest.mark.spark, pytest.mark.filterwarnings("ignore")]  # pyspark and ibis of pandas 3
SURVEY = Survey(2, rows=600)
SETTINGS = {
    "spark.ui.enabled": "false",
    "spark.sql.shuffle.partitions": "2",
    "spark.default.parallelism": "2",
    "spark.sql.codegen.wholeStage": "false",  # compiling takes longer than these few rows
    "spark.sql.codegen.factoryMode": "NO_CODEGEN",
    "spark.driver.memory": "1g",
    "spark.driver.host": "127.0.0.1",
    "spark.driver.bindAddress": "127.0.0.1",
    "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
    "spark.log.level": "ERROR",
}


def name_itself(name: str) -> str:
    return name


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    warnings.simplefilter("ignore")
    import ibis
    from pyspark.sql import SparkSession

    folder = tmp_path_factory.mktemp("spark")
    builder = SparkSession.builder.master("local[2]").config("spark.sql.warehouse.dir", str(folder / "warehouse"))
    for key, value in SETTINGS.items():
        builder = builder.config(key, value)
    session = builder.getOrCreate()
    path: Path = SURVEY.write(folder / "responses.parquet")
    yield ibis.pyspark.connect(session).read_parquet(str(path))
    session.stop()


@pytest.mark.parametrize(
    ("name", "kind", "by"),
    [
        ("stratified", "mean", "field"),
        ("two stages with fpc", "total", None),
        ("post-stratified, then raked", "proportion", ["field", "year"]),
        ("calibrated within bounds", "composite", "field"),
        ("bootstrap, then raked", "index, pooled", "year"),
        ("stratified", "quantile", "field"),
    ],
)
def test_spark_gives_the_numbers_of_the_arrays(table: Any, name: str, kind: str, by: Any) -> None:
    arrays = [SURVEY.array(part) for part in by] if isinstance(by, list) else by and SURVEY.array(by)
    expected = estimates(SURVEY, SURVEY.array, arrays)[kind](designs(SURVEY, SURVEY.array)[name]())
    found = estimates(SURVEY, name_itself, by)[kind](designs(SURVEY, name_itself, table)[name]())
    assert not difference(expected, found)
