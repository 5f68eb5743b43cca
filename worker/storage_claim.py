"""The storage of a deployment, and no other: a worker neither replaces it nor takes another for it.

A volume that is not mounted leaves an empty mount point, or the disk below it. Clips written there
would be gone once it is mounted again.
"""

import time
from collections.abc import Callable

from redis import Redis
from redis.exceptions import RedisError

from webhook.log import get_logger
from worker.errors import ConfigurationError, Transient
from worker.jobs.deployment import STORAGE, KnownStorage, is_new, known_storage, note_storage
from worker.jobs.store import connect
from worker.storage import Storage, require_usable

# Seconds to wait for a Redis that starts at the same time.
PATIENCE = 30.0

log = get_logger()


class OtherStorage(ConfigurationError):
    """The storage is missing, or is not that of the jobs in Redis."""


def open_storage(url: str, redis_url: str, *, patience: float = PATIENCE) -> Storage:
    """Return the storage that `url` names; create a local directory in a new deployment only.

    Raises OtherStorage if the directory is missing in an old one, or if Redis did not say within
    `patience` seconds which it is; ValueError as Storage.open.
    """
    try:
        return Storage.existing(url)
    except Transient as missing:
        with connect(redis_url) as redis:
            new = _asked(lambda: is_new(redis), patience, missing)
            if not new:
                raise _missing(missing, known_storage(redis)) from missing
    return Storage.open(url)


def claim_storage(redis: Redis, storage: Storage) -> None:
    """Check that the storage can be written to and is that of the jobs, or make it so.

    If Redis does not answer, only the first is checked, with a warning. Raises OtherStorage and
    what `require_usable` raises.
    """
    try:
        known = known_storage(redis)
    except RedisError as error:
        log.warning("redis.unreachable", error=error)
        require_usable(storage)
        return
    found = require_usable(storage, new=known is None)
    url = storage.place.url
    if known is None:
        known = note_storage(redis, KnownStorage(id=found, url=url))
    require_same(storage, found, known)


def require_same(storage: Storage, found: str, known: KnownStorage | None) -> None:
    """Return if the storage with the id `found` is the known one; else raise OtherStorage."""
    if known is None or found == known.id:
        return
    raise OtherStorage(
        f"FALHOOK_STORAGE_URL={storage.place.url} is not the storage of the jobs in REDIS_URL: its "
        f"file .falhook has the id {found or '(none)'}, theirs is {known.id} (at {known.url}). "
        "Mount or name the right one; if all files were moved here, move .falhook too; to use "
        f"this one instead, run redis-cli DEL {STORAGE}"
    )


def _asked(question: Callable[[], bool], patience: float, missing: Transient) -> bool:
    """Return the answer of Redis; wait for it. Raises OtherStorage after `patience` seconds."""
    until = time.monotonic() + patience
    while True:
        try:
            return question()
        except RedisError as error:
            if time.monotonic() >= until:
                raise OtherStorage(
                    f"{missing.sentence}. Whether this deployment is new is not known, because "
                    f"REDIS_URL does not answer ({error}): start Redis first"
                ) from error
            log.warning("redis.unreachable", error=error)
            time.sleep(1.0)


def _missing(missing: Transient, known: KnownStorage | None) -> OtherStorage:
    theirs = f" (id {known.id}, first at {known.url})" if known else ""
    return OtherStorage(
        f"{missing.sentence}; the jobs in REDIS_URL have a storage{theirs}, so it is not created "
        "again. To begin with an empty one on purpose, create the directory and the file .falhook "
        f"in it, and run redis-cli DEL {STORAGE}"
    )
