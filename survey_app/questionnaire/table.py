"""Reading one TOML table with every problem noted: types, unknown keys, translations, the form of texts."""

import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from survey_app.problems import Problem
from survey_app.questionnaire.lines import Lines
from survey_app.questionnaire.model import Text

SOURCE_LABELS = ("[V]", "[V of a transcription]", "[S]", "[D]", "[I]", "[B]", "ours")
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
_TYPE_NAMES = {
    str: "a text",
    int: "a whole number",
    bool: "true or false",
    list: "a list",
    dict: "a table",
    float: "a number with a point",
}


@dataclass
class Problems:
    """All that is wrong with one file, in the order found; `lines` tells where in the file a place is.

    A `new` file is one a person hands in. The store's own copy is not held to rules that came after it.
    """

    file: str
    new: bool = False
    found: list[Problem] = field(default_factory=list)
    lines: Lines | None = None

    def add(self, what: str, where: str, remedy: str) -> None:
        line = self.lines.of(where) if self.lines and where else None
        place = f"{where} (line {line})" if line else where
        self.found.append(Problem(what, f"{self.file}: {place}" if place else self.file, remedy))


class Table:
    """A TOML table being read. What is asked for is typed or noted as a problem; `close` notes the keys left over."""

    def __init__(self, raw: Mapping[str, Any], place: str, problems: Problems) -> None:
        self.raw, self.place, self.problems = raw, place, problems
        self._asked: list[str] = []

    def at(self, key: str) -> str:
        return f"{self.place}.{key}" if self.place else key

    def close(self) -> None:
        for key in self.raw:
            if key not in self._asked:
                known = ", ".join(self._asked)
                self.problems.add(f"unknown key {key!r}", self.at(key), f"remove it; known here: {known}")

    def _take(self, key: str, kind: type, required: bool) -> Any:
        self._asked.append(key)
        value = self.raw.get(key)
        if value is None:
            if required:
                self.problems.add(f"{key} is missing", self.at(key), f"add {key}, {_TYPE_NAMES[kind]}")
        elif type(value) is not kind:
            what = f"{key} is {_TYPE_NAMES.get(type(value), 'something else')}, not {_TYPE_NAMES[kind]}"
            self.problems.add(what, self.at(key), f"write {_TYPE_NAMES[kind]}")
        else:
            return value
        return None

    def integer(self, key: str) -> int | None:
        value: int | None = self._take(key, int, required=False)
        return value

    def needed_integer(self, key: str) -> int:
        value: int | None = self._take(key, int, required=True)
        return 0 if value is None else value

    def flag(self, key: str, default: bool) -> bool:
        value: bool | None = self._take(key, bool, required=False)
        return default if value is None else value

    def string(self, key: str, required: bool = True) -> str | None:
        """One line, of the form every text must have."""
        value: str | None = self._take(key, str, required)
        if value is not None:
            check_text(value, self.at(key), self.problems)
        return value

    def code(self, key: str, pattern: re.Pattern[str], wanted: str, required: bool = True) -> str | None:
        value: str | None = self._take(key, str, required)
        if value is not None and not pattern.fullmatch(value):
            self.problems.add(f"{key} {value!r} is not of the form agreed", self.at(key), f"write {wanted}")
            return None
        return value

    def word(self, key: str, words: Sequence[str], required: bool = True) -> str | None:
        value: str | None = self._take(key, str, required)
        if value is not None and value not in words:
            self.problems.add(f"unknown {key} {value!r}", self.at(key), "write one of: " + ", ".join(words))
            return None
        return value

    def source(self) -> str:
        value = self.string("source")
        if value and not value.startswith(SOURCE_LABELS):
            labels = ", ".join(SOURCE_LABELS)
            self.problems.add("the source has no known label", self.at("source"), f"begin it with one of: {labels}")
        return value or ""

    def text(self, key: str, languages: Sequence[str], required: bool = True, lines: bool = False) -> Text | None:
        """A table of one text a language; all languages of the form, and no others."""
        raw = self._take(key, dict, required)
        if raw is None:
            return None
        table = Table(raw, self.at(key), self.problems)
        read = texts(table, languages, lines)
        table.close()
        return read

    def strings(self, key: str, required: bool = True) -> tuple[str, ...]:
        raw = self._take(key, list, required) or []
        wrong = [value for value in raw if not isinstance(value, str)]
        if wrong:
            self.problems.add(f"{key} holds {wrong[0]!r}, not a text", self.at(key), "write a list of texts")
        return tuple(value for value in raw if isinstance(value, str))

    def integers(self, key: str) -> tuple[int, ...]:
        raw = self._take(key, list, required=True) or []
        wrong = [value for value in raw if type(value) is not int]
        if wrong:
            self.problems.add(
                f"{key} holds {wrong[0]!r}, not a whole number", self.at(key), "write a list of whole numbers"
            )
        return tuple(value for value in raw if type(value) is int)

    def table(self, key: str, required: bool = True) -> "Table | None":
        raw = self._take(key, dict, required)
        return None if raw is None else Table(raw, self.at(key), self.problems)

    def tables(self, key: str, name: str | None = None, required: bool = True) -> Iterator["Table"]:
        """The tables of a list, each placed by its number from 1 and, if it has one, its own `name`."""
        rows = self._take(key, list, required)
        if rows == [] and required:
            self.problems.add(f"{key} is empty", self.at(key), f"write at least one table ([[{key}]] or {{…}})")
        for number, raw in enumerate(rows or [], start=1):
            place = f"{self.at(key)}[{number}]"
            if not isinstance(raw, dict):
                self.problems.add(f"{key} holds {raw!r}, not a table", place, f"write a table ([[{key}]] or {{…}})")
                continue
            own = raw.get(name) if name else None
            yield Table(raw, f"{place} {own}" if isinstance(own, str) else place, self.problems)


def texts(table: Table, languages: Sequence[str], lines: bool = False) -> Text:
    """The texts of a table in each language."""
    read: dict[str, str] = {}
    for language in languages:
        value = table._take(language, str, required=False)
        if value is not None:
            check_text(value, table.at(language), table.problems, lines)
            read[language] = value
        elif language not in table.raw:
            table.problems.add(f"no text in {language!r}", table.at(language), f"add the translation: {language} = …")
    return read


def check_text(value: str, place: str, problems: Problems, lines: bool = False) -> None:
    """Note a text that is empty, not NFC, padded, or holds what cannot be shown."""
    if not value.strip():
        problems.add("the text is empty", place, "write the text")
    elif value != value.strip():
        problems.add("the text begins or ends with a space", place, "remove the space")
    if not unicodedata.is_normalized("NFC", value):
        problems.add("the text is not in Unicode form NFC", place, "save the file with composed letters (NFC)")
    if any(unicodedata.category(sign) in ("Cc", "Cs") and not (lines and sign == "\n") for sign in value):
        problems.add("the text holds a control character", place, "remove it; write the text on one line")
    if problems.new and (turning := sorted(_TURNING.intersection(value))):
        names = ", ".join(f"U+{ord(sign):04X}" for sign in turning)
        problems.add(
            f"the text holds a mark that turns the direction of writing ({names})",
            place,
            "remove it: what people read would not be what is stored",
        )
