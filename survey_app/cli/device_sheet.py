"""`sipas device sheet`."""

from datetime import datetime
from pathlib import Path

import click

from survey_app.cli.context import echo_json, instance_path, json_option, local_time, opened_store


@click.command("sheet")
@click.option("--centre", "centres", multiple=True, metavar="CODE", help="A centre; may be given several times.")
@click.option("--all", "everywhere", is_flag=True, help="Every centre.")
@click.option("--count", type=click.IntRange(1, 100), default=1, show_default=True, help="Devices for each centre.")
@click.option("--address", metavar="URL", help="The server as tablets reach it, such as https://sipas.example.vn.")
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="Default: a new file in the instance.")
@click.option("--simulated", is_flag=True, help="Devices for simulated waves only.")
@click.option("--interviewer", is_flag=True, help="Devices for the interviewers of a sample wave.")
@json_option
def sheet(
    centres: tuple[str, ...],
    everywhere: bool,
    count: int,
    address: str | None,
    output: Path | None,
    simulated: bool,
    interviewer: bool,
    as_json: bool,
) -> None:
    """Make new devices with one-time codes and write them as printable cards (A4, to cut apart).

    The file holds secrets until the codes have run out, 24 hours later: only its owner can read it.

    Example: sipas device sheet --all --address https://sipas.example.vn --output cards.html
    """
    from survey_app.device_sheet import Order, make_sheet, page_address

    if bool(centres) == everywhere:
        raise click.UsageError("Say for whom: --centre CODE (several if you like), or --all.")
    enrol_at = page_address(address) if address is not None else None
    file = (output or instance_path() / f"device-sheet-{datetime.now():%Y%m%d-%H%M%S}.html").absolute()
    with opened_store(write=True) as store:
        wanted = tuple(centre.code for centre in store.centres()) if everywhere else tuple(dict.fromkeys(centres))
        made = make_sheet(store, Order(wanted, count, simulated, interviewer), file, enrol_at)
    if as_json:
        devices = [{"device": one.id, "centre": one.centre} for one in made.devices]
        echo_json({"file": str(made.file), "valid_until": made.until, "simulated": simulated, "devices": devices})
        return
    click.echo(f"{len(made.devices)} devices{' (simulated)' if simulated else ''}: {made.file}")
    click.echo(f"Print it on A4. Each code is good once, until {local_time(made.until)} (Vietnam).")
    click.echo("The file holds secret codes: hand each card to its centre only, and delete the file after printing.")
