"""Regressions of R `survey`: what is compared for each entry, and where R is left on purpose.

`python -m tests.golden_regressions` prints how many entries agree and the worst difference of each kind.
"""

import re
from collections.abc import Iterator
from typing import Any

import numpy as np

import analysis
from analysis import AnalysisError, Regression
from tests.golden_cases import SMALLEST, Case, Difference
from tests.golden_designs import R_RAKE, data, design, load

FAMILIES = {"gaussian()": "gaussian", "quasibinomial()": "binomial", "quasipoisson()": "poisson"}
COEFFICIENTS, COVARIANCE = 1e-5, 1e-3  # svyolr ends in a quasi-Newton search and a numerical Hessian
SEPARATED = ("f11", "f12")  # fields where every answer to q05 is 4 or 5: R's coefficients are where its fit stopped


def cases() -> list[Case]:
    document = load("regressions")
    return [Case("regressions", entry, document["designs"][entry["design"]]) for entry in document["entries"]]


def fit(case: Case, domain: Any = None) -> Regression:
    entry = case.entry
    frame, formula = data(entry["data"]), entry["variables"][0]
    factor = re.search(r"q = factor\((\w+)\)", entry["call"])
    if factor:
        formula = re.sub(r"^q\b", factor[1], formula)
    fields = re.search(r"field %in% c\(([^)]*)\)", entry["call"])
    if fields:
        domain = frame["field"].isin(re.findall(r"'(\w+)'", fields[1]))
    family: Any = "ordinal" if factor else FAMILIES[entry["family"]]
    return analysis.regress(design("regressions", entry["design"]), formula, frame, family, domain=domain)


def separated(case: Case) -> bool:
    """Entries whose model has no finite fit."""
    return bool(case.entry["variables"][0] == "I(q05 >= 4) ~ field + sex")


def compare(case: Case) -> list[Difference]:
    """Differences that must be within 1e-8, those of ordered logits scaled to their own tolerances."""
    if separated(case):
        return list(_without_separated(case))
    if case.entry["statistic"] == "ordered logit":
        return list(_ordered(case))
    return list(_compare(case))


def _compare(case: Case) -> Iterator[Difference]:
    ours, result = fit(case), case.entry["result"]
    assert len(ours.variables) == len(result["names"])
    values_only = case.entry["design"] in R_RAKE  # R's own rake() fits its residuals without weights
    names = ("value",) if values_only else ("value", "se", "ci_low", "ci_high", "p_value")
    for name in names:
        yield from _arrays(name, getattr(ours, name)[0], result[name])
    for name in ("df", "df_domain", "df_residual"):
        yield from _arrays(name, ours.df[0, :1], [result[name]])
    yield from _arrays("dispersion", [ours.dispersion], [result["dispersion"]])
    if values_only:
        return
    yield from _covariance(ours.covariance, np.array(result["cov"]))
    for test in result["term_tests"] or []:
        found = ours.wald(test["term"])
        pairs = (("F", found.statistic), ("df", found.ndf), ("ddf", found.ddf), ("p_value", found.p_value))
        for name, number in pairs:
            yield from _arrays(f"{name} of {test['term']}", [number], [test[name]])


def _ordered(case: Case) -> Iterator[Difference]:
    ours, result = fit(case), case.entry["result"]
    assert len(ours.variables) == len(result["names"])
    thresholds = len(ours.levels) - 1
    assert list(ours.variables[-thresholds:]) == [f"{k}|{k + 1}" for k in range(1, thresholds + 1)]
    stretch = 1e-8 / COEFFICIENTS
    for difference in _arrays("value", ours.value[0] * stretch, np.array(result["value"]) * stretch):
        yield Difference(difference.what, difference.ours, difference.theirs, difference.scale / stretch)
    theirs = np.array(result["cov"]) * (1e-8 / COVARIANCE)
    yield from _covariance(ours.covariance * (1e-8 / COVARIANCE), theirs, np.sqrt(np.diag(result["cov"])))
    yield from _arrays("deviance", [ours.deviance], [result["deviance"]])
    yield from _arrays("n", [ours.population[0, 0]], [result["n"]])  # R's nobs is the sum of the weights


def _without_separated(case: Case) -> Iterator[Difference]:
    """Refused, with both fields named; on the other fields the coefficients are R's, which theirs do not touch."""
    try:
        fit(case)
        yield Difference("refused", 1.0, 0.0, SMALLEST)
    except AnalysisError as error:
        message = str(error)
        yield Difference("refused", float(not all(f"field[T.{name}]" in message for name in SEPARATED)), 0.0, SMALLEST)
    frame, result = data(case.entry["data"]), case.entry["result"]
    ours = fit(case, domain=~frame["field"].isin(SEPARATED))
    kept = [i for i, name in enumerate(result["names"]) if name.removeprefix("field") not in SEPARATED]
    assert len(kept) == len(ours.variables) == len(result["names"]) - len(SEPARATED)
    for name in ("value", "se"):
        yield from _arrays(name, getattr(ours, name)[0], [result[name][i] for i in kept])
    yield from _covariance(ours.covariance, np.array(result["cov"])[np.ix_(kept, kept)])


def _arrays(what: str, ours: Any, theirs: Any) -> Iterator[Difference]:
    for a, b in zip(np.asarray(ours, dtype=np.float64), np.asarray(theirs, dtype=np.float64), strict=True):
        yield Difference(what, float(a), float(b), max(abs(float(b)), SMALLEST))


def _covariance(ours: np.ndarray, theirs: np.ndarray, se: np.ndarray | None = None) -> Iterator[Difference]:
    se = np.sqrt(np.diag(theirs)) if se is None else se
    assert ours.shape == theirs.shape
    for i, j in np.ndindex(theirs.shape):
        yield Difference(f"cov[{i},{j}]", float(ours[i, j]), float(theirs[i, j]), float(se[i] * se[j]))


def _lines() -> Iterator[str]:
    for case in cases():
        worst = max(compare(case), key=lambda d: d.relative)
        yield f"{worst.relative:.1e} ({worst.what}) {case.entry['id']}"


if __name__ == "__main__":
    print("\n".join(_lines()))
