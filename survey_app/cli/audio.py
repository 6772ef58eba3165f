"""`sipas audio`: what is read aloud at the kiosk, its script, its packs, and a placeholder voice."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from survey_app.cli.context import complain, counted, echo_json, instance_path, json_option, opened_store, progress

if TYPE_CHECKING:
    from survey_app.audio import Pack, Sentence
    from survey_app.audio.checking import Checked
    from survey_app.model import ServiceField
    from survey_app.questionnaire import Questionnaire

FEW = 5
forms_option = click.option(
    "--questionnaire", "names", multiple=True, metavar="ID",
    help="A form; may be given several times. Default: those of the open counter waves, else counter.",
)  # fmt: skip


@click.group()
def audio() -> None:
    """Make and check the recordings that are read aloud at the kiosk.

    Example: sipas audio check
    """


@audio.command()
@click.argument("language")
@forms_option
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="A new CSV file; default: print it.")
def script(language: str, names: tuple[str, ...], output: Path | None) -> None:
    """Write every sentence to be recorded in LANGUAGE (vi, en, tyz, ium, hmn …), as a CSV file for the speaker.

    A language without texts of its own has the Vietnamese sentence, and an empty column for what is said.

    Example: sipas audio script tyz --output script-tyz.csv
    """
    from survey_app.audio.packs import LANGUAGE
    from survey_app.audio.script import script_rows, script_text

    if not LANGUAGE.fullmatch(language):
        raise click.BadParameter("write a language code such as vi, en, tyz, ium or hmn", param_hint="LANGUAGE")
    forms = _forms(names)
    written = all(language in form.languages for form in forms)
    rows = script_rows(_spoken(forms, language), language, written=written)
    if output is None:
        click.echo(script_text(rows).lstrip("\ufeff"), nl=False)
        return
    try:
        with output.open("x", encoding="utf-8", newline="") as stream:
            stream.write(script_text(rows))
    except FileExistsError:
        raise click.BadParameter(
            f"{output} is there already, and may hold a speaker's words", param_hint="--output"
        ) from None
    click.echo(f"{counted(len(rows), 'sentence')}: {output}")


@audio.command()
@click.argument("script", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--called", help="The language's name for itself, such as Tày.")
@click.option("--voice", help="Who speaks, as far as they want to be named.")
@click.option("--licence", help="What the recordings may be used for, and by which consent.")
@click.option("--source", help="Where and when they were made.")
def index(script: Path, called: str | None, voice: str | None, licence: str | None, source: str | None) -> None:
    """Write the index.toml of the recordings that lie in one folder with their SCRIPT, named as it names them.

    What was said of the voice before is kept where an option is left out.

    Example: sipas audio index instance/audio/tyz-2027/script.csv --called Tày --voice "Bà L." --licence "…" --source "…"
    """
    from survey_app.audio.packs import INDEX, index_text, load_pack
    from survey_app.audio.script import index_of

    about = {"called": called, "voice": voice, "licence": licence, "source": source}
    pack, open_rows = index_of(script, about)
    (pack.folder / INDEX).write_text(index_text(pack), encoding="utf-8")
    load_pack(pack.folder)
    total = len(pack.recordings) + len(open_rows)
    click.echo(f"{counted(len(pack.recordings), 'recording')} of {total}: {pack.folder / INDEX}")


@audio.command()
@click.argument("pack", required=False)
@forms_option
@json_option
@click.pass_context
def check(ctx: click.Context, pack: str | None, names: tuple[str, ...], as_json: bool) -> None:
    """Say what PACK (a name or a folder; default: every pack) speaks, what is missing, and what is wrong with it.

    What is missing stays text and is no fault. Exit code 2 when a recording was spoken from another text, cannot be
    read, or is too large.

    Example: sipas audio check vi-placeholder
    """
    from survey_app.audio.checking import check_pack

    forms = _forms(names)
    found = [check_pack(one, _spoken(forms, one.language), _elsewhere(one.language)) for one in _packs(pack)]
    if as_json:
        echo_json(found)
    else:
        for one in found:
            _tell(one)
        complain(problem for one in found for problem in one.problems)
    if any(one.problems for one in found):
        ctx.exit(2)


@audio.command()
@click.argument("language", type=click.Choice(["vi", "en"]))
@forms_option
@click.option("--output", type=click.Path(path_type=Path), help="The pack's folder; default: in the instance.")
def placeholder(language: str, names: tuple[str, ...], output: Path | None) -> None:
    """Make a pack with a synthesiser's voice (espeak-ng, ffmpeg), to try the kiosk before a person is recorded.

    It says of itself that it is a placeholder; an earlier placeholder in its place is replaced.

    Example: sipas audio placeholder vi
    """
    from survey_app.audio.placeholder import make_placeholder

    folder = (output or instance_path() / "audio" / f"{language}-placeholder").absolute()
    with progress("speaking") as step:
        pack = make_placeholder(folder, language, _spoken(_forms(names), language), step)
    click.echo(f"{counted(len(pack.recordings), 'recording')}, a placeholder voice: {folder}")


def _forms(names: Iterable[str]) -> "list[Questionnaire]":
    from survey_app.questionnaire import find_form

    own = instance_path() / "questionnaires"
    named = [find_form(name, own) for name in names]
    if named or not (instance_path() / "sipas.sqlite3").exists():
        return named or [find_form("counter", own)]
    with opened_store() as store:
        open_waves = [wave for wave in store.waves() if wave.status == "open" and wave.kind == "counter"]
        asked = {(wave.questionnaire, wave.version) for wave in open_waves}
        return [store.questionnaire(*form) for form in sorted(asked)] or [find_form("counter", own)]


def _elsewhere(language: str) -> "list[Sentence]":
    """What is said in the forms shipped, with the service fields shipped, and in those of the instance that can be read."""
    from survey_app.audio import sentences
    from survey_app.province import read_fields
    from survey_app.questionnaire import QuestionnaireError, load, shipped

    found = [load(path) for path in shipped().values()]
    for path in sorted((instance_path() / "questionnaires").glob("*.toml")):
        try:
            found.append(load(path))
        except QuestionnaireError:
            continue  # that it cannot be used is for sipas questionnaire check to say
    return [sentence for form in found for sentence in sentences(form, read_fields(), language)]


def _fields() -> "tuple[ServiceField, ...]":
    """The instance's service fields, else those shipped."""
    from survey_app.province import read_fields

    if not (instance_path() / "sipas.sqlite3").exists():
        return read_fields()
    with opened_store() as store:
        return tuple(store.fields()) or read_fields()


def _spoken(forms: "Iterable[Questionnaire]", language: str) -> "list[Sentence]":
    from survey_app.audio import sentences

    fields = _fields()
    return [sentence for form in forms for sentence in sentences(form, fields, language)]


def _packs(named: str | None) -> "list[Pack]":
    from survey_app.audio import load_pack
    from survey_app.audio.packs import folders

    known = list(folders(instance_path() / "audio"))
    if named is None:
        return [load_pack(folder) for folder in known]
    by_name = {folder.name: folder for folder in known}
    return [load_pack(by_name.get(named, Path(named).absolute()))]


def _tell(one: "Checked") -> None:
    voice = "a placeholder voice" if one.placeholder else "recorded"
    size = f"{one.seconds:.0f} seconds, {one.bytes / 1e6:.2f} MB"
    click.echo(f"{one.pack} ({one.language}, {voice}): speaks {one.spoken} of {one.sentences} sentences; {size}")
    for sentence in one.missing[:FEW]:
        click.echo(f"  missing {sentence.prompt}: {sentence.text}")
    if len(one.missing) > FEW:
        click.echo(f"  and {len(one.missing) - FEW} more; all of them: sipas audio check {one.pack} --json")
