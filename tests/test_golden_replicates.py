"""Agreement with R's replicate designs: |Δ| ≤ 1e-8 · max(|x|, 1e-6), covariances relative to √(vᵢvⱼ)."""

from dataclasses import replace
from typing import Any

import pytest

from tests import golden_replicates
from tests.golden_cases import RELATIVE
from tests.golden_designs import load
from tests.golden_replicates import FILE, compare

ENTRIES = load(FILE)["entries"]


@pytest.mark.parametrize("entry", ENTRIES, ids=[entry["id"] for entry in ENTRIES])
def test_entry_agrees_with_r(entry: dict[str, Any]) -> None:
    apart = [difference for difference in compare(entry) if not difference.relative <= RELATIVE]
    assert not apart, apart[:5]


def test_every_entry_is_compared() -> None:
    assert len(ENTRIES) == load(FILE)["count"] == 209


def test_a_wrong_scale_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = next(entry for entry in ENTRIES if entry["design"] == "fay_03")
    right = golden_replicates.analysis.replicate

    def slightly_off(design, method, **options):  # type: ignore[no-untyped-def]
        made = right(design, method, **options)
        return made.with_replicates(replace(made.replicates, scale=made.replicates.scale * (1 + 1e-6)))

    monkeypatch.setattr(golden_replicates.analysis, "replicate", slightly_off)
    golden_replicates.design.cache_clear()
    assert max(difference.relative for difference in compare(entry)) > 1e-7
    golden_replicates.design.cache_clear()
