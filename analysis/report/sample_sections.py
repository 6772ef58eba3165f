"""The sections of a sample wave's report: the province's own estimate, and what it may not be taken for.

Public: lead, sections.
"""

from collections.abc import Mapping
from typing import Any

from analysis.report import sample_tables as tables
from analysis.report.reading import SampleReading
from analysis.report.sample_figures import MOST_UNITS, items_plot
from analysis.report.sections import Lead, Section
from analysis.report.tables import NEAR_CEILING
from analysis.report.weighting import left_out_table
from analysis.wave.sample import STRAIN
from analysis.wave.wave_result import SampleResult


def lead(reading: SampleReading) -> Lead:
    words, score = reading.words, reading.result.score()
    hidden = reading.why_hidden(score)
    name = words("sample.index_two" if reading.two_areas else "sample.index_form")
    if score is None or hidden:
        value, interval = words("word.missing"), words("sample.hidden", why=hidden)
    else:
        value = words.percent(score.value)
        interval = words(
            "lead.interval", level=reading.level_text, interval=words.interval(score.ci_low, score.ci_high)
        )
    detail = reading.verdict(score) if score else None
    said = score.verdict if score and not hidden else ""
    why = hidden or reading.reason(detail.reason if detail else "")
    verdict = words(f"sample.{said or 'none'}", reference=reading.reference_text, why=why)
    warning = "" if reading.result.weighting.margins else words("sample.not_raked")
    return Lead(name, value, interval, verdict, _trust(reading), _facts(reading), _limits(reading), warning)


def _trust(reading: SampleReading) -> tuple[str, ...]:
    """How precise such a sample is, and near the ceiling the share of the dissatisfied."""
    words, score = reading.words, reading.result.score()
    said = list(reading.notes(score))
    if score and score.value is not None and score.ci_low is not None and score.ci_high is not None:
        said.insert(0, _precision(reading, score.responses or 0, (score.ci_high - score.ci_low) / 2))
        if score.value >= NEAR_CEILING and reading.result.rules.item_method == "top2":
            said.append(words("lead.dissatisfied", share=words.percent(100 - score.value)))
    return tuple(said)


def _precision(reading: SampleReading, responses: int, half: float) -> str:
    words = reading.words
    about = round(responses, -1) if responses >= 100 else responses
    return words("sample.precision", n=words.whole(about), half=words.number(half, 1))


def _facts(reading: SampleReading) -> tuple[tuple[str, str], ...]:
    words, result = reading.words, reading.result
    facts = []
    for area in reading.codebook.index.areas if reading.two_areas else ():
        score = result.score("all", f"area:{area.code}")
        hidden = reading.why_hidden(score)
        text = hidden or (
            f"{words.percent(score.value)} ({words.interval(score.ci_low, score.ci_high)})" if score else ""
        )
        facts.append((words.text(area.text), text))
    score = result.score()
    found = result.weighting.diagnostics
    if score:
        shown = score.value is not None
        facts += [
            (words("sample_fact.n"), words.whole(score.n)),
            (words("lead.n_eff"), words.whole(score.n_eff)),
            (
                words("lead.df"),
                f"{words.score(score.deff if shown else None)} · {words.whole(score.df if shown else None)}",
            ),
        ]
    rate = (
        f"{words.whole(found.responses)} / {words.whole(found.drawn)} ({words.percent(100 * found.response_rate, 1)})"
    )
    strata = len({one.unit.stratum for one in result.weighting.visits})
    return (
        *facts,
        (words("sample_fact.rate"), rate),
        (words("sample_fact.units"), f"{words.whole(found.units)} · {words.whole(strata)}"),
    )


def _limits(reading: SampleReading) -> tuple[str, ...]:
    words, rules = reading.words, reading.result.rules
    plan = words("sample.plan", reference=reading.reference_text) if reading.two_areas else words("sample.no_plan")
    said = [words("sample.unit"), plan, *reading.parts_told, words("report.kept_rules", rules=reading.rules_text)]
    if any(row.suppressed in ("confidential", "complementary") for row in reading.result.scores):
        said.append(words("sample.fieldwork"))
    if rules.changed:
        first = reading.result.score("all", "index", reading.result.first_rule)
        key = "report.changed" if first and first.value is not None else "report.changed_plain"
        value = words.percent(first.value) if first else ""
        said.append(words(key, rules=", ".join(rules.changed), first=value))
    return tuple(said)


def sections(reading: SampleReading, truth: Mapping[str, Any] | None) -> tuple[Section, ...]:
    apart = truth is not None and not _by_the_same_rules(reading.result, truth)
    truth = None if apart else truth
    words, index = reading.words, reading.codebook.index
    areas = [f"area:{area.code}" for area in index.areas] if reading.two_areas else []
    measures = ["index", *areas, *(f"factor:{factor.code}" for factor in index.factors)]
    caption = words("sample_table.factors", rules=reading.rules_text)
    compare = "compare_truth" if truth else "compare"
    return (
        Section("limits", words("head.limits"), bullets=_uses(reading)),
        Section(
            "factors",
            words("sample_head.factors"),
            plot="factors",
            tables=(tables.measure_table(reading, "factors", caption, measures),),
        ),
        *(_items(reading, number) for number in range(len(index.areas))),
        _published(reading),
        _visits(reading),
        Section(
            "compare",
            words(f"sample_head.{compare}"),
            (words("sample.truth_apart"),) if apart else (),
            tables=(tables.comparison_table(reading, truth),),
        ),
        Section("left-out", words("head.left_out"), tables=(left_out_table(reading),)),
        Section(
            "weights",
            words("head.weights"),
            _weighting(reading),
            plot="weights",
            tables=(
                tables.diagnostics_table(reading),
                *tables.margins_table(reading),
                *tables.strata_table(reading),
            ),
        ),
        Section("method", words("head.method"), definitions=_method(reading)),
    )


def _items(reading: SampleReading, number: int) -> Section:
    words, index = reading.words, reading.codebook.index
    area, rules = index.areas[number], reading.result.rules
    measures = [f"item:{item}" for factor in index.factors if factor.area == area.code for item in factor.items]
    name, text = items_plot(number), words.text(area.text)
    caption = words("sample_table.items", area=text, item_method=rules.item_method)
    table = tables.measure_table(reading, name, caption, measures)
    return Section(name, words("sample_head.items", area=text), plot=name, tables=(table,))


def _by_the_same_rules(result: SampleResult, truth: Mapping[str, Any]) -> bool:
    """The truth of a simulated sample wave is known for one item method and roll-up."""
    rules = {"item_method": result.rules.item_method, "roll_up": result.rules.roll_up}
    return all(truth.get(name, rule) == rule for name, rule in rules.items())


def _published(reading: SampleReading) -> Section:
    words, references = reading.words, reading.codebook.references
    title = words("sample_head.published")
    if not references:
        return Section("published", title, (words("sample.none_published"),))
    series = sorted({one.series for one in references})
    said = [words("sample.published")]
    said += [words("sample.series", series=words.listed(series))] if len(series) > 1 else []
    score = reading.result.score()
    if score and score.ci_low is not None and score.ci_high is not None:
        said.append(_precision(reading, score.responses or 0, (score.ci_high - score.ci_low) / 2))
    return Section("published", title, tuple(said), tables=(tables.published_table(reading),))


def _visits(reading: SampleReading) -> Section:
    words, weighting = reading.words, reading.result.weighting
    found = weighting.diagnostics
    said = [
        words(
            "sample.visits",
            completed=words.whole(found.responses),
            drawn=words.whole(found.drawn),
            visited=words.whole(found.visited),
            rate=words.percent(100 * found.response_rate, 1),
            units=words.whole(found.units),
            strata=words.whole(len({one.unit.stratum for one in weighting.visits})),
        )
    ]
    if found.not_visited:
        said.append(words("sample.not_visited", count=words.whole(found.not_visited)))
    for one in weighting.beyond:
        counts = {"completed": words.whole(one.unit.completed), "drawn": words.whole(one.unit.households)}
        said.append(words("sample.beyond", unit=tables.unit_words(one), **counts))
    if not weighting.given:
        said.append(words("sample.nobody_joined"))
    plot = "visits" if len(weighting.visits) <= MOST_UNITS else ""
    return Section("visits", words("sample_head.visits"), tuple(said), plot, (tables.visits_table(reading),))


def _weighting(reading: SampleReading) -> tuple[str, ...]:
    """Raked to which margins, or loudly that nothing was raked."""
    words, weighting, margins = reading.words, reading.result.weighting, reading.result.weighting.margins
    if not margins:
        return (words("sample.not_raked"), words("sample.how_to_rake"))
    names = {one.name: words.text(one.text) for one in margins.margins}
    said = [
        words(
            "sample.raked",
            margins=words.listed(names.values()),
            source=margins.source,
            population=words.whole(margins.population),
        )
    ]
    for name, factor in margins.scaled.items():
        said.append(words("sample.scaled", margin=names[name], factor=words.number(factor, 6)))
    few = tables.few_margins(weighting)
    strained = [one for one in weighting.strained if one.margin not in few]
    if strained:
        classes = words.listed(f"{words.text(one.text)}: {words.text(one.label)}" for one in strained)
        said.append(words("sample.strained", classes=classes, limit=words.whole(STRAIN)))
    return tuple(said)


def _method(reading: SampleReading) -> tuple[tuple[str, str], ...]:
    words, rules = reading.words, reading.result.rules
    reference = {"reference": reading.reference_text}
    form = reading.codebook.questionnaire
    raking = words("sample_method.raking" if reading.result.weighting.margins else "sample_method.no_raking")
    source = words("method.source_text", title=words.text(form.title), version=form.version, source=form.source)
    return (
        (words("method.target"), words("sample_method.target_text")),
        (words("method.item_method"), words(f"item_method.{rules.item_method}_long")),
        (words("method.roll_up"), words(f"roll_up.{rules.roll_up}_long")),
        (words("method.weighting"), words("sample_method.weighting_text", raking=raking)),
        (words("method.variance"), words("sample_method.variance_text")),
        (words("method.interval"), words("sample_method.interval_text", level=reading.level_text)),
        (words("method.verdict", **reference), words("sample_method.verdict_text", **reference)),
        (words("method.effective"), words("method.effective_text")),
        (words("method.publication"), words("method.publication_text")),
        (words("method.source"), source),
    )


def _uses(reading: SampleReading) -> tuple[str, ...]:
    names = ("may_estimate", "may_factors", "may_waves", "not_published", "not_subtract", "not_small")
    return tuple(reading.words(f"sample_limits.{name}") for name in names)
