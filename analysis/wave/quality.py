"""What was left out of the estimates, and why, in numbers and words.

Public: left_out, accounted, quality_json, fieldwork_shown.
"""

from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from analysis.wave.additive import HIDDEN_TOGETHER
from analysis.wave.counter import DISPOSITIONS, VISITS, Targets
from analysis.wave.extract import Extract
from analysis.wave.fieldwork import COUNTS, Fieldwork, by_centre, summed
from analysis.wave.rules import SIMULATED, Visit, notice
from analysis.wave.sample import SampleWeighting
from analysis.wave.wave_result import AnyResult, Exclusion, LeftOut, SampleResult, WaveResult

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

REASONS: Mapping[str, Mapping[str, str]] = {
    "broken_off": {"vi": "Bỏ dở giữa chừng", "en": "Broken off before the end"},
    "refused": {"vi": "Từ chối trả lời", "en": "Refused"},
    "not_at_home": {"vi": "Không gặp được", "en": "Not at home"},
    "other_disposition": {"vi": "Không hoàn thành vì lý do khác", "en": "Not completed for another reason"},
    "after_close": {"vi": "Trả lời sau khi đợt khảo sát đóng", "en": "Answered after the wave was closed"},
    "no_field": {"vi": "Không cho biết lĩnh vực", "en": "Service field not given"},
    "no_visit": {"vi": "Không cho biết mục đích đến", "en": "Kind of visit not given"},
    "not_in_register": {
        "vi": "Lĩnh vực không có hồ sơ trong sổ theo dõi hồ sơ",
        "en": "The register has no dossiers of the field",
    },
}
TABLES: Mapping[str, Mapping[str, str]] = {
    "received": {
        "vi": "Đã nhận kết quả: bảng chính, gia quyền theo hồ sơ đã giải quyết",
        "en": "Received a result: the main table, weighted to dossiers resolved",
    },
    "filed": {
        "vi": "Nộp hồ sơ: bảng riêng, gia quyền theo hồ sơ tiếp nhận",
        "en": "Filed: a table of their own, weighted to dossiers received",
    },
    "asked": {"vi": "Hỏi thông tin: bảng riêng, không gia quyền", "en": "Asked: a table of their own, unweighted"},
    "completed": {
        "vi": "Phỏng vấn xong: gia quyền theo xác suất chọn, không trả lời và biên dân số",
        "en": "Completed interviews: weighted by selection probability, non-response and resident margins",
    },
}


FIELDWORK = (*DISPOSITIONS, "other_disposition", "after_close")
"""Reasons that say nothing of answers: the last to be blanked for the sake of a hidden table."""


def left_out(chosen: Targets, rows: "Mapping[Visit, NDArray[np.bool_]]", hidden: Collection[str] = ()) -> LeftOut:
    """Responses in each table and left out of all, each counted once; the sum is every response of the extract.

    rows : the rows each table is made of; those chosen for it and not among them have no dossiers to stand for
    hidden : tables whose total publication hides; enough other counts are blanked with them
    """
    kept: dict[str, int] = {name: int(rows[name].sum()) for name in VISITS}
    reasons = dict(chosen.left_out)
    if unregistered := sum(int(chosen.masks[name].sum()) for name in VISITS) - sum(kept.values()):
        reasons["not_in_register"] = unregistered
    return accounted(kept, reasons, hidden)


def accounted(kept: Mapping[str, int], reasons: Mapping[str, int], hidden: Collection[str] = ()) -> LeftOut:
    """Responses of each table and left out of all; with `hidden` tables enough other counts are blanked."""
    blank, together = _blank(kept, reasons, hidden)
    found = tuple(Exclusion(name, None if name in blank else n, REASONS[name]) for name, n in reasons.items())
    shown = {name: None if name in blank else count for name, count in kept.items()}
    return LeftOut(sum(kept.values()) + sum(reasons.values()), shown, found, together)


def _blank(
    kept: Mapping[str, int], reasons: Mapping[str, int], hidden: Collection[str]
) -> tuple[list[str], int | None]:
    """Which counts to leave blank, and their sum where at least two of them hold HIDDEN_TOGETHER or more."""
    blank = [name for name in kept if name in hidden and kept[name]]
    together = sum(kept[name] for name in blank)
    for name in sorted(reasons, key=lambda reason: (reason in FIELDWORK, reasons[reason])):
        if blank and (len(blank) < 2 or together < HIDDEN_TOGETHER):
            blank.append(name)
            together += reasons[name]
    return blank, together if len(blank) > 1 and together >= HIDDEN_TOGETHER else None


def quality_json(result: AnyResult) -> dict[str, Any]:
    """Plain data of quality.json."""
    found, extract = result.left_out, result.extract
    content: dict[str, Any] = {
        "wave": extract.wave,
        "notice": notice(extract.codebook.wave.kind),
        "simulated": SIMULATED if extract.manifest.simulated else False,
        "responses": found.responses,
        "tables": [{"table": name, "responses": found.kept[name], "text": TABLES[name]} for name in found.kept],
        "left_out": [{"reason": e.reason, "responses": e.count, "text": e.text} for e in found.reasons],
        "blank_together": found.together,
    }
    if isinstance(result, WaveResult):
        content["online_included"] = result.rules.online_included
    content["flags"] = {name: int(extract.column(name).sum()) for name in ("late", "clock")}
    content |= {"modes": _counts(extract, "mode"), "recruitment": _counts(extract, "recruitment")}
    if isinstance(result, WaveResult):
        content["dossiers_unrepresented"] = result.weighting.unrepresented
        content["strata_joined"] = [list(centres) for centres in result.weighting.counter.joined]
        content["odd_answers"] = odd_json(result)
        content["fieldwork"] = fieldwork_json(result)
    if isinstance(result, SampleResult):
        content["visits"] = visits_json(result.weighting)
        content["strata_joined"] = [list(strata) for strata in result.weighting.strata_joined]
    return content


def odd_json(result: WaveResult) -> dict[str, Any] | None:
    """Responses with each flag, and whether the headline could be given without them; null in older extracts."""
    odd = result.odd
    if odd is None:
        return None
    rows = {row.measure: asdict(row) for row in odd.without}
    return {"completed": odd.completed, "flagged": dict(odd.flagged), "left_out": odd.left_out, "without": rows}


def fieldwork_shown(result: WaveResult) -> bool:
    """Not where a count of field work had to be blanked to protect a table too small to be counted."""
    hidden = any(one.count is None for one in result.left_out.reasons if one.reason in FIELDWORK)
    return bool(result.extract.fieldwork) and not hidden


def fieldwork_json(result: WaveResult) -> dict[str, Any] | None:
    """Counts and rates, in all and by centre; null where they are not shown."""
    if not fieldwork_shown(result):
        return None
    rows = result.extract.fieldwork
    return {"all": _rates(summed(rows)), "centres": {code: _rates(one) for code, one in by_centre(rows).items()}}


def _rates(work: Fieldwork) -> dict[str, Any]:
    counts = {name: getattr(work, name) for name in COUNTS}
    return counts | {name: getattr(work, name) for name in ("response_rate", "refusal_rate", "break_off_rate")}


def visits_json(weighting: SampleWeighting) -> list[dict[str, Any]]:
    """Every primary unit: how it was drawn, what became of the visits, and its factor on the base weight."""
    return [
        {
            **asdict(one.unit),
            "visited": one.unit.visited,
            "not_visited": one.unit.not_visited,
            "response_rate": one.unit.response_rate,
            "factor": one.factor,
            "weight_given_to": one.given_to,
        }
        for one in weighting.visits
    ]


def _counts(extract: Extract, column: str) -> dict[str, int]:
    return dict(sorted(Counter(map(str, extract.column(column))).items()))
