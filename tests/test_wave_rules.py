"""The rules of a wave, each a test: its order, one open wave of each kind, what is late, whose clock, which day."""

import dataclasses
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_app.extract import write_extract
from survey_app.model import VIETNAM, Device, RegisterRow, StoredResponse
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from tests.ground import (
    FORM,
    FRAME,
    NOON,
    OPENING,
    enrolled,
    fates,
    interview,
    make_store,
    record,
    response,
    sample_wave,
    unmet,
    wave,
)  # fmt: skip
from tests.test_extract_write import table

MS = timedelta(milliseconds=1)
CLOSING = NOON + timedelta(days=10)


@dataclasses.dataclass
class Ground:
    settings: Settings
    store: Store
    device: Device

    def give(
        self, submitted: datetime, *, received: datetime | None = None, slow: timedelta = timedelta()
    ) -> StoredResponse:
        """A response given at `submitted` by a clock that is `slow`, received at once unless said otherwise."""
        one = response(None, mode="page", started=submitted, submitted=submitted)
        at = received if received is not None else submitted + slow
        receipts = self.store.record([one], device=self.device, received=at, sent_at=at - slow)
        assert fates(receipts) == ["stored"]
        *_, stored = self.store.responses("q4")
        return stored


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    settings, store = make_store(tmp_path)
    with store:
        yield Ground(settings, store, enrolled(store))


# ---- the order of a wave


@pytest.mark.parametrize("kind", ["counter", "sample"])
@pytest.mark.parametrize(
    ("deeds", "refused"),
    [
        (["close"], "is planned"),
        (["open", "open"], "is open"),
        (["open", "close", "open"], "is closed"),
        (["open", "close", "close"], "is closed"),
    ],
)
def test_a_wave_is_opened_once_then_closed_once(ground: Ground, kind: str, deeds: list[str], refused: str) -> None:
    ground.store.close_wave("q4")
    ground.store.create_wave(wave("w2", kind=kind), FORM, FRAME if kind == "sample" else ())
    *done, last = deeds
    for deed in done:
        getattr(ground.store, f"{deed}_wave")("w2")
    before = ground.store.wave("w2")
    with pytest.raises(StoreError, match=refused):
        getattr(ground.store, f"{last}_wave")("w2")
    assert ground.store.wave("w2") == before


@pytest.mark.parametrize("kind", ["counter", "sample"])
def test_a_centre_has_at_most_one_open_wave_of_each_kind(ground: Ground, kind: str) -> None:
    sample_wave(ground.store)
    ground.store.create_wave(wave("w2", kind=kind, centres=("TINH",)), FORM, FRAME if kind == "sample" else ())
    open_one = "household" if kind == "sample" else "q4"
    with pytest.raises(StoreError, match=f"TINH takes part in the open {kind} wave '{open_one}'"):
        ground.store.open_wave("w2")
    ground.store.close_wave(open_one)
    assert ground.store.open_wave("w2").status == "open"


def test_each_kind_of_device_finds_the_open_wave_of_its_kind(ground: Ground) -> None:
    assert ground.store.current_wave("00691", "sample") is None
    sample_wave(ground.store)
    found = [ground.store.current_wave("00691", kind) for kind in ("counter", "sample")]  # type: ignore[arg-type]
    assert [one.id for one in found if one] == ["q4", "household"]


@pytest.mark.parametrize(
    "change",
    ["rules = '{}'", "title = '{}'", "months = '[]'", "kind = 'sample'", "simulated = 0", "version = '2'", "id = 'x'"],
)
def test_what_a_wave_is_cannot_be_changed_once_it_has_opened(ground: Ground, change: str) -> None:
    with pytest.raises(Exception, match=r"fixed once it has opened"), ground.store.group():
        ground.store._execute(f"UPDATE wave SET {change} WHERE id = 'q4'")


@pytest.mark.parametrize("state", ["open", "closed"])
def test_the_frame_cannot_grow_once_the_wave_has_opened(ground: Ground, state: str) -> None:
    sample_wave(ground.store)
    if state == "closed":
        ground.store.close_wave("household")
    with pytest.raises(Exception, match="fixed once it has opened"), ground.store.group():
        ground.store._execute("INSERT INTO frame VALUES ('household', 'X', 's', 'X', 9, 0.5, 1, 9)")


def test_a_counter_wave_can_have_no_frame_even_in_the_table(ground: Ground) -> None:
    ground.store.create_wave(wave("w2"), FORM)
    with pytest.raises(Exception, match="frame of a sample wave"), ground.store.group():
        ground.store._execute("INSERT INTO frame VALUES ('w2', 'X', 's', 'X', 9, 0.5, 1, 9)")


# ---- who may send where


@pytest.mark.parametrize("real_wave", [True, False])
def test_simulated_and_real_never_mix(tmp_path: Path, real_wave: bool) -> None:
    _, store = make_store(tmp_path, simulated=not real_wave)
    with store:
        device = enrolled(store, simulated=real_wave)
        receipt = record(store, device, response())[0]
    assert receipt.errors == ("simulated_device",) if real_wave else ("simulated_wave",)


SENT: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("sample", {}, ()),
    ("sample", {"psu": None}, ("psu_missing",)),
    ("sample", {"psu": "TAN-Z"}, ("unknown_psu",)),
    ("sample", {"psu": "tan-a"}, ("unknown_psu",)),
    ("counter", {}, ("counter_device",)),
    ("counter", {"psu": None}, ("counter_device", "psu_missing")),
    ("sample", {"wave": "q4", "psu": None}, ("interviewer_device",)),
    ("sample", {"wave": "q4"}, ("interviewer_device", "psu_in_counter_wave")),
    ("counter", {"wave": "q4", "psu": None}, ()),
]


@pytest.mark.parametrize(("purpose", "changes", "errors"), SENT, ids=lambda value: str(value))
def test_interviewers_send_villages_of_the_frame_to_sample_waves_and_counters_none(
    ground: Ground, purpose: str, changes: dict[str, Any], errors: tuple[str, ...]
) -> None:
    devices = {"sample": sample_wave(ground.store), "counter": ground.device}
    (receipt,) = record(ground.store, devices[purpose], interview(1, **changes))
    assert (receipt.fate, receipt.errors) == ("rejected" if errors else "stored", errors)
    assert verify(ground.settings) == ()


@pytest.mark.parametrize("disposition", ["complete", "broken_off", "refused", "not_at_home"])
@pytest.mark.parametrize("kind", ["counter", "sample"])
def test_people_who_were_not_invited_and_did_not_answer_are_of_sample_waves_only(
    ground: Ground, kind: str, disposition: str
) -> None:
    interviewer = sample_wave(ground.store)
    one = interview(1) if disposition == "complete" else unmet(disposition, 1)
    if kind == "counter":
        one = dataclasses.replace(one, wave="q4", psu=None, recruitment="walk_up")
    (receipt,) = record(ground.store, interviewer if kind == "sample" else ground.device, one)
    barred = kind == "counter" and disposition in ("refused", "not_at_home")
    assert receipt.errors == (("disposition_in_counter_wave",) if barred else ())


def test_who_was_invited_at_a_counter_may_refuse_and_the_store_stays_whole(ground: Ground) -> None:
    """The record says who was invited and that he refused; it carries no answers, and counts in no estimate."""
    invited = {"wave": "q4", "psu": None, "recruitment": "invited", "paradata": {"invite_every": 5}}
    one = unmet("refused", 1, **invited, field=None)
    assert fates(record(ground.store, ground.device, one, one)) == ["stored", "already_stored"]
    (stored,) = ground.store.responses("q4")
    assert (stored.disposition, stored.recruitment, stored.field) == ("refused", "invited", None)
    assert set(stored.answers.values()) <= {-3, -4}
    assert verify(ground.settings) == ()


@pytest.mark.parametrize("recruitment", ["walk_up", "staff_asked"])
def test_who_was_not_invited_cannot_refuse(ground: Ground, recruitment: str) -> None:
    (receipt,) = record(
        ground.store, ground.device, unmet("refused", 1, wave="q4", psu=None, recruitment=recruitment, mode="kiosk")
    )
    assert receipt.errors == ("disposition_in_counter_wave",)


def test_what_happened_at_the_door_carries_no_answers(ground: Ground) -> None:
    interviewer = sample_wave(ground.store)
    for disposition in ("refused", "not_at_home"):
        (receipt,) = record(ground.store, interviewer, interview(1, disposition=disposition))
        assert receipt.fate == "rejected" and "II.A1:not_complete" in receipt.errors


def test_the_table_itself_refuses_a_village_outside_the_frame(ground: Ground) -> None:
    interviewer = sample_wave(ground.store)
    record(ground.store, interviewer, interview(1))
    columns = [name for _, name, *_ in ground.store._rows("PRAGMA table_info(response)")]
    other = {"uuid": "replace(uuid, '-4', '-5')", "number": "99", "position": "99", "psu": "'TAN-Z'"}
    values = ", ".join(other.get(name, name) for name in columns)
    with pytest.raises(Exception, match="FOREIGN KEY"), ground.store.group():
        ground.store._execute(f"INSERT INTO response SELECT {values} FROM response")


@pytest.mark.parametrize("mode", ["kiosk", "paper", "import", "page", "assisted"])
def test_only_pages_send_without_a_number(ground: Ground, mode: str) -> None:
    (receipt,) = record(ground.store, ground.device, response(None, mode=mode))
    assert receipt.fate == ("stored" if mode in ("page", "assisted") else "rejected")


@pytest.mark.parametrize("mode", ["page", "assisted"])
def test_a_page_sent_again_with_the_same_answers_is_the_same(ground: Ground, mode: str) -> None:
    interviewer = sample_wave(ground.store)
    one = interview(None, mode=mode)
    again = dataclasses.replace(one, submitted=NOON + timedelta(minutes=1), durations={})
    assert fates(record(ground.store, interviewer, one, again)) == ["stored", "already_stored"]
    other = dataclasses.replace(again, psu="TAN-B")
    assert fates(record(ground.store, interviewer, other)) == ["conflict"]


def test_an_assisted_kiosk_response_with_a_number_must_come_the_very_same(ground: Ground) -> None:
    interviewer = sample_wave(ground.store)
    one = interview(1)
    later = dataclasses.replace(one, submitted=NOON + timedelta(minutes=1))
    assert fates(record(ground.store, interviewer, one, later)) == ["stored", "conflict"]


# ---- late, after the closing


@pytest.mark.parametrize(
    ("given", "received", "late", "after_close"),
    [
        (-MS, -MS, False, False),
        (-MS, timedelta(), False, False),
        (-MS, MS, True, False),
        (timedelta(), timedelta(), False, False),
        (timedelta(), MS, True, False),
        (MS, MS, False, True),
        (MS, timedelta(days=30), False, True),
        (timedelta(days=-9), timedelta(days=300), True, False),
    ],
)
@pytest.mark.parametrize("slow", [timedelta(), timedelta(minutes=90), timedelta(minutes=-90), timedelta(days=400)])
def test_late_and_after_close_go_by_the_corrected_time_to_the_millisecond(
    ground: Ground, given: timedelta, received: timedelta, late: bool, after_close: bool, slow: timedelta
) -> None:
    """However far the tablet's clock is off: the closing is by the server's."""
    ground.store.close_wave("q4", at=CLOSING)
    stored = ground.give(CLOSING + given - slow, received=CLOSING + received, slow=slow)
    assert (stored.late, stored.after_close) == (late, after_close)


# ---- the local day


MIDNIGHT = datetime(2026, 10, 6, tzinfo=VIETNAM)


@pytest.mark.parametrize(
    ("submitted", "slow", "day"),
    [
        (MIDNIGHT - MS, timedelta(), date(2026, 10, 5)),
        (MIDNIGHT, timedelta(), date(2026, 10, 6)),
        (MIDNIGHT - MS, MS, date(2026, 10, 6)),
        (MIDNIGHT, -MS, date(2026, 10, 5)),
        (MIDNIGHT - timedelta(minutes=10), timedelta(minutes=10), date(2026, 10, 6)),
        (datetime(2026, 10, 5, 16, 59, 59, 999_000, tzinfo=UTC), timedelta(), date(2026, 10, 5)),
        (datetime(2026, 10, 5, 17, 0, tzinfo=UTC), timedelta(), date(2026, 10, 6)),
        (MIDNIGHT, timedelta(days=-1), date(2026, 10, 5)),
    ],
)
def test_the_local_day_turns_at_midnight_in_vietnam_of_the_corrected_time(
    ground: Ground, submitted: datetime, slow: timedelta, day: date
) -> None:
    assert ground.give(submitted.astimezone(UTC), slow=slow).local_day == day


# ---- clocks

YEARS = timedelta(days=3653)
FIVE = timedelta(minutes=5)


@pytest.mark.parametrize(
    ("slow", "flagged"),
    [(FIVE, False), (FIVE + MS, True), (-FIVE, False), (-FIVE - MS, True), (YEARS, True), (-YEARS, True)],
)
def test_a_clock_is_flagged_beyond_five_minutes_and_its_time_put_right(
    ground: Ground, slow: timedelta, flagged: bool
) -> None:
    stored = ground.give(NOON - slow, received=NOON, slow=slow)
    assert (stored.clock, stored.local_day) == (flagged, date(2026, 10, 5))
    assert stored.offset_ms == slow / MS


@pytest.mark.parametrize(
    ("given", "flagged"),
    [
        (FIVE, False),
        (FIVE + MS, True),
        (YEARS, True),
        (OPENING - NOON, False),
        (OPENING - NOON - MS, True),
        (-YEARS, True),
    ],
)
def test_a_time_beyond_its_receipt_or_before_the_opening_is_flagged_and_keeps_its_own_day(
    ground: Ground, given: timedelta, flagged: bool
) -> None:
    """A clock set right between the answer and the sending: nothing tells when it was, so nothing is made up."""
    stored = ground.give(NOON + given, received=NOON)
    assert (stored.clock, stored.local_day) == (flagged, (NOON + given).astimezone(VIETNAM).date())


EARLIEST, LATEST = datetime(1969, 12, 31, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)  # what the protocol takes
ABSURD = [
    (submitted, slow)
    for submitted in (EARLIEST, NOON - YEARS, NOON + YEARS, LATEST)
    for slow in (NOON - LATEST, -YEARS, timedelta(), YEARS, NOON - EARLIEST)
]


def test_absurd_years_are_kept_extracted_and_verified(ground: Ground) -> None:
    for submitted, slow in ABSURD:
        ground.give(submitted, received=NOON, slow=slow)
    days = sorted(stored.local_day for stored in ground.store.responses("q4"))
    path = write_extract(ground.store, ground.settings, "q4")
    assert sorted(table(path).column("local_day").to_pylist()) == days
    assert (days[0].year, days[-1].year) == (1796, 2256)
    assert verify(ground.settings) == ()


def test_absurd_years_break_neither_weights_nor_report(ground: Ground) -> None:
    """From the store to the page, with clocks of ± 10 years and further among ordinary ones."""
    for number in range(120):
        ground.give(NOON + timedelta(hours=number), received=NOON + timedelta(days=6))
    for submitted, slow in ABSURD:
        ground.give(submitted, received=NOON, slow=slow)
    rows = [RegisterRow("00691", "ho-tich", "2026-10", "all", 900, 800, 700)]
    ground.store.import_register(rows, "register.csv", "0" * 64)
    path = write_extract(ground.store, ground.settings, "q4")
    for verb in ("weights", "report"):
        command = [sys.executable, "-m", "survey_app", "--instance", str(ground.settings.instance), verb, str(path)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    scores = (ground.settings.reports / "q4" / "scores.csv").read_text(encoding="utf-8")
    assert f",{120 + len(ABSURD)}," in scores.splitlines()[1]
