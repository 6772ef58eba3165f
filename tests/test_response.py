"""Strict parsing of what a device sends: what is taken, what is refused, and that nothing else is ever raised."""

import json
import string
import unicodedata
from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey_app.response import KEYS, MAX_PROBLEMS, Response, ResponseError, as_json, parse_response, tidy_text

GOOD: Mapping[str, Any] = {
    "uuid": "0b6e2f9a-1c2d-4e5f-8a9b-abcdefabcdef",
    "seq": 7,
    "wave": "2026-q4",
    "questionnaire": "counter",
    "version": "1",
    "language": "vi",
    "field": "dat-dai",
    "psu": None,
    "mode": "kiosk",
    "recruitment": "walk_up",
    "disposition": "complete",
    "part": {"A": [1, 2]},
    "answers": {"II.A1": 4, "NEWS": [1, 3], "COMMENT": "Tốt\nlắm", "SEX": -3},
    "started": "2026-11-24T08:30:00.250+07:00",
    "submitted": "2026-11-24T01:31:00Z",
    "durations": {"II.A1": 2300},
    "paradata": {"backs": 1},
}


def errors(raw: object) -> tuple[str, ...]:
    with pytest.raises(ResponseError) as caught:
        parse_response(raw)
    assert all(problem.what and problem.remedy for problem in caught.value.problems)
    return caught.value.errors


def test_a_good_response_is_taken_as_it_is() -> None:
    response = parse_response(GOOD)
    assert response.seq == 7 and response.field == "dat-dai" and response.part == {"A": (1, 2)}
    assert response.answers == {"II.A1": 4, "NEWS": (1, 3), "COMMENT": "Tốt\nlắm", "SEX": -3}
    assert response.started == datetime(2026, 11, 24, 1, 30, 0, 250_000, tzinfo=UTC)
    assert response.submitted.tzinfo is UTC


def test_the_canonical_form_is_exactly_this() -> None:
    plain = as_json(parse_response(GOOD))
    changed = {"started": "2026-11-24T01:30:00.250Z", "submitted": "2026-11-24T01:31:00.000Z"}
    assert plain == {**GOOD, **changed}
    assert json.loads(json.dumps(plain)) == plain
    assert tuple(plain) == KEYS == tuple(field.name for field in fields(Response))


def test_only_what_is_meant_counts_not_how_it_is_written() -> None:
    """The same content gives the same canonical form, and so the same hash."""
    other = {
        **GOOD,
        "answers": {"SEX": -3, "COMMENT": unicodedata.normalize("NFD", "Tốt\r\nlắm"), "NEWS": [3, 1], "II.A1": 4},
        "started": "2026-11-24t01:30:00.2509z",
    }
    assert as_json(parse_response(other)) == as_json(parse_response(GOOD))


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("2026-11-24T00:00:00z", "2026-11-24T00:00:00.000Z"),
        ("2026-11-24t00:00:00Z", "2026-11-24T00:00:00.000Z"),
        ("2026-11-24T00:00:00.5Z", "2026-11-24T00:00:00.500Z"),
        ("2026-11-24T00:00:00.0019999Z", "2026-11-24T00:00:00.001Z"),
        ("2026-11-24T00:00:00.123456789-00:00", "2026-11-24T00:00:00.123Z"),
        ("2026-11-24T00:00:00.007+07:00", "2026-11-23T17:00:00.007Z"),
        ("2026-11-23T23:59:59.999-05:30", "2026-11-24T05:29:59.999Z"),
    ],
)
def test_times_are_kept_in_utc_to_the_millisecond(written: str, kept: str) -> None:
    plain = as_json(parse_response({**GOOD, "started": written, "submitted": "2026-11-24T23:59:59Z"}))
    assert plain["started"] == kept


def test_a_page_needs_no_number() -> None:
    assert parse_response({**GOOD, "seq": None, "mode": "page"}).seq is None
    assert errors({**GOOD, "seq": None}) == ("seq:missing",)


A = "0123456789"
REFUSED = [
    # keys
    ({"device": "d1"}, "device:unknown_key"),
    ({"Ông/Bà": 1}, "(key):unknown_key"),
    ({5: 1}, "(key):unknown_key"),
    # identity
    ({"uuid": "0B6E2F9A-1C2D-4E5F-8A9B-ABCDEFABCDEF"}, "uuid:bad_uuid"),
    ({"uuid": "0b6e2f9a-1c2d-1e5f-8a9b-abcdefabcdef"}, "uuid:bad_uuid"),
    ({"uuid": "0b6e2f9a-1c2d-4e5f-ca9b-abcdefabcdef"}, "uuid:bad_uuid"),
    ({"uuid": "0b6e2f9a1c2d4e5f8a9babcdefabcdef"}, "uuid:bad_uuid"),
    ({"uuid": "0b6e2f9a-1c2d-4e5f-8a9b-abcdefabcdef\n"}, "uuid:bad_uuid"),
    ({"uuid": 5}, "uuid:wrong_type"),
    ({"uuid": None}, "uuid:wrong_type"),
    ({"seq": 0}, "seq:out_of_range"),
    ({"seq": -1}, "seq:out_of_range"),
    ({"seq": 2**53}, "seq:out_of_range"),
    ({"seq": 10**5000}, "seq:out_of_range"),
    ({"seq": True}, "seq:wrong_type"),
    ({"seq": 1.0}, "seq:wrong_type"),
    ({"seq": "1"}, "seq:wrong_type"),
    # names
    ({"wave": ""}, "wave:bad_value"),
    ({"wave": "a" * 41}, "wave:bad_value"),
    ({"wave": "q4\n"}, "wave:bad_value"),
    ({"wave": "q4\x00"}, "wave:bad_value"),
    ({"wave": "../q4"}, "wave:bad_value"),
    ({"wave": "q٤"}, "wave:bad_value"),
    ({"wave": None}, "wave:wrong_type"),
    ({"questionnaire": ["counter"]}, "questionnaire:wrong_type"),
    ({"version": 1}, "version:wrong_type"),
    ({"language": "VI"}, "language:bad_value"),
    ({"language": "vietnamese"}, "language:bad_value"),
    ({"field": ""}, "field:bad_value"),
    ({"field": 3}, "field:wrong_type"),
    ({"psu": {"village": 3}}, "psu:wrong_type"),
    ({"mode": "phone"}, "mode:bad_value"),
    ({"mode": None}, "mode:wrong_type"),
    ({"recruitment": "walk-up"}, "recruitment:bad_value"),
    ({"disposition": "partial"}, "disposition:bad_value"),
    ({"disposition": ["complete"]}, "disposition:wrong_type"),
    # parts
    ({"part": []}, "part:wrong_type"),
    ({"part": {"A": 1}}, "part.A:wrong_type"),
    ({"part": {"A": [1, 2, 3]}}, "part.A:wrong_type"),
    ({"part": {"A": [True, 2]}}, "part.A:wrong_type"),
    ({"part": {"A": [0, 2]}}, "part.A:out_of_range"),
    ({"part": {"A": [3, 2]}}, "part.A:out_of_range"),
    ({"part": {"Ă": [1, 2]}}, "part.(key):bad_key"),
    # answers
    ({"answers": []}, "answers:wrong_type"),
    ({"answers": None}, "answers:wrong_type"),
    ({"answers": {"II.A1": 4.0}}, "answers.II.A1:wrong_type"),
    ({"answers": {"II.A1": float("nan")}}, "answers.II.A1:wrong_type"),
    ({"answers": {"II.A1": True}}, "answers.II.A1:wrong_type"),
    ({"answers": {"II.A1": None}}, "answers.II.A1:wrong_type"),
    ({"answers": {"II.A1": {"code": 4}}}, "answers.II.A1:wrong_type"),
    ({"answers": {"II.A1": 2**31}}, "answers.II.A1:out_of_range"),
    ({"answers": {"II.A1": -(10**4000)}}, "answers.II.A1:out_of_range"),
    ({"answers": {"NEWS": [1, [2]]}}, "answers.NEWS:wrong_type"),
    ({"answers": {"NEWS": [1, "2"]}}, "answers.NEWS:wrong_type"),
    ({"answers": {"NEWS": [1, True]}}, "answers.NEWS:wrong_type"),
    ({"answers": {"NEWS": [2, 1, 2]}}, "answers.NEWS:duplicate"),
    ({"answers": {"NEWS": list(range(101))}}, "answers.NEWS:too_many"),
    ({"answers": {"ii.a1": 4}}, "answers.ii.a1:bad_key"),
    ({"answers": {"": 4}}, "answers.(key):bad_key"),
    ({"answers": {"A" * 100_000: 4}}, "answers.(key):bad_key"),
    ({"answers": {4: 4}}, "answers.(key):bad_key"),
    ({"answers": {f"X{n}": 1 for n in range(301)}}, "answers:too_many"),
    ({"answers": {"COMMENT": "a\x00b"}}, "answers.COMMENT:bad_text"),
    ({"answers": {"COMMENT": "a\x1bb"}}, "answers.COMMENT:bad_text"),
    ({"answers": {"COMMENT": "a\rb"}}, "answers.COMMENT:bad_text"),
    ({"answers": {"COMMENT": "a\x85b"}}, "answers.COMMENT:bad_text"),
    ({"answers": {"COMMENT": "a\ud83d"}}, "answers.COMMENT:bad_text"),
    ({"answers": {"COMMENT": "a" * 4001}}, "answers.COMMENT:too_long"),
    # times
    ({"started": "2026-11-24T08:30:00"}, "started:bad_time"),
    ({"started": "2026-11-24"}, "started:bad_time"),
    ({"started": "2026-11-24 08:30:00Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30Z"}, "started:bad_time"),
    ({"started": "20261124T083000Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00+0700"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00,5Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00.Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00Z\n"}, "started:bad_time"),
    ({"started": "２０２６-11-24T08:30:00Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00.٥Z"}, "started:bad_time"),
    ({"started": "2026-02-30T08:30:00Z"}, "started:bad_time"),
    ({"started": "2026-11-24T24:30:00Z"}, "started:bad_time"),
    ({"started": "2026-02-30T08:30:00.000Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:60.000Z"}, "started:bad_time"),
    ({"started": "1969-01-01T00:00:00.000Z"}, "started:bad_time"),
    ({"started": "9999-12-31T23:59:59.999Z"}, "started:bad_time"),
    ({"started": "2026-11-24T08:30:00+25:00"}, "started:bad_time"),
    ({"started": "0001-01-01T00:00:00+07:00"}, "started:bad_time"),
    ({"submitted": "9999-12-31T23:59:59-07:00"}, "submitted:bad_time"),
    ({"submitted": "2026-W48-2T08:30:00Z"}, "submitted:bad_time"),
    ({"submitted": 1795484400}, "submitted:wrong_type"),
    ({"submitted": "2026-11-24T01:30:00.249Z"}, "submitted:before_started"),
    # durations, paradata
    ({"durations": {"II.A1": 1.5}}, "durations.II.A1:wrong_type"),
    ({"durations": {"II.A1": -1}}, "durations.II.A1:out_of_range"),
    ({"durations": {"II.A1": 86_400_001}}, "durations.II.A1:out_of_range"),
    ({"durations": {"a b": 1}}, "durations.(key):bad_key"),
    ({"durations": [["II.A1", 3]]}, "durations:wrong_type"),
    ({"durations": {f"X{n}": 1 for n in range(301)}}, "durations:too_many"),
    ({"paradata": {"backs": "1"}}, "paradata.backs:wrong_type"),
    ({"paradata": {"backs": False}}, "paradata.backs:wrong_type"),
    ({"paradata": {"backs": 2**40}}, "paradata.backs:out_of_range"),
    ({"paradata": {"Backs": 1}}, "paradata.Backs:bad_key"),
    ({"paradata": {f"n{n}": 1 for n in range(51)}}, "paradata:too_many"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "error"), REFUSED, ids=[f"{n}-{case[1]}" for n, case in enumerate(REFUSED)])
def test_what_the_protocol_does_not_name_is_refused(change: dict[Any, Any], error: str) -> None:
    assert errors({**GOOD, **change}) == (error,)


@pytest.mark.parametrize("key", KEYS)
def test_every_key_must_be_there(key: str) -> None:
    assert errors({name: value for name, value in GOOD.items() if name != key}) == (f"{key}:missing",)


@pytest.mark.parametrize("raw", [None, [], "x", 5, [GOOD], b"{}", True])
def test_a_response_is_an_object(raw: object) -> None:
    assert errors(raw) == ("response:wrong_type",)


def test_all_problems_are_told_at_once_up_to_a_limit() -> None:
    assert set(errors({**GOOD, "seq": "1", "mode": "phone"})) == {"seq:wrong_type", "mode:bad_value"}
    assert len(errors({**GOOD, **{f"k{n}": n for n in range(10_000)}})) == MAX_PROBLEMS


def test_what_a_citizen_wrote_is_never_repeated() -> None:
    with pytest.raises(ResponseError) as caught:
        parse_response({**GOOD, "Bí mật": 1, "wave": "bí mật", "answers": {"COMMENT": "bí mật\x00", "bí mật": 1}})
    assert "bí mật" not in str(caught.value).lower()
    assert len(caught.value.problems) == 4


@pytest.mark.parametrize(
    "text",
    [
        "Được ạ 👍🏽",
        "dòng một\n\tdòng hai",
        "a" * 4000,
        "👩‍👩‍👧 \u200e",
        "<script>alert(1)</script>",
        "ﾠ",
        "'; DROP TABLE",
    ],
)
def test_plain_text_is_taken_and_kept_in_nfc(text: str) -> None:
    kept = parse_response({**GOOD, "answers": {"COMMENT": text}}).answers["COMMENT"]
    assert kept == unicodedata.normalize("NFC", text)


def test_text_is_measured_as_it_is_kept() -> None:
    """Normalising can lengthen a text: what is too long as kept is refused, whoever composed it."""
    grows = "\u0958" * 3000  # two characters each in NFC
    assert errors({**GOOD, "answers": {"COMMENT": grows}}) == ("answers.COMMENT:too_long",)


def test_a_letter_cannot_be_buried_in_marks() -> None:
    """Nor does normalising such a text hold up the server; from a page, which tidies first, it is cut."""
    assert parse_response({**GOOD, "answers": {"COMMENT": "a" + "\u0301" * 30}})
    assert errors({**GOOD, "answers": {"COMMENT": "a" + "\u0301\u0316" * 5_000}}) == ("answers.COMMENT:bad_text",)
    assert errors({**GOOD, "answers": {"COMMENT": "a" + "\u0301" * 31}}) == ("answers.COMMENT:bad_text",)
    assert errors({**GOOD, "answers": {"COMMENT": "a" + "\u0344" * 20}}) == ("answers.COMMENT:bad_text",)  # 40 in NFC
    assert tidy_text("a" + "\u0316" * 40 + "b") == "a" + "\u0316" * 30 + "b"


@pytest.mark.parametrize("clock", ["1970-01-01T00:00:00+07:00", "2099-12-31T23:59:59.999999999-12:00"])
def test_a_tablet_with_a_wrong_clock_is_still_heard(clock: str) -> None:
    assert parse_response({**GOOD, "started": clock, "submitted": clock}).started.tzinfo is UTC


# ---- whatever comes

plain = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters(), max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8) | st.integers(), inner, max_size=4),
    max_leaves=12,
)
item = st.text(string.ascii_uppercase + string.digits + ".", min_size=1, max_size=6)
times = st.datetimes(datetime(1970, 1, 2), datetime(2199, 1, 1)).map(lambda moment: moment.isoformat() + "Z") | st.text(
    A + "-:TZ+.", max_size=30
)


@settings(deadline=None)
@given(plain)
def test_any_plain_data_is_taken_or_refused_in_order(raw: object) -> None:
    with pytest.raises(ResponseError):
        parse_response(raw)


@settings(deadline=None)
@given(st.dictionaries(st.sampled_from(KEYS), plain | times, max_size=3), st.dictionaries(item, plain, max_size=5))
def test_any_change_is_taken_or_refused_in_order(change: dict[str, object], answers: dict[str, object]) -> None:
    try:
        response = parse_response({**GOOD, "answers": answers, **change})
    except ResponseError as error:
        assert error.problems and all(problem.code and problem.where for problem in error.problems)
    else:
        assert parse_response(as_json(response)) == response


@settings(deadline=None)
@given(
    st.fixed_dictionaries(
        {
            "uuid": st.uuids(version=4).map(str),
            "seq": st.integers(1, 2**53 - 1),
            "field": st.none() | st.from_regex(r"[a-z][a-z-]{0,20}", fullmatch=True),
            "answers": st.dictionaries(
                st.from_regex(r"[A-Z][A-Z0-9_]{0,5}(\.[A-Z0-9]{1,3})?", fullmatch=True),
                st.integers(-5, 100)
                | st.lists(st.integers(0, 99), unique=True, max_size=5)
                | st.text(st.characters(exclude_categories=("Cc", "Cs")), max_size=50),
                max_size=8,
            ),
            "started": st.datetimes(datetime(1970, 1, 2), datetime(2100, 1, 1)).map(
                lambda at: at.isoformat() + "+07:00"
            ),
        }
    ),
    st.integers(0, 10**7),
)
def test_parsing_the_canonical_form_gives_the_same_response(change: dict[str, Any], milliseconds: int) -> None:
    """What is stored can be read again, and hashing it again gives the same hash."""
    started = datetime.fromisoformat(change["started"])
    submitted = (started + timedelta(milliseconds=milliseconds)).isoformat()
    response = parse_response({**GOOD, **change, "submitted": submitted})
    again = parse_response(json.loads(json.dumps(as_json(response))))
    assert again == response and as_json(again) == as_json(response)
    assert all(
        value == unicodedata.normalize("NFC", value) for value in again.answers.values() if isinstance(value, str)
    )
