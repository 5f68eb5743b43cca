"""The submit of fal's queue, and what can go wrong with it."""

import asyncio
import hmac
import json
from dataclasses import dataclass
from typing import Any

import httpx
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response

from infra.local.fal import mishaps, models
from infra.local.fal.connection import HangUp
from infra.local.fal.counts import Kind
from infra.local.fal.errors import PLATFORM
from infra.local.fal.job import Job, new_request_id
from infra.local.fal.mishaps import Mishaps
from infra.local.fal.simulation import Simulation

_BEFORE_ANSWER_SECONDS = 60
_NGINX = (
    "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1>"
    "</center><hr><center>nginx</center></body></html>"
)
_REFUSALS: dict[str, tuple[int, str, str | None]] = {
    "status-403": (403, "User is locked. Reason: Exhausted balance.", None),
    "status-408": (408, "Request timed out", None),
    "status-409": (409, "Conflict", None),
    "status-422": (422, "Unprocessable request", None),
    "status-429": (429, "Too many requests", None),
    "status-500": (500, PLATFORM["internal_error"][1], "internal_error"),
    "status-503": (503, PLATFORM["runner_scheduling_failure"][1], "runner_scheduling_failure"),
}


def problem(
    status: int, text: str, error_type: str | None = None, headers: dict[str, str] | None = None
) -> JSONResponse:
    """Return an error as the platform words it; it always names a request id."""
    typed = {"X-Fal-Error-Type": error_type} if error_type else {}
    content = {"detail": text} | ({"error_type": error_type} if error_type else {})
    every = {"x-fal-request-id": new_request_id()}
    return JSONResponse(content, status, headers=every | typed | (headers or {}))


def unauthorised(request: Request, simulation: Simulation) -> Response | None:
    """Return the 401 that a request without the account's key gets, else None."""
    given = request.headers.get("authorization", "").encode()
    if hmac.compare_digest(given, f"Key {simulation.account.key}".encode()):
        return None
    return problem(401, "Cannot access application: authentication is required.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Post:
    endpoint: str
    webhook: str | None
    longest_queue: str | None
    body: bytes
    arguments: Any
    mishaps: Mishaps
    headers: dict[str, str]


class _Refused(Exception):
    def __init__(self, answer: Response) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


async def submit(request: Request) -> Response:
    """Answer a POST to an endpoint: fal accepts whatever is JSON, inputs are looked at later."""
    simulation: Simulation = request.app.state.simulation
    webhook = request.query_params.get("fal_webhook")
    simulation.counts.note(Kind.SUBMIT_POSTS, webhook=webhook or "")
    try:
        post = await _read(request, simulation)
        answer = await _handle(post, simulation)
    except _Refused as refused:
        simulation.counts.note(Kind.SUBMIT_REFUSED, webhook=webhook or "")
        answer = refused.answer
    return answer


async def _read(request: Request, simulation: Simulation) -> _Post:
    if refusal := unauthorised(request, simulation):
        raise _Refused(refusal)
    endpoint = request.url.path.strip("/")
    if models.app_of(endpoint) not in simulation.account.apps:
        raise _Refused(problem(404, f"Application '{models.app_of(endpoint)}' not found"))
    body = await request.body()
    try:
        arguments = json.loads(body)
        asked = mishaps.parse(request.headers.get(mishaps.HEADER, ""), arguments)
    except ValueError:
        raise _Refused(problem(400, "Body is not valid JSON", "bad_request")) from None
    except mishaps.UnknownMishap as unknown:
        raise _Refused(problem(400, str(unknown), "bad_request")) from None
    return _Post(
        endpoint=endpoint,
        webhook=_webhook(request),
        longest_queue=request.query_params.get("fal_max_queue_length"),
        body=body,
        arguments=arguments,
        mishaps=asked,
        headers={k: v for k, v in request.headers.items() if k.startswith(("x-fal-", "x-app-"))},
    )


def _webhook(request: Request) -> str | None:
    given = request.query_params.get("fal_webhook")
    if given is None:
        return None
    try:
        url = httpx.URL(given)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme not in {"http", "https"} or not url.host:
        raise _Refused(problem(400, "fal_webhook must be an http or https URL", "bad_request"))
    return given


async def _handle(post: _Post, simulation: Simulation) -> Response:
    queue = simulation.queue
    nth = queue.nth_post(post.webhook, post.body)
    mishap = post.mishaps.refusal(nth)
    if mishap is None and post.mishaps.strikes("connection-cut", nth):
        mishap = "connection-cut"
    if mishap and "accepted" not in post.mishaps:
        raise _Refused(_misanswer(mishap, post.mishaps))
    limit = post.longest_queue
    if limit and limit.isdecimal() and queue.waiting(post.endpoint) > int(limit):
        raise _Refused(problem(429, "Queue length limit exceeded"))
    job = _job(post)
    queue.accept(job)
    return _misanswer(mishap, post.mishaps) if mishap else await _answer(job, nth, simulation)


def _job(post: _Post) -> Job:
    return Job(
        endpoint=post.endpoint,
        arguments=post.arguments,
        webhook=post.webhook,
        mishaps=post.mishaps,
        headers=post.headers,
    )


def _misanswer(mishap: str, asked: Mishaps) -> Response:
    if mishap == "connection-cut":
        return HangUp(reset=True)
    if mishap == "status-502-nginx":
        return HTMLResponse(_NGINX, 502)
    status, text, error_type = _REFUSALS[mishap]
    after = asked.asked.get("status-429")
    return problem(status, text, error_type, {"Retry-After": after} if after else None)


async def _answer(job: Job, nth: int, simulation: Simulation) -> Response:
    if "callback-before-answer" in job.mishaps and job.webhook:
        async with asyncio.timeout(_BEFORE_ANSWER_SECONDS):
            await job.answered.wait()
    if job.mishaps.strikes("answer-lost", nth):
        return HangUp(reset=False)
    if job.mishaps.strikes("answer-slow", nth):
        await asyncio.sleep(job.mishaps.number("answer-slow"))
    base = f"{simulation.url}/{job.app}/requests/{job.request_id}"
    content = {
        "status": "IN_QUEUE",
        "request_id": job.request_id,
        "gateway_request_id": job.request_id,
        "response_url": base,
        "status_url": f"{base}/status",
        "cancel_url": f"{base}/cancel",
        "queue_position": simulation.queue.position(job),
    }
    return JSONResponse(content, headers={"x-fal-request-id": job.request_id})
