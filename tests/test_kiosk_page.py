"""What holds for every page: headers, weight, words, type, and which questions share a screen."""

import gzip
import hashlib
import re
import tomllib
import unicodedata
from collections.abc import Iterator
from dataclasses import replace
from importlib.resources import files
from itertools import product
from pathlib import Path

import pytest
from fontTools.ttLib import TTFont

import survey_app.web
from survey_app.messages import messages
from survey_app.model import Wave
from survey_app.questionnaire import Questionnaire, load, shipped
from survey_app.questionnaire.words import message
from survey_app.store import Store
from survey_app.web.messages import LANGUAGES, say
from survey_app.web.screens import CARDS, place_of, route, screens
from tests.kiosk_pages import FILED, RECEIVED, Kiosk, Page, Tablet, kiosk_at
from tests.served import CENTRES, WAVE, counter

ROOT = Path(__file__).resolve().parent.parent
WEB = Path(survey_app.web.__file__).parent
VOWELS = "aăâeêioôơuưy"
VIETNAMESE = "".join(
    sorted({case(letter + mark) for letter in VOWELS for mark in ("", *"\u0300\u0309\u0303\u0301\u0323") for case in (str.lower, str.upper)})
)  # fmt: skip


@pytest.fixture
def kiosk(tmp_path: Path) -> Iterator[Kiosk]:
    with kiosk_at(tmp_path) as made:
        yield made


def _every_page(kiosk: Kiosk) -> Iterator[Page]:
    yield Tablet(kiosk.app.test_client()).open("/")
    yield Tablet(kiosk.app.test_client()).open("/enrol")
    tablet = kiosk.tablet()
    yield tablet.open()
    for language in LANGUAGES:
        tablet.begin(language)
        while "send" not in tablet.page.buttons:
            yield tablet.page
            yield tablet.tap("next")
            tablet.tap("next", tablet.answers_here(RECEIVED))
        yield tablet.page
        yield tablet.tap("stop")
        tablet.tap("stay")
        yield tablet.tap("send")


# ---- every page


def test_every_page_is_plain_safe_and_forgotten(kiosk: Kiosk) -> None:
    count = 0
    for page in _every_page(kiosk):
        count += 1
        assert page.headers["Cache-Control"] == "no-store"
        assert "default-src 'none'" in page.headers["Content-Security-Policy"]
        assert "unsafe" not in page.headers["Content-Security-Policy"]
        assert not re.search(
            r"<script(?! type=\"module\" src=\"/static/kiosk/[a-z]+\.js\?v=[0-9a-f]{12}\"></script>)|<style|\sstyle=|\son[a-z]+=|javascript:|http-equiv",
            page.html,
            re.IGNORECASE,
        )
        assert not re.search(r"""(?:src|href|action)=["'](?:https?:)?//""", page.html)
        assert re.search(r'<html lang="(vi|en)"', page.html) and len(page.headings) == 1
        ids = re.findall(r'\sid="([^"]+)"', page.html)
        assert len(ids) == len(set(ids))
        for reference in re.findall(r'(?:aria-describedby|aria-labelledby|for)="([^"]+)"', page.html):
            assert set(reference.split()) <= set(ids)
        assert not re.search(r"\b(TTHC|CBCC|CBCCVC|UBND)\b", page.words)
    assert count > 60


def test_pages_go_back_to_the_start_by_themselves(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    assert "Refresh" not in tablet.open().headers
    assert tablet.tap("start.vi").headers["Refresh"] == "120; url=/"
    assert tablet.tap("slow.1").headers["Refresh"] == "1200; url=/"
    assert tablet.tap("slow.0").headers["Refresh"] == "120; url=/"
    tablet.walk(RECEIVED)
    assert tablet.page.headers["Refresh"] == "360; url=/"
    assert tablet.tap("send").headers["Refresh"] == "20; url=/"


def test_asking_for_pages_writes_nothing(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    before = kiosk.settings.store_path.read_bytes(), len(kiosk.asked_of_store(lambda store: store.events()))
    for path in ("/", "/?size=3", "/thanks", "/survey", "/enrol", "/?again=1"):
        tablet.open(path)
    assert (kiosk.settings.store_path.read_bytes(), len(kiosk.asked_of_store(lambda store: store.events()))) == before


@pytest.mark.parametrize(
    "path", ["/?size=9", "/?size=<b>", "/thanks?language=xx&size=-1", "/thanks?simulated=<script>"]
)
def test_strange_addresses_are_no_failure(kiosk: Kiosk, path: str) -> None:
    assert kiosk.tablet().open(path).status == 200


def test_the_first_page_weighs_little(kiosk: Kiosk) -> None:
    tablet = kiosk.tablet()
    found = {"/": tablet.open().html.encode()}
    waiting = re.findall(r'(?:href|src)="(/static/[^"]+)"', tablet.page.html)
    waiting += re.findall(r'(?:href|src)="(/static/[^"#]+)', tablet.begin().html)
    waiting += re.findall(r'href="(/static/faces[^"#]+)', tablet.walk(FILED, until="II.A1").html)
    while waiting:
        path = waiting.pop()
        if path not in found:
            found[path] = tablet.client.get(path).data
            if ".css" in path:
                waiting += [f"/static/{name}" for name in re.findall(r'url\("([^"]+)"\)', found[path].decode())]
    assert sum(name.split("?")[0].endswith(".woff2") for name in found) == 2
    assert sum(name.split("?")[0].endswith("faces.svg") for name in found) == 1
    size = sum(len(body) if ".woff2" in name else len(gzip.compress(body)) for name, body in found.items())
    assert size <= 120 * 1024
    assert size <= 60 * 1024, "half the bar is what it needs: look what made it heavier"


@pytest.mark.parametrize("simulated", [True, False])
def test_only_a_simulated_wave_says_so_and_on_every_page(tmp_path: Path, simulated: bool) -> None:
    with kiosk_at(tmp_path) as kiosk:
        kiosk.asked_of_store(lambda store: store.close_wave(WAVE))
        kiosk.asked_of_store(lambda store: _open_another(store, simulated))
        tablet = kiosk.tablet(simulated=simulated)
        pages = [tablet.open(), tablet.tap("start.vi"), tablet.tap("stop"), tablet.tap("stay")]
        tablet.walk(RECEIVED)
        pages.append(tablet.tap("send"))
        assert "Cảm ơn Ông/Bà" in tablet.page.headings
        assert {"Mô phỏng" in page.words for page in pages} == {simulated}


def _open_another(store: Store, simulated: bool) -> None:
    form = counter()
    title = {"vi": "Khác", "en": "Other"}
    store.create_wave(
        Wave("khac", "counter", title, form.id, form.version, ("2026-11",), CENTRES, simulated=simulated), form
    )
    store.open_wave("khac")


# ---- words


def test_every_message_is_in_both_languages_and_used() -> None:
    code = "".join(path.read_text(encoding="utf-8") for path in (*WEB.glob("*.py"), *WEB.glob("templates/*.html")))
    kinds = ("no_device", "revoked", "no_wave", "not_ready", "storage")
    for key, texts in messages().items():
        assert set(texts) == set(LANGUAGES) and all(texts.values()), key
        stem = re.sub(f"^({'|'.join(kinds)})_", "", key)
        assert _quoted(key, code) or f'"_{stem}"' in code or key.startswith("size_") or _put_together(key, code), key


def _quoted(words: str, code: str) -> bool:
    return f'"{words}"' in code or f"'{words}'" in code


def _put_together(key: str, code: str) -> bool:
    """A template may join a word to its stem: say("count_" ~ kind)."""
    splits = [(key[: place + 1], key[place + 1 :]) for place, sign in enumerate(key) if sign == "_"]
    return any(f'"{stem}" ~' in code and _quoted(word, code) for stem, word in splits)


def test_messages_fill_in_their_names() -> None:
    assert say("vi", "progress", number=3, total=12) == "Câu 3 / 12"
    with pytest.raises(KeyError):
        say("vi", "no such sentence")


def test_the_decline_button_and_the_advice_name_each_other() -> None:
    advice = messages()["decline"]
    form = counter()
    for language in LANGUAGES:
        assert advice[language] in message("missing", form.item("II.A1"))[language]


# ---- type


def test_the_tokens_are_the_same_for_the_report() -> None:
    assert (WEB / "static" / "tokens.css").read_bytes() == (files("analysis") / "static" / "tokens.css").read_bytes()


@pytest.mark.parametrize("weight", ["Regular", "SemiBold"])
def test_the_typeface_has_every_vietnamese_letter(weight: str) -> None:
    font = TTFont(str(ROOT / "analysis" / "static" / "fonts" / f"BeVietnamPro-{weight}.ttf"))
    wanted = set(unicodedata.normalize("NFC", VIETNAMESE))
    assert not {hex(ord(sign)) for sign in wanted | set("đĐ₫“”‘’–—…·×±≤≥−%/?!,.:;()")} - {
        hex(c) for c in font.getBestCmap()
    }
    substitutes = font["GSUB"].table
    (feature,) = {f.Feature.LookupListIndex[0] for f in substitutes.FeatureList.FeatureRecord if f.FeatureTag == "tnum"}
    digits = substitutes.LookupList.Lookup[feature].SubTable[0].mapping
    assert len(digits) == 10 and len({font["hmtx"][name][0] for name in digits.values()}) == 1


def test_what_others_made_for_the_kiosk_is_named_with_licence_and_hash() -> None:
    static = WEB / "static"
    parts = tomllib.loads((static / "vendor.toml").read_text(encoding="utf-8"))
    named = {name: known for part in parts.values() for name, known in part["sha256"].items()}
    for part in parts.values():
        assert part["version"] and part["licence"] in {"OFL-1.1", "ISC", "MIT"} and part["author"]
        assert (static / part["licence_file"]).stat().st_size > 500
    foreign = [path for folder in ("fonts", "vendor") for path in (static / folder).rglob("*") if path.is_file()]
    files = {path.relative_to(static).as_posix(): path for path in foreign if path.suffix in (".woff2", ".js")}
    assert named == {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in files.items()}


@pytest.mark.parametrize("folder", [ROOT / "analysis" / "static" / "fonts"])
def test_what_others_made_carries_its_licence(folder: Path) -> None:
    vendor = (folder / "vendor.toml").read_text(encoding="utf-8")
    assert "SIL Open Font License" in (folder / "OFL.txt").read_text(encoding="utf-8")
    assert all(path.name in vendor for path in folder.iterdir() if path.suffix in (".woff2", ".ttf"))


# ---- screens


@pytest.fixture(params=sorted(shipped()))
def form(request: pytest.FixtureRequest) -> Questionnaire:
    return load(shipped()[request.param])


def test_every_item_stands_on_one_screen_in_order(form: Questionnaire) -> None:
    assert [item for screen in screens(form) for item in screen.items] == list(form.items)


def test_a_screen_holds_one_question_or_three_of_a_kind(form: Questionnaire) -> None:
    for screen in screens(form):
        assert 1 <= len(screen.items) <= CARDS
        assert len({(item.factor, item.section, item.kind) for item in screen.items}) == 1
        here = {item.code for item in screen.items}
        assert not any(condition.item in here for item in screen.items for condition in item.ask_if)


def test_the_sixteen_items_are_six_screens() -> None:
    ids = [[item.code for item in screen.items] for screen in screens(counter()) if screen.items[0].factor]
    assert [len(items) for items in ids] == [3, 2, 2, 3, 3, 3]


def test_the_route_counts_what_may_still_come() -> None:
    form = counter()
    assert [len(route(form, answers)) for answers in ({}, {"VISIT": 2}, {"VISIT": 1}, {"VISIT": 1, "FEEDBACK": 2})] == [
        16, 16, 15, 14
    ]  # fmt: skip
    assert place_of(form, {}, "OVERALL").number == 3
    with pytest.raises(KeyError):
        place_of(form, {"FEEDBACK": 2}, "II.E1")


def test_long_answers_get_a_screen_of_their_own() -> None:
    form = counter()
    longer = replace(form.item("AGE"), options=tuple(
        replace(option, text={"vi": "x" * 40, "en": "x"}) for option in form.item("AGE").options
    ))  # fmt: skip
    changed = replace(form, items=tuple(longer if item.code == "AGE" else item for item in form.items))
    assert [item.code for item in next(s for s in screens(changed) if s.id == "AGE").items] == ["AGE"]


def test_all_combinations_of_routing_reach_the_end() -> None:
    form = counter()
    for visit, feedback in product((1, 2, 3, -3), (1, 2, -3)):
        assert route(form, {"VISIT": visit, "FEEDBACK": feedback})[-1].id == "COMMENT"
