"""The command `sipas`: one group whose commands are loaded only when they are used.

The short helps stand here, so that `sipas --help` imports nothing else; a test holds them against the commands.
"""

import importlib
import os
import stat
import sys
from collections.abc import Sequence
from pathlib import Path

import click
from click.exceptions import NoArgsIsHelpError

from survey_app import __version__
from survey_app.cli.context import INSTANCE_KEY, complain
from survey_app.cli.process import Interruptions, prepare_streams
from survey_app.cli.trouble import explained
from survey_app.problems import Problem, SipasError

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("survey_app.cli.instance:init", "Make a new, empty instance."),
    "serve": ("survey_app.cli.serve:serve", "Serve the kiosk pages and the device API."),
    "verify": (
        "survey_app.cli.instance:verify",
        "Recompute every hash and chain, and name whatever was changed, removed, inserted or cut off.",
    ),
    "backup": (
        "survey_app.cli.backup:backup",
        "Copy the instance as it is at one moment, and verify the copy; whoever writes meanwhile goes on.",
    ),
    "restore": (
        "survey_app.cli.backup:restore",
        "Make the instance of BACKUP again, verified, in a new folder or in the place of the present one.",
    ),
    "export": (
        "survey_app.cli.archive:export",
        "Write WAVE whole into one file for archiving: responses, comments, form, register, chain.",
    ),
    "import": (
        "survey_app.cli.archive:import_",
        "Put the wave of ARCHIVE back into an instance where its response numbers are free, such as a new one.",
    ),
    "purge": (
        "survey_app.cli.purge:purge",
        "Delete comments whose time is over, for ever; responses and chains stay whole.",
    ),
    "migrate": ("survey_app.cli.instance:migrate", "Bring the store of an older version up to date."),
    "demo": (
        "survey_app.cli.demo:demo",
        "Field a simulated wave and show the whole chain, then serve a kiosk to try; everything is SIMULATED.",
    ),
    "questionnaire": ("survey_app.cli.forms:questionnaire", "Check and show questionnaire files."),
    "wave": ("survey_app.cli.wave:wave", "Create, open, close and list waves."),
    "centre": (
        "survey_app.cli.fieldwork:centre",
        "Import and list service centres, and set the PIN of their staff page.",
    ),
    "field": ("survey_app.cli.fieldwork:field", "Import and list service fields."),
    "device": (
        "survey_app.cli.device:device",
        "Add, list, watch and revoke kiosk devices, and take over what they could not send.",
    ),
    "audio": ("survey_app.cli.audio:audio", "Make and check the recordings that are read aloud at the kiosk."),
    "reference": (
        "survey_app.cli.reference:reference",
        "Import and list published figures, which reports of sample waves show beside the province's own.",
    ),
    "register": ("survey_app.cli.register:register", "Import the register of dossiers handled."),
    "simulate": (
        "survey_app.cli.simulate:simulate",
        "Visit the running server like many devices and citizens; everything is SIMULATED.",
    ),
    "simulate-frame": (
        "survey_app.cli.simulate:simulate_frame",
        "Write a frame of villages for a sample wave to try; everything is SIMULATED.",
    ),
    "extract": ("survey_app.cli.extract:extract", "Write WAVE as an extract for analysis, and print where it lies."),
    "weights": (
        "analysis.commands.cli:weights",
        "Weight a wave to its dossier register or by its frame, or a data file of your own to totals you bring.",
    ),
    "estimate": (
        "analysis.commands.cli:estimate",
        "Estimate a wave's scores, or columns of a data file of your own: CSV, Parquet, SPSS (.sav), Stata (.dta).",
    ),
    "report": (
        "analysis.commands.cli:report",
        "Write the report of a wave: tables, plots, weights and a page that prints on A4.",
    ),
    "compare": (
        "analysis.commands.compare:compare",
        "Say which items of two waves are comparable and why, or give differences with tests from one data file or two.",
    ),
}


class LazyGroup(click.Group):
    """Imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module, _, attribute = COMMANDS[cmd_name][0].partition(":")
        command: click.Command = getattr(importlib.import_module(module), attribute)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, short) for name, (_, short) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="sipas")
@click.option(
    "--instance",
    type=click.Path(file_okay=False),
    envvar="SIPAS_INSTANCE",
    default="instance",
    show_default=True,
    help="Folder of the instance (environment: SIPAS_INSTANCE).",
)
@click.pass_context
def sipas(ctx: click.Context, instance: str) -> None:
    """From a tap at a service counter to a published, weighted score.

    Example: sipas --instance instance wave list
    """
    if not instance:
        raise SipasError(
            Problem("no folder is named", "--instance", "name the folder of the instance, or leave it out")
        )
    ctx.ensure_object(dict)[INSTANCE_KEY] = instance


def run(arguments: Sequence[str]) -> int:
    """One command, from its arguments to its exit code: a refusal is told on stderr and is 2, never a traceback."""
    named: dict[str, str] = {}
    try:
        _refuse_unreadable(arguments)
        code = sipas.main(list(arguments), prog_name="sipas", standalone_mode=False, obj=named)
    except NoArgsIsHelpError as error:
        error.show()
        return 2
    except SystemExit as end:
        code = end.code
    except click.Abort:
        raise KeyboardInterrupt from None
    except Exception as error:
        problems = explained(error, Path(named.get(INSTANCE_KEY, "instance")))
        if problems is None:
            raise
        complain(problems)
        return 2
    return code if isinstance(code, int) else 0


def _refuse_unreadable(arguments: Sequence[str]) -> None:
    """No text that is none, and no file that may have no end, or waits for a writer for ever."""
    problems = []
    for argument in arguments:
        if "\0" in argument or any("\ud800" <= letter <= "\udfff" for letter in argument):
            remedy = "type it anew; the terminal should use UTF-8"
            problems.append(Problem("an argument is no text in UTF-8", ascii(argument), remedy))
        elif path := _endless(argument):
            problems.append(Problem("this is a pipe or a device, not a file", path, "save it as a file, and name that"))
    if problems:
        raise SipasError(problems)


def _endless(argument: str) -> str | None:
    for path in (argument, argument.partition("=")[2]):
        try:
            kind = stat.S_IFMT(os.stat(path).st_mode)
        except OSError:
            continue
        if kind not in (stat.S_IFREG, stat.S_IFDIR):
            return path
    return None


def main() -> None:
    """Entry point: whatever ends a command ends it with a sentence and an exit code."""
    prepare_streams()
    with Interruptions() as interruptions:
        try:
            code = run(sys.argv[1:])
            sys.stdout.flush()
        except BrokenPipeError:
            # Whoever read the output has gone: what is left of it goes nowhere, or Python would complain at its end.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 1
        except OSError as error:
            complain(
                [Problem(f"the output cannot be written: {error.strerror}", "standard output", "make room for it")]
            )
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            code = 2
        except BaseException:
            if interruptions.arrived is None:
                raise
            click.echo("Dừng giữa chừng. / Interrupted.", err=True)
            code = interruptions.exit_code
    sys.exit(code)
