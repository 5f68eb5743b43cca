"""Objects under keys, at the place that FALHOOK_STORAGE_URL names.

A local directory, S3, Google Cloud Storage, Azure or (for tests) memory, through obstore.
Credentials come from the provider's usual environment, never from the URL:
https://developmentseed.org/obstore/latest/authentication/
"""

import errno
import os
import re
import subprocess
import sys
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import AlreadyExistsError, PermissionDeniedError, UnauthenticatedError
from obstore.exceptions import BaseError as StoreError
from obstore.store import LocalStore, MemoryStore, from_url

from worker import directory
from worker.failures import Failure, Permanent, Transient

if TYPE_CHECKING:
    from obstore.store import ObjectStore, RetryConfig

REMOTE_SCHEMES = frozenset({"s3", "s3a", "gs", "az", "azure", "abfs", "abfss"})
FORMS = "file:///directory, a path, s3://bucket/prefix, gs://bucket/prefix or az://container/prefix"
CURES = {
    "s3": "AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_REGION and, for another provider, "
    "AWS_ENDPOINT_URL (with AWS_ALLOW_HTTP=true where it begins with http://)",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "az": "AZURE_STORAGE_ACCOUNT_NAME and AZURE_STORAGE_ACCOUNT_KEY",
}
CHUNK_BYTES = 5 * 1024 * 1024  # the smallest part that S3 accepts
READ_BYTES = 1024 * 1024
CHECK_TIMEOUT = 60.0

# A step is tried again by the pipeline, so a single call may give up soon: obstore's own default
# is 3 minutes of silence.
RETRY: "RetryConfig" = {"max_retries": 4, "retry_timeout": timedelta(seconds=30)}

_FULL = re.compile(rf"os error ({errno.ENOSPC}|{errno.EDQUOT})\b|status code: 507")
_DENIED = re.compile(
    rf"os error ({errno.EPERM}|{errno.EACCES}|{errno.ENOTDIR}|{errno.EROFS})\b"
    r"|status code: (400|401|403|404)|Received redirect|builder error"
)
_TRANSIENT = re.compile(r"RequestTimeout|SlowDown|ExpiredToken")
_owner: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Storage:
    """One place that holds objects; immutable, safe to share between threads.

    Not across a fork: obstore's threads do not survive one, and a call in the child would wait
    for ever. The first call decides which process may make them; any other raises RuntimeError.
    `open`, `address` and `check` make no such call and may run before a fork.

    Every method may raise Transient("storage_unavailable") when the store does not answer,
    Transient("storage_full") and Permanent("storage_unwritable") when it refuses us.
    """

    url: str
    store: "ObjectStore"
    root: Path | None

    @classmethod
    def open(cls, url: str) -> "Storage":
        """The storage that `url` names; a local directory exists afterwards.

        Raises ValueError with one sentence that names the value and the cure. No network call
        is made: see `check`.
        """
        parts = urlsplit(url)
        if "://" in url and ("@" in parts.netloc or parts.query or parts.fragment):
            raise ValueError(
                f"FALHOOK_STORAGE_URL={parts.scheme}://… holds credentials, a query or a fragment; "
                f"write {FORMS} and give credentials by the provider's environment variables"
            )
        if "://" not in url or parts.scheme == "file":
            return cls._local(url)
        if parts.scheme == "memory":
            return cls(url=url, store=MemoryStore(), root=None)
        if parts.scheme not in REMOTE_SCHEMES or not parts.netloc:
            raise ValueError(f"FALHOOK_STORAGE_URL={url!r} is no storage; write {FORMS}")
        return cls(url=url.rstrip("/"), store=_remote(url, parts.scheme), root=None)

    @classmethod
    def _local(cls, url: str) -> "Storage":
        parts = urlsplit(url)
        is_url = "://" in url
        if not url or (is_url and (parts.netloc or not parts.path)):
            raise ValueError(f"FALHOOK_STORAGE_URL={url!r} names no directory; write {FORMS}")
        root = (Path(unquote(parts.path)) if is_url else Path(url).expanduser()).absolute()
        try:
            root.mkdir(parents=True, exist_ok=True)
            store = LocalStore(root, automatic_cleanup=True)
        except (OSError, StoreError) as error:
            raise ValueError(
                f"FALHOOK_STORAGE_URL={url!r}: the directory cannot be made "
                f"({_first_line(error)}); name one that this user may write to"
            ) from error
        return cls(url=url, store=store, root=root)

    def check(self) -> None:
        """An object was really written, read back and deleted.

        Raises Permanent("storage_unwritable") with the setting, its value and the cure. The
        calls are made by a process of their own, so that this one may still fork.
        """
        if isinstance(self.store, MemoryStore):
            return self.probe()
        command = [sys.executable, "-m", "worker.storage", self.url]
        try:
            done = subprocess.run(
                command, capture_output=True, text=True, timeout=CHECK_TIMEOUT, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise self._unwritable(f"no answer in {CHECK_TIMEOUT:.0f} s") from error
        if done.returncode:
            raise Permanent("storage_unwritable", done.stderr.strip().rpartition("\n")[2])
        return None

    def probe(self) -> None:
        """What `check` does, by this process itself, which may not fork from then on."""
        key, written = f".probe/{uuid.uuid4().hex}", uuid.uuid4().bytes
        try:
            self.put(key, written, content_type="application/octet-stream")
            read = self.read(key)
            self.delete(key)
        except Transient as failure:
            raise self._unwritable(failure.sentence) from failure
        if read != written:
            raise self._unwritable("what was read back is not what was written")

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
        with self._failures(key):
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
                # S3 answers 409 as well to two writers at once, with no object there yet.
                if create and self.size(key) is not None:
                    return False
                raise
        if self.root is not None:
            directory.settle(self.root / key)
            directory.sweep_abandoned(self.root / key)
        return True

    def get(self, key: str, into: Path) -> int:
        """`into` is a whole copy of the object; returns its bytes.

        Raises Permanent("storage_missing") when there is none.
        """
        part = into.with_name(f"{into.name}.part")
        with self._failures(key, missing="storage_missing"):
            result = obstore.get(self.store, _checked(key))
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
        with self._failures(key), suppress(FileNotFoundError):
            return bytes(obstore.get(self.store, _checked(key)).bytes())
        return None

    def size(self, key: str) -> int | None:
        """The object's bytes by count; None when there is none."""
        with self._failures(key), suppress(FileNotFoundError):
            return obstore.head(self.store, _checked(key))["size"]
        return None

    def copy(self, source: str, target: str) -> None:
        """`target` holds what `source` holds, copied by the store itself.

        Raises Permanent("storage_missing") when there is no `source`.
        """
        if self.root is not None and directory.same(self.root / source, self.root / target):
            return
        with self._failures(source, missing="storage_missing"):
            obstore.copy(self.store, _checked(source), _checked(target))
        if self.root is not None:
            directory.settle(self.root / target)

    def delete(self, prefix: str) -> None:
        """Neither an object `prefix` nor any under `prefix/` is left; none there is no fault."""
        keys = [*self.list(prefix), *([prefix] if self.size(prefix) is not None else [])]
        with self._failures(prefix):
            for key in keys:
                with suppress(FileNotFoundError):
                    obstore.delete(self.store, key)
        if self.root is not None:
            directory.sweep(self.root, self.root / prefix)

    def list(self, prefix: str) -> Iterator[str]:
        """The keys under `prefix/`, in no order; whole segments: `a` does not list `ab/c`."""
        with self._failures(prefix):
            for batch in obstore.list(self.store, prefix=_checked(prefix)):
                for entry in batch:
                    yield entry["path"]

    def address(self, key: str) -> str:
        """Where a person finds the object: a file's path, or a URL without credentials.

        An empty key is the place itself.
        """
        place = str(self.root) if self.root is not None else self.url.rstrip("/")
        return f"{place}/{_checked(key)}" if key else place

    @contextmanager
    def _failures(self, key: str, *, missing: str = "storage_unwritable") -> Iterator[None]:
        """Whatever the store raises inside comes out as one of our failures."""
        _claim()
        try:
            yield
        except FileNotFoundError as error:
            if missing == "storage_missing":
                raise Permanent(missing, f"{self.address(key)} does not exist") from error
            if self.root is not None:  # a delete of the same prefix went on at the same time
                raise Transient("storage_unavailable", f"{key} was deleted meanwhile") from error
            raise self._unwritable(_first_line(error)) from error
        except (PermissionDeniedError, UnauthenticatedError) as error:
            raise self._unwritable(_first_line(error)) from error
        except (StoreError, OSError) as error:
            raise self._failure(error) from error

    def _failure(self, error: Exception) -> Failure:
        told = str(error)
        if isinstance(error, OSError) and error.errno is not None:
            told = f"{error.strerror} (os error {error.errno})"
        place = self.root or self.url
        if _FULL.search(told):
            return Transient("storage_full", f"{place} is full ({_first_line(error)}); make room")
        if _DENIED.search(told) and not _TRANSIENT.search(told):
            return self._unwritable(_first_line(error))
        return Transient(
            "storage_unavailable", f"{place} did not do as asked: {_first_line(error)}"
        )

    def _unwritable(self, detail: str) -> Permanent:
        scheme = urlsplit(self.url).scheme[:2]
        cure = "make it a directory that this user may write to"
        if self.root is None:
            cure = f"see that it exists, and set {CURES.get(scheme, CURES['az'])}"
        return Permanent(
            "storage_unwritable",
            f"FALHOOK_STORAGE_URL={self.url} cannot be written to ({detail}); {cure}",
        )


def _remote(url: str, scheme: str) -> "ObjectStore":
    # No client options: given ones would replace all of AWS_ALLOW_HTTP, AWS_PROXY_URL, AWS_TIMEOUT…
    try:
        return from_url(url, retry_config=RETRY)
    except (StoreError, ValueError) as error:
        cure = CURES.get(scheme[:2], CURES["az"])
        raise ValueError(
            f"FALHOOK_STORAGE_URL={url!r} cannot be used ({_first_line(error)}); set {cure}"
        ) from error


def _claim() -> None:
    global _owner  # noqa: PLW0603 - obstore's threads are one per process, so is this
    _owner = _owner or os.getpid()
    if _owner != os.getpid():
        raise RuntimeError(
            "the storage was used before this process was forked, which obstore does not survive; "
            "make the first call after the fork"
        )


def _checked(key: str) -> str:
    """`key` itself. Raises ValueError where the kinds of stores would not agree on its meaning."""
    segments = key.split("/")
    if any(part in {"", ".", ".."} or directory.STAGING.search(part) for part in segments):
        raise ValueError(f"{key!r} is no key: relative, no empty or dotted part, no #number ending")
    if not key.isprintable() or "\\" in key:
        raise ValueError(f"{key!r} is no key: it holds a control character or a backslash")
    return key


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:300]


if __name__ == "__main__":
    try:
        Storage.open(sys.argv[1]).probe()
    except (Failure, ValueError) as fault:
        sys.exit(getattr(fault, "sentence", str(fault)))
