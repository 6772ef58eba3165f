"""Verdicts beside the rows of a table: which rows are judged, by which interval, and how a row tells it.

Public: judge, with_verdict.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from analysis import intervals
from analysis.publication import Cell, publish
from analysis.rules import UsedRules
from analysis.verdicts import MEASURES, Candidate, IntervalAt, verdicts
from analysis.wave_result import Score, VerdictDetail

BOTTOM = {"top2": 0.0, "mean5": 20.0, "mean01": 0.0}
"""The lowest value each item method can give."""


def judge(cells: Sequence[Cell], rules: UsedRules) -> dict[tuple[str, str, str], VerdictDetail]:
    """Verdicts of the index and the overall question of unpublished rows, by what of them may be shown."""
    shown = {row.key: row for row in publish(cells)}
    candidates = [
        Candidate(
            *cell.score.key,
            value=cell.score.value or 0.0,
            n=cell.score.n or 0,
            df=cell.score.df or 0.0,
            hidden=shown[cell.score.key].value is None,
            responses=cell.score.responses or 0,
            dossiers=cell.score.dossiers,
            interval=_interval_at(cell, rules.item_method),
        )
        for cell in cells
        if cell.score.measure in MEASURES
    ]
    return verdicts(candidates, rules.reference_line, rules.level / 100)


def _interval_at(cell: Cell, item_method: str) -> IntervalAt:
    """The interval of a cell as the estimators draw it, at any level."""
    score, bottom = cell.score, BOTTOM[item_method]
    width = 100 - bottom
    df, n = (np.array([number or 0.0]) for number in (score.df, score.n))
    share, se = np.array([((score.value or 0.0) - bottom) / width]), np.array([(score.se or 0.0) / width])

    def at(level: float) -> tuple[float, float]:
        if score.se == 0:
            low, high = intervals.clopper_pearson(share, np.array([cell.n_kish]), level)
        elif cell.kind == "share":
            low, high = intervals.korn_graubard(share, se, df, n, level)
        else:
            low, high = intervals.logit(share, se, df, level)
        return bottom + width * float(low[0]), bottom + width * float(high[0])

    return at


def with_verdict(row: Score, judged: dict[tuple[str, str, str], VerdictDetail]) -> Score:
    """Verdict, and beside it share answered, tipping point and adjusted p as tokens of the note."""
    detail = judged.get(row.key)
    if detail is None or detail.reason == "suppressed":
        return row
    tokens = [row.note, f"no_verdict:{detail.reason}" if detail.reason else ""]
    numbers = {"answered": detail.answered, "tipping": detail.tipping, "p_holm": detail.p_holm}
    tokens += [f"{name}={value:.6g}" for name, value in numbers.items() if value is not None]
    return replace(row, verdict=detail.verdict, note="; ".join(token for token in tokens if token))
