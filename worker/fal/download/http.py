"""How downloads reach the network: the HTTP client and name resolution."""

import logging
import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from contextvars import ContextVar
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from worker.fal.proxies import EnvironmentTransport

Remaining = Callable[[], float]
# Of the response whose headers this thread waits for.
_remaining: ContextVar[Remaining | None] = ContextVar("_remaining", default=None)


class _Connection(ssl.SSLSocket):
    """A TLS connection whose reads end in time, and for which a cut is never the end of a body."""

    remaining: Remaining | None = None

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """Read some bytes; nothing if the peer has closed.

        Raises TimeoutError, and ssl.SSLEOFError if the peer is gone without a word: a body without
        a length would otherwise pass for whole (RFC 9112, section 9.8).
        """
        self.suppress_ragged_eofs = False
        if remaining := _remaining.get() or self.remaining:
            left = remaining()
            if left <= 0:
                raise TimeoutError
            timeout = self.gettimeout()
            self.settimeout(left if timeout is None else min(left, timeout))
        return super().recv(buflen, flags)


@contextmanager
def response_within(
    remaining: Remaining, client: httpx.Client, url: httpx.URL, headers: Mapping[str, str]
) -> Iterator[httpx.Response]:
    """GET `url` and yield the response, no read of which takes longer than `remaining()` seconds.

    A read that does raises httpx.ReadTimeout. httpx's own limits are for one read each: a peer that
    sends its headers byte by byte would be waited for without an end.
    """
    token = _remaining.set(remaining)
    try:
        response = client.send(client.build_request("GET", url, headers=headers), stream=True)
    finally:
        _remaining.reset(token)
    with closing(response):
        connection = response.extensions["network_stream"].get_extra_info("socket")
        if isinstance(connection, _Connection):
            connection.remaining = remaining
        yield response


def http_client() -> httpx.Client:
    """Return a client for downloads: trusts SSL_CERT_FILE; no redirects, no cookies.

    httpx's own log lines are suppressed: they contain the whole URL, and a signed URL is a
    credential.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    context = httpx.create_ssl_context(trust_env=True)
    context.sslsocket_class = _Connection
    return httpx.Client(
        transport=EnvironmentTransport(verify=context),
        trust_env=False,
        follow_redirects=False,
        cookies=CookieJar(DefaultCookiePolicy(allowed_domains=[])),
        timeout=httpx.Timeout(20.0, connect=10.0),
        headers={"User-Agent": "falhook", "Accept": "*/*", "Accept-Encoding": "identity"},
    )


def resolve(host: str, port: int) -> list[str]:
    """Return every IP address of the host. Raises OSError if it has none."""
    results = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in results]
