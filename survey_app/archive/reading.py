"""Opening an archive that somebody hands in: nothing in it is believed before its place, size and hash are checked.

`open_archive`, `Archive`. No name in it ever becomes a path: members are known by the names of the layout alone.
"""

import contextlib
import csv
import hashlib
import io
import json
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from survey_app.archive.layout import (
    LINES,
    MANIFEST,
    MEGABYTE,
    MEMBERS,
    MOMENT,
    MOST_BYTES,
    MOST_LINE,
    NAME,
    TABLES,
    VERSION,
    ArchiveError,
    Member,
)
from survey_app.problems import Problem

_END = struct.Struct("<4s4H2LH")
_ENTRY = struct.Struct("<4s4B4H3L5H2L")
_BLOCK = 1 << 20
_MOST_MEMBERS = 1000  # more are not even listed
_AGAIN = "get the archive again from where it is kept, and compare its SHA-256 with what sipas export printed"
_UNREADABLE = (
    zipfile.BadZipFile, zlib.error, EOFError, struct.error, NotImplementedError, RuntimeError, ValueError, LookupError,
)  # fmt: skip


def _refused(what: str, where: str, remedy: str = _AGAIN) -> ArchiveError:
    return ArchiveError(Problem(what, where, remedy))


@dataclass(frozen=True)
class Archive:
    """An archive whose members are the ones its manifest names, each with its hash."""

    path: Path
    sha256: str
    manifest: Mapping[str, Any]
    _zip: zipfile.ZipFile

    def content(self, name: str) -> bytes:
        with self._zip.open(name) as stream:
            return stream.read(MOST_BYTES[name])

    def json(self, name: str) -> Any:
        return _parsed(self.content(name), f"{self.path.name}: {name}")

    def table(self, name: str) -> list[dict[str, str]]:
        """The rows of a table, whose header must be the layout's."""
        where = f"{self.path.name}: {name}"
        try:
            lines = csv.reader(io.StringIO(self.content(name).decode("utf-8"), newline=""), strict=True)
            header, *rows = list(lines)
        except (UnicodeDecodeError, csv.Error, ValueError) as error:
            raise _refused(f"this is no table: {error}", where) from None
        if tuple(header) != tuple(TABLES[name]):
            raise _refused("the header is not the one agreed", where)
        for number, row in enumerate(rows, start=2):
            if len(row) != len(header):
                raise _refused(f"{len(row)} columns where the header has {len(header)}", f"{where}, row {number}")
        return [dict(zip(header, row, strict=True)) for row in rows]

    def lines(self, name: str) -> Iterator[tuple[str, dict[str, Any]]]:
        """Place and data of each line, which must have exactly the keys of the layout."""
        keys = set(LINES[name])
        with self._zip.open(name) as stream:
            for number, line in enumerate(iter(lambda: stream.readline(MOST_LINE + 1), b""), start=1):
                where = f"{self.path.name}: {name}, line {number}"
                if len(line) > MOST_LINE or not line.endswith(b"\n"):
                    raise _refused("the line is too long, or has no end", where)
                data = _parsed(line, where)
                if not isinstance(data, dict) or data.keys() != keys:
                    raise _refused("the line has not the keys agreed", where)
                yield where, data


def _parsed(content: bytes, where: str) -> Any:
    try:
        return json.loads(content)
    except (ValueError, RecursionError):
        raise _refused("this is not JSON", where) from None


@contextlib.contextmanager
def open_archive(path: Path, step: Callable[[int, int], None]) -> Iterator[Archive]:
    """Check everything that can be checked without a store, then give the archive."""
    with contextlib.ExitStack() as opened:
        if path.exists() and not path.is_file():
            raise _refused("this is no file", str(path), "name the file that sipas export wrote")
        try:
            stream = opened.enter_context(path.open("rb"))
            _check_directory_size(stream, path)
            archive = opened.enter_context(zipfile.ZipFile(stream))
        except OSError as error:
            raise _refused(f"the file cannot be read: {error.strerror}", str(path), "check the name") from None
        except _UNREADABLE as error:
            raise _refused(f"this is not an archive, or it is damaged: {error}", str(path)) from None
        _check_names(archive, path)
        _check_headers(archive, stream, path)
        manifest, members = _read_manifest(archive, path)
        _check_members(archive, path, members, step)
        stream.seek(0)
        yield Archive(path, hashlib.file_digest(stream, "sha256").hexdigest(), manifest, archive)


def _check_directory_size(stream: IO[bytes], path: Path) -> None:
    """Before the list of members is read into memory: it must lie at the very end, and be short."""
    size = stream.seek(0, io.SEEK_END)
    stream.seek(max(0, size - _END.size))
    tail = stream.read(_END.size)
    if len(tail) < _END.size or not tail.startswith(b"PK\x05\x06"):
        raise _refused("this is not a zip file, or bytes were added or cut off at its end", str(path))
    _, disk, first, here, members, length, _, comment = _END.unpack(tail)
    if (disk, first, comment) != (0, 0, 0) or here != members or members > _MOST_MEMBERS:
        raise _refused("the list of members is not one of an archive", f"{path}, its last 22 bytes")
    if length not in range(MEGABYTE) and length != 0xFFFFFFFF:
        raise _refused("the list of members is too long", f"{path}, its last 22 bytes")


def _check_names(archive: zipfile.ZipFile, path: Path) -> None:
    names = [info.filename for info in archive.infolist()]
    wanted = [*MEMBERS, MANIFEST]
    problems = [f"lacks {name}" for name in wanted if name not in names]
    problems += [f"has {name!r}, which does not belong there" for name in names if name not in wanted]
    problems += [f"has {name} twice" for name in wanted if names.count(name) > 1]
    for info in archive.infolist():
        if info.flag_bits & 0x1:
            problems.append(f"has {info.filename!r} encrypted")
    if problems:
        raise ArchiveError([Problem(f"the archive {what}", str(path), _AGAIN) for what in problems[:20]])
    if names != wanted:
        raise _refused("the members are not in their order", str(path))


def _check_headers(archive: zipfile.ZipFile, stream: IO[bytes], path: Path) -> None:
    """What an archive of ours says of each member, nothing else; and between the members lies nothing."""
    expected, listed, any_large = 0, b"", False
    for info in archive.infolist():
        large = max(info.file_size, info.compress_size, info.header_offset) > zipfile.ZIP64_LIMIT
        sound = (info.date_time, info.extract_version, info.header_offset) == (MOMENT, 45, expected)
        if sound and (large or not info.extra):
            info.extra = b""  # what the list says there of sizes over 4 GB, the header says in its own way
            header = info.FileHeader(zip64=True)
            stream.seek(info.header_offset)
            sound = stream.read(len(header)) == header
            expected += len(header) + info.compress_size
            any_large = any_large or large
            listed += b"" if any_large else _listed(info)
        if not sound:
            raise _refused(
                "what the zip says of this member is not what sipas export writes", f"{path}: {info.filename}"
            )
    stream.seek(archive.start_dir)
    if archive.start_dir != expected or not stream.read(MEGABYTE).startswith(listed):
        raise _refused("the list of members is not what sipas export writes", str(path))


def _listed(info: zipfile.ZipInfo) -> bytes:
    """A member in the list at the end, as `sipas export` writes it."""
    date = (MOMENT[0] - 1980) << 9 | MOMENT[1] << 5 | MOMENT[2]
    return (
        _ENTRY.pack(
            b"PK\x01\x02", 45, 3, 45, 0, info.flag_bits, zipfile.ZIP_DEFLATED, 0, date, info.CRC, info.compress_size,
            info.file_size, len(info.filename), 0, 0, 0, 0, 0o600 << 16, info.header_offset,
        )
        + info.filename.encode("ascii")
    )  # fmt: skip


def _read_manifest(archive: zipfile.ZipFile, path: Path) -> tuple[Mapping[str, Any], Mapping[str, Member]]:
    where = f"{path.name}: {MANIFEST}"
    content = b"".join(_blocks(archive, MANIFEST, MOST_BYTES[MANIFEST], where))
    manifest = _parsed(content, where)
    try:
        if manifest["format"] != NAME:
            raise _refused("this is not an archive of SIPAS", where)
        if manifest["version"] != VERSION:
            raise _refused(f"the archive is of version {manifest['version']!r}", where, "update sipas, then try again")
        members = {name: Member(str(one["sha256"]), int(one["bytes"])) for name, one in manifest["members"].items()}
        head = manifest["heads"][manifest["wave"]]
        sound = (type(head["count"]), type(head["head"]), type(manifest["key_check"])) == (int, str, str)
    except (TypeError, ValueError, LookupError, AttributeError):
        raise _refused("the manifest does not say what it must", where) from None
    if not sound or members.keys() != set(MEMBERS):
        raise _refused("the manifest does not say what it must", where)
    return manifest, members


def _check_members(
    archive: zipfile.ZipFile, path: Path, members: Mapping[str, Member], step: Callable[[int, int], None]
) -> None:
    total, done = sum(member.bytes for member in members.values()), 0
    problems = []
    for name, member in members.items():
        where = f"{path.name}: {name}"
        if not 0 <= member.bytes <= MOST_BYTES[name]:
            raise _refused("the member is larger than any of its kind", where)
        digest, size = hashlib.sha256(), 0
        for block in _blocks(archive, name, member.bytes, where):
            digest.update(block)
            size += len(block)
            step(done + size, total)
        done += size
        if size != member.bytes or digest.hexdigest() != member.sha256:
            problems.append(Problem("the member is not the one the manifest names", where, _AGAIN))
    if problems:
        raise ArchiveError(problems)


def _blocks(archive: zipfile.ZipFile, name: str, most: int, where: str) -> Iterator[bytes]:
    """The bytes of a member, unpacked; never more than it may have, whatever the zip says."""
    left = most
    try:
        with archive.open(name) as stream:
            while block := stream.read(_BLOCK):
                left -= len(block)
                if left < 0:
                    raise _refused("the member unpacks to more than it may", where)
                yield block
    except _UNREADABLE as error:
        raise _refused(f"the member is damaged: {error}", where) from None
