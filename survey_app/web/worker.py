"""gunicorn's threaded worker as it is here: nothing a client sent in the log, the silent given up, no waiting in the loop.

`Worker`. Its loop also takes the short way (`express`): a plain sending is read and answered in
the loop itself, and meanwhile waits in no thread.
"""

import selectors
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from http import HTTPStatus
from typing import Any

from gunicorn import SERVER
from gunicorn.http.errors import ParseException
from gunicorn.util import http_date, write_nonblock
from gunicorn.workers.gthread import PollableMethodQueue, TConn, ThreadWorker

from survey_app.web.context import EXTENSION
from survey_app.web.express import ROUTE, Express, Parcel, answer_head
from survey_app.web.patience import STALL_SECONDS, Patient, PatientTls
from survey_app.web.quiet import refusal
from survey_app.writer import WriterClosed

CLOSERS = 8
READ_BYTES = 65_536
_LATER = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
_KEPT: "Future[bool]" = Future()
_KEPT.set_result(True)


class Calls(PollableMethodQueue):  # type: ignore[misc]
    """What other threads ask of the loop; nothing once it has ended, when its pipe's number may be another file's."""

    def __init__(self) -> None:
        super().__init__()
        self._open = threading.Lock()
        self._closed = False

    def defer(self, callback: Callable[..., object], *args: Any) -> None:
        with self._open:
            if not self._closed:
                super().defer(callback, *args)

    def close(self) -> None:
        with self._open:
            self._closed = True
            super().close()


class Worker(ThreadWorker):  # type: ignore[misc]
    """One process, one loop, a few threads; the writing thread answers the short way through `_answers`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.method_queue = Calls()

    def init_process(self) -> None:
        self.closers = ThreadPoolExecutor(max_workers=CLOSERS, thread_name_prefix="close")
        self._answers: deque[tuple[Any, bytes, bool, float, bytes | None]] = deque()
        super().init_process()

    def load_wsgi(self) -> None:
        super().load_wsgi()
        self._express = Express(self.wsgi.extensions[EXTENSION])
        self._behind_proxy = self.wsgi.config["BEHIND_PROXY"]
        self._heads = {secure: answer_head(secure=secure) for secure in (False, True)}

    def enqueue_req(self, conn: Any) -> None:
        if not isinstance(conn.sock, Patient | PatientTls):
            conn.sock = Patient(fileno=conn.sock.detach())
            conn.close = partial(self._close, conn)
        if conn.initialized or conn.data_ready:
            super().enqueue_req(conn)
        else:
            self._await_first_word(conn)

    def _await_first_word(self, conn: Any) -> None:
        """A new connection gets a thread when it has said something: gunicorn would wait for that in the thread."""
        conn.timeout = time.monotonic() + STALL_SECONDS
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    # ---- the short way

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        if not self.alive or conn.is_http2:
            super().on_client_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        self._take(conn)

    def on_pending_socket_readable(self, conn: Any, client: Any) -> None:
        """The first word of a new connection. A handshake of TLS waits for the client: that is for a thread."""
        if not self.alive or self.cfg.is_ssl:
            super().on_pending_socket_readable(conn, client)
            return
        self.poller.unregister(client)
        self.pending_conns.remove(conn)
        conn.data_ready = True
        conn.init()
        conn.sock.setblocking(False)
        self._take(conn)

    def _take(self, conn: Any) -> None:
        data = _read(conn.sock)
        parcel = Parcel.of(data)
        if parcel is None:
            self._ordinary(conn, data)
            return
        secure = isinstance(conn.sock, PatientTls) or (self._behind_proxy and parcel.forwarded_proto == "https")
        try:
            self._express.send(parcel, partial(self._answered, conn, data, secure, time.monotonic()))
        except WriterClosed:
            self._ordinary(conn, data)

    def _ordinary(self, conn: Any, data: bytes) -> None:
        if data:
            conn.parser.unreader.unread(data)
        self.enqueue_req(conn)

    def _answered(self, conn: Any, data: bytes, secure: bool, since: float, content: bytes | None) -> None:
        """In the writing thread: the loop is woken once for all answers of a commit."""
        self._answers.append((conn, data, secure, since, content))
        if len(self._answers) == 1:
            self.method_queue.defer(self._send_answers)

    def _send_answers(self) -> None:
        while self._answers:
            conn, data, secure, since, content = self._answers.popleft()
            if content is None:
                self._ordinary(conn, data)
            else:
                self._send(conn, self._framed(content, secure))
                self.log.taken(ROUTE, int((time.monotonic() - since) * 1000))

    def _framed(self, content: bytes, secure: bool) -> bytes:
        first = f"HTTP/1.1 200 OK\r\nServer: {SERVER}\r\nDate: {http_date()}\r\nConnection: keep-alive\r\n"
        # The length comes early: of an answer that is cut off in its headers no client shall think that it was empty.
        length = f"Content-Length: {len(content)}\r\n"
        return first.encode("ascii") + length.encode("ascii") + self._heads[secure] + b"\r\n" + content

    def _send(self, conn: Any, answer: bytes) -> None:
        try:
            sent = conn.sock.send(answer)
        except _LATER:
            sent = 0
        except OSError:
            sent = -1
        if sent == len(answer):
            self.finish_request(conn, _KEPT)
        elif sent < 0:
            self.nr_conns -= 1
            conn.close()
        else:
            rest = self.tpool.submit(_send_rest, conn, answer[sent:])
            rest.add_done_callback(lambda future: self.method_queue.defer(self.finish_request, conn, future))

    # ---- endings

    def _close(self, conn: Any, graceful: bool = False) -> None:
        """A polite close waits for the client, up to two seconds: not in the loop that serves all the others."""
        if graceful:
            self.closers.submit(TConn.close, conn, True)
        else:
            TConn.close(conn)

    def handle_error(self, req: Any, client: Any, addr: Any, exc: BaseException) -> None:
        """A request that cannot be read, or a fault outside the application: see `quiet`."""
        status, answer = refusal(exc, secure=isinstance(client, ssl.SSLSocket))
        if status < HTTPStatus.INTERNAL_SERVER_ERROR or isinstance(exc, ParseException):
            self.log.warning("a request could not be read: %s", type(exc).__name__)
        else:
            self.log.error("a request could not be handled", exc_info=exc)
        with suppress(OSError):
            write_nonblock(client, answer)


def _read(client: Any) -> bytes:
    """What has come, without waiting; nothing at the end of a connection, which a thread then finds as well."""
    parts = []
    with suppress(OSError):  # also that nothing more is there now
        while part := client.recv(READ_BYTES):
            parts.append(part)
            if len(part) < READ_BYTES and not isinstance(client, ssl.SSLSocket):
                break
            if len(parts) > 64:
                break
    return b"".join(parts)


def _send_rest(conn: Any, rest: bytes) -> bool:
    conn.sock.setblocking(True)
    conn.sock.sendall(rest)
    return True
