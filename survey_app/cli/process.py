"""What a command needs of its process: streams that take every text, and signals that let it clean up.

`prepare_streams`, `Interruptions`.
"""

import io
import os
import signal
import sys
import types
from typing import Self

AGAIN_SECONDS = 0.01


def prepare_streams() -> None:
    """Give the process the streams it was started without, and let none fail at a letter it cannot show."""
    for number, flags in enumerate((os.O_RDONLY, os.O_WRONLY, os.O_WRONLY)):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, flags)  # takes the lowest number free, which is this one: no file of ours may get it
    sys.stdin = sys.stdin or os.fdopen(0, "r", encoding="utf-8", closefd=False)
    sys.stdout = sys.stdout or os.fdopen(1, "w", encoding="utf-8", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", encoding="utf-8", closefd=False)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class Interruptions:
    """Ctrl-C and SIGTERM as a KeyboardInterrupt, so that what is half done is undone on the way out.

    Both are set by name: what a script starts in the background inherits SIGINT as ignored.
    """

    def __init__(self) -> None:
        self.arrived: int | None = None

    @property
    def exit_code(self) -> int:
        """As a shell gives it for a program that a signal ended."""
        return 128 + (self.arrived or signal.SIGINT)

    def __enter__(self) -> Self:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, self._interrupt)
        sys.unraisablehook = self._lost
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is under way any more: from here on a signal ends the process at once."""
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM):
            signal.signal(number, signal.SIG_DFL)
        sys.unraisablehook = sys.__unraisablehook__

    def _interrupt(self, number: int, _: types.FrameType | None) -> None:
        if number != signal.SIGALRM:
            self.arrived = number
        raise KeyboardInterrupt

    def _lost(self, unraisable: "sys.UnraisableHookArgs") -> None:
        """The interrupt came inside code whose exceptions Python drops (a destructor): it comes again, a moment later."""
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            signal.setitimer(signal.ITIMER_REAL, AGAIN_SECONDS)
        elif self.arrived is None:
            sys.__unraisablehook__(unraisable)
