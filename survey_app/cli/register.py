"""`sipas register import`."""

from pathlib import Path

import click

from survey_app.cli.context import counted, opened_store


@click.group()
def register() -> None:
    """Import the register of dossiers handled.

    Example: sipas register import register-2026-10.csv
    """


@register.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def import_register(file: Path) -> None:
    """Import a CSV file with the header centre,field,month,channel,received,resolved,on_time.

    The column channel may be left out. Every bad line is named, and then nothing is imported. A new import of a month
    supersedes the earlier one, which is kept.

    Example: sipas register import register-2026-10.csv
    """
    from survey_app.register import open_register, read_register

    table = open_register(file)
    with opened_store(write=True) as store:
        rows = read_register(
            table, {centre.code for centre in store.centres()}, {field.code for field in store.fields("known")}
        )
        store.import_register(rows, table.name, table.sha256)
        taken = {month for wave in store.waves() for month in wave.months}
    months = sorted({row.month for row in rows})
    dossiers = sum(row.received for row in rows)
    click.echo(f"imported {counted(len(rows), 'row')} of {', '.join(months)}: {counted(dossiers, 'dossier')} received")
    if unnamed := [month for month in months if month not in taken]:
        click.echo(f"no wave names {', '.join(unnamed)} yet")
