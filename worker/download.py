"""fal's CDN to our storage: streamed, hashed, bounded.

The body goes straight into a writer (a put to storage), so nothing is written twice. A cut is
resumed where it happened; where the object is no longer the same one, the writer is made to give
up, with nothing stored, and is called again with a fresh stream.
"""

import hashlib
import logging
import re
import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Literal

import httpx

from worker.failures import Permanent, Transient
from worker.hosts import AllowedHost, AllowedHosts

__all__ = ["AllowedHosts", "Downloaded", "Downloader", "Limits", "http_client"]

GONE = frozenset({403, 404, 410})
LATER = frozenset({408, 425, 429})
FTYP_BYTES = 8
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

Write = Callable[[Iterator[bytes]], object]
Progress = Callable[[int, int | None], None]
Resolve = Callable[[str, int], list[str]]


class _Restart(Exception):
    """The bytes so far belong to another object; the writer must begin again."""


class _Cut(Exception):
    """The connection gave out; what has come is good."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was written: bytes, SHA-256 in hex, the type the CDN named, how often it was resumed."""

    size: int
    sha256: str
    content_type: str | None
    resumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What ends a download: bytes, seconds, bytes per second over a window, connections."""

    max_bytes: int
    deadline: float = 600.0
    min_rate: float = 32 * 1024
    window: float = 15.0
    tries: int = 5
    pause: float = 0.5


def http_client() -> httpx.Client:
    """A client for downloads: trusts SSL_CERT_FILE, uses no proxy and follows no redirect.

    httpx's own log lines are kept back: they hold the whole URL, and a signed URL is a
    credential.
    """
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)
    return httpx.Client(
        verify=httpx.create_ssl_context(trust_env=True),
        trust_env=False,
        follow_redirects=False,
        timeout=httpx.Timeout(20.0, connect=10.0),
        headers={"User-Agent": "falhook", "Accept": "*/*", "Accept-Encoding": "identity"},
    )


def resolve(host: str, port: int) -> list[str]:
    """Every IP address of the host. Raises OSError when it has none."""
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return [str(address[0]) for *_, address in found]


class Downloader:
    """Downloads from the allowed hosts, within the limits; safe to share between threads."""

    def __init__(
        self,
        *,
        hosts: AllowedHosts,
        limits: Limits,
        client: httpx.Client,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
        resolve: Resolve = resolve,
    ) -> None:
        self.hosts = hosts
        self.limits = limits
        self.client = client
        self.clock = clock
        self.sleep = sleep
        self.resolve = resolve

    def fetch(
        self,
        url: str,
        write: Write,
        *,
        expect: Literal["mp4"] | None = None,
        progress: Progress | None = None,
    ) -> Downloaded:
        """`write` has taken the whole body once, from the stream that it was last called with.

        `write` must consume its stream, let the stream's exceptions out and then have written
        nothing. `expect="mp4"` refuses a body that does not begin as one. `progress` is told
        the bytes so far and in all, where the CDN says how many.

        Raises Permanent: "download_refused" (URL, address, redirect, encoding), "download_gone"
        (403, 404, 410), "download_too_large", "download_not_media". Transient:
        "download_unavailable" (5xx, 429, no connection; `after` from Retry-After),
        "download_cut" (tries used up), "download_slow" (deadline or rate).
        """
        entry = self.hosts.check(url)
        attempt = _Attempt(downloader=self, url=httpx.URL(url), entry=entry, expect=expect)
        while True:
            transfer = _Transfer(attempt=attempt, progress=progress)
            try:
                with closing(transfer.chunks()) as chunks:
                    write(chunks)
            except _Restart:
                attempt.failed("the object changed, or cannot be resumed")
                continue
            if not transfer.complete:
                raise RuntimeError("write() returned before the end of its stream")
            return Downloaded(
                size=transfer.size,
                sha256=transfer.sha256.hexdigest(),
                content_type=transfer.content_type,
                resumed=attempt.resumed,
            )


@dataclass(slots=True, kw_only=True)
class _Attempt:
    """One fetch: its connections, the time and the tries that are left to it."""

    downloader: Downloader
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
        limits = self.downloader.limits
        if self.failures >= limits.tries:
            raise Transient("download_cut", f"{self.host}: {why}, {self.failures} times")
        self.downloader.sleep(limits.pause * 2 ** (self.failures - 1))
        self.check_deadline()

    def check_deadline(self) -> None:
        limit = self.downloader.limits.deadline
        if self.downloader.clock() - self.began > limit:
            raise Transient("download_slow", f"{self.host}: not done within {limit:g} s")

    @contextmanager
    def response(self, headers: dict[str, str]) -> Iterator[httpx.Response]:
        """An answer from an address that may be asked. Connection faults come out as _Cut."""
        self._check_addresses()
        try:
            with self.downloader.client.stream("GET", self.url, headers=headers) as response:
                # The name may have led elsewhere between our look-up and the connection's own.
                peer = response.extensions["network_stream"].get_extra_info("server_addr")
                self._check_address(str(peer[0]))
                yield response
        except httpx.TransportError as error:
            raise _Cut(f"{type(error).__name__}") from error

    def _check_addresses(self) -> None:
        port = self.url.port or 443
        try:
            addresses = self.downloader.resolve(self.host, port)
        except OSError as error:
            raise _Cut("the name is not resolved") from error
        for address in addresses:
            self._check_address(address)

    def _check_address(self, address: str) -> None:
        if not self.entry.allows_address(address):
            raise Permanent(
                "download_refused", f"{self.host} leads to {address}, which is not public"
            )


@dataclass(slots=True, kw_only=True)
class _Transfer:
    """One body on its way into one writer, over as many connections as it takes."""

    attempt: _Attempt
    progress: Progress | None
    size: int = 0
    total: int | None = None
    etag: str | None = None
    content_type: str | None = None
    complete: bool = False
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def chunks(self) -> Generator[bytes, None, None]:
        """The body. Raises _Restart, and whatever Downloader.fetch says."""
        while not self.complete:
            try:
                with self.attempt.response(self._headers()) as response:
                    self._accept(response)
                    yield from self._body(response)
                self.complete = True
            except _Cut as cut:
                self._cut(cut)
            except Transient as failure:
                if not self.size or failure.reason != "download_unavailable":
                    raise
                self._cut(failure)

    def _cut(self, cause: Exception) -> None:
        if not self.size:
            if isinstance(cause.__cause__, httpx.RemoteProtocolError):
                self.attempt.failed("the connection was cut")
                return
            raise Transient(
                "download_unavailable", f"{self.attempt.host} cannot be reached: {cause}"
            ) from cause
        self.attempt.failed("the connection was cut")
        if self.etag is None:
            raise _Restart from cause
        self.attempt.resumed += 1

    def _headers(self) -> dict[str, str]:
        if not self.size or self.etag is None:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.etag}

    def _accept(self, response: httpx.Response) -> None:
        """The answer carries the body from where we are. Raises what it means if it does not."""
        _check_status(self.attempt.host, response)
        encoding = response.headers.get("Content-Encoding", "identity")
        if encoding.lower() != "identity":
            raise Permanent(
                "download_refused", f"{self.attempt.host} sent the body in {encoding[:40]!r}"
            )
        if self.size:
            return self._accept_rest(response)
        if response.status_code != httpx.codes.OK:
            raise Permanent(
                "download_refused",
                f"{self.attempt.host} answered {response.status_code} where 200 was due",
            )
        length = response.headers.get("Content-Length", "")
        self.total = int(length) if length.isdecimal() else None
        self._check_size(self.total or 0)
        etag = response.headers.get("ETag", "")
        # A weak ETag does not promise the same bytes: RFC 9110, section 13.1.5.
        self.etag = etag if etag.startswith('"') else None
        self.content_type = response.headers.get("Content-Type")
        return None

    def _accept_rest(self, response: httpx.Response) -> None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code != httpx.codes.PARTIAL_CONTENT or match is None:
            raise _Restart
        first, last, total = (int(number) for number in match.groups())
        whole = first == self.size and last == total - 1 and self.total in {None, total}
        if not whole or response.headers.get("ETag", self.etag) != self.etag:
            raise _Restart

    def _body(self, response: httpx.Response) -> Iterator[bytes]:
        head = b"" if self.attempt.expect and not self.size else None
        for chunk in _paced(response.iter_raw(), self.attempt):
            self._check_size(self.size + len(head or b"") + len(chunk))
            if head is None:
                yield self._taken(chunk)
                continue
            head += chunk
            if len(head) >= FTYP_BYTES:
                self._check_media(head)
                yield self._taken(head)
                head = None
        if head is not None:
            self._check_media(head)

    def _taken(self, chunk: bytes) -> bytes:
        self.sha256.update(chunk)
        self.size += len(chunk)
        if self.progress is not None:
            self.progress(self.size, self.total)
        return chunk

    def _check_size(self, size: int) -> None:
        limit = self.attempt.downloader.limits.max_bytes
        if size > limit:
            raise Permanent(
                "download_too_large", f"{self.attempt.host} sends more than {limit} bytes"
            )

    def _check_media(self, head: bytes) -> None:
        """An MP4 file begins with a box of type `ftyp`: ISO/IEC 14496-12, section 4.3."""
        if head[4:FTYP_BYTES] != b"ftyp":
            raise Permanent(
                "download_not_media",
                f"what {self.attempt.host} sent does not begin as an MP4 file",
            )


def _paced(chunks: Iterator[bytes], attempt: _Attempt) -> Iterator[bytes]:
    """The chunks, as long as they come fast enough; only waiting for them is counted."""
    downloader, limits = attempt.downloader, attempt.downloader.limits
    waited, received = 0.0, 0
    while True:
        asked = downloader.clock()
        chunk = next(chunks, None)
        waited += downloader.clock() - asked
        if chunk is None:
            return
        received += len(chunk)
        attempt.check_deadline()
        if waited > limits.window:
            if received < limits.min_rate * waited:
                raise Transient(
                    "download_slow",
                    f"{attempt.host} sends less than {limits.min_rate:g} bytes a second",
                )
            waited, received = 0.0, 0
        yield chunk


def _check_status(host: str, response: httpx.Response) -> None:
    status = response.status_code
    match status:
        case _ if response.is_success or status == httpx.codes.REQUESTED_RANGE_NOT_SATISFIABLE:
            return
        case _ if response.is_redirect or response.has_redirect_location:
            raise Permanent("download_refused", f"{host} redirects ({status}), which is refused")
        case _ if status in GONE:
            raise Permanent("download_gone", f"{host} no longer has the result ({status})")
        case _ if status in LATER or response.is_server_error:
            raise Transient(
                "download_unavailable", f"{host} answered {status}", after=_retry_after(response)
            )
        case _:
            raise Permanent("download_refused", f"{host} answered {status}")


def _retry_after(response: httpx.Response) -> float | None:
    """Seconds; RFC 9110, section 10.2.3 allows a number or a date."""
    value = response.headers.get("Retry-After", "")
    if value.isdecimal():
        return float(value)
    try:
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (ValueError, TypeError):
        return None
