"""How fast one device may send. Counted by device, never by address: many kiosks share one.

`install_limits`, `spend`.
"""

import math
import time
from typing import cast

from flask import Flask, current_app
from flask_limiter import Limiter
from limits import parse

from survey_app.web.errors import WebProblem

RESPONSES_PER_MINUTE = 3000
"""Fifty a second on average, in bursts as they come: an afternoon's queue after an outage goes out at once."""
_LIMIT = parse(f"{RESPONSES_PER_MINUTE} per 1 minute")
_EXTENSION = "sipas.limiter"


def _no_key() -> str:
    raise RuntimeError("limits are spent by device, nothing is limited by address")


def install_limits(app: Flask) -> None:
    app.extensions[_EXTENSION] = Limiter(
        _no_key, app=app, storage_uri="memory://", strategy="sliding-window-counter", headers_enabled=False
    )


def spend(device_id: str, cost: int) -> None:
    """Count `cost` responses of the device; `WebProblem` 429 when it sends too fast."""
    strategy = cast(Limiter, current_app.extensions[_EXTENSION]).limiter
    if not strategy.hit(_LIMIT, device_id, cost=cost):
        reset = strategy.get_window_stats(_LIMIT, device_id).reset_time
        raise WebProblem("too-many-requests", retry_after=max(1, math.ceil(reset - time.time())))
