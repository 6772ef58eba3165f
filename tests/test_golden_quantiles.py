"""Agreement with R `survey` on quantiles: |Δ| ≤ 1e-8 · max(|x|, 1e-6); the rules and intervals R gets wrong are left."""

import numpy as np
import pytest

from tests.golden_cases import RELATIVE, Case
from tests.golden_designs import load
from tests.golden_quantiles import NOT_OFFERED, cases, compare, reason


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_entry_agrees_with_r(case: Case) -> None:
    apart = [difference for difference in compare(case) if not difference.relative <= RELATIVE]
    assert not apart, apart[:5]


def test_every_entry_is_compared_or_left_with_a_reason() -> None:
    document = load("quantiles")
    left = [reason(Case("quantiles", entry, {})) for entry in document["entries"]]
    assert (len(cases()), sum(why is not None for why in left), document["count"]) == (254, 82, 336)
    assert set(left) - {None} == set(NOT_OFFERED.values())


def test_a_wrong_interval_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    from analysis import intervals

    original = intervals.t
    monkeypatch.setattr(intervals, "t", lambda p, se, df, level: original(p, 1.2 * se, df, level))
    case = next(case for case in cases() if case.entry["interval"] == "mean" and case.entry["rule"] == "math")
    worst = max(difference.relative for difference in compare(case))
    assert np.isfinite(worst)
    assert worst > 1e-3
