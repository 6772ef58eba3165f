"""`sipas centre`, `sipas field`: the province's own lists."""

from pathlib import Path

import click

from survey_app.cli.centre_pin import pin
from survey_app.cli.context import counted, echo_json, echo_table, json_option, opened_store

FILE = click.Path(exists=True, dir_okay=False, path_type=Path)


# ---- centres


@click.group()
def centre() -> None:
    """Import and list service centres, and set the PIN of their staff page.

    Example: sipas centre import
    """


@centre.command("import")
@click.argument("file", type=FILE, required=False)
def import_centres(file: Path | None) -> None:
    """Add centres, or bring known ones up to date; without FILE the province's 124 communes and its own centre.

    FILE is a CSV file with the columns code and name, and if you like full_name, kind (province or commune) and group
    (neighbours, which thin weighting classes join first).

    Example: sipas centre import centres.csv
    """
    from survey_app.province import read_centres

    centres = read_centres(file)
    with opened_store(write=True) as store:
        store.add_centres(centres)
    click.echo(f"imported {counted(len(centres), 'centre')}")


@centre.command("list")
@json_option
def list_centres(as_json: bool) -> None:
    """List the centres with their group of neighbours.

    Example: sipas centre list
    """
    with opened_store() as store:
        centres = store.centres()
    if as_json:
        echo_json(centres)
    else:
        echo_table(("code", "centre", "kind", "group"), [(c.code, c.full_name, c.kind, c.group) for c in centres])


centre.add_command(pin)


# ---- service fields


@click.group()
def field() -> None:
    """Import and list service fields.

    Example: sipas field import
    """


@field.command("import")
@click.argument("file", type=FILE, required=False)
def import_fields(file: Path | None) -> None:
    """Make FILE the list of fields that citizens choose from; without FILE the default list (ours, unofficial).

    FILE is a CSV file with the columns code, vi, en and source. A field known before and not in the list is no longer
    offered; responses that name it keep it.

    Example: sipas field import fields.csv
    """
    from survey_app.province import read_fields

    fields = read_fields(file)
    with opened_store(write=True) as store:
        store.add_fields(fields, others="retire")
    click.echo(f"imported {counted(len(fields), 'field')}")


@field.command("list")
@json_option
def list_fields(as_json: bool) -> None:
    """List the fields that are offered.

    Example: sipas field list
    """
    with opened_store() as store:
        fields = store.fields()
    if as_json:
        echo_json(fields)
    else:
        echo_table(("code", "vi", "en", "source"), [(f.code, f.label["vi"], f.label["en"], f.source) for f in fields])
