"""R6: SQLite's log torn at a random byte, as by a power cut on a disk that lied about its sync.

A server is killed under load and its files are kept. Each tear cuts a copy of the log off, or leaves rubbish behind
the cut. What the store must still hold is read from the bytes of the log itself: every response whose uuid stands in
frames up to a commit before the tear. Then the devices hear what is missing, send it again, and all is there once.
"""

import random
import shutil
import struct
import time
from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.reliability.ground import WAVE, Ground, make_ground, sending
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import free_port, start
from benchmarks.reliability.tablets import Tablet, acknowledged, left_wrong, together
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web.body import sending_of
from survey_app.web.context import Services
from survey_app.web.intake import receive
from survey_app.writer import Writer

TEARS, DEVICES, RESPONSES = 300, 8, 25
HEADER, FRAME_HEADER = 32, 24


@dataclass(frozen=True)
class Log:
    """The frames of a log: where each ends, which of them commit, and which uuids each one holds."""

    size: int
    page: int
    commits: tuple[int, ...]
    first: dict[str, int]

    @classmethod
    def read(cls, path: Path, uuids: set[str]) -> "Log":
        content = path.read_bytes()
        page = struct.unpack(">I", content[8:12])[0]
        salts = content[16:24]
        commits, first = [], dict[str, int]()
        number = 0
        for at in range(HEADER, len(content) - FRAME_HEADER - page + 1, FRAME_HEADER + page):
            frame = content[at : at + FRAME_HEADER + page]
            if frame[8:16] != salts:
                break  # what is left of an older log
            number += 1
            if struct.unpack(">I", frame[4:8])[0]:
                commits.append(number)
            text = frame[FRAME_HEADER:].decode("latin-1")
            for uuid in uuids - first.keys():
                if uuid in text:
                    first[uuid] = number
        return cls(HEADER + number * (FRAME_HEADER + page), page, tuple(commits), first)

    def held(self, uuid: str, tear: int) -> bool:
        """Whether a commit that holds the response stands whole before the tear."""
        frames = max(0, tear - HEADER) // (FRAME_HEADER + self.page)
        place = bisect_left(self.commits, self.first[uuid])
        return place < len(self.commits) and self.commits[place] <= frames


def r6(folder: Path, short: bool) -> list[Outcome]:
    tears, responses = (12, 6) if short else (TEARS, RESPONSES)
    ground = make_ground(folder / "instance", DEVICES)
    base = set(ground.stored())
    tablets = _killed_under_load(ground, responses)
    told = acknowledged(tablets)
    log = Log.read(_log_of(ground.settings), told)
    chance = random.Random(6)
    wrong: list[str] = []
    lost = 0
    for number in range(tears):
        tear = chance.randrange(0, log.size + 1)
        copy = folder / "torn"
        shutil.copytree(ground.settings.instance, copy)
        found, gone = _torn(Settings.load(copy), tablets, log, tear, rubbish=number % 2 == 1)
        wrong += [f"tear at {tear}: {one}" for one in found]
        lost += gone
        shutil.rmtree(copy)
    in_log = len(log.first)
    words = (
        f"{tears} tears in a log of {log.size // 1024} KiB and {len(log.commits)} commits: every one opened;"
        f" {lost} responses lay behind the tears, all were reported and sent again; {len(wrong)} faults"
    )
    holds = not wrong and not base and lost > 0 and in_log == len(told)
    detail = {"wrong": wrong[:5], "acknowledged": len(told), "in_log": in_log}
    bar = "opens, holds all up to the last intact frame, the rest reported and resent"
    return [Outcome("R6", f"the log torn at {tears} random bytes", bar, words, holds, holds, detail)]


def _killed_under_load(ground: Ground, responses: int) -> list[Tablet]:
    tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
    server = start(ground.settings, free_port())
    for _ in range(responses):
        for tablet in tablets:
            tablet.fill(1)
        together(tablets, server.port, time.monotonic() + 120, batch=1)
    server.kill()
    return tablets


def _log_of(settings: Settings) -> Path:
    return settings.store_path.with_name(settings.store_path.name + "-wal")


def _torn(settings: Settings, tablets: list[Tablet], log: Log, tear: int, *, rubbish: bool) -> tuple[list[str], int]:
    """What is wrong after this tear, and how many responses it took away."""
    path = _log_of(settings)
    content = path.read_bytes()
    rest = b"\xa5" * (len(content) - tear) if rubbish else b""
    path.write_bytes(content[:tear] + rest)
    path.with_name(path.name.removesuffix("-wal") + "-shm").unlink(missing_ok=True)
    with Store.open(settings) as store:
        stored = {one.uuid for one in store.responses(WAVE)}
    sent = {one["uuid"] for tablet in tablets for one in tablet.outbox.values()}
    due = {uuid for uuid in sent if log.held(uuid, tear)}
    wrong = [f"{uuid} stood before the tear and is gone" for uuid in due - stored]
    wrong += [f"{uuid} is there, though its commit was torn" for uuid in stored - due]
    told_of_loss = [str(problem) for problem in verify(settings)]
    if stored != sent and not told_of_loss:
        wrong.append("verify does not name the loss")
    wrong += _sent_again(settings, tablets, sent - stored)
    with Store.open(settings, write=False) as store:
        again = [one.uuid for one in store.responses(WAVE)]
    return wrong + left_wrong(tablets, again), len(sent - stored)


def _sent_again(settings: Settings, tablets: list[Tablet], gone: set[str]) -> list[str]:
    """Each device sends its sign of life, hears what is missing, and sends that, and only that."""
    wrong = []
    with Writer(settings) as writer:
        provided = Services(settings, writer)
        for tablet in tablets:
            tablet.unsent, tablet.fates = [], type(tablet.fates)()
            tablet.hear(_tell(provided, tablet, []))
            expected = {seq for seq, one in tablet.outbox.items() if one["uuid"] in gone}
            if set(tablet.unsent) != expected:
                wrong.append(f"missing says {sorted(tablet.unsent)}, not {sorted(expected)}")
            if tablet.unsent:
                tablet.hear(_tell(provided, tablet, list(tablet.unsent)))
    return wrong


def _tell(provided: Services, tablet: Tablet, some: list[int]) -> dict[str, object]:
    content = sending([tablet.outbox[seq] for seq in some], len(tablet.outbox))
    device = provided.reader().device_by_token(tablet.token)
    assert device is not None
    content["sent_at"] = datetime.now(UTC).isoformat()
    return receive(provided, device, sending_of(content))
