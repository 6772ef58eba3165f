"""Moments in which Ctrl-C and SIGTERM must wait: `later`."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

INTERRUPTIONS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def later() -> Iterator[None]:
    """An interruption takes effect when this is over. For what lies in two places: a folder, and the audit that names it."""
    if threading.current_thread() is not threading.main_thread():  # only that one is ever interrupted
        yield
        return
    came: list[int] = []
    before = {number: signal.signal(number, lambda this, _: came.append(this)) for number in INTERRUPTIONS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
        if came:
            signal.raise_signal(came[0])
