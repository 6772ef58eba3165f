"""A verdict says what the interval says, no more; many at once are held to one error rate."""

from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.special import logit, stdtr
from statsmodels.stats.multitest import multipletests

from analysis import intervals
from analysis.wave.verdicts import Candidate, holm, tipping_point, touching_level, verdicts


def shown_at(value: float, se: float, level: float, df: float = 40.0, n: float = 400.0) -> tuple[float, float]:
    """The interval that a table shows of an index: near the ceiling not the logit one."""
    low, high = intervals.index_share(*(np.array([x]) for x in (value / 100, se / 100, df, n)), level)
    return 100 * float(low[0]), 100 * float(high[0])


def candidate(value: float = 90.0, se: float = 1.0, **given: Any) -> Candidate:
    fields = {"domain_kind": "field", "domain": "a", "measure": "index", "n": 400, "n_kish": 400.0, "df": 40.0}
    fields |= {"hidden": False, "responses": 400, "dossiers": 4000, "kind": "mean", "value": value, "se": se}
    return Candidate(**{**fields, **given})


def one(found: Candidate) -> Any:
    return next(iter(verdicts([found], 85, 0.95).values()))


@settings(deadline=None)
@given(st.floats(50, 96.9), st.floats(0.1, 6))
@example(96.0, 2.75)
def test_alone_the_verdict_is_what_the_interval_shown_says(value: float, se: float) -> None:
    low, high = shown_at(value, se, 0.95)
    expected = "above" if low >= 85 else "below" if high < 85 else "cannot_tell"
    if min(abs(low - 85), abs(high - 85)) > 1e-6:
        assert one(candidate(value, se)).verdict == expected


def test_the_line_itself_counts_as_above() -> None:
    """Both intervals reach 85 exactly at every level up to 95 %: from above it is left out, from below it is held."""

    def at(level: Any) -> Any:
        wide = level > 0.95
        return np.where(wide, 84.9, [85.0, 70.0]), np.where(wide, 95.1, [95.0, 85.0])

    above, below = touching_level(at, np.array([90.0, 80.0]), 85.0)
    assert float(above) == pytest.approx(0.05, abs=1e-6) and below == 1


@pytest.mark.parametrize(
    ("given_", "reason"),
    [
        ({"n": 99}, "n<100"),
        ({"df": 7.0}, "df<8"),
        ({"df": float("nan")}, "df<8"),
        ({"value": 97.1}, "value>97"),
        ({"hidden": True}, "suppressed"),
        ({"n": 100, "df": 8.0, "value": 97.0}, ""),
    ],
)
def test_when_there_is_no_verdict(given_: dict[str, Any], reason: str) -> None:
    found = one(candidate(**given_))
    assert found.reason == reason
    assert (found.verdict == "") == bool(reason)


@pytest.mark.parametrize(("value", "bottom"), [(88.0, 0.0), (80.0, 0.0), (88.0, 20.0)])
def test_the_p_value_inverts_the_interval(value: float, bottom: float) -> None:
    """In closed form for a mean on the range of its item method: the logit distance to the line over its SE."""
    se, df, width = 1.5, 17.0, 100 - bottom
    share, line = (value - bottom) / width, (85 - bottom) / width
    found = one(candidate(value, se, df=df, bottom=bottom))
    t = float(logit(share) - logit(line)) / (se / width / (share * (1 - share)))
    assert found.p == pytest.approx(2 * (1 - stdtr(df, abs(t))), rel=1e-6)


@pytest.mark.parametrize(("kind", "se"), [("share", 1.4), ("mean", 0.0), ("share", 0.0)])
def test_at_the_level_of_p_the_interval_ends_at_the_line(kind: Any, se: float) -> None:
    """Korn–Graubard for shares, Clopper–Pearson where SE = 0, beside logits in one family, each by itself."""
    found = verdicts([candidate(kind=kind, se=se, n_kish=300.0), candidate(92.0, domain="b")], 85, 0.95)
    p = found["field", "a", "index"].p
    assert p is not None and 0 < p < 1
    share, error, df, n, n_kish = (np.array([x]) for x in (0.9, se / 100, 40.0, 400.0, 300.0))
    level = 1 - p
    low, _ = (
        intervals.korn_graubard(share, error, df, n, level) if se else intervals.clopper_pearson(share, n_kish, level)
    )
    assert low == pytest.approx(0.85, abs=1e-9)


@settings(deadline=None, max_examples=30)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_holm_is_statsmodels(p: list[float]) -> None:
    assert holm(np.array(p)) == pytest.approx(multipletests(p, method="holm")[1])


def test_families_are_measure_by_kind_of_domain() -> None:
    """p = 0.03 stands alone, and falls beside eleven others in its family."""
    single = [candidate(88.0, 1.3, domain_kind="all", domain="all")]
    fields = [candidate(88.0, 1.3, domain=f"f{number}") for number in range(12)]
    thin = [candidate(88.0, 1.3, domain=f"thin{number}", n=50) for number in range(12)]
    found = verdicts(single + fields + thin, 85, 0.95)
    assert found["all", "all", "index"].verdict == "above"
    assert {detail.verdict for key, detail in found.items() if key[1].startswith("f")} == {"cannot_tell"}
    of_field = found["field", "f0", "index"]
    assert of_field.p is not None and of_field.p_holm == pytest.approx(12 * of_field.p)


@settings(deadline=None)
@given(st.floats(0, 100), st.floats(0.001, 0.999))
def test_at_the_tipping_point_the_whole_meets_the_line(value: float, answered: float) -> None:
    tipping = tipping_point(value, answered, 85.0)
    assert tipping is not None
    assert answered * value + (1 - answered) * tipping == pytest.approx(85)


def test_share_answered_and_tipping_point_stand_beside_a_verdict() -> None:
    found = one(candidate(value=90.0))
    assert found.answered == 0.1
    assert found.tipping == pytest.approx((85 - 9) / 0.9)
    hidden = one(candidate(hidden=True))
    assert (hidden.answered, hidden.tipping) == (None, None)
    assert one(candidate(responses=4000)).tipping is None
