"""Replicate weights: the same as R's where R's are not random, balanced where they are, refused where they cannot be."""

import hashlib
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import AnalysisError, SurveyDesign, mean, post_stratify, total
from analysis.replication import replicate_weights
from analysis.replication.hadamard import hadamard
from analysis.replication.replicate_weights import Calibrated, Dense, Replicates
from analysis.replication.replicates import recalibrated, replicate, replicate_design
from analysis.replication.resampling import balanced, bootstrap, jackknife
from tests.golden_designs import GOLDEN, data, design, load

HADAMARD_OF_R = {  # R 4.2.2, survey 4.1-1: order and md5 of the 0/1 digits of hadamard(n), row by row
    3: (4, "dce5defcd554524c3214161dc0027395"),
    7: (8, "0795e163f0fd2c47e2b70c5a491e3c19"),
    9: (12, "11dba234b9c3be3cbbf0ae4c1f1ed7d0"),
    13: (16, "c4410e17669456c9e790d1d54d414f83"),
    17: (20, "5fbefdc5bfaa6aadfef420acee07fa1c"),
    22: (24, "883049f3fa025c5a626f4b5b59f1a0c2"),
    25: (28, "cdd9e5816b1ffcc18f55f6d9c53e89ad"),
    30: (32, "97ae6eae056fa8fc4bbcceaa3138c3ac"),
    33: (36, "ca987c0b5bc5602e259813613eb62f8d"),
    40: (44, "d9454862e01fff0ee9588623d953a013"),
    45: (48, "55c1430b045b2191966004f87f0561b5"),
    50: (56, "2c1356c336de0875f866d5630828069e"),
    57: (60, "d3119e7382f1c1235e4d06b9a043e8b4"),
    70: (72, "a09739987103d34b5d4447e1bfdb99a8"),
    75: (80, "50e07167fee9858bb0b2c1ba895893ed"),
    88: (96, "8b0dbefcac784efaf9381906ee32852e"),
    100: (104, "5e3c3fb13908f874a7ebcd6b7ffd03d7"),
    125: (128, "57d14f9b216d9f2d31de9be26399d2cc"),
    150: (152, "cf291eaebb6fd258bb34f036bff054f1"),
}
DESIGNS = load("replicates")["designs"]
FIXED = [
    name for name, meta in DESIGNS.items() if meta.get("replicates", {}).get("type") in ("JKn", "JK1", "BRR", "Fay")
]


def made(name: str) -> Replicates:
    """The replicates of one of the golden designs that are not random."""
    meta = DESIGNS[name]["replicates"]
    base, centre = design("replicates", meta["from"]), "estimate" if meta["mse"] else "mean"
    if meta["type"].startswith("JK"):
        return jackknife(base, centre)
    return balanced(base, meta.get("fay_rho", 0.0), centre)


def sample(seed: int, strata: int, psus: int, rows: int, fpc: bool = False) -> SurveyDesign:
    rng = np.random.default_rng(seed)
    unit = np.concatenate([np.arange(strata * psus), rng.integers(strata * psus, size=max(rows - strata * psus, 0))])
    population = 2 * psus + unit // psus
    return SurveyDesign(rng.uniform(1, 9, len(unit)), unit // psus, unit, population if fpc else None)


# ---- against R
@pytest.mark.parametrize("pairs", HADAMARD_OF_R)
def test_hadamard_matrices_are_those_of_r(pairs: int) -> None:
    matrix = hadamard(pairs)
    digits = "".join(str(int(bit)) for bit in matrix.ravel())
    assert (len(matrix), hashlib.md5(digits.encode(), usedforsecurity=False).hexdigest()) == HADAMARD_OF_R[pairs]


@pytest.mark.parametrize("pairs", [*range(1, 70), 101, 150, 211, 300])
def test_rows_of_a_hadamard_matrix_are_orthogonal(pairs: int) -> None:
    signs = np.where(hadamard(pairs), 1, -1)
    assert pairs < len(signs) <= 2 * pairs + 4
    assert (signs[0] == 1).all()
    assert (signs @ signs.T == len(signs) * np.eye(len(signs))).all()


@pytest.mark.parametrize("name", FIXED)
def test_scales_counts_and_df_are_those_of_r(name: str) -> None:
    theirs, ours = DESIGNS[name]["replicates"], made(name)
    assert (ours.count, ours.df) == (theirs["count"], theirs["df"])
    assert ours.scale * ours.rscales == pytest.approx(theirs["scale"] * np.array(theirs["rscales"], float), rel=1e-14)


@pytest.mark.parametrize("name", [name for name in FIXED if "matrix" in DESIGNS[name]["replicates"]])
def test_balanced_halves_are_those_of_r(name: str) -> None:
    theirs = pd.read_csv(GOLDEN / DESIGNS[name]["replicates"]["matrix"]).set_index(["stratum", "psu"])
    frame, ours = data("brr.csv"), made(name)
    rows = theirs.loc[list(zip(frame["stratum"], frame["psu"], strict=True))].to_numpy()
    assert np.abs(ours.multiplier[ours.unit] - rows).max() < 1e-15


def test_a_domain_in_one_psu_has_no_degrees_of_freedom_and_no_interval() -> None:
    base = design("replicates", "small")
    y, psu = data("small.csv")["time_min"], data("small.csv")["psu"]
    for method in ("jackknife", "bootstrap"):
        found = mean(replicate(base, method, replicates=40, seed=1), y, by=np.where(psu == "p05", "one", "rest"))
        assert (found["one", "time_min"].se, found["one", "time_min"].df) == (0, 0)
        assert np.isnan(found["one", "time_min"].ci_low)
        assert found["rest", "time_min"].se > 0


# ---- sums without a matrix
@pytest.mark.parametrize("policy", ["none is lone", "remove", "adjust", "average"])
@pytest.mark.parametrize("fpc", [False, True])
def test_jackknife_sums_are_those_of_the_matrix(policy: str, fpc: bool) -> None:
    base = sample(1, 5, 4, 60, fpc)
    if policy != "none is lone":
        stratum = np.append(base.stratum, [9, 8])
        population = np.append(base.fpc, [3, 1]) if fpc else None  # stratum 8 was sampled completely if fpc is known
        base = SurveyDesign(np.append(base.weight, [3.0, 2.0]), stratum, np.append(base.psu, [99, 98]), population)
        object.__setattr__(base, "lone_psu", policy)
    ours, rng = jackknife(base, "mean"), np.random.default_rng(2)
    values = rng.normal(size=(ours.units, 3))
    assert ours.sums(values) == pytest.approx(ours.multiplier.T @ values, rel=1e-13)
    some = rng.permutation(ours.units)[:7]
    assert ours.sums(values[some], some) == pytest.approx(ours.multiplier[some].T @ values[some], rel=1e-13)
    columns = [ours.multipliers.column(r) for r in range(ours.count)]
    assert np.array_equal(np.column_stack(columns), ours.multiplier)


def test_a_domain_in_one_psu_is_exactly_empty_where_that_psu_is_left_out() -> None:
    ours = jackknife(sample(1, 5, 4, 60), "mean")
    values = np.array([[0.1 + 0.2]])
    assert (ours.sums(values, np.array([6]))[ours.multiplier[6] == 0] == 0).all()


def test_sums_do_not_depend_on_the_size_of_the_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    base = sample(3, 6, 5, 90)
    rao_wu, rng = bootstrap(base, 40, "rao_wu", 5, "mean"), np.random.default_rng(0)
    values, some = rng.normal(size=(30, 4)), rng.permutation(30)[:11]
    cells = Calibrated(
        rao_wu.multipliers, np.repeat(np.arange(30), 2), np.tile([0, 1], 30), rng.random((2, 40)), rng.random(60)
    )
    double = rng.normal(size=(60, 4))
    expected = rao_wu.sums(values), rao_wu.sums(values[some], some), cells.sums(double)
    assert expected[0] == pytest.approx(rao_wu.multiplier.T @ values, rel=1e-12)
    assert expected[2] == pytest.approx(cells.rows(np.arange(60)).T @ double, rel=1e-12)
    monkeypatch.setattr(replicate_weights, "_BLOCK", 280)
    found = rao_wu.sums(values), rao_wu.sums(values[some], some), cells.sums(double)
    for ours, theirs in zip(found, expected, strict=True):
        assert ours == pytest.approx(theirs, rel=1e-12)


# ---- bootstraps
def test_rao_wu_draws_one_psu_less_than_there_are_and_rescales() -> None:
    count = np.array([2, 3, 7, 300, 2, 5])
    stratum = np.repeat(np.arange(6), count)
    ours = bootstrap(SurveyDesign(np.ones(len(stratum)), stratum), 4000, "rao_wu", 1, "mean")
    drawn = ours.multiplier * ((count - 1) / count)[stratum, None]
    assert np.array_equal(drawn, np.rint(drawn))
    by_stratum = np.add.reduceat(ours.multiplier, np.cumsum(count) - count, axis=0)
    assert by_stratum == pytest.approx(np.repeat(count[:, None], 4000, axis=1))
    assert ours.multiplier.mean(axis=1) == pytest.approx(np.ones(len(stratum)), abs=5 / np.sqrt(4000))
    assert ours.multiplier.var(axis=1) == pytest.approx(np.ones(len(stratum)), abs=0.25)  # 1 for every n
    assert np.corrcoef(ours.multiplier[:2])[0, 1] == pytest.approx(-1)
    assert np.corrcoef(ours.multiplier[[0, 2]])[0, 1] == pytest.approx(0, abs=0.08)


@pytest.mark.parametrize("kind", ["rao_wu", "canty_davison", "preston"])
def test_a_seed_names_the_draws(kind: str) -> None:
    base = sample(3, 6, 5, 90, fpc=True)
    first, again, other = (bootstrap(base, 20, kind, seed, "mean").multiplier for seed in (7, 7, 8))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_canty_davison_draws_from_the_population_rebuilt() -> None:
    base = sample(3, 6, 5, 90)
    census = SurveyDesign(base.weight, base.stratum, base.psu, np.full(base.n, 5))
    assert (bootstrap(census, 30, "canty_davison", 1, "mean").multiplier == 1).all()
    double = SurveyDesign(base.weight, base.stratum, base.psu, np.full(base.n, 10))
    found = bootstrap(double, 300, "canty_davison", 1, "mean").multiplier
    assert found.max() == 2
    assert np.array_equal(np.add.reduceat(found, np.arange(0, 30, 5), axis=0), np.full((6, 300), 5.0))
    assert bootstrap(base, 300, "canty_davison", 1, "mean").multiplier.max() > 2


@pytest.mark.parametrize("kind", ["rao_wu", "canty_davison", "preston"])
def test_a_bootstrap_of_a_total_finds_taylors_variance(kind: str) -> None:
    base = sample(4, 8, 6, 300, fpc=kind != "rao_wu")
    y = np.random.default_rng(1).gamma(2.0, size=base.n)
    ours = bootstrap(base, 6000, kind, 3, "mean")
    theta = ours.sums(np.bincount(ours.unit, weights=base.weight * y)[:, None])
    variance = (ours.deviations(theta, np.zeros(1)) ** 2).sum()
    assert variance == pytest.approx(total(base, y).single.se ** 2, rel=0.06)


def test_prestons_bootstrap_finds_the_variance_of_both_stages() -> None:
    village = np.arange(4 * 8 * 6)
    commune, stratum, rng = village // 6, village // 48, np.random.default_rng(2)
    fpc = [np.full(192, 10), 12 + commune % 5]
    base = SurveyDesign(rng.uniform(1, 2, 192), stratum, [commune, village], fpc)
    y = rng.normal(size=192) + rng.normal(size=32)[commune]
    ours = bootstrap(base, 6000, "preston", 1, "mean")
    theta = ours.sums((base.weight * y)[:, None])
    variance = (ours.deviations(theta, np.zeros(1)) ** 2).sum()
    both = total(base, y).single.se ** 2
    assert both > 1.3 * total(SurveyDesign(base.weight, stratum, commune, fpc[0]), y).single.se ** 2
    assert variance == pytest.approx(both, rel=0.06)


# ---- degrees of freedom
@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 24), st.sampled_from(["jackknife", "rao_wu", "brr", "few"]))
def test_df_is_the_rank_of_the_replicate_weights_less_one(seed: int, size: int, kind: str) -> None:
    base = sample(6, 6, 4, 60)
    ours = {
        "jackknife": lambda: jackknife(base, "mean"),
        "rao_wu": lambda: replace(bootstrap(base, 120, "rao_wu", seed, "mean"), group=base.stages[0].group),
        "few": lambda: bootstrap(base, 9, "rao_wu", 1, "mean"),
        "brr": lambda: balanced(base, 0.3, "mean"),
    }[kind]()
    units = np.random.default_rng(seed).permutation(ours.units)[:size]
    by_rank = replace(ours, group=None)
    assert ours.domain_df(units) == by_rank.domain_df(units)
    answered = np.random.default_rng(seed).random((size, 3)) < 0.7
    assert ours.domain_dfs(units, answered).tolist() == [ours.domain_df(units[column]) for column in answered.T]
    assert by_rank.domain_dfs(units, answered).tolist() == ours.domain_dfs(units, answered).tolist()
    assert by_rank.df == np.linalg.matrix_rank(ours.multiplier) - 1


@pytest.mark.parametrize("policy", ["remove", "adjust", "average"])
def test_df_with_a_lone_psu_is_the_rank_less_one(policy: str) -> None:
    base = sample(6, 6, 4, 60)
    lone = SurveyDesign(np.append(base.weight, 2.0), np.append(base.stratum, 9), np.append(base.psu, 99))
    object.__setattr__(lone, "lone_psu", policy)
    ours = jackknife(lone, "mean")
    assert ours.df == np.linalg.matrix_rank(ours.multiplier) - 1 == (19 if policy == "adjust" else 18)


def test_ranks_that_are_much_work_follow_the_domain_and_the_units_left(monkeypatch: pytest.MonkeyPatch) -> None:
    base = sample(6, 6, 4, 400)
    weight, cell = base.weight, np.random.default_rng(1).integers(3, size=400)
    target = np.bincount(cell, weights=weight) * [1.1, 1.2, 0.8]
    after = weight * np.array([1.1, 1.2, 0.8])[cell]
    made = jackknife(base, "mean")
    ours = recalibrated(made, cell, np.eye(3), weight, after, lambda by_cell: target / by_cell)
    units = np.flatnonzero(np.random.default_rng(2).random(ours.units) < 0.7)
    answered = np.column_stack([np.ones(len(units), bool), np.arange(len(units)) < 7, np.zeros(len(units), bool)])
    exact = [np.linalg.matrix_rank(ours.multiplier[units[column]]) - 1 for column in answered.T]
    assert ours.domain_dfs(units, answered).tolist() == exact
    monkeypatch.setattr(replicate_weights, "WORK", 0)
    assert ours.domain_dfs(units, answered).tolist() == [exact[0], 6, -1]
    monkeypatch.setattr(replicate_weights, "MANY", 5)
    assert ours.domain_dfs(units, answered).tolist() == [ours.df, 6, -1]


# ---- deviations
def test_deviations_leave_out_replicates_without_an_estimate_and_centre_on_those_that_count() -> None:
    theta, rscales = np.array([[1.0], [np.nan], [3.0], [8.0]]), np.array([1.0, 1.0, 0.5, 0.0])
    ours = Replicates("", np.arange(1), Dense(np.ones((1, 4))), 2.0, rscales, "mean")
    assert ours.deviations(theta, np.array([9.0])).ravel() == pytest.approx([-np.sqrt(2), 0, 1, 0])
    around = Replicates("", np.arange(1), Dense(np.ones((1, 4))), 2.0, rscales, "estimate")
    assert around.deviations(theta, np.array([2.0])).ravel() == pytest.approx([-np.sqrt(2), 0, 1, 0])
    assert np.isnan(ours.deviations(np.full((4, 1), np.nan), np.zeros(1))).all()


# ---- brought by the user
@pytest.mark.parametrize("given", ["weights", "multipliers"])
@pytest.mark.parametrize("kind", ["jackknife", "bootstrap", "brr"])
def test_replicates_written_out_and_read_back_are_the_same(kind: str, given: str) -> None:
    base = sample(6, 6, 4, 200)
    ours = replicate(base, kind, replicates=50, seed=1)
    made = ours.replicates
    columns = made.multiplier[made.unit] * (base.weight[:, None] if given == "weights" else 1)
    back = replicate_design(base.weight, pd.DataFrame(columns), made.scale, made.rscales, given=given)
    found = back.replicates
    assert (found.df, found.count, found.centre) == (made.df, made.count, "mean")
    assert found.units <= made.units
    assert found.multiplier[found.unit] == pytest.approx(made.multiplier[made.unit], rel=1e-12)


def test_rounded_replicate_weights_are_taken_as_they_are() -> None:
    base = sample(6, 6, 4, 200)
    columns = np.round(base.weight[:, None] * np.random.default_rng(1).random((200, 8)), 3)
    found = replicate_design(base.weight, columns, 1 / 8).replicates
    assert np.array_equal(
        found.multiplier[found.unit] * base.weight[:, None], columns / base.weight[:, None] * base.weight[:, None]
    )


def test_df_given_with_the_weights_is_kept() -> None:
    columns = np.random.default_rng(1).random((30, 8))
    assert replicate_design(np.ones(30), columns, 1 / 8, df=5).replicates.df == 5
    assert replicate_design(np.ones(30), columns, 1 / 8).replicates.df == 7


# ---- calibrated
@pytest.mark.parametrize("kind", ["jackknife", "rao_wu"])
def test_every_replicate_meets_the_totals_and_two_calibrations_go_one_after_the_other(kind: str) -> None:
    base, rng = sample(6, 6, 4, 400), np.random.default_rng(1)
    ours, weight = jackknife(base, "mean") if kind == "jackknife" else bootstrap(base, 30, kind, 1, "mean"), base.weight
    before = ours.df
    for cells, seed in ((3, 1), (2, 2)):
        cell = np.random.default_rng(seed).integers(cells, size=base.n)
        target = rng.uniform(500, 900, cells)
        after = weight * (target / np.bincount(cell, weights=weight))[cell]
        ours = recalibrated(ours, cell, np.eye(cells), weight, after, lambda by_cell, target=target: target / by_cell)
        for r in range(ours.count):
            assert np.bincount(cell, weights=ours.weights(r, after)) == pytest.approx(target)
        weight = after
    values = rng.normal(size=(ours.units, 2))
    assert ours.sums(values) == pytest.approx(ours.multiplier.T @ values)
    rank = np.linalg.matrix_rank(ours.multiplier) - 1  # of 30 bootstraps of 24 units it counts what is no information
    assert ours.df == (rank if kind == "jackknife" else before)


def test_a_replicate_that_cannot_meet_the_totals_is_named() -> None:
    base = sample(6, 6, 4, 60)
    ours = jackknife(base, "mean")
    cell = np.where(ours.unit == 3, 1, 0)

    def factor_of(weight: np.ndarray) -> np.ndarray:
        if weight[1] == 0:
            raise AnalysisError(replicate_weights.Problem("cell 1 is empty", "cells", "join it"))
        return np.ones(2)

    with pytest.raises(AnalysisError, match="replicate 4: cell 1 is empty"):
        recalibrated(ours, cell, np.eye(2), base.weight, base.weight, factor_of)


# ---- refused
@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"method": "jack"}, "no method 'jack'"),
        ({"method": "bootstrap", "kind": "bayes"}, "no kind 'bayes'"),
        ({"method": "jackknife", "centre": "median"}, "no centre 'median'"),
        ({"method": "bootstrap", "replicates": 1}, "1 replicates"),
        ({"method": "bootstrap", "replicates": 2.5}, "2.5 replicates"),
        ({"method": "fay", "rho": 1.0}, "rho is 1.0"),
        ({"method": "fay", "rho": -0.1}, "rho is -0.1"),
        ({"method": "brr", "rho": 0.3}, "method 'brr' has no rho"),
    ],
)
def test_options_out_of_range_are_refused(options: dict, word: str) -> None:
    with pytest.raises(AnalysisError, match=re.escape(word)):
        replicate(sample(1, 5, 4, 60), **options)


def test_a_design_with_replicates_or_calibrated_weights_is_refused() -> None:
    base = sample(1, 5, 4, 60)
    with pytest.raises(AnalysisError, match=r"replicates already: jackknife \(JKn\)"):
        replicate(replicate(base, "jackknife"), "bootstrap")
    with pytest.raises(AnalysisError, match="been through post-stratification"):
        replicate(post_stratify(base, base.stratum, {i: 90.0 for i in range(5)}), "jackknife")


@pytest.mark.parametrize("method", ["jackknife", "bootstrap"])
def test_a_lone_psu_is_refused_by_the_name_of_its_stratum(method: str) -> None:
    frame = data("lone.csv")
    with pytest.raises(AnalysisError, match="h4"):
        replicate(SurveyDesign(frame["w"], frame["stratum"], frame["psu"]), method)


def test_balanced_halves_name_the_strata_with_an_odd_number_of_psus() -> None:
    with pytest.raises(AnalysisError, match=r"odd number of PSUs.*h2 \(5\), h3 \(3\)"):
        replicate(design("replicates", "small"), "brr")


def test_a_stratum_of_four_psus_is_two_pairs() -> None:
    ours = balanced(sample(1, 5, 4, 60), 0.0, "mean").multiplier
    assert (ours[0::2] + ours[1::2] == 2).all()
    assert not (ours[0] + ours[2] == 2).all()


def test_a_census_and_one_psu_have_nothing_to_replicate() -> None:
    base = sample(1, 5, 4, 60)
    with pytest.raises(AnalysisError, match="nothing to replicate"):
        replicate(SurveyDesign(base.weight, base.stratum, base.psu, np.full(base.n, 4)), "jackknife")
    for method in ("jackknife", "bootstrap"):
        with pytest.raises(AnalysisError, match="one PSU"):
            replicate(SurveyDesign([1.0, 2.0], psu=["a", "a"]), method)


@pytest.mark.parametrize(
    ("changed", "word"),
    [
        ({"replicate_weights": np.ones((4, 3))}, "shape (4, 3)"),
        ({"replicate_weights": np.ones(5)}, "shape (5,)"),
        ({"replicate_weights": np.full((5, 3), np.nan)}, "15 replicate weights are missing"),
        ({"replicate_weights": [["a", 1.0]] * 5}, "'a' is not a number"),
        ({"scale": 0.0}, "scale is 0.0"),
        ({"rscales": [1.0, 1.0]}, "rscales have shape (2,)"),
        ({"rscales": [1.0, 1.0, -1.0]}, "rscales are not all numbers ≥ 0"),
        ({"df": 0}, "df is 0"),
        ({"centre": "median"}, "no centre 'median'"),
        ({"given": "combined"}, "nothing is given as 'combined'"),
        ({"weight": [1.0, 1, 1, 1, 0]}, "not positive"),
    ],
)
def test_replicate_weights_that_contradict_themselves_are_refused(changed: dict, word: str) -> None:
    sound = {"weight": np.ones(5), "replicate_weights": np.random.default_rng(1).random((5, 3)), "scale": 0.5}
    assert replicate_design(**sound).replicates.count == 3
    with pytest.raises(AnalysisError, match=re.escape(word)):
        replicate_design(**(sound | changed))


def test_a_matrix_too_large_to_write_out_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(replicate_weights, "_LARGEST", 399)
    with pytest.raises(AnalysisError, match="20 units × 20 replicates"):
        jackknife(sample(1, 5, 4, 60), "mean").multiplier  # noqa: B018
