"""Agreement with R's contrasts and tests: |Δ| ≤ 1e-8 · max(|x|, 1e-6), covariances relative to √(vᵢvⱼ)."""

from typing import Any

import pytest

from tests import golden_calibration, golden_cases, golden_comparisons
from tests.golden_cases import RELATIVE
from tests.golden_comparisons import FILE, LOOSE, compare, entries
from tests.golden_designs import load


@pytest.mark.parametrize("entry", entries(), ids=[entry["id"] for entry in entries()])
def test_entry_agrees_with_r(entry: dict[str, Any]) -> None:
    found = compare(entry)
    assert len(found) >= 3 or entry["design"] == "rake4"
    apart = [difference for difference in found if not difference.relative <= RELATIVE]
    assert not apart, apart[:5]


def test_every_entry_of_the_file_is_compared() -> None:
    here = {entry["id"] for entry in entries()}
    elsewhere = {case.entry["id"] for case in golden_cases.cases(FILE)}
    calibrated = {case.entry["id"] for case in golden_calibration.cases(FILE)}
    assert here | elsewhere | calibrated == {entry["id"] for entry in load(FILE)["entries"]}
    assert (len(here), load(FILE)["count"]) == (80, 109)


def test_what_is_compared_loosely_is_named() -> None:
    loose = [entry for entry in entries() if entry.get("test") in LOOSE]
    assert len(loose) == 14 and all(reason for _, reason in LOOSE.values())


def test_a_covariance_left_out_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = next(entry for entry in entries() if entry["id"] == "counter|differences|time_min|field")
    right = golden_comparisons.analysis.contrast

    def alone(estimates, contrasts, **options):  # type: ignore[no-untyped-def]
        """As if domains did not covary."""
        found = right(estimates, contrasts, **options)
        found.se[0, 0] = (estimates.se[0, 0] ** 2 + estimates.se[1, 0] ** 2) ** 0.5
        return found

    monkeypatch.setattr(golden_comparisons.analysis, "contrast", alone)
    assert max(difference.relative for difference in compare(entry)) > 1e-3
