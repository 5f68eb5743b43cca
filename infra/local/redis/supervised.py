"""A Redis for the whole life of a stack, whatever happens to it on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from infra.local.redis.external import claim, mark
from infra.local.redis.server import RedisServer

_LOOK_SECONDS = 0.2


@contextmanager
def redis_for(environ: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Give the URL of a Redis: REDIS_URL of `environ`, else an embedded one kept in `directory`.

    Where REDIS_URL is set nothing is started. An embedded one that dies is started again on its
    port and data. Either one is marked as holding simulated jobs. Raises RedisNotStarted, also
    where the one of REDIS_URL does not answer or may be a real deployment's.
    """
    if url := environ.get("REDIS_URL"):
        claim(url)
        yield url
        return
    with RedisServer.start(directory) as server, kept_running(server):
        with redis.Redis.from_url(server.url) as client:
            mark(client)
        yield server.url


@contextmanager
def kept_running(server: RedisServer) -> Iterator[None]:
    """Start `server` again whenever it ends, until the block does."""
    over = threading.Event()
    keeper = threading.Thread(target=_keep, args=(server, over), name="redis", daemon=True)
    keeper.start()
    try:
        yield
    finally:
        over.set()
        keeper.join()


def _keep(server: RedisServer, over: threading.Event) -> None:
    while not over.is_set():
        if server.ended(_LOOK_SECONDS) and not over.is_set():
            server.restart()
