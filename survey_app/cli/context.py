"""What the commands share: which instance they work on, and how they show values, problems and progress."""

import contextlib
import dataclasses
import json
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.problems import Problem

if TYPE_CHECKING:
    from survey_app.store import Store

INSTANCE_KEY = "sipas.instance"
PATIENCE_SECONDS = 2.0
MOST_LETTERS = 1000
"""In a line of a message: more is a file or an argument poured into it."""

json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for machines.")


def instance_path() -> Path:
    """The folder named by --instance, SIPAS_INSTANCE, or ./instance."""
    context = click.get_current_context()
    return Path((context.find_object(dict) or {}).get(INSTANCE_KEY, "instance"))


def opened_store(*, write: bool = False) -> "Store":
    """The instance's store; for reading only unless `write`."""
    from survey_app.settings import Settings
    from survey_app.store import Store

    return Store.open(Settings.load(instance_path()), write=write)


def complain(problems: Iterable[Problem]) -> None:
    """Print problems on stderr, an empty line between two."""
    for number, problem in enumerate(problems):
        click.echo(("\n" if number else "") + f"error: {_printable(str(problem))}", err=True)


def _printable(text: str) -> str:
    """What came from a file or an argument can neither command the terminal nor turn the line around."""
    lines = (line if len(line) <= MOST_LETTERS else f"{line[:MOST_LETTERS]} …" for line in text.split("\n"))
    return "\n".join(
        "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in line) for line in lines
    )


def echo_json(value: object) -> None:
    """Letters as they are where the output can show them, else as JSON's own escapes."""
    shows_all = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"
    click.echo(json.dumps(value, default=_plain, ensure_ascii=not shows_all, indent=2))


def _plain(value: object) -> object:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} has no JSON form")


def echo_table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Columns aligned with spaces; an empty table says so."""
    cells = [["" if cell is None else str(cell) for cell in row] for row in rows]
    if not cells:
        click.echo("none")
        return
    widths = [max(len(line[place]) for line in [list(header), *cells]) for place in range(len(header))]
    for line in [list(header), *cells]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


def counted(count: int, thing: str) -> str:
    """`1 centre`, `2 centres`."""
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def echo_values(pairs: Iterable[tuple[str, object]]) -> None:
    """One `name: value` a line."""
    for name, value in pairs:
        click.echo(f"{name}: {'—' if value is None else value}")


def local_time(moment: datetime | None) -> str | None:
    """A time as people in Vietnam read it."""
    from survey_app.model import VIETNAM

    return moment.astimezone(VIETNAM).strftime("%Y-%m-%d %H:%M") if moment else None


@contextlib.contextmanager
def progress(what: str) -> Iterator[Callable[[int, int], None]]:
    """A step function `(done, total)` that shows a bar on a terminal once the work has lasted two seconds."""
    began = time.monotonic()
    with contextlib.ExitStack() as shown:
        move: Callable[[int, int], None] | None = None

        def step(done: int, total: int) -> None:
            nonlocal move
            if move is None and total and sys.stderr.isatty() and time.monotonic() - began >= PATIENCE_SECONDS:
                move = _bar(what, shown)
            if move is not None:
                move(done, total)

        yield step


def _bar(what: str, shown: contextlib.ExitStack) -> Callable[[int, int], None]:
    from rich.console import Console
    from rich.progress import Progress

    bar = shown.enter_context(Progress(console=Console(stderr=True)))
    task = bar.add_task(what)
    return lambda done, total: bar.update(task, completed=done, total=total)
