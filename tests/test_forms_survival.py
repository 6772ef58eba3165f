"""What a citizen answers arrives in the analysis unchanged, by every shipped form; and nothing sent makes it stumble."""

import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.wave.extract import read_extract
from survey_app.extract import write_extract
from survey_app.model import Device
from survey_app.questionnaire import Questionnaire, check
from survey_app.response import Response, ResponseError, parse_response, tidy_text
from survey_app.settings import Settings
from survey_app.store import Store
from tests import ground
from tests.form_walks import FORMS, Walk, turns_of, walk

BATCH = 6
ENVELOPE = ("field", "psu", "disposition", "language")
COUNTER = "counter.1"


class Site:
    """One instance for a form; every example has a wave of its own."""

    def __init__(self, path: Path, form: Questionnaire) -> None:
        self.form, self.numbers = form, count(1)
        self.kind = "counter" if "field" in form.roles else "sample"
        made = ground.make_store(path, opened=False)
        self.settings: Settings = made[0]
        self.store: Store = made[1]
        purpose: Any = self.kind
        self.device: Device = ground.enrolled(self.store, purpose=purpose)

    def field_wave(self, walks: list[Walk]) -> tuple[Path, list[Response]]:
        """Record the walks in a wave and write its extract."""
        id = f"wave-{next(self.numbers)}"
        planned = ground.wave(id, kind=self.kind, questionnaire=self.form.id, version=self.form.version)
        self.store.create_wave(planned, self.form, ground.FRAME if self.kind == "sample" else ())
        self.store.open_wave(id, at=ground.OPENING)
        sent = [self._response(id, place, walk) for place, walk in enumerate(walks)]
        receipts = ground.record(self.store, self.device, *sent)
        assert [(receipt.fate, receipt.errors) for receipt in receipts] == [("stored", ())] * len(sent)
        path = write_extract(self.store, self.settings, id)
        self.store.close_wave(id, at=ground.NOON + timedelta(days=1))
        return path, sent

    def _response(self, wave: str, place: int, walk: Walk) -> Response:
        of_counter = self.kind == "counter"
        return replace(
            ground.response(None, {}),
            seq=next(self.numbers) * BATCH + place,
            wave=wave,
            questionnaire=self.form.id,
            version=self.form.version,
            language=("vi", "en")[place % 2],
            field=("ho-tich", None, "dat-dai")[place % 3] if of_counter and walk.disposition == "complete" else None,
            psu=None if of_counter else ground.FRAME[place % len(ground.FRAME)].psu,
            mode="kiosk" if of_counter else "assisted",
            recruitment="walk_up" if of_counter else "invited",
            disposition=walk.disposition,
            part=walk.part,
            answers=walk.answers,
            durations={},
        )


EVERY_KIND = {**FORMS, "wide.1": ground.widened()}
"""The shipped forms, and one with a number too large for a byte."""


@pytest.fixture(scope="module", params=sorted(EVERY_KIND))
def site(request: pytest.FixtureRequest) -> Iterator[Site]:
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), EVERY_KIND[request.param])
        yield site
        site.store.close()


texts = st.none() | (
    st.text(st.characters(exclude_categories=("Cc", "Cs")) | st.sampled_from("\n\tệĐ"), min_size=1, max_size=30)
    .map(tidy_text)
    .filter(str.strip)
)


@settings(deadline=None, max_examples=12)
@given(data=st.data())
def test_what_is_accepted_reaches_the_table_unchanged(site: Site, data: st.DataObject) -> None:
    turns = st.binary(min_size=turns_of(site.form), max_size=turns_of(site.form))
    drawn = data.draw(st.lists(st.tuples(turns, texts), min_size=1, max_size=BATCH))
    walks = [walk(site.form, list(taken), text) for taken, text in drawn]
    path, sent = site.field_wave(walks)
    extract = read_extract(path)
    names = (*ENVELOPE, *walks[0].columns)
    assert set(walks[0].columns) <= set(extract.responses)
    expected = Counter(
        (*(getattr(response, name) for name in ENVELOPE), *walk.columns.values())
        for response, walk in zip(sent, walks, strict=True)
    )
    assert Counter(zip(*(extract.column(name).tolist() for name in names), strict=True)) == expected
    _assert_comments(site, sent)


def _assert_comments(site: Site, sent: list[Response]) -> None:
    """A comment stays in the store, letter for letter, and never reaches an extract."""
    wave = sent[0].wave
    rows = [row.values for row in site.store.ledger_rows(wave)]
    stored = {str(row["uuid"]): site.store.raw_comments(int(str(row["number"]))) for row in rows}
    for response in sent:
        given = {"COMMENT": response.answers["COMMENT"]} if "COMMENT" in response.answers else {}
        assert stored[response.uuid] == given


# ---- whatever comes

values = st.recursive(
    st.none() | st.booleans() | st.integers(-6, 8) | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=6,
)


def _valid(form: Questionnaire, **changes: Any) -> dict[str, Any]:
    raw = vars(ground.response(1, {}, questionnaire=form.id, version=form.version, field=None, durations={}))
    times = {"started": "2026-10-05T05:00:00.000Z", "submitted": "2026-10-05T05:01:00.000Z"}
    return {**raw, **times, **changes}


@pytest.mark.parametrize("name", sorted(FORMS))
@settings(deadline=None, max_examples=60)
@given(data=st.data())
def test_any_answers_are_clean_or_problems_by_item(name: str, data: st.DataObject) -> None:
    form = FORMS[name]
    codes = st.sampled_from([item.code for item in form.items]) | st.text("AI.1_x", min_size=1, max_size=5)
    answers = dict(
        walk(form, list(data.draw(st.binary(min_size=turns_of(form), max_size=turns_of(form)))), None).answers
    )
    answers |= data.draw(st.dictionaries(codes, values, max_size=5))
    answers = {code: list(value) if isinstance(value, tuple) else value for code, value in answers.items()}
    try:
        response = parse_response(_valid(form, answers=answers))
    except ResponseError as error:
        assert all(problem.where and problem.code for problem in error.problems)
        response = replace(ground.response(1, {}, field=None), questionnaire=form.id, version=form.version)
        response = replace(response, answers=answers, durations={})  # as if the parser had let it pass
    result = check(form, response, frozenset(ground.FIELDS))
    assert all(problem.item and problem.code and problem.message["vi"] for problem in result.problems)
    if not result.problems:
        assert set(result.codes) == {item.code for item in form.items}


@settings(deadline=None, max_examples=60)
@given(raw=values, key=st.sampled_from(sorted(_valid(FORMS[COUNTER]))))
def test_any_value_anywhere_is_a_response_or_its_problems(raw: Any, key: str) -> None:
    form = FORMS[COUNTER]
    for sent in (raw, _valid(form, **{key: raw})):
        try:
            response = parse_response(sent)
        except ResponseError as error:
            assert error.problems
            continue
        assert all(problem.item for problem in check(form, response, frozenset(ground.FIELDS)).problems)
