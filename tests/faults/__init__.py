"""Commands under everything that goes wrong: a run in a process of its own that can be limited, robbed and interrupted.

`Run`, `Ended`, `begin`, `sipas`, `stat_of`, `refused`.
"""

import ctypes
import fcntl
import hashlib
import os
import resource
import select
import signal
import sys
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from survey_app.__main__ import main

LOCKS = ("write.lock", "write.turn", "server.lock")
SIGNALS = (signal.SIGINT, signal.SIGTERM)
PATIENCE_SECONDS = 60
PIPE_BYTES = 2**20
LARGE_BYTES = 2**25
CAPABILITIES_3 = 0x20080522
DAC_OVERRIDE, DAC_READ_SEARCH = 1, 2


@dataclass(frozen=True)
class Ended:
    """How a command ended: its exit code (negative: the signal that killed it), what it said, the memory it took beyond what this process had."""

    code: int
    out: str
    err: str
    megabytes: int = 0


class Run:
    """A command under way in a process of its own."""

    def __init__(self, pid: int, out: int, err: int, inherited: int) -> None:
        self.pid, self._out, self._err, self._inherited = pid, out, err, inherited
        self._ended = os.pidfd_open(pid)

    def send(self, number: int) -> None:
        os.kill(self.pid, number)  # a child that ended waits for us: its id is nobody else's

    def over(self, seconds: float) -> bool:
        return bool(select.select([self._ended], [], [], seconds)[0])

    def wait(self, seconds: float = PATIENCE_SECONDS) -> Ended:
        finished = self.over(seconds)
        if not finished:
            os.kill(self.pid, signal.SIGKILL)
        _, status, used = os.wait4(self.pid, 0)
        os.close(self._ended)
        out, err = _all(self._out), _all(self._err)
        assert finished, f"still running after {seconds} s\n{out}\n{err}"
        return Ended(os.waitstatus_to_exitcode(status), out, err, used.ru_maxrss // 1024 - self._inherited)


def begin(instance: Path | str, *arguments: str, prepare: Callable[[], None] = lambda: None) -> Run:
    """Start `sipas --instance INSTANCE ARGUMENTS` in a fork of this process; `prepare` is called there first."""
    (out, says), (err, complains) = os.pipe(), os.pipe()
    for pipe in (says, complains):
        fcntl.fcntl(pipe, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    inherited = _megabytes()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, SIGNALS)  # none may meet the handlers of the tests in the child
    pid = os.fork()
    if pid == 0:
        _child(["sipas", "--instance", str(instance), *arguments], [says, complains], prepare)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    os.close(says)
    os.close(complains)
    return Run(pid, out, err, inherited)


def _megabytes() -> int:
    """What this process holds now: a fork of it begins with as much."""
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * os.sysconf("SC_PAGESIZE") // 2**20


def _all(pipe: int) -> str:
    """What was said, once it is over; a server's worker that outlives its master is not waited for."""
    os.set_blocking(pipe, False)
    parts = []
    try:
        while part := os.read(pipe, PIPE_BYTES):
            parts.append(part)
    except BlockingIOError:
        pass
    os.close(pipe)
    return b"".join(parts).decode("utf-8", "replace")


def _child(arguments: list[str], outputs: list[int], prepare: Callable[[], None]) -> None:
    code = 70
    try:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, SIGNALS)
        os.environ.pop("SIPAS_INSTANCE", None)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        for number, handle in enumerate(outputs, start=1):
            os.dup2(handle, number)
        sys.stdout = os.fdopen(1, "w", encoding="utf-8", closefd=False)
        sys.stderr = os.fdopen(2, "w", encoding="utf-8", closefd=False)
        sys.argv = arguments
        prepare()
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
    except BaseException:  # noqa: BLE001 - whatever it is, this process ends here
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                code = code or 71
        os._exit(code)


def sipas(instance: Path | str, *arguments: str, prepare: Callable[[], None] = lambda: None) -> Ended:
    """Run a command to its end."""
    return begin(instance, *arguments, prepare=prepare).wait()


def ready(path: Path, *steps: tuple[str, ...]) -> Path:
    """An instance on which these commands were run, every one with success."""
    for step in (("init",), *steps):
        ended = sipas(path, *step)
        assert ended.code == 0, f"{step}\n{ended.err}"
    return path


# ---- what a process may lack


def obey_file_modes() -> None:
    """Give up what lets root write where nobody may."""
    if os.geteuid() != 0:
        return
    header = (ctypes.c_uint32 * 2)(CAPABILITIES_3, 0)
    data = (ctypes.c_uint32 * 6)()
    libc = ctypes.CDLL(None, use_errno=True)
    assert libc.capget(header, data) == 0
    for word in range(3):  # effective, permitted, inheritable
        data[word] &= ~(1 << DAC_OVERRIDE | 1 << DAC_READ_SEARCH)
    assert libc.capset(header, data) == 0, os.strerror(ctypes.get_errno())


def room_for(size: int) -> Callable[[], None]:
    """No file may grow beyond `size` bytes: to the program the disk is full there."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


# ---- what is left


def stat_of(folder: Path) -> dict[str, str]:
    """Every file of a folder with a hash of its content, but locks and what SQLite keeps beside an open store."""
    found = {}
    for path in sorted(folder.rglob("*")) if folder.is_dir() else [folder] if folder.exists() else []:
        if path.name in LOCKS or path.name.endswith(("-wal", "-shm")) or path.is_dir():
            continue
        found[str(path.relative_to(folder))] = _content(path)
    return found


def _content(path: Path) -> str:
    if not path.is_file():
        return "no plain file"
    size = path.stat().st_size
    return f"{size} bytes" if size > LARGE_BYTES else hashlib.sha256(path.read_bytes()).hexdigest()


def refused(ended: Ended) -> str:
    """What is wrong with a refusal; empty when it is as it should be: exit code 2, what, where, remedy."""
    if "Traceback" in ended.err + ended.out:
        return f"a traceback: {ended.err[-300:]}"
    if ended.code != 2:
        return f"exit code {ended.code}: {(ended.err or ended.out)[:200]}"
    first, *rest = ended.err.splitlines() or [""]
    if not first.startswith("error: ") or not any(line.startswith("  where: ") for line in rest):
        return f"no what or where: {ended.err[:200]}"
    if not any(line.startswith("  remedy: ") and len(line) > 14 for line in rest):
        return f"no remedy: {ended.err[:200]}"
    return ""


def waited(condition: Callable[[], bool], seconds: float = 20) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True
