"""The instance's durable store: the only place that speaks SQL.

`Store`, `StoreError`, `DeviceRevoked`, `EnrolmentError`. Read design and rules in docs/data-dictionary.md.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence

from survey_app.ledger import compact, content_hash
from survey_app.model import Head, Reference, RegisterRow
from survey_app.store.archiving import Archiving
from survey_app.store.columns import Columnar, Columns
from survey_app.store.connection import EVENTS, StoreError, database_trouble
from survey_app.store.devices import DeviceRevoked, EnrolmentError
from survey_app.store.purging import Purging
from survey_app.store.recording import answer_rows

__all__ = [
    "EVENTS",
    "Columns",
    "DeviceRevoked",
    "EnrolmentError",
    "Store",
    "StoreError",
    "answer_rows",
    "database_trouble",
    "rows_hash",
]


class Store(Columnar, Archiving, Purging):
    """Open with `Store.open(settings)`; every writing verb is its own transaction, or part of a `group()`."""

    def log_event(self, kind: str, detail: Mapping[str, object]) -> None:
        """Append to the audit."""
        with self.group():
            self._log(kind, detail)

    def heads(self) -> dict[str, Head]:
        """The head of every chain: each wave's, and the audit's own under `EVENTS`."""
        return {chain: self._head(chain) for chain in (*(wave.id for wave in self.waves()), EVENTS)}

    def log_heads(self, known: Mapping[str, int], announced: Iterable[str]) -> None:
        """Write heads that heads.log lacks, and note in the audit up to where it knew them, and which it announced.

        A process killed between its commit and the confirming line in heads.log leaves the log behind.
        """
        with self.group():
            counts = {chain: head.count for chain, head in self.heads().items()}
            self._log(
                "heads_caught_up",
                {
                    "known": dict(known),
                    "counts": {chain: counts[chain] for chain in known},
                    "announced": sorted(announced),
                },
            )
            self._touched.update(known)

    def import_register(self, rows: Sequence[RegisterRow], source_name: str, sha256: str) -> int:
        """Add the rows of one register file; for the months in it they supersede earlier imports, which stay."""
        with self.group():
            number = self._log(
                "register_imported",
                {
                    "source": source_name,
                    "sha256": sha256,
                    "months": sorted({row.month for row in rows}),
                    "rows": len(rows),
                    "rows_sha256": rows_hash(rows),
                },
            )
            self._executemany(
                "INSERT INTO register (import, centre, field, month, channel, received, resolved, on_time)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, *dataclasses.astuple(row)) for row in rows],
            )
        return number

    def import_references(self, rows: Sequence[Reference], source_name: str, sha256: str) -> int:
        """Add published figures; of the same place, year and measure they supersede earlier ones, which stay."""
        with self.group():
            number = self._log(
                "references_imported",
                {"source": source_name, "sha256": sha256, "rows": len(rows), "rows_sha256": rows_hash(rows)},
            )
            self._executemany(
                "INSERT INTO reference (import, year, place, measure, value, series, label, source)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                [(number, *dataclasses.astuple(row)) for row in rows],
            )
        return number


def rows_hash(rows: Iterable[RegisterRow | Reference]) -> str:
    """One hash for an import's rows in any order, so that the audit's chain covers them."""
    return content_hash(compact(sorted([list(dataclasses.astuple(row)) for row in rows])))
