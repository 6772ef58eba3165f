"""How fast one device may send. Counted by device, never by address: many kiosks share one.

`DeviceLimit`: a bucket for each device, filled at a steady rate; every response takes one out. `PinTries`: each wrong
PIN makes the device wait longer for the next try, up to a minute; it is never locked out.
"""

import math
import threading
import time
from collections.abc import Callable
from typing import Literal

PER_SECOND = 50
BURST = 3000
"""An afternoon's queue after an outage goes out at once; a kiosk gone wild does not stop the others."""


class DeviceLimit:
    """Kept in memory: the one process of the server sees every request, and a restart may forget."""

    def __init__(
        self, per_second: int = PER_SECOND, burst: int = BURST, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._per_second = per_second
        self._burst = burst
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: dict[str, tuple[float, float]] = {}

    def spend(self, device_id: str, cost: int) -> int | None:
        """Take `cost` out of the device's bucket; if there is too little in it, the seconds until there is enough."""
        with self._lock:
            now = self._clock()
            level, at = self._buckets.get(device_id, (float(self._burst), now))
            level = min(self._burst, level + (now - at) * self._per_second)
            enough = cost <= level
            self._buckets[device_id] = (level - cost if enough else level, now)
        return None if enough else max(1, math.ceil((cost - level) / self._per_second))


FREE_TRIES = 3
MOST_WAIT = 60
"""Seconds. A million PINs of six digits then take one device two years."""


class PinTries:
    """Wrong PINs in a row by device; in memory, as above."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._tries: dict[str, tuple[int, float]] = {}

    def begin(self, device_id: str) -> int | None:
        """Count a try as wrong until it has `ended`, so that many at once are no way round; or the seconds to wait."""
        with self._lock:
            now = self._clock()
            wrong, until = self._tries.get(device_id, (0, now))
            if now < until:
                return math.ceil(until - now)
            self._tries[device_id] = (wrong + 1, now + _wait_after(wrong + 1))
        return None

    def ended(self, device_id: str, fate: Literal["right", "wrong"]) -> None:
        """The wait after a wrong one is counted from here: checking a PIN takes a while by itself."""
        with self._lock:
            wrong, _ = self._tries.pop(device_id, (0, 0.0))
            if fate == "wrong":
                self._tries[device_id] = (wrong, self._clock() + _wait_after(wrong))


def _wait_after(wrong: int) -> int:
    return min(MOST_WAIT, 1 << max(0, min(wrong, MOST_WAIT) - FREE_TRIES))
