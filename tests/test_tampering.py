"""An insider alters an instance behind the program's back: `sipas verify` says what was done, and where.

Each row of tests/attacks.py is one deed and the words that must be said. `python -m tests.tampering_table` prints them all.
"""

import dataclasses
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from survey_app.cli import sipas
from survey_app.store import Store
from survey_app.verification import HeadsError, held_heads, verify
from tests.attacks import ALL_WITNESSES, ATTACKS, COLUMNS, everything, set_column
from tests.ground import response
from tests.insider import Deed, Insider, build, copied


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Insider:
    return build(tmp_path_factory.mktemp("insider"))


@pytest.fixture
def insider(original: Insider, tmp_path: Path) -> Insider:
    return copied(original, tmp_path / "instance")


def told(insider: Insider, *heads: str) -> str:
    held = held_heads(heads, None)
    return "\n".join(f"{problem.what} | {problem.where}" for problem in verify(insider.settings, held=held))


def said_in(words: str, report: str) -> bool:
    """Whether one line of the report has both halves of `what | where`."""
    what, _, where = words.partition(" | ")
    return any(what in line.partition(" | ")[0] and where in line.partition(" | ")[2] for line in report.splitlines())


def test_the_instance_is_clean_before_anything_is_done(insider: Insider) -> None:
    assert told(insider) == ""


def test_every_column_of_a_response_is_among_the_attacks(insider: Insider) -> None:
    assert {name for _, name, *_ in insider.rows("PRAGMA table_info(response)")} == set(COLUMNS)


@pytest.mark.parametrize(("deed", "said"), [row[1:] for row in ATTACKS], ids=[row[0] for row in ATTACKS])
def test_it_is_found_and_named(insider: Insider, deed: Deed, said: str) -> None:
    deed(insider)
    assert said_in(said, told(insider)), told(insider)


@pytest.mark.parametrize("column", sorted(set(COLUMNS) - {"uuid", "wave", "position"}))
def test_a_changed_response_is_named_alone(insider: Insider, column: str) -> None:
    set_column(column, COLUMNS[column][0])(insider)
    report = told(insider)
    assert f"response {insider.uuids[2]}" in report
    assert not any(uuid in report for uuid in (*insider.uuids[:2], *insider.uuids[3:]))


@pytest.mark.parametrize(("deed", "said"), [row[1:] for row in ALL_WITNESSES], ids=[row[0] for row in ALL_WITNESSES])
def test_whoever_rewrites_every_witness_is_found_by_a_head_on_paper_and_by_nothing_else(
    insider: Insider, deed: Deed, said: str
) -> None:
    deed(insider)
    assert told(insider) == ""
    paper = insider.paper["q4"]
    assert said_in(said, told(insider, f"q4:{paper.count}:{paper.head}"))


def run(insider: Insider, *arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(sipas, ["--instance", str(insider.settings.instance), *arguments])
    return done.exit_code, done.output


def test_a_restore_that_the_insider_invents_does_not_silence_a_head_on_paper(insider: Insider) -> None:
    paper = insider.paper["q4"]
    everything(insider)
    with Store.open(insider.settings) as store:
        detail = {
            "given_up": {"q4": [dataclasses.asdict(paper)]},
            "folder": "x",
            "backup": "b",
            "heads_log_sha256": None,
        }
        store.log_event("restored", {**detail, "responses_given_up": 0})
    code, output = run(insider, "verify", "--head", f"q4:{paper.count}:{paper.head}")
    assert (code, told(insider)) == (0, "")
    assert "given up by a restore: the head of q4 after 9 rows, known to --head" in output
    assert "1 of your heads were given up: if no such restore was made, this store was rewritten" in output


def test_a_head_on_paper_that_agrees_says_nothing(insider: Insider) -> None:
    assert told(insider, *(f"{chain}:{head.count}:{head.head}" for chain, head in insider.paper.items())) == ""


def test_a_head_of_a_wave_that_is_not_there_is_said(insider: Insider) -> None:
    assert "wave 'q9' was removed: --head knows it" in told(insider, f"q9:3:{'0' * 64}")


# ---- heads from outside


@pytest.mark.parametrize(
    "text",
    ["x", "q4", "q4:3", f"q4:3:{'0' * 63}", f"q4:3:{'0' * 65}", f"q4:-3:{'0' * 64}", f"Q4:3:{'0' * 64}", "ế:1:x"],
)
def test_what_is_no_head_is_refused(text: str) -> None:
    with pytest.raises(HeadsError, match="this is not a head"):
        held_heads([text], None)


def test_a_file_of_heads_and_a_copy_of_heads_log_are_read(insider: Insider, tmp_path: Path) -> None:
    paper = insider.paper["q4"]
    copy = tmp_path / "copy of heads.log"
    copy.write_bytes(insider.settings.heads_log.read_bytes())
    lines = tmp_path / "heads.txt"
    lines.write_text(f"\ufeffq4:{paper.count}:{paper.head}\r\n\r\n#events:1:{'0' * 64}\n", encoding="utf-8")
    everything(insider)
    for path, line in ((copy, "line"), (lines, "line 1 knew")):
        problems = verify(insider.settings, held=held_heads([], path))
        assert any("the chain was rewritten" in one.what and f"{path.name}, {line}" in one.where for one in problems)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "the file holds no heads"),
        (b"q4:1:zz\n", "heads.txt, line 1"),
        (b"\n\nq4,1\n", "heads.txt, line 3"),
        (b"\0" * 3000, "heads.txt, line 1"),
        (b"\xff\xfe", "heads.txt, line 1"),
        (b"x\n" * 100_000, "heads.txt, line 20"),
    ],
)
def test_a_bad_file_of_heads_is_refused_by_line(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "heads.txt").write_bytes(content)
    with pytest.raises(HeadsError) as refused:
        held_heads([], tmp_path / "heads.txt")
    assert said in str(refused.value)
    assert len(refused.value.problems) <= 20


@pytest.mark.parametrize("path", ["/dev/zero", "/nowhere", "/tmp"])
def test_what_is_no_file_of_heads_is_refused(path: str) -> None:
    with pytest.raises(HeadsError):
        held_heads([], Path(path))


def test_the_command_takes_heads(insider: Insider) -> None:
    with Store.open(insider.settings, write=False) as store:
        head = store.head("q4")
    shown = run(insider, "wave", "show", "q4")[1]
    assert head.head in shown
    assert run(insider, "verify", "--head", f"q4:{head.count}:{head.head}")[0] == 0
    code, output = run(insider, "verify", "--head", f"q4:{head.count}:{'0' * 64}", "--head", f"mau:2:{'1' * 64}")
    assert code == 2 and output.count("the chain was rewritten") == 2


def test_a_server_that_stores_on_afterwards_does_not_hide_it(insider: Insider) -> None:
    """Rows that follow a forgery honestly do not heal it."""
    insider.better_answer()
    with Store.open(insider.settings) as store:
        device = store.device("00691-1")
        store.record([response(50)], device=device, received=response().submitted, sent_at=response().submitted)
    assert said_in("the chain was rewritten | wave q4, positions 3 to 3", told(insider))


def test_forged_json_in_a_content_is_named_and_does_not_stop_the_rest(insider: Insider) -> None:
    forged = json.dumps({"answers": []})
    insider.do(f"UPDATE response SET content = '{forged}' WHERE wave = 'q4' AND position = 2")
    insider.rechain()
    insider.remove(9)
    report = told(insider)
    assert "its content cannot be read" in report and "cut off" in report
