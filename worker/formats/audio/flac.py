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
    """Return whether a file with these first bytes is a FLAC."""
    return head.startswith(MARK)


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """Return the file with new comments, all other blocks and frames kept. Raises NotTaggable."""
    blocks = list(_blocks(file, length))
    end = blocks[-1][1].start + blocks[-1][1].size
    if blocks[0][0] != _STREAMINFO or read_at(file, end, 2, "it")[:1] != b"\xff":
        raise NotTaggable("it is not a complete FLAC: it needs STREAMINFO first and audio frames")
    spans = [span for kind, span in blocks if kind == _COMMENT]
    data = read_at(file, spans[0].start, spans[0].size, "its comments") if spans else None
    comments = Comments() if data is None else Comments.parse(data)
    body, replaced = comments.with_ours(tags)
    if len(body) > _MAX_BLOCK:
        raise NotTaggable("its comments with ours would be larger than a FLAC block can be")
    info, *others = [(kind, span) for kind, span in blocks if kind != _COMMENT]
    new_blocks: list[tuple[int, ByteRange | bytes]] = [info, (_COMMENT, body), *others]
    pieces: list[ByteRange | bytes] = [MARK]
    for number, (kind, content) in enumerate(new_blocks, start=1):
        last = _LAST if number == len(new_blocks) else 0
        pieces += [bytes((kind | last,)) + len(content).to_bytes(3), content]
    return RewrittenFile(pieces=(*pieces, ByteRange(end, length - end)), replaced=replaced)


def _blocks(file: BinaryIO, length: int) -> Iterator[tuple[int, ByteRange]]:
    """Yield type and content of each block."""
    at = len(MARK)
    for _ in range(MAX_PARTS):
        head = read_at(file, at, _HEAD, "one of its blocks")
        size = int.from_bytes(head[1:])
        if at + _HEAD + size > length:
            raise NotTaggable("it is not a complete FLAC: it is cut short")
        yield head[0] & ~_LAST, ByteRange(at + _HEAD, size)
        if head[0] & _LAST:
            return
        at += _HEAD + size
    raise NotTaggable(f"it has more than {MAX_PARTS} blocks")
