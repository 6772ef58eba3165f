"""The same small survey in arrays and in a table, designs and estimates of it, for the tests of every engine."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

import analysis
from analysis import Estimates, SurveyDesign

NUMBERS = ("value", "se", "ci_low", "ci_high", "df", "deff", "n", "n_eff", "population")
ITEMS = ("q1", "q2", "q3")
SPEC = analysis.IndexSpec(ITEMS, {"F": ("A", ("q1", "q2")), "G": ("B", ("q3",))})


@dataclass(frozen=True)
class Survey:
    """Two stages: 6 strata, 5 or 6 PSUs in each, 3 households in a PSU; answers of int8 with nulls and −9, numbers with
    NaN and nulls far from zero, domains with nulls, and stratum 0 with a single PSU in the lone version.
    """

    seed: int
    rows: int = 900

    @cached_property
    def columns(self) -> dict[str, Any]:
        rng = np.random.default_rng(self.seed)
        n = self.rows
        stratum = rng.integers(0, 6, n)
        psu = stratum * 10 + rng.integers(0, 5 + stratum % 2, n)
        household = rng.integers(0, 3, n)
        shift = rng.normal(size=100)[psu]
        income = 1e6 + 1e3 * shift + 1e2 * rng.normal(size=n)
        income[rng.random(n) < 0.05] = np.nan
        columns: dict[str, Any] = {
            "weight": rng.uniform(0.5, 4, n) * (1 + stratum),
            "stratum": np.array([f"tầng {i}" for i in range(6)], dtype=object)[stratum],
            "lone": np.where(psu == 0, "alone", np.array([f"s{i}" for i in range(6)])[stratum]).astype(object),
            "psu": psu.astype(np.int32),
            "household": household.astype(np.int16),
            "psus": np.full(n, 9) + stratum,
            "households": np.full(n, 7.0),
            "field": _some(rng, np.array(["đất", "hộ tịch", "y tế", None], dtype=object), n),
            "year": _some(rng, np.array([2025, 2026, None], dtype=object), n),
            "sex": rng.integers(1, 3, n),
            "age": np.array(["old", "young", "youngest"], dtype=object)[rng.integers(0, 3, n)],
            "size": rng.integers(1, 6, n).astype(np.float64),
            "income": income,
        }
        for item in ITEMS:
            answer = np.clip(np.round(3.3 + shift + rng.normal(size=n)), 1, 5).astype(object)
            answer[rng.random(n) < 0.1] = None
            answer[rng.random(n) < 0.05] = -9
            columns[item] = answer
        return columns

    def array(self, name: str) -> np.ndarray:
        """A column as an analyst would bring it: numbers with NaN, labels as they are."""
        values = self.columns[name]
        return np.array([np.nan if x is None else x for x in values], dtype=float) if name in ITEMS else values

    def write(self, path: Path) -> Path:
        import pyarrow as pa
        import pyarrow.parquet as pq

        table = pa.table(
            {key: pa.array(part, pa.int8()) if key in ITEMS else part for key, part in self.columns.items()}
        )
        pq.write_table(table, path, row_group_size=200)
        return path

    @cached_property
    def totals(self) -> dict[str, dict[Any, float]]:
        """Population totals that the weights miss by up to a third."""
        weight, whole = self.columns["weight"], 1.1 * float(self.columns["weight"].sum())
        found: dict[str, dict[Any, float]] = {}
        for name, bend in (("sex", 0.2), ("age", 0.3)):
            share = {x: float(weight[self.columns[name] == x].sum()) for x in sorted(set(self.columns[name].tolist()))}
            bent = {x: part * (1 + bend * i) for i, (x, part) in enumerate(share.items())}
            found[name] = {x: part * whole / sum(bent.values()) for x, part in bent.items()}
        return found


def _some(rng: np.random.Generator, labels: np.ndarray, n: int) -> np.ndarray:
    return labels[rng.integers(0, len(labels), n)]


Column = Callable[[str], Any]
"""Of a name the array, or, for a table, the name itself."""


def designs(survey: Survey, column: Column, data: Any = None) -> dict[str, Callable[[], SurveyDesign]]:
    """Designs by name, each made when called."""
    totals = survey.totals

    def base(**options: Any) -> SurveyDesign:
        return SurveyDesign(column("weight"), column("stratum"), column("psu"), data=data, **options)

    def lone(policy: Any) -> SurveyDesign:
        return SurveyDesign(column("weight"), column("lone"), column("psu"), lone_psu=policy, data=data)

    def two_stage() -> SurveyDesign:
        units, sizes = [column("psu"), column("household")], [column("psus"), column("households")]
        return SurveyDesign(column("weight"), column("stratum"), units, sizes, data=data)

    def raked(design: SurveyDesign) -> SurveyDesign:
        return analysis.rake(design, {name: (column(name), totals[name]) for name in ("sex", "age")})

    def stratified(design: SurveyDesign) -> SurveyDesign:
        return analysis.post_stratify(design, column("sex"), totals["sex"])

    def calibrated(design: SurveyDesign, method: Any, bounds: Any = None) -> SurveyDesign:
        known = {"age": totals["age"], "size": 3.05 * sum(totals["age"].values())}
        x = {"age": column("age"), "size": column("size")}
        return analysis.calibrate(design, x, known, method=method, bounds=bounds)

    return {
        "stratified": base,
        "two stages with fpc": two_stage,
        "lone PSU removed": lambda: lone("remove"),
        "lone PSU adjusted": lambda: lone("adjust"),
        "lone PSU averaged": lambda: lone("average"),
        "post-stratified": lambda: stratified(base()),
        "raked": lambda: raked(two_stage()),
        "post-stratified, then raked": lambda: raked(stratified(base())),
        "calibrated linearly": lambda: calibrated(base(), "linear"),
        "calibrated within bounds": lambda: calibrated(base(), "logit", (0.3, 3.0)),
        "jackknife": lambda: analysis.replicate(base(), "jackknife"),
        "bootstrap, then raked": lambda: raked(analysis.replicate(base(), "bootstrap", replicates=40, seed=1)),
    }


def estimates(survey: Survey, column: Column, by: Any) -> dict[str, Callable[[SurveyDesign], Estimates]]:
    """Estimates by name, each a function of the design."""

    def columns(*names: str) -> dict[str, Any]:
        return {name: column(name) for name in names}

    numbers = columns(*ITEMS, "income")
    return {
        "mean": lambda design: analysis.mean(design, numbers, by, missing=(-9,)),
        "mean, df of the design": lambda design: analysis.mean(design, numbers, by, missing=(-9,), df="design"),
        "total": lambda design: analysis.total(design, numbers, by, missing=(-9,)),
        "proportion": lambda design: analysis.proportion(design, columns(*ITEMS), by, missing=(-9,), of=(4, 5)),
        "ratio": lambda design: analysis.ratio(design, columns("income", "q1"), columns("size"), by, missing=(-9,)),
        "composite": lambda design: analysis.composite(
            design,
            columns("income", "q1"),
            columns("size", "q2"),
            [[1.0, 0.5], [0.0, 2.0]],
            by,
            missing=(-9,),
            names=("a", "b"),
        ),
        "index, pooled": lambda design: analysis.index(design, columns(*ITEMS), SPEC, by=by, areas=True),
        "index, mean of factors": lambda design: analysis.index(
            design, columns(*ITEMS), SPEC, "mean01", "factor_mean", by=by
        ),
        "index, mean of areas": lambda design: analysis.index(
            design, columns(*ITEMS), SPEC, "mean5", "area_mean", by=by
        ),
        "quantile": lambda design: analysis.quantile(
            design, columns("q1", "income"), [0.25, 0.5], by, rule="school", missing=(-9,)
        ),
        "shares of answers": lambda design: analysis.answer_shares(design, columns(*ITEMS), SPEC, by=by),
    }


def difference(ours: Estimates, theirs: Estimates) -> list[str]:
    """What differs by more than 1e-9 · max(|x|, 1e-6); covariances relative to √(vᵢvⱼ)."""
    if ours.domains != theirs.domains or ours.variables != theirs.variables:
        return [f"{ours.domains} × {ours.variables} against {theirs.domains} × {theirs.variables}"]
    problems = []
    for name in NUMBERS:
        x, y = (np.asarray(getattr(part, name), dtype=float) for part in (ours, theirs))
        worst = np.abs(x - y) / np.maximum(np.abs(x), 1e-6)
        if not (np.isnan(x) == np.isnan(y)).all() or not np.nanmax(worst, initial=0) <= 1e-9:
            problems.append(f"{name}: {x.tolist()} against {y.tolist()}")
    size = np.sqrt(np.diag(ours.covariance))
    apart = np.abs(ours.covariance - theirs.covariance)
    if not np.nanmax(apart - 1e-9 * np.maximum(np.outer(size, size), 1e-12)) <= 0:
        problems.append("covariance")
    return problems
