"""Every estimator on replicate designs against R 4.2.2, survey 4.1-1, on the data of tests/golden.

    jkn <- as.svrepdesign(svydesign(ids=~psu, strata=~stratum, weights=~w, data=small), type="JKn", mse=MSE)
    svyquantile(~time_min, jkn, c(.25, .5, .9)); svyquantile(~time_min, subset(jkn, sex == "female"), .5)
    svyglm(time_min ~ sex + q01, jkn); svyglm(time_min ~ q01, subset(jkn, sex == "female"))
    svyglm(back ~ sex + time_min, jkn, family = quasibinomial, epsilon = 1e-14, maxit = 100)   # back: came_back == 1
    svychisq(~sex + back, jkn, statistic = "F"); svyttest(time_min ~ sex, jkn)$statistic
Lone PSUs: options(survey.lonely.psu = POLICY), lone.csv, v = q01 with 0 for missing, fpc 1 in h4 where it is certain.
"""

import numpy as np
import pytest

import analysis
from analysis import SurveyDesign
from analysis.replication.replicates import replicate
from tests.golden_designs import data, design

CENTRES = ("mean", "estimate")
REGRESSIONS = {  # formula, family, rows: coefficients, SE by centre, residual df
    ("time_min ~ sex + q01", "gaussian", "all"): (
        [14.4647573015014, -0.07730694565837896, -0.06551948966001074],
        {
            "mean": [3.917878008415743, 1.259519551668278, 0.9269632942892315],
            "estimate": [3.917872834333506, 1.259523142869205, 0.9269660803800046],
        },
        15,
    ),
    ("back ~ sex + time_min", "binomial", "all"): (
        [-1.121143937520867, -0.4312240167718434, 0.006371058262752725],
        {
            "mean": [0.2801860172106144, 0.414175974815437, 0.01609362446932204],
            "estimate": [0.280186072142266, 0.4142033475353907, 0.01609435475580911],
        },
        15,
    ),
    ("time_min ~ q01", "gaussian", "female"): (
        [12.52735357233422, 0.3831374020388756],
        {"mean": [6.787148868915865, 1.604145284718716], "estimate": [6.789530912680021, 1.604746102032662]},
        16,
    ),
}
LONE = {  # policy, centre: SE of mean and total, df; SE of the mean in the domain dom = a, its df
    ("remove", "mean"): (0.10708467947628741, 1802.5026308371484, 12, 0.11241388440473224, 11),
    ("remove", "estimate"): (0.10709564305158537, 1802.5026308371484, 12, 0.11242524446022094, 11),
    ("adjust", "mean"): (0.10723073732209995, 2880.1161057816967, 13, 0.11358733357643223, 12),
    ("adjust", "estimate"): (0.10727429635603082, 2938.9932768781632, 13, 0.11374078604739868, 12),
    ("average", "mean"): (0.11018922612373407, 1854.7599054253253, 12, 0.11567293275471072, 11),
    ("average", "estimate"): (0.11020050754964428, 1854.7599054253253, 12, 0.11568462215537142, 11),
}


def jkn(centre: str) -> SurveyDesign:
    return replicate(design("replicates", "small"), "jackknife", centre=centre)


@pytest.mark.parametrize("centre", CENTRES)
def test_quantiles(centre: str) -> None:
    y, sex = data("small.csv")["time_min"], data("small.csv")["sex"]
    found = analysis.quantile(jkn(centre), y, [0.25, 0.5, 0.9], df="design")
    assert found.value[0] == pytest.approx([8.5, 12.0, 24.7], rel=1e-12)
    assert found.ci_low[0] == pytest.approx([7.8, 11.0, 22.3], rel=1e-12)
    assert found.ci_high[0] == pytest.approx([9.1, 12.9, 26.5], rel=1e-12)
    assert found.se[0] == pytest.approx([0.3080837997544411, 0.4502763227180294, 0.9953476607451174], rel=1e-8)
    female = analysis.quantile(jkn(centre), y, 0.5, by=sex)["female", "time_min"]
    assert (female.value, female.ci_low, female.ci_high) == pytest.approx((12.1, 10.8, 13.9), rel=1e-12)
    assert female.se == pytest.approx(0.7346613686452057, rel=1e-8)


@pytest.mark.parametrize("centre", CENTRES)
@pytest.mark.parametrize("of", REGRESSIONS)
def test_regressions_are_fitted_anew_in_every_replicate(of: tuple[str, str, str], centre: str) -> None:
    formula, family, rows = of
    frame = data("small.csv").assign(back=lambda f: np.where(f["came_back"].isna(), np.nan, f["came_back"] == 1))
    if rows == "female":
        frame["time_min"] = frame["time_min"].where(frame["sex"] == "female")
    value, se, df = REGRESSIONS[of]
    found = analysis.regress(jkn(centre), formula, frame, family=family)
    assert found.value.ravel() == pytest.approx(value, rel=1e-8)
    assert found.se.ravel() == pytest.approx(se[centre], rel=1e-8)
    assert (found.df == df).all()


@pytest.mark.parametrize(
    ("centre", "f", "t"),
    [
        ("mean", 1.126247521970486, 0.05879330929747011),
        ("estimate", 1.126238441800719, 0.05879327235762501),
    ],
)
def test_independence_and_differences(centre: str, f: float, t: float) -> None:
    frame = data("small.csv")
    back = np.where(frame["came_back"].isna(), np.nan, frame["came_back"] == 1)
    found = analysis.test_independence(jkn(centre), frame["sex"], back)
    assert found.statistic == pytest.approx(f, rel=1e-8)
    by_sex = analysis.mean(jkn(centre), frame["time_min"], by=frame["sex"])
    difference = analysis.contrast(by_sex, {"male - female": {"male": 1, "female": -1}})
    assert difference.single.value / difference.single.se == pytest.approx(t, rel=1e-8)


@pytest.mark.parametrize(("policy", "centre"), LONE)
def test_lone_psus_are_treated_by_the_policy_of_the_design(policy: str, centre: str) -> None:
    frame, (se_mean, se_total, df, se_domain, df_domain) = data("lone.csv"), LONE[policy, centre]
    base = SurveyDesign(frame["w"], frame["stratum"], frame["psu"], lone_psu=policy)
    here, v = replicate(base, "jackknife", centre=centre), frame["q01"].fillna(0)
    assert (here.replicates.df, analysis.mean(here, v).single.df) == (df, df)
    assert analysis.mean(here, v).single.se == pytest.approx(se_mean, rel=1e-8)
    assert analysis.total(here, v).single.se == pytest.approx(se_total, rel=1e-8)
    domain = analysis.mean(here, v, by=frame["dom"])["a", "q01"]
    assert (domain.se, domain.df) == (pytest.approx(se_domain, rel=1e-8), df_domain)


def test_a_lone_psu_that_is_all_there_is_gets_no_replicate() -> None:
    """Under "average" R scales the others up even so; here only PSUs without a variance count as the average."""
    frame = data("lone.csv")
    fpc, v = np.where(frame["stratum"] == "h4", 1, frame["fpc"]), frame["q01"].fillna(0)
    for policy in ("fail", "remove", "adjust", "average"):
        here = replicate(SurveyDesign(frame["w"], frame["stratum"], frame["psu"], fpc, lone_psu=policy), "jackknife")
        assert analysis.mean(here, v).single.se == pytest.approx(0.089019054929363475, rel=1e-8)
        assert analysis.total(here, v).single.se == pytest.approx(1507.2108813610705, rel=1e-8)


def test_strata_of_six_psus_are_halved_in_pairs() -> None:
    """R: as.svrepdesign(type="BRR") of the first six PSUs of each stratum of counter.csv; SE of mean(v), of v/w."""
    frame = data("counter.csv")
    first = frame.groupby("stratum")["psu"].transform(lambda psu: psu.isin(psu.drop_duplicates()[:6]))
    frame = frame[first.astype(bool)]
    here = replicate(SurveyDesign(frame["w"], frame["stratum"], frame["psu"], nest=True), "brr")
    v = frame["q01"].fillna(0)
    assert (here.replicates.count, here.replicates.df) == (16, 12)
    assert analysis.mean(here, v).single.se == pytest.approx(0.096868654302571175, rel=1e-8)
    assert analysis.ratio(here, v, frame["w"]).single.se == pytest.approx(0.013523780200304069, rel=1e-8)
