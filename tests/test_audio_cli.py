"""`sipas audio`: the script a speaker reads, the index of what was recorded, what a check says, the placeholder voice."""

import csv
import io
import json
import os
import shutil
import stat
from pathlib import Path

import pytest

from survey_app.audio import Sentence, audio_of, load_pack, sentences, text_hash
from survey_app.audio.packs import MOST_FILE_BYTES, SHIPPED, AudioError
from survey_app.audio.placeholder import make_placeholder
from survey_app.cli import run
from survey_app.model import ServiceField
from survey_app.province import read_fields
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from tests.served import counter, make_field

PLACEHOLDER = SHIPPED / "vi-placeholder"
VOICE = ("--called", "Tày", "--voice", "Bà L.", "--licence", "bằng văn bản", "--source", "Na Hang 2027")


class Cli:
    """The command on an instance, and what it said."""

    def __init__(self, instance: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self.instance, self.capsys = instance, capsys
        self.out, self.err = "", ""

    def __call__(self, *words: str | Path) -> int:
        code = run(["--instance", str(self.instance), "audio", *map(str, words)])
        self.out, self.err = self.capsys.readouterr()
        assert "Traceback" not in self.err
        return code


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return create_instance(tmp_path / "instance")


@pytest.fixture
def sipas(settings: Settings, capsys: pytest.CaptureFixture[str]) -> Cli:
    return Cli(settings.instance, capsys)


def rows_of(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text.lstrip("\ufeff"))))


# ---- the script


def test_a_spoken_language_has_the_vietnamese_sentence_and_room_for_what_is_said(sipas: Cli) -> None:
    assert sipas("script", "tyz") == 0
    rows = rows_of(sipas.out)
    assert [row["number"] for row in rows] == [str(number) for number in range(1, len(rows) + 1)]
    assert {row["language"] for row in rows} == {"tyz"} and {row["say"] for row in rows} == {""}
    first = next(row for row in rows if row["prompt"] == "item.II.C1")
    assert first["text"] == "Công chức có thái độ lịch sự, tôn trọng người dân"
    assert (first["file"], first["text_sha256"]) == ("item.II.C1.mp3", text_hash(first["text"]))


def test_every_text_is_to_be_spoken_once(sipas: Cli) -> None:
    sipas("script", "vi")
    rows = rows_of(sipas.out)
    wanted = {one.text_hash for one in sentences(counter(), read_fields(), "vi")}
    assert len(rows) == len({row["text_sha256"] for row in rows}) == len({row["file"] for row in rows})
    assert {row["text_sha256"] for row in rows} == wanted
    assert all(row["say"] == row["text"] for row in rows), "what is written is what is said"


def test_two_forms_share_what_they_have_in_common(sipas: Cli) -> None:
    sipas("script", "hmn", "--questionnaire", "counter", "--questionnaire", "counter-short")
    both = [row["file"] for row in rows_of(sipas.out)]
    assert len(both) == len(set(both)), "each text has a file of its own"
    assert next(file for file in both if file.startswith("intro.1")) == "intro.1.mp3"
    assert len([file for file in both if file.startswith("intro.1")]) == 2


def test_the_form_is_that_of_the_open_wave_and_the_fields_are_the_instances(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = make_field(tmp_path / "field")
    with Store.open(made) as store:
        store.add_fields([ServiceField("rung", {"vi": "Trồng rừng", "en": "Forests"}, "test")])
    sipas = Cli(made.instance, capsys)
    sipas("script", "ium")
    fields = [row["text"] for row in rows_of(sipas.out) if row["prompt"].startswith("field.")]
    assert "Trồng rừng" in fields and "Y tế" not in fields


def test_a_script_is_never_written_over(sipas: Cli, tmp_path: Path) -> None:
    place = tmp_path / "script.csv"
    assert sipas("script", "tyz", "--output", place) == 0
    assert "sentences: " in sipas.out and place.read_bytes().startswith(b"\xef\xbb\xbf")
    before = place.read_bytes()
    assert sipas("script", "tyz", "--output", place) == 2
    assert "may hold a speaker's words" in sipas.err and place.read_bytes() == before


@pytest.mark.parametrize("language", ["Tày", "../x", "v", ""])
def test_a_language_is_a_code(sipas: Cli, language: str) -> None:
    assert sipas("script", language) == 2
    assert "write a language code such as vi" in sipas.err


# ---- the index


@pytest.fixture
def recorded(sipas: Cli, settings: Settings) -> Path:
    """A pack in the making: its script, and two recordings named as the script says."""
    folder = settings.audio / "tyz-2027"
    folder.mkdir()
    assert sipas("script", "tyz", "--output", folder / "script.csv") == 0
    for name in ("message.next.mp3", "item.II.A1.mp3"):
        shutil.copy(PLACEHOLDER / name, folder / name)
    return folder


def test_what_was_recorded_is_offered_to_tablets(sipas: Cli, recorded: Path, settings: Settings) -> None:
    assert sipas("index", recorded / "script.csv", *VOICE) == 0
    assert sipas.out.startswith("2 recordings of ")
    pack = load_pack(recorded)
    assert (pack.language, pack.called, pack.voice, pack.placeholder) == ("tyz", "Tày", "Bà L.", False)
    files = audio_of(settings, counter(), read_fields())["tyz"]["files"]
    assert set(files) == {"message.next", "item.II.A1"}


def test_the_voice_is_named_once_and_kept(sipas: Cli, recorded: Path) -> None:
    sipas("index", recorded / "script.csv", *VOICE)
    shutil.copy(PLACEHOLDER / "message.back.mp3", recorded / "message.back.mp3")
    assert sipas("index", recorded / "script.csv", "--voice", "Bà M.") == 0
    pack = load_pack(recorded)
    assert (pack.voice, pack.source, len(pack.recordings)) == ("Bà M.", "Na Hang 2027", 3)


def test_a_voice_without_consent_or_name_is_no_pack(sipas: Cli, recorded: Path) -> None:
    assert sipas("index", recorded / "script.csv", "--voice", "Bà L.") == 2
    assert "--licence is missing" in sipas.err and "by which consent" in sipas.err
    assert not (recorded / "index.toml").exists()


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ("Tiếp tục", "Đi tiếp", "the text is not the one the script was made with"),
        ("message.next.mp3", "../next.mp3", "is not of the form agreed"),
        ("2,tyz,", "2,hmn,", "the script is of several languages"),
        ("text_sha256", "hash", "text_sha256"),
    ],
)
def test_a_script_that_was_changed_is_named_line_by_line(
    sipas: Cli, recorded: Path, old: str, new: str, told: str
) -> None:
    script = recorded / "script.csv"
    script.write_text(script.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert sipas("index", script, *VOICE) == 2
    assert told in sipas.err and "script.csv" in sipas.err
    assert not (recorded / "index.toml").exists()


def test_what_the_speaker_wrote_down_may_be_anything(sipas: Cli, recorded: Path) -> None:
    script = recorded / "script.csv"
    script.write_text(script.read_text(encoding="utf-8").replace("Tiếp tục,,", "Tiếp tục,Pây tiếp,"), encoding="utf-8")
    assert sipas("index", script, *VOICE) == 0


# ---- the check


def test_the_shipped_pack_is_whole(sipas: Cli) -> None:
    assert sipas("check") == 0
    assert sipas.out.startswith("vi-placeholder (vi, a placeholder voice): speaks ") and "missing" not in sipas.out
    assert sipas("check", "vi-placeholder", "--questionnaire", "counter-short") == 0
    assert "missing" not in sipas.out


def test_what_is_missing_is_no_fault(sipas: Cli, recorded: Path) -> None:
    sipas("index", recorded / "script.csv", *VOICE)
    assert sipas("check", "tyz-2027") == 0
    assert "speaks 2 of " in sipas.out and "  missing message.start_title: Ông/Bà có hài lòng" in sipas.out
    assert sipas("check", recorded, "--json") == 0
    (told,) = json.loads(sipas.out)
    assert len(told["missing"]) == told["sentences"] - 2 and told["problems"] == []


def test_each_fault_of_a_recording_is_named_with_its_remedy(sipas: Cli, recorded: Path) -> None:
    names = ("message.back", "message.stop", "message.send", "message.decline")
    for name in names:
        shutil.copy(PLACEHOLDER / f"{name}.mp3", recorded)
    sipas("index", recorded / "script.csv", *VOICE)
    (recorded / "message.back.mp3").write_bytes(b"RIFF0000WAVEfmt ")
    (recorded / "message.stop.mp3").unlink()
    (recorded / "message.send.mp3").write_bytes(b"x" * (MOST_FILE_BYTES + 1))
    (recorded / "loose.mp3").write_bytes(b"")
    index = recorded / "index.toml"
    index.write_text(index.read_text(encoding="utf-8").replace(text_hash("Không trả lời"), "0" * 64), encoding="utf-8")
    assert sipas("check", "tyz-2027") == 2
    for told in (
        "this is no whole MP3 file", "the recording cannot be read", "larger than 500 kB",
        "loose.mp3 is not in the index", "message.decline was spoken from another text",
    ):  # fmt: skip
        assert told in sipas.err
    assert sipas.err.count("remedy: ") == 5


def test_what_was_recorded_for_another_form_is_not_out_of_date(sipas: Cli) -> None:
    assert sipas("check", "vi-placeholder", "--questionnaire", "qd1001-2026") == 0
    assert "missing intro.1" in sipas.out


@pytest.mark.parametrize("name", ["nowhere", "../..", "vi placeholder"])
def test_a_pack_that_is_none_is_refused(sipas: Cli, name: str) -> None:
    assert sipas("check", name) == 2
    assert "where: " in sipas.err and "remedy: " in sipas.err


# ---- the placeholder voice


def _program(folder: Path, name: str, script: str) -> None:
    place = folder / name
    place.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    place.chmod(place.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def voice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Programs in the place of the synthesiser and the encoder, which note how they were called."""
    folder = tmp_path / "programs"
    folder.mkdir()
    _program(
        folder,
        "espeak-ng",
        f'case "$*" in *--version*) echo "eSpeak NG text-to-speech: 1.51  Data at: /x";; '
        f'*) echo "$*" >> {folder}/called; cat >> {folder}/spoken; echo >> {folder}/spoken; echo sound;; esac',
    )
    _program(folder, "ffmpeg", f'for last; do :; done; cat > /dev/null; cp "{PLACEHOLDER}/message.next.mp3" "$last"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


SPOKEN = (Sentence("message.next", "Tiếp tục"), Sentence("message.go", "Tiếp tục"), Sentence("message.back", "-v Quay"))


def test_each_text_is_spoken_once_and_given_to_the_synthesiser_as_text(voice: Path, tmp_path: Path) -> None:
    steps: list[tuple[int, int]] = []
    pack = make_placeholder(tmp_path / "vi-robot", "vi", SPOKEN, lambda *step: steps.append(step))
    assert (voice / "spoken").read_text(encoding="utf-8").split("\n")[:2] == ["Tiếp tục", "-v Quay"]
    assert "Quay" not in (voice / "called").read_text(encoding="utf-8"), "never among the program's options"
    assert pack.placeholder and pack.voice.startswith("espeak-ng 1.51, voice vi: a placeholder voice")
    assert steps == [(1, 2), (2, 2)]
    assert [one.file for one in load_pack(tmp_path / "vi-robot").recordings] == ["message.next.mp3", "message.back.mp3"]


def test_a_placeholder_is_replaced_and_nothing_else(voice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "vi-robot"
    make_placeholder(folder, "vi", SPOKEN)
    make_placeholder(folder, "vi", SPOKEN[:1])
    assert len(load_pack(folder).recordings) == 1
    index = folder / "index.toml"
    index.write_text(index.read_text(encoding="utf-8").replace("= true", "= false"), encoding="utf-8")
    with pytest.raises(AudioError, match="there is something else here already"):
        make_placeholder(folder, "vi", SPOKEN)
    (tmp_path / "other").mkdir()
    with pytest.raises(AudioError, match="there is something else here already"):
        make_placeholder(tmp_path / "other", "vi", SPOKEN)


def test_a_synthesiser_that_fails_leaves_the_earlier_pack(voice: Path, tmp_path: Path) -> None:
    folder = tmp_path / "packs" / "vi-robot"
    make_placeholder(folder, "vi", SPOKEN)
    _program(voice, "ffmpeg", "echo no room >&2; exit 1")
    with pytest.raises(AudioError, match="ffmpeg failed: no room"):
        make_placeholder(folder, "vi", SPOKEN)
    assert len(load_pack(folder).recordings) == 2
    assert [path.name for path in folder.parent.iterdir()] == ["vi-robot"]


def test_without_the_programs_it_says_how_to_install_them(
    sipas: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    assert sipas("placeholder", "vi") == 2
    assert "espeak-ng and ffmpeg cannot be found" in sipas.err
    assert "sudo apt-get install espeak-ng ffmpeg" in sipas.err


def test_the_command_makes_it_in_the_instance(sipas: Cli, settings: Settings, voice: Path) -> None:
    assert sipas("placeholder", "vi") == 0
    assert load_pack(settings.audio / "vi-placeholder").placeholder
    assert "a placeholder voice: " in sipas.out
    assert sipas("placeholder", "tyz") == 2


def test_placeholder_languages_are_those_of_the_forms(sipas: Cli, voice: Path, tmp_path: Path) -> None:
    assert sipas("placeholder", "en", "--output", tmp_path / "en-robot") == 0
    assert load_pack(tmp_path / "en-robot").called == "English"
