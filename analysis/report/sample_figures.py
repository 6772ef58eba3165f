"""The plots of a sample wave: index, areas and factors; the items of each area; visits by unit; weights.

Public: draw, items_plot (its name), MOST_UNITS.
"""

from collections.abc import Sequence
from functools import partial

from analysis import plots
from analysis.report.figures import VERDICTS, axis_words, point, weights_plot, wording
from analysis.report.findings import Spread, factor_finding
from analysis.report.reading import SampleReading
from analysis.report.sample_tables import measure_words, unit_words
from analysis.wave.wave_result import Score

MOST_UNITS = 40
"""More primary units than this stand in the table only: the plot would not fit a page."""
LABELS_OF_ITEMS = 3.6
SHORT_LABEL = 60


def draw(reading: SampleReading) -> dict[str, plots.Drawing]:
    """factors, items_1, items_2 … (one an area), visits (where they fit a page), weights."""
    drawings = [_factors(reading)]
    drawings += [_items(reading, number) for number in range(len(reading.codebook.index.areas))]
    if len(reading.result.weighting.visits) <= MOST_UNITS:
        drawings.append(_visits(reading))
    drawings.append(_weights(reading))
    return {drawing.name: drawing for drawing in drawings}


def items_plot(number: int) -> str:
    """Name of the plot of the items of an area, counted from 0."""
    return f"items_{number + 1}"


def _wording(
    reading: SampleReading, name: str, title: str, description: str, notes: tuple[str, ...] = (), area: str = ""
) -> plots.Wording:
    words, weighting, whole = reading.words, reading.result.weighting, reading.result.score()
    kind = name.partition("_")[0]
    subtitle = words(
        f"sample_plot.{kind}_subtitle",
        rules=reading.rules_text,
        level=reading.level_text,
        dates=reading.dates_text,
        area=area,
        weighting=words(f"sample_weighting.{weighting.method.replace('+', '_')}"),
    )
    source = words(
        "sample_plot.source",
        wave=reading.codebook.wave.id,
        n=words.whole(whole.n if whole else None),
        n_eff=words.whole(whole.n_eff if whole else None),
    )
    return wording(reading, (name, title, description), subtitle, (*notes, source))


def _sorted(reading: SampleReading, measures: Sequence[str]) -> list[Score]:
    """Rows of the measures, highest value first, those without a value last in their own order."""
    rows = [row for measure in measures if (row := reading.result.score("all", measure))]
    return sorted(rows, key=lambda row: (row.value is None, -(row.value or 0)))


def _title(reading: SampleReading, rows: Sequence[Score]) -> str:
    spreads = [
        Spread(_short(_label(reading, row)), row.value, row.ci_low, row.ci_high)
        for row in rows
        if row.value is not None
    ]
    return factor_finding(reading.words, spreads)


def _short(label: str) -> str:
    return label if len(label) <= SHORT_LABEL else label[:SHORT_LABEL].rsplit(" ", 1)[0] + "…"


def _label(reading: SampleReading, row: Score) -> str:
    return measure_words(reading, row.measure)


def _factors(reading: SampleReading) -> plots.Drawing:
    words, index = reading.words, reading.codebook.index
    heads = [row for row in (reading.result.score(), *_areas(reading)) if row]
    factors = _sorted(reading, [f"factor:{factor.code}" for factor in index.factors])
    lines = [
        plots.ScoreLine(
            _label(reading, row),
            point(row, VERDICTS.get(row.verdict, "plain" if row.measure != "index" else "none")),
            reading.why_hidden(row),
            (
                words.score(row.value),
                words.interval(row.ci_low, row.ci_high),
                words.whole(row.n),
                words.whole(row.n_eff),
            ),
            whole=row in heads,
        )
        for row in (*heads, *factors)
    ]
    headers = [words(f"sample_plot.col_{name}") for name in ("score", "interval")]
    headers += [words("plot.col_n"), words("plot.col_n_eff")]
    title = _title(reading, factors)
    notes = (words("plot.shapes"), words("sample_plot.unadjusted"))
    return _scores(reading, _wording(reading, "factors", title, _description(reading, title), notes), lines, headers)


def _areas(reading: SampleReading) -> list[Score | None]:
    return [reading.result.score("all", f"area:{area.code}") for area in reading.codebook.index.areas]


def _items(reading: SampleReading, number: int) -> plots.Drawing:
    words, index = reading.words, reading.codebook.index
    area = index.areas[number]
    codes = [item for factor in index.factors if factor.area == area.code for item in factor.items]
    rows = _sorted(reading, [f"item:{code}" for code in codes])
    lines = [
        plots.ScoreLine(
            _label(reading, row),
            point(row, "plain"),
            reading.why_hidden(row),
            (words.whole(row.n), words.score(row.value)),
        )
        for row in rows
    ]
    headers = [words("plot.col_n"), words("sample_plot.col_score")]
    title, name = _title(reading, rows), items_plot(number)
    notes = (words("sample_plot.unadjusted"),)
    around = _wording(reading, name, title, _description(reading, title), notes, words.text(area.text))
    return _scores(reading, around, lines, headers, LABELS_OF_ITEMS)


def _description(reading: SampleReading, title: str) -> str:
    return reading.words("plot.describe", kind=reading.words("sample_plot.kind_rows"), finding=title)


def _scores(
    reading: SampleReading,
    around: plots.Wording,
    lines: Sequence[plots.ScoreLine],
    headers: Sequence[str],
    label_width: float = plots.LABELS,
) -> plots.Drawing:
    return plots.draw_scores(
        around,
        lines,
        tuple(headers),
        axis=partial(axis_words, reading),
        reference=reading.reference,
        reference_label=reading.words("plot.reference", reference=reading.reference_text),
        label_width=label_width,
    )


def _visits(reading: SampleReading) -> plots.Drawing:
    words = reading.words
    visits = sorted(reading.result.weighting.visits, key=lambda one: -one.unit.response_rate)
    names = [unit_words(one) for one in visits]
    rates = [words.percent(100 * one.unit.response_rate, 1) for one in visits]
    found = reading.result.weighting.diagnostics
    title = words(
        "sample.finding_visits",
        rate=words.percent(100 * found.response_rate, 1),
        low=names[-1],
        low_rate=rates[-1],
        high=names[0],
        high_rate=rates[0],
    )
    lines = [
        plots.ResponseLine(
            name,
            one.unit.completed,
            one.unit.households,
            (words.whole(one.unit.completed), words.whole(one.unit.households), rate.removesuffix("%")),
        )
        for name, one, rate in zip(names, visits, rates, strict=True)
    ]
    description = words("plot.describe", kind=words("plot.kind_responses"), finding=title)
    return plots.draw_responses(
        _wording(reading, "visits", title, description),
        lines,
        tuple(words(f"sample_plot.col_{name}") for name in ("completed", "drawn", "rate")),
        axis=words("sample_plot.axis_visits"),
        count=words.whole,
    )


def _weights(reading: SampleReading) -> plots.Drawing:
    weight = reading.result.weighting.design.weight if reading.counts_shown else ()
    none = reading.words("finding.weights_none" if reading.counts_shown else "sample.finding_weights_hidden")
    around = partial(_wording, reading, "weights")
    return weights_plot(reading, around, weight, "sample.finding_weights", none, "sample_plot.axis_weights")
