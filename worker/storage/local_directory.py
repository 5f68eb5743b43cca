"""What a local directory needs beside obstore's LocalStore to keep the promises of `Storage`.

LocalStore writes `key#1`, `key#2`, … beside `key` and renames; it hides such files from listings,
never syncs them, and leaves them behind when the process is killed.
"""

import os
import re
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

STAGING = re.compile(r"#\d+$")
ABANDONED_AFTER = 600.0  # seconds without a write: its writer was killed
NAME = ".falhook"
_SAYS = "falhook keeps its files here; its workers write nothing where this file is missing.\n"


def same(source: Path, target: Path) -> bool:
    """Whether both names are of one file, as LocalStore's copies are until one is written anew.

    Copied again, rename(2) would do nothing and leave a staging file for good:
    https://pubs.opengroup.org/onlinepubs/9699919799/functions/rename.html
    """
    with suppress(OSError):
        return source.samefile(target)
    return False


def settle(path: Path) -> None:
    """The file and its name outlive a power cut; LocalStore itself never asks for that."""
    for place, flags in ((path, os.O_RDONLY), (path.parent, os.O_RDONLY | os.O_DIRECTORY)):
        with suppress(FileNotFoundError):
            descriptor = os.open(place, flags)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)


def staged(path: Path) -> Iterator[Path]:
    """The hidden files that writers of `path` made; a killed one leaves its own behind."""
    with suppress(FileNotFoundError, NotADirectoryError):
        for entry in path.parent.iterdir():
            if entry.name.startswith(f"{path.name}#") and STAGING.search(entry.name):
                yield entry


def sweep_abandoned(path: Path) -> None:
    """No staging file of `path` is left whose writer was killed a while ago."""
    for entry in staged(path):
        with suppress(FileNotFoundError):
            if time.time() - entry.stat().st_mtime > ABANDONED_AFTER:
                entry.unlink()


def sweep(root: Path, path: Path) -> None:
    """No staging file of `path` nor under it is left, and no empty directory up to `root`."""
    for entry in [*staged(path), *(path.rglob("*") if path.is_dir() else ())]:
        if STAGING.search(entry.name):
            entry.unlink(missing_ok=True)
    directories = sorted((d for d in path.rglob("*") if d.is_dir()), reverse=True)
    for directory in [*directories, path, *path.parents]:
        if directory == root or not directory.is_relative_to(root):
            break
        with suppress(OSError):  # not empty, or gone already
            directory.rmdir()


def make(root: Path, *, parents: bool) -> None:
    """The directory is there, and marked. Raises OSError; `parents` makes those as well."""
    root.mkdir(parents=parents, exist_ok=True)
    with suppress(FileExistsError), (root / NAME).open("x", encoding="utf-8") as file:
        file.write(_SAYS)


def is_there(root: Path) -> bool:
    """Whether this is the directory that was made; one stat."""
    return os.path.exists(f"{root}/{NAME}")  # noqa: PTH110  # False for whatever goes wrong
