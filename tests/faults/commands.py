"""The command table, walked: every command with arguments that would do on an instance with the wave q4.

`COMMANDS`, `arguments`, `options`, `files`. A new command is found by itself; only what its parameters' names do not tell
stands in the tables here.
"""

from collections.abc import Iterator
from pathlib import Path

import click

from survey_app.cli import sipas

BY_NAME = {
    "id": "q4",
    "wave": "q4",
    "first": "q4",
    "second": "q4",
    "waves": "q4",
    "target": "q4",
    "centre": "00691",
    "centres": "00691",
    "device": "00691-1",
    "form": "counter",
    "months": "2026-10",
    "title_vi": "Một",
    "title_en": "One",
    "names": "counter",
}
BY_COMMAND = {
    ("questionnaire", "show", "id"): "counter",
    ("audio", "script", "language"): "tyz",
    ("wave", "create", "id"): "q5",
    ("device", "revoke", "id"): "00691-1",
}
ALSO = {("wave", "create"): ("--simulated",), ("demo",): ("--no-serve",), ("serve",): ("--development-http",)}
"""Options without which the command would be refused for a reason of its own, or go on for ever."""
NAMED = {("compare", "second")}
"""Arguments that a data file does without and a wave does not."""


def _walk(command: click.Command, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    context = click.Context(command, info_name=" ".join(path) or "sipas")
    for name in command.list_commands(context):
        found = command.get_command(context, name)
        assert found is not None, (path, name)
        yield from _walk(found, (*path, name))


COMMANDS: dict[tuple[str, ...], click.Command] = dict(_walk(sipas))
GROUPS = sorted({path[:1] for path in COMMANDS if len(path) > 1})


def value(path: tuple[str, ...], parameter: click.Parameter, file: str) -> str:
    name = parameter.name or ""
    known = BY_COMMAND.get((*path, name), BY_NAME.get(name))
    if isinstance(parameter.type, click.Path) and known is None:
        return file
    if isinstance(parameter.type, click.Choice):
        return str(parameter.type.choices[0])
    return known or "1"


def arguments(path: tuple[str, ...], file: Path | str, /, **instead: str) -> tuple[str, ...]:
    """The command with every parameter that it requires; `instead` gives single ones another value."""
    given: list[str] = []
    free: list[str] = []
    for parameter in COMMANDS[path].params:
        name = parameter.name or ""
        if not (parameter.required or name in instead or (*path, name) in NAMED):
            continue
        text = instead.get(name, value(path, parameter, str(file)))
        if isinstance(parameter, click.Argument):
            free.append(text)
        else:
            given += [parameter.opts[0], text]
    return (*path, *given, *ALSO.get(path, ()), *(["--", *free] if free else []))


def of_type(*kinds: type[click.ParamType]) -> list[tuple[tuple[str, ...], str]]:
    """Command and parameter of every parameter of these types."""
    found = [(path, parameter) for path, command in COMMANDS.items() for parameter in command.params]
    return [(path, parameter.name or "") for path, parameter in found if isinstance(parameter.type, kinds)]


def read_files() -> list[tuple[tuple[str, ...], str]]:
    """Command and parameter of every file that is read: parameters of type path that may be a file and are no output."""
    found = []
    for path, name in of_type(click.Path):
        kind = next(one for one in COMMANDS[path].params if one.name == name).type
        assert isinstance(kind, click.Path)
        if kind.file_okay and name not in OUTPUTS and (*path, name) not in OUTPUTS:
            found.append((path, name))
    return found + [(path, name) for path, name in BESIDES if path in COMMANDS]


OUTPUTS = ("output", "into", "to", "destination", ("simulate-frame", "file"))
BESIDES = [
    (("wave", "create"), "form"),
    (("questionnaire", "show"), "id"),
    (("simulate",), "model"),
    (("estimate",), "target"),
]
"""Texts that may be the path of a file."""
