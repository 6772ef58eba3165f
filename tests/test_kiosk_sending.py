"""Never a lost and never a second response: taps that come twice, pages that come back, a store that fails."""

import errno
import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from survey_app.store import Store
from survey_app.web.showing import visits
from tests.kiosk_pages import FILED, RECEIVED, Kiosk, Tablet, kiosk_at
from tests.served import WAVE

THANKS = "Cảm ơn Ông/Bà"
BAD_UUIDS = (
    "",
    "x",
    "6a4770ba-e81f-11f1-a19c-02fc00000001",  # of version 1
    "292D1FBF-D843-4034-9143-D0A7D5C17DE2",  # in capitals
    "' OR 1=1 --",
)
BAD_TIMES = (
    "",
    "yesterday",
    "2026-13-01T00:00:00.000Z",
    "9999-99-99T99:99:99.999Z",
    "0001-01-01T00:00:00.000Z",
    "9999-12-31T23:59:59.999Z",
)
START = "Ông/Bà có hài lòng với dịch vụ hôm nay?"


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


@pytest.fixture
def tablet(kiosk: Kiosk) -> Tablet:
    return kiosk.tablet()


def _ready(tablet: Tablet) -> Tablet:
    tablet.begin()
    tablet.walk({**RECEIVED, "II.A1": 5})
    return tablet


# ---- twice


def test_sending_twice_is_one_response_and_thanks_again(kiosk: Kiosk, tablet: Tablet) -> None:
    sent = _ready(tablet).page.sends("send", {})
    for _ in range(3):
        kiosk.clock.pass_by(2)
        assert THANKS in tablet.send(sent).headings
    assert len(kiosk.stored()) == 1
    assert not kiosk.asked_of_store(lambda store: store.events(["conflict"]))


def test_a_double_tap_at_the_same_moment_is_one_response(kiosk: Kiosk, tablet: Tablet) -> None:
    sent = _ready(tablet).page.sends("send", {})

    def tap(_: int) -> list[str]:
        other = Tablet(kiosk.app.test_client())
        other.client.set_cookie("device", tablet.client.get_cookie("device").value)  # type: ignore[union-attr]
        return other.send(sent).headings

    with ThreadPoolExecutor(8) as pool:
        assert all(THANKS in headings for headings in pool.map(tap, range(8)))
    assert len(kiosk.stored()) == 1


def test_a_double_tap_on_start_begins_one_visit(kiosk: Kiosk, tablet: Tablet) -> None:
    first, second = (tablet.open(), tablet.page)
    sent = first.sends("start.vi", {})
    uuids = {tablet.send(sent).carried["uuid"] for _ in range(2)}
    assert uuids == {second.carried["uuid"]}
    with kiosk.app.app_context():
        assert len(visits()) == 1


def test_back_to_the_last_screen_and_another_answer_keeps_both_and_counts_one(kiosk: Kiosk, tablet: Tablet) -> None:
    page = _ready(tablet).page
    tablet.send(page.sends("send", {}))
    assert THANKS in tablet.send(page.sends("send", {"II.A1": 1})).headings
    (stored,) = kiosk.stored()
    got = kiosk.asked_of_store(lambda store: store.stored_answers(stored.uuid))
    assert got["II.A1"] == 5
    assert len(kiosk.asked_of_store(lambda store: store.events(["conflict"]))) == 1


def test_two_tabs_of_one_visit_are_one_response(kiosk: Kiosk, tablet: Tablet) -> None:
    page = _ready(tablet).page
    other = Tablet(tablet.client)
    other.page = page
    other.tap("back")
    tablet.tap("send")
    assert THANKS in other.tap("next").headings
    assert len(kiosk.stored()) == 1


def test_two_visits_in_two_tabs_are_two_responses(kiosk: Kiosk, tablet: Tablet) -> None:
    other = Tablet(tablet.client)
    tablet.begin()
    other.begin("en")
    tablet.walk(RECEIVED)
    other.walk(FILED)
    assert THANKS in tablet.tap("send").headings and "Thank you" in other.tap("send").headings
    assert {response.language for response in kiosk.stored()} == {"vi", "en"}


def test_a_start_page_kept_from_before_never_reuses_its_uuid(kiosk: Kiosk, tablet: Tablet) -> None:
    start = tablet.open().sends("start.vi", {})
    for answers in (RECEIVED, FILED):
        tablet.send(start)
        tablet.walk(answers)
        tablet.tap("send")
    assert len({response.uuid for response in kiosk.stored()}) == 2
    assert not kiosk.asked_of_store(lambda store: store.events(["conflict"]))


# ---- the citizen before


@pytest.mark.parametrize("go", ["next", "back", "language.en", "size.2", "stop", "leave", "nonsense"])
def test_a_page_from_before_sending_shows_no_answers_again(tablet: Tablet, go: str) -> None:
    page = _ready(tablet).page
    tablet.send(page.sends("send", {}))
    assert THANKS in tablet.send(page.sends(go, {})).headings
    assert tablet.page.hidden == [] and tablet.page.choices == {}


def test_a_page_that_went_back_to_the_start_by_itself_shows_no_answers_again(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    page = tablet.walk(RECEIVED, until="II.C1")
    kiosk.clock.pass_by(kiosk.settings.idle_seconds * 3 + 31)
    tablet.send(page.sends("next", {}))
    assert START in tablet.page.headings and "a-II" not in tablet.page.html


def test_the_address_alone_shows_the_start_page(tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.C1")
    assert START in tablet.open("/survey").headings


def test_the_thanks_hold_no_answer(tablet: Tablet) -> None:
    tablet.fill({**RECEIVED, "COMMENT": "riêng của tôi"})
    assert tablet.page.hidden == [] and tablet.page.choices == {} and "riêng của tôi" not in tablet.page.html


# ---- who walks away


def test_one_who_walks_away_is_counted_without_answers(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    uuid_ = tablet.walk(RECEIVED, until="II.C1").carried["uuid"]
    kiosk.clock.pass_by(kiosk.settings.idle_seconds + 31)
    assert kiosk.stored("broken_off") == []
    tablet.begin()
    (left,) = kiosk.stored("broken_off")
    assert left.uuid != uuid_ and left.field is None and set(left.answers.values()) == {-4}
    content = kiosk.asked_of_store(lambda store: next(store._rows("SELECT content FROM response"))[0])
    assert json.loads(content)["paradata"] == {"screens_done": 6, "screens_total": 16}
    tablet.begin()
    assert len(kiosk.stored("broken_off")) == 1


def test_one_who_sends_late_after_all_is_not_lost(kiosk: Kiosk, tablet: Tablet) -> None:
    page = _ready(tablet).page
    kiosk.clock.pass_by(kiosk.settings.idle_seconds * 3 + 31)
    Tablet(tablet.client).begin()
    assert len(kiosk.stored("broken_off")) == 1
    assert THANKS in tablet.send(page.sends("send", {})).headings
    assert len(kiosk.stored()) == 1
    assert not kiosk.asked_of_store(lambda store: store.events(["conflict", "rejected"]))


def test_one_who_stops_is_asked_first_and_then_counted(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.walk(RECEIVED, until="II.B1")
    assert "Ông/Bà muốn dừng lại?" in tablet.tap("stop").headings
    assert tablet.tap("stay").screen == "II.B1" and tablet.page.carried["a-II.A1"] == "1"
    page = tablet.tap("stop")
    assert START in tablet.tap("leave").headings
    assert START in tablet.send(page.sends("stay", {})).headings
    tablet.begin()
    assert len(kiosk.stored("broken_off")) == 1 and not kiosk.stored()


def test_back_from_the_first_question_is_no_visit(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    assert START in tablet.tap("back").headings
    kiosk.clock.pass_by(3600)
    tablet.begin()
    assert kiosk.stored("broken_off") == []


def test_who_answers_slowly_is_left_in_peace(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    tablet.tap("slow.1")
    while "send" not in tablet.page.buttons:
        kiosk.clock.pass_by(kiosk.settings.idle_seconds * 9)
        tablet.tap("next", tablet.answers_here(RECEIVED))
        Tablet(tablet.client).begin()
    tablet.tap("send")
    assert len(kiosk.stored()) == 1


def test_what_could_not_be_noted_is_noted_with_the_next_citizen(
    kiosk: Kiosk, tablet: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    tablet.begin()
    kiosk.clock.pass_by(kiosk.settings.idle_seconds + 31)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", _disk_full)
        assert tablet.begin().status == 200
        assert kiosk.stored("broken_off") == []
    tablet.begin()
    assert len(kiosk.stored("broken_off")) == 1


# ---- a store that fails


def _disk_full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("failure", [_disk_full, lambda *_, **__: 1 / 0], ids=["disk full", "a bug"])
def test_a_form_that_could_not_be_stored_stays_on_the_page(
    kiosk: Kiosk, tablet: Tablet, monkeypatch: pytest.MonkeyPatch, failure: object
) -> None:
    comment = 'Nói thật: "tốt" & <nhanh>\ndòng hai'
    _ready(tablet)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", failure)
        page = tablet.tap("send", {"COMMENT": comment})
        assert page.status == 503 and "Chưa gửi được" in page.headings
        assert page.headers["Refresh"] == "1200; url=/"
        assert page.carried["a-II.A1"] == "5" and page.carried["a-COMMENT"] == comment
        assert tablet.tap("send").status == 503
    assert THANKS in tablet.tap("send").headings
    assert len(kiosk.stored()) == 1


def test_back_from_a_form_that_could_not_be_stored(tablet: Tablet, monkeypatch: pytest.MonkeyPatch) -> None:
    _ready(tablet)
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", _disk_full)
        tablet.tap("send", {"COMMENT": "giữ lại"})
    assert tablet.tap("stay").texts == {"a-COMMENT": "giữ lại"}


def test_a_form_that_the_store_refuses_stays_on_the_page(
    kiosk: Kiosk, tablet: Tablet, monkeypatch: pytest.MonkeyPatch
) -> None:
    _ready(tablet)
    with monkeypatch.context() as patch:
        patch.setattr("survey_app.store.recording.refusals", lambda *_: ("wrong_questionnaire",))
        assert "Chưa gửi được" in tablet.tap("send").headings
    assert THANKS in tablet.tap("send").headings
    assert len(kiosk.stored()) == 1


# ---- a wave that ends


def test_a_form_begun_before_the_closing_is_still_taken(kiosk: Kiosk, tablet: Tablet) -> None:
    _ready(tablet)
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    assert THANKS in tablet.tap("send").headings
    assert len(kiosk.stored()) == 1
    assert "Hiện chưa có đợt khảo sát" in tablet.open().headings


def test_a_start_page_of_a_wave_that_closed_begins_nothing(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.open()
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    assert "Hiện chưa có đợt khảo sát" in tablet.tap("start.vi").headings


# ---- hands on the hidden fields


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("uuid", bad) for bad in BAD_UUIDS),
        *((name, bad) for name in ("started", "shown") for bad in BAD_TIMES),
        *(("wave", bad) for bad in ("", "../etc", "no-such-wave", "<b>")),
        *(("screen", bad) for bad in ("II.Z9", "<script>", "II.A1\x00", "a" * 5000)),
        *(("language", bad) for bad in ("", "fr", "vi<")),
        *(("size", bad) for bad in ("", "0", "99", "x")),
        *(("backs", bad) for bad in ("-1", "1.5", "9" * 30, "")),
        *(("d-II.A1", bad) for bad in ("-5", "x", "9" * 20)),
        ("d-<script>", "5"),
        ("slow", "yes"),
    ],
)
@pytest.mark.parametrize("go", ["next", "send"])
def test_a_sheet_that_is_not_ours_leads_to_the_start(
    kiosk: Kiosk, tablet: Tablet, name: str, value: str, go: str
) -> None:
    page = _ready(tablet).page
    sent = page.sends(go, {})
    sent[name] = value
    tablet.send(sent)
    assert tablet.page.status == 200
    if name == "screen" and value == "II.Z9" and go == "send":
        assert THANKS in tablet.page.headings
    else:
        assert START in tablet.page.headings and "Xin bắt đầu lại" in tablet.page.words
        assert not kiosk.stored()


@pytest.mark.parametrize(
    ("item", "value"),
    [
        *(("II.A1", bad) for bad in ("6", "0", "-1", "-2", "-4", "x", "", "4.0", "9" * 40, "٣", "4\x00")),
        *(("FIELD", bad) for bad in ("", "nowhere", "<script>", "-2", "x" * 500)),
        ("VISIT", "9"),
        ("SEX", "-2"),
        ("COMMENT", "x" * 1001),
        ("COMMENT", "x" * 100_000),
    ],
)
def test_an_answer_that_is_none_is_asked_again(kiosk: Kiosk, tablet: Tablet, item: str, value: str) -> None:
    sent = _ready(tablet).page.sends("send", {})
    sent["a-" + item] = value
    tablet.send(sent)
    assert tablet.page.status == 200 and "a-" + item in {*tablet.page.choices, *tablet.page.texts}
    assert "Xin trả lời thêm câu" in tablet.page.words
    assert not kiosk.stored()


def test_an_answer_to_a_question_not_asked_is_left_out(kiosk: Kiosk, tablet: Tablet) -> None:
    tablet.begin()
    sent = tablet.walk(FILED).sends("send", {})
    sent["a-II.D1"] = "5"
    sent["a-NOSUCH"] = "5"
    sent["centre"] = "C03"
    assert THANKS in tablet.send(sent).headings
    assert kiosk.stored()[0].centre == "C01"


def test_an_empty_or_strange_post_is_no_failure(tablet: Tablet) -> None:
    for data in ({}, {"go": "send"}, {"go": ""}, {"go": "start.xx"}, {"\x00": "\x00"}):
        answer = tablet.client.post("/survey", data=data, follow_redirects=True)
        assert answer.status_code == 200
    assert tablet.client.post("/survey", data=b"\xff\xfe", content_type="text/plain").status_code in (303, 400, 415)
