"""Results of waves that nobody computed: rows set by hand, so that a report can be shown every state a wave can be in.

`wave_result(folder)` gives an ordinary wave; `dataclasses.replace` and the arguments bend it.
"""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from analysis.wave.extract import read_extract
from analysis.wave.rules import UsedRules
from analysis.wave.wave_result import Exclusion, LeftOut, Score, VerdictDetail, WaveResult
from analysis.wave.weights import weight_to_register
from tests import extracts

Change = Callable[[Score], Score]
HIDDEN = ("value", "se", "ci_low", "ci_high")
COUNTS = ("df", "deff", "n", "n_eff", "responses")


def hide(row: Score, state: str = "unreliable") -> Score:
    """The row as publication leaves it in that state."""
    names = HIDDEN if state == "unreliable" else (*HIDDEN, *COUNTS)
    return replace(
        row, **dict.fromkeys(names), suppressed=state, verdict="", note="n<30" if state == "unreliable" else ""
    )


def as_it_is(row: Score) -> Score:
    return row


def rows(book: Any, measures: list[str], change: Change = as_it_is, shift: float = 0.0) -> tuple[Score, ...]:
    """The province and its fields: fields fall by 3.5 points each, verdicts as the numbers say."""
    found = []
    domains = [("all", "all", "Toàn tỉnh")] + [("field", field.code, field.label["vi"]) for field in book.fields]
    for place, (kind, domain, label) in enumerate(domains):
        for number, measure in enumerate(measures):
            value = 91.234 - 3.5 * place - 0.4 * number + shift
            half = 1.0 + 0.3 * place
            low, high = value - half, min(100.0, value + half)
            verdict = "above" if low >= 85 else "below" if high < 85 else "cannot_tell"
            if measure not in ("index", "overall"):
                verdict = ""
            n = 1240 if kind == "all" else 420 - 40 * place
            row = Score(
                book.wave.id, kind, domain, label, measure, "top2", "pooled", value, half / 1.96, low, high, 95.0,
                64.0, 1.31, n, n / 1.31, n, n * 8, verdict,
            )  # fmt: skip
            found.append(change(row))
    return tuple(found)


def verdicts(scores: tuple[Score, ...]) -> dict[tuple[str, str, str], VerdictDetail]:
    details = {}
    for row in scores:
        if row.measure in ("index", "overall"):
            hidden = row.value is None
            answered = None if hidden else 0.125
            tipping = None if row.value is None else (85 - 0.125 * row.value) / 0.875
            reason = "suppressed" if hidden else "" if row.verdict else "n<100"
            detail = VerdictDetail(*row.key, row.verdict, reason, None, None, answered, tipping)
            details[row.key] = detail
    return details


def wave_result(folder: Path, change: Change = as_it_is, *, simulated: bool = False, fields: int = 6) -> WaveResult:
    """Real weights of a drawn extract, scores set by hand."""
    columns, register = extracts.many(900, fields=fields, seed=3)
    extract = read_extract(extracts.write(folder, columns, register, simulated=simulated))
    book = extract.codebook
    factors = [f"factor:{factor.code}" for factor in book.index.factors]
    measures = ["index", "overall", *factors, *[f"item:{code}" for code in book.index.items]]
    scores = rows(book, measures, change)
    mix = {factor.code: 0.2 for factor in book.index.factors}
    return WaveResult(
        extract=extract,
        rules=UsedRules("top2", "pooled", "rake", 20, 85.0, 95.0, "received", online_included=False),
        weighting=weight_to_register(extract),
        left_out=LeftOut(
            900,
            {"received": 700, "filed": 130, "asked": 50},
            (Exclusion("broken_off", 20, {"vi": "bỏ dở giữa chừng", "en": "broken off"}),),
        ),
        scores=scores,
        filed=rows(book, ["index", "overall"], change, -1.0),
        asked=rows(book, ["index", "overall"], change, -2.0),
        unweighted=rows(book, ["index", "overall"], change, 0.5),
        sensitivity=rows(book, ["index", "overall"], change, -0.25),
        factor_mean=rows(book, ["index"], change, -0.125),
        factor_shares={domain: mix for domain in ["all", *[field.code for field in book.fields]]},
        first_rule=(),
        week_se={row.key: 0.77 for row in scores if row.measure == "index"},
        verdicts=verdicts(scores),
    )


def truth(book: Any) -> dict[str, Any]:
    """truth.json of the same wave."""
    fields = {field.code: 85.0 + place for place, field in enumerate(book.fields)}
    both = {"index": {"all": 90.5, "field": fields}, "overall": {"all": 91.25, "field": fields}}
    return {"simulated": True, "wave": book.wave.id, "dossiers": 9000, **both, "process": {"index": both["index"]}}
