"""`sipas reference`: figures published by the Ministry of Home Affairs, to stand beside a province's own."""

from pathlib import Path

import click

from survey_app.cli.context import counted, echo_json, echo_table, json_option, opened_store


@click.group()
def reference() -> None:
    """Import and list published figures, which reports of sample waves show beside the province's own.

    Example: sipas reference import
    """


@reference.command("import")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path), required=False)
def import_references(file: Path | None) -> None:
    """Import published figures; without FILE the national ones shipped, which the press quoted (no official text).

    FILE is a CSV file with the header year,place,measure,value,series,label,source. place: national or province.
    measure: index, rank, area:I, area:II, or a factor such as factor:II.A. value: as published, with a decimal point.
    series: the method or form behind it, such as 2023-2026; figures of different series are never subtracted. label:
    V read in the publication, S stated by others, D computed, I inferred, B not verified. A new figure of the same
    place, year and measure supersedes the earlier one, which is kept.

    Example: sipas reference import published.csv
    """
    from survey_app.reference import open_references, read_references

    table = open_references(file)
    rows = read_references(table)
    with opened_store(write=True) as store:
        store.import_references(rows, table.name, table.sha256)
    click.echo(f"imported {counted(len(rows), 'figure')} of {', '.join(map(str, sorted({row.year for row in rows})))}")


@reference.command("list")
@json_option
def list_references(as_json: bool) -> None:
    """List the published figures in force, each with its series, label and source.

    Example: sipas reference list
    """
    with opened_store() as store:
        rows = store.references()
    if as_json:
        echo_json(rows)
        return
    names = ("year", "place", "measure", "value", "series", "label", "source")
    echo_table(names, [tuple(getattr(row, name) for name in names) for row in rows])
