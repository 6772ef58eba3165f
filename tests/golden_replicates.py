"""Golden numbers of R's replicate designs: which entry is which call of the door, and how far apart they are.

The bootstraps are random, so their designs are built from the multipliers stored beside the numbers, as weights that a
user brings; jackknife and balanced halves are made anew, and calibrated through the door where R's were.
"""

import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis import IndexSpec, SurveyDesign
from analysis.comparison.contrasts import contrast
from tests.golden_cases import Difference, _arrays, _covariances
from tests.golden_designs import GOLDEN, data, domain, evaluate, load
from tests.golden_designs import design as plain_design

FILE = "replicates"
METHODS = {"JKn": "jackknife", "JK1": "jackknife", "BRR": "brr", "Fay": "fay"}
ITEMS = tuple(f"q{i:02d}" for i in range(1, 7))


@cache
def design(name: str) -> SurveyDesign:
    """A replicate design of the golden file."""
    meta = load(FILE)["designs"][name]["replicates"]
    if meta["from"].startswith("jkn_"):
        return _calibrated(name, design(meta["from"]), meta["targets"])
    base, centre = plain_design(FILE, meta["from"]), "estimate" if meta["mse"] else "mean"
    if meta["type"] in METHODS:
        return analysis.replicate(base, METHODS[meta["type"]], rho=meta.get("fay_rho", 0.0), centre=centre)
    stored = pd.read_csv(GOLDEN / meta["matrix"]).set_index(["stratum", "psu"])
    frame = data("small.csv")
    rows = stored.loc[list(zip(frame["stratum"], frame["psu"], strict=True))]
    options = {"scale": meta["scale"], "rscales": meta["rscales"], "centre": centre, "given": "multipliers"}
    return analysis.replicate_design(frame["w"], rows, **options)


def _calibrated(name: str, base: SurveyDesign, targets: dict[str, dict[str, float]]) -> SurveyDesign:
    frame = data("small.csv")
    if name == "jkn_small_ps":
        return analysis.post_stratify(base, frame["sex"], targets["sex"])
    if name == "jkn_small_rake":
        return analysis.rake(base, {key: (frame[key], targets[key]) for key in ("sex", "age")}, tolerance=1e-13)
    x = {key: frame[key] for key in ("sex", "age")}
    return analysis.calibrate(base, x, targets)


def compare(entry: dict[str, Any]) -> list[Difference]:
    """Every number of an entry against ours."""
    return list(_compare(entry))


def _compare(entry: dict[str, Any]) -> Iterator[Difference]:
    result, ours = entry["result"], _estimates(entry, "design")
    size = len(result["value"])
    for name in ("value", "se", "ci_low", "ci_high"):
        yield from _arrays(name, getattr(ours, name).ravel()[:size], result[name])
    yield from _arrays("df", [ours.df.ravel()[0], design(entry["design"]).df], [result["df"]] * 2)
    if "cov" in result:
        yield from _covariances(ours.covariance[:size, :size], result["cov"], result["se"])
    if entry["statistic"] != "mean by":
        by_domain = _estimates(entry, "domain")
        for name in ("df", "ci_low", "ci_high"):
            theirs = result["df_domain" if name == "df" else f"{name}_df_domain"]
            found = getattr(by_domain, name).ravel()[: len(np.atleast_1d(theirs))]
            yield from _arrays(f"{name} of the domain", found, theirs)


def _estimates(entry: dict[str, Any], df: str) -> analysis.Estimates:
    here, frame, statistic = design(entry["design"]), data(entry["data"]), entry["statistic"]
    variables = [evaluate(frame, expression) for expression in entry["variables"]]
    by = domain(frame, entry["domain"])
    if statistic == "ratio":
        return analysis.ratio(here, *variables, by=by, df=df)
    if statistic == "geometric mean":
        logarithm = analysis.mean(here, np.log(variables[0]), by=by, df=df)
        return contrast(logarithm, np.exp, df=df)
    if statistic.startswith("index"):
        roll_up = "item_mean" if "item mean" in statistic else "pooled"
        answers = {item: frame[item] for item in ITEMS}
        return analysis.index(here, answers, IndexSpec(ITEMS), "top2", roll_up, by=by, df=df, interval="t")
    if statistic == "mean by":
        by = frame[re.search(r"svyby\(.*?, ~(\w+),", entry["call"])[1]]
    y = np.column_stack(variables)
    y[np.isnan(y).any(axis=1)] = np.nan
    return (analysis.total if statistic == "total" else analysis.mean)(here, y, by=by, df=df)
