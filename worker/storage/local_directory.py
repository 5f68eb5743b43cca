"""What a local directory needs in addition to obstore's LocalStore to be a `Storage`.

A marker file tells the workers' directory from an empty mount point. LocalStore writes a staging
file (`key#1`, `key#2`, … next to `key`) and renames it; it hides such files from listings, never
syncs them, and leaves them behind when the process is killed.
"""

import hashlib
import os
import re
import time
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

MARKER = ".falhook"  # the marker file
_MARKER_TEXT = "falhook stores its files here; its workers write nothing if this file is missing.\n"
_IDENTITY = re.compile(r"^id: ([0-9a-f]{32})$", re.MULTILINE)
STAGING = re.compile(r"#\d+$")
ABANDONED_AFTER = 600.0  # seconds without a write: the writer was killed


def create(root: Path, *, parents: bool) -> None:
    """Create and mark the directory if it does not exist, with `parents` also its parents.

    Raises OSError.
    """
    root.mkdir(parents=parents, exist_ok=True)
    if is_marked(root):
        return
    draft = root / f"{MARKER}.{uuid.uuid4().hex}"
    draft.write_text(marker(), encoding="utf-8")
    try:
        with suppress(FileExistsError):  # another worker was first
            (root / MARKER).hardlink_to(draft)
    finally:
        draft.unlink()


def marker(identity: str = "") -> str:
    """Return the text of a marker with this identity; a new one by default."""
    return f"{_MARKER_TEXT}id: {identity or uuid.uuid4().hex}\n"


def identity_in(text: str) -> str:
    """Return the identity in a marker's text; "" for a marker of a version without identities."""
    match = _IDENTITY.search(text)
    return match[1] if match else ""


def add_identity(root: Path) -> str:
    """Return the identity of a marked directory; give it one if it has none. Raises OSError.

    Workers that do so at the same time give it the same one.
    """
    with (root / MARKER).open(encoding="utf-8") as file:
        if found := identity_in(file.read()):
            return found
        status = os.fstat(file.fileno())
    origin = f"{status.st_dev} {status.st_ino} {status.st_mtime_ns}".encode()
    identity = hashlib.sha256(origin).hexdigest()[:32]
    draft = root / f"{MARKER}.{uuid.uuid4().hex}"
    draft.write_text(marker(identity), encoding="utf-8")
    draft.replace(root / MARKER)
    return identity


def is_marked(root: Path) -> bool:
    """Return whether the directory exists and is marked; costs one stat."""
    return os.path.exists(f"{root}/{MARKER}")  # noqa: PTH110  # False for any error


def is_same_file(source: Path, target: Path) -> bool:
    """Return whether both names are one file, as LocalStore's copies are until one is rewritten.

    If such a copy were copied again, rename(2) would do nothing and leave a staging file forever:
    https://pubs.opengroup.org/onlinepubs/9699919799/functions/rename.html
    """
    with suppress(OSError):
        return source.samefile(target)
    return False


def sync(path: Path) -> None:
    """Sync the file and its directory, so that both survive a power failure."""
    for entry, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        with suppress(FileNotFoundError):
            descriptor = os.open(entry, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def remove_abandoned(path: Path) -> None:
    """Remove the staging files of `path` whose writers were killed a while ago."""
    for entry in _staging_files(path):
        with suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > ABANDONED_AFTER:
                entry.unlink()


def remove_remains(root: Path, path: Path) -> None:
    """Remove all staging files of `path` and below it, and empty directories up to `root`."""
    for entry in [*_staging_files(path), *(path.rglob("*") if path.is_dir() else ())]:
        if STAGING.search(entry.name):
            entry.unlink(missing_ok=True)
    directories = sorted((d for d in path.rglob("*") if d.is_dir()), reverse=True)
    for directory in [*directories, path, *path.parents]:
        if directory == root or not directory.is_relative_to(root):
            break
        with suppress(OSError):  # not empty, or already removed
            directory.rmdir()


def _staging_files(path: Path) -> Iterator[Path]:
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in path.parent.iterdir():
            if entry.name.startswith(f"{path.name}#") and STAGING.search(entry.name):
                yield entry
