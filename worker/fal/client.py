"""The one door to fal: exactly one POST per submit, and single GETs of a result."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import MappingProxyType

import httpx
from fal_client import SyncClient
from fal_client.client import USER_AGENT, BackupDomainTransport, SyncRequestHandle

from worker.errors import Failure, Permanent, Transient
from worker.fal.errors import words
from worker.fal.single_post import Accepted, SinglePostTransport, salvaged
from worker.types import Json

TIMEOUT = httpx.Timeout(connect=5, read=30, write=30, pool=5)


class NoResult(Transient):
    """fal has no result of this request: not yet, or not any more."""


@dataclass(frozen=True)
class _Client(SyncClient):
    """fal-client's own client over a transport for a single POST."""

    transport: httpx.BaseTransport = field(kw_only=True)

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": self._auth.header_value, "User-Agent": USER_AGENT}
        # A redirect of a POST could become a second one; it counts as an unknown outcome.
        return httpx.Client(
            transport=self.transport, headers=headers, timeout=TIMEOUT, follow_redirects=False
        )


class FalClient:
    """fal's queue, for one key; safe to share between threads."""

    def __init__(self, key: str, *, transport: httpx.BaseTransport | None = None) -> None:
        self._key = key
        self._transport = transport or BackupDomainTransport()

    def submit(
        self,
        endpoint: str,
        arguments: Mapping[str, Json],
        webhook_url: str,
        *,
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> Accepted:
        """POST the job once, with fal's own `headers`. Raises NotAccepted, Refused or Unknown."""
        post = SinglePostTransport(self._transport)
        client = _Client(key=self._key, transport=post)
        try:
            handle = client.submit(
                endpoint, dict(arguments), webhook_url=webhook_url, headers=dict(headers)
            )
        except Failure:
            raise
        except Exception as error:  # noqa: BLE001  # raised again, as an outcome, or salvaged
            return salvaged(post, error)
        return Accepted(
            request_id=str(handle.request_id),
            response_url=str(handle.response_url),
            cancel_url=str(handle.cancel_url),
        )

    def result_address(self, endpoint: str, request_id: str) -> str:
        """Where fal keeps the result, for a request whose submit answer was lost."""
        client = _Client(key=self._key, transport=self._transport)
        handle = SyncRequestHandle.from_request_id(client._client, endpoint, request_id)  # noqa: SLF001
        return str(handle.response_url)

    def result(self, response_url: str) -> Json:
        """GET the result once, never the status.

        Raises NoResult if fal has none (yet, or any more), Permanent with fal's words if the
        render failed, Transient if fal cannot be asked.
        """
        headers = {"Authorization": f"Key {self._key}", "User-Agent": USER_AGENT}
        with httpx.Client(transport=_Shared(self._transport), timeout=TIMEOUT) as client:
            try:
                response = client.get(response_url, headers=headers)
            except httpx.HTTPError as error:
                sentence = f"the result could not be fetched ({type(error).__name__})"
                raise Transient("result_unavailable", sentence) from error
        return _result(response)

    def cancel(self, cancel_url: str) -> str:
        """PUT fal's cancel address once, and tell what fal said: `CANCELLATION_REQUESTED`, say.

        https://fal.ai/docs/inference-api/queue/cancel : a wish, which a running job may ignore.
        Raises Transient if no answer came; fal may have got the wish all the same.
        """
        headers = {"Authorization": f"Key {self._key}", "User-Agent": USER_AGENT}
        with httpx.Client(transport=_Shared(self._transport), timeout=TIMEOUT) as client:
            try:
                response = client.put(cancel_url, headers=headers)
            except httpx.HTTPError as error:
                sentence = f"fal could not be asked to cancel ({type(error).__name__})"
                raise Transient("cancel_unanswered", sentence) from error
        return said_of(response)


def said_of(response: httpx.Response) -> str:
    """The one word of fal's answer to a cancel, or its status code."""
    try:
        content: Json = response.json()
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
            result: Json = response.json()
        except ValueError as error:
            raise Permanent("result_unreadable", "fal's result is not JSON") from error
        return result
    if status in {httpx.codes.BAD_REQUEST, httpx.codes.NOT_FOUND}:
        raise NoResult("no_result", f"fal has no result ({status}): {words(response)}")
    if response.is_client_error:
        raise Permanent(f"result_{status}", f"fal answered {status}: {words(response)}")
    raise Transient("result_unavailable", f"fal answered {status}: {words(response)}")


class _Shared(httpx.BaseTransport):
    """A transport that outlives its client."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        return self._inner.handle_request(request)
