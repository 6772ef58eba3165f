"""The sentences of the interface as they stand in `survey_app/data/messages.toml`: `messages`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files


@cache
def messages() -> Mapping[str, Mapping[str, str]]:
    """Every message by key and language."""
    return tomllib.loads((files("survey_app") / "data" / "messages.toml").read_text(encoding="utf-8"))
