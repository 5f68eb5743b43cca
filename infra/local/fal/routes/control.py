"""The controls of the simulation under ``/_sim``, which are not part of fal; none is counted."""

import asyncio
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from infra.local.fal.callbacks import schedule
from infra.local.fal.job import RenderJob
from infra.local.fal.request_counts import PER_REQUEST, Counts, Kind, redacted
from infra.local.fal.routes import prices, uploads
from infra.local.fal.simulator import simulation_of

_WAIT_SECONDS = 30.0
_ALIASES = {"submitted": Kind.SUBMIT}


async def _counts(request: Request) -> Response:
    """Return all counts: `total`, per request id (`requests`), per callback address."""
    simulation = simulation_of(request)
    counts = simulation.counts
    jobs = simulation.queue.jobs.values()
    return JSONResponse(
        {
            "total": {kind: counts.total[kind] for kind in Kind},
            "requests": {job.request_id: _job_counts(counts, job) for job in jobs},
            "webhooks": {url: dict(seen) for url, seen in counts.webhooks.items()},
        }
    )


def _job_counts(counts: Counts, job: RenderJob) -> dict[str, Any]:
    seen = {kind: counts.count(kind, job.request_id) for kind in PER_REQUEST}
    return seen | {"endpoint": job.endpoint, "webhook": redacted(job.webhook or "")}


async def _requests(request: Request) -> Response:
    """Return all accepted requests: inputs, fal's headers, state, mishaps, callback answers."""
    return JSONResponse([_job_summary(job) for job in simulation_of(request).queue.jobs.values()])


def _job_summary(job: RenderJob) -> dict[str, Any]:
    return {
        "request_id": job.request_id,
        "endpoint": job.endpoint,
        "arguments": job.arguments,
        "headers": job.headers,
        "webhook": redacted(job.webhook or ""),
        "state": job.state,
        "status": job.outcome.status if job.outcome else None,
        "cancelled": job.cancelled.is_set(),
        "mishaps": dict(job.mishaps.requested),
        "answers": job.answers,
    }


async def _wait(request: Request) -> Response:
    """Wait until ?event=KIND was counted &count=N times, &request_id=ID, &timeout=SECONDS."""
    query = request.query_params
    name = query.get("event", "")
    kind = _ALIASES.get(name) or next((kind for kind in Kind if kind == name), None)
    if kind is None:
        return JSONResponse({"detail": f"'{name}' is not an event: use {', '.join(Kind)}"}, 400)
    counts, required = simulation_of(request).counts, int(query.get("count", "1"))

    def seen() -> int:
        return counts.count(kind, query.get("request_id", ""))

    try:
        async with asyncio.timeout(float(query.get("timeout", _WAIT_SECONDS))):
            await counts.wait_until(lambda: seen() >= required)
    except TimeoutError:
        return JSONResponse({"event": kind, "count": seen(), "seen": False}, 408)
    return JSONResponse({"event": kind, "count": seen(), "seen": True})


async def _reset(request: Request) -> Response:
    """Forget all jobs and counts, and end all deliveries; the signing keys stay the same."""
    await simulation_of(request).reset()
    return JSONResponse({})


async def _rotate(request: Request) -> Response:
    """Sign with a new key; with ?keep=1 the old ones stay published."""
    keys = simulation_of(request).keys
    keys.rotate(keep=request.query_params.get("keep", "0") == "1")
    return JSONResponse(keys.jwks())


async def _jwks(request: Request) -> Response:
    """Answer requests for the keys with ?status=CODE from now on (200: normally)."""
    simulation_of(request).jwks_status = int(request.query_params.get("status", "200"))
    return JSONResponse({})


async def _redeliver(request: Request) -> Response:
    """Send the callback of a completed request again; return the receiver's status."""
    simulation = simulation_of(request)
    job = simulation.queue.jobs.get(request.path_params["request_id"])
    if job is None or job.outcome is None or not job.webhook:
        return JSONResponse({"detail": "no completed request with a callback has this id"}, 404)
    answer = await simulation.queue.deliveries.send_once(job, schedule.callback_of(job))
    return JSONResponse({"answer": answer})


async def _release(request: Request) -> Response:
    """Continue a request's render or callback that waits to be released."""
    simulation = simulation_of(request)
    job = simulation.queue.jobs.get(request.path_params["request_id"])
    if job is None:
        return JSONResponse({"detail": "no request has this id"}, 404)
    simulation.queue.release(job)
    return JSONResponse({})


ROUTES = [
    Route("/counts", _counts, methods=["GET"]),
    Route("/requests", _requests, methods=["GET"]),
    Route("/wait", _wait, methods=["GET"]),
    Route("/reset", _reset, methods=["POST"]),
    Route("/keys/rotate", _rotate, methods=["POST"]),
    Route("/jwks", _jwks, methods=["POST"]),
    Route("/uploads", uploads.list_uploads, methods=["GET"]),
    Route("/uploads", uploads.set_upload_status, methods=["POST"]),
    Route("/prices", prices.set_price, methods=["POST"]),
    Route("/redeliver/{request_id}", _redeliver, methods=["POST"]),
    Route("/release/{request_id}", _release, methods=["POST"]),
]


def help_text() -> str:
    """Return the controls as plain text, one per line."""
    return "\n".join(_line(route) for route in ROUTES)


def _line(route: Route) -> str:
    verb = "GET" if "GET" in (route.methods or ()) else "POST"
    return f"  {f'{verb} /_sim{route.path}':36}{route.endpoint.__doc__}"
