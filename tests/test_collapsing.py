"""collapse(): no class stays too thin, nothing is lost, the report names every joining."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, SurveyDesign, collapse, rake

ROWS = np.repeat([1, 2, 3, 4], [30, 5, 25, 3])
TOTALS = {1: 100.0, 2: 20.0, 3: 70.0, 4: 10.0, 5: 5.0}


def test_a_thin_class_joins_the_next_and_the_last_the_previous() -> None:
    labels, totals, joined = collapse(ROWS, TOTALS, 20)
    assert totals == {1: 100.0, "2+3+4+5": 105.0}
    assert set(labels[:30]) == {1} and set(labels[30:]) == {"2+3+4+5"}
    (only,) = joined
    assert (only.members, only.rows, only.totals) == ((2, 3, 4, 5), (5, 25, 3, 0), (20.0, 70.0, 10.0, 5.0))
    assert only.moved == 35.0


def test_classes_join_inside_their_group_first() -> None:
    groups = {1: "north", 3: "north", 5: "north", 2: "south", 4: "south"}
    _, totals, joined = collapse(ROWS, TOTALS, 6, groups=groups)
    assert [one.members for one in joined] == [(3, 5), (2, 4)]
    assert totals == {1: 100.0, "3+5": 75.0, "2+4": 30.0}


def test_the_order_says_who_is_a_neighbour() -> None:
    _, totals, _ = collapse(ROWS, TOTALS, 20, order=[1, 4, 2, 3, 5])
    assert totals == {1: 100.0, "4+2+3+5": 105.0}


def test_enough_rows_everywhere_join_nothing() -> None:
    labels, totals, joined = collapse(list("aabb"), {"a": 1.0, "b": 2.0}, 2)
    assert (labels.tolist(), totals, joined) == (list("aabb"), {"a": 1.0, "b": 2.0}, ())


def test_a_class_with_rows_and_no_population_joins_too() -> None:
    _, totals, joined = collapse(list("aabb"), {"a": 0.0, "b": 2.0}, 1)
    assert totals == {"a+b": 2.0} and joined[0].moved == 0.0


@given(st.integers(0, 10**6), st.integers(1, 40))
@settings(max_examples=50, deadline=None)
def test_no_class_is_thin_and_no_population_is_lost(seed: int, minimum: int) -> None:
    rng = np.random.default_rng(seed)
    labels = rng.choice(list("abcdefgh"), 80, p=rng.dirichlet(np.ones(8) / 2))
    given_totals = dict(zip("abcdefghij", rng.integers(1, 50, 10).astype(float), strict=True))
    found = collapse(labels, given_totals, minimum)
    counts = {label: int((found.labels == label).sum()) for label in found.totals}
    assert all(count >= minimum for count in counts.values()) and sum(counts.values()) == 80
    assert sum(found.totals.values()) == sum(given_totals.values())
    assert rake(SurveyDesign(np.ones(80)), {"m": (found.labels, found.totals)}).weight.sum() == pytest.approx(
        sum(given_totals.values())
    )


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: collapse(ROWS, {1: 1.0}), ["no total for 2", "no total for 4"]),
        (lambda: collapse(ROWS, TOTALS | {3: -1}), ["total of 3 is -1"]),
        (lambda: collapse(ROWS, TOTALS | {3: "7"}), ["total of 3 is '7'"]),
        (lambda: collapse(ROWS, TOTALS, 0), ["minimum of 0"]),
        (lambda: collapse(ROWS, TOTALS, order=[1, 2, 3]), ["4 has no place", "5 has no place"]),
        (lambda: collapse(ROWS, TOTALS, groups={1: "x"}), ["2 has no group"]),
        (lambda: collapse(ROWS, dict.fromkeys(TOTALS, 0)), ["sum to 0"]),
        (lambda: collapse(["a", None], {"a": 1.0}), ["no label in labels", "row 1"]),
    ],
)
def test_it_is_refused_by_name(call: Callable[[], Any], words: list[str]) -> None:
    with pytest.raises(AnalysisError) as caught:
        call()
    for word in words:
        assert word in str(caught.value)
