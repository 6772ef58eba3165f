"""Deleting free texts whose time is over, so that not even the file holds them any more.

`Purging`, `PurgedComments`.
"""

import dataclasses
from datetime import datetime

from survey_app.locks import write_lock
from survey_app.model import stamp
from survey_app.store.auditing import Auditing
from survey_app.store.connection import refusal

_DUE = """FROM comment
    LEFT JOIN response ON response.number = comment.response
    LEFT JOIN conflict ON conflict.number = comment.conflict
    LEFT JOIN response AS first ON first.uuid = conflict.uuid
    WHERE coalesce(response.received, conflict.received) < :before
    AND (:wave IS NULL OR coalesce(response.wave, first.wave) = :wave)"""


@dataclasses.dataclass(frozen=True)
class PurgedComments:
    """What a purge deleted: texts of responses, texts of second contents, received before the cut-off."""

    cutoff: str
    wave: str | None
    comments: int
    conflict_comments: int


class Purging(Auditing):
    """The one deletion there is."""

    def comments_due(self, before: datetime, wave_id: str | None = None) -> PurgedComments:
        """What a purge would delete now."""
        if wave_id is not None:
            self.wave(wave_id)
        cutoff = stamp(before)
        row = self._rows(
            f"SELECT count(comment.response), count(comment.conflict) {_DUE}", {"before": cutoff, "wave": wave_id}
        )
        return PurgedComments(cutoff, wave_id, *next(row))

    def purge_comments(self, before: datetime, wave_id: str | None = None) -> PurgedComments:
        """Delete the texts received before a moment, of one wave or of all, and note it in the audit.

        The chain covers only their HMAC, so it stays whole. Deleted rows leave their bytes behind in a SQLite file, also
        where a page was split long ago. So the table is written anew while whatever it leaves is overwritten with zeros.
        """
        self._execute("PRAGMA secure_delete = ON")
        self._execute("PRAGMA temp_store = MEMORY")
        with self.group():
            due = self.comments_due(before, wave_id)
            if due.comments or due.conflict_comments:
                self._execute(
                    "CREATE TEMP TABLE kept AS SELECT * FROM main.comment WHERE number NOT IN"
                    f" (SELECT comment.number {_DUE})",
                    {"before": due.cutoff, "wave": wave_id},
                )
                self._execute("DELETE FROM main.comment")
                self._execute("INSERT INTO main.comment SELECT * FROM temp.kept ORDER BY number")
                self._execute("DROP TABLE temp.kept")
                self._log("comments_purged", dataclasses.asdict(due))
        self._empty_log()
        return due

    def _empty_log(self) -> None:
        """Bring everything from the write-ahead log into the file and cut the log to nothing."""
        with write_lock(self.settings.write_lock):
            row = self._row("PRAGMA wal_checkpoint(TRUNCATE)")
        if row is None or row[0]:
            raise refusal(
                "the comments are deleted, but their text still lies in the write-ahead log: another program reads it",
                f"{self.settings.store_path}-wal",
                "wait until a running verify, backup or export has ended, then run sipas purge again",
            )
