"""The check that a storage can be used, before the first job needs it."""

import sys
import uuid

from obstore.store import MemoryStore

from worker.errors import Permanent, Transient
from worker.probe import ProbeInterrupted, run_probe
from worker.storage.identity import identify
from worker.storage.storage import Storage

CHECK_TIMEOUT = 60.0
# Exit code of the process for a storage that refused; any other but 0 says nothing about it.
REFUSED = 3


def require_usable(storage: Storage, *, new: bool = False) -> str:
    """Write, create, copy, read, list and delete objects, as every job does.

    That happens in a separate process, so that this one may still fork.

    Return the id of the storage, "" if it has none; with `new` it gets one.

    Raises Permanent("storage_unwritable") with the setting, its value and the correction, and
    ProbeInterrupted if the process ended without a result.
    """
    if isinstance(storage.store, MemoryStore):
        probe(storage)
        return identify(storage, new=new)
    command = [sys.executable, "-m", "worker.storage", storage.place.url, *(["--new"] * new)]
    process = run_probe(command, timeout=CHECK_TIMEOUT)
    sentence = process.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    if process.returncode == REFUSED:
        raise Permanent("storage_unwritable", sentence)
    if process.returncode:
        why = sentence or f"exit code {process.returncode}"
        raise ProbeInterrupted(f"the check of {storage.place.url} crashed: {why}")
    return process.stdout.decode().strip()


def probe(storage: Storage) -> None:
    """Do what `require_usable` does in this process, which may not fork from then on."""
    key, written = f".probe/{uuid.uuid4().hex}", uuid.uuid4().bytes
    try:
        storage.put(f"{key}/a", written, content_type="application/octet-stream")
        storage.copy(f"{key}/a", f"{key}/b")
        storage.put(f"{key}/c", written, content_type="application/octet-stream", create=True)
        read = storage.read(f"{key}/b")
        found = sorted(storage.list(key))
        storage.delete(key)
    except Transient as failure:
        raise storage.place.unwritable(failure.sentence) from failure
    if read != written:
        raise storage.place.unwritable("the data read differs from the data written")
    if found != [f"{key}/{name}" for name in "abc"]:
        raise storage.place.unwritable(f"of three objects written, {len(found)} are listed")
