"""MP3: frames of MPEG audio (ISO/IEC 11172-3, 2.4.1.3), with an ID3v2 tag before them."""

from collections.abc import Iterator
from typing import BinaryIO

from worker.formats.audio import id3
from worker.formats.audio.id3 import HEADER_BYTES
from worker.formats.audio.rewrite import ByteRange, NotTaggable, RewrittenFile
from worker.formats.tags import Tags

_FRAME, _LAYER_3 = 0xFFE6, 0xFFE2  # mask of a frame's sync word and layer, and their values


def begins(head: bytes) -> bool:
    """Return whether a file with these first bytes is an MP3, or has an ID3v2 tag."""
    return head.startswith(id3.MARK) or _is_frame(head)


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """Return the same frames after an ID3v2.4 tag with our frames. Raises NotTaggable."""
    tag = id3.Tag.read(file)
    file.seek(tag.size)
    if not _is_frame(file.read(2)):
        raise NotTaggable("its ID3 tag is not followed by an MP3 frame")
    new_tag, replaced = tag.with_ours(tags, tag.source_tags)
    frames = ByteRange(tag.size, length - tag.size)
    return RewrittenFile(pieces=(new_tag, frames), replaced=replaced)


def source_tags(file: BinaryIO, _: int) -> dict[str, str]:
    """Return the tags to keep (`preserved_tags`). Raises NotTaggable, InvalidLabel."""
    return id3.Tag.read(file).source_tags


def credentials_of(file: BinaryIO, length: int) -> Iterator[range]:
    """Yield the range of an ID3 tag that holds credentials in GEOB (C2PA 2.2, appendix A)."""
    file.seek(0)
    size = min(length, id3.size_of(file.read(HEADER_BYTES)))
    file.seek(0)
    overlap, left = b"", size
    while left > 0 and (data := file.read(min(left, 1 << 20))):
        if b"c2pa" in overlap + data:
            yield range(size)
            return
        overlap, left = data[-3:], left - len(data)


def _is_frame(head: bytes) -> bool:
    return len(head) > 1 and int.from_bytes(head[:2]) & _FRAME == _LAYER_3
