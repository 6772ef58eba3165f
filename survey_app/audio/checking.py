"""What is wrong with a pack, and what it does not say: `check_pack`, `Checked`."""

from collections.abc import Sequence
from dataclasses import dataclass

from survey_app.audio.mp3 import read_mp3
from survey_app.audio.packs import MOST_FILE_BYTES, MOST_PACK_BYTES, Pack, Recording
from survey_app.audio.script import strays
from survey_app.audio.sentences import Sentence
from survey_app.problems import Problem

MOST_SECONDS = 60


@dataclass(frozen=True)
class Checked:
    """`missing`: sentences that stay text, which is allowed. `problems`: recordings that do not do what they should."""

    pack: str
    language: str
    placeholder: bool
    sentences: int
    spoken: int
    seconds: float
    bytes: int
    missing: tuple[Sentence, ...]
    problems: tuple[Problem, ...]


def check_pack(pack: Pack, wanted: Sequence[Sentence], elsewhere: Sequence[Sentence] = ()) -> Checked:
    """Hold every recording against its file, and all of them against the sentences of the forms in use.

    `elsewhere`: those of other forms, which a recording may have been made for.
    """
    distinct = {sentence.text_hash: sentence for sentence in reversed(wanted)}
    prompts = {sentence.prompt for sentence in wanted}
    others = {sentence.text_hash for sentence in elsewhere}
    problems: list[Problem] = []
    speaking: set[str] = set()
    seconds, total = 0.0, 0
    for recording in pack.recordings:
        length, size, problem = _file(pack, recording)
        seconds, total = seconds + length, total + size
        if problem:
            problems.append(problem)
        elif recording.text_hash in distinct:
            speaking.add(recording.text_hash)
        elif recording.prompt in prompts and recording.text_hash not in others:
            remedy = "record it anew; until then the sentence stays text"
            problems.append(
                Problem(f"{recording.prompt} was spoken from another text", _place(pack, recording), remedy)
            )
    if total > MOST_PACK_BYTES:
        what = f"the pack has {total / 1e6:.1f} MB; each tablet keeps at most {MOST_PACK_BYTES / 1e6:.0f} MB"
        problems.append(Problem(what, str(pack.folder), "encode the speech at 24 kbit/s (docs/audio.md)"))
    for name in strays(pack):
        remedy = "name it as the script does, then: sipas audio index"
        problems.append(Problem(f"{name} is not in the index", str(pack.folder), remedy))
    missing = tuple(one for digest, one in reversed(distinct.items()) if digest not in speaking)
    return Checked(
        pack.name, pack.language, pack.placeholder, len(distinct), len(speaking), round(seconds, 1), total,
        missing, tuple(problems),
    )  # fmt: skip


def _place(pack: Pack, recording: Recording) -> str:
    return str(pack.path(recording))


def _file(pack: Pack, recording: Recording) -> tuple[float, int, Problem | None]:
    """Seconds and bytes of a recording's file, or what is wrong with it."""
    path = pack.path(recording)
    try:
        with path.open("rb") as stream:
            content = stream.read(MOST_FILE_BYTES + 1)
    except OSError as error:
        problem = Problem(f"the recording cannot be read: {error.strerror}", str(path), "put the file there")
        return 0, 0, problem
    if len(content) > MOST_FILE_BYTES:
        what = f"the recording is larger than {MOST_FILE_BYTES // 1000} kB, and is not played"
        return 0, path.stat().st_size, Problem(what, str(path), "one sentence a file, at 24 kbit/s (docs/audio.md)")
    sound = read_mp3(content)
    if sound is None:
        return (
            0,
            len(content),
            Problem("this is no whole MP3 file", str(path), "save or encode it again (docs/audio.md)"),
        )
    if sound.seconds > MOST_SECONDS:
        what = f"the recording lasts {sound.seconds:.0f} seconds"
        return sound.seconds, len(content), Problem(what, str(path), "one sentence a file")
    return sound.seconds, len(content), None
