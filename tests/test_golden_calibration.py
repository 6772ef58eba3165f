"""Calibrated and trimmed designs agree with R `survey`: |Δ| ≤ 1e-8 · max(|x|, 1e-6). See tests/golden_calibration.py."""

import pytest

from tests import golden_calibration
from tests.golden_calibration import CALIBRATED, FILES, NOT_HERE, TRIMMED, cases, compare
from tests.golden_cases import RELATIVE, Case
from tests.golden_designs import load

NUMBER_COVERED = {  # on designs of calibrate() and trim(), and how many of them are left to others
    "calibration": (299, 0),
    "comparisons": (9, 9),
    "index": (26, 0),
    "kish": (2, 0),
}


@pytest.mark.parametrize("case", [case for file in FILES for case in cases(file)], ids=lambda case: case.id)
def test_entry_agrees_with_r(case: Case) -> None:
    found = compare(case)
    apart = [difference for difference in found if not difference.relative <= RELATIVE]
    assert found and not apart, apart[:5]


@pytest.mark.parametrize("file", FILES)
def test_every_entry_on_these_designs_is_compared_or_listed(file: str) -> None:
    here = [entry for entry in load(file)["entries"] if entry["design"] in CALIBRATED | TRIMMED]
    assert (len(cases(file)), len(here) - len(cases(file))) == NUMBER_COVERED[file]
    assert {entry["statistic"] for entry in here} & set(NOT_HERE) == ({*NOT_HERE} if file == "comparisons" else set())


def test_all_designs_of_the_file_are_known() -> None:
    made = {name for name, meta in load("calibration")["designs"].items() if "adjusted" in meta}
    assert made - {*CALIBRATED, *TRIMMED} == {
        "rake4",
        "rake3_centre",
        "rake_fpc",
        "ps_stratum_field",
        "ps_field",
        "ps_centre_field_partial",
        "ps_fpc",
    }


def test_a_wrong_bound_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in cases("calibration") if case.entry["design"] == "cal_logit")
    monkeypatch.setitem(golden_calibration.CALIBRATED, "cal_logit", CALIBRATED["cal_logit"] | {"bounds": (0.4, 2.5)})
    golden_calibration.design.cache_clear()
    try:
        assert max(difference.relative for difference in compare(case)) > 1e-4
    finally:
        golden_calibration.design.cache_clear()
