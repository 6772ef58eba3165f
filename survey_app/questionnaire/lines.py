"""Which line of a questionnaire file a problem's place stands on: `Lines`."""

import re

_HEADER = re.compile(r"(\[\[?)\s*([\w.]+)\s*\]")
_KEY = re.compile(r"([\w.]+)\s*=")
_TABLE = re.compile(r"[\w.]+\[\d+\]")


class Lines:
    """The lines on which tables and keys begin, read from the text as people lay it out: one key a line.

    A key inside an inline table or a list of several lines is found on the line where that begins.
    """

    def __init__(self, text: str) -> None:
        self._tables: dict[str, int] = {}
        self._keys: dict[str, dict[str, int]] = {"": {}}
        counts: dict[str, int] = {}
        table = ""
        for number, line in enumerate(text.split("\n"), start=1):
            if header := _HEADER.match(line):
                table = header[2]
                if header[1] == "[[":
                    counts[table] = counts.get(table, 0) + 1
                    table = f"{table}[{counts[table]}]"
                self._tables.setdefault(table, number)
                self._keys.setdefault(table, {})
            elif key := _KEY.match(line):
                self._keys[table].setdefault(key[1], number)

    def of(self, place: str) -> int | None:
        """The line of a place such as `items[4] II.A1.text.en`: its key's, else its table's, else none."""
        numbered = _TABLE.match(place)
        name = numbered.group() if numbered else place.partition(".")[0]
        table, rest = (name, place[len(name) :]) if name in self._tables else ("", f".{place}")
        plain = re.sub(r"\[\d+\]", "", rest) + "."
        found = [(len(key), line) for key, line in self._keys[table].items() if f".{key}." in plain]
        return max(found)[1] if found else self._tables.get(table)
