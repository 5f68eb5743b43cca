"""A Redis for the whole life of a stack, whatever happens to it on the way."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import redis

from infra.local.redis_server import RedisNotStarted, RedisServer

_LOOK_SECONDS = 0.2


@contextmanager
def redis_for(environ: Mapping[str, str], directory: Path) -> Iterator[str]:
    """Give the URL of a Redis: REDIS_URL of `environ`, else an embedded one kept in `directory`.

    Where REDIS_URL is set nothing is started. An embedded one that dies is started again on its
    port and data. Raises RedisNotStarted, also where the one of REDIS_URL does not answer.
    """
    if url := environ.get("REDIS_URL"):
        _reached(url)
        yield url
        return
    with RedisServer.start(directory) as server, kept_running(server):
        yield server.url


def _reached(url: str) -> None:
    try:
        with redis.Redis.from_url(url, socket_timeout=3, socket_connect_timeout=3) as client:
            client.ping()
    except (redis.RedisError, ValueError) as error:
        raise RedisNotStarted(
            f"REDIS_URL is set, but no Redis answers there ({error}). Start it, correct REDIS_URL, "
            "or unset it to have an embedded one."
        ) from None


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
