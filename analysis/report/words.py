"""How a report speaks: sentences from messages.toml and messages_sample.toml, numbers and dates the way each language writes them.

Public: Words (words("section.key", name=value), .score, .whole, .percent, .interval, .date), Language, load_messages.
"""

import tomllib
from collections.abc import Iterable, Mapping
from datetime import date
from functools import lru_cache
from math import isfinite
from pathlib import Path
from typing import Literal

Language = Literal["vi", "en"]
NOTHING = "–"
NO_BREAK = "\u00a0"


@lru_cache(maxsize=1)
def load_messages() -> Mapping[str, Mapping[str, str]]:
    """Every message as "section.key" -> language -> sentence."""
    found: dict[str, Mapping[str, str]] = {}
    for name in ("messages.toml", "messages_sample.toml"):
        sections = tomllib.loads((Path(__file__).parent / name).read_text(encoding="utf-8"))
        found |= {f"{section}.{key}": texts for section, keys in sections.items() for key, texts in keys.items()}
    return found


class Words:
    """One language of the report. Rounding happens here, once, and nowhere before."""

    def __init__(self, language: Language) -> None:
        self.language = language
        self._messages = load_messages()

    def __call__(self, key: str, /, **values: object) -> str:
        return self._messages[key][self.language].format(**values)

    def has(self, key: str) -> bool:
        return key in self._messages

    def number(self, value: float | None, decimals: int) -> str:
        """1234.5 as 1.234,50 in Vietnamese and 1,234.50 in English; an en dash for what does not exist."""
        if value is None or not isfinite(value):
            return NOTHING
        text = f"{value:,.{decimals}f}"
        if float(text.replace(",", "")) == 0:
            text = text.removeprefix("-")
        text = text.replace("-", "−")
        return text.translate(str.maketrans(",.", ".,")) if self.language == "vi" else text

    def score(self, value: float | None) -> str:
        """A value on 0–100, two decimals."""
        return self.number(value, 2)

    def percent(self, value: float | None, decimals: int = 2) -> str:
        """A value on 0–100 with its sign: 83,94%."""
        text = self.number(value, decimals)
        return text if text == NOTHING else f"{text}%"

    def whole(self, value: float | None) -> str:
        return self.number(value, 0)

    def interval(self, low: float | None, high: float | None) -> str:
        """Both ends, or one dash: half an interval says nothing."""
        if low is None or high is None or not (isfinite(low) and isfinite(high)):
            return NOTHING
        return f"{self.score(low)}{NO_BREAK}–{NO_BREAK}{self.score(high)}"

    def date(self, day: date | str | None) -> str:
        """24/11/2026 in Vietnamese, 24 November 2026 in English."""
        if not day:
            return NOTHING
        when = date.fromisoformat(day[:10]) if isinstance(day, str) else day
        if self.language == "vi":
            return f"{when.day:02d}/{when.month:02d}/{when.year}"
        return NO_BREAK.join((str(when.day), _MONTHS[when.month - 1], str(when.year)))

    def month(self, month: str) -> str:
        """The month 2026-10 as 10/2026, in English October 2026."""
        year, number = month.split("-")
        return f"{number}/{year}" if self.language == "vi" else f"{_MONTHS[int(number) - 1]} {year}"

    def listed(self, names: Iterable[str]) -> str:
        """Names as a sentence lists them: a, b và c."""
        parts = list(names)
        if len(parts) < 2:
            return "".join(parts)
        return f"{', '.join(parts[:-1])} {self('word.and')} {parts[-1]}"

    def text(self, texts: Mapping[str, str]) -> str:
        """The data's own wording in this language, else in Vietnamese, else in whatever there is."""
        return texts.get(self.language) or texts.get("vi") or next(iter(texts.values()), "")


_MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)
