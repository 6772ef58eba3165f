"""What may be shown: small counts are kept confidential, imprecise values are not given at all.

Public: publish, Cell. One engine for every table of a wave. Two purposes, kept apart: `confidential` and its
`complementary` blank value and counts, `unreliable` blanks the value and leaves the counts.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeVar

from analysis.wave_result import Score

FEW, SAME_BELOW, HIDDEN_TOGETHER = 5, 10, 10
"""Under FEW responses, or under SAME_BELOW all alike, is confidential; hidden cells hold HIDDEN_TOGETHER or more."""
MINIMUM_N, MINIMUM_DF, WIDEST_MEAN = 30, 8, 15
NARROW, WIDE, RELATIVE = 0.05, 0.30, 1.30
REVIEW, WIDE_COMPLEMENT = "review", "wide_complement"
VALUES = ("value", "se", "ci_low", "ci_high")
COUNTS = ("df", "deff", "n", "n_eff", "responses")

Key = tuple[str, str, str]
K = TypeVar("K", bound=tuple[str, ...])


@dataclass(frozen=True)
class Cell:
    """A computed row before publication.

    kind : "share" (a proportion: items and the overall question under top2), or "mean" (index, factors, mean scores)
    alike : every valid answer is the same code
    n_kish : effective number of answers from the weights alone, used where SE = 0
    additive : the set whose cells add up with it ("field": the fields of all); None: a total
    block : measures that bound and explain each other (a factor and its items) share one; "": the measure alone
    part_of : the measure it makes up with others (factors an area or the index, areas the index); "": none
    """

    score: Score
    kind: Literal["share", "mean"]
    alike: bool
    n_kish: float
    additive: str | None = None
    block: str = ""
    part_of: str = ""


def publish(cells: Sequence[Cell]) -> tuple[Score, ...]:
    """The rows as they may be shown, in their order."""
    hidden = _hidden(cells)
    return tuple(_shown(cell, hidden.get(cell.score.key, "")) for cell in cells)


def _hidden(cells: Sequence[Cell]) -> dict[Key, str]:
    """`confidential` and `complementary` cells.

    First whole domains, by their responses (the same on every row of a domain, so hidden on all or on none), then
    single measures, by their valid answers. A factor's score and count, beside those of all its items but one, tell
    about that one: so in a domain a factor and its items are hidden together. The score of a whole beside those of all
    its parts but one tells about that one as well, exactly where it is a mean of them: so are parts hidden in company.
    """
    hidden: dict[Key, str] = {}
    rows = [cell.score for cell in cells]
    domains = {(row.domain_kind, row.domain): row.responses or 0 for row in rows}
    states = {domain: "confidential" for domain, count in domains.items() if 0 < count < FEW}
    sets = {(cell.score.domain_kind, cell.score.domain): cell.additive for cell in cells}
    whole = [domain for domain, additive in sets.items() if not additive]
    for name in sorted({additive for additive in sets.values() if additive}):
        members = {domain: domains[domain] for domain, additive in sets.items() if additive == name}
        _complement(members, whole, states)
    hidden.update(
        {row.key: states[row.domain_kind, row.domain] for row in rows if (row.domain_kind, row.domain) in states}
    )
    for cell in cells:
        n = cell.score.n or 0
        if 0 < n < FEW or (0 < n < SAME_BELOW and cell.alike):
            hidden[cell.score.key] = "confidential"
    before = -1
    while before != len(hidden):
        before = len(hidden)
        for block in sorted({cell.block or cell.score.measure for cell in cells}):
            _close([cell for cell in cells if (cell.block or cell.score.measure) == block], hidden)
        _accompany(cells, hidden)
    return hidden


def _accompany(cells: Sequence[Cell], hidden: dict[Key, str]) -> None:
    """In each domain, hide parts of a whole by the rule for fields of all: never one alone, never very few answers."""
    wholes: dict[Key, dict[Key, int]] = {}
    for cell in cells:
        if cell.part_of:
            domain_kind, domain, _ = cell.score.key
            wholes.setdefault((domain_kind, domain, cell.part_of), {})[cell.score.key] = cell.score.n or 0
    for whole, members in sorted(wholes.items()):
        _complement(members, [whole], hidden)


def _close(cells: Sequence[Cell], hidden: dict[Key, str]) -> None:
    """Hide the measures of one block together in each domain, and others of their sets, until nothing is added."""
    before = -1
    while before != len(hidden):
        before = len(hidden)
        for measure in dict.fromkeys(cell.score.measure for cell in cells):
            domains = {cell.score.key[:2] for cell in cells if cell.score.key in hidden}
            for cell in cells:
                if cell.score.key[:2] in domains and cell.score.n:
                    hidden.setdefault(cell.score.key, "complementary")
            chosen = [cell for cell in cells if cell.score.measure == measure]
            whole = [cell.score.key for cell in chosen if not cell.additive]
            for name in sorted({cell.additive for cell in chosen if cell.additive}):
                counts = {cell.score.key: cell.score.n or 0 for cell in chosen if cell.additive == name}
                _complement(counts, whole, hidden)


def _complement(members: Mapping[K, int], whole: Sequence[K], hidden: dict[K, str]) -> None:
    """Hide the smallest others of a set, until at least two cells are hidden and hold HIDDEN_TOGETHER or more.

    Where the set has too little for that, its total would give the hidden ones away: then the total is hidden as well.
    """
    inside = [key for key in members if key in hidden]
    others = sorted((key for key in members if key not in hidden and members[key]), key=lambda key: (members[key], key))
    together = sum(members[key] for key in inside)
    while together and others and (len(inside) < 2 or together < HIDDEN_TOGETHER):
        hidden[others[0]] = "complementary"
        together += members[others[0]]
        inside.append(others.pop(0))
    if 0 < together < HIDDEN_TOGETHER:
        for key in whole:
            hidden.setdefault(key, "complementary")


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
    if score.value is None:
        return ("n=0" if not score.n else "no interval" if score.df is None else "undefined"), []
    if (score.n or 0) < MINIMUM_N:
        return f"n<{MINIMUM_N}", []
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
