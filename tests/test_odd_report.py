"""Field work and odd answers in a counter wave's result and report: what is shown, and what would tell too much."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from analysis.report import write_report
from analysis.wave.extract import read_extract
from analysis.wave.fieldwork import COUNTS, by_centre, summed
from analysis.wave.odd import HEADLINE_FLAGS
from analysis.wave.quality import quality_json
from analysis.wave.scores import score_wave
from analysis.wave.wave_result import Exclusion, WaveResult
from tests import extracts
from tests.test_report import Page

Columns = dict[str, Any]


def fieldwork(columns: Columns) -> Columns:
    """The counts of columns, made the slow way."""
    places = sorted({(str(c), str(d)) for c, d in zip(columns["centre"], columns["local_day"], strict=True)})
    found: Columns = {"centre": [centre for centre, _ in places], "local_day": []}
    found["local_day"] = [np.datetime64(day).astype(object) for _, day in places]
    for name in COUNTS:
        found[name] = []
    for centre, day in places:
        rows = np.flatnonzero((columns["centre"] == centre) & (columns["local_day"].astype(str) == day))
        met = [(str(columns["recruitment"][row]), str(columns["disposition"][row])) for row in rows]
        counts = {
            "complete": sum(how == "complete" for _, how in met),
            "broken_off": sum(how == "broken_off" for _, how in met),
            "invited": sum(who == "invited" for who, _ in met),
            "invited_complete": met.count(("invited", "complete")),
            "invited_broken_off": met.count(("invited", "broken_off")),
            "refused": sum(how == "refused" for _, how in met),
            "walk_up": sum(who == "walk_up" for who, _ in met),
            "staff_asked": sum(who == "staff_asked" for who, _ in met),
            "assisted": 0,
        }
        for name in COUNTS:
            found[name].append(counts[name])
    return found


def wave(folder: Path, change: Callable[[Columns], None]) -> WaveResult:
    """900 answers of six centres; `change` bends the columns, flags all 0 before."""
    columns, register = extracts.many(900, seed=3)
    columns |= {name: np.zeros(900, dtype=np.int8) for name in extracts.ODD}
    change(columns)
    words = extracts.codebook("2026-q4", columns, register)
    return score_wave(read_extract(extracts.put(folder, columns, register, words, fieldwork=fieldwork(columns))))


def nothing(columns: Columns) -> None:
    """An honest wave without invitations."""


def invited(columns: Columns) -> None:
    """Rows 0–99 invited: 70 complete, 5 broken off, 25 refused."""
    columns["recruitment"][:100] = "invited"
    columns["disposition"][70:75] = "broken_off"
    columns["disposition"][75:100] = "refused"
    for name in extracts.CODES:
        columns[name][70:100] = -4


def fraud(columns: Columns) -> None:
    """60 forms of one answer, "very satisfied", at night; 20 honest straight lines."""
    columns["VISIT"][:60] = extracts.RECEIVED
    for item in extracts.ITEMS:
        columns[item][:60] = np.where(columns[item][:60] == -1, -1, 5)
    for name in ("night", "burst", "straight_line"):
        columns[name][:60] = 1
    columns["straight_line"][100:120] = 1


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, WaveResult]:
    changes = {"nothing": nothing, "invited": invited, "fraud": fraud}
    return {name: wave(tmp_path_factory.mktemp(name), change) for name, change in changes.items()}


def page(result: WaveResult, folder: Path, language: str = "vi") -> Page:
    return Page(write_report(result, folder / "report", language).html)  # type: ignore[arg-type]


def rates(shown: Page) -> dict[str, list[str]]:
    """The table of field work: first cell -> the others."""
    head = next(place for place, row in enumerate(shown.rows) if row[:2] == ["Centre", "Completed"])
    rows = shown.rows[head + 1 :]
    end = next((place for place, row in enumerate(rows) if len(row) != len(shown.rows[head])), len(rows))
    return {row[0]: row[1:] for row in rows[:end]}


def test_the_rates_stand_in_the_annex_by_centre_and_in_one_sentence(
    results: dict[str, WaveResult], tmp_path: Path
) -> None:
    result = results["invited"]
    shown = page(result, tmp_path, "en")
    assert "Staff invited 100 people: 70.0% completed the form, 25.0% refused." in shown.text
    table = rates(shown)
    assert table["Whole province"] == ["870", "5", "100", "25", "70.0", "25.0", "0.6"]
    centres = by_centre(result.extract.fieldwork)
    assert len(table) == 7
    for code, work in centres.items():
        assert table[f"Xã {code}"][:4] == [
            str(work.complete),
            str(work.broken_off),
            str(work.invited),
            str(work.refused),
        ]
    assert quality_json(result)["fieldwork"]["all"]["response_rate"] == 0.7
    assert summed(centres.values()).invited == 100


def test_without_invitations_no_rate_is_made_up(results: dict[str, WaveResult], tmp_path: Path) -> None:
    shown = page(results["nothing"], tmp_path, "en")
    assert "there is no response rate: nobody knows how many people saw the tablet" in shown.text
    assert "Staff invited" not in shown.text
    assert rates(shown)["Whole province"][4:] == ["–", "–", "0.0"]


def test_the_headline_without_odd_answers_stands_beside_it(results: dict[str, WaveResult], tmp_path: Path) -> None:
    result = results["fraud"]
    assert result.odd is not None
    assert (result.odd.flagged, result.odd.completed, result.odd.left_out) == (
        {"burst": 60, "night": 60, "straight_line": 80, "surge": 0, "fast": 0}, 900, 60,
    )  # fmt: skip
    index, without = result.score(), result.score("all", "index", result.odd.without)
    assert index is not None and without is not None and index.value is not None and without.value is not None
    assert index.value - without.value > 1
    assert (index.n or 0) - (without.n or 0) == 60
    shown = page(result, tmp_path, "en")
    rows = {row[0]: row for row in shown.rows if row}
    assert rows["Counter index: all responses"][1] == f"{index.value:.2f}"
    assert rows["Counter index: without them"][1] == f"{without.value:.2f}"
    assert rows["Straight line: one answer to eight items or more"][1:] == ["80", "8.89"]


def test_without_them_is_the_estimate_of_a_wave_in_which_they_never_came(
    results: dict[str, WaveResult], tmp_path: Path
) -> None:
    def never(columns: Columns) -> None:
        fraud(columns)
        columns["disposition"][:60] = "broken_off"

    clean = wave(tmp_path, never)
    odd = results["fraud"].odd
    assert odd is not None and len(odd.without) == 2
    for row in odd.without:
        other = clean.score("all", row.measure)
        assert other is not None
        assert (row.value, row.se, row.n) == (pytest.approx(other.value), pytest.approx(other.se), other.n)


def test_straight_lines_alone_leave_nobody_out(tmp_path: Path) -> None:
    def straight(columns: Columns) -> None:
        columns["straight_line"][:] = 1

    result = wave(tmp_path, straight)
    assert "straight_line" not in HEADLINE_FLAGS
    assert result.odd is not None and (result.odd.left_out, result.odd.without) == (0, ())


@pytest.mark.parametrize("flagged", [9, 10, 890])
def test_a_difference_of_few_responses_is_not_shown(tmp_path: Path, flagged: int) -> None:
    """Two numbers that differ by nine people's answers would tell of them; a handful left is no estimate."""

    def some(columns: Columns) -> None:
        columns["VISIT"][:] = extracts.RECEIVED
        columns["TIMING"][:] = 2
        columns["fast"][:flagged] = 1

    result = wave(tmp_path, some)
    assert result.odd is not None and result.odd.left_out == flagged
    assert bool(result.odd.without) == (flagged == 10)
    said = "too few responses would be taken out, or left" in page(result, tmp_path, "en").text
    assert said != (flagged == 10)


def test_counts_blanked_to_protect_a_small_table_are_not_given_away_by_the_field_work(
    results: dict[str, WaveResult], tmp_path: Path
) -> None:
    result = results["invited"]
    hidden = replace(result.left_out, reasons=(Exclusion("refused", None, {"vi": "từ chối", "en": "refused"}),))
    blanked = replace(result, left_out=hidden)
    assert quality_json(blanked)["fieldwork"] is None
    assert "Staff invited" not in page(blanked, tmp_path, "en").text


def test_an_extract_of_an_older_version_has_neither(tmp_path: Path) -> None:
    columns, register = extracts.many(900, seed=3)
    result = score_wave(read_extract(extracts.write(tmp_path, columns, register)))
    assert (result.odd, result.extract.fieldwork) == (None, ())
    assert (quality_json(result)["odd_answers"], quality_json(result)["fieldwork"]) == (None, None)
    shown = page(result, tmp_path, "en")
    assert "A flag is a question" not in shown.text and "response rate of the invited" not in shown.text.lower()
