"""The PIN of each centre's staff page.

`Pins`. The audit gets a hash of the row, not the row: once a PIN is changed nothing is left by which it could be tried.
"""

import dataclasses
from collections.abc import Mapping
from datetime import UTC, datetime

from survey_app.ledger import compact, content_hash
from survey_app.model import stamp
from survey_app.pin import Pin
from survey_app.store.connection import refusal
from survey_app.store.fieldwork import Fieldwork


class Pins(Fieldwork):
    """At most one PIN a centre, for all its tablets."""

    def pin(self, centre: str) -> Pin | None:
        row = self._row("SELECT salt, iterations, hash FROM centre_pin WHERE centre = ?", (centre,))
        return Pin(*row) if row else None

    def set_pin(self, centre: str, pin: Pin) -> None:
        """Give a centre its PIN, instead of the one it had."""
        with self.group():
            self.centre(centre)
            row = {"centre": centre, **dataclasses.asdict(pin), "since": stamp(datetime.now(UTC))}
            self._execute(
                "INSERT INTO centre_pin (centre, salt, iterations, hash, since)"
                " VALUES (:centre, :salt, :iterations, :hash, :since) ON CONFLICT (centre) DO UPDATE SET"
                " salt = :salt, iterations = :iterations, hash = :hash, since = :since",
                row,
            )
            self._log("centre_pin_set", {"centre": centre, "row_sha256": pin_row_hash(row)})

    def remove_pin(self, centre: str) -> None:
        """The centre has none from now on."""
        with self.group():
            self.centre(centre)
            if not self._execute("DELETE FROM centre_pin WHERE centre = ?", (centre,)):
                raise refusal(f"centre {centre} has no PIN", "centre", "nothing to do")
            self._log("centre_pin_removed", {"centre": centre})

    def pin_rows(self) -> tuple[Mapping[str, object], ...]:
        """Every row as it lies there."""
        names = ("centre", "salt", "iterations", "hash", "since")
        rows = self._rows(f"SELECT {', '.join(names)} FROM centre_pin ORDER BY centre")
        return tuple(dict(zip(names, row, strict=True)) for row in rows)


def pin_row_hash(row: Mapping[str, object]) -> str:
    """One hash for a row, so that the audit's chain covers it."""
    return content_hash(compact([row[name] for name in ("centre", "salt", "iterations", "hash", "since")]))
