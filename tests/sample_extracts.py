"""Synthetic extracts of sample waves, beside tests/extracts.py.

`interview` makes a row of responses, `unit` one of the frame, `visits` draws both; `write_sample` writes the extract,
`margins_file` the totals of residents.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tests.extracts import FIRST_DAY, SCALE, Row, answers, both, codebook, put, table

FRAME_COUNTS = ("population", "households", "completed", "refused", "not_at_home", "broken_off")

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
            codes = np.where(rng.random(len(SAMPLE_ITEMS)) < 0.04, -3, answers(rng, person)).tolist()
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
    words["questionnaire"]["authority"] = both("Ủy ban nhân dân tỉnh thử nghiệm", "People's Committee of a test")
    words["centres"] = [
        {
            "code": "C01",
            "name": "Tỉnh",
            "full_name": "Trung tâm phục vụ hành chính công tỉnh",
            "kind": "province",
            "group": "g01",
        }
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
    return put(folder, columns, [], words, of_frame, SAMPLE_CODES)


def margins_file(folder: Path, **totals: Mapping[str, float]) -> Path:
    """A margins file: `margins_file(folder, SEX={"1": 500, "2": 520})`."""
    lines = [f"{margin},{label},{total}" for margin, classes in totals.items() for label, total in classes.items()]
    path = folder / "margins.csv"
    path.write_text("\n".join(["margin,class,total", *lines, ""]), encoding="utf-8")
    return path
