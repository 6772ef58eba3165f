"""A sample wave from its extract to published rows: weight, estimate, judge, publish.

Public: score_sample.
"""

from dataclasses import replace
from functools import partial

from analysis.errors import AnalysisError, Problem
from analysis.wave.extract import Extract
from analysis.wave.judging import judge, with_verdict
from analysis.wave.margins import Margins
from analysis.wave.publication import publish, suppress
from analysis.wave.quality import accounted
from analysis.wave.rules import ScoreOptions
from analysis.wave.sample import sample_rows, weight_sample
from analysis.wave.scores import usable, used_rules
from analysis.wave.table import Table, factor_shares, table_cells
from analysis.wave.wave_result import SampleResult


def score_sample(
    extract: Extract, options: ScoreOptions | None = None, *, margins: Margins | None = None
) -> SampleResult:
    """Every published row of a sample wave: one domain, the residents; index, areas, factors and items.

    Raises
    ------
    AnalysisError
        where the extract is of no sample wave, nobody can stand for a stratum, or margins cannot be met
    """
    options = options or ScoreOptions()
    if options.method or options.minimum:
        remedy = "a sample wave is weighted by its frame and raked to --margins FILE"
        raise AnalysisError(Problem("cells and a minimum are for counter waves", str(extract.path), remedy))
    _, reasons = sample_rows(extract)
    weighting = weight_sample(extract, margins)
    rules = replace(used_rules(extract, options), population="residents")
    rules = replace(rules, changed=tuple(name for name in rules.changed if name in ("item_method", "roll_up")))
    main = Table(extract, weighting.rows, usable(weighting.design), weighting.method)
    cells = table_cells(main, rules)
    again = partial(publish, hidden=suppress(cells))
    shown = again(cells)
    judged = judge(cells, shown, rules)
    beside = tuple(measure for measure in main.answers.measures if not measure.startswith("item:"))
    plain = replace(main, design=usable(weighting.plain), weighting="none")
    before = replace(main, design=usable(weighting.adjusted), weighting="nonresponse")
    first = used_rules(extract, ScoreOptions())
    return SampleResult(
        extract=extract,
        rules=rules,
        left_out=accounted({"completed": int(weighting.rows.sum())}, reasons),
        scores=tuple(with_verdict(row, judged) for row in shown),
        unweighted=again(table_cells(plain, rules, beside)),
        factor_mean=again(table_cells(main, replace(rules, roll_up="factor_mean"), ("index",))),
        factor_shares=factor_shares(main, shown),
        first_rule=again(table_cells(main, first, beside)) if rules.changed else (),
        verdicts=judged,
        weighting=weighting,
        not_raked=again(table_cells(before, rules, beside)) if margins else (),
    )
