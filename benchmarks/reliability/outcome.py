"""What one test found, beside its bar: `Outcome`."""

from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """One row of the table. `found` is a sentence; `detail` are the figures behind it."""

    test: str
    what: str
    bar: str
    found: str
    holds: bool
    sound: bool
    """Whether everything is right that does not depend on the machine's speed."""
    detail: dict[str, Any] = field(default_factory=dict)
