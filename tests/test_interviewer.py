"""The interviewer's pages: choose a village, interview or note why not, once a household and never a word about it."""

import errno
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from survey_app.model import PrimaryUnit
from survey_app.store import Store
from survey_app.web.showing import visits
from tests.kiosk_pages import Kiosk, kiosk_at
from tests.served import WAVE as COUNTER_WAVE
from tests.villages import WAVE, Interviewer, interviewer, plan_sample, village_kiosk, visited


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with village_kiosk(tmp_path) as made:
        yield made


@pytest.fixture
def tablet(kiosk: Kiosk) -> Interviewer:
    return interviewer(kiosk)


def stored(kiosk: Kiosk) -> list[tuple[str, str | None]]:
    kiosk.writer.submit(lambda store: None).result()
    return [(response.disposition, response.psu) for response in visited(kiosk.settings)]


def counts(page_words: str) -> list[int]:
    """Visited of drawn, interviewed, refused, not at home, broken off."""
    words = " ".join(page_words.split())
    kinds = "Đã phỏng vấn", "Từ chối", "Không có ai ở nhà", "Dừng giữa chừng"
    found = re.search(r"Đã đến (\d+) / (\d+) hộ.*" + " ".join(rf"{kind} ?(\d+)" for kind in kinds), words)
    assert found, words
    return [int(number) for number in found.groups()]


# ---- the village


def test_the_first_page_lists_the_villages_by_stratum(tablet: Interviewer) -> None:
    page = tablet.open()
    assert page.headings == ["Chọn thôn, tổ dân phố"] and "Khảo sát hộ" in page.words
    places = [page.words.index(words) for words in ("Vùng cao", "Thôn Một", "Thôn Hai", "Vùng thấp", "Tổ 3")]
    assert places == sorted(places)
    assert page.words.count("Đã đến 0 / 4 hộ") == 2


def test_a_village_is_shown_with_what_was_done_there(tablet: Interviewer) -> None:
    page = tablet.go_to("V2")
    assert page.headings == ["Thôn Hai"] and "Vùng cao" in page.words
    assert counts(page.words) == [0, 3, 0, 0, 0, 0]
    assert page.carried["psu"] == "V2"
    assert "Đọc cho Ông/Bà nghe" in page.words and "Ủy ban nhân dân tỉnh Tuyên Quang xin ý kiến" in page.words


def test_in_english_it_stays_english(tablet: Interviewer) -> None:
    page = tablet.open("/?psu=V1&language=en")
    assert '<html lang="en"' in page.html and "Read aloud" in page.words
    assert "Note this household as refused?" in tablet.tap("ask.refused").headings


@pytest.mark.parametrize("count", [18, 60])
def test_long_lists_of_villages_work(tmp_path: Path, count: int) -> None:
    units = tuple(PrimaryUnit(f"T{n:03}", f"Tầng {n % 6}", f"Thôn {n}", 500, 0.01, 30) for n in range(count))
    with kiosk_at(tmp_path) as kiosk:
        kiosk.asked_of_store(lambda store: plan_sample(store, frame=units))
        page = interviewer(kiosk).open()
        found = re.findall(r'href="/\?psu=(T\d+)"', page.html)
        assert sorted(found) == [unit.psu for unit in units]
        assert page.html.count('<section class="stratum"') == 6


@pytest.mark.parametrize("psu", ["", "V9", "<script>", "x" * 500, "V1&psu=V2"])
def test_a_village_that_is_none_leads_to_the_list(tablet: Interviewer, psu: str) -> None:
    page = tablet.client.get("/", query_string={"psu": psu})
    assert page.status_code == 200 and "Chọn thôn, tổ dân phố" in page.get_data(as_text=True)


# ---- the interview


def test_an_interview_names_its_village_and_how_it_was_taken(kiosk: Kiosk, tablet: Interviewer) -> None:
    page = tablet.interview("V2")
    assert "Cảm ơn Ông/Bà" in page.headings and page.headers["Refresh"] == "20; url=/?psu=V2"
    (response,) = visited(kiosk.settings)
    assert (response.psu, response.mode, response.recruitment) == ("V2", "assisted", "invited")
    assert (response.disposition, response.seq, response.field) == ("complete", None, None)
    assert not kiosk.stored(), "nothing of it lies in the counter wave"
    (home,) = re.findall(r'href="(/\?psu=V2)">Hộ tiếp theo', page.html)
    assert counts(tablet.open(home).words) == [1, 3, 1, 0, 0, 0]


def test_an_interview_in_english(kiosk: Kiosk, tablet: Interviewer) -> None:
    assert "Thank you" in tablet.interview("V1", "en").headings
    assert visited(kiosk.settings)[0].language == "en"


def test_the_village_goes_along_on_every_page(tablet: Interviewer) -> None:
    tablet.go_to("V3")
    tablet.tap("start.vi")
    for go in ("size.2", "language.en", "slow.1", "stop", "stay", "next"):
        assert tablet.tap(go).carried["psu"] == "V3"
    assert tablet.page.headers["Refresh"] == "12000; url=/?psu=V3"
    assert tablet.tap("back").headings == ["Tổ 3"]


def test_back_from_the_first_question_leaves_no_record(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    tablet.tap("start.vi")
    assert counts(tablet.tap("back").words) == [0, 4, 0, 0, 0, 0]
    kiosk.clock.pass_by(5000)
    tablet.note("refused")
    assert stored(kiosk) == [("refused", "V1")]


def test_stopping_is_a_break_off_of_the_village_and_counted_at_once(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    tablet.tap("start.vi")
    tablet.tap("next", tablet.answers_here({}))
    tablet.tap("stop")
    assert tablet.tap("leave").headings == ["Thôn Một"]
    assert stored(kiosk) == [("broken_off", "V1")]
    (response,) = visited(kiosk.settings)
    assert (response.mode, response.recruitment, response.seq) == ("assisted", "invited", None)
    assert counts(tablet.go_to("V1").words) == [1, 4, 0, 0, 0, 1]


def test_a_page_left_alone_is_a_break_off_of_the_village(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    tablet.tap("start.vi")
    page = tablet.tap("next", tablet.answers_here({}))
    assert page.headers["Refresh"] == "1200; url=/?psu=V1"
    kiosk.clock.pass_by(1100)
    page = tablet.tap("next")
    assert "Xin bắt đầu lại" not in page.words, "people talk between two touches"
    kiosk.clock.pass_by(5000)
    assert "Xin bắt đầu lại" in tablet.tap("next").words
    tablet.note("not_at_home")
    assert sorted(stored(kiosk)) == [("broken_off", "V1"), ("not_at_home", "V1")]


# ---- no interview


@pytest.mark.parametrize("why", ["refused", "not_at_home"])
def test_a_household_is_noted_once_it_is_meant(kiosk: Kiosk, tablet: Interviewer, why: str) -> None:
    tablet.go_to("V3")
    asked = tablet.tap(f"ask.{why}")
    assert "Tổ 3" in asked.words and stored(kiosk) == []
    assert asked.headers["Refresh"] == "1200; url=/?psu=V3"
    page = tablet.tap(f"record.{why}")
    assert page.headings == ["Tổ 3"] and "Đã ghi: " in page.words
    (response,) = visited(kiosk.settings)
    assert (response.disposition, response.psu, response.mode, response.seq) == (why, "V3", "assisted", None)
    assert set(response.answers.values()) == {-4}
    assert counts(page.words)[0] == 1


def test_noting_twice_is_one_household(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    asked = tablet.tap("ask.refused")
    sent = asked.sends("record.refused", {})
    for _ in range(3):
        kiosk.clock.pass_by(2)
        tablet._follow(tablet.client.post("/household", data=sent))
    assert "đã được ghi trước đó" in tablet.page.words
    other = asked.sends("record.not_at_home", {})
    tablet._follow(tablet.client.post("/household", data=other))
    assert stored(kiosk) == [("refused", "V1")]
    assert not kiosk.asked_of_store(lambda store: store.events(["conflict"]))


def test_a_double_tap_at_the_same_moment_is_one_household(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    sent = tablet.tap("ask.refused").sends("record.refused", {})
    cookie = tablet.client.get_cookie("device")
    assert cookie is not None

    def tap(_: int) -> int:
        client = kiosk.app.test_client()
        client.set_cookie("device", cookie.value)
        return client.post("/household", data=sent).status_code

    with ThreadPoolExecutor(8) as pool:
        assert set(pool.map(tap, range(8))) == {303}
    assert stored(kiosk) == [("refused", "V1")]


def test_a_page_kept_from_before_gets_a_number_of_its_own(kiosk: Kiosk, tablet: Interviewer) -> None:
    page = tablet.go_to("V1")
    tablet.note("refused")
    tablet._follow(tablet.client.post("/survey", data=page.sends("start.vi", {})))
    assert tablet.page.carried["uuid"] != page.carried["uuid"] and tablet.page.carried["psu"] == "V1"
    tablet.walk({})
    tablet.tap("send", tablet.answers_here({}))
    assert stored(kiosk) == [("refused", "V1"), ("complete", "V1")]


def test_a_household_that_refuses_at_the_first_question_is_one(kiosk: Kiosk, tablet: Interviewer) -> None:
    """Begun, gone back through the browser's history, and noted as refused: the interview leaves no trace."""
    tablet.go_to("V1")
    tablet.tap("start.vi")
    tablet.go_to("V1")
    tablet.note("refused")
    kiosk.clock.pass_by(5000)
    tablet.interview("V2")
    assert stored(kiosk) == [("refused", "V1"), ("complete", "V2")]
    with kiosk.app.app_context():
        assert len(visits()) == 0


def test_a_household_noted_from_the_page_it_was_begun_on_is_one(kiosk: Kiosk, tablet: Interviewer) -> None:
    """The same number, from a page kept open: the interview that was begun under it is over."""
    page = tablet.go_to("V1")
    tablet.tap("start.vi")
    tablet.tap("next", tablet.answers_here({}))
    tablet.page = page
    tablet.note("refused")
    kiosk.clock.pass_by(5000)
    tablet.interview("V2")
    assert stored(kiosk) == [("refused", "V1"), ("complete", "V2")]


def test_another_tablet_s_interview_is_left_alone(kiosk: Kiosk, tablet: Interviewer) -> None:
    other = interviewer(kiosk)
    other.go_to("V3")
    other.tap("start.vi")
    tablet.go_to("V1")
    tablet.note("refused")
    other.walk({})
    other.tap("send", other.answers_here({}))
    assert stored(kiosk) == [("refused", "V1"), ("complete", "V3")]


def test_what_could_not_be_recorded_stays_on_the_page(
    kiosk: Kiosk, tablet: Interviewer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def disk_full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    tablet.go_to("V1")
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", disk_full)
        page = tablet.note("refused")
        assert page.status == 503 and page.headings == ["Chưa ghi được"]
    assert "Đã ghi" in tablet.tap("record.refused").words
    tablet.tap("start.vi")
    tablet.walk({})
    with monkeypatch.context() as patch:
        patch.setattr(Store, "record", disk_full)
        page = tablet.tap("send", tablet.answers_here({}))
        assert page.status == 503 and page.carried["psu"] == "V1" and "báo tỉnh" in page.words
    tablet.tap("send")
    assert stored(kiosk) == [("refused", "V1"), ("complete", "V1")]


# ---- what does not belong together


@pytest.mark.parametrize(
    "change",
    [
        {"psu": "V9"},
        {"psu": ""},
        {"psu": "' OR 1=1"},
        {"psu": "\x00"},
        {"wave": COUNTER_WAVE},
        {"wave": "no-such-wave"},
        {"uuid": "x"},
        {"go": "record.complete"},
        {"go": "record.broken_off"},
        {"go": "record"},
        {"go": "ask.<b>"},
        {"go": "nonsense"},
    ],
)
@pytest.mark.parametrize("path", ["/household", "/survey"])
def test_fields_changed_by_hand_lead_to_a_plain_page(
    kiosk: Kiosk, tablet: Interviewer, change: dict[str, str], path: str
) -> None:
    tablet.go_to("V1")
    sent = tablet.tap("ask.refused").sends("record.refused", {})
    sent["go"] = "record.refused" if path == "/household" else "send"
    for name, value in change.items():
        sent[name] = value
    page = tablet._follow(tablet.client.post(path, data=sent))
    assert page.status == 200 and len(page.headings) == 1
    assert stored(kiosk) == []


def test_a_village_of_another_wave_is_refused(kiosk: Kiosk, tablet: Interviewer) -> None:
    other = (PrimaryUnit("W1", "Khác", "Thôn khác", 100, 0.1, 5),)
    kiosk.asked_of_store(lambda store: plan_sample(store, "ho-khac", frame=other, opened=False))
    tablet.go_to("V1")
    sent = tablet.page.sends("ask.refused", {})
    sent["psu"] = "W1"
    assert tablet._follow(tablet.client.post("/household", data=sent)).headings == ["Chọn thôn, tổ dân phố"]
    sent["wave"] = "ho-khac"
    assert tablet._follow(tablet.client.post("/household", data=sent)).headings == ["Chọn thôn, tổ dân phố"]


def test_a_counter_s_tablet_notes_no_household(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    sent = tablet.open().sends("ask.refused", {})
    assert tablet._follow(tablet.client.post("/household", data=sent)).status == 200
    sent["psu"], sent["wave"], sent["go"] = "V1", WAVE, "record.refused"
    assert tablet._follow(tablet.client.post("/household", data=sent)).status == 200
    assert stored(kiosk) == [] and not kiosk.stored("refused")


def test_a_counter_s_tablet_is_as_before(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    page = tablet.open("/?psu=V1")
    assert page.headings == ["Ông/Bà có hài lòng với dịch vụ hôm nay?"] and "psu" not in page.carried
    tablet.fill({"VISIT": 2, "FEEDBACK": 1})
    (response,) = kiosk.stored()
    assert (response.mode, response.recruitment, response.psu) == ("page", "walk_up", None)


def test_without_an_open_sample_wave_there_is_the_notice(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    sent = tablet.page.sends("start.vi", {})
    kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
    assert "Hiện chưa có đợt khảo sát" in tablet.open().headings
    page = tablet._follow(tablet.client.post("/survey", data=sent))
    assert "Hiện chưa có đợt khảo sát" in page.headings


def test_nobody_s_tablet_and_a_withdrawn_one_are_told_so(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    sent = tablet.page.sends("ask.refused", {})
    assert kiosk.app.test_client().post("/household", data=sent).status_code == 403
    kiosk.asked_of_store(lambda store: store.revoke_device("C01-1"))
    assert tablet.client.post("/household", data=sent).status_code == 403


def test_nothing_a_household_answered_is_shown_to_the_next(kiosk: Kiosk, tablet: Interviewer) -> None:
    tablet.go_to("V1")
    tablet.tap("start.vi")
    tablet.walk({})
    pages = [tablet.tap("send", {**tablet.answers_here({}), "COMMENT": "chỉ hộ này biết"}), tablet.go_to("V1")]
    pages += [tablet.open(), tablet.go_to("V2")]
    for page in pages:
        assert not page.choices and not [name for name, _ in page.hidden if name.startswith(("a-", "d-"))]
        assert "chỉ hộ này biết" not in page.html


def test_looking_at_villages_writes_nothing(kiosk: Kiosk, tablet: Interviewer) -> None:
    before = kiosk.settings.store_path.read_bytes()
    for path in ("/", "/?psu=V1", "/?psu=V1&noted=refused", "/household", "/thanks?psu=V1", "/?psu=V1&noted=<b>"):
        assert tablet.open(path).status == 200
    assert kiosk.settings.store_path.read_bytes() == before
