"""The handling of one callback: check its address, read, verify, store, answer.

Cheap checks come first, so that forged callbacks cost little and cause no requests to fal.
"""

import time
from collections.abc import Callable

from starlette.types import Receive, Scope, Send

from webhook.answer_log import AnswerLog
from webhook.body import read_body, request_id_of
from webhook.capacity import Capacity, Overloaded
from webhook.contract import Callback, attempt_of
from webhook.inbox import Inbox, InboxUnavailable
from webhook.log import get_logger
from webhook.metrics import Metrics
from webhook.responses import send_response
from webhook.settings.settings import ReceiverSettings
from webhook.verification.jwks import KeySet, KeysUnavailable
from webhook.verification.signature import (
    Rejected,
    SignedClaim,
    check_account,
    check_time,
    read_claim,
    verify,
)
from webhook.verification.source_addresses import SourceAddresses

log = get_logger()


class Receiver:
    """The ASGI application at POST /webhooks/fal/{job_id}/{token}; `clock` is Unix seconds.

    It answers 200 only once the callback is stored.
    """

    def __init__(
        self,
        *,
        settings: ReceiverSettings,
        keys: KeySet,
        inbox: Inbox,
        metrics: Metrics,
        capacity: Capacity,
        sources: SourceAddresses | None,
        clock: Callable[[], float],
    ) -> None:
        self._secrets = settings.secrets
        self._user_ids = settings.user_ids
        self._keys = keys
        self._inbox = inbox
        self._metrics = metrics
        self._capacity = capacity
        self._sources = sources
        self._clock = clock
        self._log = AnswerLog()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one callback and answer it with its outcome."""
        started = time.perf_counter()
        job_id: str = scope["path_params"]["job_id"]
        outcome = await self._outcome(scope, receive, job_id)
        self._metrics.count_answer(outcome, time.perf_counter() - started)
        # An address that we did not mint may contain anything, so the log does not repeat it.
        known_job = None if outcome == "bad_address" else job_id
        self._log.write(outcome, known_job)
        await send_response(scope, send, outcome)

    async def _outcome(self, scope: Scope, receive: Receive, job_id: str) -> str:
        try:
            self._capacity.enter()
        except Overloaded:
            return "overloaded"
        try:
            await self._accept(scope, receive, job_id)
        except (Rejected, InboxUnavailable) as refusal:
            return refusal.reason
        except KeysUnavailable:
            return "no_keys"
        except Overloaded:
            return "overloaded"
        finally:
            self._capacity.leave()
        return "accepted"

    async def _accept(self, scope: Scope, receive: Receive, job_id: str) -> None:
        attempt = attempt_of(self._secrets, job_id, scope["path_params"]["token"])
        if attempt is None:
            raise Rejected("bad_address")
        headers = scope["headers"]
        if self._sources is not None:
            peer = scope.get("client")
            if not self._sources.admit(peer and peer[0], headers):
                raise Rejected("foreign_source")
        claim = read_claim(headers)
        check_time(claim, self._clock())
        self._check_account(claim, job_id)
        try:
            body = await read_body(receive, headers, self._capacity)
        except Rejected as refusal:
            if refusal.reason == "too_large":
                await self._mark_unread(job_id, attempt, claim)
            raise
        try:
            await self._verify(claim, body)
            if request_id_of(body) != claim.request_id:
                raise Rejected("id_mismatch")
            callback = Callback(
                attempt=attempt, request_id=claim.request_id, received_at=self._clock(), body=body
            )
            await self._inbox.put(job_id, callback)
        finally:
            self._capacity.release(len(body))

    async def _mark_unread(self, job_id: str, attempt: int, claim: SignedClaim) -> None:
        """Store a callback without a body: the job has ended, and its result must be looked up.

        fal would deliver the same body in vain until it drops the result. The address proves that
        the job is ours; nothing proves the request id, and the worker does not adopt it.
        """
        marker = Callback(
            attempt=attempt, request_id=claim.request_id, received_at=self._clock(), body=b""
        )
        await self._inbox.put(job_id, marker)

    def _check_account(self, claim: SignedClaim, job_id: str) -> None:
        try:
            check_account(claim, self._user_ids)
        except Rejected:
            # Only fal knows this address, so the operator can trust the account id in this line.
            log.warning("callback.foreign_account", job=job_id, account=claim.user_id)
            raise

    async def _verify(self, claim: SignedClaim, body: bytes) -> None:
        keys = await self._keys.current()
        try:
            verify(claim, body, keys)
        except Rejected:
            # Callbacks do not name their key: only a failure shows that fal may have rotated it.
            if not await self._keys.changed_since(keys):
                raise
            verify(claim, body, await self._keys.current())
