"""How heads.log is read: on from where it was read before, forgetting what was confirmed, past what a power cut left."""

from pathlib import Path

import pytest

from survey_app.verification.chain import Witness
from survey_app.verification.witnesses import read_heads_log

HEADS = ["a" * 64, "b" * 64, "c" * 64]


def line(count: int, mark: str = "", chain: str = "q4") -> str:
    return f"2026-11-24T00:00:00.000Z\t{chain}\t{count}\t{HEADS[count - 1]}{mark}\n"


def counts(witnesses: dict[str, list[Witness]]) -> dict[str, list[int]]:
    return {chain: [one.count for one in seen] for chain, seen in witnesses.items()}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "heads.log"


def test_an_announcement_is_forgotten_once_it_is_confirmed(path: Path) -> None:
    path.write_text(line(1, "\tpending") + line(1) + line(2, "\tpending"))
    log, problems = read_heads_log(path)
    assert (counts(log.confirmed), counts(log.announced), problems) == ({"q4": [1]}, {"q4": [2]}, [])


def test_an_announcement_of_another_head_stays(path: Path) -> None:
    path.write_text(line(1, "\tpending").replace("a", "d") + line(1, "\tpending") + line(1))
    assert [one.head[0] for one in read_heads_log(path)[0].announced["q4"]] == ["d"]


def test_reading_goes_on_from_where_it_ended(path: Path) -> None:
    path.write_text(line(1) + line(2, "\tpending") + "2026-11-24T0")
    first, _ = read_heads_log(path)
    with path.open("a") as stream:
        stream.write("\ttorn\n" + line(2) + "?\n" + line(3))
    more, problems = read_heads_log(path, first)
    assert (first.lines, more.lines) == (2, 6)
    assert (counts(more.confirmed), counts(more.announced)) == ({"q4": [2, 3]}, {})
    assert [problem.where for problem in problems] == [f"{path}, line 5"]
    assert more.confirmed["q4"][0].source.startswith("heads.log line 4 of 2026")


def test_nothing_is_read_of_what_is_not_there(path: Path) -> None:
    log, problems = read_heads_log(path)
    assert (log.confirmed, log.announced, log.size, problems) == ({}, {}, 0, [])
