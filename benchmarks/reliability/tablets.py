"""A tablet by the protocol: it keeps what it sent, sends again what is missing or was not acknowledged, and waits longer
after each failure.

`Tablet`, `together`.
"""

import http.client
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.reliability.ground import Sheet, sending

LONGEST_PAUSE = 1.0


class Tablet:
    """One device with its outbox. Not thread-safe: one thread flushes it."""

    def __init__(self, token: str, sheet: Sheet) -> None:
        self.token, self.sheet = token, sheet
        self.outbox: dict[int, dict[str, Any]] = {}
        self.unsent: list[int] = []
        self.acknowledged: set[str] = set()
        self.fates: Counter[str] = Counter()
        self.interruptions: Counter[str] = Counter()
        self.refused: Refused | None = None
        self.reported: set[int] = set()

    def fill(self, count: int) -> None:
        """So many citizens more."""
        for _ in range(count):
            seq = len(self.outbox) + 1
            self.outbox[seq] = self.sheet.response(seq)
            self.unsent.append(seq)

    def flush(self, port: int, until: float, batch: int = 20) -> None:
        """Send until nothing is left; what fails is tried again until the deadline."""
        failures = 0
        line: http.client.HTTPConnection | None = None
        while self.unsent and time.monotonic() < until:
            try:
                line = line or http.client.HTTPConnection("127.0.0.1", port, timeout=30)
                self.send(line, self.unsent[:batch])
                failures = 0
            except (OSError, http.client.HTTPException) as error:
                self.interruptions[str(error.status) if isinstance(error, Refused) else type(error).__name__] += 1
                if isinstance(error, Refused):
                    self.refused = error
                line = self._given_up(line)
                failures += 1
                time.sleep(random.uniform(0, min(LONGEST_PAUSE, 0.02 * 2**failures)))
        self._given_up(line)

    def _given_up(self, line: http.client.HTTPConnection | None) -> None:
        if line is not None:
            line.close()

    def send(self, line: http.client.HTTPConnection, some: Sequence[int]) -> None:
        content = json.dumps(sending([self.outbox[seq] for seq in some], len(self.outbox)))
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        line.request("POST", "/api/v1/responses", content, headers)
        answer = line.getresponse()
        told = answer.read()
        if answer.status != 200:
            raise Refused(answer.status, told)
        try:
            self.hear(json.loads(told))
        except json.JSONDecodeError:
            raise http.client.IncompleteRead(told) from None  # cut off where the headers ended: no acknowledgement

    def hear(self, told: dict[str, Any]) -> None:
        """Take an acknowledgement in: fates, and what the server has never seen."""
        for result in told["results"]:
            self.fates[result["fate"]] += 1
            self.acknowledged.add(result["uuid"])
        settled = {result["uuid"] for result in told["results"]}
        missing = {seq for first, last in told["missing"] for seq in range(first, last + 1) if seq in self.outbox}
        again = missing | {seq for seq, one in self.outbox.items() if one["uuid"] in told["resend"]}
        self.reported |= missing
        left = [seq for seq in self.unsent if self.outbox[seq]["uuid"] not in settled]
        self.unsent = left + sorted(again - set(left))


class Refused(OSError):
    """An answer other than 200: the queue is kept."""

    def __init__(self, status: int, content: bytes) -> None:
        super().__init__(f"{status} {content[:200]!r}")
        self.status = status
        self.content = content


def together(tablets: Iterable[Tablet], port: int, until: float, batch: int = 20) -> None:
    """All of them flush at once."""
    threads = [threading.Thread(target=tablet.flush, args=(port, until, batch)) for tablet in tablets]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def left_wrong(tablets: Sequence[Tablet], stored: Sequence[str]) -> list[str]:
    """What is lost, doubled, never heard of or unsent; empty when every response is there once."""
    sent = Counter(one["uuid"] for tablet in tablets for one in tablet.outbox.values())
    counts = Counter(stored)
    wrong = [f"{uuid} is stored {counts[uuid]} times" for uuid in sent if counts[uuid] != 1]
    wrong += [f"{uuid} is of no tablet" for uuid in counts if uuid not in sent]
    wrong += [f"{uuid} was never acknowledged" for uuid in sent.keys() - acknowledged(tablets)]
    fates = {fate for tablet in tablets for fate in tablet.fates}
    return wrong + [f"fate {fate}" for fate in fates - {"stored", "already_stored"}]


def acknowledged(tablets: Iterable[Tablet]) -> set[str]:
    # Copied in one step each: their threads go on adding.
    return set[str]().union(*(tablet.acknowledged.copy() for tablet in tablets))
