"""Two waves' questions: the same code with the same words compares, everything else is refused and says why."""

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from analysis.commands.cli import INSTANCE_KEY
from analysis.commands.compare import compare
from analysis.errors import AnalysisError
from analysis.wave.codebook import Codebook, parse_codebook, text_sha256
from analysis.wave.comparable import comparable, require
from survey_app.codebook import text_hash
from survey_app.questionnaire import load
from tests import extracts
from tests.sample_extracts import SAMPLE_ITEMS, sample_codebook, visits, write_sample

ROWS, FRAME = visits(4, strata=1, units=2)
FORMS = sorted((Path(__file__).parents[1] / "questionnaires").glob("*.toml"))


def book(change: Any = None, wave: str = "a", **given: Any) -> Codebook:
    raw = copy.deepcopy(sample_codebook(wave, **given))
    if change:
        change({item["code"]: item for item in raw["items"]}, raw)
    return parse_codebook(raw)


def reword(items: Any, raw: Any) -> None:
    items["I.A1"]["text"] = {"vi": "Câu khác", "en": "Item I.A1"}


def rescale(items: Any, raw: Any) -> None:
    items["I.A2"]["options"] = items["I.A2"]["options"][:4]


def rename_option(items: Any, raw: Any) -> None:
    items["SEX"]["options"][1]["text"] = {"vi": "Nữ giới", "en": "Female"}


def rekind(items: Any, raw: Any) -> None:
    items["PLACE"]["kind"] = "choices"


def drop(items: Any, raw: Any) -> None:
    raw["items"] = [item for item in raw["items"] if item["code"] != "AGE"]


def translate(items: Any, raw: Any) -> None:
    items["I.A1"]["text"]["en"] = "better English"
    items["I.A1"]["source"] = "another"


@pytest.mark.parametrize(
    ("change", "code", "why"),
    [
        (None, "I.A1", ""),
        (translate, "I.A1", ""),
        (reword, "I.A1", "text"),
        (rescale, "I.A2", "scale"),
        (rename_option, "SEX", "scale"),
        (rekind, "PLACE", "kind"),
        (drop, "AGE", "only_first"),
    ],
)
def test_what_makes_a_question_another(change: Any, code: str, why: str) -> None:
    pairs = {pair.code: pair.why for pair in comparable(book(), book(change, "b")).pairs}
    assert pairs.pop(code) == why
    assert set(pairs.values()) == {""}


def test_an_item_that_is_new() -> None:
    assert {p.code: p.why for p in comparable(book(drop), book()).pairs}["AGE"] == "only_second"


def test_letters_composed_or_not_are_the_same_text() -> None:
    import unicodedata

    def apart(items: Any, raw: Any) -> None:
        items["I.A1"]["text"]["vi"] = unicodedata.normalize("NFD", items["I.A1"]["text"]["vi"])

    assert comparable(book(), book(apart)).index


def test_the_index_compares_only_item_for_item() -> None:
    assert comparable(book(), book(rename_option)).index
    found = comparable(book(), book(reword))
    assert not found.index and found.index_items == ("I.A1",)

    def shorter(items: Any, raw: Any) -> None:
        raw["index"]["items"] = list(SAMPLE_ITEMS[:-1])
        raw["index"]["factors"][-1]["items"] = raw["index"]["factors"][-1]["items"][:-1] or ["II.B2"]

    assert comparable(book(), book(shorter)).index_items == (SAMPLE_ITEMS[-1],)

    def counter(items: Any, raw: Any) -> None:
        raw["wave"]["kind"] = "counter"

    found = comparable(book(), book(counter))
    assert not found.index and not found.same and not found.index_items
    assert {pair.why for pair in found.pairs} == {"people"}
    with pytest.raises(AnalysisError, match="item I.A1 cannot be compared: same question, other people"):
        require(found, ["I.A1"])


def test_rules_that_differ_are_named() -> None:
    assert comparable(book(), book(rules={"roll_up": "area_mean"})).rules == ("roll_up",)


def test_what_may_not_be_compared_is_refused() -> None:
    found = comparable(book(), book(reword))
    require(found, ["I.A2", "SEX"])
    with pytest.raises(AnalysisError) as caught:
        require(found, ["I.A1", "I.A2", "NEW"])
    assert [problem.what for problem in caught.value.problems] == [
        "item I.A1 cannot be compared: text changed",
        "neither wave has an item NEW",
    ]


@pytest.mark.parametrize("form", FORMS, ids=lambda path: path.stem)
def test_both_packages_hash_a_question_by_one_rule(form: Path) -> None:
    """Old extracts state no hash: what is computed from their codebook must be what a new one states."""
    from survey_app.codebook import _item

    for item in load(form).items:
        raw = _item(item, ())
        assert raw["text_sha256"] == text_hash(item)
        if item.kind != "number":  # the range of a number stands in no codebook
            parsed = parse_codebook(sample_codebook("w") | {"items": [raw | {"text_sha256": None}]}).items[0]
            assert text_sha256(parsed) == text_hash(item), item.code


def test_a_stated_hash_counts_and_an_old_extract_is_held_by_its_text() -> None:
    def state(value: str) -> Any:
        return lambda items, raw: items["I.A1"].update(text_sha256=value)

    assert comparable(book(state("1" * 64)), book(state("1" * 64))).index
    assert not comparable(book(state("1" * 64)), book(state("2" * 64))).index
    assert comparable(book(state("1" * 64)), book()).index


# ---- the command


@pytest.fixture
def instance(tmp_path: Path) -> Path:
    def spoil(columns: Any, frame: Any, raw: Any) -> None:
        reword({item["code"]: item for item in raw["items"]}, raw)

    for wave, change in (("a", None), ("b", None), ("c", spoil)):
        write_sample(tmp_path / "extracts" / wave, ROWS, FRAME, wave=wave, change=change)
    return tmp_path


def run(instance: Path, *arguments: str) -> str:
    found = CliRunner().invoke(compare, arguments, obj={INSTANCE_KEY: str(instance)}, catch_exceptions=False)
    assert found.exit_code == 0
    return found.output


def test_the_command_lists_what_compares_and_what_does_not(instance: Path) -> None:
    said = run(instance, "a", "c")
    assert "10 of 11 items are comparable" in said and "the index is not comparable: 1 of its items" in said
    assert "x I.A1   lời câu hỏi thay đổi / text changed" in said
    assert "the index is comparable" in run(instance, "a", "b")


def test_the_command_for_machines(instance: Path) -> None:
    path = next((instance / "extracts" / "a").iterdir())
    found = json.loads(run(instance, str(path), "c", "--json"))
    assert found["index"] is False and found["index_items_apart"] == ["I.A1"]
    assert {one["code"]: one["why"] for one in found["items"]}["I.A1"] == "text"


def test_an_item_asked_for_is_refused_where_it_is_not_the_same(instance: Path) -> None:
    said = run(instance, "a", "c", "--item", "I.A2")
    assert "= I.A2" in said and "I.A1" not in said
    with pytest.raises(AnalysisError, match="item I.A1 cannot be compared: text changed"):
        run(instance, "a", "c", "--item", "I.A2", "--item", "I.A1")


def test_waves_that_asked_other_people_say_so_first_and_compare_nothing(instance: Path) -> None:
    columns, register = extracts.many(60, fields=2)
    extracts.write(instance / "extracts" / "quay", columns, register, wave="quay")
    said = run(instance, "quay", "a").splitlines()
    assert said[0].startswith("Hai đợt hỏi những người khác nhau") and said[1].startswith(
        "The two waves asked other people"
    )
    assert said[3].startswith("0 of ") and not [line for line in said if line.startswith("= ")]
    found = json.loads(run(instance, "quay", "a", "--json"))
    assert found["other_people"]["en"].startswith("The two waves asked other people") and found["index"] is False
    assert not any(one["comparable"] for one in found["items"])
    assert json.loads(run(instance, "a", "b", "--json"))["other_people"] is False
    for code in (found["items"][0]["code"], "I.A1"):
        refused = CliRunner().invoke(compare, ["quay", "a", "--item", code], obj={INSTANCE_KEY: str(instance)})
        assert isinstance(refused.exception, AnalysisError)
