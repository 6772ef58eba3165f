"""`sipas simulate` and `sipas simulate-frame`."""

import dataclasses
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import echo_json, instance_path, json_option, progress

if TYPE_CHECKING:
    from survey_app.simulation import Simulation, Tally


def _devices(_: click.Context, __: click.Parameter, value: str) -> int | None:
    if value == "all":
        return None
    if not value.isdigit() or int(value) < 1:
        raise click.BadParameter("say all, or how many centres have a kiosk")
    return int(value)


@click.command()
@click.argument("wave")
@click.option("--model", help="Population model: a shipped name or a TOML file.  [default: the one of the wave's kind]")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="The same seed, the same wave.")
@click.option(
    "--responses",
    type=click.IntRange(1, 1_000_000),
    help="Expected number; a sample wave's frame says it.  [default: 6000]",
)
@click.option("--server", default="http://127.0.0.1:8000", show_default=True, help="Address of this instance's server.")
@click.option("--devices", default="all", callback=_devices, show_default=True, help="Centres with a kiosk, or all.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted simulation, by the settings it was begun with.")
@json_option
def simulate(
    wave: str,
    model: str | None,
    seed: int,
    responses: int | None,
    server: str,
    devices: int | None,
    resume: bool,
    as_json: bool,
) -> None:
    """Visit the running server like many devices and citizens; everything is SIMULATED.

    Only a wave created with --simulated and open takes part; of a sample wave interviewers visit the households, once
    its frame was made by simulate-frame with the same model and seed. The truth, the model, and the dossier register or
    the margins of residents are written to INSTANCE/simulations/WAVE/. The server may be stopped and started meanwhile.

    Example: sipas simulate mo-phong-10-2026 --seed 7 --responses 6000
    """
    from survey_app.settings import Settings
    from survey_app.simulation import Options, field_wave, prepare

    settings = Settings.load(instance_path())
    began = time.monotonic()
    simulation = prepare(settings, wave, Options(model, seed, responses, devices), resume=resume)
    done = 0
    with progress("simulating") as step:

        def on(more: int) -> None:
            nonlocal done
            done += more
            step(done, simulation.planned)

        tally = field_wave(settings, simulation, server, progress=on)
    _report(simulation, tally, time.monotonic() - began, as_json)


def _report(simulation: "Simulation", tally: "Tally", seconds: float, as_json: bool) -> None:
    sample = simulation.kind == "sample"
    beside = simulation.margins if sample else simulation.register
    if as_json:
        echo_json(
            {
                "simulated": True,
                "wave": simulation.wave,
                "planned": simulation.planned,
                "devices": len(simulation.queues),
                "seconds": round(seconds, 2),
                **dataclasses.asdict(tally),
                "truth": str(simulation.directory / "truth.json"),
                "margins" if sample else "register": str(beside),
            }
        )
        return
    click.echo(
        f"SIMULATED {simulation.planned} responses of {len(simulation.queues)} devices in {seconds:.1f} s: "
        f"{tally.stored} stored, {tally.already_stored} known already, {tally.retries} retries"
    )
    click.echo(f"truth: {simulation.directory / 'truth.json'}")
    if sample:
        click.echo(f"residents: {beside}")
        click.echo(f"next: sipas extract {simulation.wave} && sipas weights {simulation.wave} --margins {beside}")
    else:
        click.echo(f"next: sipas register import {beside}")


@click.command("simulate-frame")
@click.argument("file", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--model", help="Model of residents: a TOML file.  [default: the shipped one]")
@click.option("--seed", type=click.IntRange(0), default=1, show_default=True, help="As for simulate.")
def simulate_frame(file: Path, model: str | None, seed: int) -> None:
    """Write a frame of villages for a sample wave to try; everything is SIMULATED.

    Example: sipas simulate-frame frame.csv --seed 7
    """
    from survey_app.simulation import write_frame

    frame = write_frame(file, model, seed)
    households = sum(unit.households for unit in frame)
    strata = len({unit.stratum for unit in frame})
    click.echo(f"SIMULATED {len(frame)} villages of {strata} strata, {households} households to visit: {file}")
    click.echo(f"next: sipas wave create WAVE --kind sample --simulated --form qd1001-2026 --frame {file} …")
