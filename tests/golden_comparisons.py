"""Golden contrasts and tests of R `survey` (tests/golden/README.md, "Comparisons"): what we compute for each entry."""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis import Estimates, SurveyDesign
from tests import golden_calibration, golden_cases
from tests.golden_cases import ITEMS, SPEC, Difference, _arrays, _covariances
from tests.golden_designs import R_RAKE, data, domain, evaluate, load
from tests.golden_designs import design as plain_design

FILE = "comparisons"
PAIRS: dict[str, dict[Any, float]] = {
    "f02-f01": {"f01": -1, "f02": 1},
    "f12-f11": {"f11": -1, "f12": 1},
    "f03-rest": {"f01": -0.25, "f02": -0.25, "f03": 1, "f04": -0.25, "f05": -0.25},
}
CALLED_APART = {
    "mean by",
    "composite index",
    "index pooled by",
}  # estimates, compared by golden_cases, golden_calibration
LOOSE = {
    "saddlepoint": (1e-6, "R finds the saddlepoint with uniroot to 1e-8"),
    "lincom": (1e-6, "R without the package CompQuadForm gives the saddlepoint approximation under this name"),
}


def entries() -> list[dict[str, Any]]:
    return [entry for entry in load(FILE)["entries"] if entry["statistic"] not in CALLED_APART]


def design(name: str) -> SurveyDesign:
    if name in golden_calibration.CALIBRATED:
        return golden_calibration.design(FILE, name)
    return plain_design(FILE, name)


def compare(entry: dict[str, Any]) -> list[Difference]:
    """Every number of an entry against ours."""
    here, frame = design(entry["design"]), data(entry["data"])
    if entry["statistic"] == "chi-squared":
        return list(_test(here, frame, entry))
    if entry["statistic"] == "t test":
        return list(_t_test(here, frame, entry))
    if entry["statistic"].startswith("nonlinear") or entry["statistic"] == "linear contrast of totals":
        return list(_numbers(_function(here, frame, entry), entry))
    return list(_numbers(_differences(here, frame, entry), entry))


def _differences(here: SurveyDesign, frame: pd.DataFrame, entry: dict[str, Any]) -> Estimates:
    if entry["statistic"] == "differences of pooled index":
        answers = {item: frame[item] for item in ITEMS}
        found = analysis.index(here, answers, SPEC, entry["score"], by=frame[entry["by"]], interval="t")
        pairs = {name: {(key, "index"): a for key, a in one.items()} for name, one in PAIRS.items()}
        return analysis.contrast(found, pairs, df="design")
    by = frame[entry["by"]]
    found = analysis.mean(here, evaluate(frame, entry["variables"][0]), by=by)
    names = entry["result"]["names"]
    if names == list(PAIRS):
        return analysis.contrast(found, PAIRS, df="design")
    if len(names) == 1:
        return analysis.contrast(found, {names[0]: {"60+": 1, "18-29": -1}}, df="design")
    return analysis.pairwise(found, reference=found.domains[0], df="design")


def _function(here: SurveyDesign, frame: pd.DataFrame, entry: dict[str, Any]) -> Estimates:
    if entry["id"] == "counter|ratio of means|time_min|f01/f02":
        means = analysis.mean(here, frame["time_min"], by=frame["field"])
        return analysis.contrast(means, lambda v: {"ratio": v[0] / v[1], "log": np.log(v[0] / v[1])}, df="design")
    both = frame[["time_min", "came_back"]].astype(float)
    if entry["id"] == "counter|sum of totals":
        totals = analysis.total(here, both)
        return analysis.contrast(totals, {"a": {"time_min": 1, "came_back": 3}}, df="design")
    means = analysis.mean(here, both)
    return analysis.contrast(means, lambda v: {"ratio": v[0] / v[1], "difference": v[0] - 10 * v[1]}, df="design")


def _numbers(ours: Estimates, entry: dict[str, Any]) -> Iterator[Difference]:
    result = entry["result"]
    values_only = entry["design"] in R_RAKE
    for name in ("value",) if values_only else ("value", "se", "ci_low", "ci_high"):
        yield from _arrays(name, getattr(ours, name), result[name])
    if not values_only:
        yield from _arrays("df", ours.df.ravel()[:1], result["df"])
        if "cov" in result:
            yield from _covariances(ours.covariance, result["cov"], result["se"])


def _t_test(here: SurveyDesign, frame: pd.DataFrame, entry: dict[str, Any]) -> Iterator[Difference]:
    """The difference of two domains' means; R takes one degree of freedom off for the second mean."""
    y, group = (evaluate(frame, expression) for expression in entry["variables"])
    within = re.search(r"field%in%c\((\w+),(\w+)\)", entry["id"])
    if within:
        group[~frame["field"].isin(within.groups())] = np.nan
    means = analysis.mean(here, y, by=group)
    ours = analysis.pairwise(means, reference=0.0)
    ours = analysis.pairwise(means, reference=0.0, df=float(ours.df[0, 0]) - 1)
    names = {
        "difference": "value",
        "t": "t",
        "df": "df",
        "p_value": "p_value",
        "ci_low": "ci_low",
        "ci_high": "ci_high",
    }
    for theirs, mine in names.items():
        yield from _arrays(theirs, getattr(ours, mine), entry["result"][theirs])


def labels(frame: pd.DataFrame, expression: str) -> np.ndarray:
    """Labels of a classification; None where missing."""
    if re.fullmatch(r"\w+", expression):
        column = frame[expression]
        return np.where(column.isna(), None, column.astype(object))
    return evaluate(frame, expression)


def _test(here: SurveyDesign, frame: pd.DataFrame, entry: dict[str, Any]) -> Iterator[Difference]:
    row, column = (labels(frame, expression) for expression in entry["variables"])
    if entry["id"].endswith("|field==f01"):
        row = np.where(domain(frame, {"field": ["f01"]}) == "in", row, None)
    result, kind = entry["result"], entry["test"]
    name = "saddlepoint" if kind == "lincom" else kind
    ours = analysis.test_independence(here, row, column, statistic=name)
    yield from _arrays("statistic", [ours.statistic], [result["statistic"]])
    parameter = {"Chisq": [ours.ndf]}.get(kind, [ours.ndf, ours.ddf])
    if result["parameter"] is not None:
        yield from _arrays("parameter", parameter, result["parameter"])
    loose = LOOSE.get(kind, (golden_cases.RELATIVE, ""))[0] / golden_cases.RELATIVE
    for one in _arrays("p_value", [ours.p_value], [result["p_value"]]):
        yield Difference(one.what, one.ours, one.theirs, one.scale * loose)
    yield from _arrays("table", ours.proportion * ours.n, np.ravel(result["table"]))
    yield from _arrays("expected", ours.expected * ours.n, np.ravel(result["expected"]))
    if kind == "lincom":  # the integral itself is near its approximation
        exact = analysis.test_independence(here, row, column, statistic="lincom")
        yield Difference("integral", exact.p_value, result["p_value"], 0.03 / golden_cases.RELATIVE * exact.p_value)
