"""The handling of one callback: check its address, read, verify, store, answer.

Cheap checks come first, so that forged callbacks cost little and cause no requests to fal.
"""

import time
from collections.abc import Callable, Sequence
from functools import partial

from starlette.types import Receive, Scope, Send

from webhook.answer_log import AnswerLog
from webhook.body import MAX_BODY, read_body, request_id_of
from webhook.capacity import Capacity, Overloaded
from webhook.contract import Callback, attempt_of
from webhook.inbox import Inbox, InboxUnavailable
from webhook.log import get_logger
from webhook.metrics import Metrics
from webhook.responses import send_response, whole_response
from webhook.server.direct_protocol import Respond, WholeRequest
from webhook.settings.settings import ReceiverSettings
from webhook.verification.jwks import KeySet, KeysUnavailable
from webhook.verification.signature import (
    ForeignAccount,
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
        self._note(outcome, job_id, started)
        await send_response(scope, send, outcome)

    def take(self, job_id: str, token: str, request: WholeRequest, respond: Respond) -> bool:
        """Store a callback that has arrived, and answer it once it is stored.

        Return False if it must go through `__call__`, as each one that is refused, or that has to
        wait for fal's keys.
        """
        started = time.perf_counter()
        size = len(request.body)
        if size > MAX_BODY or not self._capacity.has_room(size):
            return False
        try:
            attempt, claim = self._admitted(job_id, token, request.headers, request.peer)
            verify(claim, request.body, self._keys.fresh)
            callback = self._matching(attempt, claim, request.body)
            settle = partial(self._settle, job_id, size, started, respond)
            self._inbox.submit(job_id, callback, settle)
        except (Rejected, InboxUnavailable):
            return False
        self._capacity.enter()
        self._capacity.hold(size)
        return True

    def _settle(
        self,
        job_id: str,
        size: int,
        started: float,
        respond: Respond,
        error: InboxUnavailable | None,
    ) -> None:
        self._capacity.release(size)
        self._capacity.leave()
        outcome = "accepted" if error is None else error.reason
        self._note(outcome, job_id, started)
        respond(whole_response(outcome))

    def _note(self, outcome: str, job_id: str, started: float) -> None:
        self._metrics.count_answer(outcome, time.perf_counter() - started)
        # An address that we did not mint may contain anything, so the log does not repeat it.
        self._log.write(outcome, None if outcome == "bad_address" else job_id)

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
        try:
            attempt, claim = self._admitted(
                job_id, scope["path_params"]["token"], scope["headers"], scope.get("client")
            )
        except ForeignAccount as refusal:
            # Only fal knows this address, so the operator can trust the account id in this line.
            log.warning("callback.foreign_account", job=job_id, account=refusal.account)
            raise
        try:
            body = await read_body(receive, scope["headers"], self._capacity)
        except Rejected as refusal:
            if refusal.reason == "too_large":
                await self._mark_unread(job_id, attempt, claim)
            raise
        try:
            await self._verify(claim, body)
            await self._inbox.put(job_id, self._matching(attempt, claim, body))
        finally:
            self._capacity.release(len(body))

    def _admitted(
        self,
        job_id: str,
        token: str,
        headers: Sequence[tuple[bytes, bytes]],
        peer: tuple[str, int] | None,
    ) -> tuple[int, SignedClaim]:
        """Return attempt and claim of a callback whose body may be read. Raises Rejected."""
        attempt = attempt_of(self._secrets, job_id, token)
        if attempt is None:
            raise Rejected("bad_address")
        if self._sources is not None and not self._sources.admit(peer and peer[0], headers):
            raise Rejected("foreign_source")
        claim = read_claim(headers)
        check_time(claim, self._clock())
        check_account(claim, self._user_ids)
        return attempt, claim

    def _matching(self, attempt: int, claim: SignedClaim, body: bytes) -> Callback:
        """Return the callback of a verified body if it is of the claimed request."""
        if request_id_of(body) != claim.request_id:
            raise Rejected("id_mismatch")
        return Callback(
            attempt=attempt, request_id=claim.request_id, received_at=self._clock(), body=body
        )

    async def _mark_unread(self, job_id: str, attempt: int, claim: SignedClaim) -> None:
        """Store a callback without a body: the job has ended, and its result must be looked up.

        fal would deliver the same body in vain until it drops the result. The address proves that
        the job is ours; nothing proves the request id, and the worker does not adopt it.
        """
        marker = Callback(
            attempt=attempt, request_id=claim.request_id, received_at=self._clock(), body=b""
        )
        await self._inbox.put(job_id, marker)

    async def _verify(self, claim: SignedClaim, body: bytes) -> None:
        keys = await self._keys.current()
        try:
            verify(claim, body, keys)
        except Rejected:
            # Callbacks do not name their key: only a failure shows that fal may have rotated it.
            if not await self._keys.changed_since(keys):
                raise
            verify(claim, body, await self._keys.current())
