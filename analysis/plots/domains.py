"""Estimates of domains as points with their intervals, sorted, with value, interval, n and n_eff at the right edge.

Public: draw_domains, DomainLine, DomainGroup. A plot decides nothing: every sentence and every number in words comes
from the caller.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from analysis.plots.sheet import (
    ACCENT,
    BODY,
    INK,
    MUTED,
    PAPER,
    RULE,
    SEMIBOLD,
    SMALL,
    Drawing,
    Sheet,
    Wording,
    house_style,
    text_width,
    wrap,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROW, HEAD = 0.32, 0.34
NARROWEST, WIDEST = 0.9, 2.5
"""Inches for the labels at the left edge."""
GAP = 0.16


@dataclass(frozen=True)
class DomainLine:
    """One row: a point with its interval, or `hidden`, the words that say why there is none."""

    label: str
    value: float | None
    low: float | None
    high: float | None
    columns: tuple[str, ...]
    hidden: str = ""


@dataclass(frozen=True)
class DomainGroup:
    """Rows under a heading, such as one variable; a single group needs none."""

    title: str
    lines: tuple[DomainLine, ...]


def draw_domains(
    wording: Wording,
    groups: Sequence[DomainGroup],
    headers: tuple[str, ...],
    *,
    axis: str,
    number: Callable[[float], str],
    limits: tuple[float | None, float | None] = (None, None),
    reference: tuple[float, str] | None = None,
) -> Drawing:
    """Draw the groups one below the other on one scale.

    `axis` words the scale, `number` its ticks; `limits` are ends that the measure cannot pass, such as 0 and 1;
    `reference` is a line across with its label.
    """
    rows = _rows(groups)
    with house_style():
        body = sum(HEAD if line is None else ROW for _, line in rows)
        sheet = Sheet(wording, body + 0.85)
        left = _label_width([line.label for _, line in rows if line]) + sheet.margin + 0.1
        widths = _column_widths([headers, *(line.columns for _, line in rows if line)])
        right = sheet.width - sheet.margin - sum(widths) - 0.1
        axes = sheet.axes(left, right, 0.3, 0.3 + body)
        axes.set_ylim(body, 0)
        axes.set_yticks([])
        _scale(axes, [line for _, line in rows if line], number, limits, reference)
        y = 0.0
        for title, line in rows:
            if line is None:
                sheet.text(sheet.margin, sheet.top + 0.3 + y + HEAD * 0.6, title, weight=SEMIBOLD)
                y += HEAD
                continue
            _line(sheet, axes, line, y, left)
            _columns(sheet, widths, line.columns, 0.3 + y + ROW / 2)
            y += ROW
        _columns(sheet, widths, headers, 0.14, SMALL, MUTED)
        axes.set_xlabel(axis, fontsize=SMALL, color=MUTED)
        return sheet.save()


def _rows(groups: Sequence[DomainGroup]) -> list[tuple[str, DomainLine | None]]:
    """Headings (no line) and lines in order."""
    rows: list[tuple[str, DomainLine | None]] = []
    for group in groups:
        rows += [(group.title, None)] if group.title else []
        rows += [("", line) for line in group.lines]
    return rows


def _label_width(labels: Sequence[str]) -> float:
    return min(WIDEST, max([NARROWEST, *(text_width(label) for label in labels)]))


def _column_widths(rows: Sequence[tuple[str, ...]]) -> list[float]:
    return [max(text_width(cell) for cell in column) + GAP for column in zip(*rows, strict=True)]


def _line(sheet: Sheet, axes: "Axes", line: DomainLine, top: float, left: float) -> None:
    parts = wrap(line.label, left - sheet.margin - 0.1, BODY, 2)
    for place, part in enumerate(parts):
        offset = (place - (len(parts) - 1) / 2) * 0.15
        sheet.text(sheet.margin, sheet.top + 0.3 + top + ROW / 2 + offset, part)
    axes.axhline(top + ROW, color=RULE, linewidth=0.5, zorder=0)
    y = top + ROW / 2
    if line.value is None:
        backing = {"facecolor": PAPER, "edgecolor": "none", "pad": 1.5}
        axes.annotate(
            line.hidden, (0, y), (4, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
            fontsize=SMALL, color=MUTED, va="center", bbox=backing,
        )  # fmt: skip
        return
    if line.low is not None and line.high is not None:
        axes.plot([line.low, line.high], [y, y], color=ACCENT, linewidth=1.6, solid_capstyle="butt", zorder=2)
    axes.plot([line.value], [y], "o", markersize=5, color=ACCENT, zorder=3, clip_on=False)


def _scale(
    axes: "Axes",
    lines: Sequence[DomainLine],
    number: Callable[[float], str],
    limits: tuple[float | None, float | None],
    reference: tuple[float, str] | None,
) -> None:
    """From a little below the lowest interval to a little above the highest, never past what the measure can be."""
    from matplotlib.ticker import FuncFormatter, MaxNLocator

    ends = [end for line in lines for end in (line.value, line.low, line.high) if end is not None]
    ends += [reference[0]] if reference else []
    low, high = (min(ends), max(ends)) if ends else (0.0, 1.0)
    room = 0.06 * (high - low) or abs(high) * 0.1 or 1.0
    low = low - room if limits[0] is None else max(limits[0], low - room)
    high = high + room if limits[1] is None else min(limits[1], high + room)
    axes.set_xlim(low, high)
    axes.xaxis.set_major_locator(MaxNLocator(6, steps=[1, 2, 2.5, 5, 10]))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))
    axes.grid(axis="x", color=RULE, linewidth=0.5)
    axes.set_axisbelow(True)
    if reference:
        axes.axvline(reference[0], color=INK, linewidth=1.0, linestyle=(0, (4, 3)), zorder=1)
        axes.annotate(
            reference[1], (reference[0], 1), (0, 5), xycoords=("data", "axes fraction"), textcoords="offset points",
            ha="center", va="bottom", fontsize=SMALL, color=INK,
        )  # fmt: skip


def _columns(
    sheet: Sheet, widths: Sequence[float], texts: Sequence[str], y: float, size: float = BODY, color: str = INK
) -> None:
    """Right-aligned columns of words at the sheet's right edge."""
    right = sheet.width - sheet.margin
    for width, text in zip(reversed(widths), reversed(texts), strict=True):
        sheet.text(right, sheet.top + y, text, size=size, color=color, ha="right")
        right -= width
