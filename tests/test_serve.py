"""`sipas serve` as a process: one server an instance, a log that names nobody, a stop that loses nothing, TLS."""

import json
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from survey_app.locks import server_lock
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web.server import Binding, ServerError, modern_tls, serve_forever
from tests.served import WAVE, Running, counter, enrol, free_port, make_field, response, sending, serving

FORM = counter()
TLS = Path(__file__).parent / "tls"


def sipas(settings: Settings, *words: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_field(tmp_path_factory.mktemp("serve") / "instance")


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Running]:
    with serving(settings) as running:
        yield running


def wait_for_log(server: Running, line: str) -> str:
    """The log once it holds the line, which is written after the answer has gone out."""
    deadline = time.monotonic() + 10
    while line not in (log := server.log.read_text(encoding="utf-8")):
        assert time.monotonic() < deadline, log
        time.sleep(0.02)
    return log


def test_a_device_enrols_and_sends(server: Running, settings: Settings) -> None:
    with Store.open(settings) as store:
        code = store.add_device("C01")[1]
    token = httpx.post(f"{server.url}/api/v1/enrol", json={"code": code}).json()["token"]
    answer = httpx.post(
        f"{server.url}/api/v1/responses?token=abc",
        json=sending(response(FORM, 1)),
        headers={"Authorization": f"Bearer {token}"},
    )
    assert answer.json()["results"][0]["fate"] == "stored"
    log = wait_for_log(server, "POST /api/v1/responses 200")
    for secret in (token, code, "abc", "127.0.0.1 ", "Mozilla", "python-httpx"):
        assert secret not in log


def test_it_is_gunicorn(server: Running) -> None:
    assert httpx.get(f"{server.url}/healthz").headers["Server"] == "gunicorn"


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"NONSENSE tokentoken\r\n\r\n", 400),
        (b"GET /?token=tokentoken NONSENSE\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer tokentoken\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer tokentoken\x00\r\n\r\n", 400),
        (b"GET /tokentoken?" + b"a" * 9000 + b" HTTP/1.1\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: x\r\nCookie: device=tokentoken" + b"a" * 20_000 + b"\r\n\r\n", 431),
        (b"POST /survey HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: tokentoken\r\n\r\n", 501),
    ],
)
def test_a_broken_request_is_told_nowhere(server: Running, sent: bytes, status: int) -> None:
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(sent)
        answer = raw.recv(4096).decode()
    head, _, body = answer.partition("\r\n\r\n")
    assert head.startswith(f"HTTP/1.1 {status} ") and body.startswith(f"{status} ")
    for name in ("Content-Security-Policy", "X-Content-Type-Options", "Referrer-Policy"):
        assert f"\r\n{name}: " in head
    log = wait_for_log(server, "a request could not be read: ")
    assert "tokentoken" not in log + answer and "ip=" not in log and "Traceback" not in log


def test_a_path_cannot_forge_a_line_of_the_log(server: Running) -> None:
    assert httpx.get(f"{server.url}/nowhere%0d%0aforged%20GET%20/enrol%C3%A9").status_code == 404
    wait_for_log(server, "GET /nowhere%0D%0Aforged%20GET%20/enrol%C3%A9 404")


def test_a_chunked_body_is_read_and_bounded(server: Running, settings: Settings) -> None:
    headers = {"Authorization": f"Bearer {enrol(settings)[1]}", "Content-Type": "application/json"}
    url = f"{server.url}/api/v1/responses"
    small = httpx.post(url, content=iter([json.dumps(sending()).encode()]), headers=headers)
    assert small.status_code == 200
    big = httpx.post(url, content=(b" " * 65536 for _ in range(100)), headers=headers)
    assert big.status_code == 413


def test_a_body_that_does_not_come_whole_may_be_sent_again(server: Running, settings: Settings) -> None:
    head = f"POST /api/v1/responses HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {enrol(settings)[1]}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n"
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=5) as raw:
        raw.sendall(head.encode() + b'{"sent_at"')
        raw.shutdown(socket.SHUT_WR)
        assert raw.recv(100).startswith(b"HTTP/1.1 503")


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGUSR2, signal.SIGTTIN])
def test_signals_that_would_make_a_second_writer_do_nothing(server: Running, number: int) -> None:
    server.process.send_signal(number)
    time.sleep(0.2)
    assert httpx.get(f"{server.url}/healthz").status_code == 200
    workers = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(server.process.pid)], capture_output=True, text=True, check=False
    ).stdout.split()
    assert len(workers) == 1


def test_a_second_server_is_refused_and_told_why(server: Running, settings: Settings) -> None:
    second = sipas(settings, "serve", "--port", str(free_port()))
    assert second.returncode == 2
    assert f"by process {server.process.pid}" in second.stderr
    assert "Traceback" not in second.stderr


def test_the_command_line_writes_beside_the_server(server: Running, settings: Settings) -> None:
    token = enrol(settings, "C02")[1]
    answer = httpx.get(f"{server.url}/api/v1/device", headers={"Authorization": f"Bearer {token}"})
    assert answer.json()["centre"]["code"] == "C02"


def test_a_stop_finishes_what_it_took(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    acknowledged: list[str] = []

    def send(url: str, token: str) -> None:
        with httpx.Client(headers={"Authorization": f"Bearer {token}"}, timeout=10) as client:
            for seq in range(1, 2000):
                try:
                    answer = client.post(f"{url}/api/v1/responses", json=sending(response(FORM, seq)))
                except httpx.HTTPError:
                    return
                assert answer.status_code == 200
                acknowledged.append(answer.json()["results"][0]["uuid"])

    with serving(settings) as running:
        threads = [threading.Thread(target=send, args=(running.url, enrol(settings)[1])) for _ in range(4)]
        for thread in threads:
            thread.start()
        deadline = time.monotonic() + 30
        while len(acknowledged) < 20 and time.monotonic() < deadline:
            time.sleep(0.01)
        assert running.stop() == 0
        for thread in threads:
            thread.join()
    with Store.open(settings, write=False) as store:
        assert {one.uuid for one in store.responses(WAVE)} >= set(acknowledged)
    assert len(acknowledged) >= 20
    assert verify(settings) == ()
    with server_lock(settings.server_lock):
        assert settings.server_lock.exists(), "the lock is free again"


def test_tls_and_the_cookie_that_needs_it(tmp_path: Path) -> None:
    settings = make_field(tmp_path / "instance")
    with serving(settings, "--certificate", str(TLS / "localhost.pem"), "--key", str(TLS / "localhost.key")) as running:
        with Store.open(settings) as store:
            code = store.add_device("C01")[1]
        trusted = ssl.create_default_context(cafile=str(TLS / "localhost.pem"))
        answer = httpx.post(f"{running.url}/api/v1/enrol", json={"code": code}, verify=trusted)
        assert answer.headers["Set-Cookie"].startswith("__Host-device=")
        assert "Strict-Transport-Security" in answer.headers


def test_tls_is_at_least_1_2() -> None:
    context = modern_tls(None, lambda: ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2


@pytest.mark.parametrize(
    ("binding", "said"),
    [
        (Binding(host="0.0.0.0", development_http=True), "this machine only"),
        (Binding(certificate=Path("cert.pem")), "belong together"),
        (Binding(certificate=Path("nowhere.pem"), key=Path("nowhere.pem")), "cannot be used"),
        (Binding(host="203.0.113.1"), "cannot listen"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_server_that_cannot_start_says_why(settings: Settings, binding: Binding, said: str) -> None:
    with pytest.raises(ServerError, match=said) as caught:
        serve_forever(settings, binding, ready=lambda: None)
    assert caught.value.problems[0].remedy


def test_a_port_in_use_is_named(settings: Settings) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with pytest.raises(ServerError, match=f"cannot listen on 127.0.0.1:{port}"):
            serve_forever(settings, Binding(port=port), ready=lambda: None)


def test_an_instance_without_a_store_is_named(tmp_path: Path) -> None:
    settings = create_instance(tmp_path / "instance")
    refused = sipas(settings, "serve", "--port", str(free_port()))
    assert refused.returncode == 2
    assert "has no store" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_clients_that_hang_do_not_hold_up_the_others(server: Running) -> None:
    address = ("127.0.0.1", int(server.url.rpartition(":")[2]))
    half = [socket.create_connection(address, timeout=5) for _ in range(8)]
    done = [socket.create_connection(address, timeout=5) for _ in range(4)]
    try:
        for one in half:
            one.sendall(b"POST /api/v1/responses HTTP/1.1\r\nHost: x\r\nContent-Le")
        for one in done:
            one.sendall(b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        began = time.monotonic()
        assert httpx.get(f"{server.url}/healthz", timeout=5).status_code == 200
        assert time.monotonic() - began < 1.5, "the polite closing of the others is waited for elsewhere"
    finally:
        for one in half + done:
            one.close()
