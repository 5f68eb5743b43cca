"""obstore's errors as failures, and the guard that only one process calls obstore."""

import errno
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager

from obstore.exceptions import BaseError as StoreError
from obstore.exceptions import NotSupportedError, PermissionDeniedError, UnauthenticatedError

from worker.errors import Failure, Permanent, Transient
from worker.storage.location import Location

_FULL = re.compile(rf"os error ({errno.ENOSPC}|{errno.EDQUOT})\b|status code: 507")
_DENIED = re.compile(
    rf"os error ({errno.EPERM}|{errno.EACCES}|{errno.ENOTDIR}|{errno.EROFS})\b"
    r"|status code: (400|401|403|404)|Received redirect|builder error"
)
_NOT_IMPLEMENTED = re.compile(r"status code: 501|NotImplemented")
_TRANSIENT = re.compile(r"RequestTimeout|SlowDown|ExpiredToken")
_owner: int | None = None


@contextmanager
def store_call(
    location: Location, key: str, *, missing: str = "storage_unwritable"
) -> Iterator[None]:
    """Run calls of the store; whatever they raise is raised as a Failure.

    With `missing="storage_missing"` an absent object raises Permanent with that reason code.
    Raises RuntimeError if another process made the first call.
    """
    _require_owner()
    location.require()
    try:
        yield
    except FileNotFoundError as error:
        location.require()
        if missing == "storage_missing":
            raise Permanent(missing, f"{location.address(key)} does not exist") from error
        if location.root is not None:  # a delete of the same prefix ran at the same time
            sentence = f"{key} was deleted in the meantime"
            raise Transient("storage_unavailable", sentence) from error
        raise location.unwritable(first_line(error)) from error
    except (PermissionDeniedError, UnauthenticatedError) as error:
        raise location.unwritable(first_line(error)) from error
    except (StoreError, OSError) as error:
        raise _failure(location, error) from error


def _require_owner() -> None:
    global _owner  # noqa: PLW0603 - obstore has one set of threads per process, and so one owner
    _owner = _owner or os.getpid()
    if _owner != os.getpid():
        raise RuntimeError(
            "the storage was used before this process was forked, and obstore does not survive a "
            "fork; make the first call after the fork"
        )


def _failure(location: Location, error: Exception) -> Failure:
    message, place = str(error), location.root or location.url
    if isinstance(error, OSError) and error.errno is not None:
        message = f"{error.strerror} (os error {error.errno})"
    if _FULL.search(message):
        return Transient("storage_full", f"{place} is full ({first_line(error)}); free some space")
    if _DENIED.search(message) and not _TRANSIENT.search(message):
        return location.unwritable(first_line(error))
    return Transient("storage_unavailable", f"{place} is not available: {first_line(error)}")


def lacks_conditions(error: StoreError) -> bool:
    """Return whether the store knows no conditional writes: it answers 501 to If-None-Match."""
    return isinstance(error, NotSupportedError) or bool(_NOT_IMPLEMENTED.search(str(error)))


def first_line(error: Exception) -> str:
    """Return the first line of an error's message, at most 300 characters."""
    return str(error).partition("\n")[0][:300]
