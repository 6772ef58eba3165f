"""Sockets that give up silent clients, and keep slow ones from taking every thread. `Patient`, `PatientTls`.

A tablet that loses its network in the middle of a request says nothing any more, not even goodbye, and would hold its
thread for ever: gunicorn's threaded worker sets the sockets of its threads to block without end. Here "blocking" means
blocking for `STALL_SECONDS`, and all of a request for `REQUEST_SECONDS`. Whoever sends a byte now and then would still
hold a thread that long, and a few dozen of them the whole server: so a request that has not come within
`QUICK_SECONDS` is waited for in at most `SLOW_CLIENTS` threads, and beyond them the slow are sent away.
"""

import errno
import socket
import ssl
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

QUICK_SECONDS = 0.5
STALL_SECONDS = 15.0
REQUEST_SECONDS = 120.0
SLOW_CLIENTS = 24

T = TypeVar("T")
_slow = threading.BoundedSemaphore(SLOW_CLIENTS)


def _wait(connection: socket.socket, since: float, act: Callable[[], T]) -> T:
    """The result of `act`, which waits for the client; the request, or the answer, began at `since`."""
    try:
        if (left := since + QUICK_SECONDS - time.monotonic()) > 0:
            try:
                return _within(connection, left, act)
            except TimeoutError:
                pass
        if not _slow.acquire(blocking=False):
            raise _reset("too many slow clients")
        try:
            if (left := since + REQUEST_SECONDS - time.monotonic()) <= 0:
                raise _reset("the client took too long")
            return _within(connection, min(left, STALL_SECONDS), act)
        except TimeoutError:
            raise _reset("the client fell silent") from None
        finally:
            _slow.release()
    finally:
        socket.socket.settimeout(connection, STALL_SECONDS)


def _within(connection: socket.socket, seconds: float, act: Callable[[], T]) -> T:
    socket.socket.settimeout(connection, seconds)
    return act()


def _send_all(connection: socket.socket, send: Callable[[memoryview], int], data: Any) -> None:
    """Piece by piece, since a `sendall` that stopped half-way cannot be taken up again."""
    since, rest = time.monotonic(), memoryview(data).cast("B")
    while rest:
        rest = rest[_wait(connection, since, partial(send, rest)) :]


def _reset(reason: str) -> ConnectionResetError:
    """What gunicorn takes for a client that went away, and closes without a word in the log."""
    return ConnectionResetError(errno.ECONNRESET, reason)


class Patient(socket.socket):
    """A plain connection. Patience begins with `setblocking(True)`, when a request is taken up.

    It ends with any other timeout: whoever sets one has a bound of their own.
    """

    _since: float | None = None

    def setblocking(self, flag: bool) -> None:
        super().settimeout(STALL_SECONDS if flag else 0.0)
        self._since = time.monotonic() if flag else None

    def settimeout(self, value: float | None) -> None:
        self._since = None
        super().settimeout(value)

    def recv(self, *args: Any) -> bytes:
        if self._since is None:
            return super().recv(*args)
        return _wait(self, self._since, partial(socket.socket.recv, self, *args))

    def sendall(self, data: Any, *flags: Any) -> None:
        if self._since is None:
            return super().sendall(data, *flags)
        return _send_all(self, partial(socket.socket.send, self), data)


class PatientTls(ssl.SSLSocket):
    """A connection with TLS; its handshake is waited for in the same way."""

    _since: float | None = None

    def setblocking(self, flag: bool) -> None:
        super().settimeout(STALL_SECONDS if flag else 0.0)
        self._since = time.monotonic() if flag else None

    def settimeout(self, value: float | None) -> None:
        self._since = None
        super().settimeout(value)

    def do_handshake(self, block: bool = False) -> None:
        since = time.monotonic()
        _wait(self, since, partial(ssl.SSLSocket.do_handshake, self))
        # gunicorn reads the first request next, without another `setblocking`.
        self._since = since

    def recv(self, *args: Any) -> bytes:
        if self._since is None:
            return super().recv(*args)
        return _wait(self, self._since, partial(ssl.SSLSocket.recv, self, *args))

    def sendall(self, data: Any, *flags: Any) -> None:
        if self._since is None:
            return super().sendall(data, *flags)
        return _send_all(self, partial(ssl.SSLSocket.send, self), data)
