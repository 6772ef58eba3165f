"""Lock files of an instance: who may write, and that only one server runs.

`write_lock` and `folder_lock` (wait), `Shared` (a folder used by many, until somebody wants it alone), `server_lock`
(refuses), `LockedError`. Locks are the kernel's (`flock`): they vanish with their process, so a crash leaves nothing to
clean up.
"""

import fcntl
import os
import time
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from survey_app.problems import Problem, SipasError

PATIENCE_SECONDS = 30.0
PAUSE_SECONDS, NEXT_SECONDS = 0.05, 0.004
"""How long at most somebody who waits does not look: in the queue, and as the next."""
TURN = ".turn"


class LockedError(SipasError):
    """Another process holds the lock."""


@contextmanager
def write_lock(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold the instance's write lock; waits for the present holder, but not for ever.

    Who wants it takes the turn first, and gives it back with the lock in hand: one alone waits for the lock, so that a
    busy server, which wants it again at once, cannot keep it from a command for long.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        turn = os.open(path.with_suffix(TURN), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _wait(turn, path, patience, "the store")
            _wait(descriptor, path, patience, "the store", longest=NEXT_SECONDS)
        finally:
            os.close(turn)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def folder_lock(path: Path, patience: float = PATIENCE_SECONDS) -> Iterator[None]:
    """Hold a folder, so that one process at a time writes what lies in it."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _wait(descriptor, path, patience, "the folder")
        yield
    finally:
        os.close(descriptor)


class Shared:
    """A folder held together with others: nobody has it alone (`folder_lock`) until all of them have released it.

    Released at the latest when its owner is gone.
    """

    def __init__(self, path: Path, patience: float = PATIENCE_SECONDS) -> None:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._finalizer = weakref.finalize(self, os.close, descriptor)
        try:
            _wait(descriptor, path, patience, "the instance", fcntl.LOCK_SH)
        except LockedError:
            self.release()
            raise

    def release(self) -> None:
        self._finalizer()


def _wait(
    descriptor: int,
    path: Path,
    patience: float,
    what: str,
    mode: int = fcntl.LOCK_EX,
    longest: float = PAUSE_SECONDS,
) -> None:
    deadline = time.monotonic() + patience
    pause = 0.0005
    while not _try(descriptor, mode):
        if time.monotonic() > deadline:
            raise LockedError(
                Problem(
                    f"{what} has been locked by another process for {patience:g} seconds",
                    str(path),
                    "wait for it, or end the process that holds the lock (fuser names it)",
                )
            )
        time.sleep(pause)
        pause = min(pause * 2, longest)


@contextmanager
def server_lock(path: Path) -> Iterator[None]:
    """Hold the lock of the one server of an instance; a second server is refused and told which process serves."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not _try(descriptor):
            holder = os.pread(descriptor, 100, 0).decode("ascii", "replace").strip() or "unknown"
            raise LockedError(
                Problem(
                    f"this instance is being served already, by process {holder}",
                    str(path),
                    "use that server, or stop it first; where it is a restore or a migration, wait until it has ended",
                )
            )
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode("ascii"), 0)
        yield
    finally:
        os.close(descriptor)


def _try(descriptor: int, mode: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(descriptor, mode | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
