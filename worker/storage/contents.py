"""What lies in a storage, and where: the half of it that changes nothing."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import obstore

from worker.storage.errors import calls
from worker.storage.keys import checked
from worker.storage.location import Place

if TYPE_CHECKING:
    from obstore.store import ObjectStore

READ_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Contents:
    """The objects at one place."""

    place: Place
    store: "ObjectStore"

    @property
    def root(self) -> Path | None:
        """The directory that objects are files of; None for a store elsewhere."""
        return self.place.root

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
