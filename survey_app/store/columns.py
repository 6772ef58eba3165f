"""A wave's responses as columns, for extracts: one ordered pass over the answers, no dictionary a row."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from survey_app.store.auditing import Auditing
from survey_app.store.connection import refusal

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

ENVELOPE = (
    "centre", "field", "local_day", "disposition", "mode", "recruitment", "language", "late", "after_close", "clock",
    "psu", "device",
)  # fmt: skip

BLOCK = 500
"""So many responses' answers are held as Python objects at a time."""

_OF_WAVE = "response IN (SELECT number FROM response WHERE wave = ?)"


@dataclass(frozen=True)
class Columns:
    """Responses in the order of receipt. `single`: item -> codes; `chosen`: choices item -> (row, code) pairs."""

    count: int
    envelope: Mapping[str, Sequence[Any]]
    single: "Mapping[str, NDArray[np.int32]]"
    chosen: "Mapping[str, Sequence[tuple[int, int]]]"


class Columnar(Auditing):
    """Reads whole columns."""

    def columns(self, wave_id: str, single: Sequence[str], choices: Sequence[str]) -> Columns:
        """The columns of a wave; items without exactly one row a response are refused, not guessed at."""
        with self.snapshot():
            rows = list(
                self._rows(f"SELECT {', '.join(ENVELOPE)} FROM response WHERE wave = ? ORDER BY position", (wave_id,))
            )
            envelope = (
                dict(zip(ENVELOPE, zip(*rows, strict=True), strict=True)) if rows else dict.fromkeys(ENVELOPE, ())
            )
            return Columns(
                count=len(rows),
                envelope=envelope,
                single=self._single(wave_id, sorted(single), len(rows)),
                chosen={item: self._chosen(wave_id, item) for item in choices},
            )

    def _single(self, wave_id: str, items: Sequence[str], count: int) -> "dict[str, NDArray[np.int32]]":
        import numpy as np

        marks = ", ".join("?" * len(items))
        pairs = self._rows(
            f"SELECT item, code FROM answer WHERE {_OF_WAVE} AND item IN ({marks}) ORDER BY response, item",
            (wave_id, *items),
        )
        # In this order a response's items repeat in one pattern, so the codes alone fill a table; the names are
        # compared with the pattern, block by block, so that nothing can slip into a neighbour's column.
        pattern = tuple(items) * BLOCK
        table = np.empty(count * len(items), dtype=np.int32)
        filled = 0
        while block := list(itertools.islice(pairs, len(pattern))):
            names, codes = zip(*block, strict=True)
            if names != pattern[: len(names)] or filled + len(codes) > len(table):
                break
            table[filled : filled + len(codes)] = codes
            filled += len(codes)
        if filled != len(table) or block:
            raise refusal(
                "some responses have not exactly one answer to each item",
                f"wave {wave_id!r}, near position {filled // max(1, len(items)) + 1}",
                "find out what was changed: sipas verify",
            )
        return dict(zip(items, table.reshape(count, len(items)).T, strict=True))

    def _chosen(self, wave_id: str, item: str) -> list[tuple[int, int]]:
        return list(
            self._rows(
                "SELECT position - 1, code"
                " FROM answer JOIN response ON response.number = answer.response"
                " WHERE wave = ? AND item = ? ORDER BY position, code",
                (wave_id, item),
            )
        )
