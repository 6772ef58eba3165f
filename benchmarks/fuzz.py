"""Mutated requests against every route of a running server: what it answers, and whether its store stays whole.

    python -m benchmarks.fuzz [--requests 3000] [--seed 1]

Starts `sipas serve` on an instance of its own and sends the requests through a socket, some with a framing that no
library would send. Prints how often each route answered with each status; exit code 1 when something is wrong. The
same seed makes the same requests, but for tokens and times.
"""

import argparse
import json
import random
import socket
import sys
import tempfile
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from io import BytesIO
from pathlib import Path
from typing import Any
from urllib.parse import unquote_to_bytes

from flask import Flask

from benchmarks.mutants import Base, Mutant, Pairs, mutants
from survey_app.questionnaire import check
from survey_app.response import parse_response
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.verification import verify
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.kiosk_pages import RECEIVED, Tablet
from tests.served import WAVE, counter, enrol, make_field, response, sending, serving
from tests.villages import WAVE as SAMPLE
from tests.villages import Interviewer, household_form, plan_sample

FORM = counter()
FORMS = {WAVE: FORM, SAMPLE: household_form()}
PAGES_OF_ANOTHER_ROUTE = 3
ARGUMENTS = {"id": "counter", "version": "1", "filename": "tokens.css", "wave": "w1", "name": "report.html"}
REPORT = "<!doctype html><title>SIMULATED</title>"
SOCKET_SECONDS = 20
SAFE = {"x-content-type-options": "nosniff", "content-security-policy": "default-src 'none'"}
"""Of the headers that every answer carries, those that show best that none is missing."""


@dataclass(frozen=True)
class Answer:
    """Status 0: the connection was closed without a word; -1: it stayed open, without an answer or with half of one."""

    status: int
    headers: dict[str, str]
    body: bytes


@dataclass
class Findings:
    """Counts by route and status, and everything that is not as it must be."""

    counts: Counter[tuple[str, int]] = field(default_factory=Counter)
    wrong: list[str] = field(default_factory=list)
    stored: set[str] = field(default_factory=set)
    pages: int = 0

    def judge(self, mutant: Mutant, answer: Answer) -> None:
        self.counts[mutant.route, answer.status] += 1
        if complaint := _complaint(mutant, answer):
            body = answer.body[:200] if answer.status >= 500 else b""
            self.wrong.append(
                f"{complaint}: {mutant.method} {mutant.target!r} {mutant.query[:80]!r} {mutant.headers}"
                f" {mutant.framing} {len(mutant.body)} bytes {body!r}"
            )
        if mutant.route == "/api/v1/responses" and answer.status == 200 and answer.body:
            self.stored |= {one["uuid"] for one in json.loads(answer.body)["results"] if one["fate"] == "stored"}
        elif answer.status == 303:
            self.pages += 1


def _complaint(mutant: Mutant, answer: Answer) -> str | None:
    if answer.status < 0:
        return "no answer in time"
    if answer.status == 0:
        return None if mutant.framing == "broken" or _refused_unread(mutant) else "no answer"
    meant = {"short": {503}, "broken": {501, 503}}.get(mutant.framing, set())
    if answer.status >= 500 and answer.status not in meant:
        return f"status {answer.status}"
    if b"Traceback" in answer.body or b"werkzeug" in answer.body.lower():
        return "a look inside"
    if not all(answer.headers.get(name, "").startswith(value) for name, value in SAFE.items()):
        return "no security headers"
    return None


def _refused_unread(mutant: Mutant) -> bool:
    """Its head cannot be read, and its body is so large that the refusal may be lost with the connection."""
    head = mutant.target.isascii() and mutant.method.isupper() and len(mutant.method) <= 20
    names = [name for name, _ in mutant.headers]
    size = max(len(name) + len(value) for name, value in [*mutant.headers, ("", "")])
    return (not head or size > 8000 or len(set(names)) < len(names)) and len(mutant.body) > 8192


def make_ground(path: Path) -> Settings:
    """An instance with open waves of both kinds and, as in a demo, a report to hand out."""
    settings = make_field(path)
    with Store.open(settings) as store:
        plan_sample(store)
    config = path / "config.toml"
    config.write_text(config.read_text(encoding="utf-8").replace("demo = false", "demo = true"), encoding="utf-8")
    (settings.reports / "w1").mkdir(parents=True)
    (settings.reports / "w1" / "report.html").write_text(REPORT, encoding="utf-8")
    return Settings.load(path)


def make_bases(settings: Settings) -> list[Base]:
    """Right requests for every route and method, as devices of both kinds, a withdrawn one, and nobody."""
    good, sampling = enrol(settings)[1], enrol(settings, purpose="sample")[1]
    device, withdrawn = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer, development_http=True)
        forms = {good: list(_visit(app, settings)), sampling: list(_interview(app, settings))}
        return [
            _as_device(base, token)
            for token in (good, good, sampling, sampling, good, withdrawn, "unknown")
            for rule in app.url_map.iter_rules()
            for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
            for base in _bases_of(rule.rule, method, forms.get(token, forms[good]))
        ]


def _visit(app: Flask, settings: Settings) -> Iterator[tuple[str, Pairs]]:
    """What a browser sends from each page of a citizen's visit, and to which route."""
    client = app.test_client()
    client.set_cookie("device", enrol(settings)[1])
    tablet = Tablet(client)
    tablet.begin()
    yield from _walked(tablet)


def _interview(app: Flask, settings: Settings) -> Iterator[tuple[str, Pairs]]:
    """What a browser sends from each page of an interview, and of a household that is not interviewed."""
    client = app.test_client()
    client.set_cookie("device", enrol(settings, purpose="sample")[1])
    tablet = Interviewer(client)
    tablet.go_to("V1")
    for go in ("ask.refused", "record.refused", "ask.not_at_home", "record.not_at_home"):
        yield "/household", list(tablet.page.sends(go, {}).items(multi=True))
    tablet.tap("start.vi")
    yield from _walked(tablet)


def _walked(tablet: Tablet) -> Iterator[tuple[str, Pairs]]:
    while "send" not in tablet.page.buttons:
        sent = tablet.page.sends("next", tablet.answers_here(RECEIVED))
        yield "/survey", list(sent.items(multi=True))
        before = tablet.page.screen
        tablet.send(sent)
        if tablet.page.screen == before:
            raise RuntimeError(f"the visit does not get past {before}")
    sent = tablet.page.sends("send", {**tablet.answers_here(RECEIVED), "COMMENT": "Nhanh, gọn"})
    for _ in range(4):
        yield "/survey", list(sent.items(multi=True))


def _bases_of(rule: str, method: str, forms: Sequence[tuple[str, Pairs]]) -> Iterator[Base]:
    path = rule
    for name, value in ARGUMENTS.items():
        path = path.replace(f"<path:{name}>", value).replace(f"<{name}>", value)
    if rule == "/api/v1/responses":
        for count in (0, 1, 2, 3):
            yield Base(rule, method, path, json=sending(*(response(FORM, seq + 1) for seq in range(count))))
    elif rule == "/api/v1/enrol":
        yield Base(rule, method, path, json={"code": "ABCD-EFGH-IJKL-MNOP"})
    elif rule == "/enrol" and method == "POST":
        yield Base(rule, method, path, form=[("code", "ABCD-EFGH-IJKL-MNOP")])
    elif method != "GET":
        own = [pairs for route, pairs in forms if route == rule]
        yield from (Base(rule, method, path, form=pairs) for pairs in own)
        yield from (
            Base(rule, method, path, form=pairs) for route, pairs in forms[:PAGES_OF_ANOTHER_ROUTE] if route != rule
        )
    else:
        yield Base(rule, method, path, query=[("language", "vi"), ("size", "2")])


def _as_device(base: Base, token: str) -> Base:
    kind = ("Authorization", f"Bearer {token}") if base.path.startswith("/api/") else ("Cookie", f"device={token}")
    return replace(base, headers=[*base.headers, kind])


def fresh(bases: Sequence[Base], chance: random.Random) -> list[Base]:
    """The same requests as those of new visits and new responses, so that what is right is also new."""
    return [replace(base, json=_fresh_json(base.json, chance), form=_fresh_form(base.form, chance)) for base in bases]


def _uuid(chance: random.Random) -> str:
    return str(uuid.UUID(int=chance.getrandbits(128), version=4))


def _fresh_json(value: Any, chance: random.Random) -> Any:
    if not isinstance(value, dict) or "responses" not in value:
        return value
    first = chance.randrange(1, 1_000_000)
    responses = [one | {"uuid": _uuid(chance), "seq": first + place} for place, one in enumerate(value["responses"])]
    return value | {"responses": responses, "last_seq": first + len(responses)}


def _fresh_form(pairs: Pairs | None, chance: random.Random) -> Pairs | None:
    return pairs and [(name, _uuid(chance) if name == "uuid" else value) for name, value in pairs]


def requests(bases: Sequence[Base], count: int, seed: int, *, framed: bool = False) -> Iterator[Mutant]:
    """The requests of one run, every base in turn and new each time."""
    chance = random.Random(seed)
    left = count
    while left > 0:
        part = min(left, len(bases))
        yield from mutants(fresh(bases, chance), part, chance.getrandbits(32), framed=framed)
        left -= part


# ---- two ways to the application


def put(app: Callable[..., Any], mutant: Mutant) -> Answer:
    """Through WSGI, as gunicorn would hand the request on."""
    said: list[Any] = []
    environ: dict[str, Any] = {
        "REQUEST_METHOD": mutant.method,
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(mutant.target).decode("latin-1"),
        "QUERY_STRING": mutant.query.decode("latin-1"),
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "HTTP_HOST": "localhost",
        "CONTENT_LENGTH": str(len(mutant.body)),
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": "http",
        "wsgi.input": BytesIO(mutant.body),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": False,
        "wsgi.run_once": False,
    }
    seen: set[str] = set()
    for name, value in mutant.headers:
        key = name.upper().replace("-", "_")
        key = key if key in ("CONTENT_TYPE", "CONTENT_LENGTH") else f"HTTP_{key}"
        environ[key] = f"{environ[key]},{value}" if key in seen else value
        seen.add(key)
    body = app(environ, lambda status, headers, _=None: said.extend([status, headers]))
    try:
        whole = b"".join(body)
    finally:
        body.close()
    return Answer(int(said[0].split()[0]), {name.lower(): value for name, value in said[1]}, whole)


def send(port: int, raw: bytes) -> Answer:
    """Through a socket: everything at once, then nothing more."""
    got = b""
    with socket.create_connection(("127.0.0.1", port), timeout=SOCKET_SECONDS) as connection:
        try:
            connection.sendall(raw)
            connection.shutdown(socket.SHUT_WR)
            while piece := connection.recv(65536):
                got += piece
        except TimeoutError:
            return Answer(-1, {}, got)
        except OSError:
            pass  # it may refuse before it has read everything; what it said before that counts
    while got.startswith(b"HTTP/1.1 100 "):
        got = got.partition(b"\r\n\r\n")[2]
    head, _, body = got.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    if not got:
        return Answer(0, {}, b"")
    pairs = (line.partition(": ") for line in lines[1:])
    return Answer(int(lines[0].split()[1]), {name.lower(): value for name, _, value in pairs}, _unchunked(lines, body))


def _unchunked(lines: Sequence[str], body: bytes) -> bytes:
    if "Transfer-Encoding: chunked" not in lines:
        return body
    whole = b""
    while body:
        size, _, body = body.partition(b"\r\n")
        length = int(size, 16)
        whole, body = whole + body[:length], body[length + 2 :]
    return whole


# ---- what must hold afterwards


def examine(settings: Settings, findings: Findings) -> None:
    """The store verifies; it holds what was acknowledged, nothing else, and nothing its form does not allow."""
    findings.wrong += [f"verify: {problem}" for problem in verify(settings)]
    with Store.open(settings, write=False) as store:
        kept = {uuid: mode for wave in FORMS for uuid, mode in _kept(store, wave, findings)}
        count = sum(store.head(wave).count for wave in FORMS)
    if count != len(kept):
        findings.wrong.append(f"the heads count {count} responses of {len(kept)}")
    if lost := findings.stored - kept.keys():
        findings.wrong.append(f"acknowledged and not stored: {sorted(lost)}")
    others = [mode for one, mode in kept.items() if one not in findings.stored]
    if set(others) - {"page", "assisted"} or len(others) > findings.pages:
        findings.wrong.append(f"stored and not acknowledged: {Counter(others)} after {findings.pages} pages")


def _kept(store: Store, wave: str, findings: Findings) -> Iterator[tuple[str, str]]:
    """uuid and mode of every response; what its form does not allow is found."""
    fields = frozenset(one.code for one in store.fields())
    for row in store.ledger_rows(wave):
        content = json.loads(row.content)
        content["answers"] |= store.raw_comments(int(str(row.values["number"])))
        if content["disposition"] == "complete":
            problems = check(FORMS[wave], parse_response(content), fields).problems
            findings.wrong += [f"stored, though {problem.item}:{problem.code}" for problem in problems]
        yield content["uuid"], content["mode"]


def fuzz(settings: Settings, count: int, seed: int) -> Findings:
    """Against a running server; its log is part of what must be clean."""
    findings = Findings()
    bases = make_bases(settings)
    chance = random.Random(seed)
    with serving(settings) as server:
        port = int(server.url.rpartition(":")[2])
        for mutant in requests(bases, count, seed, framed=True):
            findings.judge(mutant, send(port, mutant.raw(chance)))
        findings.wrong += [] if server.stop() == 0 else ["the server did not stop as it should"]
    log = server.log.read_text(encoding="utf-8")
    secrets = {value.rpartition("=")[2].rpartition(" ")[2] for base in bases for _, value in base.headers} - {"unknown"}
    findings.wrong += [f"a token of ours in the log: {secret[:4]}…" for secret in secrets if secret in log]
    findings.wrong += [
        f"in the log: {word}" for word in ("Traceback", "failed on", "could not be handled") if word in log
    ]
    examine(settings, findings)
    return findings


def table(counts: Counter[tuple[str, int]]) -> str:
    statuses = sorted({status for _, status in counts})
    routes = sorted({route for route, _ in counts})
    width = max(map(len, routes))
    lines = ["route".ljust(width) + "".join(f"{status if status > 0 else 'closed':>8}" for status in statuses)]
    lines += [
        route.ljust(width) + "".join(f"{counts[route, status] or '':>8}" for status in statuses) for route in routes
    ]
    return "\n".join(
        [*lines, "all".ljust(width) + "".join(f"{sum(counts[r, s] for r in routes):>8}" for s in statuses)]
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=3000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        findings = fuzz(make_ground(Path(directory) / "instance"), options.requests, options.seed)
    print(table(findings.counts))
    print(
        f"{options.requests} requests, {len(findings.stored)} responses stored by the API, {len(findings.wrong)} things wrong"
    )
    print("\n".join(findings.wrong[:50]))
    return 1 if findings.wrong else 0


if __name__ == "__main__":
    sys.exit(main())
