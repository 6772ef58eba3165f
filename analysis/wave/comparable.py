"""Which questions of two waves may be compared: the same code with the same text, kind and scale, asked of the same kind
of people, and nothing else.

Public: comparable, Comparison, Pair, require, WHY, OTHER_PEOPLE.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from analysis.errors import AnalysisError, Problem
from analysis.wave.codebook import Codebook, Item, text_sha256

Why = Literal["", "only_first", "only_second", "kind", "scale", "text", "people"]
WHY: Mapping[str, Mapping[str, str]] = {
    "": {"vi": "giống hệt", "en": "the same"},
    "only_first": {"vi": "chỉ có ở đợt thứ nhất", "en": "only in the first wave"},
    "only_second": {"vi": "chỉ có ở đợt thứ hai", "en": "only in the second wave"},
    "kind": {"vi": "khác loại câu hỏi", "en": "another kind of question"},
    "scale": {"vi": "thang hoặc phương án trả lời thay đổi", "en": "scale or options changed"},
    "text": {"vi": "lời câu hỏi thay đổi", "en": "text changed"},
    "people": {"vi": "cùng câu hỏi, hỏi người khác", "en": "same question, other people"},
}
OTHER_PEOPLE = {
    "vi": "Hai đợt hỏi những người khác nhau: đợt tại quầy hỏi người đến làm thủ tục, đợt chọn mẫu hỏi người dân. Không so "
    "câu nào của hai đợt như một thay đổi.",
    "en": "The two waves asked other people: a counter wave those who came to a counter, a sample wave residents. No item "
    "of them is to be compared as a change.",
}


@dataclass(frozen=True)
class Pair:
    """One item of either wave. `why` is empty where the two are the same question, asked of the same kind of people."""

    code: str
    why: Why
    texts: tuple[Mapping[str, str], Mapping[str, str]]

    @property
    def comparable(self) -> bool:
        return not self.why

    @property
    def same_question(self) -> bool:
        return self.why in ("", "people")


@dataclass(frozen=True)
class Comparison:
    """pairs : every item of the two forms, in the order of the first, then of the second.

    index_items : items of either index that are not the same question in both, or not in both indices; none: the index
        is comparable
    """

    waves: tuple[str, str]
    forms: tuple[str, str]
    pairs: tuple[Pair, ...]
    index_items: tuple[str, ...]
    rules: tuple[str, ...]
    """Rules of the waves that differ: item_method, roll_up. The index may still be computed by one rule for both."""
    kinds: tuple[str, str]

    @property
    def other_people(self) -> bool:
        """Whether the waves are of different kinds: then nothing of them is comparable, same question or not."""
        return self.kinds[0] != self.kinds[1]

    @property
    def index(self) -> bool:
        """Whether the index of the two waves rests on the same questions, asked of the same kind of people."""
        return not self.index_items and not self.other_people

    @property
    def same(self) -> tuple[str, ...]:
        return tuple(pair.code for pair in self.pairs if pair.comparable)


def comparable(first: Codebook, second: Codebook) -> Comparison:
    """Hold the items of two codebooks against each other by code and text_sha256 (see analysis.wave.codebook)."""
    one, other = ({item.code: item for item in book.items} for book in (first, second))
    apart = first.wave.kind != second.wave.kind
    pairs = tuple(_pair(code, one.get(code), other.get(code), apart) for code in dict.fromkeys((*one, *other)))
    same = {pair.code for pair in pairs if pair.same_question}
    items = dict.fromkeys((*first.index.items, *second.index.items))
    in_both = set(first.index.items) & set(second.index.items) & same
    rules = [name for name in ("item_method", "roll_up") if _rule(first, name) != _rule(second, name)]
    return Comparison(
        waves=(first.wave.id, second.wave.id),
        forms=(_form(first), _form(second)),
        pairs=pairs,
        index_items=tuple(item for item in items if item not in in_both),
        rules=tuple(rules),
        kinds=(first.wave.kind, second.wave.kind),
    )


def require(found: Comparison, codes: Iterable[str]) -> None:
    """Raise AnalysisError for every item asked for that may not be compared, saying why."""
    pairs = {pair.code: pair for pair in found.pairs}
    where = f"waves {found.waves[0]} and {found.waves[1]}"
    problems = []
    for code in codes:
        if code not in pairs:
            problems.append(Problem(f"neither wave has an item {code}", where, "sipas compare WAVE WAVE lists them"))
        elif why := pairs[code].why:
            what = f"item {code} cannot be compared: {WHY[why]['en']}"
            problems.append(Problem(what, where, "show each wave's result by itself, with its own words"))
    if problems:
        raise AnalysisError(problems)


def _pair(code: str, first: Item | None, second: Item | None, other_people: bool) -> Pair:
    nothing: Mapping[str, str] = {}
    texts = (first.text if first else nothing, second.text if second else nothing)
    why = _why(first, second)
    return Pair(code, "people" if other_people and not why else why, texts)


def _why(first: Item | None, second: Item | None) -> Why:
    if first is None:
        return "only_second"
    if second is None:
        return "only_first"
    if _same(first, second):
        return ""
    if first.kind != second.kind:
        return "kind"
    return "scale" if _options(first) != _options(second) else "text"


def _same(first: Item, second: Item) -> bool:
    """By the hashes the extracts state; where one states none, by what both codebooks say."""
    if first.text_sha256 and second.text_sha256:
        return first.text_sha256 == second.text_sha256
    return text_sha256(first) == text_sha256(second)


def _options(item: Item) -> list[tuple[int, str]]:
    return [(option.code, option.text.get("vi", "")) for option in item.options]


def _rule(book: Codebook, name: str) -> str:
    return str(getattr(book.wave.rules, name))


def _form(book: Codebook) -> str:
    return f"{book.questionnaire.id} {book.questionnaire.version}"
