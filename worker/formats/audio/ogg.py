"""Opus and Vorbis in Ogg (RFC 3533, RFC 7845 section 5.2, Vorbis I section 4.2).

The pages of the comments are written again, as many as before: later pages keep their numbers, and
the audio is never read.
"""

import struct
from dataclasses import dataclass, replace
from typing import BinaryIO, Self

from worker.formats.audio.rewrite import ByteRange, NotTaggable, RewrittenFile, read_at
from worker.formats.audio.vorbis_comment import Comments
from worker.formats.tags import Tags

MARK = b"OggS"
_HEAD = struct.Struct("<4sBBqIIIB")  # mark, version, flags, position, stream, number, CRC, segments
_FULL = 255  # bytes of a segment that does not end its packet; most segments of a page
_CONTINUED, _BEGINS, _ENDS = 1, 2, 4  # flags
_POLYNOMIAL = 0x104C11DB7  # of the checksum (RFC 3533, 6)
_MAX_PAGES = 64  # of comments: 4 MB
# First bytes of the first packet and of the comments; packets that share the comments' pages.
_CODECS = ((b"OpusHead", b"OpusTags", 1), (b"\x01vorbis", b"\x03vorbis", 2))


def begins(head: bytes) -> bool:
    """Return whether a file with these first bytes is an Ogg."""
    return head.startswith(MARK)


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """Return the file with new comments, all other pages kept. Raises NotTaggable."""
    first = _Page.read(file, 0)
    codecs = (codec for codec in _CODECS if first.body.startswith(codec[0]))
    _, mark, count = next(codecs, (b"", b"", 0))
    if not count:
        raise NotTaggable("it holds neither Opus nor Vorbis")
    pages = _pages(file, first, count)
    comments, *others = _packets(pages)
    if not comments.startswith(mark) or len(others) + 1 != count:
        raise NotTaggable("its comment header is missing or misplaced")
    body, replaced = Comments.parse(comments[len(mark) :]).with_ours(tags)
    end = pages[-1].end
    comment_pages = _paged([mark + body, *others], pages)
    pieces = (ByteRange(0, first.end), comment_pages, ByteRange(end, length - end))
    return RewrittenFile(pieces=pieces, replaced=replaced)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Page:
    flags: int
    position: int
    stream: int
    number: int
    lacing: bytes
    body: bytes
    end: int

    @classmethod
    def read(cls, file: BinaryIO, start: int) -> Self:
        head = read_at(file, start, _HEAD.size, "one of its pages")
        mark, version, flags, position, stream, number, _, segments = _HEAD.unpack(head)
        if mark != MARK or version:
            raise NotTaggable("one of its pages is broken")
        lacing = read_at(file, start + _HEAD.size, segments, "one of its pages")
        body = read_at(file, start + _HEAD.size + segments, sum(lacing), "one of its pages")
        return cls(
            flags=flags,
            position=position,
            stream=stream,
            number=number,
            lacing=lacing,
            body=body,
            end=start + _HEAD.size + segments + len(body),
        )

    def bytes(self) -> bytes:
        """Return the page with its checksum."""
        fields = (self.flags, self.position, self.stream, self.number)
        rest = self.lacing + self.body
        head = _HEAD.pack(MARK, 0, *fields, 0, len(self.lacing))
        return _HEAD.pack(MARK, 0, *fields, _crc(head + rest), len(self.lacing)) + rest


def _pages(file: BinaryIO, first: _Page, count: int) -> list[_Page]:
    """Return the pages after the first, up to the one that ends the last of `count` packets."""
    pages: list[_Page] = []
    ended, at = 0, first.end
    while ended < count:
        page = _Page.read(file, at)
        if page.stream != first.stream or page.flags & (_BEGINS | _ENDS):
            raise NotTaggable("it has more than one stream, or no audio")
        if len(pages) == _MAX_PAGES:
            raise NotTaggable(f"its comments take more than {_MAX_PAGES} pages")
        pages.append(page)
        ended, at = ended + sum(size < _FULL for size in page.lacing), page.end
    return pages


def _packets(pages: list[_Page]) -> list[bytes]:
    """Return the packets in these pages; the last may be incomplete."""
    body, packets, start, end = b"".join(page.body for page in pages), [], 0, 0
    for size in b"".join(page.lacing for page in pages):
        end += size
        if size < _FULL:
            packets.append(body[start:end])
            start = end
    return packets if start == end else [*packets, body[start:]]


def _paged(packets: list[bytes], pages: list[_Page]) -> bytes:
    """Return these packets on as many pages, with the same numbers."""
    lacing = b"".join(
        bytes((_FULL,)) * (len(packet) // _FULL) + bytes((len(packet) % _FULL,))
        for packet in packets
    )
    body, result, start, count = b"".join(packets), [], 0, len(pages)
    if not count <= len(lacing) <= count * _FULL:
        raise NotTaggable("its comment pages have no room for our tags")
    ends = [len(lacing) * number // count for number in range(count + 1)]
    for page, begin, end in zip(pages, ends, ends[1:], strict=False):
        segments = lacing[begin:end]
        size = sum(segments)
        is_continued = bool(begin) and lacing[begin - 1] == _FULL
        new_page = replace(
            page,
            flags=_CONTINUED if is_continued else 0,
            position=0 if min(segments) < _FULL else -1,  # no packet ends there (RFC 3533, 6)
            lacing=segments,
            body=body[start : start + size],
        )
        result.append(new_page.bytes())
        start += size
    return b"".join(result)


def _remainder(byte: int) -> int:
    for _ in range(8):
        byte = byte << 1 ^ (_POLYNOMIAL if byte >> 31 else 0)
    return byte


_REMAINDERS = tuple(_remainder(byte << 24) for byte in range(256))


def _crc(data: bytes) -> int:
    """Return the checksum of a page: not that of zlib, which takes bits the other way around."""
    remainder = 0
    for byte in data:
        remainder = (remainder << 8 & 0xFFFFFFFF) ^ _REMAINDERS[remainder >> 24 ^ byte]
    return remainder
