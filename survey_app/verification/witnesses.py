"""Heads of chains written down outside the store: heads.log, and the manifests of extracts and backups.

`HeadsLog`, `read_heads_log`, `read_manifests`, `read_backups`: by chain, with what is wrong in these files themselves.
"""

import hashlib
import itertools
import json
import re
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
    """`announced`: written before a commit, which may then have failed. `confirmed`: written after it."""

    confirmed: Witnesses
    announced: Witnesses

    def announces(self, chain: str, head: Head) -> bool:
        return any((one.count, one.head) == (head.count, head.head) for one in self.announced.get(chain, ()))


def read_heads_log(path: Path) -> tuple[HeadsLog, list[Problem]]:
    """Each line: time, chain, count, head, and `pending` where it only announces.

    A line that cannot be read is a problem, and does not hide the others. What a power cut left of a line is none: it
    stands at the end, or is marked so by whoever wrote next.
    """
    found, announced = Witnesses(), Witnesses()
    problems: list[Problem] = []
    text = path.read_text(encoding="utf-8", errors="replace") if path.exists() else ""
    *lines, _torn = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if line.endswith(TORN):
            continue
        parts = LINE.fullmatch(line)
        if parts is None:
            problems.append(
                Problem("a line of heads.log cannot be read", f"{path}, line {number}", "compare it with the backup's")
            )
            continue
        at, chain, count, head, pending = parts.groups()
        (announced if pending else found).setdefault(chain, []).append(
            Witness(int(count), head, f"heads.log line {number} of {at}")
        )
    for chain, witnesses in found.items():
        for before, after in itertools.pairwise(witnesses):
            if after.count < before.count:
                problems.append(Problem(f"heads.log goes back in {chain}", after.source, "find out who edited it"))
    return HeadsLog(found, announced), problems


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
