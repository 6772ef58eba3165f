"""The speed comparison itself: its kernel computes what we compute, its table says only what was measured."""

import sys
from pathlib import Path

import numpy as np
import pytest

import analysis
from benchmarks import speed_kernel, speed_memory, speed_rivals
from benchmarks.speed import Measurement, Timing, call, gaps, ordered
from benchmarks.speed_data import AGENCIES, FIELDS, MARGINS, MISSING, Data, make_data, save
from benchmarks.speed_rivals import RIVALS, NotMeasured, Rival, Worker
from benchmarks.speed_table import BARS, Bar, document, ratio
from benchmarks.speed_tasks import Order, both, design_of, margins_of, stacked, tasks

SMALL = 3_000


@pytest.fixture(scope="module")
def data() -> Data:
    return make_data(SMALL)


def test_the_same_data_each_time(data: Data) -> None:
    again = make_data(SMALL)
    assert (again.codes == data.codes).all()
    assert again.totals == data.totals
    assert set(np.unique(data.codes)) == {MISSING, 1, 2, 3, 4, 5}
    assert all(sum(data.totals[name]) == pytest.approx(data.weight.sum()) for name in MARGINS)


@pytest.mark.parametrize(("by", "domains"), [("field", FIELDS), ("agency", AGENCIES)])
def test_kernel_is_our_estimate(data: Data, by: str, domains: int) -> None:
    label = getattr(data, by)
    strata = np.zeros(data.psu.max() + 1, dtype=np.int64)
    strata[data.psu] = data.stratum
    kernel = speed_kernel.estimate(data.codes, data.weight, label, domains, data.psu, strata)
    ours = stacked(both(design_of(data), data, label))
    np.testing.assert_allclose(kernel, ours, rtol=1e-8, atol=1e-12)


def test_kernel_rakes_as_we_do(data: Data) -> None:
    kernel = speed_kernel.raking(data.margins, data.weight, [data.totals[name] for name in MARGINS], 1e-12)
    ours = analysis.rake(design_of(data), margins_of(data), tolerance=1e-12).weight
    np.testing.assert_allclose(kernel, ours, rtol=1e-10)


def test_kernel_bootstraps_near_the_linearised_error(data: Data) -> None:
    task = next(task for task in tasks() if task.kind == "bootstrap")
    kernel = task.ours["bare kernel"](data)()
    linearised = stacked(both(design_of(data), data, data.field))
    np.testing.assert_allclose(kernel[:, 0], linearised[:, 0], rtol=1e-10)
    assert np.median(kernel[:, 1] / linearised[:, 1]) == pytest.approx(1, abs=0.05)


def test_every_task_runs_and_what_has_no_figure_says_so(tmp_path: Path) -> None:
    chosen = tasks(large=SMALL, small=2_500)
    made = Measurement(tmp_path, rounds=1, slow=False, without=list(RIVALS))
    for task in chosen:
        made.measure(task, make_data(task.n), make_data(2_000))
    made.close()
    for task in chosen:
        for name, timing in made.timings[task.name].items():
            assert bool(timing.seconds) == (name in task.ours), f"{task.name}, {name}: {timing.missing}"
    gap = made.timings[f"fields {SMALL}"]["bare kernel"]
    assert gap.value_gap is not None and gap.value_gap < 1e-10
    assert gap.se_gap is not None and gap.se_gap < 1e-10
    page = document(chosen, made.timings, made.versions, {}, {}, 1)
    lines = [line for line in page.splitlines() if "| svy |" in line or "| R survey |" in line]
    assert len(lines) == 11  # seven tasks of svy, four of R
    assert all("| not measured |" in line for line in lines)


def test_every_bar_has_its_task_and_programs() -> None:
    known = {task.name: {*task.ours, *task.rivals} for task in tasks()}
    for bar in BARS:
        assert {bar.slower, bar.faster} <= known[bar.task]


@pytest.mark.parametrize(
    ("bar", "slow", "fast", "found", "met"),
    [
        (Bar("t", "svy", "sipas", "≥", 100), [30.0, 20.0, 90.0], [0.1, 0.1, 0.3], 300.0, True),
        (Bar("t", "svy", "sipas", "≥", 500), [30.0, 20.0, 90.0], [0.1, 0.1, 0.3], 300.0, False),
        (Bar("t", "svy", "sipas", "≤", 3), [0.2], [0.1], 2.0, True),
        (Bar("t", "svy", "sipas", "≤", 1), [0.2], [0.1], 2.0, False),
        (Bar("t", "svy", "sipas", "≥", 1), [], [0.1], None, None),
    ],
)
def test_bars(bar: Bar, slow: list[float], fast: list[float], found: float | None, met: bool | None) -> None:
    measured = ratio(bar, {"svy": Timing(slow), "sipas": Timing(fast)})
    assert measured == (None if found is None else pytest.approx(found))
    if measured is not None:
        assert bar.met(measured) is met


def test_differences_are_the_largest(data: Data) -> None:
    task = next(task for task in tasks() if task.kind == "estimate")
    ours = np.zeros((2, 2, task.domains, 40))
    theirs = ours[..., :3].copy()
    theirs[1, 0, 2, 1], theirs[0, 1, 3, 2] = 0.25, -0.5
    assert gaps(task, ours, theirs.ravel()) == (0.25, 0.5)
    raking = next(task for task in tasks() if task.kind == "raking")
    assert gaps(raking, np.array([2.0, 4.0]), np.array([2.0, 5.0])) == (0.25, None)


def test_calls_are_timed_by_their_median(data: Data) -> None:
    made = []

    def contender(_: Data) -> object:
        made.append(1)
        return lambda: len(made)

    seconds, last = call(contender, data, least=10.0, most=4)  # type: ignore[arg-type]
    assert (last, len(made)) == (4, 4)
    assert 0 < seconds < 1


RIVAL = """
import sys
sys.path.insert(0, {folder!r})
from worker import serve

def total(data, option):
    if option == "bad":
        raise ValueError("no such option")
    return lambda: data.column("weight").sum() * float(option), lambda made: [made, data.codes()[0, 0]]

serve("numpy", {{"total": total}})
"""


@pytest.fixture
def rival(tmp_path: Path, data: Data, monkeypatch: pytest.MonkeyPatch) -> Rival:
    (tmp_path / "fake.py").write_text(RIVAL.format(folder=str(speed_rivals.SCRIPTS)))
    monkeypatch.setattr(speed_rivals, "SCRIPTS", tmp_path)
    monkeypatch.setattr(speed_rivals, "prepare", lambda _: Path(sys.executable))
    save(data, tmp_path / "data")
    return Rival("fake", "fake.py", "nowhere")


def test_a_rival_answers_orders(rival: Rival, data: Data, tmp_path: Path) -> None:
    worker = Worker(rival, tmp_path)
    assert worker.version == np.__version__
    seconds, result = worker.run("total", tmp_path / "data", "2")
    assert 0 < seconds < 10
    first = data.codes[0, 0]
    np.testing.assert_allclose(result, [2 * data.weight.sum(), first if first > 0 else np.nan])
    scaled, _ = ordered(worker, Order("total", "2", scale=1e6), tmp_path / "data")
    assert scaled > 1e6 * seconds / 1000
    with pytest.raises(NotMeasured, match="no such option"):
        worker.run("total", tmp_path / "data", "bad")
    assert worker.run("total", tmp_path / "data", "1")[1][0] == pytest.approx(data.weight.sum())
    worker.close()


def test_a_rival_that_ends_is_not_measured(rival: Rival, tmp_path: Path) -> None:
    (tmp_path / "fake.py").write_text("raise SystemExit('there is no such package')")
    with pytest.raises(NotMeasured, match="there is no such package"):
        Worker(rival, tmp_path)


def test_without_r_the_row_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("shutil.which", lambda _: None)
    with pytest.raises(NotMeasured, match="apt-get install"):
        Worker(RIVALS["R survey"], tmp_path)


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="peaks are read from Linux's /proc")
def test_memory_is_that_of_the_estimates(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys, "argv", ["speed_memory", "20000"])
    speed_memory.main()
    printed = capsys.readouterr().out
    assert '"input": 1280000' not in printed  # int32 labels: 40 + 8 + 3 × 4 bytes a row
    assert '"input": 1200000' in printed
