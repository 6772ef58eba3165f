"""What is given to commands: files of every wrong kind, ids that are none, options of nonsense, streams that fail.

Parameters are found by walking the command table. What a file of the right kind may hold is tested where it is read.
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from survey_app.cli import run
from tests.faults import begin, ready, refused, sipas, stat_of
from tests.faults.commands import COMMANDS, GROUPS, arguments, of_type, read_files

MOST_MEGABYTES = 500
WAVE = ("wave", "create", "q4", "--form", "counter", "--months", "2026-10", "--title-vi", "a", "--title-en", "b")


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return ready(
        tmp_path_factory.mktemp("whole") / "instance",
        ("centre", "import"),
        ("field", "import"),
        (*WAVE, "--simulated"),
        ("wave", "open", "q4", "--at", "2026-10-01"),
        ("device", "add", "00691", "--simulated"),
        ("extract", "q4"),
    )


# ---- files


def _sparse(path: Path) -> None:
    path.touch()
    os.truncate(path, 2**30)


FILES: dict[str, Callable[[Path], object]] = {
    "missing": lambda path: None,
    "a folder": Path.mkdir,
    "without end": lambda path: path.symlink_to("/dev/zero"),
    "a pipe that nobody writes": os.mkfifo,
    "empty": Path.touch,
    "binary": lambda path: path.write_bytes(bytes(range(256)) * 40),
    "not UTF-8": lambda path: path.write_bytes("mã,tên\n1,Hà Giang\n".encode("utf-16")),
    "a gigabyte of nothing": _sparse,
}
SUFFIX = {"form": ".toml", "id": ".toml", "model": ".toml", "files": ".toml"}
BOTH = {("serve", "key"): "--certificate", ("serve", "certificate"): "--key"}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_of_the_wrong_kind_is_refused_in_bounded_time_and_memory(whole: Path, tmp_path: Path, kind: str) -> None:
    before = stat_of(whole)
    bad = {}
    for path, parameter in read_files():
        file = tmp_path / f"{path[0]}-{parameter}{SUFFIX.get(parameter, '.csv')}"
        if not os.path.lexists(file):
            FILES[kind](file)
        given = arguments(path, file, **{parameter: str(file)})
        if other := BOTH.get((path[0], parameter)):
            given += (other, str(file))
        ended = sipas(whole, *given)
        where = f"{' '.join(path)} {parameter}"
        if reason := refused(ended):
            bad[where] = reason
        if ended.megabytes > MOST_MEGABYTES:
            bad[f"{where} memory"] = f"{ended.megabytes} MB"
    assert bad == {}
    assert stat_of(whole) == before


# ---- ids and other texts

NONSENSE = {
    "unknown": "nowhere",
    "climbing": "../../../etc/passwd",
    "absolute": "/etc/passwd",
    "two lines": "q4\nq5",
    "escape": "\x1b[31mq4\x07",
    "turned": "q4\u202e4q",
    "NUL": "q4\0",
    "half a letter": "q4\ud83d",
    "very long": "q" * 100_000,
    "emoji": "🙂",
    "spaces": "   ",
    "nothing": "",
    "dot": ".",
    "SQL": "q4'; DROP TABLE wave; --",
    "an option": "--help-me",
    "NFD": "Hu\u0323\u0302i",
}
"""For each parameter that is an id, a path or a free text; titles and the like may be almost anything."""
FREE = {"title_vi", "title_en", "server", "host", "output", "by", "variables", "weight", "into", "to", "path", "folder"}
TAKEN = {("wave", "create", "id", "unknown"), ("questionnaire", "show", "version", "nothing")}
"""A new wave may be called so, and no version is the newest."""


def texts() -> list[tuple[tuple[str, ...], str]]:
    return [
        (path, name)
        for path, name in of_type(click.types.StringParamType, click.Path)
        if name not in FREE
        and path not in {("demo",), ("init",), ("serve",), ("simulate-frame",)}
        and (path, name) != (("simulate",), "model")
    ]


@pytest.mark.parametrize("kind", NONSENSE)
def test_an_id_that_is_none_is_refused(
    whole: Path, tmp_path: Path, kind: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: a NUL or half a letter cannot even be given to another one."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    file = tmp_path / "file.csv"
    file.write_text("code,name\n00691,Hà Giang 2\n", encoding="utf-8")
    before, bad = stat_of(whole), {}
    for path, parameter in texts():
        if (*path, parameter, kind) in TAKEN:
            continue
        code = run(["--instance", str(whole), *arguments(path, file, **{parameter: NONSENSE[kind]})])
        said = capsys.readouterr()
        where = f"{' '.join(path)} {parameter}"
        if "\x1b" in said.err or "\u202e" in said.err:
            bad[f"{where} terminal"] = "it commands the terminal"
        if len(said.err) > 110_000:
            bad[f"{where} length"] = f"{len(said.err)} letters are said"
        if code and (code != 2 or "where: " not in said.err or "remedy: " not in said.err):
            bad[where] = f"{code}: {said.err[:200]}"
        if not code and parameter not in {"missing", "denominator", "stratum", "psu", "fpc"}:
            bad[f"{where} accepted"] = said.out[:80]
    assert bad == {}
    assert stat_of(whole) == before


LARGE_OR_FOREIGN = ("10" * 200, "٣")
OPTIONS = [(path, option) for path, command in COMMANDS.items() for option in command.params]
NUMBERS = [
    (path, o.name or "")
    for path, o in OPTIONS
    if isinstance(o.type, click.types.IntParamType | click.types.FloatParamType)
]


@pytest.mark.parametrize("text", ["-1", "1e99", "x", "", "nan", "1.5", *LARGE_OR_FOREIGN])
def test_a_number_that_is_none_or_out_of_bounds_is_refused_or_taken(
    whole: Path, tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = {}
    for path, parameter in NUMBERS:
        if (parameter == "seed" or path[0] in {"demo", "serve", "simulate"}) and text in LARGE_OR_FOREIGN:
            continue
        code = run(["--instance", str(whole), *arguments(path, tmp_path / "none", **{parameter: text})])
        said = capsys.readouterr().err
        if code == 0 and text in LARGE_OR_FOREIGN:
            continue  # a number like any other
        if code != 2 or "where: " not in said or "remedy: " not in said:
            bad[f"{' '.join(path)} {parameter}"] = f"{code}: {said[:200]}"
    assert bad == {}


@pytest.mark.parametrize("words", [["no-such"], ["wave", "no-such"], ["--no-such"], ["--instance"], ["--instance", ""]])
def test_an_unknown_command_is_refused_like_everything_else(words: list[str]) -> None:
    assert refused(sipas("nowhere", *words)) == ""


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
def test_an_unknown_option_is_refused_and_the_help_is_named(path: tuple[str, ...], tmp_path: Path) -> None:
    ended = sipas(tmp_path, *path, "--no-such-option")
    assert refused(ended) == ""
    assert f"remedy: see: sipas {' '.join(path)} --help" in ended.err


@pytest.mark.parametrize("path", sorted(COMMANDS), ids=" ".join)
@pytest.mark.parametrize("columns", ["20", "200"])
def test_help_fits_any_terminal(path: tuple[str, ...], columns: str, tmp_path: Path) -> None:
    ended = sipas(tmp_path, *path, "--help", prepare=lambda: os.environ.update(COLUMNS=columns))
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith("Usage: ")


# ---- streams


def shell(instance: Path, line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    words = os.environ | {"SIPAS": f"{sys.executable} -m survey_app --instance {instance}"} | environment
    return subprocess.run(["bash", "-c", line], capture_output=True, text=True, env=words, timeout=30, check=False)


READING = (
    "wave list",
    "centre list",
    "centre list --json",
    "wave show q4",
    "device list",
    "questionnaire show counter",
)


@pytest.mark.parametrize("command", READING)
@pytest.mark.parametrize(
    "streams", [">&-", "2>&-", "<&-", ">&- 2>&- <&-", "| head -1", "| true"], ids=lambda text: text.replace("&", "")
)
def test_a_stream_that_is_closed_ends_no_command_in_a_traceback(whole: Path, command: str, streams: str) -> None:
    done = shell(whole, f"set -o pipefail; $SIPAS {command} {streams}")
    assert done.returncode in (0, 1), done
    assert done.stderr == ""


@pytest.mark.parametrize("command", ["centre list", "questionnaire show counter --json"])
def test_output_to_a_full_disk_is_named(whole: Path, command: str) -> None:
    done = shell(whole, f"$SIPAS {command} > /dev/full")
    assert done.returncode == 2
    assert "Traceback" not in done.stderr and "remedy:" in done.stderr


POOR = [
    {"LC_ALL": "C"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"COLUMNS": "20", "TERM": "dumb"},
]
POOR += [{"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]


@pytest.mark.parametrize(
    "command", ["centre list", "centre list --json", "device add TINH --simulated", "wave show none"]
)
@pytest.mark.parametrize("environment", POOR, ids=lambda words: " ".join(f"{k}={v}" for k, v in words.items()))
def test_a_poor_terminal_gets_what_it_can_show(
    whole: Path, tmp_path: Path, command: str, environment: dict[str, str]
) -> None:
    instance = Path(shutil.copytree(whole, tmp_path / "instance"))
    done = subprocess.run(
        [sys.executable, "-m", "survey_app", "--instance", str(instance), *command.split()],
        capture_output=True,
        env=os.environ | environment,
        timeout=30,
        check=False,
    )
    assert done.returncode == (2 if "none" in command else 0), done.stderr
    assert b"Traceback" not in done.stderr
    if "--json" in command:
        encoding = environment.get("PYTHONIOENCODING", "utf-8")
        assert any(centre["name"] == "Hà Giang 2" for centre in json.loads(done.stdout.decode(encoding)))


def test_a_group_alone_shows_its_help(whole: Path) -> None:
    for group in GROUPS:
        ended = begin(whole, *group).wait()
        assert ended.code == 2 and "Usage: " in ended.err, group
