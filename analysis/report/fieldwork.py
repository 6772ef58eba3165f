"""Who was asked and who answered, and what came in oddly: sentences and tables of a counter wave's report.

Public: invitation_sentences, fieldwork_sentences, fieldwork_tables, odd_sentences, odd_tables.
"""

from analysis.report.reading import CounterReading
from analysis.report.table import Cell, Column, Row, Table
from analysis.report.tables import value_cells
from analysis.wave.extract import ODD
from analysis.wave.fieldwork import Fieldwork, by_centre, summed
from analysis.wave.quality import fieldwork_shown
from analysis.wave.wave_result import Score

COUNTS = ("complete", "broken_off", "invited", "refused")
TITLES = {"invited": "invited_count"}
RATES = ("response_rate", "refusal_rate", "break_off_rate")


def invitation_sentences(reading: CounterReading) -> tuple[str, ...]:
    """One sentence where people were invited: how many, and how many of them answered and refused."""
    if not fieldwork_shown(reading.result):
        return ()
    words, whole = reading.words, summed(reading.result.extract.fieldwork)
    if not whole.invited:
        return ()
    rates = {name: words.percent(_percent(getattr(whole, name)), 1) for name in RATES}
    return (words("fieldwork.invited", invited=words.whole(whole.invited), **rates),)


def fieldwork_sentences(reading: CounterReading) -> tuple[str, ...]:
    """What the table of rates can and cannot say."""
    if not fieldwork_shown(reading.result):
        return ()
    invited = summed(reading.result.extract.fieldwork).invited
    return (reading.words("fieldwork.open" if invited else "fieldwork.nobody"),)


def fieldwork_tables(reading: CounterReading) -> tuple[Table, ...]:
    """Counts and rates of every centre that has any, in the order of the province's list, and of all."""
    if not fieldwork_shown(reading.result):
        return ()
    words, rows = reading.words, reading.result.extract.fieldwork
    found = by_centre(rows)
    lines = [(words("word.whole"), summed(rows), True)]
    lines += [(name, found[code], False) for code, name in reading.names.items() if code in found]
    columns = [
        Column(words("col.centre"), False),
        *(Column(words(f"fieldwork.{TITLES.get(name, name)}")) for name in (*COUNTS, *RATES)),
    ]
    table_rows = tuple(Row((Cell(label), *_cells(reading, work)), whole) for label, work, whole in lines)
    return (Table("fieldwork", words("fieldwork.table"), tuple(columns), table_rows),)


def _cells(reading: CounterReading, work: Fieldwork) -> tuple[Cell, ...]:
    words = reading.words
    counts = [Cell(words.whole(getattr(work, name))) for name in COUNTS]
    return (*counts, *(Cell(words.number(_percent(getattr(work, name)), 1)) for name in RATES))


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def odd_sentences(reading: CounterReading) -> tuple[str, ...]:
    odd, words = reading.result.odd, reading.words
    if odd is None:
        return ()
    said = (words("odd.meaning"),)
    return said if odd.without or not odd.left_out else (*said, words("odd.no_row"))


def odd_tables(reading: CounterReading) -> tuple[Table, ...]:
    """How many responses carry each flag, and the headline with and without them."""
    odd, words = reading.result.odd, reading.words
    if odd is None:
        return ()
    columns = (Column(words("odd.flag"), False), Column(words("col.responses")), Column(words("col.share_of_all")))
    lines = [(words(f"odd.{name}"), odd.flagged[name]) for name in ODD]
    lines.append((words("odd.completed"), odd.completed))
    rows = tuple(
        Row(
            (
                Cell(label, wrapped=True),
                Cell(words.whole(count)),
                Cell(words.score(100 * count / odd.completed if odd.completed else None)),
            ),
            place == len(lines),
        )
        for place, (label, count) in enumerate(lines, start=1)
    )
    found = [Table("odd", words("odd.table"), columns, rows, narrow=True)]
    return (*found, _beside(reading, odd.without)) if odd.without else tuple(found)


def _beside(reading: CounterReading, without: tuple[Score, ...]) -> Table:
    words = reading.words
    columns = (
        Column(words("odd.of"), False),
        Column(words("col.score")),
        Column(words("col.interval", level=reading.level_text)),
        Column(words("col.n")),
    )
    rows = []
    for measure in ("index", "overall"):
        ways = (
            ("with", reading.result.score("all", measure)),
            ("without", reading.result.score("all", measure, without)),
        )
        for way, score in ways:
            label = words(f"odd.{way}", measure=reading.measure_label(measure))
            n = Cell(words.whole(score.n if score else None))
            rows.append(Row((Cell(label, wrapped=True), *value_cells(reading, score), n), way == "with"))
    return Table("odd-beside", words("odd.beside", rules=reading.rules_text), columns, tuple(rows), narrow=True)
