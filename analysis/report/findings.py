"""What the numbers say, in a sentence: titles of plots, the verdict, the tipping point.

Public: score_finding, factor_finding, response_finding, verdict_sentence, tipping_sentence. Every sentence is
computed from published values; a hidden cell is counted and never described.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Literal

from analysis.report.words import Words

NAMED = 3
"""Up to this many service fields a sentence names; beyond, it counts them."""


@dataclass(frozen=True)
class Told:
    """A service field as a sentence needs it. `verdict` is above, below, cannot_tell or empty (none)."""

    label: str
    verdict: str
    hidden: bool


@dataclass(frozen=True)
class Spread:
    """A published value with its interval."""

    label: str
    value: float
    low: float | None
    high: float | None


def score_finding(words: Words, fields: Sequence[Told], reference: str, of: Literal["", "centre_"] = "") -> str:
    """Which service fields (or centres) stand below and above the line, how many cannot be told, how many are hidden."""
    shown = [field for field in fields if not field.hidden]
    if not shown:
        return words(f"finding.{of}scores_hidden")
    parts = []
    for verdict in ("below", "above"):
        names = [field.label for field in shown if field.verdict == verdict]
        if names and len(names) <= NAMED and sum(map(len, names)) <= 70:
            parts.append(words(f"finding.{verdict}_named", names=words.listed(names), reference=reference))
        elif names:
            parts.append(words(f"finding.{of}{verdict}_count", count=len(names), reference=reference))
    counts: Mapping[str, int] = {
        "open": sum(field.verdict == "cannot_tell" for field in shown),
        "none": sum(field.verdict not in ("above", "below", "cannot_tell") for field in shown),
        "hidden": len(fields) - len(shown),
    }
    parts += [words(f"finding.{of}{kind}_count", count=count) for kind, count in counts.items() if count]
    return "; ".join(parts)


def factor_finding(words: Words, factors: Sequence[Spread]) -> str:
    """The lowest and the highest factor of the province, and whether their intervals keep them apart."""
    if not factors:
        return words("finding.factors_hidden")
    low, high = min(factors, key=lambda one: one.value), max(factors, key=lambda one: one.value)
    values = {"low": low.label, "low_value": words.percent(low.value)}
    if low is high:
        return words("finding.factors_one", **values)
    sentence = words("finding.factors", **values, high=high.label, high_value=words.percent(high.value))
    apart = low.high is not None and high.low is not None and low.high < high.low
    return sentence if apart else sentence + words("finding.factors_overlap")


def response_finding(words: Words, whole: tuple[int | None, int | None], shares: Sequence[tuple[str, float]]) -> str:
    """Share of the dossiers answered for, in the whole and at the ends.

    whole : responses and dossiers; shares : label and responses per 100 dossiers, of the fields that may be shown
    """
    responses, dossiers = whole
    if responses is None or not dossiers:
        return words("finding.responses_unknown", responses=words.whole(responses))
    share = words.percent(100 * responses / dossiers)
    if len({words.percent(one) for _, one in shares}) < 2:
        return words("finding.responses_one", share=share)
    low, high = min(shares, key=lambda one: one[1]), max(shares, key=lambda one: one[1])
    ends = {"low": low[0], "low_share": words.percent(low[1]), "high": high[0], "high_share": words.percent(high[1])}
    return words("finding.responses", share=share, **ends)


def verdict_sentence(words: Words, verdict: str, reference: str, why: str) -> str:
    if verdict in ("above", "below", "cannot_tell"):
        return words(f"lead.{verdict}", reference=reference)
    return words("lead.none", reference=reference, why=why)


def tipping_sentence(words: Words, verdict: str, tipping: float | None, reference: str) -> str:
    """What those who did not answer would have to score for the verdict to turn; empty when nothing is known."""
    if tipping is None or not isfinite(tipping):
        return ""
    if not 0 <= tipping <= 100:
        return words("lead.tip_never", reference=reference)
    key = {"above": "lead.tip_above", "below": "lead.tip_below"}.get(verdict, "lead.tip_open")
    return words(key, q=words.percent(tipping), reference=reference)
