"""R8 and R9: the acknowledgement cut off on its way, and the same uuid with other content."""

import json
import socket
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path

from benchmarks.reliability.ground import WAVE, make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import serving
from benchmarks.reliability.tablets import Tablet, left_wrong, together
from survey_app.store import Store
from survey_app.verification import verify

DEVICES, RESPONSES = 20, 30
CUTS = (0, 1, 200, 10_000)
"""After so many bytes of the answer the line is cut; the last one lets the whole answer pass."""


class Cutter:
    """A proxy. The server gets every request whole; its answer is cut off at a place that changes each time."""

    def __init__(self, port: int) -> None:
        self._server = port
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port: int = self._listener.getsockname()[1]
        self.cut = self.passed = 0
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            for number in range(1_000_000):
                client, _ = self._listener.accept()
                threading.Thread(target=self._carry, args=(client, number), daemon=True).start()

    def _carry(self, client: socket.socket, number: int) -> None:
        with client, suppress(OSError), socket.create_connection(("127.0.0.1", self._server), timeout=60) as server:
            for turn in range(1_000_000):
                request = _whole(client)
                if not request:
                    return
                server.sendall(request)
                answer = _whole(server)
                cut = CUTS[(number + turn) % len(CUTS)]
                client.sendall(answer[:cut])
                if cut < len(answer):
                    self.cut += 1
                    return
                self.passed += 1


def _whole(line: socket.socket) -> bytes:
    """One request or answer with a Content-Length."""
    got = b""
    while b"\r\n\r\n" not in got:
        part = line.recv(65536)
        if not part:
            return b""
        got += part
    head, _, rest = got.partition(b"\r\n\r\n")
    length = int(head.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
    while len(rest) < length:
        part = line.recv(65536)
        if not part:
            return b""
        rest += part
    return head + b"\r\n\r\n" + rest


def r8(folder: Path, short: bool) -> list[Outcome]:
    devices, responses = (4, 8) if short else (DEVICES, RESPONSES)
    ground = make_ground(folder / "instance", devices)
    tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
    with serving(ground.settings) as server:
        cutter = Cutter(server.port)
        for tablet in tablets:
            tablet.fill(responses)
        together(tablets, cutter.port, time.monotonic() + 300, batch=3)
        cutter.close()
    wrong = left_wrong(tablets, ground.stored()) + [str(problem) for problem in verify(ground.settings)]
    again = sum(tablet.fates["already_stored"] for tablet in tablets)
    found = f"{cutter.cut} answers cut, {again} responses told as stored already; {len(wrong)} lost, doubled or untold"
    what = f"a proxy cuts acknowledgements of {devices * responses} responses"
    holds = not wrong and again > 0 < cutter.cut
    detail = {"wrong": wrong[:3], "passed": cutter.passed}
    return [Outcome("R8", what, "one row each after the retry", found, holds, holds, detail)]


def r9(folder: Path, short: bool) -> list[Outcome]:
    """The second content is kept beside the first, and `sipas device status` says so."""
    ground = make_ground(folder / "instance", 1)
    first, second = Tablet(ground.tokens[0], ground.sheet), Tablet(ground.tokens[0], ground.sheet)
    first.fill(3)
    second.fill(3)
    other = ground.sheet.response(2) | {"uuid": first.outbox[2]["uuid"]}
    other["answers"] = other["answers"] | {"OVERALL": 5}
    second.outbox = {**first.outbox, 2: other}
    with serving(ground.settings) as server:
        first.flush(server.port, time.monotonic() + 60)
        second.flush(server.port, time.monotonic() + 60)
        second.unsent = [2]
        second.flush(server.port, time.monotonic() + 60)
    with Store.open(ground.settings, write=False) as store:
        kept = store.stored_answers(other["uuid"])["OVERALL"]
        events = [event.detail["uuid"] for event in store.events(["conflict"])]
        count = store.response_count(WAVE)
    fates = dict(second.fates)
    alert = _status(ground.settings.instance)
    problems = [str(problem) for problem in verify(ground.settings)]
    holds = fates == {"already_stored": 2, "conflict": 2} and kept != 5 and events == [other["uuid"]]
    holds = holds and count == 3 and not problems and "conflict" in alert.lower()
    found = f"fates {json.dumps(fates)}; {count} rows, {len(events)} conflict kept beside them; device status names it"
    detail = {"problems": problems, "status": alert[-400:]}
    what, bar = "the same uuid with other content, sent twice", "fate conflict, both kept, alert"
    return [Outcome("R9", what, bar, found, holds, holds, detail)]


def _status(instance: Path) -> str:
    command = [sys.executable, "-m", "survey_app", "--instance", str(instance), "device", "status"]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=120).stdout
