"""Width and height of a picture or a video, without a decoder."""

import os
from typing import BinaryIO

from worker.formats.errors import MediaError
from worker.formats.images import dimensions_of
from worker.formats.media_types import HEAD_BYTES, sniff
from worker.formats.mp4 import probe_file


def dimensions(file: BinaryIO) -> tuple[int, int] | None:
    """Return width and height in pixels; None for other media and for files that are broken.

    A picture is read into memory, of a video its headers.
    """
    size = file.seek(0, os.SEEK_END)
    file.seek(0)
    media = sniff(file.read(HEAD_BYTES))
    file.seek(0)
    if media is not None and media.family == "image":
        width, height = dimensions_of(file.read(size))
        return (width, height) if width and height else None
    try:
        found = probe_file(file, size)
    except MediaError:
        return None
    return found.width, found.height
