"""The tables of a sample wave's report.

Public: measure_table, published_table, visits_table, comparison_table, diagnostics_table,
margins_table, few_margins, strata_table, measure_words, unit_words.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.report.reading import SampleReading
from analysis.report.table import Cell, Column, Notes, Row, Table
from analysis.report.tables import shown_cell, truth_cells, value_cells
from analysis.report.weighting import tiny
from analysis.wave.additive import FEW
from analysis.wave.codebook import Reference
from analysis.wave.sample import NO_ANSWER, SampleWeighting, Visited
from analysis.wave.wave_result import Score

OF_ONE = ("deff_kish", "n_eff_kish", "smallest", "largest")
"""Diagnostics that tell a single weight, and so the raking class of one person, where responses are few."""
ORDER = ("index", "area", "factor", "item", "rank")


def measure_table(reading: SampleReading, name: str, caption: str, measures: Sequence[str]) -> Table:
    """One line a measure, in the order given: score, interval, n, n_eff, design effect."""
    words, notes = reading.words, Notes()
    columns = (
        Column(words("sample_col.measure"), False),
        Column(words("col.score")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("sample_col.n")),
        Column(words("col.n_eff")),
        Column(words("sample_col.deff")),
    )
    rows = []
    for measure in measures:
        score = reading.result.score("all", measure)
        marks = tuple(notes.mark(text) for text in reading.notes(score))
        deff = score.deff if score and score.value is not None else None
        counts = (score.n, score.n_eff) if score else (None, None)
        cells = (*map(Cell, map(words.whole, counts)), Cell(words.score(deff)))
        head = Cell(measure_words(reading, measure), marks=marks)
        rows.append(Row((head, *value_cells(reading, score), *cells), measure == "index" or measure[:5] == "area:"))
    below = [*notes.listed, ("", words("sample_plot.unadjusted"))]
    scores = [score for measure in measures if (score := reading.result.score("all", measure))]
    if any(score.value is not None and (score.n_eff or 0) > (score.n or 0) for score in scores):
        below.append(("", words("sample_note.gain")))
    return Table(name, caption, columns, tuple(rows), tuple(below))


def measure_words(reading: SampleReading, measure: str) -> str:
    kind, _, code = measure.partition(":")
    if kind == "index":
        return reading.words("sample.index_two" if reading.two_areas else "sample.index_form")
    if kind == "rank":
        return reading.words("sample.rank")
    label = reading.measure_label(measure)
    return f"{code} {label}" if kind == "item" and code != label else label


def published_table(reading: SampleReading) -> Table:
    """The Ministry's figures as they were entered, beside the province's own estimate of the same measure.

    The own index has a line of its own: it is an estimate of the form's index, never "the SIPAS index".
    """
    words, notes = reading.words, Notes()
    columns = (
        Column(words("sample_col.measure"), False),
        Column(words("sample_col.own")),
        Column(words("sample_col.place"), False),
        Column(words("sample_col.year")),
        Column(words("sample_col.value")),
        Column(words("sample_col.label"), False),
        Column(words("sample_col.series"), False),
    )
    rows = []
    before = ""
    found = sorted(reading.codebook.references, key=lambda one: (*_place(reading, one.measure), one.place, -one.year))
    for one in found:
        own = _own(reading, one.measure) if one.measure != before else Cell("")
        plain = measure_words(reading, one.measure)
        if one.measure == "index":
            if before != "index":
                rows.append(Row((Cell(plain), own, *map(Cell, ("", "", "", "", "")))))
            plain, own = words("sample.index_published"), Cell("")
        head = (Cell(plain), own)
        before = one.measure
        value = Cell(_decimal(reading, one.value), marks=(notes.mark(one.source),))
        place, label = _place_words(reading, one), f"[{one.label}]"
        others = (Cell(place, short=True), Cell(str(one.year)), value, Cell(label), Cell(one.series, short=True))
        rows.append(Row((*head, *others)))
    labels = [words(f"sample_label.{label}") for label in "VSDIB" if any(one.label == label for one in found)]
    below = [*notes.listed, ("", words("sample_note.labels", labels="; ".join(labels)))]
    return Table("published", words("sample_table.published"), columns, tuple(rows), tuple(below))


def _own(reading: SampleReading, measure: str) -> Cell:
    """The own estimate of a measure with its interval under it; why it is hidden, or a dash where there is none."""
    score, words = reading.result.score("all", measure), reading.words
    if score is None:
        return Cell(words("word.missing"))
    if score.value is None:
        return Cell(reading.why_hidden(score), hidden=True)
    return Cell(words.score(score.value), below=(words.interval(score.ci_low, score.ci_high),))


def _place(reading: SampleReading, measure: str) -> tuple[int, int]:
    """Where a measure stands: by kind, then in the order of the form."""
    kind = measure.partition(":")[0]
    order = [row.measure for row in reading.result.scores]
    return ORDER.index(kind) if kind in ORDER else len(ORDER), order.index(measure) if measure in order else len(order)


def _place_words(reading: SampleReading, one: Reference) -> str:
    key = f"sample.place_{one.place}"
    return reading.words(key) if reading.words.has(key) else one.place


def _decimal(reading: SampleReading, value: str) -> str:
    """As published, with the decimal sign of the language."""
    return value.replace(".", ",") if reading.words.language == "vi" else value


def visits_table(reading: SampleReading) -> Table:
    """Every unit of the frame: households drawn and visits, outcomes, rate, factor on the base weight."""
    words, notes = reading.words, Notes()
    counts = ("households", "visited", "completed", "refused", "not_at_home", "broken_off")
    columns = (
        Column(words("sample_col.unit"), False),
        Column(words("sample_col.stratum"), False),
        *(Column(words(f"sample_col.{name}")) for name in (*counts, "rate", "factor")),
    )
    names = {one.unit.psu: unit_words(one) for one in reading.result.weighting.visits}
    rows = []
    for one in reading.result.weighting.visits:
        marks = (notes.mark(words("sample_note.given", to=names[one.given_to])),) if one.given_to else ()
        numbers = [words.whole(getattr(one.unit, name)) for name in counts]
        rate = words.number(100 * one.unit.response_rate, 1)
        cells = map(Cell, (one.unit.stratum, *numbers, rate, words.number(one.factor, 3)))
        rows.append(Row((Cell(names[one.unit.psu], marks=marks), *cells)))
    below = (*notes.listed, ("", words("sample_note.factor")))
    return Table("visits", words("sample_table.visits"), columns, tuple(rows), below)


def unit_words(one: Visited) -> str:
    """Names of villages repeat in a province; their codes do not."""
    return f"{one.unit.name} ({one.unit.psu})" if one.unit.name else one.unit.psu


def comparison_table(reading: SampleReading, truth: Mapping[str, Any] | None) -> Table:
    """Index, areas and, for a simulated wave, factors: unweighted, before raking, final and true values."""
    words, result = reading.words, reading.result
    raked = bool(result.not_raked)
    titles = [words("col.unweighted"), *([words("sample_col.not_raked")] if raked else []), words("col.weighted")]
    titles += [words("col.interval", level=reading.level_text)]
    titles += [words("col.truth"), words("col.error")] if truth else []
    kinds = ("index", "area", "factor") if truth else ("index", "area")
    rows = []
    for score in result.scores:
        if score.measure.partition(":")[0] not in kinds:
            continue
        others = (result.unweighted, *((result.not_raked,) if raked else ()))
        cells = [shown_cell(reading, _of(score, rows_)) for rows_ in others]
        cells += value_cells(reading, score)
        cells += truth_cells(reading, score, truth)[:2] if truth else []
        rows.append(Row((Cell(measure_words(reading, score.measure)), *cells), score.measure == "index"))
    columns = (Column(words("sample_col.measure"), False), *map(Column, titles))
    notes = (("", words("sample.truth")),) if truth else ()
    return Table("compare", words("sample_table.compare", rules=reading.rules_text), columns, tuple(rows), notes)


def _of(score: Score, rows: tuple[Score, ...]) -> Score | None:
    return next((row for row in rows if row.measure == score.measure), None)


def diagnostics_table(reading: SampleReading) -> Table:
    words, weighting = reading.words, reading.result.weighting
    found = weighting.diagnostics
    numbers = {
        "method": words(f"sample_weighting.{weighting.method.replace('+', '_')}"),
        "responses": words.whole(found.responses),
        "residents": words.whole(found.residents),
        "deff_kish": words.number(found.deff_kish, 3),
        "n_eff_kish": words.whole(found.n_eff_kish),
        "smallest": words.number(found.smallest, 2),
        "mean": words.number(found.mean, 2),
        "largest": words.number(found.largest, 2),
        "units": words.whole(found.units),
        "units_without_response": words.whole(found.units_without_response),
    }
    numbers |= {} if reading.counts_shown else dict.fromkeys(OF_ONE, words("word.missing"))
    if found.tolerance is not None:
        numbers |= {"classes": words.whole(found.classes), "tolerance": tiny(reading, found.tolerance)}
    rows = tuple(
        Row((Cell(words(f"sample_diagnostic.{name}")), Cell(text, wrapped=True))) for name, text in numbers.items()
    )
    columns = (Column(words("col.diagnostic"), False), Column(words("col.value")))
    return Table("weights", words("table.weights"), columns, rows, narrow=True)


def margins_table(reading: SampleReading) -> tuple[Table, ...]:
    """Each class raked to: respondents, shares before the raking and of the residents; nothing where nothing was raked.

    A margin with a class of few respondents shows none of its counts: they add up. Nor what those who did not answer it
    stand for, with the other totals as they were before that was taken off them.
    """
    words, weighting = reading.words, reading.result.weighting
    if not weighting.met:
        return ()
    names = ("margin", "class")
    numbers = ("n", "share_before", "share", "total")
    columns = (
        *(Column(words(f"sample_col.{name}"), False) for name in names),
        *(Column(words(f"sample_col.{name}")) for name in numbers),
    )
    before: dict[str, float] = {}
    total: dict[str, float] = {}
    for one in weighting.met:
        before[one.margin] = before.get(one.margin, 0) + one.before
        total[one.margin] = total.get(one.margin, 0) + one.total
    few = few_margins(weighting)
    given = {one.name: one.totals for one in weighting.margins.margins} if weighting.margins else {}
    residents = {
        (one.margin, one.code): given[one.margin].get(one.code) if one.margin in few else one.total
        for one in weighting.met
    }
    rows = tuple(
        Row(
            (
                Cell(words.text(one.text)),
                Cell(words.text(one.label)),
                Cell(words.whole(None if one.margin in few else one.n)),
                Cell(words.number(None if one.margin in few else 100 * one.before / before[one.margin], 1)),
                Cell(words.number(_share(residents[one.margin, one.code], total[one.margin]), 1)),
                Cell(words.whole(residents[one.margin, one.code])),
            )
        )
        for one in weighting.met
    )
    notes = [("", words("sample.no_answer"))] if any(one.code == NO_ANSWER for one in weighting.met) else []
    notes += [("", words("sample_note.few", few=FEW))] if few else []
    return (Table("margins", words("sample_table.margins"), columns, rows, tuple(notes)),)


def few_margins(weighting: SampleWeighting) -> set[str]:
    """Margins with a class of few respondents, of which nothing may be told that speaks of those."""
    return {one.margin for one in weighting.met if one.n < FEW}


def _share(part: float | None, whole: float) -> float | None:
    return None if part is None else 100 * part / whole


def strata_table(reading: SampleReading) -> tuple[Table, ...]:
    words = reading.words
    rows = tuple(Row((Cell(" + ".join(strata)),)) for strata in reading.result.weighting.strata_joined)
    head = (Column(words("sample_col.stratum"), False),)
    return (Table("strata", words("sample_table.strata"), head, rows, narrow=True),) if rows else ()
