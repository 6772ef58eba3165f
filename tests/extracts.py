"""A valid synthetic extract from arrays: small enough to reason about, whole enough for every reader of extracts.

`write(folder, responses=…)` writes one; `many(n)` draws columns for a bigger one with a fixed seed. Sample waves:
tests/sample_extracts.py.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import numpy as np

FACTORS = {"A": 3, "B": 4, "C": 3, "D": 3, "E": 3}
ITEMS = tuple(f"II.{factor}{number}" for factor, count in FACTORS.items() for number in range(1, count + 1))
CODES = ("VISIT", "OVERALL", *ITEMS, "FEEDBACK", "TIMING", "BACK", "SEX", "AGE")
FILED, RECEIVED, ASKED = 1, 2, 3
FIELDS = ("chung-thuc", "dat-dai", "ho-tich", "kinh-doanh", "xay-dung", "y-te")
LABELS = {
    "chung-thuc": ("Chứng thực", "Certification"),
    "dat-dai": ("Đất đai", "Land"),
    "ho-tich": ("Hộ tịch", "Civil status"),
    "kinh-doanh": ("Hộ kinh doanh", "Household businesses"),
    "xay-dung": ("Xây dựng", "Construction"),
    "y-te": ("Y tế", "Health"),
}
SCALE = [
    (1, "Rất không hài lòng", "Very dissatisfied"),
    (2, "Không hài lòng", "Dissatisfied"),
    (3, "Bình thường", "Neutral"),
    (4, "Hài lòng", "Satisfied"),
    (5, "Rất hài lòng", "Very satisfied"),
]
RULES = {"item_method": "top2", "roll_up": "pooled", "weighting": "rake", "minimum_cell": 20, "reference_line": 85}
RULES |= {"level": 95, "margins": ["centre", "field"]}
ODD = ("burst", "night", "straight_line", "surge", "fast")
FIRST_DAY = date(2026, 10, 1)

Row = Mapping[str, Any]


def both(vi: str, en: str) -> dict[str, str]:
    return {"vi": vi, "en": en}


def response(**given: Any) -> dict[str, Any]:
    """One complete response: a result received, satisfied with everything, no feedback made; override by name.

    Items by code, so pass those with a dot as `**{"II.A1": 3}`.
    """
    row: dict[str, Any] = {
        "centre": "C01",
        "field": FIELDS[0],
        "local_day": FIRST_DAY,
        "disposition": "complete",
        "mode": "kiosk",
        "recruitment": "walk_up",
        "language": "vi",
        "late": False,
        "after_close": False,
        "clock": False,
        "psu": None,
        "VISIT": RECEIVED,
        "OVERALL": 4,
        **{item: -1 if item.startswith("II.E") else 4 for item in ITEMS},
        "FEEDBACK": 2,
        "TIMING": 2,
        "BACK": 0,
        "SEX": 1,
        "AGE": 3,
    }
    unknown = set(given) - set(row)
    assert not unknown, unknown
    return row | given


def register_row(centre: str, field: str, resolved: int, **given: Any) -> dict[str, Any]:
    row = {"centre": centre, "field": field, "month": "2026-10", "channel": "counter"}
    return row | {"received": resolved, "resolved": resolved, "on_time": resolved} | given


def table(rows: Sequence[Row]) -> dict[str, Any]:
    return {name: [row[name] for row in rows] for name in (rows[0] if rows else response())}


def many(
    n: int = 600, *, centres: int = 6, fields: int = 4, days: int = 10, seed: int = 1, share_received: float = 0.8
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Columns of `n` responses and a register, drawn with a fixed seed: fields differ in level, centres in size."""
    rng = np.random.default_rng(seed)
    names = np.array([f"C{number:03d}" for number in range(1, centres + 1)], dtype=object)
    labels = np.array((FIELDS + tuple(f"f{number:02d}" for number in range(50)))[:fields], dtype=object)
    size = rng.uniform(0.5, 2, centres)
    centre = rng.choice(centres, n, p=size / size.sum())
    field = rng.integers(0, fields, n)
    day = rng.integers(0, days, n)
    level = 1.9 - 0.25 * field + rng.normal(0, 0.2, centres)[centre] + rng.normal(0, 0.8, n)
    visit = np.where(rng.random(n) < share_received, RECEIVED, np.where(rng.random(n) < 0.7, FILED, ASKED))
    feedback = np.where(rng.random(n) < 0.3, 1, 2)
    columns: dict[str, Any] = {
        "centre": names[centre],
        "field": labels[field],
        "local_day": np.datetime64(FIRST_DAY) + day.astype("timedelta64[D]"),
        "disposition": np.full(n, "complete", dtype=object),
        "mode": np.full(n, "kiosk", dtype=object),
        "recruitment": np.full(n, "walk_up", dtype=object),
        "language": np.full(n, "vi", dtype=object),
        "late": np.zeros(n, bool),
        "after_close": np.zeros(n, bool),
        "clock": np.zeros(n, bool),
        "psu": np.full(n, None, dtype=object),
        "VISIT": visit,
        "OVERALL": answers(rng, level),
    }
    for item in ITEMS:
        codes = np.where(rng.random(n) < 0.03, -3, answers(rng, level))
        codes = np.where((item[3] == "D") & (visit != RECEIVED), -1, codes)
        columns[item] = np.where((item[3] == "E") & (feedback != 1), -1, codes)
    columns |= {"FEEDBACK": feedback, "TIMING": np.where(visit == RECEIVED, 2, -1), "BACK": rng.integers(0, 3, n)}
    columns |= {"SEX": rng.integers(1, 3, n), "AGE": rng.integers(1, 6, n)}
    register = [
        register_row(str(c), str(f), int(resolved := rng.integers(30, 200)), received=int(resolved) + 20)
        for c in names
        for f in labels
    ]
    return columns, register


def answers(rng: np.random.Generator, level: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
    high = rng.random(len(level)) < 1 / (1 + np.exp(-level))
    return np.where(high, rng.integers(4, 6, len(level)), rng.integers(1, 4, len(level)))


def codebook(wave: str, columns: Mapping[str, Any], register: Sequence[Row], **given: Any) -> dict[str, Any]:
    """Centres come in groups of three by code; fields with the labels above."""
    centres = sorted({str(c) for c in columns["centre"]} | {str(row["centre"]) for row in register})
    fields = sorted({str(f) for f in columns["field"] if f} | {str(row["field"]) for row in register})
    scale = [{"code": code, "text": both(vi, en)} for code, vi, en in SCALE]
    return {
        "wave": {
            "id": wave,
            "kind": "counter",
            "title": both("Khảo sát thử", "A trial survey"),
            "months": sorted({str(row["month"]) for row in register}) or ["2026-10"],
            "simulated": given.get("simulated", False),
            "opened": "2026-10-01",
            "closed": None,
            "rules": RULES | given.get("rules", {}),
        },
        "questionnaire": {
            "id": "counter",
            "version": "1",
            "title": both("Phiếu khảo sát", "Questionnaire"),
            "source": "a test's own",
            "languages": ["vi", "en"],
        },
        "centres": [
            {
                "code": code,
                "name": f"Xã {code}",
                "full_name": f"Trung tâm phục vụ hành chính công xã {code}",
                "kind": "commune",
                "group": f"g{number // 3 + 1:02d}",
            }
            for number, code in enumerate(centres)
        ],
        "fields": [{"code": code, "label": both(*LABELS.get(code, (code, code))), "source": "ours"} for code in fields],
        "roles": {"field": "FIELD", "visit": "VISIT", "overall": "OVERALL", "timing": "TIMING", "times_back": "BACK"},
        "visit_codes": {"filed": FILED, "received": RECEIVED, "asked": ASKED},
        "items": [
            {
                "code": code,
                "kind": "likert" if code in ITEMS or code == "OVERALL" else "choice",
                "text": both(f"Câu {code}", f"Item {code}"),
                "factor": code[3] if code in ITEMS else None,
                "area": "II" if code in ITEMS else None,
                "source": "a test's own",
                "options": scale if code in ITEMS or code == "OVERALL" else [],
                "columns": [code],
            }
            for code in CODES
        ],
        "index": {
            "items": list(ITEMS),
            "factors": [
                {
                    "code": factor,
                    "text": both(f"Yếu tố {factor}", f"Factor {factor}"),
                    "area": "II",
                    "items": [item for item in ITEMS if item[3] == factor],
                }
                for factor in FACTORS
            ],
            "areas": [{"code": "II", "text": both("Cung ứng dịch vụ hành chính công", "Administrative services")}],
            "item_method": "top2",
            "roll_up": "pooled",
        },
        "missing": {str(-code): both("thiếu", "missing") for code in range(1, 6)},
        "columns": [{"name": name, "type": "", "label": both(name, name)} for name in columns],
    }


def write(
    folder: Path,
    responses: Mapping[str, Any] | Sequence[Row],
    register: Sequence[Row],
    *,
    wave: str = "2026-q4",
    simulated: bool = False,
    **given: Any,
) -> Path:
    """Write the extract of `responses` (columns, or rows of `response`) under `folder`; its own directory comes back."""
    columns = dict(responses) if isinstance(responses, Mapping) else table(responses)
    words = codebook(wave, columns, register, simulated=simulated, **given)
    return put(folder, columns, register, words)


def put(
    folder: Path,
    columns: Mapping[str, Any],
    register: Sequence[Row],
    words: Mapping[str, Any],
    frame: Mapping[str, Any] | None = None,
    codes: Sequence[str] = CODES,
    fieldwork: Mapping[str, Any] | None = None,
) -> Path:
    """Write files and manifest as they are given, right or wrong, under the name that the manifest makes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"local_day": pa.date32(), "late": pa.bool_(), "after_close": pa.bool_(), "clock": pa.bool_()}
    types |= {name: pa.int8() for name in (*codes, *ODD)}
    types |= {"base_weight": pa.float64()}
    plain = {name: np.asarray(values).tolist() for name, values in columns.items()}
    arrays = {name: pa.array(values, types.get(name, pa.string())) for name, values in plain.items()}
    parts = folder / "being-written"
    parts.mkdir(parents=True)
    pq.write_table(pa.table(arrays), parts / "responses.parquet")
    names = ("centre", "field", "month", "channel", "received", "resolved", "on_time")
    counts = {name: pa.int64() for name in names[4:]}
    rows = {name: pa.array([row[name] for row in register], counts.get(name, pa.string())) for name in names}
    pq.write_table(pa.table(rows), parts / "register.parquet")
    if frame is not None:
        kinds = {name: pa.int64() for name in frame if name not in ("stratum", "psu", "name")}
        kinds |= {"probability": pa.float64()}
        pq.write_table(
            pa.table({name: pa.array(list(values), kinds.get(name, pa.string())) for name, values in frame.items()}),
            parts / "frame.parquet",
        )
    if fieldwork is not None:
        days = {"centre": pa.string(), "local_day": pa.date32()}
        pq.write_table(
            pa.table({name: pa.array(list(values), days.get(name, pa.int64())) for name, values in fieldwork.items()}),
            parts / "fieldwork.parquet",
        )
    (parts / "codebook.json").write_text(json.dumps(words, ensure_ascii=False), encoding="utf-8")
    manifest = {
        "format": 1,
        "wave": words["wave"]["id"],
        "questionnaire": {"id": words["questionnaire"]["id"], "version": "1", "sha256": "0" * 64},
        "simulated": words["wave"]["simulated"],
        "counts": {"responses": len(columns["centre"]), "register": len(register)},
        "options": {},
        "ledger": {"count": len(columns["centre"]), "head": "0" * 64},
        "files": {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(parts.iterdir())},
    }
    content = json.dumps(manifest, sort_keys=True).encode()
    (parts / "manifest.json").write_bytes(content)
    return parts.rename(folder / hashlib.sha256(content).hexdigest()[:12])


def day(number: int) -> date:
    """The wave's days, from 0."""
    return FIRST_DAY + timedelta(days=number)
