"""The render of a job: its duration and its result."""

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

LARGE_RESULT = 10 * 1024
"""The bytes of JSON from which on fal stores a result for a shorter time."""

_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Renders:
    """A renderer; `seconds` is the duration of a render, `slots` limits concurrent ones."""

    clock: Clock
    counts: Counts
    outputs: Outputs
    seconds: float
    slots: asyncio.Semaphore

    async def render(self, job: RenderJob, *, on_start: Callable[[], object]) -> RenderResult:
        """Render `job` once a slot is free; call `on_start` then. Return the result."""
        if "callback-before-answer" in job.mishaps:
            return await self._outcome(job)
        async with self.slots:
            on_start()
            async with asyncio.TaskGroup() as group:
                rendering = group.create_task(self._outcome(job))
                group.create_task(self._pass_time(job))
        if "callback-hold" in job.mishaps:
            self.counts.record(Kind.CALLBACK_HELD, request_id=job.request_id)
            await _first_of(job.released.wait(), self._stopped_by_cancel(job))
        if job.cancelled.is_set() and job.mishaps.requested.get("cancel", "ignored") != "ignored":
            return errors.platform_failure("client_cancelled")
        return rendering.result()

    async def _pass_time(self, job: RenderJob) -> None:
        seconds = job.mishaps.number("render") or self.seconds
        await _first_of(self.clock.sleep(seconds), self._stopped_by_cancel(job))

    async def _stopped_by_cancel(self, job: RenderJob) -> None:
        await job.cancelled.wait()
        if job.mishaps.requested.get("cancel", "ignored") == "ignored":
            await asyncio.Event().wait()

    async def _outcome(self, job: RenderJob) -> RenderResult:
        endpoint = models.find_endpoint(job.endpoint)
        if endpoint is None:
            path = job.endpoint.removeprefix(job.app)
            return RenderResult(status=404, payload={"detail": f"Path {path} not found"})
        if input_errors := models.input_errors(endpoint, job.arguments):
            return errors.model_failure(input_errors)
        if failure := _requested_failure(job):
            return failure
        try:
            payload = await self.outputs.payload(job, endpoint)
        except RenderFailed as error:
            _log.error("render failed", request_id=job.request_id, fault=str(error))
            return errors.platform_failure("internal_error")
        padding = {"padding": "." * LARGE_RESULT} if "result-large" in job.mishaps else {}
        return RenderResult(status=200, payload={**payload, **padding})


def _requested_failure(job: RenderJob) -> RenderResult | None:
    prompt = job.arguments.get("prompt")
    if "error-platform" in job.mishaps:
        return errors.platform_failure(job.mishaps.text("error-platform"))
    if "error-policy" in job.mishaps:
        text = "The content could not be processed because it was flagged by a content checker."
        return errors.model_failure(
            [
                errors.error_detail(
                    "content_policy_violation", field="prompt", message=text, value=prompt
                )
            ]
        )
    if "error-422" in job.mishaps:
        kind = job.mishaps.text("error-422")
        text = f"The input was not accepted: {kind.replace('_', ' ')}."
        return errors.model_failure(
            [errors.error_detail(kind, field=None, message=text, value=job.arguments)]
        )
    return None


async def _first_of(*coroutines: Coroutine[Any, Any, object]) -> None:
    tasks = [asyncio.ensure_future(coroutine) for coroutine in coroutines]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
