"""The rivals of the speed comparison: their environments, and a process each that waits for orders.

Public: RIVALS, Rival, Worker, NotMeasured, prepare. Environments are made once under .venv/ and hold fixed versions.
"""

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS = ROOT / "benchmarks" / "rivals"
_PYTHON = {
    "rivals": ("svy==0.35.0", "samplics==0.6.1", "leafblower==0.1.0", "weightipy==0.4.2"),
    "rivals-numpy1": ("ipfn==1.4.4", "numpy<2"),
}


class NotMeasured(Exception):
    """Why there is no figure."""


@dataclass(frozen=True)
class Rival:
    """A program to compare with: its script, and the environment under .venv/ it runs in (None: R of the system)."""

    name: str
    script: str
    environment: str | None


RIVALS = {
    rival.name: rival
    for rival in (
        Rival("svy", "svy_rival.py", "rivals"),
        Rival("samplics", "samplics_rival.py", "rivals"),
        Rival("leafblower", "leafblower_rival.py", "rivals"),
        Rival("weightipy", "weightipy_rival.py", "rivals"),
        Rival("ipfn", "ipfn_rival.py", "rivals-numpy1"),
        Rival("R survey", "survey_rival.R", None),
    )
}


def prepare(environment: str) -> Path:
    """The interpreter of an environment, made if it is not there."""
    folder = ROOT / ".venv" / environment
    ready, python = folder / "ready", folder / "bin" / "python"
    wanted = "\n".join(_PYTHON[environment])
    if not ready.exists() or ready.read_text() != wanted:
        print(f"Making the rivals' environment in {folder} (about a minute) …", file=sys.stderr)
        for command in (
            (sys.executable, "-m", "venv", "--clear", str(folder)),
            (str(python), "-m", "pip", "--disable-pip-version-check", "-q", "install", *_PYTHON[environment]),
        ):
            done = subprocess.run(command, check=False, capture_output=True, text=True)
            if done.returncode:
                raise NotMeasured(f"its environment could not be made: {done.stderr.strip()[-200:]}")
        ready.write_text(wanted)
    return python


def _command(rival: Rival) -> list[str]:
    script = str(SCRIPTS / rival.script)
    if rival.environment is not None:
        return [str(prepare(rival.environment)), script]
    found = shutil.which("Rscript")
    if not found:
        raise NotMeasured("R is not installed: sudo apt-get install r-base-core r-cran-survey")
    asked = subprocess.run([found, "-e", "library(survey)"], check=False, capture_output=True)
    if asked.returncode:
        raise NotMeasured("R has no package survey: sudo apt-get install r-cran-survey")
    return [found, script]


class Worker:
    """A rival's process. Waits, without using the processor, while others are measured."""

    def __init__(self, rival: Rival, scratch: Path) -> None:
        self.rival, self.result = rival, scratch / f"{rival.script}.bin"
        self.log = (scratch / f"{rival.script}.log").open("w")
        self.process = subprocess.Popen(
            _command(rival), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.log, text=True
        )
        self.version = str(self._answer()["version"])

    def run(self, task: str, folder: Path, option: str) -> tuple[float, NDArray[np.float64]]:
        """Seconds of one run, and its result."""
        assert self.process.stdin is not None
        self.process.stdin.write(f"{task} {folder} {option} {self.result}\n")
        self.process.stdin.flush()
        answer = self._answer()
        if "error" in answer:
            raise NotMeasured(f"{self.rival.name} failed: {answer['error']}")
        return float(answer["seconds"]), np.fromfile(self.result)

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("ANSWER "):
                return dict(json.loads(line[7:]))
        raise NotMeasured(f"{self.rival.name} ended: {Path(self.log.name).read_text()[-200:].strip()}")

    def close(self) -> None:
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process.wait()
        self.log.close()
