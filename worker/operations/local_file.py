"""Reads a local file or a data URI, and checks that an input accepts it."""

import hashlib
import math
import re
import stat
from pathlib import Path
from urllib.parse import unquote

from worker.catalogue.inputs import MAX_MEGABYTES, Input
from worker.formats import data_uri
from worker.formats.dimensions import dimensions
from worker.formats.media_types import HEAD_BYTES, MediaType, described, formats, guess_type, sniff
from worker.text import printable

_ARCHIVES = frozenset({"archive", "data", "zip"})
_NOUNS = {"audio": "an audio file", "image": "an image", "video": "a video"}


class UnusableFile(Exception):
    """A file that cannot be an input; the message follows the path and value of the input."""


def embedded(item: Input, value: str) -> bytes:
    """Return the bytes of a data URI. Raises UnusableFile."""
    body = value.partition(",")[2]
    # Base64 has 4 characters for 3 bytes, percent-encoding at most 3 for one byte.
    if len(body) > 3 * item.max_bytes:
        raise UnusableFile(_too_large(item))
    try:
        return data_uri.decode(value)
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


def read(path: Path, item: Input) -> bytes:
    """Return the bytes of a regular file, at most one over the limit. Raises UnusableFile."""
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise UnusableFile("must be a regular file")
        if status.st_size > item.max_bytes:
            raise UnusableFile(_too_large(item))
        with path.open("rb") as file:
            return file.read(item.max_bytes + 1)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnusableFile(
            f"cannot be read: {reason or type(error).__name__} ({printable(str(path))})"
        ) from None


def checked_name(item: Input, data: bytes) -> str:
    """Return the name of these bytes if the input accepts them. Raises UnusableFile."""
    if not data:
        raise UnusableFile("is empty")
    if len(data) > item.max_bytes:
        raise UnusableFile(_too_large(item))
    head = data[:HEAD_BYTES]
    if not _accepts(item, sniff(head)):
        families = " or ".join(_NOUNS[family] for family in sorted(item.families))
        extensions = ", ".join(item.formats) or formats(item.families)
        raise UnusableFile(f"must be {families} ({extensions}); it is {described(head)}")
    _require_dimensions(item, data)
    return name_of(data)


def _require_dimensions(item: Input, data: bytes) -> None:
    """Raise UnusableFile for sides or an aspect ratio that fal would refuse after the upload."""
    size = dimensions(data) if item.dimensions else None
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


def name_of(data: bytes) -> str:
    """Return the name that follows from the content: {sha256}.{extension}."""
    return f"{hashlib.sha256(data).hexdigest()}.{guess_type(data[:HEAD_BYTES]).extension}"


def _too_large(item: Input) -> str:
    return f"must have at most {item.max_bytes:,} bytes"
