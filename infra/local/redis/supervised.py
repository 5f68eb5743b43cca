"""A Redis that is available while a stack runs, restarted after a crash."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from infra.local.redis.binary import RedisNotStarted
from infra.local.redis.external import claim, mark
from infra.local.redis.server import RedisServer

_POLL_SECONDS = 0.2
_RETRY_SECONDS = 1.0


@contextmanager
def redis_for(
    environ: Mapping[str, str], directory: Path, output: Callable[[str, bytes], None]
) -> Iterator[str]:
    """Yield the URL of a Redis: REDIS_URL of `environ`, else an embedded one in `directory`.

    An embedded Redis that dies is restarted on its port and data; `output` receives a line for a
    restart that fails, under the name redis. Either Redis is marked as holding
    simulated jobs. Raise RedisNotStarted if none can be started, or if the Redis of REDIS_URL does
    not answer or may belong to a real deployment.
    """
    if url := environ.get("REDIS_URL"):
        claim(url)
        yield url
        return
    with RedisServer.start(directory) as server, keep_running(server, output):
        with redis.Redis.from_url(server.url) as client:
            mark(client)
        yield server.url


@contextmanager
def keep_running(server: RedisServer, output: Callable[[str, bytes], None]) -> Iterator[None]:
    """Restart `server` whenever it ends, until the block ends; `output` gets why that failed."""
    block_ended = threading.Event()
    thread = threading.Thread(
        target=_restart_until, args=(server, block_ended, output), name="redis", daemon=True
    )
    thread.start()
    try:
        yield
    finally:
        block_ended.set()
        thread.join()


def _restart_until(
    server: RedisServer, block_ended: threading.Event, output: Callable[[str, bytes], None]
) -> None:
    while not block_ended.is_set():
        if server.ended(_POLL_SECONDS) and not block_ended.is_set():
            try:
                server.restart()
            except (RedisNotStarted, OSError) as error:  # killed while it loaded its data, for one
                output("redis", f"Redis is not restarted yet: {error}\n".encode())
                block_ended.wait(_RETRY_SECONDS)
