"""Audio files, without a decoder."""

from worker.formats.audio.audio_file import credentials_of, has_credentials, read_tags, tag
from worker.formats.audio.rewrite import NotTaggable

__all__ = [
    "NotTaggable",
    "credentials_of",
    "has_credentials",
    "read_tags",
    "tag",
]
