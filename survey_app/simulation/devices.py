"""Simulated kiosks: they enrol, send their queue through the real API, and wait out whatever happens to the server.

`Field.enrol`, `Field.send`, `Tally`. A device sends in the order of its numbers, a batch at a time, and goes on only
when the batch was acknowledged; a batch may be sent twice on purpose, as if the acknowledgement had been lost.
"""

import random
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx

from survey_app.problems import Problem
from survey_app.simulation.citizens import Queue, SimulationError
from survey_app.simulation.journal import Journal, Kiosk

PASSING = frozenset({429, 500, 502, 503, 504, 507})
MOST_WAIT = 2.0
GOOD_FATES = frozenset({"stored", "already_stored"})


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

    def enrol(
        self, centres: Sequence[str], new_codes: Callable[[Sequence[str]], Mapping[str, str]]
    ) -> dict[str, Kiosk]:
        """A device for each centre: the one of an earlier run, or a new one by a code of `new_codes`."""
        known = self.journal.kiosks()
        codes = new_codes([centre for centre in centres if centre not in known])
        self._each(lambda client, item: self._enrol(client, item[0], item[1], new_codes), list(codes.items()))
        kiosks = self.journal.kiosks()
        return {centre: kiosks[centre] for centre in centres}

    def send(self, kiosks: Mapping[str, Kiosk], queues: Sequence[Queue]) -> Tally:
        """Send every queue to its end; `SimulationError` when the server refuses, or stays away too long."""
        done = self.journal.acknowledged()
        jobs = [(kiosks[queue.centre], queue, done.get(kiosks[queue.centre].device, 0)) for queue in queues]
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
            futures = [pool.submit(work, client, job) for job in jobs]
            try:
                for future in futures:
                    future.result()
            except BaseException:
                self.stop.set()
                for future in futures:
                    future.cancel()
                raise

    def _enrol(
        self, client: httpx.Client, centre: str, code: str, new_codes: Callable[[Sequence[str]], Mapping[str, str]]
    ) -> None:
        for trial in (1, 2, 3):
            try:
                reply = self._post(client, "/api/v1/enrol", {"code": code}, {})
                break
            except RefusedError as error:
                # The server may have taken the code and died before it could say so: the code is then used up.
                if error.status != 400 or trial == 3:
                    raise
                code = new_codes([centre])[centre]
        self.journal.enrolled(Kiosk(device=reply["device"], centre=centre, token=reply["token"]))

    def _send_queue(self, client: httpx.Client, kiosk: Kiosk, queue: Queue, done: int) -> None:
        chance = random.Random(f"{self.seed} {kiosk.centre}")
        again = 0
        while done < len(queue.responses):
            batch = queue.responses[done : done + self.batch]
            reply = self._send_batch(client, kiosk, batch)
            done = batch[-1]["seq"]
            if (first := wanted(reply, queue)) is not None:
                again += 1
                self._count(asked_again=1)
                if again > 10:
                    raise SimulationError(
                        Problem(
                            f"the server keeps asking for number {first}", f"device {kiosk.device}", "run sipas verify"
                        )
                    )
                done = first - 1
                continue
            self.journal.sent(kiosk.device, done)
            with self._lock:
                self.progress(len(batch))
            if chance.random() < self.doubling:
                self._count(doubled=len(batch))
                self._send_batch(client, kiosk, batch)

    def _send_batch(self, client: httpx.Client, kiosk: Kiosk, batch: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
        def body() -> dict[str, Any]:
            now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
            return {"sent_at": now, "last_seq": batch[-1]["seq"], "app": "sipas-simulate", "responses": list(batch)}

        reply = self._post(client, "/api/v1/responses", body, {"Authorization": f"Bearer {kiosk.token}"})
        fates = [result["fate"] for result in reply["results"]]
        if len(fates) != len(batch):
            raise SimulationError(
                Problem(f"{len(fates)} fates for {len(batch)} responses", self.server, "is this a SIPAS server?")
            )
        refused = [result for result in reply["results"] if result["fate"] not in GOOD_FATES]
        if refused:
            raise SimulationError(
                [
                    Problem(
                        f"{result['fate']}: {', '.join(result.get('errors', ()))}",
                        f"device {kiosk.device}, response {result['uuid']}",
                        "the simulator and the server disagree: simulate into a fresh instance of this version",
                    )
                    for result in refused[:5]
                ]
            )
        self._count(stored=fates.count("stored"), already_stored=fates.count("already_stored"))
        return reply

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


def wanted(reply: Mapping[str, Any], queue: Queue) -> int | None:
    """The lowest number the server asks to have again."""
    numbers = [first for first, _ in reply["missing"]]
    uuids = set(reply["resend"])
    numbers += [response["seq"] for response in queue.responses if response["uuid"] in uuids] if uuids else []
    return min(numbers, default=None)


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
