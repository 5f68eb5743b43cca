"""One callback: read, recognise, verify, write down, answer.

Cheap proofs come first, so that forged traffic costs little and causes no request of ours. 4xx
says what is wrong with the callback; 503 says that *we* cannot decide, so that fal tries again.
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response

from webhook.contract import Callback, attempt_of
from webhook.inbox import Inbox, InboxUnavailable
from webhook.keys import Keys, KeysUnavailable
from webhook.log import get_logger
from webhook.metrics import Metrics
from webhook.settings import Settings
from webhook.signature import Claim, Rejected, check_account, check_time, read_claim, verify

# Results are about 0.5 KB; no bound is documented, and models may return inline data.
MAX_BODY = 4 * 1024 * 1024
BODY_TIMEOUT = 10.0
RETRY_AFTER = "5"

STATUS: dict[str, int] = {
    "accepted": 200,
    "bad_headers": 400,
    "bad_body": 400,
    "id_mismatch": 400,
    "slow_body": 400,
    "stale_timestamp": 401,
    "foreign_account": 401,
    "bad_signature": 401,
    "bad_address": 404,
    "too_large": 413,
    "no_keys": 503,
    "inbox_unavailable": 503,
    "overloaded": 503,
}

log = get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The tools of one process; `clock` is Unix seconds."""

    settings: Settings
    keys: Keys
    inbox: Inbox
    metrics: Metrics
    clock: Callable[[], float]

    async def callback(self, request: Request) -> Response:
        """POST /webhooks/fal/{job_id}/{token}: 200 only once the callback is written down."""
        started = time.perf_counter()
        job_id = request.path_params["job_id"]
        try:
            outcome = await self._accept(request, job_id, request.path_params["token"])
        except (Rejected, InboxUnavailable) as refusal:
            outcome = refusal.reason
        except KeysUnavailable:
            outcome = "no_keys"
        self.metrics.callbacks.labels(outcome).inc()
        self.metrics.seconds.observe(time.perf_counter() - started)
        # An address that was never minted may hold anything: it is not repeated in the log.
        known = job_id if outcome != "bad_address" else None
        log.info("callback.received", outcome=outcome, job=known)
        return _answer(outcome)

    async def _accept(self, request: Request, job_id: str, token: str) -> str:
        attempt = attempt_of(self.settings.secrets, job_id, token)
        if attempt is None:
            raise Rejected("bad_address")
        claim = read_claim(request.headers.raw)
        check_time(claim, self.clock())
        check_account(claim, self.settings.user_ids)
        body = await _read(request)
        await self._verify(claim, body)
        _check_ids(claim, body)
        callback = Callback(
            attempt=attempt, request_id=claim.request_id, received_at=self.clock(), body=body
        )
        await self.inbox.put(job_id, callback)
        return "accepted"

    async def _verify(self, claim: Claim, body: bytes) -> None:
        try:
            verify(claim, body, await self.keys.current())
        except Rejected:
            # fal may have rotated its keys; deliveries name none, so a miss is the only sign.
            if not await self.keys.refresh():
                raise
            verify(claim, body, await self.keys.current())


def _answer(outcome: str) -> Response:
    status = STATUS[outcome]
    headers = {"Retry-After": RETRY_AFTER} if status == 503 else None  # noqa: PLR2004
    return JSONResponse({"outcome": outcome}, status, headers)


async def _read(request: Request) -> bytes:
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT):
            async for chunk in request.stream():
                body += chunk
                if len(body) > MAX_BODY:
                    raise Rejected("too_large")
    except (TimeoutError, ClientDisconnect):
        raise Rejected("slow_body") from None
    return bytes(body)


def _not_json(constant: str) -> object:
    raise ValueError(constant)


def _check_ids(claim: Claim, body: bytes) -> None:
    try:
        # RFC 8259: UTF-8, and no NaN or Infinity, which json accepts unasked.
        content = json.loads(body.decode(), parse_constant=_not_json)
    except (ValueError, RecursionError):
        raise Rejected("bad_body") from None
    match content:
        case {"request_id": str(request_id), "status": "OK" | "ERROR"}:
            if request_id != claim.request_id:
                raise Rejected("id_mismatch")
        case _:
            raise Rejected("bad_body")
