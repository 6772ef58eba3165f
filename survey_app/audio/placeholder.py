"""A pack spoken by a synthesiser, to try the kiosk before anybody has been recorded: `make_placeholder`.

Needs espeak-ng and ffmpeg; nothing else of the program does. The pack says of itself that it is a placeholder.
"""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

from survey_app.audio.packs import INDEX, AudioError, Pack, Recording, index_text, load_pack
from survey_app.audio.script import distinct
from survey_app.audio.sentences import Sentence
from survey_app.problems import Problem

VOICES = {"vi": ("vi", "Tiếng Việt"), "en": ("en-gb", "English")}
"""By language the voice of espeak-ng, and the language's name for itself."""
WORDS_A_MINUTE = 135
BIT_RATE = "24k"
HERTZ = 22050
_TRIM = "silenceremove=start_periods=1:start_threshold=-50dB:start_silence=0.05,areverse"
_FILTER = f"{_TRIM},{_TRIM},volume=1.5,alimiter=limit=0.9,apad=pad_dur=0.15"
_SECONDS = 60
_INSTALL = "install both, on Debian and Ubuntu with: sudo apt-get install espeak-ng ffmpeg"


def make_placeholder(
    folder: Path, language: str, spoken: Sequence[Sentence], step: Callable[[int, int], None] = lambda done, total: None
) -> Pack:
    """Speak every distinct text once into a new folder; an earlier placeholder there is replaced, nothing else ever is.

    Built beside its place and renamed last: a pack is never there in part.
    """
    _refuse(folder, language)
    planned = list(distinct(spoken))
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        recordings = []
        for number, (sentence, file) in enumerate(planned, start=1):
            _speak(sentence.text, language, beside / file)
            recordings.append(Recording(sentence.prompt, file, sentence.text_hash))
            step(number, len(planned))
        pack = Pack(
            folder=folder,
            language=language,
            called=VOICES[language][1],
            voice=f"{_version()}, voice {VOICES[language][0]}: a placeholder voice, to be replaced by a recorded one",
            placeholder=True,
            licence="made by this program from the form's own texts; the sound carries no rights of a speaker",
            source=f"sipas audio placeholder {language}: {WORDS_A_MINUTE} words a minute, {HERTZ} Hz mono, {BIT_RATE}bit/s MP3",
            recordings=tuple(recordings),
        )
        (beside / INDEX).write_text(index_text(pack), encoding="utf-8")
        _put(beside, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return pack


def _refuse(folder: Path, language: str) -> None:
    if language not in VOICES:
        known = ", ".join(VOICES)
        remedy = f"record a speaker (docs/audio.md); the synthesiser is used for: {known}"
        raise AudioError(Problem(f"no synthesiser's voice is used for {language!r}", language, remedy))
    missing = [name for name in ("espeak-ng", "ffmpeg") if shutil.which(name) is None]
    if missing:
        raise AudioError(Problem(f"{' and '.join(missing)} cannot be found", "PATH", _INSTALL))
    if os.path.lexists(folder) and not ((folder / INDEX).is_file() and load_pack(folder).placeholder):
        raise AudioError(Problem("there is something else here already", str(folder), "name a new folder"))


def _speak(text: str, language: str, file: Path) -> None:
    spoken = _run(
        ["espeak-ng", "-v", VOICES[language][0], "-s", str(WORDS_A_MINUTE), "--stdout", "--stdin"], text.encode(), file
    )
    _run(
        [
            *("ffmpeg", "-hide_banner", "-loglevel", "error", "-nostdin", "-f", "wav", "-i", "pipe:0", "-af", _FILTER),
            *("-ac", "1", "-ar", str(HERTZ), "-c:a", "libmp3lame", "-b:a", BIT_RATE),
            *("-map_metadata", "-1", "-id3v2_version", "0", "-fflags", "+bitexact", "-y", str(file)),
        ],
        spoken,
        file,
    )  # fmt: skip


def _run(command: Sequence[str], given: bytes, file: Path) -> bytes:
    try:
        return subprocess.run(command, input=given, capture_output=True, check=True, timeout=_SECONDS).stdout
    except (OSError, subprocess.SubprocessError) as error:
        told = getattr(error, "stderr", None) or b""
        reason = told.decode("utf-8", "replace").strip().splitlines()
        what = f"{command[0]} failed: {reason[-1] if reason else type(error).__name__}"
        raise AudioError(Problem(what, file.name, "try again; see that there is room on the disk")) from None


def _version() -> str:
    told = _run(["espeak-ng", "--version"], b"", Path("espeak-ng")).decode("utf-8", "replace")
    return told.partition("Data at")[0].strip().rstrip(":").replace("eSpeak NG text-to-speech:", "espeak-ng")


def _put(beside: Path, folder: Path) -> None:
    """The new pack takes the place of the earlier one, which goes with the folder it was moved into."""
    os.chmod(beside, 0o755)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}-", dir=folder.parent) as earlier:
        if folder.exists():
            folder.rename(Path(earlier) / folder.name)
        beside.rename(folder)
