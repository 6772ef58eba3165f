"""Agreement with R `survey`: |Δ| ≤ 1e-8 · max(|x|, 1e-6), covariances relative to √(vᵢvⱼ). See tests/golden/README.md.

Designs of R's own rake() are held to weights and values only: its residuals are fitted without weights.
"""

import hashlib
import re

import pytest

from tests import golden_cases
from tests.golden_cases import FILES, RELATIVE, Case, cases, compare
from tests.golden_designs import GOLDEN, load

NUMBER_COVERED = {  # of all entries in the file
    "moments": (355, 355),
    "proportions": (165, 257),
    "calibration": (210, 463),
    "index": (98, 124),
    "kish": (44, 46),
    "lone_psu": (173, 173),
    "comparisons": (23, 109),
}


@pytest.mark.parametrize("case", [case for file in FILES for case in cases(file)], ids=lambda case: case.id)
def test_entry_agrees_with_r(case: Case) -> None:
    apart = [difference for difference in compare(case) if not difference.relative <= RELATIVE]
    assert not apart, apart[:5]


@pytest.mark.parametrize("file", FILES)
def test_every_covered_entry_is_collected(file: str) -> None:
    assert (len(cases(file)), load(file)["count"]) == NUMBER_COVERED[file]


def test_the_golden_files_are_as_they_came() -> None:
    listed = re.findall(r"^([0-9a-f]{64})  (\S+)$", (GOLDEN / "PROVENANCE.md").read_text(), flags=re.MULTILINE)
    assert {name for _, name in listed} == {path.name for path in GOLDEN.iterdir()} - {"PROVENANCE.md"}
    for expected, name in listed:
        assert hashlib.sha256((GOLDEN / name).read_bytes()).hexdigest() == expected, name


def test_a_wrong_number_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    case = next(case for case in cases("moments") if case.entry["statistic"] == "mean")
    original = golden_cases.analysis.mean

    def slightly_off(design, *arguments, **options):  # type: ignore[no-untyped-def]
        return original(golden_cases.SurveyDesign(design.weight, psu=range(design.n)), *arguments, **options)

    monkeypatch.setattr(golden_cases.analysis, "mean", slightly_off)
    assert max(difference.relative for difference in compare(case)) > 1e-3
