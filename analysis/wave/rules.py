"""The rules a wave is computed by, as words, and the sentence that goes with every result.

Public: ItemMethod, RollUp, Method, Visit, ScoreOptions, UsedRules, SENTENCE, SAMPLE_SENTENCE, notice, SIMULATED,
NOT_RAKED.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ItemMethod = Literal["top2", "mean5", "mean01"]
RollUp = Literal["pooled", "item_mean", "factor_mean", "area_mean"]
Method = Literal["rake", "cells"]
Visit = Literal["received", "filed", "asked"]
SENTENCE = {
    "vi": "Kết quả khảo sát tại quầy; không thay thế Chỉ số SIPAS do Bộ Nội vụ công bố.",
    "en": "Result of a counter survey; it does not replace the SIPAS index published by the Ministry of Home Affairs.",
}
SAMPLE_SENTENCE = {
    "vi": "Ước lượng của tỉnh, không phải số công bố của Bộ Nội vụ.",
    "en": "The province's own estimate, not a figure published by the Ministry of Home Affairs.",
}
NOT_RAKED = {
    "vi": "CHƯA HIỆU CHỈNH THEO DÂN SỐ: trọng số chỉ tính xác suất chọn và không trả lời; cơ cấu tuổi, giới của người trả "
    "lời có thể lệch so với dân số.",
    "en": "NOT RAKED TO THE POPULATION: the weights know selection probability and non-response only; the respondents' "
    "ages and sexes may differ from the residents'.",
}
SIMULATED = "SIMULATED / DỮ LIỆU MÔ PHỎNG"


@dataclass(frozen=True)
class ScoreOptions:
    """How to compute a wave. None takes the wave's own rule."""

    item_method: ItemMethod | None = None
    roll_up: RollUp | None = None
    method: Method | None = None
    minimum: int | None = None


@dataclass(frozen=True)
class UsedRules:
    """The rules a table was computed by, in words that appear on every output."""

    item_method: ItemMethod
    roll_up: RollUp
    method: Method
    minimum: int
    reference_line: float
    level: float
    population: str
    online_included: bool
    changed: tuple[str, ...] = ()
    """Names of the rules that differ from those fixed before the wave opened."""


def notice(kind: str) -> Mapping[str, str]:
    """The sentence that belongs on every output of a wave of this kind."""
    return SAMPLE_SENTENCE if kind == "sample" else SENTENCE
