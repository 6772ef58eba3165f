"""From an extract to published rows, against an independent computation with plain loops."""

from dataclasses import replace
from math import exp, log, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.stats import beta, t

from analysis.errors import AnalysisError
from analysis.wave.extract import Extract, read_extract
from analysis.wave.quality import quality_json
from analysis.wave.scores import COLUMNS, Score, ScoreOptions, WaveResult, score_wave
from tests.extracts import FACTORS, ITEMS, day, many, register_row, response, write

MEASURES = ("index", "overall", *(f"factor:{f}" for f in FACTORS), *(f"item:{item}" for item in ITEMS))


@pytest.fixture(scope="module")
def extract(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    return read_extract(write(tmp_path_factory.mktemp("wave"), *many(2400, centres=6, fields=4), simulated=True))


@pytest.fixture(scope="module")
def result(extract: Extract) -> WaveResult:
    return score_wave(extract)


# ---- numbers


def by_hand(result: WaveResult, items: tuple[str, ...], field: str | None) -> tuple[float, int]:
    """Σ w·top2 / Σ w over all valid answers of the items, and how many responses have one."""
    extract = result.extract
    top = bottom = 0.0
    n = 0
    for row, weight in zip(np.flatnonzero(result.weighting.rows), result.weighting.design.weight, strict=True):
        if field and extract.column("field")[row] != field:
            continue
        answers = [int(extract.column(item)[row]) for item in items]
        valid = [answer for answer in answers if answer > 0]
        n += bool(valid)
        top += weight * sum(answer >= 4 for answer in valid)
        bottom += weight * len(valid)
    return 100 * top / bottom, n


@pytest.mark.parametrize("field", [None, "dat-dai"])
@pytest.mark.parametrize(
    ("measure", "items"),
    [("index", ITEMS), ("overall", ("OVERALL",)), ("factor:D", ITEMS[10:13]), ("item:II.E2", ("II.E2",))],
)
def test_values_and_counts(result: WaveResult, measure: str, items: tuple[str, ...], field: str | None) -> None:
    row = result.score(field or "all", measure)
    value, n = by_hand(result, items, field)
    assert row is not None and row.n == n
    assert row.value == pytest.approx(value, rel=1e-12)


def design_se(values: np.ndarray[Any, Any], stratum: np.ndarray[Any, Any], psu: np.ndarray[Any, Any]) -> float:
    """√Σ_h n/(n−1) Σ (z − z̄)², z the sums of the linearised values by PSU."""
    variance = 0.0
    for label in np.unique(stratum):
        inside = stratum == label
        z = np.array([values[inside & (psu == unit)].sum() for unit in np.unique(psu[inside])])
        variance += len(z) / (len(z) - 1) * ((z - z.mean()) ** 2).sum()
    return sqrt(variance)


def test_unweighted_rows_have_the_counter_designs_error_and_a_logit_interval(result: WaveResult) -> None:
    extract, rows, counter = result.extract, result.weighting.rows, result.weighting.counter
    codes = np.column_stack([extract.column(item)[rows] for item in ITEMS]).astype(float)
    top, valid = (codes >= 4).sum(axis=1), (codes > 0).sum(axis=1)
    value = top.sum() / valid.sum()
    se = design_se((top - value * valid) / valid.sum(), counter.stratum, counter.psu)
    df = len(np.unique(counter.psu)) - len(np.unique(counter.stratum))
    half = t.ppf(0.975, df) * se / (value * (1 - value))
    centre = log(value / (1 - value))
    row = result.score("all", "index", result.unweighted)
    assert row is not None
    assert (row.value, row.se) == pytest.approx((100 * value, 100 * se), rel=1e-9)
    assert (row.ci_low, row.ci_high) == pytest.approx(
        [100 / (1 + exp(-(centre + s * half))) for s in (-1, 1)], rel=1e-9
    )
    assert (row.df, row.responses, row.dossiers) == (df, rows.sum(), result.scores[0].dossiers)


def test_shares_have_korn_graubard_intervals(result: WaveResult) -> None:
    row = result.score("all", "item:II.A1")
    assert row is not None and row.value is not None and row.se is not None and row.df is not None and row.n is not None
    p, se = row.value / 100, row.se / 100
    size = min(row.n, p * (1 - p) / se**2 * (t.ppf(0.975, row.n - 1) / t.ppf(0.975, row.df)) ** 2)
    low, high = beta.ppf(0.025, p * size, size - p * size + 1), beta.ppf(0.975, p * size + 1, size - p * size)
    assert (row.ci_low, row.ci_high) == pytest.approx((100 * low, 100 * high), rel=1e-9)


def test_weighting_narrows_the_error_it_explains(result: WaveResult) -> None:
    """Raking to fields takes the differences between fields out of the error of the whole."""
    weighted, plain = result.score(), result.score(rows=result.unweighted)
    assert weighted and plain and weighted.se and plain.se and weighted.se < 1.5 * plain.se
    assert weighted.value != plain.value


# ---- rows


def test_the_table_holds_every_measure_for_all_and_each_field(result: WaveResult) -> None:
    domains = [("all", "all"), *(("field", code) for code in ("chung-thuc", "dat-dai", "ho-tich", "kinh-doanh"))]
    rows = [row for row in result.scores if row.domain_kind in ("all", "field")]
    assert [row.key for row in rows] == [(*domain, measure) for domain in domains for measure in MEASURES]
    assert [row.key for row in result.filed] == [row.key for row in result.asked] == [row.key for row in rows]
    assert tuple(rows) == result.scores[: len(rows)]
    assert COLUMNS == tuple(Score.__dataclass_fields__)
    assert {row.label for row in rows} == {
        "Tất cả lĩnh vực",
        "Chứng thực",
        "Đất đai",
        "Hộ tịch",
        "Hộ kinh doanh",
    }


def test_centres_have_factors_and_centre_by_field_the_index_and_the_overall_question(result: WaveResult) -> None:
    centres = [f"C00{number}" for number in range(1, 7)]
    fields = ("chung-thuc", "dat-dai", "ho-tich", "kinh-doanh")
    rows = [row.key for row in result.scores if row.domain_kind not in ("all", "field")]
    expected = [("centre", code, measure) for code in centres for measure in MEASURES[:7]]
    cells = [f"{centre}/{field}" for centre in centres for field in fields]
    assert rows == expected + [("centre_field", cell, measure) for cell in cells for measure in MEASURES[:2]]
    labels = {row.domain: row.label for row in result.scores}
    assert (labels["C001"], labels["C001/dat-dai"]) == ("Xã C001", "Xã C001 – Đất đai")


@pytest.mark.parametrize(("kind", "code"), [("centre", "C002"), ("centre_field", "C003/dat-dai")])
def test_values_and_counts_of_centres(result: WaveResult, kind: str, code: str) -> None:
    extract, rows = result.extract, np.flatnonzero(result.weighting.rows)
    centre, _, field = code.partition("/")
    inside = extract.column("centre")[rows] == centre
    if field:
        inside &= extract.column("field")[rows] == field
    codes = np.column_stack([extract.column(item)[rows[inside]] for item in ITEMS])
    weight = result.weighting.design.weight[inside]
    row = result.find(kind, code, "index")
    assert row is not None
    assert (row.n, row.responses) == (inside.sum(), inside.sum())
    assert row.value == pytest.approx(100 * (weight @ (codes >= 4)).sum() / (weight @ (codes > 0)).sum(), rel=1e-12)
    register = extract.register
    known = register["centre"] == centre
    if field:
        known &= register["field"] == field
    assert row.dossiers == register["resolved"][known].sum()


def test_counts_and_dossiers_add_up(result: WaveResult) -> None:
    """Of what is shown: fields of all, centres of all, fields of a centre, centres of a field."""
    for name in ("n", "responses", "dossiers"):
        found = {row.key[:2]: getattr(row, name) for row in result.scores if row.measure == "overall"}
        whole = found["all", "all"]
        for kind in ("field", "centre", "centre_field"):
            assert sum(count for (one, _), count in found.items() if one == kind) == whole
        for centre in ("C001", "C006"):
            parts = [count for (_, domain), count in found.items() if domain.startswith(f"{centre}/")]
            assert sum(parts) == found["centre", centre]


def test_every_row_carries_what_it_rests_on(result: WaveResult) -> None:
    for rows in (result.scores, result.filed, result.asked, result.unweighted, result.sensitivity, result.factor_mean):
        for row in rows:
            assert row.note.startswith("SIMULATED / DỮ LIỆU MÔ PHỎNG; counter_survey; weights=")
            assert row.level == 95 and row.item_method == "top2"
            share = row.measure == "overall" or row.measure.startswith("item:")
            assert f"interval={'korn_graubard' if share else 'logit'}" in row.note


def test_a_real_wave_is_not_called_simulated(tmp_path: Path) -> None:
    found = score_wave(read_extract(write(tmp_path, *many(400))))
    assert not any("SIMULATED" in row.note for row in found.scores)


def test_tables_are_weighted_to_what_they_stand_for(result: WaveResult, extract: Extract) -> None:
    whole = {name: int(extract.register[name].sum()) for name in ("resolved", "received")}
    assert result.scores[0].dossiers == whole["resolved"]
    assert result.filed[0].dossiers == whole["received"]
    assert result.asked[0].dossiers is None and "weights=none" in result.asked[0].note
    visits = extract.column("VISIT")
    responses = [rows[0].responses for rows in (result.scores, result.filed, result.asked)]
    assert responses == [int((visits == code).sum()) for code in (2, 1, 3)]


def test_verdicts_stand_only_beside_index_and_overall_of_the_main_table(result: WaveResult) -> None:
    for row in result.scores:
        detail = result.verdicts.get(row.key)
        assert (detail is not None) == (row.measure in ("index", "overall"))
        assert row.verdict == (detail.verdict if detail else "")
        if detail and not detail.reason and detail.tipping is not None:
            assert row.responses and row.dossiers and detail.answered == row.responses / row.dossiers
            assert f"answered={detail.answered:.6g}; tipping={detail.tipping:.6g}; p_holm=" in row.note
    assert {row.verdict for row in (*result.filed, *result.asked, *result.unweighted)} == {""}


@pytest.mark.parametrize("item_method", ["top2", "mean5", "mean01"])
def test_the_p_of_a_verdict_comes_from_the_interval_shown(tmp_path: Path, item_method: Any) -> None:
    """Also where all answers are alike and the standard error is 0: at level 1 − p the interval ends at the line."""
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7)) for i in range(150)]
    register = [register_row(f"C0{c}", "chung-thuc", 100) for c in range(3)]
    value = {"top2": 100.0, "mean5": 80.0, "mean01": 75.0}[item_method]
    rules = {"item_method": item_method, "reference_line": value - 4}
    path = write(tmp_path, rows, register, rules=rules)
    row = score_wave(read_extract(path)).score()
    assert row is not None and row.se == 0 and row.value == pytest.approx(value)
    if item_method == "top2":
        assert "no_verdict:value>97" in row.note
        return
    p = score_wave(read_extract(path)).verdicts[row.key].p
    assert p is not None
    again = score_wave(read_extract(write(tmp_path / "again", rows, register, rules=rules | {"level": 100 * (1 - p)})))
    assert again.scores[0].ci_low == pytest.approx(value - 4, abs=1e-6)


def test_factor_shares_and_factor_mean_stand_beside_pooled(result: WaveResult) -> None:
    rows = [row for row in result.scores if row.domain_kind in ("all", "field")]
    assert result.factor_shares.keys() == {row.domain for row in rows if row.measure == "index"}
    for shares in result.factor_shares.values():
        assert sum(shares.values()) == pytest.approx(1)
    mean = np.mean([result.score("all", f"factor:{f}").value for f in FACTORS])  # type: ignore[union-attr]
    assert result.factor_mean[0].roll_up == "factor_mean"
    assert result.factor_mean[0].value == pytest.approx(mean, abs=0.5)  # there each factor is the mean of its items


def test_those_who_came_more_often_count_less_in_the_sensitivity_row(tmp_path: Path) -> None:
    rows = [
        response(centre=f"C0{c}", local_day=day(d), BACK=back, **dict.fromkeys(ITEMS[:13], 5 if back == 0 else 2))
        for c in (1, 2)
        for d in range(3)
        for back in (0, 1, 2, -3)
        for _ in range(20)
    ]
    found = score_wave(read_extract(write(tmp_path, rows, [register_row(f"C0{c}", "chung-thuc", 90) for c in (1, 2)])))
    assert found.scores[0].value == pytest.approx(25)
    # weights 1, 1/2, 1/3 and, the answer declined, 1: satisfied are those who never had to come back
    assert found.sensitivity[0].value == pytest.approx(100 / (1 + 1 / 2 + 1 / 3 + 1))


def test_other_rules_show_beside_the_first(extract: Extract, result: WaveResult) -> None:
    other = score_wave(extract, ScoreOptions(item_method="mean5", roll_up="item_mean", method="cells"))
    assert other.rules.changed == ("item_method", "roll_up", "method")
    assert {row.item_method for row in other.scores} == {"mean5"}
    assert other.scores[0].value != result.scores[0].value
    first = other.score("all", "index", other.first_rule)
    assert first is not None
    expected = replace(result.scores[0], verdict="", note=first.note)
    assert first == expected
    assert result.first_rule == ()


def test_the_same_rule_named_again_is_no_change(extract: Extract, result: WaveResult) -> None:
    again = score_wave(extract, ScoreOptions(item_method="top2", minimum=5))
    assert again.rules.changed == () and again.scores == result.scores


def test_the_waves_own_rules_are_used(tmp_path: Path) -> None:
    rules = {"item_method": "mean01", "roll_up": "factor_mean", "weighting": "cells", "reference_line": 70, "level": 90}
    found = score_wave(read_extract(write(tmp_path, *many(400), rules=rules)))
    assert (found.scores[0].item_method, found.scores[0].roll_up, found.scores[0].level) == (
        "mean01",
        "factor_mean",
        90,
    )
    assert found.rules.method == "cells" and found.rules.reference_line == 70


def test_weeks_as_sampling_units_give_another_error(result: WaveResult) -> None:
    judged = {row.key for row in result.scores if row.key in result.verdicts}
    assert result.week_se.keys() == {key for key in judged if key[0] in ("all", "field")}
    assert result.week_se["all", "all", "index"] != result.scores[0].se


# ---- small waves


def test_a_wave_of_a_single_day_and_centre_has_no_interval_and_shows_nothing(tmp_path: Path) -> None:
    found = score_wave(read_extract(write(tmp_path, [response()] * 60, [register_row("C01", "chung-thuc", 90)])))
    assert {row.suppressed for row in found.scores} == {"unreliable"}
    assert found.scores[0].note.endswith("no interval") and "undefined" not in found.scores[0].note
    assert found.scores[0].responses == 60 and found.scores[0].value is None
    assert found.filed[0].responses == 0 and found.asked[0].responses == 0


def test_what_is_hidden_is_hidden_in_every_part_of_the_result(tmp_path: Path) -> None:
    fields = ["chung-thuc"] * 300 + ["dat-dai"] * 100 + ["y-te"] * 3
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7), field=field) for i, field in enumerate(fields)]
    register = [register_row(f"C0{c}", field, 900) for c in range(3) for field in dict.fromkeys(fields)]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    for table in (found.scores, found.unweighted, found.sensitivity, found.factor_mean):
        states = {row.domain: row.suppressed for row in table if row.measure == "index"}
        assert (states["y-te"], states["dat-dai"]) == ("confidential", "complementary")
    assert not {"y-te", "dat-dai"} & found.factor_shares.keys()
    assert not {"y-te", "dat-dai"} & {key[1] for key in found.week_se}
    assert found.verdicts["field", "dat-dai", "index"].answered is None


def test_dossiers_without_responses_are_rows_without_values(tmp_path: Path) -> None:
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7)) for i in range(90)]
    register = [register_row(f"C0{c}", field, 100) for c in range(3) for field in ("chung-thuc", "y-te")]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    row = found.score("y-te")
    assert row is not None and (row.n, row.responses, row.dossiers, row.suppressed) == (0, 0, 300, "unreliable")
    assert found.scores[0].dossiers == 300 and "unrepresented=300" in found.scores[0].note


def test_a_thin_table_of_those_who_filed_does_not_stop_the_report(tmp_path: Path) -> None:
    """All who filed in y-te did so where fewer dossiers were received than in y-te as a whole."""
    fields = ("chung-thuc", "y-te")
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7), field=fields[i % 2]) for i in range(210)]
    filed = [("C00", "chung-thuc"), ("C01", "chung-thuc"), ("C02", "y-te")]
    rows += [response(centre=c, field=f, local_day=day(i), VISIT=1) for c, f in filed for i in range(6)]
    register = [register_row(f"C0{c}", field, 100) for c in range(3) for field in fields]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    assert found.weighting.raised_from is None and "weights=rake;" in found.scores[0].note
    assert found.filed[0].responses == 18 and "weights=rake/minimum " in found.filed[0].note


def test_quality_counts_every_response_once(tmp_path: Path) -> None:
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7)) for i in range(90)]
    rows += [response(VISIT=1), response(VISIT=3)] * 7 + [response(field=None), response(field="y-te", late=True)]
    rows += [response(VISIT=1, field="y-te")]
    register = [register_row(f"C0{c}", "chung-thuc", 100) for c in range(3)]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    quality = quality_json(found)
    assert {e["reason"]: e["responses"] for e in quality["left_out"]} == {"no_field": 1, "not_in_register": 2}
    tables = {table["table"]: table["responses"] for table in quality["tables"]}
    assert tables == {"received": 90, "filed": 7, "asked": 7}
    counted = sum(tables.values()) + sum(e["responses"] for e in quality["left_out"])
    assert counted == quality["responses"] == 107 and quality["blank_together"] is None
    assert quality["flags"]["late"] == 1


def test_a_table_hidden_as_a_whole_is_not_counted_elsewhere(tmp_path: Path) -> None:
    """Three who filed: their number stands nowhere, nor can it be had by subtraction."""
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7)) for i in range(90)]
    rows += [response(VISIT=1)] * 3 + [response(VISIT=3)] * 20 + [response(field=None)] * 8
    rows += [response(disposition="broken_off")] * 2
    register = [register_row(f"C0{c}", "chung-thuc", 100) for c in range(3)]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    assert {row.responses for row in found.filed} == {None}
    assert found.left_out.kept == {"received": 90, "filed": None, "asked": 20}
    assert {one.reason: one.count for one in found.left_out.reasons} == {"broken_off": 2, "no_field": None}
    assert found.left_out.together == 11
    quality = quality_json(found)
    assert [table["responses"] for table in quality["tables"]] == [90, None, 20] and quality["blank_together"] == 11


def test_a_hidden_table_takes_the_next_one_along_where_nothing_was_left_out(tmp_path: Path) -> None:
    """All responses are counted openly: less those of the other two tables they would be the three who filed."""
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7)) for i in range(90)]
    rows += [response(VISIT=1)] * 3 + [response(VISIT=3)] * 20
    found = score_wave(
        read_extract(write(tmp_path, rows, [register_row(f"C0{c}", "chung-thuc", 100) for c in range(3)]))
    )
    assert {row.responses for row in (*found.filed, *found.asked)} == {None}
    assert found.left_out.kept == {"received": 90, "filed": None, "asked": None} and found.left_out.together == 23


def test_no_share_of_answers_tells_how_many_answered_a_hidden_factor(tmp_path: Path) -> None:
    """Three made feedback in one field: a share of answers times the answers of the index would be that count."""
    fields = ("chung-thuc", "y-te")
    rows = [response(centre=f"C0{i % 3}", local_day=day(i % 7), field=fields[i % 2], BACK=i % 3) for i in range(240)]
    for i, row in enumerate(rows):
        row["II.A1"] = 2 + i % 4
        if i % 2 == 0 or i < 6:
            row.update({"II.E1": 4, "II.E2": 2 + i % 3, "II.E3": 5})
    register = [register_row(f"C0{c}", field, 300) for c in range(3) for field in fields]
    found = score_wave(read_extract(write(tmp_path, rows, register)))
    rows_of_e = [row for row in found.scores if row.domain_kind != "centre" and row.measure == "factor:E"]
    states = {row.domain: row.suppressed for row in rows_of_e}
    assert states == {"all": "no", "chung-thuc": "complementary", "y-te": "confidential"}
    shown = [row for row in found.scores if row.measure == "index" and row.domain_kind in ("all", "field")]
    assert shown and all(row.value is not None for row in shown)
    assert found.factor_shares.keys() == {"all"}


def test_a_sample_wave_is_not_weighted_to_the_register(tmp_path: Path, extract: Extract) -> None:
    book = replace(extract.codebook, wave=replace(extract.codebook.wave, kind="sample"))
    with pytest.raises(AnalysisError, match="is a sample wave"):
        score_wave(replace(extract, codebook=book))
