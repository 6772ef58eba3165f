"""Packs of recordings and what tablets are offered of them: read, chosen, served, and never for another text."""

import hashlib
import html
import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from survey_app.audio import AudioError, audio_of, known_packs, load_pack, sentences, text_hash
from survey_app.audio.mp3 import read_mp3
from survey_app.audio.packs import MOST_FILE_BYTES, MOST_PACK_BYTES, SHIPPED, Pack, Recording, index_text
from survey_app.model import ServiceField
from survey_app.province import read_fields
from survey_app.questionnaire import load, shipped
from survey_app.settings import Settings, create_instance
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.kiosk_pages import RECEIVED, kiosk_at
from tests.served import counter, make_field

PLACEHOLDER = SHIPPED / "vi-placeholder"
SOUND = (PLACEHOLDER / "message.next.mp3").read_bytes()
FIELDS = read_fields()


def make_pack(settings: Settings, name: str, language: str, recordings: list[tuple[str, str]], **more: object) -> Path:
    """A pack of the instance with a sound for each prompt and text."""
    folder = settings.audio / name
    folder.mkdir(parents=True)
    made = [Recording(prompt, f"{prompt}.mp3", text_hash(text)) for prompt, text in recordings]
    for one in made:
        (folder / one.file).write_bytes(SOUND)
    pack = Pack(folder, language, "Tày", "a speaker", False, "by consent", "recorded in Na Hang", tuple(made))
    (folder / "index.toml").write_text(index_text(replace(pack, **more)), encoding="utf-8")  # type: ignore[arg-type]
    return folder


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return create_instance(tmp_path / "instance")


# ---- what is spoken


def test_every_text_a_citizen_taps_or_reads_has_a_prompt() -> None:
    spoken = {one.prompt: one.text for one in sentences(counter(), FIELDS, "vi")}
    assert spoken["item.II.A1"].startswith("Điểm/Trung tâm phục vụ hành chính công có biển hiệu")
    assert spoken["option.satisfaction.3"] == "Bình thường"
    assert spoken["option.VISIT.1"] == "Nộp hồ sơ"
    assert spoken["heading.A"] == "Xin Ông/Bà cho biết mức độ hài lòng về:"
    assert spoken["heading.visit"] == "Lần đến hôm nay"
    assert spoken["hint.II.D3"] == "Từ chối giải quyết cũng là một kết quả."
    assert spoken["field.dat-dai"] == "Đất đai"
    assert spoken["message.decline"] == "Không trả lời"
    assert spoken["error.missing.II.A1"] == "Xin chọn một câu trả lời, hoặc chọn Không trả lời."
    assert spoken["intro.2"] == "Ông/Bà trả lời tự nguyện. Phiếu ẩn danh: không hỏi tên, số điện thoại hay số giấy tờ."


def test_no_spoken_sentence_waits_for_a_number_to_be_filled_in() -> None:
    for form in map(load, shipped().values()):
        for language in form.languages:
            assert [one for one in sentences(form, FIELDS, language) if "{" in one.text or not one.text] == []


def test_a_language_without_texts_hears_what_the_screen_shows_in_vietnamese() -> None:
    assert sentences(counter(), FIELDS, "tyz") == sentences(counter(), FIELDS, "vi")
    assert sentences(counter(), FIELDS, "en") != sentences(counter(), FIELDS, "vi")


def test_spaces_and_the_form_of_accents_make_no_other_text() -> None:
    assert text_hash("Hài  lòng\n") == text_hash("Ha\u0300i lo\u0300ng") != text_hash("Không hài lòng")


def test_a_prompt_that_would_stand_for_two_texts_stays_silent() -> None:
    form = counter()
    visit = replace(form.item("VISIT"), code="satisfaction")
    items = tuple(visit if item.code == "VISIT" else item for item in form.items)
    section = replace(form.sections[0], items=("satisfaction", "OVERALL"))
    torn = replace(form, items=items, sections=(section, *form.sections[1:]))
    prompts = {one.prompt for one in sentences(torn, FIELDS, "vi")}
    assert "option.satisfaction.1" not in prompts and "option.satisfaction.4" in prompts


# ---- the pack that is shipped


def test_the_shipped_pack_speaks_the_whole_counter_form_and_says_it_is_a_placeholder() -> None:
    pack = load_pack(PLACEHOLDER)
    assert pack.placeholder and "placeholder" in pack.voice and pack.language == "vi"
    spoken = {one.text_hash for one in pack.recordings}
    assert [one for one in sentences(counter(), FIELDS, "vi") if one.text_hash not in spoken] == []


def test_the_shipped_files_are_those_of_its_index_and_small_mono_speech() -> None:
    pack = load_pack(PLACEHOLDER)
    files = {path.name for path in PLACEHOLDER.iterdir()}
    assert files == {"index.toml"} | {one.file for one in pack.recordings}
    sounds = {one.file: read_mp3(pack.path(one).read_bytes()) for one in pack.recordings}
    assert all(sound and sound.channels == 1 and 0.5 < sound.seconds < 20 for sound in sounds.values())
    assert sum(pack.path(one).stat().st_size for one in pack.recordings) < 1_500_000 < MOST_PACK_BYTES


# ---- which recording speaks for which sentence


def test_what_a_tablet_is_offered(settings: Settings) -> None:
    offered = audio_of(settings, counter(), FIELDS)
    assert list(offered) == ["vi"]
    vietnamese = offered["vi"]
    assert {name: vietnamese[name] for name in ("pack", "called", "shows", "placeholder")} == {
        "pack": "vi-placeholder", "called": "Tiếng Việt", "shows": "vi", "placeholder": True,
    }  # fmt: skip
    assert set(vietnamese["files"]) == {one.prompt for one in sentences(counter(), FIELDS, "vi")}
    version = hashlib.sha256((PLACEHOLDER / "item.II.C1.mp3").read_bytes()).hexdigest()[:12]
    assert vietnamese["files"]["item.II.C1"] == f"/audio/vi-placeholder/item.II.C1.mp3?v={version}"


def test_five_sections_with_the_same_words_share_one_recording(settings: Settings) -> None:
    files = audio_of(settings, counter(), FIELDS)["vi"]["files"]
    assert len({files[f"heading.{section}"] for section in "ABCDE"}) == 1


def test_without_a_form_there_is_nothing_to_read(settings: Settings) -> None:
    assert audio_of(settings, None, FIELDS) == {}


def test_a_changed_text_is_not_spoken_by_the_old_recording(settings: Settings) -> None:
    fields = [ServiceField("dat-dai", {"vi": "Đất đai và đo đạc", "en": "Land"}, "test")]
    assert "field.dat-dai" not in audio_of(settings, counter(), fields)["vi"]["files"]


def test_the_same_text_under_another_name_is_spoken(settings: Settings) -> None:
    fields = [ServiceField("land", {"vi": "Đất đai", "en": "Land"}, "test")]
    assert "/field.dat-dai.mp3?" in audio_of(settings, counter(), fields)["vi"]["files"]["field.land"]


def test_a_spoken_language_is_offered_for_what_was_recorded_and_shows_vietnamese(settings: Settings) -> None:
    make_pack(settings, "tyz-na-hang", "tyz", [("message.next", "Tiếp tục"), ("message.back", "an older word")])
    offered = audio_of(settings, counter(), FIELDS)
    assert (offered["tyz"]["called"], offered["tyz"]["shows"]) == ("Tày", "vi")
    assert list(offered["tyz"]["files"]) == ["message.next"]


def test_a_language_without_a_usable_recording_is_not_offered(settings: Settings) -> None:
    make_pack(settings, "hmn", "hmn", [("message.next", "no text of the form")])
    assert "hmn" not in audio_of(settings, counter(), FIELDS)


def test_the_instances_own_voice_comes_before_the_shipped_one(settings: Settings) -> None:
    make_pack(settings, "vi-lan", "vi", [("message.next", "Tiếp tục")])
    assert audio_of(settings, counter(), FIELDS)["vi"]["pack"] == "vi-lan"


def test_a_person_comes_before_a_placeholder(settings: Settings) -> None:
    make_pack(settings, "a-robot", "vi", [("message.next", "Tiếp tục")], placeholder=True)
    make_pack(settings, "b-person", "vi", [("message.next", "Tiếp tục")])
    assert audio_of(settings, counter(), FIELDS)["vi"]["pack"] == "b-person"


def test_an_empty_pack_of_the_instance_silences_the_placeholder(settings: Settings) -> None:
    make_pack(settings, "vi-silent", "vi", [])
    assert audio_of(settings, counter(), FIELDS) == {}


def test_a_broken_pack_stops_nobody(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    folder = make_pack(settings, "vi-broken", "vi", [("message.next", "Tiếp tục")])
    (folder / "index.toml").write_text("language = 1", encoding="utf-8")
    assert audio_of(settings, counter(), FIELDS)["vi"]["pack"] == "vi-placeholder"
    assert "vi-broken is left out" in caplog.text


def test_a_recording_added_while_the_server_runs_is_offered_at_once(settings: Settings) -> None:
    folder = make_pack(settings, "tyz", "tyz", [("message.next", "Tiếp tục")])
    before = audio_of(settings, counter(), FIELDS)["tyz"]["files"]["message.next"]
    (folder / "message.next.mp3").write_bytes(SOUND + SOUND)
    assert audio_of(settings, counter(), FIELDS)["tyz"]["files"]["message.next"] != before


@pytest.mark.parametrize("trouble", ["gone", "empty", "too large", "a link", "a folder"])
def test_a_file_that_cannot_be_played_is_not_offered(settings: Settings, trouble: str) -> None:
    folder = make_pack(settings, "tyz", "tyz", [("message.next", "Tiếp tục"), ("message.back", "Quay lại")])
    file = folder / "message.next.mp3"
    file.unlink()
    if trouble == "empty":
        file.write_bytes(b"")
    elif trouble == "too large":
        file.write_bytes(b"x" * (MOST_FILE_BYTES + 1))
    elif trouble == "a link":
        file.symlink_to(settings.instance / "secret.key")
    elif trouble == "a folder":
        file.mkdir()
    assert list(audio_of(settings, counter(), FIELDS)["tyz"]["files"]) == ["message.back"]


# ---- reading an index

GOOD = 'language = "tyz"\ncalled = "Tày"\nvoice = "a"\nlicence = "b"\nsource = "c"\n'
ROW = f'[[recordings]]\nprompt = "message.next"\nfile = "a.mp3"\ntext_sha256 = "{"0" * 64}"\n'
BAD = {
    "language is missing": 'called = "Tày"\nvoice = "a"\nlicence = "b"\nsource = "c"\n',
    "unknown key 'speed'": GOOD + "speed = 3\n",
    "the prompt message.next comes twice with one text": GOOD + ROW + ROW,
    "file '../secret.mp3' is not of the form agreed": GOOD + ROW.replace("a.mp3", "../secret.mp3"),
    "file '/etc/passwd' is not of the form agreed": GOOD + ROW.replace("a.mp3", "/etc/passwd"),
    "prompt '..' is not of the form agreed": GOOD + ROW.replace("message.next", ".."),
    "text_sha256 'x' is not of the form agreed": GOOD + ROW.replace("0" * 64, "x"),
    "language 'Tày' is not of the form agreed": GOOD.replace('"tyz"', '"Tày"'),
    "the index cannot be read": "language = ",
}


@pytest.mark.parametrize("what", BAD, ids=str)
def test_an_index_with_a_fault_names_it_and_its_file(tmp_path: Path, what: str) -> None:
    (tmp_path / "tyz").mkdir()
    (tmp_path / "tyz" / "index.toml").write_text(BAD[what], encoding="utf-8")
    with pytest.raises(AudioError) as caught:
        load_pack(tmp_path / "tyz")
    assert any(what in problem.what and "index.toml" in problem.where for problem in caught.value.problems)
    assert all(problem.remedy for problem in caught.value.problems)


def test_an_index_is_what_was_written(settings: Settings) -> None:
    folder = make_pack(settings, "tyz", "tyz", [("message.next", "Tiếp tục")], voice='Bà "Nông" \\')
    pack = load_pack(folder)
    assert (pack.voice, pack.called, pack.placeholder) == ('Bà "Nông" \\', "Tày", False)
    assert [one.prompt for one in pack.recordings] == ["message.next"]


def test_a_folder_with_a_strange_name_is_no_pack(settings: Settings) -> None:
    folder = make_pack(settings, "tyz", "tyz", [])
    folder.rename(folder.with_name("Tày ghi âm"))
    assert [path.name for path in known_packs(settings)] == ["vi-placeholder"]
    with pytest.raises(AudioError, match="a pack cannot be called"):
        load_pack(folder.with_name("Tày ghi âm"))


# ---- sound


def test_a_recording_is_measured() -> None:
    sound = read_mp3(SOUND)
    assert sound and sound.channels == 1 and 0.5 < sound.seconds < 3 and 20_000 < sound.bit_rate < 30_000


def test_tags_before_and_after_the_sound_do_not_matter() -> None:
    tag = b"ID3\x04\x00\x00\x00\x00\x01\x02" + b"\x00" * 130
    assert read_mp3(tag + SOUND + b"TAG" + b"\x00" * 125) == read_mp3(SOUND)


@pytest.mark.parametrize(
    "content",
    [b"", b"RIFF....WAVEfmt ", b"\xff\xfb\x90\x00", SOUND[:-1], SOUND[3:], b"ID3"],
    ids=["empty", "a wav file", "one head", "cut off", "begun late", "half a tag"],
)
def test_what_is_no_whole_mp3_is_none(content: bytes) -> None:
    assert read_mp3(content) is None


def test_a_sound_broken_in_the_middle_is_none() -> None:
    second = SOUND.index(SOUND[:2], 4)
    assert read_mp3(SOUND[:second] + b"\x00\x00" + SOUND[second + 2 :]) is None


# ---- served


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FlaskClient]:
    settings = make_field(tmp_path_factory.mktemp("audio") / "instance")
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer, development_http=True).test_client()


ADDRESS = "/audio/vi-placeholder/message.next.mp3"
VERSION = hashlib.sha256(SOUND).hexdigest()[:12]


def test_a_recording_with_its_version_is_kept_for_good(client: FlaskClient) -> None:
    answer = client.get(f"{ADDRESS}?v={VERSION}")
    assert (answer.status_code, answer.mimetype, answer.data) == (200, "audio/mpeg", SOUND)
    assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert "media-src 'self'" in answer.headers["Content-Security-Policy"]


def test_without_a_version_it_is_not_kept(client: FlaskClient) -> None:
    answer = client.get(ADDRESS)
    assert (answer.data, answer.headers["Cache-Control"]) == (SOUND, "no-store")


def test_another_version_is_not_there(client: FlaskClient) -> None:
    answer = client.get(f"{ADDRESS}?v=000000000000")
    assert (answer.status_code, answer.headers["Cache-Control"]) == (404, "no-store")


def test_a_browser_may_ask_for_a_part(client: FlaskClient) -> None:
    answer = client.get(f"{ADDRESS}?v={VERSION}", headers={"Range": "bytes=100-199"})
    assert (answer.status_code, answer.data) == (206, SOUND[100:200])


@pytest.mark.parametrize(
    "path",
    ["vi-placeholder/index.toml", "vi-placeholder/none.mp3", "none/message.next.mp3", "../audio/message.next.mp3"],
)
def test_only_what_an_index_names_is_handed_out(client: FlaskClient, path: str) -> None:
    assert client.get(f"/audio/{path}").status_code == 404


def test_a_file_that_no_index_names_stays_where_it_is(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    folder = make_pack(settings, "tyz", "tyz", [("message.next", "Tiếp tục")])
    shutil.copy(folder / "message.next.mp3", folder / "private.mp3")
    with Writer(settings) as writer:
        own = create_app(settings, writer=writer, development_http=True).test_client()
        assert own.get("/audio/tyz/message.next.mp3").status_code == 200
        assert own.get("/audio/tyz/private.mp3").status_code == 404


_NAMED = re.compile(r'<(\w+)[^>]*? data-prompt="([^"]+)"[^>]*>(.*?)</\1>', re.DOTALL)


def _named(page: str) -> list[tuple[list[str], str]]:
    """What a page names for reading aloud: prompts, and the words that stand there."""
    return [
        (prompts.split(), " ".join(html.unescape(re.sub("<[^>]+>", " ", inside)).split()))
        for _, prompts, inside in _NAMED.findall(page)
    ]


@pytest.mark.parametrize("language", ["vi", "en"])
def test_whatever_a_page_names_is_a_sentence_that_stands_there(tmp_path: Path, language: str) -> None:
    with kiosk_at(tmp_path) as kiosk:
        fields = kiosk.asked_of_store(lambda store: store.fields())
        spoken = {one.prompt: one.text for one in sentences(counter(), fields, language)}
        tablet, seen = kiosk.tablet(), set()
        page = tablet.begin(language)
        while True:
            for prompts, words in _named(page.html):
                seen.update(prompts)
                assert all(spoken[prompt] in words for prompt in prompts), (prompts, words)
            if "send" not in page.buttons:
                page = tablet.tap("next", tablet.answers_here(RECEIVED))
            elif "message.stop_no" not in seen:
                for prompts, words in _named(tablet.tap("stop").html):
                    seen.update(prompts)
                    assert all(spoken[prompt] in words for prompt in prompts), (prompts, words)
                page = tablet.tap("stay")
            else:
                break
        thanks = _named(tablet.tap("send", tablet.answers_here(RECEIVED)).html)
        assert [spoken[prompts[0]] for prompts, _ in thanks] == [words for _, words in thanks]
    silent = spoken.keys() - seen - {prompts[0] for prompts, _ in thanks}
    assert {prompt.partition(".")[0] for prompt in silent} <= {"error", "intro", "heading", "message"}
    assert {f"item.{item.code}" for item in counter().items} <= seen


def test_the_start_page_names_its_words_in_both_languages(tmp_path: Path) -> None:
    with kiosk_at(tmp_path) as kiosk:
        named = _named(kiosk.tablet().open().html)
    for language in ("vi", "en"):
        spoken = {one.prompt: one.text for one in sentences(counter(), (), language)}
        assert (["message.start_title"], spoken["message.start_title"]) in named
        assert (["intro.2"], spoken["intro.2"]) in named
