"""The whole system of real processes, with handles to break each of them."""

import contextlib
import json
import os
import signal
import ssl
import urllib.request
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import psutil
from redis import Redis
from redis.exceptions import ReadOnlyError, RedisError

from infra.local.redis.server import RedisServer
from infra.local.stack import Stack
from tests.faults.proxy import Proxy
from tests.faults.waiting import until
from webhook.contract import Task
from worker.jobs.events import history
from worker.jobs.job import FINAL, Job, JobState
from worker.jobs.store import JobStore

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
WORKERS = ("submit", "callbacks", "media", "publish")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSystem:
    """A running stack behind proxies; `records` reads past them."""

    redis: RedisServer
    broker: RedisServer
    proxy: Proxy
    stack: Stack
    records: JobStore
    raw: Redis
    wake: Callable[[Task, object], None]
    directory: Path

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Send a signal to the process of this name; False while it is between two runs."""
        pid = self.stack.supervisor.pid(name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def kill_child(self, name: str) -> bool:
        """SIGKILL a child of that process, ffmpeg for one; False if it has none just now."""
        pid = self.stack.supervisor.pid(name)
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(pid).children(recursive=True):
                child.kill()
                return True
        return False

    def add(self, job_id: str, prompt: str) -> None:
        """Make a job and wake its submit; comes back only when the record is written."""
        job = Job(
            id=job_id, endpoint=ENDPOINT, arguments={"prompt": prompt}, estimate={"usd": "1.40"}
        )
        due = self.records.clock() + 20
        while True:
            try:
                self.records.add(job, due=due, event={"name": "created", "step": Task.CREATE})
                break
            except (RedisError, ReadOnlyError):
                continue
        self.wake(Task.SUBMIT, job_id)

    def job(self, job_id: str) -> Job:
        """The job as it stands."""
        job = self.records.get(job_id)
        assert job is not None
        return job

    def ends(self, job_id: str, seconds: float = 60.0) -> JobState:
        """The state in which the job ended, within so many seconds."""
        until(lambda: self.job(job_id).state in FINAL, f"{job_id} has ended", seconds)
        return self.job(job_id).state

    def names(self, job_id: str) -> list[str]:
        """The names of the job's events."""
        return [event["name"] for event in history(self.records.redis, job_id)]

    def counts(self, job_id: str) -> Counter[str]:
        """What fal counted for this job: its POSTs, and the requests about what it accepted."""
        told = self.stack.fal.counts()
        seen: Counter[str] = Counter()
        for url, counted in told["webhooks"].items():
            if f"/{job_id}/" in url:
                posts = ("submit_posts", "submit")
                seen.update({kind: int(str(counted.get(kind, 0))) for kind in posts})
        for counted in told["requests"].values():
            if f"/{job_id}/" in str(counted["webhook"]):
                gets = ("status", "result", "cancel", "callback_accepted")
                seen.update({kind: int(str(counted[kind])) for kind in gets})
        return seen

    def log(self, *words: str) -> bool:
        """Whether a line of the log of all processes holds all these words."""
        lines = (self.directory / "stack.log").read_text(errors="replace").splitlines()
        return any(all(word in line for word in words) for line in lines)

    def fal(self, method: str, path: str) -> object:
        """A control of the simulated fal."""
        context = ssl.create_default_context(cafile=self.stack.fal.ca_file)
        request = urllib.request.Request(f"{self.stack.fal.url}{path}", method=method)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return json.load(answer)

    def storage(self, job_id: str) -> Path:
        """Where the job's published files lie."""
        return self.directory / "storage" / "published" / job_id
