"""The file by which a directory is known as the storage, not as where a volume should be.

A directory that is simply made anew when it is gone would take the clips of a volume that is not
mounted, on the disk below it.
"""

import os
from contextlib import suppress
from pathlib import Path

NAME = ".falhook"
_SAYS = "falhook keeps its files here; its workers write nothing where this file is missing.\n"


def make(root: Path, *, parents: bool) -> None:
    """The directory is there, and marked. Raises OSError; `parents` makes those as well."""
    root.mkdir(parents=parents, exist_ok=True)
    with suppress(FileExistsError), (root / NAME).open("x", encoding="utf-8") as file:
        file.write(_SAYS)


def is_there(root: Path) -> bool:
    """Whether this is the directory that was made; one stat."""
    return os.path.exists(f"{root}/{NAME}")  # noqa: PTH110  # False for whatever goes wrong
