"""The obstore store that FALHOOK_STORAGE_URL names."""

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from obstore.exceptions import BaseError as StoreError
from obstore.store import LocalStore, MemoryStore, from_url

from worker.storage import local_directory
from worker.storage.errors import first_line
from worker.storage.location import Location, credentials

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

REMOTE_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
FORMS = "file:///directory, a path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"

# The pipeline tries a step again, so a single call may give up soon: obstore's own default is
# 3 minutes of silence.
RETRY: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def open_store(url: str, *, create: bool) -> "tuple[Location, ObjectStore]":
    """Return the location that `url` names and its store; `create` creates a local directory.

    No network call is made. Raises ValueError with the setting, its value and the correction, and
    without `create` Transient("storage_unwritable") if the directory is missing.
    """
    parts = urlsplit(url)
    if "://" in url and ("@" in parts.netloc or parts.query or parts.fragment):
        raise ValueError(
            f"FALHOOK_STORAGE_URL={parts.scheme}://… contains credentials, a query or a fragment; "
            f"use {FORMS} and put credentials in the provider's environment variables"
        )
    if "://" not in url or parts.scheme == "file":
        return _open_directory(url, create=create)
    if parts.scheme == "memory":
        return Location(url=url), MemoryStore()
    if parts.scheme not in REMOTE_SCHEMES or not parts.netloc:
        raise ValueError(f"FALHOOK_STORAGE_URL={url!r} is not a supported storage; use {FORMS}")
    return Location(url=url.rstrip("/")), _open_remote(url)


def _open_directory(url: str, *, create: bool) -> "tuple[Location, ObjectStore]":
    parts = urlsplit(url)
    is_url = "://" in url
    if not url or (is_url and (parts.netloc or not parts.path)):
        raise ValueError(f"FALHOOK_STORAGE_URL={url!r} is not a directory; use {FORMS}")
    path = Path(unquote(parts.path)) if is_url else Path(url).expanduser()
    location = Location(url=url, root=(root := path.absolute()))
    try:
        if create:
            # The parent of an absolute path may be where a volume is yet to be mounted.
            local_directory.create(root, parents=not path.is_absolute())
        location.require()
        return location, LocalStore(root, automatic_cleanup=True)
    except (OSError, StoreError) as error:
        raise ValueError(
            f"FALHOOK_STORAGE_URL={url!r}: the directory cannot be created "
            f"({first_line(error)}); use one whose parent exists (mounted, if it is a volume) "
            "and that this user can write to"
        ) from error


def _open_remote(url: str) -> "ObjectStore":
    # No client options: any would replace all of AWS_ALLOW_HTTP, AWS_PROXY_URL, AWS_TIMEOUT…
    try:
        return from_url(url, retry_config=RETRY)
    except (StoreError, ValueError) as error:
        raise ValueError(
            f"FALHOOK_STORAGE_URL={url!r} cannot be used ({first_line(error)}); "
            f"set {credentials(url)}"
        ) from error
