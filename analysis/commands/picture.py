"""The picture of a table of estimates, in words and numbers fit to draw: `sipas estimate --plot`.

Public: picture_of_file, picture_of_wave, write_picture, PICTURE_SUFFIXES.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import floor, isfinite, log10
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

from analysis.commands.showntable import ShownTable
from analysis.errors import AnalysisError, Problem
from analysis.files.tablefile import in_its_place
from analysis.wave.rules import SIMULATED, notice
from analysis.wave.wave_result import AnyResult

if TYPE_CHECKING:
    from analysis.plots.domains import DomainLine
    from analysis.plots.sheet import Drawing

PICTURE_SUFFIXES = (".svg", ".png")
MOST_ROWS = 300
HEADERS = ("value (interval)", "n", "n_eff")
LIMITS: Mapping[str, tuple[float | None, float | None]] = {"proportion": (0.0, 1.0), "index": (0.0, 100.0)}


@dataclass(frozen=True)
class _Row:
    group: str
    label: str
    value: float | None
    low: float | None
    high: float | None
    n: Any
    n_eff: Any
    hidden: str = ""


def picture_of_file(table: ShownTable, by: Sequence[str]) -> "Drawing":
    """Points of a file's estimates: domains under each variable, or the variables where there is one domain."""
    place = {name: table.header.index(name) for name in ("variable", "value", "ci_low", "ci_high", "n", "n_eff")}
    first = place["variable"]
    rows = []
    for row in table.rows:
        variable = f"{row[first]} q {row[first + 1]:g}" if "q" in table.header else str(row[first])
        label = " · ".join(_labelled(table.header[:first], row)) if by else variable
        numbers = {name: _finite(row[place[name]]) for name in ("value", "ci_low", "ci_high")}
        value, low, high = numbers.values()
        why = "" if value is not None else "no estimate"
        rows.append(_Row(variable if by else "", label, value, low, high, row[place["n"]], row[place["n_eff"]], why))
    context = table.context
    groups = {row.group for row in rows}
    what = f"{context['statistic']} of {next(iter(groups)) if len(groups) == 1 and by else _few(rows)}"
    title = f"{what[0].upper()}{what[1:]}{f' by {_and(by)}' if by else ''}{_span(rows, _places(rows))}"
    intervals = ", ".join(sorted(set(context["interval"].values())))
    subtitle = (
        f"{context['level']:g} % intervals ({intervals}); df of the {context['df']}; each interval for its own row"
    )
    footnote = (
        f"Source: {context['data']}. {'; '.join(context['design'])}. n: rows with a valid answer; n_eff = n/deff."
    )
    limits = LIMITS.get(context["statistic"], (None, None))
    return _draw("estimates", (title, subtitle, footnote), rows, str(context["statistic"]), limits)


def picture_of_wave(result: AnyResult) -> "Drawing":
    """The index by field as it may be published: hidden values are called hidden."""
    rows = [
        _Row("", one.label, one.value, one.ci_low, one.ci_high, one.n, one.n_eff, f"not shown ({one.suppressed})")
        for one in result.scores
        if one.measure == "index" and one.domain_kind in ("all", "field")
    ]
    whole, fields = rows[:1], rows[1:]
    kind = result.extract.codebook.wave.kind
    sentence = notice(kind)
    title = f"Index of {result.extract.wave}{' by field' if fields else ''}{_span(fields or whole, 2)}"
    rules = result.rules
    subtitle = (
        f"0 to 100; items {rules.item_method}, {rules.roll_up}; {rules.level:g} % intervals (logit), "
        "each for its own row; dashed: the reference line"
    )
    footnote = f"{sentence['vi']} {sentence['en']} n: responses with a valid answer; n_eff = n/deff."
    band = SIMULATED if result.extract.manifest.simulated else ""
    line = result.extract.codebook.wave.rules.reference_line
    words = (title, subtitle, footnote)
    return _draw("index", words, fields, "index", (0.0, 100.0), band, (line, f"{line:g}"), whole)


def write_picture(drawing: "Drawing", path: Path) -> None:
    with in_its_place(path) as parts:
        if path.suffix.lower() == ".svg":
            (parts / path.name).write_text(drawing.svg, encoding="utf-8")
        else:
            (parts / path.name).write_bytes(drawing.png)


def _draw(
    name: str,
    words: tuple[str, str, str],
    rows: Sequence[_Row],
    measure: str,
    limits: tuple[float | None, float | None],
    band: str = "",
    reference: tuple[float, str] | None = None,
    whole: Sequence[_Row] = (),
) -> "Drawing":
    from analysis.plots.domains import DomainGroup, draw_domains
    from analysis.plots.sheet import Wording

    if len(rows) > MOST_ROWS:
        what, remedy = f"{len(rows)} estimates are too many for a picture", f"at most {MOST_ROWS}: leave out a --by"
        raise AnalysisError(Problem(what, "--plot", remedy))
    places = _places([*whole, *rows])
    groups = [DomainGroup("", tuple(_line(row, places) for row in whole))] if whole else []
    for group in dict.fromkeys(row.group for row in rows):
        inside = sorted(
            (row for row in rows if row.group == group), key=lambda row: (row.value is None, -(row.value or 0))
        )
        title = group if len({row.group for row in rows}) > 1 else ""
        groups.append(DomainGroup(title, tuple(_line(row, places) for row in inside)))
    title, subtitle, footnote = words
    described = "; ".join(f"{row.group} {row.label}: {_interval(row, places)}".strip() for row in [*whole, *rows][:40])
    return draw_domains(
        Wording(name, title, subtitle, footnote, f"{title}. {subtitle}. {described}", band),
        groups,
        HEADERS,
        axis=f"{measure}; the scale need not begin at 0",
        number=lambda value: f"{value:.10g}",
        limits=limits,
        reference=reference,
    )


def _line(row: _Row, places: int) -> "DomainLine":
    from analysis.plots.domains import DomainLine

    n = "" if row.n is None else str(row.n)
    n_eff = "" if _finite(row.n_eff) is None else f"{row.n_eff:.0f}"
    columns = (_interval(row, places), n, n_eff) if row.value is not None else ("", n, n_eff)
    return DomainLine(row.label, row.value, row.low, row.high, columns, row.hidden)


def _interval(row: _Row, places: int) -> str:
    if row.value is None:
        return row.hidden
    if row.low is None or row.high is None:
        return f"{row.value:.{places}f} (no interval)"
    return f"{row.value:.{places}f} ({row.low:.{places}f} to {row.high:.{places}f})"


def _span(rows: Sequence[_Row], places: int) -> str:
    """The finding: from the lowest estimate to the highest, by name; with one row its value and interval."""
    known = [row for row in rows if row.value is not None]
    if not known:
        return ": no estimate"
    if len(known) == 1 or len({row.group for row in rows}) > 1:
        return f": {_interval(known[0], places)}" if len(known) == 1 else ""
    low, high = min(known, key=lambda row: row.value or 0), max(known, key=lambda row: row.value or 0)
    return f": from {low.value:.{places}f} ({low.label}) to {high.value:.{places}f} ({high.label})"


def _places(rows: Sequence[_Row]) -> int:
    """Decimals that show an interval's half width with two digits."""
    widths = [row.high - row.low for row in rows if row.low is not None and row.high is not None and row.high > row.low]
    return min(6, max(0, 1 - floor(log10(median(widths) / 4)))) if widths else 2


def _labelled(header: Sequence[str], row: Sequence[Any]) -> list[str]:
    """Each domain's label, or its words where it has any."""
    parts: list[str] = []
    for place, name in enumerate(header):
        if place and name == f"{header[place - 1]}_label":
            parts[-1] = str(row[place]) or parts[-1]
        else:
            parts.append(str(row[place]))
    return parts


def _finite(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and isfinite(value) else None


def _few(rows: Sequence[_Row]) -> str:
    names = list(dict.fromkeys(row.group or row.label for row in rows))
    return names[0] if len(names) == 1 else f"{len(names)} columns"


def _and(names: Sequence[str]) -> str:
    return " and ".join(names)
