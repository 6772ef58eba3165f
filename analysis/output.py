"""Files of a wave's results: tables as CSV, what they rest on as JSON, weights as Parquet. Nothing is left half written.

Public: write_tables, write_weights, replacing, scores_csv, about, rows_json, cell_text.
"""

import csv
import io
import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from analysis.extract import Extract
from analysis.quality import quality_json
from analysis.register import POPULATION_TEXT
from analysis.rules import SENTENCE, SIMULATED, UsedRules
from analysis.wave_result import COLUMNS, Score, WaveResult
from analysis.weights import Weighting

ROLE_OF_FILE = {"scores": "received", "scores_filed": "filed", "scores_asked": "asked"}
FORMULA = tuple("=+-@\t\r\n\0＝＋－＠")
INTERVALS = {
    "index, factors": "logit of the value with delta standard error",
    "shares": "Korn-Graubard with n_eff capped at n",
    "SE = 0": "Clopper-Pearson with n_eff = min(n, n_eff_kish)",
    "adjustment": "none: each interval stands for its own row (từng lĩnh vực); verdicts are Holm-adjusted",
}


def write_tables(result: WaveResult, directory: Path) -> tuple[Path, ...]:
    """scores.csv, scores_filed.csv, scores_asked.csv, scores.about.json, quality.json, weights.parquet, weights.json."""
    written = []
    for name, rows in (("scores", result.scores), ("scores_filed", result.filed), ("scores_asked", result.asked)):
        written.append(directory / f"{name}.csv")
        written[-1].write_text(scores_csv(rows), encoding="utf-8", newline="")
    for name, content in (("scores.about.json", about(result)), ("quality.json", quality_json(result))):
        written.append(directory / name)
        written[-1].write_text(_json(content), encoding="utf-8")
    return (*written, *write_weights(result.weighting, result.extract, directory))


def write_weights(weighting: Weighting, extract: Extract, directory: Path) -> tuple[Path, ...]:
    """weights.parquet (row of the extract, final weight) and weights.json (how they came about). Confidential, both."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    rows = np.flatnonzero(weighting.rows).astype(np.int64)
    table, words = directory / "weights.parquet", directory / "weights.json"
    pq.write_table(pa.table({"row": rows, "weight": weighting.design.weight}), table)
    words.write_text(_json(weights_json(weighting, extract)), encoding="utf-8")
    return table, words


def weights_json(weighting: Weighting, extract: Extract) -> dict[str, Any]:
    return {
        "notice": SENTENCE,
        "simulated": SIMULATED if extract.manifest.simulated else False,
        "confidential": {"vi": "Dữ liệu chi tiết, không công bố.", "en": "Microdata: not for publication."},
        "population": POPULATION_TEXT[weighting.population],
        "online_included": weighting.online_included,
        "provenance": weighting.provenance,
        "diagnostics": asdict(weighting.diagnostics),
        "joinings": [asdict(joining) for joining in weighting.joinings],
        "strata_joined": [list(centres) for centres in weighting.counter.joined],
        "dossiers": weighting.dossiers,
        "unrepresented": weighting.unrepresented,
        "unregistered": weighting.unregistered,
    }


def about(result: WaveResult) -> dict[str, Any]:
    """What scores.csv rests on, for which its columns have no room."""
    manifest = result.extract.manifest
    return {
        "wave": manifest.wave,
        "notice": SENTENCE,
        "simulated": SIMULATED if manifest.simulated else False,
        "rules": rules_json(result.rules, result.extract),
        "first_rule": rows_json(result.first_rule),
        "tables": {
            "scores.csv": POPULATION_TEXT["received"],
            "scores_filed.csv": POPULATION_TEXT["filed"],
            "scores_asked.csv": {"vi": "người đến hỏi, không gia quyền", "en": "those who asked, unweighted"},
        },
        "unit": "a dossier, never a person",
        "provenance": result.weighting.provenance,
        "not_covered": "differences between this report and another may reveal what each hides",
    }


def rules_json(rules: UsedRules, extract: Extract) -> dict[str, Any]:
    one_area = len(extract.codebook.index.areas) == 1 and rules.roll_up == "area_mean"
    return {
        "item_method": rules.item_method,
        "roll_up": rules.roll_up,
        "roll_up_note": "one area only: area_mean equals pooled" if one_area else "",
        "weighting": rules.method,
        "minimum": rules.minimum,
        "reference_line": rules.reference_line,
        "level": rules.level,
        "interval": INTERVALS,
        "df": "PSUs - strata with a row in the domain; stratum = centre, PSU = centre x local day",
        "population": rules.population,
        "online_included": rules.online_included,
        "changed_since_opening": list(rules.changed),
    }


def rows_json(rows: Sequence[Score]) -> list[dict[str, Any]]:
    return [asdict(row) for row in rows]


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


@contextmanager
def replacing(directory: Path) -> Iterator[Path]:
    """A folder to write in, beside `directory`; only when all is written does each file take its place there."""
    directory.parent.mkdir(parents=True, exist_ok=True)
    parts = Path(tempfile.mkdtemp(prefix=f".{directory.name}-", dir=directory.parent))
    try:
        yield parts
        directory.mkdir(exist_ok=True)
        for file in sorted(parts.rglob("*")):
            if file.is_file():
                target = directory / file.relative_to(parts)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(file, target)
    finally:
        shutil.rmtree(parts, ignore_errors=True)


def _json(content: Mapping[str, Any]) -> str:
    return json.dumps(content, ensure_ascii=False, indent=2, default=str) + "\n"
