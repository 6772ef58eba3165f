"""The tutorial does what it says: every block of the page runs, from top to bottom, and prints what stands there.

A shell block's commands run in processes of their own, a Python block in one namespace for the page; a block of text is what
the block before it printed, with `…` for lines left out.
"""

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, chdir
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.docs_commands import PAGES, ROOT
from tests.test_faults_signals import serving

PAGE = PAGES["tutorial.md"]
PICTURE = ROOT / "docs" / "pictures" / "tutorial-satisfied.svg"


@dataclass(frozen=True)
class Block:
    kind: str
    text: str

    @property
    def shown(self) -> list[str]:
        return [" ".join(line.split()) for line in self.text.splitlines()]

    @property
    def commands(self) -> list[list[str]]:
        joined = re.sub(r"\\\n\s*", " ", self.text)
        return [shlex.split(line) for line in joined.splitlines() if line.strip()]


BLOCKS = [Block(kind, text) for kind, text in re.findall(r"^```(\w+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
SHOWN = [number for number, block in enumerate(BLOCKS) if block.kind == "text"]


def _shell(folder: Path, block: Block, stack: ExitStack, server: list[str]) -> str:
    said = []
    for words in block.commands:
        assert words[0] == "sipas", "the page shows no other command"
        arguments = words[1:]
        if arguments[0] == "serve":
            server.append(stack.enter_context(serving(folder / "instance")))
            continue
        if arguments[0] == "simulate":
            arguments += ["--server", server[0]]
        done = subprocess.run(
            [sys.executable, "-m", "survey_app", *arguments],
            cwd=folder, capture_output=True, text=True, check=False, env=os.environ | {"PYTHONPATH": str(ROOT)},
        )  # fmt: skip
        assert done.returncode == 0, f"{words}\n{done.stderr}"
        said.append(done.stdout)
    return "".join(said)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tutorial")


@pytest.fixture(scope="module")
def printed(place: Path) -> Iterator[list[str]]:
    """What each block printed, as the whole page is gone through."""
    names: dict[str, Any] = {}
    said: list[str] = []
    server: list[str] = []
    with ExitStack() as stack:
        for block in BLOCKS:
            if block.kind == "sh":
                said.append(_shell(place, block, stack, server))
            elif block.kind == "python":
                screen = io.StringIO()
                with chdir(place), contextlib.redirect_stdout(screen):
                    exec(compile(block.text, "tutorial.md", "exec"), names)  # noqa: S102 - the page of this repository
                said.append(screen.getvalue())
            else:
                said.append(said[-1])
        yield said


@pytest.mark.parametrize("number", SHOWN, ids=[BLOCKS[number - 1].text.splitlines()[0][:40] for number in SHOWN])
def test_a_block_prints_what_the_page_shows(printed: list[str], number: int) -> None:
    came = [" ".join(line.split()) for line in printed[number].splitlines()]
    place, skip = 0, False
    for line in BLOCKS[number].shown:
        if line == "…":
            skip = True
            continue
        found = [at for at, one in enumerate(came[place:], start=place) if one == line]
        assert found and (skip or found[0] == place), f"{line!r} is not what comes; there is\n{printed[number]}"
        place, skip = found[0] + 1, False
    assert skip or place == len(came), f"more comes than the page shows:\n{came[place:]}"


def test_the_files_that_the_page_speaks_of_are_there(printed: list[str], place: Path) -> None:
    made = {file.name for file in (place / "publication").iterdir()}
    assert made == {"scores.xlsx", "scores.svg", "satisfied.xlsx", "satisfied.svg"}
    assert (place / "weighted.parquet").is_file() and (
        place / "instance" / "reports" / "tutorial" / "scores.csv"
    ).is_file()


def test_the_picture_on_the_page_is_the_one_that_comes(printed: list[str], place: Path) -> None:
    assert (place / "publication" / "satisfied.svg").read_text(encoding="utf-8") == PICTURE.read_text(encoding="utf-8")


def test_numbers_in_the_text_are_those_of_the_blocks(printed: list[str]) -> None:
    """Figures that the sentences repeat, as far as they have decimals or thousands."""
    prose = re.sub(r"^```.*?^```", "", PAGE, flags=re.MULTILINE | re.DOTALL)
    numbers = set(re.findall(r"(?<![\w.-])\d{2}\.\d{2}(?![\w.])|\b\d{1,2},\d{3}\b", prose))
    came = "\n".join(printed).replace(",", "")
    assert len(numbers) >= 4
    assert [number for number in numbers if number.replace(",", "") not in came] == []


def test_every_block_of_text_follows_what_prints_it() -> None:
    assert len(SHOWN) >= 8 and {block.kind for block in BLOCKS} == {"sh", "python", "text"}
    assert all(BLOCKS[number - 1].kind in ("sh", "python") for number in SHOWN)
