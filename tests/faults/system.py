"""The whole system of real processes, with methods that break each of them."""

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
from tests.factories.listed import history_of
from tests.faults.proxy import Proxy
from tests.faults.waiting import check, until
from webhook.contract import Task
from worker.jobs.job import FINAL, Job, JobState
from worker.jobs.store import JobStore

ENDPOINT = "fal-ai/kling-video/v2.1/master/text-to-video"
WORKERS = ("submit", "callbacks", "media", "publish")


@dataclass(frozen=True, slots=True, kw_only=True)
class StormSystem:
    """A running stack that reaches Redis through `proxy`; `records` and `raw` do not."""

    redis: RedisServer
    broker: RedisServer
    proxy: Proxy
    stack: Stack
    records: JobStore
    raw: Redis
    wake: Callable[[Task, object], None]
    directory: Path

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL) -> bool:
        """Signal the process of this name. Return False if it is between two runs."""
        pid = self.stack.supervisor.pid(name)
        if pid is None:
            return False
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
        return True

    def kill_child(self, name: str) -> bool:
        """SIGKILL a child of that process, such as ffmpeg. Return False if it has none."""
        pid = self.stack.supervisor.pid(name)
        with contextlib.suppress(psutil.Error):
            for child in psutil.Process(pid).children(recursive=True):
                child.kill()
                return True
        return False

    def add(self, job_id: str, prompt: str) -> None:
        """Create a job and wake its submit; return once the record is written."""
        job = Job(
            id=job_id, endpoint=ENDPOINT, arguments={"prompt": prompt}, estimate={"usd": "1.40"}
        )
        due = self.records.clock() + 20
        while True:
            try:
                self.records.add(job, due=due, event={"name": "created", "step": Task.CREATE})
                break
            except (RedisError, ReadOnlyError):
                check()
        self.wake(Task.SUBMIT, job_id)

    def job(self, job_id: str) -> Job:
        """Return the job's current record."""
        job = self.records.get(job_id)
        assert job is not None
        return job

    def ends(self, job_id: str, seconds: float = 60.0) -> JobState:
        """Wait at most `seconds` until the job has ended; return its state."""
        until(lambda: self.job(job_id).state in FINAL, f"{job_id} has ended", seconds)
        return self.job(job_id).state

    def names(self, job_id: str) -> list[str]:
        """Return the names of the job's events."""
        return [event["name"] for event in history_of(self.records, job_id)]

    def counts(self, job_id: str) -> Counter[str]:
        """Return fal's counts for this job: POSTs, and requests about the accepted ones."""
        counts = self.stack.fal.counts()
        seen: Counter[str] = Counter()
        for url, counted in counts["webhooks"].items():
            if f"/{job_id}/" in url:
                posts = ("submit_posts", "submit")
                seen.update({kind: int(str(counted.get(kind, 0))) for kind in posts})
        for counted in counts["requests"].values():
            if f"/{job_id}/" in str(counted["webhook"]):
                gets = ("status", "result", "cancel", "callback_accepted")
                seen.update({kind: int(str(counted[kind])) for kind in gets})
        return seen

    def log(self, *words: str) -> bool:
        """Return whether a line of the log of all processes contains all these words."""
        lines = (self.directory / "stack.log").read_text(errors="replace").splitlines()
        return any(all(word in line for word in words) for line in lines)

    def fal(self, method: str, path: str) -> object:
        """Request a control path of the simulated fal and return its JSON."""
        context = ssl.create_default_context(cafile=self.stack.fal.ca_file)
        request = urllib.request.Request(f"{self.stack.fal.url}{path}", method=method)
        with urllib.request.urlopen(request, context=context, timeout=60) as answer:
            return json.load(answer)

    def storage(self, job_id: str) -> Path:
        """Return the directory of the job's published files."""
        return self.directory / "storage" / "published" / job_id
