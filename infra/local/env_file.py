"""The settings of a running stack as a file that other shells source."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def env_file(path: Path, settings: Mapping[str, str]) -> Iterator[None]:
    """Keep `path` as long as the block runs, for the owner's eyes only: it holds secrets.

    Afterwards it is gone, since it would lead to processes that are; one that another stack put
    in its place stays.
    """
    text = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in settings.items())
    fresh = path.with_name(f"{path.name}.{os.getpid()}")
    fresh.unlink(missing_ok=True)
    fresh.touch(mode=0o600)
    try:
        fresh.write_text(text)
        fresh.replace(path)
        yield
    finally:
        fresh.unlink(missing_ok=True)
        if path.exists() and path.read_text() == text:
            path.unlink()
