"""Switching a tablet off at the wall: `kill -9` of the whole browser while citizens answer. `cut_power`, `Cuts`.

What a citizen was thanked for, as far as it was heard outside, must be on the tablet after the next start and come to
the server once. Used by the tests (a few cuts) and by the benchmark (many).
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from playwright.sync_api import BrowserContext, BrowserType, Error, Page

from survey_app.settings import Settings
from survey_app.store import Store
from tests.browser.conftest import CENTRE
from tests.browser.tablet import ENROL, draft, new_code, open_modules, run
from tests.served import WAVE

ANSWERING = """
const storage = await openStorage();
const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
await sender.start();
(async () => {
  for (;;) {
    const { uuid } = await storage.commit(given).catch((error) => ({ uuid: console.log(`failed ${error}`) }));
    if (!uuid) { await new Promise(next => setTimeout(next, 100)); continue; }
    console.log(`thanked ${uuid}`);
    if (Math.random() < 0.3) sender.wake();
    await new Promise(next => setTimeout(next, Math.random() * 20));
  }
})();
"""

SENDING = """
const storage = await openStorage();
const sender = new Sender({ storage, app: "test", wait: { first: 20, longest: 60, heartbeat: 60_000 } });
await sender.start();
await until(async () => (await storage.counts()).unsent === 0);
await sender.running;
"""


@dataclass
class Cuts:
    """What was seen: how often the power went, who was thanked, what the server has at the end."""

    cuts: int = 0
    thanked: set[str] = field(default_factory=set)
    stored: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)

    @property
    def lost(self) -> set[str]:
        return self.thanked - set(self.stored)

    @property
    def doubled(self) -> int:
        return len(self.stored) - len(set(self.stored))


def cut_power(
    browsers: BrowserType,
    chromium: str,
    settings: Settings,
    url: str,
    folder: Path,
    *,
    cuts: int,
    seed: int = 1,
    centre: str = CENTRE,
) -> Cuts:
    """Let citizens answer, kill the browser at a random moment, `cuts` times; then start it once more and let it send."""
    chance, seen = random.Random(seed), Cuts()
    with _tablet(browsers, chromium, folder) as context:
        device = run(open_modules(context, url), ENROL, new_code(settings, centre))
    for _ in range(cuts):
        with _tablet(browsers, chromium, folder, killed=True) as context:
            page = open_modules(context, url)
            page.on("console", lambda message: _note(seen, message.text))
            before = len(seen.thanked)
            run(page, ANSWERING, draft())
            _wait_for(page, lambda before=before: len(seen.thanked) > before, seen)  # type: ignore[misc]
            with suppress(Error):
                page.wait_for_timeout(chance.uniform(0, 400))
            _kill(folder)
            seen.cuts += 1
    with _tablet(browsers, chromium, folder) as context:
        run(open_modules(context, url), SENDING)
    with Store.open(settings, write=False) as store:
        seen.stored = [response.uuid for response in store.responses(WAVE) if response.device == device]
    return seen


@contextmanager
def _tablet(browsers: BrowserType, chromium: str, folder: Path, *, killed: bool = False) -> Iterator[BrowserContext]:
    context = browsers.launch_persistent_context(
        str(folder), executable_path=chromium, headless=True, args=["--no-sandbox"]
    )
    context.set_default_timeout(60_000)
    try:
        yield context
    finally:
        with suppress(Error):
            context.close()
        if killed:
            for lock in folder.glob("Singleton*"):
                lock.unlink(missing_ok=True)


def _note(seen: Cuts, text: str) -> None:
    word, _, uuid = text.partition(" ")
    if word == "thanked":
        seen.thanked.add(uuid)
    if word == "failed":
        seen.failed.append(uuid)


def _wait_for(page: Page, true: "object", seen: Cuts) -> None:
    deadline = time.monotonic() + 60
    while not true():  # type: ignore[operator]
        assert time.monotonic() < deadline, f"no citizen was thanked on {page.url}: {seen.failed[-3:]}"
        page.wait_for_timeout(20)


def _kill(folder: Path) -> None:
    """Every process of that browser at once."""
    mark = f"--user-data-dir={folder}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if mark in (entry / "cmdline").read_bytes():
                    os.kill(int(entry.name), signal.SIGKILL)
