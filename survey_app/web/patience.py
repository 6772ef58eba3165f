"""Sockets that give up a silent client. `Patient`, `PatientTls`.

A tablet that loses its network in the middle of a request says nothing any more, not even goodbye, and would hold its
thread for ever: gunicorn's threaded worker sets the sockets of its threads to block without end. Here "blocking" means
blocking for `STALL_SECONDS`.
"""

import errno
import socket
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STALL_SECONDS = 15.0


@contextmanager
def _silence_is_a_reset() -> Iterator[None]:
    """What gunicorn takes for a client that went away, and closes without a word in the log."""
    try:
        yield
    except TimeoutError as error:
        raise ConnectionResetError(errno.ECONNRESET, "the client fell silent") from error


class Patient(socket.socket):
    """A plain connection."""

    def setblocking(self, flag: bool) -> None:
        self.settimeout(STALL_SECONDS if flag else 0.0)

    def recv(self, *args: Any) -> bytes:
        with _silence_is_a_reset():
            return super().recv(*args)

    def sendall(self, *args: Any) -> None:
        with _silence_is_a_reset():
            super().sendall(*args)


class PatientTls(ssl.SSLSocket):
    """A connection with TLS; its handshake is bounded, too."""

    def setblocking(self, flag: bool) -> None:
        self.settimeout(STALL_SECONDS if flag else 0.0)

    def do_handshake(self, block: bool = False) -> None:
        with _silence_is_a_reset():
            super().do_handshake(block)

    def recv(self, *args: Any) -> bytes:
        with _silence_is_a_reset():
            return super().recv(*args)

    def sendall(self, *args: Any) -> None:
        with _silence_is_a_reset():
            super().sendall(*args)
