"""The short way of a sending gives what the ordinary way gives; whatever is not plain takes the ordinary one."""

import json
import os
import select
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from types import SimpleNamespace
from typing import Any

import pytest

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web.context import Services
from survey_app.web.express import Express, Parcel
from survey_app.web.patience import Patient
from survey_app.web.worker import Calls, Worker
from survey_app.writer import Writer
from tests.served import WAVE, Running, counter, enrol, make_field, response, sending, serving

FORM = counter()
TLS = Path(__file__).parent / "tls"
TOKEN = "a" * 43


def request(token: str, content: bytes, *lines: str, route: str = "/api/v1/responses") -> bytes:
    head = [f"POST {route} HTTP/1.1", "Host: localhost", f"Authorization: Bearer {token}"]
    head += ["Content-Type: application/json", f"Content-Length: {len(content)}", *lines]
    return "\r\n".join([*head, "", ""]).encode() + content


def body(*responses: object) -> bytes:
    return json.dumps(sending(*responses)).encode()


# ---- which requests are plain


def test_a_plain_request_is_read() -> None:
    found = Parcel.of(request(TOKEN, b"{}", "User-Agent: x y", "Accept: */*", "Connection: keep-alive"))
    assert found == Parcel(TOKEN, b"{}", "")


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST /api/v1/responses HTTP/1.1\r\n",
        request(TOKEN, b"{}")[:-1],
        request(TOKEN, b"{}") + b"P",
        request(TOKEN, b"{}", route="/api/v1/responses?x=1"),
        request(TOKEN, b"{}", route="/api/v1/enrol"),
        request(TOKEN, b"{}").replace(b"HTTP/1.1", b"HTTP/1.0"),
        request(TOKEN, b"{}").replace(b"POST", b"post"),
        request(TOKEN, b"{}").replace(b"Host: localhost\r\n", b""),
        request(TOKEN, b"{}").replace(b"Bearer", b"Basic"),
        request(TOKEN, b"{}").replace(b"application/json", b"application/json; charset=latin-1"),
        request("a" * 201, b"{}"),
        request("", b"{}"),
        request('a="b"', b"{}"),
        request(TOKEN, b"{}", "Connection: close"),
        request(TOKEN, b"{}", "Expect: 100-continue"),
        request(TOKEN, b"{}", "Transfer-Encoding: chunked"),
        request(TOKEN, b"{}", "Content-Encoding: gzip"),
        request(TOKEN, b"{}", "Content-Length: 2"),
        request(TOKEN, b"{}", "Cookie: device=x"),
        request(TOKEN, b"{}", "Upgrade: h2c"),
        request(TOKEN, b"{}", "X-Forwarded-Proto: https, http"),
        request(TOKEN, b"{}", "X_Odd: 1"),
        request(TOKEN, b"{}", "No colon"),
        request(TOKEN, b"{}", "Accept: a\x00b"),
        request(TOKEN, b"{}", "Accept: a", " folded"),
        request(TOKEN, b"{}", "Accept: " + "a" * 5000),
        request(TOKEN, b"{}").replace(b"\r\n", b"\n"),
        request(TOKEN, b"{}").replace(b"Content-Length: 2", b"Content-Length: +2"),
        request(TOKEN, b"{}").replace(b"Content-Length: 2", b"Content-Length: \xb2"),
        request(TOKEN, b"{}").replace(b"Content-Length: 2\r\n", b""),
        request(TOKEN, b" " * (4 * 1024 * 1024 + 1)),
    ],
)
def test_anything_else_is_left_to_the_ordinary_way(data: bytes) -> None:
    assert Parcel.of(data) is None


# ---- what it answers


@pytest.fixture(scope="module")
def settings(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    return make_field(tmp_path_factory.mktemp("express") / "instance")


@pytest.fixture(scope="module")
def server(settings: Settings) -> Iterator[Running]:
    with serving(settings) as running:
        yield running


class Line:
    """One connection, its answers read whole."""

    def __init__(self, server: Running, tls: bool = False) -> None:
        raw = socket.create_connection(("127.0.0.1", int(server.url.rpartition(":")[2])), timeout=30)
        self.socket = ssl._create_unverified_context().wrap_socket(raw) if tls else raw
        self.got = b""

    def ask(self, data: bytes) -> tuple[list[str], bytes]:
        self.socket.sendall(data)
        return self.answer()

    def answer(self) -> tuple[list[str], bytes]:
        while b"\r\n\r\n" not in self.got:
            self._more()
        head, _, self.got = self.got.partition(b"\r\n\r\n")
        lines = head.decode("ascii").split("\r\n")
        length = int(next(line for line in lines if line.startswith("Content-Length: "))[16:])
        while len(self.got) < length:
            self._more()
        content, self.got = self.got[:length], self.got[length:]
        return lines, content

    def _more(self) -> None:
        part = self.socket.recv(65536)
        assert part, "the connection ended"
        self.got += part


def went_the_short_way(lines: list[str]) -> bool:
    """Its length stands before its type, as in no answer of the ordinary way."""
    names = [line.partition(":")[0] for line in lines]
    return names.index("Content-Length") < names.index("Content-Type")


def comparable(answer: tuple[list[str], bytes]) -> tuple[set[str], Any]:
    lines, content = answer
    told = json.loads(content)
    assert content.endswith(b"\n")
    for changing in ("server_time", "ledger"):
        assert told.pop(changing)
    for result in told["results"]:
        result.pop("uuid")
    return {line for line in lines if not line.startswith(("Date: ", "Content-Length: "))}, told


@pytest.mark.parametrize("tls", [False, True], ids=["http", "https"])
def test_both_ways_give_the_same_answer(settings: Settings, tls: bool, tmp_path: Path) -> None:
    options = ("--certificate", str(TLS / "localhost.pem"), "--key", str(TLS / "localhost.key")) if tls else ()
    settings = make_field(tmp_path / "instance")
    with serving(settings, *options) as server:
        _, token = enrol(settings)
        line, one, ill = Line(server, tls), response(FORM, 1), response(FORM, 2)
        del ill["answers"]["II.A1"]
        ordinary = line.ask(request(token, body(response(FORM, 3), ill, {"uuid": "none"}), "Cookie: other=1"))
        _, token = enrol(settings)
        short = line.ask(
            request(token, body(one | {"seq": 3}, ill | {"uuid": one["uuid"][:-1] + "0"}, {"uuid": "none"}))
        )
        again = line.ask(request(token, body(one | {"seq": 3})))
    assert not went_the_short_way(ordinary[0]) and went_the_short_way(short[0])
    assert comparable(short)[0] == comparable(ordinary)[0]
    assert comparable(short)[1] == comparable(ordinary)[1]
    assert comparable(short)[1]["missing"] == [[1, 1]]
    assert [result["fate"] for result in json.loads(again[1])["results"]] == ["already_stored"]
    assert ("Strict-Transport-Security: max-age=31536000" in short[0]) is tls
    log = server.log.read_text(encoding="utf-8")
    assert log.count("POST /api/v1/responses 200") == 3 and token not in log and "Traceback" not in log
    assert verify(settings) == ()


def test_what_the_short_way_does_not_take_is_answered_on_the_same_line(server: Running, settings: Settings) -> None:
    _, token = enrol(settings)
    line, good = Line(server), request(token, body())
    assert line.ask(good)[0][0].endswith("200 OK")
    for refused, status in [
        (request("b" * 43, body()), 401),
        (request(token, b"{"), 400),
        (request(token, b"[" * 5000), 400),
        (request(token, body()[:-1] + b', "more": 1}'), 400),
        (request(token, body(), "Content-Encoding: gzip"), 415),
        (request(token, body(), route="/api/v1/none"), 404),
    ]:
        lines, _ = line.ask(refused)
        assert lines[0].split()[1] == str(status), lines
        answer = line.ask(good)
        assert answer[0][0].endswith("200 OK") and went_the_short_way(answer[0])


def test_requests_sent_in_pieces_or_all_at_once_are_each_answered(server: Running, settings: Settings) -> None:
    _, token = enrol(settings)
    line = Line(server)
    line.ask(request(token, body()))
    several = [request(token, body(response(FORM, seq))) for seq in (1, 2, 3)]
    line.socket.sendall(b"".join(several))
    assert [json.loads(line.answer()[1])["results"][0]["fate"] for _ in several] == ["stored"] * 3
    line.socket.sendall(several[0][:100])
    line.socket.sendall(several[0][100:])
    assert json.loads(line.answer()[1])["results"][0]["fate"] == "already_stored"


def test_a_revoked_device_is_told_so(server: Running, settings: Settings) -> None:
    device, token = enrol(settings)
    line = Line(server)
    line.ask(request(token, body()))
    with Store.open(settings) as store:
        store.revoke_device(device)
    lines, content = line.ask(request(token, body(response(FORM, 1))))
    assert lines[0].split()[1] == "401" and b"revoked" in content


def test_a_client_that_reads_late_gets_everything_from_a_thread() -> None:
    left, right = socket.socketpair()
    right.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    answer, finished = bytes(range(256)) * 4096, SimpleQueue[tuple[Any, Future[bool]]]()
    worker = Worker.__new__(Worker)
    worker.method_queue = Calls()
    worker.method_queue.init()
    worker.finish_request = lambda conn, future: finished.put((conn, future))
    with left, Patient(fileno=right.detach()) as late, ThreadPoolExecutor(1) as worker.tpool:
        late.setblocking(False)
        conn = SimpleNamespace(sock=late)
        worker._send(conn, answer)
        got = b""
        while len(got) < len(answer):
            got += left.recv(1 << 16)
        while finished.empty():
            select.select([worker.method_queue.fileno()], [], [])
            worker.method_queue.run_callbacks(None)
        assert got == answer
        told, future = finished.get()
        assert told is conn and future.result() is True
    worker.method_queue.close()


def test_a_loop_that_has_ended_is_not_called_any_more(tmp_path: Path) -> None:
    calls = Calls()
    calls.init()
    number = calls._write_fd
    calls.close()
    with (tmp_path / "another").open("wb") as stream:
        os.dup2(stream.fileno(), number)
        calls.defer(print)
        os.close(number)
    assert (tmp_path / "another").read_bytes() == b""


def test_a_limit_or_a_store_in_trouble_is_left_to_the_ordinary_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = make_field(tmp_path / "instance")
    _, token = enrol(settings)
    told: SimpleQueue[bytes | None] = SimpleQueue()
    with Writer(settings) as writer:
        provided = Services(settings, writer)
        express = Express(provided)

        def send(content: bytes) -> Any:
            parcel = Parcel.of(request(token, content))
            assert parcel is not None
            express.send(parcel, told.put)
            return told.get(timeout=30)

        assert json.loads(send(body(response(FORM, 1))))["results"][0]["fate"] == "stored"
        monkeypatch.setattr(provided.limit, "spend", lambda device, cost: 3)
        assert send(body(response(FORM, 2))) is None
        monkeypatch.undo()
        settings.store_path.rename(tmp_path / "moved")
        assert send(body(response(FORM, 3))) is None
        (tmp_path / "moved").rename(settings.store_path)
        assert json.loads(send(body(response(FORM, 4))))["missing"] == [[2, 3]]
    with Store.open(settings, write=False) as store:
        assert [one.seq for one in store.responses(WAVE)] == [1, 4]
