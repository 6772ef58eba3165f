"""What the pages say, in the reader's language: `say`, filled in; `text`, where the tablet fills in names."""

from survey_app.messages import messages

LANGUAGES = ("vi", "en")


def say(language: str, key: str, **values: object) -> str:
    """The message in the language; an unknown key is an error, for a page must not fall silent."""
    return messages()[key][language].format(**values)


def text(language: str, key: str) -> str:
    """The message as it is written, with its {names}."""
    return messages()[key][language]
