"""The SIPAS satisfaction index: item methods, roll-ups, and its variance linearised as a whole.

Public: IndexSpec, index, answer_shares. The value is on 0–100 (mean5: 20–100) whatever the method.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from analysis import intervals
from analysis.columns import MISSING, Columns
from analysis.design import SurveyDesign
from analysis.engine.answers import answered, scored, table_answers
from analysis.engine.columns import TableColumns
from analysis.errors import AnalysisError, Problem
from analysis.estimates import Estimates
from analysis.estimators import ratio
from analysis.inclusion import expanded, read_inclusion
from analysis.linear import DegreesOfFreedom, Linearised, check_options, finish, linearise
from analysis.reading import read_classification

FloatArray = NDArray[np.float64]
ItemMethod = Literal["top2", "mean5", "mean01"]
RollUp = Literal["pooled", "item_mean", "factor_mean", "area_mean"]

_METHODS: Mapping[str, tuple[tuple[int, ...], float]] = {  # steps of the answers 1 to 5, points a step is worth
    "top2": ((0, 0, 0, 1, 1), 100.0),
    "mean5": ((1, 2, 3, 4, 5), 20.0),
    "mean01": ((0, 1, 2, 3, 4), 25.0),
}


@dataclass(frozen=True)
class IndexSpec:
    """Which items make the index, and their factors.

    Attributes
    ----------
    items : tuple of item codes
    factors : mapping factor code → (area code, item codes); may be empty
    """

    items: tuple[str, ...]
    factors: Mapping[str, tuple[str, tuple[str, ...]]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        problems = []
        if not self.items or len(set(self.items)) != len(self.items):
            problems.append(Problem("an index needs items, each once", "IndexSpec.items", "list every item once"))
        seen: dict[str, str] = {}
        for code, (_, items) in self.factors.items():
            if not items:
                problems.append(Problem("a factor has no items", f"factor {code}", "give it items or leave it out"))
            for item in items:
                if item not in self.items:
                    problems.append(
                        Problem(f"item {item} is not among the index's items", f"factor {code}", "add it to items")
                    )
                if item in seen:
                    problems.append(
                        Problem(f"item {item} is in two factors", f"factors {seen[item]} and {code}", "keep one")
                    )
                seen[item] = code
        if problems:
            raise AnalysisError(problems)

    @property
    def areas(self) -> Mapping[str, tuple[str, ...]]:
        """Area code → its items."""
        areas: dict[str, tuple[str, ...]] = {}
        for area, items in self.factors.values():
            areas[area] = areas.get(area, ()) + items
        return areas


def index(
    design: SurveyDesign,
    answers: Mapping[str, Any],
    spec: IndexSpec,
    item_method: ItemMethod = "top2",
    roll_up: RollUp = "pooled",
    by: Any = None,
    level: float = 0.95,
    df: DegreesOfFreedom = "domain",
    interval: Literal["default", "t"] = "default",
    areas: bool = False,
    inclusion: Any = None,
) -> Estimates:
    """The index, its factors and its items by domain.

    Parameters
    ----------
    design : SurveyDesign
    answers : mapping item code → array_like, shape (n,), answers 1 to 5; negative or NaN = no valid answer
    spec : IndexSpec
    item_method : score of an answer q: "top2" 100 if q ≥ 4 else 0, "mean5" 100 q/5, "mean01" 100 (q − 1)/4
    roll_up : "pooled" Σ_items Σ w·score / Σ_items Σ w; "item_mean" mean of the item scores; "factor_mean" mean of the
        factors' scores; "area_mean" mean of the areas, each pooled inside (with one area the same as pooled). A factor's
        score is pooled inside under "pooled", else the mean of its item scores.
    by, level, df : as for `analysis.mean`
    interval : "default": items under top2 Korn–Graubard, all else logit on the score's own range (0–100, mean5
        20–100) with the delta SE, but Korn–Graubard where the measure rests on fewer than three responses' worth of
        dissatisfaction (`intervals.few`); "t": t for all
    areas : also the score of each area: pooled inside under "pooled" and "area_mean", else the mean of its items or of
        its factors, as the roll-up says
    inclusion : where each row was asked a random part of the items, the probability with which it was asked each: a
        number, array_like (n,) or (n, items), or a mapping item code → number or array_like (n,); above 0, at most 1; 1
        for rows that were asked everything. A row that was not asked an item has no valid answer to it.

    Returns
    -------
    Estimates with the variables "index", ("area:CODE" …,) "factor:CODE" …, "item:CODE" …; n counts responses with a valid answer to any
    item of the measure. An item without valid answers in a domain leaves item_mean, factor_mean and area_mean there
    undefined (NaN), and under these roll-ups the area it is in; pooled is computed.

    Notes
    -----
    Item k is R_k = Σ w s_k v_k / Σ w v_k, v_k = 1 where valid. The index is a function of all these sums and is
    linearised whole, so items covary: the score of a row under "item_mean" is Σ_k w v_k (s_k − R_k)/(K Σ w v_k). With
    `inclusion` π_k every item has its own weights w/π_k, in sums and scores alike.
    """
    check_options(level, df)
    _check_choices(item_method, roll_up, interval, spec)
    pool, combine = _matrices(spec, roll_up, areas)
    steps, points = _METHODS[item_method]
    ends = (steps[0] * points, steps[-1] * points)
    scored = expanded(design, _scored(design, answers, spec.items, item_method), inclusion, ends)
    measure = replace(scored, pool=pool, combine=combine)
    domains = read_classification(design, by)
    result = linearise(design, measure, domains)
    if roll_up == "area_mean":
        result = _without_empty_items(result, spec, areas)
    parts = {"area": spec.areas if areas else (), "factor": spec.factors, "item": spec.items}
    names = ("index", *(f"{kind}:{code}" for kind, codes in parts.items() for code in codes))
    shares = len(spec.items) if item_method == "top2" else 0
    if interval == "t":
        return finish(result, domains.labels, names, level, df, ("t",) * len(names))
    methods = ("logit",) * (len(names) - shares) + ("korn_graubard",) * shares

    def rule(result: Linearised, degrees: FloatArray, level: float) -> intervals.Interval:
        return _interval(result, degrees, level, ends[0], len(names) - shares)

    return finish(result, domains.labels, names, level, df, methods, rule)


def _scored(
    design: SurveyDesign, answers: Mapping[str, Any], items: tuple[str, ...], item_method: str
) -> Columns | TableColumns:
    """Answers as scores of the item method."""
    steps, points = _METHODS[item_method]
    if design.source is not None:
        return scored(table_answers(design.source, answers, items), steps, points)
    codes = _read_answers(answers, items, design.n)
    return Columns(items, codes, np.array([MISSING, *steps], dtype=np.uint8), scale=points)


def _without_empty_items(result: Linearised, spec: IndexSpec, areas: bool) -> Linearised:
    """Undefine the index of a domain where an item, the last variables, has no valid answer, and that item's area."""
    value, se, deff = result.value.copy(), result.se.copy(), result.deff.copy()
    unanswered = np.isnan(value[:, -len(spec.items) :])
    position = {item: place for place, item in enumerate(spec.items)}
    parts = [list(range(len(spec.items)))]
    parts += [[position[item] for item in items] for items in spec.areas.values()] if areas else []
    for variable, places in enumerate(parts):
        empty = unanswered[:, places].any(axis=1)
        for numbers in (value, se, deff):
            numbers[empty, variable] = np.nan
    return replace(result, value=value, se=se, deff=deff)


def answer_shares(
    design: SurveyDesign, answers: Mapping[str, Any], spec: IndexSpec, by: Any = None, inclusion: Any = None
) -> Estimates:
    """Each factor's share of all valid answers, by domain: what routing makes of the mix of items behind "pooled".

    Parameters as for `index`. Returns Estimates with the variables "factor:CODE" …, values 0 to 1, each the ratio
    Σ_items of the factor Σ w v / Σ_items Σ w v, with w/π for w under `inclusion`.
    """
    position = {item: i for i, item in enumerate(spec.items)}
    of_factor = {f"factor:{code}": [position[item] for item in items] for code, (_, items) in spec.factors.items()}
    if design.source is not None and inclusion is None:
        asked = table_answers(design.source, answers, spec.items).values
        parts = {name: answered(asked[i] for i in places) for name, places in of_factor.items()}
        shares = ratio(design, parts, answered(asked), by=by)
    else:
        valid = (_read_answers(answers, spec.items, design.n) > 0).astype(np.float64)
        if inclusion is not None:
            valid /= read_inclusion(design, inclusion, spec.items)
        counted = {name: valid[:, places].sum(axis=1) for name, places in of_factor.items()}
        shares = ratio(design, counted, valid.sum(axis=1), by=by)
    return replace(shares, variables=tuple(of_factor))


def _interval(result: Linearised, df: FloatArray, level: float, bottom: float, logits: int) -> intervals.Interval:
    """Logit for the first `logits` variables (Korn–Graubard where they rest on few), Korn–Graubard for the rest,
    Clopper–Pearson where SE = 0.
    """
    width = 100.0 - bottom
    share, se = (result.value - bottom) / width, result.se / width
    low, high = intervals.index_share(share, se, df, result.n, level)
    if logits < share.shape[1]:
        items = np.s_[:, logits:]
        low[items], high[items] = intervals.korn_graubard(share[items], se[items], df[items], result.n[items], level)
    flat = se == 0
    if flat.any():
        exact = intervals.clopper_pearson(share, result.kish(), level)
        low, high = np.where(flat, exact[0], low), np.where(flat, exact[1], high)
    return bottom + width * low, bottom + width * high


def _matrices(spec: IndexSpec, roll_up: RollUp, with_areas: bool) -> tuple[FloatArray | None, FloatArray | None]:
    """`pool` (items, ratios) and `combine` (ratios, variables) of the roll-up; variables: index, areas, factors, items."""
    position = {item: i for i, item in enumerate(spec.items)}
    k = len(position)
    identity = np.eye(k)

    def places(items: tuple[str, ...]) -> list[int]:
        return [position[item] for item in items]

    factors = [places(items) for _, items in spec.factors.values()]
    areas = [places(items) for items in spec.areas.values()]
    shown = areas if with_areas else []
    if roll_up == "pooled":
        return np.column_stack(
            [np.ones(k), *(identity[:, part].sum(axis=1) for part in shown + factors), identity]
        ), None
    means = [identity[:, part].mean(axis=1) for part in factors]
    if roll_up == "item_mean":
        return None, np.column_stack(
            [np.full(k, 1 / k), *(identity[:, part].mean(axis=1) for part in shown), *means, identity]
        )
    if roll_up == "factor_mean":
        inside = [[code == area for code, _ in spec.factors.values()] for area in spec.areas] if with_areas else []
        scores = [np.mean([mean for mean, here in zip(means, part, strict=True) if here], axis=0) for part in inside]
        return None, np.column_stack([np.mean(means, axis=0), *scores, *means, identity])
    pool = np.column_stack([*(identity[:, part].sum(axis=1) for part in areas), identity])
    combine = np.zeros((len(areas) + k, 1 + len(shown) + len(means) + k))
    combine[: len(areas), 0] = 1 / len(areas)
    combine[: len(shown), 1 : 1 + len(shown)] = np.eye(len(shown))
    combine[len(areas) :, 1 + len(shown) :] = np.column_stack([*means, identity])
    return pool, combine


def _check_choices(item_method: str, roll_up: str, interval: str, spec: IndexSpec) -> None:
    problems = []
    for name, value, choices in (
        ("item_method", item_method, get_args(ItemMethod)),
        ("roll_up", roll_up, get_args(RollUp)),
        ("interval", interval, ("default", "t")),
    ):
        if value not in choices:
            problems.append(Problem(f"there is no {name} {value!r}", name, f"choose one of {', '.join(choices)}"))
    if roll_up in ("factor_mean", "area_mean") and not spec.factors:
        problems.append(Problem(f"{roll_up} needs factors", "IndexSpec.factors", "give the factors of the index"))
    if problems:
        raise AnalysisError(problems)


def _read_answers(answers: Mapping[str, Any], items: tuple[str, ...], rows: int) -> NDArray[np.uint8]:
    """Codes 1 to 5, 0 where missing; every unknown code is named."""
    codes = np.empty((rows, len(items)), dtype=np.uint8)
    problems = []
    for position, item in enumerate(items):
        if item not in answers:
            problems.append(Problem("no answers to an item of the index", f"item {item}", "give its column"))
            continue
        values = np.asarray(answers[item])
        if values.shape != (rows,):
            problems.append(
                Problem(f"answers have shape {values.shape}", f"item {item}", f"give one for each of the {rows} rows")
            )
            continue
        if values.dtype.kind not in "iuf":
            values = values.astype(np.float64)
        with np.errstate(invalid="ignore"):
            valid = values >= 0
            code = np.where(valid, values, 0).astype(np.uint8)
            known = ~valid | ((code == values) & (code >= 1) & (code <= 5))
        if not known.all():
            row = int(np.flatnonzero(~known)[0])
            problems.append(
                Problem(
                    f"an answer is {values[row]}, not one of 1 to 5",
                    f"item {item}, row {row}",
                    "code answers 1 to 5, missing ones negative or NaN",
                )
            )
            continue
        codes[:, position] = code
    if problems:
        raise AnalysisError(problems)
    return codes
