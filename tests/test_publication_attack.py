"""Nobody can compute a hidden cell from all that a wave publishes; and whoever could, this test would notice.

A hidden count is found where its unit vector is orthogonal to the null space of all equations the files make known
(tests/outsider.py); a confidential one also where the equations and what its mark says leave one whole number.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.report import write_report
from analysis.wave.additive import Sets, bridges
from analysis.wave.extract import read_extract
from analysis.wave.output import scores_csv, write_tables
from analysis.wave.publication import Cell, publish
from analysis.wave.scores import ScoreOptions, WaveResult, score_wave
from analysis.wave.wave_result import Score
from tests import extracts
from tests.outsider import BOUNDS, HIDDEN, System, counts, joined, page_tables, place, read_rows, values, wave_counts

Counts = dict[tuple[str, str], int]


def with_margins(inner: Counts) -> Counts:
    found: Counts = {("", ""): 0}
    for (centre, field), number in inner.items():
        for one in ((centre, field), (centre, ""), ("", field), ("", "")):
            found[one] = found.get(one, 0) + number
    return found


def table(inner: Counts, answered: Counts, alike: set[tuple[str, str]]) -> list[Cell]:
    """Index and overall question of every place; `answered` of the overall question."""
    cells = []
    responses = with_margins(inner)
    for measure, found in (("index", responses), ("overall", with_margins(answered))):
        for one, n in found.items():
            kind = {(False, False): "all", (False, True): "field", (True, False): "centre"}.get(
                (bool(one[0]), bool(one[1])), "centre_field"
            )
            row = Score(
                "w", kind, "/".join(filter(None, one)) or "all", "", measure, "top2", "pooled", 80.0, 1.0, 78.0, 82.0,
                95, 40.0, 1.2, n, n / 1.2, responses[one], 4 * responses[one],
            )  # fmt: skip
            cells.append(Cell(row, "mean", one in alike, float(n), one))
    return cells


def found_by_outsider(
    system: System, rows: list[dict[str, str]], truth: dict[Any, int], file: str = "scores"
) -> set[Any]:
    """Hidden counts that can be computed; those that are really 0 stay out of the bounds a confidential one has."""
    marks: dict[Any, str] = {}
    for row in rows:
        if row["suppressed"] in HIDDEN:
            marks[(file, row["measure"]), place(row)] = row["suppressed"]
            if ((file, "responses"), place(row)) in system.unknown:
                few = truth.get(((file, "responses"), place(row)), 0) < 5
                marks[(file, "responses"), place(row)] = "confidential" if few else "complementary"
    bounds: dict[Any, tuple[int, int | None]] = {name: (0, None) for name in system.unknown}
    bounds |= {name: BOUNDS[marks[name]] for name in system.unknown if name in marks}
    bounds |= {name: (0, 0) for name in system.unknown if truth.get(name) == 0}
    solved = {name for name in system.solved() if truth.get(name) != 0}
    small = [name for name in system.unknown if marks.get(name) == "confidential" and truth.get(name) != 0]
    return solved | system.forced(bounds, small)


def attack(cells: list[Cell], folder: Path) -> set[Any]:
    """Publish, write, read back, and compute what can be computed."""
    path = folder / "scores.csv"
    path.write_text(scores_csv(publish(cells)), encoding="utf-8", newline="")
    rows = read_rows(path)
    truth: dict[Any, int] = {}
    for cell in cells:
        truth[("scores", cell.score.measure), cell.place] = cell.score.n or 0
        truth[("scores", "responses"), cell.place] = cell.score.responses or 0
    return found_by_outsider(counts(rows), rows, truth)


@pytest.fixture
def unprotected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Complementary suppression switched off: only what is confidential by itself is hidden."""
    monkeypatch.setattr(Sets, "complete", lambda sets, hidden: None)


@pytest.fixture
def one_set_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each set keeps its rule, but nobody looks at what rows and columns tell together."""
    monkeypatch.setattr(Sets, "complete", lambda sets, hidden: sets._fill(hidden))


small = st.integers(0, 14) | st.integers(0, 3) | st.just(0) | st.integers(0, 60)


@st.composite
def tables(draw: st.DrawFn) -> list[Cell]:
    centres, fields = draw(st.integers(1, 6)), draw(st.integers(1, 5))
    inner = {(f"c{i}", f"f{j}"): draw(small) for i in range(centres) for j in range(fields)}
    answered = {one: draw(st.integers(0, n)) for one, n in inner.items()}
    alike = {one for one, n in inner.items() if n < 10 and draw(st.integers(0, 4)) == 0}
    return table(inner, answered, alike)


@settings(deadline=None, max_examples=60, suppress_health_check=list(HealthCheck))
@given(tables())
def test_no_hidden_count_of_any_table_can_be_computed(tmp_path_factory: Any, cells: list[Cell]) -> None:
    assert attack(cells, tmp_path_factory.mktemp("table")) == set()


def drawn(seed: int, centres: int = 12, fields: int = 5, mean: float = 9.0) -> list[Cell]:
    """A thin table as waves have them: centres and fields of unequal size."""
    rng = np.random.default_rng(seed)
    size = np.outer(rng.gamma(1.0, 1.0, centres), rng.gamma(1.0, 1.0, fields))
    found = rng.poisson(mean * size)
    inner = {(f"c{i:02d}", f"f{j}"): int(found[i, j]) for i in range(centres) for j in range(fields)}
    answered = {one: int(rng.binomial(n, 0.95)) for one, n in inner.items()}
    return table(inner, answered, {one for one in inner if rng.random() < 0.05})


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("mean", [2.0, 9.0, 40.0])
def test_no_hidden_count_of_a_thin_table_can_be_computed(seed: int, mean: float, tmp_path: Path) -> None:
    assert attack(drawn(seed, mean=mean), tmp_path) == set()


@pytest.mark.usefixtures("unprotected")
def test_the_outsider_finds_what_is_not_protected(tmp_path: Path) -> None:
    assert all(attack(drawn(seed, mean=40.0), tmp_path) for seed in range(6))


def linked() -> tuple[Counts, tuple[str, str]]:
    """Two groups of hidden cells that share no set, and one more between them: all sets have three and ten or more."""
    inner = {(f"c{i}", f"f{j}"): 40 + i + j for i in range(6) for j in range(6)}
    blocks = [(f"c{i + k}", f"f{j + k}") for k in (0, 3) for i in range(2) for j in range(2)]
    between = ("c1", "f3")
    return inner | dict.fromkeys(blocks, 7) | {between: 3}, between


@pytest.mark.usefixtures("one_set_at_a_time")
def test_sets_one_at_a_time_are_not_enough(tmp_path: Path) -> None:
    """Why the graph is needed: the sums of one group's rows less those of its columns are the cell between."""
    inner, between = linked()
    alike = {one for one, n in inner.items() if n == 7}
    assert attack(table(inner, inner, alike), tmp_path) >= {(("scores", "overall"), between)}


def test_a_cell_between_two_groups_is_protected(tmp_path: Path) -> None:
    inner, _ = linked()
    assert attack(table(inner, inner, {one for one, n in inner.items() if n == 7}), tmp_path) == set()


def test_ten_ones_are_told_by_their_sum() -> None:
    """A set that holds ten answers in ten cells, none of them empty, has one in each: its total is hidden too."""
    inner = {(f"c{i}", field): 1 if field == "f0" else 30 + i for i in range(10) for field in ("f0", "f1", "f2")}
    sets, hidden = Sets(with_margins(inner)), {one: "confidential" for one, n in inner.items() if n == 1}
    assert sets.exposed(hidden) == sorted(hidden)
    sets.complete(hidden)
    assert sets.exposed(hidden) == [] and ("", "f0") in hidden and ("", "") not in hidden


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=12))
def test_a_bridge_is_what_a_rank_test_determines(pairs: list[tuple[int, int]]) -> None:
    """Rows and columns as equations: a cell is determined exactly where its edge lies on no cycle."""
    edges = [((str(i), ""), ("row", str(one)), ("column", str(two))) for i, (one, two) in enumerate(pairs)]
    system = System()
    for name, _, _ in edges:
        system.cell(name, None)
    for end in {end for _, one, two in edges for end in (one, two)}:
        system.equation([(1.0, name) for name, one, two in edges if end in (one, two)], 1.0)
    assert system.solved() == bridges(edges)  # type: ignore[arg-type]


# ---- whole waves, from their files


def wave(folder: Path, seed: int, n: int, options: ScoreOptions | None = None) -> tuple[WaveResult, Path]:
    """A thin wave scored and written: 9 centres, 5 fields, some of both with very few responses."""
    columns, register = extracts.many(n, centres=9, fields=5, seed=seed)
    rng = np.random.default_rng(seed)
    rare = rng.random(n) < 0.9
    columns["field"] = np.where((columns["field"] == "xay-dung") & rare, "dat-dai", columns["field"])
    columns["centre"] = np.where((columns["centre"] == "C005") & rare, "C006", columns["centre"])
    result = score_wave(read_extract(extracts.write(folder / "extract", columns, register)), options)
    out = folder / "report"
    out.mkdir()
    write_tables(result, out)
    return result, out


def truth_of(result: WaveResult) -> dict[Any, int]:
    """Which counts are really 0: those the outsider may be told."""
    rows = np.flatnonzero(result.weighting.rows)
    codes = result.extract.column("centre")[rows].astype(str), result.extract.column("field")[rows].astype(str)
    inner: Counts = {}
    for one in zip(*codes, strict=True):
        inner[one] = inner.get(one, 0) + 1
    return {(("scores", "responses"), one): n for one, n in with_margins(inner).items()}


def broken(result: WaveResult, out: Path, page: dict[str, list[list[str]]] | None = None) -> set[Any]:
    """Hidden counts, and scores of cells whose count is hidden, that the files of a wave give away."""
    rows = read_rows(out / "scores.csv")
    system = wave_counts(out)
    if page:
        book = result.extract.codebook
        joined(
            system,
            page,
            {one.name: one.code for one in book.centres},
            {one.label["vi"]: one.code for one in book.fields},
        )
    truth = truth_of(result)
    counted = found_by_outsider(system, rows, truth)
    secret = {(row["measure"], place(row)) for row in rows if row["suppressed"] in HIDDEN}
    return counted | (values(rows, page).solved() & secret)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n", [250, 900])
def test_no_wave_gives_a_hidden_cell_away(seed: int, n: int, tmp_path: Path) -> None:
    assert broken(*wave(tmp_path, seed, n)) == set()


@pytest.mark.parametrize("method", ["rake", "cells"])
def test_nor_do_its_pages(method: Any, tmp_path: Path) -> None:
    """With the page: shares of answers, the other roll-up, the classes that were joined."""
    result, out = wave(tmp_path, 1, 900, ScoreOptions(method=method))
    page = page_tables(write_report(result, out, "vi").html)
    assert {"table-mix", "table-centres"} <= page.keys()
    assert "table-joinings" in page or method == "rake"
    assert broken(result, out, page) == set()


@pytest.mark.usefixtures("unprotected")
def test_a_wave_without_protection_is_broken(tmp_path: Path) -> None:
    found = broken(*wave(tmp_path, 1, 900))
    assert any(name[0] == ("scores", "responses") for name in found)
    assert any(name[0] == ("scores", "overall") for name in found)
