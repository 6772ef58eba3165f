"""The only way in for responses: `Recording.record`, idempotent and all or nothing for each response."""

import json
import sqlite3
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from survey_app.ledger import Plain, canonical, compact, content_hash, link
from survey_app.model import VIETNAM, Device, Head, Receipt, Wave, stamp
from survey_app.questionnaire import Checked, check
from survey_app.questionnaire.checking import Code
from survey_app.response import PAGE_MODES, Response
from survey_app.store.connection import StoreError
from survey_app.store.devices import Devices

CLOCK_TOLERANCE = timedelta(minutes=5)

RESPONSE_COLUMNS = (
    "uuid", "number", "wave", "position", "centre", "field", "device", "seq", "questionnaire", "version", "language",
    "mode", "recruitment", "disposition", "psu", "part", "started", "submitted", "received", "offset_ms", "local_day",
    "late", "after_close", "clock", "content_sha256",
)  # fmt: skip
"""The columns a chain link covers, in this order; `content` is covered by its hash."""

_INSERT = (
    f"INSERT INTO response ({', '.join(RESPONSE_COLUMNS)}, content, chain)"
    f" VALUES ({', '.join('?' * (len(RESPONSE_COLUMNS) + 2))})"
)


Way = Literal["line", "file"]
"""Sent by the device itself, or carried here in a file that staff took from it: that is no sign of its life."""


@dataclass(frozen=True)
class Arrival:
    """What one sending shares: who sent it, when it came, how far the device's clock is off, what is known."""

    device: Device
    received: datetime
    offset: timedelta
    app: str | None
    last_seq: int
    way: Way
    fields: frozenset[str]
    waves: dict[str, Wave | None]
    units: dict[str, frozenset[str]]
    """The villages of each sample wave that this sending names."""


class Recording(Devices):
    """Takes responses in."""

    def record(
        self,
        responses: Sequence[Response],
        *,
        device: Device,
        received: datetime,
        sent_at: datetime,
        app: str | None = None,
        last_seq: int = 0,
        way: Way = "line",
    ) -> tuple[Receipt, ...]:
        """Store responses of one device and say the fate of each, in order.

        The same uuid with the same content again is `already_stored`; with other content it is a `conflict`, and both
        are kept; a response that is invalid by its own form is `rejected` with the codes of what is wrong. The contact
        is noted with them: `app` names the sender's program (pages without JavaScript have none, and their time of
        sending is the server's own), `last_seq` is the highest number it has given.
        """
        if not self._depth:
            with self.group():
                return self.record(
                    responses,
                    device=device,
                    received=received,
                    sent_at=sent_at,
                    app=app,
                    last_seq=last_seq,
                    way=way,
                )
        arrival = Arrival(
            device=device,
            received=received,
            offset=received - sent_at,
            app=app,
            last_seq=max([last_seq, *(response.seq or 0 for response in responses)]),
            way=way,
            fields=self._known_fields(),
            waves={},
            units={},
        )
        try:
            return self._take_all(responses, arrival, self._settle)
        except sqlite3.IntegrityError:
            # One savepoint for all of them is enough as long as the tables refuse none. Now each gets its own.
            return self._take_all(responses, arrival, self._take)

    def _take_all(
        self, responses: Sequence[Response], arrival: Arrival, take: Callable[[Response, Arrival], Receipt]
    ) -> tuple[Receipt, ...]:
        with self.group():
            receipts = tuple(take(response, arrival) for response in responses)
            self._note(arrival)
        return receipts

    def _note(self, arrival: Arrival) -> None:
        if arrival.way == "file":
            self._note_last_seq(arrival.device.id, arrival.last_seq)
            return
        measured = arrival.offset if arrival.app is not None else None
        self._note_contact(
            arrival.device.id, arrival.received, last_seq=arrival.last_seq, app=arrival.app, offset=measured
        )

    def _take(self, response: Response, arrival: Arrival) -> Receipt:
        try:
            with self.group():
                return self._settle(response, arrival)
        except sqlite3.IntegrityError as error:
            # The tables refuse what every check let pass. The device must not send it for ever: it goes to staff.
            return self._reject(response, arrival, ("not_storable",), str(error))

    def _settle(self, response: Response, arrival: Arrival) -> Receipt:
        content = canonical(response, self.settings.key)
        known = self._row("SELECT content_sha256, content FROM response WHERE uuid = ?", (response.uuid,))
        if known is not None:
            if known[0] == content_hash(content) or same_answers(known[1], content):
                return Receipt(response.uuid, "already_stored")
            return self._keep_conflict(response, content, arrival)
        wave = self._wave_of(response, arrival)
        errors = refusals(response, wave, arrival.device, self._units_of(wave, arrival))
        if wave is None or errors:
            return self._reject(response, arrival, errors)
        checked = check(self.questionnaire(wave.questionnaire, wave.version), response, arrival.fields)
        if checked.problems:
            codes = tuple(f"{problem.item}:{problem.code}" for problem in checked.problems)
            return self._reject(response, arrival, codes)
        self._store(response, content, checked, wave, arrival)
        return Receipt(response.uuid, "stored")

    def _wave_of(self, response: Response, arrival: Arrival) -> Wave | None:
        if response.wave not in arrival.waves:
            try:
                arrival.waves[response.wave] = self.wave(response.wave)
            except StoreError:
                arrival.waves[response.wave] = None
        return arrival.waves[response.wave]

    def _units_of(self, wave: Wave | None, arrival: Arrival) -> frozenset[str]:
        if wave is None or wave.kind == "counter":
            return frozenset()
        if wave.id not in arrival.units:
            arrival.units[wave.id] = frozenset(unit.psu for unit in self.frame(wave.id))
        return arrival.units[wave.id]

    def _store(self, response: Response, content: bytes, checked: Checked, wave: Wave, arrival: Arrival) -> None:
        last = self._heads.get(wave.id) or self._head(wave.id)
        number = (self._last_number or self._stored_number()) + 1
        row = _row(response, wave, arrival, number, last.count + 1, content_hash(content))
        chain = link(last.head, row)
        self._flag_used_twice(response, arrival)
        self._execute(_INSERT, (*row.values(), content.decode("utf-8"), chain))
        self._store_answers(number, checked.codes)
        for item, text in checked.texts.items():
            self._execute("INSERT INTO comment (response, item, text) VALUES (?, ?, ?)", (number, item, text))
        self._touched.add(wave.id)
        self._heads[wave.id] = Head(last.count + 1, chain)
        self._last_number = number

    def _store_answers(self, number: int, codes: Mapping[str, Code]) -> None:
        """All that have one code in one statement: it costs a third less, and half where there are hundreds."""
        several = {item: code for item, code in codes.items() if type(code) is not int}
        single = {item: code for item, code in codes.items() if item not in several} if several else codes
        self._execute(
            "INSERT INTO answer (response, item, code) SELECT ?, key, value FROM json_each(?)",
            (number, json.dumps(single)),
        )
        if several:
            sql = "INSERT INTO answer (response, item, code) VALUES (?, ?, ?)"
            self._executemany(sql, answer_rows(number, several))

    def _stored_number(self) -> int:
        row = self._row("SELECT coalesce(max(number), 0) FROM response")
        return int(row[0]) if row else 0

    def _flag_used_twice(self, response: Response, arrival: Arrival) -> None:
        if response.seq is None:
            return
        other = self._row("SELECT uuid FROM response WHERE device = ? AND seq = ?", (arrival.device.id, response.seq))
        if other:
            self._log(
                "seq_used_twice",
                {"device": arrival.device.id, "seq": response.seq, "uuids": [other[0], response.uuid]},
            )

    def _keep_conflict(self, response: Response, content: bytes, arrival: Arrival) -> Receipt:
        hashed = content_hash(content)
        receipt = Receipt(response.uuid, "conflict")
        if self._row("SELECT 1 FROM conflict WHERE uuid = ? AND content_sha256 = ?", (response.uuid, hashed)):
            return receipt
        row = self._row(
            "INSERT INTO conflict (uuid, device, seq, received, content, content_sha256) VALUES (?, ?, ?, ?, ?, ?)"
            " RETURNING number",
            (response.uuid, arrival.device.id, response.seq, stamp(arrival.received), content.decode("utf-8"), hashed),
        )
        for item, value in response.answers.items():
            if row and isinstance(value, str):
                self._execute("INSERT INTO comment (conflict, item, text) VALUES (?, ?, ?)", (row[0], item, value))
        self._log(
            "conflict",
            {
                "uuid": response.uuid,
                "device": arrival.device.id,
                "received": stamp(arrival.received),
                "content_sha256": hashed,
            },
        )
        return receipt

    def _reject(self, response: Response, arrival: Arrival, errors: tuple[str, ...], reason: str = "") -> Receipt:
        self._log(
            "rejected",
            {
                "uuid": response.uuid,
                "device": arrival.device.id,
                "seq": response.seq,
                "errors": list(errors),
                **({"reason": reason} if reason else {}),
            },
        )
        return Receipt(response.uuid, "rejected", errors)


def refusals(response: Response, wave: Wave | None, device: Device, units: Collection[str] = ()) -> tuple[str, ...]:
    """What forbids storing a response before its answers are even looked at. `units`: the sample wave's villages."""
    if wave is None:
        return ("unknown_wave",)
    found = []
    if wave.opened is None:
        found.append("wave_not_opened")
    if (response.questionnaire, response.version) != (wave.questionnaire, wave.version):
        found.append("wrong_questionnaire")
    if device.simulated != wave.simulated:
        found.append("simulated_wave" if wave.simulated else "simulated_device")
    if device.centre not in wave.centres:
        found.append("centre_not_in_wave")
    if device.purpose != wave.kind:
        found.append("counter_device" if wave.kind == "sample" else "interviewer_device")
    if wave.kind == "counter" and response.psu is not None:
        found.append("psu_in_counter_wave")
    if wave.kind == "sample" and response.psu not in units:
        found.append("psu_missing" if response.psu is None else "unknown_psu")
    if wave.kind == "counter" and not _is_of_a_counter(response):
        found.append("disposition_in_counter_wave")
    return tuple(found)


def _is_of_a_counter(response: Response) -> bool:
    """At a counter nobody is visited at home, and only who was invited can refuse."""
    if response.disposition == "refused":
        return response.recruitment == "invited"
    return response.disposition != "not_at_home"


def same_answers(left: str | bytes, right: str | bytes) -> bool:
    """Whether two canonical contents of pages without JavaScript differ in nothing but when they were given.

    There a double tap or the back button sends the same answers again with new times. Such pages number nothing;
    they are a citizen's own (`page`) or somebody helped (`assisted`).
    """
    first, second = json.loads(left), json.loads(right)
    if not (_of_a_page(first) and _of_a_page(second)):
        return False
    for content in (first, second):
        for key in ("started", "submitted", "durations", "paradata"):
            content.pop(key, None)
    return bool(first == second)


def _of_a_page(content: Mapping[str, Any]) -> bool:
    return content["seq"] is None and content["mode"] in PAGE_MODES


def answer_rows(number: int, codes: Mapping[str, Code]) -> list[tuple[int, str, int]]:
    """One row an item; a choices item has one row a chosen option."""
    rows: list[tuple[int, str, int]] = []
    for item, code in codes.items():
        if isinstance(code, tuple):
            rows.extend((number, item, one) for one in code)
        else:
            rows.append((number, item, code))
    return rows


def flags(wave: Wave, received: datetime, corrected: datetime, offset: timedelta) -> tuple[int, int, int]:
    """`late`, `after_close`, `clock` of a response by its corrected submission time."""
    closed = wave.closed
    after_close = closed is not None and corrected > closed
    late = closed is not None and received > closed and not after_close
    clock = (
        abs(offset) > CLOCK_TOLERANCE
        or corrected > received + CLOCK_TOLERANCE
        or (wave.opened is not None and corrected < wave.opened)
    )
    return int(late), int(after_close), int(clock)


def _row(
    response: Response, wave: Wave, arrival: Arrival, number: int, position: int, content_sha256: str
) -> dict[str, Plain]:
    corrected = response.submitted + arrival.offset
    late, after_close, clock = flags(wave, arrival.received, corrected, arrival.offset)
    values: tuple[Any, ...] = (
        response.uuid, number, wave.id, position, arrival.device.centre, response.field, arrival.device.id,
        response.seq, response.questionnaire, response.version, response.language, response.mode,
        response.recruitment, response.disposition, response.psu,
        None if response.part is None else compact({k: list(v) for k, v in response.part.items()}).decode("utf-8"),
        stamp(response.started), stamp(response.submitted), stamp(arrival.received),
        round(arrival.offset / timedelta(milliseconds=1)), corrected.astimezone(VIETNAM).date().isoformat(),
        late, after_close, clock, content_sha256,
    )  # fmt: skip
    return dict(zip(RESPONSE_COLUMNS, values, strict=True))
