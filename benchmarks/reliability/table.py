"""The page docs/benchmarks.md, made from the figures of the newest run of each test: `keep`, `write`, `document`, `figures`."""

import dataclasses
import json
import os
import platform
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.reliability.outcome import Outcome

ROOT = Path(__file__).parents[2]
FIGURES = Path(__file__).with_name("figures.json")
PAGE = ROOT / "docs" / "benchmarks.md"
ORDER = (
    "R1",
    "R2",
    "R3",
    "R4",
    "R5",
    "R6",
    "R7",
    "R8",
    "R9",
    "R10",
    "R11",
    "R12",
    "R13",
    "R14",
    "R15",
    "R16",
    "A1",
    "A2",
    "A3",
)
_HEAD = """# Benchmarks

What the kiosks and their server promise, each bar beside what was found. Made by `python -m benchmarks.reliability --write`; `make bench` runs it. One test again: `python -m
benchmarks.reliability R4 --write`. The short forms run with the tests (tests/test_reliability.py, tests/browser).

| | Test | Bar | Found | |
|---|---|---|---|---|
"""
_FOOT = """
**How it is measured.** Server and load generator run on the same machine, {cores} cores. The server is `sipas serve` as it is
installed, a process of its own, fsync on, access log off; R1 and R2 send one response a request on connections that
stay open, and count only what the store holds afterwards and `sipas verify` finds whole. The waits are the
generator's: from the first byte sent to the last byte of the acknowledgement.

**That the generator is not the bottleneck**: it is a process of its own, of plain sockets and one selector. The figures name
the share of a core it took, and how much it gets out of a server that answers at once without reading what it was sent.

**Slower disks**: a shim (`benchmarks/reliability/slow_disk.c`) lets every fsync and fdatasync take 10 ms more. A commit
needs two: SQLite's log, then `heads.log`.

**R5** reads the system calls: a response is found by its uuid in what is written to SQLite's log, then the sync of that
log has to end before the acknowledgement that names the uuid is sent. **R6** takes what the store must still hold from
the bytes of the log, not from SQLite. **R7** runs on a small file system in memory (as root), else under a shim.
**R15** sends 8,000 mutated requests over every route, each on its own connection, and 2,000 mutated sendings down
connections that stay open. Answers of 5xx are meant only where a body was cut off (503) or its framing is one that
nobody knows (501).
"""


def keep(outcomes: Iterable[Outcome]) -> None:
    """Put the figures of these tests in the place of those of their last run."""
    known = figures()
    at = datetime.now(UTC).date().isoformat()
    machine = {"cores": os.cpu_count(), "python": platform.python_version()}
    for outcome in outcomes:
        rows = known.setdefault(outcome.test, {"at": "", "rows": []})
        if rows["at"] != "now":
            rows |= {"at": "now", "rows": [], **machine}
        rows["rows"].append(dataclasses.asdict(outcome))
    for rows in known.values():
        rows["at"] = at if rows["at"] == "now" else rows["at"]
    FIGURES.write_text(json.dumps(known, ensure_ascii=False, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def write() -> Path:
    PAGE.write_text(document(figures()) + _others(), encoding="utf-8")
    return PAGE


def document(known: dict[str, Any]) -> str:
    lines = []
    for test in ORDER:
        for row in known.get(test, {"rows": []})["rows"]:
            verdict = "holds" if row["holds"] else "**missed**"
            lines.append(f"| {test} | {row['what']} | {row['bar']} | {row['found']} | {verdict} |\n")
    days = sorted({rows["at"] for rows in known.values()})
    cores = sorted({rows["cores"] for rows in known.values()})
    when = f"\nMeasured {' and '.join(days)}.\n" if days else ""
    return _HEAD + "".join(lines) + when + _FOOT.format(cores=" or ".join(map(str, cores)) or "two")


def _others() -> str:
    """The pages beside this one, by their titles."""
    lines = ["\n## The other benchmarks\n\n"]
    for path in sorted(PAGE.with_suffix("").glob("*.md")):
        title = path.read_text(encoding="utf-8").partition("\n")[0].lstrip("# ")
        lines.append(f"- [{title}]({PAGE.stem}/{path.name})\n")
    return "".join(lines)


def figures() -> dict[str, Any]:
    found: dict[str, Any] = json.loads(FIGURES.read_text(encoding="utf-8")) if FIGURES.exists() else {}
    return found
