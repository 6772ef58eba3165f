"""Tables of the command `sipas estimate`, for people and for machines.

Public: of_wave, of_file, write, headline.
"""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click

from analysis.commands.options import OF_A_WAVE, design_request, file_format, is_data, read_files
from analysis.commands.picture import PICTURE_SUFFIXES, picture_of_file, picture_of_wave, write_picture
from analysis.commands.progress import Waiting
from analysis.commands.show import print_json
from analysis.commands.showntable import ShownTable, brief, decimals, of_estimates
from analysis.files.datafile import Source
from analysis.files.filestatistic import UNITS, FileEstimates, Request, estimate_file
from analysis.files.opendata import open_data
from analysis.files.tablefile import TABLE_SUFFIXES, check_suffix, write_table
from analysis.wave.about import about
from analysis.wave.extract import Extract
from analysis.wave.rules import NOT_RAKED, SIMULATED, notice
from analysis.wave.verdicts import MEASURES
from analysis.wave.wave_result import COLUMNS, AnyResult, SampleResult, Score
from analysis.wave.waves import Given, score

RULES_OF_A_WAVE = (*OF_A_WAVE, "item_method", "roll_up")
SHORT = ("value", "ci_low", "ci_high", "df", "n", "n_eff", "responses", "dossiers", "verdict", "suppressed")


def estimate_command(
    target: str,
    given: Mapping[str, Any],
    as_json: bool,
    output: str | None,
    plot: str | None,
    find_extract: Callable[[str], Extract],
) -> None:
    """Estimate, then write what was asked for: table, picture, JSON, or the table on the terminal."""
    for name, known in ((output, TABLE_SUFFIXES), (plot, PICTURE_SUFFIXES)):
        if name:
            option = "--plot" if known is PICTURE_SUFFIXES else "--output"
            check_suffix(Path(name), option, known, (target, *read_files(given)))
    with Waiting() as step:
        if is_data(target):
            table, found = of_file(Path(target), given, step)
            draw = partial(picture_of_file, table, found.by)
        else:
            step("scoring the wave")
            result = score(find_extract(target), Given(**{name: given[name] for name in RULES_OF_A_WAVE}))
            table = of_wave(result)
            draw = partial(picture_of_wave, result)
        if output:
            step(f"writing {Path(output).name}")
            write(table, Path(output))
        if plot:
            step(f"drawing {Path(plot).name}")
            write_picture(draw(), Path(plot))
    for name in (output, plot):
        if name:
            click.echo(f"written: {name}", err=as_json)
    if as_json:
        print_json(table.as_json())
    elif not output and not plot:
        click.echo(table.as_text())


def of_wave(result: AnyResult) -> ShownTable:
    """The published index, areas and overall satisfaction, for all and by field; the file holds every measure and centre."""
    rows = tuple(tuple(getattr(row, name) for name in COLUMNS) for row in result.scores)
    short = tuple(
        tuple(getattr(row, name) for name in COLUMNS)
        for row in result.scores
        if row.domain_kind in ("all", "field") and (row.measure in MEASURES or row.measure.startswith("area:"))
    )
    return ShownTable(COLUMNS, rows, about(result), _notices(result), ("domain", "measure", *SHORT), short)


def file_request(given: Mapping[str, Any], source: Source) -> Request:
    """What was typed, as a request. A level is per cent on the command line and a share in Python."""
    names = ("statistic", "variables", "denominator", "by", "df", "missing", "interval", "of", "q", "rule")
    chosen = {name: given[name] for name in names if name in given}
    for name in ("factors", "item_method", "roll_up"):
        chosen[name] = given.get(name) or (() if name == "factors" else None)
    return Request(**chosen, level=given["level"] / 100, design=design_request(given))


def of_file(path: Path, given: Mapping[str, Any], done: Callable[[str], None]) -> tuple[ShownTable, FileEstimates]:
    """Estimates from a data file, as a table and as they are."""
    source = open_data(path, file_format(given))
    request = file_request(given, source)
    if given["engine"] == "duckdb":
        from analysis.files.filelarge import large_estimates

        done(f"summing {path.name}")
        found = large_estimates(source, request)
    else:
        found = estimate_file(source, request, done)
    header, rows = of_estimates(found.estimates, found.by, found.value_words, given["value_words"] or "beside")
    estimates = found.estimates
    method = "Woodruff, " if request.statistic == "quantile" else ""
    intervals = method + ", ".join(sorted(set(estimates.interval)))
    context = {"data": path.name, "statistic": request.statistic, "level": 100 * request.level, "df": request.df}
    context |= {"interval": {str(name): how for name, how in zip(estimates.variables, estimates.interval, strict=True)}}
    context |= {"design": list(found.said)}
    if found.design and found.design.totals:
        context["totals_sha256"] = found.design.totals.sha256
    line = (
        f"{request.statistic} of {path.name}, {UNITS[request.statistic]}; "
        f"{100 * request.level:g} % intervals: {intervals}; df of the {request.df}"
    )
    codes = {"counted": given["of"] or (), "missing": given["missing"] or ()}
    for word, chosen in codes.items():
        if chosen:
            line += f"; codes {word}: {', '.join(map(str, chosen))}"
            context[f"codes_{word}"] = list(chosen)
    places = decimals(header, rows)
    return ShownTable(header, rows, context, (line, *found.said), places=places), found


def write(table: ShownTable, path: Path) -> None:
    """The whole table as CSV, Parquet or a workbook; for a wave with what it rests on beside a CSV."""
    write_table(path, table.header, table.rows, table.context, about=table.header == COLUMNS)


def headline(result: AnyResult) -> str:
    """The score in a sentence, with what it may be taken for."""
    row = result.score()
    return "\n".join((*_notices(result), _sentence(row) if row else "no score"))


def _notices(result: AnyResult) -> tuple[str, ...]:
    rules, sentence = result.rules, notice(result.extract.codebook.wave.kind)
    lines = [SIMULATED] if result.extract.manifest.simulated else []
    lines += [sentence["vi"], sentence["en"]]
    weights = f"{rules.method} (minimum {rules.minimum})"
    if isinstance(result, SampleResult):
        weights = result.weighting.method
        lines += [] if result.weighting.margins else [NOT_RAKED["vi"], f"{NOT_RAKED['en']} Give --margins FILE."]
    lines.append(
        f"rules: item {rules.item_method}, roll-up {rules.roll_up}, weights {weights}, "
        f"{rules.level:g} % intervals: logit for index and factors, Korn-Graubard for shares; df of the domain"
    )
    if rules.changed:
        lines.append(f"not the rules fixed before the wave opened: {', '.join(rules.changed)}")
        lines += [f"by the first rule: {_numbers(row)}" for row in result.first_rule if row.key[1:] == ("all", "index")]
    if rules.online_included:
        lines.append(
            "Sổ không tách kênh: gồm cả hồ sơ trực tuyến. / No channel in the register: online dossiers included."
        )
    return tuple(lines)


def _sentence(row: Score) -> str:
    if row.value is None:
        return f"index: not shown ({row.suppressed}); {row.note}"
    dossiers = "" if row.dossiers is None else f" / {row.dossiers} dossiers"
    counts = f"n {row.n}, n_eff {brief(row.n_eff)}, {row.responses} responses{dossiers}"
    return f"{_numbers(row)}, {row.verdict or 'no verdict'}; {counts}"


def _numbers(row: Score) -> str:
    if row.value is None:
        return f"index: not shown ({row.suppressed}); {row.note}"
    return f"index {brief(row.value)} ({row.level:g} % interval {brief(row.ci_low)} to {brief(row.ci_high)})"
