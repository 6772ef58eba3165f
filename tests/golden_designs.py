"""The data and designs of the golden numbers (tests/golden/README.md), as our SurveyDesign."""

import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis import SurveyDesign

GOLDEN = Path(__file__).parent / "golden"
R_RAKE = {"rake4": "field sex age area", "rake3_centre": "centre sex age", "rake_fpc": "field sex age area"}
CALIBRATED = {"cal_raking_rake4": "field sex age area", "cal_raking": "stratum field sex age area"}


@cache
def load(file: str) -> dict[str, Any]:
    return json.loads((GOLDEN / f"{file}.json").read_text())


@cache
def data(name: str) -> pd.DataFrame:
    frame = pd.read_csv(GOLDEN / name)
    if name == "lone.csv":
        frame["fpc_certain"] = np.where(frame["stratum"] == "h4", 1, frame["fpc"])
    return frame


@cache
def margins() -> dict[str, dict[Any, float]]:
    return json.loads((GOLDEN / "margins.json").read_text())


def columns(frame: pd.DataFrame, names: Any) -> Any:
    if names is None:
        return None
    return [frame[name] for name in names] if isinstance(names, list) else frame[names]


@cache
def design(file: str, name: str) -> SurveyDesign:
    meta = load(file)["designs"][name]
    if "adjusted" not in meta:
        frame = data(re.search(r"data=(\w+)", meta["call"])[1] + ".csv")
        parts = (columns(frame, meta[key]) for key in ("stratum", "psu", "fpc"))
        return SurveyDesign(
            frame[meta["weight"]],
            *parts,
            lone_psu="remove" if meta["lone_psu"] == "certainty" else meta["lone_psu"],
            nest=meta["nest"],
            lone_domain="treat" if meta.get("adjust_domain_lonely") else "ignore",
        )
    base, frame = design(file, meta["adjusted"]["from"]), data("counter.csv")
    if name in R_RAKE | CALIBRATED:
        chosen = (R_RAKE | CALIBRATED)[name].split()
        return analysis.rake(base, {key: (frame[key], margins()[key]) for key in chosen}, tolerance=1e-12)
    if name == "ps_field":
        return analysis.post_stratify(base, frame["field"], margins()["field"])
    if name == "ps_centre_field_partial":  # register cells without a response are left out
        register = pd.read_csv(GOLDEN / "register.csv").set_index(["centre", "field"])["dossiers"]
        present = set(zip(frame["centre"], frame["field"], strict=True))
        totals = {cell: count for cell, count in register.items() if cell in present}
        return analysis.post_stratify(base, [frame["centre"], frame["field"]], totals)
    totals = {tuple(cell.split("|")): count for cell, count in margins()["stratum|field"].items()}
    return analysis.post_stratify(base, [frame["stratum"], frame["field"]], totals)


def evaluate(frame: pd.DataFrame, expression: str) -> np.ndarray:
    """An R expression in CSV columns, NaN where a column it names is missing."""
    numeric = re.sub(r"\(([^()]*[<>=]=[^()]*)\)", r"(1 * (\1))", expression)  # in R, TRUE + TRUE is 2
    values = np.array(frame.eval(numeric), dtype=np.float64)
    named = [name for name in re.findall(r"[a-z_]\w*", expression) if name in frame]
    values[frame[named].isna().any(axis=1)] = np.nan
    return values


def domain(frame: pd.DataFrame, allowed: dict[str, list[Any]] | None) -> np.ndarray | None:
    """The domain as labels "in" and missing; None: all rows."""
    if allowed is None:
        return None
    inside = np.logical_and.reduce([frame[name].isin(values) for name, values in allowed.items()])
    return np.where(inside, "in", None)
