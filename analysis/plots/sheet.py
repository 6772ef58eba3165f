"""The paper a plot is drawn on: simulated band, title, subtitle, body, footnote, laid out in inches.

Part of analysis.plots, which is the only door to matplotlib. Public: Wording, Drawing, Sheet, and the colours.
"""

import logging
import re
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from analysis.plots.svg import finish, plain_text

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.font_manager import FontProperties

STATIC = Path(__file__).parents[1] / "static"
TOKENS = dict(re.findall(r"--([a-z0-9-]+): (#[0-9a-f]{6});", (STATIC / "tokens.css").read_text(encoding="utf-8")))
INK, MUTED, RULE, PAPER, ACCENT, SIGNAL, PALE = (
    TOKENS[name] for name in ("ink", "quiet", "hair", "paper", "accent", "signal", "sequence-1")
)
FAMILY = ("Be Vietnam Pro", "DejaVu Sans")
BODY, SMALL, TITLE = 9.0, 8.0, 13.0
AIR = 0.07  # inches between title and subtitle, so that stacked accents stay clear of each other
SEMIBOLD = 600


@dataclass(frozen=True)
class Wording:
    """Everything a plot says around its body. `band` is empty unless the wave is simulated."""

    name: str
    title: str
    subtitle: str
    footnote: str
    description: str
    band: str = ""


@dataclass(frozen=True)
class Drawing:
    name: str
    title: str
    description: str
    svg: str
    png: bytes


class Sheet:
    """A figure of fixed width whose height follows from its texts and from `body` (inches)."""

    width = 7.75
    margin = 0.12

    def __init__(self, wording: Wording, body: float) -> None:
        from matplotlib.figure import Figure

        self.wording = wording
        inner = self.width - 2.5 * self.margin
        title = wrap(wording.title, inner, TITLE, 4, SEMIBOLD)
        subtitle = wrap(wording.subtitle, inner, BODY, 4)
        footnote = wrap(wording.footnote, inner, SMALL, 8)
        band = 0.3 if wording.band else 0.0
        heights = [len(lines) * size * 1.45 / 72 for lines, size in ((title, TITLE), (subtitle, BODY))]
        heights[0] += AIR
        foot = len(footnote) * SMALL * 1.45 / 72
        self.top = band + 0.08 + sum(heights) + 0.1
        self.body = body
        self.height = self.top + body + 0.12 + foot + 0.08
        self.figure = Figure(figsize=(self.width, self.height), dpi=192, facecolor=PAPER)
        if band:
            self._band(wording.band, band)
        self._block(title, band + 0.08, TITLE, INK, SEMIBOLD)
        self._block(subtitle, band + 0.08 + heights[0], BODY, MUTED)
        self._block(footnote, self.top + body + 0.12, SMALL, MUTED)

    def _band(self, text: str, height: float) -> None:
        from matplotlib.patches import Rectangle

        share = height / self.height
        strip = Rectangle((0, 1 - share), 1, share, transform=self.figure.transFigure, facecolor=SIGNAL, linewidth=0)
        self.figure.add_artist(strip)
        self.text(self.width / 2, height / 2, text, size=BODY + 1, color=PAPER, weight=SEMIBOLD, ha="center")

    def _block(self, lines: list[str], top: float, size: float, color: str, weight: int = 400) -> None:
        step = size * 1.45 / 72
        for number, line in enumerate(lines):
            self.text(self.margin, top + (number + 0.5) * step, line, size=size, color=color, weight=weight)

    def text(
        self,
        x: float,
        y: float,
        text: str,
        *,
        size: float = BODY,
        color: str = INK,
        weight: int = 400,
        ha: Literal["left", "center", "right"] = "left",
    ) -> None:
        """Text at x, y inches from the sheet's upper left corner, centred on y."""
        place = (x / self.width, 1 - y / self.height)
        self.figure.text(*place, text, fontsize=size, color=color, fontweight=weight, ha=ha, va="center_baseline")

    def axes(self, left: float, right: float, top: float, bottom: float) -> "Axes":
        """Axes between x = left and right, y = top and bottom inches of the body."""
        low = 1 - (self.top + bottom) / self.height
        box = (left / self.width, low, (right - left) / self.width, (bottom - top) / self.height)
        axes = self.figure.add_axes(box)
        axes.set_facecolor("none")
        for side in ("left", "right", "top"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set(color=MUTED, linewidth=0.8)
        axes.tick_params(length=3, color=MUTED, labelsize=SMALL, labelcolor=MUTED)
        return axes

    def save(self) -> Drawing:
        picture, drawing = BytesIO(), BytesIO()
        said = self.wording
        self.figure.savefig(picture, format="png", metadata={"Software": None, "Title": plain_text(said.title)})
        self.figure.savefig(drawing, format="svg", metadata={"Date": None, "Creator": None})
        svg = finish(drawing.getvalue().decode(), said.name, said.title, said.description)
        return Drawing(said.name, said.title, said.description, svg, picture.getvalue())


@contextmanager
def house_style() -> Iterator[None]:
    """Our faces, text kept as text, no mathematics read into names, ids that depend on the content alone."""
    import matplotlib

    register_fonts()
    log = logging.getLogger("matplotlib.font_manager")  # says that the fallback face has no semi-bold: known
    level = log.level
    settings = matplotlib.rc_context(
        {
            "font.family": list(FAMILY),
            "text.hinting": "none",
            "svg.fonttype": "none",
            "svg.hashsalt": "sipas",
            "text.parse_math": False,
            "axes.unicode_minus": False,
        }
    )
    with settings, warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        warnings.filterwarnings("ignore", message="Matplotlib currently does not support")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


@lru_cache(maxsize=1)
def register_fonts() -> None:
    from matplotlib import font_manager

    for path in sorted((STATIC / "fonts").glob("*.ttf")):
        font_manager.fontManager.addfont(path)


@lru_cache(maxsize=1)
def _ruler() -> Any:
    from matplotlib.backends import backend_agg

    renderer: Any = backend_agg.RendererAgg
    return renderer(8, 8, 720)  # fine enough that no rounding to pixels enters the widths


@lru_cache(maxsize=8)
def _face(size: float, weight: int) -> "FontProperties":
    from matplotlib.font_manager import FontProperties

    return FontProperties(family=list(FAMILY), size=size, weight=weight)


@lru_cache(maxsize=4096)
def text_width(text: str, size: float = BODY, weight: int = 400) -> float:
    """Width in inches."""
    width, _, _ = _ruler().get_text_width_height_descent(text, _face(size, weight), ismath=False)
    return float(width) / 720


def wrap(text: str, width: float, size: float = BODY, most: int = 2, weight: int = 400) -> list[str]:
    """Break text into at most `most` lines of `width` inches; what does not fit ends in an ellipsis."""
    lines: list[str] = []
    line = ""
    for word in plain_text(text)[:2000].split(" "):
        longer = f"{line} {word}".strip()
        if not line or text_width(longer, size, weight) <= width:
            line = longer
        else:
            lines.append(line)
            line = word
    lines.append(line)
    kept, rest = lines[:most], lines[most:]
    if rest:
        kept[-1] += " …"
    return [_shorten(part, width, size, weight) for part in kept]


def _shorten(line: str, width: float, size: float, weight: int) -> str:
    if text_width(line, size, weight) <= width:
        return line
    line = line.removesuffix(" …")
    while len(line) > 1 and text_width(line + "…", size, weight) > width:
        line = line[: max(1, len(line) - max(1, len(line) // 20))]
    return line.rstrip() + "…"
