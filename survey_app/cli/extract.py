"""`sipas extract`."""

import click

from survey_app.cli.context import instance_path, opened_store, progress


@click.command()
@click.argument("wave")
@click.option("--devices", is_flag=True, help="With a column that names the device of each response.")
def extract(wave: str, devices: bool) -> None:
    """Write WAVE as an extract for analysis, and print where it lies.

    An extract is confidential microdata: it is for analysts with the right to it, and is never published.

    Example: sipas extract q4
    """
    from survey_app.extract import write_extract
    from survey_app.settings import Settings

    settings = Settings.load(instance_path())
    with opened_store(write=True) as store, progress("extracting") as step:
        path = write_extract(store, settings, wave, devices=devices, step=step)
    click.echo(str(path))
