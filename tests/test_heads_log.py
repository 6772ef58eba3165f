"""heads.log after a power cut: what is left of a line spoils nothing, and each confirmation was on disk before."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from survey_app import heads_log
from survey_app.model import Device
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.verification.witnesses import read_heads_log
from tests.ground import enrolled, make_store, record, response

Ground = tuple[Settings, Store, Device]
HEAD = "a" * 64
LINE = f"2026-11-24T12:00:00.000Z\tq4\t3\t{HEAD}\n"


@pytest.fixture
def ground(tmp_path: Path) -> Iterator[Ground]:
    settings, store = make_store(tmp_path)
    device = enrolled(store)
    record(store, device, response(1), response(2))
    with store:
        yield settings, store, device


def torn(settings: Settings, bytes_left: int) -> None:
    """The last line loses its end, as where the power failed before the disk had it all."""
    content = settings.heads_log.read_bytes()
    last = content.rstrip(b"\n").rfind(b"\n") + 1
    settings.heads_log.write_bytes(content[: last + bytes_left])


@pytest.mark.parametrize("bytes_left", [0, 1, 10, 25, 31, 60, 90])
def test_a_torn_last_line_is_no_finding_and_spoils_no_other(ground: Ground, bytes_left: int) -> None:
    settings, store, device = ground
    torn(settings, bytes_left)
    _, problems = read_heads_log(settings.heads_log)
    assert problems == []
    assert verify(settings) == (), "the line that announced the commit still stands"
    record(store, device, response(3))
    log, problems = read_heads_log(settings.heads_log)
    assert problems == [] and log.confirmed["q4"][-1].count == 3
    assert verify(settings) == ()


def test_what_the_disk_filled_with_zeros_is_torn_too(ground: Ground) -> None:
    settings, store, device = ground
    with settings.heads_log.open("ab") as stream:
        stream.write(b"\0" * 300)
    record(store, device, response(3))
    assert verify(settings) == ()
    assert b"\0\ttorn\n" in settings.heads_log.read_bytes()


def test_nothing_that_was_written_is_taken_away(tmp_path: Path) -> None:
    path = tmp_path / "heads.log"
    path.write_text(LINE + LINE[:40])
    heads_log.append(path, LINE)
    assert path.read_text() == f"{LINE}{LINE[:40]}{heads_log.TORN}\n{LINE}"


def test_a_torn_line_in_the_middle_that_nobody_marked_was_made_by_somebody(tmp_path: Path) -> None:
    path = tmp_path / "heads.log"
    path.write_text(f"{LINE}{LINE[:40]}\n{LINE}")
    _, problems = read_heads_log(path)
    assert [problem.where for problem in problems] == [f"{path}, line 2"]


@pytest.mark.parametrize("fails", ["short", "full", "unsynced"])
def test_lines_that_cannot_be_written_whole_are_not_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fails: str
) -> None:
    path = tmp_path / "heads.log"
    path.write_text(LINE)
    write = os.write

    def full(*_: object) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    if fails == "short":
        monkeypatch.setattr(heads_log.os, "write", lambda descriptor, content: write(descriptor, content[:5]))
    elif fails == "full":
        monkeypatch.setattr(heads_log.os, "write", full)
    else:
        monkeypatch.setattr(heads_log.os, "fdatasync", full)
    with pytest.raises(OSError, match="No space left"):
        heads_log.append(path, LINE, sync=True)
    assert path.read_text() == LINE


def test_a_confirmation_is_on_disk_before_anybody_is_told(ground: Ground, monkeypatch: pytest.MonkeyPatch) -> None:
    settings, store, device = ground
    synced: list[int] = []
    monkeypatch.setattr(heads_log.os, "fdatasync", lambda descriptor: synced.append(os.fstat(descriptor).st_size))
    record(store, device, response(3))
    assert synced == [settings.heads_log.stat().st_size], "once a commit, when its last line stood there"
