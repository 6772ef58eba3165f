"""R5: every acknowledgement leaves after the sync that brought its response to the disk: the system calls tell.

The responses are found by their uuids in what is written to SQLite's log; so no word of the program is taken for it.
"""

import re
import shutil
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reliability.ground import make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import serving
from benchmarks.reliability.tablets import Tablet, left_wrong, together

DEVICES, RESPONSES = 16, 40
CALLS = "pwrite64,fsync,fdatasync,sendto,write,writev"
_CALL = re.compile(r"^(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\((\d+)<([^>]*)>)(.*)$")
_UUID = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_STORED = re.compile(r'\\"uuid\\":\\"([0-9a-f-]{36})\\",\\"fate\\":\\"stored\\"')


@dataclass
class Order:
    """What the trace says: where each response stands, and which acknowledgements came too early."""

    written: set[str] = field(default_factory=set)
    synced: set[str] = field(default_factory=set)
    confirmed: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    syncs: int = 0

    def read(self, lines: Iterable[str]) -> None:
        under_way: dict[str, tuple[str, set[str]]] = {}
        for line in lines:
            found = _CALL.match(line)
            if found is None:
                continue
            thread, resumed, call, _, path, rest = found.groups()
            if resumed:
                _, at_start = under_way.pop(thread, ("", set()))
                if resumed in ("fsync", "fdatasync") and rest.rstrip().endswith("= 0"):
                    self._sync(at_start)
            elif path.endswith("-wal"):
                self._log(call, rest, thread, under_way)
            elif call in ("sendto", "write", "writev"):
                self._send(rest)

    def _log(self, call: str, rest: str, thread: str, under_way: dict[str, tuple[str, set[str]]]) -> None:
        if call == "pwrite64":
            self.written |= set(_UUID.findall(rest))
        elif "<unfinished" in rest:
            # What is written while the sync runs may or may not be in it.
            under_way[thread] = (call, set(self.written))
        elif rest.rstrip().endswith("= 0"):
            self._sync(self.written)

    def _sync(self, written: set[str]) -> None:
        self.syncs += 1
        self.synced |= written

    def _send(self, rest: str) -> None:
        for uuid in _STORED.findall(rest):
            self.confirmed.append(uuid)
            if uuid not in self.synced:
                self.early.append(uuid)


def r5(folder: Path, short: bool) -> list[Outcome]:
    devices, responses = (4, 6) if short else (DEVICES, RESPONSES)
    strace = shutil.which("strace")
    if strace is None:
        raise RuntimeError("strace is needed: sudo apt-get install strace")
    ground = make_ground(folder / "instance", devices)
    tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
    trace = folder / "trace"
    # -D: the server stays the process that is started; -s: whole pages and whole answers. (-ff would lose the order.)
    before = [strace, "-D", "-f", "-y", "-s", "70000", "-o", str(trace), "-e", f"trace={CALLS}"]
    with serving(ground.settings, before=before) as server:
        for _ in range(responses):
            for tablet in tablets:
                tablet.fill(1)
            together(tablets, server.port, time.monotonic() + 120, batch=1)
    _finished(trace, server.process.pid)
    order = Order()
    order.read(_lines(trace))
    wrong = left_wrong(tablets, ground.stored())
    unseen = {one["uuid"] for tablet in tablets for one in tablet.outbox.values()} - set(order.confirmed)
    found = (
        f"{len(order.confirmed)} acknowledgements, {len(order.early)} before the sync of their response;"
        f" {order.syncs} syncs of the log"
    )
    holds = not order.early and not unseen and not wrong and order.syncs > 0
    detail = {"early": order.early[:3], "unseen": len(unseen), "wrong": wrong[:3]}
    what = f"strace of the server, {devices} devices, {devices * responses} responses"
    return [Outcome("R5", what, "the fsync before the acknowledgement, every batch", found, holds, holds, detail)]


def _finished(trace: Path, server: int) -> None:
    """Wait until strace has written the last line of all."""
    until = time.monotonic() + 60
    while not re.search(rf"^{server} +\+\+\+ exited", trace.read_text(encoding="latin-1"), re.MULTILINE):
        if time.monotonic() > until:
            raise RuntimeError("strace has not finished its trace")
        time.sleep(0.05)


def _lines(trace: Path) -> Iterator[str]:
    with trace.open(encoding="latin-1") as stream:
        yield from stream
