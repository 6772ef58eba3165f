"""A table of estimates as people and machines read it: aligned text with fitting decimals, JSON, rows for a file.

Public: ShownTable, of_estimates, decimals, plain.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import floor, isfinite, log10
from statistics import median
from typing import Any, Literal

from analysis.estimates import COLUMNS as NUMBERS
from analysis.estimates import Estimates

ValueWords = Literal["beside", "instead", "off"]
EXACT = -1
"""Instead of decimals: as many as the number has."""
UNCERTAIN = ("value", "se", "ci_low", "ci_high")
"""Columns whose decimals follow the standard error: more would be noise, fewer would hide it."""


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
    places: Mapping[str, int] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return {**self.context, "rows": [dict(zip(self.header, map(plain, row), strict=True)) for row in self.rows]}

    def as_text(self) -> str:
        """Columns aligned, words to the left, numbers to the right with as many decimals as `places` says, else two."""
        names = self.shown or self.header
        places = [self.header.index(name) for name in names]
        rows = self.rows if self.brief is None else self.brief
        cells = [list(names)]
        cells += [
            [brief(row[place], self.places.get(name)) for name, place in zip(names, places, strict=True)]
            for row in rows
        ]
        widths = [max(width(line[column]) for line in cells) for column in range(len(places))]
        words = [
            all(isinstance(row[place], str) for row in rows) and not name.startswith("p_")
            for name, place in zip(names, places, strict=True)
        ]
        lines = [
            "  ".join(_padded(cell, size, left) for cell, size, left in zip(line, widths, words, strict=True)).rstrip()
            for line in cells
        ]
        return "\n".join((*self.lines, *lines))


def of_estimates(
    found: Estimates,
    by: Sequence[str],
    value_words: Mapping[str, Mapping[Any, str]],
    how: ValueWords = "beside",
) -> tuple[tuple[str, ...], tuple[tuple[Any, ...], ...]]:
    """Header and rows: the columns of `by` (with the words of their labels beside), variable, numbers, flags."""
    domains = tuple(by) or ("domain",)
    with_words = [name for name in by if how == "beside" and value_words.get(name)]
    header = [part for name in domains for part in ((name, f"{name}_label") if name in with_words else (name,))]
    shares = bool(found.variables) and all(isinstance(variable, tuple) for variable in found.variables)
    rows = []
    for i, domain in enumerate(found.domains):
        labels = domain if isinstance(domain, tuple) and len(by) > 1 else (domain,)
        cells: list[Any] = []
        for name, label in zip(domains, labels, strict=True):
            word = value_words.get(name, {}).get(label, "") if name in by else ""
            cells += [str(label), word] if name in with_words else [word if word and how == "instead" else str(label)]
        for j, variable in enumerate(found.variables):
            numbers = [getattr(found, name)[i, j].item() for name in NUMBERS]
            named = (str(variable[0]), float(variable[1])) if isinstance(variable, tuple) else (str(variable),)
            rows.append((*cells, *named, *numbers, " ".join(found.flags[i, j])))
    kinds = ("variable", "q") if shares else ("variable",)
    return (*header, *kinds, *NUMBERS, "flags"), tuple(rows)


def decimals(header: Sequence[str], rows: Sequence[Sequence[Any]]) -> dict[str, int]:
    """Decimals by column: two significant digits of the median standard error, in all columns of its unit."""
    place = header.index("se") if "se" in header else -1
    errors = [row[place] for row in rows if place >= 0 and isinstance(row[place], float) and row[place] > 0]
    errors = [error for error in errors if isfinite(error)]
    digits = min(6, max(0, 1 - floor(log10(median(errors))))) if errors else 2
    return dict.fromkeys(UNCERTAIN, digits) | {"df": 0, "n_eff": 0, "q": EXACT}


def brief(value: Any, places: int | None = None) -> str:
    """A cell on a terminal: `places` decimals, whole numbers without any; None: two, of whole numbers none."""
    if value is None or (isinstance(value, float) and not isfinite(value)):
        return "-"
    if isinstance(value, float):
        if places == EXACT:
            return f"{value:g}"
        if places == 0 and not value.is_integer():
            return f"{value:.1f}"
        if places is not None:
            return f"{value:.{places}f}"
        return f"{value:.0f}" if value.is_integer() and abs(value) >= 1 else f"{value:.2f}"
    return " ".join(str(value).split()) if isinstance(value, str) else str(value)


def plain(value: Any) -> Any:
    return None if isinstance(value, float) and not isfinite(value) else value


def width(text: str) -> int:
    """Columns a terminal gives a text: two to East Asian wide letters, none to combining marks."""
    if text.isascii():
        return len(text)
    from unicodedata import combining, east_asian_width

    return sum(0 if combining(letter) else 2 if east_asian_width(letter) in "WF" else 1 for letter in text)


def _padded(cell: str, size: int, left: bool) -> str:
    space = " " * (size - width(cell))
    return cell + space if left else space + cell
