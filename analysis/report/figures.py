"""The plots of a wave's result: its rows turned into the lines that analysis.plots draws.

Public: draw (all, by name); wording, point, axis_words, weights_plot for the plots of other waves.
"""

from collections.abc import Callable, Mapping
from functools import partial
from math import isfinite
from typing import Any

from analysis import plots
from analysis.report.findings import factor_finding, response_finding, score_finding
from analysis.report.reading import CounterReading, Reading
from analysis.report.weighting import shown_weights
from analysis.wave.wave_result import Score

CLASSES = 24
VERDICTS: Mapping[str, plots.Shape] = {"above": "above", "below": "below", "cannot_tell": "cannot_tell"}


def draw(reading: CounterReading) -> dict[str, plots.Drawing]:
    """scores, centres (where there is more than one), factors, responses, weights."""
    drawings = [_scores(reading), _factors(reading), _responses(reading), _weights(reading)]
    if len(reading.centres()) > 1:
        drawings.insert(1, _centres(reading))
    return {drawing.name: drawing for drawing in drawings}


def _wording(
    reading: CounterReading, name: str, title: str, description: str, notes: tuple[str, ...] = ()
) -> plots.Wording:
    words, rules = reading.words, reading.result.rules
    subtitle = words(
        f"plot.{name}_subtitle",
        rules=reading.rules_text,
        level=reading.level_text,
        population=reading.population_text,
        reference=reading.reference_text,
        weighting=words(f"weighting.{rules.method}"),
        dates=reading.dates_text,
    )
    whole = reading.result.score()
    source = words(
        "plot.source",
        wave=reading.codebook.wave.id,
        months=reading.months_text,
        n=words.whole(whole.n if whole else None),
        n_eff=words.whole(whole.n_eff if whole else None),
        dossiers=words.whole(whole.dossiers if whole else None),
    )
    online = (words("report.online"),) if rules.online_included else ()
    return wording(reading, (name, title, description), subtitle, (*notes, source, *online))


def wording(reading: Reading[Any], told: tuple[str, str, str], subtitle: str, notes: tuple[str, ...]) -> plots.Wording:
    """What stands around a plot. told : name of the file, title, text alternative."""
    name, title, description = told
    footnote = " ".join((*notes, reading.sentence))
    band = reading.words("word.band") if reading.simulated else ""
    return plots.Wording(name, title, subtitle, footnote, description, band)


def point(row: Score | None, shape: plots.Shape) -> plots.Point | None:
    return None if row is None or row.value is None else plots.Point(row.value, row.ci_low, row.ci_high, shape)


def axis_words(reading: Reading[Any], floor: float) -> str:
    words = reading.words
    return words("plot.axis", floor=words.whole(floor)) if floor else words("plot.axis_zero")


def _scores(reading: CounterReading) -> plots.Drawing:
    words = reading.words
    rows = reading.domains()
    lines = [
        plots.ScoreLine(
            reading.label(row),
            point(row, VERDICTS.get(row.verdict, "none")),
            reading.why_hidden(row),
            (
                words.score(row.value),
                words(f"word.{row.verdict or 'none'}") if row.value is not None else words("word.missing"),
                words.whole(row.n),
                words.whole(row.n_eff),
            ),
            whole=row.domain_kind == "all",
        )
        for row in rows
    ]
    title = score_finding(words, reading.told(reading.fields()), reading.reference_text)
    values = "; ".join(
        words("plot.describe_row", label=reading.label(row), value=reading.why_hidden(row) or words.percent(row.value))
        for row in rows
    )
    description = words("plot.describe_scores", finding=title, rows=values)
    notes = (words("plot.shapes"), words("plot.unadjusted"))
    return plots.draw_scores(
        _wording(reading, "scores", title, description, notes),
        lines,
        tuple(words(f"plot.col_{name}") for name in ("index", "verdict", "n", "n_eff")),
        axis=partial(axis_words, reading),
        reference=reading.reference,
        reference_label=words("plot.reference", reference=reading.reference_text),
    )


def _centres(reading: CounterReading) -> plots.Drawing:
    """Centres by value; those without one stand in the table only."""
    words = reading.words
    rows = sorted((row for row in reading.centres() if row.value is not None), key=lambda row: -(row.value or 0))
    lines = [
        plots.ScoreLine(
            reading.label(row), point(row, VERDICTS.get(row.verdict, "none")), "", (words.number(row.value, 1),)
        )
        for row in rows
    ]
    title = score_finding(words, reading.told(reading.centres()), reading.reference_text, "centre_")
    description = words("plot.describe", kind=words("plot.kind_centres"), finding=title)
    notes = (words("plot.shapes"), words("plot.unadjusted_centres"))
    return plots.draw_centres(
        _wording(reading, "centres", title, description, notes),
        lines,
        axis=partial(axis_words, reading),
        reference=reading.reference,
        reference_label=words("plot.reference", reference=reading.reference_text),
        empty=words("finding.centre_scores_hidden"),
    )


def _factors(reading: CounterReading) -> plots.Drawing:
    words, result = reading.words, reading.result
    rows = reading.domains()
    panels = [
        plots.FactorPanel(
            words.text(factor.text),
            tuple(point(result.score(row.domain, f"factor:{factor.code}"), "plain") for row in rows),
        )
        for factor in reading.codebook.index.factors
    ]
    title = factor_finding(words, reading.factor_spreads())
    description = words("plot.describe", kind=words("plot.kind_factors"), finding=title)
    return plots.draw_factors(
        _wording(reading, "factors", title, description, (words("plot.unadjusted_only"),)),
        [(reading.label(row), row.domain_kind == "all") for row in rows],
        panels,
        axis=partial(axis_words, reading),
        reference=reading.reference,
        hidden=words("word.hidden"),
    )


def _responses(reading: CounterReading) -> plots.Drawing:
    words = reading.words
    rows = sorted(reading.fields(), key=lambda row: -_answered(row))
    whole = reading.result.score()
    title = response_finding(
        words,
        (whole.responses if whole else None, whole.dossiers if whole else None),
        [(reading.label(row), _answered(row)) for row in rows if row.responses is not None and row.dossiers],
    )
    description = words("plot.describe", kind=words("plot.kind_responses"), finding=title)
    lines = [
        plots.ResponseLine(
            reading.label(row),
            row.responses or 0,
            row.dossiers or 0,
            (
                words.whole(row.responses),
                words.whole(row.dossiers),
                words.score(_answered(row) if row.responses is not None and row.dossiers else None),
            ),
        )
        for row in rows
    ]
    return plots.draw_responses(
        _wording(reading, "responses", title, description, (words("plot.dash"),)),
        lines,
        tuple(words(f"plot.col_{name}") for name in ("responses", "dossiers", "share")),
        axis=words("plot.axis_dossiers"),
        count=words.whole,
    )


def _answered(row: Score) -> float:
    """Responses per 100 dossiers; −1 where the responses may not be shown."""
    return -1.0 if row.responses is None else 100 * row.responses / row.dossiers if row.dossiers else 0.0


def _weights(reading: CounterReading) -> plots.Drawing:
    weight = shown_weights(reading)
    none = reading.words("finding.weights_hidden")
    return weights_plot(
        reading, partial(_wording, reading, "weights"), weight, "finding.weights", none, "plot.axis_weights"
    )


def weights_plot(
    reading: Reading[Any],
    around: Callable[[str, str], plots.Wording],
    weights: Any,
    finding: str,
    none: str,
    axis: str,
) -> plots.Drawing:
    """A histogram of weights. `around` words the plot, given title and text alternative; `none`: said without weights."""
    import numpy as np

    words = reading.words
    weight = np.asarray(weights, dtype=float)
    weight = weight[weight > 0]
    classes: list[plots.WeightClass] = []
    title, mean = none, None
    if len(weight):
        counts, edges = np.histogram(weight, bins=CLASSES, range=(0, float(weight.max()) or 1))
        classes = [
            plots.WeightClass(float(low), float(high), int(count))
            for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
        ]
        mean = float(weight.mean())
        kept = 100 * weight.sum() ** 2 / (len(weight) * (weight**2).sum())
        title = words(
            finding,
            low=words.number(float(weight.min()), 1),
            high=words.number(float(weight.max()), 1),
            mean=words.number(mean, 1),
            left=words.percent(float(kept), 1),
        )
    description = words("plot.describe", kind=words("plot.kind_weights"), finding=title)
    return plots.draw_weights(
        around(title, description),
        classes,
        mean if mean and isfinite(mean) else None,
        axis=words(axis),
        mean_label=words("plot.mean", mean=words.number(mean, 1)),
        empty=none,
        count=words.whole,
    )
