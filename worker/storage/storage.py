"""Objects under keys: what the steps put, get, list and delete."""

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.store import ObjectStore

from worker.storage import local_directory
from worker.storage.backends import store_at
from worker.storage.errors import calls
from worker.storage.location import Location, checked
from worker.types import Json

CHUNK_BYTES = 5 * 1024 * 1024  # the smallest part that S3 accepts
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One place that holds objects; immutable, safe to share between threads.

    Not across a fork: obstore's threads do not survive one, and a call in the child would wait
    for ever. The first call decides which process may make them; any other raises RuntimeError.
    `open`, `address` and `require_usable` make no such call and may run before a fork.

    Every method may raise Transient("storage_unavailable") when the store does not answer,
    Transient("storage_full") and Permanent("storage_unwritable") when it refuses us, and
    Transient("storage_unwritable") while a directory is gone that was there.
    """

    place: Location
    store: ObjectStore

    @classmethod
    def open(cls, url: str) -> "Storage":
        """The storage that `url` names; a local directory is made and marked, for workers.

        Raises ValueError with one sentence that names the value and the cure. No network call
        is made: see `require_usable`.
        """
        place, store = store_at(url, make=True)
        return cls(place=place, store=store)

    @classmethod
    def existing(cls, url: str) -> "Storage":
        """The same, but a local directory has to be the one that a worker made.

        Raises Transient("storage_unwritable") where it is not, ValueError as `open` does.
        """
        place, store = store_at(url, make=False)
        return cls(place=place, store=store)

    @property
    def root(self) -> Path | None:
        """The directory that objects are files of; None for a store elsewhere."""
        return self.place.root

    def put(
        self,
        key: str,
        data: bytes | Path | Iterator[bytes],
        *,
        content_type: str,
        create: bool = False,
    ) -> bool:
        """The whole of `data` is under `key`, or nothing has changed there.

        `create` leaves an object that is there already as it is and answers False. A stream or a
        file goes through in parts of 5 MiB, except with `create` to a remote store, which takes
        it in one piece from memory. An exception of the iterator comes out unchanged. A killed
        process leaves nothing visible: on S3 a pending upload (give the bucket a lifecycle rule
        for these), in a directory a hidden file that a later `put` or `delete` takes away.
        """
        attributes = {"Content-Type": content_type} if self.root is None else None
        with calls(self.place, key):
            try:
                obstore.put(
                    self.store,
                    checked(key),
                    data,
                    attributes=attributes,
                    mode="create" if create else "overwrite",
                    chunk_size=CHUNK_BYTES,
                    max_concurrency=2,
                )
            except AlreadyExistsError:
                # S3 answers 409 as well to two writers at once, with no object there yet.
                if create and self.size(key) is not None:
                    return False
                raise
        if self.root is not None:
            local_directory.settle(self.root / key)
            local_directory.sweep_abandoned(self.root / key)
        return True

    def copy(self, source: str, target: str) -> None:
        """`target` holds what `source` holds, copied by the store itself.

        Raises Permanent("storage_missing") when there is no `source`.
        """
        if self.root is not None and local_directory.same(self.root / source, self.root / target):
            return
        with calls(self.place, source, missing="storage_missing"):
            obstore.copy(self.store, checked(source), checked(target))
        if self.root is not None:
            local_directory.settle(self.root / target)

    def delete(self, prefix: str) -> None:
        """Neither an object `prefix` nor any under `prefix/` is left; none there is no fault."""
        keys = [*self.list(prefix), *([prefix] if self.size(prefix) is not None else [])]
        with calls(self.place, prefix):
            for key in keys:
                with suppress(FileNotFoundError):
                    obstore.delete(self.store, key)
        if self.root is not None:
            local_directory.sweep(self.root, self.root / prefix)

    def get(self, key: str, into: Path) -> int:
        """`into` is a whole copy of the object; returns its bytes.

        Raises Permanent("storage_missing") when there is none.
        """
        part = into.with_name(f"{into.name}.part")
        with calls(self.place, key, missing="storage_missing"):
            result = obstore.get(self.store, checked(key))
            try:
                with part.open("wb") as file:
                    for chunk in result.stream(min_chunk_size=READ_BYTES):
                        file.write(chunk)
                    size = file.tell()
                part.replace(into)
            finally:
                part.unlink(missing_ok=True)
        return size

    def read(self, key: str) -> bytes | None:
        """The object's bytes, all in memory; None when there is none."""
        with calls(self.place, key), suppress(FileNotFoundError):
            return bytes(obstore.get(self.store, checked(key)).bytes())
        return None

    def size(self, key: str) -> int | None:
        """The object's bytes by count; None when there is none."""
        with calls(self.place, key), suppress(FileNotFoundError):
            return obstore.head(self.store, checked(key))["size"]
        return None

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under `prefix/`, in no order; whole segments: `a` does not list `ab/c`."""
        with calls(self.place, prefix):
            for batch in obstore.list(self.store, prefix=checked(prefix)):
                for entry in batch:
                    yield entry["path"]

    def address(self, key: str) -> str:
        """Where a person finds the object: a file's path, or a URL without credentials.

        An empty key is the place itself.
        """
        return self.place.address(checked(key) if key else key)


def file_record(path: Path) -> dict[str, Json]:
    """Return what the record of a job holds of a file's content: `bytes` and `sha256`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
