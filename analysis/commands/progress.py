"""What a command that takes long says meanwhile: on a terminal after two seconds, elsewhere never. Public: Waiting."""

import sys
import threading
import time
from types import TracebackType
from typing import Self

PATIENCE_SECONDS = 2.0
EVERY_SECONDS = 0.5


class Waiting:
    """The step under way and its seconds on one line of the terminal, wiped away at the end.

    >>> with Waiting() as step:
    ...     step("reading answers.csv")
    """

    def __init__(self) -> None:
        self._step = ""
        self._started = time.monotonic()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._show, daemon=True) if sys.stderr.isatty() else None

    def __enter__(self) -> Self:
        if self._thread:
            self._thread.start()
        return self

    def __call__(self, step: str) -> None:
        self._step = step

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._over.set()
        if self._thread:
            self._thread.join()

    def _show(self) -> None:
        longest = 0
        if not self._over.wait(PATIENCE_SECONDS):
            while True:
                line = f"{self._step}, {time.monotonic() - self._started:.0f} s"
                longest = max(longest, len(line))
                sys.stderr.write(f"\r{line.ljust(longest)}")
                sys.stderr.flush()
                if self._over.wait(EVERY_SECONDS):
                    break
            sys.stderr.write(f"\r{' ' * longest}\r")
            sys.stderr.flush()
