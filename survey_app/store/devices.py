"""Kiosk devices: their one-time codes, tokens, and the gaps in what they sent.

`Devices`, `EnrolmentError`, `DeviceRevoked`.
"""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime
from typing import Any

from survey_app.access import CODE_LIFE, new_code, new_token, read_code, same_hash, secret_hash
from survey_app.model import Device, Enrolment, Purpose, moment, stamp
from survey_app.problems import Problem, SipasError
from survey_app.store.connection import refusal
from survey_app.store.contacts import Contacts

_DEVICE = (
    "SELECT id, centre, simulated, revoked, created, last_seen, enrolled, purpose, app, offset_ms, last_seq FROM device"
)
_DEVICE_AND_TOKEN = _DEVICE.replace(" FROM", ", token_sha256 FROM")
_ARRIVED = """SELECT seq FROM response WHERE device = :device AND seq BETWEEN :first AND :last
    UNION SELECT seq FROM conflict WHERE device = :device AND seq BETWEEN :first AND :last
    UNION SELECT json_extract(detail, '$.seq') FROM event WHERE kind = 'rejected'
        AND json_extract(detail, '$.device') = :device AND json_extract(detail, '$.seq') BETWEEN :first AND :last
    ORDER BY 1"""

FEW_GAPS = 20
"""Up to so many gaps are looked into one by one; more of them in one reading from the first to the last."""


class EnrolmentError(SipasError):
    """The code is unknown, used, expired or withdrawn. Which of these is told to nobody: it would help whoever guesses."""


class DeviceRevoked(SipasError):
    """The token was known and has been withdrawn."""

    def __init__(self, device: str) -> None:
        self.device = device
        super().__init__(
            Problem("this device has been revoked", f"device {device}", "enrol anew: sipas device add CENTRE")
        )


class Devices(Contacts):
    """A device belongs to one centre for ever; enrolling again is a new device."""

    def devices(self) -> tuple[Device, ...]:
        return tuple(_device(row) for row in self._rows(f"{_DEVICE} ORDER BY centre, created, id"))

    def device(self, id: str) -> Device:
        row = self._row(f"{_DEVICE} WHERE id = ?", (id,))
        if row is None:
            raise refusal(f"there is no device {id!r}", "device", "see the devices: sipas device list")
        return _device(row)

    def device_by_token(self, token: str) -> Device | None:
        """The device a token belongs to; None when it is unknown, `DeviceRevoked` when it was withdrawn."""
        given = secret_hash(token)
        row = self._row(f"{_DEVICE_AND_TOKEN} WHERE token_sha256 = ?", (given,))
        if row is None or not same_hash(row[-1], given):
            return None
        device = _device(row[:-1])
        if device.revoked:
            raise DeviceRevoked(device.id)
        return device

    def token_hash(self, id: str) -> str | None:
        """The SHA-256 of a device's token, in hex; None before it is enrolled."""
        row = self._row("SELECT token_sha256 FROM device WHERE id = ?", (id,))
        return row[0] if row else None

    def add_device(self, centre: str, simulated: bool = False, purpose: Purpose = "counter") -> tuple[Device, str]:
        """A new device of the centre and its one-time code, valid for 24 hours; only the code's hash is kept."""
        code = new_code()
        now = datetime.now(UTC)
        with self.group():
            self.centre(centre)
            row = self._row("SELECT count(*) FROM device WHERE centre = ?", (centre,))
            id = f"{centre}-{(row[0] if row else 0) + 1}"
            self._execute(
                "INSERT INTO device (id, centre, simulated, purpose, created, code_sha256, code_expires)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, centre, int(simulated), purpose, stamp(now), secret_hash(read_code(code)), stamp(now + CODE_LIFE)),
            )
            self._log(
                "device_added",
                {
                    "device": id,
                    "centre": centre,
                    "simulated": int(simulated),
                    "purpose": purpose,
                    "created": stamp(now),
                    "code_sha256": secret_hash(read_code(code)),
                },
            )
        return self.device(id), code

    def enrol(self, code: str) -> Enrolment:
        """Exchange a one-time code for the device's token; `EnrolmentError` when the code is not good any more."""
        given = secret_hash(read_code(code))
        now = stamp(datetime.now(UTC))
        with self.group():
            row = self._row(
                "SELECT id, centre, code_sha256 FROM device"
                " WHERE code_sha256 = ? AND enrolled IS NULL AND revoked IS NULL AND code_expires > ?",
                (given, now),
            )
            if row is None or not same_hash(row[2], given):
                raise EnrolmentError(
                    Problem(
                        "the enrolment code is not valid: mistyped, used already, or older than 24 hours",
                        "enrolment code",
                        "make a new one: sipas device add CENTRE",
                    )
                )
            token = new_token()
            hashed = secret_hash(token)
            self._execute("UPDATE device SET token_sha256 = ?, enrolled = ? WHERE id = ?", (hashed, now, row[0]))
            self._log("device_enrolled", {"device": row[0], "enrolled": now, "token_sha256": hashed})
        return Enrolment(token, row[0], row[1])

    def revoke_device(self, id: str) -> Device:
        """Withdraw a device's token or unused code, for ever."""
        with self.group():
            device = self.device(id)
            if device.revoked:
                raise refusal(f"device {id!r} is revoked already", "device", "nothing to do")
            revoked = stamp(datetime.now(UTC))
            self._execute("UPDATE device SET revoked = ? WHERE id = ?", (revoked, id))
            self._log("device_revoked", {"device": id, "revoked": revoked})
        return self.device(id)

    def missing(
        self, device_id: str, last_seq: int, arrived: AbstractSet[int] = frozenset()
    ) -> tuple[tuple[int, int], ...]:
        """The ranges of numbers up to `last_seq` that never arrived in any form: stored, in conflict or rejected.

        What has arrived never goes away again. So only what was missing at the last call and the numbers since then
        are looked up, however many a device has sent; `arrived`, taken in by this transaction, are not looked up either.
        """
        checked, gaps = self._gaps.get(device_id, (0, ()))
        if not gaps and len(arrived) >= last_seq - checked > 0 and arrived >= set(range(checked + 1, last_seq + 1)):
            self._gaps[device_id] = (last_seq, ())
            return ()
        if gaps and gaps[-1][1] == checked < last_seq:
            gaps = (*gaps[:-1], (gaps[-1][0], last_seq))
        elif checked < last_seq:
            gaps = (*gaps, (checked + 1, last_seq))
        if len(gaps) > FEW_GAPS:
            gaps = ((gaps[0][0], gaps[-1][1]),)
        left = tuple(
            gap
            for first, last in gaps
            if first <= last_seq
            for gap in self._still_missing(device_id, first, min(last, last_seq))
        )
        if last_seq >= checked:
            self._gaps[device_id] = (last_seq, left)
        return left

    def _still_missing(self, device_id: str, first: int, last: int) -> list[tuple[int, int]]:
        arrived = self._rows(_ARRIVED, {"device": device_id, "first": first, "last": last})
        gaps = []
        for (seq,) in arrived:
            if seq > first:
                gaps.append((first, seq - 1))
            first = seq + 1
        if first <= last:
            gaps.append((first, last))
        return gaps


def _device(row: tuple[Any, ...]) -> Device:
    id, centre, simulated, revoked, created, last_seen, enrolled, purpose, app, offset_ms, last_seq = row
    return Device(
        id=id,
        centre=centre,
        simulated=bool(simulated),
        revoked=moment(revoked) if revoked else None,
        created=moment(created),
        last_seen=moment(last_seen) if last_seen else None,
        enrolled=moment(enrolled) if enrolled else None,
        purpose=purpose,
        app=app,
        offset_ms=offset_ms,
        last_seq=last_seq or 0,
    )
