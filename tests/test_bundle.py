"""What a counter's tablet keeps to ask without a network: the bundle, and the pages in it."""

from collections.abc import Iterator, Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from survey_app.store import Store
from survey_app.web.messages import LANGUAGES
from survey_app.web.plain import plain
from survey_app.web.screens import screens
from tests.kiosk_pages import Kiosk, kiosk_at
from tests.served import WAVE, counter, enrol

FORM = counter()


class Templates(HTMLParser):
    """The attributes of every template, and the words inside."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[dict[str, str]] = []
        self.words: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        if tag == "template":
            self.found.append({name: value or "" for name, value in attributes})
            self.words.append("")

    def handle_data(self, data: str) -> None:
        if self.words:
            self.words[-1] += data


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


def bundle(kiosk: Kiosk, **device: Any) -> Mapping[str, Any]:
    _, token = enrol(kiosk.settings, **device)
    told: Mapping[str, Any] = (
        kiosk.app.test_client().get("/api/v1/kiosk", headers={"Authorization": f"Bearer {token}"}).json or {}
    )
    return told


def test_it_holds_the_wave_its_form_and_its_screens(kiosk: Kiosk) -> None:
    told = bundle(kiosk)
    assert (told["wave"], told["questionnaire"], told["version"]) == (WAVE, "counter", "1")
    assert told["form"] == plain(FORM)
    assert [screen["items"] for screen in told["screens"]] == [[i.code for i in s.items] for s in screens(FORM)]
    assert told["screens"][3]["heading"]["stem"]["vi"] == "Xin Ông/Bà cho biết mức độ hài lòng về:"
    assert told["settings"]["idle_seconds"] == kiosk.settings.idle_seconds
    assert told["centre"]["full_name"] == "Trung tâm C01"


@pytest.mark.parametrize("language", LANGUAGES)
def test_every_question_is_there_alone_and_among_those_of_its_screen(kiosk: Kiosk, language: str) -> None:
    found = Templates(bundle(kiosk)["pages"][language])
    questions = [(each["data-question"], "data-solo" in each) for each in found.found if "data-question" in each]
    wanted = [
        (item.code, solo) for s in screens(FORM) for item in s.items for solo in (True, False)[: 1 + (len(s.items) > 1)]
    ]
    assert questions == wanted
    for each, words in zip(found.found, found.words, strict=True):
        if "data-question" in each:
            assert FORM.item(each["data-question"]).text[language] in words
            assert each["data-missing"] and each["data-bad-value"]
    frames = {each["data-frame"] for each in found.found if "data-frame" in each}
    assert frames == {
        "attract", "screen", "last", "summary", "summary-link", "stop", "not-sent", "thanks", "still-there",
        "listened", "trouble", "listen",
    }  # fmt: skip


def test_nothing_of_a_form_without_an_open_wave(kiosk: Kiosk) -> None:
    with Store.open(kiosk.settings) as store:
        store.close_wave(WAVE)
    told = bundle(kiosk)
    assert (told["wave"], told["form"], told["screens"]) == (None, None, [])
    assert Templates(told["pages"]["vi"]).found == []


def test_an_interviewers_tablet_keeps_to_the_pages_of_the_server(kiosk: Kiosk) -> None:
    told = bundle(kiosk, purpose="sample")
    assert (told["purpose"], told["form"], told["screens"]) == ("sample", None, [])


def test_the_pages_hold_no_token_and_no_inline_script_or_style(kiosk: Kiosk) -> None:
    device, token = enrol(kiosk.settings)
    text = kiosk.app.test_client().get("/api/v1/kiosk", headers={"Authorization": f"Bearer {token}"}).get_data(True)
    assert token not in text and device in text
    for language in LANGUAGES:
        html = bundle(kiosk)["pages"][language]
        assert "<script" not in html and "style=" not in html
