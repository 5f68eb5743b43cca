"""How downloads reach the network: the HTTP client and name resolution."""

import logging
import socket
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpx

from worker.fal.proxies import EnvironmentTransport


def http_client() -> httpx.Client:
    """Return a client for downloads: trusts SSL_CERT_FILE; no redirects, no cookies.

    httpx's own log lines are suppressed: they contain the whole URL, and a signed URL is a
    credential.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.Client(
        transport=EnvironmentTransport(verify=httpx.create_ssl_context(trust_env=True)),
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
