"""Does the interval of a sample wave hold the truth? Many simulated waves through store, extract and scoring.

python -m benchmarks.sample_study [WAVES]. Each wave has its own villages, residents, sample and answers; the truth is
the index of all its residents. Everything is SIMULATED.
"""

import sys
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from analysis.extract import read_extract
from analysis.margins import read_margins
from analysis.sample_scores import score_sample
from survey_app.extract import write_extract
from survey_app.model import VIETNAM, Centre, Wave
from survey_app.population import draw_frame, load_residents
from survey_app.questionnaire import load, shipped
from survey_app.response import parse_response
from survey_app.settings import Settings, create_instance
from survey_app.simulation import Options, Simulation, prepare
from survey_app.store import Store

WAVE = "study"
MEASURES = ("index", "area:I", "area:II", "factor:I.A", "factor:II.E")
FORM = load(shipped()["qd1001-2026", "1"])
Row = tuple[str, str, float, float, float, float, float, float]


def fielded(folder: Path, seed: int) -> tuple[Settings, Simulation]:
    """An instance with one simulated sample wave, recorded without a server."""
    settings = create_instance(folder / "instance")
    title = {"vi": "Mô phỏng", "en": "Simulated"}
    wave = Wave(WAVE, "sample", title, FORM.id, FORM.version, ("2026-10",), ("TINH",), simulated=True)
    with Store.create(settings) as store:
        store.add_centres([Centre("TINH", "Tỉnh", "Trung tâm tỉnh", "province", "0")])
        store.create_wave(wave, FORM, draw_frame(load_residents(), seed))
        store.open_wave(WAVE, at=datetime(2026, 10, 1, tzinfo=VIETNAM))
    simulation = prepare(settings, WAVE, Options(seed=seed))
    now = datetime.now(UTC)
    with Store.open(settings) as store:
        for queue in simulation.queues:
            _, code = store.add_device(queue.centre, simulated=True, purpose="sample")
            device = store.device_by_token(store.enrol(code).token)
            assert device is not None
            responses = [parse_response(dict(raw)) for raw in queue.responses]
            store.record(responses, device=device, received=now, sent_at=now)
    return settings, simulation


def scored(seed: int) -> Iterator[Row]:
    """(weighting, measure, value, se, low, high, deff, truth) of one wave, for what is published of it."""
    with tempfile.TemporaryDirectory() as folder:
        settings, simulation = fielded(Path(folder), seed)
        with Store.open(settings) as store:
            extract = read_extract(write_extract(store, settings, WAVE))
        raked = read_margins(simulation.margins, extract.codebook)
        for weighting, margins in (("raked", raked), ("not raked", None)):
            for score in score_sample(extract, margins=margins).scores:
                if score.domain_kind == "all" and score.measure in MEASURES and score.ci_low is not None:
                    numbers = (score.value, score.se, score.ci_low, score.ci_high, score.deff)
                    truth = simulation.truth[score.measure]["all"]
                    yield weighting, score.measure, *(float(number or 0) for number in numbers), truth


def main() -> None:
    waves = int(sys.argv[1]) if len(sys.argv) > 1 else 200
    rows = [row for seed in range(100, 100 + waves) for row in scored(seed)]
    print(f"SIMULATED: {waves} sample waves\n")
    print("| weights | measure | published | bias | sd of estimates | mean SE | intervals that hold the truth | deff |")
    print("|---|---|--:|--:|--:|--:|--:|--:|")
    for weighting in ("raked", "not raked"):
        for measure in MEASURES:
            own = np.array([row[2:] for row in rows if row[:2] == (weighting, measure)])
            if not len(own):
                continue
            value, se, low, high, deff, truth = own.T
            held = ((low <= truth) & (truth <= high)).mean()
            print(
                f"| {weighting} | {measure} | {len(own)} | {(value - truth).mean():+.2f} | {(value - truth).std():.2f} |"
                f" {se.mean():.2f} | {100 * held:.1f} % | {deff.mean():.2f} |"
            )


if __name__ == "__main__":
    main()
