"""How fast one device may send. Counted by device, never by address: many kiosks share one.

`DeviceLimit`: a bucket for each device, filled at a steady rate; every response takes one out.
"""

import math
import threading
import time
from collections.abc import Callable

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
