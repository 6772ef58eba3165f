"""`sipas verify`: a clean store is clean; whatever is done behind its back is named in plain words."""

import dataclasses
import json
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from survey_app.extract import write_extract
from survey_app.ledger import GENESIS, content_hash, link
from survey_app.model import Device, RegisterRow
from survey_app.problems import Problem
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.store.recording import RESPONSE_COLUMNS
from survey_app.verification import verify
from survey_app.verification.chain import Link, Witness, follow, hold_against, unannounced
from survey_app.verification.witnesses import Witnesses, read_manifests
from tests.ground import (
    FORM,
    FRAME,
    NOON,
    OPENING,
    enrolled,
    fates,
    make_store,
    parted,
    record,
    response,
    short_wave,
    tamper,
    wave,
    widened,
)  # fmt: skip


@dataclasses.dataclass
class Ground:
    settings: Settings
    store: Store
    device: Device
    uuids: list[str]

    def verify(self) -> str:
        """Every problem in one text."""
        return "\n".join(str(problem) for problem in verify(self.settings))


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    """Six responses in three commits, one conflict, one import of the register, one extract."""
    settings, store = make_store(tmp_path)
    device = enrolled(store)
    sent = [response(seq, answers={"COMMENT": f"lời thứ {seq}"}) for seq in range(1, 7)]
    for first in (0, 2, 4):
        record(store, device, *sent[first : first + 2])
    record(store, device, dataclasses.replace(sent[0], answers={**sent[0].answers, "II.A1": 1}))
    store.import_register([RegisterRow("00691", "ho-tich", "2026-10", "counter", 90, 80, 70)], "r.csv", "0" * 64)
    write_extract(store, settings, "q4")
    with store:
        yield Ground(settings, store, device, [one.uuid for one in sent])


def test_an_honest_store_is_clean(ground: Ground) -> None:
    assert verify(ground.settings) == ()


def test_an_empty_store_is_clean(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path)
    store.close()
    assert verify(settings) == ()


def test_every_shape_of_response_is_clean(ground: Ground) -> None:
    bare = dict.fromkeys(response().answers)
    record(
        ground.store,
        ground.device,
        response(11, field=None),
        response(12, answers=bare, disposition="broken_off"),
        response(None, mode="page"),
        response(13, answers={"VISIT": 1, "II.D1": None, "II.D2": None, "II.D3": None, "TIMING": None}),
        response(14, answers={"FEEDBACK": 1, "II.E1": 2, "II.E2": -3, "II.E3": 5}),
    )
    assert [one.disposition for one in ground.store.responses("q4")].count("broken_off") == 1
    assert ground.store.response_count("q4") == 11
    assert verify(ground.settings) == ()


def test_a_form_asked_in_parts_is_clean_and_another_part_is_named(tmp_path: Path) -> None:
    settings, store = make_store(tmp_path, opened=False)
    with store:
        record(store, short_wave(store), *(parted(number, number) for number in range(1, 11)))
        assert verify(settings) == ()
        tamper(settings, """UPDATE response SET part = '{"factors":[3,10]}' WHERE position = 2""")
        assert "the columns part are not what its content says" in "\n".join(map(str, verify(settings)))


CHANGED = [
    ("content", "content = replace(content, '\"II.A1\":4', '\"II.A1\":5')", "its content does not have the hash"),
    ("centre", "centre = 'TINH'", "was changed, or inserted"),
    ("received", "received = '2026-10-06T05:00:00.000Z'", "was changed, or inserted"),
    ("local_day", "local_day = '2026-10-06'", "was changed, or inserted"),
    ("flag", "after_close = 1", "was changed, or inserted"),
    ("field", "field = 'dat-dai'", "the columns field are not what its content says"),
    ("chain", f"chain = '{'0' * 64}'", "was changed, or inserted"),
]


@pytest.mark.parametrize(("assignment", "said"), [row[1:] for row in CHANGED], ids=[row[0] for row in CHANGED])
def test_a_changed_response_is_named(ground: Ground, assignment: str, said: str) -> None:
    tamper(ground.settings, f"UPDATE response SET {assignment} WHERE position = 3")
    told = ground.verify()
    assert said in told
    assert f"response {ground.uuids[2]}" in told
    assert not any(uuid in told for uuid in (*ground.uuids[:2], *ground.uuids[4:]))


ANSWERS = [
    ("altered", "UPDATE answer SET code = 1 WHERE response = 3 AND item = 'II.B1'"),
    ("removed", "DELETE FROM answer WHERE response = 3 AND item = 'II.B1'"),
    ("added", "INSERT INTO answer VALUES (3, 'II.B1', 2)"),
]


@pytest.mark.parametrize("statement", [row[1] for row in ANSWERS], ids=[row[0] for row in ANSWERS])
def test_a_changed_answer_is_named_with_its_item(ground: Ground, statement: str) -> None:
    tamper(ground.settings, statement)
    (problem,) = verify(ground.settings)
    assert problem.what == (
        f"response {ground.uuids[2]} was changed: the answers to II.B1 are not what its content says"
    )
    assert problem.where == "wave q4, position 3"


READ_ALIKE = [
    ("two rows made one", ["II.A1,II.A2"], [4]),
    ("as many rows, one of both and one of none", ["II.A1,II.A2", ""], [4, 4]),
    ("as many rows, a comma moved", ["II.A1,II", "A2"], [4, 4]),
    ("codes in the name", ["4,4;II.A1", "II.A2"], [4, 4]),
    ("none", [], []),
]


@pytest.mark.parametrize(("items", "codes"), [row[1:] for row in READ_ALIKE], ids=[row[0] for row in READ_ALIKE])
def test_answers_that_would_read_alike_in_a_row_are_told_apart(
    ground: Ground, items: list[str], codes: list[int]
) -> None:
    tamper(
        ground.settings,
        "DELETE FROM answer WHERE response = 3 AND item IN ('II.A1', 'II.A2')",
        *(f"INSERT INTO answer VALUES (3, '{item}', {code})" for item, code in zip(items, codes, strict=True)),
    )
    assert f"response {ground.uuids[2]} was changed: the answers to" in ground.verify()


def test_a_response_robbed_of_every_answer_is_named(ground: Ground) -> None:
    tamper(ground.settings, "DELETE FROM answer WHERE response = 3")
    assert f"response {ground.uuids[2]} was changed: the answers to AGE, BACK, COMMENT," in ground.verify()


def test_the_answers_of_an_honest_store_are_read_with_their_responses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No query for each response: that was a third of the time. A choices item has several rows."""
    settings, store = make_store(tmp_path)
    form = widened()
    store.create_wave(wave("wide", questionnaire=form.id, kind="sample"), form, FRAME)
    store.open_wave("wide", at=OPENING)
    chosen: list[tuple[Any, int]] = [((1, 2, 99), 500), ((2,), 0), (-3, -3)]
    sent = [
        response(seq, wave="wide", questionnaire="wide", psu="TAN-A", answers={"HELP": help_, "MINUTES": minutes})
        for seq, (help_, minutes) in enumerate(chosen, start=1)
    ]
    with store:
        assert fates(record(store, enrolled(store, purpose="sample"), *sent)) == ["stored"] * 3
        assert fates(record(store, enrolled(store), response(4))) == ["stored"]
        (first, *_) = store.ledger_rows("wide")
    assert first.answers.count("HELP") == 3
    for name in ("raw_answers", "raw_comments"):
        monkeypatch.setattr(Store, name, lambda *_: pytest.fail("asked of every response"))
    assert verify(settings) == ()


def test_a_forged_comment_is_named(ground: Ground) -> None:
    tamper(ground.settings, "UPDATE comment SET text = 'rất tốt' WHERE response = 3")
    assert "the text of COMMENT is not the one that was given" in ground.verify()


def test_removed_responses_are_counted_and_placed(ground: Ground) -> None:
    tamper(
        ground.settings,
        "DELETE FROM answer WHERE response IN (3, 4)",
        "DELETE FROM comment WHERE response IN (3, 4)",
        "DELETE FROM response WHERE position IN (3, 4)",
    )
    (problem,) = verify(ground.settings)
    assert (problem.what, problem.where) == ("2 responses were removed", "wave q4, positions 3 to 4")


def test_removing_and_closing_the_gap_is_named(ground: Ground) -> None:
    tamper(
        ground.settings,
        "DELETE FROM answer WHERE response = 3",
        "DELETE FROM comment WHERE response = 3",
        "DELETE FROM response WHERE position = 3",
        *(f"UPDATE response SET position = {to} WHERE position = {to + 1}" for to in (3, 4, 5)),
    )
    told = ground.verify()
    assert "3 rows from" in told and "renumbered" in told
    assert "the last 1 responses were cut off" in told


def cut_off(settings: Settings) -> None:
    tamper(
        settings,
        *(f"DELETE FROM {table} WHERE response > 4" for table in ("answer", "comment")),
        "DELETE FROM response WHERE position > 4",
    )


def test_a_tail_cut_off_is_known_to_heads_log(ground: Ground) -> None:
    cut_off(ground.settings)
    told = ground.verify()
    assert "the last 2 responses were cut off" in told
    assert "positions 5 to 6; known to heads.log line" in told


def test_a_tail_cut_off_in_heads_log_too_is_known_to_the_extract(ground: Ground) -> None:
    cut_off(ground.settings)
    log = ground.settings.heads_log
    log.write_text("".join(line for line in log.read_text().splitlines(True) if "\tq4\t6\t" not in line))
    told = ground.verify()
    assert "the last 2 responses were cut off" in told
    assert "known to extract" in told


def rechain(settings: Settings, first: int) -> None:
    """What a skilled forger does: computes every later hash anew."""
    with closing(sqlite3.connect(settings.store_path)) as connection:
        columns = ", ".join(RESPONSE_COLUMNS)
        head = GENESIS
        updates = []
        for *values, content, chain in connection.execute(
            f"SELECT {columns}, content, chain FROM response ORDER BY position"
        ):
            row = dict(zip(RESPONSE_COLUMNS, values, strict=True))
            if row["position"] >= first:
                row["content_sha256"] = content_hash(content.encode())
                chain = link(head, row)
                updates.append(
                    f"UPDATE response SET content_sha256 = '{row['content_sha256']}', chain = '{chain}'"
                    f" WHERE uuid = '{row['uuid']}'"
                )
            head = chain
    tamper(settings, *updates)


def test_a_forgery_with_every_hash_computed_anew_is_known_to_the_witnesses(ground: Ground) -> None:
    tamper(
        ground.settings,
        "UPDATE response SET content = replace(content, '\"II.A1\":4', '\"II.A1\":5') WHERE position = 3",
        "UPDATE answer SET code = 5 WHERE response = 3 AND item = 'II.A1'",
    )
    rechain(ground.settings, 3)
    told = ground.verify()
    assert "the chain was rewritten" in told
    assert "wave q4, positions 3 to 4; heads.log line" in told


def insert(settings: Settings, uuid: str, position: int) -> None:
    with closing(sqlite3.connect(settings.store_path)) as connection:
        names = [name for _, name, *_ in connection.execute("PRAGMA table_info(response)")]
        (content,) = connection.execute("SELECT content FROM response WHERE position = 2").fetchone()
    forged = json.dumps({**json.loads(content), "uuid": uuid, "seq": 99}, sort_keys=True, ensure_ascii=False, separators=(",", ":"))  # fmt: skip
    new = {"uuid": f"'{uuid}'", "number": "99", "position": str(position), "seq": "99", "content": f"'{forged}'"}
    tamper(
        settings,
        f"INSERT INTO response SELECT {', '.join(new.get(name, name) for name in names)} FROM response WHERE position = 2",
        "INSERT INTO answer SELECT 99, item, code FROM answer WHERE response = 2",
        "INSERT INTO comment (response, item, text) SELECT 99, item, text FROM comment WHERE response = 2",
    )


def test_an_inserted_response_is_named(ground: Ground) -> None:
    uuid = response().uuid
    tamper(ground.settings, *(f"UPDATE response SET position = {to} WHERE position = {to - 1}" for to in (7, 6, 5, 4)))
    insert(ground.settings, uuid, 3)
    assert f"response {uuid}" in ground.verify()


def test_a_well_forged_response_at_the_end_is_unknown_to_heads_log(ground: Ground) -> None:
    insert(ground.settings, response().uuid, 7)
    rechain(ground.settings, 7)
    (problem,) = verify(ground.settings)
    assert problem.what == "1 responses at the end are unknown to heads.log: inserted, or stored as the power failed"
    assert problem.where == "wave q4, positions 7 to 7"


OTHER: list[tuple[str, Callable[[Ground], object], str]] = [
    ("form", lambda g: tamper(g.settings, "UPDATE questionnaire SET content = CAST(content || char(10) AS BLOB)"), "copy of a questionnaire was changed"),
    ("form unreadable", lambda g: tamper(g.settings, "UPDATE questionnaire SET content = x'00'"), "a row cannot be read: QuestionnaireError"),
    ("content unreadable", lambda g: (tamper(g.settings, "UPDATE response SET content = '{}' WHERE position = 6"), rechain(g.settings, 6)), "its content cannot be read"),
    ("rules unreadable", lambda g: tamper(g.settings, "UPDATE wave SET rules = '[]'"), "a row cannot be read"),
    ("rules", lambda g: tamper(g.settings, "UPDATE wave SET rules = replace(rules, '85', '80')"), "rules of a wave was changed after its creation"),
    ("wave centres", lambda g: tamper(g.settings, "DELETE FROM wave_centre WHERE centre = 'TINH'"), "centres of a wave was changed"),
    ("closing", lambda g: tamper(g.settings, "UPDATE wave SET status = 'closed', closed = opened"), "the audit knows another time for wave_closed"),
    ("conflict removed", lambda g: tamper(g.settings, "DELETE FROM comment WHERE conflict = 1", "DELETE FROM conflict"), "a conflicting content was removed"),
    ("conflict changed", lambda g: tamper(g.settings, "UPDATE conflict SET content = '{}'"), "a conflicting content was changed"),
    ("register", lambda g: tamper(g.settings, "UPDATE register SET on_time = 80"), "register rows of r.csv were changed"),
    ("event removed", lambda g: tamper(g.settings, "DELETE FROM event WHERE kind = 'conflict'"), "1 events were removed"),
    ("event changed", lambda g: tamper(g.settings, "UPDATE event SET kind = 'other' WHERE number = 2"), "event 2 (other) was changed"),
    ("audit cut off", lambda g: tamper(g.settings, "DELETE FROM event WHERE kind = 'extract'"), "the last 1 events were cut off"),
    ("guard", lambda g: tamper_schema(g, "DROP TRIGGER answer_no_update"), "trigger answer_no_update is missing"),
    ("strange guard", lambda g: tamper_schema(g, "CREATE TRIGGER t BEFORE INSERT ON answer BEGIN SELECT 1; END"), "trigger t does not belong there"),
    ("orphans", lambda g: tamper(g.settings, "INSERT INTO answer VALUES (77, 'II.A1', 3)"), "1 rows of answer name no response"),
    ("heads.log gone", lambda g: g.settings.heads_log.unlink(), "6 responses at the end are unknown to heads.log: inserted"),
    ("heads.log rubbish", lambda g: g.settings.heads_log.write_text("?\n" + g.settings.heads_log.read_text()), "heads.log, line 1"),
    ("heads.log forged", lambda g: forge_log(g.settings.heads_log), "the chain was rewritten"),
    ("extract changed", lambda g: flip(next(g.settings.extracts.glob("*/*/responses.parquet"))), "responses.parquet of an extract was changed"),
    ("extract file gone", lambda g: next(g.settings.extracts.glob("*/*/codebook.json")).unlink(), "codebook.json is missing from an extract"),
    ("manifest changed", lambda g: flip(next(g.settings.extracts.glob("*/*/manifest.json"))), "the manifest of an extract was changed"),
    ("wave removed", lambda g: remove_wave(g), "wave 'q4' was removed: heads.log line"),
]  # fmt: skip


def tamper_schema(ground: Ground, statement: str) -> None:
    with closing(sqlite3.connect(ground.settings.store_path, isolation_level=None)) as connection:
        connection.execute(statement)


def forge_log(path: Path) -> None:
    path.write_text("".join(line[:-3] + "00\n" if "\tq4\t4\t" in line else line for line in path.read_text().splitlines(True)))  # fmt: skip


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def remove_wave(ground: Ground) -> None:
    tables = ("comment", "answer", "conflict", "response", "wave_centre", "wave")
    tamper(ground.settings, *(f"DELETE FROM {table}" for table in tables))


@pytest.mark.parametrize(("deed", "said"), [row[1:] for row in OTHER], ids=[row[0] for row in OTHER])
def test_whatever_else_is_done_is_named(ground: Ground, deed: Callable[[Ground], object], said: str) -> None:
    deed(ground)
    assert said in ground.verify()


def test_a_response_stored_beside_a_server_is_verified_while_it_runs(ground: Ground) -> None:
    """Verification reads one moment: what is stored meanwhile does not look cut off or inserted."""
    steps: list[int] = []

    def meanwhile(done: int, total: int) -> None:
        steps.append(done)
        record(ground.store, ground.device, response(1000 + done, submitted=NOON + timedelta(seconds=done)))

    record(ground.store, ground.device, *[response(seq) for seq in range(20, 420)])
    assert verify(ground.settings, meanwhile) == ()
    assert steps == [200, 400]


def test_a_commit_between_the_first_reading_and_the_snapshot_is_no_finding(
    ground: Ground, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meanwhile(extracts: Path) -> tuple[Witnesses, list[Problem]]:
        record(ground.store, ground.device, response(77))
        return read_manifests(extracts)

    monkeypatch.setattr("survey_app.verification.recomputing.read_manifests", meanwhile)
    assert verify(ground.settings) == ()
    assert ground.store.response_count("q4") == 7


# ---- the pure part


def chain_of(count: int) -> list[Link]:
    links: list[Link] = []
    head = GENESIS
    for position in range(1, count + 1):
        row = {"position": position, "value": position * position}
        head = link(head, row)
        links.append(Link(position, f"row {position}", row, head))
    return links


@pytest.mark.parametrize("at", range(1, 6))
def test_one_altered_row_is_named_alone(at: int) -> None:
    links = chain_of(5)
    links[at - 1] = dataclasses.replace(links[at - 1], row={"position": at, "value": -1})
    _, (problem,) = follow(links, "c", "rows")
    assert problem.where == f"c, position {at}"


@pytest.mark.parametrize("at", range(1, 6))
def test_one_altered_hash_is_named_alone(at: int) -> None:
    links = chain_of(5)
    links[at - 1] = dataclasses.replace(links[at - 1], chain="f" * 64)
    _, (problem,) = follow(links, "c", "rows")
    assert problem.where == f"c, position {at}"


@pytest.mark.parametrize("gone", [{1}, {3}, {2, 3}, {1, 4}])
def test_gaps_are_named_once_each(gone: set[int]) -> None:
    links = [one for one in chain_of(5) if one.position not in gone]
    _, problems = follow(links, "c", "rows")
    assert sum(int(problem.what.split()[0]) for problem in problems) == len(gone)
    assert all("removed" in problem.what for problem in problems)


def test_a_witness_of_every_position_agrees_with_an_honest_chain() -> None:
    links = chain_of(5)
    hashes, problems = follow(links, "c", "rows")
    witnesses = [Witness(one.position, one.chain, "w") for one in links]
    assert problems == [] and hold_against(hashes, witnesses, "c", "rows") == []


@pytest.mark.parametrize(
    ("confirmed", "announced", "unknown"),
    [
        ((5,), (), 0),
        ((7,), (), 0),
        ((3,), (), 2),
        ((3,), (5,), 0),
        ((3,), (4,), 1),
        ((3,), (-5,), 2),
        ((3,), (-5, 5), 0),
        ((), (), 5),
    ],
    ids=["all", "more since", "two behind", "announced", "one more", "other head", "announced again", "nothing"],
)
def test_rows_that_no_line_of_heads_log_stands_for(
    confirmed: tuple[int, ...], announced: tuple[int, ...], unknown: int
) -> None:
    """A negative count announces another head, as of a commit that failed."""
    hashes, _ = follow(chain_of(5), "c", "rows")
    lines = [Witness(abs(at), hashes[at] if at > 0 else "f" * 64, "w") for at in announced]
    seen = [Witness(at, hashes.get(at, "f" * 64), "w") for at in confirmed]
    told = [problem.what.split()[0] for problem in unannounced(hashes, seen, lines, "c", "rows")]
    assert told == ([str(unknown)] if unknown else [])


def test_the_form_of_the_builders_is_the_shipped_one(ground: Ground) -> None:
    assert wave().version == FORM.version
    assert ground.store.wave("q4").questionnaire == FORM.id
