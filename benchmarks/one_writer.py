"""One store, one running server and ten command-line processes that write to it at once, with others that read.

    python -m benchmarks.one_writer [--seconds 60]

Clients send responses over HTTP; each of ten processes writes again and again: waves, devices, register, extracts,
backups. Afterwards everything acknowledged or said to be done must be there, once, and `verify` must be clean.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import httpx

from benchmarks.kiosks import WAVE, body, full_answers, make_field, serving
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify

CLIENTS = 6
EVENTS = {
    "wave create": "wave_created",
    "device add": "device_added",
    "register import": "register_imported",
    "extract": "extract",
    "backup": "backup",
}
"""What the audit must say of each writing command that ended well."""


@dataclass
class Outcome:
    """What the clients and the commands were told."""

    acknowledged: list[str] = field(default_factory=list)
    done: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)
    slowest: dict[str, float] = field(default_factory=dict)

    def note(self, kind: str, seconds: float) -> None:
        self.done[kind] += 1
        self.slowest[kind] = max(seconds, self.slowest.get(kind, 0.0))


Commands = Iterator[list[str]]


def writers(settings: Settings) -> list[tuple[str, Commands]]:
    """Ten processes' commands, each kind with what it needs."""
    register = settings.instance / "register.csv"
    rows = "".join(f"C{place:03},ho-tich,2026-11,90,80,70\n" for place in range(3))
    register.write_text(f"centre,field,month,received,resolved,on_time\n{rows}", encoding="utf-8")

    def waves(number: int) -> Commands:
        for turn in count(1):
            words = ["wave", "create", f"w{number}-{turn}", "--form", "counter", "--months", "2026-11"]
            yield [*words, "--title-vi", "Thử", "--title-en", "Trial"]

    def same(*words: str) -> Commands:
        while True:
            yield list(words)

    return [
        *(("wave create", waves(number)) for number in range(3)),
        *(("device add", same("device", "add", f"C{number:03}")) for number in range(2)),
        *(("register import", same("register", "import", str(register))) for _ in range(2)),
        *(("extract", same("extract", WAVE)) for _ in range(2)),
        ("backup", same("backup")),
    ]


def readers() -> list[tuple[str, Commands]]:
    def same(*words: str) -> Commands:
        while True:
            yield list(words)

    return [("wave list", same("wave", "list")), ("verify", same("verify"))]


def contend(settings: Settings, port: int, tokens: Sequence[str], seconds: float) -> Outcome:
    """Let clients, writers and readers loose on the instance for so long."""
    outcome = Outcome()
    until = time.monotonic() + seconds
    work: list[Callable[[], None]] = [
        *(lambda token=token: send(port, token, until, outcome) for token in tokens[:CLIENTS]),  # type: ignore[misc]
        *(
            lambda kind=kind, words=words: command(settings, kind, words, until, outcome)  # type: ignore[misc]
            for kind, words in (*writers(settings), *readers())
        ),
    ]
    threads = [threading.Thread(target=one) for one in work]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcome


def send(port: int, token: str, until: float, outcome: Outcome) -> None:
    answers = full_answers()
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=40) as client:
        for seq in count(1):
            if time.monotonic() > until:
                return
            began = time.monotonic()
            answer = client.post("/api/v1/responses", content=body(seq, answers))
            if answer.status_code != 200 or answer.json()["results"][0]["fate"] != "stored":
                outcome.failures.append(f"response: {answer.status_code} {answer.text[:300]}")
                continue
            outcome.acknowledged.append(answer.json()["results"][0]["uuid"])
            outcome.note("response", time.monotonic() - began)


def command(settings: Settings, kind: str, each: Commands, until: float, outcome: Outcome) -> None:
    for words in each:
        if time.monotonic() > until:
            return
        began = time.monotonic()
        line = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), *words]
        ended = subprocess.run(line, capture_output=True, text=True, check=False)
        if ended.returncode:
            outcome.failures.append(f"{kind}: {ended.stderr[:300]}")
        else:
            outcome.note(kind, time.monotonic() - began)


def missing(settings: Settings, outcome: Outcome) -> list[str]:
    """What was acknowledged and is not there, once; and whatever verify finds."""
    with Store.open(settings, write=False) as store:
        stored = Counter(one.uuid for one in store.responses(WAVE))
        events = Counter(event.kind for event in store.events(list(EVENTS.values())))
    found = [f"response {uuid} is stored {stored[uuid]} times" for uuid in outcome.acknowledged if stored[uuid] != 1]
    found += [f"response {uuid} was acknowledged to nobody" for uuid in stored.keys() - set(outcome.acknowledged)]
    before = {"wave_created": 1, "device_added": CLIENTS}
    for kind, event in EVENTS.items():
        expected = outcome.done[kind] + before.get(event, 0)
        if events[event] != expected:
            found.append(f"{kind}: {expected} said to be done, {events[event]} in the audit")
    return found + [str(problem) for problem in verify(settings)]


def main() -> None:
    parser = argparse.ArgumentParser(description="A server and ten processes that write at once.")
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings, tokens = make_field(Path(directory) / "instance", CLIENTS)
        with serving(settings, access_log=False) as (port, _):
            outcome = contend(settings, port, tokens, options.seconds)
        lost = missing(settings, outcome)
        result = {
            "seconds": options.seconds,
            "done": dict(outcome.done),
            "slowest_seconds": {kind: round(seconds, 2) for kind, seconds in outcome.slowest.items()},
            "failures": len(outcome.failures),
            "locked": sum("locked" in failure for failure in outcome.failures),
            "first_failure": outcome.failures[:1],
            "lost_or_doubled": len(lost),
            "first_lost": lost[:1],
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
