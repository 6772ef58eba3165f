"""The counter form as shipped, routing, and `check`: the one validation of answers."""

import re
import string
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey_app.questionnaire import (
    BROKEN_OFF,
    DECLINED,
    MISSING_LABELS,
    NOT_APPLICABLE,
    NOT_ASKED,
    NOT_DRAWN,
    Checked,
    Questionnaire,
    asked,
    check,
    load,
    parse,
    shipped,
)
from survey_app.response import Response
from tests.test_questionnaire_file import FORM, MINIMAL

COUNTER = load(shipped()["counter", "1"])
SHORT = load(shipped()["counter-short", "1"])
KINDS = parse(FORM.encode(), "form.1.toml")
FIELDS = {"dat-dai", "ho-tich"}
AREA_II = [
    f"II.{factor}{n}" for factor, count in zip("ABCDE", (3, 4, 3, 3, 3), strict=True) for n in range(1, count + 1)
]
ALWAYS = {"OVERALL": 4, "FEEDBACK": 2, "BACK": 0, "SEX": 2, "AGE": 3, "ETHNICITY": 1, "EDUCATION": 5, "OCCUPATION": 6}
FILED: Mapping[str, Any] = {
    **ALWAYS,
    "PLACE": 1,
    "VISIT": 1,
    **{code: 5 for code in AREA_II if code[3] in "ABC"},
}
RECEIVED: Mapping[str, Any] = {**FILED, "VISIT": 2, "II.D1": 4, "II.D2": 3, "II.D3": 5, "TIMING": 2}
KINDS_GOOD: Mapping[str, Any] = {"VISIT": 1, "S.A1": 1, "MUCH": 2, "NEWS": (1, 2), "YEARS": 30}


def response(answers: Mapping[str, Any], form: Questionnaire = COUNTER, **change: Any) -> Response:
    now = datetime(2026, 11, 24, 1, 30, tzinfo=UTC)
    plain = Response(
        uuid="0b6e2f9a-1c2d-4e5f-8a9b-abcdefabcdef",
        seq=1,
        wave="q4",
        questionnaire=form.id,
        version=form.version,
        language="vi",
        field="dat-dai",
        psu=None,
        mode="kiosk",
        recruitment="walk_up",
        disposition="complete",
        part=None,
        answers=answers,
        started=now,
        submitted=now,
        durations={},
        paradata={},
    )
    return replace(plain, **change)


def checked(answers: Mapping[str, Any], form: Questionnaire = COUNTER, **change: Any) -> Checked:
    return check(form, response(answers, form, **change), FIELDS)


def errors(*args: Any, **kwargs: Any) -> list[str]:
    return [str(problem) for problem in checked(*args, **kwargs).problems]


# ---- the counter form


def test_the_counter_form_asks_the_sixteen_items_of_area_two() -> None:
    assert COUNTER.index is not None
    assert list(COUNTER.index.items) == AREA_II
    assert {factor.code: list(factor.items) for factor in COUNTER.index.factors} == {
        letter: [code for code in AREA_II if code[3] == letter] for letter in "ABCDE"
    }
    assert [area.code for area in COUNTER.index.areas] == ["II"]
    assert (COUNTER.index.item_method, COUNTER.index.roll_up) == ("top2", "pooled")
    assert {COUNTER.item(code).scale for code in AREA_II} == {"satisfaction"}


def test_the_scale_has_the_official_words_in_the_official_order() -> None:
    assert [(option.code, option.text["vi"]) for option in COUNTER.item("II.A1").options] == [
        (1, "Rất không hài lòng"),
        (2, "Không hài lòng"),
        (3, "Bình thường"),
        (4, "Hài lòng"),
        (5, "Rất hài lòng"),
    ]


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("SEX", ["Nam", "Nữ"]),
        ("AGE", ["18–24 tuổi", "25–34 tuổi", "35–49 tuổi", "50–60 tuổi", "Trên 60 tuổi"]),
        ("ETHNICITY", ["Kinh", "Dân tộc khác"]),
        ("PLACE", ["Đô thị", "Nông thôn"]),
    ],
)
def test_demographics_have_the_official_categories(code: str, options: list[str]) -> None:
    assert [option.text["vi"] for option in COUNTER.item(code).options] == options


def test_who_and_what_is_asked_may_be_declined_and_only_the_comment_left_blank() -> None:
    assert all(item.decline for item in COUNTER.items)
    assert [item.code for item in COUNTER.items if not item.required] == ["COMMENT"]
    assert [item.code for item in COUNTER.items if item.kind == "text"] == ["COMMENT"]


def test_roles_name_what_the_analysis_looks_for() -> None:
    assert COUNTER.roles == {
        "field": "FIELD",
        "visit": "VISIT",
        "overall": "OVERALL",
        "timing": "TIMING",
        "times_back": "BACK",
        "comment": "COMMENT",
    }
    assert COUNTER.visit_codes == {"filed": 1, "received": 2, "asked": 3}
    assert COUNTER.item("BACK").codes == {0, 1, 2}


def test_transcribed_items_say_so_and_the_others_are_ours() -> None:
    assert all(COUNTER.item(code).source.startswith("[V of a transcription]") for code in AREA_II)
    assert all("English ours, unofficial" in item.source for item in COUNTER.items)


def test_citizens_read_no_abbreviations_and_whole_screens_stay_short() -> None:
    texts = [COUNTER.title["vi"], COUNTER.intro["vi"], *(section.title["vi"] for section in COUNTER.sections)]
    for item in COUNTER.items:
        texts += [item.text["vi"], (item.hint or {"vi": ""})["vi"], *(option.text["vi"] for option in item.options)]
    assert [text for text in texts if re.search(r"\b[A-ZĐ]{2,}\b", text.replace("II.", ""))] == []
    assert max(len(item.text["vi"]) for item in COUNTER.items) <= 85


def test_the_start_says_who_why_how_long_voluntary_anonymous_in_two_lines() -> None:
    first, second = COUNTER.intro["vi"].split("\n")
    assert all(words in first for words in (COUNTER.authority["vi"], "để phục vụ tốt hơn", "phút"))
    assert all(words in second for words in ("tự nguyện", "ẩn danh"))
    assert "Bộ Nội vụ" not in str(COUNTER.authority) + str(COUNTER.title) + str(COUNTER.intro)


# ---- routing


@pytest.mark.parametrize(
    ("answers", "codes"),
    [
        ({}, set()),
        ({"VISIT": 1}, set()),
        ({"VISIT": 2}, {"II.D1", "II.D2", "II.D3", "TIMING"}),
        ({"VISIT": 3, "FEEDBACK": 1}, {"II.E1", "II.E2", "II.E3"}),
        ({"VISIT": -3, "FEEDBACK": -3}, set()),
        ({"VISIT": 2, "FEEDBACK": 1}, {"II.D1", "II.D2", "II.D3", "TIMING", "II.E1", "II.E2", "II.E3"}),
    ],
)
def test_results_are_rated_by_who_received_one_feedback_by_who_gave_some(
    answers: dict[str, int], codes: set[str]
) -> None:
    routed = {item.code for item in COUNTER.items if item.ask_if}
    assert {code for code in routed if asked(COUNTER, code, answers)} == codes
    assert all(asked(COUNTER, item, answers) for item in COUNTER.items if item.code not in routed)


CHAINED = parse(
    FORM.replace('scale = "two"', 'scale = "two"\nask_if = [{item = "S.A2", codes = [1, 2]}]').encode(),
    "chained.1.toml",
)


def test_an_item_that_depends_on_one_not_asked_is_not_asked() -> None:
    assert asked(CHAINED, "MUCH", {"VISIT": 2, "S.A2": 1})
    assert not asked(CHAINED, "MUCH", {"VISIT": 1, "S.A2": 1}), "an answer left from before the citizen went back"
    assert not asked(CHAINED, "MUCH", {"VISIT": 2, "S.A2": 3})
    codes = checked({"VISIT": 1, "S.A1": 3, "NEWS": (1,), "YEARS": 3}, CHAINED).codes
    assert codes["S.A2"] == codes["MUCH"] == NOT_ASKED


def test_a_choice_of_several_routes_by_any_of_them() -> None:
    form = parse(
        FORM.replace('kind = "number"', 'kind = "number"\nask_if = [{item = "NEWS", codes = [2]}]').encode(), "f"
    )
    assert asked(form, "YEARS", {"NEWS": (1, 2)}) and not asked(form, "YEARS", {"NEWS": (1,)})


ANY = parse(
    FORM.replace(
        'kind = "number"',
        'kind = "number"\nask_if = [{item = "MUCH", codes = [2]}]\n'
        'ask_if_any = [{item = "S.A2", codes = [4, 5]}, {item = "NEWS", codes = [2]}]',
    ).encode(),
    "any.1.toml",
)


@pytest.mark.parametrize(
    ("answers", "is_asked"),
    [
        ({"MUCH": 2}, False),
        ({"MUCH": 2, "NEWS": (1, 2)}, True),
        ({"MUCH": 2, "NEWS": (1,)}, False),
        ({"MUCH": 1, "NEWS": (2,)}, False),
        ({"MUCH": 2, "S.A2": 5, "VISIT": 2}, True),
        ({"MUCH": 2, "S.A2": 5, "VISIT": 1}, False),
        ({"MUCH": 2, "S.A2": 5, "VISIT": 2, "NEWS": (2,)}, True),
        ({"MUCH": -3, "NEWS": (2,)}, False),
    ],
)
def test_any_of_several_conditions_beside_all_of_others(answers: dict[str, Any], is_asked: bool) -> None:
    assert asked(ANY, "YEARS", answers) is is_asked
    given = {"VISIT": 1, "S.A1": 3, "NEWS": (1,), **answers}
    given = {code: value for code, value in given.items() if code != "S.A2" or given["VISIT"] == 2}
    if given["VISIT"] == 2:
        given.setdefault("S.A2", 1)
    result = checked({**given, "YEARS": 3} if is_asked else given, ANY)
    assert not result.problems and result.codes["YEARS"] == (3 if is_asked else NOT_ASKED)


# ---- check: the codes


def test_a_complete_form_is_valid_and_what_was_not_asked_is_filled_in() -> None:
    result = checked(FILED)
    assert result.problems == ()
    assert set(result.codes) == {item.code for item in COUNTER.items}
    assert {code for code, value in result.codes.items() if value == NOT_ASKED} == {
        "II.D1", "II.D2", "II.D3", "TIMING", "II.E1", "II.E2", "II.E3",
    }  # fmt: skip
    assert result.codes["COMMENT"] == DECLINED and result.codes["FIELD"] == 1 and result.codes["BACK"] == 0


def test_who_received_a_result_has_more_to_answer() -> None:
    assert errors({**FILED, "VISIT": 2}) == ["II.D1:missing", "II.D2:missing", "II.D3:missing", "TIMING:missing"]
    assert checked(RECEIVED).codes["II.D2"] == 3 and not errors(RECEIVED)


def test_everything_may_be_declined() -> None:
    declined = {code: DECLINED for code in FILED}
    result = checked(declined, field=None)
    assert not result.problems
    assert {value for value in result.codes.values()} == {DECLINED, NOT_ASKED}


def test_a_comment_is_kept_apart_from_the_codes() -> None:
    result = checked({**FILED, "COMMENT": "Cảm ơn"})
    assert result.codes["COMMENT"] == 1 and result.texts == {"COMMENT": "Cảm ơn"}


def test_not_applicable_where_the_item_allows_it() -> None:
    assert checked({**FILED, "II.B3": -2}).codes["II.B3"] == NOT_APPLICABLE
    assert errors({**FILED, "II.B2": -2}) == ["II.B2:not_applicable"]


@pytest.mark.parametrize("disposition", ["broken_off", "refused", "not_at_home"])
def test_a_form_not_completed_carries_no_answers(disposition: str) -> None:
    result = checked({}, disposition=disposition)
    assert not result.problems and set(result.codes.values()) == {BROKEN_OFF}
    assert set(result.codes) == {item.code for item in COUNTER.items}
    assert errors({"VISIT": 1}, disposition=disposition) == ["VISIT:not_complete"]


def test_factors_not_drawn_are_neither_asked_nor_answered() -> None:
    """Part 2 of 10 is A and C: the first and the third factor."""
    answers = {code: value for code, value in FILED.items() if not code.startswith("II.B")}
    result = checked(answers, SHORT, part={"factors": (2, 10)})
    assert not result.problems
    left_out = {code for code in AREA_II if code[3] in "BDE"}
    assert {code for code, value in result.codes.items() if value == NOT_DRAWN} == left_out
    assert errors(FILED, SHORT, part={"factors": (2, 10)}) == [f"II.B{n}:not_asked" for n in range(1, 5)]
    missing = {code: value for code, value in answers.items() if code != "II.C2"}
    assert errors(missing, SHORT, part={"factors": (2, 10)}) == ["II.C2:missing"]
    broken = checked({}, SHORT, part={"factors": (2, 10)}, disposition="broken_off").codes
    assert (broken["II.A1"], broken["II.B1"], broken["OVERALL"]) == (BROKEN_OFF, NOT_DRAWN, BROKEN_OFF)


def test_a_form_with_parts_may_be_asked_whole() -> None:
    for part in (None, {}):
        result = checked(RECEIVED, SHORT, part=part)
        assert not result.problems and NOT_DRAWN not in result.codes.values()


def test_every_item_of_a_factor_is_in_the_same_number_of_parts() -> None:
    """So an item's chance is draw / factors, and each pair of factors has one part."""
    assert SHORT.parts is not None
    drawn = [
        {code[3] for code in AREA_II if code not in SHORT.left_out({"factors": (number, 10)})}
        for number in range(1, 11)
    ]
    assert [sorted(factors) for factors in drawn] == [list(pair) for pair in SHORT.parts.drawn()]
    assert Counter(factor for factors in drawn for factor in factors) == dict.fromkeys("ABCDE", 4)
    assert len({frozenset(factors) for factors in drawn}) == SHORT.parts.of == 10


@pytest.mark.parametrize("number", range(1, 11))
def test_the_form_as_drawn_is_the_form_without_what_was_left_out(number: int) -> None:
    part = {"factors": (number, 10)}
    form = SHORT.as_drawn(part)
    assert {item.code for item in SHORT.items} - {item.code for item in form.items} == SHORT.left_out(part)
    assert [item.code for item in form.items] == [code for section in form.sections for code in section.items]
    assert SHORT.as_drawn(None) is SHORT


def test_the_short_form_asks_what_the_counter_form_asks() -> None:
    assert (SHORT.items, SHORT.scales, SHORT.index, SHORT.roles) == (
        COUNTER.items, COUNTER.scales, COUNTER.index, COUNTER.roles
    )  # fmt: skip
    assert COUNTER.parts is None and COUNTER.as_drawn(None) is COUNTER


# ---- check: the problems


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"II.A1": 0}, "II.A1:bad_value"),
        ({"II.A1": 6}, "II.A1:bad_value"),
        ({"II.A1": "4"}, "II.A1:bad_value"),
        ({"II.A1": (4,)}, "II.A1:bad_value"),
        ({"II.A1": ()}, "II.A1:bad_value"),
        ({"II.A1": -1}, "II.A1:bad_value"),
        ({"II.A1": -4}, "II.A1:bad_value"),
        ({"SEX": 3}, "SEX:bad_value"),
        ({"II.D1": 4}, "II.D1:not_asked"),
        ({"II.D1": -3}, "II.D1:not_asked"),
        ({"TIMING": 1}, "TIMING:not_asked"),
        ({"FIELD": 1}, "FIELD:not_asked"),
        ({"FIELD": "dat-dai"}, "FIELD:not_asked"),
        ({"II.F1": 4}, "II.F1:unknown_item"),
        ({"COMMENT": 3}, "COMMENT:bad_value"),
        ({"COMMENT": ""}, "COMMENT:empty"),
        ({"COMMENT": " \n "}, "COMMENT:empty"),
        ({"COMMENT": "a" * 1001}, "COMMENT:too_long"),
    ],
)  # fmt: skip
def test_an_answer_that_does_not_fit_its_item_is_a_problem(change: dict[str, Any], error: str) -> None:
    assert errors({**FILED, **change}) == [error]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"NEWS": ()}, "NEWS:bad_value"),
        ({"NEWS": (1, 3)}, "NEWS:bad_value"),
        ({"NEWS": (-3,)}, "NEWS:bad_value"),
        ({"NEWS": 1}, "NEWS:bad_value"),
        ({"NEWS": "1"}, "NEWS:bad_value"),
        ({"YEARS": 121}, "YEARS:bad_value"),
        ({"YEARS": -1}, "YEARS:bad_value"),
        ({"YEARS": (3,)}, "YEARS:bad_value"),
        ({"YEARS": "30"}, "YEARS:bad_value"),
        ({"VISIT": (1,)}, "VISIT:bad_value"),
    ],
)
def test_answers_of_every_kind_are_held_against_it(change: dict[str, Any], error: str) -> None:
    assert errors(KINDS_GOOD, KINDS) == []
    assert errors({**KINDS_GOOD, **change}, KINDS) == [error]


@pytest.mark.parametrize("code", sorted(FILED))
def test_every_item_asked_must_be_answered(code: str) -> None:
    assert errors({key: value for key, value in FILED.items() if key != code}) == [f"{code}:missing"]


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"field": "cu-tru"}, "FIELD:unknown_field"),
        ({"language": "fr"}, "language:unknown_language"),
        ({"version": "2"}, "questionnaire:other_questionnaire"),
        ({"questionnaire": "other"}, "questionnaire:other_questionnaire"),
        ({"durations": {"II.A9": 10}}, "II.A9:unknown_item"),
        ({"part": {"A": (1, 2)}}, "part.A:bad_part"),
    ],
)
def test_what_stands_around_the_answers_must_fit_the_form_too(change: dict[str, Any], error: str) -> None:
    assert errors(FILED, **change) == [error]


@pytest.mark.parametrize(
    ("part", "found"),
    [
        ({"factors": (1, 9)}, ["part.factors:bad_part"]),
        ({"A": (1, 10)}, ["part.A:bad_part"]),
        ({"factors": (11, 10)}, ["part.factors:bad_part"]),
        ({"factors": (1, 10), "A": (1, 3)}, ["part.factors:bad_part", "part.A:bad_part"]),
    ],
    ids=["another count", "another name", "beyond the last", "two"],
)
def test_a_part_must_be_one_of_the_form(part: dict[str, tuple[int, int]], found: list[str]) -> None:
    assert errors(FILED, SHORT, part=part) == found


def test_limits_belong_to_what_is_allowed() -> None:
    result = checked({**FILED, "COMMENT": "ắ" * 1000})
    assert not result.problems and len(result.texts["COMMENT"]) == 1000
    assert checked({**FILED, "COMMENT": "ắ" * 1001}).texts == {}
    for years in (0, 120):
        assert checked({**KINDS_GOOD, "YEARS": years}, KINDS).codes["YEARS"] == years


def test_a_form_without_the_field_takes_none() -> None:
    form = parse(MINIMAL.encode(), "small.1.toml")
    assert errors({"RESULT": 2}, form, field=None) == []
    assert errors({"RESULT": 2}, form) == ["field:unknown_field"]


def test_an_item_may_forbid_declining() -> None:
    form = parse(FORM.replace('kind = "number"', 'kind = "number"\ndecline = false').encode(), "firm.1.toml")
    assert errors({**KINDS_GOOD, "YEARS": -3}, form) == ["YEARS:not_declinable"]
    assert errors(KINDS_GOOD, parse(FORM.replace('options_from', 'decline = false\noptions_from').encode(), "f"),
                  field=None) == ["FIELD:missing"]  # fmt: skip


# ---- check: what citizens read


@pytest.mark.parametrize(
    ("change", "vi"),
    [
        ({"II.A1": None}, "Xin chọn một câu trả lời, hoặc chọn Không trả lời."),
        ({"II.B2": -2}, "Xin chọn một câu trả lời khác."),
        ({"COMMENT": "a" * 1001}, "Xin viết ngắn hơn: nhiều nhất 1.000 ký tự."),
        ({"COMMENT": " "}, "Xin viết câu trả lời, hoặc chọn Không trả lời."),
        ({"SEX": 9}, "Xin Ông/Bà trả lời lại câu này."),
    ],
)
def test_problems_tell_citizens_what_to_do(change: dict[str, Any], vi: str) -> None:
    answers = {code: value for code, value in {**FILED, **change}.items() if value is not None}
    assert [problem.message["vi"] for problem in checked(answers).problems] == [vi]


def test_problems_of_numbers_and_several_choices_say_what_fits() -> None:
    result = checked({"VISIT": 1, "S.A1": 1, "MUCH": 2, "YEARS": 500}, KINDS)
    assert [problem.message["vi"] for problem in result.problems] == [
        "Xin chọn ít nhất một câu trả lời, hoặc chọn Không trả lời.",
        "Xin nhập một số từ 0 đến 120.",
    ]
    assert result.problems[1].message["en"] == "Please enter a number from 0 to 120."


def test_who_may_not_decline_is_not_told_to() -> None:
    form = parse(FORM.replace('kind = "choices"', 'kind = "choices"\ndecline = false').encode(), "firm.1.toml")
    [problem] = checked({code: value for code, value in KINDS_GOOD.items() if code != "NEWS"}, form).problems
    assert problem.message == {"vi": "Xin chọn ít nhất một câu trả lời.", "en": "Please choose at least one answer."}


def test_what_no_citizen_can_mend_sends_to_the_staff() -> None:
    [problem] = checked({**FILED, "NEW": 1}).problems
    assert problem.message["vi"] == "Phiếu này không gửi được. Xin Ông/Bà báo nhân viên."


def test_every_missing_code_has_a_name_in_both_languages() -> None:
    assert set(MISSING_LABELS) == {NOT_ASKED, NOT_APPLICABLE, DECLINED, BROKEN_OFF, NOT_DRAWN}
    assert all(label["vi"] and label["en"] for label in MISSING_LABELS.values())


# ---- whatever comes

codes = st.sampled_from([item.code for form in (COUNTER, KINDS) for item in form.items]) | st.text(
    string.ascii_uppercase, min_size=1, max_size=3
)
values = (
    st.integers(-6, 8)
    | st.integers()
    | st.booleans()
    | st.none()
    | st.text(max_size=5)
    | st.floats()
    | st.lists(st.integers(-3, 4), max_size=3).map(tuple)
    | st.dictionaries(st.text(max_size=2), st.integers(), max_size=1)
    | st.lists(st.text(max_size=2), max_size=2)
)


@settings(deadline=None)
@given(
    name=st.sampled_from(["counter", "short", "kinds", "chained"]),
    base=st.sampled_from([{}, FILED, RECEIVED, KINDS_GOOD]),
    change=st.dictionaries(codes, values, max_size=6),
    field=st.none() | st.sampled_from(["dat-dai", "xx"]),
    disposition=st.sampled_from(["complete", "complete", "broken_off"]),
    part=st.none()
    | st.dictionaries(st.sampled_from(["factors", "A"]), st.tuples(st.integers(1, 10), st.just(10)), max_size=2),
)
def test_any_answers_give_clean_codes_or_problems_by_item(
    name: str, base: dict[str, Any], change: dict[str, Any], **envelope: Any
) -> None:
    form = {"counter": COUNTER, "short": SHORT, "kinds": KINDS, "chained": CHAINED}[name]
    answers = {**base, **change}
    result = checked(answers, form, **envelope)
    for problem in result.problems:
        assert problem.item and problem.code and problem.message["vi"] and problem.message["en"]
    if result.problems:
        return
    assert set(result.codes) == {item.code for item in form.items}
    for item in form.items:
        value = result.codes[item.code]
        legal = {-1, -3, -4, -5} | ({-2} if item.not_applicable else set())
        if isinstance(value, tuple):
            assert item.kind == "choices" and value and item.codes.issuperset(value)
        elif value not in legal:
            assert type(value) is int
            allowed = range(item.minimum or 0, (item.maximum or 0) + 1) if item.kind == "number" else item.codes or {1}
            assert value in allowed and item.kind != "choices"
        if value == -1:
            assert item.code not in answers
    assert set(result.texts) == {code for code in answers if form.item(code).kind == "text" and result.codes[code] == 1}
