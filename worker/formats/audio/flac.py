"""FLAC: metadata blocks before the frames (RFC 9639, section 8)."""

from collections.abc import Iterator
from typing import BinaryIO

from worker.formats.audio.rewrite import MAX_PARTS, ByteRange, NotTaggable, RewrittenFile, read_at
from worker.formats.audio.vorbis_comment import Comments
from worker.formats.tags import Tags

MARK = b"fLaC"
_HEAD = 4  # bytes of a block's type and size
_STREAMINFO, _COMMENT, _LAST = 0, 4, 0x80
_MAX_BLOCK = (1 << 24) - 1


def begins(head: bytes) -> bool:
    """Whether a file that begins so is a FLAC."""
    return head.startswith(MARK)


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """All blocks and frames as they are but for the comments. Raises NotTaggable."""
    blocks = list(_blocks(file, length))
    end = blocks[-1][1].start + blocks[-1][1].size
    if blocks[0][0] != _STREAMINFO or read_at(file, end, 2, "it")[:1] != b"\xff":
        raise NotTaggable("it is no whole FLAC")
    found = [span for kind, span in blocks if kind == _COMMENT]
    data = read_at(file, found[0].start, found[0].size, "its comments") if found else None
    comments = Comments() if data is None else Comments.parse(data)
    made, replaced = comments.with_ours(tags)
    if len(made) > _MAX_BLOCK:
        raise NotTaggable("its comments would be too large")
    info, *others = [(kind, span) for kind, span in blocks if kind != _COMMENT]
    blocks_made: list[tuple[int, ByteRange | bytes]] = [info, (_COMMENT, made), *others]
    pieces: list[ByteRange | bytes] = [MARK]
    for number, (kind, held) in enumerate(blocks_made, start=1):
        last = _LAST if number == len(blocks_made) else 0
        pieces += [bytes((kind | last,)) + len(held).to_bytes(3), held]
    return RewrittenFile(pieces=(*pieces, ByteRange(end, length - end)), replaced=replaced)


def _blocks(file: BinaryIO, length: int) -> Iterator[tuple[int, ByteRange]]:
    """Type and content of each block."""
    at = len(MARK)
    for _ in range(MAX_PARTS):
        head = read_at(file, at, _HEAD, "one of its blocks")
        size = int.from_bytes(head[1:])
        if at + _HEAD + size > length:
            raise NotTaggable("it is no whole FLAC: it is cut short")
        yield head[0] & ~_LAST, ByteRange(at + _HEAD, size)
        if head[0] & _LAST:
            return
        at += _HEAD + size
    raise NotTaggable(f"it has more than {MAX_PARTS} blocks")
