"""The check that a storage can be used, before the first job needs it."""

import subprocess
import sys
import uuid

from obstore.store import MemoryStore

from worker.errors import Permanent, Transient
from worker.storage.storage import Storage

CHECK_TIMEOUT = 60.0


def require_usable(storage: Storage) -> None:
    """Write, read and delete an object, in a separate process so that this one may still fork.

    Raises Permanent("storage_unwritable") with the setting, its value and the correction.
    """
    if isinstance(storage.store, MemoryStore):
        return probe(storage)
    command = [sys.executable, "-m", "worker.storage", storage.place.url]
    try:
        program = subprocess.run(
            command, capture_output=True, text=True, timeout=CHECK_TIMEOUT, check=False
        )
    except subprocess.TimeoutExpired as error:
        raise storage.place.unwritable(f"no answer in {CHECK_TIMEOUT:.0f} s") from error
    if program.returncode:
        raise Permanent("storage_unwritable", program.stderr.strip().rpartition("\n")[2])
    return None


def probe(storage: Storage) -> None:
    """Do what `require_usable` does in this process, which may not fork from then on."""
    key, written = f".probe/{uuid.uuid4().hex}", uuid.uuid4().bytes
    try:
        storage.put(key, written, content_type="application/octet-stream")
        read = storage.read(key)
        storage.delete(key)
    except Transient as failure:
        raise storage.place.unwritable(failure.sentence) from failure
    if read != written:
        raise storage.place.unwritable("the data read differs from the data written")
