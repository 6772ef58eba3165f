"""`sipas questionnaire check` and `sipas questionnaire show`."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import complain, echo_json, instance_path, json_option

if TYPE_CHECKING:
    from survey_app.problems import Problem


@click.group()
def questionnaire() -> None:
    """Check and show questionnaire files.

    Example: sipas questionnaire show counter
    """


@questionnaire.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="FILE…")
@json_option
@click.pass_context
def check(ctx: click.Context, files: tuple[Path, ...], as_json: bool) -> None:
    """Name every problem of questionnaire files; exit code 2 if there is one.

    Example: sipas questionnaire check questionnaires/counter.1.toml
    """
    from survey_app.questionnaire.file import load
    from survey_app.questionnaire.model import QuestionnaireError

    problems: list[Problem] = []
    good = []
    for file in files:
        try:
            good.append((file, load(file)))
        except QuestionnaireError as error:
            problems.extend(error.problems)
    if as_json:
        echo_json({"good": [str(file) for file, _ in good], "problems": problems})
    else:
        for file, form in good:
            languages = ", ".join(form.languages)
            click.echo(f"{file}: {form.id} {form.version}, {len(form.items)} items in {languages}, no problem")
        complain(problems)
    if problems:
        ctx.exit(2)


@questionnaire.command()
@click.argument("id")
@click.option("--version", help="Version; the newest if left out.")
@click.option("--lang", help="Show the texts in this language only (vi, en …); all languages if left out.")
@json_option
def show(id: str, version: str | None, lang: str | None, as_json: bool) -> None:
    """Show a whole form: texts, codes, routing, source labels, index. ID may be a .toml file.

    With --json everything in the file, in all its languages.

    Example: sipas questionnaire show counter --lang en
    """
    from survey_app.questionnaire.finding import find_form
    from survey_app.questionnaire.sheet import sheet

    form = find_form(f"{id}.{version}" if version else id, instance_path() / "questionnaires")
    if lang is not None and lang not in form.languages:
        raise click.BadParameter(f"the form has {', '.join(form.languages)}", param_hint="--lang")
    if as_json:
        echo_json({field.name: getattr(form, field.name) for field in fields(form) if field.name != "content"})
        return
    click.echo("\n".join(sheet(form, form.languages if lang is None else (lang,))))
