"""R15: thousands of requests with something wrong in them, and what schemathesis makes of the OpenAPI description.

Mutated requests go over every route, each on a connection of its own (`benchmarks.fuzz`); as many sendings with
something wrong go down connections that stay open, where the server takes its short way.
"""

import random
import socket
from collections import Counter
from dataclasses import replace
from pathlib import Path

from benchmarks import fuzz
from benchmarks.mutants import Mutant
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.schema import explore
from tests.served import Running, serving

REQUESTS, SENDINGS, EXAMPLES = 8000, 2000, 200
SEED = 15


def r15(folder: Path, short: bool) -> list[Outcome]:
    requests, sendings, examples = (60, 240, 3) if short else (REQUESTS, SENDINGS, EXAMPLES)
    folder.mkdir(exist_ok=True)
    findings = fuzz.fuzz(fuzz.make_ground(folder / "requests"), requests, SEED)
    settings = fuzz.make_ground(folder / "sendings")
    kept = fuzz.Findings()
    bases = [base for base in fuzz.make_bases(settings) if base.route == "/api/v1/responses"]
    with serving(settings) as server:
        line = Line(server)
        for mutant in fuzz.requests(bases, sendings, SEED):
            kept.judge(mutant, line.put(replace(mutant, framing="length")))
        line.close()
    fuzz.examine(settings, kept)
    described = explore(folder / "described", examples, short)
    wrong = findings.wrong + kept.wrong + described.wrong
    statuses = Counter(status for _, status in (findings.counts + kept.counts).elements())
    failed = sum(count for status, count in statuses.items() if status >= 500)
    words = (
        f"{sum(statuses.values())} mutated requests and {described.requests} of schemathesis: {len(wrong)} faults;"
        f" {failed} answers of 5xx, all of them meant (a body cut off, a framing that nobody knows)"
    )
    detail = {"statuses": {str(status): count for status, count in sorted(statuses.items())}, "wrong": wrong[:5]}
    what = f"{requests + sendings} mutated requests, schemathesis on the OpenAPI description"
    return [Outcome("R15", what, "no 5xx, verify clean", words, not wrong, not wrong, detail)]


class Line:
    """A connection that is kept open as long as the server does."""

    def __init__(self, server: Running) -> None:
        self._address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
        self._chance = random.Random(SEED)
        self._socket: socket.socket | None = None
        self.reused = 0

    def close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def put(self, mutant: Mutant) -> fuzz.Answer:
        raw = mutant.raw(self._chance).replace(b"Connection: close\r\n", b"", 1)
        fresh = self._socket is None
        try:
            return self._put(raw)
        except OSError:
            self.close()
            if fresh:
                return fuzz.Answer(0, {}, b"")
        try:
            return self._put(raw)
        except OSError:
            self.close()
            return fuzz.Answer(0, {}, b"")

    def _put(self, raw: bytes) -> fuzz.Answer:
        if self._socket is None:
            self._socket = socket.create_connection(self._address, timeout=fuzz.SOCKET_SECONDS)
        else:
            self.reused += 1
        self._socket.sendall(raw)
        got = b""
        while b"\r\n\r\n" not in (got := got.removeprefix(b"HTTP/1.1 100 Continue\r\n\r\n")):
            got += self._more()
        head, _, body = got.partition(b"\r\n\r\n")
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
        length = 0 if raw.startswith(b"HEAD ") else int(headers.get("content-length", 0))
        while len(body) < length:
            body += self._more()
        if headers.get("connection", "").lower() == "close":
            self.close()
        return fuzz.Answer(int(first.split()[1]), headers, body)

    def _more(self) -> bytes:
        assert self._socket is not None
        part = self._socket.recv(65536)
        if not part:
            raise ConnectionResetError("the server closed the connection")
        return part
