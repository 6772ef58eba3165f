"""Reading questionnaire files: one broken rule a case, each named with place and remedy, all of a file at once."""

import hashlib
import re
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from survey_app.problems import Problem
from survey_app.questionnaire import QuestionnaireError, load, parse, shipped

DOCS = Path(__file__).parent.parent / "docs" / "questionnaire-format.md"
MINIMAL = re.search(r"```toml\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL).group(1)  # type: ignore[union-attr]

# A form with an item of every kind, on which each case below breaks one thing.
FORM = """
id = "form"
version = "1"
languages = ["vi", "en"]
source = "ours"
title = {vi = "Phiếu", en = "Form"}
authority = {vi = "Tỉnh", en = "Province"}
intro = {vi = "Xin ý kiến.", en = "Please answer."}
[[scales]]
id = "five"
source = "[V] scale"
options = [{code = 1, vi = "a", en = "a"}, {code = 2, vi = "b", en = "b"}, {code = 3, vi = "c", en = "c"},
    {code = 4, vi = "d", en = "d"}, {code = 5, vi = "e", en = "e"}]
[[scales]]
id = "two"
source = "ours"
options = [{code = 1, vi = "Ít", en = "Little"}, {code = 2, vi = "Nhiều", en = "Much"}]
[[sections]]
code = "one"
title = {vi = "Một", en = "One"}
[[sections]]
code = "last"
title = {vi = "Cuối", en = "Last"}
[[items]]
code = "FIELD"
section = "one"
kind = "choice"
options_from = "service_fields"
text = {vi = "Lĩnh vực", en = "Field"}
source = "ours"
[[items]]
code = "VISIT"
section = "one"
kind = "choice"
text = {vi = "Việc gì", en = "What for"}
options = [{code = 1, vi = "Nộp", en = "File"}, {code = 2, vi = "Nhận", en = "Receive"}, {code = 3, vi = "Hỏi", en = "Ask"}]
source = "ours"
[[items]]
code = "S.A1"
section = "one"
kind = "likert"
scale = "five"
text = {vi = "Ghế ngồi", en = "Seats"}
source = "[V of a transcription] form"
[[items]]
code = "S.A2"
section = "one"
kind = "likert"
scale = "five"
ask_if = [{item = "VISIT", codes = [2]}]
text = {vi = "Bàn viết", en = "Desks"}
source = "ours"
[[items]]
code = "MUCH"
section = "one"
kind = "likert"
scale = "two"
text = {vi = "Bao nhiêu", en = "How much"}
source = "ours"
[[items]]
code = "NEWS"
section = "last"
kind = "choices"
text = {vi = "Kênh", en = "Channels"}
options = [{code = 1, vi = "Loa", en = "Loudspeaker"}, {code = 2, vi = "Báo", en = "Newspaper"}]
source = "ours"
[[items]]
code = "YEARS"
section = "last"
kind = "number"
minimum = 0
maximum = 120
text = {vi = "Số năm", en = "Years"}
source = "ours"
[[items]]
code = "COMMENT"
section = "last"
kind = "text"
max_length = 200
required = false
text = {vi = "Ý kiến", en = "Comment"}
source = "ours"
[roles]
field = "FIELD"
visit = "VISIT"
comment = "COMMENT"
visit_codes = {filed = 1, received = 2, asked = 3}
[index]
item_method = "top2"
roll_up = "pooled"
areas = [{code = "S", text = {vi = "Dịch vụ", en = "Services"}}]
[[index.factors]]
code = "A"
area = "S"
text = {vi = "Tiếp cận", en = "Access"}
items = ["S.A1", "S.A2"]
"""

SECOND_FACTOR = """[[index.factors]]
code = "B"
area = "S"
text = {vi = "Khác", en = "Other"}
items = ["S.A1"]
"""
NFD = unicodedata.normalize("NFD", "Ghế ngồi")


def problems(content: str) -> list[tuple[str, str]]:
    with pytest.raises(QuestionnaireError) as caught:
        parse(content.encode("utf-8", "surrogatepass"), "form.1.toml")
    assert all(problem.remedy for problem in caught.value.problems)
    return [(problem.what, place_of(problem)) for problem in caught.value.problems]


def place_of(problem: Problem) -> str:
    """The path inside the file, without the file and the line."""
    return re.sub(r" \(line \d+\)$", "", problem.where.removeprefix("form.1.toml: "))


def test_the_form_of_these_tests_is_good() -> None:
    form = parse(FORM.encode(), "form.1.toml")
    assert [item.kind for item in form.items] == ["choice"] * 2 + ["likert"] * 3 + ["choices", "number", "text"]
    assert form.item("S.A2").factor == "A" and form.item("S.A2").area == "S"
    assert form.item("S.A1").options == form.scales[0].options
    assert form.sections[1].items == ("NEWS", "YEARS", "COMMENT")


CASES = [
    # the form of values
    ('id = "form"', 'id = "Form 1"', "id 'Form 1' is not of the form agreed", "id"),
    ('id = "form"', "", "id is missing", "id"),
    ('version = "1"', "version = 1", "version is a whole number, not a text", "version"),
    ('version = "1"', 'version = "v1"', "version 'v1' is not of the form agreed", "version"),
    ('["vi", "en"]', '["vi"]', "the form lacks the language 'en'", "languages"),
    ('["vi", "en"]', '["vi", "en", 7]', "languages holds 7, not a text", "languages"),
    ('["vi", "en"]', '["vi", "en", "vi"]', "a language is named twice", "languages"),
    ('["vi", "en"]', '["vi", "en", "TAY!"]', "'TAY!' is not a language code", "languages"),
    ('id = "form"', 'id = "form"\ncolour = "red"', "unknown key 'colour'", "colour"),
    ('kind = "number"', 'kind = "number"\nstep = 2', "unknown key 'step'", "items[7] YEARS.step"),
    ('kind = "number"', 'kind = "date"', "unknown kind 'date'", "items[7] YEARS.kind"),
    ("minimum = 0", "minimum = 0.5", "minimum is a number with a point, not a whole number", "items[7] YEARS.minimum"),
    ("minimum = 0", "minimum = true", "minimum is true or false, not a whole number", "items[7] YEARS.minimum"),
    ("required = false", 'required = "no"', "required is a text, not true or false", "items[8] COMMENT.required"),
    ("codes = [2]", 'codes = ["2"]', "codes holds '2', not a whole number", "items[4] S.A2.ask_if[1].codes"),
    ("codes = [2]", "code = [2]", "codes is missing", "items[4] S.A2.ask_if[1].codes"),
    ('source = "[V] scale"', 'source = "a book"', "the source has no known label", "scales[1] five.source"),
    ('["S.A1", "S.A2"]\n', '["S.A1", "S.A1"]\n', "the item 'S.A1' is in two factors", "index.factors[1] A.items"),
    ('source = "[V of a transcription] form"\n', "", "source is missing", "items[3] S.A1.source"),
    ('[{item = "VISIT", codes = [2]}]', '["VISIT"]', "ask_if holds 'VISIT', not a table", "items[4] S.A2.ask_if[1]"),
    # texts
    ('vi = "Ghế ngồi", en = "Seats"', 'vi = "Ghế ngồi"', "no text in 'en'", "items[3] S.A1.text.en"),
    ('en = "Seats"', 'en = "Seats", fr = "Sièges"', "unknown key 'fr'", "items[3] S.A1.text.fr"),
    ('en = "Seats"', "en = 5", "en is a whole number, not a text", "items[3] S.A1.text.en"),
    ('en = "Seats"', 'en = " "', "the text is empty", "items[3] S.A1.text.en"),
    ('en = "Seats"', 'en = "Seats "', "the text begins or ends with a space", "items[3] S.A1.text.en"),
    ('en = "Seats"', 'en = "Se\\u0007ats"', "the text holds a control character", "items[3] S.A1.text.en"),
    ('en = "Seats"', 'en = "Se\\nats"', "the text holds a control character", "items[3] S.A1.text.en"),
    ("Ghế ngồi", NFD, "the text is not in Unicode form NFC", "items[3] S.A1.text.vi"),
    ('vi = "Loa", ', 'vi = "", ', "the text is empty", "items[6] NEWS.options[1].vi"),
    ('vi = "Loa", ', "", "no text in 'vi'", "items[6] NEWS.options[1].vi"),
    ('{code = 1, vi = "Loa"', '{vi = "Loa"', "code is missing", "items[6] NEWS.options[1].code"),
    # codes given once, names that exist
    ('code = "S.A2"', 'code = "S.A1"', "two items have the code 'S.A1'", "items[4] S.A1"),
    ('code = "S.A2"', 'code = "s a2"', "code 's a2' is not of the form agreed", "items[4] s a2.code"),
    ('code = "last"', 'code = "one"', "two sections have the code 'one'", "sections[2] one"),
    ('id = "two"', 'id = "five"', "two scales have the id 'five'", "scales[2] five"),
    ("{code = 2, vi = \"Báo\"", "{code = 1, vi = \"Báo\"", "two options have the code 1", "items[6] NEWS.options[2].code"),
    ("{code = 2, vi = \"Báo\"", "{code = -3, vi = \"Báo\"", "the code -3 is out of range", "items[6] NEWS.options[2].code"),
    ('scale = "two"', 'scale = "ten"', "unknown scale 'ten'", "items[5] MUCH.scale"),
    ('scale = "two"\n', "", "a likert item without a scale", "items[5] MUCH.scale"),
    ('{code = 2, vi = "Nhiều"', '{code = 0, vi = "Nhiều"', "the codes of a scale do not count 1, 2, 3 …", "scales[2] two.options"),
    (
        ', {code = 2, vi = "Nhiều", en = "Much"}',
        "",
        "the codes of a scale do not count 1, 2, 3 …",
        "scales[2] two.options",
    ),
    (
        'options_from = "service_fields"',
        'options_from = "service_fields"\nnot_applicable = true',
        "not_applicable does not go with this item",
        "items[1] FIELD.not_applicable",
    ),
    # what goes with which kind
    ("max_length = 200", "max_length = 200\nminimum = 1", "minimum does not go with kind 'text'", "items[8] COMMENT.minimum"),
    ("max_length = 200\n", "", "a text item needs max_length, 1 to 4000", "items[8] COMMENT.max_length"),
    ("max_length = 200", "max_length = 5000", "a text item needs max_length, 1 to 4000", "items[8] COMMENT.max_length"),
    ("maximum = 120\n", "", "a number needs minimum and maximum", "items[7] YEARS.minimum"),
    ("maximum = 120", "maximum = 0", "minimum and maximum do not fit", "items[7] YEARS.minimum"),
    ("minimum = 0", "minimum = -3", "minimum and maximum do not fit", "items[7] YEARS.minimum"),
    (', {code = 2, vi = "Báo", en = "Newspaper"}', "", "a choice of one option", "items[6] NEWS.options"),
    ('options = [{code = 1, vi = "Loa", en = "Loudspeaker"}, {code = 2, vi = "Báo", en = "Newspaper"}]\n', "", "a choice needs options, or options_from, and not both", "items[6] NEWS.options"),
    ("required = false", "required = false\ndecline = false", "an item that may be left blank must allow declining", "items[8] COMMENT.decline"),
    ("required = false", "not_applicable = true", "not_applicable does not go with this item", "items[8] COMMENT.not_applicable"),
    # routing
    ('item = "VISIT"', 'item = "VISITS"', "routing names the unknown item 'VISITS'", "items[4] S.A2.ask_if[1].item"),
    ('item = "VISIT"', 'item = "MUCH"', "routing depends on the later item 'MUCH'", "items[4] S.A2.ask_if[1].item"),
    ('item = "VISIT"', 'item = "S.A2"', "routing goes in a ring: S.A2 → S.A2", "items[4] S.A2.ask_if[1].item"),
    ("codes = [2]", "codes = [2, 9]", "routing names the unknown code 9", "items[4] S.A2.ask_if[1].codes"),
    ('ask_if = [{item = "VISIT"', 'ask_if_any = [{item = "VISIT"', "ask_if_any has one condition only", "items[4] S.A2.ask_if_any"),
    ('ask_if = [{', 'ask_if_any = [{item = "NEWS", codes = [1]}, {', "routing depends on the later item 'NEWS'", "items[4] S.A2.ask_if_any[1].item"),
    ('ask_if = [{', 'ask_if_any = [{item = "NEW", codes = [1]}, {', "routing names the unknown item 'NEW'", "items[4] S.A2.ask_if_any[1].item"),
    ("codes = [2]", "codes = []", "a condition without codes can never hold", "items[4] S.A2.ask_if[1].codes"),
    ('item = "VISIT"', 'item = "FIELD"', "routing depends on 'FIELD', which has no codes of its own", "items[4] S.A2.ask_if[1].codes"),
    # sections
    ('section = "last"\nkind = "number"', 'section = "end"\nkind = "number"', "unknown section 'end'", "items[7] YEARS.section"),
    ('section = "last"\nkind = "number"', 'section = "one"\nkind = "number"', "the item stands apart from its section 'one'", "items[7] YEARS.section"),
    ('[[items]]\ncode = "FIELD"', '[[sections]]\ncode = "none"\ntitle = {vi = "Không", en = "None"}\n[[items]]\ncode = "FIELD"', "a section without items", "sections[3] none"),
    ('code = "MUCH"', 'code = "NEWS_1"', "the extract's column NEWS_1 would mean two things", "items[6] NEWS"),
    # roles
    ('comment = "COMMENT"', 'comment = "WORDS"', "role comment names the unknown item 'WORDS'", "roles.comment"),
    ('comment = "COMMENT"', 'comment = "YEARS"', "role comment names an item of kind 'number'", "roles.comment"),
    ('comment = "COMMENT"', 'remark = "COMMENT"', "unknown key 'remark'", "roles.remark"),
    ('visit = "VISIT"\n', "", "the role visit and visit_codes go together", "roles.visit_codes"),
    ("asked = 3}", "asked = 2}", "visit_codes are not three options of the visit item", "roles.visit_codes"),
    ("asked = 3}", "asked = 7}", "visit_codes are not three options of the visit item", "roles.visit_codes"),
    (", asked = 3}", "}", "asked is missing", "roles.visit_codes.asked"),
    ('field = "FIELD"\n', "", "only the item with the role field takes its options from the service fields", "items[1] FIELD.options_from"),
    ('field = "FIELD"', 'field = "VISIT"', "the item with the role field has options of its own", "roles.field"),
    # the index
    ('item_method = "top2"', 'item_method = "top3"', "unknown item_method 'top3'", "index.item_method"),
    ('roll_up = "pooled"', 'roll_up = "mixed"', "unknown roll_up 'mixed'", "index.roll_up"),
    ('items = ["S.A1", "S.A2"]', "items = []", "a factor without items", "index.factors[1] A.items"),
    ('"S.A1", "S.A2"]', '"S.A1", "S.A3"]', "the index names the unknown item 'S.A3'", "index.factors[1] A.items"),
    ('"S.A1", "S.A2"]', '"S.A1", "YEARS"]', "the index names 'YEARS', a number item", "index.factors[1] A.items"),
    ('"S.A1", "S.A2"]', '"S.A1", "MUCH"]', "'MUCH' is in the index without a scale of five", "index.factors[1] A.items"),
    ('"S.A1", "S.A2"]\n', '"S.A1", "S.A2"]\n' + SECOND_FACTOR, "the item 'S.A1' is in two factors", "index.factors[2] B.items"),
    ('"S.A1", "S.A2"]\n', '"S.A2"]\n' + SECOND_FACTOR.replace('"B"', '"A"'), "two factors have the code 'A'", "index.factors"),
    ('area = "S"', 'area = "T"', "unknown area 'T'", "index.factors[1] A.area"),
    ('"Services"}}]', '"Services"}}, {code = "T", text = {vi = "t", en = "t"}}]', "the area 'T' has no factor", "index.areas"),
    ('roll_up = "pooled"', 'roll_up = "pooled"\nitems = ["S.A1", "MUCH"]', "the index names 'MUCH', which is in no factor", "index.items"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new", "what", "place"), CASES, ids=[f"{case[2]} @ {case[3]}" for case in CASES])
def test_a_broken_rule_is_named(old: str, new: str, what: str, place: str) -> None:
    assert old in FORM
    assert (what, place) in problems(FORM.replace(old, new, 1))


def test_most_cases_name_nothing_else() -> None:
    """A problem is told once, not echoed by every rule that stumbles over it."""
    counts = [len(problems(FORM.replace(old, new, 1))) for old, new, _, _ in CASES]
    assert sum(count == 1 for count in counts) >= 0.7 * len(counts)
    assert max(counts) <= 4


def test_all_problems_of_a_file_are_told_at_once() -> None:
    content = FORM
    for old, new in (('id = "form"', 'id = "F"'), ("minimum = 0", "minimum = -1"), ('en = "Seats"', 'en = ""')):
        content = content.replace(old, new, 1)
    assert [place for _, place in problems(content)] == ["items[3] S.A1.text.en", "id", "items[7] YEARS.minimum"]


def test_a_longer_ring_is_told_as_a_ring() -> None:
    ring = FORM.replace('scale = "two"', 'scale = "two"\nask_if = [{item = "S.A2", codes = [1]}]')
    ring = ring.replace('item = "VISIT"', 'item = "MUCH"')
    found = problems(ring)
    assert ("routing goes in a ring: S.A2 → MUCH → S.A2", "items[4] S.A2.ask_if[1].item") in found
    led_into = ring.replace("required = false", 'required = false\nask_if = [{item = "MUCH", codes = [1]}]')
    assert problems(led_into) == found


@pytest.mark.parametrize(
    "content",
    [b"", b"= 1", b"\xff\xfe", b"\xef\xbb\xbfid = 1", b"a = " + b"[" * 20_000, b"a = " + b"9" * 5_000, b"items = 3"],
    ids=["empty", "no key", "no UTF-8", "byte order mark", "nested", "huge number", "items no list"],
)
def test_rubbish_is_a_problem_and_never_an_exception(content: bytes) -> None:
    with pytest.raises(QuestionnaireError) as caught:
        parse(content, "rubbish.toml")
    assert all(problem.where.startswith("rubbish.toml") for problem in caught.value.problems)


VALUES = re.findall(r"= ([^=\n{}]+?)(?=[,}\n])", FORM)
ODD = [
    "-1",
    "0",
    "1.5",
    "true",
    '""',
    '"x"',
    '"S.A1"',
    "[]",
    "[[]]",
    "[{}]",
    '["x", 1]',
    "{}",
    "{vi = 1}",
    "nan",
    "2026-11-24",
]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(VALUES), st.sampled_from(ODD)), min_size=1, max_size=4))
def test_any_values_give_a_form_or_problems(swaps: list[tuple[str, str]]) -> None:
    content = FORM
    for old, new in swaps:
        content = content.replace(f"= {old}", f"= {new}", 1)
    try:
        parse(content.encode(), "form.1.toml")
    except QuestionnaireError as error:
        assert all(problem.where.startswith("form.1.toml") and problem.remedy for problem in error.problems)


def test_bad_toml_names_the_line() -> None:
    [(what, place)] = problems(FORM.replace('id = "form"', 'id = form"'))
    assert what.startswith("not a TOML file:") and "line 2" in what and place == "form.1.toml"


# ---- files


def test_a_missing_file_is_a_problem(tmp_path: Path) -> None:
    with pytest.raises(QuestionnaireError, match="the file cannot be read: No such file"):
        load(tmp_path / "form.1.toml")


def test_a_file_is_called_by_its_id_and_version(tmp_path: Path) -> None:
    path = tmp_path / "form.2.toml"
    path.write_text(FORM, encoding="utf-8")
    with pytest.raises(QuestionnaireError, match="the file's name is not its id and version"):
        load(path)


def test_a_published_version_may_not_change(tmp_path: Path) -> None:
    path = tmp_path / "form.1.toml"
    path.write_text(FORM, encoding="utf-8")
    (tmp_path / "published.sha256").write_text(f"{hashlib.sha256(FORM.encode()).hexdigest()}  form.1.toml\n")
    assert load(path).sha256 == hashlib.sha256(FORM.encode()).hexdigest()
    path.write_text(FORM + "# changed\n", encoding="utf-8")
    with pytest.raises(QuestionnaireError, match="a published version was changed"):
        load(path)


@pytest.mark.parametrize("line", ["", "form.1.toml", f"{'0' * 64} form.1.toml", f"{'0' * 63}x  form.1.toml", "\udcff"])
def test_a_record_of_publication_that_cannot_be_read_is_no_licence(tmp_path: Path, line: str) -> None:
    path = tmp_path / "form.1.toml"
    path.write_text(FORM, encoding="utf-8")
    (tmp_path / "published.sha256").write_bytes(line.encode("utf-8", "surrogateescape") + b"\n")
    with pytest.raises(QuestionnaireError, match="line 1 of published.sha256 is not a sha256 and a file name"):
        load(path)


def test_a_form_not_yet_published_may_change(tmp_path: Path) -> None:
    path = tmp_path / "form.1.toml"
    path.write_text(FORM, encoding="utf-8")
    (tmp_path / "published.sha256").write_text(f"{'0' * 64}  other.1.toml\n")
    assert load(path).id == "form"


def test_every_shipped_form_is_good_and_published() -> None:
    published = next(iter(shipped().values())).with_name("published.sha256").read_text(encoding="utf-8")
    listed = {name: sha256 for sha256, name in (line.split("  ") for line in published.splitlines())}
    for (identity, version), path in shipped().items():
        form = load(path)
        assert (form.id, form.version) == (identity, version)
        assert listed.pop(path.name) == form.sha256
    assert not listed, "published, yet not there"


# ---- the documentation


def test_the_example_of_the_docs_is_good() -> None:
    form = parse(MINIMAL.encode(), "small.1.toml")
    assert [item.code for item in form.items] == ["RESULT", "II.D1"]
    assert form.index and form.index.items == ("II.D1",)


def test_the_docs_name_every_form() -> None:
    text = DOCS.read_text(encoding="utf-8")
    assert {id for id, _ in shipped()} == set(re.findall(r"^\| `([a-z0-9-]+)` \| the ", text, re.MULTILINE))


def test_the_docs_explain_every_key() -> None:
    text = DOCS.read_text(encoding="utf-8")
    forms = "".join(path.read_text(encoding="utf-8") for path in shipped().values())
    keys = re.findall(r"^(\w+) = |[{,] (\w+) = |^\[+(\w+)", FORM + forms, re.MULTILINE)
    named = {key for groups in keys for key in groups if key and key not in ("vi", "en")}
    assert {key for key in named if f"`{key}`" not in text and f"{key} =" not in text} == set()
