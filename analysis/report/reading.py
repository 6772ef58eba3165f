"""A wave's result read in one language: labels, rules, dates and rows looked up the way sentences need them.

Public: Reading, CounterReading, SampleReading.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Generic, TypeVar

from analysis.report.findings import Spread, Told
from analysis.report.words import Words
from analysis.wave.codebook import Codebook
from analysis.wave.register import POPULATION_TEXT
from analysis.wave.wave_result import SampleResult, Score, VerdictDetail, WaveResult, counted

HIDDEN = ("unreliable", "confidential", "complementary")
#: How a note of scores.csv begins -> the sentence that says it; what follows a comparison is its limit. The other
#: tokens (simulated, weights=, interval=, answered=, …) repeat what the report says in its own places.
TOKENS = (
    ("n=0", "no_answers"),
    ("n<", "few"),
    ("n_eff<", "few_effective"),
    ("width", "wide"),
    ("undefined", "undefined"),
    ("no interval", "no_interval"),
    ("review", "review"),
    ("wide_complement", "wide_complement"),
)


R = TypeVar("R", WaveResult, SampleResult)


@dataclass(frozen=True)
class Reading(Generic[R]):
    """`Reading[WaveResult]` of a counter wave, `Reading[SampleResult]` of a sample wave."""

    result: R
    words: Words

    @property
    def sentence(self) -> str:
        """What belongs on every page and plot of a wave of this kind."""
        return self.words("sample.sentence" if isinstance(self.result, SampleResult) else "word.counter")

    @property
    def codebook(self) -> Codebook:
        return self.result.extract.codebook

    @property
    def simulated(self) -> bool:
        return self.result.extract.manifest.simulated

    @property
    def reference(self) -> float:
        return self.result.rules.reference_line

    @property
    def reference_text(self) -> str:
        return self.words.number(self.reference, 0 if self.reference == int(self.reference) else 2)

    @property
    def level_text(self) -> str:
        level = self.result.rules.level
        return self.words.number(level, 0 if level == int(level) else 1)

    @property
    def counts_shown(self) -> bool:
        """Whether the number of weighted responses may be shown."""
        return counted(self.result.scores)

    @property
    def rules_text(self) -> str:
        rules = self.result.rules
        return self.words("report.rules", item_method=rules.item_method, roll_up=rules.roll_up)

    @property
    def parts_told(self) -> tuple[str, ...]:
        """That each citizen was asked a part, where the form is one of parts."""
        parts = self.codebook.parts
        return (self.words("report.parts", draw=parts.draw, count=len(parts.factors)),) if parts else ()

    @property
    def population_text(self) -> str:
        population = self.result.rules.population
        text = POPULATION_TEXT.get(population)  # type: ignore[call-overload]
        return self.words.text(text) if text else population

    @property
    def two_areas(self) -> bool:
        """Whether the form's index has areas of its own beside the whole."""
        return len(self.codebook.index.areas) > 1

    @property
    def months_text(self) -> str:
        return self.words.listed(map(self.words.month, self.codebook.wave.months))

    @cached_property
    def opened_closed(self) -> tuple[str, str]:
        """First and last local day with a response, whatever its fate; else the wave's own dates."""
        days = self.result.extract.column("local_day")
        if len(days):
            return self.words.date(str(days.min())), self.words.date(str(days.max()))
        wave = self.codebook.wave
        return self.words.date(wave.opened), self.words.date(wave.closed)

    @property
    def period_text(self) -> str:
        """From the first to the last day, or the one day."""
        opened, closed = self.opened_closed
        if opened == closed:
            return self.words("word.one_day", day=opened)
        return self.words("word.period", opened=opened, closed=closed)

    @property
    def dates_text(self) -> str:
        return self.words("plot.dates", period=self.period_text)

    @property
    def wave_title(self) -> str:
        wave = self.codebook.wave
        return self.words.text(wave.title) or wave.id

    @cached_property
    def labels(self) -> dict[str, str]:
        """Service field code -> label."""
        return {field.code: self.words.text(field.label) for field in self.codebook.fields}

    @cached_property
    def names(self) -> dict[str, str]:
        """Centre code -> its short name, in the order of the codebook."""
        return {centre.code: centre.name for centre in self.codebook.centres}

    def label(self, row: Score) -> str:
        if row.domain_kind == "all":
            return self.words("word.whole")
        centre, _, field = row.domain.partition("/") if row.domain_kind != "field" else ("", "", row.domain)
        parts = [self.names.get(centre, centre), self.labels.get(field, field)]
        return " – ".join(filter(None, parts)) or row.label or row.domain

    def measure_label(self, measure: str) -> str:
        """The words of index, overall, area:X, factor:X, item:CODE."""
        kind, _, code = measure.partition(":")
        if kind == "area":
            return next((self.words.text(one.text) for one in self.codebook.index.areas if one.code == code), code)
        if kind == "factor":
            return next((self.words.text(one.text) for one in self.codebook.index.factors if one.code == code), code)
        if kind == "item":
            return next((self.words.text(one.text) for one in self.codebook.items if one.code == code), code)
        return self.words("lead.index" if kind == "index" else "lead.overall")

    def why_hidden(self, row: Score | None) -> str:
        """Words for a blank value; empty when the value is there to show."""
        if row is not None and row.value is not None:
            return ""
        if row is not None and row.suppressed in HIDDEN:
            return self.words(f"word.{row.suppressed}")
        return self.words("word.no_answers")

    def verdict(self, row: Score) -> VerdictDetail | None:
        return self.result.verdicts.get(row.key)

    def reason(self, token: str) -> str:
        """Words for the token that says why there is no verdict: n<100, df<8, value>97, suppressed."""
        name = token.split("<")[0].split(">")[0].strip()
        key = f"reason.{name}"
        return self.words(key if self.words.has(key) else "reason.unknown")

    def notes(self, row: Score | None) -> list[str]:
        """What the notes of a row say of its quality, as sentences."""
        tokens = (row.note if row else "").split("; ")
        return [
            self.words(f"token.{name}", limit=token.removeprefix(beginning))
            for token in tokens
            for beginning, name in TOKENS
            if token.startswith(beginning)
        ]

    def fields(self, measure: str = "index", rows: tuple[Score, ...] | None = None) -> list[Score]:
        """One row a service field, highest value first, blank ones last in the order of the province's list."""
        rows = self.result.scores if rows is None else rows
        place = {code: number for number, code in enumerate(self.labels)}
        found = [row for row in rows if row.domain_kind == "field" and row.measure == measure]
        return sorted(found, key=lambda row: (row.value is None, -(row.value or 0), place.get(row.domain, len(place))))

    def centres(self, measure: str = "index") -> list[Score]:
        """One row a centre, in the order of the codebook, by which a reader finds the own one."""
        place = {code: number for number, code in enumerate(self.names)}
        found = [row for row in self.result.scores if (row.domain_kind, row.measure) == ("centre", measure)]
        return sorted(found, key=lambda row: place.get(row.domain, len(place)))

    def cells(self, measure: str = "index") -> list[Score]:
        """One row a cell of centre × field."""
        return [row for row in self.result.scores if (row.domain_kind, row.measure) == ("centre_field", measure)]

    def domains(self, measure: str = "index", rows: tuple[Score, ...] | None = None) -> list[Score]:
        """The province, then its service fields as `fields` sorts them."""
        rows = self.result.scores if rows is None else rows
        whole = [row for row in rows if row.domain_kind == "all" and row.measure == measure]
        return whole + self.fields(measure, rows)

    def told(self, rows: Sequence[Score]) -> list[Told]:
        return [Told(self.label(row), row.verdict, row.value is None) for row in rows]

    def factor_spreads(self) -> list[Spread]:
        """The province's published factors."""
        rows = [self.result.score("all", f"factor:{factor.code}") for factor in self.codebook.index.factors]
        return [
            Spread(self.measure_label(row.measure), row.value, row.ci_low, row.ci_high)
            for row in rows
            if row is not None and row.value is not None
        ]


CounterReading = Reading[WaveResult]
SampleReading = Reading[SampleResult]
