"""Requests at a steady rate over raw connections: `python -m tests.bench.api_load PLAN`.

The plan is JSON: port, token, requests (each method, path, key, body), rate, connections. Prints
the milliseconds from the moment at which each request was due to its answer, and the statuses.
"""

import asyncio
import json
import sys
from collections import deque
from dataclasses import asdict, dataclass

import uvloop


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """One request of a plan."""

    method: str
    path: str
    key: str = ""
    body: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What to send. A `rate` of 0 sends everything at once."""

    port: int
    token: str
    requests: list[Sent]
    rate: float
    connections: int = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Answers:
    """What came back, in the order of the answers."""

    statuses: list[int]
    milliseconds: list[float]


def wire(plan: Plan, sent: Sent) -> bytes:
    """Return the bytes of a request."""
    lines = [
        f"{sent.method} {sent.path} HTTP/1.1",
        "Host: bench",
        f"Authorization: Bearer {plan.token}",
        f"Content-Length: {len(sent.body)}",
    ]
    if sent.body:
        lines.append("Content-Type: application/json")
    if sent.key:
        lines.append(f"Idempotency-Key: {sent.key}")
    return ("\r\n".join(lines) + "\r\n\r\n" + sent.body).encode()


class _Sender:
    """A connection that sends one request after the other."""

    def __init__(self, waiting: "deque[tuple[float, bytes]]", answers: Answers) -> None:
        self._waiting = waiting
        self._answers = answers

    async def run(self, port: int) -> None:
        loop = asyncio.get_running_loop()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while self._waiting:
            due, data = self._waiting.popleft()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            writer.write(data)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(_length(head))
            self._answers.milliseconds.append(1000 * (loop.time() - due))
            self._answers.statuses.append(int(head[9:12]))
        writer.close()


def _length(head: bytes) -> int:
    for line in head.split(b"\r\n"):
        if line.lower().startswith(b"content-length:"):
            return int(line.partition(b":")[2])
    return 0


async def run(plan: Plan) -> Answers:
    """Send everything; return once all answers are there."""
    answers = Answers(statuses=[], milliseconds=[])
    begins = asyncio.get_running_loop().time() + 0.5
    apart = 1.0 / plan.rate if plan.rate else 0.0
    waiting = deque(
        (begins + number * apart, wire(plan, sent)) for number, sent in enumerate(plan.requests)
    )
    async with asyncio.TaskGroup() as tasks:
        for _ in range(plan.connections):
            tasks.create_task(_Sender(waiting, answers).run(plan.port))
    return answers


def main(text: str) -> None:
    """Print the answers to a plan as JSON."""
    given = json.loads(text)
    given["requests"] = [Sent(**each) for each in given["requests"]]
    print(json.dumps(asdict(uvloop.run(run(Plan(**given))))))  # noqa: T201


if __name__ == "__main__":
    main(sys.stdin.read())
