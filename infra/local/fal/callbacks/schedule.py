"""The callbacks of a completed job: their bodies, order and number."""

import asyncio
from typing import Any

from infra.local.fal.callbacks.delivery import Deliveries
from infra.local.fal.clock import Clock
from infra.local.fal.errors import RenderResult, platform_failure
from infra.local.fal.job import RenderJob, new_request_id
from infra.local.fal.request_counts import Counts, Kind

_NOT_SERIALISABLE = "The payload could not be encoded as JSON"


def callback_body(request_id: str, outcome: RenderResult) -> dict[str, Any]:
    """Return the body of a callback for a render with this `outcome`."""
    return {
        "error": None if outcome.ok else f"Invalid status code: {outcome.status}",
        "gateway_request_id": request_id,
        "payload": outcome.payload,
        "request_id": request_id,
        "status": "OK" if outcome.ok else "ERROR",
    }


def callback_of(job: RenderJob) -> dict[str, Any]:
    """Return the body of the callback of a completed job."""
    body = callback_body(job.request_id, job.result)
    if "payload-null" in job.mishaps and job.result.ok:
        return body | {"payload": None, "payload_error": _NOT_SERIALISABLE}
    return body


def contradicting_body(job: RenderJob) -> dict[str, Any]:
    """Return a body for the same request with the opposite status."""
    if job.result.ok:
        return callback_body(job.request_id, platform_failure("runner_server_error"))
    video = {"url": "https://v3b.fal.media/files/b/0/other.mp4", "content_type": "video/mp4"}
    return callback_body(job.request_id, RenderResult(status=200, payload={"video": video}))


async def deliver_all(
    job: RenderJob, *, deliveries: Deliveries, clock: Clock, counts: Counts
) -> None:
    """Send all callbacks of a completed job, according to its mishaps."""
    await _wait_for_turn(job, clock, counts)
    if "callback-stale" in job.mishaps:
        await deliveries.send_once(
            job, callback_body(new_request_id(), platform_failure("runner_disconnected"))
        )
    copies = int(job.mishaps.number("callback-many")) or 1
    async with asyncio.TaskGroup() as group:
        for _ in range(copies):
            group.create_task(deliveries.deliver(job, callback_of(job)))
    if "callback-twice" in job.mishaps:
        await deliveries.deliver(job, callback_of(job))
    if "conflicting" in job.mishaps:
        await deliveries.deliver(job, contradicting_body(job))


async def _wait_for_turn(job: RenderJob, clock: Clock, counts: Counts) -> None:
    await clock.sleep(job.mishaps.number("callback-late"))
    if "callback-never" not in job.mishaps and not job.after_next_job:
        return
    counts.record(Kind.CALLBACK_HELD, request_id=job.request_id)
    await counts.wait_until(lambda: job.released.is_set() or _overtaken(job))


def _overtaken(job: RenderJob) -> bool:
    in_turn = "callback-never" not in job.mishaps
    return in_turn and job.next_job is not None and job.next_job.answered.is_set()
