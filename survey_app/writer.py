"""One thread that owns the writing connection of a server, and commits waiting calls together.

`Writer`, `Call`, `Place`, `StoreUnusable`, `catch_up`. A caller hears of its work only after the commit that holds it
is on disk; one call that fails undoes its own savepoint and nothing else.
"""

import logging
import os
import queue
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Generic, Self, TypeVar

from survey_app.problems import Problem, SipasError
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.store.connection import LEAST_BYTES
from survey_app.verification.witnesses import read_heads_log

T = TypeVar("T")
_log = logging.getLogger(__name__)
GROUP = 128
"""At most so many calls share a commit: enough to spread the cost of a sync, few enough to answer soon."""


class WriterClosed(SipasError):
    """The server is shutting down and takes nothing more."""


class StoreUnusable(SipasError):
    """The store's file went away or cannot be opened any more, under a server that runs. No fault of the request."""


@dataclass(frozen=True)
class Place:
    """Which file the store was opened from: SQLite would go on writing to one that was moved away or deleted."""

    path: Path
    device: int
    inode: int

    @classmethod
    def of(cls, path: Path) -> "Place":
        found = os.stat(path)
        return cls(path, found.st_dev, found.st_ino)

    def require(self) -> None:
        """`StoreUnusable` unless that very file still lies there."""
        try:
            found = os.stat(self.path)
            same = (found.st_dev, found.st_ino) == (self.device, self.inode) and found.st_size >= LEAST_BYTES
        except OSError:
            same = False
        if not same:
            what = "the store's file has been moved, deleted, emptied or replaced while the server runs"
            raise StoreUnusable(Problem(what, str(self.path), "put it back; to use another one, restart the server"))


class Call(ABC):
    """One piece of work; everything here happens in the writing thread.

    `prepare` comes before the transaction and the lock, `work` inside, `done` when the commit is on disk; `failed`
    instead when one of them, or the commit, did not succeed. `size` counts against `GROUP`.
    """

    size = 1
    error: BaseException | None = None

    def wanted(self) -> bool:
        """Whether somebody still waits for it."""
        return True

    def prepare(self) -> None:
        """What needs no store."""

    @abstractmethod
    def work(self, store: Store) -> None: ...

    @abstractmethod
    def done(self) -> None: ...

    @abstractmethod
    def failed(self, error: BaseException) -> None: ...


class _FutureCall(Call, Generic[T]):
    def __init__(self, work: Callable[[Store], T]) -> None:
        self.future: Future[T] = Future()
        self._work = work
        self._result: T | None = None

    def wanted(self) -> bool:
        return self.future.set_running_or_notify_cancel()

    def work(self, store: Store) -> None:
        self._result = self._work(store)

    def done(self) -> None:
        self.future.set_result(self._result)  # type: ignore[arg-type]

    def failed(self, error: BaseException) -> None:
        self.future.set_exception(error)


class Writer:
    """Start it once per server; `submit` from any thread."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._calls: queue.SimpleQueue[Call | None] = queue.SimpleQueue()
        self._gate = threading.Lock()
        self._closed = False
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="sipas-writer", daemon=True)
        self._thread.start()
        self._started.result()

    def submit(self, work: Callable[[Store], T]) -> Future[T]:
        """Have `work(store)` done in a savepoint of the next commit."""
        call = _FutureCall(work)
        self.put(call)
        return call.future

    def put(self, call: Call) -> None:
        """Have a call done with the next commit; `WriterClosed` when there will be none."""
        with self._gate:
            if self._closed:
                raise WriterClosed(Problem("the server is shutting down", "writer", "send it again in a moment"))
            self._calls.put(call)

    def close(self) -> None:
        """Finish what waits, then end the thread."""
        with self._gate:
            if not self._closed:
                self._closed = True
                self._calls.put(None)
        self._thread.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    # ---- in the thread

    def _run(self) -> None:
        try:
            store = Store.open(self._settings)
            self.place = Place.of(self._settings.store_path)
            catch_up(store)
        except BaseException as error:  # noqa: BLE001 - raised again in the constructor
            self._started.set_exception(error)
            return
        with store:
            self._started.set_result(None)
            while group := self._waiting():
                _commit(store, self.place, group)

    def _waiting(self) -> list[Call]:
        """The next calls to commit together; empty when the writer is closed and nothing waits."""
        group: list[Call] = []
        size = 0
        call = self._calls.get()
        while call is not None:
            if call.wanted():
                group.append(call)
                size += call.size
            if size >= GROUP:
                return group
            try:
                call = self._calls.get_nowait()
            except queue.Empty:
                if group:
                    return group
                call = self._calls.get()
        if group:
            self._calls.put(None)
        return group


def catch_up(store: Store) -> None:
    """Bring heads.log up to date after a process was killed between its commit and the line that confirms it there."""
    log, _ = read_heads_log(store.settings.heads_log)
    heads = store.heads()
    logged = {chain: max(witness.count for witness in seen) for chain, seen in log.confirmed.items()}
    behind = {chain: logged.get(chain, 0) for chain, head in heads.items() if head.count > logged.get(chain, 0)}
    if behind:
        store.log_heads(behind, [chain for chain in behind if log.announces(chain, heads[chain])])


def _commit(store: Store, place: Place, group: list[Call]) -> None:
    for call in group:
        call.error = _error_of(call.prepare)
    try:
        with store.group():
            place.require()
            for call in group:
                call.error = call.error or _error_of(partial(_work, call, store))
                if call.error is not None and not store.in_transaction:
                    # The whole transaction is gone; what came after it would be committed outside the group.
                    raise call.error
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the callers
        # Nothing of the group is on disk: every caller is told so and keeps what it has.
        for call in group:
            _tell(call, error)
        return
    for call in group:
        _tell(call, call.error)


def _tell(call: Call, error: BaseException | None) -> None:
    """One caller that cannot be told must not keep the others from hearing."""
    try:
        if error is not None:
            call.failed(error)
        else:
            call.done()
    except Exception:  # noqa: BLE001 - whatever it is, it is logged
        _log.exception("a caller could not be told of its commit")


def _work(call: Call, store: Store) -> None:
    with store.group():
        call.work(store)


def _error_of(act: Callable[[], None]) -> BaseException | None:
    try:
        act()
    except Exception as error:  # noqa: BLE001 - whatever it is, it belongs to the caller
        return error
    return None
