"""Calls of obstore: by one process alone, and what they raise as failures of ours."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError as StoreError
from obstore.exceptions import PermissionDeniedError, UnauthenticatedError

from worker.errors import Failure, Permanent, Transient
from worker.storage.location import Location

_FULL = re.compile(rf"os error ({errno.ENOSPC}|{errno.EDQUOT})\b|status code: 507")
_DENIED = re.compile(
    rf"os error ({errno.EPERM}|{errno.EACCES}|{errno.ENOTDIR}|{errno.EROFS})\b"
    r"|status code: (400|401|403|404)|Received redirect|builder error"
)
_TRANSIENT = re.compile(r"RequestTimeout|SlowDown|ExpiredToken")
_owner: int | None = None


@contextmanager
def calls(place: Location, key: str, *, missing: str = "storage_unwritable") -> Iterator[None]:
    """The store is called inside; whatever it raises comes out as one of our failures.

    `missing="storage_missing"` takes an absent object for just that. Raises RuntimeError where
    another process made the first call.
    """
    _claim()
    place.require()
    try:
        yield
    except FileNotFoundError as error:
        place.require()
        if missing == "storage_missing":
            raise Permanent(missing, f"{place.address(key)} does not exist") from error
        if place.root is not None:  # a delete of the same prefix went on at the same time
            raise Transient("storage_unavailable", f"{key} was deleted meanwhile") from error
        raise place.unwritable(first_line(error)) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise place.unwritable(first_line(error)) from error
    except (StoreError, OSError) as error:
        raise _failure(place, error) from error


def _claim() -> None:
    global _owner  # noqa: PLW0603 - obstore's threads are one per process, so is this
    _owner = _owner or os.getpid()
    if _owner != os.getpid():
        raise RuntimeError(
            "the storage was used before this process was forked, which obstore does not survive; "
            "make the first call after the fork"
        )


def _failure(place: Location, error: Exception) -> Failure:
    told, where = str(error), place.root or place.url
    if isinstance(error, OSError) and error.errno is not None:
        told = f"{error.strerror} (os error {error.errno})"
    if _FULL.search(told):
        return Transient("storage_full", f"{where} is full ({first_line(error)}); make room")
    if _DENIED.search(told) and not _TRANSIENT.search(told):
        return place.unwritable(first_line(error))
    return Transient("storage_unavailable", f"{where} did not do as asked: {first_line(error)}")


def first_line(error: Exception) -> str:
    """The first line of what an error says, at most 300 characters of it."""
    return str(error).partition("\n")[0][:300]
