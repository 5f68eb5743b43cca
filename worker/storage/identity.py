"""The identity of a storage: an id in its marker, so that another one is not taken for it."""

from worker.storage import local_directory
from worker.storage.errors import store_call
from worker.storage.storage import Storage


def identify(storage: Storage, *, new: bool) -> str:
    """Return the id of the storage; with `new` it gets one if it has none, else "" is returned.

    Raises what methods of Storage raise.
    """
    if found := _read(storage):
        return found
    if not new:
        return ""
    if storage.root is not None:
        with store_call(storage.place, local_directory.MARKER):
            return local_directory.add_identity(storage.root)
    text = local_directory.marker().encode()
    storage.put(local_directory.MARKER, text, content_type="text/plain", create=True)
    return _read(storage)


def _read(storage: Storage) -> str:
    content = storage.read(local_directory.MARKER) or b""
    return local_directory.identity_in(content.decode(errors="replace"))
