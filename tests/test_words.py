"""How the report writes numbers, dates and sentences in each language, and that no message is lopsided or unused."""

import re
from pathlib import Path
from string import Formatter

import pytest

from analysis.report import findings
from analysis.report.findings import Spread, Told
from analysis.report.words import Words, load_messages
from analysis.wave.rules import SENTENCE

HERE = Path(__file__).parents[1] / "analysis"
VI, EN = Words("vi"), Words("en")


@pytest.mark.parametrize(
    ("value", "vietnamese", "english"),
    [
        (83.944, "83,94", "83.94"),
        (83.946, "83,95", "83.95"),
        (100.0, "100,00", "100.00"),
        (1234.5, "1.234,50", "1,234.50"),
        (-0.5, "−0,50", "−0.50"),
        (-0.001, "0,00", "0.00"),
        (None, "–", "–"),
        (float("nan"), "–", "–"),
        (float("inf"), "–", "–"),
    ],
)
def test_numbers(value: float | None, vietnamese: str, english: str) -> None:
    assert (VI.score(value), EN.score(value)) == (vietnamese, english)


def test_percent_whole_interval_dates() -> None:
    assert (VI.percent(83.94), EN.percent(83.94), VI.percent(None)) == ("83,94%", "83.94%", "–")
    assert (VI.whole(43210), EN.whole(43210)) == ("43.210", "43,210")
    assert VI.interval(81.2, 86.5) == "81,20\u00a0–\u00a086,50"
    assert VI.interval(None, 86.5) == VI.interval(81.2, float("nan")) == "–"
    assert (VI.date("2026-11-24"), EN.date("2026-11-24"), VI.date(None)) == (
        "24/11/2026",
        "24\u00a0November\u00a02026",
        "–",
    )
    assert (VI.month("2026-10"), EN.month("2026-10")) == ("10/2026", "October 2026")


@pytest.mark.parametrize(
    ("names", "said"), [([], ""), (["a"], "a"), (["a", "b"], "a và b"), (list("abc"), "a, b và c")]
)
def test_names_in_a_row(names: list[str], said: str) -> None:
    assert VI.listed(names) == said


@pytest.mark.parametrize("key", sorted(load_messages()))
def test_both_languages_take_the_same_names(key: str) -> None:
    texts = load_messages()[key]
    assert set(texts) == {"vi", "en"}
    names = [{name for _, name, _, _ in Formatter().parse(texts[language]) if name} for language in ("vi", "en")]
    assert names[0] == names[1]
    assert all(text.strip() for text in texts.values())


def test_every_message_is_used() -> None:
    sources = [*HERE.glob("**/*.py"), *HERE.glob("report/templates/*.j2")]
    code = "\n".join(path.read_text(encoding="utf-8") for path in sources)
    literal = set(re.findall(r"[\"'(]([a-z_]+\.[a-z0-9_]+)[\"']", code))
    begun = {prefix for prefix in re.findall(r"f[\"']([a-z_]+\.[a-z_]*)\{", code)}
    unused = [key for key in load_messages() if key not in literal and not any(map(key.startswith, begun))]
    assert unused == []


def test_the_counter_sentence_is_the_same_as_in_the_tables() -> None:
    assert load_messages()["word.counter"] == SENTENCE


@pytest.mark.parametrize(
    ("fields", "finding"),
    [
        ([], "Chưa lĩnh vực nào đủ phiếu để công bố chỉ số"),
        ([Told("a", "", True)], "Chưa lĩnh vực nào đủ phiếu để công bố chỉ số"),
        ([Told("Đất đai", "below", False), Told("Xây dựng", "below", False)], "Đất đai và Xây dựng dưới mốc 85"),
        ([Told(str(n), "above", False) for n in range(5)], "5 lĩnh vực trên mốc 85"),
        (
            [Told("a", "above", False), Told("b", "cannot_tell", False), Told("c", "", False), Told("d", "", True)],
            "a trên mốc 85; 1 lĩnh vực chưa đủ bằng chứng; 1 lĩnh vực không kết luận; 1 lĩnh vực không công bố",
        ),
    ],
)
def test_finding_names_a_few_fields_and_counts_many(fields: list[Told], finding: str) -> None:
    assert findings.score_finding(VI, fields, "85") == finding


def test_finding_of_factors_says_when_intervals_overlap() -> None:
    apart = [Spread("A", 80.0, 79.0, 81.0), Spread("B", 90.0, 89.0, 91.0)]
    close = [Spread("A", 80.0, 70.0, 90.0), Spread("B", 81.0, 71.0, 91.0)]
    assert findings.factor_finding(VI, apart) == "Toàn tỉnh: A thấp nhất (80,00%), B cao nhất (90,00%)"
    assert findings.factor_finding(VI, close).endswith("hai khoảng tin cậy còn chồng nhau")
    assert findings.factor_finding(VI, apart[:1]) == "Toàn tỉnh: A đạt 80,00%"
    assert "Chưa yếu tố nào" in findings.factor_finding(VI, [])


@pytest.mark.parametrize(
    ("verdict", "tipping", "said"),
    [
        ("above", 84.1, "dưới 84,10%"),
        ("below", 86.5, "trên 86,50%"),
        ("cannot_tell", 85.5, "bằng đúng mốc 85"),
        ("above", -3.0, "vẫn đứng cùng một phía"),
        ("below", 104.0, "vẫn đứng cùng một phía"),
        ("above", None, ""),
    ],
)
def test_tipping_point_says_which_way_the_verdict_turns(verdict: str, tipping: float | None, said: str) -> None:
    sentence = findings.tipping_sentence(VI, verdict, tipping, "85")
    assert said in sentence
    assert bool(sentence) is (tipping is not None)
