"""How much of each device has arrived, and what went wrong with it, counted over all devices at once.

`Standing`, `Sent`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from survey_app.store.reading import Reading

_STORED = "SELECT device, count(*), 0 FROM response {where} GROUP BY device"
_HIGHEST = "SELECT device, 0, coalesce(max(seq), 0) FROM response GROUP BY device"
_CONFLICTS = "SELECT device, count(*), coalesce(max(seq), 0) FROM conflict GROUP BY device"
_REJECTED = """SELECT json_extract(detail, '$.device'),
    count(DISTINCT coalesce(json_extract(detail, '$.uuid'), number)), coalesce(max(json_extract(detail, '$.seq')), 0)
    FROM event WHERE kind = 'rejected' GROUP BY 1"""
_USED_TWICE = """SELECT json_extract(detail, '$.device'), count(DISTINCT json_extract(detail, '$.seq')), 0
    FROM event WHERE kind = 'seq_used_twice' GROUP BY 1"""


@dataclass(frozen=True)
class Sent:
    """`highest`: the highest number that has arrived in any form. `used_twice`: numbers given to several responses."""

    responses: int = 0
    conflicts: int = 0
    rejected: int = 0
    used_twice: int = 0
    highest: int = 0


class Standing(Reading):
    """Reads for `survey_app.device_status`."""

    def sent(self, wave_id: str | None = None) -> Mapping[str, Sent]:
        """By device; `responses` are those of one wave, if it is named. A device of which nothing came is not there."""
        where, named = ("WHERE wave = ?", (wave_id,)) if wave_id is not None else ("", ())
        counts: dict[str, dict[str, int]] = {}
        for name, sql, parameters in (
            ("responses", _STORED.format(where=where), named),
            ("", _HIGHEST, ()),
            ("conflicts", _CONFLICTS, ()),
            ("rejected", _REJECTED, ()),
            ("used_twice", _USED_TWICE, ()),
        ):
            for device, count, highest in self._rows(sql, parameters):
                found = counts.setdefault(device, {"highest": 0})
                found["highest"] = max(found["highest"], highest)
                if name:
                    found[name] = count
        return {device: Sent(**found) for device, found in counts.items()}
