"""How often the intervals hold the truth, and on which side they miss it: each method on simulated samples.

    python -m benchmarks.coverage [--samples 4000] [--write]

Every figure goes through the public functions: the samples of a case are strata of one design and domains of one call,
so that a domain's estimate, standard error, degrees of freedom and interval are those of its sample alone. --write writes
docs/benchmarks/coverage.md and the pictures beside it. SIMULATED, seeded: the same figures each time.
"""

import argparse
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import analysis
from analysis.intervals import beta, clopper_pearson, index_share, korn_graubard, logit, wilson

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "benchmarks"
PS, NS = (0.5, 0.85, 0.97), (30, 60, 100, 300, 1000, 3000)
SHARES = ("korn_graubard", "beta", "logit", "wilson", "t")
ROWS = 1_500_000  # of a design at most; more samples than fit are taken in turns
ITEMS, ROUTED, SKIPPED = 16, 4, 0.3

Floats = NDArray[np.float64]
Samples = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """A population, a sample of about n rows, and what is estimated.

    Attributes
    ----------
    measure : "share" (one item), "mean" (of answers 1 to 5), "index" (pooled share over 16 items), "median" (of minutes)
    sampling : "rows" every row a PSU; "clustered" PSUs of 15 to 25 rows; "ten PSUs"; "weighted" as clustered, in two
        strata with different shares, and unequal weights
    p : the share in the population
    straight : share of respondents who answer all items of the index alike
    """

    measure: str
    sampling: str
    p: float
    n: int
    straight: float = 0.0


@dataclass(frozen=True)
class Figures:
    """Of one method in one case, over all samples: per cent that hold the truth, lie wholly above it, below it."""

    method: str
    covered: float
    above: float
    below: float
    width: float
    n_eff: float
    df: float


def cases() -> list[Case]:
    """All of them, the large ones first, so that two processes end together."""
    found = []
    for n in reversed(NS):
        for p in PS:
            found += [Case("share", sampling, p, n) for sampling in ("rows", "clustered", "ten PSUs", "weighted")]
            found += [Case("mean", sampling, p, n) for sampling in ("rows", "clustered")]
            found += [
                Case("index", sampling, p, n, straight) for sampling in ("rows", "clustered") for straight in (0.0, 0.4)
            ]
        found += [Case("median", sampling, 0.5, n) for sampling in ("rows", "clustered")]
    return found


def layout(case: Case, samples: int, rng: np.random.Generator) -> Samples:
    """Sample, stratum and PSU of each row, and the latent share of its PSU (design effect about 1.75)."""
    if case.sampling == "rows":
        sample = np.repeat(np.arange(samples), case.n)
        return {"sample": sample, "stratum": sample, "psu": np.arange(len(sample)), "p": np.full(len(sample), case.p)}
    psus = 10 if case.sampling == "ten PSUs" else max(2, round(case.n / 20))
    average = case.n / psus
    spread = round(average / 4)
    size = np.maximum(1, rng.integers(round(average) - spread, round(average) + spread + 1, (samples, psus))).ravel()
    centre = np.full((samples, psus), case.p)
    half = np.zeros((samples, psus), dtype=np.int64)
    if case.sampling == "weighted":
        half[:, : psus // 2] = 1 if psus >= 4 else 0
        shift = min(case.p, 1 - case.p) / 2 if psus % 2 == 0 and psus >= 4 else 0.0
        centre = centre + np.where(half == 1, shift, -shift)
    correlation = min(0.75 / max(average - 1, 1), 0.5)
    concentration = (1 - correlation) / correlation
    latent = rng.beta(centre.ravel() * concentration, (1 - centre.ravel()) * concentration)
    psu = np.repeat(np.arange(samples * psus), size)
    sample = psu // psus
    return {"sample": sample, "stratum": 2 * sample + half.ravel()[psu], "psu": psu, "p": latent[psu]}


def answers(case: Case, p: Floats, rng: np.random.Generator) -> tuple[Samples, float]:
    """The columns of the measure and its value in the population; p is the latent share of each row's PSU."""
    rows = len(p)
    if case.measure == "share":
        return {"y": (rng.random(rows) < p).astype(np.int8)}, case.p
    if case.measure == "mean":
        low, high = np.array([0.1, 0.4, 1.0]), 0.6  # of those not satisfied: 1, 2, 3; of the satisfied: 4, else 5
        part, satisfied = rng.random(rows), rng.random(rows) < p
        y = np.where(satisfied, np.where(part < high, 4, 5), 1 + np.searchsorted(low, part, side="right"))
        return {"y": y.astype(np.int8)}, case.p * (4 * high + 5 * (1 - high)) + (1 - case.p) * (0.1 + 0.6 + 1.8)
    if case.measure == "median":
        # the PSU moves the whole distribution: P(minutes ≤ 15) is its latent share
        return {"y": 15.0 * np.exp(0.8 * (rng.normal(size=rows) - _probit(p)))}, 15.0
    valid = ITEMS - rng.binomial(ROUTED, SKIPPED, rows)
    own = rng.beta(3 * p, 3 * (1 - p))
    straight = rng.random(rows) < case.straight
    own = np.where(straight, rng.random(rows) < p, own)
    return {"top": rng.binomial(valid, own), "valid": valid}, case.p


def _probit(p: Floats) -> Floats:
    from scipy.special import ndtri

    return np.asarray(ndtri(np.clip(p, 1e-9, 1 - 1e-9)))


def intervals(case: Case, made: Samples, y: Samples, rng: np.random.Generator) -> Iterator[tuple[str, Any]]:
    """Method and the estimates of all samples, with the interval of the method."""
    weight = rng.lognormal(0, 0.4, len(made["sample"])) if case.sampling == "weighted" else np.ones(len(made["sample"]))
    design = analysis.SurveyDesign(weight, stratum=made["stratum"], psu=made["psu"])
    by = made["sample"]
    if case.measure == "share":
        for method in SHARES:
            yield method, analysis.proportion(design, y["y"], by=by, interval=method)
    elif case.measure == "mean":
        estimates = analysis.mean(design, y["y"], by=by)
        yield "t", estimates
        yield "logit", on_logit(estimates, 1.0, 5.0)
        yield "korn_graubard", on_shares(estimates, korn_graubard, 1.0, 5.0)
    elif case.measure == "index":
        estimates = analysis.ratio(design, y["top"], y["valid"], by=by)
        yield "logit", on_logit(estimates, 0.0, 1.0)
        yield "default", on_shares(estimates, index_share, 0.0, 1.0)
        yield "t", estimates
        yield "korn_graubard", on_shares(estimates, korn_graubard, 0.0, 1.0)
        yield "beta", on_shares(estimates, beta, 0.0, 1.0)
        yield "wilson", on_shares(estimates, wilson, 0.0, 1.0)
    else:
        for method in ("mean", "beta", "logit"):
            yield method, analysis.quantile(design, y["y"], 0.5, by=by, interval=method)


def on_logit(estimates: analysis.Estimates, low: float, high: float) -> Any:
    """The same estimates with the interval of the index: logit on the measure's own range."""

    def rule(share: Floats, se: Floats, df: Floats, _: Any, level: float) -> Any:
        return logit(share, se, df, level)

    return on_shares(estimates, rule, low, high)


def on_shares(estimates: analysis.Estimates, rule: Any, low: float, high: float) -> Any:
    """The same estimates with an interval made for shares, on their place in their range.

    Where the standard error is 0 it is Clopper–Pearson's for n, as in `index` (rows of equal weight).
    """
    width, level = high - low, estimates.level
    share, se = (estimates.value - low) / width, estimates.se / width
    bounds = rule(share, se, estimates.df, estimates.n, level)
    exact = clopper_pearson(share, estimates.n.astype(np.float64), level)
    lower, upper = (np.where(se == 0, sure, found) for sure, found in zip(exact, bounds, strict=True))
    known = estimates.df >= 1
    return _Bounds(
        np.where(known, low + width * lower, np.nan),
        np.where(known, low + width * upper, np.nan),
        estimates.n_eff,
        estimates.df,
    )


@dataclass(frozen=True)
class _Bounds:
    ci_low: Floats
    ci_high: Floats
    n_eff: Floats
    df: Floats


def simulate(case: Case, samples: int) -> list[Figures]:
    """All methods of a case."""
    parts: dict[str, list[NDArray[Any]]] = {}
    turns = max(1, -(-samples * case.n // ROWS))
    seed = [round(1000 * case.p), case.n, round(100 * case.straight), sum(map(ord, case.measure + case.sampling))]
    for turn in range(turns):
        rng = np.random.default_rng([*seed, turn])
        made = layout(case, samples * (turn + 1) // turns - samples * turn // turns, rng)
        y, truth = answers(case, made["p"], rng)
        for method, found in intervals(case, made, y, np.random.default_rng([*seed, turn, 1])):
            low, high, n_eff, df = (
                np.asarray(each, dtype=np.float64).ravel()
                for each in (found.ci_low, found.ci_high, found.n_eff, found.df)
            )
            parts.setdefault(method, []).append(np.stack([low, high, n_eff, df]))
    return [_figures(method, np.concatenate(part, axis=1), truth) for method, part in parts.items()]


def _figures(method: str, part: Floats, truth: float) -> Figures:
    low, high, n_eff, df = part
    above, below = low > truth, high < truth
    covered = (low <= truth) & (truth <= high)  # an interval that is not there holds nothing
    shares = (100 * float(each.mean()) for each in (covered, above, below))
    known = np.isfinite(high - low)
    width = float((high - low)[known].mean()) if known.any() else np.nan
    return Figures(method, *shares, width, float(np.nanmedian(n_eff)), float(np.nanmedian(df)))


def run(case: Case, samples: int) -> tuple[Case, list[Figures]]:
    return case, simulate(case, samples)


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    from benchmarks.coverage_page import draw, page

    start = time.perf_counter()
    todo = cases()
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        found = dict(pool.map(run, todo, [options.samples] * len(todo)))
    text = page(found, options.samples)
    print(text)
    print(f"{time.perf_counter() - start:.0f} s")
    if options.write:
        (FOLDER / "coverage.md").write_text(text, encoding="utf-8")
        draw(found, FOLDER / "coverage.svg", FOLDER / "coverage-above.svg")


if __name__ == "__main__":
    main()
