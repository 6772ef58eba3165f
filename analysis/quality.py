"""What was left out of the estimates, and why, in numbers and words.

Public: left_out, quality_json.
"""

from collections import Counter
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from analysis.counter import VISITS, Targets
from analysis.extract import Extract
from analysis.rules import SENTENCE, SIMULATED, Visit
from analysis.wave_result import Exclusion, LeftOut, WaveResult

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
}


def left_out(chosen: Targets, rows: "Mapping[Visit, NDArray[np.bool_]]") -> LeftOut:
    """Responses in each table and left out of all, each counted once; the sum is every response of the extract.

    rows : the rows each table is made of; those chosen for it and not among them have no dossiers to stand for
    """
    kept: dict[str, int] = {name: int(rows[name].sum()) for name in VISITS}
    reasons = dict(chosen.left_out)
    if unregistered := sum(int(chosen.masks[name].sum()) for name in VISITS) - sum(kept.values()):
        reasons["not_in_register"] = unregistered
    found = tuple(Exclusion(name, count, REASONS[name]) for name, count in reasons.items())
    return LeftOut(sum(kept.values()) + sum(reasons.values()), kept, found)


def quality_json(result: WaveResult) -> dict[str, Any]:
    """Plain data of quality.json."""
    found, extract = result.left_out, result.extract
    return {
        "wave": extract.wave,
        "notice": SENTENCE,
        "simulated": SIMULATED if extract.manifest.simulated else False,
        "responses": found.responses,
        "tables": [{"table": name, "responses": found.kept[name], "text": TABLES[name]} for name in found.kept],
        "left_out": [{"reason": e.reason, "responses": e.count, "text": e.text} for e in found.reasons],
        "flags": {name: int(extract.column(name).sum()) for name in ("late", "clock")},
        "modes": _counts(extract, "mode"),
        "recruitment": _counts(extract, "recruitment"),
        "dossiers_unrepresented": result.weighting.unrepresented,
        "strata_joined": [list(centres) for centres in result.weighting.counter.joined],
    }


def _counts(extract: Extract, column: str) -> dict[str, int]:
    return dict(sorted(Counter(map(str, extract.column(column))).items()))
