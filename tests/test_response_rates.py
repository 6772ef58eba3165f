"""Who was asked at the counters: counts by centre and day, the rates, the extract's fieldwork.parquet and the command."""

import json
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.errors import AnalysisError
from analysis.wave import fieldwork as read
from analysis.wave.extract import read_extract
from survey_app import response_rates as counted
from survey_app.cli import run as run_command
from survey_app.extract import write_extract
from survey_app.response import DISPOSITIONS, MODES, RECRUITMENTS
from survey_app.response_rates import Fieldwork, Met, count, total
from survey_app.settings import Settings
from survey_app.store import Store
from tests.ground import NOON, enrolled, make_store, record, response, sample_wave, unmet

DAY = date(2026, 10, 5)


def met(disposition: str, recruitment: str, mode: str = "kiosk", centre: str = "A", day: date = DAY) -> Met:
    return Met(centre, day, disposition, recruitment, mode)


def test_the_rates_of_the_invited_are_of_the_invited_alone() -> None:
    """20 invited: 12 complete, 3 walk away, 5 refuse. 30 came by themselves and say nothing of who was asked."""
    records = [met("complete", "invited")] * 12 + [met("broken_off", "invited")] * 3 + [met("refused", "invited")] * 5
    records += [met("complete", "walk_up", "assisted")] * 27 + [met("broken_off", "walk_up")] * 3
    (work,) = count(records).values()
    assert (work.invited, work.response_rate, work.refusal_rate) == (20, 0.6, 0.25)
    assert work.break_off_rate == 6 / 45
    assert (work.complete, work.broken_off, work.walk_up, work.assisted) == (39, 6, 30, 27)


def test_where_nobody_was_invited_there_is_no_rate_of_response() -> None:
    (work,) = count([met("complete", "walk_up"), met("complete", "staff_asked")]).values()
    assert (work.response_rate, work.refusal_rate, work.break_off_rate) == (None, None, 0.0)
    assert Fieldwork().break_off_rate is None


RECORDS = st.lists(
    st.builds(
        Met,
        st.sampled_from("AB"),
        st.sampled_from([DAY, DAY + timedelta(days=1)]),
        st.sampled_from(["complete", "broken_off"]),
        st.sampled_from(RECRUITMENTS),
        st.sampled_from(MODES),
    )
    | st.builds(Met, st.just("A"), st.just(DAY), st.just("refused"), st.just("invited"), st.just("kiosk")),
    max_size=40,
)


@given(RECORDS)
def test_every_record_is_counted_once_each_way(records: list[Met]) -> None:
    found = count(records)
    whole = total(found.values())
    assert whole.complete + whole.broken_off + whole.refused == len(records)
    assert whole.invited + whole.walk_up + whole.staff_asked == len(records)
    assert whole.invited == whole.invited_complete + whole.invited_broken_off + whole.refused
    assert list(found) == sorted({(one.centre, one.day) for one in records})


def test_both_sides_of_the_extract_name_the_same_counts() -> None:
    assert counted.COUNTS == read.COUNTS
    assert set(DISPOSITIONS) == {"complete", "broken_off", "refused", "not_at_home"}


# ---- through store, extract, analysis and command


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[tuple[Settings, Store]]:
    """Two centres, two days; one form given after the closing, which is no field work of the wave."""
    settings, store = make_store(tmp_path)
    one, other = enrolled(store), enrolled(store, "TINH")
    counter: dict[str, Any] = {"wave": "q4", "psu": None, "mode": "kiosk"}
    later = {"started": NOON + timedelta(hours=23), "submitted": NOON + timedelta(days=1)}
    with store:
        record(
            store,
            one,
            *(response(seq, recruitment="invited") for seq in (1, 2, 3)),
            unmet("refused", 4, recruitment="invited", **counter),
            unmet("broken_off", 5, recruitment="invited", **counter),
            response(6, mode="assisted", recruitment="staff_asked", **later),
            received=NOON + timedelta(days=1),
        )
        record(store, other, response(1), unmet("broken_off", 2, recruitment="walk_up", **counter))
        store.close_wave("q4", NOON + timedelta(days=2))
        late = NOON + timedelta(days=3)
        record(store, other, response(3, started=late, submitted=late), received=late)
        yield settings, store


EXPECTED = {
    ("00691", "2026-10-05"): Fieldwork(3, 1, 5, 3, 1, 1, 0, 0, 0),
    ("00691", "2026-10-06"): Fieldwork(1, 0, 0, 0, 0, 0, 0, 1, 1),
    ("TINH", "2026-10-05"): Fieldwork(1, 1, 0, 0, 0, 0, 2, 0, 0),
}


def test_the_extract_has_a_row_a_centre_and_day_and_analysis_reads_it(ground: tuple[Settings, Store]) -> None:
    settings, store = ground
    path = write_extract(store, settings, "q4")
    rows = pq.read_table(path / "fieldwork.parquet").to_pylist()
    assert {
        (row["centre"], str(row["local_day"])): Fieldwork(**{name: row[name] for name in counted.COUNTS})
        for row in rows
    } == EXPECTED
    extract = read_extract(path)
    assert {(one.centre, one.day): one.response_rate for one in extract.fieldwork} == {
        place: work.response_rate for place, work in EXPECTED.items()
    }
    assert read.by_centre(extract.fieldwork)["00691"].response_rate == 0.6
    assert read.summed(extract.fieldwork).complete == 5
    assert [one["name"] for one in json.loads((path / "codebook.json").read_text())["fieldwork"]] == [
        "centre", "local_day", *counted.COUNTS,
    ]  # fmt: skip


def test_counts_that_the_responses_do_not_have_are_refused(ground: tuple[Settings, Store]) -> None:
    settings, store = ground
    path = write_extract(store, settings, "q4")
    responses = read_extract(path).responses
    columns = {
        name: column.to_numpy(zero_copy_only=False)
        for name, column in zip(
            read.FIELDWORK_COLUMNS,
            (pq.read_table(path / "fieldwork.parquet").column(name) for name in read.FIELDWORK_COLUMNS),
            strict=True,
        )
    }
    assert len(read.parse_fieldwork(columns, responses, path)) == 3
    columns["refused"] = columns["refused"] * 0
    with pytest.raises(AnalysisError, match="counts of 1 days .* the first 00691 2026-10-05"):
        read.parse_fieldwork(columns, responses, path)
    short = {name: column[:2] for name, column in columns.items()}
    with pytest.raises(AnalysisError, match="counts of 2 days"):
        read.parse_fieldwork(short, responses, path)
    del short["invited"]
    with pytest.raises(AnalysisError, match="columns are missing: invited"):
        read.parse_fieldwork(short, responses, path)


Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(ground: tuple[Settings, Store], capsys: pytest.CaptureFixture[str]) -> Run:
    """Exit code, output and errors of `sipas wave …` on the ground."""

    def runner(*words: str) -> tuple[int, str, str]:
        code = run_command(["--instance", str(ground[0].instance), "wave", *words])
        return code, *capsys.readouterr()

    return runner


@pytest.mark.parametrize(
    ("by", "places"), [("centre", 2), ("day", 2), ("centre-day", 3)], ids=["centre", "day", "centre-day"]
)
def test_the_command_counts_by_centre_or_day_and_ends_with_the_whole(run: Run, by: str, places: int) -> None:
    code, out, _ = run("rates", "q4", "--by", by, "--json")
    assert code == 0
    rows = json.loads(out)
    assert len(rows) == places + 1
    assert all(set(by.split("-")) <= row.keys() for row in rows[:-1])
    whole = rows[-1]
    assert (whole["complete"], whole["invited"], whole["response_rate"], whole["refusal_rate"]) == (5, 5, 0.6, 0.2)
    assert sum(row["complete"] for row in rows[:-1]) == whole["complete"]


def test_the_command_shows_a_table(run: Run) -> None:
    lines = run("rates", "q4")[1].splitlines()
    assert lines[0].split()[:3] == ["centre", "complete", "broken_off"]
    assert lines[1].split() == ["00691", "4", "1", "5", "3", "1", "1", "0", "1", "1", "60.0", "20.0", "20.0"]
    assert lines[-2].split()[-3:] == ["—", "—", "50.0"]
    assert lines[-1].split()[0] == "all"


@pytest.mark.parametrize("command", ["rates", "odd"])
def test_a_sample_wave_is_refused_and_the_way_shown(ground: tuple[Settings, Store], run: Run, command: str) -> None:
    sample_wave(ground[1])
    code, out, complaint = run(command, "household")
    assert (code, out) == (2, "")
    assert "it is a sample wave" in complaint and "sipas wave show household" in complaint
