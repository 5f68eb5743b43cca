"""A whole local stack whose jobs are images of 1 KB, and what its Redis does for them."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import cast

from redis import Redis

from infra.local.logfile import Logfile
from infra.local.redis.server import RedisServer
from infra.local.stack import Stack, stack
from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.bench.programs import BenchFailed, processor_seconds
from tests.factories.small_images import small_images
from tests.soak.creation import Creation
from webhook.settings.settings import Connections
from webhook.shards import all_keys
from worker.broker.client import client
from worker.jobs.job import FINAL, JobState
from worker.jobs.listing import count
from worker.jobs.store import JOBS, connect

FAL = ("--render-seconds", "0.5", "--concurrency", "400")
# Seconds within which some jobs must have ended.
PATIENCE = 300.0
# The only command of `_ended`; the stack sends none of it.
_POLL = "cmdstat_zcard"


@dataclass(frozen=True, slots=True, kw_only=True)
class ScaleSystem:
    """A running stack and clients of its Redis; `raw` does not decode responses."""

    url: str
    redis: Redis
    raw: Redis
    stack: Stack
    creation: Creation

    def publish(self, *job_ids: str) -> float:
        """Create the jobs by messages; return the seconds until all are published.

        Raises BenchFailed if one ends otherwise, or not in time.
        """
        before, began = self._ended(), time.monotonic()
        for job_id in job_ids:
            self.creation.send(job_id)
        while self._ended() < before + len(job_ids):
            if time.monotonic() - began > PATIENCE:
                raise BenchFailed(f"jobs did not end within {PATIENCE:g} s; see its stack.log")
            time.sleep(0.05)
        seconds = time.monotonic() - began
        if bad := sum(count(self.redis, FINAL - {JobState.PUBLISHED}).values()):
            raise BenchFailed(f"{bad} jobs were not published; see its stack.log")
        return seconds

    def commands(self) -> int:
        """Return the commands that the server has executed, except those of `publish`.

        Those of a script count as well.
        """
        stats = cast(Mapping[str, Mapping[str, int]], self.raw.info("commandstats"))
        return sum(stat["calls"] for name, stat in stats.items() if name != _POLL)

    def processor_seconds(self) -> float:
        """Return the processor time of falhook's processes, those of the Procfile."""
        names = load_procfile(ROOT / "Procfile")
        return processor_seconds(map(self.stack.supervisor.wait_running, names))

    def redis_seconds(self) -> float:
        """Return the processor time of the main thread of the server."""
        cpu = cast(Mapping[str, float], self.raw.info("cpu"))
        return cpu["used_cpu_user_main_thread"] + cpu["used_cpu_sys_main_thread"]

    def used_memory(self) -> int:
        """Return the bytes that the server has allocated."""
        return int(cast(Mapping[str, int], self.raw.info("memory"))["used_memory"])

    def _ended(self) -> int:
        with self.redis.pipeline(transaction=False) as calls:
            for key in chain.from_iterable(all_keys(f"{JOBS}:{state}") for state in FINAL):
                calls.zcard(key)
            return sum(calls.execute())


@contextmanager
def scale_system(directory: Path) -> Iterator[ScaleSystem]:
    """Run a stack in `directory` until the block ends; its log is stack.log.

    The append-only file is never rewritten: a rewrite that happens in one of two systems would
    decide their comparison.
    """
    options = (*FAL, "--media-cache", str(small_images(directory / "images")))
    with RedisServer.start(directory / "redis", configuration=[_NO_REWRITE]) as server:
        environ = {**_shell(), "REDIS_URL": server.url, "FALHOOK_LOG_LEVEL": "WARNING"}
        urls = {"REDIS_URL": server.url, "FALHOOK_BROKER_URL": server.url}
        with (
            Logfile(directory / "stack.log") as log,
            stack(directory, log.write, environ=environ, fal_options=options) as running,
            connect(server.url) as redis,
            connect(server.url, decode_responses=False) as raw,
            client(Connections.from_env(urls)) as app,
        ):
            creation = Creation(app=app, redis=redis)
            yield ScaleSystem(
                url=server.url, redis=redis, raw=raw, stack=running, creation=creation
            )


_NO_REWRITE = "auto-aof-rewrite-percentage 0"


def _shell() -> Mapping[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
