"""Which instance a command works on."""

from pathlib import Path

import click

INSTANCE_KEY = "sipas.instance"


def instance_path() -> Path:
    """The folder named by --instance, SIPAS_INSTANCE, or ./instance."""
    context = click.get_current_context()
    return Path((context.find_object(dict) or {}).get(INSTANCE_KEY, "instance"))
