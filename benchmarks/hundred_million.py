"""A hundred million rows × 40 items from Parquet, larger than the memory allowed: seconds, rows a second, memory.

    python -m benchmarks.hundred_million [--rows 100000000] [--folder FOLDER [--keep]] [--repeats 1] [--json] [--write]

Simulated answers are written in row groups to a temporary folder (not counted), then two questions are asked in a process
of their own each, in turn: DuckDB's own plain `avg(item) … group by field`, which knows of no weight and no sampling
error, as the yardstick; and the weighted mean of every item by field with its standard error, interval, design effect
and degrees of freedom by the design of strata and PSUs.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np

ITEMS = tuple(f"q{i:02d}" for i in range(1, 41))
FIELDS = tuple(f"field{i:02d}" for i in range(1, 13))
PSUS, STRATA = 2750, 125
CHUNK = 1_000_000
LEVELS = 8
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "hundred_million.md"
MEMORY = "4GB"
"""What DuckDB may take; the bar for the whole process is 8 GB."""


def write(path: Path, rows: int, seed: int = 1) -> None:
    """Answers 1 to 5, 5 % missing, that differ between PSUs; weights of two decimals; rows in no order of PSUs."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rng = np.random.default_rng(seed)
    of_byte = np.stack([_answers(level) for level in range(LEVELS)])
    level_of_psu = rng.integers(0, LEVELS, PSUS).astype(np.uint8)
    writer: Any = None
    for first in range(0, rows, CHUNK):
        count = min(CHUNK, rows - first)
        psu = rng.integers(0, PSUS, count, dtype=np.int16)
        level = level_of_psu[psu]
        columns: dict[str, Any] = {
            "weight": rng.integers(50, 1000, count) / 100.0,
            "stratum": (psu % STRATA).astype(np.int16),
            "psu": psu,
            "field": pa.DictionaryArray.from_arrays(rng.integers(0, len(FIELDS), count, dtype=np.int8), list(FIELDS)),
        }
        for item in ITEMS:
            answer = of_byte[level, np.frombuffer(rng.bytes(count), dtype=np.uint8)]
            columns[item] = pa.array(answer, mask=answer == 0)
        table = pa.table(columns)
        writer = writer or pq.ParquetWriter(path, table.schema, compression="zstd")
        writer.write_table(table, row_group_size=CHUNK // 4)
    writer.close()


def _answers(level: int) -> np.ndarray:
    """The answer to each of 256 equally likely numbers, 0 where missing."""
    share = np.array([13, 10 + level, 22 + level, 40, 80, 91 - 2 * level])
    return np.repeat(np.arange(6, dtype=np.int8), share)


def plain(path: Path) -> float:
    """DuckDB's own unweighted means by field."""
    import duckdb

    connection = duckdb.connect(config={"memory_limit": MEMORY})
    sums = ", ".join(f"avg({item})" for item in ITEMS)
    rows = connection.sql(f"SELECT field, {sums} FROM read_parquet('{path}') GROUP BY field ORDER BY field").fetchall()
    return float(rows[0][1])


def survey(path: Path) -> float:
    """Weighted means by field with everything an estimate has."""
    import ibis

    import analysis

    table = ibis.duckdb.connect(memory_limit=MEMORY).read_parquet(path)
    design = analysis.SurveyDesign("weight", stratum="stratum", psu="psu", data=table)
    found = analysis.mean(design, list(ITEMS), by="field")
    assert found.value.shape == (len(FIELDS), len(ITEMS)) and (found.se > 0).all()
    return float(found.value[0, 0])


QUESTIONS = {"plain": plain, "survey": survey}


def ask(question: str, path: Path) -> dict[str, Any]:
    """One question in a process of its own."""
    command = [sys.executable, "-m", "benchmarks.hundred_million", "--ask", question, "--path", str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def answer(question: str, path: Path) -> None:
    begun, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_SELF)
    value = QUESTIONS[question](path)
    seconds, usage = time.perf_counter() - begun, resource.getrusage(resource.RUSAGE_SELF)
    processor = usage.ru_utime + usage.ru_stime - used.ru_utime - used.ru_stime
    print(json.dumps({"seconds": seconds, "processor": processor, "gigabytes": usage.ru_maxrss / 1e6, "value": value}))


def measure(path: Path, repeats: int, rows: int) -> dict[str, Any]:
    """The best of some runs of each question, in turn."""
    runs: dict[str, list[dict[str, Any]]] = {question: [] for question in QUESTIONS}
    for _ in range(repeats):
        for question, found in runs.items():
            found.append(ask(question, path))
            print(f"{question}: {found[-1]['seconds']:.1f} s", file=sys.stderr, flush=True)
    best = {question: min(found, key=lambda run: run["seconds"]) for question, found in runs.items()}
    return {"rows": rows, "file": path.stat().st_size / 1e9, "processors": os.cpu_count(), **best}


def shown(found: dict[str, Any]) -> str:
    names = {
        "plain": "DuckDB's `avg … group by field`, no weights",
        "survey": "weighted means with SE, interval, deff, df",
    }
    lines = [
        "# A hundred million rows",
        "",
        "`python -m benchmarks.hundred_million --write`",
        "",
        f"{found['rows'] / 1e6:g} million rows × {len(ITEMS)} items, Parquet of {found['file']:.1f} GB; {len(FIELDS)} fields, "
        + f"{PSUS:,} PSUs in {STRATA} strata, the rows in no order of theirs; {found['processors']} processors, "
        + f"DuckDB allowed {MEMORY}",
        "",
        "| | seconds | million rows a second | processor seconds | peak memory, GB |",
        "|---|---|---|---|---|",
    ]
    for question, name in names.items():
        run = found[question]
        rate = found["rows"] / run["seconds"] / 1e6
        lines.append(
            f"| {name} | {run['seconds']:.1f} | {rate:.2f} | {run['processor']:.0f} | {run['gigabytes']:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    """Write the table, ask, remove it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=100_000_000)
    parser.add_argument("--folder", type=Path, help="where to write the table (default: a temporary folder)")
    parser.add_argument("--repeats", type=int, default=1)
    parser.add_argument("--keep", action="store_true", help="leave the table there, and use it if it is there")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name}")
    parser.add_argument("--ask", choices=QUESTIONS, help=argparse.SUPPRESS)
    parser.add_argument("--path", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.keep and not given.folder:
        parser.error("--keep needs --folder")
    if given.ask:
        return answer(given.ask, given.path)
    folder = Path(tempfile.mkdtemp(prefix="hundred-million-", dir=given.folder)) if not given.keep else given.folder
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"responses-{given.rows}.parquet"
    try:
        if not path.exists():
            write(path, given.rows)
        found = measure(path, given.repeats, given.rows)
    finally:
        if not given.keep:
            shutil.rmtree(folder)
    print(json.dumps(found) if given.json else shown(found))
    if given.write:
        PAGE.write_text(shown(found) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
