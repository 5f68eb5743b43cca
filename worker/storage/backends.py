"""The obstore that FALHOOK_STORAGE_URL names."""

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

# A step is tried again by the pipeline, so a single call may give up soon: obstore's own default
# is 3 minutes of silence.
RETRY: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}


def store_at(url: str, *, make: bool) -> "tuple[Location, ObjectStore]":
    """The store that `url` names and where it is; with `make` a local directory is there then.

    Raises ValueError with one sentence that names the value and the cure, and without `make`
    Transient("storage_unwritable") for a directory that is gone. No network call is made.
    """
    parts = urlsplit(url)
    if "://" in url and ("@" in parts.netloc or parts.query or parts.fragment):
        raise ValueError(
            f"FALHOOK_STORAGE_URL={parts.scheme}://… holds credentials, a query or a fragment; "
            f"write {FORMS} and give credentials by the provider's environment variables"
        )
    if "://" not in url or parts.scheme == "file":
        return _local(url, make=make)
    if parts.scheme == "memory":
        return Location(url=url), MemoryStore()
    if parts.scheme not in REMOTE_SCHEMES or not parts.netloc:
        raise ValueError(f"FALHOOK_STORAGE_URL={url!r} is no storage; write {FORMS}")
    return Location(url=url.rstrip("/")), _remote(url)


def _local(url: str, *, make: bool) -> "tuple[Location, ObjectStore]":
    parts = urlsplit(url)
    is_url = "://" in url
    if not url or (is_url and (parts.netloc or not parts.path)):
        raise ValueError(f"FALHOOK_STORAGE_URL={url!r} names no directory; write {FORMS}")
    path = Path(unquote(parts.path)) if is_url else Path(url).expanduser()
    place = Location(url=url, root=(root := path.absolute()))
    try:
        if make:
            # The parent of an absolute path may be what a volume has to be mounted on.
            local_directory.make(root, parents=not path.is_absolute())
        place.require()
        return place, LocalStore(root, automatic_cleanup=True)
    except (OSError, StoreError) as error:
        raise ValueError(
            f"FALHOOK_STORAGE_URL={url!r}: the directory cannot be made "
            f"({first_line(error)}); name one whose parent is there (mounted, if it is a volume) "
            "and that this user may write to"
        ) from error


def _remote(url: str) -> "ObjectStore":
    # No client options: given ones would replace all of AWS_ALLOW_HTTP, AWS_PROXY_URL, AWS_TIMEOUT…
    try:
        return from_url(url, retry_config=RETRY)
    except (StoreError, ValueError) as error:
        raise ValueError(
            f"FALHOOK_STORAGE_URL={url!r} cannot be used ({first_line(error)}); "
            f"set {credentials(url)}"
        ) from error
