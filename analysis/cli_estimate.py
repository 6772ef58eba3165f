"""Tables of the command `sipas estimate`, for people and for machines.

Public: of_wave, of_file, write, headline, ShownTable.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any

from analysis.about import about
from analysis.datafile import Request, estimate_file
from analysis.estimates import COLUMNS as NUMBERS
from analysis.estimates import Estimates
from analysis.output import json_text, replacing, table_csv
from analysis.rules import NOT_RAKED, SIMULATED, notice
from analysis.verdicts import MEASURES
from analysis.wave_result import COLUMNS, AnyResult, SampleResult, Score

SHORT = ("value", "ci_low", "ci_high", "df", "n", "n_eff", "responses", "dossiers", "verdict", "suppressed")


@dataclass(frozen=True)
class ShownTable:
    """Rows under a header. A terminal gets `lines`, then the columns `shown` of the rows in `brief`; JSON gets all rows
    after `context`.
    """

    header: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    context: Mapping[str, Any] = field(default_factory=dict)
    lines: tuple[str, ...] = ()
    shown: tuple[str, ...] = ()
    brief: tuple[tuple[Any, ...], ...] | None = None

    def as_json(self) -> dict[str, Any]:
        return {**self.context, "rows": [dict(zip(self.header, map(_plain, row), strict=True)) for row in self.rows]}

    def as_text(self) -> str:
        """Columns aligned, numbers to the right, two decimals."""
        places = [self.header.index(name) for name in self.shown or self.header]
        rows = self.rows if self.brief is None else self.brief
        cells = [[self.header[place] for place in places]]
        cells += [[_brief(row[place]) for place in places] for row in rows]
        widths = [max(len(line[column]) for line in cells) for column in range(len(places))]
        words = [all(isinstance(row[place], str) for row in rows) for place in places]
        lines = [
            "  ".join(
                cell.ljust(width) if left else cell.rjust(width)
                for cell, width, left in zip(line, widths, words, strict=True)
            ).rstrip()
            for line in cells
        ]
        return "\n".join((*self.lines, *lines))


def of_wave(result: AnyResult) -> ShownTable:
    """The published index, areas and overall satisfaction, for all and by field; the file holds every measure."""
    rows = tuple(tuple(getattr(row, name) for name in COLUMNS) for row in result.scores)
    shown = ("domain", "measure", *SHORT)
    brief = tuple(row for row in rows if (found := row[COLUMNS.index("measure")]) in MEASURES or found[:5] == "area:")
    return ShownTable(COLUMNS, rows, about(result), _notices(result), shown, brief)


def of_file(path: Path, given: Mapping[str, Any]) -> ShownTable:
    request = Request(
        statistic=given["statistic"],
        variables=given["variables"],
        denominator=given["denominator"],
        weight=given["weight"],
        stratum=given["stratum"],
        psu=given["psu"],
        fpc=given["fpc"],
        by=given["by"],
        level=given["level"] / 100,
        missing=given["missing"],
        nest=given["nest"],
    )
    return _of_estimates(path, request, estimate_file(path, request))


def _of_estimates(path: Path, request: Request, found: Estimates) -> ShownTable:
    rows = []
    for i, domain in enumerate(found.domains):
        names = domain if isinstance(domain, tuple) else (domain,)
        for j, variable in enumerate(found.variables):
            numbers = [getattr(found, name)[i, j].item() for name in NUMBERS]
            rows.append((*map(str, names), str(variable), *numbers, " ".join(found.flags[i, j])))
    domains = request.by or ("domain",)
    context = {"data": path.name, "statistic": request.statistic, "level": 100 * request.level}
    context |= {"interval": dict(zip(map(str, found.variables), found.interval, strict=True))}
    intervals = ", ".join(sorted(set(found.interval)))
    line = f"{request.statistic} of {path.name}; {100 * request.level:g} % intervals: {intervals}; df of the domain"
    return ShownTable((*domains, "variable", *NUMBERS, "flags"), tuple(rows), context, (line,))


def write(table: ShownTable, path: Path) -> None:
    """The whole table as CSV, put in its place only when it is complete; for a wave with what it rests on beside it."""
    with replacing(path.resolve().parent) as parts:
        (parts / path.name).write_text(table_csv(table.header, table.rows), encoding="utf-8", newline="")
        if table.header == COLUMNS:
            (parts / f"{path.stem}.about.json").write_text(json_text(table.context), encoding="utf-8")


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
    counts = f"n {row.n}, n_eff {_brief(row.n_eff)}, {row.responses} responses{dossiers}"
    return f"{_numbers(row)}, {row.verdict or 'no verdict'}; {counts}"


def _numbers(row: Score) -> str:
    if row.value is None:
        return f"index: not shown ({row.suppressed}); {row.note}"
    return f"index {_brief(row.value)} ({row.level:g} % interval {_brief(row.ci_low)} to {_brief(row.ci_high)})"


def _brief(value: Any) -> str:
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "-"
    if isinstance(value, float):
        return f"{value:.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:.2f}"
    return str(value)


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value
