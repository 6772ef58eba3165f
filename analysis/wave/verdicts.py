"""Above, below, or cannot tell yet: intervals against the reference line, Holm-adjusted, and what could turn them.

Public: verdicts, Candidate, holm, touching_level, tipping_point.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from analysis import intervals
from analysis.wave.wave_result import VerdictDetail

MEASURES = ("index", "overall")
MINIMUM_N, MINIMUM_DF, MAXIMUM_VALUE = 100, 8, 97
STEPS = 60
FloatArray = NDArray[np.float64]
IntervalAt = Callable[[FloatArray], tuple[FloatArray, FloatArray]]
"""Confidence intervals, each at its level between 0 and 1."""


@dataclass(frozen=True)
class Candidate:
    """What a verdict is asked of: one measure in one domain, 0–100, and what its interval is drawn from.

    kind : "share" (Korn–Graubard) or "mean" (logit on the score's range)
    n_kish : effective number of answers from the weights alone, for an interval where SE = 0
    bottom : the lowest value the item method can give
    """

    domain_kind: str
    domain: str
    measure: str
    value: float
    se: float
    n: int
    n_kish: float
    df: float
    hidden: bool
    responses: int
    dossiers: int | None
    kind: Literal["share", "mean"]
    bottom: float = 0.0


def verdicts(
    candidates: Sequence[Candidate], reference: float, level: float
) -> dict[tuple[str, str, str], VerdictDetail]:
    """A verdict, or the reason why there is none, for each candidate.

    above: the interval lies at or over the reference line; below: under it; otherwise cannot_tell. Families of
    (measure, domain_kind) are Holm-adjusted; the p that is adjusted is the level at which the interval just touches
    the line, so that for a family of one the verdict is what the interval shown says.

    reference : 0–100; level : 0–1
    """
    found: dict[tuple[str, str, str], VerdictDetail] = {}
    families: dict[tuple[str, str], list[Candidate]] = {}
    for candidate in candidates:
        if reason := _reason(candidate):
            found[_key(candidate)] = _detail(candidate, "", reason, None, None, reference)
        else:
            families.setdefault((candidate.measure, candidate.domain_kind), []).append(candidate)
    for family in families.values():
        value = np.array([candidate.value for candidate in family])
        p = touching_level(_intervals(family), value, reference)
        for candidate, own, adjusted in zip(family, p.tolist(), holm(p).tolist(), strict=True):
            side = "above" if candidate.value >= reference else "below"
            verdict = side if adjusted <= 1 - level + 1e-12 else "cannot_tell"
            found[_key(candidate)] = _detail(candidate, verdict, "", own, adjusted, reference)
    return found


def _key(candidate: Candidate) -> tuple[str, str, str]:
    return candidate.domain_kind, candidate.domain, candidate.measure


def _reason(candidate: Candidate) -> str:
    if candidate.hidden:
        return "suppressed"
    if candidate.n < MINIMUM_N:
        return f"n<{MINIMUM_N}"
    if not candidate.df >= MINIMUM_DF:
        return f"df<{MINIMUM_DF}"
    return f"value>{MAXIMUM_VALUE}" if candidate.value > MAXIMUM_VALUE else ""


def _detail(
    candidate: Candidate, verdict: str, reason: str, p: float | None, adjusted: float | None, reference: float
) -> VerdictDetail:
    shown = not candidate.hidden and bool(candidate.dossiers)
    answered = candidate.responses / candidate.dossiers if shown and candidate.dossiers else None
    tipping = None if answered is None else tipping_point(candidate.value, answered, reference)
    return VerdictDetail(*_key(candidate), verdict, reason, p, adjusted, answered, tipping)


def _intervals(family: Sequence[Candidate]) -> IntervalAt:
    """The intervals of candidates as the estimators draw them, at any level."""
    names = ("value", "se", "df", "n", "n_kish", "bottom")
    value, se, df, n, n_kish, bottom = (np.array([float(getattr(one, name)) for one in family]) for name in names)
    width = 100 - bottom
    share, error, flat = (value - bottom) / width, se / width, se == 0
    shares = np.array([one.kind == "share" for one in family]) & ~flat
    rest = ~shares & ~flat

    def at(level: FloatArray) -> tuple[FloatArray, FloatArray]:
        drawn = np.empty((2, len(family)))
        for i, method, numbers in (
            (rest, intervals.index_share, (share, error, df, n)),
            (shares, intervals.korn_graubard, (share, error, df, n)),
            (flat, intervals.clopper_pearson, (share, n_kish)),
        ):
            if i.any():
                broadcast: Any = method  # over levels too
                drawn[:, i] = broadcast(*(each[i] for each in numbers), level[i])
        low, high = bottom + width * drawn
        return low, high

    return at


def touching_level(interval: IntervalAt, value: FloatArray, reference: float) -> FloatArray:
    """1 − the highest level at which each interval leaves the reference out: the p-value of its inversion.

    1 where every interval holds the line. Found by halving; intervals must widen with the level.
    """
    above = value >= reference

    def leaves_out(p: FloatArray) -> NDArray[np.bool_]:
        low, high = interval(1 - p)
        return np.where(above, low >= reference, high < reference)

    small, large = np.full(value.shape, 1e-15), np.full(value.shape, 1.0 - 1e-9)
    never, always = ~leaves_out(large), leaves_out(small)
    for _ in range(STEPS):  # halving the logarithm finds small levels as precisely as large ones
        middle = np.sqrt(small * large)
        out = leaves_out(middle)
        small, large = np.where(out, small, middle), np.where(out, middle, large)
    return np.select([never, always], [1.0, 1e-15], large)


def holm(p: FloatArray) -> FloatArray:
    """Holm (1979), Scandinavian Journal of Statistics 6, 65–70: p adjusted for the family, in its order."""
    order = np.argsort(p, kind="stable")
    stepped = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(stepped, 1.0)
    return adjusted


def tipping_point(value: float, answered: float, reference: float) -> float | None:
    """q* = (reference − r·value)/(1 − r): the score of those who did not answer at which the whole meets the line.

    Outside 0–100 no answer of theirs could turn the verdict. None when everybody answered.

    answered : r, responses / dossiers
    """
    return None if answered >= 1 else (reference - answered * value) / (1 - answered)
