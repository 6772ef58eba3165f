"""answers.csv: one line a response with codes and labels, for those who only want a table.

`FlatTable`, `cell`.
"""

import csv
import functools
import io
import re
from collections.abc import Iterator, Mapping

from survey_app.model import Centre, StoredResponse
from survey_app.questionnaire import MISSING_LABELS, Item, Questionnaire

ENVELOPE = (
    "wave", "simulated", "uuid", "position", "centre", "centre_name", "field", "field_name", "local_day", "disposition", "mode",
    "recruitment", "language", "psu", "late", "after_close", "clock",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\0", "＝", "＋", "－", "＠")
BEGINNING = re.compile(r"(^|[;\t\r\n])(?=[;\s]*[=+\-@\0＝＋－＠])|^(?=[\t\r\n])")
LANGUAGE = "vi"


def cell(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe; numbers stay numbers.

    Also behind a semicolon or a new line: where the comma is the decimal sign, as in Vietnam, spreadsheets cut lines at
    semicolons, whatever stands in quotation marks.
    """
    return _safe(value) if isinstance(value, str) else value


@functools.lru_cache(maxsize=10_000)  # labels come again with every response
def _safe(text: str) -> str:
    return BEGINNING.sub(r"\1'", text)


class FlatTable:
    """Writes lines one by one, so that a large wave needs no memory."""

    def __init__(
        self, form: Questionnaire, centres: Mapping[str, Centre], fields: Mapping[str, str], *, simulated: bool
    ) -> None:
        self._simulated = simulated
        self._items = [item for item in form.items if not item.options_from]
        missing = {code: text[LANGUAGE] for code, text in MISSING_LABELS.items()}
        self._labels = {
            item.code: missing | {option.code: option.text[LANGUAGE] for option in item.options} for item in form.items
        }
        self._centres, self._fields = centres, fields
        self._text = io.StringIO(newline="")
        self._writer = csv.writer(self._text, lineterminator="\r\n")

    def header(self) -> bytes:
        names = [name for item in self._items for name in _columns(item)]
        return b"\xef\xbb\xbf" + self._line([*ENVELOPE, *names])

    def line(self, response: StoredResponse, texts: Mapping[str, str]) -> bytes:
        cells: list[object] = [
            response.wave, int(self._simulated), response.uuid, response.position, response.centre, self._centres[response.centre].full_name,
            response.field, self._fields.get(response.field or ""), response.local_day.isoformat(),
            response.disposition, response.mode, response.recruitment, response.language, response.psu,
            int(response.late), int(response.after_close), int(response.clock),
        ]  # fmt: skip
        for item in self._items:
            cells.extend(self._cells(item, response.answers[item.code], texts.get(item.code)))
        return self._line(cells)

    def _cells(self, item: Item, code: int | tuple[int, ...], text: str | None) -> Iterator[object]:
        several = code if isinstance(code, tuple) else (code,)
        yield code if isinstance(code, int) else ";".join(map(str, code))
        if item.kind == "text":
            yield text
        elif item.options:
            labels = self._labels[item.code]
            yield labels[several[0]] if len(several) == 1 else "; ".join(labels[one] for one in several)

    def _line(self, cells: list[object]) -> bytes:
        self._text.seek(0)
        self._text.truncate()
        self._writer.writerow([cell(one) for one in cells])
        return self._text.getvalue().encode("utf-8")


def _columns(item: Item) -> tuple[str, ...]:
    if item.kind == "text":
        return (item.code, f"{item.code}_text")
    return (item.code, f"{item.code}_label") if item.options else (item.code,)
