"""`python -m tests.fuzz [--requests N] [--seed N]`: a flood of mutated requests and its summary.

Exits with 1 at the first request that is answered with a 5xx, or with 200 though fal cannot have
sent it, and prints that request.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from infra.local.redis.server import RedisServer
from tests.factories.callbacks import SECRET
from tests.fuzz.test_receiver import Request, Target, genuine, unmutated
from webhook import log as logs
from webhook.contract import mint_token

UNMUTATED = unmutated()
NAMES = [name for name, _ in UNMUTATED.headers]


def main() -> int:
    """Run the flood. Return 0 if every answer was correct, else 1."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(100_000))
    args = parser.parse_args()
    rng, loop = random.Random(args.seed), asyncio.new_event_loop()
    began, answers = time.monotonic(), Counter[int]()
    logs.configure(level="ERROR")
    with tempfile.TemporaryDirectory() as folder, RedisServer.start(Path(folder)) as redis:
        target = Target(loop, redis.url)
        for number in range(args.requests):
            request = mutated(rng)
            status = target.status(request)
            answers[status] += 1
            if status >= 500 or (status == 200 and not genuine(request)):
                sys.stdout.write(f"seed {args.seed}, request {number}: {status} for {request}\n")
                return 1
        target.close()
    summary = ", ".join(f"{status}: {count:,}" for status, count in sorted(answers.items()))
    seconds = time.monotonic() - began
    sys.stdout.write(
        f"seed {args.seed}: {args.requests:,} requests in {seconds:.0f} s; {summary}\n"
    )
    return 0


def mutated(rng: random.Random) -> Request:
    """Return the genuine request with one to four mutations."""
    request = UNMUTATED
    for _ in range(rng.randint(1, 4)):
        request = rng.choice((_path, _header, _name, _body, _body))(request, rng)
    return request


def _path(request: Request, rng: random.Random) -> Request:
    if rng.random() < 0.5:
        job_id = f"job-{rng.randrange(5)}"
        return replace(request, job_id=job_id, token=mint_token(SECRET, job_id, rng.randint(1, 9)))
    return replace(request, token=_mutated(request.token.encode(), rng).decode("latin-1"))


def _header(request: Request, rng: random.Random) -> Request:
    headers = list(request.headers)
    at = rng.randrange(len(headers))
    headers[at] = (headers[at][0], _mutated(headers[at][1], rng))
    return replace(request, headers=headers)


def _name(request: Request, rng: random.Random) -> Request:
    added = (rng.choice(NAMES), rng.randbytes(rng.randrange(140)))
    return replace(request, headers=[*request.headers, added])


def _body(request: Request, rng: random.Random) -> Request:
    body = _mutated(b"".join(request.chunks), rng)
    at = rng.randrange(len(body) + 1)
    return replace(request, chunks=[body[:at], body[at:]])


def _mutated(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data) + 1)
    piece = rng.randbytes(rng.randrange(3))
    return data[:at] + piece + data[at + rng.randrange(3) :]


if __name__ == "__main__":
    sys.exit(main())
