"""The tags and credentials of an audio file of any format. Its packets are never read."""

from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from worker.formats.aigc_label import InvalidLabel
from worker.formats.audio import flac, m4a, mp3, ogg, wav
from worker.formats.audio.rewrite import NotTaggable, RewrittenFile
from worker.formats.tags import Tags

_Begins = Callable[[bytes], bool]
_Retag = Callable[[BinaryIO, int, Tags], RewrittenFile]
_FORMATS: tuple[tuple[_Begins, _Retag], ...] = (
    (mp3.begins, mp3.retagged),
    (wav.begins, wav.retagged),
    (flac.begins, flac.retagged),
    (ogg.begins, ogg.retagged),
)
_HEAD = 16  # bytes that identify a format


def tag(source: Path, target: Path, tags: Tags) -> tuple[str, ...]:
    """Write the audio file `source` to `target` with these tags, its packets unchanged.

    All other tags are kept. Returns the names of the source's tags that ours replaced. Raises
    NotTaggable if the file is broken, of no known format, or has no place for tags; `target` may
    be incomplete after that.
    """
    with source.open("rb") as file:
        head = file.read(_HEAD)
        if m4a.begins(head):
            return m4a.tag(source, target, tags)
        for begins, retag in _FORMATS:
            if begins(head):
                rewritten = _retagged(retag, file, source.stat().st_size, tags)
                rewritten.write(file, target)
                return rewritten.replaced
    raise NotTaggable("it is not an MP3, WAV, M4A, FLAC or Ogg file")


def _retagged(retag: _Retag, file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    try:
        return retag(file, length, tags)
    except InvalidLabel as reason:
        raise NotTaggable(str(reason)) from reason


def has_credentials(path: Path) -> bool:
    """Return whether the file holds content credentials. Raises NotTaggable if it is broken.

    A FLAC would hold them in an ID3 tag in front of it, an Ogg in a stream of their own; such
    files are not tagged at all.
    """
    return bool(credentials_of(path))


def credentials_of(path: Path) -> tuple[range, ...]:
    """Return the byte ranges of content credentials. Raises NotTaggable if the file is broken."""
    with path.open("rb") as file:
        head, length = file.read(_HEAD), path.stat().st_size
        if m4a.begins(head):
            return m4a.credentials_of(path)
        formats = (form for form in (mp3, wav) if form.begins(head))
        return tuple(span for form in formats for span in form.credentials_of(file, length))


def read_tags(path: Path) -> dict[str, str]:
    """Return the source's tags that its tagged copy keeps, by name (`preserved_tags`).

    Raises NotTaggable if the file is broken, or its label cannot be preserved.
    """
    with path.open("rb") as file:
        head, length = file.read(_HEAD), path.stat().st_size
        if m4a.begins(head):
            return m4a.source_tags(path)
        formats = (form for form in (mp3, wav) if form.begins(head))
        try:
            return next((form.source_tags(file, length) for form in formats), {})
        except InvalidLabel as reason:
            raise NotTaggable(str(reason)) from reason
