"""What each contact with a device teaches: that it lives, its program, how far its clock is off.

`Contacts`. One row for each device and local day, however often it calls.
"""

from collections.abc import Mapping
from datetime import date, datetime, timedelta

from survey_app.model import VIETNAM, ContactDay, moment, stamp
from survey_app.store.pins import Pins

_DEVICE = """UPDATE device SET last_seen = max(coalesce(last_seen, ''), ?), last_seq = max(coalesce(last_seq, 0), ?),
    app = coalesce(?, app), offset_ms = coalesce(?, offset_ms) WHERE id = ?"""
_DAY = """INSERT INTO contact (device, day, contacts, first, last, offset_least, offset_most)
    VALUES (:device, :day, 1, :at, :at, :offset, :offset) ON CONFLICT (device, day) DO UPDATE SET
    contacts = contacts + 1, first = min(first, :at), last = max(last, :at),
    offset_least = min(coalesce(offset_least, :offset), coalesce(:offset, offset_least)),
    offset_most = max(coalesce(offset_most, :offset), coalesce(:offset, offset_most))"""


class Contacts(Pins):
    """Notes contacts, and tells of them."""

    def note_contact(
        self,
        device_id: str,
        at: datetime,
        *,
        last_seq: int = 0,
        app: str | None = None,
        offset: timedelta | None = None,
    ) -> None:
        """Note a sign of life: the highest number the device says it has given, its program, its clock's error.

        A page without JavaScript tells neither program nor clock; what was known of them then stays.
        """
        with self.group():
            self._note_contact(device_id, at, last_seq=last_seq, app=app, offset=offset)

    def _note_contact(
        self, device_id: str, at: datetime, *, last_seq: int, app: str | None, offset: timedelta | None
    ) -> None:
        milliseconds = None if offset is None else round(offset / timedelta(milliseconds=1))
        stamped = stamp(at)
        self._execute(_DEVICE, (stamped, last_seq, app, milliseconds, device_id))
        day = at.astimezone(VIETNAM).date().isoformat()
        self._execute(_DAY, {"device": device_id, "day": day, "at": stamped, "offset": milliseconds})

    def _note_last_seq(self, device_id: str, last_seq: int) -> None:
        """The highest number given, from a file: no sign of life."""
        self._execute("UPDATE device SET last_seq = max(coalesce(last_seq, 0), ?) WHERE id = ?", (last_seq, device_id))

    def contacts(self, device_id: str) -> tuple[ContactDay, ...]:
        """The days on which a device was heard of, oldest first."""
        sql = "SELECT device, day, contacts, first, last, offset_least, offset_most FROM contact WHERE device = ?"
        return tuple(
            ContactDay(device, date.fromisoformat(day), contacts, moment(first), moment(last), least, most)
            for device, day, contacts, first, last, least, most in self._rows(f"{sql} ORDER BY day", (device_id,))
        )

    def active_days(self, among: int) -> Mapping[str, int]:
        """On how many of the last `among` days up to its last contact each device was heard of."""
        return dict(
            self._rows(
                "SELECT device, count(*) FROM contact AS this WHERE day >"
                " (SELECT date(max(day), ?) FROM contact WHERE device = this.device) GROUP BY device",
                (f"-{among} days",),
            )
        )
