"""A line between tablet and server as in the mountains: it loses, it cuts, it is slow. `flaky_line`, `Line`."""

import asyncio
import random
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field


@dataclass
class Line:
    """A TCP proxy. Of what the client says, `loss` is lost: half on the way there, half on the way back, after the
    server has acted on it; the connection breaks. Everything takes `latency` seconds. While `down`, nothing passes.
    """

    target: int
    loss: float = 0.3
    latency: float = 0.0
    seed: int = 1
    port: int = 0
    down: bool = False
    bytes_back: int = 0
    lost_requests: int = 0
    lost_answers: int = 0
    _chance: random.Random = field(default_factory=random.Random, repr=False)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            if not self.down:
                there, back = await asyncio.open_connection("127.0.0.1", self.target)
                try:
                    answers = asyncio.create_task(self._answer(there, writer))
                    await self._ask(reader, back, answers)
                finally:
                    answers.cancel()
                    back.close()
        writer.close()

    async def _ask(
        self, reader: asyncio.StreamReader, back: asyncio.StreamWriter, answers: "asyncio.Task[None]"
    ) -> None:
        while said := await reader.read(1 << 20):
            await asyncio.sleep(self.latency)
            fate = self._chance.random()
            if self.down or fate < self.loss / 2:
                self.lost_requests += 1
                return
            back.write(said)
            await back.drain()
            if fate < self.loss:
                self.lost_answers += 1
                answers.cancel()
                await asyncio.sleep(0.05 + self.latency)  # the server acts on it; nobody hears
                return

    async def _answer(self, there: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while told := await there.read(1 << 20):
                await asyncio.sleep(self.latency)
                if self.down:
                    break
                self.bytes_back += len(told)
                writer.write(told)
                await writer.drain()
            writer.close()


@contextmanager
def flaky_line(target: int, **how: float) -> Iterator[Line]:
    """A line to the server at port `target`, on a loop of its own thread."""
    line = Line(target, **how)  # type: ignore[arg-type]
    line._chance.seed(line.seed)
    ready, end = threading.Event(), threading.Event()
    thread = threading.Thread(target=lambda: asyncio.run(_serve(line, ready, end)), daemon=True)
    thread.start()
    ready.wait()
    try:
        yield line
    finally:
        end.set()
        thread.join()


async def _serve(line: Line, ready: threading.Event, end: threading.Event) -> None:
    server = await asyncio.start_server(line.carry, "127.0.0.1", 0)
    line.port = server.sockets[0].getsockname()[1]
    ready.set()
    while not end.is_set():
        await asyncio.sleep(0.05)
    server.close()
