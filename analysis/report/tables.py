"""The tables of a report: a wave's published rows as words, in the order an official reads them.

Public: field_table, overall_table, centre_table, cell_tables, factor_table, mix_table, item_table, response_table, plain_table, comparison_table;
value_cells, shown_cell, truth_cells, true_value for the tables of other waves.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.report.reading import CounterReading, Reading
from analysis.report.table import Cell, Column, Notes, Row, Table
from analysis.wave.wave_result import Score

NEAR_CEILING = 88.0
"""From here on the share of the dissatisfied is printed beside."""


def field_table(reading: CounterReading) -> Table:
    """The headline by service field, with verdict, share answered and tipping point."""
    return _verdict_table(reading, "fields", reading.domains("index"), ("unadjusted", "tipping"))


def overall_table(reading: CounterReading) -> Table:
    return _verdict_table(reading, "overall", reading.domains("overall"), ("as_above",))


def centre_table(reading: CounterReading) -> Table:
    """The headline of every centre, in the order of the province's list."""
    whole = [row for row in reading.domains("index") if row.domain_kind == "all"]
    return _verdict_table(reading, "centres", whole + reading.centres("index"), ("unadjusted_centres", "centres_file"))


def cell_tables(reading: CounterReading) -> tuple[Table, ...]:
    """Cells of centre × field told apart from the line, lowest first; nothing where there is none."""
    rows = [row for row in reading.cells("index") if row.verdict in ("above", "below")]
    rows.sort(key=lambda row: row.value or 0)
    return (_verdict_table(reading, "cells", rows, ("unadjusted_cells",)),) if rows else ()


def _verdict_table(reading: CounterReading, name: str, domains: Sequence[Score], explained: tuple[str, ...]) -> Table:
    words, notes = reading.words, Notes()
    head, column = (
        {"centres": "centre", "cells": "centre_field"}.get(name, "field"),
        "overall" if name == "overall" else "index",
    )
    columns = (
        Column(words(f"col.{head}"), False),
        Column(words(f"col.{column}")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("col.n")),
        Column(words("col.n_eff")),
        Column(words("col.dossiers")),
        Column(words("col.share")),
        Column(words("col.verdict", reference=reading.reference_text), False),
        Column(words("col.tipping")),
    )
    rows = []
    for score in domains:
        detail = reading.verdict(score)
        verdict = words(f"word.{score.verdict or 'none'}") if score.value is not None else words("word.missing")
        rows.append(
            Row(
                (
                    Cell(reading.label(score), marks=_marks(reading, score, notes)),
                    *value_cells(reading, score),
                    *_counts(reading, score),
                    Cell(words.score(None if not detail or detail.answered is None else 100 * detail.answered)),
                    Cell(verdict, short=True),
                    Cell(words.score(_tipping(score, detail.tipping if detail else None))),
                ),
                score.domain_kind == "all",
            )
        )
    below = [*notes.listed, *(("", words(f"note.{key}")) for key in explained)]
    if name in ("fields", "overall") and (ceiling := _ceiling(reading, column)):
        below.append(("", ceiling))
    caption = words(f"table.{name}", rules=reading.rules_text, item_method=reading.result.rules.item_method)
    return Table(name, caption, columns, tuple(rows), tuple(below))


def _tipping(score: Score, tipping: float | None) -> float | None:
    """Blank with the value: q* and r together would give it away. Blank also outside 0–100, where nothing can turn."""
    if score.value is None or tipping is None or not 0 <= tipping <= 100:
        return None
    return tipping


def _ceiling(reading: CounterReading, measure: str) -> str:
    """Near the ceiling, the share not satisfied (only top2 has one)."""
    words = reading.words
    if reading.result.rules.item_method != "top2" and measure == "index":
        return ""
    near = [row for row in reading.domains(measure) if row.value is not None and row.value >= NEAR_CEILING]
    if not near:
        return ""
    shares = "; ".join(f"{reading.label(row)} {words.percent(100 - (row.value or 0))}" for row in near)
    return words("note.dissatisfied", shares=shares)


def _marks(reading: CounterReading, score: Score, notes: Notes) -> tuple[str, ...]:
    """Notes of a row: why there is no verdict, what to review."""
    words = reading.words
    detail = reading.verdict(score)
    marks = []
    if score.value is not None and detail and detail.reason:
        marks.append(notes.mark(words("note.no_verdict", why=reading.reason(detail.reason))))
    marks += [notes.mark(text) for text in reading.notes(score)]
    return tuple(sorted(marks, key=int))


def value_cells(reading: Reading[Any], score: Score | None) -> tuple[Cell, ...]:
    """Value and interval, or across both columns why there are none."""
    if score is None or score.value is None:
        return (Cell(reading.why_hidden(score), hidden=True, span=2),)
    return Cell(reading.words.score(score.value)), Cell(reading.words.interval(score.ci_low, score.ci_high))


def _counts(reading: CounterReading, score: Score | None) -> tuple[Cell, Cell, Cell]:
    """n, n_eff, responses / dossiers."""
    words = reading.words
    if score is None:
        return (Cell(words("word.missing")),) * 3
    both = f"{words.whole(score.responses)} / {words.whole(score.dossiers)}"
    return Cell(words.whole(score.n)), Cell(words.whole(score.n_eff)), Cell(both)


def plain_table(reading: CounterReading, name: str, rows: tuple[Score, ...]) -> Table:
    """Index and overall question of a second group (those who filed, those who asked), by service field."""
    words, notes = reading.words, Notes()
    columns = (
        Column(words("col.field"), False),
        Column(words("col.index")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("col.overall")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("col.n")),
        Column(words("col.n_eff")),
        Column(words("col.dossiers")),
    )
    lines = []
    for score in reading.domains("index", rows):
        overall = reading.result.score(score.domain, "overall", rows)
        marks = tuple(notes.mark(text) for text in reading.notes(score))
        cells = (*value_cells(reading, score), *value_cells(reading, overall), *_counts(reading, score))
        lines.append(Row((Cell(reading.label(score), marks=marks), *cells), score.domain_kind == "all"))
    below = notes.listed if lines else (("", words("note.no_rows")),)
    return Table(name, words(f"table.{name}", rules=reading.rules_text), columns, tuple(lines), below)


def factor_table(reading: CounterReading) -> Table:
    """One line a domain, one column a factor: score, interval, n and n_eff in each cell."""
    words, result = reading.words, reading.result
    factors = reading.codebook.index.factors
    titles = [Column(words.text(factor.text)) for factor in factors]
    columns = (Column(words("col.field"), False), *titles, Column(words("col.dossiers")))
    rows = []
    for domain in reading.domains():
        cells = []
        for factor in factors:
            score = result.score(domain.domain, f"factor:{factor.code}")
            cells.append(_factor_cell(reading, score))
        rows.append(
            Row((Cell(reading.label(domain)), *cells, _counts(reading, domain)[2]), domain.domain_kind == "all")
        )
    caption = words("table.factors", level=reading.level_text, rules=reading.rules_text)
    notes = (("", words("note.factor_cell", level=reading.level_text)), ("", words("plot.unadjusted_only")))
    return Table("factors", caption, columns, tuple(rows), notes)


def _factor_cell(reading: CounterReading, score: Score | None) -> Cell:
    words = reading.words
    if score is None or score.value is None:
        return Cell(reading.why_hidden(score), hidden=True)
    counts = words("note.n_cell", n=words.whole(score.n), n_eff=words.whole(score.n_eff))
    return Cell(words.score(score.value), below=(words.interval(score.ci_low, score.ci_high), counts))


def mix_table(reading: CounterReading) -> Table:
    """What routing does: each factor's share of the valid answers, and the index as the mean of its factors."""
    words, result = reading.words, reading.result
    factors = reading.codebook.index.factors
    shares = [Column(words("col.mix", factor=words.text(factor.text))) for factor in factors]
    scores = (Column(words("col.factor_mean")), Column(words("col.interval", level=reading.level_text)))
    counts = (Column(words("col.n")), Column(words("col.n_eff")))
    rows = []
    for domain in reading.domains():
        other = result.score(domain.domain, "index", result.factor_mean)
        mix = result.factor_shares.get(domain.domain, {}) if domain.value is not None else {}
        parts = [
            Cell(words.number(100 * mix[one.code], 1) if one.code in mix else words("word.missing")) for one in factors
        ]
        cells = (*parts, *value_cells(reading, other), *_counts(reading, other)[:2])
        rows.append(Row((Cell(reading.label(domain)), *cells), domain.domain_kind == "all"))
    caption = words("table.mix", item_method=result.rules.item_method)
    notes = (("", words("note.mix")),)
    return Table("mix", caption, (Column(words("col.field"), False), *shares, *scores, *counts), tuple(rows), notes)


def item_table(reading: CounterReading) -> Table:
    """Every item for the province, in the order of the form."""
    words, result, notes = reading.words, reading.result, Notes()
    columns = (
        Column(words("col.item"), False),
        Column(words("col.score")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("col.n")),
        Column(words("col.n_eff")),
        Column(words("col.dossiers")),
    )
    rows = []
    for code in reading.codebook.index.items:
        score = result.score("all", f"item:{code}")
        marks = tuple(notes.mark(text) for text in reading.notes(score)) if score else ()
        title = f"{code} {reading.measure_label(f'item:{code}')}"
        rows.append(Row((Cell(title, marks=marks), *value_cells(reading, score), *_counts(reading, score))))
    caption = words("table.items", item_method=result.rules.item_method)
    return Table("items", caption, columns, tuple(rows), notes.listed)


def response_table(reading: CounterReading) -> Table:
    words = reading.words
    columns = (
        Column(words("col.field"), False),
        Column(words("col.responses")),
        Column(words("col.dossiers_only")),
        Column(words("col.share")),
    )
    rows = []
    for score in reading.domains():
        share = 100 * score.responses / score.dossiers if score.responses is not None and score.dossiers else None
        numbers = (words.whole(score.responses), words.whole(score.dossiers), words.score(share))
        cells = (Cell(reading.label(score)), *map(Cell, numbers))
        rows.append(Row(cells, score.domain_kind == "all"))
    return Table("responses", words("table.responses"), columns, tuple(rows), narrow=True)


def comparison_table(reading: CounterReading, measure: str, truth: Mapping[str, Any] | None) -> Table:
    """Unweighted, weighted and, for a simulated wave, true values of the same domains side by side."""
    words, result = reading.words, reading.result
    titles = ["n", "n_eff", "unweighted", "weighted", "interval", "times_back"]
    titles += ["truth", "error", "process"] if truth else []
    columns = [Column(words("col.domain"), False)]
    columns += [Column(words(f"col.{title}", level=reading.level_text)) for title in titles]
    rows = []
    for score in reading.domains(measure):
        unweighted = result.score(score.domain, measure, result.unweighted)
        back = result.score(score.domain, measure, result.sensitivity)
        cells = [
            *_counts(reading, score)[:2],
            shown_cell(reading, unweighted),
            *value_cells(reading, score),
            shown_cell(reading, back),
        ]
        if truth:
            cells += truth_cells(reading, score, truth)
        rows.append(Row((Cell(reading.label(score)), *cells), score.domain_kind == "all"))
    notes = [("", words("note.times_back"))]
    notes += [("", words("note.truth")), ("", words("note.process"))] if truth else []
    caption = words("table.compare", measure=reading.measure_label(measure), rules=_rules(reading, measure))
    return Table(f"compare-{measure}", caption, tuple(columns), tuple(rows), tuple(notes))


def _rules(reading: CounterReading, measure: str) -> str:
    return reading.rules_text if measure == "index" else reading.words("report.one_item")


def shown_cell(reading: Reading[Any], score: Score | None) -> Cell:
    return Cell(reading.words.score(score.value if score else None))


def truth_cells(reading: Reading[Any], score: Score, truth: Mapping[str, Any]) -> Sequence[Cell]:
    """The truth of a simulated wave is nobody's answer, but a hidden cell keeps its error hidden too."""
    words = reading.words
    true = true_value(truth, score)
    process = true_value(truth.get("process", {}), score)
    error = None if score.value is None or true is None else score.value - true
    return [Cell(words.score(true)), Cell(words.number(error, 2)), Cell(words.score(process))]


def true_value(truth: Mapping[str, Any], score: Score) -> float | None:
    """truth.json's value for a row, or None where it has none."""
    values = truth.get(score.measure, {})
    found = values.get("all") if score.domain_kind == "all" else values.get("field", {}).get(score.domain)
    return None if found is None else float(found)
