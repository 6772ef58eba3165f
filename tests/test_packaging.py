"""What a newcomer installs: the locks, the wheel in an empty environment, the editable install."""

import configparser
import os
import re
import subprocess
import sys
import zipfile
from importlib import resources
from pathlib import Path

import pytest
from setuptools import find_packages

from survey_app.cli import COMMANDS, sipas

ROOT = Path(__file__).resolve().parent.parent


def _setup() -> configparser.ConfigParser:
    parser = configparser.ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    return parser


def _run(*command: str | Path, cwd: Path, **environment: str) -> str:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "SIPAS", "VIRTUAL"))}
    done = subprocess.run(  # noqa: PLW1510
        [str(part) for part in command], cwd=cwd, env=clean | environment, capture_output=True, text=True, timeout=600
    )
    assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}\n{done.stderr[-4000:]}"
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    source = folder / "source"
    _run("git", "clone", "-q", ROOT, source, cwd=folder)
    # The tree as it stands, not only as committed.
    for name in _run("git", "ls-files", "-mo", "--exclude-standard", cwd=ROOT).splitlines():
        if (ROOT / name).is_file():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes((ROOT / name).read_bytes())
    _run(
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "-q",
        "--no-deps",
        "--no-build-isolation",
        "-w",
        folder,
        source,
        cwd=folder,
    )
    (built,) = folder.glob("*.whl")
    return built


def test_every_package_of_the_tree_is_listed() -> None:
    listed = set(_setup()["options"]["packages"].split())
    assert listed == {*find_packages(str(ROOT), include=["survey_app*", "analysis*"]), "survey_app.questionnaires"}


@pytest.mark.parametrize("name", ["run.lock", "dev.lock"])
def test_locks_pin_and_hash_everything_and_name_no_index(name: str) -> None:
    text = (ROOT / "requirements" / name).read_text(encoding="utf-8")
    entries = re.split(r"\n(?=\S)", text.strip())
    assert len(entries) > 40
    for entry in entries:
        assert re.match(r"[\w.-]+==\S+", entry) and "--hash=sha256:" in entry, entry[:80]
    assert "://" not in text and "--index" not in text


def test_dev_lock_holds_every_version_of_the_run_lock() -> None:
    run, dev = (
        set(re.findall(r"^(\S+==\S+)", (ROOT / "requirements" / name).read_text(encoding="utf-8"), re.MULTILINE))
        for name in ("run.lock", "dev.lock")
    )
    assert run <= dev


def test_every_requirement_is_locked() -> None:
    locked = (ROOT / "requirements" / "run.lock").read_text(encoding="utf-8").lower()
    for line in _setup()["options"]["install_requires"].split():
        name = re.split(r"[\[><=]", line)[0].lower()
        assert f"\n{name}==" in f"\n{locked}", line


def test_editable_install_finds_the_questionnaires() -> None:
    names = {entry.name for entry in resources.files("survey_app.questionnaires").iterdir()}
    assert "counter.1.toml" in names and "published.sha256" in names


def test_short_helps_are_those_of_the_commands() -> None:
    context = sipas.make_context("sipas", [], resilient_parsing=True)
    for name, (_, short) in COMMANDS.items():
        command = sipas.get_command(context, name)
        assert command is not None and command.get_short_help_str(limit=200) == short, name


def test_wheel_holds_every_data_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    tracked = _run("git", "ls-files", "survey_app", "analysis", "questionnaires", cwd=ROOT).splitlines()
    expected = {re.sub(r"^questionnaires/", "survey_app/questionnaires/", name) for name in tracked}
    assert expected - inside == set()


def test_wheel_in_an_empty_environment_runs_the_demo(wheel: Path, tmp_path: Path) -> None:
    _run(sys.executable, "-m", "venv", tmp_path / "env", cwd=tmp_path)
    python = tmp_path / "env" / "bin" / "python"
    _run(python, "-m", "pip", "install", "-q", "--require-hashes", "-r", ROOT / "requirements/run.lock", cwd=tmp_path)
    _run(python, "-m", "pip", "install", "-q", "--no-deps", wheel, cwd=tmp_path)
    where = _run(
        python, "-c", "import survey_app, analysis; print(survey_app.__file__, analysis.__file__)", cwd=tmp_path
    )
    assert str(ROOT) not in where
    instance = tmp_path / "demo"
    _run(
        tmp_path / "env" / "bin" / "sipas",
        *("demo", "--no-serve", "--instance", instance, "--responses", "400"),
        cwd=tmp_path,
    )
    scores = list((instance / "reports").glob("*/scores.csv"))
    assert len(scores) == 2, "one of the counter wave, one of the sample wave"
    assert all(file.read_text(encoding="utf-8").startswith("wave,domain_kind,domain,label,measure,") for file in scores)
