"""Taking responses in: each fate, each flag, and that nothing is lost or doubled."""

import dataclasses
import itertools
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_app.model import Device, Head, Receipt
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from tests.ground import (
    CENTRES,
    FIELDS,
    FORM,
    NOON,
    enrolled,
    fates,
    interview,
    make_store,
    record,
    response,
    sample_wave,
    wave,
)


@dataclasses.dataclass
class Ground:
    settings: Settings
    store: Store
    device: Device


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    settings, store = make_store(tmp_path)
    with store:
        yield Ground(settings, store, enrolled(store))


def test_a_response_is_stored_with_every_answer(ground: Ground) -> None:
    one = response(answers={"II.A1": 5, "II.B2": -3})
    assert record(ground.store, ground.device, one) == (Receipt(one.uuid, "stored"),)
    (stored,) = ground.store.responses("q4")
    assert (stored.uuid, stored.centre, stored.field, stored.seq) == (one.uuid, "00691", "ho-tich", 1)
    assert (stored.started, stored.submitted, stored.received) == (one.started, one.submitted, NOON)
    assert set(stored.answers) == {item.code for item in FORM.items}
    assert (stored.answers["II.A1"], stored.answers["II.B2"], stored.answers["II.E1"]) == (5, -3, -1)
    assert stored.answers == ground.store.stored_answers(one.uuid)


def test_receipts_come_in_the_order_sent(ground: Ground) -> None:
    good, bad, again = response(1), response(2, wave="none"), response(3)
    record(ground.store, ground.device, again)
    receipts = record(ground.store, ground.device, good, bad, again)
    assert [receipt.uuid for receipt in receipts] == [good.uuid, bad.uuid, again.uuid]
    assert fates(receipts) == ["stored", "rejected", "already_stored"]


def test_sending_again_changes_nothing(ground: Ground) -> None:
    sent = [response(seq) for seq in (1, 2, 3)]
    record(ground.store, ground.device, *sent)
    head, events = ground.store.head("q4"), ground.store.events()
    assert fates(record(ground.store, ground.device, *sent, *sent)) == ["already_stored"] * 6
    assert (ground.store.head("q4"), ground.store.events()) == (head, events)


def test_twice_in_one_sending_is_stored_once(ground: Ground) -> None:
    one = response()
    assert fates(record(ground.store, ground.device, one, one)) == ["stored", "already_stored"]
    assert ground.store.response_count("q4") == 1


def test_other_content_under_a_known_uuid_is_a_conflict_and_both_are_kept(ground: Ground) -> None:
    one = response(answers={"COMMENT": "lần đầu"})
    other = dataclasses.replace(one, answers={**one.answers, "II.A1": 1, "COMMENT": "lần sau"})
    record(ground.store, ground.device, one)
    assert fates(record(ground.store, ground.device, other, other)) == ["conflict", "conflict"]
    assert ground.store.stored_answers(one.uuid)["II.A1"] == 4
    (kept,) = ground.store.conflict_rows()
    assert (kept.uuid, json.loads(kept.content)["answers"]["II.A1"]) == (one.uuid, 1)
    (alert,) = ground.store.events(["conflict"])
    assert (alert.detail["uuid"], alert.detail["device"]) == (one.uuid, ground.device.id)
    assert fates(record(ground.store, ground.device, one)) == ["already_stored"]


REJECTED: list[tuple[dict[str, Any], tuple[str, ...]]] = [
    ({"wave": "none"}, ("unknown_wave",)),
    ({"version": "2"}, ("wrong_questionnaire",)),
    ({"questionnaire": "other"}, ("wrong_questionnaire",)),
    ({"psu": "p1"}, ("psu_in_counter_wave",)),
    ({"disposition": "refused", "answers": dict.fromkeys(response().answers)}, ("disposition_in_counter_wave",)),
    (
        {"disposition": "refused", "recruitment": "staff_asked", "answers": dict.fromkeys(response().answers)},
        ("disposition_in_counter_wave",),
    ),
    (
        {"disposition": "not_at_home", "recruitment": "invited", "answers": dict.fromkeys(response().answers)},
        ("disposition_in_counter_wave",),
    ),
    (
        {"disposition": "refused", "recruitment": "invited"},
        tuple(f"{item}:not_complete" for item in response().answers),
    ),
    ({"field": "nghe-thuat"}, ("FIELD:unknown_field",)),
    ({"answers": {"II.A1": 9}}, ("II.A1:bad_value",)),
    ({"answers": {"II.A1": None, "II.B3": None}}, ("II.A1:missing", "II.B3:missing")),
    ({"answers": {"II.E1": 4}}, ("II.E1:not_asked",)),
    ({"answers": {"II.X9": 4}}, ("II.X9:unknown_item",)),
]


@pytest.mark.parametrize(("changes", "errors"), REJECTED, ids=[errors[0] for _, errors in REJECTED])
def test_an_invalid_response_is_rejected_with_the_codes(
    ground: Ground, changes: dict[str, Any], errors: tuple[str, ...]
) -> None:
    one = response(5, **changes)
    assert record(ground.store, ground.device, one) == (Receipt(one.uuid, "rejected", errors),)
    assert not ground.store.is_stored(one.uuid)
    (event,) = ground.store.events(["rejected"])
    assert event.detail == {"uuid": one.uuid, "device": ground.device.id, "seq": 5, "errors": list(errors)}


def test_a_rejection_does_not_log_what_was_written(ground: Ground) -> None:
    record(ground.store, ground.device, response(answers={"II.A1": 9, "COMMENT": "bí mật"}))
    assert "bí mật" not in str(ground.store.events())


def test_a_rejected_response_may_be_sent_put_right(ground: Ground) -> None:
    wrong = response(answers={"II.A1": 9})
    record(ground.store, ground.device, wrong)
    right = dataclasses.replace(wrong, answers={**wrong.answers, "II.A1": 3})
    assert fates(record(ground.store, ground.device, right)) == ["stored"]


def test_no_field_given_is_no_error(ground: Ground) -> None:
    assert fates(record(ground.store, ground.device, response(field=None))) == ["stored"]


def test_a_retired_field_is_still_taken(ground: Ground) -> None:
    ground.store.add_fields([], others="retire")
    assert fates(record(ground.store, ground.device, response(field=FIELDS[0]))) == ["stored"]


def test_simulated_and_real_never_mix(ground: Ground) -> None:
    ground.store.close_wave("q4")
    ground.store.create_wave(wave("real", simulated=False), FORM)
    ground.store.open_wave("real")
    real = enrolled(ground.store, simulated=False)
    assert record(ground.store, real, response())[0].errors == ("simulated_wave",)
    assert record(ground.store, ground.device, response(wave="real"))[0].errors == ("simulated_device",)


def test_the_devices_centre_must_take_part(ground: Ground) -> None:
    interviewer = sample_wave(ground.store, centres=("TINH",))
    assert record(ground.store, interviewer, interview())[0].errors == ("centre_not_in_wave",)


def test_a_planned_wave_takes_nothing(ground: Ground) -> None:
    ground.store.create_wave(wave("next"), FORM)
    assert record(ground.store, ground.device, response(wave="next"))[0].errors == ("wave_not_opened",)


def test_a_citizen_who_walked_away_leaves_no_answers(ground: Ground) -> None:
    one = response(answers=dict.fromkeys(response().answers), disposition="broken_off", field=None)
    assert fates(record(ground.store, ground.device, one)) == ["stored"]
    assert set(ground.store.stored_answers(one.uuid).values()) == {-4}


# ---- times


def test_the_local_day_is_that_of_the_corrected_time(ground: Ground) -> None:
    """23:50 in Vietnam by a device that is 20 minutes slow: the next day."""
    submitted = NOON + timedelta(hours=11, minutes=50)
    one = response(submitted=submitted, started=submitted)
    received = submitted + timedelta(minutes=21)
    ground.store.record([one], device=ground.device, received=received, sent_at=received - timedelta(minutes=20))
    (stored,) = ground.store.responses("q4")
    assert (stored.local_day, stored.offset_ms, stored.clock) == (date(2026, 10, 6), 1_200_000, True)


@pytest.mark.parametrize(
    ("given", "received", "flags"),
    [
        (-60, -59, (False, False)),
        (-60, 60, (True, False)),
        (0, 60, (True, False)),
        (1, 60, (False, True)),
    ],
    ids=["in time", "late", "at the closing", "after it"],
)
def test_late_and_after_close(ground: Ground, given: int, received: int, flags: tuple[bool, bool]) -> None:
    closing = NOON
    ground.store.close_wave("q4", at=closing)
    at = closing + timedelta(minutes=given)
    record(ground.store, ground.device, response(submitted=at), received=closing + timedelta(minutes=received))
    (stored,) = ground.store.responses("q4")
    assert (stored.late, stored.after_close) == flags


@pytest.mark.parametrize(
    ("submitted", "slow_by", "clock"),
    [
        (timedelta(0), timedelta(minutes=5), False),
        (timedelta(0), timedelta(minutes=5, milliseconds=1), True),
        (timedelta(0), timedelta(minutes=-6), True),
        (timedelta(minutes=4), timedelta(0), False),
        (timedelta(minutes=6), timedelta(0), True),
        (timedelta(days=-10), timedelta(0), True),
    ],
    ids=["5 min slow", "slower", "6 min fast", "4 min ahead", "6 min ahead", "before the opening"],
)
def test_the_clock_flag(ground: Ground, submitted: timedelta, slow_by: timedelta, clock: bool) -> None:
    at = NOON + submitted
    one = response(submitted=at, started=at)
    ground.store.record([one], device=ground.device, received=NOON + slow_by, sent_at=NOON)
    (stored,) = ground.store.responses("q4")
    assert stored.clock is clock


# ---- pages without JavaScript


def page(uuid: str, minutes: int = 0, **changes: Any) -> Any:
    at = NOON + timedelta(minutes=minutes)
    return response(None, mode="page", uuid=uuid, started=at, submitted=at, durations={}, paradata={}, **changes)


def test_a_page_sent_again_with_the_same_answers_is_the_same(ground: Ground) -> None:
    uuid = response().uuid
    assert fates(record(ground.store, ground.device, page(uuid), page(uuid, 1), page(uuid, 2))) == [
        "stored", "already_stored", "already_stored",
    ]  # fmt: skip
    assert not ground.store.conflict_rows()


def test_a_page_sent_again_with_other_answers_is_a_conflict(ground: Ground) -> None:
    uuid = response().uuid
    record(ground.store, ground.device, page(uuid))
    assert fates(record(ground.store, ground.device, page(uuid, 1, answers={"II.A1": 1}))) == ["conflict"]


def test_a_kiosk_must_send_the_very_same(ground: Ground) -> None:
    one = response()
    record(ground.store, ground.device, one)
    later = dataclasses.replace(one, submitted=NOON + timedelta(seconds=1))
    assert fates(record(ground.store, ground.device, later)) == ["conflict"]


# ---- numbers of the device


@pytest.mark.parametrize(
    ("arrived", "last", "gaps"),
    [
        ((), 0, ()),
        ((), 3, ((1, 3),)),
        ((1, 2, 3), 3, ()),
        ((2, 3, 6), 8, ((1, 1), (4, 5), (7, 8))),
        ((1, 5), 2, ((2, 2),)),
    ],
)
def test_missing_ranges(ground: Ground, arrived: tuple[int, ...], last: int, gaps: tuple[tuple[int, int], ...]) -> None:
    record(ground.store, ground.device, *[response(seq) for seq in arrived])
    assert ground.store.missing(ground.device.id, last) == gaps


def test_what_was_rejected_or_in_conflict_has_arrived(ground: Ground) -> None:
    one = response(1)
    other = dataclasses.replace(one, seq=2)
    record(ground.store, ground.device, one, other, response(3, wave="none"), response(5))
    assert ground.store.missing(ground.device.id, 5) == ((4, 4),)


def test_a_gap_is_closed_by_what_comes_later_in_any_form(ground: Ground) -> None:
    record(ground.store, ground.device, *[response(seq) for seq in (1, 4, 9)])
    assert ground.store.missing(ground.device.id, 9) == ((2, 3), (5, 8))
    record(ground.store, ground.device, response(3), response(6, wave="none"))
    assert ground.store.missing(ground.device.id, 12) == ((2, 2), (5, 5), (7, 8), (10, 12))
    assert ground.store.missing(ground.device.id, 6) == ((2, 2), (5, 5))
    record(ground.store, ground.device, *[response(seq) for seq in (2, 5, 7, 8, 10, 11, 12, 13)])
    assert ground.store.missing(ground.device.id, 14) == ((14, 14),)


def test_many_gaps_are_all_told_again_and_again(ground: Ground) -> None:
    record(ground.store, ground.device, *[response(seq) for seq in range(2, 102, 2)])
    gaps = tuple((seq, seq) for seq in range(1, 101, 2))
    assert ground.store.missing(ground.device.id, 100) == gaps
    record(ground.store, ground.device, response(51))
    assert ground.store.missing(ground.device.id, 100) == tuple(gap for gap in gaps if gap != (51, 51))


def test_what_was_undone_has_not_arrived(ground: Ground) -> None:
    with pytest.raises(RuntimeError), ground.store.group():
        record(ground.store, ground.device, response(1))
        assert ground.store.missing(ground.device.id, 1) == ()
        raise RuntimeError
    assert ground.store.missing(ground.device.id, 1) == ((1, 1),)


def steps_of(store: Store, work: Callable[[], object]) -> int:
    """How many instructions SQLite carries out for `work`: a measure that no busy machine can spoil."""
    counted = itertools.count()
    store._database.conn.set_progress_handler(lambda: next(counted) and 0, 1)
    try:
        work()
    finally:
        store._database.conn.set_progress_handler(None, 0)
    return next(counted)


def test_what_is_missing_costs_the_same_however_much_was_sent_or_rejected(ground: Ground) -> None:
    """A number lost for ever, one rejected, and many rejections of another device slow no later call down."""
    other = enrolled(ground.store)

    def steps(first: int) -> int:
        record(ground.store, ground.device, response(first, wave="none"))
        record(ground.store, ground.device, *[response(seq) for seq in range(first + 2, first + 200)])
        record(ground.store, other, *[response(seq, wave="none") for seq in range(first, first + 200)])
        ground.store.missing(ground.device.id, first + 199)
        return steps_of(ground.store, lambda: ground.store.missing(ground.device.id, first + 199))

    few = steps(1)
    assert steps(201) < 2 * few + 50 and few < 500


def test_the_first_look_at_a_device_reads_no_rejection_of_another(ground: Ground) -> None:
    def steps() -> int:
        with Store.open(ground.settings, write=False) as fresh:
            return steps_of(fresh, lambda: fresh.missing(ground.device.id, 3))

    record(ground.store, ground.device, response(1), response(2, wave="none"))
    few = steps()
    record(ground.store, enrolled(ground.store), *[response(seq, wave="none") for seq in range(1, 301)])
    assert steps() <= few + 5


def test_a_number_used_twice_is_stored_and_alerts(ground: Ground) -> None:
    first, second = response(7), response(7)
    assert fates(record(ground.store, ground.device, first, second)) == ["stored", "stored"]
    (alert,) = ground.store.events(["seq_used_twice"])
    assert alert.detail == {"device": ground.device.id, "seq": 7, "uuids": [first.uuid, second.uuid]}


def test_pages_have_no_number_to_miss(ground: Ground) -> None:
    record(ground.store, ground.device, page(response().uuid))
    assert ground.store.missing(ground.device.id, 0) == ()


# ---- the chain, the comments, the bulk


def test_the_head_grows_by_one_a_response_and_waves_have_their_own(ground: Ground) -> None:
    interviewer = sample_wave(ground.store)
    assert ground.store.head("q4") == Head(0, "0" * 64)
    record(ground.store, ground.device, response(1), response(3))
    record(ground.store, interviewer, interview(2))
    assert (ground.store.head("q4").count, ground.store.head("household").count) == (2, 1)
    assert [one.position for one in ground.store.responses("q4")] == [1, 2]


def test_a_comment_lies_apart_and_can_be_purged(ground: Ground) -> None:
    record(ground.store, ground.device, response(answers={"COMMENT": "Cán bộ tận tình"}))
    (row,) = ground.store.ledger_rows("q4")
    assert "tận tình" not in row.content
    assert ground.store.raw_comments(1) == {"COMMENT": "Cán bộ tận tình"}
    assert ground.store.stored_answers(str(row.values["uuid"]))["COMMENT"] == 1


def test_an_empty_sending_is_a_sign_of_life(ground: Ground) -> None:
    assert record(ground.store, ground.device) == ()
    assert ground.store.device(ground.device.id).last_seen == NOON


def test_what_the_tables_refuse_goes_to_staff_and_harms_nothing_else(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("survey_app.store.recording.flags", lambda *_: (1, 1, 0))
    bad = response(1)
    assert record(ground.store, ground.device, bad)[0] == Receipt(bad.uuid, "rejected", ("not_storable",))
    monkeypatch.undo()
    assert fates(record(ground.store, ground.device, response(2), response(3))) == ["stored", "stored"]
    assert ground.store.head("q4").count == 2


def test_one_that_the_tables_refuse_takes_no_other_with_it(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    """Those before and after it in the sending are stored, nothing is logged twice, and the chains stay whole."""
    sent = [response(1), response(2, wave="none"), response(3, submitted=NOON + timedelta(minutes=1)), response(4)]

    def refused(wave: Any, received: datetime, corrected: datetime, offset: timedelta) -> tuple[int, int, int]:
        return (1, 1, 0) if corrected > NOON else (0, 0, 0)

    monkeypatch.setattr("survey_app.store.recording.flags", refused)
    assert fates(record(ground.store, ground.device, *sent)) == ["stored", "rejected", "rejected", "stored"]
    assert [event.detail["seq"] for event in ground.store.events(["rejected"])] == [2, 3]
    assert [one.seq for one in ground.store.responses("q4")] == [1, 4]
    assert verify(ground.settings) == ()


def test_a_sending_takes_one_savepoint_however_many_come(ground: Ground) -> None:
    said: list[str] = []
    ground.store._database.conn.set_trace_callback(said.append)
    record(ground.store, ground.device, *[response(seq) for seq in range(1, 31)])
    ground.store._database.conn.set_trace_callback(None)
    assert len([statement for statement in said if statement.startswith("SAVEPOINT")]) == 1


@pytest.mark.parametrize("centre", CENTRES)
def test_the_centre_is_the_devices(ground: Ground, centre: str) -> None:
    record(ground.store, enrolled(ground.store, centre), response())
    (stored,) = ground.store.responses("q4")
    assert stored.centre == centre
