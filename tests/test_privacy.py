"""The notice to citizens says what is true of this instance, and what it says is never kept is nowhere."""

import re
from dataclasses import replace
from pathlib import Path

import httpx
import pytest

from survey_app.web import create_app
from survey_app.web.messages import LANGUAGES, say
from survey_app.web.privacy import POINTS
from survey_app.writer import Writer
from tests.served import answers_to, counter, enrol, make_field, response, sending, serving

ADDRESS, AGENT = "203.0.113.77", "Geheimbrowser/9.1 (Tablet X-1000; Android 16)"


def test_the_notice_tells_the_settings_of_this_instance_in_every_language(tmp_path: Path) -> None:
    settings = replace(make_field(tmp_path / "instance"), comment_days=77, province={"vi": "Tỉnh A", "en": "A"})
    writer = Writer(settings)
    try:
        text = create_app(settings, writer=writer).test_client().get("/privacy").text
    finally:
        writer.close()
    for language in LANGUAGES:
        for point in POINTS:
            sentence = say(
                language, f"privacy_{point}", days=settings.comment_days, province=settings.province[language]
            )
            assert sentence in text
        assert "77" in say(language, "privacy_comments", days=settings.comment_days)
        assert settings.province[language] in text


def test_what_the_store_has_columns_for_is_what_the_notice_says_is_kept() -> None:
    """A column that is added to a response must be told to citizens; this list is what the sentence speaks of."""
    schema = (Path(__file__).parent / "snapshots/schema.sql").read_text(encoding="utf-8")
    table = re.search(r"CREATE TABLE \"?response\"? \((.*?)\n\)", schema, re.DOTALL)
    assert table
    columns = set(re.findall(r"^    (\w+) (?:TEXT|INTEGER)", table.group(1), re.MULTILINE))
    told = {"content", "field", "started", "submitted", "received", "local_day", "language", "centre", "device", "seq"}
    of_the_survey = {"uuid", "number", "wave", "position", "questionnaire", "version", "mode", "recruitment"}
    of_the_survey |= {
        "disposition",
        "psu",
        "part",
        "offset_ms",
        "late",
        "after_close",
        "clock",
        "content_sha256",
        "chain",
    }
    assert columns == told | of_the_survey


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """An instance after a visit by page and one by API through a proxy, and everything its server said."""
    settings = make_field(tmp_path_factory.mktemp("privacy") / "instance")
    form = counter()
    _, token = enrol(settings)
    headers = {
        "User-Agent": AGENT,
        "X-Forwarded-For": ADDRESS,
        "X-Forwarded-Proto": "https",
        "X-Forwarded-Host": "a.vn",
    }
    with serving(settings, "--behind-proxy", "--access-log") as running, httpx.Client(headers=headers) as browser:
        browser.cookies.set("__Host-device", token)
        answer = browser.get(f"{running.url}/privacy")
        assert answer.status_code == 200 and "set-cookie" not in answer.headers
        for page in ("/", "/thanks", "/nowhere", "/static/kiosk.css"):
            browser.get(running.url + page)
        body = sending(response(form, 1, answers={**answers_to(form), "COMMENT": "Xin cảm ơn"}))
        bearer = {"Authorization": f"Bearer {token}"}
        reply = browser.post(f"{running.url}/api/v1/responses", json=body, headers=bearer)
        assert [one["fate"] for one in reply.json()["results"]] == ["stored"]
    return settings.instance, running.log.read_text(encoding="utf-8")


def test_no_address_and_no_browser_is_kept_anywhere(visited: tuple[Path, str]) -> None:
    instance, _ = visited
    files = [path for path in instance.rglob("*") if path.is_file()]
    assert any(path.name == "sipas.sqlite3" for path in files)
    for path in files:
        content = path.read_bytes()
        assert ADDRESS.encode() not in content and b"Geheimbrowser" not in content, path


def test_no_address_and_no_browser_is_in_the_log(visited: tuple[Path, str]) -> None:
    _, said = visited
    assert "/api/v1/responses" in said  # it was written, else this shows nothing
    assert ADDRESS not in said and "Geheimbrowser" not in said
