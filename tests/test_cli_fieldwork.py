"""The commands around the store, as a person or a script uses them."""

import json
import os
import resource
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from survey_app.settings import Settings
from survey_app.store import Store
from tests.ground import enrolled, record, response, tamper

Run = Callable[..., "subprocess.CompletedProcess[str]"]
CREATE = ("wave", "create", "q4", "--form", "counter", "--months", "2026-10,2026-11")
TITLES = ("--title-vi", "Quý IV", "--title-en", "Fourth quarter")


def command(instance: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    environment = {name: value for name, value in os.environ.items() if name != "SIPAS_INSTANCE"}
    return subprocess.run(
        [sys.executable, "-m", "survey_app", "--instance", str(instance), *arguments],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run a command on the test's instance; fails the test unless it ends with `code`."""

    def runner(*arguments: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
        done = command(tmp_path / "instance", *arguments)
        assert done.returncode == code, done.stderr
        assert "Traceback" not in done.stderr
        return done

    return runner


@pytest.fixture
def settings(tmp_path: Path, run: Run) -> Settings:
    """A real instance with the province's centres and fields and an open simulated wave, all made by commands."""
    run("init")
    run("centre", "import")
    run("field", "import")
    run(*CREATE, *TITLES, "--simulated")
    run("wave", "open", "q4", "--at", "2026-10-01")
    return Settings.load(tmp_path / "instance")


def test_from_nothing_to_an_extract(settings: Settings, run: Run, tmp_path: Path) -> None:
    code = json.loads(run("device", "add", "00691", "--simulated", "--json").stdout)["code"]
    with Store.open(settings) as store:
        device = store.device_by_token(store.enrol(code).token)
        assert device is not None
        record(store, device, response(1), response(2))
    register = tmp_path / "register.csv"
    register.write_text("centre,field,month,received,resolved,on_time\n00691,ho-tich,2026-10,9,8,7\n")
    assert "1 row of 2026-10: 9 dossiers" in run("register", "import", str(register)).stdout
    assert run("verify").stdout == "clean: 2 responses in 1 wave\n"
    path = Path(run("extract", "q4").stdout.strip())
    assert json.loads((path / "manifest.json").read_text())["counts"] == {"responses": 2, "register": 1}
    assert run("wave", "close", "q4", "--at", "2026-10-31T17:00").stdout == "wave q4 is closed since 2026-10-31 17:00\n"
    assert run("verify").stdout == "clean: 2 responses in 1 wave\n"


def test_lists_speak_to_people_and_machines(settings: Settings, run: Run) -> None:
    assert len(json.loads(run("centre", "list", "--json").stdout)) == 125
    assert "TINH" in run("centre", "list").stdout
    fields = json.loads(run("field", "list", "--json").stdout)
    assert {"vi", "en"} == set(fields[0]["label"])
    assert "Hộ tịch" in run("field", "list").stdout
    (wave,) = json.loads(run("wave", "list", "--json").stdout)
    assert (wave["id"], wave["status"], wave["responses"], wave["simulated"]) == ("q4", "open", 0, True)
    assert "counter (simulated)" in run("wave", "list").stdout
    assert json.loads(run("wave", "show", "q4", "--json").stdout)["ledger"] == {"count": 0, "head": "0" * 64}
    assert "rule reference_line: 85" in run("wave", "show", "q4").stdout
    assert run("device", "list").stdout == "none\n"
    assert json.loads(run("device", "list", "--json").stdout) == []


def test_a_device_is_added_with_a_code_to_scan_and_revoked(settings: Settings, run: Run) -> None:
    shown = run("device", "add", "00691").stdout
    assert "00691-1" in shown and "code:" in shown and "▄" in shown
    assert "awaits its code" in run("device", "list").stdout
    with Store.open(settings) as store:
        enrolled(store)
    assert "enrolled (simulated)" in run("device", "list").stdout
    run("device", "revoke", "00691-1")
    (first, _) = json.loads(run("device", "list", "--json").stdout)
    assert first["revoked"] is not None


def test_a_form_that_no_report_can_be_made_of_is_named_when_the_wave_is_planned(settings: Settings, run: Run) -> None:
    other = [word.replace("counter", "qd1001-2026").replace("q4", "q5") for word in CREATE]
    assert (
        "no item of the form has the role field or visit: such a wave is not weighted"
        in run(*other, *TITLES, "--simulated").stdout
    )
    assert "role" not in run(*CREATE[:2], "q6", *CREATE[3:], *TITLES, "--simulated").stdout


def test_the_rules_of_a_wave_can_be_chosen(settings: Settings, run: Run) -> None:
    rules = ("--item-method", "mean5", "--roll-up", "factor_mean", "--weighting", "cells", "--minimum-cell", "30")
    rules += ("--minimum-class", "7")
    run(
        "wave", "create", "w2", "--form", "counter.1", "--months", "2026-12", "--centres", "TINH,00691", *TITLES, *rules
    )
    wave = json.loads(run("wave", "show", "w2", "--json").stdout)
    assert wave["centres"] == ["00691", "TINH"]
    assert wave["rules"] == {
        "item_method": "mean5",
        "roll_up": "factor_mean",
        "weighting": "cells",
        "minimum_cell": 30,
        "minimum_class": 7,
        "reference_line": 85,
        "level": 95,
        "margins": ["centre", "field"],
    }


REFUSED = [
    (("wave", "open", "none"), "no wave 'none'", "sipas wave list"),
    (("wave", "open", "q4"), "is open", "only a planned wave"),
    ((*CREATE, *TITLES), "already", "another id"),
    (("wave", "create", "w2", "--form", "none", "--months", "2026-10", *TITLES), "no form 'none'", "counter.1"),
    (("wave", "create", "w2", "--form", "counter", "--months", "October", *TITLES), "not a month", "2026-10"),
    (("device", "add", "99999"), "no centre has the code '99999'", "sipas centre list"),
    (("device", "revoke", "none"), "no device 'none'", "sipas device list"),
    (("extract", "none"), "no wave 'none'", "sipas wave list"),
    (("init",), "an instance here already", "another place"),
]


@pytest.mark.parametrize(("arguments", "what", "remedy"), REFUSED, ids=[" ".join(row[0][:3]) for row in REFUSED])
def test_a_refusal_says_what_where_and_what_to_do(
    settings: Settings, run: Run, arguments: tuple[str, ...], what: str, remedy: str
) -> None:
    said = run(*arguments, code=2).stderr
    assert what in said.splitlines()[0]
    assert "  where: " in said
    assert remedy in said.split("  remedy: ")[1]


def test_without_an_instance_the_remedy_is_init(run: Run) -> None:
    assert "init" in run("wave", "list", code=2).stderr


def test_a_bad_register_names_every_line_and_imports_nothing(settings: Settings, run: Run, tmp_path: Path) -> None:
    path = tmp_path / "bad.csv"
    good = "00691,ho-tich,2026-10,9,8,7"
    path.write_text(f"centre,field,month,received,resolved,on_time\n{good}\n99999,ho-tich,2026-10,9,8,7\n1,2,3\n")
    said = run("register", "import", str(path), code=2).stderr
    assert "line 3" in said and "line 4" in said
    with Store.open(settings, write=False) as store:
        assert store.register(["2026-10"]) == ()


def test_a_tampered_store_ends_with_2_and_is_named(settings: Settings, run: Run) -> None:
    with Store.open(settings) as store:
        one = response()
        record(store, enrolled(store), one)
    tamper(settings, "UPDATE answer SET code = 1 WHERE item = 'II.A1'")
    said = run("verify", code=2)
    assert f"response {one.uuid} was changed: the answers to II.A1" in said.stderr
    assert said.stdout == ""


def test_migrating_says_that_there_is_nothing_to_do(settings: Settings, run: Run) -> None:
    assert "up to date" in run("migrate").stdout


def best_of(arguments: tuple[str, ...], instance: Path) -> float:
    """Processor seconds of the shortest of five runs: what the command needs, whatever else the machine is doing."""
    times = []
    for _ in range(5):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command(instance, *arguments)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        times.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return min(times)


HELPS = [("--help",), *(((group, "--help")) for group in ("init", "verify", "wave", "centre", "field", "device"))]
HELPS += [("register", "import", "--help"), ("extract", "--help"), ("wave", "create", "--help"), ("migrate", "--help")]


@pytest.mark.parametrize("arguments", HELPS, ids=" ".join)
def test_helps_show_an_example(run: Run, arguments: tuple[str, ...]) -> None:
    assert "Example: sipas" in run(*arguments).stdout


def test_help_comes_within_0_4_seconds_and_a_list_within_0_8(settings: Settings) -> None:
    assert best_of(("wave", "create", "--help"), settings.instance) <= 0.4
    assert best_of(("wave", "list"), settings.instance) <= 0.8


def test_no_help_imports_a_heavy_library() -> None:
    script = (
        "import sys\nfrom click.testing import CliRunner\nfrom survey_app.cli import sipas\n"
        f"for arguments in {HELPS!r}: assert CliRunner().invoke(sipas, list(arguments)).exit_code == 0\n"
        "heavy = {'pandas', 'numpy', 'pyarrow', 'sqlite_utils', 'scipy', 'matplotlib', 'flask'} & set(sys.modules)\n"
        "assert not heavy, heavy\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
