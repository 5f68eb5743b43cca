"""One fetch as a whole: its connections, its tries, its pace."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

from worker.errors import Permanent, Transient
from worker.fal.download.allowed_hosts import HTTPS_PORT, AllowedHost
from worker.fal.download.http import response_within
from worker.fal.download.limits import DownloadLimits


class Cut(Exception):
    """The connection broke off; the bytes that arrived are valid."""


@dataclass(slots=True, kw_only=True)
class Fetch:
    """One fetch of a URL: opens its connections, counts its tries and enforces its limits."""

    url: httpx.URL
    entry: AllowedHost
    expect: str | None
    limits: DownloadLimits
    client: httpx.Client
    resolve: Callable[[str, int], list[str]]
    # The connection leads to a proxy, which resolves the name for itself.
    proxied: bool = False
    failures: int = 0
    resumed: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.limits.clock()

    @property
    def host(self) -> str:
        return self.url.host

    def use_try(self, reason: str) -> None:
        """Count a failed try and pause. Raises Transient if it was the last one."""
        self.failures += 1
        if self.failures >= self.limits.tries:
            raise Transient("download_cut", f"{self.host}: {reason}, {self.failures} times")
        self.limits.sleep(self.limits.pause * 2 ** (self.failures - 1))
        self.check_deadline()

    def check_deadline(self) -> None:
        deadline = self.limits.deadline
        if self._remaining() < 0:
            raise Transient(
                "download_slow", f"{self.host}: the download did not end within {deadline:g} s"
            )

    def _remaining(self) -> float:
        return self.limits.deadline - (self.limits.clock() - self.began)

    @contextmanager
    def response(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """Open a connection to an allowed address and yield the response.

        Raises Cut for a connection error, Permanent for an address that is not allowed.
        """
        self._check_addresses()
        try:
            with response_within(self._remaining, self.client, self.url, headers) as response:
                # The name may have been resolved differently for the connection itself.
                if not self.proxied:
                    self._check_address(_peer_of(response))
                yield response
        except httpx.TransportError as error:
            self.check_deadline()
            raise Cut(f"{type(error).__name__} {error}"[:200]) from error

    def paced(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the chunks while they arrive fast enough; only time spent waiting for them counts.

        Raises Transient("download_slow").
        """
        clock, window = self.limits.clock, self.limits.window
        waited, received = 0.0, 0
        while True:
            began = clock()
            chunk = next(chunks, None)
            waited += clock() - began
            if chunk is None:
                return
            received += len(chunk)
            self.check_deadline()
            if waited > window:
                self._check_rate(received, waited)
                waited, received = 0.0, 0
            yield chunk

    def _check_rate(self, received: int, seconds: float) -> None:
        min_rate = self.limits.min_rate
        if received < min_rate * seconds:
            raise Transient(
                "download_slow", f"{self.host} sends less than {min_rate:g} bytes per second"
            )

    def _check_addresses(self) -> None:
        port = self.url.port or HTTPS_PORT
        try:
            addresses = self.resolve(self.host, port)
        except OSError as error:
            if self.proxied:
                return  # names of the internet may be known to the proxy alone
            raise Cut("the name cannot be resolved") from error
        for address in addresses:
            self._check_address(address)

    def _check_address(self, address: str) -> None:
        if not self.entry.allows_address(address):
            raise Permanent(
                "download_refused", f"{self.host} resolves to {address}, which is not public"
            )


def _peer_of(response: httpx.Response) -> str:
    """Return the IP address at the other end. Raises Cut if the connection is gone already."""
    try:
        return str(response.extensions["network_stream"].get_extra_info("server_addr")[0])
    except OSError as error:
        raise Cut(f"the peer closed the connection ({error})") from error
