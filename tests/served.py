"""Instances and servers for the tests of the web: a small field, valid responses, `sipas serve` as a process."""

import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx

from survey_app.model import Centre, Purpose, ServiceField, Wave, stamp
from survey_app.questionnaire import Questionnaire, asked, load, shipped
from survey_app.settings import Settings, create_instance
from survey_app.store import Store

CENTRES = ("C01", "C02", "C03")
FIELDS = ("dat-dai", "ho-tich")
WAVE = "thu-2026"


def counter() -> Questionnaire:
    return load(shipped()["counter", "1"])


def make_field(path: Path) -> Settings:
    """An instance with three centres, two fields and an open counter wave."""
    settings = create_instance(path)
    form = counter()
    with Store.create(settings) as store:
        store.add_centres([Centre(code, code, f"Trung tâm {code}", "commune", "G1") for code in CENTRES])
        store.add_fields([ServiceField(code, {"vi": code, "en": code}, "test") for code in FIELDS])
        title = {"vi": "Thử", "en": "Trial"}
        store.create_wave(Wave(WAVE, "counter", title, form.id, form.version, ("2026-11",), CENTRES), form)
        store.open_wave(WAVE)
    return settings


def enrol(settings: Settings, centre: str = "C01", *, purpose: Purpose = "counter") -> tuple[str, str]:
    """A new device of the centre: its id and token."""
    with Store.open(settings) as store:
        _, code = store.add_device(centre, purpose=purpose)
        enrolment = store.enrol(code)
    return enrolment.device, enrolment.token


def answers_to(form: Questionnaire) -> dict[str, Any]:
    """The first option of every item that is asked on the way."""
    answers: dict[str, Any] = {}
    for item in form.items:
        if item.code == form.roles["field"] or item.kind == "text" or not asked(form, item, answers):
            continue
        first = item.options[0].code if item.options else item.minimum or 0
        answers[item.code] = (first,) if item.kind == "choices" else first
    return answers


def response(form: Questionnaire, seq: int, **changes: Any) -> dict[str, Any]:
    """A valid response as a device sends it."""
    now = datetime.now(UTC)
    return {
        "uuid": str(uuid.uuid4()),
        "seq": seq,
        "wave": WAVE,
        "questionnaire": form.id,
        "version": form.version,
        "language": "vi",
        "field": FIELDS[0],
        "psu": None,
        "mode": "kiosk",
        "recruitment": "walk_up",
        "disposition": "complete",
        "part": None,
        "answers": answers_to(form),
        "started": stamp(now - timedelta(seconds=90)),
        "submitted": stamp(now),
        "durations": {"II.A1": 4200},
        "paradata": {"back": 1},
    } | changes


def sending(*responses: object, **changes: Any) -> dict[str, Any]:
    """The envelope of one sending; `last_seq` is the highest number in it."""
    return {
        "sent_at": stamp(datetime.now(UTC)),
        "last_seq": max((one.get("seq") or 0 for one in responses if isinstance(one, Mapping)), default=0),
        "app": "test 1",
        "responses": list(responses),
    } | changes


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


@dataclass
class Running:
    """A `sipas serve` of its own process group."""

    process: "subprocess.Popen[str]"
    url: str
    log: Path

    def kill(self) -> None:
        """Master and worker at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        return self.process.wait(timeout=30)


def start(settings: Settings, port: int, *options: str) -> Running:
    """Start the server and wait until it answers."""
    log = settings.instance / "server.log"
    with log.open("a", encoding="utf-8") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "serve", "--port", str(port)]
            + list(options),
            stdout=stream,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
    scheme = "https" if "--certificate" in options else "http"
    running = Running(process, f"{scheme}://127.0.0.1:{port}", log)
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(f"{running.url}/healthz", verify=False, timeout=5).status_code == 200:
                return running
        except httpx.HTTPError:
            time.sleep(0.05)
    if process.poll() is None:
        running.kill()
    raise AssertionError(f"the server did not come up:\n{log.read_text(encoding='utf-8')}")


@contextmanager
def serving(settings: Settings, *options: str) -> Iterator[Running]:
    running = start(settings, free_port(), *(options or ("--development-http",)))
    try:
        yield running
    finally:
        if running.process.poll() is None:
            running.stop()
