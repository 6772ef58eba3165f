"""Verdicts beside the rows of a table: which rows are judged, by which interval, and how a row tells it.

Public: judge, with_verdict.
"""

from collections.abc import Sequence
from dataclasses import replace

from analysis.wave.publication import Cell
from analysis.wave.rules import UsedRules
from analysis.wave.verdicts import MEASURES, Candidate, verdicts
from analysis.wave.wave_result import Score, VerdictDetail

BOTTOM = {"top2": 0.0, "mean5": 20.0, "mean01": 0.0}
"""The lowest value each item method can give."""


def judge(cells: Sequence[Cell], shown: Sequence[Score], rules: UsedRules) -> dict[tuple[str, str, str], VerdictDetail]:
    """Verdicts of the index and the overall question of unpublished rows, by what of them may be shown."""
    candidates = [
        Candidate(
            *cell.score.key,
            value=cell.score.value or 0.0,
            se=cell.score.se or 0.0,
            n=cell.score.n or 0,
            n_kish=cell.n_kish,
            df=cell.score.df or 0.0,
            hidden=row.value is None,
            responses=cell.score.responses or 0,
            dossiers=cell.score.dossiers,
            kind=cell.kind,
            bottom=BOTTOM[rules.item_method],
        )
        for cell, row in zip(cells, shown, strict=True)
        if cell.score.measure in MEASURES
    ]
    return verdicts(candidates, rules.reference_line, rules.level / 100)


def with_verdict(row: Score, judged: dict[tuple[str, str, str], VerdictDetail]) -> Score:
    """Verdict, and beside it share answered, tipping point and adjusted p as tokens of the note."""
    detail = judged.get(row.key)
    if detail is None or detail.reason == "suppressed":
        return row
    tokens = [row.note, f"no_verdict:{detail.reason}" if detail.reason else ""]
    numbers = {"answered": detail.answered, "tipping": detail.tipping, "p_holm": detail.p_holm}
    tokens += [f"{name}={value:.6g}" for name, value in numbers.items() if value is not None]
    return replace(row, verdict=detail.verdict, note="; ".join(token for token in tokens if token))
