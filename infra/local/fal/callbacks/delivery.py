"""The delivery of a callback: signed for each try, retried until accepted or useless.

fal does not document the gaps between tries. These grow, and end within the hour for which a result
is stored.
https://docs.fal.ai/documentation/model-apis/inference/webhooks
"""

import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import httpx
import structlog

from infra.local.fal.callbacks.signing import KeyRing, signed_headers
from infra.local.fal.clock import Clock
from infra.local.fal.job import RenderJob, new_request_id
from infra.local.fal.request_counts import Counts, Kind, redacted

MAX_TRIES = 31
GAPS = tuple(5.0 * 1.17**n for n in range(MAX_TRIES - 1))
"""The gaps before each retry in seconds of fal's time, 3270 in total."""

OTHER_USER_ID = "user-of-somebody-else"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """A sender of callbacks for the account `user_id`.

    `timeouts` are the real seconds that the receiver has to answer the first try, and each retry.
    `stored` returns whether the result of a job still exists; without it there is no retry.
    """

    client: httpx.AsyncClient
    keys: KeyRing
    clock: Clock
    counts: Counts
    user_id: str
    timeouts: tuple[float, float]
    stored: Callable[[RenderJob], bool]
    _slots: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(200))

    async def deliver(self, job: RenderJob, message: dict[str, Any]) -> None:
        """Send until a 2xx, a redirect, the last try or the expiry of the result."""
        for gap in (0.0, *GAPS):
            await self.clock.sleep(gap)
            if not self.stored(job):
                break
            status = await self.send_once(job, message, first=gap == 0)
            if status is not None and status // 100 == 2:  # noqa: PLR2004
                return
            if status is not None and status // 100 == 3:  # noqa: PLR2004
                break
        self._record(Kind.CALLBACK_ABANDONED, job)
        _log.warning("callback abandoned", request_id=job.request_id, tries=len(job.answers))

    async def send_once(
        self, job: RenderJob, message: dict[str, Any], *, first: bool = True
    ) -> int | None:
        """Send once; return the HTTP status of the response, or None without a response."""
        async with self._slots:
            return await self._send(job, message, first=first)

    async def _send(self, job: RenderJob, message: dict[str, Any], *, first: bool) -> int | None:
        assert job.webhook is not None, "the job has a callback address"
        job.tries += 1
        nth = job.tries
        self._record(Kind.CALLBACKS, job)
        body = json.dumps(message, sort_keys=True).encode()
        headers = self._headers(job, str(message["request_id"]), body, nth)
        status = await self._post(job.webhook, body, headers, self.timeouts[0 if first else 1])
        job.answers.append(status)
        _log.info(
            "callback tried",
            request_id=job.request_id,
            webhook=redacted(job.webhook),
            nth=nth,
            status=status,
        )
        self._record_response(job, status)
        return status

    async def _post(
        self, url: str, body: bytes, headers: dict[str, str], seconds: float
    ) -> int | None:
        try:
            async with asyncio.timeout(seconds):
                response = await self.client.post(url, content=body, headers=headers)
        except (TimeoutError, httpx.HTTPError) as error:
            _log.warning("callback unanswered", webhook=redacted(url), fault=type(error).__name__)
            return None
        return response.status_code

    def _headers(self, job: RenderJob, request_id: str, body: bytes, nth: int) -> dict[str, str]:
        applies = job.mishaps.applies
        age = job.mishaps.number("stale-timestamp") if applies("stale-timestamp", nth) else 0
        return signed_headers(
            key=self.keys.unpublished if applies("wrong-key", nth) else self.keys.signing,
            request_id=new_request_id() if applies("bad-request-id", nth) else request_id,
            user_id=OTHER_USER_ID if applies("foreign-account", nth) else self.user_id,
            timestamp=int(time.time() - age),
            body=body,
        )

    def _record_response(self, job: RenderJob, status: int | None) -> None:
        job.answered.set()
        if status is None:
            self._record(Kind.CALLBACK_UNANSWERED, job)
            return
        accepted = status // 100 == 2  # noqa: PLR2004
        self._record(Kind.CALLBACK_ANSWERED, job)
        self._record(Kind.CALLBACK_ACCEPTED if accepted else Kind.CALLBACK_REFUSED, job)

    def _record(self, kind: Kind, job: RenderJob) -> None:
        self.counts.record(kind, request_id=job.request_id, webhook=job.webhook or "")
