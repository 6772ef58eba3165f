"""Heads of chains written down outside the store: heads.log, and the manifests of extracts and backups.

`HeadsLog`, `read_heads_log`, `read_manifests`, `read_backups`: by chain, with what is wrong in these files themselves.
"""

import hashlib
import itertools
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from survey_app.heads_log import TORN
from survey_app.model import Head
from survey_app.problems import Problem
from survey_app.verification.chain import Witness

Witnesses = dict[str, list[Witness]]
LINE = re.compile(r"(\S+)\t(\S+)\t([0-9]+)\t([0-9a-f]{64})(\tpending)?")


@dataclass(frozen=True)
class HeadsLog:
    """`confirmed`: written after a commit. `announced`: written before one that nothing confirmed; it may have failed.

    `lines` and `size`: how far it was read, so that reading can go on from there.
    """

    confirmed: Witnesses
    announced: Witnesses
    lines: int = 0
    size: int = 0

    def announces(self, chain: str, head: Head) -> bool:
        return any((one.count, one.head) == (head.count, head.head) for one in self.announced.get(chain, ()))


def read_heads_log(path: Path, since: HeadsLog | None = None) -> tuple[HeadsLog, list[Problem]]:
    """Each line: time, chain, count, head, and `pending` where it only announces; with `since` only what follows it.

    A line that cannot be read is a problem, and does not hide the others. What a power cut left of a line is none: it
    stands at the end, or is marked so by whoever wrote next. The log of a million commits is long: it is read line by
    line, and an announcement is forgotten once it is confirmed.
    """
    found, announced = Witnesses(), dict[str, dict[tuple[int, str], Witness]]()
    problems: list[Problem] = []
    number, size = (since.lines, since.size) if since else (0, 0)
    for line in _complete_lines(path, size):
        number, size = number + 1, size + len(line)
        text = line[:-1].decode("ascii", "replace")
        if text.endswith(TORN):
            continue
        parts = LINE.fullmatch(text)
        if parts is None:
            problems.append(
                Problem("a line of heads.log cannot be read", f"{path}, line {number}", "compare it with the backup's")
            )
            continue
        at, chain, digits, head, pending = parts.groups()
        one = Witness(int(digits), head, f"heads.log line {number} of {at}")
        waiting = announced.setdefault(chain, {})
        if pending:
            waiting[one.count, head] = one
        else:
            waiting.pop((one.count, head), None)
            found.setdefault(chain, []).append(one)
    for chain, witnesses in found.items():
        for before, after in itertools.pairwise(witnesses):
            if after.count < before.count:
                problems.append(Problem(f"heads.log goes back in {chain}", after.source, "find out who edited it"))
    still = {chain: list(waiting.values()) for chain, waiting in announced.items() if waiting}
    return HeadsLog(found, still, number, size), problems


def _complete_lines(path: Path, start: int) -> Iterator[bytes]:
    if not path.exists():
        return
    with path.open("rb") as stream:
        stream.seek(start)
        for line in stream:
            if line.endswith(b"\n"):
                yield line


def read_manifests(extracts: Path) -> tuple[Witnesses, list[Problem]]:
    """The ledger heads that extracts were made from; every file of theirs is hashed again."""
    found: Witnesses = {}
    problems: list[Problem] = []
    for path in sorted(extracts.glob("[!.]*/[!.]*/manifest.json")):
        content = path.read_bytes()
        where = str(path.parent)
        again = "remove this extract and make it again: sipas extract " + path.parent.parent.name
        if not hashlib.sha256(content).hexdigest().startswith(path.parent.name):
            problems.append(Problem("the manifest of an extract was changed", where, again))
            continue
        manifest: dict[str, Any] = json.loads(content)  # as it was written: its hash is the folder's name
        for name, sha256 in manifest["files"].items():
            file = path.parent / name
            if not file.is_file():
                problems.append(Problem(f"{name} is missing from an extract", where, again))
            elif hashlib.sha256(file.read_bytes()).hexdigest() != sha256:
                problems.append(Problem(f"{name} of an extract was changed", where, again))
        ledger = manifest["ledger"]
        source = f"extract {path.parent.name}"
        found.setdefault(manifest["wave"], []).append(Witness(ledger["count"], ledger["head"], source))
    return found, problems


def read_backups(backups: Path) -> tuple[Witnesses, list[Problem]]:
    """The heads that backups were made at; the copies themselves are checked when they are made and restored."""
    found: Witnesses = {}
    problems: list[Problem] = []
    for path in sorted(backups.glob("[!.]*/manifest.json")):
        source = f"backup {path.parent.name}"
        try:
            heads = json.loads(path.read_bytes())["heads"]
            for chain, head in heads.items():
                found.setdefault(str(chain), []).append(Witness(int(head["count"]), str(head["head"]), source))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            problems.append(
                Problem("the manifest of a backup cannot be read", str(path), "make a new one: sipas backup")
            )
    return found, problems
