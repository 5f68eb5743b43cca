"""Audio files, without a decoder."""

from worker.formats.audio.audio_file import (
    NotTaggable,
    credentials_of,
    has_credentials,
    read_tags,
    tag,
)

__all__ = [
    "NotTaggable",
    "credentials_of",
    "has_credentials",
    "read_tags",
    "tag",
]
