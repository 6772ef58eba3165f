"""Golden numbers of R `survey` on designs that calibrate, trim, and adjust twice (tests/golden/README.md)."""

from functools import cache
from typing import Any

import analysis
from analysis import SurveyDesign
from tests import golden_cases
from tests.golden_cases import Case, Difference
from tests.golden_designs import data, load, margins
from tests.golden_designs import design as plain_design

FIVE = ("stratum", "field", "sex", "age", "area")
CALIBRATED: dict[str, dict[str, Any]] = {
    "cal_linear": {"margins": FIVE},
    "cal_linear_fpc": {"margins": FIVE},
    "cal_raking": {"margins": FIVE, "method": "raking"},
    "cal_raking_rake4": {"margins": FIVE[1:], "method": "raking"},
    "cal_logit": {"margins": FIVE, "method": "logit", "bounds": (0.5, 2)},
    "cal_linear_bounded": {"margins": FIVE, "bounds": (0.7, 1.6)},
    "cal_linear_aggregate": {"margins": ("sex", "area"), "aggregate": "psu"},
    "cal_continuous": {"margins": ("field",), "numbers": ("day",)},
    "cal_continuous_raking": {"margins": ("field",), "numbers": ("day",), "method": "raking"},
    "ps_then_linear": {"margins": ("sex", "area")},
}
TRIMMED: dict[str, dict[str, Any]] = {
    "trim_strict": {"lower": 8, "upper": 60},
    "trim_once": {"lower": None, "upper": 55, "rounds": "once"},
    "rake4_trim": {"lower": 5, "upper": 70},
}
FILES = ("calibration", "comparisons", "index", "kish")
NOT_HERE = {
    "differences of domain means": "compared with the other contrasts",
}
VALUES_ONLY = {"rake4_trim": "R's rake() fits the residuals without weights; see tests/golden/README.md"}


@cache
def design(file: str, name: str) -> SurveyDesign:
    """The design of an entry, through calibrate() and trim()."""
    adjusted = load(file)["designs"][name]["adjusted"]
    base, frame = plain_design(file, adjusted["from"]), data("counter.csv")
    if name in TRIMMED:
        return analysis.trim(base, **TRIMMED[name])
    options = dict(CALIBRATED[name])
    labels, numbers = options.pop("margins"), options.pop("numbers", ())
    totals: dict[str, Any] = {key: margins()[key] for key in labels}
    totals |= {key: adjusted["totals"][key] for key in numbers}
    return analysis.calibrate(base, {key: frame[key] for key in totals}, totals, **options)


def cases(file: str) -> list[Case]:
    """Entries on these designs."""
    document = load(file)
    return [
        Case(file, entry, document["designs"][entry["design"]])
        for entry in document["entries"]
        if entry["design"] in CALIBRATED | TRIMMED and entry["statistic"] not in NOT_HERE
    ]


def compare(case: Case) -> list[Difference]:
    found = golden_cases.compare(case, design(case.file, case.entry["design"]))
    if case.entry["design"] in VALUES_ONLY and case.entry["statistic"] not in ("weights", "kish"):
        return [difference for difference in found if difference.what in ("value", "n")]
    return found
