"""What every test leaves as it found it."""

import signal
from collections.abc import Iterator

import pytest

HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGALRM)


@pytest.fixture(autouse=True)
def signals_as_they_were() -> Iterator[None]:
    """A command run in this process ends with signals that end the process at once: not for the tests after it."""
    before = {number: signal.getsignal(number) for number in HANDLED}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)
