"""The render of a job: how long it takes, and whether it ends well."""

import asyncio
from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import structlog

from infra.local.fal import errors, models
from infra.local.fal.cdn.outputs import Outputs
from infra.local.fal.clock import Clock
from infra.local.fal.errors import RenderResult
from infra.local.fal.job import RenderJob
from infra.local.fal.media.clips import RenderFailed
from infra.local.fal.request_counts import Counts, Kind

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renders:
    """Renders jobs: `seconds` is how long one takes, `slots` how many may run at once."""

    clock: Clock
    counts: Counts
    outputs: Outputs
    seconds: float
    slots: asyncio.Semaphore

    async def of(self, job: RenderJob, *, begun: Callable[[], object]) -> RenderResult:
        """Render `job` when a slot is free, which `begun` is told, and return how that ended."""
        if "callback-before-answer" in job.mishaps:
            return await self._outcome(job)
        async with self.slots:
            begun()
            async with asyncio.TaskGroup() as both:
                made = both.create_task(self._outcome(job))
                both.create_task(self._pass_time(job))
        if "callback-hold" in job.mishaps:
            self.counts.note(Kind.CALLBACK_HELD, request_id=job.request_id)
            await _first(job.released.wait(), self._given_up(job))
        if job.cancelled.is_set() and job.mishaps.asked.get("cancel", "ignored") != "ignored":
            return errors.platform("client_cancelled")
        return made.result()

    async def _pass_time(self, job: RenderJob) -> None:
        seconds = job.mishaps.number("render") or self.seconds
        await _first(self.clock.sleep(seconds), self._given_up(job))

    async def _given_up(self, job: RenderJob) -> None:
        await job.cancelled.wait()
        if job.mishaps.asked.get("cancel", "ignored") == "ignored":
            await asyncio.Event().wait()

    async def _outcome(self, job: RenderJob) -> RenderResult:
        endpoint = models.find(job.endpoint)
        if endpoint is None:
            path = job.endpoint.removeprefix(job.app)
            return RenderResult(status=404, payload={"detail": f"Path {path} not found"})
        if wrong := models.problems(endpoint, job.arguments):
            return errors.model(wrong)
        if failure := _asked_failure(job):
            return failure
        try:
            return RenderResult(status=200, payload=await self.outputs.of(job, endpoint))
        except RenderFailed as fault:
            _log.error("render failed", request_id=job.request_id, fault=str(fault))
            return errors.platform("internal_error")


def _asked_failure(job: RenderJob) -> RenderResult | None:
    prompt = job.arguments.get("prompt")
    if "error-platform" in job.mishaps:
        return errors.platform(job.mishaps.text("error-platform"))
    if "error-policy" in job.mishaps:
        text = "The content could not be processed because it was flagged by a content checker."
        return errors.model(
            [errors.detail("content_policy_violation", field="prompt", message=text, value=prompt)]
        )
    if "error-422" in job.mishaps:
        kind = job.mishaps.text("error-422")
        text = f"The input was not accepted: {kind.replace('_', ' ')}."
        return errors.model([errors.detail(kind, field=None, message=text, value=job.arguments)])
    return None


async def _first(*attempts: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(attempt) for attempt in attempts]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
