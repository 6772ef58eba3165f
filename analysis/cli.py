"""The commands of analysis: weights, estimate, report.

They find an instance's extracts by the folders' names alone (INSTANCE/extracts/<wave>/) and import what computes only
when they run, so that help comes at once.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from analysis.extract import Extract

INSTANCE_KEY = "sipas.instance"
MANIFEST = "manifest.json"
DATA_FILES = (".csv", ".parquet")
Command = TypeVar("Command", bound=Callable[..., Any])
OF_A_WAVE = ("cells", "register", "minimum", "margins", "item_method", "roll_up")
OF_A_FILE = (
    *("statistic", "variables", "denominator", "by", "weight", "stratum", "psu", "fpc", "missing", "nest", "level"),
)
"""Parameters of `estimate` that speak of the one and not of the other."""


def _options(command: Command) -> Command:
    """What weights, estimate and report have in common."""
    for option in reversed(
        (
            click.option(
                "--cells", is_flag=True, help="Post-stratify centre × field instead of raking to both margins."
            ),
            click.option("--register", type=click.Path(dir_okay=False), help="Register file instead of the extract's."),
            click.option(
                "--minimum", type=click.IntRange(min=1), help="Responses a class needs; else it joins another."
            ),
            click.option(
                "--margins",
                type=click.Path(dir_okay=False),
                help="Totals of residents to rake a sample wave to: CSV margin,class,total.",
            ),
            click.option("--json", "as_json", is_flag=True, help="Print JSON for machines."),
        )
    ):
        command = option(command)
    return command


def _rules(command: Command) -> Command:
    methods, roll_ups = ("top2", "mean5", "mean01"), ("pooled", "item_mean", "factor_mean", "area_mean")
    command = click.option("--roll-up", type=click.Choice(roll_ups), help="From items to the index.")(command)
    return click.option("--item-method", type=click.Choice(methods), help="Score of one answer.")(command)


@click.command()
@click.argument("target", metavar="WAVE|EXTRACT")
@_options
@click.option("--output", type=click.Path(file_okay=False), help="Folder to write to. [INSTANCE/reports/<wave>]")
def weights(target: str, as_json: bool, output: str | None, **given: Any) -> None:
    """Weight a wave, to its dossier register or by its frame: weights.parquet and weights.json.

    Example: sipas weights 2026-q4
    """
    from analysis.about import weights_json
    from analysis.output import replacing, write_weights
    from analysis.rules import SIMULATED
    from analysis.waves import Given, say_weights, weigh

    extract = find_extract(target)
    directory = _directory(output, extract)
    weighting = weigh(extract, Given(**given))
    with replacing(directory) as parts:
        files = write_weights(weighting, extract, parts)
    if as_json:
        print_json(weights_json(weighting, extract) | {"files": [str(directory / file.name) for file in files]})
        return
    click.echo(f"written: {', '.join(str(directory / file.name) for file in files)}")
    if extract.manifest.simulated:
        click.echo(SIMULATED)
    for line in say_weights(weighting):
        click.echo(line)


@click.command()
@click.argument("target", metavar="WAVE|EXTRACT")
@_options
@_rules
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the page.")
@click.option("--output", type=click.Path(file_okay=False), help="Folder to write to. [INSTANCE/reports/<wave>]")
def report(target: str, as_json: bool, lang: Any, output: str | None, **given: Any) -> None:
    """Write the report of a wave: tables, plots, weights and a page that prints on A4.

    Example: sipas report 2026-q4 --lang en
    """
    from analysis.about import about, rows_json
    from analysis.cli_estimate import headline
    from analysis.output import replacing, write_tables
    from analysis.report import write_report
    from analysis.waves import Given, left_aside, score

    with _progress("Report", 4) as step:
        extract = find_extract(target)
        directory = _directory(output, extract)
        step()
        result = score(extract, Given(**given))
        step()
        with replacing(directory) as parts:
            tables = write_tables(result, parts)
            step()
            page = write_report(result, parts, lang, _truth(extract))
            step()
    files = [str(directory / file.name) for file in (page.html, *tables, *page.plots)]
    if as_json:
        print_json(about(result) | {"files": files, "scores": rows_json(result.scores)})
        return
    click.echo(f"written: {directory / page.html.name}, {', '.join(Path(file).name for file in files[1:])}")
    for line in (headline(result), *left_aside(result.weighting)):
        click.echo(line)


@click.command()
@click.argument("target", metavar="WAVE|EXTRACT|DATA")
@_options
@_rules
@click.option("--statistic", type=click.Choice(["mean", "proportion", "total", "ratio"]), default="mean")
@click.option("--variable", "variables", multiple=True, help="Column to estimate; may be given several times.")
@click.option("--denominator", help="Column under the ratio.")
@click.option("--by", multiple=True, help="Column that makes domains; several are crossed.")
@click.option("--weight", help="Column of weights; without it every row counts 1.")
@click.option("--stratum", multiple=True, help="Column of strata; once for each stage.")
@click.option("--psu", multiple=True, help="Column of sampling units; once for each stage.")
@click.option("--fpc", multiple=True, help="Column of population counts of units; once for each stage.")
@click.option("--missing", multiple=True, type=int, help="Code that means no answer.")
@click.option("--nest", is_flag=True, help="PSU labels are repeated from stratum to stratum.")
@click.option("--level", type=click.FloatRange(50, 99.99), default=95, show_default=True, help="Confidence, per cent.")
@click.option("--output", type=click.Path(dir_okay=False), help="Write the table to this CSV file.")
def estimate(target: str, as_json: bool, output: str | None, **given: Any) -> None:
    """Estimate a wave's scores, or columns of a data file of your own (CSV, Parquet).

    \b
    Example: sipas estimate 2026-q4 --output scores.csv
    Example: sipas estimate answers.csv --variable satisfied --statistic proportion --by field --weight w --psu day
    """
    from analysis import cli_estimate

    if Path(target).suffix.lower() in DATA_FILES:
        _refuse(OF_A_WAVE, "is for a wave, not for a data file", "leave it out, or name a wave or an extract")
        table = cli_estimate.of_file(Path(target), given)
    else:
        _refuse(OF_A_FILE, "is for a data file of your own; a wave has its rules", "leave it out")
        from analysis.waves import Given, score

        wanted = Given(**{name: given[name] for name in OF_A_WAVE})
        table = cli_estimate.of_wave(score(find_extract(target), wanted))
    if output:
        cli_estimate.write(table, Path(output))
        click.echo(f"written: {output}", err=as_json)
    if as_json:
        print_json(table.as_json())
    elif not output:
        click.echo(table.as_text())


def _refuse(names: tuple[str, ...], what: str, remedy: str) -> None:
    """An option that would be passed over in silence is an error."""
    context = click.get_current_context()
    given = [
        parameter.opts[0]
        for parameter in context.command.params
        if parameter.name in names
        and context.get_parameter_source(parameter.name) is click.core.ParameterSource.COMMANDLINE
    ]
    if given:
        raise AnalysisError(Problem(f"{option} {what}", option, remedy) for option in given)


def find_extract(target: str) -> "Extract":
    """The extract a path names, or the newest one of a wave."""
    from analysis.extract import newest_extract, read_extract

    path = Path(target)
    if path.name == MANIFEST:
        path = path.parent
    if path.is_dir():
        return read_extract(path)
    if len(path.parts) != 1:
        remedy = "give a wave's id, or the folder that sipas extract wrote"
        raise AnalysisError(Problem("there is no such folder", target, remedy))
    return read_extract(newest_extract(_instance(), target))


def _instance() -> Path:
    context = click.get_current_context()
    return Path((context.find_object(dict) or {}).get(INSTANCE_KEY, "instance"))


def _home(extract: "Extract") -> Path | None:
    """The instance an extract lies in: INSTANCE/extracts/<wave>/<12 hex>; None for one copied elsewhere."""
    path = extract.path.resolve()
    lies_in_one = (path.parents[1].name, path.parent.name) == ("extracts", extract.wave)
    return path.parents[2] if lies_in_one else None


def _directory(output: str | None, extract: "Extract") -> Path:
    """Where to write. An extract copied out of its instance has no place of its own: the reader must name one."""
    if output:
        return Path(output)
    home = _home(extract)
    if home is None:
        what = "the extract lies in no instance (INSTANCE/extracts/<wave>/), so there is no reports folder of its own"
        raise AnalysisError(Problem(what, str(extract.path), "say where to write: --output FOLDER"))
    return home / "reports" / extract.wave


def _truth(extract: "Extract") -> dict[str, Any] | None:
    """What a simulated wave should have found, where the simulator left it."""
    from analysis.extract import plain_json

    home = _home(extract)
    path = home / "simulations" / extract.wave / "truth.json" if home else None
    if not (path and extract.manifest.simulated and path.is_file()):
        return None
    try:
        return dict(plain_json(path.read_bytes()))
    except (TypeError, ValueError, RecursionError) as error:
        what = f"the truth of the simulated wave cannot be read: {str(error)[:200]}"
        raise AnalysisError(Problem(what, str(path), "take the file away, or simulate the wave again")) from error


class _progress:
    """A bar on a terminal, nothing elsewhere."""

    def __init__(self, label: str, length: int) -> None:
        self.bar: Any = click.progressbar(length=length, label=label, file=sys.stderr, hidden=not sys.stderr.isatty())

    def __enter__(self) -> Callable[[], None]:
        self.bar.__enter__()
        return lambda: self.bar.update(1)

    def __exit__(self, *error: object) -> None:
        self.bar.__exit__(*error)


def print_json(content: Any) -> None:
    click.echo(json.dumps(content, ensure_ascii=False, indent=2, default=str))
