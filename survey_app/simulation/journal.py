"""What a simulation remembers, so that it can go on after a break: its settings, its devices, what was acknowledged.

`Journal`. Files in `INSTANCE/simulations/WAVE/`: run.json, model.toml, devices.jsonl (with tokens: for the owner's eyes
only) and sent.jsonl. A lost last line only means that something is sent again, which the server recognises.
"""

import dataclasses
import json
import os
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Kiosk:
    """An enrolled simulated device."""

    device: str
    centre: str
    token: str = field(repr=False)
    post: str = ""

    @property
    def key(self) -> str:
        return self.post or self.centre


class Journal:
    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._lock = threading.Lock()

    @property
    def started(self) -> bool:
        return (self.directory / "run.json").exists()

    def start(self, run: Mapping[str, Any], model: bytes) -> None:
        self.directory.mkdir(parents=True, exist_ok=True)
        (self.directory / "model.toml").write_bytes(model)
        self.write("run.json", run)

    def run(self) -> dict[str, Any]:
        run: dict[str, Any] = json.loads((self.directory / "run.json").read_text(encoding="utf-8"))
        return run

    def write(self, name: str, document: Mapping[str, Any]) -> Path:
        """A JSON file beside the others, whole or not at all."""
        path = self.directory / name
        draft = path.with_suffix(".part")
        draft.write_text(json.dumps(document, ensure_ascii=False, indent=2) + "\n", encoding="utf-8")
        draft.replace(path)
        return path

    def kiosks(self) -> dict[str, Kiosk]:
        """Enrolled devices by their post, which is the centre where it has only one."""
        return {kiosk.key: kiosk for kiosk in (Kiosk(**line) for line in self._lines("devices.jsonl"))}

    def enrolled(self, kiosk: Kiosk) -> None:
        self._append("devices.jsonl", dataclasses.asdict(kiosk))

    def acknowledged(self) -> dict[str, int]:
        """For each device the highest seq up to which everything was acknowledged."""
        return {line["device"]: line["seq"] for line in self._lines("sent.jsonl")}

    def sent(self, device: str, seq: int) -> None:
        self._append("sent.jsonl", {"device": device, "seq": seq})

    def _append(self, name: str, line: Mapping[str, Any]) -> None:
        text = json.dumps(line) + "\n"
        with self._lock:
            descriptor = os.open(self.directory / name, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                os.write(descriptor, text.encode("utf-8"))
            finally:
                os.close(descriptor)

    def _lines(self, name: str) -> list[dict[str, Any]]:
        """Whole lines only: a process killed while writing leaves half a line, which is the last."""
        path = self.directory / name
        if not path.exists():
            return []
        lines = path.read_text(encoding="utf-8").split("\n")[:-1]
        found = []
        for line in lines:
            with suppress(
                json.JSONDecodeError
            ):  # half a line to which a later one was glued: the server is asked again
                found.append(json.loads(line))
        return found
