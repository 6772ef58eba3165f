"""`sipas centre pin`."""

import sys
from pathlib import Path

import click

from survey_app.cli.context import echo_json, json_option, opened_store
from survey_app.problems import Problem, SipasError

MOST_BYTES = 100


@click.command("pin")
@click.argument("centre")
@click.option(
    "--pin-file",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Read the PIN from the first line of a file, instead of asking for it.",
)
@click.option("--remove", is_flag=True, help="The centre has no PIN from now on.")
@json_option
def pin(centre: str, pin_file: Path | None, remove: bool, as_json: bool) -> None:
    """Set the PIN of CENTRE's staff page: 6 to 12 digits, the same on all its tablets.

    It is asked for twice and not shown; where nobody sits at the keyboard it is the first line of the input. Never give
    it as an argument: arguments stand in the history of the shell.

    Example: sipas centre pin 00691
    """
    from survey_app.pin import make_pin

    if remove and pin_file:
        raise click.UsageError("Either --remove or --pin-file, not both.")
    with opened_store(write=False) as store:
        name = store.centre(centre).full_name
    made = None if remove else make_pin(_digits(pin_file))
    with opened_store(write=True) as store:
        if made is None:
            store.remove_pin(centre)
        else:
            store.set_pin(centre, made)
    done = "removed" if remove else "set"
    if as_json:
        echo_json({"centre": centre, "pin": done})
        return
    click.echo(f"{name}: PIN {done}. Its tablets learn it with their next contact.")


def _digits(file: Path | None) -> str:
    if file is not None:
        with file.open("rb") as stream:
            return _first_line(stream.read(MOST_BYTES), str(file))
    if sys.stdin.isatty():
        typed: str = click.prompt("PIN (6 to 12 digits, not shown)", hide_input=True, confirmation_prompt=True)
        return typed.strip()
    return _first_line(sys.stdin.buffer.read(MOST_BYTES), "standard input")


def _first_line(content: bytes, where: str) -> str:
    lines = content.decode("utf-8-sig", "replace").splitlines()
    if not lines or not lines[0].strip():
        raise SipasError(Problem("no PIN was given", where, "write its digits into the first line"))
    return lines[0].strip()
