"""The load: many connections of one process, each sends a response, waits for its acknowledgement, and sends the next.

    python -m benchmarks.reliability.generator PORT SECONDS < order.json

A process of its own, so that it shares no interpreter with what it measures; sockets and one selector, for a library
would cost more than the server. The order names the tokens (one a connection) and the pattern of a sending. Prints a
line of JSON: how many, how long they waited, how much of a core the generator itself took.
"""

import json
import os
import selectors
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

STORED = b'"fate":"stored"'
PATIENCE_SECONDS = 60.0


@dataclass
class Tally:
    waits: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    acknowledged: list[str] = field(default_factory=list)


class Kiosk:
    """One connection in a closed loop."""

    def __init__(self, port: int, token: str, pattern: str, pause: float) -> None:
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket.setblocking(False)
        self._head = f"POST /api/v1/responses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
        self._head += "Content-Type: application/json\r\nContent-Length: "
        self._pattern = pattern
        self._pause = pause
        self._seq = 0
        self._rest = self._got = b""
        self.due = 0.0

    def next(self, stamp: str) -> None:
        self._seq += 1
        self._uuid = str(uuid.uuid4())
        content = self._pattern % {"uuid": self._uuid, "seq": self._seq, "now": stamp}
        self._rest = f"{self._head}{len(content.encode())}\r\n\r\n{content}".encode()
        self._got = b""
        self._began = time.perf_counter()
        self.write()

    def write(self) -> bool:
        """Whether anything is still to be written."""
        try:
            self._rest = self._rest[self.socket.send(self._rest) :]
        except BlockingIOError:
            pass
        return bool(self._rest)

    def read(self, tally: Tally) -> bool:
        """Whether the acknowledgement has come whole."""
        part = self.socket.recv(65536)
        if not part:
            raise ConnectionResetError("the server closed the connection")
        self._got += part
        end = self._got.find(b"\r\n\r\n")
        if end < 0:
            return False
        length = int(self._got[:end].lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        if len(self._got) < end + 4 + length:
            return False
        now = time.perf_counter()
        if self._got.startswith(b"HTTP/1.1 200 ") and STORED in self._got:
            tally.waits.append(now - self._began)
            tally.ends.append(time.time())
            tally.acknowledged.append(self._uuid)
        else:
            tally.failures.append(self._got[:300].decode("utf-8", "replace"))
        self.due = now + self._pause
        return True


def run(port: int, seconds: float, tokens: Sequence[str], pattern: str, per_second: float = 0) -> dict[str, Any]:
    """`per_second`: of all together, spread evenly; 0 is as fast as acknowledgements come."""
    tally = Tally()
    pause = len(tokens) / per_second if per_second else 0.0
    with selectors.DefaultSelector() as selector:
        kiosks = [Kiosk(port, token, pattern, pause) for token in tokens]
        began, cpu = time.perf_counter(), time.process_time()
        deadline, busy, idle = began + seconds, set(kiosks), []
        for number, one in enumerate(kiosks):
            selector.register(one.socket, selectors.EVENT_READ, one)
            one.due = began + pause * number / len(kiosks)
        idle, busy = list(kiosks), set()
        while busy or (time.perf_counter() < deadline and idle):
            now = time.perf_counter()
            if now > deadline + PATIENCE_SECONDS:
                tally.failures.append(f"{len(busy)} never answered")
                break
            if now < deadline:
                stamp = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
                for one in [one for one in idle if one.due <= now]:
                    idle.remove(one)
                    busy.add(one)
                    one.next(stamp)
            for key, _ in selector.select(0.2 if busy and not pause else 0.005):
                one = key.data
                try:
                    if one._rest:
                        one.write()
                    if one.read(tally):
                        busy.discard(one)
                        idle.append(one)
                except OSError as error:
                    tally.failures.append(str(error))
                    busy.discard(one)
                    selector.unregister(one.socket)
        elapsed, used = time.perf_counter() - began, time.process_time() - cpu
        for one in kiosks:
            one.socket.close()
    return {**_summary(tally, elapsed), "generator_cores": round(used / elapsed, 3), "acknowledged": tally.acknowledged}


def _summary(tally: Tally, elapsed: float) -> dict[str, Any]:
    waits = sorted(tally.waits) or [0.0]
    return {
        "responses": len(tally.waits),
        "seconds": round(elapsed, 2),
        "per_second": round(len(tally.waits) / elapsed, 1),
        "median_ms": round(waits[len(waits) // 2] * 1000, 1),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000, 1),
        "worst_ms": round(waits[-1] * 1000, 1),
        "errors": len(tally.failures),
        "first_error": tally.failures[:1],
        "minutes": _by_minute(tally),
    }


def _by_minute(tally: Tally) -> list[dict[str, float]]:
    """p99 of every whole minute."""
    found: dict[int, list[float]] = {}
    for end, wait in zip(tally.ends, tally.waits, strict=True):
        found.setdefault(int((end - tally.ends[0]) // 60), []).append(wait)
    return [
        {"responses": len(some), "p99_ms": round(sorted(some)[int(len(some) * 0.99)] * 1000, 1)}
        for _, some in sorted(found.items())
    ]


def generate(port: int, seconds: float, tokens: Sequence[str], pattern: str, per_second: float = 0) -> dict[str, Any]:
    """Run the generator as a process and return what it found."""
    order = json.dumps({"tokens": list(tokens), "pattern": pattern, "per_second": per_second})
    command = [sys.executable, "-m", "benchmarks.reliability.generator", str(port), str(seconds)]
    ended = subprocess.run(
        command, input=order, capture_output=True, text=True, check=True, timeout=seconds + 2 * PATIENCE_SECONDS
    )
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def main() -> None:
    order = json.load(sys.stdin)
    json.dump(run(int(sys.argv[1]), float(sys.argv[2]), **order), sys.stdout)
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
