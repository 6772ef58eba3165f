"""What an archive is made of: its members, their columns, bounds, and how a table becomes bytes. docs/archive.md.

`MEMBERS`, `Member`, `key_check`, `table`, `ArchiveError`.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from survey_app.ledger import text_hmac
from survey_app.problems import SipasError
from survey_app.store.archiving import COMMENT_COLUMNS, DEVICE_COLUMNS, FIELD_COLUMNS

NAME, VERSION = "sipas-archive", 1
MOMENT = (1980, 1, 1, 0, 0, 0)  # the earliest a zip can name: the same wave gives the same bytes on any day

MANIFEST = "manifest.json"
README = "README.txt"
QUESTIONNAIRE = "questionnaire.toml"
WAVE = "wave.json"
RESPONSES = "responses.jsonl"
COMMENTS = "comments.jsonl"
CONFLICTS = "conflicts.jsonl"
EVENTS_MEMBER = "events.jsonl"
ANSWERS = "answers.csv"

CENTRE_COLUMNS = ("code", "name", "full_name", "kind", "group")
FRAME_COLUMNS = ("psu", "stratum", "name", "population", "probability", "households")
REGISTER_COLUMNS = ("import", "centre", "field", "month", "channel", "received", "resolved", "on_time")
REFERENCE_COLUMNS = ("import", "year", "place", "measure", "value", "series", "label", "source")
TABLES: Mapping[str, Sequence[str]] = {
    "centres.csv": CENTRE_COLUMNS,
    "devices.csv": DEVICE_COLUMNS,
    "fields.csv": FIELD_COLUMNS,
    "frame.csv": FRAME_COLUMNS,
    "references.csv": REFERENCE_COLUMNS,
    "register.csv": REGISTER_COLUMNS,
}
SERVER_COLUMNS = (
    "number", "position", "centre", "device", "received", "offset_ms", "local_day", "late", "after_close", "clock",
    "content_sha256",
)  # fmt: skip
"""Columns of a response that the server set; the others stand in its content."""
LINES: Mapping[str, Sequence[str]] = {
    RESPONSES: ("content", *SERVER_COLUMNS, "chain"),
    COMMENTS: COMMENT_COLUMNS,
    CONFLICTS: ("number", "uuid", "device", "seq", "received", "content_sha256", "content"),
    EVENTS_MEMBER: ("number", "at", "kind", "detail", "chain"),
}
MEMBERS = tuple(sorted((README, QUESTIONNAIRE, WAVE, ANSWERS, *TABLES, *LINES)))
"""In this order, then the manifest."""

MEGABYTE = 1_000_000
MOST_BYTES: Mapping[str, int] = {
    MANIFEST: MEGABYTE,
    README: MEGABYTE,
    QUESTIONNAIRE: 5 * MEGABYTE,
    WAVE: MEGABYTE,
    **dict.fromkeys(TABLES, 100 * MEGABYTE),
    **dict.fromkeys((*LINES, ANSWERS), 20_000 * MEGABYTE),
}
MOST_LINE = MEGABYTE


class ArchiveError(SipasError):
    """The wave cannot be archived, or the file is no archive that can be used."""


@dataclass(frozen=True)
class Member:
    sha256: str
    bytes: int


def key_check(key: bytes) -> str:
    """Tells whether two instances have the same key, and nothing of the key."""
    return text_hmac("sipas archive key check", key)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> bytes:
    """A CSV file in UTF-8; an empty cell is an absent value."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows(["" if cell is None else cell for cell in row] for row in rows)
    return text.getvalue().encode("utf-8")
