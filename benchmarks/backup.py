"""A backup while responses come in at 50 a second, a restore of it, and how the devices close the gap.

    python -m benchmarks.backup [--rate 50] [--seconds 30] [--before 20000]

Devices send at a steady rate, whatever the server takes for its answers; in the middle `sipas backup` runs. At the end
the server is stopped, the backup restored, the server started again, and the devices send again what it asks for.
Everything is SIMULATED. Prints one line of JSON.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx

from benchmarks.kiosks import WAVE, body, full_answers, make_field, serving
from survey_app.response import parse_response
from survey_app.settings import Settings
from survey_app.simulation.outbox import Device, Outbox
from survey_app.store import Store
from survey_app.verification import verify

DEVICES = 25
FILLED = 500


@dataclass
class Kiosk:
    """A device with what it keeps, and how long its answers took by the time they were asked for."""

    client: httpx.Client
    outbox: Outbox = field(default_factory=Outbox)
    waits: list[tuple[float, float]] = field(default_factory=list)
    given: list[str] = field(default_factory=list)
    fates: Counter[str] = field(default_factory=Counter)

    def post(self, sending: Mapping[str, Any]) -> Mapping[str, Any]:
        answer = self.client.post("/api/v1/responses", json=sending)
        answer.raise_for_status()
        told: Mapping[str, Any] = answer.json()
        return told

    def sync(self) -> None:
        self.fates.update(Device(self.outbox, self.post, batch=100).sync().fates)

    def run(self, rate: float, place: int, until: float, answers: dict[str, Any]) -> None:
        """One response each 1/rate seconds, by the clock: an answer that comes late makes the next one late too."""
        turn = time.monotonic() + place / (DEVICES * rate)
        while turn < until:
            time.sleep(max(turn - time.monotonic(), 0))
            self.given.append(self.outbox.put(json.loads(body(1, answers))["responses"][0])["uuid"])
            self.sync()
            self.waits.append((turn, time.monotonic() - turn))
            turn += 1 / rate


def fill(settings: Settings, responses: int) -> None:
    """What the store holds before: responses of another device, straight into it."""
    answers = full_answers()
    with Store.open(settings) as store:
        device, _ = store.add_device("C000")
        for first in range(1, responses + 1, FILLED):
            raw = [json.loads(body(seq, answers))["responses"][0] for seq in range(first, first + FILLED)]
            now = datetime.now(UTC)
            store.record([parse_response(one) for one in raw], device=device, received=now, sent_at=now)


def sipas(settings: Settings, *words: str) -> float:
    """Seconds of one command."""
    began = time.monotonic()
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - began


def load(settings: Settings, tokens: list[str], rate: float, seconds: float) -> tuple[list[Kiosk], dict[str, Any]]:
    """Devices send for so long; a third of the way a backup is made."""
    with serving(settings, access_log=False) as (port, _):
        kiosks = [Kiosk(client_of(port, token)) for token in tokens]
        began = time.monotonic()
        threads = [
            threading.Thread(target=kiosk.run, args=(rate / DEVICES, place, began + seconds, full_answers()))
            for place, kiosk in enumerate(kiosks)
        ]
        for thread in threads:
            thread.start()
        time.sleep(seconds / 3)
        start = time.monotonic()
        took = sipas(settings, "backup", "--output", str(settings.instance.parent / "copy"))
        for thread in threads:
            thread.join()
        elapsed = time.monotonic() - began
    during = sorted(wait for kiosk in kiosks for turn, wait in kiosk.waits if start <= turn <= start + took)
    others = sorted(wait for kiosk in kiosks for turn, wait in kiosk.waits if not start <= turn <= start + took)
    return kiosks, {
        "responses_per_second": round(sum(len(kiosk.waits) for kiosk in kiosks) / elapsed, 1),
        "backup_seconds": round(took, 2),
        "responses_during_backup": len(during),
        "p99_ms_during": round(during[int(len(during) * 0.99)] * 1000) if during else None,
        "p99_ms_otherwise": round(others[int(len(others) * 0.99)] * 1000),
    }


def client_of(port: int, token: str) -> httpx.Client:
    headers = {"Authorization": f"Bearer {token}"}
    return httpx.Client(base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=60)


def main() -> None:
    parser = argparse.ArgumentParser(description="Backup under load, restore, and what comes back by itself.")
    parser.add_argument("--rate", type=float, default=50)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--before", type=int, default=20_000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings, tokens = make_field(Path(directory) / "instance", DEVICES)
        fill(settings, options.before)
        kiosks, result = load(settings, tokens, options.rate, options.seconds)
        sent = [uuid for kiosk in kiosks for uuid in kiosk.given]
        result["restore_seconds"] = round(sipas(settings, "restore", str(Path(directory) / "copy")), 2)
        with Store.open(settings, write=False) as store:
            held = store.response_count(WAVE) - options.before
        with serving(settings, access_log=False) as (port, _):
            began = time.monotonic()
            for kiosk, token in zip(kiosks, tokens, strict=True):
                kiosk.client, kiosk.fates = client_of(port, token), Counter()
                kiosk.sync()
            result["gap_closed_seconds"] = round(time.monotonic() - began, 2)
        with Store.open(settings, write=False) as store:
            stored = Counter(one.uuid for one in store.responses(WAVE))
        result |= {
            "sent": len(sent),
            "in_backup": held,
            "sent_again_and_stored": sum(kiosk.fates["stored"] for kiosk in kiosks),
            "lost": sum(stored[uuid] == 0 for uuid in sent),
            "doubled": sum(number > 1 for number in stored.values()),
            "verify_problems": len(verify(settings)),
        }
    print(json.dumps(result))


if __name__ == "__main__":
    main()
