"""What a running server has done every night: comments whose time is over are deleted, then a backup is made.

`Nightly`, `due`. Both are done by processes of their own (`sipas purge`, `sipas backup --nightly`), so that hashing and
verifying hold up no request. Whatever goes wrong is said once and noted in the audit; a backup that failed is tried again
after an hour, a purge with the next backup; the server goes on.
"""

import logging
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

from survey_app.backup import nightly_of
from survey_app.model import VIETNAM
from survey_app.problems import SipasError
from survey_app.settings import Settings
from survey_app.store import Store
from survey_app.writer import Writer

LOOK_SECONDS = 30.0
RETRY = timedelta(hours=1)
NICENESS = 10
MOST_SAID = 500
_log = logging.getLogger(__name__)


def utc_now() -> datetime:
    return datetime.now(UTC)


def last_moment(at: str, now: datetime) -> datetime:
    """The newest moment, not after now, at which the clock on the wall in Vietnam showed this time of day."""
    local = now.astimezone(VIETNAM)
    today = datetime.combine(local.date(), time.fromisoformat(at), VIETNAM)
    return today if today <= local else today - timedelta(days=1)


def due(settings: Settings, now: datetime, begun: datetime | None) -> bool:
    """Whether a nightly backup is owed: one for each time the hour has passed, made up for if no server ran then.

    `begun`: when the instance's story began; before that nothing was owed. Backups from the future say nothing: the
    clock was wrong when they were made.
    """
    if not settings.backup_at or begun is None:
        return False
    begun = min(begun, now - timedelta(days=1)) if begun > now else begun
    owed = last_moment(settings.backup_at, now)
    nightly = nightly_of(settings, now)
    last = nightly[-1].manifest if nightly else None
    return owed > (last.made if last else begun)


class Nightly:
    """A thread that looks every half minute; `close` ends it, and a backup under way with it."""

    def __init__(self, settings: Settings, writer: Writer, clock: Callable[[], datetime] = utc_now) -> None:
        self._settings = settings
        self._writer = writer
        self._clock = clock
        self._stop = threading.Event()
        self._process: subprocess.Popen[str] | None = None
        self._not_before: datetime | None = None
        self._thread = threading.Thread(target=self._run, name="sipas-nightly", daemon=True)
        if settings.backup_at:
            self._thread.start()

    def close(self) -> None:
        self._stop.set()
        process = self._process
        if process is not None and process.poll() is None:
            process.terminate()
        if self._thread.is_alive():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self.look()
            except Exception:  # noqa: BLE001 - the server outlives whatever happens to its backups
                _log.exception("the nightly backup could not be looked after")
                self._not_before = self._clock() + RETRY
            self._stop.wait(LOOK_SECONDS)

    def look(self) -> None:
        """Purge and make the backup if it is due, and not within an hour of one that failed."""
        now = self._clock()
        if self._not_before and now < self._not_before <= now + RETRY:  # else the clock was set back meanwhile
            return
        self._not_before = None
        if not due(self._settings, now, self._begun()):
            return
        # In this order, so that the copy does not hold what is to be forgotten.
        self._do("purge_failed", "comments whose time is over could not be deleted", "purge")
        if not self._do("backup_failed", "the nightly backup failed", "backup", "--nightly"):
            self._not_before = self._clock() + RETRY

    def _do(self, event: str, sentence: str, *arguments: str) -> bool:
        """Run a command of `sipas`; a failure is said and noted, but not that the server was told to stop meanwhile."""
        if self._stop.is_set():
            return True
        code, said = self._run_command(*arguments)
        if not code or self._stop.is_set():
            return True
        _log.error("%s: %s", sentence, said)
        self._writer.submit(lambda store: store.log_event(event, {"said": said})).result()
        return False

    def _begun(self) -> datetime | None:
        try:
            with Store.open(self._settings, write=False) as store:
                return store.begun()
        except SipasError:
            return None

    def _run_command(self, *arguments: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "survey_app", "--instance", str(self._settings.instance)]
        process = self._process = subprocess.Popen(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            errors="replace",
            # A signal from the terminal is for the server, which then ends this one in its own time.
            process_group=0,
        )
        os.setpriority(os.PRIO_PROCESS, process.pid, NICENESS)
        if self._stop.is_set():
            process.terminate()
        _, said = process.communicate()
        return process.returncode, " ".join(said.split())[:MOST_SAID] or f"exit code {process.returncode}"
