"""Answers of a table by measure, and how the measures of a form hang together.

Public: Answers, OVERALL, index_spec, block, part_of.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from analysis.errors import AnalysisError, Problem
from analysis.sipas_index import IndexSpec
from analysis.wave.codebook import Codebook
from analysis.wave.extract import Extract
from analysis.wave.rules import RollUp

if TYPE_CHECKING:
    from numpy.typing import NDArray

OVERALL = "overall"


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to the index's items and the overall question, by measure.

    codes : ndarray of int, shape (rows, items), 0 where there is no valid answer
    inclusion : ndarray, shape (rows, items), the probability with which the row was asked the item; None where everybody
        was asked everything
    measures : measure -> its columns, in the order of the table
    """

    items: tuple[str, ...]
    codes: "NDArray[np.int8]" = field(repr=False)
    measures: Mapping[str, tuple[int, ...]]
    spec: IndexSpec
    inclusion: "NDArray[np.float64] | None" = field(default=None, repr=False)

    @classmethod
    def of(cls, extract: Extract, rows: "NDArray[np.bool_]") -> "Answers":
        book = extract.codebook
        if not book.index.items:
            what, remedy = "the wave's form has no index", "only waves of a form with an index have scores"
            raise AnalysisError(Problem(what, str(extract.path), remedy))
        overall = book.roles.get("overall")
        items = book.index.items + ((overall,) if overall else ())
        codes = np.column_stack([extract.column(item)[rows] for item in items]).astype(np.int8)
        place = {item: number for number, item in enumerate(items)}
        measures: dict[str, tuple[int, ...]] = {"index": tuple(range(len(book.index.items)))}
        if overall:
            measures[OVERALL] = (place[overall],)
        spec = index_spec(book)
        if len(spec.areas) > 1:
            measures |= {f"area:{code}": tuple(place[item] for item in part) for code, part in spec.areas.items()}
        measures |= {f"factor:{f.code}": tuple(place[item] for item in f.items) for f in book.index.factors}
        measures |= {f"item:{item}": (place[item],) for item in book.index.items}
        return cls(items, np.maximum(codes, 0), measures, spec, _inclusion(extract, rows, items, codes))

    def column(self, item: str) -> "NDArray[Any]":
        """Codes of one item as estimators take them: −1 where there is no valid answer."""
        codes = self.codes[:, self.items.index(item)]
        return np.where(codes > 0, codes, np.int8(-1))

    def chances(self, items: Sequence[str]) -> "NDArray[np.float64] | None":
        """Probabilities of these items, as estimators take them."""
        return None if self.inclusion is None else self.inclusion[:, [self.items.index(item) for item in items]]

    def expansion(self, measure: str) -> "NDArray[np.float64] | float":
        """1/π by row for a measure of one item; 1 for the others, of which each row has some."""
        columns = self.measures[measure]
        return 1.0 if self.inclusion is None or len(columns) > 1 else 1 / self.inclusion[:, columns[0]]

    def counted(
        self, measure: str, of_row: "NDArray[np.int64]", size: int
    ) -> "tuple[NDArray[np.bool_], NDArray[np.int64], NDArray[np.bool_]]":
        """Rows with a valid answer to the measure; by domain their number, and whether all answers are the same code.

        of_row : the domain of each row, 0 … size − 1
        """
        codes = self.codes[:, list(self.measures[measure])]
        valid = np.any(codes > 0, axis=1)
        at = of_row[valid]
        lowest, highest = np.full(size, 127, dtype=np.int8), np.zeros(size, dtype=np.int8)
        np.minimum.at(lowest, at, np.where(codes > 0, codes, np.int8(127))[valid].min(axis=1, initial=127))
        np.maximum.at(highest, at, codes[valid].max(axis=1, initial=0))
        return valid, np.bincount(at, minlength=size), lowest == highest


NOT_DRAWN = -5


def _inclusion(
    extract: Extract, rows: "NDArray[np.bool_]", items: Sequence[str], codes: "NDArray[np.int8]"
) -> "NDArray[np.float64] | None":
    """What the form says of each item, for the rows asked in part; 1 for those asked everything.

    Who was asked a part must lack other items, and who was asked everything none: else the probabilities are not theirs.
    """
    book = extract.codebook
    if book.parts is None:
        return None
    part = np.array([value is not None for value in extract.column("part")[rows]], dtype=bool)
    chance = np.array([float(book.item(item).inclusion) for item in items])
    drawn = codes != NOT_DRAWN
    wrong = (~drawn & ((chance == 1) | ~part[:, None])).any(axis=1) | (part & drawn[:, chance < 1].all(axis=1))
    if wrong.any():
        what = f"{int(wrong.sum())} responses lack other items than the part they were asked"
        remedy = "write the extract again; if it says the same, look for what was changed: sipas verify"
        raise AnalysisError(Problem(what, str(extract.path), remedy))
    return np.where(part[:, None], chance, 1.0)


def index_spec(book: Codebook) -> IndexSpec:
    return IndexSpec(book.index.items, {factor.code: (factor.area, factor.items) for factor in book.index.factors})


def block(book: Codebook, measure: str, roll_up: RollUp) -> str:
    """The measures that bound and explain each other: a factor and its items.

    Under a mean of parts an area's score less those of its other factors is the last factor's: they belong together too.
    """
    kind, _, code = measure.partition(":")
    factor = next(
        (one for one in book.index.factors if code == one.code and kind == "factor" or code in one.items), None
    )
    whole = len({one.area for one in book.index.factors}) > 1 and roll_up in ("item_mean", "factor_mean")
    if kind == "area":
        return f"area:{code}" if whole else ""
    return "" if factor is None else f"area:{factor.area}" if whole else f"factor:{factor.code}"


def part_of(book: Codebook, measure: str, roll_up: RollUp, shares: bool = True) -> str:
    """What a measure makes up with others: under a mean of parts all factors the index, else areas stand between.

    shares : what each factor weighs in the index is published beside; without it a pooled index tells of no factor
    """
    kind, _, code = measure.partition(":")
    pooled = roll_up in ("pooled", "area_mean")
    area = next((one.area for one in book.index.factors if kind == "factor" and code == one.code), "")
    between = len({one.area for one in book.index.factors}) > 1 and pooled
    if kind == "area":
        return "index" if between else ""
    if kind != "factor" or (pooled and not shares):
        return ""
    return f"area:{area}" if between else "index"
