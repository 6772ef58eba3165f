"""An extract's codebook as frozen values: the wave and its rules, centres, fields, items, factors, codes in words.

Public: Codebook, parse_codebook, Wave, Rules, Centre, ServiceField, Item, Factor, Parts, Reference, text_sha256.
"""

import hashlib
import json
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any, TypeVar

T = TypeVar("T")
Text = Mapping[str, str]


@dataclass(frozen=True)
class Rules:
    """How the wave was to be computed, fixed before it opened. Reference line and level in per cent."""

    item_method: str = "top2"
    roll_up: str = "pooled"
    weighting: str = "rake"
    minimum_cell: int = 20
    minimum_class: int = 5
    reference_line: float = 85
    level: float = 95

    def minimum(self, method: str) -> int:
        """Responses a class of this weighting needs, else it joins a neighbour."""
        return self.minimum_cell if method == "cells" else self.minimum_class


@dataclass(frozen=True)
class Wave:
    id: str
    kind: str
    title: Text
    months: tuple[str, ...]
    simulated: bool
    opened: str | None
    closed: str | None
    rules: Rules


@dataclass(frozen=True)
class Form:
    """The questionnaire the wave asked. `authority`: in whose name it asks; empty in older extracts."""

    id: str
    version: str
    title: Text
    source: str
    languages: tuple[str, ...]
    authority: Text = field(default_factory=dict)


@dataclass(frozen=True)
class Centre:
    code: str
    name: str
    full_name: str
    kind: str
    group: str


@dataclass(frozen=True)
class ServiceField:
    code: str
    label: Text
    source: str


@dataclass(frozen=True)
class Option:
    code: int
    text: Text


@dataclass(frozen=True)
class Item:
    code: str
    kind: str
    text: Text
    factor: str | None
    area: str | None
    source: str
    options: tuple[Option, ...]
    columns: tuple[str, ...]
    text_sha256: str
    """As the extract states it; empty in extracts written before it did: see the function of the same name."""
    inclusion: Fraction = Fraction(1)
    """The probability with which a response asked in part was asked the item."""


@dataclass(frozen=True)
class Factor:
    code: str
    text: Text
    area: str
    items: tuple[str, ...]


@dataclass(frozen=True)
class Area:
    code: str
    text: Text


@dataclass(frozen=True)
class Index:
    """The items whose answers make the headline, and how they roll up by default."""

    items: tuple[str, ...]
    factors: tuple[Factor, ...]
    areas: tuple[Area, ...]
    item_method: str
    roll_up: str


@dataclass(frozen=True)
class Column:
    name: str
    type: str
    label: Text


@dataclass(frozen=True)
class Reference:
    """A figure published elsewhere, as it was entered: decimal text, the series it belongs to, its label and source."""

    year: int
    place: str
    measure: str
    value: str
    series: str
    label: str
    source: str


@dataclass(frozen=True)
class Parts:
    """Each response asked in part was asked `draw` of the `factors`, one of `of` equally likely choices."""

    name: str
    factors: tuple[str, ...]
    draw: int
    of: int


@dataclass(frozen=True)
class Codebook:
    wave: Wave
    questionnaire: Form
    centres: tuple[Centre, ...]
    fields: tuple[ServiceField, ...]
    roles: Mapping[str, str]
    visit_codes: Mapping[str, int]
    items: tuple[Item, ...]
    index: Index
    missing: Mapping[int, Text]
    columns: tuple[Column, ...]
    references: tuple[Reference, ...] = ()
    parts: Parts | None = None

    def centre(self, code: str) -> Centre:
        return next(centre for centre in self.centres if centre.code == code)

    def field(self, code: str) -> ServiceField:
        return next(field for field in self.fields if field.code == code)

    def item(self, code: str) -> Item:
        return next(item for item in self.items if item.code == code)


def parse_codebook(raw: Mapping[str, Any]) -> Codebook:
    """From codebook.json's plain data; KeyError, TypeError or ValueError where it is none (the reader says so)."""
    wave, index = raw["wave"], raw["index"]
    return Codebook(
        wave=Wave(
            id=wave["id"],
            kind=wave["kind"],
            title=wave["title"],
            months=tuple(wave["months"]),
            simulated=bool(wave["simulated"]),
            opened=wave.get("opened"),
            closed=wave.get("closed"),
            rules=_rules(wave.get("rules") or {}),
        ),
        questionnaire=_known(Form, {**raw["questionnaire"], "languages": tuple(raw["questionnaire"]["languages"])}),
        centres=tuple(_known(Centre, centre) for centre in raw["centres"]),
        fields=tuple(_known(ServiceField, one) for one in raw["fields"]),
        roles=raw["roles"],
        visit_codes={name: int(code) for name, code in raw["visit_codes"].items()},
        items=tuple(_item(item) for item in raw["items"]),
        index=Index(
            items=tuple(index["items"]),
            factors=tuple(_known(Factor, {**factor, "items": tuple(factor["items"])}) for factor in index["factors"]),
            areas=tuple(_known(Area, area) for area in index["areas"]),
            item_method=index["item_method"],
            roll_up=index["roll_up"],
        ),
        missing={int(code): text for code, text in raw["missing"].items()},
        columns=tuple(_known(Column, column) for column in raw["columns"]),
        references=tuple(_known(Reference, reference) for reference in raw.get("references") or ()),
        parts=_parts(raw.get("parts")),
    )


def text_sha256(item: "Item") -> str:
    """What two forms must share for their items to be the same question: Vietnamese text, kind, codes with their words.

    SHA-256 of canonical JSON (sorted keys, no spaces, UTF-8) of {"kind", "options": [[code, text], …], "text"}, every
    text in NFC. The item's code is no part of it. The writer of an extract states it by the same rule, for a number with
    "range": [minimum, maximum], which a codebook does not repeat.
    """
    words = [[option.code, _nfc(option.text.get("vi", ""))] for option in item.options]
    asked = {"kind": item.kind, "text": _nfc(item.text.get("vi", "")), "options": words}
    canonical = json.dumps(asked, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _rules(raw: Mapping[str, Any]) -> Rules:
    """Numbers must be numbers that a rule can have: a level of 400 would be no error further on, only nonsense."""
    rules = _known(Rules, raw)
    for name, low, high in (("reference_line", 0, 100), ("level", 50, 99.99)):
        value = getattr(rules, name)
        if not isinstance(value, int | float) or not low <= value <= high:
            raise ValueError(f"rule {name} is {str(value)[:40]}, not a number from {low} to {high}")
    for name in ("minimum_cell", "minimum_class"):
        value = getattr(rules, name)
        if not isinstance(value, int) or not 1 <= value <= 10**9:
            raise ValueError(f"rule {name} is {str(value)[:40]}, not a whole number from 1")
    return rules


def _item(raw: Mapping[str, Any]) -> Item:
    return Item(
        code=raw["code"],
        kind=raw["kind"],
        text=raw["text"],
        factor=raw.get("factor"),
        area=raw.get("area"),
        source=raw.get("source") or "",
        options=tuple(Option(int(option["code"]), option["text"]) for option in raw.get("options") or ()),
        columns=tuple(raw.get("columns") or ()),
        text_sha256=str(raw.get("text_sha256") or ""),
        inclusion=_inclusion(raw.get("inclusion", "1"), raw["code"]),
    )


def _inclusion(raw: Any, code: str) -> Fraction:
    """An item that nobody can be asked has no estimate: refused, rather than left out in silence."""
    found = Fraction(str(raw))
    if not 0 < found <= 1:
        raise ValueError(f"item {code} is asked with probability {str(raw)[:40]}, not above 0 and at most 1")
    return found


def _parts(raw: Mapping[str, Any] | None) -> Parts | None:
    return None if raw is None else _known(Parts, {**raw, "factors": tuple(raw["factors"])})


def _known(kind: type[T], raw: Mapping[str, Any]) -> T:
    """Keys a later writer may add are left aside; a missing one without default is a TypeError."""
    names = {field.name for field in fields(kind)}  # type: ignore[arg-type]
    return kind(**{name: value for name, value in raw.items() if name in names})
