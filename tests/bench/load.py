"""A load as from fal: distinct, validly signed callbacks over many connections.

`python -m tests.bench.load '{"port": …, "prefix": …, "count": …}'` prints a Result as JSON.
"""

import asyncio
import gc
import json
import sys
import time
from collections import deque
from dataclasses import asdict, dataclass
from typing import cast
from uuid import UUID

import uvloop

from tests.factories.callbacks import content, signed

CONNECTIONS = 64
PATIENCE = 60.0
PROMPT = "A red fox trots through fresh snow at dawn, low sun behind bare birches. " * 4


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadPlan:
    """What to send; without a `rate` (callbacks/s), as fast as answers arrive."""

    port: int
    prefix: str
    count: int
    rate: float = 0.0
    connections: int = CONNECTIONS


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """Figures of a load; `answered_at` is when each job's 200 arrived, in Unix seconds."""

    accepted: int
    per_second: float
    p50_ms: float
    p99_ms: float
    answered_at: dict[str, float]


def job_ids(plan: LoadPlan) -> list[str]:
    """Return the ids of the jobs whose callbacks are sent."""
    return [f"{plan.prefix}-{number}" for number in range(plan.count)]


def request(job_id: str, number: int) -> bytes:
    """Return the bytes of one HTTP request with a callback, about 600 in its body."""
    request_id = str(UUID(int=hash((job_id, number)) % 2**128))
    payload = {
        "video": {"url": f"https://v3b.fal.media/files/b/{job_id}/output.mp4"},
        "prompt": PROMPT,
    }
    body = content(request_id, payload=payload)
    return signed(job_id, request_id=request_id, body=body).wire()


class Run:
    """One plan in progress: requests that are due, idle connections, latencies."""

    def __init__(self, plan: LoadPlan) -> None:
        self.plan = plan
        self.jobs = job_ids(plan)
        self.requests = [request(job_id, n) for n, job_id in enumerate(self.jobs)]
        self.due: deque[tuple[int, float]] = deque()
        self.idle: list[Connection] = []
        self.latencies: list[float] = []
        self.answered_at: dict[str, float] = {}
        self.ended = asyncio.Event()

    async def result(self) -> Result:
        """Send all requests, wait for the last answer and return the figures."""
        loop = asyncio.get_running_loop()
        for _ in range(self.plan.connections):
            await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.plan.port)
        began = loop.time()
        if self.plan.rate:
            await self._pace(began)
        else:
            self.due.extend((number, 0.0) for number in range(self.plan.count))
            self.send()
        async with asyncio.timeout(PATIENCE):
            await self.ended.wait()
        seconds = loop.time() - began
        for connection in tuple(self.idle):
            connection.transport.close()
        ordered = sorted(self.latencies)
        return Result(
            accepted=len(self.answered_at),
            per_second=self.plan.count / seconds,
            p50_ms=ordered[len(ordered) // 2] * 1000,
            p99_ms=ordered[int(len(ordered) * 0.99)] * 1000,
            answered_at=self.answered_at if self.plan.count <= 1_000 else {},
        )

    async def _pace(self, began: float) -> None:
        loop = asyncio.get_running_loop()
        for number in range(self.plan.count):
            at = began + number / self.plan.rate
            if at > loop.time():
                await asyncio.sleep(at - loop.time())
            # Latency counts from the due time; otherwise a server that stalls would look faster.
            self.due.append((number, at))
            self.send()

    def send(self) -> None:
        while self.due and self.idle:
            number, at = self.due.popleft()
            self.idle.pop().send(number, at or time.monotonic())

    def answered(self, number: int, sent_at: float, accepted: bool) -> None:
        self.latencies.append(time.monotonic() - sent_at)
        if accepted:
            self.answered_at[self.jobs[number]] = time.time()
        if len(self.latencies) == self.plan.count:
            self.ended.set()


class Connection(asyncio.Protocol):
    """One connection of fal's, kept alive."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.number, self.sent_at, self.answer = 0, 0.0, b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.Transport, transport)
        self.run.idle.append(self)

    def send(self, number: int, at: float) -> None:
        self.number, self.sent_at, self.answer = number, at, b""
        self.transport.write(self.run.requests[number])

    def connection_lost(self, exc: Exception | None) -> None:
        # The receiver closes idle connections.
        if self in self.run.idle:
            self.run.idle.remove(self)
        else:
            self.run.answered(self.number, self.sent_at, accepted=False)

    def data_received(self, data: bytes) -> None:
        # All rivals answer with a small JSON object. Checking no more than this leaves the
        # processor to the server under test.
        self.answer += data
        if self.answer.endswith(b"}"):
            run = self.run
            run.answered(self.number, self.sent_at, self.answer.startswith(b"HTTP/1.1 200"))
            if run.due:
                number, at = run.due.popleft()
                self.send(number, at or time.monotonic())
            else:
                run.idle.append(self)


async def _main() -> None:
    gc.disable()
    plan = LoadPlan(**json.loads(sys.argv[1]))
    print(json.dumps(asdict(await Run(plan).result())))  # noqa: T201


if __name__ == "__main__":
    uvloop.run(_main())
