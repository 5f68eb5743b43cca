"""The transfer of one body from the CDN, over as many connections as it takes."""

import hashlib
import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field

import httpx

from worker.errors import Permanent, Transient
from worker.fal.download.fetch import Cut, Fetch
from worker.fal.download.response import check_response
from worker.formats.media_types import VIDEO_HEAD_BYTES, is_page, sniff, unsupported_video

_CONTENT_RANGE = re.compile(r"bytes ([0-9]{1,18})-([0-9]{1,18})/([0-9]{1,18})")

Progress = Callable[[int, int | None], None]


class Restart(Exception):
    """The rest of this body is not available; the writer must discard it and start over."""


@dataclass(slots=True, kw_only=True)
class Transfer:
    """The transfer of one body into one writer, over as many connections as it takes."""

    fetch: Fetch
    progress: Progress | None
    size: int = 0
    total: int | None = None
    etag: str | None = None
    content_type: str | None = None
    complete: bool = False
    sha256: "hashlib._Hash" = field(default_factory=hashlib.sha256)

    def chunks(self) -> Generator[bytes, None, None]:
        """Yield the body. Raises Restart and the failures of `Downloader.fetch`."""
        while not self.complete:
            try:
                with self.fetch.response(self._headers()) as response:
                    self._accept(response)
                    yield from self._body(response)
                if self.total not in {None, self.size}:
                    raise Cut("the body does not have the announced length")  # noqa: TRY301
                self.complete = True
            except Cut as cut:
                self._cut(cut)
            except Transient as failure:
                if not self.size or failure.reason != "download_unavailable":
                    raise
                self._cut(failure)

    def _cut(self, cause: Exception) -> None:
        """Count a try before the transfer resumes.

        Raises Restart if it cannot resume, Transient if nothing arrived or no try is left.
        """
        if not self.size:
            raise Transient(
                "download_unavailable", f"{self.fetch.host} cannot be reached ({cause})"
            ) from cause
        if self.etag is None:
            raise Restart("the connection was cut") from cause
        self.fetch.use_try("the connection was cut")
        self.fetch.resumed += 1

    def _headers(self) -> dict[str, str]:
        if not self.size or self.etag is None:
            return {}
        return {"Range": f"bytes={self.size}-", "If-Range": self.etag}

    def _accept(self, response: httpx.Response) -> None:
        """Read the headers of a body from `size` on. Raises Permanent, Transient or Restart."""
        check_response(self.fetch.host, response)
        if self.size:
            return self._accept_rest(response)
        if response.status_code != httpx.codes.OK:
            raise Permanent(
                "download_refused",
                f"{self.fetch.host} answered {response.status_code} instead of 200",
            )
        self.total = _length(response.headers)
        self._check_size(self.total or 0)
        etag = response.headers.get("ETag", "")
        # A weak ETag does not promise the same bytes: RFC 9110, section 13.1.5. One beyond ASCII
        # could not be sent back by httpx.
        self.etag = etag if etag.startswith('"') and etag.isascii() else None
        self.content_type = response.headers.get("Content-Type", "")[:100] or None
        return None

    def _accept_rest(self, response: httpx.Response) -> None:
        match = _CONTENT_RANGE.fullmatch(response.headers.get("Content-Range", ""))
        if response.status_code != httpx.codes.PARTIAL_CONTENT or match is None:
            raise Restart("it did not send the requested range")
        first, last, total = (int(number) for number in match.groups())
        is_rest = first == self.size and last == total - 1 and self.total in {None, total}
        # A rest has the ETag of the whole (RFC 9110, section 15.3.7); a server that leaves it out
        # may have ignored If-Range.
        if not is_rest or response.headers.get("ETag") != self.etag:
            raise Restart("it now has another object")
        self.total = total

    def _body(self, response: httpx.Response) -> Iterator[bytes]:
        head = b"" if self.fetch.expect and not self.size else None
        for chunk in self.fetch.paced(response.iter_raw()):
            self._check_size(self.size + len(head or b"") + len(chunk))
            if head is None:
                yield self._count(chunk)
                continue
            head += chunk
            if len(head) >= VIDEO_HEAD_BYTES:
                self._check_media(head)
                yield self._count(head)
                head = None
        if head is not None:
            self._check_media(head)
            yield self._count(head)

    def _count(self, chunk: bytes) -> bytes:
        self.sha256.update(chunk)
        self.size += len(chunk)
        if self.progress is not None:
            self.progress(self.size, self.total)
        return chunk

    def _check_size(self, size: int) -> None:
        max_bytes = self.fetch.limits.max_bytes
        if size > max_bytes:
            raise Permanent(
                "download_too_large", f"{self.fetch.host} sends more than {max_bytes} bytes"
            )

    def _check_media(self, head: bytes) -> None:
        """Raise Permanent unless the body begins as what is expected.

        An MP4 file begins with a box of type `ftyp`: ISO/IEC 14496-12, section 4.3.
        """
        if is_page(head):
            words = "a web page instead of the file"
        elif self.fetch.expect == "media" and not _is_media(head):
            words = "something that does not begin as an image, sound or video"
        else:
            return
        raise Permanent("download_not_media", f"{self.fetch.host} sent {words}")


def _length(headers: httpx.Headers) -> int | None:
    """Return the announced length; Transfer-Encoding overrides it (RFC 9112, section 6.3)."""
    length = headers.get("Content-Length", "")
    return int(length) if length.isdecimal() and "Transfer-Encoding" not in headers else None


def _is_media(head: bytes) -> bool:
    return bool(head[4:8] == b"ftyp" or sniff(head) or unsupported_video(head))
