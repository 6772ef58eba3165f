"""An extract's codebook: every column and code in words, in both languages. Plain data for `codebook.json`.

`codebook`, `text_hash`, `ENVELOPE_LABELS`.
"""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from fractions import Fraction
from typing import Any

from survey_app.extract_fieldwork import ODD_LABELS
from survey_app.ledger import compact
from survey_app.model import VIETNAM, Centre, Reference, ServiceField, Wave
from survey_app.questionnaire import MISSING_LABELS, Item, Questionnaire

ENVELOPE_LABELS: Mapping[str, Mapping[str, str]] = {
    "centre": {"vi": "Mã trung tâm phục vụ hành chính công", "en": "Code of the public service centre"},
    "field": {"vi": "Mã lĩnh vực; trống: không trả lời", "en": "Code of the service field; empty: no answer"},
    "local_day": {"vi": "Ngày trả lời (giờ Việt Nam)", "en": "Day of the response (Vietnamese time)"},
    "disposition": {
        "vi": "Kết quả: complete hoàn thành, broken_off bỏ dở, refused từ chối, not_at_home vắng nhà",
        "en": "Outcome: complete, broken_off, refused, not_at_home",
    },
    "mode": {
        "vi": "Cách trả lời: kiosk máy tính bảng, assisted có người giúp, page trang web, paper giấy, import nhập vào",
        "en": "How it was given: kiosk, assisted, page, paper, import",
    },
    "recruitment": {
        "vi": "Cách mời: walk_up tự đến, invited được mời, staff_asked cán bộ đề nghị",
        "en": "How the citizen came to it: walk_up, invited, staff_asked",
    },
    "language": {"vi": "Ngôn ngữ trả lời", "en": "Language of the response"},
    "late": {"vi": "Nhận sau khi đóng đợt, trả lời trước đó", "en": "Received after the closing, given before it"},
    "after_close": {"vi": "Trả lời sau khi đóng đợt", "en": "Given after the closing of the wave"},
    "clock": {"vi": "Đồng hồ thiết bị sai quá 5 phút", "en": "The device's clock was off by more than 5 minutes"},
    "psu": {"vi": "Đơn vị mẫu cấp một (chỉ đợt chọn mẫu)", "en": "Primary sampling unit (sample waves only)"},
    "stratum": {"vi": "Tầng của đơn vị mẫu cấp một", "en": "Stratum of the primary sampling unit"},
    "base_weight": {
        "vi": "Quyền số cơ bản: 1 / xác suất một người dân của đơn vị được chọn",
        "en": "Base weight: 1 / probability with which a resident of the unit was drawn",
    },
    "part": {
        "vi": "Phần của phiếu được hỏi, bốc ngẫu nhiên, số thứ tự/tổng số; trống: hỏi toàn bộ",
        "en": "Part of the form that was asked, drawn at random, number/count; empty: everything was asked",
    },
    "device": {"vi": "Mã thiết bị", "en": "Id of the device"},
}


def codebook(
    wave: Wave,
    form: Questionnaire,
    centres: Sequence[Centre],
    fields: Sequence[ServiceField],
    columns: Mapping[str, Sequence[str]],
    types: Mapping[str, str],
    references: Sequence[Reference] = (),
) -> dict[str, Any]:
    """`columns`: item -> its columns; `types`: every column of responses.parquet, in order -> its type."""
    return {
        "wave": {
            "id": wave.id,
            "kind": wave.kind,
            "title": dict(wave.title),
            "months": list(wave.months),
            "simulated": wave.simulated,
            "opened": _day(wave.opened),
            "closed": _day(wave.closed),
            "rules": {**vars(wave.rules), "margins": list(wave.rules.margins)},
        },
        "questionnaire": {
            "id": form.id,
            "version": form.version,
            "title": dict(form.title),
            "source": form.source,
            "authority": dict(form.authority),
            "languages": list(form.languages),
        },
        "centres": [vars(centre) for centre in centres],
        "fields": [{"code": field.code, "label": dict(field.label), "source": field.source} for field in fields],
        "roles": dict(form.roles),
        "visit_codes": dict(form.visit_codes),
        "items": [_item(item, columns.get(item.code, ()), form.inclusion(item)) for item in form.items],
        "index": _index(form),
        "parts": _parts(form),
        "missing": {str(code): dict(text) for code, text in MISSING_LABELS.items()},
        "columns": _columns(form, columns, types),
        "references": [vars(reference) for reference in references],
    }


def _day(moment: datetime | None) -> str | None:
    return moment.astimezone(VIETNAM).date().isoformat() if moment else None


def _item(item: Item, columns: Sequence[str], inclusion: Fraction = Fraction(1)) -> dict[str, Any]:
    """`inclusion`: the probability with which a response asked in part was asked the item, an exact fraction."""
    return {
        "code": item.code,
        "kind": item.kind,
        "text": dict(item.text),
        "factor": item.factor,
        "area": item.area,
        "source": item.source,
        "options": [{"code": option.code, "text": dict(option.text)} for option in item.options],
        "columns": list(columns),
        "text_sha256": text_hash(item),
        "inclusion": str(inclusion),
    }


def text_hash(item: Item) -> str:
    """One hash for what citizens are asked, in Vietnamese, whatever the item's code: items compare if it is equal."""
    asked: dict[str, Any] = {
        "kind": item.kind,
        "text": item.text["vi"],
        "options": [[option.code, option.text["vi"]] for option in item.options],
    }
    if item.kind == "number":
        asked["range"] = [item.minimum, item.maximum]
    return hashlib.sha256(compact(asked)).hexdigest()


def _index(form: Questionnaire) -> dict[str, Any]:
    index = form.index
    if index is None:
        return {"items": [], "factors": [], "areas": [], "item_method": "top2", "roll_up": "pooled"}
    return {
        "items": list(index.items),
        "factors": [
            {"code": factor.code, "text": dict(factor.text), "area": factor.area, "items": list(factor.items)}
            for factor in index.factors
        ],
        "areas": [{"code": area.code, "text": dict(area.text)} for area in index.areas],
        "item_method": index.item_method,
        "roll_up": index.roll_up,
    }


def _parts(form: Questionnaire) -> dict[str, Any] | None:
    parts = form.parts
    if parts is None:
        return None
    return {"name": parts.name, "factors": list(parts.factors), "draw": parts.draw, "of": parts.of}


def _columns(
    form: Questionnaire, columns: Mapping[str, Sequence[str]], types: Mapping[str, str]
) -> list[dict[str, Any]]:
    labels: dict[str, Mapping[str, str]] = {**ENVELOPE_LABELS, **ODD_LABELS}
    for item in form.items:
        for name, option in zip(columns.get(item.code, ()), item.options, strict=False):
            chosen = {language: f"{item.text[language]} {option.text[language]}" for language in ("vi", "en")}
            labels[name] = chosen if item.kind == "choices" else item.text
        if item.kind == "number":
            labels[item.code] = item.text
    return [
        {"name": name, "type": kind, "label": {language: labels[name][language] for language in ("vi", "en")}}
        for name, kind in types.items()
    ]
