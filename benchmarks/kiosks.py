"""A field of kiosks and a running server, for the benchmarks that need both: `make_field`, `body`, `serving`."""

import json
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
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
