"""What a name, label, title or source may hold: it is shown on pages and written into spreadsheets.

`faults`, `invisible`.
"""

import unicodedata
from collections.abc import Iterator

MAX_TEXT = 400
FORMULA = "=+-@＝＋－＠"  # what a spreadsheet takes for a formula, also in full width
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp")


def faults(text: str) -> Iterator[tuple[str, str]]:
    """What is wrong with a text, and the remedy."""
    if not text.strip():
        yield "the text is empty", "write the text"
    elif len(text) > MAX_TEXT:
        yield f"the text has {len(text)} characters", f"write at most {MAX_TEXT}"
    elif text.lstrip()[0] in FORMULA:
        what = f"the text begins with {text.lstrip()[0]!r}, which a spreadsheet takes for a formula"
        yield what, "begin it with a letter or a digit"


def invisible(text: str) -> Iterator[tuple[str, str]]:
    """Each control character, mark of direction or other sign that nobody sees, and the remedy."""
    for sign in dict.fromkeys(text):
        if unicodedata.category(sign) in _INVISIBLE:
            what = f"a character that cannot be seen (U+{ord(sign):04X})"
            yield what, "remove it; write the text on one line"
