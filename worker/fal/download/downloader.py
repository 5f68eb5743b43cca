"""Downloads within limits, from the hosts that are allowed."""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal

import httpx

from worker.fal.download.allowed_hosts import AllowedHosts
from worker.fal.download.fetch import Fetch
from worker.fal.download.http import resolve
from worker.fal.download.transfer import Progress, Restart, Transfer

Write = Callable[[Iterator[bytes]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was written: bytes, SHA-256 in hex, the type the CDN named, how often it was resumed."""

    size: int
    sha256: str
    content_type: str | None
    resumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """Downloads from the allowed hosts, within limits; safe to share between threads.

    Of one fetch: at most `max_bytes`, `deadline` seconds in all, `tries` connections with a
    `pause` that begins at so many seconds and doubles, and, over each `window` seconds of
    waiting for the peer, `min_rate` bytes a second.
    """

    hosts: AllowedHosts
    max_bytes: int
    client: httpx.Client
    deadline: float = 600.0
    min_rate: float = 32 * 1024
    window: float = 15.0
    tries: int = 5
    pause: float = 0.5
    clock: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
    resolve: Callable[[str, int], list[str]] = resolve

    def fetch(
        self,
        url: str,
        write: Write,
        *,
        expect: Literal["media"] | None = None,
        progress: Progress | None = None,
    ) -> Downloaded:
        """`write` has taken the whole body once, from the stream that it was last called with.

        `write` must consume its stream, let the stream's exceptions out and then have written
        nothing. `expect="media"` refuses a body that begins as no image, sound or video.
        `progress` is told the bytes so far and in all, where the CDN says how many.

        Raises Permanent: "download_refused" (URL, address, redirect, encoding, other status),
        "download_gone" (403, 404, 410), "download_too_large", "download_not_media". Transient:
        "download_unavailable" (5xx, 408, 425, 429, no connection; `after` from Retry-After),
        "download_cut" (tries used up), "download_slow" (deadline or rate).
        """
        entry = self.hosts.check(url)
        attempt = Fetch(downloader=self, url=httpx.URL(url), entry=entry, expect=expect)
        while True:
            transfer = Transfer(attempt=attempt, progress=progress)
            try:
                with closing(transfer.chunks()) as chunks:
                    write(chunks)
            except Restart as restart:
                attempt.failed(str(restart))
                continue
            if not transfer.complete:
                raise RuntimeError("write() returned before the end of its stream")
            return Downloaded(
                size=transfer.size,
                sha256=transfer.sha256.hexdigest(),
                content_type=transfer.content_type,
                resumed=attempt.resumed,
            )
