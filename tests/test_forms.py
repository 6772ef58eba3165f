"""The two forms for residents: what they ask, of whom, in whose words; and that the pages take all of it."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from analysis.wave.extract import read_extract
from survey_app.extract import write_extract
from survey_app.model import Centre, Wave
from survey_app.questionnaire import NOT_ASKED, Questionnaire, asked
from survey_app.settings import create_instance
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.screens import CARDS, place_of, route, screens
from survey_app.writer import Writer
from tests.form_walks import FORMS
from tests.kiosk_pages import Clock, Kiosk, Tablet
from tests.served import CENTRES, WAVE

COUNTER, WHOLE, EARLIER = FORMS["counter.1"], FORMS["qd1001-2026.1"], FORMS["sipas-2022.1"]
RESIDENTS = [WHOLE, EARLIER]
YES, NO = 1, 2


def name(form: Questionnaire) -> str:
    return form.id


def rows(form: Questionnaire, stem: str) -> list[str]:
    return [item.code for item in form.items if item.code.startswith(stem + ".")]


def factors(form: Questionnaire) -> dict[str, int]:
    assert form.index is not None
    return {factor.code: len(factor.items) for factor in form.index.factors}


# ---- the index


def test_the_whole_form_asks_39_items_in_two_areas_and_nine_factors() -> None:
    assert WHOLE.index and [area.code for area in WHOLE.index.areas] == ["I", "II"]
    assert factors(WHOLE) == {
        "I.A": 2, "I.B": 2, "I.C": 9, "I.D": 10, "II.A": 3, "II.B": 4, "II.C": 3, "II.D": 3, "II.E": 3,
    }  # fmt: skip
    assert len(WHOLE.index.items) == 39


def test_the_form_of_2022_asks_33_items_whose_codes_end_in_the_official_numbers() -> None:
    assert EARLIER.index and [area.code for area in EARLIER.index.areas] == ["I", "II"]
    assert factors(EARLIER) == {
        "I.A": 2, "I.B": 2, "I.C": 8, "I.D": 2, "II.A": 4, "II.B": 4, "II.C": 5, "II.D": 3, "II.E": 3,
    }  # fmt: skip
    assert [int(re.sub(r"\D", "", code)) for code in EARLIER.index.items] == list(range(1, 34))


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
def test_items_of_the_index_lie_on_the_satisfaction_scale_in_their_factors_order(form: Questionnaire) -> None:
    assert form.index is not None
    assert [item.code for item in form.items if item.factor] == list(form.index.items)
    assert {form.item(code).scale for code in form.index.items} == {"satisfaction"}
    assert form.item("I.A1").options == COUNTER.item("II.A1").options
    assert (form.index.item_method, form.index.roll_up) == ("top2", "pooled")
    for code in form.index.items:
        item = form.item(code)
        assert item.factor and item.code.startswith(item.factor) and item.factor.startswith(f"{item.area}.")


def test_area_two_is_asked_in_the_words_of_the_counter_form() -> None:
    assert COUNTER.index is not None
    assert {code: WHOLE.item(code).text for code in COUNTER.index.items} == {
        code: COUNTER.item(code).text for code in COUNTER.index.items
    }


def test_a_code_of_both_forms_may_mean_another_question() -> None:
    """Whoever compares years must go by the text too: these share nothing but the code."""
    shared = {item.code for item in EARLIER.items} & {item.code for item in WHOLE.items}
    differing = {code for code in shared if EARLIER.item(code).text["vi"] != WHOLE.item(code).text["vi"]}
    assert differing == {"I.A1", "I.A2", "I.C5", "I.C6", "I.C7", "I.C8", "I.C9"}


# ---- the other questions


@pytest.mark.parametrize(
    ("stem", "count", "scale", "labels"),
    [
        ("INTEREST", 9, "interest", ["Không quan tâm theo dõi", "Khá quan tâm theo dõi", "Quan tâm theo dõi", "Rất quan tâm theo dõi"]),
        ("CHANNEL", 7, "suitability", ["Không phù hợp", "Khá phù hợp", "Phù hợp", "Rất phù hợp"]),
        ("WAY", 3, "suitability", ["Không phù hợp", "Khá phù hợp", "Phù hợp", "Rất phù hợp"]),
        ("NEED", 10, "wish", ["Không mong muốn", "Khá mong muốn", "Mong muốn", "Rất mong muốn"]),
        ("CONSULT", 4, None, ["Có", "Không"]),
        ("EXPERIENCE", 7, None, ["Có", "Không"]),
    ],
)  # fmt: skip
def test_the_whole_form_asks_every_row_on_its_scale(
    stem: str, count: int, scale: str | None, labels: list[str]
) -> None:
    items = [WHOLE.item(code) for code in rows(WHOLE, stem)]
    assert [item.code for item in items] == [f"{stem}.{number}" for number in range(1, count + 1)]
    assert {item.scale for item in items} == {scale}
    assert {tuple(option.text["vi"] for option in item.options) for item in items} == {tuple(labels)}


def test_the_whole_form_asks_all_else() -> None:
    assert WHOLE.item("CHANNELS").kind == "choices" and len(WHOLE.item("CHANNELS").options) == 7
    assert [len(WHOLE.item(code).options) for code in ("TROUBLE", "UNOFFICIAL")] == [3, 3]
    single = {"CHANNELS", "TROUBLE", "UNOFFICIAL", "COMMENT"}
    person = {"SEX", "AGE", "ETHNICITY", "EDUCATION", "OCCUPATION", "PLACE", "TERRAIN"}
    of_rows = {code for stem in ("INTEREST", "CHANNEL", "CONSULT", "WAY", "EXPERIENCE", "NEED") for code in rows(WHOLE, stem)}  # fmt: skip
    assert WHOLE.index is not None
    assert {item.code for item in WHOLE.items} == single | person | of_rows | set(WHOLE.index.items)


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
def test_who_somebody_is_stays_coarse_and_may_be_declined(form: Questionnaire) -> None:
    for code in ("SEX", "AGE", "ETHNICITY", "EDUCATION", "OCCUPATION", "PLACE"):
        assert form.item(code).options == COUNTER.item(code).options
    assert [option.text["vi"] for option in form.item("TERRAIN").options] == ["Miền núi", "Đồng bằng", "Hải đảo"]
    assert all(item.decline for item in form.items)
    assert [item.code for item in form.items if item.kind in ("text", "number")] == ["COMMENT"]
    assert form.roles == {"comment": "COMMENT"}


# ---- sources and words


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
def test_every_item_says_what_it_rests_on(form: Questionnaire) -> None:
    assert form.index is not None and "no official text" in form.source
    assert all("English ours, unofficial" in item.source for item in form.items)
    assert all(form.item(code).source.startswith("[V of a transcription]") for code in form.index.items)
    assert all("[I]" in item.source for item in form.items if item.conditions), "the routing is inferred"


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
def test_citizens_read_no_abbreviations_and_not_the_ministrys_name(form: Questionnaire) -> None:
    texts = [form.title["vi"], form.intro["vi"], form.authority["vi"]]
    texts += [words["vi"] for section in form.sections for words in (section.title, section.stem) if words]
    for item in form.items:
        texts += [item.text["vi"], (item.hint or {"vi": ""})["vi"], *(option.text["vi"] for option in item.options)]
    assert [text for text in texts if re.search(r"\b[A-ZĐ]{2,}\b", text)] == []
    assert not any("Bộ Nội vụ" in text for text in texts)
    first, second = form.intro["vi"].split("\n")
    assert form.authority["vi"] in first and "phút" in first and "tự nguyện" in second and "ẩn danh" in second


# ---- routing


def asked_factors(form: Questionnaire, answers: Mapping[str, Any]) -> set[str]:
    assert form.index is not None
    found = {factor.code: {asked(form, code, answers) for code in factor.items} for factor in form.index.factors}
    assert all(len(whole) == 1 for whole in found.values()), "a factor is asked whole or not at all"
    return {code for code, whole in found.items() if whole == {True}}


POLICY, SERVICES, FEEDBACK = {"I.A", "I.B", "I.C", "I.D"}, {"II.A", "II.B", "II.C", "II.D"}, {"II.E"}
CASES: list[tuple[Questionnaire, dict[str, int], set[str]]] = [
    (WHOLE, {}, POLICY),
    (WHOLE, {"EXPERIENCE.3": NO, "EXPERIENCE.4": NO, "EXPERIENCE.7": NO}, POLICY),
    (WHOLE, {"EXPERIENCE.3": -3, "EXPERIENCE.4": -3, "EXPERIENCE.7": -3}, POLICY),
    (WHOLE, {"EXPERIENCE.3": YES, "EXPERIENCE.4": NO}, POLICY | SERVICES),
    (WHOLE, {"EXPERIENCE.3": NO, "EXPERIENCE.4": YES}, POLICY | SERVICES),
    (WHOLE, {"EXPERIENCE.3": YES, "EXPERIENCE.4": YES}, POLICY | SERVICES),
    (WHOLE, {"EXPERIENCE.3": -3, "EXPERIENCE.4": YES, "EXPERIENCE.7": YES}, POLICY | SERVICES | FEEDBACK),
    (WHOLE, {"EXPERIENCE.1": YES, "EXPERIENCE.5": YES, "EXPERIENCE.7": YES}, POLICY | FEEDBACK),
    (EARLIER, {}, POLICY),
    (EARLIER, {"PROCEDURE": YES, "FEEDBACK": NO}, POLICY | SERVICES),
    (EARLIER, {"PROCEDURE": NO, "FEEDBACK": YES}, POLICY | FEEDBACK),
]


@pytest.mark.parametrize(("form", "answers", "factors"), CASES)
def test_services_are_rated_by_those_who_used_them(
    form: Questionnaire, answers: dict[str, int], factors: set[str]
) -> None:
    assert asked_factors(form, answers) == factors


def test_the_count_of_screens_never_grows_on_the_way() -> None:
    everybody = len(route(WHOLE, {}))
    assert len(route(WHOLE, {"EXPERIENCE.3": NO})) == everybody, "the other centre may still come"
    neither = len(route(WHOLE, {"EXPERIENCE.3": NO, "EXPERIENCE.4": -3}))
    assert everybody - neither == 5, "screens of II.A to II.D"
    assert place_of(WHOLE, {"EXPERIENCE.3": NO, "EXPERIENCE.4": NO, "EXPERIENCE.7": NO}, "PLACE").total == neither - 1


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
def test_rows_of_one_question_share_screens(form: Questionnaire) -> None:
    every = screens(form)
    assert [item for screen in every for item in screen.items] == list(form.items)
    assert all(len(screen.items) <= CARDS for screen in every)
    assert len(every) == {"qd1001-2026": 38, "sipas-2022": 20}[form.id]


# ---- the pages


@contextmanager
def kiosk_with(form: Questionnaire, path: Path) -> Iterator[Kiosk]:
    """A counter wave with a form that asks for no service field: it must not break the pages."""
    settings = create_instance(path / "instance")
    with Store.create(settings) as store:
        store.add_centres([Centre(code, code, f"Trung tâm {code}", "commune", "G1") for code in CENTRES])
        title = {"vi": "Thử", "en": "Trial"}
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), CENTRES), form)
        store.open_wave(WAVE)
    clock = Clock()
    with Writer(settings) as writer:
        yield Kiosk(create_app(settings, writer=writer, clock=clock, development_http=True), settings, clock, writer)


def stored(kiosk: Kiosk) -> Mapping[str, Any]:
    [response] = kiosk.stored()
    codes: Mapping[str, Any] = kiosk.asked_of_store(lambda store: store.stored_answers(response.uuid))
    return codes


@pytest.mark.parametrize("form", RESIDENTS, ids=name)
@pytest.mark.parametrize("language", ["vi", "en"])
def test_the_pages_take_the_whole_form(form: Questionnaire, language: str, tmp_path: Path) -> None:
    with kiosk_with(form, tmp_path) as kiosk:
        kiosk.tablet().fill({"COMMENT": "Xin cảm ơn"}, language)
        codes = stored(kiosk)
        assert set(codes) == {item.code for item in form.items}
        assert NOT_ASKED not in codes.values() and codes["COMMENT"] == 1
        path = kiosk.asked_of_store(lambda store: write_extract(store, kiosk.settings, WAVE))
    extract = read_extract(path)
    assert extract.n == 1 and extract.column("field").tolist() == [None] and "COMMENT" not in extract.responses
    assert extract.role("visit") is None and extract.role("overall") is None
    assert all(extract.column(code).tolist() == [1] for code in extract.codebook.index.items)


def test_who_used_no_service_is_not_asked_about_any(tmp_path: Path) -> None:
    answers = {"EXPERIENCE.3": NO, "EXPERIENCE.4": NO, "EXPERIENCE.7": NO}
    with kiosk_with(WHOLE, tmp_path) as kiosk:
        kiosk.tablet().fill(answers)
        codes = stored(kiosk)
    assert {code for code, value in codes.items() if value == NOT_ASKED} == set(rows_of_services())


def test_going_back_and_saying_no_makes_the_answers_void(tmp_path: Path) -> None:
    with kiosk_with(WHOLE, tmp_path) as kiosk:
        tablet: Tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk({}, until="EXPERIENCE.6")
        tablet.walk({"EXPERIENCE.7": NO}, until="NEED.1")
        assert "a-II.D3" in tablet.page.carried
        for _ in range(20):
            if tablet.page.screen == "EXPERIENCE.1":
                break
            tablet.tap("back")
        tablet.tap("next", {"EXPERIENCE.3": NO})
        tablet.tap("next", {"EXPERIENCE.4": NO})
        tablet.walk({"EXPERIENCE.7": NO})
        tablet.tap("send", tablet.answers_here({}))
        codes = stored(kiosk)
    assert {code for code, value in codes.items() if value == NOT_ASKED} == set(rows_of_services())


def rows_of_services() -> list[str]:
    assert WHOLE.index is not None
    return [code for code in WHOLE.index.items if code.startswith("II.")]


@pytest.mark.parametrize(
    ("chosen", "code"), [((1,), (1,)), ((2, 6, 7), (2, 6, 7)), ((-3,), -3)], ids=["one", "several", "declined"]
)
def test_several_channels_or_none_named(tmp_path: Path, chosen: tuple[int, ...], code: Any) -> None:
    with kiosk_with(WHOLE, tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk({}, until="CHANNELS")
        sent = tablet.page.sends("next", {})
        sent.setlist("a-CHANNELS", [str(one) for one in chosen])
        tablet.send(sent)
        tablet.walk({})
        tablet.tap("send", tablet.answers_here({}))
        assert stored(kiosk)["CHANNELS"] == code


def test_a_channel_and_no_answer_at_once_is_asked_again(tmp_path: Path) -> None:
    with kiosk_with(WHOLE, tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk({}, until="CHANNELS")
        sent = tablet.page.sends("next", {})
        sent.setlist("a-CHANNELS", ["1", "-3"])
        page = tablet.send(sent)
    assert page.screen == "CHANNELS" and page.checked["a-CHANNELS"] == ["1", "-3"]
    assert "Xin chọn một hoặc nhiều câu trả lời, hoặc chỉ chọn Không trả lời." in page.words
