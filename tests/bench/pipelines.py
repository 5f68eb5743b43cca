"""Two pipelines on one simulated fal and one Redis: falhook's, and the naive one."""

import os
import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import cast

from celery import Celery
from redis import Redis

from infra.local.stack import Stack
from infra.local.supervisor.process_guard import ProcessGuard
from infra.local.supervisor.procfile import load_procfile
from tests import ROOT
from tests.bench.fastapi_venv import path_with_fastapi
from tests.bench.naive_pipeline import ENDPOINT, PUBLISHED
from tests.bench.programs import BenchFailed, celery, served
from webhook.contract import ROUTES, Task
from webhook.settings.settings import Connections
from worker.broker.client import client
from worker.jobs.job import JobState
from worker.jobs.store import JobStore, connect

PATIENCE = 180.0
_PAUSE = 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline(ABC):
    """A running pipeline, which takes jobs by messages."""

    app: Celery

    @abstractmethod
    def send(self, job_id: str, prompt: str) -> None:
        """Send the message that makes a job of a prompt."""

    @abstractmethod
    def published_at(self, job_id: str) -> float | None:
        """Return when the job was published in Unix seconds; None before."""

    @abstractmethod
    def pids(self) -> list[int]:
        """Return its processes; their children are its as well."""

    def wait(self, *job_ids: str) -> float:
        """Return when the last of the jobs was published. Raises BenchFailed after PATIENCE."""
        deadline = time.monotonic() + PATIENCE
        last = 0.0
        for job_id in job_ids:
            while (at := self.published_at(job_id)) is None:
                if time.monotonic() > deadline:
                    raise BenchFailed(f"{job_id} was not published within {PATIENCE:g} s")
                time.sleep(_PAUSE)
            last = max(last, at)
        return last


@dataclass(frozen=True, slots=True, kw_only=True)
class Falhook(Pipeline):
    """falhook, as its Procfile runs it."""

    stack: Stack
    store: JobStore

    def send(self, job_id: str, prompt: str) -> None:
        fields = {"id": job_id, "endpoint": ENDPOINT, "arguments": {"prompt": prompt}}
        self.app.send_task(Task.CREATE, kwargs=fields, queue=ROUTES[Task.CREATE])

    def published_at(self, job_id: str) -> float | None:
        job = self.store.get(job_id)
        return job.updated_at if job and job.state is JobState.PUBLISHED else None

    def pids(self) -> list[int]:
        supervisor = self.stack.supervisor
        return [supervisor.wait_running(name) for name in load_procfile(ROOT / "Procfile")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Naive(Pipeline):
    """The rival: one FastAPI process, and one worker with Celery's defaults."""

    redis: Redis
    processes: tuple[int, int]

    def send(self, job_id: str, prompt: str) -> None:
        self.app.send_task("naive.submit", args=[job_id, prompt])

    def published_at(self, job_id: str) -> float | None:
        at = cast(bytes | None, self.redis.hget(PUBLISHED, job_id))
        return None if at is None else float(at)

    def pids(self) -> list[int]:
        return list(self.processes)


@contextmanager
def pipelines(running: Stack) -> Iterator[tuple[Falhook, Naive]]:
    """Run the rival beside a stack until the block ends; both share its fal and its Redis."""
    with ExitStack() as block:
        url = running.settings["REDIS_URL"]
        ours = block.enter_context(client(Connections.from_env(running.settings)))
        store = JobStore(block.enter_context(connect(url)))
        environ = _environ(running, url.removesuffix("/0") + "/5")
        guard = ProcessGuard()
        block.callback(guard.close)
        logs = running.directory
        web = block.enter_context(
            served(guard, ["tests.bench.naive_pipeline"], environ, logs / "naive-web.log")
        )
        command, log = "worker --loglevel WARNING", logs / "naive-worker.log"
        environ["BENCH_URL"] = f"http://127.0.0.1:{web.port}"
        worker = block.enter_context(
            celery(guard, command, environ, log, app="tests.bench.naive_pipeline")
        )
        broker = environ["BENCH_BROKER"]
        redis = block.enter_context(Redis.from_url(broker))
        theirs = block.enter_context(Celery("naive", broker=broker))
        yield (
            Falhook(app=ours, stack=running, store=store),
            Naive(app=theirs, redis=redis, processes=(web.pid, worker.pid)),
        )


def _environ(running: Stack, broker: str) -> dict[str, str]:
    here = running.directory / "naive"
    work, storage = here / "work", here / "storage"
    for directory in (work, storage):
        directory.mkdir(parents=True)
    fal: Mapping[str, str] = running.fal.environment
    return {
        **{name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ},
        **fal,
        "PYTHONPATH": f"{ROOT}{path_with_fastapi(ROOT / 'var' / 'bench-fastapi')}",
        "BENCH_BROKER": broker,
        "BENCH_WORK": str(work),
        "BENCH_STORAGE": str(storage),
    }
