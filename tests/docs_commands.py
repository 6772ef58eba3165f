"""The commands that the documentation shows, as words to run; and what stands for what in them.

`blocks`, `inline`, `PAGES`, `Shown`.
"""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = {
    path.name: path.read_text(encoding="utf-8") for path in (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")))
}

STANDS_FOR = {
    "WAVE": "q4",
    "2026-q4": "q4",
    "2026-q3": "q3",
    "ho-gia-dinh-2025": "household",
    "ho-gia-dinh-2026": "household",
    "mo-phong-10-2026": "q4",
    "WAVE1": "q3",
    "WAVE2": "q4",
    "A": "q3",
    "B": "q4",
    "ID": "counter",
    "CENTRE": "00691",
    "DEVICE": "00691-1",
    "FILE": "register.csv",
    "DIR": "new-demo",
    "BACKUP": "backup",
    "ARCHIVE": "q4.zip",
    "NEW": "new",
    "REGISTER": "register.csv",
    "my-form.1.toml": "my-form.1.toml",
    "WAVE:COUNT:HEAD": "HEAD-OF-Q4",
    "DAYS": "3650",
    "N": "2",
    "CODE": "00691",
    "PORT": "8123",
}
"""Words in capitals, and names that the examples use, by what the prepared instance has."""
INSIDE = {
    "/srv/before-upgrade": "before-upgrade",
    "/srv/sipas": "srv",
    "/srv/look": "look",
    "/mnt/usb/moving": "moving",
    "/mnt/usb/": "usb-",
    "/tmp/demo": "new-demo",
    "OLD-INSTANCE/": "instance/",
    "instance/demo": "instance",
    "BACKUP": "backup",
    "THƯ-MỤC": "folder",
    "BẢN-SAO-LƯU": "backup",
    "MÁY": "00691-1",
    "WAVE": "q4",
}
"""Parts of words: paths that the examples use, inside the scratch folder."""


@dataclass(frozen=True)
class Shown:
    """A command as a page shows it. `mention`: its name only, without what it needs to run."""

    page: str
    text: str
    words: tuple[str, ...]

    def __str__(self) -> str:
        return f"{self.page}: {self.text}"


def blocks() -> list[tuple[str, list[Shown]]]:
    """Of each fenced block with commands: its page, and its commands in order."""
    found = []
    for page, text in PAGES.items():
        for language, body in re.findall(r"^```(\w*)\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
            if language in ("", "sh", "bash", "console"):
                lines = re.sub(r"\\\n\s*", " ", body).splitlines()
                commands = [one for line in lines for one in _commands(page, line)]
                if commands:
                    found.append((page, commands))
        for body in re.findall(r"\n\n((?:    .+\n)+)", text):
            commands = [one for line in body.splitlines() for one in _commands(page, line.strip())]
            if commands:
                found.append((page, commands))
    return found


def inline() -> list[Shown]:
    """Every `sipas …` in running text and tables."""
    found = {}
    for page, text in PAGES.items():
        bare = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for code in re.findall(r"`(sipas [^`]+)`", bare.replace("\n", " ")):
            for one in _commands(page, re.sub(r"\s+", " ", code)):
                found.setdefault(one.text, one)
    return list(found.values())


def _commands(page: str, line: str) -> list[Shown]:
    line = re.sub(r"\s+#\s.*$", "", line).removeprefix("$ ")
    parts = [re.sub(r"\s*&$", "", part.strip()) for part in line.split("&&")]
    return [Shown(page, part, _words(page, part)) for part in parts if part.startswith("sipas ")]


def _words(page: str, command: str) -> tuple[str, ...]:
    words = []
    for word in shlex.split(command)[1:]:
        known = word if "mo-phong" in word and page == "simulation.md" else STANDS_FOR.get(word, word)
        if word.endswith(":COUNT:HEAD"):
            known = STANDS_FOR["WAVE:COUNT:HEAD"]
        if known == word:
            for old, new in INSIDE.items():
                known = known.replace(old, new)
        words.append(known)
    return tuple(words)
