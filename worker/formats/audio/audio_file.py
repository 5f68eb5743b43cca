"""Sounds without a decoder: what they say of themselves. Their packets are never looked at."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from worker.formats.aigc_label import NotCarried
from worker.formats.audio import flac, m4a, mp3, ogg, wav
from worker.formats.audio.rewrite import NotTaggable, RewrittenFile
from worker.formats.tags import Tags

__all__ = ["NotTaggable", "credentials_of", "has_credentials", "read_tags", "tag"]

_Begins = Callable[[bytes], bool]
_Retag = Callable[[BinaryIO, int, Tags], RewrittenFile]
_FORMATS: tuple[tuple[_Begins, _Retag], ...] = (
    (mp3.begins, mp3.retagged),
    (wav.begins, wav.retagged),
    (flac.begins, flac.retagged),
    (ogg.begins, ogg.retagged),
)
_HEAD = 16  # bytes by which a format is known


def tag(source: Path, target: Path, tags: Tags) -> tuple[str, ...]:
    """Write the sound `source` to `target`, its packets the same, with these tags.

    Whatever else it says of itself is kept. Returns the names of the tags that ours replaced.
    Raises NotTaggable where it is broken, of no known format, or of a shape that has no place for
    them; `target` may be there half written then.
    """
    with source.open("rb") as file:
        head = file.read(_HEAD)
        if m4a.begins(head):
            return m4a.tag(source, target, tags)
        for begins, retagged in _FORMATS:
            if begins(head):
                made = _retagged(retagged, file, source.stat().st_size, tags)
                made.write(file, target)
                return made.replaced
    raise NotTaggable("it is no MP3, WAV, M4A, FLAC or Ogg file")


def _retagged(retag: _Retag, file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    try:
        return retag(file, length, tags)
    except NotCarried as reason:
        raise NotTaggable(str(reason)) from reason


def has_credentials(path: Path) -> bool:
    """Whether the sound holds content credentials. Raises NotTaggable where it is broken.

    A FLAC would have them in an ID3 tag before it, an Ogg in a stream of their own; files of such
    a shape are not tagged at all.
    """
    return bool(credentials_of(path))


def credentials_of(path: Path) -> tuple[range, ...]:
    """Where these lie in the file, in bytes. Raises NotTaggable where it is broken."""
    with path.open("rb") as file:
        head, length = file.read(_HEAD), path.stat().st_size
        if m4a.begins(head):
            return m4a.credentials_of(path)
        holders = (form for form in (mp3, wav) if form.begins(head))
        return tuple(span for form in holders for span in form.credentials_of(file, length))


def read_tags(path: Path) -> dict[str, str]:
    """What the sound said of itself that is worth keeping, by its name, as of a picture.

    Raises NotTaggable where it is broken, or its label cannot be carried over.
    """
    with path.open("rb") as file:
        head, length = file.read(_HEAD), path.stat().st_size
        if m4a.begins(head):
            return m4a.source_tags(path)
        holders = (form for form in (mp3, wav) if form.begins(head))
        try:
            return next((form.told(file, length) for form in holders), {})
        except NotCarried as reason:
            raise NotTaggable(str(reason)) from reason
