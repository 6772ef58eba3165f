"""Files of a wave's results: tables as CSV, what they rest on as JSON, weights as Parquet. Nothing is left half written.

Public: write_tables, write_weights, replacing, scores_csv, table_csv, cell_text, json_text.
"""

import csv
import io
import json
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import numpy as np

from analysis.wave.about import about, weights_json
from analysis.wave.extract import Extract
from analysis.wave.quality import quality_json
from analysis.wave.sample import SampleWeighting
from analysis.wave.wave_result import COLUMNS, AnyResult, Score, WaveResult
from analysis.wave.weights import Weighting

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)
FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")


def write_tables(result: AnyResult, directory: Path) -> tuple[Path, ...]:
    """scores.csv and a counter wave's other tables, scores.about.json, quality.json, weights.parquet, weights.json."""
    written = []
    for name, rows in _tables(result).items():
        written.append(directory / f"{name}.csv")
        written[-1].write_text(scores_csv(rows), encoding="utf-8", newline="")
    for name, content in (("scores.about.json", about(result)), ("quality.json", quality_json(result))):
        written.append(directory / name)
        written[-1].write_text(json_text(content), encoding="utf-8")
    return (*written, *write_weights(result.weighting, result.extract, directory))


def _tables(result: AnyResult) -> dict[str, tuple[Score, ...]]:
    if isinstance(result, WaveResult):
        return {"scores": result.scores, "scores_filed": result.filed, "scores_asked": result.asked}
    return {"scores": result.scores}


def write_weights(weighting: Weighting | SampleWeighting, extract: Extract, directory: Path) -> tuple[Path, ...]:
    """weights.parquet (row of the extract, final weight) and weights.json (how they came about). Confidential, both."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = np.flatnonzero(weighting.rows).astype(np.int64)
    table, words = directory / "weights.parquet", directory / "weights.json"
    pq.write_table(pa.table({"row": rows, "weight": weighting.design.weight}), table)
    words.write_text(json_text(weights_json(weighting, extract)), encoding="utf-8")
    return table, words


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """A folder to write in, inside `directory`; only when all is written does each file take its place there.

    Inside, so that both lie on one file system and no other folder need be writable. A folder made for the purpose is
    taken away again when nothing came of it.
    """
    made = [folder for folder in (directory, *directory.parents) if not folder.exists()]
    directory.mkdir(parents=True, exist_ok=True)
    parts = Path(tempfile.mkdtemp(prefix=".writing-", dir=directory))
    try:
        yield parts
        with _interruptions_later():
            for file in sorted(parts.rglob("*")):
                if file.is_file():
                    target = directory / file.relative_to(parts)
                    target.parent.mkdir(parents=True, exist_ok=True)
                    os.replace(file, target)
    except BaseException:
        shutil.rmtree(parts, ignore_errors=True)
        for folder in made:
            with suppress(OSError):
                folder.rmdir()
        raise
    finally:
        shutil.rmtree(parts, ignore_errors=True)


@contextmanager
def _interruptions_later() -> Iterator[None]:
    """Ctrl-C and SIGTERM take effect when this is over: files of two results must not stand side by side."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda this, _: came.append(this)) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])


def scores_csv(rows: Sequence[Score]) -> str:
    """Exactly the columns of a published table; numbers at full precision, blank where there is none."""
    return table_csv(COLUMNS, [[getattr(row, name) for name in COLUMNS] for row in rows])


def table_csv(header: Sequence[str], rows: Sequence[Sequence[object]]) -> str:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([cell_text(name) for name in header])
    writer.writerows([[cell_text(value) for value in row] for row in rows])
    return text.getvalue()


def cell_text(value: object) -> str:
    """A cell that no spreadsheet takes for a formula: text that begins like one gets an apostrophe; numbers stay."""
    if value is None:
        return ""
    if isinstance(value, bool | int | float | np.number):
        number = float(value)
        return repr(int(number)) if number.is_integer() and abs(number) < 1e15 else repr(number)
    text = str(value)
    return f"'{text}" if text.lstrip(" ").startswith(FORMULA) else text


def json_text(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"
