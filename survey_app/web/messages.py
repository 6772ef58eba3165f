"""What the pages say: `say(language, key, **values)`, the message in the reader's language, filled in."""

from survey_app.messages import messages

LANGUAGES = ("vi", "en")


def say(language: str, key: str, **values: object) -> str:
    """The message in the language; an unknown key is an error, for a page must not fall silent."""
    return messages()[key][language].format(**values)
