"""A wave's responses as columns, for extracts: one ordered pass over the answers, no dictionary a row."""

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
    "psu", "part", "device",
)  # fmt: skip


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

        if not items or not count:
            return {item: np.empty(0, dtype=np.int32) for item in items}
        marks = ", ".join("?" * len(items))
        groups = list(
            self._rows(
                "SELECT group_concat(item), group_concat(code)"
                " FROM response CROSS JOIN answer ON answer.response = response.number"
                f" WHERE wave = ? AND +item IN ({marks})"  # +: one search a response, not one an item
                " GROUP BY position ORDER BY position",
                (wave_id, *items),
            )
        )
        # Both lists of a response run over the same rows, so when the items are in order the codes are theirs.
        pattern = ",".join(items)
        sound = sum(names == pattern for names, _ in groups)
        if sound != count:
            raise refusal(
                f"{count - sound} responses have not exactly one answer to each item",
                f"wave {wave_id!r}",
                "find out what was changed: sipas verify",
            )
        table = np.fromstring(",".join(codes for _, codes in groups), dtype=np.int32, sep=",")
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
