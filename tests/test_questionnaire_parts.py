"""A form that asks each citizen a part: what its file may say, and each broken rule with place and remedy."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_app.questionnaire import parse
from survey_app.questionnaire.model import Parts
from tests.test_questionnaire_file import FORM, SECOND_FACTOR, problems

PARTED = (
    FORM.replace('["S.A1", "S.A2"]\n', '["S.A2"]\n')
    + SECOND_FACTOR
    + """[parts]
name = "factors"
factors = ["A", "B"]
draw = 1
"""
)
THIRD = """[[items]]
code = "S.C{0}"
section = "last"
kind = "likert"
scale = "five"
text = {{vi = "Câu {0}", en = "Item {0}"}}
source = "ours"
"""
FACTOR = """[[index.factors]]
code = "C{0}"
area = "S"
text = {{vi = "Câu {0}", en = "Item {0}"}}
items = ["S.C{0}"]
"""


def many(count: int, draw: int) -> str:
    """A form of so many factors of one item each."""
    head, index = FORM.replace("[roles]", "".join(map(THIRD.format, range(count))) + "[roles]", 1).split("[index]")
    factors = "".join(map(FACTOR.format, range(count)))
    named = ", ".join(f'"C{number}"' for number in range(count))
    return f'{head}[index]{index}{factors}[parts]\nname = "x"\nfactors = [{named}]\ndraw = {draw}\n'


def test_the_form_of_these_tests_is_good() -> None:
    form = parse(PARTED.encode(), "form.1.toml")
    assert form.parts == Parts("factors", ("A", "B"), 1) and form.parts.of == 2
    assert form.left_out({"factors": (1, 2)}) == {"S.A1"} and form.left_out({"factors": (2, 2)}) == {"S.A2"}
    assert parse(FORM.encode(), "form.1.toml").parts is None


def test_a_hundred_parts_are_the_most() -> None:
    assert parse(many(9, 3).encode(), "form.1.toml").parts.of == 84  # type: ignore[union-attr]
    what = "4 of 9 factors make more than 100 parts"
    assert problems(many(9, 4)) == [(what, "parts.draw")]


CASES = [
    ('name = "factors"', "", "name is missing", "parts.name"),
    ('name = "factors"', 'name = "1"', "name '1' is not of the form agreed", "parts.name"),
    ("draw = 1", "", "draw is missing", "parts.draw"),
    ("draw = 1", "draw = 0", "0 of 2 factors cannot be drawn", "parts.draw"),
    ("draw = 1", "draw = -1", "-1 of 2 factors cannot be drawn", "parts.draw"),
    ("draw = 1", "draw = 2", "2 of 2 factors cannot be drawn", "parts.draw"),
    ("draw = 1", "draw = true", "draw is true or false, not a whole number", "parts.draw"),
    ("draw = 1", "draw = 1\nof = 2", "unknown key 'of'", "parts.of"),
    ('["A", "B"]', '["A"]', "1 of 1 factors cannot be drawn", "parts.draw"),
    ('["A", "B"]', "[]", "1 of 0 factors cannot be drawn", "parts.draw"),
    ('["A", "B"]', '["A", "A"]', "parts name a factor twice", "parts.factors"),
    ('["A", "B"]', '["A", "X"]', "parts name the unknown factor 'X'", "parts.factors"),
    (
        'visit = "VISIT"',
        'visit = "VISIT"\noverall = "S.A1"',
        "the item 'S.A1' has the role overall, and is not asked of everybody",
        "parts.factors",
    ),
    (
        "required = false\n",
        'required = false\nask_if = [{item = "S.A1", codes = [1]}]\n',
        "the routing of 'COMMENT' hangs on 'S.A1', which is not asked of everybody",
        "parts.factors",
    ),
    (
        '[{item = "VISIT", codes = [2]}]',
        '[{item = "S.A1", codes = [2]}]',
        "the routing of 'S.A2' hangs on 'S.A1', which is not asked of everybody",
        "parts.factors",
    ),
]


@pytest.mark.parametrize(("old", "new", "what", "place"), CASES, ids=[f"{case[2]} @ {case[3]}" for case in CASES])
def test_a_broken_rule_is_named(old: str, new: str, what: str, place: str) -> None:
    assert old in PARTED
    assert (what, place) in problems(PARTED.replace(old, new, 1))


def test_parts_need_an_index() -> None:
    head, rest = PARTED.split("[index]")
    assert problems(head + rest[rest.index("[parts]") :]) == [("parts of a form without an index", "parts")]


def test_items_of_one_factor_may_hang_on_each_other() -> None:
    one = PARTED.replace('items = ["S.A2"]', 'items = ["S.A1", "S.A2"]').replace(
        'items = ["S.A1"]\n', 'items = ["S.C1"]\n'
    )
    one = one.replace("[roles]", THIRD.format(1) + "[roles]", 1)
    hung = one.replace('[{item = "VISIT", codes = [2]}]', '[{item = "S.A1", codes = [2]}]', 1)
    assert parse(hung.encode(), "form.1.toml").left_out({"factors": (1, 2)}) == {"S.C1"}


@given(st.lists(st.sampled_from("ABCDEFG"), min_size=2, unique=True), st.data())
def test_parts_are_every_choice_once_in_lexicographic_order(factors: list[str], data: st.DataObject) -> None:
    parts = Parts("x", tuple(factors), data.draw(st.integers(1, len(factors) - 1)))
    places = [[factors.index(code) for code in drawn] for drawn in parts.drawn()]
    assert places == sorted(places) and len(places) == parts.of
    every = {frozenset(some) for some in itertools.combinations(range(len(factors)), parts.draw)}
    assert {frozenset(some) for some in places} == every
