"""`sipas export` and `sipas import` ended by a signal in the middle: nothing of them stays, and the next one works."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from survey_app.archive import export_wave, import_wave
from survey_app.settings import create_instance
from survey_app.store import Store
from survey_app.verification import verify
from tests.ground import enrolled, make_store, record, response


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_an_interrupted_import_leaves_nothing(tmp_path: Path, number: signal.Signals) -> None:
    _, origin = make_store(tmp_path / "a")
    with origin:
        device = enrolled(origin)
        record(origin, device, *(response(seq) for seq in range(1, 3001)))
        path = export_wave(origin, "q4", tmp_path / "q4.zip").path
    key = origin.settings.key
    Store.create(copy := create_instance(tmp_path / "b", key=key)).close()
    command = [sys.executable, "-m", "survey_app", "--instance", str(copy.instance), "import", str(path)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    wal = copy.instance / "sipas.sqlite3-wal"
    while process.poll() is None and not (wal.exists() and wal.stat().st_size > 100_000):
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0, "the import was over before the signal came: the test showed nothing"
    with Store.open(copy) as store:
        assert store.waves() == () and store.centres() == () and store.events() == ()
        import_wave(store, path)
    assert verify(copy) == ()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_an_interrupted_export_leaves_no_file(tmp_path: Path, number: signal.Signals) -> None:
    settings, origin = make_store(tmp_path / "a")
    with origin:
        device = enrolled(origin)
        record(origin, device, *(response(seq) for seq in range(1, 3001)))
    target = tmp_path / "out"
    target.mkdir()
    command = [sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "export", "q4", "--output"]
    process = subprocess.Popen([*command, str(target / "q4.zip")], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    while process.poll() is None and not any(path.stat().st_size for path in target.iterdir()):
        time.sleep(0.002)
    process.send_signal(number)
    process.communicate(timeout=30)
    assert process.returncode != 0, "the export was over before the signal came: the test showed nothing"
    assert list(target.iterdir()) == []
