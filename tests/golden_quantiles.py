"""Quantiles of R `survey`: which entries are compared, with what, and why the rest is not.

`python -m tests.golden_quantiles` prints how many entries agree and the worst relative difference.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np

import analysis
from analysis import SurveyDesign, intervals
from tests.golden_cases import SMALLEST, Case, Difference
from tests.golden_designs import data, design, domain, evaluate, load

INTERVALS = {"mean": "mean", "beta": "beta", "xlogit": "logit", "asin": "asin"}
NOT_OFFERED = {  # README.md, "Quantiles"
    "shahvaish": "R's rule mixes raw and scaled weights, so it breaks where weights are not near 1",
    "score": "R maps the bounds back with an unweighted proportion",
}
NUMBERS = ("value", "se", "ci_low", "ci_high")


def cases() -> list[Case]:
    document = load("quantiles")
    found = [Case("quantiles", entry, document["designs"][entry["design"]]) for entry in document["entries"]]
    return [case for case in found if reason(case) is None]


def reason(case: Case) -> str | None:
    """Why an entry is not compared."""
    return NOT_OFFERED.get(case.entry["rule"]) or NOT_OFFERED.get(case.entry["interval"])


def compare(case: Case) -> list[Difference]:
    """Value, SE, interval, df and n of every share, both all at once and one share at a time."""
    entry, result = case.entry, case.entry["result"]
    here, frame = design("quantiles", entry["design"]), data(entry["data"])
    y, by = evaluate(frame, entry["variables"][0]), domain(frame, entry["domain"])
    options: Any = {"by": by, "interval": INTERVALS[entry["interval"]], "rule": entry["rule"]}
    ours = analysis.quantile(here, y, result["probs"], **options)
    theirs = {name: np.array(result[name], dtype=np.float64) for name in NUMBERS}
    _second_smallest(entry, ours, theirs, np.sort(y if by is None else y[by == "in"]))
    _one_ulp_below(entry, ours, theirs, here, y)
    found = []
    for number, share in enumerate(result["probs"]):
        for name in NUMBERS:
            expected = float(theirs[name][number])
            scale = max(abs(expected), SMALLEST)
            found.append(Difference(f"{name} at {share}", float(getattr(ours, name)[0, number]), expected, scale))
        for name in ("df", "n"):
            found.append(
                Difference(name, float(getattr(ours, name)[0, number]), float(result[name]), max(result[name], 1))
            )
    median = result["probs"].index(0.5)
    alone = analysis.quantile(here, y, 0.5, **options).single
    for name in NUMBERS:
        together = float(getattr(ours, name)[0, median])
        found.append(Difference(f"{name}, alone", getattr(alone, name), together, max(abs(together), SMALLEST)))
    return found


def _second_smallest(entry: dict[str, Any], ours: Any, theirs: dict[str, Any], y: np.ndarray) -> None:
    """Where a share is below that of the smallest value, R's step rules return the second smallest value.

    Only rule "hf3", which joins equal values first, meets it here: the smallest is put in place of R's bound.
    """
    smallest, second = np.unique(y)[:2]
    for number in np.flatnonzero((ours.ci_low[0] == smallest) & (theirs["ci_low"] == second)):
        assert entry["rule"] == "hf3"
        width = theirs["ci_high"][number] - second
        theirs["se"][number] *= (theirs["ci_high"][number] - smallest) / width
        theirs["ci_low"][number] = smallest


def _one_ulp_below(entry: dict[str, Any], ours: Any, theirs: dict[str, Any], here: SurveyDesign, y: np.ndarray) -> None:
    """R's "hf4" computes 14 (1 − g) + 14 g = 13.999…98 for the median, so its interval is that of P(y < 14).

    R's bounds are held to that here, and ours, of P(y ≤ 14), stand in their place.
    """
    if entry["rule"] != "hf4" or entry["domain"] is not None or entry["data"] != "counter.csv":
        return
    number = entry["result"]["probs"].index(0.5)
    assert ours.value[0, number] == 14
    assert 0 < 14 - theirs["value"][number] < 1e-14
    share = analysis.mean(here, np.where(np.isnan(y), np.nan, y < 14))
    p, se, df, n = share.value, share.se, share.df, share.n.astype(np.float64)
    if entry["interval"] == "mean":
        low, high = intervals.t(p, se, df, 0.95)
    elif entry["interval"] == "beta":
        low, high = intervals.beta(p, se, df, n, 0.95)
    elif entry["interval"] == "xlogit":
        low, high = intervals.logit(p, se, df, 0.95)
    else:
        half = (intervals.t(p, se, df, 0.95)[1] - p) / (2 * np.sqrt(p * (1 - p)))
        low, high = (np.sin(np.arcsin(np.sqrt(p)) + sign * half) ** 2 for sign in (-1, 1))
    for name, bound in (("ci_low", low), ("ci_high", high)):
        mapped = analysis.quantile(here, y, float(bound.item()), rule="hf4").single.value
        assert abs(mapped - theirs[name][number]) <= 1e-8 * mapped, (name, mapped)
    for name in ("se", "ci_low", "ci_high"):
        theirs[name][number] = getattr(ours, name)[0, number]


def _lines() -> Iterator[str]:
    found = [(case, max(compare(case), key=lambda d: d.relative)) for case in cases()]
    case, worst = max(found, key=lambda pair: pair[1].relative)
    yield f"quantiles: {load('quantiles')['count']} entries, {len(found)} compared"
    yield f"worst relative difference {worst.relative:.1e} ({worst.what} of {case.entry['id']})"
    for word, why in NOT_OFFERED.items():
        yield f"not compared, {word}: {why}"


if __name__ == "__main__":
    print("\n".join(_lines()))
