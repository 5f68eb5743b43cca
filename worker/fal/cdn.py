"""Uploads to fal's CDN, through fal-client's own upload.

fal-client 1.0.3 gets a token from rest.fal.ai, sends the file to v3.fal.media (in parts above
100 MB), and falls back to fal's bucket through rest.fal.ai. It repeats each request up to ten
times, with a timeout of 120 s or none, which would occupy a worker for the better part of an hour.
So every error raises a Failure on its first occurrence, which ends fal-client's retry loop: the
submit step is tried again anyway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import httpx
from fal_client import StorageSettings
from fal_client.auth import AuthCredentials
from fal_client.client import CDN_URL, REST_URL, USER_AGENT, CDNTokenManager

from worker.errors import Failure, Permanent, Transient
from worker.fal.client import SdkClient
from worker.fal.errors import error_text, retry_after
from worker.fal.proxies import EnvironmentTransport

REST_HOST = httpx.URL(REST_URL).host
TIMEOUT = {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 60.0}
RETRYABLE_STATUSES = frozenset({408, 409, 425, 429})


class _SingleTryTransport(httpx.BaseTransport):
    """A transport that sends each request once; every answer but a 2xx raises a Failure."""

    def __init__(self, inner: httpx.BaseTransport) -> None:
        self._inner = inner

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        # fal-client sets no timeout for the parts of a large file.
        request.extensions["timeout"] = TIMEOUT
        try:
            response = self._inner.handle_request(request)
            response.read()
        except httpx.HTTPError as error:
            raise _unreachable(request.url.host, error) from error
        _check(response, request.url.host)
        return response


class _RedirectedTransport(httpx.BaseTransport):
    """A transport that sends the requests of the hosts in `targets` to other origins."""

    def __init__(self, inner: httpx.BaseTransport, targets: Mapping[str, httpx.URL]) -> None:
        self._inner = inner
        self._targets = targets

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if target := self._targets.get(request.url.host):
            request.url = request.url.copy_with(
                scheme=target.scheme, host=target.host, port=target.port
            )
            request.headers["Host"] = target.netloc.decode()
        return self._inner.handle_request(request)


def _unreachable(host: str, error: httpx.HTTPError) -> Transient:
    sentence = f"an input could not be uploaded to {host} ({type(error).__name__})"
    return Transient("upload_unavailable", sentence, host=host)


def _check(response: httpx.Response, host: str) -> None:
    """Return for a 2xx. Raises Transient or Permanent with the host's message otherwise."""
    status = response.status_code
    if response.is_success:
        return
    sentence = f"{host} answered {status} to the upload of an input: {error_text(response)}"
    if response.is_client_error and status not in RETRYABLE_STATUSES:
        raise Permanent("upload_refused", sentence)
    raise Transient("upload_unavailable", sentence, after=retry_after(response.headers))


class _Tokens(CDNTokenManager):
    """fal-client's upload tokens, issued by `rest_host` instead of rest.fal.ai."""

    def __init__(self, auth: AuthCredentials, rest_host: str) -> None:
        super().__init__(auth)
        self._url = self._url.replace(REST_URL, f"https://{rest_host}", 1)


@dataclass(frozen=True)
class _UploadClient(SdkClient):
    """fal-client's client with upload tokens from `rest_host`."""

    rest_host: str = field(kw_only=True)

    @cached_property
    def _token_manager(self) -> CDNTokenManager:
        return _Tokens(self._auth, self.rest_host)

    def _get_cdn_client(self) -> httpx.Client:
        token = self._token_manager.get_token()
        headers = {"Authorization": f"{token.token_type} {token.token}", "User-Agent": USER_AGENT}
        # fal-client sends small files to a fixed host that no setting changes. Another host that
        # issues tokens names in them the host that takes the files.
        is_fal = self.rest_host == REST_HOST
        targets = {} if is_fal else {httpx.URL(CDN_URL).host: httpx.URL(token.base_upload_url)}
        return httpx.Client(
            transport=_RedirectedTransport(self.transport, targets), headers=headers
        )


class Cdn:
    """fal's CDN, for one key; safe to share between threads. `rest_host` issues upload tokens."""

    def __init__(
        self, key: str, *, rest_host: str = REST_HOST, transport: httpx.BaseTransport | None = None
    ) -> None:
        rest = {REST_HOST: httpx.URL(f"https://{rest_host}")}
        single_try = _SingleTryTransport(transport or EnvironmentTransport())
        self._client = _UploadClient(
            key=key, transport=_RedirectedTransport(single_try, rest), rest_host=rest_host
        )

    def upload(self, data: bytes, *, content_type: str, name: str, lifetime: int) -> str:
        """Upload the data and return its URL; fal keeps it for `lifetime` seconds.

        Raises Transient or Permanent, both with fal's message.
        """
        lifecycle = StorageSettings(expires_in=lifetime)
        try:
            return self._client.upload(data, content_type, name, lifecycle=lifecycle)
        except Failure:
            raise
        except httpx.HTTPStatusError as error:
            # fal-client requests tokens with an HTTP client of its own.
            _check(error.response, error.request.url.host)
            raise
        except httpx.HTTPError as error:
            raise _unreachable(REST_HOST, error) from error
        except (KeyError, ValueError, TypeError) as error:
            sentence = f"fal's answer to an upload could not be read ({type(error).__name__})"
            raise Transient("upload_unreadable", sentence) from error
