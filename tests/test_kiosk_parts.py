"""Pages without JavaScript on a form that asks each citizen a part: the server draws, and asks no more than was drawn."""

from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.datastructures import MultiDict

from survey_app.questionnaire import BROKEN_OFF, NOT_ASKED, NOT_DRAWN
from survey_app.web.desk import draw
from tests.ground import FORM, SHORT
from tests.kiosk_pages import FILED, RECEIVED, Kiosk, Tablet
from tests.test_forms import kiosk_with


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_with(SHORT, tmp_path) as made:
        yield made


def begin_with(tablet: Tablet, part: int) -> None:
    """Begin until chance draws this part."""
    for _ in range(1000):
        tablet.begin()
        if tablet.page.carried["part"] == str(part):
            return
    raise AssertionError("never drawn")


def altered(tablet: Tablet, **changes: str) -> "MultiDict[str, str]":
    """What the page would send, with hidden fields tampered with."""
    sent = tablet.page.sends("next", tablet.answers_here({}))
    for name, value in changes.items():
        sent[name] = value
    return sent


def test_only_what_was_drawn_is_asked_and_stored_as_drawn(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    for number in (1, 9):  # A and B; C and E
        begin_with(tablet, number)
        drawn = SHORT.parts.drawn()[number - 1]  # type: ignore[union-attr]
        tablet.walk(RECEIVED)
        tablet.tap("send", tablet.answers_here(RECEIVED))
        response = next(one for one in kiosk.stored() if one.part == {"factors": (number, 10)})
        codes = kiosk.asked_of_store(lambda store, uuid=response.uuid: store.stored_answers(uuid))
        for code in SHORT.index.items:  # type: ignore[union-attr]
            assert codes[code] == (1 if code[3] in drawn else NOT_DRAWN)
        assert codes["OVERALL"] == 1 and NOT_ASKED not in codes.values()


def test_the_count_of_questions_is_that_of_the_part(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    begin_with(tablet, 1)
    few = tablet.page.words.split("Câu 1 / ")[1].split()[0]
    begin_with(tablet, 5)  # B and C: one screen more than A and B would be, were A not one screen as well
    assert few == tablet.page.words.split("Câu 1 / ")[1].split()[0]
    begin_with(tablet, 10)
    seen = list(tablet.page.asked)
    while "send" not in tablet.page.buttons:
        tablet.tap("next", tablet.answers_here(FILED))
        seen += tablet.page.asked
    assert not [code for code in seen if code.startswith("II.")], "neither results nor feedback concern this citizen"


def test_every_part_is_drawn_about_as_often() -> None:
    """500 citizens: each of the ten parts has 50 expected; 20 to 90 is beyond four standard errors either way."""
    drawn = Counter(draw(SHORT) for _ in range(500))
    assert sorted(drawn) == list(range(1, 11))
    assert all(20 <= count <= 90 for count in drawn.values())
    assert draw(FORM) == 0


def test_going_back_and_forth_draws_nothing_anew(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    part = tablet.begin().carried["part"]
    tablet.walk(RECEIVED)
    for _ in range(30):
        if "back" not in tablet.page.buttons or tablet.page.screen == "FIELD":
            break
        assert tablet.page.carried["part"] == part
        tablet.tap("back", tablet.answers_here(RECEIVED))
    assert tablet.page.screen == "FIELD" and tablet.page.carried["part"] == part


@pytest.mark.parametrize("part", ["11", "-1", "x", "100"])
def test_another_part_than_the_form_has_leads_to_the_start(kiosk: Kiosk, part: str) -> None:
    tablet = kiosk.tablet()
    tablet.begin()
    assert "screen" in tablet.page.carried and tablet.page.screen
    tablet.send(altered(tablet, part=part))
    assert "start.vi" in tablet.page.buttons
    assert kiosk.stored() == []


def test_a_form_without_parts_draws_none_and_takes_none(tmp_path: Path) -> None:
    with kiosk_with(FORM, tmp_path) as kiosk:
        tablet = kiosk.tablet()
        assert "part" not in tablet.begin().carried
        tablet.send(altered(tablet, part="1"))
        assert "start.vi" in tablet.page.buttons
        tablet.fill(RECEIVED)
        assert [one.part for one in kiosk.stored()] == [None]


def test_who_walks_away_leaves_the_part_and_no_answer(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    begin_with(tablet, 2)
    tablet.tap("next", tablet.answers_here(RECEIVED))
    kiosk.clock.pass_by(3600)
    kiosk.tablet("C02").begin()
    gone = [one for one in kiosk.stored("broken_off") if one.part == {"factors": (2, 10)}]
    codes = kiosk.asked_of_store(lambda store: store.stored_answers(gone[-1].uuid))
    assert (codes["II.A1"], codes["II.C1"], codes["II.B1"]) == (BROKEN_OFF, BROKEN_OFF, NOT_DRAWN)
