"""What the extract of a counter wave has beside its answers: field work by centre and day, and the flags of odd answers.

`fieldwork_table`, `odd_columns`, `fieldwork_book`, `ODD_LABELS`.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from survey_app.response_rates import COUNTS, count
from survey_app.store import Columns
from survey_app.store.reading import Timing
from survey_app.watching import met, watched

if TYPE_CHECKING:
    import pyarrow as pa

ODD_LABELS: Mapping[str, Mapping[str, str]] = {
    "burst": {
        "vi": "1: một trong ít nhất 6 phiếu hoàn thành trong 5 phút trên cùng thiết bị",
        "en": "1: one of six or more forms completed within five minutes on one device",
    },
    "night": {"vi": "1: trả lời ngoài khoảng 6–19 giờ", "en": "1: given outside 6:00–19:00"},
    "straight_line": {
        "vi": "1: cùng một mức cho mọi câu của chỉ số đã trả lời, từ 8 câu trở lên",
        "en": "1: the same answer to every item of the index answered, eight or more of them",
    },
    "surge": {
        "vi": "1: ngày mà thiết bị nhận nhiều hơn hẳn ngày thường của nó và của trung tâm",
        "en": "1: on a day when the device took far more than on its usual day and its centre's",
    },
    "fast": {"vi": "1: trung bình dưới 1 giây một câu", "en": "1: under one second an answer on average"},
}
FIELDWORK_LABELS: Mapping[str, Mapping[str, str]] = {
    "centre": {"vi": "Mã trung tâm phục vụ hành chính công", "en": "Code of the public service centre"},
    "local_day": {"vi": "Ngày (giờ Việt Nam)", "en": "Day (Vietnamese time)"},
    "complete": {"vi": "Phiếu hoàn thành", "en": "Completed"},
    "broken_off": {"vi": "Phiếu bỏ dở", "en": "Broken off"},
    "invited": {"vi": "Người được mời", "en": "Invited"},
    "invited_complete": {"vi": "Được mời và hoàn thành", "en": "Invited and completed"},
    "invited_broken_off": {"vi": "Được mời và bỏ dở", "en": "Invited and broken off"},
    "refused": {"vi": "Được mời và từ chối", "en": "Invited and refused"},
    "walk_up": {"vi": "Tự đến", "en": "Came by themselves"},
    "staff_asked": {"vi": "Cán bộ đề nghị", "en": "Asked by staff"},
    "assisted": {"vi": "Có người giúp", "en": "Assisted"},
}


def fieldwork_table(timings: Sequence[Timing]) -> "pa.Table":
    """One row for each centre and day with any record given before the closing."""
    import pyarrow as pa

    found = count(met(timings))
    data: dict[str, Any] = {
        "centre": pa.array([centre for centre, _ in found], pa.string()),
        "local_day": pa.array([day for _, day in found], pa.date32()),
    }
    for name in COUNTS:
        data[name] = pa.array([getattr(counts, name) for counts in found.values()], pa.int64())
    return pa.table(data)


def odd_columns(timings: Sequence[Timing], columns: Columns, items: Sequence[str]) -> "dict[str, pa.Array]":
    """The flags as 0/1. They say that something is odd, not when it happened or on which device."""
    import pyarrow as pa

    found = watched(timings, columns, items).columns(columns.count)
    return {name: pa.array(values, pa.int8()) for name, values in found.items()}


def fieldwork_book() -> list[dict[str, Any]]:
    """The columns of fieldwork.parquet in words, for the codebook."""
    types = {"centre": "text", "local_day": "date"}
    return [
        {"name": name, "type": types.get(name, "int64"), "label": dict(label)}
        for name, label in FIELDWORK_LABELS.items()
    ]
