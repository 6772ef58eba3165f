"""The sentences of the interface: `say(language, key, **values)` from `survey_app/data/messages.toml`."""

import tomllib
from collections.abc import Mapping
from functools import cache
from importlib.resources import files

LANGUAGES = ("vi", "en")


@cache
def messages() -> Mapping[str, Mapping[str, str]]:
    """Every message by key and language."""
    return tomllib.loads((files("survey_app") / "data" / "messages.toml").read_text(encoding="utf-8"))


def say(language: str, key: str, **values: object) -> str:
    """The message in the language; an unknown key is an error, for a page must not fall silent."""
    return messages()[key][language].format(**values)
