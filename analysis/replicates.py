"""Replicate weights through the door: made from a design, brought by the user, kept when weights are calibrated.

Public: replicate, replicate_design, recalibrated, Replicates.
"""

from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.replicate_weights import Centre, Replicates
from analysis.resampling import Bootstrap, balanced, bootstrap, jackknife

FloatArray = NDArray[np.float64]
Method = Literal["jackknife", "brr", "fay", "bootstrap"]

__all__ = ["Replicates", "replicate"]


def replicate(
    design: SurveyDesign,
    method: Method,
    replicates: int = 500,
    rho: float = 0.0,
    seed: int | None = None,
    centre: Centre = "mean",
    kind: Bootstrap = "rao_wu",
) -> SurveyDesign:
    """Give a design replicate weights; every estimator then takes its variance from them.

    Parameters
    ----------
    design : SurveyDesign, not yet calibrated: calibrate after, and every replicate is calibrated to the same totals
    method : "jackknife": leave one PSU out, JKn with strata and JK1 without; "brr": balanced halves of two PSUs a
        stratum; "fay": the same with rho left of the weight of the other half; "bootstrap"
    replicates : how many, for the bootstrap, at least 2
    rho : Fay's coefficient, 0 ≤ rho < 1
    seed : of the random numbers of the bootstrap; None: another one each time
    centre : replicates deviate from their own "mean" or from the "estimate" (R's mse=TRUE)
    kind : of bootstrap. "rao_wu": n − 1 of the n PSUs of a stratum, rescaled; no fpc. "canty_davison": n of n from the
        stratum rebuilt to its population's size, first stage, right when strata hold about as many PSUs.
        "preston": halves at every stage, with the fpc of every stage.

    Returns
    -------
    SurveyDesign with `replicates`; df = rank of the replicate weights − 1 = PSUs − strata (bootstrap: less when there
    are fewer replicates)

    Raises
    ------
    AnalysisError
        naming strata with one PSU (unless the design's `lone_psu` treats them) or, for balanced halves, with an odd
        number; for a design that has been calibrated; for rho or replicates out of range.

    Notes
    -----
    variance = scale Σ_r rscales_r (θ_r − c)², with the scales of R's `as.svrepdesign`: jackknife (1 − f)(n − 1)/n,
    balanced halves 1/(R (1 − rho)²), bootstrap 1/(R − 1). The jackknife and the Canty–Davison bootstrap use the fpc of
    the first stage, Preston's that of all, the others none.

    References
    ----------
    Rao, J. N. K., Wu, C. F. J. and Yue, K. (1992). Some recent work on resampling methods for complex surveys. Survey
    Methodology 18, 209–217. Judkins, D. R. (1990). Fay's method for variance estimation. Journal of Official
    Statistics 6, 223–239. Preston, J. (2009). Rescaled bootstrap for stratified multistage sampling. Survey
    Methodology 35, 227–234. Wolter, K. M. (2007). Introduction to Variance Estimation.
    https://doi.org/10.1007/978-0-387-35099-8
    """
    _check(design, method, replicates, rho, centre, kind)
    if method == "jackknife":
        made = jackknife(design, centre)
    elif method == "bootstrap":
        made = bootstrap(design, replicates, kind, seed, centre)
    else:
        made = balanced(design, rho if method == "fay" else 0.0, centre)
    return design.with_replicates(made)


def _check(design: SurveyDesign, method: str, replicates: int, rho: float, centre: str, kind: str) -> None:
    problems = []
    for name, word, known in (
        ("method", method, get_args(Method)),
        ("centre", centre, get_args(Centre)),
        ("kind", kind, get_args(Bootstrap)),
    ):
        if word not in known:
            problems.append(Problem(f"there is no {name} {word!r}", name, f"choose one of {', '.join(known)}"))
    if design.steps:
        problems.append(
            Problem(
                f"the weights have been through {design.steps[-1].method}",
                "design",
                "make the replicates first and calibrate after: each replicate is then calibrated to the same totals",
            )
        )
    if method == "bootstrap" and not (isinstance(replicates, (int, np.integer)) and replicates >= 2):
        problems.append(Problem(f"{replicates!r} replicates", "replicates", "give a whole number, at least 2"))
    if not 0 <= rho < 1:
        problems.append(Problem(f"rho is {rho!r}", "rho", "give a number from 0 up to, but not, 1"))
    if problems:
        raise AnalysisError(problems)
