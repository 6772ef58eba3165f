"""The server under test: `sipas serve` as processes of its own, and what they take of the machine.

`start`, `serving`, `Server`, `slow_disk`, `free_port`, `listens`.
"""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from survey_app.settings import Settings

START_SECONDS = 60.0
_TICK = os.sysconf("SC_CLK_TCK")


@dataclass
class Server:
    """Master and worker, in a process group of their own."""

    process: "subprocess.Popen[bytes]"
    port: int
    log: Path

    @property
    def worker(self) -> int:
        """The process that answers."""
        path = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children")
        children = path.read_text(encoding="ascii").split()
        return int(children[0])

    def kill(self) -> None:
        """Both at once, as a power cut would."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        self.process.terminate()
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.kill()
            raise

    def cpu_seconds(self) -> float:
        """CPU time of the worker so far."""
        fields = Path(f"/proc/{self.worker}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICK

    def memory_mb(self) -> float:
        """Memory of the worker that is its own and in use."""
        pages = int(Path(f"/proc/{self.worker}/statm").read_text(encoding="ascii").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 2**20


def free_port() -> int:
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        port: int = trial.getsockname()[1]
    return port


def start(
    settings: Settings, port: int, *, before: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> Server:
    """Start the server and wait until it listens. `before`: a command to run it under; `more`: environment."""
    command = [*before, sys.executable, "-m", "survey_app", "--instance", str(settings.instance), "serve"]
    command += ["--port", str(port), "--development-http", "--no-access-log"]
    log = settings.instance.parent / "server.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, stdout=stream, stderr=stream, env={**os.environ, **(more or {})}, start_new_session=True
        )
    server = Server(process, port, log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if _answers(port):
            return server
        time.sleep(0.02)
    if process.poll() is None:
        server.kill()
    raise RuntimeError(f"the server did not come up:\n{log.read_text(encoding='utf-8')}")


def _answers(port: int) -> bool:
    """Whether the worker, not only the master's socket, is there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as line:
            line.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            return line.recv(100).startswith(b"HTTP/1.1 200 ")
    except OSError:
        return False


def listens(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def serving(
    settings: Settings, *, before: Sequence[str] = (), more: Mapping[str, str] | None = None
) -> Iterator[Server]:
    server = start(settings, free_port(), before=before, more=more)
    try:
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


def slow_disk(folder: Path, milliseconds: int) -> dict[str, str]:
    """The environment in which every sync takes so much longer; needs a C compiler."""
    return {"LD_PRELOAD": str(compiled("slow_disk", folder)), "SLOW_DISK_MS": str(milliseconds)}


def compiled(name: str, folder: Path) -> Path:
    """A shim of this folder as a shared library."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if compiler is None:
        raise RuntimeError("a C compiler is needed: sudo apt-get install gcc libc6-dev")
    source, library = Path(__file__).with_name(f"{name}.c"), folder / f"{name}.so"
    subprocess.run([compiler, "-O2", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    return library
