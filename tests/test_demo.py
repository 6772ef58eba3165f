"""`sipas demo`: the whole chain by the commands themselves, replacing nothing that is not a demo."""

import csv
import json
import os
import re
import signal
import subprocess
import sys
import urllib.parse
import urllib.request
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest

from survey_app.demo import DemoError, DemoServer, _month, free_port, prepare_instance
from survey_app.locks import LockedError, server_lock
from survey_app.settings import Settings, create_instance
from survey_app.store import Store


def sipas(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "survey_app", *arguments], capture_output=True, text=True, timeout=300, check=False
    )


# ---- what is replaced


def test_an_empty_or_new_folder_becomes_a_demo(tmp_path: Path) -> None:
    assert prepare_instance(tmp_path / "new").demo
    (tmp_path / "empty").mkdir()
    assert prepare_instance(tmp_path / "empty").demo


def test_a_demo_is_replaced_whole(tmp_path: Path) -> None:
    first = prepare_instance(tmp_path / "demo")
    (tmp_path / "demo" / "reports" / "left").write_text("over")
    second = prepare_instance(tmp_path / "demo")
    assert first.key != second.key
    assert not (tmp_path / "demo" / "reports" / "left").exists()


def test_a_real_instance_is_never_replaced(tmp_path: Path) -> None:
    real = create_instance(tmp_path / "real")
    Store.create(real).close()
    with pytest.raises(DemoError, match="real instance"):
        prepare_instance(tmp_path / "real")
    assert Settings.load(tmp_path / "real").key == real.key
    refused = sipas("demo", "--no-serve", "--instance", str(tmp_path / "real"))
    assert (refused.returncode, refused.stderr.splitlines()[0][:6]) == (2, "error:")


def test_a_folder_of_something_else_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "letters").write_text("dear")
    with pytest.raises(DemoError):
        prepare_instance(tmp_path)
    (tmp_path / "there").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "there")
    with pytest.raises(DemoError):
        prepare_instance(tmp_path / "link")
    assert (tmp_path / "letters").read_text() == "dear"


def test_a_demo_that_is_being_served_is_not_replaced(tmp_path: Path) -> None:
    settings = prepare_instance(tmp_path / "demo")
    with server_lock(settings.server_lock), pytest.raises(LockedError):
        prepare_instance(tmp_path / "demo")
    assert settings.store_path.exists()


# ---- when and where


@pytest.mark.parametrize(
    ("today", "month"), [((2026, 11, 24), "2026-10"), ((2027, 1, 2), "2026-12"), ((2026, 3, 1), "2026-01")]
)
def test_the_month_is_over_and_has_22_working_days(today: tuple[int, int, int], month: str) -> None:
    assert _month(date(*today)) == month


def test_a_taken_port_gives_way_to_the_next() -> None:
    import socket

    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        taken = holder.getsockname()[1]
        assert free_port(taken) > taken


def test_a_server_that_cannot_start_says_where_to_look(tmp_path: Path) -> None:
    tmp_path.joinpath("here").mkdir()
    with pytest.raises(DemoError, match=re.escape("server.log")):
        DemoServer(free_port()).start(tmp_path / "here")


# ---- the chain


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo's instance and what it said."""
    instance = tmp_path_factory.mktemp("demo") / "instance"
    result = sipas("demo", "--no-serve", "--instance", str(instance), "--responses", "400")
    assert result.returncode == 0, result.stderr
    assert "MÔ PHỎNG" in result.stdout and "SIMULATED" in result.stdout
    return instance, result.stdout


@pytest.fixture(scope="module")
def demo(made: tuple[Path, str]) -> Path:
    return made[0]


def wave_of(demo: Path, kind: str) -> str:
    """The one closed wave of a kind: the demo's own, not the one to try."""
    with Store.open(Settings.load(demo), write=False) as store:
        (wave,) = (wave.id for wave in store.waves() if (wave.kind, wave.status) == (kind, "closed"))
    return wave


def scores(demo: Path, wave: str) -> dict[str, dict[str, str]]:
    """The rows for all together, by measure."""
    with (demo / "reports" / wave / "scores.csv").open(encoding="utf-8", newline="") as stream:
        return {row["measure"]: row for row in csv.DictReader(stream) if row["domain_kind"] == "all"}


def truth(demo: Path, wave: str) -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((demo / "simulations" / wave / "truth.json").read_text())
    return found


def test_scores_are_left_where_they_are_looked_for(demo: Path) -> None:
    wave = wave_of(demo, "counter")
    assert wave.startswith("mo-phong-")
    whole = scores(demo, wave)["index"]
    assert float(whole["dossiers"]) == 45_000
    assert abs(float(whole["value"]) - truth(demo, wave)["index"]["all"]) < 4 * float(whole["se"]) + 2


def test_the_sample_wave_is_about_510_people_in_18_villages(demo: Path) -> None:
    wave = wave_of(demo, "sample")
    with Store.open(Settings.load(demo), write=False) as store:
        outcomes = store.outcomes(wave)
        assert len(store.frame(wave)) == len({psu for psu, _ in outcomes}) == 18
        assert store.references(), "the published figures stand beside"
    kinds: dict[str, int] = {}
    for (_, kind), count in outcomes.items():
        kinds[kind] = kinds.get(kind, 0) + count
    assert 470 <= kinds["complete"] <= 550 and kinds["refused"] > 10 and kinds["not_at_home"] > 10


@pytest.mark.parametrize("measure", ["index", "area:I", "area:II", "factor:II.C"])
def test_the_sample_wave_finds_what_the_residents_think(demo: Path, measure: str) -> None:
    wave = wave_of(demo, "sample")
    row = scores(demo, wave)[measure]
    assert abs(float(row["value"]) - truth(demo, wave)[measure]["all"]) < 4 * float(row["se"])


@pytest.mark.parametrize("kind", ["counter", "sample"])
def test_all_four_reports_say_that_all_is_simulated(demo: Path, kind: str) -> None:
    for name, words in (("report.html", "mô phỏng"), ("report.en.html", "simulated")):
        assert words in (demo / "reports" / wave_of(demo, kind) / name).read_text(encoding="utf-8").lower()


def test_it_names_both_reports_and_what_each_may_be_used_for(made: tuple[Path, str]) -> None:
    demo, said = made
    for kind, vi, en in (
        ("counter", "không thay thế Chỉ số SIPAS", "does not replace the ministry's SIPAS"),
        ("sample", "không phải số công bố của Bộ Nội vụ", "the province's own estimate"),
    ):
        folder = demo / "reports" / wave_of(demo, kind)
        assert (folder / "report.html").as_uri() in said and (folder / "report.en.html").as_uri() in said
        assert vi in said and en in said and str(folder / "scores.csv") in said


def test_nothing_simulated_is_marked_real(demo: Path) -> None:
    settings = Settings.load(demo)
    with Store.open(settings, write=False) as store:
        assert settings.demo and all(wave.simulated for wave in store.waves())
        assert all(device.simulated for device in store.devices())
        assert {wave.status for wave in store.waves()} == {"closed", "open"}


def test_no_server_is_left_behind(demo: Path) -> None:
    with server_lock(Settings.load(demo).server_lock):
        assert sipas("--instance", str(demo), "verify").returncode == 0


# ---- serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    arguments = ["demo", "--instance", str(tmp_path / "demo"), "--responses", "60", "--port", str(free_port())]
    process = subprocess.Popen(
        [sys.executable, "-m", "survey_app", *arguments], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        env=os.environ | {"PYTHONUNBUFFERED": "1"},
    )  # fmt: skip
    lines: list[str] = []
    assert process.stdout is not None
    for line in process.stdout:
        lines.append(line)
        if "Ctrl-C" in line:
            break
    yield process, lines
    process.kill()
    process.wait()


def test_it_serves_a_kiosk_and_an_interviewer_s_tablet_until_told_to_stop(
    served: tuple[subprocess.Popen[str], list[str]], tmp_path: Path
) -> None:
    process, lines = served
    said = "".join(lines)
    (url,) = re.findall(r"(http://127\.0\.0\.1:\d+)/enrol", said)
    codes = re.findall(r"enrolment code: (\S+)", said)
    for code, words in zip(codes, ("Ông/Bà có hài lòng", "Thôn mô phỏng"), strict=True):
        browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor())
        with browser.open(f"{url}/enrol", urllib.parse.urlencode({"code": code}).encode(), timeout=10) as page:
            shown = page.read().decode("utf-8")
        assert page.url == f"{url}/"
        assert "mô phỏng" in shown.lower() and words in shown
    process.send_signal(signal.SIGINT)
    assert process.wait(40) == 0
    with server_lock(Settings.load(tmp_path / "demo").server_lock):
        assert (tmp_path / "demo" / "reports").is_dir()
