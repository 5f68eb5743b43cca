"""Image files, without a decoder."""

from worker.formats.images.image_file import (
    MAX_PICTURE,
    credentials_of,
    dimensions_of,
    has_credentials,
    left_out,
    read_tags,
    size_of,
    tag,
)

__all__ = [
    "MAX_PICTURE",
    "credentials_of",
    "dimensions_of",
    "has_credentials",
    "left_out",
    "read_tags",
    "size_of",
    "tag",
]
