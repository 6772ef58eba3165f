"""`sipas purge`: comments leave after their time, with every byte; what remains proves that only those left."""

import dataclasses
import json
import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from survey_app.cli import sipas
from survey_app.purge import PurgeError, purge
from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.verification import verify
from tests.ground import FORM, NOON, enrolled, make_store, record, response, tamper, wave
from tests.served import WAVE, counter, enrol, make_field, sending, serving
from tests.served import response as sent_response

NOW = datetime.now(UTC)
OLD, YOUNG = NOON, NOW - timedelta(days=1)


def mark(number: int) -> str:
    return f"mật-thư-{number}-" + random.Random(number).randbytes(12).hex()


def texts(store: Store) -> list[str]:
    return [text for (text,) in store._rows("SELECT text FROM comment ORDER BY number")]


def bytes_of(settings: Settings) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(settings.instance.glob("sipas.sqlite3*")))


@pytest.fixture
def store(tmp_path: Path) -> Store:
    """Old comments 1 to 4, of which 4 is of a second content, and young ones 5 and 6."""
    _, store = make_store(tmp_path)
    device = enrolled(store)
    first = response(1, answers={"COMMENT": mark(1)})
    record(store, device, first, *(response(seq, answers={"COMMENT": mark(seq)}) for seq in (2, 3)))
    record(store, device, dataclasses.replace(first, answers={**first.answers, "COMMENT": mark(4)}))
    young = [response(seq, answers={"COMMENT": mark(seq)}, submitted=YOUNG, started=YOUNG) for seq in (5, 6)]
    record(store, device, *young, received=YOUNG)
    return store


def test_old_comments_go_young_ones_stay_and_the_store_verifies(store: Store) -> None:
    head = store.head("q4")
    done = purge(store, days=30)
    assert (done.comments, done.conflict_comments) == (3, 1)
    assert texts(store) == [mark(5), mark(6)]
    assert store.head("q4") == head
    (event,) = store.events(["comments_purged"])
    assert event.detail == {"cutoff": done.cutoff, "wave": None, "comments": 3, "conflict_comments": 1}
    assert verify(store.settings) == ()


def test_nothing_due_is_nothing_done(store: Store) -> None:
    assert purge(store).comments == 0
    assert len(texts(store)) == 6 and store.events(["comments_purged"]) == ()


def test_a_dry_run_counts_and_deletes_nothing(store: Store) -> None:
    done = purge(store, days=30, pretend=True)
    assert (done.comments, done.conflict_comments) == (3, 1)
    assert len(texts(store)) == 6 and store.events(["comments_purged"]) == ()


def test_one_wave_alone(store: Store) -> None:
    store.close_wave("q4", at=NOW)
    store.create_wave(wave("q5"), FORM)
    store.open_wave("q5", at=OLD)
    device = enrolled(store)
    record(store, device, response(7, wave="q5", answers={"COMMENT": mark(7)}))
    assert purge(store, days=30, wave="q5").comments == 1
    assert mark(1) in texts(store) and mark(7) not in texts(store)
    assert verify(store.settings) == ()
    tamper(store.settings, "DELETE FROM comment WHERE response = 2")
    (problem,) = verify(store.settings)
    assert "no purge in the audit covers it" in problem.what


@pytest.mark.parametrize(
    ("statement", "what"),
    [
        ("DELETE FROM comment WHERE response = 5", "was changed: the text of COMMENT was removed: no purge"),
        ("INSERT INTO comment (response, item, text) VALUES (5, 'II.A1', 'x')", "a text of II.A1 was added"),
        ("INSERT INTO comment (response, item, text) VALUES (2, 'COMMENT', 'x')", "is not the one that was given"),
        ("INSERT INTO comment (conflict, item, text) VALUES (1, 'COMMENT', 'x')", "is not the one that was given"),
    ],
    ids=["removed by hand", "added", "another text put back", "another text put back in a conflict"],
)
def test_after_a_purge_what_is_done_by_hand_is_still_named(store: Store, statement: str, what: str) -> None:
    purge(store, days=30)
    tamper(store.settings, statement)
    (problem,) = verify(store.settings)
    assert what in problem.what


@pytest.mark.parametrize(
    "statement", ["DELETE FROM comment WHERE response = 2", "DELETE FROM comment WHERE conflict = 1"]
)
def test_without_a_purge_a_missing_comment_is_named(store: Store, statement: str) -> None:
    tamper(store.settings, statement)
    (problem,) = verify(store.settings)
    assert "the text of COMMENT was removed: no purge in the audit covers it" in problem.what


@pytest.mark.parametrize("days", [-1, 40_000])
def test_an_impossible_age_is_refused(store: Store, days: int) -> None:
    with pytest.raises(PurgeError, match="no age of a comment"):
        purge(store, days=days)


def test_an_unknown_wave_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="there is no wave 'q9'"):
        purge(store, wave="q9")


def test_the_bytes_are_gone_from_the_file_and_its_log(tmp_path: Path) -> None:
    """Pages that were split keep copies of what moved: the first comments stand in more places than their rows."""
    settings, store = make_store(tmp_path)
    store._execute("PRAGMA secure_delete = OFF")  # some builds of SQLite have it on from the start
    device = enrolled(store)
    for seq in range(1, 401):
        moment = OLD if seq % 2 else YOUNG
        text = mark(seq) + " " + ("dài " if seq % 2 else "ngắn ") * (seq * 7 % 190)
        record(
            store, device, response(seq, answers={"COMMENT": text}, submitted=moment, started=moment), received=moment
        )
    assert sum(bytes_of(settings).count(mark(seq).encode()) for seq in range(1, 401)) > 400
    purge(store, days=30)
    content = bytes_of(settings)
    assert [seq for seq in range(1, 401, 2) if mark(seq).encode() in content] == []
    assert "dài dài".encode() not in content
    assert all(mark(seq).encode() in content for seq in range(2, 401, 2))
    assert (settings.instance / "sipas.sqlite3-wal").stat().st_size == 0
    store.close()
    assert verify(settings) == ()


def test_while_a_server_runs_and_takes_responses(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    _, token = enrol(settings)
    form = counter()
    with serving(settings) as server, httpx.Client(headers={"Authorization": f"Bearer {token}"}) as client:

        def send(seq: int) -> None:
            one = sent_response(form, seq)
            one["answers"]["COMMENT"] = mark(seq)
            answer = client.post(f"{server.url}/api/v1/responses", json=sending(one))
            assert [result["fate"] for result in answer.json()["results"]] == ["stored"]

        for seq in range(1, 31):
            send(seq)
        done = CliRunner().invoke(sipas, ["--instance", str(settings.instance), "purge", "--older-than", "0", "--json"])
        assert json.loads(done.stdout)["comments"] == 30
        assert not any(mark(seq).encode() in bytes_of(settings) for seq in range(1, 31))
        send(31)
    with Store.open(settings, write=False) as store:
        assert texts(store) == [mark(31)] and store.response_count(WAVE) == 31
    assert verify(settings) == ()


def test_a_reader_in_the_way_is_said_and_the_next_purge_finishes(store: Store) -> None:
    store._execute("PRAGMA busy_timeout = 50")
    with Store.open(store.settings, write=False) as reader:
        with reader.snapshot():
            assert reader.response_count("q4") == 5
            with pytest.raises(StoreError, match="still lies in the write-ahead log"):
                purge(store, days=30)
        assert mark(1).encode() in bytes_of(store.settings)
        assert purge(store, days=30).comments == 0
        assert mark(1).encode() not in bytes_of(store.settings)


def test_the_command_says_what_it_did(store: Store) -> None:
    def run(*arguments: str) -> str:
        return CliRunner().invoke(sipas, ["--instance", str(store.settings.instance), "purge", *arguments]).stdout

    assert run("--older-than", "30", "--dry-run").startswith("would delete 3 comments and 1 of second contents")
    assert run("--older-than", "30", "--wave", "q4").startswith("deleted 3 comments and 1 of second contents")
    assert run("--older-than", "30").startswith("deleted 0 comments")
