"""Requests a little or very wrong, made from right ones by a seeded chance: the same seed, the same requests.

`Mutant`, `Base`, `mutants`. A mutant is a whole request with its framing, fit to be sent as bytes through a socket or
to be put to a WSGI application. Every route comes in turn; some requests stay right, so that the store has work too.
"""

import copy
import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal
from urllib.parse import quote_from_bytes, urlencode

Framing = Literal["length", "chunked", "short", "broken"]
Pairs = list[tuple[str, str]]

STRANGE: list[Any] = [
    None, True, False, 0, -1, -4, 1.5, 1e308, 2**31, 2**63, 2**64, 10**40, 10**400, "", "\x00", "\ud800", "\udfff\ud800",
    "a" * 5000, "𝕊", "ễ", "e\u0302\u0303", "e" + "\u0301" * 400, "\u202eabc", "\ufeff", "\x1b[31m", "'; DROP TABLE response; --",
    "../../secret.key", "=1+1", "{{ 7 * 7 }}", "<script>alert(1)</script>", "%s%n", "2026-02-30T00:00:00Z", "2016-11-24T08:00:00Z",
    "2036-11-24T08:00:00Z", "9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00", [], [[]], [None], [1, 1], [2**63],
    {}, {"": 0}, {"\x00": 1}, {"a": {"b": {"c": []}}},
]  # fmt: skip
TYPES = (
    "application/json", "application/json; charset=utf-8", "application/json; charset=utf-16", "application/json;charset",
    "application/x-www-form-urlencoded", "application/x-www-form-urlencoded; charset=latin-1", "multipart/form-data",
    "multipart/form-data; boundary=x", "multipart/form-data; boundary=" + "b" * 300, "text/plain", "text/xml", "*/*", "",
    "application/problem+json", "APPLICATION/JSON", "\xff\xfe", "application/x-protobuf",
)  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PROPFIND", "get", "A" * 60)
SEGMENTS = (
    b"..", b"%2e%2e", b"..%2f..%2fsecret.key", b"%00", b"a%00b", b"%ff%fe", b"%c3%28", b"%", b"%zz", b"", b".", b";a=b", b"\xff",
    b"a" * 3000, b"%2fetc%2fpasswd", b"C:%5cboot.ini", b"%e1%bb%85", b"%f0%9d%95%8a", b"%0d%0aX-A:%20b", b"{}", b"<x>", b"1", b"counter",
)  # fmt: skip
WORDS = ("vi", "en", "1", "0", "3", "-1", "\x00", "\ud800", "ễ", "a" * 3000, "<script>", "../", "9" * 40, "", "next", "send", "back",
         "stop", "leave", "start.vi", "start.xx", "enter", "language.en", "size.9", "slow.1", "II.A1", "-3", "-2", "2", "4")  # fmt: skip
HEADERS: Pairs = [
    ("Host", "evil.example"), ("Host", ""), ("Host", "[::1"), ("Host", "a\xffb"), ("Host", "localhost:99999"),
    ("Content-Encoding", "gzip"), ("Content-Encoding", "br, identity"), ("Accept-Language", "en-GB, vi;q=x"),
    ("Accept-Language", "," * 2000), ("Accept-Language", "vi;q=-1"), ("Origin", "null"), ("Origin", "https://evil.example"),
    ("Sec-Fetch-Site", "cross-site"), ("Sec-Fetch-Site", "\xff"), ("X-Forwarded-For", "1.2.3.4, 5.6.7.8"),
    ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "evil.example"), ("X-Forwarded-Prefix", "/x"), ("X-HTTP-Method-Override", "DELETE"),
    ("Range", "bytes=0-99999999999999"), ("Range", "bytes=-1,5-2"), ("If-Modified-Since", "yesterday"), ("If-None-Match", '"' + "a" * 99),
    ("If-Range", "\xff"), ("Expect", "100-continue"), ("Accept", "x" * 4000), ("Cookie", "device=; device=a; =;;"), ("Cookie", "\xff=\xff"),
    ("Cookie", 'device="\\012\\000"'), ("Cookie", "__Host-device=x"), ("Authorization", "Bearer"), ("Authorization", "Basic eDp5"),
    ("Authorization", "Bearer " + "a" * 5000), ("Authorization", "Digest \xff=\xff"), ("Authorization", 'Bearer a="b'),
    ("User-Agent", "{{ 7 * 7 }}\xff"), ("Referer", "javascript:alert(1)"), ("Content-Type", "application/json"),
]  # fmt: skip


@dataclass(frozen=True)
class Base:
    """A right request. `payload` is a JSON value, or the fields of a form; `path` is percent-encoded."""

    route: str
    method: str
    path: str
    query: Pairs = field(default_factory=list)
    headers: Pairs = field(default_factory=list)
    json: Any = None
    form: Pairs | None = None


@dataclass(frozen=True)
class Mutant:
    """A request as it goes out. `target` is the path alone; texts are latin-1."""

    route: str
    method: str
    target: bytes
    query: bytes
    headers: Pairs
    body: bytes
    framing: Framing = "length"

    def raw(self, chance: random.Random) -> bytes:
        """All of it, framed."""
        line = (
            self.method.encode("latin-1")
            + b" "
            + self.target
            + (b"?" + self.query if self.query else b"")
            + b" HTTP/1.1\r\n"
        )
        names = {name.lower() for name, _ in self.headers}
        pairs = [*self.headers, *([] if "host" in names else [("Host", "localhost")]), ("Connection", "close")]
        head = line + b"".join(f"{name}: {value}\r\n".encode("latin-1") for name, value in pairs)
        if self.framing == "chunked":
            return head + b"Transfer-Encoding: chunked\r\n\r\n" + chunked(self.body, chance)
        if self.framing == "broken":
            return broken(head, self.body, chance)
        more = chance.randint(1, 1000) if self.framing == "short" else 0
        sized = f"Content-Length: {len(self.body) + more}\r\n".encode() if self.body or more else b""
        return head + sized + b"\r\n" + self.body


def chunked(body: bytes, chance: random.Random) -> bytes:
    sent = b""
    while body:
        size = chance.randint(1, max(1, len(body)))
        sent += f"{size:x}\r\n".encode() + body[:size] + b"\r\n"
        body = body[size:]
    return sent + b"0\r\n\r\n"


def broken(head: bytes, body: bytes, chance: random.Random) -> bytes:
    """Framing no server should make sense of."""
    size = str(len(body)).encode()
    return chance.choice(
        [
            head + b"Content-Length: -1\r\n\r\n" + body,
            head + b"Content-Length: 1e3\r\n\r\n" + body,
            head + b"Content-Length: " + size + b"\r\nContent-Length: 0\r\n\r\n" + body,
            head + b"Content-Length: " + size + b"\r\nTransfer-Encoding: chunked\r\n\r\n" + body,
            head + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n" + body,
            head + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n" + body + b"\r\n0\r\n\r\n",
            head + b"Transfer-Encoding: chunked\r\n\r\n-5\r\n" + body,
            head + b"Transfer-Encoding: gzip, chunked\r\n\r\n" + body,
            head + b"Transfer-Encoding: identity\r\n\r\n" + body,
            head.replace(b"HTTP/1.1", b"HTTP/9.9") + b"\r\n" + body,
            head.replace(b"\r\n", b"\n") + b"\n" + body,
            head.replace(b": ", b" ") + b"\r\n",
            head + b" folded: line\r\n\r\n",
            head + b"X" * 9000 + b": y\r\n\r\n",
            head + b"X: " + b"y" * 9000 + b"\r\n\r\n",
            head + b"X: a\x00b\r\n\r\n",
            b"\r\n\r\n" + head + b"\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            bytes(chance.randrange(256) for _ in range(200)) + b"\r\n\r\n",
            head[: chance.randrange(len(head))],
        ]
    )


def mutants(bases: Sequence[Base], count: int, seed: int, *, framed: bool = False) -> Iterator[Mutant]:
    """`count` requests, the bases in turn; `framed`: some with a framing that only a socket can carry."""
    chance = random.Random(seed)
    for number in range(count):
        yield _mutant(bases[number % len(bases)], chance, framed)


def _mutant(base: Base, chance: random.Random, framed: bool) -> Mutant:
    base = replace(
        base, query=list(base.query), headers=list(base.headers), form=None if base.form is None else list(base.form)
    )
    body, kind = _body(base, chance)
    target, method = base.path.encode("ascii"), base.method
    headers = [*base.headers, *([("Content-Type", kind)] if kind else [])]
    framing: Framing = "length"
    if chance.random() < 0.15:
        method = chance.choice(METHODS)
    if chance.random() < 0.15:
        target = _path(target, chance)
    if chance.random() < 0.3:
        headers = _headers(headers, chance)
    if chance.random() < 0.15:
        base.query.extend((chance.choice(WORDS[:6]), chance.choice(WORDS)) for _ in range(chance.randint(1, 3)))
    query = urlencode(base.query, errors="surrogatepass").encode("ascii")
    if chance.random() < 0.05:
        query += chance.choice(
            [b"&%00", b"&=", b"&&&", b"&a=%ff", b"%zz", b"&\xff=1", b"&" + b"q" * 4000, b"&size=1" * 900]
        )
    if framed and chance.random() < 0.3:
        framing = chance.choice(["chunked", "short", "broken", "broken"])
    return Mutant(base.route, method, target, query, headers, body, framing)


def _body(base: Base, chance: random.Random) -> tuple[bytes, str]:
    if base.json is not None:
        value = mutated(base.json, chance) if chance.random() < 0.7 else base.json
        return _encoded(json.dumps(value, ensure_ascii=chance.random() < 0.5), chance), "application/json"
    if base.form is not None:
        pairs = _form(base.form, chance) if chance.random() < 0.7 else base.form
        if chance.random() < 0.1:
            return _multipart(pairs, chance), "multipart/form-data; boundary=xyz"
        return _encoded(urlencode(pairs, errors="surrogatepass"), chance), "application/x-www-form-urlencoded"
    return (b"{}", "application/json") if chance.random() < 0.05 else (b"", "")


def _encoded(text: str, chance: random.Random) -> bytes:
    """Mostly UTF-8; else another encoding, cut, nested, or with something put in."""
    plain = text.encode("utf-8", "surrogatepass")
    if chance.random() < 0.8:
        return plain
    at = chance.randrange(len(plain) + 1)
    extra = chance.choice(
        [b"", b'"', b"\\", b"}", b"\x00", b"NaN", b"\xff", b"1e999", b"[" * 3000, b'{"a":' * 3000, b"9" * 5000, b"&"]
    )
    return chance.choice(
        [
            text.encode("utf-16", "surrogatepass"),
            text.encode("latin-1", "replace"),
            b"\xef\xbb\xbf" + plain,
            plain[:at],
            plain[:at] + extra + plain[at:],
            plain + plain,
            b"",
            bytes(chance.randrange(256) for _ in range(chance.randrange(400))),
            b" " * 100_000,
        ]
    )


def _places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from _places(one, (*path, key))


def mutated(body: Any, chance: random.Random) -> Any:
    """The JSON value with one to three places replaced, removed, renamed or added to."""
    body = copy.deepcopy(body)
    for _ in range(chance.randint(1, 3)):
        path = chance.choice(list(_places(body)))
        if not path:
            return copy.deepcopy(chance.choice(STRANGE))
        parent = body
        for key in path[:-1]:
            parent = parent[key]
        act = chance.choice(["replace", "replace", "remove", "add"])
        if act == "replace":
            parent[path[-1]] = copy.deepcopy(chance.choice(STRANGE))
        elif act == "remove":
            del parent[path[-1]]
        elif isinstance(parent, dict):
            parent[chance.choice(["x", "\x00", "ễ", "centre", "a" * 300])] = copy.deepcopy(chance.choice(STRANGE))
        else:
            parent.append(copy.deepcopy(chance.choice(STRANGE)))
    return body


def _form(pairs: Pairs, chance: random.Random) -> Pairs:
    """The fields with one to three of them replaced, removed, doubled, or hundreds added."""
    pairs = list(pairs)
    for _ in range(chance.randint(1, 3)):
        at = chance.randrange(len(pairs)) if pairs else None
        act = chance.choice(["replace", "replace", "name", "remove", "double", "many"])
        strange = chance.choice([*WORDS, *(one for one in STRANGE if isinstance(one, str))])
        if at is None or act == "many":
            pairs += [
                (f"{chance.choice(['d-X', 'a-', 'x', ''])}{number}", strange[:50])
                for number in range(chance.choice([1, 30, 600]))
            ]
        elif act == "replace":
            pairs[at] = (pairs[at][0], strange)
        elif act == "name":
            pairs[at] = (strange, pairs[at][1])
        elif act == "remove":
            del pairs[at]
        else:
            pairs.insert(at, (pairs[at][0], strange))
    return pairs


def _multipart(pairs: Pairs, chance: random.Random) -> bytes:
    parts = b""
    for name, value in pairs:
        kind = b'; filename="../../x.html"' if chance.random() < 0.05 else b""
        parts += b'--xyz\r\nContent-Disposition: form-data; name="' + name.encode("utf-8", "replace") + b'"' + kind
        parts += b"\r\n\r\n" + value.encode("utf-8", "replace") + b"\r\n"
    return parts + chance.choice([b"--xyz--\r\n", b"--xyz", b""])


def _path(target: bytes, chance: random.Random) -> bytes:
    segments = target.split(b"/")
    strange = chance.choice(SEGMENTS)
    act = chance.choice(["replace", "append", "double", "case", "whole"])
    if act == "replace":
        segments[chance.randrange(1, len(segments))] = strange
    elif act == "append":
        segments.append(strange)
    elif act == "double":
        return b"/" + target
    elif act == "case":
        return target.upper()
    else:
        return b"/" + quote_from_bytes(bytes(chance.randrange(256) for _ in range(chance.randrange(30)))).encode(
            "ascii"
        )
    return b"/".join(segments).replace(b" ", b"%20")


def _headers(headers: Pairs, chance: random.Random) -> Pairs:
    """Some left out, some strange ones put in; a name that is there already may come twice."""
    headers = [pair for pair in headers if chance.random() < 0.8]
    for _ in range(chance.randint(1, 3)):
        headers.append(chance.choice(HEADERS) if chance.random() < 0.8 else ("Content-Type", chance.choice(TYPES)))
    return headers
