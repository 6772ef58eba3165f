"""`sipas questionnaire check` and `sipas questionnaire show`."""

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import complain, echo_json, instance_path, json_option, opened_store

if TYPE_CHECKING:
    from survey_app.problems import Problem
    from survey_app.questionnaire.model import Questionnaire


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

    A version that a wave of the instance uses must still be what it was then.

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
    changed = _used_otherwise(good)
    problems.extend(changed.values())
    good = [(file, form) for file, form in good if file not in changed]
    if as_json:
        echo_json({"good": [str(file) for file, _ in good], "problems": problems})
    else:
        for file, form in good:
            languages = ", ".join(form.languages)
            click.echo(f"{file}: {form.id} {form.version}, {len(form.items)} items in {languages}, no problem")
        complain(problems)
    if problems:
        ctx.exit(2)


def _used_otherwise(forms: "list[tuple[Path, Questionnaire]]") -> "dict[Path, Problem]":
    """The files whose version a wave of this instance uses with other content."""
    from survey_app.problems import Problem

    if not (instance_path() / "sipas.sqlite3").exists():
        return {}
    with opened_store() as store:
        used = {(wave.questionnaire, wave.version): wave.id for wave in store.waves()}
        return {
            file: Problem(
                f"wave {wave} uses another form as {form.id} version {form.version}",
                str(file),
                "a version in use is never edited: give the changed form the next version",
            )
            for file, form in forms
            if (wave := used.get((form.id, form.version)))
            and store.questionnaire(form.id, form.version).sha256 != form.sha256
        }


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
