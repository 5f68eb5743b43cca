"""Start of a whole system whose Redis is behind a proxy that tests can break."""

import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from redis import Redis

from infra.local.logfile import Logfile
from infra.local.redis.server import RedisServer
from infra.local.stack import Stack, stack
from tests.faults.clips import tiny_clips
from tests.faults.proxy import Proxy
from tests.faults.system import StormSystem
from tests.faults.waiting import checking
from webhook.settings.settings import Connections
from worker.broker.client import client, waker
from worker.jobs.store import JobStore, connect


@contextmanager
def system(
    directory: Path,
    *,
    environ: Mapping[str, str] | None = None,
    fal_options: tuple[str, ...] = (),
    deadline: float = 60.0,
    own_broker: bool = False,
) -> Iterator[StormSystem]:
    """Run a whole system in `directory` until the block ends; its log is stack.log.

    With `own_broker` the broker is another Redis than that of the records.
    """
    with ExitStack() as block:
        redis = broker = block.enter_context(RedisServer.start(directory / "redis"))
        proxy = block.enter_context(Proxy(_port(redis)))
        settings = _environ(redis.url.replace(f":{_port(redis)}/", f":{proxy.port}/"), deadline)
        if own_broker:
            broker = block.enter_context(RedisServer.start(directory / "broker"))
            settings["FALHOOK_BROKER_URL"] = broker.url
        running = block.enter_context(
            _stack(directory, {**settings, **(environ or {})}, fal_options)
        )
        block.enter_context(checking(running.supervisor.require_running))
        client_redis = block.enter_context(connect(redis.url))
        raw = block.enter_context(Redis.from_url(redis.url))
        urls = {"REDIS_URL": redis.url, "FALHOOK_BROKER_URL": broker.url}
        app = client(Connections.from_env(urls))
        block.callback(app.close)
        yield StormSystem(
            redis=redis,
            broker=broker,
            proxy=proxy,
            stack=running,
            records=JobStore(client_redis),
            raw=raw,
            wake=waker(app),
            directory=directory,
        )


def _port(redis: RedisServer) -> int:
    port = urlsplit(redis.url).port
    assert port is not None
    return port


def _environ(redis_url: str, deadline: float) -> dict[str, str]:
    kept = ("PATH", "HOME", "LANG")
    return {
        **{name: os.environ[name] for name in kept if name in os.environ},
        "REDIS_URL": redis_url,
        "FALHOOK_CALLBACK_DEADLINE": str(deadline),
        "FALHOOK_LOG_FORMAT": "json",
    }


@contextmanager
def _stack(
    directory: Path, environ: Mapping[str, str], fal_options: tuple[str, ...]
) -> Iterator[Stack]:
    options = ("--media-cache", str(tiny_clips(directory / "clips")), *fal_options)
    with (
        Logfile(directory / "stack.log") as logfile,
        stack(directory, logfile.write, environ=environ, fal_options=options) as running,
    ):
        yield running
