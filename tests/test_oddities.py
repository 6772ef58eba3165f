"""Answers that came in oddly: each flag at its threshold, that honest work is left alone, and that nothing is blocked."""

import itertools
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from survey_app.cli import run as run_command
from survey_app.extract import write_extract
from survey_app.model import VIETNAM
from survey_app.oddities import (
    BURST_COUNT,
    BURST_TIME,
    CLOSES,
    FAST_ITEMS,
    FAST_MS,
    FLAGS,
    OPENS,
    STRAIGHT_ITEMS,
    SURGE_COUNT,
    Given,
    alerts,
    by_device_day,
    flagged,
    totals,
)
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from tests.ground import NOON, enrolled, fates, make_store, record, response, unmet

DAY = date(2026, 10, 5)
MIXED = (4, 5, 4, 3, 4, 4, 5, 4, 2, 4)


def one(at: time | datetime = time(10), device: str = "A-1", **changes: Any) -> Given:
    """An unhurried form of many answers, in the morning."""
    moment = at if isinstance(at, datetime) else datetime.combine(DAY, at, VIETNAM)
    values: dict[str, Any] = {"mode": "kiosk", "spent_ms": 70_000, "taps": 20, "codes": MIXED}
    return Given(device=device, centre=device.partition("-")[0], at=moment, **{**values, **changes})


def every(seconds: float, count: int, start: time = time(10), device: str = "A-1", **changes: Any) -> list[Given]:
    begin = datetime.combine(DAY, start, VIETNAM)
    return [one(begin + timedelta(seconds=number * seconds), device, **changes) for number in range(count)]


def holds(given: Sequence[Given], flag: str) -> list[bool]:
    return flagged(given)[flag]


# ---- each flag at its threshold


def test_a_burst_is_six_forms_of_one_device_in_five_minutes() -> None:
    seconds = BURST_TIME.total_seconds() / (BURST_COUNT - 1)
    assert holds(every(seconds, BURST_COUNT), "burst") == [True] * BURST_COUNT
    assert holds(every(seconds + 1, BURST_COUNT), "burst") == [False] * BURST_COUNT
    assert holds(every(seconds, BURST_COUNT - 1), "burst") == [False] * (BURST_COUNT - 1)


def test_only_those_inside_the_burst_are_flagged_whatever_the_order_of_receipt() -> None:
    given = [*every(30, BURST_COUNT), *every(3600, 3, time(12))]
    random.Random(1).shuffle(given)
    assert [one.at.hour < 12 for one in given] == holds(given, "burst")


def test_many_devices_at_once_are_no_burst() -> None:
    given = list(itertools.chain(*(every(0, 1, device=f"A-{number}") for number in range(30))))
    assert not any(holds(given, "burst"))


@pytest.mark.parametrize(
    ("at", "odd"),
    [
        (OPENS, False),
        ((datetime.combine(DAY, OPENS) - timedelta(seconds=1)).time(), True),
        ((datetime.combine(DAY, CLOSES) - timedelta(seconds=1)).time(), False),
        (CLOSES, True),
        (time(0), True),
    ],
)
def test_night_is_outside_the_hours_of_the_counters(at: time, odd: bool) -> None:
    assert holds([one(at)], "night") == [odd]


@pytest.mark.parametrize(
    ("codes", "straight"),
    [
        ((4,) * STRAIGHT_ITEMS, True),
        ((4,) * (STRAIGHT_ITEMS - 1), False),
        ((4,) * STRAIGHT_ITEMS + (5,), False),
        ((1,) * 16, True),
        ((), False),
    ],
)
def test_a_straight_line_is_one_answer_to_eight_items_or_more(codes: tuple[int, ...], straight: bool) -> None:
    assert holds([one(codes=codes)], "straight_line") == [straight]


@pytest.mark.parametrize(
    ("taps", "spent_ms", "fast"),
    [(20, 20 * FAST_MS - 1, True), (20, 20 * FAST_MS, False), (FAST_ITEMS, 1, True), (FAST_ITEMS - 1, 1, False)],
)
def test_fast_is_under_one_second_an_answer(taps: int, spent_ms: int, fast: bool) -> None:
    assert holds([one(taps=taps, spent_ms=spent_ms)], "fast") == [fast]


def usual_days(device: str, per_day: int, days: int = 10) -> list[Given]:
    """So many forms a day, twenty minutes apart."""
    return [
        replace(form, at=form.at - timedelta(days=number + 1))
        for number in range(days)
        for form in every(1200, per_day, time(8), device)
    ]


@pytest.mark.parametrize(("today", "surge"), [(SURGE_COUNT, False), (SURGE_COUNT + 1, True)])
def test_a_surge_is_more_than_three_times_the_usual_day(today: int, surge: bool) -> None:
    given = [*usual_days("A-1", 4), *every(1200, today, time(7))]
    assert holds(given, "surge") == [False] * 40 + [surge] * today


def test_a_busy_day_at_the_whole_centre_is_no_surge_of_one_device() -> None:
    """The device's own day is unusual, the centre's devices take as much every day."""
    given = [*usual_days("A-1", 4), *usual_days("A-2", 15), *usual_days("A-3", 15), *every(600, 14, time(8))]
    assert not any(holds(given, "surge"))


def test_a_new_device_is_held_against_its_centre_and_a_lone_day_against_nothing() -> None:
    given = [*usual_days("A-1", 4), *every(900, 20, device="A-2")]
    assert sum(holds(given, "surge")) == 20
    assert not any(holds(every(900, 20), "surge"))


@pytest.mark.parametrize("flag", ["burst", "night", "surge", "fast"])
def test_paper_typed_in_afterwards_has_no_hour_of_its_own(flag: str) -> None:
    typed = every(20, 40, time(22), mode="paper", spent_ms=9_000)
    given = [*usual_days("A-1", 4), *typed]
    assert not any(holds(given, flag))
    assert any(holds([replace(form, mode="kiosk") for form in given], flag))


# ---- alerts: days of a device


def test_an_official_filling_forty_forms_at_night_is_named_once_for_each_reason() -> None:
    given = [*usual_days("A-1", 4), *every(25, 40, time(21), spent_ms=15_000, codes=(5,) * 13)]
    found = alerts(given, flagged(given))
    assert {(alert.device, alert.day) for alert in found} == {("A-1", DAY)}
    assert [alert.kind for alert in found] == list(FLAGS)
    assert {alert.count for alert in found} == {40}
    (surge,) = (alert for alert in found if alert.kind == "surge")
    assert (surge.responses, surge.usual) == (40, 4.0)


def test_straight_lines_are_named_only_where_they_pile_up() -> None:
    """At the ceiling a third of honest people say "satisfied" throughout: that is no finding, all of a day is one."""
    honest = [
        replace(form, codes=(4,) * 12 if number % 3 == 0 else MIXED)
        for number, form in enumerate(usual_days("A-1", 12, 20))
    ]
    assert alerts(honest, flagged(honest)) == ()
    given = [*honest, *every(1200, 12, time(8), codes=(5,) * 12)]
    assert [(alert.kind, alert.day, alert.count) for alert in alerts(given, flagged(given))] == [
        ("straight_line", DAY, 12)
    ]


def test_a_single_hurried_citizen_is_flagged_and_not_named() -> None:
    given = [*usual_days("A-1", 6), one(spent_ms=5_000)]
    assert totals(flagged(given))["fast"] == 1
    assert alerts(given, flagged(given)) == ()


def test_rows_say_device_and_day_and_count_and_nothing_of_a_citizen() -> None:
    given = [*usual_days("A-1", 4), one(time(23))]
    rows = list(by_device_day(given, flagged(given)))
    assert rows == [
        {"centre": "A", "device": "A-1", "day": DAY, "responses": 1, "burst": 0, "night": 1, "straight_line": 0,
         "surge": 0, "fast": 0}
    ]  # fmt: skip


def test_nothing_given_is_nothing_odd() -> None:
    assert flagged([]) == {name: [] for name in FLAGS}
    assert alerts([], flagged([])) == ()


# ---- through store, extract and command


Ground = tuple[Settings, Store]


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Ten ordinary days of five forms, then forty forms at 21:00 by a tablet whose clock is three hours behind."""
    settings, store = make_store(tmp_path)
    device = enrolled(store)
    with store:
        seqs = itertools.count(1)
        for day in range(1, 11):
            forms = [_sent(next(seqs), NOON - timedelta(hours=4 - hour) + timedelta(days=day)) for hour in range(5)]
            record(store, device, *forms, received=NOON + timedelta(days=day, hours=5))
        evening = NOON + timedelta(days=11, hours=9)
        behind = timedelta(hours=3)
        forms = [_sent(next(seqs), evening + timedelta(seconds=25 * number) - behind, 15) for number in range(40)]
        end = evening + timedelta(hours=1)
        receipts = store.record(forms, device=device, received=end, sent_at=end - behind)
        assert set(fates(receipts)) == {"stored"}  # flagged, never blocked
        record(store, device, unmet("broken_off", next(seqs), wave="q4", psu=None), received=end)
        yield settings, store


def _sent(seq: int, submitted: datetime, seconds: int = 80) -> Any:
    answers = {"II.A1": 3, "II.B2": 5} if seconds > 15 else {}
    return response(seq, answers, started=submitted - timedelta(seconds=seconds), submitted=submitted, durations={})


def test_the_extract_flags_by_the_corrected_time_and_hands_on_no_hour(ground: Ground) -> None:
    settings, store = ground
    path = write_extract(store, settings, "q4")
    table = pq.read_table(path / "responses.parquet")
    assert {str(table.schema.field(name).type) for name in FLAGS} == {"int8"}
    rows = table.to_pylist()
    sums = {name: sum(row[name] for row in rows) for name in FLAGS}
    assert sums == {"burst": 40, "night": 40, "straight_line": 40, "surge": 40, "fast": 40}
    assert {row["local_day"].day for row in rows if row["night"]} == {16}
    assert not any(row[name] for row in rows if row["disposition"] == "broken_off" for name in FLAGS)
    assert not {"submitted", "started", "received", "device", "seq", "uuid"} & set(table.column_names)
    assert verify(settings) == ()


def test_measured_durations_count_for_more_than_the_time_from_beginning_to_end(ground: Ground) -> None:
    settings, store = ground
    form = response(200, started=NOON - timedelta(seconds=90), submitted=NOON)
    quick = replace(form, durations=dict.fromkeys(form.answers, 400))
    some = replace(form, uuid=form.uuid[:-1] + ("0" if form.uuid[-1] != "0" else "1"), seq=201, durations={"II.A1": 9})
    before = _flags(write_extract(store, settings, "q4"), "fast")
    record(store, enrolled(store), quick, some)
    assert _flags(write_extract(store, settings, "q4"), "fast") == before + 1


def _flags(path: Path, name: str) -> int:
    return sum(pq.read_table(path / "responses.parquet").column(name).to_pylist())


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(ground: Ground, capsys: pytest.CaptureFixture[str]) -> Run:
    def runner(*words: str) -> tuple[int, str, str]:
        code = run_command(["--instance", str(ground[0].instance), "wave", "odd", "q4", *words])
        return code, *capsys.readouterr()

    return runner


def test_the_command_says_what_to_look_at_and_then_counts(run: Run) -> None:
    code, out, _ = run()
    lines = out.splitlines()
    assert code == 0
    assert lines[0] == "90 completed responses; flagged: burst 40, night 40, straight_line 40, surge 40, fast 40"
    assert lines[1] == "1 day of a device to look at:"
    assert lines[2].strip() == (
        "00691-1 on 2026-10-16: 40 of 40 forms came in bursts of six or more within five minutes"
    )
    assert "00691-1 on 2026-10-16: 40 forms; 5 are usual" in out
    assert lines[-1].split() == ["2026-10-16", "00691-1", "00691", "40", "40", "40", "40", "40", "40"]


def test_the_command_for_machines_names_no_response(run: Run, ground: Ground) -> None:
    _, out, _ = run("--json")
    found = json.loads(out)
    assert (found["responses"], found["flags"]["night"]) == (90, 40)
    assert {alert["kind"] for alert in found["alerts"]} == set(FLAGS)
    assert [row["day"] for row in found["device_days"]] == ["2026-10-16"]
    assert not any(one.uuid in out for one in ground[1].responses("q4"))


def test_an_honest_wave_is_said_to_need_no_look(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    settings, store = make_store(tmp_path)
    with store:
        record(store, enrolled(store), _sent(1, NOON))
    assert run_command(["--instance", str(settings.instance), "wave", "odd", "q4"]) == 0
    assert "no device has a day that needs a look" in capsys.readouterr().out
