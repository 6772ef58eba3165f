"""Rebuilding a wave from its archive: every response is derived and hashed anew, and nothing stays unless all fits.

`import_wave`, `Imported`.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from survey_app.archive.layout import (
    COMMENTS,
    CONFLICTS,
    QUESTIONNAIRE,
    RESPONSES,
    SERVER_COLUMNS,
    ArchiveError,
    key_check,
)
from survey_app.archive.reading import Archive, open_archive
from survey_app.archive.returning import Returning
from survey_app.ledger import GENESIS, Plain, compact, content_hash, link
from survey_app.model import Head, moment, stamp
from survey_app.problems import Problem, SipasError
from survey_app.questionnaire import Questionnaire, check
from survey_app.questionnaire.file import parse
from survey_app.response import parse_response
from survey_app.store import Store, answer_rows
from survey_app.store.archiving import ArchivedResponse, Placed
from survey_app.store.auditing import ConflictRow
from survey_app.store.recording import RESPONSE_COLUMNS
from survey_app.verification import check_tables
from survey_app.verification.texts import Purges, sealed_texts, with_texts, wrong_texts

_ALTERED = "get the archive again from where it is kept"
_GROUP = 2_000
_NUMBERS = ("number", "position", "offset_ms", "late", "after_close", "clock")
Step = Callable[[int, int], None]


@dataclass(frozen=True)
class Imported:
    wave: str
    head: Head
    comments: int
    simulated: bool


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


def import_wave(store: Store, path: Path, *, comments: bool = True, step: Step = _silent) -> Imported:
    """Put the wave of an archive back, in one transaction; its chain gets the very head it had.

    Without `comments` the instance need not have the key that the free texts were sealed with.

    Raises
    ------
    ArchiveError, StoreError
        Naming the member and line that does not fit; nothing has been imported then.
    """
    with open_archive(path, step) as archive:
        if comments and archive.manifest["key_check"] != key_check(store.settings.key):
            remedy = (
                "make an instance with that key: sipas --instance NEW init --key FILE;"
                " or leave the texts out: --without-comments"
            )
            raise ArchiveError(
                Problem("the archive was made with another key than this instance has", str(path), remedy)
            )
        form = parse(archive.content(QUESTIONNAIRE), f"{path.name}: {QUESTIONNAIRE}")
        try:
            with store.putting_back():
                return _Import(store, archive, form, comments, step).run()
        except (TypeError, ValueError, LookupError, AttributeError, OverflowError) as error:
            what = f"the archive does not say what it must: {type(error).__name__} {error}"
            raise ArchiveError(Problem(what, str(path), _ALTERED)) from None


class _Import:
    def __init__(self, store: Store, archive: Archive, form: Questionnaire, comments: bool, step: Step) -> None:
        self._store, self._archive, self._form, self._keep, self._step = store, archive, form, comments, step
        self._wave = str(archive.manifest["wave"])
        self._head = Head(**archive.manifest["heads"][self._wave])
        self._sealed: dict[tuple[str, int], tuple[str, dict[str, str]]] = {}
        self._centres: dict[str, Plain] = {}
        self._latest = ""

    def run(self) -> Imported:
        returning = Returning(self._store, self._archive, self._form)
        self._refuse_taken()
        returning.lists_and_wave()
        self._centres = {str(row["id"]): row["centre"] for row in self._store.device_rows()}
        known = frozenset(row[0] for row in self._store.field_rows())
        end = self._responses(known)
        if end != self._head:
            raise self._wrong("the responses do not end at the head the manifest names", RESPONSES)
        returning.events_and_imports(self._conflicts())
        comments, left_out = self._comments()
        if left_out:
            returning.left_out(left_out, stamp(moment(self._latest) + timedelta(milliseconds=1)))
        self._check_missing_texts()
        if problems := check_tables(self._store):
            raise ArchiveError(problems)
        self._store.log_event(
            "archive_imported",
            {
                "wave": self._wave,
                "sha256": self._archive.sha256,
                "rows": end.count,
                "head": end.head,
                "comments": comments,
                "left_out": left_out,
            },
        )
        return Imported(self._wave, end, comments, self._store.wave(self._wave).simulated)

    def _wrong(self, what: str, where: str) -> ArchiveError:
        return ArchiveError(Problem(what, f"{self._archive.path.name}: {where}", _ALTERED))

    def _refuse_taken(self) -> None:
        """The chain covers the numbers of responses, so they cannot be given anew."""
        some = list(itertools.islice(self._archive.lines(RESPONSES), 1))
        if not some:
            return
        first = some[0][1]["number"]
        uuid = some[0][1]["content"].get("uuid") if isinstance(some[0][1]["content"], dict) else None
        if type(first) is int and self._store.taken(first, str(uuid)):
            raise ArchiveError(
                Problem(
                    f"response number {first} of the archive is taken here",
                    str(self._store.settings.store_path),
                    "import into a new, empty instance",
                )
            )

    # ---- responses

    def _responses(self, fields: frozenset[str]) -> Head:
        head, count = GENESIS, 0
        lines = self._archive.lines(RESPONSES)
        while some := list(itertools.islice(lines, _GROUP)):
            placed = []
            for where, data in some:
                one = self._placed(where, data, fields)
                count += 1
                head = link(head, one.response.values)
                if head != one.response.chain or one.response.values["position"] != count:
                    raise ArchiveError(Problem("the response does not follow from the one before", where, _ALTERED))
                placed.append(one)
            self._store.put_responses_back(placed, Head(count, head), self._wave)
            self._step(count, max(self._head.count, 1))
        return Head(count, head)

    def _placed(self, where: str, data: Mapping[str, Any], fields: frozenset[str]) -> Placed:
        try:
            content = compact(data["content"])
            if content_hash(content) != data["content_sha256"]:
                raise ArchiveError(Problem("the content does not have the hash beside it", where, _ALTERED))
            number = data["number"]
            self._note_texts(("response", number), data)
            response = parse_response(with_texts(data["content"]))
            checked = check(self._form, response, fields)
        except ArchiveError:
            raise
        except (SipasError, TypeError, ValueError, LookupError, AttributeError) as error:
            raise ArchiveError(Problem(f"this is not a response: {type(error).__name__}", where, _ALTERED)) from None
        if checked.problems or response.wave != self._wave:
            what = str(checked.problems[0]) if checked.problems else f"wave:{response.wave}"
            raise ArchiveError(Problem(f"the response does not pass its form: {what}", where, _ALTERED))
        if data["centre"] != self._centres.get(str(data["device"])):
            raise ArchiveError(Problem("the centre is not that of the device", where, _ALTERED))
        if not all(type(data[name]) is (int if name in _NUMBERS else str) for name in SERVER_COLUMNS):
            raise ArchiveError(Problem("a column is not of its type", where, _ALTERED))
        given = {**data["content"], **{name: data[name] for name in data if name in RESPONSE_COLUMNS}}
        if given["part"] is not None:
            given["part"] = compact(given["part"]).decode("utf-8")
        values = {name: given[name] for name in RESPONSE_COLUMNS}
        return Placed(
            ArchivedResponse(values, content.decode("utf-8"), str(data["chain"])), answer_rows(number, checked.codes)
        )

    def _note_texts(self, owner: tuple[str, int], data: Mapping[str, Any]) -> None:
        sealed = sealed_texts(data["content"])
        if sealed:
            self._sealed[owner] = str(data["received"]), dict(sealed)
            self._latest = max(self._latest, str(data["received"]))

    # ---- second contents and free texts

    def _conflicts(self) -> set[str]:
        """Puts them back; returns the uuids they compete for."""
        uuids = set()
        for where, data in self._archive.lines(CONFLICTS):
            content = compact(data["content"])
            if content_hash(content) != data["content_sha256"]:
                raise ArchiveError(Problem("the content does not have the hash beside it", where, _ALTERED))
            self._note_texts(("conflict", data["number"]), data)
            uuids.add(str(data["uuid"]))
            self._store.put_conflict_back(
                ConflictRow(**{**data, "content": content.decode("utf-8"), "wave": self._wave})
            )

        return uuids

    def _comments(self) -> tuple[int, int]:
        """How many came back, and how many were left out."""
        kept = left_out = 0
        taken = self._store.comment_numbers()
        for rows in _groups(self._archive.lines(COMMENTS)):
            placed = []
            for where, data in rows:
                owner = "conflict" if data["response"] is None else "response"
                _, sealed = self._sealed.get((owner, data[owner]), ("", {}))
                if not self._keep:
                    left_out += 1
                    continue
                what = wrong_texts(sealed, {str(data["item"]): str(data["text"])}, self._store.settings.key, True)
                if what:
                    raise ArchiveError(Problem(what, where, _ALTERED))
                del sealed[data["item"]]
                number = None if data["number"] in taken else data["number"]  # a purge lets numbers come again
                placed.append([number, *(data[name] for name in ("response", "conflict", "item", "text"))])
            self._store.put_comments_back(placed)
            kept += len(placed)
        return kept, left_out

    def _check_missing_texts(self) -> None:
        """Texts that did not come back must have been purged, or left out just now."""
        purges = Purges.of(self._store)
        for (owner, number), (received, missing) in self._sealed.items():
            if missing and not purges.cover(self._wave, received):
                what = f"the text of {', '.join(sorted(missing))} of {owner} {number} is missing, and was never purged"
                raise self._wrong(what, COMMENTS)


def _groups(lines: Iterator[tuple[str, dict[str, Any]]]) -> Iterator[list[tuple[str, dict[str, Any]]]]:
    while some := list(itertools.islice(lines, _GROUP)):
        yield some
