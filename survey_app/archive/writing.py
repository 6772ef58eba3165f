"""Writing one wave as an archive: everything the store has of it, and how to read it, in one file.

`export_wave`, `Exported`. Confidential: it holds uuids, times and comments. The same wave gives the same bytes, whenever
it is written.
"""

import contextlib
import dataclasses
import functools
import hashlib
import importlib.resources
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from survey_app.archive.flat import FlatTable
from survey_app.archive.layout import (
    ANSWERS,
    COMMENTS,
    CONFLICTS,
    EVENTS_MEMBER,
    MANIFEST,
    MEMBERS,
    MOMENT,
    NAME,
    QUESTIONNAIRE,
    README,
    RESPONSES,
    SERVER_COLUMNS,
    VERSION,
    WAVE,
    ArchiveError,
    key_check,
)
from survey_app.archive.lists import Lists, gather
from survey_app.interruptions import later
from survey_app.ledger import GENESIS, compact, content_hash, link
from survey_app.model import Head
from survey_app.problems import Problem
from survey_app.store import EVENTS, Store
from survey_app.store.archiving import COMMENT_COLUMNS

_BESIDE = ".writing-"
_SIMULATED = "MÔ PHỎNG: không có công dân nào trả lời. / SIMULATED: no citizen answered.\n\n"
Step = Callable[[int, int], None]


@dataclasses.dataclass(frozen=True)
class Exported:
    path: Path
    sha256: str
    head: Head
    comments: int
    simulated: bool


def _silent(done: int, total: int) -> None:
    """No progress wanted."""


def export_wave(store: Store, wave_id: str, output: Path | None = None, *, step: Step = _silent) -> Exported:
    """Write the wave as it is now to `output`, by default into the instance's folder `archives`, and note it in the audit.

    The file appears whole or not at all, after the audit knows of it. An existing file is refused.
    """
    wave = store.wave(wave_id)
    if output and output.exists():
        raise ArchiveError(Problem("there is a file here already", str(output), "name another one, or remove it first"))
    folder = output.absolute().parent if output else store.settings.archives
    if output is None:
        folder.mkdir(mode=0o700, exist_ok=True)
    descriptor, name = tempfile.mkstemp(prefix=_BESIDE, suffix=".zip", dir=folder)
    try:
        with os.fdopen(descriptor, "wb") as stream, store.snapshot():
            manifest = _Writer(store, gather(store, wave), stream, step).write()
            stream.flush()
            os.fsync(stream.fileno())
        path = output or folder / f"{wave.id}.{content_hash(compact(manifest))[:12]}.zip"
        done = Exported(
            path,
            _hash_of(Path(name)),
            Head(**manifest["heads"][wave.id]),
            manifest["counts"]["comments"],
            wave.simulated,
        )
        detail = {
            "what": "archive",
            "wave": wave.id,
            "rows": done.head.count,
            "comments": done.comments,
            "head": done.head.head,
            "sha256": done.sha256,
            "by": "command line",
        }
        with later():
            store.log_event("export", detail)
            os.replace(name, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(name)
        raise
    return done


def _hash_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class _Writer:
    """One pass that writes the members in their order and keeps what the manifest says of them."""

    def __init__(self, store: Store, lists: Lists, stream: Any, step: Step) -> None:
        self._store, self._lists, self._stream, self._step = store, lists, stream, step
        self._wave = lists.wave
        self._form = store.questionnaire(self._wave.questionnaire, self._wave.version)
        self._head = store.head(self._wave.id)
        self._comments = 0
        self._done = 0

    def write(self) -> dict[str, Any]:
        contents: Mapping[str, Callable[[], Iterable[bytes]]] = {
            README: self._readme,
            ANSWERS: self._answers,
            RESPONSES: self._responses,
            COMMENTS: self._comment_lines,
            CONFLICTS: self._conflicts,
            EVENTS_MEMBER: lambda: map(_line, self._lists.events),
            QUESTIONNAIRE: lambda: [self._form.content],
            WAVE: lambda: [_json(self._lists.definition)],
            **{name: functools.partial(_once, content) for name, content in self._lists.tables.items()},
        }
        members: dict[str, dict[str, object]] = {}
        with zipfile.ZipFile(self._stream, "w", zipfile.ZIP_DEFLATED) as archive:
            for name in MEMBERS:
                members[name] = _write_member(archive, name, contents[name]())
            manifest = self._manifest(members)
            _write_member(archive, MANIFEST, [_json(manifest)])
        return manifest

    def _readme(self) -> Iterator[bytes]:
        if self._wave.simulated:
            yield _SIMULATED.encode("utf-8")
        yield importlib.resources.files("survey_app").joinpath("data/archive/README.txt").read_bytes()

    def _manifest(self, members: Mapping[str, Mapping[str, object]]) -> dict[str, Any]:
        """No time, and nothing of the audit beyond the last event that stands in the archive."""
        last = self._lists.events[-1] if self._lists.events else {"number": 0, "chain": GENESIS}
        return {
            "format": NAME,
            "version": VERSION,
            "wave": self._wave.id,
            "simulated": self._wave.simulated,
            "questionnaire": {"id": self._form.id, "version": self._form.version, "sha256": self._form.sha256},
            "key_check": key_check(self._store.settings.key),
            "counts": {
                "responses": self._head.count,
                "comments": self._comments,
                "conflicts": len(self._lists.conflicts),
                "events": len(self._lists.events),
            },
            "heads": {
                self._wave.id: dataclasses.asdict(self._head),
                EVENTS: {"count": last["number"], "head": last["chain"]},
            },
            "members": members,
        }

    def _responses(self) -> Iterator[bytes]:
        """Each response is held against its hashes: a store that does not verify is not archived."""
        head = GENESIS
        for one in self._store.archived_responses(self._wave.id):
            head = link(head, one.values)
            if one.chain != head or content_hash(one.content.encode("utf-8")) != one.values["content_sha256"]:
                raise ArchiveError(
                    Problem(
                        "this response does not have the hashes it was stored with",
                        f"wave {self._wave.id}, position {one.values['position']}",
                        "find out what was changed: sipas verify",
                    )
                )
            told = compact({**{name: one.values[name] for name in SERVER_COLUMNS}, "chain": one.chain})
            yield b'{"content":' + one.content.encode("utf-8") + b"," + told[1:] + b"\n"
            self._count()

    def _answers(self) -> Iterator[bytes]:
        flat = FlatTable(self._form, self._lists.centres, self._lists.field_names, simulated=self._wave.simulated)
        yield flat.header()
        texts = self._texts()
        for response in self._store.responses(self._wave.id):
            yield flat.line(response, texts.get(response.uuid, {}))
            self._count()

    def _texts(self) -> dict[str, dict[str, str]]:
        """Comments by the uuid of their response: of one wave they fit into memory."""
        found: dict[str, dict[str, str]] = {}
        for uuid, item, text in self._store.texts_by_uuid(self._wave.id):
            found.setdefault(uuid, {})[item] = text
        return found

    def _comment_lines(self) -> Iterator[bytes]:
        for row in self._store.archived_comments(self._wave.id):
            self._comments += 1
            yield _line(dict(zip(COMMENT_COLUMNS, row, strict=True)))

    def _conflicts(self) -> Iterator[bytes]:
        for row in self._lists.conflicts:
            told = {
                name: getattr(row, name) for name in ("number", "uuid", "device", "seq", "received", "content_sha256")
            }
            yield _line({**told, "content": json.loads(row.content)})

    def _count(self) -> None:
        self._done += 1
        if self._done % 200 == 0:
            self._step(self._done, 2 * self._head.count)


def _write_member(archive: zipfile.ZipFile, name: str, chunks: Iterable[bytes]) -> dict[str, object]:
    info = zipfile.ZipInfo(name, MOMENT)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o600 << 16
    digest, size = hashlib.sha256(), 0
    with archive.open(info, "w", force_zip64=True) as member:
        for chunk in chunks:
            member.write(chunk)
            digest.update(chunk)
            size += len(chunk)
    return {"sha256": digest.hexdigest(), "bytes": size}


def _once(content: bytes) -> Iterable[bytes]:
    return [content]


def _line(data: Mapping[str, Any]) -> bytes:
    return compact(data) + b"\n"


def _json(data: Mapping[str, Any]) -> bytes:
    return (json.dumps(data, ensure_ascii=False, sort_keys=True, indent=1) + "\n").encode("utf-8")
