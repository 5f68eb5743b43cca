"""One body on its way from the CDN: its connections, its cuts, its pace."""

import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import httpx

from worker.failures import Permanent, Transient
from worker.hosts import HTTPS_PORT, AllowedHost

if TYPE_CHECKING:
    from worker.download import Downloader

GONE = frozenset({403, 404, 410})
LATER = frozenset({408, 425, 429})
FTYP_BYTES = 8
_CONTENT_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")

Progress = Callable[[int, int | None], None]


class Restart(Exception):
    """The rest of these bytes is not to be had; the writer must give up and begin again."""


class _Cut(Exception):
    """The connection gave out; what has come is good."""


@dataclass(slots=True, kw_only=True)
class Attempt:
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
        """An answer from an address that may be asked. Connection faults come out as _Cut."""
        self._check_addresses()
        try:
            with self.downloader.client.stream("GET", self.url, headers=headers) as response:
                # The name may have led elsewhere between our look-up and the connection's own.
                peer = response.extensions["network_stream"].get_extra_info("server_addr")
                self._check_address(str(peer[0]))
                yield response
        except httpx.TransportError as error:
            raise _Cut(f"{type(error).__name__} {error}"[:200]) from error

    def _check_addresses(self) -> None:
        port = self.url.port or HTTPS_PORT
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
class Transfer:
    """One body on its way into one writer, over as many connections as it takes."""

    attempt: Attempt
    progress: Progress | None
    size: int = 0
    total: int | None = None
    etag: str | None = None
    content_type: str | None = None
    complete: bool = False
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def chunks(self) -> Generator[bytes, None, None]:
        """The body. Raises Restart, and whatever `Downloader.fetch` says."""
        while not self.complete:
            try:
                with self.attempt.response(self._headers()) as response:
                    self._accept(response)
                    yield from self._body(response)
                if self.total not in {None, self.size}:
                    raise _Cut("the body has not the announced length")  # noqa: TRY301
                self.complete = True
            except _Cut as cut:
                self._cut(cut)
            except Transient as failure:
                if not self.size or failure.reason != "download_unavailable":
                    raise
                self._cut(failure)

    def _cut(self, cause: Exception) -> None:
        """What has come is kept for the next connection, where that can be asked for the rest."""
        if not self.size:
            raise Transient(
                "download_unavailable", f"{self.attempt.host} cannot be reached: {cause}"
            ) from cause
        if self.etag is None:
            raise Restart("the connection was cut") from cause
        self.attempt.failed("the connection was cut")
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
        self.content_type = response.headers.get("Content-Type", "")[:100] or None
        return None

    def _accept_rest(self, response: httpx.Response) -> None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code != httpx.codes.PARTIAL_CONTENT or match is None:
            raise Restart("it did not send the rest that was asked for")
        first, last, total = (int(number) for number in match.groups())
        whole = first == self.size and last == total - 1 and self.total in {None, total}
        if not whole or response.headers.get("ETag", self.etag) != self.etag:
            raise Restart("it has another object now")
        self.total = total

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
        limit = self.attempt.downloader.max_bytes
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


def _paced(chunks: Iterator[bytes], attempt: Attempt) -> Iterator[bytes]:
    """The chunks, as long as they come fast enough; only waiting for them is counted."""
    downloader = attempt.downloader
    waited, received = 0.0, 0
    while True:
        asked = downloader.clock()
        chunk = next(chunks, None)
        waited += downloader.clock() - asked
        if chunk is None:
            return
        received += len(chunk)
        attempt.check_deadline()
        if waited > downloader.window:
            if received < downloader.min_rate * waited:
                raise Transient(
                    "download_slow",
                    f"{attempt.host} sends less than {downloader.min_rate:g} bytes a second",
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
