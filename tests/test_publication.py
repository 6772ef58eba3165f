"""What a published table may show: small counts stay confidential, imprecise values are not given."""

from dataclasses import replace
from math import sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import intervals
from analysis.wave.output import cell_text, scores_csv, table_csv
from analysis.wave.publication import COUNTS, VALUES, Cell, publish
from analysis.wave.wave_result import COLUMNS, Score


def row(domain: str = "all", measure: str = "index", **given: Any) -> Score:
    """An unremarkable row: 400 answers, value 80, interval 78 to 82."""
    score = Score(
        wave="w", domain_kind="all" if domain == "all" else "field", domain=domain, label=domain, measure=measure,
        item_method="top2", roll_up="pooled", value=80.0, se=1.0, ci_low=78.0, ci_high=82.0, level=95, df=40.0,
        deff=1.2, n=400, n_eff=333.0, responses=400, dossiers=4000, note="counter_survey",
    )  # fmt: skip
    return replace(score, **given)


def cell(domain: str = "all", measure: str = "index", *, kind: Any = "mean", alike: bool = False, **given: Any) -> Cell:
    score = row(domain, measure, **given)
    return Cell(score, kind, alike, float(score.n or 0), ("", "" if domain == "all" else domain))


def share(p: float, n: int, deff: float = 1.0, **given: Any) -> Cell:
    """An item's share with its Korn–Graubard interval, all on 0–100."""
    se = sqrt(p * (1 - p) * deff / n)
    arrays = (np.array([x]) for x in (p, se, given.get("df", 40.0), float(n)))
    low, high = intervals.korn_graubard(*arrays, level=0.95) if se else intervals.clopper_pearson(
        np.array([p]), np.array([float(n)]), 0.95
    )  # fmt: skip
    ends = {"ci_low": 100 * float(low[0]), "ci_high": 100 * float(high[0])}
    return cell(measure="item:X", kind="share", value=100 * p, se=100 * se, n=n, responses=n, **ends, **given)


def states(cells: list[Cell]) -> list[str]:
    return [score.suppressed for score in publish(cells)]


def blanks(score: Score) -> set[str]:
    return {name for name in COLUMNS if getattr(score, name) is None}


# ---- confidential


@pytest.mark.parametrize(
    ("n", "alike", "state"),
    [
        (1, False, "confidential"),
        (4, False, "confidential"),
        (5, False, "unreliable"),
        (5, True, "confidential"),
        (9, True, "confidential"),
        (10, True, "unreliable"),
        (29, False, "unreliable"),
        (30, False, "no"),
        (0, False, "unreliable"),
    ],
)
def test_small_counts(n: int, alike: bool, state: str) -> None:
    value = None if n == 0 else 80.0
    (score,) = publish([cell(n=n, responses=n, alike=alike, value=value)])
    assert score.suppressed == state
    expected: set[str] = {"confidential": {*VALUES, *COUNTS}, "unreliable": set(VALUES), "no": set()}[state]
    assert expected <= blanks(score)
    assert score.dossiers == 4000
    if state != "confidential":
        assert score.n == n


def fields(counts: dict[str, int], measure: str = "index", responses: dict[str, int] | None = None) -> list[Cell]:
    whole = responses or counts
    cells = [cell("all", measure, n=sum(counts.values()), responses=sum(whole.values()))]
    return cells + [cell(code, measure, n=n, responses=whole[code]) for code, n in counts.items()]


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"a": 300, "b": 200, "c": 100}, {}),
        ({"a": 3, "b": 200, "c": 100}, {"a": "confidential", "c": "complementary"}),
        ({"a": 3, "b": 4, "c": 100}, {"a": "confidential", "b": "confidential", "c": "complementary"}),
        ({"a": 3, "b": 6, "c": 40, "d": 90}, {"a": "confidential", "b": "complementary", "c": "complementary"}),
        ({"a": 4, "b": 4, "c": 4, "d": 90}, dict.fromkeys("abc", "confidential")),
        ({"a": 3, "b": 0, "c": 100, "d": 50}, {"a": "confidential", "d": "complementary"}),
        ({"a": 3, "b": 4}, {"a": "confidential", "b": "confidential", "all": "complementary"}),
        ({"a": 2, "b": 6}, {"a": "confidential", "b": "complementary", "all": "complementary"}),
        ({"a": 4, "b": 6}, {"a": "confidential", "b": "complementary"}),
    ],
)
def test_the_smallest_other_is_hidden_too(counts: dict[str, int], hidden: dict[str, str]) -> None:
    found = {score.domain: score.suppressed for score in publish(fields(counts))}
    assert {code: state for code, state in found.items() if state in ("confidential", "complementary")} == hidden


def test_a_domain_with_few_responses_is_hidden_in_every_measure() -> None:
    responses = {"a": 4, "b": 80, "c": 60}
    cells = fields(responses) + fields({"a": 0, "b": 70, "c": 60}, "item:X", responses)
    for score in publish(cells):
        assert (score.responses is None) == (score.domain in ("a", "c"))


def test_one_measure_may_be_confidential_alone() -> None:
    responses = {"a": 50, "b": 80, "c": 60}
    cells = fields(responses) + fields({"a": 3, "b": 20, "c": 40}, "item:X", responses)
    found = {(score.measure, score.domain): score.suppressed for score in publish(cells)}
    assert found["item:X", "a"] == "confidential" and found["item:X", "b"] == "complementary"
    assert all(state == "no" for (measure, _), state in found.items() if measure == "index")


@pytest.mark.parametrize(
    ("counts", "hidden"),
    [
        ({"A": 100, "B": 120, "C": 3}, {"factor:A", "factor:C"}),
        ({"A": 100, "B": 120, "C": 4, "D": 4}, {"factor:A", "factor:C", "factor:D"}),  # 8 answers are too few together
        ({"A": 100, "B": 120, "C": 5}, set()),
        ({"A": 4, "B": 3}, {"factor:A", "factor:B", "index"}),
    ],
)
def test_a_part_is_never_hidden_alone_beside_its_whole(counts: dict[str, int], hidden: set[str]) -> None:
    cells = [cell(n=200, responses=200)]
    cells += [
        replace(cell(measure=f"factor:{code}", n=n, responses=200), part_of="index") for code, n in counts.items()
    ]
    kept = {row.measure for row in publish(cells) if row.n is not None}
    assert {one.score.measure for one in cells} - kept == hidden


def test_a_factor_and_its_items_are_hidden_together() -> None:
    """Factor E beside its other items, in the same two fields, would bound and explain the hidden item."""
    responses = {"a": 50, "b": 80, "c": 60}
    counts = {"factor:E": {"a": 6, "b": 30, "c": 41}, "item:E1": {"a": 3, "b": 30, "c": 40}}
    counts |= {"item:E2": {"a": 6, "b": 29, "c": 41}, "item:D1": responses}
    cells = fields(responses)
    for measure, n in counts.items():
        block = "" if measure == "item:D1" else "factor:E"
        cells += [replace(one, block=block) for one in fields(n, measure, responses)]
    found = {(score.measure, score.domain): score.suppressed for score in publish(cells)}
    family = ("factor:E", "item:E1", "item:E2")
    assert found["item:E1", "a"] == "confidential"
    assert {found[measure, "a"] for measure in ("factor:E", "item:E2")} == {"complementary"}
    assert {found[measure, "b"] for measure in family} == {"complementary"}
    assert all(found[measure, "c"] == "no" for measure in family)
    assert all(state == "no" for (measure, _), state in found.items() if measure not in family)


counts = st.dictionaries(st.sampled_from("abcdefghij"), st.integers(0, 60), min_size=1, max_size=10)


@settings(deadline=None)
@given(counts, st.data())
def test_no_confidential_count_can_be_computed_from_what_is_shown(
    responses: dict[str, int], data: st.DataObject
) -> None:
    valid = {code: data.draw(st.integers(0, n)) for code, n in responses.items()}
    cells = fields(responses) + fields(valid, "item:X", responses)
    shown = publish(cells)
    truth = {cell.score.key: cell.score for cell in cells}
    for measure, name in (("index", "responses"), ("index", "n"), ("item:X", "n")):
        rows = [score for score in shown if score.measure == measure]
        for score in rows:
            exact = getattr(truth[score.key], name)
            assert not (0 < exact < 5 and getattr(score, name) is not None)
        hidden = [getattr(truth[score.key], name) for score in rows if score.domain_kind == "field"
                  and getattr(score, name) is None]  # fmt: skip
        visible = [score for score in rows if score.domain_kind == "field" and getattr(score, name)]
        if hidden and sum(hidden) and visible:
            assert sum(hidden) >= 10
            assert len(hidden) > 1
        if hidden and 0 < sum(hidden) < 10:
            assert getattr(rows[0], name) is None


@settings(deadline=None)
@given(counts)
def test_publishing_adds_nothing_and_keeps_the_order(responses: dict[str, int]) -> None:
    cells = fields(responses)
    for cell_, score in zip(cells, publish(cells), strict=True):
        assert score.key == cell_.score.key
        for name in (*VALUES, *COUNTS, "dossiers"):
            assert getattr(score, name) in (None, getattr(cell_.score, name))
        assert (score.suppressed == "no") == (score.value is not None)
        assert score.suppressed == "no" or not {score.value, score.se, score.ci_low, score.ci_high} - {None}


# ---- unreliable


@pytest.mark.parametrize(
    ("width", "state"), [(15.0, "no"), (15.1, "unreliable")]
)  # fmt: skip
def test_means_with_wide_intervals_are_not_given(width: float, state: str) -> None:
    assert states([cell(ci_low=80 - width / 2, ci_high=80 + width / 2)]) == [state]


@pytest.mark.parametrize(
    ("found", "state", "note"),
    [
        (share(0.8, 400), "no", ""),
        (share(0.5, 29), "unreliable", "n<30"),
        (share(0.5, 100, deff=4), "unreliable", "n_eff<30"),
        (share(0.5, 40), "unreliable", "width>=0.3"),
        (share(0.05, 60), "unreliable", "width/p>1.3"),
        (share(0.95, 60), "no", "wide_complement"),
        (share(0.01, 4000), "no", ""),
        (share(0.9, 400, df=7.0), "no", "review"),
        (share(1.0, 400), "no", "review"),
        (share(1.0, 31), "no", "review"),
        (share(0.8, 400, df=0.0), "unreliable", "no interval"),
    ],
)
def test_shares_by_the_presentation_standards(found: Cell, state: str, note: str) -> None:
    (score,) = publish([found])
    assert score.suppressed == state
    assert note in score.note and score.note.startswith("counter_survey")


def test_few_degrees_of_freedom_or_no_variance_are_flagged_for_review() -> None:
    assert "review" in publish([cell(df=7.0)])[0].note
    assert "review" in publish([cell(se=0.0)])[0].note
    assert "review" not in publish([cell(df=8.0)])[0].note


@pytest.mark.parametrize("state", [{"n": 3}, {"n": 20}, {"ci_high": 99.0}])
def test_what_is_hidden_has_no_verdict(state: dict[str, Any]) -> None:
    assert publish([cell(verdict="above", **state)])[0].verdict == ""


# ---- files


@settings(deadline=None)
@given(st.text(max_size=12))
def test_no_text_is_taken_for_a_formula(text: str) -> None:
    written = cell_text(text)
    assert not written.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\0"))
    assert written.removeprefix("'") == text.removeprefix("'")


@pytest.mark.parametrize("text", ["=1+1", "+84", "-5", "@SUM(A1)", "\tx", "\r=x", "  =1", "＝1"])
def test_formulas_get_an_apostrophe(text: str) -> None:
    assert cell_text(text) == f"'{text}"


@pytest.mark.parametrize(
    ("value", "text"), [(-5, "-5"), (-0.5, "-0.5"), (40.0, "40"), (1 / 3, repr(1 / 3)), (None, "")]
)
def test_numbers_stay_numbers(value: Any, text: str) -> None:
    assert cell_text(value) == text


def test_the_columns_of_a_published_table() -> None:
    header = scores_csv([]).strip()
    assert header == (
        "wave,domain_kind,domain,label,measure,item_method,roll_up,value,se,ci_low,ci_high,level,df,deff,n,n_eff,"
        "responses,dossiers,verdict,suppressed,note"
    )
    assert scores_csv([row(label='Đất đai, "nhà"')]).splitlines()[1].startswith('w,all,all,"Đất đai, ""nhà""",index')
    assert table_csv(["=a"], []) == "'=a\r\n"
