"""Differences of domains, waves and measures; many comparisons at once."""

from dataclasses import fields
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import studentized_range, t
from statsmodels.stats.multitest import multipletests

import analysis
from analysis import AnalysisError, Estimates, SurveyDesign, compare, contrast, mean, pairwise
from analysis.comparison.multiplicity import critical_values
from tests.textbook import Sample, draw


def made(sample: Sample, **options: Any) -> SurveyDesign:
    return SurveyDesign(sample.weight, stratum=sample.stratum, psu=sample.psu, **options)


def second(sample: Sample, seed: int, shared: float = 1.0) -> Sample:
    """A later wave in the same PSUs, or in part of them, the others being new."""
    other = draw(seed)
    names = np.unique(other.psu)
    new = {name for i, name in enumerate(names) if i % 5 >= 5 * shared}
    psu = np.array([f"{name}new" if name in new else name for name in other.psu])
    return Sample(other.weight, other.stratum, psu, other.domain, other.group, other.answers)


def stacked(a: Sample, b: Sample) -> tuple[SurveyDesign, np.ndarray, np.ndarray]:
    """Both waves as one design, what R's rbind would make: its wave is a domain."""
    both = [np.concatenate([getattr(a, name), getattr(b, name)]) for name in ("weight", "stratum", "psu")]
    wave = np.repeat(["1", "2"], [len(a.weight), len(b.weight)])
    return SurveyDesign(both[0], stratum=both[1], psu=both[2]), np.concatenate([a.y, b.y]), wave


@given(seed=st.integers(0, 10_000), shared=st.sampled_from([0.2, 0.6, 1.0]))
@settings(max_examples=15, deadline=None)
def test_waves_that_share_psus_are_domains_of_one_design(seed: int, shared: float) -> None:
    a, b = draw(seed), second(draw(seed), seed + 1, shared)
    found = compare(mean(made(a), a.y), mean(made(b), b.y))
    design, y, wave = stacked(a, b)
    whole = pairwise(mean(design, y, by=wave))
    for name in ("value", "se", "df", "ci_low", "ci_high", "t", "p_value", "n"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name), rel=1e-10), name


def test_fpc_is_kept_where_waves_share_psus() -> None:
    a, b = draw(1), second(draw(1), 2)
    one, other = (mean(made(s, fpc=np.full(len(s.y), 40)), s.y) for s in (a, b))
    design, y, wave = stacked(a, b)
    design = SurveyDesign(design.weight, stratum=design.stratum, psu=design.psu, fpc=np.full(design.n, 40))
    assert compare(one, other).se == pytest.approx(pairwise(mean(design, y, by=wave)).se, rel=1e-10)


def test_two_stages_with_fpc_are_united_stage_by_stage() -> None:
    rng = np.random.default_rng(1)
    frames = []
    for wave in (1, 2):
        commune = np.repeat(np.arange(10), 12)
        village = commune * 100 + np.repeat(np.tile(rng.permutation(4)[:3], 10), 4)  # three of four, some in both waves
        many = {"stratum": commune // 5, "commune": commune, "village": village, "n1": 20.0, "n2": 9.0, "wave": wave}
        frames.append(pd.DataFrame(many | {"w": rng.uniform(1, 3, 120), "y": rng.normal(size=120) + commune / 5}))

    def of(frame: pd.DataFrame) -> SurveyDesign:
        stages = {"psu": [frame["commune"], frame["village"]], "fpc": [frame["n1"], frame["n2"]]}
        return SurveyDesign(frame["w"], stratum=frame["stratum"], **stages)

    found = compare(*(mean(of(frame), frame["y"]) for frame in frames))
    both = pd.concat(frames, ignore_index=True)
    whole = pairwise(mean(of(both), both["y"], by=both["wave"]))
    assert found.single.se == pytest.approx(whole.single.se, rel=1e-12) and found.single.df == whole.single.df


def test_an_fpc_that_only_one_wave_has_is_refused() -> None:
    a, b = draw(1), draw(2)
    with pytest.raises(AnalysisError, match="one of them has an fpc"):
        compare(mean(made(a, fpc=np.full(len(a.y), 40)), a.y), mean(made(b), b.y))


def test_waves_without_a_common_psu_are_independent() -> None:
    a, b = draw(3), draw(4)
    later = Sample(b.weight, b.stratum, np.char.add("later ", b.psu), b.domain, b.group, b.answers)
    one, other = mean(made(a), a.y, by=a.domain), mean(made(later), later.y, by=later.domain)
    found = compare(one, other)
    assert np.allclose(found.se**2, one.se**2 + other.se**2, rtol=1e-12)
    assert (found.df == one.df + other.df).all() and (found.n == one.n + other.n).all()
    assert found.domains == ("a", "b", "c")
    assert np.allclose(np.diag(found.covariance), found.se.ravel() ** 2, rtol=1e-12)


def test_labels_that_mean_other_units_can_be_said_to() -> None:
    a, b = draw(3), draw(4)  # the same labels
    one, other = mean(made(a), a.y), mean(made(b), b.y)
    apart = compare(one, other, overlap="none")
    assert apart.single.se**2 == pytest.approx(one.single.se**2 + other.single.se**2, rel=1e-12)
    assert compare(one, other).single.se != pytest.approx(apart.single.se, rel=1e-3)


def test_a_calibration_is_compared_with_its_own_design() -> None:
    sample = draw(5, missing=0)
    design = made(sample)
    same = analysis.post_stratify(
        design, sample.group, {g: float(sample.weight[sample.group == g].sum()) for g in ("x", "y")}
    )
    found = compare(mean(design, sample.y), mean(same, sample.y))
    assert found.single.value == pytest.approx(0, abs=1e-12) and found.single.se > 1e-4  # residuals differ
    assert found.single.n == len(sample.y)


def test_calibrated_waves_keep_their_own_residuals() -> None:
    a, b = draw(6, missing=0), draw(7, missing=0)
    designs = [analysis.post_stratify(made(s), s.group, {"x": 700.0, "y": 500.0}) for s in (a, b)]
    totals = [analysis.total(d, np.ones(d.n), by=s.group) for d, s in zip(designs, (a, b), strict=True)]
    assert compare(*totals).se == pytest.approx(0, abs=1e-9)


def test_two_measures_of_one_sample_covary() -> None:
    sample = draw(8)
    y = {"q1": sample.answers["q1"], "q2": sample.answers["q2"]}
    both = mean(made(sample), y)
    found = compare(mean(made(sample), {"q1": y["q1"]}), mean(made(sample), {"q2": y["q2"]}))
    assert found.variables == (("q1", "q2"),)
    direct = contrast(both, {"x": {"q1": 1, "q2": -1}})
    assert found.single.se == pytest.approx(direct.single.se, rel=1e-10)


def test_a_change_of_a_difference_is_a_contrast_of_differences() -> None:
    a, b = draw(9), second(draw(9), 10)
    changes = compare(mean(made(a), a.y, by=a.domain), mean(made(b), b.y, by=b.domain))
    found = contrast(changes, {"more in a": {"a": 1, "b": -1}})
    design, y, wave = stacked(a, b)
    field = np.concatenate([a.domain, b.domain])
    whole = mean(design, y, by=[wave, field])
    direct = contrast(whole, {"x": {("1", "a"): 1, ("1", "b"): -1, ("2", "a"): -1, ("2", "b"): 1}})
    assert found.single.se == pytest.approx(direct.single.se, rel=1e-10)
    assert found.single.df == direct.single.df


def test_replicate_designs_of_one_sample_and_of_two() -> None:
    sample, other = draw(11), draw(12)
    design = analysis.replicate(made(sample), "jackknife")
    one, two = mean(design, sample.answers["q1"]), mean(design, sample.answers["q2"])
    both = mean(design, {"q1": sample.answers["q1"], "q2": sample.answers["q2"]})
    difference = contrast(both, {"x": {"q1": 1, "q2": -1}})
    assert compare(one, two).single.se == pytest.approx(difference.single.se, rel=1e-12)
    with pytest.raises(AnalysisError, match="not drawn together"):
        compare(one, mean(analysis.replicate(made(other), "jackknife"), other.y))


def test_pairs_are_all_pairs_and_each_is_a_contrast() -> None:
    sample = draw(13)
    one = mean(made(sample), {"q1": sample.y, "q2": sample.answers["q2"]}, by=sample.domain)
    found = pairwise(one)
    assert found.domains == (("a", "b"), ("a", "c"), ("b", "c")) and found.variables == ("q1", "q2")
    direct = contrast(one, [[1, 0, -1]])
    assert found[("a", "c"), "q2"].se == pytest.approx(direct.se[0, 1], rel=1e-12)
    assert found[("a", "c"), "q2"].df == direct.df[0, 1]
    against = pairwise(one, reference="b")
    assert against.domains == (("a", "b"), ("c", "b"))
    assert against.value[1] == pytest.approx(-found.value[2]) and against.se[1] == pytest.approx(found.se[2], rel=1e-12)


def test_many_pairs_take_the_same_way_as_few() -> None:
    """With more pairs than domains the variances come from the covariance of the domains."""
    sample = draw(14, strata=6, psus=8)
    many = mean(made(sample), sample.y, by=np.random.default_rng(1).integers(0, 12, len(sample.y)))
    found = pairwise(many)
    assert len(found.domains) == 66
    one = contrast(many, {"x": {3: 1, 7: -1}})
    assert found[(3, 7), "y"].se == pytest.approx(one.single.se, rel=1e-11)
    assert found.covariance.shape == (66, 66)


def test_tests_are_student_s_and_adjusted_within_a_variable() -> None:
    sample = draw(15)
    one = mean(made(sample), {"q1": sample.y, "q2": sample.answers["q2"]}, by=sample.domain)
    found = pairwise(one, adjust="holm")
    assert found.p_value == pytest.approx(2 * t.sf(np.abs(found.value / found.se), found.df))
    for j in range(2):
        assert found.p_adjusted[:, j] == pytest.approx(multipletests(found.p_value[:, j], method="holm")[1])
    rates = pairwise(one, adjust="bh")
    assert rates.p_adjusted[:, 0] == pytest.approx(multipletests(rates.p_value[:, 0], method="fdr_bh")[1])
    assert (pairwise(one).p_adjusted == pairwise(one).p_value).all()
    assert pairwise(one, null=5.0).t == pytest.approx((found.value - 5) / found.se)
    assert list(found.frame().columns[5:10]) == ["ci_high", "df", "t", "p_value", "p_adjusted"]


def test_where_nothing_varies_there_is_no_test() -> None:
    sample = draw(16, missing=0)
    y = np.where(sample.domain == "a", 1.0, np.where(sample.domain == "b", 0.0, sample.y))
    found = pairwise(mean(made(sample), y, by=sample.domain), adjust="holm")
    assert found.se[0, 0] == 0 and found.flags[0, 0] == ("se_zero",)
    assert np.isnan(found.t[0, 0]) and np.isnan(found.p_value[0, 0]) and np.isnan(found.p_adjusted[0, 0])
    assert np.isfinite(found.p_adjusted[1:, 0]).all()


@pytest.mark.parametrize("groups, df", [(3, 10), (6, 20), (12, 60)])
def test_max_t_of_balanced_groups_is_tukey_s(groups: int, df: int) -> None:
    i, j = np.triu_indices(groups, 1)
    pairs = np.eye(groups)[i] - np.eye(groups)[j]
    found = critical_values("max_t", 0.95, np.full(len(i), float(df)), pairs @ pairs.T)
    assert found == pytest.approx(studentized_range.ppf(0.95, groups, df) / np.sqrt(2), abs=2e-3)
    mixed = np.full(len(i), float(df))
    mixed[0] += 1e-6
    several = critical_values("max_t", 0.95, mixed, pairs @ pairs.T)
    assert several == pytest.approx(found, abs=1e-2)


def test_simultaneous_intervals_are_ordered_as_theory_says() -> None:
    sample = draw(17)
    one = mean(made(sample), sample.y, by=sample.domain)
    width = {word: pairwise(one, simultaneous=word) for word in ("none", "max_t", "bonferroni", "scheffe")}
    half = {word: (found.ci_high - found.value)[0, 0] / found.se[0, 0] for word, found in width.items()}
    assert half["none"] < half["max_t"] < half["bonferroni"] and half["max_t"] < half["scheffe"]
    assert half["none"] == pytest.approx(t.ppf(0.975, 16)) and half["bonferroni"] == pytest.approx(
        t.ppf(1 - 0.025 / 3, 16)
    )
    assert width["max_t"].interval == ("max_t",)


def test_simultaneous_intervals_hold_together() -> None:
    """In 2,000 draws of correlated t statistics max_t leaves none out in 95 %."""
    rng = np.random.default_rng(3)
    root = rng.normal(size=(8, 3))
    reach = critical_values("max_t", 0.95, np.full(8, 12.0), root @ root.T)
    z = rng.normal(size=(200_000, 3)) @ (root / np.linalg.norm(root, axis=1)[:, None]).T
    statistic = np.abs(z / np.sqrt(rng.chisquare(12, 200_000) / 12)[:, None])
    assert (statistic < reach).all(axis=1).mean() == pytest.approx(0.95, abs=0.002)


def pair() -> tuple[Estimates, Estimates]:
    sample = draw(18)
    one = mean(made(sample), {"q1": sample.y}, by=sample.domain)
    return one, mean(made(sample), {"q9": sample.y}, by=sample.group)


def test_nothing_in_common_is_refused_and_names_both() -> None:
    with pytest.raises(AnalysisError, match="no domain in common") as caught:
        compare(*pair())
    assert "no variable in common" in str(caught.value) and "'x'" in str(caught.value)


def test_numbers_alone_cannot_be_compared() -> None:
    one, _ = pair()
    with pytest.raises(AnalysisError, match="pairwise"):
        compare(one["a", "q1"], one["b", "q1"])  # type: ignore[arg-type]


@pytest.mark.parametrize("options", [{"adjust": "tukey"}, {"simultaneous": "t"}, {"overlap": "psu"}, {"level": 2}])
def test_unknown_words_are_refused(options: dict[str, Any]) -> None:
    one, _ = pair()
    with pytest.raises(AnalysisError):
        compare(one, one, **options)


def test_a_domain_alone_has_no_pairs_and_an_unknown_reference_is_named() -> None:
    sample = draw(19)
    with pytest.raises(AnalysisError, match="nothing to compare"):
        pairwise(mean(made(sample), sample.y))
    with pytest.raises(AnalysisError, match="'z'"):
        pairwise(pair()[0], reference="z")


def test_differences_are_estimates() -> None:
    one, _ = pair()
    found = pairwise(one)
    assert isinstance(found, Estimates)
    assert {field.name for field in fields(Estimates)} < {field.name for field in fields(found)}
    with pytest.raises(AttributeError):
        found.null = 1.0  # type: ignore[misc]
