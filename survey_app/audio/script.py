"""The script a speaker reads from, and the index made of what was recorded: `Row`, `script_rows`, `script_text`,
`read_script`, `index_of`.

A script is a CSV file with one line for each sentence: its number, prompt, text, an empty column for what is said in
a language that has no text of its own, the name under which the recording is saved, and the hash that ties the two.
"""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from survey_app.audio.packs import FILE, LANGUAGE, AudioError, Pack, Recording, load_pack
from survey_app.audio.sentences import Sentence, text_hash
from survey_app.problems import Problem
from survey_app.questionnaire.table import Problems
from survey_app.table_file import Line, lines, read_file, refuse

COLUMNS = ("number", "language", "prompt", "text", "say", "file", "text_sha256")
MOST_BYTES = 5_000_000
_ABOUT = ("called", "voice", "licence", "source")


@dataclass(frozen=True)
class Row:
    """One sentence of a script; `say` is what the speaker says, as far as somebody wrote it down."""

    language: str
    prompt: str
    text: str
    say: str
    file: str
    text_hash: str


def script_rows(spoken: Iterable[Sentence], language: str, *, written: bool) -> tuple[Row, ...]:
    """Each distinct text once, under its first prompt. Where the text is `written` in the language, it is what is said."""
    return tuple(
        Row(language, one.prompt, one.text, one.text if written else "", file, one.text_hash)
        for one, file in distinct(spoken)
    )


def distinct(spoken: Iterable[Sentence]) -> Iterator[tuple[Sentence, str]]:
    """Each text once, with the name of its file: its prompt, and where forms differ in it also how it begins its hash."""
    texts: set[str] = set()
    files: set[str] = set()
    for sentence in spoken:
        if sentence.text_hash not in texts:
            texts.add(sentence.text_hash)
            file = f"{sentence.prompt}.mp3"
            file = f"{sentence.prompt}-{sentence.text_hash[:6]}.mp3" if file in files else file
            files.add(file)
            yield sentence, file


def script_text(rows: Sequence[Row]) -> str:
    """The CSV file; a spreadsheet knows it by its mark as UTF-8."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for number, row in enumerate(rows, start=1):
        writer.writerow([number, row.language, row.prompt, row.text, row.say, row.file, row.text_hash])
    return "\ufeff" + stream.getvalue()


def read_script(path: Path) -> tuple[Row, ...]:
    """The rows of a script; `TableError` names every bad line."""
    file = read_file(path, MOST_BYTES)
    problems = Problems(file.name)
    rows = [
        _row(line) for line in lines(file, COLUMNS, ("language", "prompt", "text", "file", "text_sha256"), problems)
    ]
    if len({row.language for row in rows}) > 1:
        problems.add("the script is of several languages", "", "make a script and a pack for each language")
    refuse(problems, rows, "sentences")
    return tuple(rows)


def _row(line: Line) -> Row:
    text = line.text("text")
    row = Row(
        language=line.code("language", LANGUAGE, "a language code such as vi or tyz"),
        prompt=line.text("prompt"),
        text=text,
        say=line.cells.get("say", ""),
        file=line.code("file", FILE, "the name of an .mp3 file of letters, digits, . _ -"),
        text_hash=line.text("text_sha256"),
    )
    if line.sound and row.text_hash != text_hash(text):
        line.wrong(
            "text", "the text is not the one the script was made with", "make the script anew: sipas audio script"
        )
    return row


def index_of(script: Path, about: dict[str, str | None], *, placeholder: bool = False) -> tuple[Pack, tuple[Row, ...]]:
    """The pack of the recordings that lie beside the script, and the rows not recorded yet.

    What is not said of the voice is kept from the index that is there.
    """
    rows = read_script(script)
    folder = script.absolute().parent
    try:
        before: Pack | None = load_pack(folder)
    except AudioError:
        before = None
    told = {name: about.get(name) or (getattr(before, name) if before else None) for name in _ABOUT}
    lacking = [name for name, value in told.items() if not value]
    if lacking:
        raise AudioError([_lacking(name, folder) for name in lacking])
    there = [row for row in rows if (folder / row.file).is_file()]
    pack = Pack(
        folder=folder,
        language=rows[0].language,
        placeholder=placeholder,
        recordings=tuple(Recording(row.prompt, row.file, row.text_hash) for row in there),
        **{name: value or "" for name, value in told.items()},
    )
    return pack, tuple(row for row in rows if row not in there)


def _lacking(name: str, folder: Path) -> Problem:
    meaning = {
        "called": "the language's name for itself, as the start screen shows it",
        "voice": "who speaks, as far as they want to be named",
        "licence": "what the recordings may be used for, and by which consent",
        "source": "where and when they were made",
    }
    return Problem(f"--{name} is missing", str(folder), f"say it: {meaning[name]}")


def strays(pack: Pack) -> Iterator[str]:
    """Recordings in the folder that its index does not name."""
    known = {one.file for one in pack.recordings}
    yield from sorted(path.name for path in pack.folder.glob("*.mp3") if path.name not in known)
