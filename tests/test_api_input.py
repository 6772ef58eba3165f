"""Bad input from devices and pages: what each gets, and that nothing of it is stored but as it should be."""

import json
import unicodedata
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from survey_app.model import Wave, stamp
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.kiosk_pages import RECEIVED, kiosk_at
from tests.served import WAVE, counter, enrol, make_field, response, sending

FORM = counter()
DECADE = timedelta(days=3653)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


Post = Callable[..., Any]


@pytest.fixture
def post(app: Flask, settings: Settings) -> Post:
    token = enrol(settings)[1]

    def sent(body: Any, **headers: str) -> Any:
        data = body if isinstance(body, bytes) else json.dumps(body).encode("utf-8", "surrogatepass")
        told = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"} | headers
        return app.test_client().post("/api/v1/responses", data=data, headers=told)

    return sent


def fate(answer: Any) -> tuple[str, tuple[str, ...]]:
    assert answer.status_code == 200, answer.text
    (told,) = answer.json["results"]
    return told["fate"], tuple(told.get("errors", ()))


def kept(settings: Settings) -> list[Any]:
    assert verify(settings) == ()
    with Store.open(settings, write=False) as store:
        return list(store.responses(WAVE))


def comments(settings: Settings) -> list[str]:
    with Store.open(settings, write=False) as store:
        return [text for number in range(1, 9) for text in store.raw_comments(number).values()]


def commented(text: str) -> dict[str, Any]:
    one = response(FORM, 1)
    one["answers"] |= {"COMMENT": text}
    return one


# ---- JSON that is none, or has two meanings

GOOD = json.dumps(sending(response(FORM, 1)))
DOUBLE = GOOD.replace('"seq": 1', '"seq": 1, "seq": 2')
BODIES = {
    "empty": b"",
    "half": GOOD[: len(GOOD) // 2].encode(),
    "two": (GOOD + GOOD).encode(),
    "comma": GOOD.replace("}", ",}").encode(),
    "quotes": GOOD.replace('"', "'").encode(),
    "comment": ("// x\n" + GOOD).encode(),
    "bom": b"\xef\xbb\xbf" + GOOD.encode(),
    "utf-16": GOOD.encode("utf-16"),
    "utf-32": GOOD.encode("utf-32"),
    "latin-1": GOOD.replace("test 1", "thé").encode("latin-1"),
    "overlong": GOOD.encode().replace(b"test 1", b"\xc0\xaf"),
    "raw surrogate": GOOD.encode().replace(b"test 1", b"\xed\xa0\x80"),
    "NUL": GOOD.encode().replace(b"test 1", b"a\x00b"),
    "raw newline": GOOD.encode().replace(b"test 1", b"a\nb"),
    "key twice in the envelope": GOOD.replace('"app"', '"app": "x", "app"').encode(),
    "key twice in a response": DOUBLE.encode(),
    "key twice in answers": GOOD.replace('"VISIT": ', '"VISIT": 2, "VISIT": ').encode(),
    "NaN": GOOD.replace('"seq": 1', '"seq": NaN').encode(),
    "Infinity": GOOD.replace('"seq": 1', '"seq": -Infinity').encode(),
    "digits": GOOD.replace('"seq": 1', '"seq": ' + "1" * 5000).encode(),
    "form": b"sent_at=1&responses=",
    "XML": b'<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b SYSTEM "file:///etc/passwd">]><a>&b;</a>',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_a_body_that_is_no_plain_json_is_refused_whole(post: Post, settings: Settings, body: bytes) -> None:
    answer = post(body)
    assert (answer.status_code, answer.mimetype) == (400, "application/problem+json")
    assert answer.json["type"] == "urn:sipas:problem:bad-request" and answer.json["detail"]
    assert "root:" not in answer.text and kept(settings) == []


# ---- values of the wrong kind

KINDS = {
    "float": 1.0,
    "bool": True,
    "text": "1",
    "null": None,
    "list": [1],
    "object": {},
    "large": 10**400,
    "negative": -9,
}


@pytest.mark.parametrize("place", ["seq", "answer", "duration", "paradata"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_number_of_another_kind_is_rejected(post: Post, settings: Settings, place: str, kind: str) -> None:
    one, value = response(FORM, 1), KINDS[kind]
    if place == "seq":
        one["seq"] = value
    else:
        one[{"answer": "answers", "duration": "durations", "paradata": "paradata"}[place]][
            "II.A1" if place != "paradata" else "back"
        ] = value
    answer = post(sending(one, last_seq=1))
    if (place, kind) == ("paradata", "negative"):
        assert fate(answer)[0] == "stored"
    elif kind == "large":
        assert answer.status_code in {200, 400} and kept(settings) == []
    else:
        assert fate(answer)[0] == "rejected" and kept(settings) == []


# ---- forms, waves and devices that do not belong together


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"wave": "q9-2099"}, "unknown_wave"),
        ({"wave": ""}, "wave:bad_value"),
        ({"questionnaire": "unknown"}, "wrong_questionnaire"),
        ({"version": "2"}, "wrong_questionnaire"),
        ({"version": 1}, "version:wrong_type"),
        ({"field": "unknown"}, None),
        ({"language": "fr"}, None),
        ({"mode": "telepathy"}, "mode:bad_value"),
    ],
    ids=str,
)
def test_what_the_store_does_not_know_is_rejected_and_named(
    post: Post, settings: Settings, change: dict[str, Any], error: str | None
) -> None:
    told, errors = fate(post(sending(response(FORM, 1) | change)))
    assert told == "rejected" and errors and (error is None or error in errors)
    assert kept(settings) == []


@pytest.mark.parametrize("path", ["unknown/1", "counter/2", "counter/1.0", "COUNTER/1"])
def test_an_unknown_form_or_version_is_not_found(app: Flask, settings: Settings, path: str) -> None:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}"}
    answer = app.test_client().get(f"/api/v1/questionnaires/{path}", headers=headers)
    assert (answer.status_code, answer.json["type"]) == (404, "urn:sipas:problem:not-found")


def test_a_device_of_a_centre_outside_the_wave_sends_nothing_into_it(app: Flask, settings: Settings) -> None:
    with Store.open(settings) as store:
        store.create_wave(
            Wave("small", "counter", {"vi": "Nhỏ", "en": "Small"}, FORM.id, FORM.version, ("2026-12",), ("C02",)), FORM
        )
    headers = {"Authorization": f"Bearer {enrol(settings, 'C01')[1]}"}
    one = response(FORM, 1, wave="small")
    told = app.test_client().post("/api/v1/responses", json=sending(one), headers=headers).json["results"][0]
    assert told["fate"] == "rejected" and "centre_not_in_wave" in told["errors"]


# ---- clocks


@pytest.mark.parametrize("off", [-DECADE, DECADE], ids=["ten years slow", "ten years fast"])
def test_a_clock_ten_years_off_is_corrected_and_flagged(post: Post, settings: Settings, off: timedelta) -> None:
    now = datetime.now(UTC)
    there = now + off
    one = response(FORM, 1, started=stamp(there - timedelta(seconds=60)), submitted=stamp(there))
    assert fate(post(sending(one, sent_at=stamp(there))))[0] == "stored"
    (stored,) = kept(settings)
    assert stored.clock and not stored.late and not stored.after_close
    assert abs((stored.local_day - (now + timedelta(hours=7)).date()).days) <= 1


@pytest.mark.parametrize("off", [-DECADE, DECADE], ids=["long ago", "far ahead"])
def test_a_time_of_another_decade_under_a_right_clock_is_flagged(
    post: Post, settings: Settings, off: timedelta
) -> None:
    there = datetime.now(UTC) + off
    one = response(FORM, 1, started=stamp(there), submitted=stamp(there))
    assert fate(post(sending(one)))[0] == "stored"
    assert [stored.clock for stored in kept(settings)] == [True]


@pytest.mark.parametrize(
    "time",
    ["1969-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-24T25:00:00Z", "2026-02-30T08:00:00Z", "2026-11-24 08:00:00Z",
     "2026-11-24T08:00:00", "2026-11-24T08:00:00+99:00", "24/11/2026", "", "now", 1790000000, None, "２026-11-24T08:00:00Z"],
)  # fmt: skip
def test_a_time_that_is_none_is_rejected(post: Post, settings: Settings, time: Any) -> None:
    assert fate(post(sending(response(FORM, 1, submitted=time))))[0] == "rejected"
    assert kept(settings) == []


# ---- Unicode

NFD = unicodedata.normalize("NFD", "Cán bộ tận tình, thủ tục nhanh gọn")


def test_decomposed_vietnamese_is_composed(post: Post, settings: Settings) -> None:
    assert NFD != unicodedata.normalize("NFC", NFD)
    assert fate(post(sending(commented(NFD))))[0] == "stored"
    assert comments(settings) == [unicodedata.normalize("NFC", NFD)]
    assert len(kept(settings)) == 1


def test_both_spellings_are_one_content(post: Post, settings: Settings) -> None:
    one = commented(NFD)
    again = {**one, "answers": one["answers"] | {"COMMENT": unicodedata.normalize("NFC", NFD)}}
    assert [fate(post(sending(each)))[0] for each in (one, again)] == ["stored", "already_stored"]


@pytest.mark.parametrize(
    "text",
    ["a\x00b", "a\x1b[2Jb", "\x7f", "\x85", "\ud800", "a\udfffb", "\udc00\ud800", "a" * 4001, "a" * 1_000_000,
     "e" + "\u0301" * 31, "\u0301" * 100_000],
    ids=lambda text: f"{text[:3]!r} {len(text)}",
)  # fmt: skip
def test_a_text_that_cannot_be_kept_is_rejected_and_never_repeated(post: Post, settings: Settings, text: str) -> None:
    answer = post(sending(commented(text)))
    assert fate(answer)[0] == "rejected" and len(answer.text) < 2000
    assert kept(settings) == [] and comments(settings) == []


@pytest.mark.parametrize(
    "text", ["\u202eđảo ngược\u202c", "\u2066x\u2069", "\u200f", "\ufeffa", "a\u200bb", "👩‍👩‍👧", "\U0010ffff", "\ue000", "ﬁ Ａ", "e" + "\u0301" * 30],
    ids=ascii,
)  # fmt: skip
def test_odd_text_is_kept_as_it_was_given(post: Post, settings: Settings, text: str) -> None:
    assert fate(post(sending(commented(text))))[0] == "stored"
    assert comments(settings) == [unicodedata.normalize("NFC", text)]
    assert len(kept(settings)) == 1


@pytest.mark.parametrize(
    "key", ["uuid", "wave", "questionnaire", "version", "language", "field", "mode", "recruitment", "disposition"]
)
@pytest.mark.parametrize(
    "text", ["\x00", "\ud800", "\u202e", "a" * 100_000, "ệ", "'; DROP TABLE response; --"], ids=ascii
)
def test_odd_text_elsewhere_is_rejected(post: Post, settings: Settings, key: str, text: str) -> None:
    answer = post(sending(response(FORM, 1) | {key: text}))
    told, errors = fate(answer)
    assert told == "rejected" and errors and len(answer.text) < 2000
    assert kept(settings) == []


@pytest.mark.parametrize("text", ["\x00", "\ud800", "a" * 100_000, "\u202e", "ệ"], ids=lambda text: ascii(text)[:12])
@pytest.mark.parametrize("place", ["key", "answer", "paradata"])
def test_odd_names_are_rejected_and_not_repeated(post: Post, settings: Settings, place: str, text: str) -> None:
    one = response(FORM, 1)
    (one if place == "key" else one["answers" if place == "answer" else "paradata"])[text] = 1
    answer = post(sending(one))
    assert fate(answer)[0] == "rejected" and len(answer.text) < 2000
    assert kept(settings) == []


# ---- the same on pages: nobody is turned away for a character


@pytest.mark.parametrize(
    ("typed", "kept_as"),
    [
        (NFD, unicodedata.normalize("NFC", NFD)),
        ("a\x00b\x1bc", "abc"),
        ("\ud800a", "%ED%A0%80a"),  # no UTF-8: stays as it was escaped
        ("dòng một\r\ndòng hai", "dòng một\ndòng hai"),
        ("e" + "\u0301" * 5000, "é" + "\u0301" * 29),
        ("\u202eđảo", "\u202eđảo"),
    ],
    ids=lambda text: f"{text[:3]!r} {len(text)}",
)
def test_a_comment_on_a_page_is_cleaned_not_refused(tmp_path: Path, typed: str, kept_as: str) -> None:
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk(RECEIVED)
        sent = tablet.page.sends("send", tablet.answers_here(RECEIVED))
        body = b"&".join(
            f"{name}=".encode() + b"".join(f"%{byte:02x}".encode() for byte in value.encode("utf-8", "surrogatepass"))
            for name, value in {**sent.to_dict(), "a-COMMENT": typed}.items()
        )
        answer = tablet.client.post("/survey", data=body, content_type="application/x-www-form-urlencoded")
        assert answer.status_code == 303 and "/thanks" in answer.headers["Location"]
        assert len(kiosk.stored()) == 1
        (comment,) = comments(kiosk.settings)
        assert comment.replace("\ufffd", "") == kept_as


def test_a_comment_of_a_megabyte_on_a_page_is_to_be_shortened(tmp_path: Path) -> None:
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        tablet.walk(RECEIVED)
        page = tablet.tap("send", {**tablet.answers_here(RECEIVED), "COMMENT": "a" * 1_000_000})
        assert page.status == 200 and 'id="q-COMMENT-error"' in page.html and len(page.html) < 50_000
        assert kiosk.stored() == []
        assert "Cảm ơn Ông/Bà" in tablet.tap("send", {"COMMENT": "a"}).headings
        assert len(kiosk.stored()) == 1


PAGES_OF_NO_USE = {
    "unknown wave": ("wave", "q9-2099"),
    "no wave": ("wave", ""),
    "made-up uuid": ("uuid", "1"),
    "clock ten years ahead": ("shown", "2036-11-24T08:00:00.000Z"),
    "clock out of reach": ("started", "9999-12-31T23:59:59.999Z"),
    "time without zone": ("shown", "2026-11-24T08:00:00"),
    "size of a house": ("size", "1000000"),
    "language": ("language", "xx"),
    "screen": ("screen", "../../etc"),
    "count": ("backs", "1" * 4000),
    "control": ("wave", "\x00"),
}


@pytest.mark.parametrize("changed", PAGES_OF_NO_USE.values(), ids=PAGES_OF_NO_USE)
def test_a_page_that_is_not_ours_leads_to_the_start(tmp_path: Path, changed: tuple[str, str]) -> None:
    with kiosk_at(tmp_path) as kiosk:
        tablet = kiosk.tablet()
        tablet.begin()
        sent = tablet.page.sends("next", tablet.answers_here(RECEIVED))
        sent[changed[0]] = changed[1]
        page = tablet.send(sent)
        assert page.status == 200 and kiosk.stored() == []
        if changed[0] != "shown" or "2036" not in changed[1]:
            assert "Ông/Bà có hài lòng với dịch vụ hôm nay?" in page.headings
