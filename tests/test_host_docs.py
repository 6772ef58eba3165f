"""docs/host.md names every setting, every option of `sipas serve`, every route of the API, and bounds as they are."""

import subprocess
import sys
from dataclasses import fields
from pathlib import Path

import click
import pytest

from survey_app.cli.serve import serve
from survey_app.settings import Settings
from survey_app.web.body import MAX_BODY_BYTES, MAX_RESPONSES
from survey_app.web.limits import BURST, PER_SECOND
from survey_app.web.openapi import description
from survey_app.web.server import THREADS

PAGE = (Path(__file__).parent.parent / "docs" / "host.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", [field.name for field in fields(Settings) if field.name not in {"instance", "key"}])
def test_every_setting_is_described(name: str) -> None:
    assert f"| `{name}` |" in PAGE or f"| `[{name}]`" in PAGE


@pytest.mark.parametrize("option", [name for one in serve.params if isinstance(one, click.Option) for name in one.opts])
def test_every_option_of_serve_is_described(option: str) -> None:
    assert f"`{option}`" in PAGE


@pytest.mark.parametrize("path", sorted(description()["paths"]))
def test_every_route_of_the_api_is_described(path: str) -> None:
    for method in description()["paths"][path]:
        assert f"`{method.upper()} {path.replace('{', '<').replace('}', '>')}`" in PAGE


def test_bounds_are_told_as_they_are() -> None:
    assert f"the server takes {MAX_BODY_BYTES // 2**20} MiB" in PAGE
    assert f"up to {MAX_RESPONSES} responses" in PAGE
    assert f"{PER_SECOND} responses a second, {BURST:,} at once" in PAGE
    assert f"{THREADS} threads" in PAGE


def test_the_help_of_serve_needs_neither_flask_nor_gunicorn() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from survey_app.cli import sipas;"
        "assert CliRunner().invoke(sipas, ['serve', '--help']).exit_code == 0;"
        "print({'flask', 'gunicorn', 'sqlite_utils'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
