"""Simulated kiosks: they enrol, send their queue through the real API, and wait out whatever happens to the server.

`Field.enrol`, `Field.send`, `Tally`. A device sends in the order of its numbers, a batch at a time, and goes on only
when the batch was acknowledged; a batch may be sent twice on purpose, as if the acknowledgement had been lost.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from survey_app.problems import Problem
from survey_app.simulation.citizens import Queue, SimulationError
from survey_app.simulation.journal import Journal, Kiosk
from survey_app.simulation.outbox import Device, Outbox, Said, device_time

PASSING = frozenset({429, 500, 502, 503, 504, 507})
MOST_WAIT = 2.0
Codes = Callable[[Sequence[Queue]], Mapping[str, str]]
"""Makes an enrolment code for the device of each queue, by its key."""


class RefusedError(SimulationError):
    """The server answered, and said no."""

    def __init__(self, problem: Problem, status: int) -> None:
        super().__init__(problem)
        self.status = status


@dataclass
class Tally:
    """What happened so far; `doubled` counts responses sent again on purpose."""

    stored: int = 0
    already_stored: int = 0
    doubled: int = 0
    asked_again: int = 0
    posts: int = 0
    retries: int = 0


@dataclass
class Field:
    """All simulated devices of one wave at one server."""

    server: str
    journal: Journal
    seed: int
    batch: int = 20
    doubling: float = 0.05
    workers: int = 8
    patience: float = 120.0
    progress: Callable[[int], None] = lambda _: None
    tally: Tally = field(default_factory=Tally)
    stop: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def enrol(self, queues: Sequence[Queue], new_codes: Codes) -> dict[str, Kiosk]:
        """A device for each queue: the one of an earlier run, or a new one by a code of `new_codes`."""
        known = self.journal.kiosks()
        waiting = [queue for queue in queues if queue.key not in known]
        codes = new_codes(waiting)
        self._each(lambda client, queue: self._enrol(client, queue, codes[queue.key], new_codes), waiting)
        kiosks = self.journal.kiosks()
        return {queue.key: kiosks[queue.key] for queue in queues}

    def send(self, kiosks: Mapping[str, Kiosk], queues: Sequence[Queue]) -> Tally:
        """Send every queue to its end; `SimulationError` when the server refuses, or stays away too long."""
        done = self.journal.acknowledged()
        jobs = [(kiosks[queue.key], queue, done.get(kiosks[queue.key].device, 0)) for queue in queues]
        self.progress(sum(acknowledged for _, _, acknowledged in jobs))
        self._each(lambda client, job: self._send_queue(client, *job), jobs)
        return self.tally

    def _each(self, work: Callable[[httpx.Client, Any], None], jobs: Sequence[Any]) -> None:
        """Run the jobs on a few threads; the first failure, or Ctrl-C, stops all of them."""
        limits = httpx.Limits(max_connections=self.workers)
        no_cookies = CookieJar(DefaultCookiePolicy(allowed_domains=[]))  # they are for pages; devices show their token
        with (
            httpx.Client(
                base_url=self.server, timeout=30.0, limits=limits, cookies=no_cookies, trust_env=False
            ) as client,
            ThreadPoolExecutor(self.workers) as pool,
        ):
            futures: list[Future[None]] = []
            try:
                futures += [pool.submit(work, client, job) for job in jobs]
                for future in futures:
                    future.result()
            except BaseException:
                self.stop.set()
                for future in futures:
                    future.cancel()
                raise

    def _enrol(self, client: httpx.Client, queue: Queue, code: str, new_codes: Codes) -> None:
        for trial in (1, 2, 3):
            try:
                reply = self._post(client, "/api/v1/enrol", {"code": code}, {})
                break
            except RefusedError as error:
                # The server may have taken the code and died before it could say so: the code is then used up.
                if error.status != 400 or trial == 3:
                    raise
                code = new_codes([queue])[queue.key]
        self.journal.enrolled(Kiosk(reply["device"], queue.centre, reply["token"], queue.post))

    def _send_queue(self, client: httpx.Client, kiosk: Kiosk, queue: Queue, done: int) -> None:
        """From the last acknowledged number on; after a break first what the server lost of those before, if anything."""
        chance = random.Random(f"{self.seed} {kiosk.key}")
        outbox = Outbox(queue.responses[:done], sent=done)
        device = Device(outbox, partial(self._post_responses, client, kiosk), self.batch)
        if done:
            self._note(device.sync())
        while done < len(queue.responses):
            batch = [outbox.put(response) for response in queue.responses[done : done + self.batch]]
            self._note(device.sync())
            done = outbox.last_seq
            self.journal.sent(kiosk.device, done)
            with self._lock:
                self.progress(len(batch))
            if chance.random() < self.doubling:
                again = Said()
                device.send(batch, again)
                self._note(again)
                self._count(doubled=len(batch))

    def _post_responses(self, client: httpx.Client, kiosk: Kiosk, body: Mapping[str, Any]) -> Mapping[str, Any]:
        def now() -> Mapping[str, Any]:  # a sending tried again says the time of the trial
            return {**body, "sent_at": device_time()}

        return self._post(client, "/api/v1/responses", now, {"Authorization": f"Bearer {kiosk.token}"})

    def _note(self, said: Said) -> None:
        self._count(
            stored=said.fates.get("stored", 0),
            already_stored=said.fates.get("already_stored", 0),
            asked_again=said.asked_again,
        )

    def _post(self, client: httpx.Client, path: str, body: Any, headers: Mapping[str, str]) -> Mapping[str, Any]:
        """Post until the server answers; it may be down, restarting or busy meanwhile."""
        wait, since = 0.1, time.monotonic()
        while True:
            if self.stop.is_set():
                raise SimulationError(Problem("stopped", self.server, "go on with --resume"))
            try:
                reply = client.post(path, json=body() if callable(body) else body, headers=headers)
                if reply.status_code not in PASSING:
                    break
                trouble = f"status {reply.status_code}"
                wait = max(wait, min(float(reply.headers.get("Retry-After", 0)), 5.0))
            except httpx.TransportError as error:
                trouble = str(error) or type(error).__name__
            if time.monotonic() - since > self.patience:
                raise SimulationError(
                    Problem(
                        f"no answer from the server for {self.patience:.0f} seconds: {trouble}",
                        self.server,
                        "start it (sipas serve --development-http), then repeat the command with --resume",
                    )
                )
            self._count(retries=1)
            self.stop.wait(wait * random.uniform(0.7, 1.3))
            wait = min(2 * wait, MOST_WAIT)
        self._count(posts=1)
        if reply.status_code != 200:
            raise _refusal(reply, path)
        answer: Mapping[str, Any] = reply.json()
        return answer

    def _count(self, **more: int) -> None:
        with self._lock:
            for name, value in more.items():
                setattr(self.tally, name, getattr(self.tally, name) + value)


def _refusal(reply: httpx.Response, path: str) -> "RefusedError":
    try:
        problem = reply.json()
        words = problem.get("detail") or problem.get("title", "")
    except ValueError:
        words = reply.text[:200]
    problem = Problem(
        f"the server refuses: {reply.status_code} {words}",
        f"POST {reply.url.copy_with(path=path)}",
        "use the server of this instance: sipas --instance INSTANCE serve --development-http",
    )
    return RefusedError(problem, reply.status_code)
