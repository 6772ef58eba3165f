"""Every answer of every route carries the security headers, errors included; cookies and caches are as they must be."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.errors import PROBLEMS
from survey_app.web.security import FONTS_KEPT
from survey_app.writer import Writer
from tests.served import enrol, make_field

POLICY = {
    "default-src": "'none'",
    "script-src": "'self'",
    "connect-src": "'self'",
    "worker-src": "'self'",
    "manifest-src": "'self'",
    "media-src": "'self'",
    "style-src": "'self'",
    "img-src": "'self'",
    "font-src": "'self'",
    "form-action": "'self'",
    "base-uri": "'none'",
    "object-src": "'none'",
    "frame-ancestors": "'none'",
}


@pytest.fixture
def settings(tmp_path: Any) -> Settings:
    return make_field(tmp_path / "instance")


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    with Writer(settings) as writer:
        yield create_app(settings, writer=writer)


def check(answer: Any) -> None:
    policy = dict(part.strip().split(" ", 1) for part in answer.headers["Content-Security-Policy"].split(";"))
    assert policy == POLICY
    assert len(answer.headers.getlist("Content-Security-Policy")) == 1
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"
    camera = "camera=(self)" if answer.request.path == "/enrol" else "camera=()"
    assert camera in answer.headers["Permissions-Policy"].split(", ")
    assert len(answer.headers.getlist("Permissions-Policy")) == 1
    assert "Server" not in answer.headers


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Every route with every method, its variables filled with something that exists nowhere."""
    for rule in app.url_map.iter_rules():
        url = rule.rule
        for argument in rule.arguments:
            url = url.replace(f"<path:{argument}>", "x").replace(f"<{argument}>", "x")
        for method in sorted({"GET", "POST", "PUT", "DELETE", "HEAD", "OPTIONS"} | set(rule.methods or ())):
            yield method, url


@pytest.mark.parametrize("enrolled", [False, True])
def test_every_route_on_every_method(app: Flask, settings: Settings, enrolled: bool) -> None:
    client = app.test_client()
    token = enrol(settings)[1]
    if enrolled:
        client.set_cookie("__Host-device", token, domain="kiosk.example", secure=True)
    headers = {"Authorization": f"Bearer {token}"} if enrolled else {}
    for method, url in addresses(app):
        answer = client.open(url, method=method, headers=headers, base_url="https://kiosk.example")
        check(answer)
        assert answer.status_code < 500, f"{method} {url}"
        assert answer.headers["Strict-Transport-Security"].startswith("max-age=")
        if not url.startswith("/static/"):
            assert answer.headers["Cache-Control"] == "no-store", f"{method} {url}"


@pytest.mark.parametrize("path", ["/nowhere", "/api/v1/nowhere", "/static/nowhere.css", "/static/../secret.key"])
def test_what_is_not_there(app: Flask, path: str) -> None:
    answer = app.test_client().get(path)
    assert answer.status_code == 404
    check(answer)
    assert (answer.mimetype == "application/problem+json") is path.startswith("/api/")
    assert "Strict-Transport-Security" not in answer.headers


def test_an_unforeseen_failure_says_nothing_of_the_inside(settings: Settings, caplog: Any) -> None:
    with Writer(settings) as writer:
        app = create_app(settings, writer=writer)
        for rule in ("/broken", "/api/broken"):
            app.add_url_rule(rule, rule, lambda: 1 / 0)
        for path in ("/broken?token=secret", "/api/broken?token=secret"):
            answer = app.test_client().get(path)
            assert answer.status_code == 500
            check(answer)
            assert "ZeroDivision" not in answer.text
            assert "Traceback" not in answer.text
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


@pytest.mark.parametrize(
    ("failure", "status"),
    [(OSError(28, "No space left on device"), 507), (TimeoutError(), 503), (ZeroDivisionError(), 500)],
    ids=lambda value: type(value).__name__,
)
def test_a_failing_store_is_told_apart(settings: Settings, failure: Exception, status: int) -> None:
    token = enrol(settings)[1]

    def fail() -> None:
        raise failure

    with Writer(settings) as writer:
        app = create_app(settings, writer=writer)
        app.add_url_rule("/api/failing", "failing", fail)
        answer = app.test_client().get("/api/failing", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == answer.json["status"] == status
    assert ("Retry-After" in answer.headers) is (status != 500)


def test_a_store_that_is_gone_is_unavailable(app: Flask, settings: Settings) -> None:
    settings.store_path.unlink()
    answer = app.test_client().get("/healthz")
    assert (answer.status_code, answer.json["type"]) == (503, "urn:sipas:problem:unavailable")


def test_a_revoked_device_gets_a_page_for_people(app: Flask, settings: Settings) -> None:
    device, token = enrol(settings)
    with Store.open(settings) as store:
        store.revoke_device(device)
    client = app.test_client()
    client.set_cookie("__Host-device", token, domain="localhost", secure=True)
    answer = client.get("/", base_url="https://localhost")
    assert 400 <= answer.status_code < 500
    assert answer.mimetype == "text/html"
    check(answer)


@pytest.mark.parametrize(("site", "refused"), [("cross-site", True), ("same-site", True), ("same-origin", False)])
def test_a_form_sent_from_elsewhere_is_refused(app: Flask, site: str, refused: bool) -> None:
    answer = app.test_client().post("/", headers={"Sec-Fetch-Site": site})
    assert (answer.status_code == 403) is refused


@pytest.mark.parametrize(
    ("origin", "refused"),
    [
        ("http://localhost", False),
        ("https://kiosk.example", True),
        ("http://localhost:8080", True),
        ("http://localhost.example", True),
        ("null", True),
        ("http://[", True),
        ("localhost", True),
    ],
)
def test_an_old_browser_names_the_origin_of_a_form(app: Flask, origin: str, refused: bool) -> None:
    answer = app.test_client().post("/survey", headers={"Origin": origin})
    assert ("Biểu mẫu được gửi từ nơi khác" in answer.text) is refused


@pytest.mark.parametrize("query", ["\xff=1", "language=vi&\xc3(", "token=\x80"])
def test_raw_bytes_in_an_address_are_refused(app: Flask, query: str) -> None:
    for path in ("/enrol", "/", "/static/tokens.css", "/api/v1/device"):
        answer = app.test_client().get(path, environ_overrides={"QUERY_STRING": query})
        assert answer.status_code == 400, path
        check(answer)


def test_static_files_are_kept_by_their_hash(app: Flask) -> None:
    with app.test_request_context():
        url = app.url_for("static", filename="tokens.css")
    client = app.test_client()
    hashed, plain = client.get(url), client.get("/static/tokens.css")
    assert "immutable" in hashed.headers["Cache-Control"]
    assert "immutable" not in plain.headers.get("Cache-Control", "")
    font = "/static/fonts/BeVietnamPro-Regular.woff2"
    whole = client.get(font)
    known = client.get(font, headers={"If-None-Match": whole.headers["ETag"]})
    assert (known.status_code, known.headers["Cache-Control"]) == (304, FONTS_KEPT)
    assert whole.headers["Cache-Control"] == FONTS_KEPT
    assert client.get("/static/fonts/nowhere.woff2").headers.get("Cache-Control") != FONTS_KEPT
    assert client.get("/static/nowhere.css?v=1").headers.get("Cache-Control") != hashed.headers["Cache-Control"]


def test_every_problem_speaks_both_languages() -> None:
    for name, kind in PROBLEMS.items():
        assert kind.vi != kind.en, name
        assert kind.vi.endswith("."), name
        assert kind.en.endswith("."), name
        assert 400 <= kind.status < 600, name
