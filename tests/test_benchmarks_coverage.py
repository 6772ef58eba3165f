"""The coverage study: its batch of samples is the public functions sample by sample, and its figures are what they say."""

from pathlib import Path

import numpy as np
import pytest

import analysis
from benchmarks import coverage
from benchmarks.coverage import ITEMS, NS, PS, SHARES, Case, Figures, answers, cases, intervals, layout, simulate
from benchmarks.coverage_page import draw, misses, page

SAMPLES = 12


def one_by_one(case: Case) -> None:
    """Each sample alone, as a design of its own, against its place in the batch."""
    rng = np.random.default_rng(5)
    made = layout(case, SAMPLES, rng)
    y, _ = answers(case, made["p"], rng)
    batch = {method: found for method, found in intervals(case, made, y, np.random.default_rng(6))}
    if case.sampling == "weighted":
        weight = np.random.default_rng(6).lognormal(0, 0.4, len(made["sample"]))
    else:
        weight = np.ones(len(made["sample"]))
    for sample in range(0, SAMPLES, 5):
        rows = made["sample"] == sample
        design = analysis.SurveyDesign(weight[rows], stratum=made["stratum"][rows], psu=made["psu"][rows])
        for method, found in batch.items():
            if case.measure == "share":
                alone = analysis.proportion(design, y["y"][rows], interval=method)  # type: ignore[arg-type]
            elif case.measure == "median":
                alone = analysis.quantile(design, y["y"][rows], 0.5, interval=method)  # type: ignore[arg-type]
            elif method == "t":
                top, valid = (y["top"][rows], y["valid"][rows]) if case.measure == "index" else (y["y"][rows], None)
                alone = analysis.mean(design, top) if valid is None else analysis.ratio(design, top, valid)
            else:
                continue
            for name in ("ci_low", "ci_high", "df", "n_eff"):
                ours, theirs = getattr(found, name).ravel()[sample], getattr(alone, name).ravel()[0]
                assert ours == pytest.approx(theirs, rel=1e-8, nan_ok=True), f"{method} {name}"


@pytest.mark.parametrize("sampling", ["rows", "clustered", "ten PSUs", "weighted"])
def test_shares_are_the_door_sample_by_sample(sampling: str) -> None:
    one_by_one(Case("share", sampling, 0.85, 100))


@pytest.mark.parametrize("measure", ["mean", "index", "median"])
def test_other_measures_are_the_door_sample_by_sample(measure: str) -> None:
    one_by_one(Case(measure, "clustered", 0.5 if measure == "median" else 0.85, 100))


@pytest.mark.parametrize("p", [0.85, 0.97])
def test_the_index_of_counts_is_the_index_of_items(p: float) -> None:
    """Σ top / Σ valid per row, and its interval, are what `index` makes of the items themselves."""
    case = Case("index", "clustered", p, 100, 0.4)
    rng = np.random.default_rng(7)
    made = layout(case, 1, rng)
    y, _ = answers(case, made["p"], rng)
    items = np.full((len(y["top"]), ITEMS), -1, dtype=np.int8)
    for row, (top, valid) in enumerate(zip(y["top"], y["valid"], strict=True)):
        items[row, :valid] = 3
        items[row, :top] = 5
    names = tuple(f"q{item}" for item in range(ITEMS))
    design = analysis.SurveyDesign(np.ones(len(items)), stratum=made["stratum"], psu=made["psu"])
    whole = analysis.index(design, dict(zip(names, items.T, strict=True)), analysis.IndexSpec(names))
    found = dict(intervals(case, made, y, rng))
    counted, on_logit = found["default"], found["logit"]
    assert bool(counted.ci_low[0, 0] == on_logit.ci_low[0, 0]) == (p == 0.85), "near the ceiling it is another interval"
    assert float(whole.ci_low[0, 0]) == pytest.approx(100 * float(counted.ci_low[0, 0]), rel=1e-9)
    assert float(whole.ci_high[0, 0]) == pytest.approx(100 * float(counted.ci_high[0, 0]), rel=1e-9)


@pytest.mark.parametrize("sampling", ["rows", "clustered", "ten PSUs", "weighted"])
@pytest.mark.parametrize("measure", ["share", "mean", "index", "median"])
def test_the_truth_is_that_of_the_population(measure: str, sampling: str) -> None:
    case = Case(measure, sampling, 0.5 if measure == "median" else 0.85, 300, 0.4 if measure == "index" else 0.0)
    rng = np.random.default_rng(8)
    made = layout(case, 400, rng)
    y, truth = answers(case, made["p"], rng)
    if measure == "index":
        assert y["top"].sum() / y["valid"].sum() == pytest.approx(truth, abs=0.01)
    elif measure == "median":
        assert np.mean(y["y"] <= truth) == pytest.approx(0.5, abs=0.01)
    else:
        assert y["y"].mean() == pytest.approx(truth, rel=0.01)


def test_design_effect_is_the_one_named() -> None:
    (first, *_) = simulate(Case("share", "clustered", 0.5, 3000), 100)
    assert 3000 / first.n_eff == pytest.approx(1.75, abs=0.2)
    assert first.df == 149


def test_figures_add_up_and_repeat() -> None:
    case = Case("share", "rows", 0.97, 60)
    found = simulate(case, 300)
    assert [figures.method for figures in found] == list(SHARES)
    for figures in found:
        assert figures.covered + figures.above + figures.below == pytest.approx(100)
    by_method = {figures.method: figures for figures in found}
    assert by_method["t"].covered < 90 < by_method["korn_graubard"].covered
    assert by_method["t"].above > by_method["t"].below
    assert simulate(case, 300) == found


def test_an_interval_that_is_not_there_holds_nothing() -> None:
    part = np.array([[np.nan, 0.2, 0.6, 0.1], [np.nan, 0.9, 0.9, 0.4], [1.0, 2, 3, 4], [0.0, 8, 8, 8]])
    figures = coverage._figures("t", part, 0.5)
    assert (figures.covered, figures.above, figures.below) == (25, 25, 25)
    assert figures.width == pytest.approx((0.7 + 0.3 + 0.3) / 3)


def _found(covered: float) -> dict[Case, list[Figures]]:
    samplings = ("rows", "clustered", "ten PSUs", "weighted")
    shares = [Case("share", sampling, p, n) for sampling in samplings for p in PS for n in NS]
    return {case: [Figures(method, covered, 1.0, 4.0, 0.1, 100, 20) for method in SHARES] for case in shares}


def test_the_page_says_where_a_default_falls_short(tmp_path: Path) -> None:
    assert misses(_found(93.0)) == []
    assert "hold ≥ 93 % in all 72 cases" in page(_found(93.0), 4000)
    short = _found(94.0)
    case = Case("share", "rows", 0.97, 60)
    short[case] = [Figures(method, 92.9, 3.0, 4.1, 0.1, 60, 8) for method in SHARES]
    assert [found for found, _ in misses(short)] == [case]
    text = page(short, 4000)
    assert "below 93 % in 1 of the 72 cases" in text
    assert "**92.9** (3.0 + 4.1) 0.1" in text
    short[case] = [Figures(method, 92.9, 3.0, 4.1, 0.1, 59, 8) for method in SHARES]
    assert misses(short) == []
    draw(short, tmp_path / "a.svg", tmp_path / "b.svg")
    assert (tmp_path / "a.svg").read_text().count("<svg") == 1


def test_every_case_is_there_once() -> None:
    todo = cases()
    assert len(set(todo)) == len(todo)
    assert {(case.p, case.n) for case in todo if case.measure == "share"} == {(p, n) for p in PS for n in NS}
