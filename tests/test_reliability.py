"""The short forms of R1 to R9 and R15 (`benchmarks.reliability`), and that each of them can fail.

What is asserted does not depend on speed; the figures beside their bars are in docs/benchmarks.md. R7 runs
on a small file system in memory where the tests may mount one, else under a shim; both need what `make tools` checks.
"""

import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.reliability import table
from benchmarks.reliability.__main__ import TESTS
from benchmarks.reliability.full_disk import Disk, r7
from benchmarks.reliability.ground import Sheet, counter_form, make_form
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import compiled
from benchmarks.reliability.sync_order import Order
from benchmarks.reliability.tablets import Tablet, left_wrong
from benchmarks.reliability.torn_log import Log

LONG = {"R16"}
"""Too long for the tests; its parts are those of R1."""


OF_THE_TABLET = {"R10", "R11", "R12", "R13", "R14", "A1", "A2", "A3"}
"""In tests/browser."""


@pytest.mark.parametrize("name", [name for name in TESTS if name not in LONG | OF_THE_TABLET])
def test_short_form(name: str, tmp_path: Path) -> None:
    for outcome in TESTS[name](tmp_path, True):
        assert outcome.sound, f"{outcome.what}: {outcome.found}\n{outcome.detail}"


def test_a_full_disk_without_the_right_to_mount(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.reliability.full_disk.MOUNT", ["false"])
    (outcome,) = r7(tmp_path, True)
    assert outcome.sound and outcome.detail["how"] == "shim", outcome.detail


# ---- that they can fail


def tablets() -> list[Tablet]:
    tablet = Tablet("token", Sheet.of(counter_form()))
    tablet.fill(2)
    told = {"results": [{"uuid": one["uuid"], "fate": "stored"} for one in tablet.outbox.values()]}
    tablet.hear({**told, "missing": [], "resend": []})
    return [tablet]


def test_a_lost_a_doubled_a_foreign_and_an_untold_response_are_found() -> None:
    (tablet,) = tablets()
    first, second = (one["uuid"] for one in tablet.outbox.values())
    assert left_wrong([tablet], [first, second]) == [] and tablet.unsent == []
    assert left_wrong([tablet], [first]) == [f"{second} is stored 0 times"]
    assert left_wrong([tablet], [first, second, second]) == [f"{second} is stored 2 times"]
    assert left_wrong([tablet], [first, second, "x"]) == ["x is of no tablet"]
    tablet.acknowledged.remove(first)
    assert left_wrong([tablet], [first, second]) == [f"{first} was never acknowledged"]
    tablet.hear({"results": [{"uuid": first, "fate": "rejected"}], "missing": [], "resend": []})
    assert left_wrong([tablet], [first, second]) == ["fate rejected"]


def test_a_tablet_sends_again_what_is_missing_or_asked_for() -> None:
    (tablet,) = tablets()
    tablet.hear({"results": [], "missing": [[2, 9]], "resend": [tablet.outbox[1]["uuid"]]})
    assert tablet.unsent == [1, 2] and tablet.reported == {2}


UUID = "01234567-89ab-4def-8123-456789abcdef"
WRITE = f'7 pwrite64(9</i/sipas.sqlite3-wal>, "..{UUID}..", 4096, 0) = 4096'
SYNC = "7 fdatasync(9</i/sipas.sqlite3-wal>) = 0"
BEGUN, ENDED = "7 fdatasync(9</i/sipas.sqlite3-wal> <unfinished ...>", "7 <... fdatasync resumed>) = 0"
OTHER = "7 fdatasync(10</i/heads.log>) = 0"
SEND = f'8 sendto(12<socket:[1]>, "..\\"uuid\\":\\"{UUID}\\",\\"fate\\":\\"stored\\"..", 99, 0, NULL, 0) = 99'


@pytest.mark.parametrize(
    ("trace", "early"),
    [
        ([WRITE, SYNC, SEND], False),
        ([WRITE, BEGUN, ENDED, SEND], False),
        ([WRITE, SEND, SYNC], True),
        ([SYNC, WRITE, SEND], True),
        ([WRITE, OTHER, SEND], True),
        ([WRITE, BEGUN, SEND, ENDED], True),
        ([BEGUN, WRITE, ENDED, SEND], True),
        ([WRITE, SYNC.replace("= 0", "= -1 EIO"), SEND], True),
        ([WRITE, BEGUN, ENDED.replace("= 0", "= -1 EIO"), SEND], True),
    ],
)
def test_an_acknowledgement_before_the_sync_is_found(trace: list[str], early: bool) -> None:
    order = Order()
    order.read(trace)
    assert order.confirmed == [UUID] and bool(order.early) is early


def test_what_stands_before_a_tear_is_read_from_the_log() -> None:
    log = Log(32 + 4 * 120, 96, commits=(2, 4), first={"a": 1, "b": 3})
    assert [log.held("a", tear) for tear in (0, 32 + 120, 32 + 2 * 120 - 1, 32 + 2 * 120)] == [
        False,
        False,
        False,
        True,
    ]
    assert [log.held("b", tear) for tear in (32 + 3 * 120, 32 + 4 * 120 - 1, log.size)] == [False, False, True]


def test_the_form_of_so_many_items_is_answered_whole(tmp_path: Path) -> None:
    assert len(Sheet.of(make_form(250, tmp_path)).answers) == 250
    answers = Sheet.of(counter_form()).answers
    assert sum(code.startswith("II.") for code in answers) == 16


def test_a_full_disk_is_full(tmp_path: Path) -> None:
    flag = tmp_path / "full"
    shim = {"LD_PRELOAD": str(compiled("full_disk", tmp_path)), "FULL_DISK_FLAG": str(flag)}
    disk = Disk("shim", tmp_path, flag, shim | {"FULL_DISK_FOLDER": str(tmp_path / "disk")})
    (tmp_path / "disk").mkdir()
    program = f"import pathlib; pathlib.Path({str(tmp_path / 'disk' / 'x')!r}).write_text('x')"

    def written() -> int:
        return subprocess.run(
            [sys.executable, "-c", program], env=disk.environment, check=False, capture_output=True
        ).returncode

    assert written() == 0
    disk.fill()
    assert written() != 0
    disk.make_room()
    assert written() == 0


def test_the_page_shows_each_figure_beside_its_bar() -> None:
    good = Outcome("R1", "what", "≥ 500/s", "600/s", True, True)
    rows = {"R1": {"at": "2026-11-29", "cores": 2, "rows": [vars(good), vars(good) | {"holds": False}]}}
    page = table.document(rows)
    assert "| R1 | what | ≥ 500/s | 600/s | holds |" in page and "| **missed** |" in page


def test_the_page_is_that_of_the_figures() -> None:
    assert table.PAGE.read_text(encoding="utf-8").startswith(table.document(table.figures()))
