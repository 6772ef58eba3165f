"""Packs of recordings: a folder with `index.toml` and MP3 files, any subset of the sentences.

`load_pack`, `known_packs`, `index_text`, `Pack`, `Recording`, `AudioError`. A recording remembers the hash of the text
it was spoken from, so that it never speaks for a text that has changed since.
"""

import json
import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from survey_app.problems import Problem, SipasError
from survey_app.questionnaire.table import Problems, Table
from survey_app.settings import Settings

INDEX = "index.toml"
SHIPPED = Path(__file__).parents[1] / "data" / "audio"
MOST_INDEX_BYTES = 2_000_000
MOST_FILE_BYTES = 500_000
"""Of one recording: two minutes and a half at 24 kbit/s. What is larger is not one sentence."""
MOST_PACK_BYTES = 20_000_000
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,120}\.mp3")
_PROMPT = re.compile(r"[a-z]+(\.[A-Za-z0-9_][A-Za-z0-9_-]*)+")
_HASH = re.compile(r"[0-9a-f]{64}")


class AudioError(SipasError):
    """A pack, or the script of one, cannot be used; carries everything that is wrong with it."""


@dataclass(frozen=True)
class Recording:
    """One file, the sentence it was made for, and the hash of the text that was spoken."""

    prompt: str
    file: str
    text_hash: str


@dataclass(frozen=True)
class Pack:
    """All recordings of one voice. `called` is the language's name for itself, as the start screen shows it."""

    folder: Path
    language: str
    called: str
    voice: str
    placeholder: bool
    licence: str
    source: str
    recordings: tuple[Recording, ...]

    @property
    def name(self) -> str:
        return self.folder.name

    def path(self, recording: Recording) -> Path:
        return self.folder / recording.file


def known_packs(settings: Settings) -> Iterator[Path]:
    """The folders of all packs an instance knows."""
    return folders(settings.audio)


def folders(place: Path) -> Iterator[Path]:
    """The packs of an instance's folder, and those shipped unless an own one has their name."""
    own = {path.name: path for path in _folders(place)}
    yield from own.values()
    yield from (path for path in _folders(SHIPPED) if path.name not in own)


def _folders(place: Path) -> list[Path]:
    try:
        return sorted(path for path in place.iterdir() if NAME.fullmatch(path.name) and (path / INDEX).is_file())
    except (FileNotFoundError, NotADirectoryError):
        return []


def load_pack(folder: Path) -> Pack:
    """Read a pack's index; `AudioError` names every problem. The files themselves are not opened."""
    path = folder / INDEX
    problems = Problems(str(path))
    table = Table(_raw(path), "", problems)
    pack = Pack(
        folder=folder,
        language=table.code("language", LANGUAGE, "a language code such as vi or tyz") or "",
        called=table.string("called") or "",
        voice=table.string("voice") or "",
        placeholder=table.flag("placeholder", False),
        licence=table.string("licence") or "",
        source=table.string("source") or "",
        recordings=tuple(_recordings(table, problems)),
    )
    table.close()
    if not NAME.fullmatch(folder.name):
        problems.add(f"a pack cannot be called {folder.name!r}", "", "use small letters, digits and hyphens")
    if problems.found:
        raise AudioError(problems.found)
    return pack


def _raw(path: Path) -> dict[str, object]:
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_INDEX_BYTES + 1)
        if len(content) > MOST_INDEX_BYTES:
            what = f"the index is larger than {MOST_INDEX_BYTES // 1_000_000} MB"
            raise AudioError(Problem(what, str(path), "check that it is the right file"))
        return tomllib.loads(content.decode("utf-8-sig").replace("\r\n", "\n"))
    except OSError as error:
        remedy = "name the folder of a pack, with its index.toml"
        raise AudioError(Problem(f"there is no pack to read: {error.strerror}", str(path), remedy)) from None
    except (UnicodeDecodeError, tomllib.TOMLDecodeError, RecursionError) as error:
        raise AudioError(Problem(f"the index cannot be read: {error}", str(path), "mend the file")) from None


def _recordings(table: Table, problems: Problems) -> Iterator[Recording]:
    seen: set[tuple[str, str]] = set()
    for row in table.tables("recordings", "prompt", required=False):
        prompt = row.code("prompt", _PROMPT, "the prompt as the script has it, such as item.II.A1") or ""
        file = row.code("file", FILE, "the name of an .mp3 file in this folder, of letters, digits, . _ -") or ""
        text_hash = row.code("text_sha256", _HASH, "the 64 hexadecimal digits that the script has") or ""
        row.close()
        if prompt and (prompt, text_hash) in seen:
            problems.add(f"the prompt {prompt} comes twice with one text", row.place, "keep one of the two")
        seen.add((prompt, text_hash))
        yield Recording(prompt, file, text_hash)


def index_text(pack: Pack) -> str:
    """The content of a pack's `index.toml`."""
    lines = ["# A pack of recordings; its format: docs/audio.md."]
    for name in ("language", "called", "voice", "licence", "source"):
        lines.append(f"{name} = {_quoted(getattr(pack, name))}")
    lines.append(f"placeholder = {str(pack.placeholder).lower()}")
    for one in pack.recordings:
        lines += ["", "[[recordings]]", f"prompt = {_quoted(one.prompt)}", f"file = {_quoted(one.file)}"]
        lines.append(f"text_sha256 = {_quoted(one.text_hash)}")
    return "\n".join(lines) + "\n"


def _quoted(text: str) -> str:
    """A JSON string is a TOML string, but for DEL."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")
