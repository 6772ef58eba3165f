"""The commands of analysis: weights, estimate, report; `compare` is in analysis.commands.compare.

They find an instance's extracts by the folders' names alone (INSTANCE/extracts/<wave>/) and import what computes only
when they run, so that help comes at once.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from analysis.commands.options import (
    CALIBRATION,
    DESIGN,
    ENGINE,
    FILE,
    JSON,
    OF_A_DESIGN,
    OF_A_WAVE,
    READING,
    REPLICATES,
    RULES,
    STATISTIC,
    WAVE,
    is_data,
    options,
    refuse,
)
from analysis.commands.show import print_json
from analysis.errors import AnalysisError, Problem

if TYPE_CHECKING:
    from analysis.wave.extract import Extract

INSTANCE_KEY = "sipas.instance"
MANIFEST = "manifest.json"
IS_OF_A_FILE = ("is for a data file of your own; a wave has its register, frame and rules", "leave it out")
IS_OF_A_WAVE = ("is for a wave, not for a data file", "leave it out, or name a wave or an extract")
OF_A_FILE = (
    *OF_A_DESIGN,
    *(
        "statistic",
        "variables",
        "denominator",
        "by",
        "missing",
        "level",
        "df",
        "interval",
        "of",
        "q",
        "rule",
        "factors",
    ),
    "value_words",
    "engine",
)
"""Parameters of `estimate` that speak of a data file and not of a wave."""


@click.command()
@click.argument("target", metavar="WAVE|EXTRACT|DATA")
@options(WAVE, CALIBRATION, DESIGN, REPLICATES, READING, JSON)
@click.option("--column", default="final_weight", show_default=True, help="What to call the new column of a data file.")
@click.option("--output", type=click.Path(), help="Folder for a wave [INSTANCE/reports/<wave>]; file for a data file.")
def weights(target: str, as_json: bool, output: str | None, **given: Any) -> None:
    """Weight a wave to its dossier register or by its frame, or a data file of your own to totals you bring.

    \b
    Example: sipas weights 2026-q4
    Example: sipas weights answers.csv --rake totals.csv --weight w --output weighted.parquet
    """
    if is_data(target):
        refuse(OF_A_WAVE, *IS_OF_A_WAVE)
        from analysis.commands.weigh import weigh_data

        return weigh_data(Path(target), given, as_json, output)
    refuse((*OF_A_DESIGN, "column"), *IS_OF_A_FILE)
    from analysis.wave.about import weights_json
    from analysis.wave.output import replacing, write_weights
    from analysis.wave.rules import SIMULATED
    from analysis.wave.waves import Given, say_weights, weigh

    extract = find_extract(target)
    directory = _directory(output, extract)
    weighting = weigh(extract, Given(**{name: given[name] for name in OF_A_WAVE}))
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
@options(WAVE, RULES, JSON)
@click.option("--lang", type=click.Choice(["vi", "en"]), default="vi", show_default=True, help="Language of the page.")
@click.option("--output", type=click.Path(file_okay=False), help="Folder to write to. [INSTANCE/reports/<wave>]")
def report(target: str, as_json: bool, lang: Any, output: str | None, **given: Any) -> None:
    """Write the report of a wave: tables, plots, weights and a page that prints on A4.

    Example: sipas report 2026-q4 --lang en
    """
    from analysis.commands.estimate import headline
    from analysis.report import write_report
    from analysis.wave.about import about, rows_json
    from analysis.wave.output import replacing, write_tables
    from analysis.wave.waves import Given, left_aside, score

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
@options(WAVE, STATISTIC, RULES, DESIGN, REPLICATES, CALIBRATION, READING, ENGINE, JSON)
@click.option("--output", type=FILE, help="Write the table to this .csv, .parquet or .xlsx file.")
@click.option("--plot", type=FILE, help="Draw the estimates with their intervals to this .svg or .png file.")
def estimate(target: str, as_json: bool, output: str | None, plot: str | None, **given: Any) -> None:
    """Estimate a wave's scores, or columns of a data file of your own: CSV, Parquet, SPSS (.sav), Stata (.dta).

    \b
    Example: sipas estimate 2026-q4 --output scores.csv
    Example: sipas estimate answers.csv --variable satisfied --statistic proportion --by field --weight w --psu day
    """
    if is_data(target):
        refuse(OF_A_WAVE, *IS_OF_A_WAVE)
    else:
        refuse(OF_A_FILE, *IS_OF_A_FILE)
    from analysis.commands.estimate import estimate_command

    estimate_command(target, given, as_json, output, plot, find_extract)


def find_extract(target: str) -> "Extract":
    """The extract a path names, or the newest one of a wave."""
    from analysis.wave.extract import newest_extract, read_extract

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
    from analysis.wave.extract import plain_json

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
