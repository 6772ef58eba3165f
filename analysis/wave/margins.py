"""Totals of residents that a sample wave is raked to, from a CSV file the analyst brings.

Public: read_margins, Margins, Margin, STRATUM.
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from analysis.errors import AnalysisError, Problem
from analysis.files.csvfile import parse_csv, read_bounded
from analysis.wave.codebook import Codebook, Item, Text

COLUMNS = ("margin", "class", "total")
STRATUM = "stratum"
STRATUM_TEXT = {"vi": "Tầng", "en": "Stratum"}
AGREE = 0.005
"""Margins of one population may differ by this share of the first; the others are then scaled to it."""
MOST_BYTES = 1 << 20
NUMBER = re.compile(r"\d{1,12}(\.\d+)?")
KINDS = ("choice", "likert")


@dataclass(frozen=True)
class Margin:
    """One margin: an item of the form, or the strata.

    totals : class -> residents, scaled to the first margin; a class is an option's code, several joined by "+", or a
        stratum
    codes : class -> option codes it holds; empty for strata
    texts : class -> its words
    given : sum of the totals as they stand in the file
    """

    name: str
    text: Text
    totals: Mapping[str, float]
    codes: Mapping[str, tuple[int, ...]] = field(repr=False)
    texts: Mapping[str, Text] = field(repr=False)
    given: float


@dataclass(frozen=True)
class Margins:
    """All margins of a file. `population` is the sum of the first, to which the others were scaled."""

    margins: tuple[Margin, ...]
    source: str
    sha256: str

    @property
    def population(self) -> float:
        return self.margins[0].given

    @property
    def scaled(self) -> Mapping[str, float]:
        """Margin -> the factor on its totals, for those whose sum differed from the first's."""
        return {one.name: self.population / one.given for one in self.margins if one.given != self.population}


def read_margins(path: Path, codebook: Codebook) -> Margins:
    """Margins of residents aged 18 and over: `margin,class,total`.

    A margin is the code of a choice or likert item of the wave's form, or `stratum`; a class the code of one of its
    options, several codes joined by "+" (one class of residents), or a stratum of the frame.

    Raises
    ------
    AnalysisError
        Listing every line that is wrong, classes that come twice, and margins whose sums differ by more than 0.5 %.
    """
    content = read_bounded(path, "the margins file", "give --margins the path of a CSV file", MOST_BYTES)
    lines = parse_csv(content, str(path), COLUMNS)
    if not lines:
        raise AnalysisError(Problem("the file has a header and no margins", str(path), "one line for each class"))
    items = {item.code: item for item in codebook.items}
    problems: list[Problem] = []
    found: dict[str, dict[str, float]] = {}
    taken: dict[tuple[str, str], str] = {}
    for number, row in lines:
        where = f"{path}, line {number}"
        name, label, text = (row[column] for column in COLUMNS)
        if fault := _fault(name, label, text, items):
            problems.append(Problem(*fault[:1], where, fault[1]))
            continue
        for part in label.split("+") if name != STRATUM else [label]:
            part = part.strip()
            if (name, part) in taken:
                what = f"class {part} of {name} comes a second time, after {taken[name, part]}"
                problems.append(Problem(what, where, "give each class one total"))
            taken[name, part] = f"line {number}"
        found.setdefault(name, {})["+".join(part.strip() for part in label.split("+"))] = float(text)
    if problems:
        raise AnalysisError(problems)
    margins = [_margin(name, totals, items) for name, totals in found.items()]
    _require_agreement(margins, path)
    first = margins[0].given
    scaled = [
        replace(one, totals={label: total * first / one.given for label, total in one.totals.items()})
        if one.given != first
        else one
        for one in margins
    ]
    return Margins(tuple(scaled), path.name, hashlib.sha256(content).hexdigest())


def _fault(name: str, label: str, total: str, items: Mapping[str, Item]) -> tuple[str, str] | None:
    """What is wrong with a line, and the remedy."""
    if not name or not label:
        return "a line without margin or class", "margin,class,total"
    if name != STRATUM:
        item = items.get(name)
        if item is None or item.kind not in KINDS or not item.options:
            known = ", ".join(item.code for item in items.values() if item.kind == "choice" and item.options)
            what = f"margin {name!r} is no item of the form" if item is None else f"item {name} has no classes to rake"
            return what, f"use {STRATUM} or one of {known}"
        codes = {str(option.code) for option in item.options}
        if unknown := [part.strip() for part in label.split("+") if part.strip() not in codes]:
            return f"{name} has no option {', '.join(unknown)}", f"its options are {', '.join(sorted(codes))}"
    if not NUMBER.fullmatch(total):
        remedy = "digits, with a point before decimals: no sign, no comma, no separator of thousands"
        return f"the total {total[:40]!r} is not a number of residents", remedy
    if float(total) <= 0:
        return f"the total of {name} {label} is 0", "leave the class out, or join it with another one: 4+5"
    return None


def _margin(name: str, totals: dict[str, float], items: Mapping[str, Item]) -> Margin:
    given = sum(totals.values())
    if name == STRATUM:
        return Margin(name, STRATUM_TEXT, totals, {}, {label: {"vi": label} for label in totals}, given)
    words = {str(option.code): option.text for option in items[name].options}
    codes = {label: tuple(map(int, label.split("+"))) for label in totals}
    texts = {label: _joined([words[part] for part in label.split("+")]) for label in totals}
    return Margin(name, items[name].text, totals, codes, texts, given)


def _joined(texts: list[Text]) -> Text:
    languages = [language for language in texts[0] if all(language in text for text in texts)]
    return {language: " + ".join(text[language] for text in texts) for language in languages}


def _require_agreement(margins: list[Margin], path: Path) -> None:
    first = margins[0]
    problems = [
        Problem(
            f"margins disagree: {first.name} sums to {first.given:.12g}, {margin.name} to {margin.given:.12g}",
            str(path),
            f"take the totals from the same population; up to {100 * AGREE:g} % apart they are scaled to the first",
        )
        for margin in margins[1:]
        if abs(margin.given - first.given) > AGREE * first.given
    ]
    if problems:
        raise AnalysisError(problems)
