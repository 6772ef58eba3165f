"""R7: the disk of the instance fills up while tablets send, and has room again some time later.

As root on a small file system in memory (tmpfs); otherwise, or where mounting is forbidden, through a shim under which
every write to the instance ends as on a full disk.
"""

import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path

from benchmarks.reliability.ground import make_ground
from benchmarks.reliability.outcome import Outcome
from benchmarks.reliability.serving import compiled, serving
from benchmarks.reliability.tablets import Tablet, left_wrong
from survey_app.verification import verify

DEVICES = 20
MOUNT = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs"]
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Disk:
    """A folder that can be filled to the last byte and emptied again."""

    how: str
    folder: Path
    flag: Path
    environment: dict[str, str]

    def fill(self) -> None:
        if self.environment:
            self.flag.touch()
            return
        with self.flag.open("wb", buffering=0) as stream:
            try:
                while stream.write(b"\0" * 4096):
                    pass
            except OSError:
                return

    def make_room(self) -> None:
        self.flag.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[Disk]:
    mounted = folder / "disk"
    mounted.mkdir()
    if subprocess.run([*MOUNT, str(mounted)], capture_output=True, check=False).returncode == 0:
        try:
            yield Disk("tmpfs", mounted, mounted / "ballast", {})
        finally:
            subprocess.run(["umount", "-l", str(mounted)], check=True)
        return
    flag = folder / "full"
    shim = str(compiled("full_disk", folder))
    environment = {"LD_PRELOAD": shim, "FULL_DISK_FLAG": str(flag), "FULL_DISK_FOLDER": str(mounted)}
    yield Disk("shim", mounted, flag, environment)


def r7(folder: Path, short: bool) -> list[Outcome]:
    devices, responses = (4, 20) if short else (DEVICES, 100)
    with small_disk(folder) as disk:
        ground = make_ground(disk.folder / "instance", devices)
        tablets = [Tablet(token, ground.sheet) for token in ground.tokens]
        with serving(ground.settings, more=disk.environment) as server:
            worker = server.worker
            until = time.monotonic() + PATIENCE_SECONDS
            for tablet in tablets:
                tablet.fill(responses // 4)
                tablet.flush(server.port, until)
            disk.fill()
            for tablet in tablets:
                tablet.fill(3 * responses // 4)
            threads = [threading.Thread(target=tablet.flush, args=(server.port, until, 5)) for tablet in tablets]
            for thread in threads:
                thread.start()
            _wait_for(lambda: all(tablet.interruptions["507"] for tablet in tablets))
            kept = sum(len(tablet.unsent) for tablet in tablets)
            readable = _status(server.port, "/api/v1/device", tablets[0].token)
            disk.make_room()
            for thread in threads:
                thread.join()
            same = server.worker == worker
        wrong = left_wrong(tablets, ground.stored()) + [str(problem) for problem in verify(ground.settings)]
    plain = [tablet.refused for tablet in tablets if tablet.refused]
    said = all(b"urn:sipas:problem:storage-full" in one.content for one in plain if one.status == 507)
    others = {kind for tablet in tablets for kind in tablet.interruptions} - {"507"}
    refusals = sum(tablet.interruptions["507"] for tablet in tablets)
    holds = not wrong and said and not others and same and readable == 200 and kept > 0
    found = (
        f"{refusals} times 507 and nothing else, {kept} responses kept in the queues meanwhile; after there was room all"
        f" {devices * (responses // 4 + 3 * responses // 4)} stored once by the same process ({disk.how})"
    )
    detail = {"wrong": wrong[:3], "others": sorted(others), "readable": readable, "how": disk.how}
    what, bar = f"the disk full while {devices} devices send", "plain 507, queues kept, resumes by itself"
    return [Outcome("R7", what, bar, found, holds, holds, detail)]


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > until:
            raise RuntimeError("the disk is full, and not every tablet was told")
        time.sleep(0.02)


def _status(port: int, path: str, token: str) -> int:
    line = HTTPConnection("127.0.0.1", port, timeout=60)
    line.request("GET", path, headers={"Authorization": f"Bearer {token}"})
    try:
        return line.getresponse().status
    finally:
        line.close()
