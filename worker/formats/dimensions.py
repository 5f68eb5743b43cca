"""Width and height of a picture or a video in memory, without a decoder."""

import io

from worker.formats.errors import MediaError
from worker.formats.images import dimensions_of
from worker.formats.mp4 import probe_file


def dimensions(data: bytes) -> tuple[int, int] | None:
    """Return width and height in pixels; None for other media and for files that are broken."""
    width, height = dimensions_of(data)
    if width and height:
        return width, height
    try:
        found = probe_file(io.BytesIO(data), len(data))
    except MediaError:
        return None
    return found.width, found.height
