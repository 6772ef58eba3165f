"""From an extract to published rows: weight, estimate, judge, publish.

Public: score_wave, used_rules, usable, and the values it works with (Score, ScoreOptions, WaveResult, COLUMNS from analysis.wave.wave_result).
"""

from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from analysis.design import SurveyDesign
from analysis.errors import AnalysisError, Problem
from analysis.wave.counter import CounterDesign, Targets, counter_design, targets
from analysis.wave.extract import Extract
from analysis.wave.judging import judge, with_verdict
from analysis.wave.odd import odd_answers
from analysis.wave.publication import Cell, publish, suppress_tables
from analysis.wave.quality import left_out
from analysis.wave.register import Register, register_of
from analysis.wave.rules import ItemMethod, Method, RollUp, ScoreOptions, UsedRules
from analysis.wave.table import BY_CENTRE, Table, factor_shares, table_cells
from analysis.wave.verdicts import MEASURES
from analysis.wave.wave_result import COLUMNS, Score, WaveResult, counted
from analysis.wave.weights import Weighting, weight_to_register

if TYPE_CHECKING:
    from numpy.typing import NDArray

__all__ = ["COLUMNS", "Score", "ScoreOptions", "WaveResult", "score_wave"]


def score_wave(
    extract: Extract, options: ScoreOptions | None = None, *, register: Register | None = None
) -> WaveResult:
    """Every published row of a counter wave, by the wave's own rules unless `options` name others.

    Raises
    ------
    AnalysisError
        where nothing can be weighted, margins cannot be met, or the extract is of no counter wave
    """
    options = options or ScoreOptions()
    chosen = targets(extract)
    rules = used_rules(extract, options)
    weigh = partial(weight_to_register, extract, rules.method, options.minimum, register=register, chosen=chosen)
    weighting = weigh("received")
    rules = replace(rules, minimum=weighting.minimum, online_included=weighting.online_included)
    main = _weighted(extract, weighting, register)
    cells = table_cells(main, rules, breakdown=BY_CENTRE)
    plain = replace(main, design=_unweighted(weighting.counter), weighting="none")
    by_week = replace(main, design=usable(weigh("received", unit="week").design))
    by_visits = replace(
        main, design=usable(weigh("received", base=_visits(extract)).design), weighting=f"{rules.method}/visits"
    )
    filed, asked = _filed(extract, chosen, weigh, register), _asked(extract, chosen)
    tables = {"received": cells, "filed": table_cells(filed, rules), "asked": table_cells(asked, rules)}
    reasons = left_out(chosen, {"received": main.rows, "filed": filed.rows, "asked": asked.rows})
    states = suppress_tables(tables, {one.reason: one.count or 0 for one in reasons.reasons})
    published = {name: publish(tables[name], states[name]) for name in tables}
    shown, again = published["received"], partial(publish, hidden=states["received"])
    judged = judge(cells, shown, rules)
    hidden = [name for name, rows in published.items() if not counted(rows)]
    return WaveResult(
        extract=extract,
        rules=rules,
        weighting=weighting,
        left_out=left_out(chosen, {"received": main.rows, "filed": filed.rows, "asked": asked.rows}, hidden),
        scores=tuple(with_verdict(row, judged) for row in shown),
        filed=published["filed"],
        asked=published["asked"],
        unweighted=again(table_cells(plain, rules, MEASURES)),
        sensitivity=again(table_cells(by_visits, rules, MEASURES)),
        factor_mean=again(table_cells(main, replace(rules, roll_up="factor_mean"), ("index",))),
        factor_shares=factor_shares(main, shown),
        first_rule=again(_first_rule(extract, main, rules, register)),
        week_se=_week_se(by_week, rules, shown),
        verdicts=judged,
        odd=odd_answers(
            extract, chosen, main.rows, lambda kept: again(_headline(extract, weigh, kept, rules, register))
        ),
    )


def used_rules(extract: Extract, options: ScoreOptions) -> UsedRules:
    """The wave's rules with what `options` change in them."""
    fixed = extract.codebook.wave.rules
    own: dict[str, Any] = {"item_method": fixed.item_method, "roll_up": fixed.roll_up}
    method = options.method or fixed.weighting
    own |= {"method": fixed.weighting, "minimum": fixed.minimum(method)}
    asked = {name: value for name in own if (value := getattr(options, name)) is not None}
    final = own | asked
    for name, choices in (("item_method", ItemMethod), ("roll_up", RollUp), ("method", Method)):
        if final[name] not in get_args(choices):
            what = f"there is no {name.replace('_', ' ')} {final[name]!r}"
            raise AnalysisError(Problem(what, "rules of the wave or option", f"one of {', '.join(get_args(choices))}"))
    return UsedRules(
        **final,
        reference_line=fixed.reference_line,
        level=fixed.level,
        population="received",
        online_included=False,
        changed=tuple(name for name in own if own[name] != final[name]),
    )


def _weighted(extract: Extract, weighting: Weighting, register: Register | None) -> Table:
    known = (register or register_of(extract)).dossiers(weighting.population)
    return Table(
        extract,
        weighting.rows,
        usable(weighting.design),
        f"{weighting.method}/minimum {weighting.minimum}" if weighting.raised_from else weighting.method,
        {place: count for place, count in known.cells.items() if place[1] in weighting.dossiers},
        weighting.unrepresented,
        weighting.online_included,
    )


def usable(design: SurveyDesign) -> SurveyDesign | None:
    """Lone PSUs were joined with neighbours; only a table that is one PSU as a whole is left without variance."""
    return design if design.df >= 1 else None


def _unweighted(counter: CounterDesign) -> SurveyDesign | None:
    return usable(SurveyDesign(np.ones(len(counter.psu)), stratum=counter.stratum, psu=counter.psu))


def _filed(extract: Extract, chosen: Targets, weigh: "partial[Weighting]", register: Register | None) -> Table:
    """Those who filed, weighted to dossiers received; an empty table where the register counts none of them."""
    known = (register or register_of(extract)).dossiers("filed").by_field()
    rows = chosen.masks["filed"] & np.isin(extract.column("field").astype(str), list(known))
    return _weighted(extract, weigh("filed"), register) if rows.any() else Table(extract, rows, None, "none")


def _asked(extract: Extract, chosen: Targets) -> Table:
    """Those who asked for something: no register counts them, so they stand unweighted."""
    rows = chosen.masks["asked"]
    design = None
    if rows.any():
        design = _unweighted(counter_design(extract, rows))
    return Table(extract, rows, design, "none")


def _visits(extract: Extract) -> "NDArray[np.float64]":
    """1/(1 + times had to come back): someone who came more often met the kiosk more often. Unknown counts as none."""
    times = extract.role("times_back")
    known = np.zeros(extract.n) if times is None else np.maximum(times, 0)
    return 1 / (1 + known.astype(np.float64))


def _first_rule(extract: Extract, main: Table, rules: UsedRules, register: Register | None) -> tuple[Cell, ...]:
    """The headline by the rules fixed before the wave opened, where this report uses others."""
    if not rules.changed:
        return ()
    first = replace(used_rules(extract, ScoreOptions()), online_included=main.online_included)
    if {"method", "minimum"} & set(rules.changed):
        main = _weighted(extract, weight_to_register(extract, first.method, register=register), register)
    return table_cells(main, first, MEASURES)


def _headline(
    extract: Extract, weigh: "partial[Weighting]", kept: Targets, rules: UsedRules, register: Register | None
) -> tuple[Cell, ...]:
    """Index and overall for all, of some of the responses."""
    table = _weighted(extract, weigh("received", chosen=kept), register)
    return tuple(cell for cell in table_cells(table, rules, MEASURES) if cell.score.domain_kind == "all")


def _week_se(by_week: Table, rules: UsedRules, shown: Sequence[Score]) -> dict[tuple[str, str, str], float]:
    """SE with PSU = centre × ISO week, of what is shown: days of a week that resemble each other would raise it."""
    visible = {row.key for row in shown if row.value is not None}
    cells = table_cells(by_week, rules, MEASURES)
    return {c.score.key: c.score.se for c in cells if c.score.se is not None and c.score.key in visible}
