"""Every rule of the loader, with one small broken file each and the message expected: `tests/forms/`."""

import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from survey_app.questionnaire import QuestionnaireError, load, parse
from survey_app.questionnaire.file import MAX_BYTES

FOLDER = Path(__file__).parent / "forms"

EARLIER = "let it depend on earlier items only"
NFC = "save the file with composed letters (NFC)"
KEYS = (
    "code, kind, section, text, hint, source, scale, options, options_from, ask_if, ask_if_any, required, decline, "
    "not_applicable, minimum, maximum, max_length"
)
EXPECTED: dict[str, list[tuple[str, str, str]]] = {
    # the file itself
    "malformed": [
        ("not a TOML file: Invalid value (at line 6, column 15)", "", "mend the file at the line named"),
    ],
    "not-utf8": [("the file is not UTF-8 (line 7)", "", "save it as UTF-8")],
    "byte-order-mark": [
        ("the file begins with a byte order mark", "", "save it as UTF-8 without a byte order mark"),
    ],
    "null-character": [
        (r"not a TOML file: Illegal character '\x00' (at line 38, column 34)", "", "mend the file at the line named"),
    ],
    "other-name": [("the file's name is not its id and version", "", "call it other-name.2.toml")],
    "published/changed": [
        (
            "a published version was changed: it is not what published.sha256 records",
            "",
            "restore the file, and write the change as a new version",
        ),
    ],
    # keys and types
    "unknown-key": [("unknown key 'colour'", "items[1] USED.colour (line 29)", f"remove it; known here: {KEYS}")],
    "wrong-type": [
        ("required is a text, not true or false", "items[1] USED.required (line 29)", "write true or false"),
    ],
    "no-items": [
        ("items is empty", "items (line 4)", "write at least one table ([[items]] or {…})"),
        ("sections is empty", "sections (line 5)", "write at least one table ([[sections]] or {…})"),
    ],
    # texts
    "missing-translation": [
        ("no text in 'en'", "items[3] II.A2.text.en (line 47)", "add the translation: en = …"),
    ],
    "empty-option": [("the text is empty", "items[1] USED.options[2].vi (line 30)", "write the text")],
    "not-nfc": [("the text is not in Unicode form NFC", "items[2] II.A1.text.vi (line 38)", NFC)],
    "control-character": [
        (
            "the text holds a control character",
            "items[2] II.A1.text.en (line 38)",
            "remove it; write the text on one line",
        ),
    ],
    "right-to-left": [
        (
            "the text holds a mark that turns the direction of writing (U+202C, U+202E)",
            "items[2] II.A1.text.en (line 38)",
            "remove it: what people read would not be what is stored",
        ),
    ],
    # codes and scales
    "duplicate-codes": [("two items have the code 'II.A1'", "items[3] II.A1 (line 41)", "give each item its own code")],
    "unknown-scale": [("unknown scale 'seven'", "items[3] II.A2.scale (line 45)", "name one of: five")],
    "single-option": [("a choice of one option", "items[1] USED.options (line 30)", "write at least two options")],
    # routing
    "routing-to-later-item": [
        (
            "routing depends on the later item 'II.A2'",
            "items[2] II.A1.ask_if[1].item (line 38)",
            "ask that item earlier",
        ),
    ],
    "routing-to-unknown-item": [
        ("routing names the unknown item 'CAME'", "items[3] II.A2.ask_if[1].item (line 46)", "name an item"),
    ],
    "routing-by-unknown-code": [
        ("routing names the unknown code 3", "items[3] II.A2.ask_if[1].codes (line 46)", "USED has the codes 1, 2"),
    ],
    "routing-in-a-ring": [
        (
            "routing goes in a ring: II.A1 → II.A2 → II.A1",
            "items[2] II.A1.ask_if_any[1].item (line 38)",
            EARLIER,
        ),
        ("routing goes in a ring: II.A2 → II.A1 → II.A2", "items[3] II.A2.ask_if[1].item (line 47)", EARLIER),
    ],
    "one-of-one": [
        (
            "ask_if_any has one condition only",
            "items[3] II.A2.ask_if_any (line 46)",
            "write it as ask_if, or list two conditions or more",
        ),
    ],
    # the index
    "index-names-missing-item": [
        (
            "the index names the unknown item 'II.A3'",
            "index.factors[1] A.items (line 59)",
            "name an item of this form",
        ),
    ],
    "index-names-no-likert-item": [
        ("the index names 'USED', a choice item", "index.factors[1] A.items (line 59)", "name likert items only"),
    ],
    "factor-without-items": [
        ("a factor without items", "index.factors[2] B.items (line 65)", "name its items, or remove the factor"),
    ],
    "item-in-two-factors": [
        (
            "the item 'II.A2' is in two factors",
            "index.factors[2] B.items (line 65)",
            "name each item once, in one factor",
        ),
    ],
    # all of a file in one run
    "several": [
        ("the text begins or ends with a space", "items[1] USED.options[1].vi (line 30)", "remove the space"),
        (
            "unknown roll_up 'mixed'",
            "index.roll_up (line 52)",
            "write one of: pooled, item_mean, factor_mean, area_mean",
        ),
        ("unknown scale 'ten'", "items[2] II.A1.scale (line 37)", "name one of: five"),
        ("a condition without codes can never hold", "items[3] II.A2.ask_if[1].codes (line 46)", "list the codes"),
    ],
}


@pytest.mark.parametrize("name", EXPECTED)
def test_a_broken_form_is_refused_with_place_and_remedy(name: str) -> None:
    path = FOLDER / f"{name}.1.toml"
    with pytest.raises(QuestionnaireError) as caught:
        load(path)
    found = [(problem.what, problem.where, problem.remedy) for problem in caught.value.problems]
    wanted = EXPECTED[name]
    assert found == [(what, f"{path.name}: {place}" if place else path.name, remedy) for what, place, remedy in wanted]


def test_every_broken_form_is_expected_and_the_good_one_is_good() -> None:
    names = {path.relative_to(FOLDER).as_posix().removesuffix(".1.toml") for path in FOLDER.rglob("*.toml")}
    assert names == {*EXPECTED, "good"}
    assert load(FOLDER / "good.1.toml").index is not None


def test_the_stores_copy_is_not_held_to_rules_that_came_after_it() -> None:
    """Responses are checked for ever by the form they were given to."""
    assert parse((FOLDER / "right-to-left.1.toml").read_bytes(), "copy.toml").item("II.A1")


# ---- what is no questionnaire file at all


def refusal(path: Path) -> str:
    with pytest.raises(QuestionnaireError) as caught:
        load(path)
    [problem] = caught.value.problems
    assert problem.where == str(path) and problem.remedy == "name an existing questionnaire file"
    return problem.what


def test_a_directory_is_refused(tmp_path: Path) -> None:
    (tmp_path / "form.1.toml").mkdir()
    assert refusal(tmp_path / "form.1.toml") == "this is a directory, not a file"


@pytest.mark.parametrize("device", ["/dev/zero", "/dev/null"])
def test_a_device_is_refused_unread(device: str) -> None:
    assert refusal(Path(device)) == "this is no ordinary file"


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "form.1.toml")
    assert refusal(tmp_path / "form.1.toml") == "this is no ordinary file"


def test_a_file_beyond_the_bound_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "form.1.toml"
    good = (FOLDER / "good.1.toml").read_bytes().replace(b'id = "good"', b'id = "form"')
    path.write_bytes(good + b"#" * (MAX_BYTES - len(good)))
    assert load(path).id == "form"
    path.write_bytes(good + b"#" * (MAX_BYTES - len(good) + 1))
    assert refusal(path) == "the file is larger than 512 kB"


def test_a_record_of_publication_that_is_a_directory_is_told(tmp_path: Path) -> None:
    path = tmp_path / "good.1.toml"
    path.write_bytes((FOLDER / "good.1.toml").read_bytes())
    (tmp_path / "published.sha256").mkdir()
    with pytest.raises(QuestionnaireError, match="this is a directory, not a file"):
        load(path)


def test_more_items_than_a_response_carries_are_refused() -> None:
    good = (FOLDER / "good.1.toml").read_text(encoding="utf-8")
    start = good.index('[[items]]\ncode = "USED"')
    block = good[start : good.index('[[items]]\ncode = "II.A1"')]
    many = ["".join(block.replace('"USED"', f'"EXTRA{number}"') for number in range(extra)) for extra in (297, 298)]
    assert len(parse((good[:start] + many[0] + good[start:]).encode(), "many.1.toml").items) == 300
    with pytest.raises(QuestionnaireError, match="the form has 301 items"):
        parse((good[:start] + many[1] + good[start:]).encode(), "many.1.toml")


def test_lines_end_as_on_windows(tmp_path: Path) -> None:
    """A form saved with CRLF is the same form, under another sha256."""
    path = tmp_path / "good.1.toml"
    path.write_bytes((FOLDER / "good.1.toml").read_bytes().replace(b"\n", b"\r\n"))
    form, plain = load(path), load(FOLDER / "good.1.toml")
    assert form.items == plain.items and form.intro == plain.intro and form.sha256 != plain.sha256


# ---- whatever a file holds

GOOD = (FOLDER / "good.1.toml").read_bytes()


@settings(deadline=None)
@given(
    lines=st.lists(st.integers(0, GOOD.count(b"\n")), max_size=4),
    with_what=st.sampled_from(
        [b"", b"[[items]]", b"[index]", b"ask_if = [{}]", b"=", b"\xff", b"\x00", b'"""', b"items = 1"]
    ),
    cut=st.integers(0, len(GOOD)),
)
@example(lines=[], with_what=b"", cut=0)
def test_a_mangled_file_gives_a_form_or_problems(lines: list[int], with_what: bytes, cut: int) -> None:
    content = GOOD[: len(GOOD) - cut].split(b"\n")
    for line in lines:
        content[min(line, len(content) - 1)] = with_what
    try:
        assert parse(b"\n".join(content), "mangled.toml").items
    except QuestionnaireError as error:
        assert error.problems
        assert all(problem.where.startswith("mangled.toml") and problem.remedy for problem in error.problems)
