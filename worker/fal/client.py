"""Calls to fal's queue: exactly one POST per submit, one GET per look at a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import httpx
from fal_client import SyncClient
from fal_client.client import USER_AGENT, BackupDomainTransport, SyncRequestHandle

from worker.errors import Failure, Permanent, Transient
from worker.fal.errors import error_text, typed_error
from worker.fal.lenient_json import parse_lenient
from worker.fal.proxies import EnvironmentTransport
from worker.fal.single_post import Accepted, SinglePostTransport, recover_accepted
from worker.types import Json

# Statuses of fal's answers about a render as well as of other faults: the type of the error decides
# (https://fal.ai/docs/errors). A runner's 503 ended that render, since no runner gives out results.
_UNCLEAR_STATUSES = frozenset({400, *range(500, 600)})
TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=5)
# Types that may also be said of the request for the result, and not of the render: both are fal's.
_OF_EITHER = frozenset({"internal_error", "bad_request"})


class ResultUnavailable(Transient):
    """fal gave no result, and another request for it may bring it.

    `error` is what fal said of the render, if it may have meant that; None for a lost answer.
    """

    def __init__(self, sentence: str, error: Permanent | None = None) -> None:
        super().__init__("result_unavailable", sentence)
        self.error = error


class NoResult(Transient):
    """fal has no result of this request: not yet, or no longer."""


@dataclass(frozen=True)
class SdkClient(SyncClient):
    """fal-client's own client, over `transport` and without redirects."""

    transport: httpx.BaseTransport = field(kw_only=True)

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": self._auth.header_value, "User-Agent": USER_AGENT}
        # A redirected POST could become a second POST; a redirect counts as an unknown outcome.
        return httpx.Client(
            transport=self.transport, headers=headers, timeout=TIMEOUT, follow_redirects=False
        )


class FalClient:
    """fal's queue, for one key; safe to share between threads."""

    def __init__(self, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._key = key
        self._transport = transport or BackupDomainTransport(transport=EnvironmentTransport())

    @property
    def key(self) -> str:
        """The key that all requests carry."""
        return self._key

    def submit(
        self,
        endpoint: str,
        arguments: Mapping[str, Json],
        webhook_url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
        query: Mapping[str, str] = MappingProxyType({}),
    ) -> Accepted:
        """POST the job once; `headers` are those that fal's queue defines.

        Raises NotAccepted, SubmitRejected or AnswerLost.
        """
        post = SinglePostTransport(self._transport, query)
        client = SdkClient(key=self._key, transport=post)
        try:
            handle = client.submit(
                endpoint, dict(arguments), webhook_url=webhook_url, headers=dict(headers)
            )
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  # raised again as an outcome, or recovered from
            return recover_accepted(post, error)
        return Accepted(
            request_id=str(handle.request_id),
            response_url=str(handle.response_url),
            cancel_url=str(handle.cancel_url),
        )

    def result_address(self, endpoint: str, request_id: str) -> str:
        """Return the URL of the result of a request whose submit answer was lost."""
        client = SdkClient(key=self._key, transport=self._transport)
        handle = SyncRequestHandle.from_request_id(client._client, endpoint, request_id)  # noqa: SLF001
        return str(handle.response_url)

    def result(self, response_url: str) -> Json:
        """GET the result once, never the status.

        Raises NoResult if fal has none (yet, or any more), Permanent with fal's message if the
        render failed, ResultUnavailable if fal cannot be reached.
        """
        headers = {"Authorization": f"Key {self._key}", "User-Agent": USER_AGENT}
        with httpx.Client(transport=_Shared(self._transport), timeout=TIMEOUT) as client:
            try:
                response = client.get(response_url, headers=headers)
            except httpx.HTTPError as error:
                sentence = f"the result could not be fetched ({type(error).__name__})"
                raise ResultUnavailable(sentence) from error
        return _result(response)

    def cancel(self, cancel_url: str) -> str:
        """PUT fal's cancel URL once, and return fal's answer, such as `CANCELLATION_REQUESTED`.

        https://fal.ai/docs/inference-api/queue/cancel : a request that a running job may ignore.
        Raises Transient if no answer came; fal may have received the request all the same.
        """
        headers = {"Authorization": f"Key {self._key}", "User-Agent": USER_AGENT}
        with httpx.Client(transport=_Shared(self._transport), timeout=TIMEOUT) as client:
            try:
                response = client.put(cancel_url, headers=headers)
            except httpx.HTTPError as error:
                sentence = f"fal did not answer the cancel request ({type(error).__name__})"
                raise Transient("cancel_unanswered", sentence) from error
        return _cancel_status(response)


def _cancel_status(response: httpx.Response) -> str:
    """Return the status in fal's answer to a cancel request, else the HTTP status code."""
    try:
        content = parse_lenient(response.content)
    except ValueError:
        content = None
    match content:
        case {"status": str(status)} if status.replace("_", "").isalpha():
            return status
    return str(response.status_code)


def _result(response: httpx.Response) -> Json:
    status = response.status_code
    if response.is_success:
        try:
            return parse_lenient(response.content)
        except ValueError as error:
            raise Permanent("result_unreadable", "fal's result is not JSON") from error
    sentence = f"fal answered {status}: {error_text(response)}"
    typed = typed_error(response)
    named = Permanent(typed.reason, sentence + typed.advice) if typed else None
    if named and named.reason not in _OF_EITHER and status in _UNCLEAR_STATUSES:
        raise named
    if status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}:
        raise NoResult("no_result", f"fal has no result ({status}): {error_text(response)}")
    if response.is_client_error:
        raise Permanent(f"result_{status}", sentence)
    raise ResultUnavailable(sentence, named)


class _Shared(httpx.BaseTransport):
    """A transport that stays open when its client is closed."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)
