"""The documentation against the code: whatever a person can type, set, call or read is documented, and what the pages show runs."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import fields
from pathlib import Path

import click
import pytest

from survey_app.cli import sipas as program
from survey_app.cli.serve import serve
from survey_app.settings import Settings, create_instance
from survey_app.store import Store
from survey_app.web import create_app
from survey_app.web.body import MAX_BODY_BYTES, MAX_RESPONSES
from survey_app.web.limits import BURST, PER_SECOND
from survey_app.web.openapi import description
from survey_app.web.server import THREADS
from survey_app.writer import Writer
from tests.docs_commands import PAGES, ROOT, blocks, inline
from tests.faults.commands import COMMANDS

ALL = "\n".join(PAGES.values())
HOST, OPERATIONS, DICTIONARY = PAGES["host.md"], PAGES["operations.md"], PAGES["data-dictionary.md"]
CODE = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "survey_app").rglob("*.py"))}


def missing_commands() -> list[str]:
    return [
        f"sipas {' '.join(path)}"
        for path in COMMANDS
        if not re.search(rf"sipas( --instance \S+)? {' '.join(path)}\b", ALL)
    ]


def missing_options() -> list[str]:
    """An option is documented on a page that names its command."""
    found = []
    for path, command in COMMANDS.items():
        pages = [text for text in PAGES.values() if re.search(rf"(sipas )?\b{' '.join(path)}\b", text)]
        for option in command.params:
            names = [name for name in option.opts if name.startswith("--")]
            if (
                isinstance(option, click.Option)
                and names
                and not any(re.search(rf"{name}(?![\w-])", text) for name in names for text in pages)
            ):
                found.append(f"sipas {' '.join(path)} {names[0]}")
    return found


def missing_settings() -> list[str]:
    names = [field.name for field in fields(Settings) if field.name not in {"instance", "key"}]
    return [name for name in names if f"| `{name}` |" not in HOST and f"| `[{name}]`" not in HOST]


def missing_routes(tmp_path: Path) -> list[str]:
    settings = create_instance(tmp_path / "routes")
    Store.create(settings).close()
    writer = Writer(settings)
    try:
        rules = list(create_app(settings, writer=writer).url_map.iter_rules())
    finally:
        writer.close()
    return [
        f"{method} {rule.rule}"
        for rule in rules
        for method in sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        if f"`{method} {rule.rule.replace('<path:', '<')}`" not in HOST
    ]


def literals(*functions: str) -> set[str]:
    """The texts that the code gives as the first argument to these functions."""
    found = set()
    for text in CODE.values():
        for node in ast.walk(ast.parse(text)):
            name = getattr(node.func, "attr", getattr(node.func, "id", "")) if isinstance(node, ast.Call) else ""
            if name in functions and isinstance(node, ast.Call) and node.args:
                found |= {
                    one.value
                    for one in ast.walk(node.args[0])
                    if isinstance(one, ast.Constant) and isinstance(one.value, str)
                }
    return found


def missing_events() -> list[str]:
    return [kind for kind in sorted(literals("_log", "log_event")) if f"`{kind}`" not in DICTIONARY]


def codes() -> set[str]:
    """What a response can be refused for, as the server tells a client: words of the checks and of the store."""
    recording = (ROOT / "survey_app/store/recording.py").read_text(encoding="utf-8")
    body = next(
        node for node in ast.parse(recording).body if isinstance(node, ast.FunctionDef) and node.name == "refusals"
    )
    texts = {one.value for one in ast.walk(body) if isinstance(one, ast.Constant) and isinstance(one.value, str)}
    return {text for text in texts if re.fullmatch(r"[a-z]+(_[a-z]+)+", text)} - {"not_at_home"}


def missing_codes() -> list[str]:
    return [code for code in sorted(codes()) if f"`{code}`" not in ALL]


def missing_pages() -> list[str]:
    return [name for name in PAGES if name != "README.md" and f"docs/{name}" not in PAGES["README.md"]]


@pytest.mark.parametrize(
    "missing", [missing_commands, missing_options, missing_settings, missing_events, missing_codes, missing_pages],
    ids=lambda function: function.__name__,
)  # fmt: skip
def test_nothing_is_undocumented(missing: object) -> None:
    assert callable(missing)
    assert missing() == []


def test_no_route_is_undocumented(tmp_path: Path) -> None:
    assert missing_routes(tmp_path) == []


def test_there_is_much_to_document() -> None:
    """Else the collecting is broken and the tests above hold nothing."""
    assert len(COMMANDS) > 30 and len(literals("_log", "log_event")) > 15 and len(codes()) > 9


# ---- host.md and operations.md


@pytest.mark.parametrize("option", [name for one in serve.params if isinstance(one, click.Option) for name in one.opts])
def test_every_option_of_serve_is_described_where_serving_is(option: str) -> None:
    assert f"`{option}`" in HOST


@pytest.mark.parametrize("path", sorted(description()["paths"]))
def test_every_route_of_the_api_is_described_in_host(path: str) -> None:
    for method in description()["paths"][path]:
        assert f"`{method.upper()} {path.replace('{', '<').replace('}', '>')}`" in HOST


def test_bounds_are_told_as_they_are() -> None:
    assert f"the server takes {MAX_BODY_BYTES // 2**20} MiB" in OPERATIONS
    assert f"{PER_SECOND} responses a second, {BURST:,} at once" in OPERATIONS
    assert f"up to {MAX_RESPONSES} responses" in HOST
    assert f"{THREADS} threads" in HOST


def test_what_verify_is_said_to_say_it_says() -> None:
    table = OPERATIONS.partition("## When verify complains")[2].partition("\n## ")[0]
    sayings = [one for row in re.findall(r"^\| (.+?) \|", table, re.MULTILINE) for one in re.findall(r"`([^`]+)`", row)]
    assert len(sayings) > 15
    code = " ".join(text for path, text in CODE.items() if path.parent.name == "verification")
    assert [saying for saying in sayings if saying not in code] == []


def test_links_between_pages_lead_somewhere() -> None:
    broken = []
    for page, text in PAGES.items():
        folder = ROOT if page == "README.md" else ROOT / "docs"
        bare = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
        for target in re.findall(r"\]\(([^)\s]+)\)", bare):
            file, _, anchor = target.partition("#")
            if "://" in target:
                continue
            if (
                file
                and not (folder / file).exists()
                or anchor
                and anchor not in _anchors(PAGES[Path(file).name if file else page])
            ):
                broken.append(f"{page}: {target}")
    assert broken == []


def _anchors(text: str) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_help_of_serve_needs_neither_flask_nor_gunicorn() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from survey_app.cli import sipas;"
        "assert CliRunner().invoke(sipas, ['serve', '--help']).exit_code == 0;"
        "print({'flask', 'gunicorn', 'sqlite_utils'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"


# ---- what the pages show can be typed


def command_of(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The command's name, and the rest of the words; options of `sipas` itself stand before."""
    at = 0
    while at < len(words) and words[at].startswith("--"):
        at += 2 if words[at] == "--instance" else 1
    name: list[str] = []
    command: click.Command = program
    while isinstance(command, click.Group) and at < len(words):
        found = command.get_command(click.Context(command), words[at])
        if found is None:
            break
        name.append(words[at])
        command, at = found, at + 1
    return tuple(name), words[at:]


SIMULATED = [("mo-phong-10-2026", "register.csv"), ("tutorial", "register.csv"), ("ho-mo-phong-10-2026", "margins.csv")]
"""What a simulation leaves, where simulation.md and the tutorial look for it."""
SHOWN = [*inline(), *(one for _, commands in blocks() for one in commands)]


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Path]:
    """Where the files and folders are that the examples name."""
    simulated = [f"instance/simulations/{wave}/{file}" for wave, file in SIMULATED]
    for name in (
        "register.csv",
        "my-form.1.toml",
        "answers.csv",
        "margins.csv",
        "frame.csv",
        "villages.csv",
        "q4.zip",
        "pin.txt",
        "sipas-00691-1-20261129T162955-1.txt",
        "sipas-00691-1-20261129T162955-2.txt",
        *simulated,
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "backup").mkdir()
    with chdir(tmp_path):
        yield tmp_path


@pytest.mark.usefixtures("place")
def test_every_command_shown_exists_and_takes_what_is_shown() -> None:
    bad = []
    for shown in SHOWN:
        name, rest = command_of(shown.words)
        if name not in COMMANDS:
            if rest or not name:  # a group alone may be named
                bad.append(f"{shown}: no such command")
            continue
        if not rest or "…" in shown.text:
            continue  # its name only
        try:
            COMMANDS[name].make_context(" ".join(name), list(rest))
        except click.UsageError as error:
            bad.append(f"{shown}: {error.format_message()}")
        except click.exceptions.Exit:
            pass
    assert bad == []


def test_examples_in_help_are_of_their_own_command() -> None:
    bad = []
    for path, command in COMMANDS.items():
        text = re.sub(r"\\\n\s*", " ", command.help or "")
        examples = re.findall(r"Example: (sipas .+)", text)
        bad += [f"{path}: {line}" for line in examples if command_of(tuple(line.split()[1:]))[0] != path]
        if not examples:
            bad.append(f"{path}: no example")
    assert bad == []
