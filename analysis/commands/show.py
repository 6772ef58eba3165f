"""How commands of analysis print. Public: print_json."""

import json
from typing import Any

import click


def print_json(content: Any) -> None:
    click.echo(json.dumps(content, ensure_ascii=False, indent=2, default=str))
