"""The proxy of outgoing requests: HTTPS_PROXY (or ALL_PROXY) and NO_PROXY, for all of them alike.

Requests to this machine never use one: no proxy elsewhere reaches it.
"""

import ipaddress
from collections.abc import Mapping
from dataclasses import dataclass
from ssl import SSLContext
from urllib.request import getproxies_environment

import httpx


@dataclass(frozen=True, slots=True)
class Proxies:
    """The proxies that the environment names, by scheme; `no` has the hosts without one."""

    by_scheme: Mapping[str, str]

    @classmethod
    def from_env(cls) -> "Proxies":
        """Read the variables, in capitals or small letters, as curl and urllib do."""
        return cls(getproxies_environment())

    @property
    def url(self) -> str | None:
        """The proxy of https requests; None without one."""
        return self.by_scheme.get("https") or self.by_scheme.get("all") or None

    def used_for(self, host: str) -> bool:
        """Return whether a request to this host goes through the proxy."""
        if self.url is None or _is_loopback(host):
            return False
        entries = (entry.strip().lower() for entry in self.by_scheme.get("no", "").split(","))
        return not any(_matches(host.lower(), entry) for entry in entries if entry)


class EnvironmentTransport(httpx.BaseTransport):
    """A transport that sends each request through the proxy that is for its host, if any."""

    def __init__(self, *, verify: SSLContext | bool = True, proxies: Proxies | None = None) -> None:
        self._proxies = Proxies.from_env() if proxies is None else proxies
        self._direct = httpx.HTTPTransport(verify=verify)
        url = self._proxies.url
        self._proxied = httpx.HTTPTransport(verify=verify, proxy=url) if url else self._direct

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Send the request. Raises httpx.ProxyError if the proxy opens no tunnel."""
        through = self._proxies.used_for(request.url.host)
        return (self._proxied if through else self._direct).handle_request(request)

    def close(self) -> None:
        """Close the connections."""
        self._direct.close()
        self._proxied.close()


def _matches(host: str, entry: str) -> bool:
    """Return whether an entry of NO_PROXY names the host: `*`, the host, or a domain above it."""
    domain = entry.removeprefix("*").removeprefix(".").partition(":")[0]
    return entry == "*" or host == domain or (bool(domain) and host.endswith(f".{domain}"))


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        name = host.lower().rstrip(".")
        return name == "localhost" or name.endswith(".localhost")
