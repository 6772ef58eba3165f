"""Reading what was recorded: responses with their answers, heads, register rows, events."""

import itertools
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from survey_app.model import Event, Head, Reference, RegisterRow, StoredResponse, moment
from survey_app.store.connection import refusal
from survey_app.store.recording import RESPONSE_COLUMNS, Recording

_CURRENT_REGISTER = """SELECT centre, field, month, channel, received, resolved, on_time FROM register AS this
    WHERE import = (SELECT max(import) FROM register WHERE month = this.month)"""


@dataclass(frozen=True)
class Timing:
    """When and how one response was given, in words of the store; `taps`: answers sent, `measured_ms`: what they
    took, where the device measured each of them."""

    centre: str
    device: str
    day: date
    disposition: str
    recruitment: str
    mode: str
    after_close: bool
    started: datetime
    submitted: datetime
    offset_ms: int
    taps: int
    measured_ms: int | None


class Reading(Recording):
    """Everything that is asked of the store and changes nothing."""

    def response_count(self, wave_id: str) -> int:
        return self.head(wave_id).count

    def head(self, wave_id: str) -> Head:
        return self._heads.get(wave_id) or self._head(wave_id)

    def responses(self, wave_id: str) -> Iterator[StoredResponse]:
        """The responses of a wave in the order of receipt, with their answers."""
        choices = self._choices(wave_id)
        columns = ", ".join(f"response.{name}" for name in RESPONSE_COLUMNS)
        rows = self._rows(
            f"SELECT {columns}, item, code FROM response LEFT JOIN answer ON answer.response = response.number"
            " WHERE wave = ? ORDER BY position, item, code",
            (wave_id,),
        )
        width = len(RESPONSE_COLUMNS)
        for _, group in itertools.groupby(rows, key=lambda row: row[1]):
            several = list(group)
            pairs = [row[width:] for row in several if row[width] is not None]
            yield _stored(several[0][:width], _answers(pairs, choices))

    def outcomes(self, wave_id: str) -> dict[tuple[str, str], int]:
        """How many responses of a sample wave, given before its closing, have which village and disposition."""
        return {
            (psu, disposition): count
            for psu, disposition, count in self._rows(
                "SELECT psu, disposition, count(*) FROM response"
                " WHERE wave = ? AND after_close = 0 AND psu IS NOT NULL GROUP BY psu, disposition",
                (wave_id,),
            )
        }

    def timings(self, wave_id: str) -> tuple[Timing, ...]:
        """How each response of a wave was given, in the order of receipt."""
        rows = self._rows(
            "SELECT centre, device, local_day, disposition, recruitment, mode, after_close, started, submitted, offset_ms,"
            " (SELECT count(*) FROM json_each(content, '$.answers')),"
            " (SELECT count(*) FROM json_each(content, '$.durations')),"
            " (SELECT coalesce(sum(value), 0) FROM json_each(content, '$.durations'))"
            " FROM response WHERE wave = ? ORDER BY position",
            (wave_id,),
        )
        return tuple(
            Timing(
                centre, device, date.fromisoformat(day), disposition, recruitment, mode, bool(after_close),
                moment(started), moment(submitted), offset_ms, taps, measured_ms if measured >= taps else None,
            )
            for centre, device, day, disposition, recruitment, mode, after_close, started, submitted, offset_ms, taps,
            measured, measured_ms in rows
        )  # fmt: skip

    def is_stored(self, uuid: str) -> bool:
        return self._row("SELECT 1 FROM response WHERE uuid = ?", (uuid,)) is not None

    def stored_answers(self, uuid: str) -> Mapping[str, int | tuple[int, ...]]:
        """The answers kept under a uuid, as codes."""
        row = self._row("SELECT number, wave FROM response WHERE uuid = ?", (uuid,))
        if row is None:
            raise refusal(f"no response has the uuid {uuid}", "response", "compare it with the device's list")
        pairs = list(self._rows("SELECT item, code FROM answer WHERE response = ? ORDER BY item, code", (row[0],)))
        return _answers(pairs, self._choices(row[1]))

    def register(self, months: Collection[str]) -> tuple[RegisterRow, ...]:
        """The register rows in force: of each month those of its newest import."""
        wanted = sorted(months)
        marks = ", ".join("?" * len(wanted))
        return tuple(
            RegisterRow(*row)
            for row in self._rows(
                f"{_CURRENT_REGISTER} AND month IN ({marks}) ORDER BY month, centre, field, channel", wanted
            )
        )

    def references(self) -> tuple[Reference, ...]:
        """The published figures in force: of each place, year and measure that of the newest import."""
        return tuple(
            Reference(*row)
            for row in self._rows(
                "SELECT year, place, measure, value, series, label, source FROM reference AS this"
                " WHERE import = (SELECT max(import) FROM reference"
                " WHERE place = this.place AND year = this.year AND measure = this.measure)"
                " ORDER BY place, year, measure"
            )
        )

    def begun(self) -> datetime | None:
        """When the first thing happened in this instance."""
        row = self._row("SELECT at FROM event WHERE number = 1")
        return moment(row[0]) if row else None

    def events(self, kinds: Collection[str] = ()) -> tuple[Event, ...]:
        """The audit, oldest first; of some kinds only, if named."""
        sql = "SELECT number, at, kind, detail FROM event"
        if kinds:
            sql += f" WHERE kind IN ({', '.join('?' * len(kinds))})"
        return tuple(
            Event(number, moment(at), kind, json.loads(detail))
            for number, at, kind, detail in self._rows(f"{sql} ORDER BY number", tuple(kinds))
        )

    def _choices(self, wave_id: str) -> frozenset[str]:
        wave = self.wave(wave_id)
        form = self.questionnaire(wave.questionnaire, wave.version)
        return frozenset(item.code for item in form.items if item.kind == "choices")


def _answers(pairs: Sequence[tuple[Any, ...]], choices: frozenset[str]) -> dict[str, int | tuple[int, ...]]:
    answers: dict[str, int | tuple[int, ...]] = {}
    for item, group in itertools.groupby(pairs, key=lambda pair: pair[0]):
        codes = tuple(code for _, code in group)
        answers[item] = codes if item in choices and codes[0] >= 0 else codes[0]
    return answers


def _stored(row: tuple[Any, ...], answers: Mapping[str, int | tuple[int, ...]]) -> StoredResponse:
    values = dict(zip(RESPONSE_COLUMNS, row, strict=True))
    del values["number"]
    for name in ("started", "submitted", "received"):
        values[name] = moment(values[name])
    for name in ("late", "after_close", "clock"):
        values[name] = bool(values[name])
    values["local_day"] = date.fromisoformat(values["local_day"])
    if values["part"] is not None:
        values["part"] = {block: (k, of) for block, (k, of) in json.loads(values["part"]).items()}
    return StoredResponse(**values, answers=answers)
