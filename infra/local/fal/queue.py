"""Fal's queue: it accepts jobs, renders a few at a time, stores results and calls back."""

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
from infra.local.fal.render import LARGE_RESULT, Renders
from infra.local.fal.request_counts import Counts, Kind, redacted

RESULT_SECONDS = 3600
LARGE_RESULT_SECONDS = 360
_log = structlog.get_logger()


def stored_seconds(outcome: RenderResult) -> int:
    """Return how many seconds fal stores a result; a large one expires sooner."""
    large = len(json.dumps(outcome.payload)) >= LARGE_RESULT
    return LARGE_RESULT_SECONDS if large else RESULT_SECONDS


@dataclass(slots=True, kw_only=True)
class RenderQueue:
    """A queue of jobs by request id, in the order of submission."""

    clock: Clock
    counts: Counts
    renders: Renders
    deliveries: Deliveries = field(init=False)
    jobs: dict[str, RenderJob] = field(default_factory=dict)
    _post_counts: Counter[str] = field(default_factory=Counter)
    _tasks: dict[str, asyncio.Task[None]] = field(default_factory=dict)
    _waiting: dict[str, RenderJob] = field(default_factory=dict)
    _out_of_order: RenderJob | None = None

    def nth_post(self, webhook: str | None, body: bytes) -> int:
        """Count a POST; return how many had the same callback job and the same body."""
        key = f"{redacted(webhook or '')} {hashlib.sha256(body).hexdigest()}"
        self._post_counts[key] += 1
        return self._post_counts[key]

    def accept(self, job: RenderJob) -> None:
        """Add `job` to the queue and start its task, which renders it and calls back."""
        self.jobs[job.request_id] = job
        if self._out_of_order is not None:
            self._out_of_order.next_job, self._out_of_order = job, None
        elif "out-of-order" in job.mishaps:
            self._out_of_order, job.after_next_job = job, True
        self._waiting[job.request_id] = job
        task = asyncio.get_running_loop().create_task(self._process(job))
        self._tasks[job.request_id] = task
        task.add_done_callback(lambda done: self._record_exit(job, done))
        self.counts.record(Kind.SUBMIT, request_id=job.request_id, webhook=job.webhook or "")
        _log.info(
            "job accepted",
            request_id=job.request_id,
            endpoint=job.endpoint,
            webhook=redacted(job.webhook or ""),
            mishaps=sorted(job.mishaps.requested),
        )

    def waiting(self, endpoint: str) -> int:
        """Return how many jobs of `endpoint` are waiting for their render."""
        return sum(job.endpoint == endpoint for job in self._waiting.values())

    def position(self, job: RenderJob) -> int:
        """Return how many jobs of the same endpoint are waiting before `job`."""
        earlier = itertools.takewhile(lambda other: other is not job, self._waiting.values())
        return sum(other.endpoint == job.endpoint for other in earlier)

    def stored(self, job: RenderJob) -> bool:
        """Return whether the job's result exists and has not expired."""
        if job.completed_at is None or self.jobs.get(job.request_id) is not job:
            return False
        return self.clock.now() < job.completed_at + stored_seconds(job.result)

    def cancel(self, job: RenderJob) -> bool:
        """Request that `job` be cancelled; return False if it has completed already.

        A waiting job is not rendered and does not call back. A running job follows its mishap
        `cancel`: by default it is rendered anyway, and calls back.
        """
        if job.state is State.COMPLETED:
            return False
        if job.state is State.IN_QUEUE:
            self._tasks[job.request_id].cancel()
            self._complete(job, errors.platform_failure("client_cancelled"))
        job.cancelled.set()
        return True

    def release(self, job: RenderJob) -> None:
        """Continue a render or a callback of `job` that waits to be released."""
        job.released.set()
        self.counts.wake_waiters()

    async def clear(self) -> None:
        """Forget every job; all of their tasks have ended when this returns."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self.jobs.clear()
        self._waiting.clear()
        self._post_counts.clear()
        self._out_of_order = None

    async def _process(self, job: RenderJob) -> None:
        outcome = await self.renders.render(job, on_start=lambda: self._record_start(job))
        self._complete(job, outcome)
        silent = job.cancelled.is_set() and job.mishaps.requested.get("cancel") == "silent"
        if job.webhook and not silent:
            await schedule.deliver_all(
                job, deliveries=self.deliveries, clock=self.clock, counts=self.counts
            )

    def _record_exit(self, job: RenderJob, task: asyncio.Task[None]) -> None:
        del self._tasks[job.request_id]
        if not task.cancelled() and (fault := task.exception()):
            _log.error("job crashed", request_id=job.request_id, exc_info=fault)

    def _record_start(self, job: RenderJob) -> None:
        job.state = State.IN_PROGRESS
        self._waiting.pop(job.request_id, None)

    def _complete(self, job: RenderJob, outcome: RenderResult) -> None:
        self._waiting.pop(job.request_id, None)
        job.complete(outcome, now=self.clock.now())
        self.counts.record(Kind.RENDER, request_id=job.request_id)
        _log.info("job completed", request_id=job.request_id, status=outcome.status)
