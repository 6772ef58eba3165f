"""Agreement with R `survey` on regressions, all 16 entries: |Δ| ≤ 1e-8 · max(|x|, 1e-6), covariances relative to √(vᵢvⱼ).

Ordered logits: coefficients at 1e-5 and covariances at 1e-3, since R's come from a numerical search; three models without a
finite fit are refused, and fitted without the two fields that separate the answers; the design of R's own rake() is held
to values, its residuals being fitted without weights.
"""

import pytest

import analysis
from tests.golden_cases import RELATIVE, Case
from tests.golden_designs import design, load
from tests.golden_regressions import cases, compare, separated


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.id)
def test_entry_agrees_with_r(case: Case) -> None:
    apart = [difference for difference in compare(case) if not difference.relative <= RELATIVE]
    assert not apart, apart[:5]


def test_every_entry_is_compared() -> None:
    assert (len(cases()), load("regressions")["count"]) == (16, 16)
    assert sum(separated(case) for case in cases()) == 3


def test_a_wrong_design_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    original = analysis.regress
    other = design("regressions", "counter_unstratified")
    monkeypatch.setattr(analysis, "regress", lambda _, *arguments, **options: original(other, *arguments, **options))
    case = next(case for case in cases() if case.entry["design"] == "counter")
    assert max(difference.relative for difference in compare(case)) > 1e-3
