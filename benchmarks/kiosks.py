"""How many responses a second one server takes in, and how long the slowest kiosk waits.

    python -m benchmarks.kiosks [--kiosks 124] [--seconds 30] [--access-log]

Starts `sipas serve` on an instance of its own; each kiosk sends one response, waits for the acknowledgement (the
commit is on disk then), and sends the next. Prints one line of JSON.
"""

import argparse
import asyncio
import json
import socket
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from survey_app.model import Centre, ServiceField, Wave, stamp
from survey_app.questionnaire import asked, load, shipped
from survey_app.settings import Settings, create_instance
from survey_app.store import Store

WAVE = "do-tai"


def make_field(path: Path, kiosks: int) -> tuple[Settings, list[str]]:
    """An instance with a centre for each kiosk; returns the tokens."""
    settings = create_instance(path)
    form = load(shipped()["counter", "1"])
    codes = tuple(f"C{number:03}" for number in range(kiosks))
    with Store.create(settings) as store:
        store.add_centres([Centre(code, code, code, "commune", "G") for code in codes])
        store.add_fields([ServiceField("ho-tich", {"vi": "Hộ tịch", "en": "Civil status"}, "benchmark")])
        title = {"vi": "Đo tải", "en": "Load"}
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), codes), form)
        store.open_wave(WAVE)
        tokens = [store.enrol(store.add_device(code)[1]).token for code in codes]
    return settings, tokens


def full_answers() -> dict[str, Any]:
    """Every item that can be asked is asked: a result was received, and feedback was made."""
    form = load(shipped()["counter", "1"])
    answers: dict[str, Any] = {}
    for item in form.items:
        if item.code == form.roles["field"] or item.kind == "text" or not asked(form, item, answers):
            continue
        wanted = {form.roles["visit"]: 2, "FEEDBACK": 1}.get(item.code, item.options[0].code if item.options else 0)
        answers[item.code] = [wanted] if item.kind == "choices" else wanted
    return answers


def body(seq: int, answers: dict[str, Any]) -> bytes:
    now = stamp(datetime.now(UTC))
    one = {
        "uuid": str(uuid.uuid4()), "seq": seq, "wave": WAVE, "questionnaire": "counter", "version": "1",
        "language": "vi", "field": "ho-tich", "psu": None, "mode": "kiosk", "recruitment": "walk_up",
        "disposition": "complete", "part": None, "answers": answers, "started": now, "submitted": now,
        "durations": dict.fromkeys(answers, 1500), "paradata": {"back": 0},
    }  # fmt: skip
    return json.dumps({"sent_at": now, "last_seq": seq, "app": "benchmark", "responses": [one]}).encode()


@dataclass
class Tally:
    """What all kiosks met together."""

    waits: list[float] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)


async def kiosk(port: int, token: str, deadline: float, answers: dict[str, Any], tally: Tally) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    head = f"POST /api/v1/responses HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: "
    seq = 0
    while time.perf_counter() < deadline:
        seq += 1
        content = body(seq, answers)
        began = time.perf_counter()
        writer.write(f"{head}{len(content)}\r\n\r\n".encode() + content)
        answer = await reader.readuntil(b"\r\n\r\n")
        length = int(answer.lower().split(b"content-length: ", 1)[1].split(b"\r\n", 1)[0])
        told = await reader.readexactly(length)
        tally.waits.append(time.perf_counter() - began)
        if b" 200 " not in answer[:20] or b'"fate":"stored"' not in told:
            tally.failures.append(told[:200].decode("utf-8", "replace"))
    writer.close()


async def load_server(port: int, tokens: list[str], seconds: float) -> dict[str, Any]:
    tally = Tally()
    answers = full_answers()
    began = time.perf_counter()
    await asyncio.gather(*(kiosk(port, token, began + seconds, answers, tally) for token in tokens))
    elapsed = time.perf_counter() - began
    waits = sorted(tally.waits)
    return {
        "kiosks": len(tokens),
        "answers": len(answers),
        "responses": len(waits),
        "per_second": round(len(waits) / elapsed),
        "median_ms": round(waits[len(waits) // 2] * 1000),
        "p99_ms": round(waits[int(len(waits) * 0.99)] * 1000),
        "worst_ms": round(waits[-1] * 1000),
        "errors": len(tally.failures),
        "first_error": tally.failures[:1],
    }


@contextmanager
def serving(settings: Settings, *, access_log: bool) -> Iterator[tuple[int, int]]:
    """Start the server, wait until it answers; gives its port and process."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "serve"]
    command += ["--port", str(port), "--development-http", "--access-log" if access_log else "--no-access-log"]
    with (settings.instance / "server.log").open("w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
    try:
        for _ in range(300):
            with socket.socket() as trial:
                if trial.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield port, server.pid
    finally:
        server.terminate()
        server.wait()


def cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children so far."""
    command = ["ps", "-o", "times=", "--pid", str(pid), "--ppid", str(pid)]
    own = subprocess.run(command, capture_output=True, text=True, check=True)
    return float(sum(int(word) for word in own.stdout.split()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kiosks", type=int, default=124)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--access-log", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        settings, tokens = make_field(Path(directory) / "instance", options.kiosks)
        with serving(settings, access_log=options.access_log) as (port, process):
            result = asyncio.run(load_server(port, tokens, options.seconds))
            result["server_cpu_ms_per_response"] = round(cpu_seconds(process) * 1000 / result["responses"], 2)
        with Store.open(settings, write=False) as store:
            result["stored"] = store.response_count(WAVE)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
