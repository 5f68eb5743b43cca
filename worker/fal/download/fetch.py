"""One fetch as a whole: its connections, its tries, its pace."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from worker.errors import Permanent, Transient
from worker.fal.download.allowed_hosts import HTTPS_PORT, AllowedHost

if TYPE_CHECKING:
    from worker.fal.download.downloader import Downloader


class Cut(Exception):
    """The connection gave out; what has come is good."""


@dataclass(slots=True, kw_only=True)
class Fetch:
    """One fetch: its connections, the time and the tries that are left to it."""

    downloader: "Downloader"
    url: httpx.URL
    entry: AllowedHost
    expect: str | None
    failures: int = 0
    resumed: int = 0
    began: float = field(init=False)

    def __post_init__(self) -> None:
        self.began = self.downloader.clock()

    @property
    def host(self) -> str:
        return self.url.host

    def failed(self, why: str) -> None:
        """One try is used up, and a pause made. Raises Transient when it was the last one."""
        self.failures += 1
        if self.failures >= self.downloader.tries:
            raise Transient("download_cut", f"{self.host}: {why}, {self.failures} times")
        self.downloader.sleep(self.downloader.pause * 2 ** (self.failures - 1))
        self.check_deadline()

    def check_deadline(self) -> None:
        limit = self.downloader.deadline
        if self.downloader.clock() - self.began > limit:
            raise Transient("download_slow", f"{self.host}: not done within {limit:g} s")

    @contextmanager
    def response(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """An answer from an address that may be asked. Connection faults come out as Cut."""
        self._check_addresses()
        try:
            with self.downloader.client.stream("GET", self.url, headers=headers) as response:
                # The name may have led elsewhere between our look-up and the connection's own.
                peer = response.extensions["network_stream"].get_extra_info("server_addr")
                self._check_address(str(peer[0]))
                yield response
        except httpx.TransportError as error:
            raise Cut(f"{type(error).__name__} {error}"[:200]) from error

    def paced(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """The chunks, as long as they come fast enough; only waiting for them is counted."""
        clock, window = self.downloader.clock, self.downloader.window
        waited, received = 0.0, 0
        while True:
            asked = clock()
            chunk = next(chunks, None)
            waited += clock() - asked
            if chunk is None:
                return
            received += len(chunk)
            self.check_deadline()
            if waited > window:
                self._check_rate(received, waited)
                waited, received = 0.0, 0
            yield chunk

    def _check_rate(self, received: int, seconds: float) -> None:
        least = self.downloader.min_rate
        if received < least * seconds:
            raise Transient(
                "download_slow", f"{self.host} sends less than {least:g} bytes a second"
            )

    def _check_addresses(self) -> None:
        port = self.url.port or HTTPS_PORT
        try:
            addresses = self.downloader.resolve(self.host, port)
        except OSError as error:
            raise Cut("the name is not resolved") from error
        for address in addresses:
            self._check_address(address)

    def _check_address(self, address: str) -> None:
        if not self.entry.allows_address(address):
            raise Permanent(
                "download_refused", f"{self.host} leads to {address}, which is not public"
            )
