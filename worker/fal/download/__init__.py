"""Downloads from fal's CDN to storage: streamed, hashed, bounded.

The body goes straight into a writer (a put to storage), so nothing is written twice. A download
that is cut resumes where it stopped. If the object has changed meanwhile, the stream raises in the
writer, which must store nothing, and the writer is called again with a new stream.
"""

from worker.fal.download.allowed_hosts import AllowedHosts
from worker.fal.download.downloader import Downloaded, Downloader, Expected
from worker.fal.download.http import http_client
from worker.fal.download.limits import DownloadLimits

__all__ = ["AllowedHosts", "DownloadLimits", "Downloaded", "Downloader", "Expected", "http_client"]
