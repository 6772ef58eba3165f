"""How long a large wave takes from the store to its report: extract, weights, all tables and plots.

    python -m benchmarks.chain_40000 [--responses 40000]

The wave is SIMULATED and goes straight into the store; then the commands run one after another as a person would run
them, each a process of its own, so that start-up counts. Bar: 10 seconds for extract, weights and report together.
"""

import argparse
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

from survey_app.demo import prepare_instance
from survey_app.model import VIETNAM, Wave
from survey_app.population import load_model
from survey_app.province import read_centres, read_fields
from survey_app.questionnaire import load, shipped
from survey_app.register import open_register, read_register
from survey_app.response import parse_response
from survey_app.simulation import Options, prepare
from survey_app.store import Store

BAR_SECONDS = 10.0
WAVE = "large"
DOSSIERS_PER_RESPONSE = 7.5


def build(directory: Path, responses: int) -> Path:
    """An instance with a closed wave of about so many responses, and its register."""
    settings = prepare_instance(directory / "instance")
    form = load(shipped()["counter", "1"])
    model = directory / "large.toml"
    counter = load_model().content.decode()
    dossiers = round(responses * DOSSIERS_PER_RESPONSE)
    model.write_text(counter.replace("dossiers = 45000", f"dossiers = {dossiers}", 1), encoding="utf-8")
    centres = tuple(centre.code for centre in read_centres())
    wave = Wave(
        id=WAVE,
        kind="counter",
        title={"vi": "Đợt lớn (mô phỏng)", "en": "Large wave (simulated)"},
        questionnaire=form.id,
        version=form.version,
        months=("2026-10",),
        centres=centres,
        simulated=True,
    )
    with Store.open(settings) as store:
        store.add_centres(read_centres())
        store.add_fields(read_fields())
        store.create_wave(wave, form)
        store.open_wave(WAVE, at=datetime(2026, 10, 1, tzinfo=VIETNAM))
    simulation = prepare(settings, WAVE, Options(str(model), seed=1, responses=responses))
    now = datetime.now(UTC)
    with Store.open(settings) as store:
        for queue in simulation.queues:
            with store.group():
                device, _ = store.add_device(queue.centre, simulated=True)
                parsed = [parse_response(dict(raw)) for raw in queue.responses]
                store.record(parsed, device=device, received=now, sent_at=now)
        store.close_wave(WAVE, at=datetime(2026, 11, 1, tzinfo=VIETNAM) - timedelta(seconds=1))
        known = {centre.code for centre in store.centres()}, {field.code for field in store.fields()}
        table = open_register(simulation.register)
        store.import_register(read_register(table, *known), table.name, table.sha256)
        print(f"{store.response_count(WAVE):,} SIMULATED responses, {dossiers:,} dossiers at the counter")
    return settings.instance


def run(instance: Path, *arguments: str) -> tuple[float, float, float]:
    """Wall seconds, processor seconds and peak memory in MiB of one command."""
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-m", "survey_app", "--instance", str(instance), *arguments],
        stdout=subprocess.DEVNULL,
    )
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"sipas {' '.join(arguments)} failed")
    return time.monotonic() - began, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description="From a large wave in the store to its report.")
    parser.add_argument("--responses", type=int, default=40_000)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        began = time.monotonic()
        # In a process of its own: what this one has grown to would count as the peak of every process it starts.
        with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
            instance = pool.submit(build, Path(directory), chosen.responses).result()
        print(f"built in {time.monotonic() - began:.1f} s (not counted); load {os.getloadavg()[0]:.1f}\n")
        print("| stage | wall s | CPU s | peak MiB |\n|---|---:|---:|---:|")
        stages = []
        for arguments in (("extract", WAVE), ("weights", WAVE), ("report", WAVE)):
            stages.append(run(instance, *arguments))
            seconds, cpu, memory = stages[-1]
            print(f"| sipas {' '.join(arguments)} | {seconds:.2f} | {cpu:.2f} | {memory:.0f} |", flush=True)
        total, cpu = (sum(stage[place] for stage in stages) for place in (0, 1))
        word = "met" if total <= BAR_SECONDS else "NOT MET"
        highest = max(stage[2] for stage in stages)
        print(f"| together (bar {BAR_SECONDS:.0f} s: {word}) | {total:.2f} | {cpu:.2f} | {highest:.0f} |")


if __name__ == "__main__":
    main()
