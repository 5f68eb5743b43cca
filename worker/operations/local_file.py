"""Opens a local file or a data URI, and checks that an input accepts it."""

import hashlib
import io
import math
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote

from worker.catalogue.inputs import MAX_MEGABYTES, Input
from worker.formats import data_uri
from worker.formats.media_types import HEAD_BYTES, MediaType, described, formats, guess_type, sniff
from worker.text import printable

READ_BYTES = 1024 * 1024
_ARCHIVES = frozenset({"archive", "data", "zip"})
_NOUNS = {"audio": "an audio file", "image": "an image", "video": "a video"}


class UnusableFile(Exception):
    """A file that cannot be an input; the message follows the path and value of the input."""


def embedded(item: Input, value: str) -> BinaryIO:
    """Return the content of a data URI. Raises UnusableFile."""
    body = value.partition(",")[2]
    # Base64 has 4 characters for 3 bytes, percent-encoding at most 3 for one byte.
    if len(body) > 3 * item.max_bytes:
        raise UnusableFile(too_large(item))
    try:
        return io.BytesIO(data_uri.decode(value))
    except ValueError:
        raise UnusableFile("must be a data URI with valid base64") from None


def path_of(value: str) -> Path:
    """Return the path of a typed path or a file: URL. Raises UnusableFile."""
    if value[:5].lower() == "file:":
        # RFC 8089: file:///path, file://localhost/path, file:/path; file:path is a shorthand.
        rest = value[5:]
        if rest.startswith("//"):
            rest = "/" + rest[2:].partition("/")[2]
        value = unquote(rest)
    if "\0" in value:
        raise UnusableFile("must be a path without null characters")
    # Path drops the ./ of ./~cat.png, so ~ must be checked before.
    return Path(value).expanduser() if value.startswith("~") else Path(value)


@contextmanager
def opened(path: Path, item: Input) -> Iterator[BinaryIO]:
    """Open a regular file of at most the size that the input allows. Raises UnusableFile."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFile("must be a regular file")
        if status.st_size > item.max_bytes:
            raise UnusableFile(too_large(item))
        file = path.open("rb")
    except (OSError, RuntimeError) as error:
        raise _unreadable(error, path) from None
    with file:
        yield file


def _unreadable(error: Exception, path: object) -> UnusableFile:
    reason = error.strerror if isinstance(error, OSError) else None
    return UnusableFile(
        f"cannot be read: {reason or type(error).__name__} ({printable(str(path))})"
    )


def checked_name(item: Input, file: BinaryIO) -> str:
    """Return the name of the file's content if the input accepts it. Raises UnusableFile."""
    require_accepted(item, file)
    file.seek(0)
    digest = hashlib.sha256()
    for chunk in chunks(file):
        digest.update(chunk)
    return name_of(digest.hexdigest(), head_of(file))


def require_accepted(item: Input, file: BinaryIO) -> None:
    """Return if the input accepts the file; it is not read whole. Raises UnusableFile.

    A picture is, if its dimensions are documented.
    """
    size = file.seek(0, os.SEEK_END)
    if not size:
        raise UnusableFile("is empty")
    if size > item.max_bytes:
        raise UnusableFile(too_large(item))
    head = head_of(file)
    if not _accepts(item, sniff(head)):
        families = " or ".join(_NOUNS[family] for family in sorted(item.families))
        extensions = ", ".join(item.formats) or formats(item.families)
        raise UnusableFile(f"must be {families} ({extensions}); it is {described(head)}")
    _require_dimensions(item, file)


def head_of(file: BinaryIO) -> bytes:
    """Return the first bytes of the file, by which its type is known. Raises UnusableFile."""
    file.seek(0)
    return next(chunks(file, HEAD_BYTES), b"")


def chunks(file: BinaryIO, size: int = READ_BYTES) -> Iterator[bytes]:
    """Yield the file's content from its position on, in parts of `size`. Raises UnusableFile."""
    try:
        while chunk := file.read(size):
            yield chunk
    except OSError as error:
        raise _unreadable(error, getattr(file, "name", "")) from None


def _require_dimensions(item: Input, file: BinaryIO) -> None:
    """Raise UnusableFile for sides or an aspect ratio that fal would refuse after the upload."""
    if not item.dimensions:
        return
    # Imported here: most jobs have no file whose dimensions count.
    from worker.formats.dimensions import dimensions  # noqa: PLC0415

    try:
        size = dimensions(file)
    except OSError as error:
        raise _unreadable(error, getattr(file, "name", "")) from None
    if size is None:
        return
    short, long = sorted(size)
    fits = (
        short >= (item.min_side or 0)
        and long <= (item.max_side or long)
        and long <= (item.max_ratio or math.inf) * short
    )
    if not fits:
        raise UnusableFile(f"must have {item.dimensions}; it has {size[0]}x{size[1]} pixels")


def _accepts(item: Input, media_type: MediaType | None) -> bool:
    if not _states_medium(item):
        return True
    if media_type is None or media_type.family not in item.families:
        return False
    return not item.formats or media_type.extension in item.formats


def _states_medium(item: Input) -> bool:
    # https://fal.ai/models/fal-ai/flux-lora-fast-training/api : images_data_url is a zip of images.
    archive = not _ARCHIVES.isdisjoint(re.split(r"[^a-z]+", item.name.lower()))
    return bool(item.formats) or not (archive or item.families == frozenset(MAX_MEGABYTES))


def name_of(digest: str, head: bytes) -> str:
    """Return the name that follows from the content: {sha256}.{extension}."""
    return f"{digest}.{guess_type(head).extension}"


def too_large(item: Input) -> str:
    """Return the message about a file that has more bytes than the input accepts."""
    return f"must have at most {item.max_bytes:,} bytes"
