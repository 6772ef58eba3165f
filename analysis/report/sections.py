"""The sections of a report in the order an official asks: how are we doing, can we trust it, where, why, how computed.

Public: Lead, Section, lead, sections.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from analysis.report import tables
from analysis.report.fieldwork import (
    fieldwork_sentences,
    fieldwork_tables,
    invitation_sentences,
    odd_sentences,
    odd_tables,
)
from analysis.report.findings import tipping_sentence, verdict_sentence
from analysis.report.reading import CounterReading
from analysis.report.table import Table
from analysis.report.weighting import (
    diagnostics_table,
    error_table,
    joining_tables,
    left_out_table,
    silent_sentence,
    weights_sentences,
)


@dataclass(frozen=True)
class Lead:
    """What stands first: the score, its interval, the verdict, and what it rests on. `warning` is said loudly."""

    name: str
    value: str
    interval: str
    verdict: str
    sentences: tuple[str, ...]
    facts: tuple[tuple[str, str], ...]
    limits: tuple[str, ...]
    warning: str = ""


@dataclass(frozen=True)
class Section:
    name: str
    title: str
    paragraphs: tuple[str, ...] = ()
    plot: str = ""
    tables: tuple[Table, ...] = ()
    definitions: tuple[tuple[str, str], ...] = ()
    bullets: tuple[str, ...] = field(default=())


def lead(reading: CounterReading) -> Lead:
    words, score = reading.words, reading.result.score()
    hidden = reading.why_hidden(score)
    if score is None or hidden:
        value, interval = words("word.missing"), words("lead.hidden", why=hidden)
    else:
        value = words.percent(score.value)
        interval = words(
            "lead.interval", level=reading.level_text, interval=words.interval(score.ci_low, score.ci_high)
        )
    detail = reading.verdict(score) if score else None
    why = hidden or reading.reason(detail.reason if detail else "")
    verdict = verdict_sentence(words, "" if hidden or not score else score.verdict, reading.reference_text, why)
    return Lead(words("lead.index"), value, interval, verdict, _trust(reading), _facts(reading), _limits(reading))


def _trust(reading: CounterReading) -> tuple[str, ...]:
    """Share answered, tipping point, and near the ceiling the share of the dissatisfied."""
    words, score = reading.words, reading.result.score()
    detail = reading.verdict(score) if score else None
    if score is None or score.value is None:
        return tuple(reading.notes(score))
    sentences = []
    if detail and detail.answered is not None:
        sentences.append(words("lead.answered", r=words.percent(100 * detail.answered)))
    if detail:
        sentences.append(tipping_sentence(words, score.verdict, detail.tipping, reading.reference_text))
    if score.value >= tables.NEAR_CEILING and reading.result.rules.item_method == "top2":
        sentences.append(words("lead.dissatisfied", share=words.percent(100 - score.value)))
    return tuple(filter(None, (*sentences, *reading.notes(score))))


def _facts(reading: CounterReading) -> tuple[tuple[str, str], ...]:
    words, score, overall = reading.words, reading.result.score(), reading.result.score("all", "overall")
    facts = []
    if score:
        detail = reading.verdict(score)
        shown = score.value is not None
        facts = [
            (words("lead.n"), words.whole(score.n)),
            (words("lead.n_eff"), words.whole(score.n_eff)),
            (words("lead.dossiers"), f"{words.whole(score.responses)} / {words.whole(score.dossiers)}"),
            (
                words("lead.share"),
                words.percent(100 * detail.answered if detail and detail.answered is not None else None),
            ),
            (
                words("lead.df"),
                f"{words.score(score.deff if shown else None)} · {words.whole(score.df if shown else None)}",
            ),
        ]
    hidden = reading.why_hidden(overall)
    text = (
        hidden or f"{words.percent(overall.value)} ({words.interval(overall.ci_low, overall.ci_high)})"
        if overall
        else hidden
    )
    return (*facts, (words("lead.overall"), text))


def _limits(reading: CounterReading) -> tuple[str, ...]:
    words, rules = reading.words, reading.result.rules
    said = [words("report.unit"), words("lead.no_plan", reference=reading.reference_text)]
    if rules.online_included:
        said.insert(1, words("report.online"))
    said += [*reading.parts_told, words("report.kept_rules", rules=reading.rules_text)]
    if rules.changed:
        first = reading.result.score("all", "index", reading.result.first_rule)
        key = "report.changed" if first and first.value is not None else "report.changed_plain"
        value = words.percent(first.value) if first else ""
        said.append(words(key, rules=", ".join(rules.changed), first=value))
    return tuple(said)


def sections(reading: CounterReading, truth: Mapping[str, Any] | None) -> tuple[Section, ...]:
    words = reading.words
    comparison = "compare_truth" if truth else "compare"
    return (
        Section("limits", words("head.limits"), bullets=_uses(reading)),
        Section(
            "fields",
            words("head.fields"),
            plot="scores",
            tables=(tables.field_table(reading), tables.overall_table(reading)),
        ),
        *_centres(reading),
        Section(
            "factors",
            words("head.factors"),
            plot="factors",
            tables=(tables.factor_table(reading), tables.mix_table(reading)),
        ),
        Section("items", words("head.items"), tables=(tables.item_table(reading),)),
        Section(
            "responses",
            words("head.responses"),
            (silent_sentence(reading), *invitation_sentences(reading)),
            "responses",
            (tables.response_table(reading),),
        ),
        Section(
            "others",
            words("head.others"),
            (words("note.filed"), words("note.asked")),
            tables=tuple(
                tables.plain_table(reading, name, getattr(reading.result, name)) for name in ("filed", "asked")
            ),
        ),
        Section(
            "compare",
            words(f"head.{comparison}"),
            tables=tuple(tables.comparison_table(reading, measure, truth) for measure in ("index", "overall")),
        ),
        Section("left-out", words("head.left_out"), tables=(left_out_table(reading),)),
        Section(
            "weights",
            words("head.weights"),
            weights_sentences(reading),
            plot="weights",
            tables=(diagnostics_table(reading), *joining_tables(reading)),
        ),
        *_asked(reading),
        Section("method", words("head.method"), tables=(error_table(reading),), definitions=_method(reading)),
    )


def _asked(reading: CounterReading) -> tuple[Section, ...]:
    """Who was asked, and what came in oddly; nothing of extracts that do not say."""
    words = reading.words
    said = ((fieldwork_sentences, fieldwork_tables, "fieldwork"), (odd_sentences, odd_tables, "odd"))
    return tuple(
        Section(name, words(f"head.{name}"), sentences(reading), tables=found)
        for sentences, tables_of, name in said
        if (found := tables_of(reading))
    )


def _centres(reading: CounterReading) -> tuple[Section, ...]:
    """Every centre by itself, and the cells of centre × field that can be told apart from the line."""
    words, rows, cells = reading.words, reading.centres(), reading.cells()
    if len(rows) < 2:
        return ()
    shown = [row for row in cells if row.value is not None]
    counts = {name: words.whole(sum(row.verdict == name for row in shown)) for name in ("above", "below")}
    said = (
        words(
            "centres.counts", shown=words.whole(sum(row.value is not None for row in rows)), all=words.whole(len(rows))
        ),
        words(
            "centres.cells",
            shown=words.whole(len(shown)),
            all=words.whole(len(cells)),
            reference=reading.reference_text,
            **counts,
        ),
    )
    found = (tables.centre_table(reading), *tables.cell_tables(reading))
    return (Section("centres", words("head.centres"), said, "centres", found),)


def _method(reading: CounterReading) -> tuple[tuple[str, str], ...]:
    words, rules, book = reading.words, reading.result.rules, reading.codebook
    reference = {"reference": reading.reference_text}
    roll_up = words(f"roll_up.{rules.roll_up}_long")
    if len(book.index.areas) == 1 and rules.roll_up == "area_mean":
        roll_up = f"{roll_up}. {words('method.same_area')}"
    weighting = words("method.weighting_text", weighting=words(f"weighting.{rules.method}"), minimum=rules.minimum)
    form = book.questionnaire
    source = words("method.source_text", title=words.text(form.title), version=form.version, source=form.source)
    target = words("method.target_text", population=reading.population_text, months=reading.months_text)
    return (
        (words("method.target"), target),
        (words("method.item_method"), words(f"item_method.{rules.item_method}_long")),
        (words("method.roll_up"), roll_up),
        (words("method.weighting"), weighting),
        (words("method.variance"), words("method.variance_text")),
        (words("method.interval"), words("method.interval_text", level=reading.level_text)),
        (words("method.verdict", **reference), words("method.verdict_text", **reference)),
        (words("method.effective"), words("method.effective_text")),
        (words("method.publication"), words("method.publication_text")),
        (words("method.source"), source),
    )


def _uses(reading: CounterReading) -> tuple[str, ...]:
    names = ("may_service", "may_follow", "not_index", "not_rank", "not_citizens")
    return tuple(reading.words(f"limits.{name}") for name in names)
