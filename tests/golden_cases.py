"""Golden numbers of R `survey` (tests/golden/README.md): which entries the door covers, and what we compute for them.

`python -m tests.golden_cases` prints, per file, how many entries agree and the worst relative difference.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

import analysis
from analysis import AnalysisError, IndexSpec, SurveyDesign
from analysis.intervals import clopper_pearson
from tests.golden_designs import CALIBRATED, R_RAKE, columns, data, design, domain, evaluate, load, margins

FILES = ("moments", "proportions", "calibration", "index", "kish", "lone_psu", "comparisons")
RELATIVE, SMALLEST = 1e-8, 1e-6
ITEMS = tuple(f"q{i:02d}" for i in range(1, 17))
FACTORS = {"A": ITEMS[:3], "B": ITEMS[3:7], "C": ITEMS[7:10], "D": ITEMS[10:13], "E": ITEMS[13:]}
SPEC = IndexSpec(ITEMS, {code: ("II", items) for code, items in FACTORS.items()})
INTERVALS = {"mean": "t", "logit": "logit", "xlogit": "logit", "beta": "beta"}
COVERED = {  # statistics of each file; the rest has no door yet
    "moments": {"mean", "total", "ratio", "joint mean", "joint total", "mean by", "total by"},
    "proportions": {"proportion"},
    "calibration": {"mean", "total", "ratio", "joint mean", "joint total", "weights", "failure"},
    "index": {"index"},
    "kish": {"kish"},
    "lone_psu": {"mean", "total", "ratio", "joint mean"},
    "comparisons": {"mean by", "composite index", "index pooled by"},
}


@dataclass(frozen=True)
class Case:
    file: str
    entry: dict[str, Any]
    design: dict[str, Any]

    @property
    def id(self) -> str:
        return f"{self.file}:{self.entry['id']}"


@dataclass(frozen=True)
class Difference:
    """One number against R's: |ours − theirs| / scale, scale = max(|theirs|, 1e-6), or √(vᵢvⱼ) for a covariance."""

    what: str
    ours: float
    theirs: float
    scale: float

    @property
    def relative(self) -> float:
        if self.ours == self.theirs or (np.isnan(self.ours) and np.isnan(self.theirs)):
            return 0.0
        if not (np.isfinite(self.ours) and np.isfinite(self.theirs)):
            return np.inf
        return abs(self.ours - self.theirs) / self.scale


# ---- what is covered
def cases(file: str) -> list[Case]:
    document = load(file)
    found = [Case(file, entry, document["designs"][entry["design"]]) for entry in document["entries"]]
    return [case for case in found if _covered(case)]


def _covered(case: Case) -> bool:
    adjusted, entry = case.design.get("adjusted"), case.entry
    name = entry["design"]
    known = adjusted is None or name.startswith("ps_") and name != "ps_then_linear" or name in R_RAKE | CALIBRATED
    if case.file == "proportions" and entry["interval"] not in INTERVALS:
        return False
    return known and entry["statistic"] in COVERED[case.file]


# ---- comparisons
def compare(case: Case, here: SurveyDesign | None = None) -> list[Difference]:
    """Every number of an entry against ours, by the given design; an expected failure is an error of ours."""
    found = list(_compare(case, design(case.file, case.entry["design"]) if here is None else here))
    assert found, case.id
    return found


def _compare(case: Case, here: SurveyDesign) -> Iterator[Difference]:
    entry, result = case.entry, case.entry["result"]
    statistic, frame = entry["statistic"], data(entry["data"])
    if statistic == "failure":
        yield from _failure(case)
        return
    if statistic == "weights":
        yield from _weights(here.weight, result)
        return
    if statistic == "kish":
        yield from _kish(here, frame, entry)
        return
    if "error" in result:
        yield _refused(lambda: _estimates(case, here, frame, "design"), "h4")
        return
    if statistic == "proportion":
        yield from _proportion(case, here, frame)
        return
    if statistic == "index":
        yield from _index(case, here, frame)
        return
    by_design = _estimates(case, here, frame, "design")
    values_only = entry["design"] in R_RAKE
    names = ("value",) if values_only else ("value", "se", "ci_low", "ci_high")
    if entry["na"].startswith("rows dropped"):  # R's entry has the df of the whole design, not of the rows left
        for name in ("value", "se"):
            yield from _arrays(name, getattr(by_design, name), result[name])
        return
    yield from _numbers(by_design, result, names)
    if values_only or by_design.n.size != 1 or _without_domain_df(entry):
        return
    by_domain = _estimates(case, here, frame, "domain")
    yield from _arrays("df_domain", by_domain.df, result["df_domain"])
    for end in ("ci_low", "ci_high"):
        yield from _arrays(f"{end}_df_domain", getattr(by_domain, end), result[f"{end}_df_domain"])


def _without_domain_df(entry: dict[str, Any]) -> bool:
    """Entries whose "df_domain" make_golden.R fills with the df of the whole design."""
    return entry["statistic"] == "composite index" or entry["na"].startswith("na.rm")


def _estimates(case: Case, here: SurveyDesign, frame: pd.DataFrame, df: str) -> analysis.Estimates:
    entry, statistic = case.entry, case.entry["statistic"]
    by = domain(frame, entry["domain"])
    if "by" in entry:
        by = frame[entry["by"]]
    if statistic == "composite index" or statistic == "index pooled by":
        return _composite(case, here, frame, by, df)
    variables = [evaluate(frame, expression) for expression in entry["variables"]]
    if entry["na"].startswith("rows dropped"):
        kept = ~np.isnan(variables[0])
        meta = case.design
        parts = (columns(frame[kept], meta[key]) for key in ("stratum", "psu", "fpc"))
        here, variables = SurveyDesign(frame["w"][kept], *parts, nest=meta["nest"]), [variables[0][kept]]
    if statistic == "ratio":
        return analysis.ratio(here, *variables, by=by, df=df)
    y = np.column_stack(variables)
    y[np.isnan(y).any(axis=1)] = np.nan
    estimator = analysis.total if "total" in statistic else analysis.mean
    return estimator(here, y, by=by, df=df)


def _scores(frame: pd.DataFrame, method: str) -> np.ndarray:
    q = frame[list(ITEMS)].to_numpy(np.float64)
    if method == "top2":
        return np.where(np.isnan(q), np.nan, 100.0 * (q >= 4))
    return 100 * q / 5 if method == "mean5" else 100 * (q - 1) / 4


def _composite(case: Case, here: SurveyDesign, frame: pd.DataFrame, by: Any, df: str) -> analysis.Estimates:
    entry = case.entry
    if entry["statistic"] == "index pooled by":
        answers = {item: frame[item] for item in ITEMS}
        return analysis.index(here, answers, SPEC, entry["score"], by=by, df=df, interval="t")
    scores = _scores(frame, "top2")
    return analysis.composite(here, scores, np.ones(len(frame)), entry["coefficients"], by=by, df=df)


def _numbers(ours: analysis.Estimates, result: dict[str, Any], names: tuple[str, ...]) -> Iterator[Difference]:
    size = len(result["value"])
    for name in names:
        yield from _arrays(
            name, getattr(ours, name).ravel()[: size if ours.n.shape[0] == 1 else None], result[name], size
        )
    if "n" in result:
        yield from _arrays("n", ours.n.ravel(), [result["n"]] * ours.n.size)
    if "se" not in names:
        return
    yield from _arrays("df", ours.df.ravel()[:1], result["df"])
    if "deff_replace" in result:
        yield from _arrays("deff", ours.deff, result["deff_replace"])
        yield from _arrays("deff_srswor", ours.deff_srswor, result["deff"])
    if "cov" in result:
        step = ours.n.shape[1] if ours.n.shape[0] > 1 else 1
        yield from _covariances(ours.covariance[::step, ::step][:size, :size], result["cov"], result["se"])


def _arrays(what: str, ours: Any, theirs: Any, size: int | None = None) -> Iterator[Difference]:
    mine = np.asarray(ours, dtype=np.float64)
    mine = mine.ravel()
    expected = np.asarray([np.nan if x is None else float(x) for x in np.atleast_1d(np.array(theirs, dtype=object))])
    if size is not None and len(mine) > size:  # of several variables the first
        mine = mine[:: len(mine) // size]
    assert len(mine) == len(expected), (what, mine, expected)
    for a, b in zip(mine, expected, strict=True):
        yield Difference(what, float(a), float(b), max(abs(b), SMALLEST))


def _covariances(ours: np.ndarray, theirs: Any, errors: list[float | None]) -> Iterator[Difference]:
    """Where R's variance is rounding (its SE is written as 0) the covariance is 0, and ours must be exactly that."""
    expected, se = np.array(theirs, dtype=np.float64), np.array(errors, dtype=np.float64)
    assert ours.shape == expected.shape
    for i, j in np.ndindex(expected.shape):
        flat = se[i] == 0 or se[j] == 0
        yield Difference(
            f"cov[{i},{j}]",
            float(ours[i, j]),
            0.0 if flat else float(expected[i, j]),
            SMALLEST if flat else se[i] * se[j],
        )


def _proportion(case: Case, here: SurveyDesign, frame: pd.DataFrame) -> Iterator[Difference]:
    entry, result = case.entry, case.entry["result"]
    y, by = evaluate(frame, entry["variables"][0]), domain(frame, entry["domain"])
    df = "domain" if entry["id"].endswith("df_domain") else "design"
    ours = analysis.proportion(here, y, by=by, interval=INTERVALS[entry["interval"]], df=df)
    names = ["value", "se", "df", "n"]
    flat = result["value"] is None or abs(result["value"] - 1) < 1e-9 or ours.single.value == 1
    if flat:  # R has no interval here but the t interval [1, 1]; ours is Clopper–Pearson on Kish's size
        if entry["interval"] == "mean":
            names += ["ci_low", "ci_high"]
        else:
            inside = ~np.isnan(y) if by is None else ~np.isnan(y) & (by == "in")
            size = min(ours.single.n, analysis.kish(here.weight[inside]).n_eff_kish)
            low, _ = clopper_pearson(np.array([1.0]), np.array([size]), 0.95)
            yield Difference("ci_low at p = 1", ours.single.ci_low, float(low[0]), 1.0)
            if entry["interval"] == "logit":
                names = ["df", "n"]  # R's fit stops a little short of p = 1
    else:
        names += ["ci_low", "ci_high"]
    for name in names:
        yield from _arrays(name, [getattr(ours.single, name)], [result[name]])


def _index(case: Case, here: SurveyDesign, frame: pd.DataFrame) -> Iterator[Difference]:
    """Values, SE and df through index(); the covariance of all 24 rows through one composite of 17 ratios."""
    entry, result = case.entry, case.entry["result"]
    by, names = domain(frame, entry["domain"]), result["names"]
    answers = {item: frame[item] for item in ITEMS}
    ours: dict[str, dict[str, float]] = {}
    for roll_up in ("pooled", "item_mean", "factor_mean"):
        found = analysis.index(here, answers, SPEC, entry["score"], roll_up, by=by, df="design", interval="t")
        rows = {variable: found[found.domains[0], variable] for variable in found.variables}
        ours[roll_up] = rows["index"]
        if roll_up == "factor_mean":
            ours |= {f"factor_{code}": rows[f"factor:{code}"] for code in FACTORS}
            ours |= {item: rows[f"item:{item}"] for item in ITEMS}
    values_only = entry["design"] in R_RAKE
    for name in ("value",) if values_only else ("value", "se", "ci_low", "ci_high"):
        yield from _arrays(name, [getattr(ours[row], name) for row in names], result[name])
    yield from _arrays("n", [ours["pooled"].n], [result["n"]])
    if values_only:
        return
    by_domain = analysis.index(here, answers, SPEC, entry["score"], by=by, interval="t")
    yield from _arrays("df_domain", [by_domain.df[0, 0]], [result["df_domain"]])
    pooled = names.index("pooled")
    yield from _arrays("ci_low_df_domain", [by_domain.ci_low[0, 0]], [result["ci_low_df_domain"][pooled]])
    scores = _scores(frame, entry["score"])
    valid = (~np.isnan(scores)).astype(np.float64)
    top = np.column_stack([scores, np.nansum(scores, axis=1)])
    bottom = np.column_stack([valid, valid.sum(axis=1)])
    mix = np.zeros((17, 24))
    mix[:16, :16] = np.eye(16)
    for column, items in enumerate(FACTORS.values(), start=16):
        mix[[ITEMS.index(item) for item in items], column] = 1 / len(items)
    mix[16, 21], mix[:16, 22], mix[:, 23] = 1, 1 / 16, mix[:, 16:21].mean(axis=1)
    found = analysis.composite(here, top, bottom, mix, by=by, names=names)
    chosen = [names.index(name) for name in result["cov_names"]]
    se = [result["se"][i] for i in chosen]
    yield from _covariances(found.covariance[np.ix_(chosen, chosen)], result["cov"], se)


def _weights(weight: np.ndarray, result: dict[str, Any]) -> Iterator[Difference]:
    found = analysis.kish(weight)
    ours = {
        "n": found.n,
        "sum": found.sum,
        "sum_of_squares": found.sum_of_squares,
        "min": found.minimum,
        "max": found.maximum,
        "mean": found.sum / found.n,
        "sum_row_number_times_weight": float((np.arange(1, found.n + 1) * weight).sum()),
        "kish_deff": found.deff_kish,
    }
    for name, value in ours.items():
        yield from _arrays(name, [value], [result[name]])
    yield from _arrays("first50", weight[:50], result["first50"])


def _kish(here: SurveyDesign, frame: pd.DataFrame, entry: dict[str, Any]) -> Iterator[Difference]:
    inside = domain(frame, entry["domain"])
    found = analysis.kish(here.weight if inside is None else here.weight[inside == "in"])
    names = {"deff": "deff_kish", "n_eff": "n_eff_kish"}
    for name, theirs in entry["result"].items():
        yield from _arrays(name, [getattr(found, names.get(name, name))], [theirs])


def _failure(case: Case) -> Iterator[Difference]:
    base, frame = design(case.file, "counter"), data("counter.csv")
    cells = {tuple(cell.split("|")): count for cell, count in margins()["stratum|field"].items()}
    by = [frame["stratum"], frame["field"]]
    kind = case.entry["id"].partition("|")[2]
    if kind == "cell missing from the population":
        totals = {cell: count for cell, count in cells.items() if cell != ("s1", "f01")}
        yield _refused(lambda: analysis.post_stratify(base, by, totals), "('s1', 'f01')")
    elif kind == "cell missing from the sample":
        totals = cells | {("s9", "f01"): 10}
        yield _refused(lambda: analysis.post_stratify(base, by, totals), "('s9', 'f01')")
    else:
        double = {label: 2 * count for label, count in margins()["sex"].items()}
        chosen = {"field": (frame["field"], margins()["field"]), "sex": (frame["sex"], double)}
        yield _refused(lambda: analysis.rake(base, chosen), "173778")


def _refused(call: Any, word: str) -> Difference:
    """0 when the call is refused with a message that holds the word."""
    try:
        call()
    except AnalysisError as error:
        return Difference("refused", float(word not in str(error)), 0.0, SMALLEST)
    return Difference("refused", 1.0, 0.0, SMALLEST)


def report() -> str:
    lines = [f"{'file':12} {'entries':>8} {'covered':>8} {'agree':>8}   worst relative difference"]
    for file in FILES:
        found = [(case, max(compare(case), key=lambda d: d.relative)) for case in cases(file)]
        agree = sum(worst.relative <= RELATIVE for _, worst in found)
        case, worst = max(found, key=lambda pair: pair[1].relative)
        lines.append(
            f"{file:12} {load(file)['count']:8} {len(found):8} {agree:8}   "
            f"{worst.relative:.1e} ({worst.what} of {case.entry['id']})"
        )
        lines += [
            f"    differs: {case.entry['id']}: {worst.what} is {worst.ours!r}, R has {worst.theirs!r}"
            for case, worst in found
            if worst.relative > RELATIVE
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(report())
