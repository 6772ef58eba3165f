"""Routes and roles against the matrix in tests/security/routes.toml; what a GET writes; whose word counts."""

import re
import sqlite3
import tomllib
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from benchmarks.fuzz import make_ground
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import enrol, sending
from tests.test_headers import check as check_headers

MATRIX: dict[str, dict[str, dict[str, int]]] = tomllib.loads(
    (Path(__file__).parent / "security" / "routes.toml").read_text(encoding="utf-8")
)
ARGUMENTS = {
    "id": "counter", "version": "1", "filename": "tokens.css", "wave": "w1", "name": "report.html",
    "pack": "vi-placeholder", "file": "message.next.mp3",
}  # fmt: skip
METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE")
ROLES = (
    "nobody", "cookie", "bearer", "village_cookie", "village_bearer", "revoked_cookie", "revoked_bearer",
    "unknown_cookie", "unknown_bearer",
)  # fmt: skip


@dataclass(frozen=True)
class World:
    app: Flask
    settings: Settings
    tokens: dict[str, str]

    def ask(self, role: str, method: str, rule: str) -> Any:
        """One request of a role to a route, with a body that its devices might send."""
        client, headers = self.app.test_client(), {}
        if role.endswith("_cookie") or role == "cookie":
            client.set_cookie("device", self.tokens[role.removesuffix("cookie").removesuffix("_") or "device"])
        elif role != "nobody":
            token = self.tokens[role.removesuffix("bearer").removesuffix("_") or "device"]
            headers["Authorization"] = f"Bearer {token}"
        body: dict[str, Any] = {}
        if method not in ("GET", "HEAD", "OPTIONS", "TRACE"):
            body = {"json": _json(rule)} if rule.startswith("/api/") else {"data": {"code": "AAAA-BBBB-CCCC-DDDD"}}
        return client.open(path_of(rule), method=method, headers=headers, **body)


def _json(rule: str) -> Any:
    if rule.endswith("/responses"):
        return sending()
    return {"pin": "402958"} if rule.endswith("/pin") else {"code": "AAAA-BBBB-CCCC-DDDD"}


def path_of(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", lambda found: ARGUMENTS[found[1]], rule)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    settings = make_ground(tmp_path_factory.mktemp("routes") / "instance")
    device, revoked = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    tokens = {
        "device": enrol(settings)[1],
        "village": enrol(settings, purpose="sample")[1],
        "revoked": revoked,
        "unknown": "x" * 43,
    }
    with Writer(settings) as writer:
        yield World(create_app(settings, writer=writer, development_http=True), settings, tokens)


def rules(app: Flask) -> set[str]:
    return {rule.rule for rule in app.url_map.iter_rules()}


def test_row_1_every_route_has_its_line_and_every_line_its_route(world: World) -> None:
    assert rules(world.app) == set(MATRIX)
    for rule, methods in MATRIX.items():
        for roles in methods.values():
            assert set(roles) <= {*ROLES, "others"} and "others" in roles, rule


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("rule", sorted(MATRIX))
def test_row_1_each_role_gets_what_the_matrix_says(world: World, rule: str, role: str) -> None:
    for method in METHODS:
        row = MATRIX[rule].get("GET" if method == "HEAD" else method)
        wanted = row.get(role, row["others"]) if row else 200 if method == "OPTIONS" else 405
        answer = world.ask(role, method, rule)
        assert answer.status_code == wanted, f"{method} {rule} as {role}"
        if wanted == 405:
            assert set(answer.headers["Allow"].replace(" ", "").split(",")) - {"HEAD", "OPTIONS"} == set(MATRIX[rule])


@pytest.mark.parametrize("role", ROLES)
def test_rows_8_and_9_every_answer_to_every_role_is_guarded(world: World, role: str) -> None:
    for rule in MATRIX:
        for method in METHODS:
            answer = world.ask(role, method, rule)
            check_headers(answer)
            if not rule.startswith("/static/"):
                assert answer.headers["Cache-Control"] == "no-store"
            if rule.startswith("/demo/reports/") and answer.status_code == 200 and method != "OPTIONS":
                assert answer.headers["Content-Disposition"].startswith("attachment")


def dump(settings: Settings) -> list[str]:
    """Everything in the store, and what the instance says of it."""
    with closing(sqlite3.connect(f"{settings.store_path.as_uri()}?mode=ro", uri=True)) as connection:
        return [*connection.iterdump(), settings.heads_log.read_text(encoding="ascii")]


def test_row_11_no_get_writes_anything(world: World) -> None:
    before = dump(world.settings)
    for role in ROLES:
        for rule in MATRIX:
            for method in ("GET", "HEAD", "OPTIONS"):
                world.ask(role, method, rule)
    assert dump(world.settings) == before


def test_row_11_the_comparison_sees_what_a_post_writes(world: World) -> None:
    before = dump(world.settings)
    world.ask("bearer", "POST", "/api/v1/responses")
    assert dump(world.settings) != before, "the sign of life is noted"


UNSAFE = [(rule, method) for rule, row in MATRIX.items() for method in row if method != "GET"]
PAGES = [pair for pair in UNSAFE if not pair[0].startswith("/api/")]


def test_row_11_there_are_such_pages() -> None:
    assert ("/survey", "POST") in PAGES and ("/enrol", "POST") in PAGES


FOREIGN = [
    {"Sec-Fetch-Site": "cross-site"},
    {"Sec-Fetch-Site": "same-site"},
    {"Sec-Fetch-Site": "cross-site", "Origin": "http://localhost"},
    {"Origin": "https://evil.example"},
    {"Origin": "null"},
]


@pytest.mark.parametrize("headers", FOREIGN, ids=str)
@pytest.mark.parametrize(("rule", "method"), PAGES)
def test_row_11_a_form_from_another_site_is_refused_in_plain_words(
    world: World, rule: str, method: str, headers: dict[str, str]
) -> None:
    client = world.app.test_client()
    client.set_cookie("device", world.tokens["device"])
    answer = client.open(rule, method=method, headers=headers, data={"go": "next"})
    assert (answer.status_code, answer.mimetype) == (403, "text/html")
    assert "Biểu mẫu được gửi từ nơi khác." in answer.text and "The form was sent from another site." in answer.text
    check_headers(answer)


@pytest.mark.parametrize("rule", [rule for rule in sorted(MATRIX) if rule.startswith("/api/")])
def test_row_11_the_api_takes_bearer_tokens_only(world: World, rule: str) -> None:
    """A cookie changes nothing there: what a page of another site could make a browser send is worth nothing."""
    for method in MATRIX[rule]:
        assert world.ask("cookie", method, rule).data == world.ask("nobody", method, rule).data


def test_row_19_a_token_of_the_api_opens_no_page(world: World) -> None:
    for rule, method in [("/", "GET"), *PAGES]:
        assert world.ask("bearer", method, rule).status_code == world.ask("nobody", method, rule).status_code


# ---- row 26: no path from a user

WAYS_OUT = (
    "../secret.key", "..%2fsecret.key", "..%2f..%2fsecret.key", "%2e%2e/%2e%2e/secret.key", "....//secret.key", "..\\secret.key",
    "..%5csecret.key", "%2fetc%2fpasswd", "//etc/passwd", "/etc/passwd", "%00", "report.html%00", "report.html%00.svg", "report.html/",
    "report.html%0a", "./report.html/../../../secret.key", "%c0%ae%c0%ae/secret.key", "..;/secret.key", "~root", "file:///etc/passwd",
    "C:%5cWindows", "con", "report.html?", "%252e%252e%252fsecret.key", "a" * 5000, "%f0%9d%95%8a", "*", ".", "..", "",
)  # fmt: skip


@pytest.mark.parametrize("way", WAYS_OUT, ids=lambda way: way[:30] or "nothing")
@pytest.mark.parametrize(
    ("rule", "argument"), [(rule, name) for rule in MATRIX for name in re.findall(r"<(?:\w+:)?(\w+)>", rule)]
)
def test_row_26_no_argument_is_a_way_out(world: World, rule: str, argument: str, way: str) -> None:
    (world.settings.reports / "secret.key").write_text("SECRET", encoding="utf-8")
    own = (world.settings.instance / "secret.key").read_text(encoding="ascii").strip()
    path = re.sub(rf"<(?:\w+:)?{argument}>", lambda _: way, rule)
    client = world.app.test_client()
    answer = client.get(path_of(path), headers={"Authorization": f"Bearer {world.tokens['device']}"})
    assert answer.status_code < 500
    assert own not in answer.text and "SECRET" not in answer.text and "root:" not in answer.text
    harmless = path_of(path).partition("?")[0] == path_of(rule)
    assert (answer.status_code == 200) is harmless, path


def test_row_26_a_link_in_the_reports_leads_nowhere_else(world: World) -> None:
    """Links are the host's own doing, but even so only names of a report's files are handed out."""
    (world.settings.reports / "w1" / "secret.key").symlink_to(world.settings.instance / "secret.key")
    assert client_of(world).get("/demo/reports/w1/secret.key").status_code == 404


def client_of(world: World) -> FlaskClient:
    return world.app.test_client()
