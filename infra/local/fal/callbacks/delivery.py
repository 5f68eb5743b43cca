"""Delivers a callback: signed anew for each try, tried again until it is accepted or pointless.

The gaps are not documented; these grow and end within the hour that a result is stored.
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
"""Seconds of fal's time before each further try, 3270 in all."""

FOREIGN_USER_ID = "user-of-somebody-else"
_log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Deliveries:
    """Sends callbacks for the account `user_id`.

    `patience` holds the real seconds that the receiver has to answer on the first try and on
    each later one; `stored` says whether the result of a job still exists, and with it the
    reason to try again.
    """

    client: httpx.AsyncClient
    keys: KeyRing
    clock: Clock
    counts: Counts
    user_id: str
    patience: tuple[float, float]
    stored: Callable[[RenderJob], bool]
    _at_once: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(200))

    async def deliver(self, job: RenderJob, message: dict[str, Any]) -> None:
        """Try until a 2xx, a redirect, the last try or the end of the stored result."""
        for gap in (0.0, *GAPS):
            await self.clock.sleep(gap)
            if not self.stored(job):
                break
            status = await self.attempt(job, message, first=gap == 0)
            if status is not None and status // 100 == 2:  # noqa: PLR2004
                return
            if status is not None and status // 100 == 3:  # noqa: PLR2004
                break
        self._note(Kind.CALLBACK_ABANDONED, job)
        _log.warning("callback abandoned", request_id=job.request_id, tries=len(job.answers))

    async def attempt(
        self, job: RenderJob, message: dict[str, Any], *, first: bool = True
    ) -> int | None:
        """Make one try; return the HTTP status of the answer, or None if there was none."""
        async with self._at_once:
            return await self._attempt(job, message, first=first)

    async def _attempt(self, job: RenderJob, message: dict[str, Any], *, first: bool) -> int | None:
        assert job.webhook is not None, "the job has a callback address"
        job.tries += 1
        nth = job.tries
        self._note(Kind.CALLBACKS, job)
        body = json.dumps(message, sort_keys=True).encode()
        headers = self._headers(job, str(message["request_id"]), body, nth)
        status = await self._post(job.webhook, body, headers, self.patience[0 if first else 1])
        job.answers.append(status)
        _log.info(
            "callback tried",
            request_id=job.request_id,
            webhook=redacted(job.webhook),
            nth=nth,
            status=status,
        )
        self._note_answer(job, status)
        return status

    async def _post(
        self, url: str, body: bytes, headers: dict[str, str], seconds: float
    ) -> int | None:
        try:
            async with asyncio.timeout(seconds):
                answer = await self.client.post(url, content=body, headers=headers)
        except (TimeoutError, httpx.HTTPError) as fault:
            _log.warning("callback unanswered", webhook=redacted(url), fault=type(fault).__name__)
            return None
        return answer.status_code

    def _headers(self, job: RenderJob, request_id: str, body: bytes, nth: int) -> dict[str, str]:
        strikes = job.mishaps.strikes
        age = job.mishaps.number("stale-timestamp") if strikes("stale-timestamp", nth) else 0
        return signed_headers(
            key=self.keys.stranger if strikes("wrong-key", nth) else self.keys.signing,
            request_id=new_request_id() if strikes("bad-request-id", nth) else request_id,
            user_id=FOREIGN_USER_ID if strikes("foreign-account", nth) else self.user_id,
            timestamp=int(time.time() - age),
            body=body,
        )

    def _note_answer(self, job: RenderJob, status: int | None) -> None:
        job.answered.set()
        if status is None:
            self._note(Kind.CALLBACK_UNANSWERED, job)
            return
        accepted = status // 100 == 2  # noqa: PLR2004
        self._note(Kind.CALLBACK_ANSWERED, job)
        self._note(Kind.CALLBACK_ACCEPTED if accepted else Kind.CALLBACK_REFUSED, job)

    def _note(self, kind: Kind, job: RenderJob) -> None:
        self.counts.note(kind, request_id=job.request_id, webhook=job.webhook or "")
