"""The submit route of fal's queue, and its failures."""

import asyncio
import json
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from infra.local.fal import mishaps, models
from infra.local.fal.connection_faults import DroppedConnection
from infra.local.fal.job import RenderJob
from infra.local.fal.mishaps import Mishaps
from infra.local.fal.request_counts import Kind
from infra.local.fal.routes.refusals import Refused, error_response, mishap_response, unauthorised
from infra.local.fal.simulator import Simulator, simulation_of

_BEFORE_ANSWER_SECONDS = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    endpoint: str
    webhook: str | None
    max_queue_length: str | None
    body: bytes
    arguments: Any
    mishaps: Mishaps
    headers: dict[str, str]


async def submit(request: Request) -> Response:
    """Answer a POST to an endpoint. Like fal, accept any JSON; the render checks the input."""
    simulation = simulation_of(request)
    webhook = request.query_params.get("fal_webhook")
    simulation.counts.record(Kind.SUBMIT_POSTS, webhook=webhook or "")
    try:
        post = await _read(request, simulation)
        response = await _handle(post, simulation)
    except Refused as refused:
        simulation.counts.record(Kind.SUBMIT_REFUSED, webhook=webhook or "")
        response = refused.response
    return response


async def _read(request: Request, simulation: Simulator) -> _Post:
    if refusal := unauthorised(request, simulation):
        raise Refused(refusal)
    endpoint = request.url.path.strip("/")
    if models.app_of(endpoint) not in simulation.account.apps:
        raise Refused(error_response(404, f"Application '{models.app_of(endpoint)}' not found"))
    body = await request.body()
    try:
        arguments = json.loads(body)
        requested = mishaps.parse(request.headers.get(mishaps.HEADER, ""), arguments)
    except ValueError:
        raise Refused(error_response(400, "Body is not valid JSON", "bad_request")) from None
    except mishaps.UnknownMishap as unknown:
        raise Refused(error_response(400, str(unknown), "bad_request")) from None
    return _Post(
        endpoint=endpoint,
        webhook=_webhook(request),
        max_queue_length=request.query_params.get("fal_max_queue_length"),
        body=body,
        arguments=arguments,
        mishaps=requested,
        headers={k: v for k, v in request.headers.items() if k.startswith(("x-fal-", "x-app-"))},
    )


def _webhook(request: Request) -> str | None:
    webhook = request.query_params.get("fal_webhook")
    if webhook is None:
        return None
    try:
        url = httpx.URL(webhook)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise Refused(
            error_response(400, "fal_webhook must be an http or https URL", "bad_request")
        )
    return webhook


async def _handle(post: _Post, simulation: Simulator) -> Response:
    queue = simulation.queue
    nth = queue.nth_post(post.webhook, post.body)
    mishap = post.mishaps.refusal(nth)
    if mishap is None and post.mishaps.applies("connection-cut", nth):
        mishap = "connection-cut"
    if mishap and "accepted" not in post.mishaps:
        raise Refused(mishap_response(mishap, post.mishaps))
    limit = post.max_queue_length
    if limit and limit.isdecimal() and queue.waiting(post.endpoint) > int(limit):
        raise Refused(error_response(429, "Queue length limit exceeded"))
    job = _job(post)
    queue.accept(job)
    return (
        mishap_response(mishap, post.mishaps)
        if mishap
        else await _accepted_response(job, nth, simulation)
    )


def _job(post: _Post) -> RenderJob:
    return RenderJob(
        endpoint=post.endpoint,
        arguments=post.arguments,
        webhook=post.webhook,
        mishaps=post.mishaps,
        headers=post.headers,
    )


async def _accepted_response(job: RenderJob, nth: int, simulation: Simulator) -> Response:
    if "callback-before-answer" in job.mishaps and job.webhook:
        async with asyncio.timeout(_BEFORE_ANSWER_SECONDS):
            await job.answered.wait()
    if job.mishaps.applies("answer-lost", nth):
        return DroppedConnection(reset=False)
    if job.mishaps.applies("answer-slow", nth):
        await asyncio.sleep(job.mishaps.number("answer-slow"))
    content = {
        **job.queue_status(simulation.url),
        "gateway_request_id": job.request_id,
        "status": "IN_QUEUE",
        "queue_position": simulation.queue.position(job),
    }
    return JSONResponse(content, headers={"x-fal-request-id": job.request_id})
