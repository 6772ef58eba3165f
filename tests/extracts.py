"""A valid synthetic extract from arrays: small enough to reason about, whole enough for every reader of extracts.

`write(folder, responses=…)` writes one; `many(n)` draws columns for a bigger one with a fixed seed. A sample wave has
`interview` for `response`, `unit` for the rows of its frame, `visits` for drawn ones, and `write_sample`.
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
FRAME_COUNTS = ("population", "households", "completed", "refused", "not_at_home", "broken_off")
RULES = {"item_method": "top2", "roll_up": "pooled", "weighting": "rake", "minimum_cell": 20, "reference_line": 85}
RULES |= {"level": 95, "margins": ["centre", "field"]}
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
        "OVERALL": _answers(rng, level),
    }
    for item in ITEMS:
        codes = np.where(rng.random(n) < 0.03, -3, _answers(rng, level))
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


def _answers(rng: np.random.Generator, level: "np.ndarray[Any, Any]") -> "np.ndarray[Any, Any]":
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
) -> Path:
    """Write files and manifest as they are given, right or wrong, under the name that the manifest makes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    types = {"local_day": pa.date32(), "late": pa.bool_(), "after_close": pa.bool_(), "clock": pa.bool_()}
    types |= {name: pa.int8() for name in columns if name in CODES or name in SAMPLE_CODES}
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
        kinds = {name: pa.int64() for name in FRAME_COUNTS} | {"probability": pa.float64()}
        pq.write_table(
            pa.table({name: pa.array(list(values), kinds.get(name, pa.string())) for name, values in frame.items()}),
            parts / "frame.parquet",
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


# ---- sample waves

SAMPLE_ITEMS = ("I.A1", "I.A2", "I.C1", "I.C2", "I.C3", "II.B1", "II.B2", "II.C1")
SAMPLE_CODES = (*SAMPLE_ITEMS, "SEX", "AGE", "PLACE")
SEXES = [(1, "Nam", "Male"), (2, "Nữ", "Female")]
AGES = [
    (1, "18–24", "18–24"),
    (2, "25–34", "25–34"),
    (3, "35–49", "35–49"),
    (4, "50–60", "50–60"),
    (5, "trên 60", "over 60"),
]
PLACES = [(1, "Đô thị", "Urban"), (2, "Nông thôn", "Rural")]
OPTIONS = {"SEX": SEXES, "AGE": AGES, "PLACE": PLACES}
AREAS = {
    "I": ("Xây dựng, tổ chức thực hiện chính sách", "Policy"),
    "II": ("Cung ứng dịch vụ hành chính công", "Services"),
}
BNV = {"series": "2023-2026", "label": "S", "source": "báo chí (một bài thử)"}
REFERENCES = [
    {"year": 2021, "place": "national", "measure": "index", "value": "87.16"} | BNV | {"series": "2017"},
    {"year": 2024, "place": "national", "measure": "index", "value": "83.94"} | BNV,
    {"year": 2024, "place": "national", "measure": "area:I", "value": "83.84"} | BNV,
    {"year": 2024, "place": "national", "measure": "area:II", "value": "84.09"} | BNV | {"label": "D"},
    {"year": 2024, "place": "national", "measure": "factor:II.B", "value": "84.27"} | BNV,
]


def interview(psu: str = "V01", **given: Any) -> dict[str, Any]:
    """One completed interview of a sample wave, satisfied with everything; other dispositions have no answers."""
    row: dict[str, Any] = {
        "centre": "C01",
        "field": None,
        "local_day": FIRST_DAY,
        "disposition": "complete",
        "mode": "assisted",
        "recruitment": "invited",
        "language": "vi",
        "late": False,
        "after_close": False,
        "clock": False,
        "psu": psu,
        **dict.fromkeys(SAMPLE_ITEMS, 4),
        "SEX": 1,
        "AGE": 3,
        "PLACE": 1,
    }
    unknown = set(given) - set(row)
    assert not unknown, unknown
    if given.get("disposition", "complete") != "complete":
        row |= dict.fromkeys(SAMPLE_CODES, -4)
    return row | given


def unit(psu: str, stratum: str = "S1", probability: float = 0.01, **given: Any) -> dict[str, Any]:
    """One row of the frame; what became of the visits is counted from the responses."""
    row = {"stratum": stratum, "psu": psu, "name": f"Thôn {psu}", "population": 900, "households": 30}
    return row | {"probability": probability} | given


def visits(
    n: int = 30, *, strata: int = 3, units: int = 4, seed: int = 1, silent: float = 0.2
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Interviews and a frame, drawn with a fixed seed: units differ in level, in probability and in non-response."""
    rng = np.random.default_rng(seed)
    frame, rows = [], []
    for number in range(strata * units):
        name, probability = f"V{number + 1:02d}", float(rng.uniform(0.005, 0.05))
        frame.append(unit(name, f"S{number // units + 1}", probability, households=n))
        level = rng.normal(1.5, 0.4)
        for _ in range(n):
            if rng.random() < silent * rng.uniform(0.2, 1.8):
                rows.append(interview(name, disposition=str(rng.choice(["refused", "not_at_home", "broken_off"]))))
                continue
            person = np.full(len(SAMPLE_ITEMS), level + rng.normal(0, 0.8))
            codes = np.where(rng.random(len(SAMPLE_ITEMS)) < 0.04, -3, _answers(rng, person)).tolist()
            about = {"SEX": int(rng.integers(1, 3)), "AGE": int(rng.integers(1, 6)), "PLACE": 1 + number % 2}
            about["AGE"] = -3 if rng.random() < 0.03 else about["AGE"]
            rows.append(interview(name, **dict(zip(SAMPLE_ITEMS, codes, strict=True)), **about))
    return rows, frame


def sample_codebook(wave: str, **given: Any) -> dict[str, Any]:
    """A form of two areas and four factors, with the demographics a margin can speak of."""
    scale = [{"code": code, "text": both(vi, en)} for code, vi, en in SCALE]
    factors = list(dict.fromkeys(item[:-1] for item in SAMPLE_ITEMS))
    empty: dict[str, Any] = {"centre": [], "field": []}
    words = codebook(wave, empty, [], simulated=given.get("simulated", False))
    words["wave"] |= {"kind": "sample", "title": both("Điều tra hộ gia đình", "A household survey")}
    words["wave"]["rules"] |= given.get("rules", {})
    words["questionnaire"] |= {"id": "qd1001-2026", "title": both("Phiếu 2023–2026", "The 2023–2026 form")}
    words["centres"] = [
        {"code": "C01", "name": "Tỉnh", "full_name": "Tỉnh thử nghiệm", "kind": "province", "group": "g01"}
    ]
    words |= {"roles": {}, "visit_codes": {}, "references": given.get("references", REFERENCES)}
    words["items"] = [
        {
            "code": code,
            "kind": "likert" if code in SAMPLE_ITEMS else "choice",
            "text": both(f"Câu {code}", f"Item {code}"),
            "factor": code[:-1] if code in SAMPLE_ITEMS else None,
            "area": code.partition(".")[0] if code in SAMPLE_ITEMS else None,
            "source": "a test's own",
            "options": [{"code": c, "text": both(vi, en)} for c, vi, en in OPTIONS[code]] if code in OPTIONS else scale,
            "columns": [code],
        }
        for code in SAMPLE_CODES
    ]
    words["index"] = {
        "items": list(SAMPLE_ITEMS),
        "factors": [
            {
                "code": factor,
                "text": both(f"Yếu tố {factor}", f"Factor {factor}"),
                "area": factor.partition(".")[0],
                "items": [item for item in SAMPLE_ITEMS if item[:-1] == factor],
            }
            for factor in factors
        ],
        "areas": [{"code": code, "text": both(vi, en)} for code, (vi, en) in AREAS.items()],
        "item_method": "top2",
        "roll_up": "pooled",
    }
    return words


def write_sample(
    folder: Path,
    rows: Sequence[Row],
    frame: Sequence[Row],
    *,
    wave: str = "ho-gia-dinh-2026",
    change: Any = None,
    **given: Any,
) -> Path:
    """Write the extract of a sample wave. `change(columns, frame, codebook)` may spoil any of them before."""
    of_unit = {row["psu"]: row for row in frame}
    columns = table(rows) if rows else table([interview()]) | {name: [] for name in interview()}
    place = list(columns).index("psu") + 1
    design = {
        "stratum": [of_unit[psu]["stratum"] if psu in of_unit else None for psu in columns["psu"]],
        "base_weight": [1 / of_unit[psu]["probability"] if psu in of_unit else None for psu in columns["psu"]],
    }
    columns = dict([*list(columns.items())[:place], *design.items(), *list(columns.items())[place:]])
    kinds = {"complete": "completed", "refused": "refused", "not_at_home": "not_at_home", "broken_off": "broken_off"}
    counted: dict[tuple[str, str], int] = {}
    for row in rows:
        if not row["after_close"]:
            key = row["psu"], kinds[row["disposition"]]
            counted[key] = counted.get(key, 0) + 1
    lines = [
        {**row, **{kind: counted.get((row["psu"], kind), 0) for kind in kinds.values()}}
        for row in sorted(frame, key=lambda row: (row["stratum"], row["psu"]))
    ]
    names = ("stratum", "psu", "name", *FRAME_COUNTS, "probability")
    of_frame = {name: [row[name] for row in lines] for name in names}
    words = sample_codebook(wave, **given)
    if change:
        change(columns, of_frame, words)
    return put(folder, columns, [], words, of_frame)


def margins_file(folder: Path, **totals: Mapping[str, float]) -> Path:
    """A margins file: `margins_file(folder, SEX={"1": 500, "2": 520})`."""
    lines = [f"{margin},{label},{total}" for margin, classes in totals.items() for label, total in classes.items()]
    path = folder / "margins.csv"
    path.write_text("\n".join(["margin,class,total", *lines, ""]), encoding="utf-8")
    return path
