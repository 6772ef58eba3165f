"""The demo: a simulated counter wave and a simulated sample wave through the whole chain, by the commands themselves.

`run_demo`, `Outcome`, `DemoServer`, `DemoError`. Only an instance marked as a demo is ever replaced.
"""

import calendar
import json
import shutil
import signal
import socket
import subprocess
import sys
import textwrap
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path

from survey_app.locks import server_lock
from survey_app.problems import Problem, SipasError
from survey_app.settings import Settings, create_instance, made_whole
from survey_app.store import Store

OPEN_DAYS = 22
READY_SECONDS = 30.0
STOP_SECONDS = 35.0
Command = Callable[..., str]
"""Runs `sipas ARGUMENTS` and returns what it printed."""


class DemoError(SipasError):
    """The demo cannot be made here."""


@dataclass(frozen=True)
class Trial:
    """An open wave to try, and the code that makes a tablet one of its devices."""

    wave: str
    centre: str
    code: str


@dataclass(frozen=True)
class Outcome:
    """What there is to open afterwards: the reports of both waves, a kiosk and an interviewer's tablet to try."""

    counter: Path
    sample: Path
    kiosk: Trial
    interviewer: Trial
    seconds: float


def run_demo(
    instance: Path, responses: int, seed: int, server: "DemoServer", command: Command, say: Callable[[str], None]
) -> Outcome:
    """Make the instance, field both simulated waves in it, report them; leaves `server` running."""
    began = time.monotonic()
    step = _Steps(command, say)
    month = _month(date.today())
    with step.own(f"Make a demo instance in {instance}", "Tạo bản dùng thử"):
        prepare_instance(instance)
    step("Import the province's centres", "Nhập danh sách trung tâm", "centre", "import")
    step("Import the service fields", "Nhập danh mục lĩnh vực", "field", "import")
    step("Import the figures that the ministry published", "Nhập số liệu đã công bố", "reference", "import")
    with step.own(f"Start the server at {server.url}", "Khởi động máy chủ"):
        server.start(instance)
    settings = Settings.load(instance)
    counter = _counter_wave(step, settings, month, server, responses, seed)
    sample = _sample_wave(step, settings, month, server, seed)
    step("Verify that no response was lost, doubled or changed", "Kiểm tra sổ cái", "verify")
    kiosk, interviewer = _trials(step, _frame(settings))
    return Outcome(
        counter=settings.reports / counter,
        sample=settings.reports / sample,
        kiosk=kiosk,
        interviewer=interviewer,
        seconds=time.monotonic() - began,
    )


def _counter_wave(
    step: "_Steps", settings: Settings, month: str, server: "DemoServer", responses: int, seed: int
) -> str:
    """Service users at the counters, weighted to the dossier register."""
    wave = f"mo-phong-{month[5:]}-{month[:4]}"
    _open(step, wave, month, _COUNTER, ("mô phỏng", "simulated"))
    step(
        f"Visit it like 125 kiosks and about {responses:,} citizens (SIMULATED)",
        "Mô phỏng người dân trả lời tại quầy",
        *("simulate", wave, "--responses", str(responses), "--seed", str(seed), "--server", server.url),
    )
    step("Close the wave", "Đóng đợt khảo sát", "wave", "close", wave, "--at", _bounds(month)[1].isoformat())
    register = settings.simulations / wave / "register.csv"
    step("Import the dossier register (SIMULATED)", "Nhập sổ hồ sơ", "register", "import", str(register))
    step("Write the extract", "Trích xuất dữ liệu", "extract", wave)
    step("Weight it to the register", "Gán quyền số theo sổ hồ sơ", "weights", wave)
    _report(step, wave)
    return wave


def _sample_wave(step: "_Steps", settings: Settings, month: str, server: "DemoServer", seed: int) -> str:
    """Residents in a sample of villages, weighted by the frame and raked to the residents' margins."""
    wave, frame = f"ho-mo-phong-{month[5:]}-{month[:4]}", _frame(settings)
    made = ("simulate-frame", str(frame), "--seed", str(seed))
    step("Draw a sample of villages (SIMULATED)", "Chọn mẫu thôn, tổ dân phố", *made)
    _open(step, wave, month, _SAMPLE, ("mô phỏng", "simulated"), frame)
    visit = ("simulate", wave, "--seed", str(seed), "--server", server.url)
    step("Visit the households like 6 interviewers (SIMULATED)", "Mô phỏng phỏng vấn tại hộ", *visit)
    step("Close the wave", "Đóng đợt khảo sát", "wave", "close", wave, "--at", _bounds(month)[1].isoformat())
    margins = ("--margins", str(settings.simulations / wave / "margins.csv"))
    step("Write the extract", "Trích xuất dữ liệu", "extract", wave)
    step("Weight it to the residents", "Gán quyền số theo dân số", "weights", wave, *margins)
    _report(step, wave, *margins)
    return wave


def _report(step: "_Steps", wave: str, *options: str) -> None:
    step("Write the report in Vietnamese", "Viết báo cáo tiếng Việt", "report", wave, *options, "--lang", "vi")
    step("Write the report in English", "Viết báo cáo tiếng Anh", "report", wave, *options, "--lang", "en")


def _frame(settings: Settings) -> Path:
    return settings.simulations / "frame.csv"


def _trials(step: "_Steps", frame: Path) -> tuple[Trial, Trial]:
    """An open wave of each kind, with a device to try."""
    month = f"{date.today():%Y-%m}"
    end = f"{date.today():%m-%Y}"
    words = ("dùng thử, mô phỏng", "to try, simulated")
    found = []
    for wave, kind, options in (
        (f"dung-thu-{end}", _COUNTER, ()),
        (f"dung-thu-ho-{end}", _SAMPLE, ("--interviewer",)),
    ):
        _open(step, wave, month, kind, words, frame if kind is _SAMPLE else None)
        added = ("device", "add", "TINH", "--simulated", *options, "--json")
        what, vietnamese = ("an interviewer's tablet", "máy phỏng vấn") if options else ("a kiosk", "máy tại quầy")
        with step.own(f"Add {what} to try", f"Thêm {vietnamese} để dùng thử"):
            device = json.loads(step.command(*added))
        found.append(Trial(wave, device["centre"], device["code"]))
    return found[0], found[1]


@dataclass(frozen=True)
class _Kind:
    form: str
    vi: str
    en: str
    options: tuple[str, ...] = ()


_COUNTER = _Kind("counter", "Khảo sát tại quầy", "Counter survey")
_SAMPLE = _Kind("qd1001-2026", "Khảo sát hộ gia đình", "Household survey", ("--kind", "sample", "--centres", "TINH"))


def _open(step: "_Steps", id: str, month: str, kind: _Kind, words: tuple[str, str], frame: Path | None = None) -> None:
    """Plan and open a simulated wave of a month."""
    year, number = month.split("-")
    step(
        f"Plan and open the wave {id}",
        "Tạo và mở đợt khảo sát",
        *("wave", "create", id, "--form", kind.form, "--months", month, "--simulated"),
        *kind.options,
        *(("--frame", str(frame)) if frame else ()),
        *("--title-vi", f"{kind.vi}, tháng {int(number)}/{year} ({words[0]})"),
        *("--title-en", f"{kind.en}, {calendar.month_name[int(number)]} {year} ({words[1]})"),
    )
    step("", "", "wave", "open", id, "--at", _bounds(month)[0].isoformat())


def _month(today: date) -> str:
    """The last month that is over and has as many working days as the simulated centres are open."""
    for back in range(1, 13):
        year, number = divmod(today.year * 12 + today.month - 1 - back, 12)
        days = [date(year, number + 1, day + 1) for day in range(calendar.monthrange(year, number + 1)[1])]
        if sum(day.weekday() < 5 for day in days) >= OPEN_DAYS:
            return f"{year}-{number + 1:02}"
    raise AssertionError("every year has months with 22 working days")


def _bounds(month: str) -> tuple[date, date]:
    """The first day of the month and of the next."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first + timedelta(days=32)).replace(day=1)


def prepare_instance(instance: Path) -> Settings:
    """An empty demo instance; what lies there is removed only if it is a demo instance that nothing serves."""
    if instance.is_symlink() or (instance.exists() and not instance.is_dir()):
        raise _not_ours(instance, "it is no folder of its own")
    if instance.exists() and any(instance.iterdir()):
        try:
            settings = Settings.load(instance)
        except SipasError as error:
            raise _not_ours(instance, error.problems[0].what) from None
        if not settings.demo:
            raise _not_ours(instance, "it is a real instance")
        with server_lock(settings.server_lock):
            _clear(instance)
    with made_whole(instance):
        settings = create_instance(instance, demo=True)
        Store.create(settings).close()
    return settings


def _clear(instance: Path) -> None:
    """What says that it is a demo goes last: a removal cut short can be begun again."""
    last = [instance / "secret.key", instance / "config.toml"]
    for path in sorted(set(instance.iterdir()) - set(last)):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()
    for path in last:
        path.unlink(missing_ok=True)


def _not_ours(instance: Path, reason: str) -> DemoError:
    return DemoError(
        Problem(
            f"what lies here is not replaced: {reason}",
            str(instance),
            "name an empty or new folder: sipas demo --instance DIR",
        )
    )


class _Steps:
    """Says each step before it begins, and what came of it and how long it took after."""

    def __init__(self, command: Command, say: Callable[[str], None]) -> None:
        self.command, self.say, self.number = command, say, 0

    def __call__(self, english: str, vietnamese: str, *arguments: str) -> None:
        if english:
            self._head(english, vietnamese)
        self.say(f"    $ sipas {' '.join(_quoted(argument) for argument in arguments)}")
        began = time.monotonic()
        printed = [line for line in self.command(*arguments).splitlines() if line and not line.startswith("next:")]
        for line in (*printed[:3], *printed[3:][-1:]):
            self.say(f"      {textwrap.shorten(line, 140, placeholder=' …')}")
        self.say(f"      {time.monotonic() - began:.1f} s")

    @contextmanager
    def own(self, english: str, vietnamese: str) -> Iterator[None]:
        self._head(english, vietnamese)
        began = time.monotonic()
        yield
        self.say(f"      {time.monotonic() - began:.1f} s")

    def _head(self, english: str, vietnamese: str) -> None:
        self.number += 1
        self.say(f"{self.number:2}. {vietnamese} · {english}")


def _quoted(argument: str) -> str:
    return f'"{argument}"' if " " in argument else argument


class DemoServer:
    """`sipas serve --development-http` as a process of its own; its output goes to server.log of the instance."""

    def __init__(self, port: int) -> None:
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None
        self._log: Path | None = None

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def start(self, instance: Path) -> None:
        """Start, and return when it answers."""
        self._log = instance / "server.log"
        arguments = ["--instance", str(instance), "serve", "--development-http", "--port", str(self.port)]
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "survey_app", *arguments, "--no-access-log"],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        deadline = time.monotonic() + READY_SECONDS
        while not self._answers():
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise DemoError(Problem("the server did not start", str(self._log), "read its last lines there"))
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/healthz", timeout=5) as reply:
                return bool(reply.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait(self) -> None:
        """Until it ends, which it does only when told to."""
        if self._process is not None:
            self._process.wait()

    def stop(self) -> None:
        """End it gracefully: what it received is committed."""
        if self._process is None or self._process.poll() is not None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port(wanted: int | None = None) -> int:
    """The port wanted if nothing listens there, else the next one free; without a wish any."""
    for port in range(wanted, wanted + 50) if wanted else (0,):
        with socket.socket() as trial:
            trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                trial.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(trial.getsockname()[1])
    raise DemoError(Problem("no free port", f"127.0.0.1:{wanted}", "name another: sipas demo --port PORT"))
