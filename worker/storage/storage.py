"""Objects under keys: put, get, copy, list and delete them."""

import hashlib
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import obstore
from obstore.exceptions import AlreadyExistsError
from obstore.exceptions import BaseError as StoreError
from obstore.store import AzureStore, GCSStore, ObjectStore, S3Store

from worker.storage import local_directory
from worker.storage.backends import open_store
from worker.storage.errors import lacks_conditions, store_call
from worker.storage.location import Location
from worker.types import Json

CHUNK_BYTES = 5 * 1024 * 1024  # the smallest part that S3 accepts
READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """An object of the store: its size in bytes, and when it was written, in Unix seconds."""

    key: str
    size: int
    modified: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """A store of objects under keys; immutable, safe to share between threads.

    It is not safe across a fork: obstore's threads do not survive one, and a call in the child
    would wait forever. The process that makes the first call owns the store; a call of any other
    process raises RuntimeError. `open`, `address` and `require_usable` may run before a fork.

    Every method may raise Transient("storage_unavailable") if the store does not answer,
    Transient("storage_full") and Permanent("storage_unwritable") if it refuses a request, and
    Transient("storage_unwritable") while its directory is missing. A key with an empty or dotted
    part, a control character, a backslash or a #number at its end raises ValueError.
    """

    place: Location
    store: ObjectStore
    # Headers that the store turned out not to know, as some S3 stores do.
    lacking: set[str] = field(default_factory=set, compare=False, repr=False)

    @classmethod
    def open(cls, url: str) -> "Storage":
        """Return the storage that `url` names; create and mark a local directory, for workers.

        No network call is made: see `require_usable`. Raises ValueError with the setting, its
        value and the correction.
        """
        place, store = open_store(url, create=True)
        return cls(place=place, store=store)

    @classmethod
    def existing(cls, url: str) -> "Storage":
        """Return the storage that `url` names; a worker must have created its local directory.

        Raises Transient("storage_unwritable") if none has, and ValueError as `open` does.
        """
        place, store = open_store(url, create=False)
        return cls(place=place, store=store)

    @property
    def root(self) -> Path | None:
        """The directory in which objects are files; None for a remote store."""
        return self.place.root

    def put(
        self,
        key: str,
        data: bytes | Path | Iterator[bytes],
        *,
        content_type: str,
        create: bool = False,
    ) -> bool:
        """Store all of `data` under `key`, or change nothing; return whether it was stored.

        With `create` an existing object is left unchanged and False is returned. A stream or a
        file is sent in parts of 5 MiB, except with `create` to a remote store, which receives it
        in one piece from memory. An exception of the iterator is raised unchanged. A killed
        process leaves nothing visible: on S3 a pending upload (give the bucket a lifecycle rule
        for these), in a directory a hidden file that a later `put` or `delete` removes.
        """
        if create and self.lacking:
            return self._put_absent(key, data, content_type)
        attributes = {"Content-Type": content_type} if self.root is None else None
        with store_call(self.place, key):
            try:
                obstore.put(
                    self.store,
                    _checked(key),
                    data,
                    attributes=attributes,
                    mode="create" if create else "overwrite",
                    chunk_size=CHUNK_BYTES,
                    max_concurrency=2,
                )
            except AlreadyExistsError:
                # S3 also answers 409 to two concurrent writers, when there is no object yet.
                if create and self.size(key) is not None:
                    return False
                raise
            except StoreError as error:
                if not (create and lacks_conditions(error)):
                    raise
                self.lacking.add("If-None-Match")
                return self._put_absent(key, data, content_type)
        if self.root is not None:
            local_directory.sync(self.root / key)
            local_directory.remove_abandoned(self.root / key)
        return True

    def _put_absent(
        self, key: str, data: bytes | Path | Iterator[bytes], content_type: str
    ) -> bool:
        """Store `data` unless there is an object; of two writers at once the later one wins."""
        if self.size(key) is not None:
            return False
        return self.put(key, data, content_type=content_type)

    def copy(self, source: str, target: str) -> None:
        """Copy the object `source` to `target`, within the store itself.

        Raises Permanent("storage_missing") if there is no `source`.
        """
        root = self.root
        if root is not None and local_directory.is_same_file(root / source, root / target):
            return
        with store_call(self.place, source, missing="storage_missing"):
            obstore.copy(self.store, _checked(source), _checked(target))
        if root is not None:
            local_directory.sync(root / target)

    def delete(self, prefix: str) -> None:
        """Delete the object `prefix` and all objects under `prefix/`; there may be none."""
        keys = [*self.list(prefix), *([prefix] if self.size(prefix) is not None else [])]
        with store_call(self.place, prefix):
            for key in keys:
                with suppress(FileNotFoundError):
                    obstore.delete(self.store, key)
        if self.root is not None:
            local_directory.remove_remains(self.root, self.root / prefix)

    def get(self, key: str, into: Path) -> int:
        """Copy the whole object to the file `into`; return its size in bytes.

        Raises Permanent("storage_missing") if there is no object.
        """
        part = into.with_name(f"{into.name}.part")
        with store_call(self.place, key, missing="storage_missing"):
            try:
                self._copy_out(_checked(key), part)
                size = part.stat().st_size
                part.replace(into)
            finally:
                part.unlink(missing_ok=True)
        return size

    def _copy_out(self, key: str, into: Path) -> None:
        if self.root is not None and (path := self.root / key).is_file():
            shutil.copyfile(path, into)  # in the kernel, for a fifth of the processor time
            return
        result = obstore.get(self.store, key)
        with into.open("wb") as file:
            for chunk in result.stream(min_chunk_size=READ_BYTES):
                file.write(chunk)

    def read(self, key: str) -> bytes | None:
        """Return the object's content in memory; None if there is no object."""
        with store_call(self.place, key), suppress(FileNotFoundError):
            return bytes(obstore.get(self.store, _checked(key)).bytes())
        return None

    def chunks(self, key: str) -> Iterator[bytes]:
        """Yield the object's content in parts of about a MiB.

        Raises Permanent("storage_missing") if there is no object.
        """
        with store_call(self.place, key, missing="storage_missing"):
            yield from map(
                bytes, obstore.get(self.store, _checked(key)).stream(min_chunk_size=READ_BYTES)
            )

    def local_path(self, key: str) -> Path | None:
        """Return the path at which the object is a file, if there is one; None for a remote store.

        A directory that is not mounted raises Transient("storage_unwritable").
        """
        path = _checked(key)
        if self.root is None:
            return None
        self.place.require()
        return self.root / path

    def signed_url(self, key: str, *, seconds: float) -> str:
        """Return a URL from which anyone can GET the object for `seconds`; it may be absent.

        No request is made, unless the store's credentials are those of a role. A URL signed with
        temporary credentials ends with them, if that is sooner. Only a remote store has such URLs:
        any other raises ValueError.
        """
        if not isinstance(self.store, S3Store | GCSStore | AzureStore):
            raise ValueError(  # noqa: TRY004  # no defect: which store it is, a setting says
                f"{self.place.url} is not a remote store; it has no signed URLs"
            )
        with store_call(self.place, key):
            return obstore.sign(self.store, "GET", _checked(key), timedelta(seconds=seconds))

    def find(self, key: str) -> StoredObject | None:
        """Return what is known of an object; None if it does not exist."""
        with store_call(self.place, key), suppress(FileNotFoundError):
            return _stored(obstore.head(self.store, _checked(key)))
        return None

    def size(self, key: str) -> int | None:
        """Return the object's size in bytes; None if there is no object."""
        found = self.find(key)
        return found.size if found else None

    def objects(self, prefix: str) -> Iterator[StoredObject]:
        """Yield the objects under `prefix/`, in any order; `a` does not list `ab/c`."""
        with store_call(self.place, prefix):
            for batch in obstore.list(self.store, prefix=_checked(prefix)):
                yield from map(_stored, batch)

    def list(self, prefix: str) -> Iterator[str]:
        """Yield the keys of these objects."""
        return (found.key for found in self.objects(prefix))

    def address(self, key: str) -> str:
        """Return a file's path, or a URL without credentials, for people to find the object.

        An empty key stands for the storage itself.
        """
        return self.place.address(_checked(key) if key else key)


def _stored(meta: "obstore.ObjectMeta") -> StoredObject:
    return StoredObject(
        key=meta["path"], size=meta["size"], modified=meta["last_modified"].timestamp()
    )


def _checked(key: str) -> str:
    segments = key.split("/")
    if any(part in {"", ".", ".."} or local_directory.STAGING.search(part) for part in segments):
        raise ValueError(
            f"{key!r} is not a valid key: use a relative path without empty or dotted parts and "
            "without a #number at the end"
        )
    if not key.isprintable() or "\\" in key:
        raise ValueError(
            f"{key!r} is not a valid key: it contains a control character or a backslash"
        )
    return key


def file_record(path: Path) -> dict[str, Json]:
    """Return the size and hash of a file as a job's record stores them: `bytes` and `sha256`."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    return {"bytes": path.stat().st_size, "sha256": digest}
