"""The command `sipas weights` on a data file of the analyst's own. Public: weigh_data."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from analysis.commands.options import design_request, file_format, read_files
from analysis.commands.progress import Waiting
from analysis.commands.show import print_json
from analysis.commands.showntable import ShownTable
from analysis.files.opendata import open_data
from analysis.files.tablefile import check_suffix
from analysis.files.weightsfile import FileWeights, weigh_file, write_weights_file

MOST_SHOWN = 40


def weigh_data(path: Path, given: Mapping[str, Any], as_json: bool, output: str | None) -> None:
    """Weights of a data file: written with all its columns where a file is named, and told in either case."""
    if output:
        check_suffix(Path(output), read=read_files(given))
    with Waiting() as step:
        found = weigh_file(open_data(path, file_format(given)), design_request(given), given["column"], step)
        if output:
            step(f"writing {Path(output).name}")
            write_weights_file(found, Path(output), given["column"])
    if output:
        click.echo(f"written: {output}", err=as_json)
    if as_json:
        print_json(found.as_json() | {"files": [output] if output else []})
        return
    for line in found.lines():
        click.echo(line)
    if found.reached:
        click.echo(_margins(found).as_text())
    if not output:
        click.echo(f"nothing is written: --output FILE.parquet keeps the file with its {given['column']}")


def _margins(found: FileWeights) -> ShownTable:
    """Totals and what was met, the worst first where there are many."""
    worst = sorted(found.reached, key=lambda one: -abs(one.after / one.total - 1) if one.total else 0.0)
    chosen = [one for one in found.reached if one in worst[:MOST_SHOWN]]
    header = ("margin", "label", "rows", "before", "after", "total")
    rows = tuple((one.margin, one.label, one.rows, one.before, one.after, one.total) for one in chosen)
    return ShownTable(header, rows, places={"before": 1, "after": 1, "total": 1})
