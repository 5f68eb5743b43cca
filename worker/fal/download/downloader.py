"""Downloads from the allowed hosts, within limits."""

from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from typing import Literal

import httpx

from worker.fal.download.allowed_hosts import AllowedHosts
from worker.fal.download.fetch import Fetch
from worker.fal.download.http import resolve
from worker.fal.download.limits import DownloadLimits
from worker.fal.download.transfer import Progress, Restart, Transfer
from worker.fal.download.url import parse
from worker.fal.proxies import Proxies

Write = Callable[[Iterator[bytes]], object]
# "media": an image, sound or video; "file": anything but a web page.
Expected = Literal["media", "file"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloaded:
    """What was written: bytes, SHA-256 in hex, the CDN's content type, number of resumptions."""

    size: int
    sha256: str
    content_type: str | None
    resumed: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Downloader:
    """A downloader from the allowed hosts within limits; safe to share between threads."""

    hosts: AllowedHosts
    client: httpx.Client
    limits: DownloadLimits
    resolve: Callable[[str, int], list[str]] = resolve
    proxies: Proxies = field(default_factory=Proxies.from_env)

    def fetch(
        self,
        url: str,
        write: Write,
        *,
        expect: Expected | None = None,
        progress: Progress | None = None,
    ) -> Downloaded:
        """Pass the whole body to `write`; if it has to start over, `write` is called again.

        `write` must consume its stream and let the stream's exceptions through, in which case it
        must have written nothing. `expect` refuses a body that does not begin as what was promised.
        `progress` is called with the bytes so far and the total, if known.

        Raises Permanent: "download_refused" (URL, address, redirect, encoding, other status),
        "download_gone" (403, 404, 410), "download_too_large", "download_not_media". Transient:
        "download_unavailable" (5xx, 408, 425, 429, no connection; `after` from Retry-After),
        "download_cut" (no tries left), "download_slow" (deadline or rate).
        """
        entry = self.hosts.check(url)
        fetch = Fetch(
            url=parse(url),
            entry=entry,
            expect=expect,
            limits=self.limits,
            client=self.client,
            resolve=self.resolve,
            proxied=self.proxies.used_for(parse(url).host),
        )
        while True:
            transfer = Transfer(fetch=fetch, progress=progress)
            try:
                with closing(transfer.chunks()) as chunks:
                    write(chunks)
            except Restart as restart:
                fetch.use_try(str(restart))
                continue
            if not transfer.complete:
                raise RuntimeError("write() returned before the end of its stream")
            return Downloaded(
                size=transfer.size,
                sha256=transfer.sha256.hexdigest(),
                content_type=transfer.content_type,
                resumed=fetch.resumed,
            )
