"""What stands behind the weights, as tables: who was left out, diagnostics, joined cells, silent centres.

Public: left_out_table, diagnostics_table, joining_tables, error_table, silent_sentence, weights_sentences, tiny,
shown_weights.
"""

from typing import TYPE_CHECKING, Any

from analysis.report.reading import CounterReading, Reading
from analysis.report.table import Cell, Column, Row, Table
from analysis.wave.additive import FEW

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

NAMED_CENTRES = 12
COUNTING = ("responses", "deff_kish", "n_eff_kish", "smallest", "mean", "largest")
"""Diagnostics that tell how many responses there are."""


def left_out_table(reading: Reading[Any]) -> Table:
    """Every response of the extract once: used, in a table of its own, or left out for one reason."""
    words, left = reading.words, reading.result.left_out
    lines = [(words(f"left_out.{name}"), count) for name, count in left.kept.items()]
    lines += [(words.text(one.text) or one.reason, one.count) for one in left.reasons]
    lines.append((words("left_out.total"), left.responses))
    notes = []
    if None in (*left.kept.values(), *(one.count for one in left.reasons)):
        notes.append(("", words("note.left_out_blank")))
    if left.together:
        notes.append(("", words("note.left_out_together", together=words.whole(left.together))))
    rows = tuple(
        Row(
            (Cell(label), Cell(words.whole(count)), Cell(words.score(_share(count, left.responses)))),
            place == len(lines),
        )
        for place, (label, count) in enumerate(lines, start=1)
    )
    columns = (Column(words("col.reason"), False), Column(words("col.responses")), Column(words("col.share_of_all")))
    return Table("left-out", words("table.left_out"), columns, rows, tuple(notes), narrow=True)


def _share(part: int | None, whole: int) -> float | None:
    return 100 * part / whole if whole and part is not None else None


def diagnostics_table(reading: CounterReading) -> Table:
    words, weighting = reading.words, reading.result.weighting
    found = weighting.diagnostics
    weights = shown_weights(reading)
    ends = (weights.min(), weights.max()) if len(weights) else (None, None)
    numbers = {
        "method": words(f"weighting.{weighting.method}"),
        "minimum": words.whole(weighting.minimum),
        "responses": words.whole(found.responses),
        "dossiers": words.whole(found.dossiers),
        "deff_kish": words.number(found.deff_kish, 3),
        "n_eff_kish": words.whole(found.n_eff_kish),
        "smallest": words.number(ends[0], 2),
        "mean": words.number(found.mean, 2),
        "largest": words.number(ends[1], 2),
        "classes": words.whole(found.classes),
        "tolerance": tiny(reading, found.tolerance),
        "dossiers_without_respondents": words.whole(found.dossiers_without_respondents),
        "joined_centres": words.whole(len(weighting.joinings)),
        "moved": words.whole(sum(one.moved for one in weighting.joinings)),
    }
    numbers |= {} if reading.counts_shown else dict.fromkeys(COUNTING, words("word.missing"))
    rows = tuple(Row((Cell(words(f"diagnostic.{name}")), Cell(text, wrapped=True))) for name, text in numbers.items())
    columns = (Column(words("col.diagnostic"), False), Column(words("col.value")))
    notes = []
    if weighting.unrepresented:
        fields = [f"{reading.labels.get(code, code)} ({words.whole(n)})" for code, n in weighting.unrepresented.items()]
        notes.append(("", words("note.unrepresented", fields=words.listed(fields))))
    return Table("weights", words("table.weights"), columns, rows, tuple(notes), narrow=True)


def shown_weights(reading: CounterReading) -> "NDArray[np.float64]":
    """The weights that may be shown one by one: none of a field whose responses are hidden.

    The weights of a class add up to its dossiers, which everybody knows: a single weight tells how many share them. So
    none is shown either where classes under FEW responses were allowed.
    """
    import numpy as np

    weighting = reading.result.weighting
    weight = weighting.design.weight
    hidden = [row.domain for row in reading.fields() if row.responses is None]
    fields = reading.result.extract.column("field")[weighting.rows].astype(str)
    return weight[~np.isin(fields, hidden)] if reading.counts_shown and weighting.minimum >= FEW else weight[:0]


def tiny(reading: Reading[Any], value: float) -> str:
    """2,8 × 10⁻¹³ where decimals would show nothing but zeros."""
    if not 0 < value < 0.001:
        return reading.words.number(value, 3)
    mantissa, exponent = f"{value:.1e}".split("e-")
    power = str(int(exponent)).translate(str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹"))
    return f"{reading.words.number(float(mantissa), 1)} × 10⁻{power}"


def joining_tables(reading: CounterReading) -> tuple[Table, ...]:
    """Weighting classes made of several centres, and strata joined for the variance."""
    words, weighting = reading.words, reading.result.weighting
    columns = (
        Column(words("col.joined_to"), False),
        Column(words("col.field"), False),
        Column(words("col.responses")),
        Column(words("col.dossiers_only")),
        Column(words("col.moved")),
    )
    rows = tuple(
        Row(
            (
                Cell(_centres(reading, one.centres)),
                Cell(reading.labels.get(one.field, one.field) if one.field else words("word.all_fields")),
                Cell(words.whole(_responses(reading, one.field, one.centres))),
                Cell(words.whole(sum(one.dossiers))),
                Cell(words.whole(one.moved)),
            )
        )
        for one in weighting.joinings
    )
    notes = (("", words("note.joining")),)
    found = [Table("joinings", words("table.joinings"), columns, rows, notes)] if rows else []
    if weighting.counter.joined:
        strata = tuple(Row((Cell(_centres(reading, one)),)) for one in weighting.counter.joined)
        head = (Column(words("col.joined_to"), False),)
        found.append(Table("strata", words("table.day_joinings"), head, strata, narrow=True))
    return tuple(found)


def _responses(reading: CounterReading, field: str | None, centres: tuple[str, ...]) -> int | None:
    """Responses of a class: the sum of those that are published, and nothing where one of them is hidden."""
    kind = "centre_field" if field else "centre"
    rows = [reading.result.find(kind, f"{centre}/{field}" if field else centre, "index") for centre in centres]
    counts = [row.responses for row in rows if row]
    return None if None in counts else sum(number or 0 for number in counts)


def weights_sentences(reading: CounterReading) -> tuple[str, ...]:
    """That nothing was joined, or that more was joined than the rule of the wave asks for."""
    words, weighting = reading.words, reading.result.weighting
    if weighting.raised_from:
        return (words("note.raised", rule=weighting.raised_from, minimum=weighting.minimum),)
    return () if weighting.joinings else (words("note.no_joinings"),)


def _centres(reading: CounterReading, codes: tuple[str, ...]) -> str:
    return " + ".join(reading.names.get(code, code) for code in codes)


def error_table(reading: CounterReading) -> Table:
    """The index's standard error by sampling unit: the default beside centre × ISO week."""
    words, score = reading.words, reading.result.score()
    shown = score is not None and score.value is not None
    day = score.se if score is not None and shown else None
    week = reading.result.week_se.get(score.key) if score is not None and shown else None
    rows = tuple(
        Row((Cell(words(f"unit.{name}")), Cell(words.number(value, 3))))
        for name, value in (("day", day), ("week", week))
    )
    columns = (Column(words("col.unit"), False), Column(words("col.se")))
    return Table("errors", words("table.errors"), columns, rows, (("", words("note.week")),), narrow=True)


def silent_sentence(reading: CounterReading) -> str:
    """How many centres with dossiers have usable responses, and the first of those that have none."""
    words, result = reading.words, reading.result
    register = result.extract.register
    rows = zip(register["centre"], register["channel"], register["resolved"], strict=True)
    expected = {str(code) for code, channel, count in rows if count > 0 and channel in ("counter", "all")}
    answered = {str(code) for code in result.extract.column("centre")[result.weighting.rows]}
    names = [centre.name for centre in reading.codebook.centres if centre.code in expected - answered]
    if not names:
        return words("note.silent_none", all=words.whole(len(expected)))
    shown = names[:NAMED_CENTRES]
    if len(names) > len(shown):
        shown.append(
            words("note.more", count=words.whole(len(names) - len(shown))).removeprefix(f"{words('word.and')} ")
        )
    counts = {"answered": words.whole(len(expected & answered)), "all": words.whole(len(expected))}
    return words("note.silent", **counts, names=words.listed(shown))
