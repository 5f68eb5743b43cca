"""fal's CDN to our storage: streamed, hashed, bounded.

The body goes straight into a writer (a put to storage), so nothing is written twice. A cut is
resumed where it happened; where the object is no longer the same one, the writer is made to give
up, with nothing stored, and is called again with a fresh stream.
"""

from worker.fal.download.allowed_hosts import AllowedHosts
from worker.fal.download.downloader import Downloaded, Downloader
from worker.fal.download.http import http_client

__all__ = ["AllowedHosts", "Downloaded", "Downloader", "http_client"]
