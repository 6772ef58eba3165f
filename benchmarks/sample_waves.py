"""Do the interval and the weights of a sample wave do what they say? Many simulated waves whose truth is known.

    python -m benchmarks.sample_waves [--waves 600]

Each wave has its own residents, villages (18 in 6 strata, drawn with probability proportional to size: 12 degrees of
freedom), visits and answers, and is weighted and scored by the functions of production; only HTTP, store and files are
left out. Truth: the two-area index of all its residents. Everything is SIMULATED.
"""

import argparse
import csv
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from analysis.wave.codebook import Codebook, parse_codebook
from analysis.wave.extract import Extract, Manifest
from analysis.wave.frame import OUTCOMES, PrimaryUnit
from analysis.wave.margins import Margins, read_margins
from analysis.wave.sample_scores import score_sample
from survey_app.codebook import codebook
from survey_app.model import Wave
from survey_app.population import (
    BROKEN_OFF,
    COMPLETE,
    MARGINS,
    NOT_AT_HOME,
    REFUSED,
    Population,
    build_population,
    draw_contacts,
    draw_frame,
    load_residents,
    margins,
    resident_truth,
)
from survey_app.questionnaire import load, shipped

FORM = load(shipped()["qd1001-2026", "1"])
MODEL = load_residents()
WAVE, FIRST_SEED = "study", 1000
DISPOSITION = {COMPLETE: "complete", REFUSED: "refused", NOT_AT_HOME: "not_at_home", BROKEN_OFF: "broken_off"}
OUTCOME = dict(zip(DISPOSITION.values(), OUTCOMES, strict=True))
MANIFEST = Manifest(WAVE, {}, True, {}, {}, {}, {"frame.parquet": "in memory"}, "in memory")
HOW = ("unweighted", "not raked", "raked")


def words() -> Codebook:
    wave = Wave(WAVE, "sample", {"vi": WAVE, "en": WAVE}, FORM.id, FORM.version, ("2026-10",), (), simulated=True)
    return parse_codebook(json.loads(json.dumps(codebook(wave, FORM, [], [], {}, {}))))


def extract_of(population: Population, seed: int) -> Extract:
    """The visits of one wave: who was met, and what the people interviewed answered or declined to answer."""
    assert FORM.index is not None
    rng = np.random.default_rng([seed, 16])
    parts: dict[str, list[Any]] = {name: [] for name in ("psu", "stratum", "disposition", "resident")}
    units = []
    for unit, residents, outcomes in draw_contacts(population, draw_frame(MODEL, seed)):
        kinds = [DISPOSITION[int(outcome)] for outcome in outcomes]
        count = Counter(OUTCOME[kind] for kind in kinds)
        met = {outcome: count[outcome] for outcome in OUTCOMES}
        units.append(
            PrimaryUnit(
                unit.stratum, unit.psu, unit.name, unit.population, unit.households, **met, probability=unit.probability
            )
        )
        rows = {"psu": unit.psu, "stratum": unit.stratum}
        for name, value in rows.items():
            parts[name] += [value] * len(kinds)
        parts["disposition"] += kinds
        parts["resident"] += residents.tolist()
    resident = np.array(parts.pop("resident"))
    columns: dict[str, Any] = {name: np.array(values, dtype=object) for name, values in parts.items()}
    columns["centre"] = columns["psu"]
    columns["after_close"] = np.zeros(len(resident), dtype=bool)
    for code in (*FORM.index.items, *MARGINS):
        share = MODEL.answering.decline if code in FORM.index.items else MODEL.answering.decline_demographics
        known = population.codes[code][resident]
        columns[code] = np.where((known > 0) & (rng.random(len(resident)) < share), np.int8(-3), known)
    return Extract(Path(WAVE), MANIFEST, words(), columns, {}, tuple(units))


def margins_of(population: Population, book: Codebook) -> Margins:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "margins.csv"
        with path.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("margin", "class", "total"), *margins(population)])
        return read_margins(path, book)


def waves(seeds: Sequence[int]) -> list[list[float]]:
    """Of each wave: error unweighted, not raked, raked; whether the two intervals hold the truth; SE; design effect."""
    found = []
    for seed in seeds:
        population = build_population(MODEL, seed, FORM)
        truth = resident_truth(population, FORM, WAVE)["index"]["all"]
        extract = extract_of(population, seed)
        result = score_sample(extract, margins=margins_of(population, extract.codebook))
        rows = [result.score("all", "index", rows) for rows in (result.unweighted, result.not_raked, result.scores)]
        unweighted, before, after = (row for row in rows if row)
        held = [float((row.ci_low or 0) <= truth <= (row.ci_high or 0)) for row in (before, after)]
        errors = [(row.value or np.nan) - truth for row in (unweighted, before, after)]
        found.append([*errors, *held, after.se or np.nan, after.deff or np.nan, after.df or np.nan])
    return found


def main() -> None:
    os.environ.setdefault("OMP_NUM_THREADS", "1")  # two processes share two cores
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--waves", type=int, default=600)
    count = parser.parse_args().waves
    seeds = [range(FIRST_SEED + start, FIRST_SEED + count, 20) for start in range(min(20, count))]
    with ProcessPoolExecutor(2) as pool:
        table = np.array([row for part in pool.map(waves, seeds) for row in part])
    errors, held, (se, deff, df) = table[:, :3], table[:, 3:5], table[:, 5:].T
    print(f"SIMULATED: {len(table)} sample waves, df {df.min():.0f} to {df.max():.0f}\n")
    print("| weights | bias | mean abs. error | sd of the error | 95 % intervals that hold the truth |")
    print("|---|--:|--:|--:|--:|")
    for place, name in enumerate(HOW):
        own, covered = errors[:, place], "–"
        if place:
            share = held[:, place - 1].mean()
            covered = f"{100 * share:.1f} ± {100 * np.sqrt(share * (1 - share) / len(table)):.1f} %"
        print(f"| {name} | {own.mean():+.2f} | {np.abs(own).mean():.2f} | {own.std(ddof=1):.2f} | {covered} |")
    print(f"\nraked: root mean SE² {np.sqrt((se**2).mean()):.2f}, mean design effect {deff.mean():.2f}")


if __name__ == "__main__":
    main()
