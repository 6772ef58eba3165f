"""A citizen walks through the pages: what is asked, kept, changed, and stored in the end."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import served
from tests.kiosk_pages import FILED, RECEIVED, Kiosk, Tablet, kiosk_at


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


@pytest.fixture
def tablet(kiosk: Kiosk) -> Tablet:
    return kiosk.tablet()


def test_a_whole_visit_is_one_response(kiosk: Kiosk, tablet: Tablet) -> None:
    comment = "Cán bộ rất nhiệt tình.\nCảm ơn!"
    answers = {**RECEIVED, "FIELD": "ho-tich", "II.A1": 5, "II.A2": -3, "II.B3": -2, "TIMING": 3, "COMMENT": comment}
    assert "Cảm ơn Ông/Bà" in tablet.fill(answers).headings
    (stored,) = kiosk.stored()
    assert (stored.mode, stored.seq, stored.recruitment, stored.language) == ("page", None, "walk_up", "vi")
    assert (stored.field, stored.centre, stored.late, stored.after_close) == ("ho-tich", "C01", False, False)
    got = kiosk.asked_of_store(lambda store: store.stored_answers(stored.uuid))
    assert [got[item] for item in ("II.A1", "II.A2", "II.B3", "TIMING", "II.D1", "II.E3")] == [5, -3, -2, 3, 1, 1]
    assert got["COMMENT"] == 1


def test_what_was_written_arrives_line_by_line(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.fill({**FILED, "COMMENT": "một\r\nhai \x07 ba"})
    (text,) = kiosk.asked_of_store(lambda store: [row[0] for row in store._rows("SELECT text FROM comment")])
    assert text == "một\nhai  ba"


def test_every_answer_can_be_declined(kiosk: Kiosk, tablet: Tablet) -> None:
    everything = dict.fromkeys((item.code for item in served.counter().items), -3)
    tablet.fill({code: value for code, value in everything.items() if code != "COMMENT"})
    (stored,) = kiosk.stored()
    got = kiosk.asked_of_store(lambda store: store.stored_answers(stored.uuid))
    assert stored.field is None
    assert {got[item] for item in ("VISIT", "II.A1", "SEX", "COMMENT")} == {-3}
    assert {got[item] for item in ("II.D1", "II.E1", "TIMING")} == {-1}


@pytest.mark.parametrize(
    ("answers", "present", "absent"),
    [
        ({"VISIT": 2, "FEEDBACK": 1}, {"II.D1", "II.E1", "TIMING"}, set()),
        ({"VISIT": 1, "FEEDBACK": 2}, {"BACK"}, {"II.D1", "II.E1", "TIMING"}),
        ({"VISIT": 3, "FEEDBACK": 1}, {"II.E2"}, {"II.D3", "TIMING"}),
        ({"VISIT": -3, "FEEDBACK": -3}, {"II.C3"}, {"II.D2", "II.E1", "TIMING"}),
    ],
)
def test_only_what_the_answers_lead_to_is_asked(
    tablet: Tablet, answers: dict[str, int], present: set[str], absent: set[str]
) -> None:
    tablet.begin()
    seen: set[str] = set()
    while "send" not in tablet.page.buttons:
        seen.update(tablet.page.asked)
        tablet.tap("next", tablet.answers_here(answers))
    assert present <= seen and not absent & seen


def test_the_count_of_questions_never_grows(tablet: Tablet) -> None:
    tablet.begin()
    totals = []
    for number in range(1, 40):
        shown = re.search(r"Câu (\d+) / (\d+)", tablet.page.words)
        assert shown and int(shown[1]) == number
        totals.append(int(shown[2]))
        if "send" in tablet.page.buttons:
            break
        tablet.tap("next", tablet.answers_here(FILED))
    assert totals == sorted(totals, reverse=True)
    assert number == totals[-1]


def test_no_answer_is_preselected(tablet: Tablet) -> None:
    tablet.begin()
    while "send" not in tablet.page.buttons:
        assert not tablet.page.checked
        tablet.tap("next", tablet.answers_here(RECEIVED))


def test_back_shows_the_earlier_answers_and_keeps_the_later(tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.B1")
    tablet.tap("back", {"II.B1": 3})
    assert tablet.page.screen == "II.A1" and tablet.page.checked["a-II.A3"] == ["1"]
    tablet.tap("next", {"II.A3": 5})
    assert tablet.page.checked == {"a-II.B1": ["3"]}
    assert tablet.page.carried["a-II.A3"] == "5"
    assert tablet.page.carried["backs"] == "1"


def test_answers_made_void_on_the_way_back_are_not_sent(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.E1")
    while tablet.page.screen != "VISIT":
        tablet.tap("back")
    tablet.walk(FILED)
    tablet.tap("send")
    (stored,) = kiosk.stored()
    got = kiosk.asked_of_store(lambda store: store.stored_answers(stored.uuid))
    assert (got["VISIT"], got["II.D1"], got["TIMING"], got["II.E1"]) == (1, -1, -1, -1)


@pytest.mark.parametrize("go", ["language.en", "size.3", "slow.1"])
def test_a_change_of_page_loses_no_answer(tablet: Tablet, go: str) -> None:
    tablet.begin()
    tablet.walk({**RECEIVED, "FIELD": "dat-dai"}, until="II.C1")
    before = tablet.page.carried
    tablet.tap(go, {"II.C2": 2})
    assert tablet.page.checked == {"a-II.C2": ["2"]}
    after = tablet.page.carried
    kept = {name: value for name, value in before.items() if name.startswith("a-") or name in ("uuid", "started")}
    assert kept and kept.items() <= after.items()


def test_language_and_size_stay_until_the_thanks(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.tap("language.en")
    tablet.tap("size.2")
    assert '<html lang="en" class="size-2">' in tablet.page.html and "Question 1 / 16" in tablet.page.words
    tablet.walk(RECEIVED)
    tablet.tap("send")
    assert '<html lang="en" class="size-2">' in tablet.page.html and "Thank you" in tablet.page.headings
    assert kiosk.stored()[0].language == "en"


def test_an_unanswered_question_is_asked_again(tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.A1")
    tablet.tap("next", {"II.A2": 4})
    assert tablet.page.screen == "II.A1" and tablet.page.checked == {"a-II.A2": ["4"]}
    assert tablet.page.words.count("Xin chọn một câu trả lời, hoặc chọn Không trả lời.") == 2
    assert '<p class="summary" id="errors" tabindex="-1" autofocus>' in tablet.page.html
    assert 'href="#q-II-A1-1"' in tablet.page.html and 'href="#q-II-A2-1"' not in tablet.page.html
    assert tablet.page.html.count('id="q-II-A1-1"') == 1
    assert 'aria-describedby="q-II-A1-error"' in tablet.page.html


def test_a_form_with_a_hole_is_not_sent(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED)
    sent = tablet.page.sends("send", {})
    del sent["a-II.B2"]
    assert tablet.send(sent).screen == "II.B1" and not kiosk.stored()
    tablet.walk(RECEIVED)
    tablet.tap("send")
    assert len(kiosk.stored()) == 1


def test_the_enter_key_goes_on_and_at_the_end_sends(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    assert tablet.page.buttons[0] == "enter"
    assert tablet.tap("enter", {"FIELD": "dat-dai"}).screen == "VISIT"
    tablet.walk(RECEIVED)
    assert "Cảm ơn Ông/Bà" in tablet.tap("enter").headings
    assert len(kiosk.stored()) == 1


def test_time_on_the_screens_is_shared_by_their_items(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.A1")
    kiosk.clock.pass_by(6)
    tablet.walk(RECEIVED)
    tablet.tap("send")
    content = kiosk.asked_of_store(lambda store: next(store._rows("SELECT content FROM response"))[0])
    assert '"durations":{"II.A1":2000,"II.A2":2000,"II.A3":2000}' in content
