"""Which replicates a sampling design gives: jackknife, balanced halves, bootstraps.

Public: jackknife, balanced, bootstrap. Each returns Replicates and leaves the weights alone.
"""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.labels import IntArray, compact
from analysis.replication.hadamard import hadamard
from analysis.replication.replicate_weights import WORK, Centre, Dense, LeaveOneOut, Replicates
from analysis.stages import Stage

FloatArray = NDArray[np.float64]
Bootstrap = Literal["rao_wu", "canty_davison", "preston"]

ENOUGH = (
    200  # replicates whose draws are as good as independent: their rank is that of the strata, at most their number
)

_DRAWS = 1 << 15  # units drawn at a time in all replicates together: they stay in the cache


# ---- jackknife
def jackknife(design: SurveyDesign, centre: Centre) -> Replicates:
    """JKn of a stratified design, JK1 of an unstratified one; finite population corrections go into the scales.

    A stratum of which every PSU was sampled gets no replicate. A lone PSU gets none either ("remove"; "average" scales
    the rest up), or one that leaves it out and raises all others ("adjust").
    """
    stage = design.stages[0]
    count = stage.count.astype(np.float64)
    lone = _lone(design, stage, ("remove", "adjust", "average"))
    rscale = np.where(lone, 0.0, stage.scale * ((count - 1) / count) ** 2)
    if not (rscale > 0).any():
        raise AnalysisError(
            Problem(
                "every stratum was sampled completely: there is nothing to replicate", "fpc", "use the design itself"
            )
        )
    policy: str = design.lone_psu
    adjust = lone & (policy == "adjust")
    left = np.flatnonzero((rscale > 0)[stage.group] | adjust[stage.group])
    strata = len(count)
    inside = np.where(count > 1, count / np.maximum(count - 1, 1), 0.0)
    outside = np.where(adjust, strata / max(strata - 1, 1), 1.0)
    rscale[adjust] = (strata - 1) / strata
    scale = len(stage.group) / len(left) if lone.any() and policy == "average" else 1.0
    kept, single = (~lone & (rscale > 0))[stage.group], np.arange(len(stage.group)) + strata
    balanced = None if adjust.any() else compact(np.where(kept, stage.group, single))[1]
    method = "jackknife (JK1)" if strata == 1 else "jackknife (JKn)"
    form = LeaveOneOut(stage.group, left, inside, outside)
    return Replicates(method, _of_row(design, stage), form, scale, rscale[stage.group[left]], centre, balanced)


# ---- balanced repeated replication
def balanced(design: SurveyDesign, rho: float, centre: Centre) -> Replicates:
    """BRR, or Fay's with rho > 0: in each replicate one PSU of every pair weighs 2 − rho, the other rho.

    A stratum with an even number of PSUs is split into pairs in the order of the rows. Strata take the rows of the
    Hadamard matrix in the order of their labels as text. Finite population corrections are not used.
    """
    stage = design.stages[0]
    unit, names = _of_row(design, stage), stage.names
    odd = np.flatnonzero(stage.count % 2)
    if len(odd):
        listed = ", ".join(f"{names[i]} ({stage.count[i]})" for i in odd[:20]) + (" …" if len(odd) > 20 else "")
        raise AnalysisError(
            Problem(
                f"{len(odd)} strata have an odd number of PSUs, so they do not split into pairs: {listed}",
                "stratum",
                "balanced halves need two PSUs in each stratum; join strata, or use the jackknife or the bootstrap",
            )
        )
    appears = np.zeros(len(stage.group), dtype=np.int64)
    appears[unit[::-1]] = np.arange(len(unit))[::-1]
    large = stage.count > 2
    rank = np.empty(len(names), dtype=np.int64)
    rank[sorted(range(len(names)), key=lambda i: (not large[i], str(names[i])))] = np.arange(len(names))
    order = np.lexsort((appears, rank[stage.group]))
    pairs = len(order) // 2
    half = hadamard(pairs)[1 : pairs + 1]
    matrix = np.empty((len(order), half.shape[1]))
    pair = np.empty(len(order), dtype=np.int64)
    pair[order] = np.arange(len(order)) // 2
    matrix[order[::2]] = np.where(half, 2 - rho, rho)
    matrix[order[1::2]] = np.where(half, rho, 2 - rho)
    scale = 1 / (half.shape[1] * (1 - rho) ** 2)
    method = "balanced repeated replication" if rho == 0 else f"Fay's method, rho {rho:g}"
    return Replicates(method, unit, Dense(matrix), scale, np.ones(half.shape[1]), centre, pair)


# ---- bootstraps
def bootstrap(design: SurveyDesign, replicates: int, kind: Bootstrap, seed: int | None, centre: Centre) -> Replicates:
    """Draw PSUs again and again from a generator of random numbers that starts at `seed`."""
    rng = np.random.default_rng(seed)
    if kind == "preston":
        return _preston(design, replicates, rng, centre)
    stage = design.stages[0]
    lone = _lone(design, stage, ("remove", "average"))
    if kind == "canty_davison":
        form, scale = _canty_davison(stage, replicates, rng)
    else:
        form, scale = _rao_wu(stage, replicates, rng), 1 / (replicates - 1)
    scale *= _averaged(design, lone)
    name = {"rao_wu": "Rao and Wu", "canty_davison": "Canty and Davison"}[kind]
    unit, ones = _of_row(design, stage), np.ones(replicates)
    return Replicates(f"bootstrap ({name})", unit, form, scale, ones, centre, _independent(stage, replicates))


def _rao_wu(stage: Stage, replicates: int, rng: np.random.Generator) -> Dense:
    """n − 1 of the n PSUs of a stratum with replacement, each times n/(n − 1); a lone PSU stays as it is."""
    count, end = stage.count, np.cumsum(stage.count)
    times = np.empty((len(stage.group), replicates), dtype=np.uint8 if count.max() < 256 else np.uint32)
    a = 0
    while a < len(count):  # as many strata at a time as stay in the cache
        first = int(end[a] - count[a])
        b = max(a + 1, int(np.searchsorted(end, first + _DRAWS // replicates, side="right")))
        drawn = np.repeat(np.arange(a, b), count[a:b] - 1)
        chosen = (rng.random((len(drawn), replicates)) * count[drawn, None]).astype(np.intp)
        chosen += (end - count)[drawn, None] - first
        chosen *= replicates
        chosen += np.arange(replicates)
        units = int(end[b - 1]) - first
        drawings = np.bincount(chosen.ravel(), minlength=units * replicates)
        times[first : first + units] = drawings.reshape(units, replicates)
        a = b
    times[(end - count)[count == 1]] = 1
    factor = np.where(count > 1, count / np.maximum(count - 1, 1), 1.0)
    return Dense(times, factor[stage.group])


def _canty_davison(stage: Stage, replicates: int, rng: np.random.Generator) -> tuple[Dense, float]:
    """n of n PSUs, without replacement from the stratum's population rebuilt of its own PSUs where fpc is known."""
    times = np.empty((len(stage.group), replicates), dtype=np.uint32)
    start = np.cumsum(stage.count) - stage.count
    for first, count, scale in zip(start, stage.count, stage.scale, strict=True):
        sampled = 1 - (scale * (count - 1) / count if count > 1 else 1.0)
        if count == 1:
            drawn = np.ones((replicates, 1), dtype=np.int64)
        elif sampled < 1e-9:
            drawn = rng.multinomial(count, np.full(count, 1 / count), size=replicates)
        else:
            population = round(count / sampled)
            copies = population // count + (rng.permutation(count) < population % count)
            drawn = rng.multivariate_hypergeometric(copies, count, size=replicates)
        times[first : first + count] = drawn.T
    typical = 1 / np.mean(1 / stage.count)
    return Dense(times), float(typical / ((typical - 1) * (replicates - 1)))


def _preston(design: SurveyDesign, replicates: int, rng: np.random.Generator, centre: Centre) -> Replicates:
    """Half of the units at every stage without replacement, rescaled; all stages and their fpc count.

    multiplier = 1 + Σ_stages λ (−1 + n/n* · kept) Π_(stages above) √(n/n*) · kept, with n* = ⌊n/2⌋,
    λ² = F n*(1 − f)/(n − n*), F the product of the sampling fractions above. A unit that is all of its group is kept.
    """
    stages = design.stages
    result = np.ones((stages.units, replicates))
    above = np.ones((stages.units, replicates))
    for stage in stages:
        _lone(design, stage, ("remove",))
        count = stage.count.astype(np.float64)
        half = np.where(stage.count > 1, stage.count // 2, 1)
        unknown = np.maximum(count - half, 1)
        step = np.sqrt(np.where(stage.count > 1, stage.scale * (count - 1) / count * half / unknown, 0.0))
        start = np.cumsum(stage.count) - stage.count
        key = rng.random((len(stage.group), replicates))
        key += stage.group[:, None]
        place = np.argsort(np.argsort(key, axis=0), axis=0) - start[stage.group][:, None]
        kept = place < half[stage.group][:, None]
        ratio = (count / half)[stage.group][:, None]
        result += above * (step[stage.group][:, None] * (ratio * kept - 1))[stage.of_unit]
        above *= (np.sqrt(ratio) * kept)[stage.of_unit]
    rscales = np.full(replicates, 1 / (replicates - 1))
    group = _independent(stages[0], replicates) if len(stages.stages) == 1 else None
    return Replicates("bootstrap (Preston)", stages.unit, Dense(result), 1.0, rscales, centre, group)


def _independent(stage: Stage, replicates: int) -> IntArray | None:
    """Strata, within which many draws of PSUs are independent; few may repeat one another: None, to be looked at."""
    few = replicates < ENOUGH and len(stage.group) * replicates**2 <= WORK
    return None if few else stage.group


# ---- parts of a design
def _of_row(design: SurveyDesign, stage: Stage) -> IntArray:
    """Each row's unit of the first stage."""
    return np.asarray(stage.of_unit[design.stages.unit])


def _lone(design: SurveyDesign, stage: Stage, allowed: tuple[str, ...]) -> NDArray[np.bool_]:
    """Which groups have one unit and more in the population; an error, naming them, where no policy treats them."""
    lone = np.asarray((stage.count == 1) & ~(stage.scale == 0))
    if lone.any() and design.lone_psu not in allowed:
        names = ", ".join(str(stage.names[i]) for i in np.flatnonzero(lone)[:20])
        also = f"; the policies that work here are {', '.join(allowed)} (lone_psu)" if allowed else ""
        raise AnalysisError(
            Problem(
                f"{lone.sum()} strata have only one PSU each, so it cannot be replicated: {names}",
                "stratum",
                f"join each with a neighbouring stratum{also}",
            )
        )
    if lone.all() and stage is design.stages[0]:
        raise AnalysisError(
            Problem("no stratum has a second PSU", "stratum", "a variance needs at least two PSUs in some stratum")
        )
    return lone


def _averaged(design: SurveyDesign, lone: NDArray[np.bool_]) -> float:
    """What strata with a variance stand for when each lone PSU counts as their average."""
    policy: str = design.lone_psu
    return len(lone) / float((~lone).sum()) if lone.any() and policy == "average" else 1.0
