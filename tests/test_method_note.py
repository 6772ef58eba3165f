"""docs/method.md names what the door offers, and the source of every formula."""

import re
from typing import get_args

import pytest

from analysis.calibration.adjusting import Method
from analysis.comparison.independence import METHODS, R_NAMES
from analysis.comparison.multiplicity import Adjust, Simultaneous
from analysis.design import LonePsu
from analysis.estimators import ShareInterval
from analysis.quantiles import QuantileInterval
from analysis.regression.regressing import Family
from tests.docs_commands import PAGES, ROOT

NOTE = PAGES["method.md"]
CHAPTER = {
    "Lone PSUs": get_args(LonePsu),
    "After post-stratification, raking and other calibration": get_args(Method),
    "Replicate weights": ("jackknife", "brr", "fay", "bootstrap"),
    "Intervals of shares and of the index": get_args(ShareInterval),
    "Quantiles": (*get_args(QuantileInterval), "math", "school", "hf1", "hf9"),
    "Comparisons": (*get_args(Adjust)[1:], *get_args(Simultaneous)[1:]),
    "Tests of independence": (*METHODS, *R_NAMES),
    "Regressions": get_args(Family),
}
DOI = re.compile(r"https://doi\.org/[^\s\"']+[^\s\"'.,;]")
SOURCES = {
    (path.name, doi)
    for path in sorted((ROOT / "analysis").rglob("*.py"))
    for doi in DOI.findall(re.sub(r"\n\s*", "\n", path.read_text(encoding="utf-8")))
}


@pytest.mark.parametrize("title", CHAPTER)
def test_every_choice_is_explained_in_its_chapter(title: str) -> None:
    chapter = re.split(rf"^#+ {re.escape(title)}$", NOTE, flags=re.MULTILINE)[1]
    chapter = re.split(r"^#+ ", chapter, flags=re.MULTILINE)[0]
    assert [word for word in CHAPTER[title] if f"`{word}`" not in chapter] == []


def test_every_source_named_in_the_code_is_among_the_references() -> None:
    assert len(SOURCES) > 25
    references = NOTE.partition("## References")[2]
    assert sorted({doi for _, doi in SOURCES if doi not in references}) == []


def test_references_are_in_the_order_of_the_alphabet() -> None:
    names = re.findall(r"^- ([^,]+),", NOTE.partition("## References")[2], re.MULTILINE)
    assert len(names) > 30 and names == sorted(names)
