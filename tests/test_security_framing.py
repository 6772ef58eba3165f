"""A running server and requests whose frame is wrong: where one ends is never guessed, and a refusal reaches its sender."""

import socket
from collections.abc import Iterator

import pytest

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from tests.served import WAVE, Running, enrol, make_field, serving

POST = b"POST /api/v1/responses HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
FORM = b"POST /enrol HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
HIDDEN = b"GET /healthz?hidden HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_field(tmp_path_factory.mktemp("framing") / "instance")


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Running]:
    with serving(settings) as running:
        yield running


def ask(server: Running, raw: bytes, *, last: bool = False) -> bytes:
    """Everything that comes back before the connection is closed or nothing more comes; `last`: we say no more."""
    got = b""
    with socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=10) as connection:
        try:
            connection.sendall(raw)
            if last:
                connection.shutdown(socket.SHUT_WR)
            connection.settimeout(5 if last else 1)
            while piece := connection.recv(65_536):
                got += piece
        except OSError:
            pass
    return got


BROKEN = {
    "no size": b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    "negative size": b"Transfer-Encoding: chunked\r\n\r\n-5\r\nabcde\r\n",
    "no end of a chunk": b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n",
    "two lengths": b"Content-Length: 5\r\nContent-Length: 0\r\n\r\n",
    "length and chunks": b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "length with a sign": b"Content-Length: +5\r\n\r\n",
    "length with a blank": b"Content-Length : 5\r\n\r\n",
    "coding in disguise": b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
}


@pytest.mark.parametrize("head", [POST, FORM], ids=["api", "page"])
@pytest.mark.parametrize("frame", BROKEN.values(), ids=BROKEN)
def test_nothing_behind_a_broken_frame_is_taken_for_a_request(server: Running, head: bytes, frame: bytes) -> None:
    told = ask(server, head + frame + HIDDEN)
    assert told.startswith((b"HTTP/1.1 4", b"HTTP/1.1 501"))
    assert told.count(b"HTTP/1.1 ") == 1 and b'"ok"' not in told


def test_a_whole_frame_is_followed_by_the_next_request(server: Running) -> None:
    told = ask(server, FORM + b"Content-Length: 6\r\n\r\ncode=x" + HIDDEN)
    assert told.count(b"HTTP/1.1 ") == 2 and b'"ok"' in told


@pytest.mark.parametrize("size", [100_000, 3_900_000])
def test_a_withdrawn_device_with_a_long_queue_hears_why(server: Running, settings: Settings, size: int) -> None:
    """Who sends much and is refused at once must still get the answer, or would send for ever."""
    device, token = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    head = POST + f"Connection: close\r\nAuthorization: Bearer {token}\r\nContent-Length: {size}\r\n\r\n".encode()
    for _ in range(20):
        told = ask(server, head + b" " * size, last=True)
        assert told.startswith(b"HTTP/1.1 401 ") and b"revoked-token" in told


@pytest.mark.parametrize("target", [b"/enrol?\xff=1", b"/?language=vi&\xc3\x28", b"/api/v1/device?\x80"])
def test_an_address_with_raw_bytes_is_refused_in_plain_words(server: Running, target: bytes) -> None:
    told = ask(server, b"GET " + target + b" HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ") and b"nosniff" in told and b"Traceback" not in told


@pytest.mark.parametrize(
    "lines",
    [b"X-Forwarded-Proto: https\r\nX-Forwarded-For: 127.0.0.1\r\nX-Forwarded-Host: localhost\r\n", b"X_Forwarded_Proto: https\r\n",
     b"Script-Name: /x\r\n", b"Script_Name: /x\r\n", b"Path-Info: /healthz\r\n", b"Upgrade: h2c\r\nConnection: Upgrade\r\n"],
)  # fmt: skip
def test_no_header_of_a_proxy_is_believed_without_one(server: Running, lines: bytes) -> None:
    told = ask(server, b"GET /enrol HTTP/1.1\r\nHost: kiosk.example\r\n" + lines + b"Connection: close\r\n\r\n")
    assert told.startswith(b"HTTP/1.1 400 ") and "kết nối chưa mã hóa".encode() in told


def test_and_the_server_is_well(server: Running, settings: Settings) -> None:
    assert b'"ok"' in ask(server, HIDDEN)
    log = server.log.read_text(encoding="utf-8")
    assert "Traceback" not in log and "hidden" not in log
    with Store.open(settings, write=False) as store:
        assert store.response_count(WAVE) == 0
    assert verify(settings) == ()
