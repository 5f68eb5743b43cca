"""What fal calls back with when a job is done, when, and how often."""

import asyncio
from typing import Any

from infra.local.fal.callbacks.delivery import Deliveries
from infra.local.fal.clock import Clock
from infra.local.fal.errors import RenderResult, platform
from infra.local.fal.job import RenderJob, new_request_id
from infra.local.fal.request_counts import Counts, Kind

_NOT_SERIALISABLE = "The payload could not be encoded as JSON"


def message(request_id: str, outcome: RenderResult) -> dict[str, Any]:
    """Return the body of a callback for a render that ended with `outcome`."""
    return {
        "error": None if outcome.ok else f"Invalid status code: {outcome.status}",
        "gateway_request_id": request_id,
        "payload": outcome.payload,
        "request_id": request_id,
        "status": "OK" if outcome.ok else "ERROR",
    }


def of(job: RenderJob) -> dict[str, Any]:
    """Return the body of the callback of a completed job."""
    body = message(job.request_id, job.result)
    if "payload-null" in job.mishaps and job.result.ok:
        return body | {"payload": None, "payload_error": _NOT_SERIALISABLE}
    return body


def opposite(job: RenderJob) -> dict[str, Any]:
    """Return a body for the same request that says the opposite."""
    if job.result.ok:
        return message(job.request_id, platform("runner_server_error"))
    video = {"url": "https://v3b.fal.media/files/b/0/other.mp4", "content_type": "video/mp4"}
    return message(job.request_id, RenderResult(status=200, payload={"video": video}))


async def play(job: RenderJob, *, deliveries: Deliveries, clock: Clock, counts: Counts) -> None:
    """Send all callbacks of a completed job, as its mishaps have it."""
    await _wait(job, clock, counts)
    if "callback-stale" in job.mishaps:
        await deliveries.attempt(job, message(new_request_id(), platform("runner_disconnected")))
    copies = int(job.mishaps.number("callback-many")) or 1
    async with asyncio.TaskGroup() as together:
        for _ in range(copies):
            together.create_task(deliveries.deliver(job, of(job)))
    if "callback-twice" in job.mishaps:
        await deliveries.deliver(job, of(job))
    if "conflicting" in job.mishaps:
        await deliveries.deliver(job, opposite(job))


async def _wait(job: RenderJob, clock: Clock, counts: Counts) -> None:
    await clock.sleep(job.mishaps.number("callback-late"))
    if "callback-never" not in job.mishaps and not job.out_of_turn:
        return
    counts.note(Kind.CALLBACK_HELD, request_id=job.request_id)
    await counts.until(lambda: job.released.is_set() or _overtaken(job))


def _overtaken(job: RenderJob) -> bool:
    in_turn = "callback-never" not in job.mishaps
    return in_turn and job.partner is not None and job.partner.answered.is_set()
