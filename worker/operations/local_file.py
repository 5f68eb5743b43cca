"""A local file or a data URI, as the bytes of one input; whatever cannot be one is Unusable."""

import base64
import binascii
import hashlib
import re
import stat
from pathlib import Path
from urllib.parse import unquote, unquote_to_bytes

from worker.catalogue.inputs import MAX_MEGABYTES, Input
from worker.formats.media_types import HEAD_BYTES, MediaType, described, formats, guessed, sniff
from worker.text import printable

_ARCHIVES = frozenset({"archive", "data", "zip"})


class UnusableFile(Exception):
    """This file cannot become an input; the message completes the path and the value."""


def embedded(item: Input, value: str) -> bytes:
    """The bytes that a data URI holds."""
    head, _, body = value.partition(",")
    # Base64 has 4 characters for 3 bytes; percent-encoding at most 3 for one.
    if len(body) > 3 * item.max_bytes:
        raise UnusableFile(_too_large(item))
    try:
        if head.lower().endswith(";base64"):
            # Programs break its lines: https://www.rfc-editor.org/rfc/rfc2045#section-6.8
            return base64.b64decode("".join(unquote(body).split()), validate=True)
        return unquote_to_bytes(body)
    except (binascii.Error, ValueError):
        raise UnusableFile("must be a data URI whose base64 can be decoded") from None


def path_of(value: str) -> Path:
    """The path that a person or a file: URL means."""
    if value[:5].lower() == "file:":
        # RFC 8089: file:///path, file://localhost/path, file:/path; file:path is our shorthand.
        rest = value[5:]
        if rest.startswith("//"):
            rest = "/" + rest[2:].partition("/")[2]
        value = unquote(rest)
    if "\0" in value:
        raise UnusableFile("must be a path without null characters")
    # A Path forgets the ./ of ./~cat.png.
    return Path(value).expanduser() if value.startswith("~") else Path(value)


def read(path: Path, item: Input) -> bytes:
    """The bytes of a regular file, at most one more than the input may have."""
    try:
        about = path.stat()
        if not stat.S_ISREG(about.st_mode):
            raise UnusableFile("must be a regular file")
        if about.st_size > item.max_bytes:
            raise UnusableFile(_too_large(item))
        with path.open("rb") as file:
            return file.read(item.max_bytes + 1)
    except (OSError, RuntimeError) as error:
        reason = error.strerror if isinstance(error, OSError) else None
        raise UnusableFile(
            f"cannot be read: {reason or type(error).__name__} ({printable(str(path))})"
        ) from None


def checked_name(item: Input, data: bytes) -> str:
    """The name of these bytes, where they are what the input takes."""
    if not data:
        raise UnusableFile("is empty")
    if len(data) > item.max_bytes:
        raise UnusableFile(_too_large(item))
    head = data[:HEAD_BYTES]
    if not _takes(item, sniff(head)):
        wanted = " or ".join(
            f"{'a' if one == 'video' else 'an'} {one}" for one in sorted(item.families)
        )
        endings = ", ".join(item.formats) or formats(item.families)
        raise UnusableFile(f"must be {wanted} ({endings}); it is {described(head)}")
    return name_of(data)


def _takes(item: Input, found: MediaType | None) -> bool:
    if not _states_medium(item):
        return True
    if found is None or found.family not in item.families:
        return False
    return not item.formats or found.extension in item.formats


def _states_medium(item: Input) -> bool:
    # https://fal.ai/models/fal-ai/flux-lora-fast-training/api : images_data_url is a zip of them.
    archive = not _ARCHIVES.isdisjoint(re.split(r"[^a-z]+", item.name.lower()))
    return bool(item.formats) or not (archive or item.families == frozenset(MAX_MEGABYTES))


def name_of(data: bytes) -> str:
    """The name that follows from the content: {sha256}.{ending}."""
    return f"{hashlib.sha256(data).hexdigest()}.{guessed(data[:HEAD_BYTES]).extension}"


def _too_large(item: Input) -> str:
    return f"must have at most {item.max_bytes:,} bytes"
