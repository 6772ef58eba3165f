"""Differences in data files for `sipas compare`: between domains of one, or between two. Public: compare_files."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from analysis.commands.estimate import file_request
from analysis.commands.options import file_format, given_options, is_data, read_files
from analysis.commands.progress import Waiting
from analysis.commands.show import print_json
from analysis.commands.showntable import EXACT, ShownTable, decimals
from analysis.comparison.comparing import Differences, compare, pairwise
from analysis.errors import AnalysisError, Problem
from analysis.files.filestatistic import FileEstimates, estimate_file
from analysis.files.opendata import open_data
from analysis.files.tablefile import check_suffix, write_table

NUMBERS = ("value", "se", "ci_low", "ci_high", "df", "t", "p_value", "p_adjusted", "n")
HOLDS = {"none": "each interval by itself", "bonferroni": "intervals hold together (Bonferroni)"}
HOLDS |= {"scheffe": "intervals hold together (Scheffé)", "max_t": "intervals hold together (largest |t|)"}
ADJUSTED = {"holm": "Holm", "bh": "Benjamini–Hochberg"}
SMALLEST_P = 1e-4


def compare_files(first: str, second: str | None, given: Mapping[str, Any], as_json: bool, output: str | None) -> None:
    """Differences between the domains of one file (--by), or between two files, domain by domain."""
    if output:
        check_suffix(Path(output), read=(first, *([second] if second else []), *read_files(given)))
    if second is not None and not is_data(second):
        what = "a data file is compared with a data file"
        raise AnalysisError(Problem(what, second, "name two data files, or two waves"))
    if second is None and not given["by"]:
        what = "domains to compare are not named"
        raise AnalysisError(Problem(what, "--by", "give --by COLUMN, or a second file: sipas compare FILE FILE"))
    with Waiting() as step:
        found = [_estimated(name, given, step) for name in (first, second) if name]
        step("comparing")
        table = _within(found[0], given) if second is None else _between(found, (first, second), given)
        if output:
            step(f"writing {Path(output).name}")
            write_table(Path(output), table.header, table.rows, table.context)
    if output:
        click.echo(f"written: {output}", err=as_json)
    if as_json:
        print_json(table.as_json())
    elif not output:
        click.echo(table.as_text())


def _estimated(name: str, given: Mapping[str, Any], step: Waiting) -> FileEstimates:
    source = open_data(Path(name), file_format(given))
    return estimate_file(source, file_request(given, source), step)


def _within(found: FileEstimates, given: Mapping[str, Any]) -> ShownTable:
    if given_options(("overlap",)):
        raise AnalysisError(Problem("--overlap speaks of two files", "--overlap", "leave it out"))
    reference = _reference(found, given["against"])
    chosen = {name: given[name] for name in ("adjust", "simultaneous", "df")}
    pairs = pairwise(found.estimates, reference, **chosen)
    names = [tuple(_words(found, domain, given) for domain in pair) for pair in _pairs(pairs)]
    by = " × ".join(found.by)
    what = f"differences in {given['statistic']} between {by}"
    return _table((f"{by} a", f"{by} b"), names, pairs, what, found.said, given)


def _between(found: list[FileEstimates], files: tuple[str, str], given: Mapping[str, Any]) -> ShownTable:
    if given["against"]:
        raise AnalysisError(Problem("--against speaks of one file", "--against", "leave it out"))
    chosen = {name: given[name] for name in ("adjust", "simultaneous", "overlap", "df")}
    first, second = found[0].estimates, found[1].estimates
    differences = compare(first, second, **chosen)
    names: list[tuple[str, ...]] = [(_words(found[0], domain, given),) for domain in differences.domains]
    if first.value.size == 1 == second.value.size:
        names = [("all",)]
    what = f"differences in {given['statistic']}, {Path(files[0]).name} − {Path(files[1]).name}"
    alone = [
        f"only in {Path(file).name}: {', '.join(map(str, missing))}"
        for file, one, other in ((files[0], first, second), (files[1], second, first))
        if (missing := [domain for domain in one.domains if domain not in other.domains])
    ]
    said = (*found[0].said, *(line for line in found[1].said if line not in found[0].said), *alone)
    header = (" × ".join(found[0].by) or "domain",)
    return _table(header, names, differences, what, said, given)


def _pairs(found: Differences) -> list[tuple[Any, Any]]:
    """Domains of pairwise differences are pairs."""
    return [pair for pair in found.domains if isinstance(pair, tuple)]


def _table(
    header: tuple[str, ...],
    names: list[tuple[str, ...]],
    found: Differences,
    what: str,
    said: tuple[str, ...],
    given: Mapping[str, Any],
) -> ShownTable:
    rows = tuple(
        (*name, str(variable), *(getattr(found, number)[i, j].item() for number in NUMBERS))
        for i, name in enumerate(names)
        for j, variable in enumerate(found.variables)
    )
    columns = (*header, "variable", "difference", *NUMBERS[1:])
    adjusted = "p_adjusted as it is" if given["adjust"] == "none" else f"p_adjusted by {ADJUSTED[given['adjust']]}"
    line = f"{what}; {given['level']:g} % intervals, {HOLDS[given['simultaneous']]}; {adjusted} in each variable"
    context = {"what": what, "level": given["level"], "df": given["df"], "adjust": given["adjust"]}
    context |= {"simultaneous": given["simultaneous"], "design": list(said)}
    places = decimals(columns, rows) | {"difference": decimals(columns, rows)["value"], "t": 2}
    places |= {"p_value": EXACT, "p_adjusted": EXACT}
    shown = tuple(
        tuple(_p(cell) if name.startswith("p_") else cell for name, cell in zip(columns, row, strict=True))
        for row in rows
    )
    return ShownTable(columns, rows, context, (line, *said), brief=shown, places=places)


def _p(value: float) -> Any:
    """A probability with four decimals; smaller ones as such."""
    if value != value:  # noqa: PLR0124
        return None
    return f"<{SMALLEST_P:.4f}" if value < SMALLEST_P else f"{value:.4f}"


def _reference(found: FileEstimates, against: tuple[str, ...]) -> Any:
    """The domain that --against names, one label for each --by, by its code or its words."""
    if not against:
        return None
    for domain in found.estimates.domains:
        parts = domain if isinstance(domain, tuple) and len(found.by) > 1 else (domain,)
        words = [
            (str(part), found.value_words.get(name, {}).get(part)) for name, part in zip(found.by, parts, strict=True)
        ]
        if len(words) == len(against) and all(label in word for label, word in zip(against, words, strict=True)):
            return domain
    there = ", ".join(" ".join(map(str, d)) if isinstance(d, tuple) else str(d) for d in found.estimates.domains[:20])
    what = f"there is no domain {' '.join(against)!r}"
    raise AnalysisError(Problem(what, "--against", f"one label for each --by; domains are {there}"))


def _words(found: FileEstimates, domain: Any, given: Mapping[str, Any]) -> str:
    """A domain as a reader knows it: its labels, with their words unless those are not wanted."""
    parts = domain if isinstance(domain, tuple) and len(found.by) > 1 else (domain,)
    how = given["value_words"] or "beside"
    texts = []
    for name, part in zip(found.by or ("",), parts, strict=True):
        word = "" if how == "off" else found.value_words.get(name, {}).get(part, "")
        texts.append(f"{part} {word}".strip() if how == "beside" else word or str(part))
    return " · ".join(texts)
