"""Clients that are silent, slow, or slow on purpose: none holds a thread for long, together they never hold all."""

import socket
import ssl
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from survey_app.web import patience
from survey_app.web.server import THREADS, modern_tls
from tests.served import make_field, serving

TLS = Path(__file__).parent / "tls"
HEADER_BEGUN = b"GET / HTTP/1.1\r\nHost: x\r\n"
BODY_BEGUN = b"POST /api/v1/enrol HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n"


def test_there_are_threads_for_the_quick() -> None:
    assert patience.SLOW_CLIENTS <= THREADS - 8


@pytest.mark.parametrize("first", [b"", HEADER_BEGUN, BODY_BEGUN], ids=["silent", "header", "body"])
@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_clients_that_send_drop_by_drop_do_not_take_every_thread(tmp_path: Path, first: bytes, tls: bool) -> None:
    """More of them than threads, none ever silent for long."""
    options = ("--certificate", str(TLS / "localhost.pem"), "--key", str(TLS / "localhost.key")) if tls else ()
    with serving(make_field(tmp_path / "instance"), *options) as server:
        address, slow = ("127.0.0.1", int(server.url.rpartition(":")[2])), []
        for _ in range(THREADS + 8):
            raw = socket.create_connection(address, timeout=5)
            slow.append(ssl._create_unverified_context().wrap_socket(raw) if tls and first else raw)
        try:
            for drop in [first, *[b"X: y\r\n" if first else b""] * 3]:
                for one in slow:
                    with suppress(OSError):
                        one.sendall(drop)
                time.sleep(0.3)
            began = time.monotonic()
            assert httpx.get(f"{server.url}/healthz", verify=False, timeout=10).status_code == 200
            assert time.monotonic() - began < 3
        finally:
            for one in slow:
                one.close()
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log and "Error" not in log


def test_a_long_request_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUICK_SECONDS", 0.01)
    monkeypatch.setattr(patience, "REQUEST_SECONDS", 0.2)
    left, right = socket.socketpair()
    with left, patience.Patient(fileno=right.detach()) as slow:
        slow.setblocking(True)
        with pytest.raises(ConnectionResetError, match="took too long|fell silent"):
            for _ in range(100):
                left.sendall(b"x")
                slow.recv(1)
                time.sleep(0.01)


def test_a_slow_reader_gets_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "QUICK_SECONDS", 0.01)
    left, right = socket.socketpair()
    content = bytes(range(256)) * 16_384
    with left, patience.Patient(fileno=right.detach()) as sender, ThreadPoolExecutor() as pool:
        sender.setblocking(True)
        sent = pool.submit(sender.sendall, content)
        time.sleep(0.1)
        got = b""
        while len(got) < len(content):
            got += left.recv(1 << 20)
        sent.result(timeout=5)
    assert got == content


def test_silence_is_given_up_as_a_lost_connection(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.1)
    left, right = socket.socketpair()
    with left, patience.Patient(fileno=right.detach()) as silent:
        silent.setblocking(True)
        began = time.monotonic()
        with pytest.raises(ConnectionResetError):
            silent.recv(10)
        assert time.monotonic() - began < 5
        left.sendall(b"here again")
        assert silent.recv(10) == b"here again"


@pytest.mark.parametrize("said", [b"", b"\x16\x03\x01"], ids=["nothing", "half a greeting"])
def test_a_tls_handshake_is_given_up_too(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    monkeypatch.setattr(patience, "STALL_SECONDS", 0.1)
    context = modern_tls(None, lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    context.load_cert_chain(TLS / "localhost.pem", TLS / "localhost.key")
    left, right = socket.socketpair()
    with left, patience.Patient(fileno=right.detach()) as silent:
        left.sendall(said)
        silent.setblocking(True)
        with context.wrap_socket(silent, server_side=True, do_handshake_on_connect=False) as secure:
            secure.setblocking(True)
            with pytest.raises(ConnectionResetError):
                secure.do_handshake()
