"""What every route stands on: the instance's settings, a reading store, the one writer, and the clock.

`Services`, `services`, `wait_for`.
"""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeVar, cast

from flask import Flask, current_app

from survey_app.settings import Settings
from survey_app.store import Store, StoreError
from survey_app.web.limits import DeviceLimit, PinTries
from survey_app.web.resending import Resending
from survey_app.writer import StoreUnusable, Writer

EXTENSION = "sipas"
COMMIT_SECONDS = 30.0
"""How long a request waits for its commit. The client of one that gave up sends again; nothing is stored twice."""

T = TypeVar("T")


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class Services:
    """One per application; a route takes it from `services()`."""

    settings: Settings
    writer: Writer
    clock: Callable[[], datetime] = utc_now
    development_http: bool = False
    limit: DeviceLimit = field(default_factory=DeviceLimit)
    tries: PinTries = field(default_factory=PinTries)
    resending: Resending = field(default_factory=Resending)
    _readers: threading.local = field(default_factory=threading.local, repr=False)

    def reader(self) -> Store:
        """This thread's store, open for reading only; it stays open, so never close it.

        `StoreUnusable` while the file it was opened from is not in its place.
        """
        self.writer.place.require()
        store: Store | None = getattr(self._readers, "store", None)
        if store is None:
            try:
                store = self._readers.store = Store.open(self.settings, write=False)
            except StoreError as error:
                raise StoreUnusable(error.problems) from None
        return store

    def drop_reader(self) -> None:
        """Open this thread's store anew with its next request: a connection that met a broken file may stay broken."""
        store: Store | None = self._readers.__dict__.pop("store", None)
        if store is not None:
            store.close()

    def write(self, work: Callable[[Store], T]) -> T:
        """Run `work` on the writing store and return its result once the commit is on disk."""
        return wait_for(self.writer.submit(work))

    def now(self) -> datetime:
        return self.clock()


def wait_for(future: "Future[T]") -> T:
    """The result of a write, or its error; `TimeoutError` when the commit does not come."""
    return future.result(timeout=COMMIT_SECONDS)


def install(app: Flask, provided: Services) -> None:
    app.extensions[EXTENSION] = provided


def services() -> Services:
    """The services of the application that handles this request."""
    return cast(Services, current_app.extensions[EXTENSION])
