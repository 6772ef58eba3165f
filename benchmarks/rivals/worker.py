"""How a rival takes its orders: a line names a task on its standard input, a line with the seconds goes back.

Runs in the rival's own environment, with nothing of ours but this folder. Public: serve, Columns, keep.
"""

import contextlib
import json
import sys
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

Task = Callable[["Columns", str], tuple[Callable[[], Any], Callable[[Any], Any]]]
"""Gives what is timed, and what makes an array of its result afterwards."""


class Columns:
    """The data of a folder written by benchmarks.speed_data.save."""

    def __init__(self, folder: Path) -> None:
        about = json.loads((folder / "about.json").read_text())
        self.folder, self.n, self.items = folder, about["n"], about["items"]
        self.margins, self.totals = about["margins"], about["totals"]
        self.names = [f"q{item:02d}" for item in range(1, self.items + 1)]

    def column(self, name: str) -> Any:
        return np.fromfile(self.folder / f"{name}.bin", dtype=np.float64 if name == "weight" else np.int32)

    def codes(self) -> Any:
        """Answers as numbers, NaN = missing, shape (items, n)."""
        codes = np.fromfile(self.folder / "codes.bin", dtype=np.int8).reshape(self.items, self.n)
        return np.where(codes < 0, np.nan, codes)

    def margin(self, name: str) -> Any:
        table = np.fromfile(self.folder / "margins.bin", dtype=np.int32).reshape(-1, self.n)
        return table[self.margins.index(name)].copy()


def serve(package: str, tasks: dict[str, Task]) -> None:
    """Answer `TASK FOLDER OPTION RESULT_FILE` until the input ends."""
    print("ANSWER", json.dumps({"version": version(package)}), flush=True)
    ready: dict[tuple[str, str], Columns] = {}
    for line in sys.stdin:
        name, folder, option, result = line.split()
        try:
            key = (name, folder)
            if key not in ready:  # the last data only: other sizes must not fill the memory
                ready = {key: Columns(Path(folder))}
            with contextlib.redirect_stdout(sys.stderr):
                timed, gather = tasks[name](ready[key], option)
                start = time.perf_counter()
                made = timed()
                seconds = time.perf_counter() - start
                np.asarray(gather(made), dtype=np.float64).tofile(result)
            print("ANSWER", json.dumps({"seconds": seconds}), flush=True)
        except Exception as error:  # noqa: BLE001 — a rival that fails, however, is a row that says so
            print("ANSWER", json.dumps({"error": f"{type(error).__name__}: {error}"[:300]}), flush=True)
