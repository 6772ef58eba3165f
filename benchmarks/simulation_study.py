"""Does weighting repair what it should, and do the intervals cover? Many simulated waves whose truth is known.

    python -m benchmarks.simulation_study --waves 200 --samples 4000 [--write]

(a) `--waves` waves under each response mechanism: the error of the weighted and of the unweighted index against the
    truth, the index of all dossiers of that wave, respondents or not.
(b) `--samples` waves, in a few worlds whose centres and fields stay as they are: how often the 95 % interval holds the
    process mean, the expectation over days and persons. Response depends on centre and field: once whatever the
    centre's satisfaction, once more where it is high.
(c) What the joining of small centres costs: bias and coverage of the province by the responses a class needs.

A wave: 125 centres × 12 fields × 22 days, 45,000 dossiers resolved at the counter, about 6,000 answers of people who
received a result. It goes through the functions that weight and score a real wave; only HTTP and files are left out.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # two processes share two cores

import argparse
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from analysis.design import SurveyDesign
from analysis.sipas_index import index
from analysis.wave.weights import weight_to_register
from benchmarks.simulated_extract import Causes, codebook, extract_of, index_spec, seeds, world
from survey_app.model import Rules
from survey_app.population import RECEIVED, draw_answers, draw_visits, finite_truth, load_model, process_mean

Floats = npt.NDArray[np.float64]

MECHANISMS = {
    "correlated": (Causes(("centre", "field"), correlation=0.7), "centre and field, well-run centres ask more"),
    "uncorrelated": (Causes(("centre", "field")), "centre and field, whatever the satisfaction"),
    "at random": (Causes(()), "nothing but the day"),
    "satisfaction": (
        Causes(("centre", "field", "age", "satisfaction"), correlation=0.7),
        "centre, field, age and satisfaction itself",
    ),
}
JUDGED = ("uncorrelated", "correlated")
MINIMUM = Rules().minimum_class  # of a wave for which nothing else was decided
MINIMA = (1, 5, 10, 20)
WORLDS = 8
MODEL = load_model("counter")
FIELDS = tuple(MODEL.fields)
DOMAINS = ("all", *FIELDS)
RESPONSES = 6000
LEVEL = 0.95
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "simulation_study.md"


# ---- one wave


def scores(extract: Any, minimum: int = MINIMUM) -> dict[str, Floats]:
    """The weighted index of the province and of each field, shape (13,) each; NaN where a field has no responses."""
    weighting = weight_to_register(extract, minimum=minimum)
    spec = index_spec(codebook(FIELDS))
    given = {item: extract.column(item)[weighting.rows] for item in spec.items}
    field = extract.column("field")[weighting.rows]
    parts = [
        index(weighting.design, given, spec, level=LEVEL),
        index(weighting.design, given, spec, by=field, level=LEVEL),
    ]
    found = {}
    for name in ("value", "se", "ci_low", "ci_high", "df", "n_eff"):
        row = {str(d): v for part in parts for d, v in zip(part.domains, getattr(part, name)[:, 0], strict=True)}
        found[name] = np.array([row.get(domain, np.nan) for domain in DOMAINS])
    return found


def unweighted(extract: Any) -> Floats:
    """Every response counts alike."""
    spec = index_spec(codebook(FIELDS))
    design = SurveyDesign(np.ones(extract.n))
    given = {item: extract.column(item) for item in spec.items}
    whole, parts = index(design, given, spec), index(design, given, spec, by=extract.column("field"))
    row = {"all": whole.value[0, 0], **dict(zip(parts.domains, parts.value[:, 0], strict=True))}
    return np.array([row.get(domain, np.nan) for domain in DOMAINS])


def wave_errors(task: tuple[str, Sequence[int]]) -> list[tuple[Floats, Floats, int]]:
    """For each seed, a province of its own: errors of weighted and unweighted (13,), and the responses."""
    mechanism, chosen = task
    found = []
    for seed in chosen:
        place = world(MODEL, seed, MECHANISMS[mechanism][0])
        rng = np.random.default_rng([seed, 11])
        visits = draw_visits(place, rng, RESPONSES, (RECEIVED,))
        everyone = draw_answers(place, visits, None, rng)
        truth = finite_truth(place, visits, everyone)
        true = np.array([truth.index_all, *truth.index_field])
        answered = visits.responds
        theirs = type(everyone)(**{name: values[answered] for name, values in vars(everyone).items()})
        extract = extract_of(place, visits, theirs)
        found.append((scores(extract)["value"] - true, unweighted(extract) - true, int(answered.sum())))
    return found


def coverage_samples(task: tuple[str, int, int, Sequence[int]]) -> Floats:
    """Shape (samples, 5, 13): value − process mean, se, n_eff, and whether the truth lies below or above."""
    mechanism, minimum, number, chosen = task
    place = world(MODEL, number, MECHANISMS[mechanism][0])
    mean = process_mean(place)
    true = np.array([mean.index_all, *mean.index_field])
    rows = []
    for seed in chosen:
        rng = np.random.default_rng([number, seed, 12])
        visits = draw_visits(place, rng, RESPONSES, (RECEIVED,))
        found = scores(extract_of(place, visits, draw_answers(place, visits, visits.responds, rng)), minimum)
        below, above = (true < found["ci_low"]).astype(float), (true > found["ci_high"]).astype(float)
        missing = np.isnan(found["ci_low"])
        below[missing] = above[missing] = np.nan
        rows.append([found["value"] - true, found["se"], found["n_eff"], below, above])
    return np.array(rows)


def many_samples(pool: ProcessPoolExecutor, mechanism: str, minimum: int, samples: int) -> Floats:
    """`coverage_samples` over all worlds, in their order."""
    each = -(-samples // WORLDS)
    tasks = [(mechanism, minimum, number, batch) for number in range(1, WORLDS + 1) for batch in seeds(1, each, 20)]
    return np.concatenate(list(pool.map(coverage_samples, tasks)))


# ---- many waves


def study_bias(pool: ProcessPoolExecutor, waves: int) -> Iterable[str]:
    yield f"(a) {waves} waves a mechanism: error against the index of all 45,000 dossiers of the same wave, in points"
    yield ""
    yield (
        "| response depends on | answers | mean abs. error, unweighted | weighted | ratio | bias weighted, province |"
        " largest |bias| of a field, unweighted | weighted | bar |"
    )
    yield "|---|---:|---:|---:|---:|---:|---:|---:|---|"
    by_field: dict[str, tuple[Floats, Floats]] = {}
    for name, (_, words) in MECHANISMS.items():
        batches = pool.map(wave_errors, [(name, batch) for batch in seeds(1, waves, 5)])
        rows = [row for batch in batches for row in batch]
        weighted, plain = (np.array([row[place] for row in rows]) for place in (0, 1))
        mae, mae_plain = np.abs(weighted[:, 0]).mean(), np.abs(plain[:, 0]).mean()
        bias, bias_plain = np.nanmean(weighted, axis=0), np.nanmean(plain, axis=0)
        by_field[name] = (bias, np.nanstd(weighted, axis=0) / len(rows) ** 0.5)
        worst = np.abs(bias[1:]).max()
        yield (
            f"| {words} | {np.mean([row[2] for row in rows]):,.0f} | {mae_plain:.3f} | {mae:.3f} |"
            f" {mae / mae_plain:.3f} | {bias[0]:+.3f} | {np.abs(bias_plain[1:]).max():.2f} | {worst:.2f} |"
            f" {_bar(name, mae / mae_plain, worst)} |"
        )
    yield ""
    yield "Bias of the weighted index by field, ± its Monte-Carlo standard error:"
    yield ""
    yield "| field | " + " | ".join(by_field) + " |"
    yield "|---|" + "---:|" * len(by_field)
    for place, domain in enumerate(DOMAINS):
        cells = (f"{bias[place]:+.2f} ± {se[place]:.2f}" for bias, se in by_field.values())
        yield f"| {domain} | " + " | ".join(cells) + " |"


def _bar(name: str, ratio: float, worst: float) -> str:
    if name == "correlated":
        return f"≤ 0.5: {_met(ratio <= 0.5)}; each field < 1: {_met(worst < 1)}"
    if name in ("uncorrelated", "at random"):
        return f"≤ 1.15: {_met(ratio <= 1.15)}"
    return "none: weighting cannot mend it"


def _met(holds: bool) -> str:
    return "met" if holds else "NOT MET"


def study_coverage(pool: ProcessPoolExecutor, samples: int) -> Iterable[str]:
    for mechanism in JUDGED:
        causes, words = MECHANISMS[mechanism]
        found = many_samples(pool, mechanism, MINIMUM, samples)
        means = [process_mean(world(MODEL, number, causes)) for number in range(1, WORLDS + 1)]
        true = np.mean([[mean.index_all, *mean.index_field] for mean in means], axis=0)
        error, se, n_eff, below, above = (found[:, place] for place in range(5))
        missed = [100 * np.nanmean(side, axis=0) for side in (below, above)]
        yield f"(b) {len(found)} samples in {WORLDS} worlds; response depends on {words}"
        yield ""
        yield (
            "| domain | process mean | bias | empirical SD | mean SE | SE/SD | n_eff | coverage % | truth below % |"
            " above % | bar ≥ 93 |"
        )
        yield "|---|" + "---:|" * 9 + "---|"
        for place, domain in enumerate(DOMAINS):
            spread, size = within_worlds(error[:, place]), float(np.nanmean(n_eff[:, place]))
            covered = 100 - missed[0][place] - missed[1][place]
            judged = domain == "all" or (size >= 100 and true[place] <= 95)
            yield (
                f"| {domain} | {true[place]:.2f} | {np.nanmean(error[:, place]):+.3f} | {spread:.3f} |"
                f" {np.nanmean(se[:, place]):.3f} | {np.nanmean(se[:, place]) / spread:.3f} | {size:,.0f} |"
                f" {covered:.2f} | {missed[0][place]:.2f} | {missed[1][place]:.2f} |"
                f" {_met(bool(covered >= 93)) if judged else 'tabulated only'} |"
            )
        yield ""
        yield f"Monte-Carlo standard error of a coverage of 95 %: {100 * (0.95 * 0.05 / len(found)) ** 0.5:.2f} points."
        yield ""


def within_worlds(error: Floats) -> float:
    """Standard deviation of the estimate around the mean of its own world."""
    spread = np.sqrt(np.nanmean([np.nanvar(part) for part in np.array_split(error, WORLDS)]))
    return float(spread) or np.nan  # one sample a world has no spread


def study_joining(pool: ProcessPoolExecutor, samples: int) -> Iterable[str]:
    yield f"(c) {samples} samples each: the province's index where a centre with fewer responses joins its neighbour"
    yield ""
    yield "| response | a class needs | bias | empirical SD | mean SE | root mean squared error | coverage % |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    for mechanism in JUDGED:
        for minimum in MINIMA:
            found = many_samples(pool, mechanism, minimum, samples)
            error, se = found[:, 0, 0], found[:, 1, 0]
            covered = 100 * (1 - found[:, 3, 0].mean() - found[:, 4, 0].mean())
            yield (
                f"| {mechanism} | {minimum} | {error.mean():+.3f} | {within_worlds(error):.3f} | {se.mean():.3f} |"
                f" {np.sqrt(np.square(error).mean()):.3f} | {covered:.1f} |"
            )


def main() -> None:
    parser = argparse.ArgumentParser(description="Bias and coverage over simulated waves.")
    parser.add_argument("--waves", type=int, default=200)
    parser.add_argument("--samples", type=int, default=4000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} into docs/benchmarks")
    chosen = parser.parse_args()
    began = time.monotonic()
    lines: list[str] = []
    with ProcessPoolExecutor(chosen.processes) as pool:
        few = max(chosen.samples // 5, WORLDS)
        for part in (study_bias(pool, chosen.waves), study_coverage(pool, chosen.samples), study_joining(pool, few)):
            for line in part:
                lines.append(line)
                print(line, flush=True)
            print()
            lines.append("")
    lines.append(f"{time.monotonic() - began:.0f} s in {chosen.processes} processes. SIMULATED data, model `counter`.")
    print(lines[-1])
    if chosen.write:
        head = ["# Simulation study", "", f"`python -m benchmarks.simulation_study {' '.join(sys.argv[1:])}`", ""]
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
