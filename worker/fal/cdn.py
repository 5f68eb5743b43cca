"""Uploads to fal's CDN, by fal-client's own upload.

fal-client 1.0.3 gets a token from rest.fal.ai, sends the file to v3.fal.media (in parts above
100 MB), and falls back to fal's bucket by rest.fal.ai. It repeats each request up to ten times,
with 120 s or no limit each, which would hold a worker for the better part of an hour. So every
fault but the first leaves its loop as one of our failures: the submit step is tried again anyway.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property

import httpx
from fal_client import StorageSettings, SyncClient
from fal_client.auth import AuthCredentials
from fal_client.client import CDN_URL, REST_URL, USER_AGENT, CDNTokenManager

from worker.errors import Failure, Permanent, Transient
from worker.fal.errors import retry_after, words

REST_HOST = httpx.URL(REST_URL).host
TIMEOUT = {"connect": 5.0, "read": 60.0, "write": 60.0, "pool": 60.0}
LATER = frozenset({408, 409, 425, 429})


class _Once(httpx.BaseTransport):
    """Sends each request once, to where `elsewhere` says for its host, and judges the answer."""

    def __init__(self, inner: httpx.BaseTransport, elsewhere: Mapping[str, httpx.URL]) -> None:
        self._inner = inner
        self._elsewhere = elsewhere

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if target := self._elsewhere.get(request.url.host):
            request.url = request.url.copy_with(
                scheme=target.scheme, host=target.host, port=target.port
            )
            request.headers["Host"] = target.netloc.decode()
        # fal-client sets none for the parts of a large file.
        request.extensions["timeout"] = TIMEOUT
        try:
            response = self._inner.handle_request(request)
            response.read()
        except httpx.HTTPError as error:
            raise _unreachable(request.url.host, error) from error
        judge(response, request.url.host)
        return response


def _unreachable(host: str, error: httpx.HTTPError) -> Transient:
    sentence = f"an input could not be uploaded to {host} ({type(error).__name__})"
    return Transient("upload_unavailable", sentence, host=host)


def judge(response: httpx.Response, host: str) -> None:
    """Return for a 2xx. Raises Transient or Permanent with the host's words."""
    status = response.status_code
    if response.is_success:
        return
    sentence = f"{host} answered {status} to the upload of an input: {words(response)}"
    if response.is_client_error and status not in LATER:
        raise Permanent("upload_refused", sentence)
    raise Transient("upload_unavailable", sentence, after=retry_after(response.headers))


class _Tokens(CDNTokenManager):
    """fal-client's tokens, from another host than rest.fal.ai where one is named."""

    def __init__(self, auth: AuthCredentials, rest_host: str) -> None:
        super().__init__(auth)
        self._url = self._url.replace(REST_URL, f"https://{rest_host}", 1)


@dataclass(frozen=True)
class _Client(SyncClient):
    transport: httpx.BaseTransport = field(kw_only=True)
    rest_host: str = field(kw_only=True)

    @cached_property
    def _token_manager(self) -> CDNTokenManager:
        return _Tokens(self._auth, self.rest_host)

    @cached_property
    def _client(self) -> httpx.Client:
        headers = {"Authorization": self._auth.header_value, "User-Agent": USER_AGENT}
        return httpx.Client(transport=self._sending({}), headers=headers)

    def _get_cdn_client(self) -> httpx.Client:
        token = self._token_manager.get_token()
        headers = {
            "Authorization": f"{token.token_type} {token.token}",
            "User-Agent": USER_AGENT,
        }
        # fal-client sends small files to a host of its own choice, which no setting names; one
        # that issues tokens in fal's stead says in them where it takes the files.
        own = self.rest_host != REST_HOST
        cdn = {httpx.URL(CDN_URL).host: httpx.URL(token.base_upload_url)} if own else {}
        return httpx.Client(transport=self._sending(cdn), headers=headers)

    def _sending(self, elsewhere: Mapping[str, httpx.URL]) -> httpx.BaseTransport:
        rest = httpx.URL(f"https://{self.rest_host}")
        return _Once(self.transport, {REST_HOST: rest, **elsewhere})


class Cdn:
    """fal's CDN, for one key; safe to share between threads. `rest_host` issues its tokens."""

    def __init__(
        self, key: str, *, rest_host: str = REST_HOST, transport: httpx.BaseTransport | None = None
    ) -> None:
        self._client = _Client(
            key=key, transport=transport or httpx.HTTPTransport(), rest_host=rest_host
        )

    def upload(self, data: bytes, *, content_type: str, name: str, lifetime: int) -> str:
        """The address of the data at fal, which keeps it for `lifetime` seconds.

        Raises Transient or Permanent, both with fal's words.
        """
        kept = StorageSettings(expires_in=lifetime)
        try:
            return self._client.upload(data, content_type, name, lifecycle=kept)
        except Failure:
            raise
        except httpx.HTTPStatusError as error:
            # fal-client asks for the token by a client of its own.
            judge(error.response, error.request.url.host)
            raise
        except httpx.HTTPError as error:
            raise _unreachable(REST_HOST, error) from error
        except (KeyError, ValueError, TypeError) as error:
            sentence = f"fal's answer to an upload could not be read ({type(error).__name__})"
            raise Transient("upload_unreadable", sentence) from error
