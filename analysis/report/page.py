"""Puts the page together: sections, plots, style and faces in one file."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from analysis.report import sample_sections, sections
from analysis.report.reading import CounterReading, Reading, SampleReading
from analysis.report.sections import Lead, Section
from analysis.report.words import Language, Words
from analysis.wave.wave_result import AnyResult, SampleResult

if TYPE_CHECKING:
    from jinja2 import Environment

    from analysis.plots import Drawing

HERE = Path(__file__).parent
STATIC = HERE.parent / "static"
FACES = ((400, "BeVietnamPro-Regular.ttf"), (600, "BeVietnamPro-SemiBold.ttf"))
SUFFIX: Mapping[Language, str] = {"vi": "", "en": ".en"}


@dataclass(frozen=True)
class ReportFiles:
    html: Path
    plots: tuple[Path, ...]


@dataclass(frozen=True)
class Page:
    """Everything the template shows, in words."""

    title: str
    sentence: str
    about: str
    body: str
    simulated: bool
    lead: Lead
    sections: tuple[Section, ...]
    provenance: str


def write_report(
    result: AnyResult, directory: Path, language: Language, truth: Mapping[str, Any] | None = None
) -> ReportFiles:
    """Write report.html (report.en.html) and the plots as .svg and .png into `directory`.

    truth : a simulated wave's truth.json, shown beside the estimates; None for any other wave
    """
    page, drawings = _read(result, Words(language), truth)
    directory.mkdir(parents=True, exist_ok=True)
    html = directory / f"report{SUFFIX[language]}.html"
    html.write_text(render(page, drawings, Words(language)), encoding="utf-8")
    written = []
    for name, drawing in drawings.items():
        picture = directory / f"{name}{SUFFIX[language]}.png"
        picture.write_bytes(drawing.png)
        written.append(picture)
        vector = picture.with_suffix(".svg")
        vector.write_text(drawing.svg, encoding="utf-8")
        written.append(vector)
    return ReportFiles(html, tuple(written))


def render(page: Page, drawings: Mapping[str, "Drawing"], words: Words) -> str:
    """The page as HTML: every text escaped, the plots inline."""
    from markupsafe import Markup

    from analysis.plots.svg import inline

    pictures = {
        name: {"title": drawing.title, "inline": Markup(inline(drawing.svg))} for name, drawing in drawings.items()
    }
    template = _environment().get_template("report.html.j2")
    foot = Markup(_css_text(page.sentence))
    return template.render(page=page, words=words, plots=pictures, style=Markup(_style()), foot=foot)


def _css_text(text: str) -> str:
    """Text inside a string of a style sheet, where entities mean nothing: every sign but letters and commas escaped."""
    return "".join(sign if sign.isalnum() or sign in " .,;–-" else f"\\{ord(sign):06x}" for sign in text)


def _read(result: AnyResult, words: Words, truth: Mapping[str, Any] | None) -> tuple[Page, dict[str, "Drawing"]]:
    """The page and its plots, as the kind of wave has them."""
    from analysis.report import figures, sample_figures

    if isinstance(result, SampleResult):
        sample = SampleReading(result, words)
        page = _page(
            sample,
            ("sample.title", "sample.about"),
            sample_sections.lead(sample),
            sample_sections.sections(sample, truth),
        )
        return page, sample_figures.draw(sample)
    counter = CounterReading(result, words)
    page = _page(counter, ("report.title", "report.about"), sections.lead(counter), sections.sections(counter, truth))
    return page, figures.draw(counter)


def _page(reading: Reading[Any], keys: tuple[str, str], lead: Lead, parts: tuple[Section, ...]) -> Page:
    """keys : of the messages with the title of such a wave and what it is about."""
    words, book, manifest = reading.words, reading.codebook, reading.result.extract.manifest
    about = words(
        keys[1],
        period=reading.period_text,
        months=reading.months_text,
        form=words.text(book.questionnaire.title),
        version=book.questionnaire.version,
        id=book.wave.id,
    )
    provenance = words(
        "report.provenance",
        extract=manifest.sha256[:12],
        form=str(manifest.questionnaire.get("sha256", ""))[:12],
        count=words.whole(float(manifest.ledger.get("count", 0))),
        head=str(manifest.ledger.get("head", ""))[:12],
    )
    return Page(
        title=words(keys[0], wave=reading.wave_title),
        sentence=reading.sentence,
        about=about,
        body=_issuing_body(reading),
        simulated=reading.simulated,
        lead=lead,
        sections=parts,
        provenance=provenance,
    )


def _issuing_body(reading: Reading[Any]) -> str:
    """At the head of the printed page: a sample of residents speaks for the province, not for one of its centres."""
    book = reading.codebook
    authority = reading.words.text(book.questionnaire.authority) if book.questionnaire.authority else ""
    centre = "" if book.wave.kind == "sample" else next((c.full_name for c in book.centres if c.kind == "province"), "")
    return centre or authority or reading.wave_title


@lru_cache(maxsize=1)
def _environment() -> "Environment":
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    loader = FileSystemLoader(HERE / "templates")
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


@lru_cache(maxsize=1)
def _style() -> str:
    """Faces, the shared tokens, the report's own sheet: all ours, no word of a user in it."""
    faces = []
    for weight, name in FACES:
        data = base64.b64encode((STATIC / "fonts" / name).read_bytes()).decode()
        source = f"url(data:font/ttf;base64,{data})"
        faces.append(f'@font-face {{ font-family: "Be Vietnam Pro"; font-weight: {weight}; src: {source}; }}')
    sheets = [(STATIC / name).read_text(encoding="utf-8") for name in ("tokens.css", "report.css")]
    return "\n".join(faces + sheets)
