"""What a backup says of itself: `manifest.json`, and how a folder is held against it.

`Manifest`, `read_manifest`, `wrong_files`, `file_hash`, `BackupError`.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, get_args

from survey_app.ledger import text_hmac
from survey_app.model import Head, moment, stamp
from survey_app.problems import Problem, SipasError

FORMAT = 1
MANIFEST = "manifest.json"
Kind = Literal["nightly", "by_hand"]
_FINGERPRINT = "sipas: which key"
_MOST_BYTES = 4_000_000


class BackupError(SipasError):
    """The backup cannot be made, or is not one."""


@dataclass(frozen=True)
class Manifest:
    """`heads` of every chain, `steps` of the schema, `files` with size and SHA-256, `left_out` what lies elsewhere.

    `problems`: what verifying the copy found; a nightly backup is kept with them, one made by hand is not.
    """

    kind: Kind
    made: datetime
    program: str
    demo: bool
    simulated: bool
    steps: tuple[str, ...]
    counts: Mapping[str, int]
    heads: Mapping[str, Head]
    key: str
    files: Mapping[str, tuple[int, str]]
    left_out: Mapping[str, tuple[str, ...]]
    problems: tuple[str, ...] = ()

    def content(self) -> bytes:
        plain = {"format": FORMAT, **asdict(self), "made": stamp(self.made)}
        plain["files"] = {name: {"bytes": size, "sha256": sha256} for name, (size, sha256) in self.files.items()}
        return (json.dumps(plain, ensure_ascii=False, indent=1, sort_keys=True) + "\n").encode("utf-8")


def read_manifest(folder: Path) -> Manifest:
    """`BackupError` where the folder is no backup, or one of a later format."""
    path = folder / MANIFEST
    try:
        with path.open("rb") as stream:
            plain: dict[str, Any] = json.loads(stream.read(_MOST_BYTES))
        if plain["format"] != FORMAT:
            raise BackupError(
                Problem(f"the backup has format {plain['format']}", str(path), "use the version of sipas that made it")
            )
        return _parsed(plain)
    except FileNotFoundError:
        what, remedy = "this is no backup: it has no manifest.json", "name the folder of one: sipas backup --list"
        raise BackupError(Problem(what, str(folder), remedy)) from None
    except (OSError, ValueError, LookupError, TypeError, AttributeError) as error:
        what = f"the manifest of the backup cannot be read: {type(error).__name__} {error}"
        raise BackupError(Problem(what, str(path), "use another backup: sipas backup --list")) from None


def _parsed(plain: Mapping[str, Any]) -> Manifest:
    if plain["kind"] not in get_args(Kind):
        raise ValueError(f"kind {plain['kind']!r}")
    return Manifest(
        kind=plain["kind"],
        made=moment(plain["made"]),
        program=str(plain["program"]),
        demo=bool(plain["demo"]),
        simulated=bool(plain["simulated"]),
        steps=tuple(map(str, plain["steps"])),
        counts={str(name): int(count) for name, count in plain["counts"].items()},
        heads={str(chain): Head(int(head["count"]), str(head["head"])) for chain, head in plain["heads"].items()},
        key=str(plain["key"]),
        files={_inside(name): (int(file["bytes"]), str(file["sha256"])) for name, file in plain["files"].items()},
        left_out={str(name): tuple(map(str, kept)) for name, kept in plain["left_out"].items()},
        problems=tuple(map(str, plain["problems"])),
    )


def _inside(name: str) -> str:
    path = Path(name)
    if path.is_absolute() or ".." in path.parts or not path.parts:
        raise ValueError(f"a file called {name!r}")
    return name


def wrong_files(folder: Path, manifest: Manifest) -> list[Problem]:
    """Files that are missing, are not what was written, or were put there since."""
    remedy = "use another backup: sipas backup --list"
    problems = []
    for name, (size, sha256) in sorted(manifest.files.items()):
        path = folder / name
        if path.is_symlink() or not path.is_file():
            problems.append(Problem(f"{name} is missing from the backup", str(folder), remedy))
        elif path.stat().st_size != size or file_hash(path) != sha256:
            problems.append(Problem(f"{name} of the backup was changed", str(folder), remedy))
    return problems


def file_hash(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def key_fingerprint(key: bytes) -> str:
    """Tells whether a key is the right one, and nothing of the key."""
    return text_hmac(_FINGERPRINT, key)[:16]
