"""The plots of a report, from rows that are already words and numbers: the only user of matplotlib.

Public: draw_scores, draw_centres, draw_factors, draw_responses, draw_weights (each returns a Drawing: SVG, PNG, text alternative)
and the rows they take: Wording, ScoreLine, FactorPanel, ResponseLine, WeightClass.
A plot decides nothing: what may be shown, and every sentence, comes from the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import floor
from typing import TYPE_CHECKING, Literal

from analysis.plots.sheet import (
    ACCENT,
    BODY,
    INK,
    MUTED,
    PALE,
    PAPER,
    RULE,
    SEMIBOLD,
    SIGNAL,
    SMALL,
    Drawing,
    Sheet,
    Wording,
    house_style,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = [
    "Drawing",
    "FactorPanel",
    "Point",
    "ResponseLine",
    "ScoreLine",
    "Shape",
    "WeightClass",
    "Wording",
    "draw_centres",
    "draw_factors",
    "draw_responses",
    "draw_scores",
    "draw_weights",
]

ROW = 0.36
LABELS = 2.0
THIN_ROW, THIN_LABELS, THIN, IN_ONE_COLUMN = 0.118, 1.25, 7.0, 30
"""Of centres: inches a row, inches for the name, points of its letters, and how many stand in one column."""
Shape = Literal["above", "below", "cannot_tell", "none", "plain"]
#: marker, colour, face: the meaning of a verdict is a shape and a word, colour only helps.
SHAPES: dict[str, tuple[str, str, str]] = {
    "above": ("^", ACCENT, ACCENT),
    "below": ("v", SIGNAL, SIGNAL),
    "cannot_tell": ("o", INK, PAPER),
    "none": ("D", MUTED, MUTED),
    "plain": ("o", ACCENT, ACCENT),
}


@dataclass(frozen=True)
class Point:
    value: float
    low: float | None
    high: float | None
    shape: Shape = "plain"


@dataclass(frozen=True)
class ScoreLine:
    """One row: a point with its interval, or `hidden`, the words that say why there is none."""

    label: str
    point: Point | None
    hidden: str
    columns: tuple[str, ...]
    whole: bool = False


@dataclass(frozen=True)
class FactorPanel:
    title: str
    points: tuple[Point | None, ...]


@dataclass(frozen=True)
class ResponseLine:
    label: str
    responses: int
    dossiers: int
    columns: tuple[str, ...]


@dataclass(frozen=True)
class WeightClass:
    low: float
    high: float
    count: int


def draw_scores(
    wording: Wording,
    lines: Sequence[ScoreLine],
    headers: tuple[str, ...],
    *,
    axis: Callable[[float], str],
    reference: float,
    reference_label: str,
    label_width: float = LABELS,
) -> Drawing:
    """Points with intervals, one line a domain, columns of words at the right edge, the reference line labelled.

    `axis` words the scale, given the floor at which it begins; `label_width` is in inches.
    """
    widths = (0.85, 1.38, 0.5, 0.8)[-len(headers) :]
    with house_style():
        sheet = Sheet(wording, len(lines) * ROW + 0.8)
        right = sheet.width - sheet.margin - sum(widths) - 0.1
        axes = _rows(sheet, [(line.label, line.whole) for line in lines], label_width + 0.1, right)
        floor_at = _scale(axes, [line.point for line in lines], reference)
        _reference(axes, reference, reference_label)
        for row, line in enumerate(lines):
            if line.point:
                _point(axes, line.point, row, 5.5 if line.whole else 5.0)
            else:
                _hidden(axes, floor_at, row, line.hidden)
            _columns(sheet, widths, line.columns, 0.3 + (row + 0.5) * ROW, SEMIBOLD if line.whole else 400)
        _columns(sheet, widths, headers, 0.14, 400, SMALL, MUTED)
        axes.set_xlabel(axis(floor_at), fontsize=SMALL, color=MUTED)
        return sheet.save()


def draw_centres(
    wording: Wording,
    lines: Sequence[ScoreLine],
    *,
    axis: Callable[[float], str],
    reference: float,
    reference_label: str,
    empty: str,
) -> Drawing:
    """Many points with intervals in thin rows, from IN_ONE_COLUMN on in two columns that share one scale."""
    columns = 2 if len(lines) > IN_ONE_COLUMN else 1
    each = max(1, -(-len(lines) // columns))
    with house_style():
        sheet = Sheet(wording, each * THIN_ROW + 0.8)
        gap, floor_at = 0.2, 0.0
        width = (sheet.width - 2 * sheet.margin + gap) / columns
        for column in range(columns):
            part = lines[column * each : (column + 1) * each]
            left = sheet.margin + column * width
            right = left + width - gap - 0.38
            axes = sheet.axes(left + THIN_LABELS, right, 0.3, 0.3 + each * THIN_ROW)
            axes.set_ylim(each - 0.5, -0.5)
            axes.set_yticks([])
            floor_at = _scale(axes, [line.point for line in lines], reference, few=columns > 1)
            _reference(axes, reference, reference_label)
            for row, line in enumerate(part):
                y = sheet.top + 0.3 + (row + 0.5) * THIN_ROW
                sheet.text(left, y, wrap(line.label, THIN_LABELS - 0.06, THIN, 1)[0], size=THIN)
                sheet.text(right + 0.38, y, line.columns[0], size=THIN, ha="right")
            rules = range(each)
            widths = [0.9 if row % 5 == 4 else 0.3 for row in rules]
            axes.hlines([row + 0.5 for row in rules], *axes.get_xlim(), colors=RULE, linewidths=widths, zorder=0)
            _points(axes, [line.point for line in part], 3.2)
        if not lines:
            sheet.text(sheet.width / 2, sheet.top + 0.5, empty, color=MUTED, ha="center")
        sheet.text(
            sheet.width / 2, sheet.top + 0.3 + each * THIN_ROW + 0.38, axis(floor_at), size=SMALL, color=MUTED,
            ha="center",
        )  # fmt: skip
        return sheet.save()


def draw_factors(
    wording: Wording,
    labels: Sequence[tuple[str, bool]],
    panels: Sequence[FactorPanel],
    *,
    axis: Callable[[float], str],
    reference: float,
    hidden: str,
) -> Drawing:
    """Small multiples: one panel a factor, the same rows and the same scale in each."""
    with house_style():
        sheet = Sheet(wording, len(labels) * ROW + 0.8)
        start, gap = LABELS + 0.1, 0.14
        width = (sheet.width - sheet.margin - start + gap) / max(1, len(panels))
        floor_at = 0.0
        everything = [point for panel in panels for point in panel.points]
        unnamed = [("", whole) for _, whole in labels]
        for number, panel in enumerate(panels):
            left = start + number * width
            axes = _rows(sheet, unnamed if number else labels, left, left + width - gap)
            floor_at = _scale(axes, everything, reference, few=True)
            axes.axvline(reference, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
            for row, point in enumerate(panel.points):
                if point:
                    _point(axes, point, row, 4.0)
                else:
                    _hidden(axes, floor_at, row, hidden)
            for line, part in enumerate(reversed(wrap(panel.title, width - gap, SMALL, 2, SEMIBOLD))):
                sheet.text(left, sheet.top + 0.2 - line * 0.16, part, size=SMALL, weight=SEMIBOLD)
        centre = (start + sheet.width - sheet.margin) / 2
        sheet.text(
            centre, sheet.top + 0.3 + len(labels) * ROW + 0.38, axis(floor_at), size=SMALL, color=MUTED, ha="center"
        )
        return sheet.save()


def draw_responses(
    wording: Wording,
    lines: Sequence[ResponseLine],
    headers: tuple[str, ...],
    *,
    axis: str,
    count: Callable[[float], str],
) -> Drawing:
    """Bars from zero: dossiers as the pale bar, responses as the dark one inside it."""
    widths = (0.72, 0.78, 0.7)[: len(headers)]
    with house_style():
        sheet = Sheet(wording, len(lines) * ROW + 0.8)
        right = sheet.width - sheet.margin - sum(widths) - 0.1
        axes = _rows(sheet, [(line.label, False) for line in lines], LABELS + 0.1, right)
        rows = range(len(lines))
        axes.barh(rows, [line.dossiers for line in lines], height=0.56, color=PALE, linewidth=0)
        axes.barh(rows, [line.responses for line in lines], height=0.28, color=ACCENT, linewidth=0)
        largest = max((max(line.dossiers, line.responses) for line in lines), default=1)
        axes.set_xlim(0, max(1, largest) * 1.02)
        _count_axis(axes, "x", count, 5)
        for row, line in enumerate(lines):
            _columns(sheet, widths, line.columns, 0.3 + (row + 0.5) * ROW, 400)
        _columns(sheet, widths, headers, 0.14, 400, SMALL, MUTED)
        axes.set_xlabel(axis, fontsize=SMALL, color=MUTED)
        return sheet.save()


def draw_weights(
    wording: Wording,
    classes: Sequence[WeightClass],
    mean: float | None,
    *,
    axis: str,
    mean_label: str,
    empty: str,
    count: Callable[[float], str],
) -> Drawing:
    """A histogram from zero with the mean weight as a labelled line."""
    with house_style():
        sheet = Sheet(wording, 2.8)
        axes = sheet.axes(0.75, sheet.width - 0.2, 0.25, 2.4)
        for one in classes:
            axes.bar(one.low, one.count, one.high - one.low, align="edge", color=ACCENT, edgecolor=PAPER, linewidth=0.8)
        if classes:
            axes.set_xlim(0, max(one.high for one in classes) * 1.02)
            axes.set_ylim(0, max(1, max(one.count for one in classes)) * 1.12)
            _count_axis(axes, "y", count, 4)
            _count_axis(axes, "x", count, 8)
        else:
            axes.set_yticks([])
            axes.set_xticks([])
            axes.text(0.5, 0.5, empty, transform=axes.transAxes, ha="center", va="center", color=MUTED, fontsize=BODY)
        if mean is not None:
            axes.axvline(mean, color=SIGNAL, linewidth=1.2)
            side, shift = ("right", -5) if mean > 0.7 * axes.get_xlim()[1] else ("left", 5)
            axes.annotate(
                mean_label, (mean, 1), (shift, -2), xycoords=("data", "axes fraction"), textcoords="offset points",
                fontsize=SMALL, color=SIGNAL, va="top", ha=side,
            )  # fmt: skip
        axes.grid(axis="y", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.set_xlabel(axis, fontsize=SMALL, color=MUTED)
        return sheet.save()


def _rows(sheet: Sheet, labels: Sequence[tuple[str, bool]], left: float, right: float) -> "Axes":
    """Axes with one row a label; the first row, the whole, is set apart by a rule below it."""
    axes = sheet.axes(left, right, 0.3, 0.3 + max(1, len(labels)) * ROW)
    axes.set_ylim(max(1, len(labels)) - 0.5, -0.5)
    axes.set_yticks([])
    for row in range(1, len(labels)):
        strong = labels[row - 1][1]
        axes.axhline(row - 0.5, color=MUTED if strong else RULE, linewidth=0.8 if strong else 0.5, zorder=0)
    for row, (label, whole) in enumerate(labels):
        weight = SEMIBOLD if whole else 400
        parts = wrap(label, left - 0.1 - sheet.margin, BODY, 2, weight)
        for line, part in enumerate(parts):
            offset = (line - (len(parts) - 1) / 2) * 0.165
            sheet.text(sheet.margin, sheet.top + 0.3 + (row + 0.5) * ROW + offset, part, weight=weight)
    return axes


def _hidden(axes: "Axes", floor_at: float, row: int, words: str) -> None:
    """The words of a hidden cell in its row, on paper so that no line runs through them."""
    backing = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
    axes.annotate(
        words, (floor_at, row), (4, 0), textcoords="offset points", fontsize=SMALL, color=MUTED, va="center",
        bbox=backing,
    )  # fmt: skip


def _columns(
    sheet: Sheet,
    widths: Sequence[float],
    texts: Sequence[str],
    y: float,
    weight: int,
    size: float = BODY,
    color: str = INK,
) -> None:
    """Right-aligned columns of words at the sheet's right edge."""
    right = sheet.width - sheet.margin
    for width, text in zip(reversed(widths), reversed(texts), strict=True):
        sheet.text(right, sheet.top + y, text, size=size, color=color, weight=weight, ha="right")
        right -= width


def _scale(axes: "Axes", points: Sequence[Point | None], reference: float, few: bool = False) -> float:
    """The scale 0–100 from a floor in tens below every interval and well below the reference line."""
    lows = [point.value if point.low is None else point.low for point in points if point]
    lowest = max(0, 10 * floor((min([*lows, reference - 10]) - 1) / 10))
    axes.set_xlim(lowest, 100)
    step = 10 if 100 - lowest <= 60 else 20
    axes.set_xticks([lowest, 100] if few else [*range(lowest, 101 - step, step), 100])
    if few:
        first, last = axes.get_xticklabels()
        first.set_horizontalalignment("left")
        last.set_horizontalalignment("right")
    else:
        axes.grid(axis="x", color=RULE, linewidth=0.5)
        axes.set_axisbelow(True)
    return float(lowest)


def _reference(axes: "Axes", reference: float, label: str) -> None:
    axes.axvline(reference, color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
    axes.annotate(
        label, (reference, 1), (0, 5), xycoords=("data", "axes fraction"), textcoords="offset points",
        ha="center", va="bottom", fontsize=SMALL, color=INK,
    )  # fmt: skip


def _point(axes: "Axes", point: Point, row: int, size: float) -> None:
    marker, color, face = SHAPES[point.shape]
    if point.low is not None and point.high is not None:
        axes.plot([point.low, point.high], [row, row], color=color, linewidth=1.6, solid_capstyle="butt", zorder=2)
    axes.plot(
        [point.value], [row], marker, markersize=size, markerfacecolor=face, markeredgecolor=color,
        markeredgewidth=1.3, zorder=3, clip_on=False,
    )  # fmt: skip


def _points(axes: "Axes", points: Sequence[Point | None], size: float) -> None:
    """Many points, one artist a shape."""
    for shape in dict.fromkeys(point.shape for point in points if point):
        marker, color, face = SHAPES[shape]
        chosen = [(row, point) for row, point in enumerate(points) if point and point.shape == shape]
        lines = [
            (row, point.low, point.high) for row, point in chosen if point.low is not None and point.high is not None
        ]
        if lines:
            rows, lows, highs = zip(*lines, strict=True)
            axes.hlines(rows, lows, highs, colors=color, linewidths=1.4, zorder=2)
        axes.plot(
            [point.value for _, point in chosen], [row for row, _ in chosen], marker, markersize=size,
            markerfacecolor=face, markeredgecolor=color, markeredgewidth=1.1, zorder=3, clip_on=False,
        )  # fmt: skip


def _count_axis(axes: "Axes", which: Literal["x", "y"], count: Callable[[float], str], most: int) -> None:
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    axis = axes.xaxis if which == "x" else axes.yaxis
    axis.set_major_locator(MaxNLocator(most, integer=True))
    axis.set_major_formatter(FuncFormatter(lambda value, _: count(value)))
