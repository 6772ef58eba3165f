"""Content hash and chain: what they stand for, and that nothing can move without moving them."""

import dataclasses
import hashlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from survey_app.ledger import GENESIS, canonical, content_hash, link, text_hmac
from tests.ground import response

KEY = b"k" * 32
UUID = "6f6ff7a3-2dd5-4c8e-9f0e-0e2b5c3d4a10"


def test_the_canonical_form_is_compact_sorted_json_of_the_response() -> None:
    content = canonical(response(uuid=UUID), KEY)
    data = json.loads(content)
    again = json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode()
    assert content == again
    assert data["uuid"] == UUID
    assert data["answers"]["II.A1"] == 4


def test_a_text_is_replaced_by_its_hmac_and_occurs_nowhere() -> None:
    content = canonical(response(answers={"COMMENT": "Cán bộ rất tận tình"}), KEY)
    assert "tận tình".encode() not in content
    assert json.loads(content)["answers"]["COMMENT"] == {"hmac": text_hmac("Cán bộ rất tận tình", KEY)}


def test_the_hmac_depends_on_the_instances_key() -> None:
    one = response(uuid=UUID, answers={"COMMENT": "tốt"})
    assert canonical(one, KEY) != canonical(one, b"x" * 32)


def test_the_order_of_answers_does_not_matter() -> None:
    one = response(uuid=UUID)
    turned = dataclasses.replace(one, answers=dict(reversed(one.answers.items())))
    assert canonical(one, KEY) == canonical(turned, KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"answers": {"II.A1": 5}},
        {"answers": {"COMMENT": "khác"}},
        {"field": "dat-dai"},
        {"field": None},
        {"language": "en"},
        {"seq": 2},
        {"durations": {"II.A1": 4201}},
        {"paradata": {}},
        {"part": {"A": (1, 2)}},
    ],
)
def test_whatever_changes_changes_the_hash(change: dict[str, Any]) -> None:
    before = canonical(response(uuid=UUID), KEY)
    after = canonical(response(uuid=UUID, **change), KEY)
    assert content_hash(before) != content_hash(after)


def test_a_link_is_the_sha256_of_head_and_row() -> None:
    row = {"b": 1, "a": "é", "c": None}
    expected = hashlib.sha256(GENESIS.encode() + b'\n{"a":"\xc3\xa9","b":1,"c":null}').hexdigest()
    assert link(GENESIS, row) == expected


@given(
    st.dictionaries(st.text(max_size=5), st.none() | st.integers() | st.text(max_size=9), min_size=1, max_size=5),
    st.data(),
)
def test_altering_any_column_or_the_head_alters_the_link(row: dict[str, Any], data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(sorted(row)))
    value = data.draw((st.none() | st.integers() | st.text(max_size=9)).filter(lambda value: value != row[name]))
    assert link(GENESIS, {**row, name: value}) != link(GENESIS, row)
    assert link("1" * 64, row) != link(GENESIS, row)
