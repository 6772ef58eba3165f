"""`sipas device import`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import counted, echo_json, json_option, opened_store, progress
from survey_app.problems import Problem

if TYPE_CHECKING:
    from survey_app.device_import import TakenOver

WORDS = {
    "stored": "stored",
    "already_stored": "known already",
    "conflict": "in conflict with what is known; both are kept",
    "rejected": "refused; the audit has the reasons",
}


@click.command("import")
@click.argument("files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def import_(files: tuple[Path, ...], as_json: bool) -> None:
    """Take over the answers that staff exported from tablets: revoked, broken, or without network for weeks.

    Each FILE is as the staff page wrote it. All of them are read and checked first; then everything is stored, or
    nothing. Importing a file again changes nothing. Keep the files until the next backup is made.

    Example: sipas device import sipas-00691-1-1.txt
    """
    from survey_app.device_import import ExportError, read_export, take_over

    problems: list[Problem] = []
    exports = []
    with opened_store(write=True) as store, progress("importing") as step:
        for file in files:
            try:
                exports.append(read_export(store, file))
            except ExportError as error:
                problems += error.problems
        if problems:
            raise ExportError(problems)
        done = take_over(store, exports, datetime.now(UTC), step)
    if as_json:
        echo_json(done)
        return
    for one in done:
        click.echo(_sentence(one))


def _sentence(one: "TakenOver") -> str:
    parts = [f"{one.fates[fate]} {words}" for fate, words in WORDS.items() if one.fates.get(fate)]
    clock = (
        "" if one.offset_ms is not None or not one.fates else "\n  its clock was not known: times are as it gave them"
    )
    return (
        f"{one.file}: {counted(sum(one.fates.values()), 'response')} of device {one.device},"
        f" centre {one.centre}: {'; '.join(parts) or 'nothing in it'}{clock}"
    )
