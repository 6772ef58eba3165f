"""What does it cost to ask each citizen two factors of five, and do estimates and intervals stay right?

    python -m benchmarks.matrix_sampling --samples 600 [--write]

The same simulated waves three times: asked everything; asked in parts, as `counter-short` draws them; and mixed, where
officials asked some citizens everything, old people more often than young ones. Every measure of a counter wave, under
every roll-up, for the province and each field, through the functions that weight and score a real wave.

Unbiased: the estimate in parts less that of the same responses asked everything. Coverage: of the expectation over
days and persons, which is the mean of the estimates with everything asked, in the same world. Cost: the ratio of the
variances of the estimates over the samples of a world.
"""

import os

for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")  # two processes share two cores

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, get_args

import numpy as np
import numpy.typing as npt

from analysis.sipas_index import RollUp, index
from analysis.wave.weights import weight_to_register
from benchmarks.simulated_extract import Causes, codebook, extract_of, index_spec, seeds, world
from survey_app.population import RECEIVED, World, draw_answers, draw_visits, load_model
from survey_app.questionnaire import Questionnaire, load, shipped

Floats = npt.NDArray[np.float64]

MODEL = load_model("counter")
FIELDS = tuple(MODEL.fields)
DOMAINS = ("all", *FIELDS)
CAUSES = Causes(("centre", "field"))
RESPONSES = 6000
WORLDS = 4
ROLL_UPS: tuple[RollUp, ...] = get_args(RollUp)
MEANS = ("index, item_mean", "index, factor_mean")
ASKED = ("everything", "in parts", "mixed")
NUMBERS = ("value", "se", "ci_low", "ci_high", "df", "n", "n_eff")
OLD, OFTEN, SELDOM = 4, 0.6, 0.1
"""Citizens over 60 are asked everything six times in ten, the others once, in the mixed waves."""
ENOUGH, DEGREES, BAR = 60, 8, 93.0
PAGE = Path(__file__).parent.parent / "docs" / "benchmarks" / "matrix_sampling.md"


@cache
def form() -> Questionnaire:
    return load(shipped()["counter-short", "1"])


def items() -> tuple[str, ...]:
    index = form().index
    assert index is not None
    return index.items


def measures() -> tuple[str, ...]:
    """The index under each roll-up, then factors and items as `pooled` has them."""
    index = form().index
    assert index is not None
    factors = (f"factor:{factor.code}" for factor in index.factors)
    return (*(f"index, {roll_up}" for roll_up in ROLL_UPS), *factors, *(f"item:{code}" for code in index.items))


def kind_of(measure: str) -> str:
    return measure if measure.startswith("index") else measure.partition(":")[0] + "s"


# ---- one wave


def estimates(extract: Any, weighting: Any, codes: Floats, chance: Floats | None) -> Floats:
    """Of shape (numbers, domains, measures); NaN where a field has no responses."""
    spec = index_spec(codebook(FIELDS))
    rows = weighting.rows
    given = dict(zip(items(), codes[rows].T, strict=True))
    inclusion = None if chance is None else chance[rows]
    field = extract.column("field")[rows]
    found = np.full((len(NUMBERS), len(DOMAINS), len(measures())), np.nan)
    for place, roll_up in enumerate(ROLL_UPS):
        for by in (None, field):
            part = index(weighting.design, given, spec, "top2", roll_up, by=by, inclusion=inclusion)
            at = [DOMAINS.index(str(domain)) for domain in part.domains]
            numbers = np.array([np.broadcast_to(getattr(part, name), part.value.shape) for name in NUMBERS])
            found[:, at, place] = numbers[:, :, 0]
            if roll_up == "pooled":
                found[:, at, len(ROLL_UPS) :] = numbers[:, :, 1:]
    return found


def drawn(rng: np.random.Generator, n: int, whole: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.bool_], Floats]:
    """Which items each row is asked, and with what probability."""
    parts = form().parts
    assert parts is not None
    number = rng.integers(1, parts.of + 1, n)
    left_out = np.array([[code in form().left_out(form().part(k)) for code in items()] for k in range(1, parts.of + 1)])
    asked = whole[:, None] | ~left_out[number - 1]
    chance = np.array([float(form().inclusion(form().item(code))) for code in items()])
    return asked, np.where(whole[:, None], 1.0, chance)


def wave(place: World, number: int, seed: int) -> Floats:
    """One wave of a world three times, and the mixed one without its probabilities; (4, numbers, domains, measures)."""
    rng = np.random.default_rng([number, seed, 23])
    visits = draw_visits(place, rng, RESPONSES, kinds=(RECEIVED,))
    answers = draw_answers(place, visits, visits.responds, rng)
    extract = extract_of(place, visits, answers)
    weighting = weight_to_register(extract)
    codes = np.column_stack([extract.column(code) for code in items()]).astype(float)
    age = visits.age[np.flatnonzero(visits.responds)]
    nobody = np.zeros(extract.n, dtype=bool)
    asked, chance = drawn(rng, extract.n, nobody)
    whole = rng.random(extract.n) < np.where(age == OLD, OFTEN, SELDOM)
    also, chances = drawn(rng, extract.n, whole)
    parted, mixed = np.where(asked, codes, -5), np.where(also, codes, -5)
    return np.array(
        [
            estimates(extract, weighting, codes, None),
            estimates(extract, weighting, parted, chance),
            estimates(extract, weighting, mixed, chances),
            estimates(extract, weighting, mixed, None),
        ]
    )


def waves(task: tuple[int, Sequence[int]]) -> Floats:
    number, chosen = task
    place = world(MODEL, number, CAUSES)
    return np.array([wave(place, number, seed) for seed in chosen])


# ---- many waves


def study(found: Floats) -> Iterator[str]:
    """Tables of `found`, shape (worlds, samples, 4, numbers, domains, measures)."""
    value = found[:, :, :, NUMBERS.index("value")]
    truth = np.nanmean(value[:, :, 0], axis=1, keepdims=True)
    yield from _bias(value)
    yield ""
    yield from _coverage(found, truth)
    yield ""
    yield from _cost(found, value)


def _bias(value: Floats) -> Iterator[str]:
    yield "## Bias"
    yield ""
    yield "Estimate less that of the same responses asked everything, in points; over the province and the fields."
    yield ""
    yield (
        "| measures | in parts, province | largest of a field | beyond 2 Monte-Carlo SE | mixed, province |"
        " largest of a field | beyond 2 Monte-Carlo SE | mixed, chances left out, province |"
    )
    yield "|---|" + "---:|" * 7
    count = value.shape[0] * value.shape[1]
    flat = value.reshape(count, *value.shape[2:])
    for kind, places in _kinds():
        cells = []
        for variant in (1, 2):
            apart = flat[:, variant][..., places] - flat[:, 0][..., places]
            mean, se = np.nanmean(apart, axis=0), np.nanstd(apart, axis=0) / count**0.5
            beyond = 100 * np.mean(np.abs(mean) > 2 * se)
            cells += [f"{_largest(mean[0]):+.3f}", f"{np.abs(mean[1:]).max():.3f}", f"{beyond:.0f} %"]
        left = np.nanmean(flat[:, 3, 0][..., places] - flat[:, 0, 0][..., places], axis=0)
        yield f"| {kind} | " + " | ".join([*cells, f"{_largest(left):+.3f}"]) + " |"


def _largest(values: Floats) -> float:
    return float(values[np.argmax(np.abs(values))])


def _coverage(found: Floats, truth: Floats) -> Iterator[str]:
    yield "## Coverage"
    yield ""
    samples = found.shape[0] * found.shape[1]
    yield (
        f"95 % intervals, domains whose mean n_eff is at least {ENOUGH} and mean df at least {DEGREES}; bar ≥ {BAR:.0f} %."
        " The mean of items or factors is as good as its thinnest item: so once more where every item meets both."
        f" Monte-Carlo standard error of a coverage of 95 %: {100 * (0.95 * 0.05 / samples) ** 0.5:.1f} points."
    )
    yield ""
    yield "| asked | measures | cells judged | coverage, mean | lowest | cells under the bar | province | SE / SD, mean |"
    yield "|---|---|---:|---:|---:|---:|---:|---:|"
    low, high, df, n_eff, se = (
        found[:, :, :, NUMBERS.index(name)] for name in ("ci_low", "ci_high", "df", "n_eff", "se")
    )
    value = found[:, :, :, 0]
    for variant, asked in enumerate(ASKED):
        held = (low[:, :, variant] <= truth) & (truth <= high[:, :, variant])
        known = ~np.isnan(low[:, :, variant])
        covered = 100 * held.sum(axis=(0, 1)) / known.sum(axis=(0, 1))
        fit = (np.nanmean(n_eff[:, :, variant], axis=(0, 1)) >= ENOUGH) & (
            np.nanmean(df[:, :, variant], axis=(0, 1)) >= DEGREES
        )
        spread = np.sqrt(np.nanmean(np.nanvar(value[:, :, variant], axis=1, ddof=1), axis=0))
        ratio = np.nanmean(se[:, :, variant], axis=(0, 1)) / spread
        thinnest = fit[:, len(measures()) - len(items()) :].all(axis=1)
        for kind, places in _kinds():
            rows = [(kind, fit[:, places])]
            if kind in MEANS:
                rows.append((f"{kind}; every item", fit[:, places] & thinnest[:, None]))
            for name, judged in rows:
                if judged.any():
                    here = covered[:, places][judged]
                    yield (
                        f"| {asked} | {name} | {judged.sum()} | {here.mean():.1f} | {here.min():.1f} |"
                        f" {(here < BAR).sum()} | {covered[0, places].mean():.1f} | {ratio[:, places][judged].mean():.3f} |"
                    )


def _cost(found: Floats, value: Floats) -> Iterator[str]:
    yield "## Cost"
    yield ""
    yield "The province. Variances over the samples of a world; a wave in parts is worth this share of its responses asked"
    yield "everything."
    yield ""
    yield "| measure | answers, everything | in parts | SD, everything | in parts | ratio of variances | worth |"
    yield "|---|---:|---:|---:|---:|---:|---:|"
    n = np.nanmean(found[:, :, :, NUMBERS.index("n"), 0], axis=(0, 1))
    variance = np.nanmean(np.nanvar(value[:, :, :, 0], axis=1, ddof=1), axis=0)
    for place, measure in enumerate(measures()):
        whole, part = variance[0, place], variance[1, place]
        yield (
            f"| {measure} | {n[0, place]:,.0f} | {n[1, place]:,.0f} | {whole**0.5:.3f} | {part**0.5:.3f} |"
            f" {part / whole:.2f} | {100 * whole / part:.0f} % |"
        )
    per = [n[variant, len(measures()) - len(items()) :].sum() / RESPONSES for variant in (0, 1)]
    yield ""
    yield (
        f"A response asked everything answers {per[0]:.1f} of the 16 items, one in parts {per[1]:.1f}: "
        f"for as many answers a wave in parts has {per[0] / per[1]:.2f} times the responses."
    )


def _kinds() -> list[tuple[str, list[int]]]:
    kinds: dict[str, list[int]] = {}
    for place, measure in enumerate(measures()):
        kinds.setdefault(kind_of(measure), []).append(place)
    return list(kinds.items())


def run(samples: int, processes: int) -> Floats:
    """`samples` waves, evenly over the worlds; shape (worlds, samples of each, 4, numbers, domains, measures)."""
    each = max(2, -(-samples // WORLDS))
    tasks = [(number, batch) for number in range(1, WORLDS + 1) for batch in seeds(1, each, 5)]
    with ProcessPoolExecutor(processes) as pool:
        found = np.concatenate(list(pool.map(waves, tasks)))
    return found.reshape(WORLDS, each, *found.shape[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description="Parts of a form: bias, coverage, cost.")
    parser.add_argument("--samples", type=int, default=600)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} into docs/benchmarks")
    chosen = parser.parse_args()
    began = time.monotonic()
    found = run(chosen.samples, chosen.processes)
    lines = list(study(found))
    count = found.shape[0] * found.shape[1]
    told = (
        f"{count} waves of about {RESPONSES:,} responses in {WORLDS} worlds, 125 centres × 12 fields × 22 days; "
        f"{time.monotonic() - began:.0f} s in {chosen.processes} processes. SIMULATED data, model `counter`."
    )
    lines += ["", told]
    print("\n".join(lines))
    if chosen.write:
        head = ["# Parts of a form", "", f"`python -m benchmarks.matrix_sampling {' '.join(sys.argv[1:])}`", ""]
        PAGE.write_text("\n".join([*head, *lines]) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
