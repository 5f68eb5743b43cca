"""Fal's queue: accepts jobs, renders them a few at a time, stores results, calls back."""

import asyncio
import hashlib
import itertools
import json
from collections import Counter
from dataclasses import dataclass, field

import structlog

from infra.local.fal import errors
from infra.local.fal.callbacks import schedule
from infra.local.fal.callbacks.delivery import Deliveries
from infra.local.fal.clock import Clock
from infra.local.fal.errors import RenderResult
from infra.local.fal.job import RenderJob, State
from infra.local.fal.render import Renders
from infra.local.fal.request_counts import Counts, Kind, redacted

RESULT_SECONDS = 3600
LARGE_RESULT_SECONDS = 360
_LARGE_RESULT = 10 * 1024
_log = structlog.get_logger()


def stored_seconds(outcome: RenderResult) -> int:
    """Return how long fal keeps a result, in seconds: less if it is large."""
    large = len(json.dumps(outcome.payload)) >= _LARGE_RESULT
    return LARGE_RESULT_SECONDS if large else RESULT_SECONDS


@dataclass(slots=True, kw_only=True)
class RenderQueue:
    """All jobs by request id, in the order of their submission."""

    clock: Clock
    counts: Counts
    renders: Renders
    deliveries: Deliveries = field(init=False)
    jobs: dict[str, RenderJob] = field(default_factory=dict)
    _posts: Counter[str] = field(default_factory=Counter)
    _lives: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _waiting: dict[str, RenderJob] = field(default_factory=dict)
    _out_of_order: RenderJob | None = None

    def nth_post(self, webhook: str | None, body: bytes) -> int:
        """Count a POST and return how many like it there were: same callback job, same body."""
        key = f"{redacted(webhook or '')} {hashlib.sha256(body).hexdigest()}"
        self._posts[key] += 1
        return self._posts[key]

    def accept(self, job: RenderJob) -> None:
        """Take `job` into the queue and begin its life; its callback will come by itself."""
        self.jobs[job.request_id] = job
        if self._out_of_order is not None:
            self._out_of_order.partner, self._out_of_order = job, None
        elif "out-of-order" in job.mishaps:
            self._out_of_order, job.out_of_turn = job, True
        self._waiting[job.request_id] = job
        life = asyncio.get_running_loop().create_task(self._life(job))
        self._lives[job.request_id] = life
        life.add_done_callback(lambda done: self._buried(job, done))
        self.counts.note(Kind.SUBMIT, request_id=job.request_id, webhook=job.webhook or "")
        _log.info(
            "job accepted",
            request_id=job.request_id,
            endpoint=job.endpoint,
            webhook=redacted(job.webhook or ""),
            mishaps=sorted(job.mishaps.asked),
        )

    def waiting(self, endpoint: str) -> int:
        """Return how many jobs of `endpoint` wait for their render."""
        return sum(job.endpoint == endpoint for job in self._waiting.values())

    def position(self, job: RenderJob) -> int:
        """Return how many jobs of the endpoint wait before `job`."""
        before = itertools.takewhile(lambda other: other is not job, self._waiting.values())
        return sum(other.endpoint == job.endpoint for other in before)

    def stored(self, job: RenderJob) -> bool:
        """Say whether the job's result exists and has not expired."""
        if job.completed_at is None or self.jobs.get(job.request_id) is not job:
            return False
        return self.clock.now() < job.completed_at + stored_seconds(job.result)

    def cancel(self, job: RenderJob) -> bool:
        """Ask for the end of `job`; return False if it is completed already.

        A job that waits is never rendered and never calls back. A job that runs does as its
        mishap `cancel` says: by default it is rendered all the same, and calls back.
        """
        if job.state is State.COMPLETED:
            return False
        if job.state is State.IN_QUEUE:
            self._lives[job.request_id].cancel()
            self._complete(job, errors.platform("client_cancelled"))
        job.cancelled.set()
        return True

    def release(self, job: RenderJob) -> None:
        """Let go of a render or a callback of `job` that is held back."""
        job.released.set()
        self.counts.look_again()

    async def clear(self) -> None:
        """Forget every job; what they were still doing is over when this returns."""
        tasks = list(self._lives.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.jobs.clear()
        self._waiting.clear()
        self._posts.clear()
        self._out_of_order = None

    async def _life(self, job: RenderJob) -> None:
        outcome = await self.renders.of(job, begun=lambda: self._begun(job))
        self._complete(job, outcome)
        silent = job.cancelled.is_set() and job.mishaps.asked.get("cancel") == "silent"
        if job.webhook and not silent:
            await schedule.play(
                job, deliveries=self.deliveries, clock=self.clock, counts=self.counts
            )

    def _buried(self, job: RenderJob, life: asyncio.Task[None]) -> None:
        del self._lives[job.request_id]
        if not life.cancelled() and (fault := life.exception()):
            _log.error("job broke", request_id=job.request_id, exc_info=fault)

    def _begun(self, job: RenderJob) -> None:
        job.state = State.IN_PROGRESS
        self._waiting.pop(job.request_id, None)

    def _complete(self, job: RenderJob, outcome: RenderResult) -> None:
        self._waiting.pop(job.request_id, None)
        job.complete(outcome, now=self.clock.now())
        self.counts.note(Kind.RENDER, request_id=job.request_id)
        _log.info("job completed", request_id=job.request_id, status=outcome.status)
