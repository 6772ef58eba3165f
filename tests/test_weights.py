"""Weights reach the register's totals, thin classes join their neighbours, and everything can be repeated."""

from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.calibration.joining import join_neighbours
from analysis.errors import AnalysisError
from analysis.wave.counter import counter_design, targets
from analysis.wave.extract import Extract, read_extract
from analysis.wave.output import write_weights
from analysis.wave.register import read_register_file, register_of
from analysis.wave.weights import Weighting, weight_to_register
from tests.extracts import day, many, register_row, response, write


def make(folder: Path, rows: Any, register: Any, **given: Any) -> Extract:
    return read_extract(write(folder, rows, register, **given))


@pytest.fixture(scope="module")
def wave(tmp_path_factory: pytest.TempPathFactory) -> Extract:
    return make(tmp_path_factory.mktemp("wave"), *many(900, centres=9, fields=4))


def sums(extract: Extract, weighting: Weighting, column: str) -> dict[str, float]:
    labels = extract.column(column)[weighting.rows].astype(str)
    return {str(label): float(weighting.design.weight[labels == label].sum()) for label in np.unique(labels)}


# ---- reaching the register


@pytest.mark.parametrize("method", ["rake", "cells"])
@pytest.mark.parametrize(("population", "count"), [("received", "resolved"), ("filed", "received")])
def test_weights_add_up_to_the_register(wave: Extract, method: Any, population: Any, count: str) -> None:
    weighting = weight_to_register(wave, method, population=population)
    expected: Counter[str] = Counter()
    for field, dossiers in zip(wave.register["field"], wave.register[count], strict=True):
        expected[field] += int(dossiers)
    assert sums(wave, weighting, "field") == pytest.approx(dict(expected), rel=1e-9)
    assert weighting.dossiers == dict(expected)
    assert weighting.diagnostics.tolerance < 1e-9
    assert weighting.diagnostics.dossiers == sum(expected.values())


def test_raking_reaches_the_joined_classes_of_centres(wave: Extract) -> None:
    weighting = weight_to_register(wave, minimum=90)
    joined = [joining for joining in weighting.joinings if joining.kind == "centre"]
    assert joined
    by_centre = sums(wave, weighting, "centre")
    for joining in joined:
        assert sum(by_centre[centre] for centre in joining.centres) == pytest.approx(sum(joining.dossiers), rel=1e-9)
        assert sum(joining.responses) >= 90
        small = [d for n, d in zip(joining.responses, joining.dossiers, strict=True) if n < 90]
        assert joining.moved == sum(small)


def test_cells_are_post_stratified_within_the_field(wave: Extract) -> None:
    weighting = weight_to_register(wave, "cells", minimum=1)
    rows = np.flatnonzero(weighting.rows)
    totals: Counter[tuple[str, str]] = Counter()
    for row, weight in zip(rows, weighting.design.weight, strict=True):
        totals[wave.column("centre")[row], wave.column("field")[row]] += weight
    cells = zip(wave.register["centre"], wave.register["field"], wave.register["resolved"], strict=True)
    register = {(centre, field): count for centre, field, count in cells}
    assert not weighting.joinings
    assert dict(totals) == pytest.approx({cell: register[cell] for cell in totals})


def test_diagnostics_are_kishs(wave: Extract) -> None:
    weighting = weight_to_register(wave)
    w = weighting.design.weight
    found = weighting.diagnostics
    assert found.deff_kish == pytest.approx(len(w) * (w**2).sum() / w.sum() ** 2)
    assert found.n_eff_kish == pytest.approx(w.sum() ** 2 / (w**2).sum())
    assert (found.smallest, found.largest) == (w.min(), w.max())


def test_only_the_counters_channel_counts(tmp_path: Path) -> None:
    rows = [response(local_day=day(number % 3)) for number in range(30)]
    register = [
        register_row("C01", "chung-thuc", 100, month="2026-10"),
        register_row("C01", "chung-thuc", 50, month="2026-11"),
        register_row("C01", "chung-thuc", 4000, channel="online"),
        register_row("C01", "chung-thuc", 700, channel="post"),
    ]
    weighting = weight_to_register(make(tmp_path, rows, register))
    assert weighting.design.weight.sum() == pytest.approx(150)
    assert not weighting.online_included


def test_a_register_without_channels_is_used_and_says_so(tmp_path: Path) -> None:
    rows = [response(local_day=day(number % 3)) for number in range(30)]
    weighting = weight_to_register(make(tmp_path, rows, [register_row("C01", "chung-thuc", 90, channel="all")]))
    assert weighting.online_included
    assert weighting.design.weight == pytest.approx(np.full(30, 3.0))


def test_all_channels_beside_single_ones_would_count_dossiers_twice(wave: Extract, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(HEADER + "C001,dat-dai,2026-10,counter,9,8,7\nC001,dat-dai,2026-10,all,19,18,17\n")
    with pytest.raises(AnalysisError, match="C001, dat-dai, 2026-10 has channel all beside counter"):
        weight_to_register(wave, register=read_register_file(file, wave.codebook))


# ---- what cannot be weighted


def test_a_field_nobody_answered_is_left_outside_and_named(tmp_path: Path) -> None:
    rows = [response(centre=f"C0{number % 2 + 1}", local_day=day(number % 3)) for number in range(60)]
    register = [register_row(centre, "chung-thuc", 100) for centre in ("C01", "C02")]
    register += [register_row("C01", "y-te", 300), register_row("C02", "y-te", 5)]
    for method in ("rake", "cells"):
        weighting = weight_to_register(make(tmp_path / method, rows, register), method)  # type: ignore[arg-type]
        assert weighting.unrepresented == {"y-te": 305}
        assert weighting.design.weight.sum() == pytest.approx(200)


def test_a_field_without_dossiers_is_left_out_and_named(tmp_path: Path) -> None:
    rows = [response(local_day=day(number % 3), field=("chung-thuc", "dat-dai")[number % 2]) for number in range(60)]
    weighting = weight_to_register(make(tmp_path, rows, [register_row("C01", "chung-thuc", 100)]))
    assert weighting.unregistered == {"dat-dai": 30}
    assert weighting.rows.sum() == 30


def test_no_register_at_all_is_an_error_with_a_remedy(tmp_path: Path) -> None:
    with pytest.raises(AnalysisError, match="sipas register import FILE"):
        weight_to_register(make(tmp_path, [response()], []))


def test_no_response_to_weight_is_an_error(tmp_path: Path) -> None:
    extract = make(tmp_path, [response(VISIT=3)], [register_row("C01", "chung-thuc", 10)])
    with pytest.raises(AnalysisError, match="no response can be weighted"):
        weight_to_register(extract)


def test_margins_that_cannot_both_be_met_name_a_way_out(tmp_path: Path) -> None:
    """Each centre's answers are of one field, while its dossiers are mostly of the other."""
    both = (("C01", "dat-dai"), ("C02", "y-te"))
    rows = [response(centre=c, field=f, local_day=day(d)) for c, f in both for d in range(3) for _ in range(10)]
    register = [register_row("C01", "dat-dai", 10), register_row("C01", "y-te", 100)]
    register += [register_row("C02", "dat-dai", 10), register_row("C02", "y-te", 10)]
    extract = make(tmp_path, rows, register)
    with pytest.raises(AnalysisError, match="--cells"):
        weight_to_register(extract, minimum=5)
    weighting = weight_to_register(extract, "cells")
    assert sums(extract, weighting, "field") == pytest.approx({"dat-dai": 20, "y-te": 110})


def test_by_the_waves_own_rule_classes_grow_until_both_margins_are_met(tmp_path: Path) -> None:
    """All answers of y-te come from C02, which has fewer dossiers than y-te."""
    cells = [("C01", "dat-dai", 12), ("C02", "dat-dai", 12), ("C02", "y-te", 6), ("C03", "dat-dai", 12)]
    cells += [("C04", "dat-dai", 50)]
    rows = [response(centre=c, field=f, local_day=day(i % 3)) for c, f, count in cells for i in range(count)]
    register = [register_row(f"C0{c}", "dat-dai", 50) for c in (1, 2, 3, 4)]
    register += [register_row("C01", "y-te", 90), register_row("C02", "y-te", 20)]
    extract = make(tmp_path, rows, register)
    weighting = weight_to_register(extract)
    assert (weighting.raised_from, weighting.minimum) == (5, 20)
    assert [joining.centres for joining in weighting.joinings] == [("C01", "C02", "C03")]
    assert sums(extract, weighting, "field") == pytest.approx({"dat-dai": 200, "y-te": 110})
    assert sums(extract, weighting, "centre")["C04"] == pytest.approx(50)
    with pytest.raises(AnalysisError, match="above 5"):
        weight_to_register(extract, minimum=5)


# ---- joining


CASES = [
    # responses of units, group of each, minimum -> classes
    ([30, 30], "aa", [(0,), (1,)]),
    ([5, 30], "aa", [(0, 1)]),
    ([30, 5], "aa", [(0, 1)]),
    ([30, 5, 30], "aaa", [(0,), (1, 2)]),
    ([5, 5, 30, 30], "aaaa", [(0, 1, 2), (3,)]),
    ([30, 5, 5], "aaa", [(0, 1, 2)]),
    ([30, 5, 30], "aab", [(0, 1), (2,)]),
    ([5, 30, 30], "abb", [(0, 1), (2,)]),
    ([30, 30, 5], "aab", [(0,), (1, 2)]),
    ([5, 5, 5], "abc", [(0, 1, 2)]),
    ([19], "a", [(0,)]),
    ([0, 20, 0], "aaa", [(0, 1, 2)]),
]


@pytest.mark.parametrize(("responses", "groups", "classes"), CASES)
def test_joining(responses: list[int], groups: str, classes: list[tuple[int, ...]]) -> None:
    found = join_neighbours(groups, lambda units: sum(responses[i] for i in units) >= 20)
    assert list(found) == classes


@settings(deadline=None)
@given(st.lists(st.tuples(st.integers(0, 40), st.integers(0, 5)), min_size=1, max_size=40))
def test_joined_classes_are_a_partition_and_none_is_thin(units: list[tuple[int, int]]) -> None:
    units.sort(key=lambda unit: unit[1])
    responses = [n for n, _ in units]
    found = join_neighbours([str(group) for _, group in units], lambda part: sum(responses[i] for i in part) >= 20)
    assert [i for part in found for i in part] == list(range(len(units)))
    assert len(found) == 1 or all(sum(responses[i] for i in part) >= 20 for part in found)


def test_cells_never_join_across_fields(wave: Extract) -> None:
    weighting = weight_to_register(wave, "cells", minimum=60)
    assert weighting.joinings and all(joining.field for joining in weighting.joinings)
    by_field = Counter(wave.register["field"])
    for field in by_field:
        of_field = wave.register["field"] == field
        assert sums(wave, weighting, "field")[field] == pytest.approx(wave.register["resolved"][of_field].sum())


def test_empty_cells_join_and_their_dossiers_are_moved(tmp_path: Path) -> None:
    rows = [response(centre="C01", local_day=day(number % 3)) for number in range(40)]
    register = [register_row("C01", "chung-thuc", 100), register_row("C02", "chung-thuc", 60)]
    weighting = weight_to_register(make(tmp_path, rows, register), "cells")
    (joining,) = weighting.joinings
    assert (joining.centres, joining.responses, joining.dossiers) == (("C01", "C02"), (40, 0), (100, 60))
    assert joining.moved == 60
    assert weighting.diagnostics.dossiers_without_respondents == 60


# ---- design


def test_a_centre_with_one_day_joins_the_next_of_its_group(tmp_path: Path) -> None:
    days = {"C01": (0, 1), "C02": (2,), "C03": (0, 3), "C04": (1, 2), "C05": (1,)}
    rows = [response(centre=centre, local_day=day(number)) for centre, numbers in days.items() for number in numbers]
    extract = make(tmp_path, rows, [register_row("C01", "chung-thuc", 9)])
    design = counter_design(extract, np.ones(extract.n, bool))
    assert design.joined == (("C02", "C03"), ("C04", "C05"))
    assert list(design.stratum) == ["C01"] * 2 + ["C02+C03"] * 3 + ["C04+C05"] * 3
    assert len(set(design.psu)) == 8


def test_days_make_psus_and_iso_weeks_coarser_ones(tmp_path: Path) -> None:
    rows = [response(centre=centre, local_day=day(number)) for centre in ("C01", "C02") for number in range(28)]
    extract = make(tmp_path, rows * 2, [register_row("C01", "chung-thuc", 9)])
    everyone = np.ones(extract.n, bool)
    assert len(set(counter_design(extract, everyone).psu)) == 56
    weeks = counter_design(extract, everyone, "week").psu
    dates = extract.column("local_day").astype(object)
    expected = {(c, d.isocalendar()[:2]) for c, d in zip(extract.column("centre"), dates, strict=True)}
    assert len(set(weeks)) == len(expected) == 10


def test_everything_left_out_is_counted_once(tmp_path: Path) -> None:
    rows = [
        response(),
        response(VISIT=1),
        response(VISIT=3),
        response(disposition="broken_off", field=None, VISIT=-4),
        response(disposition="refused", VISIT=-4),
        response(after_close=True, field=None),
        response(field=None),
        response(field=None, VISIT=-3),
        response(VISIT=-3),
    ]
    found = targets(make(tmp_path, rows, [register_row("C01", "chung-thuc", 9)]))
    assert {name: int(mask.sum()) for name, mask in found.masks.items()} == {"received": 1, "filed": 1, "asked": 1}
    assert found.left_out == {"broken_off": 1, "refused": 1, "after_close": 1, "no_field": 2, "no_visit": 1}


# ---- repeating


def test_the_same_extract_gives_the_same_files(wave: Extract, tmp_path: Path) -> None:
    contents = []
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        files = write_weights(weight_to_register(wave), wave, tmp_path / name)
        contents.append([file.read_bytes() for file in files])
    assert contents[0] == contents[1]


def test_provenance_names_what_the_weights_came_from(wave: Extract, tmp_path: Path) -> None:
    weighting = weight_to_register(wave, "cells", 25)
    found = weighting.provenance
    assert found["extract"]["manifest_sha256"] == sha256((wave.path / "manifest.json").read_bytes()).hexdigest()
    assert found["register"]["sha256"] == sha256((wave.path / "register.parquet").read_bytes()).hexdigest()
    assert (found["method"], found["options"]["minimum"]) == ("cells", 25)
    table = pq.read_table(write_weights(weighting, wave, tmp_path)[0])
    assert table.column("row").to_pylist() == np.flatnonzero(weighting.rows).tolist()
    assert table.column("weight").to_pylist() == weighting.design.weight.tolist()


# ---- a register file given instead


HEADER = "centre,field,month,channel,received,resolved,on_time\n"


def test_a_register_file_takes_the_place_of_the_extracts(wave: Extract, tmp_path: Path) -> None:
    lines = [
        f"{centre},{field},2026-10,counter,50,40,30\n"
        for centre in dict.fromkeys(wave.register["centre"])
        for field in dict.fromkeys(wave.register["field"])
    ]
    file = tmp_path / "register.csv"
    file.write_text(HEADER + "".join(lines) + "C001,y-te,2020-01,counter,1,1,1\nELSEWHERE,y-te,2026-10,all,1,1,1\n")
    register = read_register_file(file, wave.codebook)
    weighting = weight_to_register(wave, register=register)
    assert weighting.design.weight.sum() == pytest.approx(40 * len(lines))
    assert weighting.provenance["register"] == {
        "source": "register.csv",
        "sha256": sha256(file.read_bytes()).hexdigest(),
    }
    assert register_of(wave).sha256 != register.sha256


def test_every_bad_line_of_a_register_file_is_named(wave: Extract, tmp_path: Path) -> None:
    file = tmp_path / "register.csv"
    file.write_text(
        HEADER
        + "C001,dat-dai,2026-10,counter,9,8,7\n"
        + "C001,unheard,2026-10,counter,9,8,7\n"
        + "C001,ho-tich,2026-10,counter,9,7,8\n"
        + "C001,ho-tich,2026-10,fax,9,8,7\n"
        + "C001,dat-dai,2026-10,counter,9,8,7\n"
        + "C001,dat-dai,2026-10,all,-1,8,7\n"
        + "C001,dat-dai,2026-10,all,many,8,7\n"
    )
    with pytest.raises(AnalysisError) as caught:
        read_register_file(file, wave.codebook)
    assert [problem.where.rsplit(" ", 1)[1] for problem in caught.value.problems] == ["3", "4", "5", "6", "7", "8"]


@pytest.mark.parametrize("content", [b"centre,field\n", b"\xff\xfe", HEADER.encode()])
def test_a_file_that_is_no_register_is_refused(wave: Extract, tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "register.csv"
    file.write_bytes(content)
    with pytest.raises(AnalysisError):
        read_register_file(file, wave.codebook)


def test_centre_totals_need_five_responses_and_cells_twenty(wave: Extract) -> None:
    """The wave's own rules, where no minimum is given."""
    assert weight_to_register(wave).minimum == wave.codebook.wave.rules.minimum_class == 5
    assert weight_to_register(wave, "cells").minimum == wave.codebook.wave.rules.minimum_cell == 20
