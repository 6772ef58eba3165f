"""What may be shown: small counts are kept confidential, imprecise values are not given at all.

Public: publish, suppress, suppress_tables, Cell. One engine for every table of a wave. Two purposes, kept apart: `confidential` and its
`complementary` blank value and counts, `unreliable` blanks the value and leaves the counts. What sums give away is found
in analysis.wave.additive.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from analysis.wave.additive import FEW, HIDDEN_TOGETHER, SAME_BELOW, Hidden, Place, Sets
from analysis.wave.wave_result import Score

MINIMUM_N, MINIMUM_DF, WIDEST_MEAN = 30, 8, 15
NARROW, WIDE, RELATIVE = 0.05, 0.30, 1.30
REVIEW, WIDE_COMPLEMENT = "review", "wide_complement"
VALUES = ("value", "se", "ci_low", "ci_high")
COUNTS = ("df", "deff", "n", "n_eff", "responses")

WHOLE: Place = ("", "")
Key = tuple[str, str, str]
States = Mapping[Key, str]
"""Domain kind, domain and measure of what is hidden -> confidential or complementary."""


@dataclass(frozen=True)
class Cell:
    """A computed row before publication.

    kind : "share" (a proportion: items and the overall question under top2), or "mean" (index, factors, mean scores)
    alike : every valid answer is the same code
    n_kish : effective number of answers from the weights alone, used where SE = 0
    place : centre and field, "" for all of them: cells of a measure add up over the places of a row or a column
    block : measures that bound and explain each other (a factor and its items) share one; "": the measure alone
    part_of : the measure it makes up with others (factors an area or the index, areas the index); "": none
    """

    score: Score
    kind: Literal["share", "mean"]
    alike: bool
    n_kish: float
    place: Place = ("", "")
    block: str = ""
    part_of: str = ""


def publish(cells: Sequence[Cell], hidden: States | None = None) -> tuple[Score, ...]:
    """The rows as they may be shown, in their order.

    hidden : what `suppress` found for the fullest table of the same responses, where this one shows them by other
        weights or rules: what is hidden in one table of a wave is hidden in all of them
    """
    hidden = suppress(cells) if hidden is None else hidden
    return tuple(_shown(cell, hidden.get(cell.score.key, "")) for cell in cells)


def suppress(cells: Sequence[Cell], beforehand: Iterable[Place] = ()) -> dict[Key, str]:
    """`confidential` and `complementary` rows of a table; those of the places `beforehand` in any case.

    First whole domains, by their responses (the same on every row of a domain, so hidden on all or on none), then
    single measures, by their valid answers. A factor's score and count, beside those of all its items but one, tell
    about that one: so in a domain a factor and its items are hidden together. The score of a whole beside those of all
    its parts but one tells about that one as well, exactly where it is a mean of them: so are parts hidden in company.
    """
    domains = {cell.place: cell.score.responses or 0 for cell in cells}
    whole: Hidden = dict.fromkeys(beforehand, "complementary")
    whole |= {place: "confidential" for place, number in domains.items() if 0 < number < FEW}
    Sets(domains).complete(whole)
    measures: dict[str, dict[Place, Cell]] = defaultdict(dict)
    for cell in cells:
        measures[cell.score.measure][cell.place] = cell
    hidden: dict[str, Hidden] = {}
    for measure, found in measures.items():
        hidden[measure] = {place: whole[place] for place in found if place in whole}
        hidden[measure] |= {place: "confidential" for place, cell in found.items() if _few(cell)}
    sets = {
        measure: Sets({place: cell.score.n or 0 for place, cell in found.items()})
        for measure, found in measures.items()
    }
    size = -1
    while size != (size := sum(map(len, hidden.values()))):
        _together(measures, hidden)
        _accompany(measures, hidden)
        for measure, one in sets.items():
            one.complete(hidden[measure])
    return {measures[name][place].score.key: state for name, found in hidden.items() for place, state in found.items()}


def suppress_tables(tables: Mapping[str, Sequence[Cell]], others: Mapping[str, int]) -> dict[str, dict[Key, str]]:
    """`suppress` for tables that share no response and, with the `others` counted apart, make up all responses.

    How many responses there are in all is known. So where the total of a table is hidden and what can be left blank of
    the others is no company for it, the total of the smallest other table is hidden as well.
    """
    states = {name: suppress(cells) for name, cells in tables.items()}
    total = {
        name: next((cell.score.responses or 0 for cell in cells if cell.place == WHOLE), 0)
        for name, cells in tables.items()
    }
    hidden = [name for name, cells in tables.items() if total[name] and _total_hidden(cells, states[name])]
    rest = sorted((name for name in tables if total[name] and name not in hidden), key=lambda name: (total[name], name))
    blank = sum(1 for number in others.values() if number)
    while hidden and rest:
        together = sum(total[name] for name in hidden) + sum(others.values())
        if len(hidden) + blank > 1 and together >= HIDDEN_TOGETHER:
            break
        hidden.append(rest.pop(0))
        states[hidden[-1]] = suppress(tables[hidden[-1]], [WHOLE])
    return states


def _total_hidden(cells: Sequence[Cell], states: States) -> bool:
    return all(cell.score.key in states for cell in cells if cell.place == WHOLE)


def _few(cell: Cell) -> bool:
    n = cell.score.n or 0
    return 0 < n < FEW or (0 < n < SAME_BELOW and cell.alike)


def _together(measures: Mapping[str, Mapping[Place, Cell]], hidden: Mapping[str, Hidden]) -> None:
    """Hide the measures of one block together in each domain."""
    blocks: dict[str, list[str]] = defaultdict(list)
    for measure, found in measures.items():
        for block in {cell.block for cell in found.values()} - {""}:
            blocks[block].append(measure)
    for together in blocks.values():
        for place in sorted({place for measure in together for place in hidden[measure]}):
            for measure in together:
                if place in measures[measure] and measures[measure][place].score.n:
                    hidden[measure].setdefault(place, "complementary")


def _accompany(measures: Mapping[str, Mapping[Place, Cell]], hidden: Mapping[str, Hidden]) -> None:
    """In each domain, hide parts of a whole in company: never one alone, never very few answers together.

    Where there is too little for that, the whole is hidden as well.
    """
    parts: dict[tuple[Place, str], list[str]] = defaultdict(list)
    for measure, found in measures.items():
        for place, cell in found.items():
            if cell.part_of and cell.score.n:
                parts[place, cell.part_of].append(measure)
    for (place, whole), members in sorted(parts.items()):
        n = {measure: measures[measure][place].score.n or 0 for measure in members}
        inside = [measure for measure in members if place in hidden[measure]]
        others = sorted(set(members) - set(inside), key=lambda measure: (n[measure], measure))
        together = sum(n[measure] for measure in inside)
        while inside and others and (len(inside) < 2 or together < HIDDEN_TOGETHER):
            inside.append(others.pop(0))
            hidden[inside[-1]][place] = "complementary"
            together += n[inside[-1]]
        if 0 < together < HIDDEN_TOGETHER and place in measures.get(whole, {}):
            hidden[whole].setdefault(place, "complementary")


def _shown(cell: Cell, state: str) -> Score:
    score = cell.score
    if state:
        return _without(score, (*VALUES, *COUNTS), state, score.note)
    fault, notes = _reliability(cell)
    if fault:
        return _without(score, VALUES, "unreliable", _noted(score.note, [fault]))
    return replace(score, note=_noted(score.note, notes))


def _without(score: Score, names: Iterable[str], state: str, note: str) -> Score:
    blank: dict[str, Any] = dict.fromkeys(names)
    return replace(score, **blank, suppressed=state, verdict="", note=note)


def _noted(note: str, more: Sequence[str]) -> str:
    return "; ".join([part for part in (note, *more) if part])


def _reliability(cell: Cell) -> tuple[str, list[str]]:
    """Why the value is not given (a token, empty when it is), and the notes that go with it when it is.

    Shares by the presentation standards for proportions of the National Center for Health Statistics, Vital and Health
    Statistics, Series 2, no. 175 (2017), as coded in the R package surveytable; means by the width of their interval.
    """
    score = cell.score
    if (score.n or 0) < MINIMUM_N:
        return f"n<{MINIMUM_N}" if score.n else "n=0", []
    if score.value is None:
        return "no interval" if score.df is None else "undefined", []
    if score.df is None or score.df < 1 or score.ci_low is None or score.ci_high is None:
        return "no interval", []
    width = score.ci_high - score.ci_low
    fault, notes = "", list[str]()
    if cell.kind == "mean":
        fault = f"width>{WIDEST_MEAN}" if width > WIDEST_MEAN else ""
    else:
        fault, notes = _share(score.value / 100, (score.se or 0.0) / 100, width / 100, score.n or 0, cell.n_kish)
    if score.df < MINIMUM_DF or not score.se:
        notes.append(REVIEW)
    return fault, notes


def _share(p: float, se: float, width: float, n: int, n_kish: float) -> tuple[str, list[str]]:
    n_eff = min(n, p * (1 - p) / se**2 if se > 0 else n_kish)
    if n_eff < MINIMUM_N:
        return f"n_eff<{MINIMUM_N}", []
    if width >= WIDE:
        return f"width>={WIDE:g}", []
    if width > NARROW and p > 0 and width / p > RELATIVE:
        return f"width/p>{RELATIVE:g}", []
    return "", [WIDE_COMPLEMENT] if width > NARROW and p < 1 and width / (1 - p) > RELATIVE else []
