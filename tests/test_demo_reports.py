"""A demo hands out its simulated report as a file; nothing else of the instance, and a real instance nothing at all."""

import re
from dataclasses import replace
from pathlib import Path

import pytest
from flask.testing import FlaskClient

from survey_app.settings import Settings
from survey_app.web import create_app
from survey_app.writer import Writer
from tests.served import make_field


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = make_field(tmp_path / "instance")
    folder = settings.reports / "w1"
    folder.mkdir(parents=True)
    for name in (
        "report.html",
        "report.en.html",
        "scores.csv",
        "scores.svg",
        "items_1.svg",
        "weights.parquet",
        "weights.json",
    ):
        (folder / name).write_text("SIMULATED", encoding="utf-8")
    return settings


def client(settings: Settings, writer: Writer) -> FlaskClient:
    return create_app(settings, writer=writer, development_http=True).test_client()


@pytest.mark.parametrize("name", ["report.html", "report.en.html", "scores.csv", "scores.svg", "items_1.svg"])
def test_a_demo_hands_out_what_a_report_publishes(settings: Settings, name: str) -> None:
    with Writer(settings) as writer:
        answer = client(replace(settings, demo=True), writer).get(f"/demo/reports/w1/{name}")
    assert answer.status_code == 200
    assert re.match("attachment", answer.headers["Content-Disposition"])
    assert "default-src 'none'" in answer.headers["Content-Security-Policy"]


@pytest.mark.parametrize(
    "path",
    [
        "w1/weights.parquet",
        "w1/weights.json",
        "../secret.key",
        "w1/..%2f..%2fsecret.key",
        "..%2fconfig/report.html",
        "w2/report.html",
    ],
)
def test_and_nothing_else(settings: Settings, path: str) -> None:
    with Writer(settings) as writer:
        assert client(replace(settings, demo=True), writer).get(f"/demo/reports/{path}").status_code == 404


def test_a_real_instance_hands_out_no_report(settings: Settings) -> None:
    with Writer(settings) as writer:
        assert client(settings, writer).get("/demo/reports/w1/report.html").status_code == 404
