"""Boxes of ISO base media files (ISO/IEC 14496-12, 4.2), walked without trusting one length."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.errors import MediaError, UnsupportedMedia

MAX_HEADER = 16 << 20  # bytes of moov, and of all moof together, that are read into memory
MAX_BOXES = 20_000  # headers looked at in one file, beside those of its fragments
MAX_FRAGMENTS = 1 << 16  # 600 s in which each frame and each packet of sound is one of its own
_BOXES_EACH = 16  # of a fragment: moof, mfhd, four of a track, mdat, and as many of another
HEADER_BYTES = 8  # bytes of a box header, 16 where its size takes 64 bits
MAX_DEPTH = 8  # moov/trak/mdia/minf/stbl is 5; nothing known goes deeper than 7
CONTAINERS = frozenset(
    {"moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "mvex", "moof", "traf"}
)


def invalid(sentence: str) -> MediaError:
    """The failure of a file that is broken or hostile; the sentence never quotes the file."""
    return MediaError("media_invalid", sentence)


def unhandled(sentence: str) -> UnsupportedMedia:
    """The failure of such a file."""
    return UnsupportedMedia("media_unsupported", sentence)


def box(kind: bytes, *content: bytes) -> bytes:
    """A box around this content."""
    size = 8 + sum(map(len, content))
    return b"".join((struct.pack(">I4s", size, kind), *content))


@dataclass(frozen=True, slots=True)
class Box:
    """A box in memory: its type, what follows its header, and its boxes if it is a container."""

    kind: str
    body: memoryview
    children: tuple["Box", ...] = ()

    def all(self, kind: str) -> tuple["Box", ...]:
        """Every direct child of this type."""
        return tuple(child for child in self.children if child.kind == kind)

    def find(self, *path: str) -> "Box | None":
        """The first box at this path of types, or None."""
        box: Box | None = self
        for kind in path:
            box = next(iter(box.all(kind)), None) if box else None
        return box

    def need(self, *path: str) -> "Box":
        """The first box at this path, or `MediaError` naming the one that is missing."""
        if (box := self.find(*path)) is None:
            raise invalid(f"the movie header has no '{'/'.join(path)}' box")
        return box

    def u32(self, at: int) -> int:
        """The big-endian 32-bit number at this byte of the body."""
        return int(struct.unpack_from(">I", self.body, at)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """Where a top-level box lies in its file, in bytes."""

    kind: str
    start: int
    header: int
    size: int


class Walk:
    """One file's allowance: every box header that is met is counted, whoever asks for it."""

    def __init__(self) -> None:
        self._left = MAX_BOXES
        self._fragments = MAX_FRAGMENTS

    def _count(self) -> None:
        self._left -= 1
        if self._left < 0:
            raise invalid(f"it has more than {MAX_BOXES} boxes")

    def _count_fragment(self) -> None:
        self._fragments -= 1
        if self._fragments < 0:
            raise unhandled(f"it is in more than {MAX_FRAGMENTS} fragments")
        self._left += _BOXES_EACH

    def boxes(self, data: memoryview, depth: int = 1) -> tuple[Box, ...]:
        """The boxes that fill `data`; up to 7 bytes of padding may follow them."""
        if depth > MAX_DEPTH:
            raise invalid(f"its boxes are nested more than {MAX_DEPTH} deep")
        found = []
        at = 0
        while len(data) - at >= HEADER_BYTES:
            self._count()
            kind, header, size = _head(data[at : at + 16])
            if not header <= size <= len(data) - at:
                raise invalid("a box of the movie header does not fit where it stands")
            body = data[at + header : at + size]
            inside = self.boxes(body, depth + 1) if kind in CONTAINERS else ()
            found.append(Box(kind, body, inside))
            at += size
        return tuple(found)

    def extents(self, file: BinaryIO, length: int) -> Iterator[Extent]:
        """The top-level boxes of a file of `length` bytes, which they fill exactly."""
        at = 0
        while at < length:
            self._count()
            file.seek(at)
            head = file.read(16)
            if len(head) < HEADER_BYTES:
                raise invalid("the file ends inside the header of a box")
            kind, header, size = _head(memoryview(head))
            if kind == "moof":
                self._count_fragment()
            size = size or length - at  # 0 says: to the end of the file
            if size < header:
                raise invalid("a box claims to be smaller than its own header")
            if at + size > length:
                name = {"mdat": "media data", "moov": "movie header"}.get(kind, "last box")
                raise invalid(f"it is cut short: {at + size - length} bytes of its {name} miss")
            yield Extent(kind=kind, start=at, header=header, size=size)
            at += size

    def load(self, file: BinaryIO, extent: Extent) -> Box:
        """The top-level container at `extent`, read into memory and walked."""
        if extent.size > MAX_HEADER:
            raise invalid(f"its movie header is larger than {MAX_HEADER} bytes")
        file.seek(extent.start + extent.header)
        body = memoryview(file.read(extent.size - extent.header))
        return Box(extent.kind, body, self.boxes(body))


def _head(data: memoryview) -> tuple[str, int, int]:
    """Type, header size and total size of the box that begins here."""
    size, kind = struct.unpack_from(">I4s", data)
    header = HEADER_BYTES
    if size == 1:
        size, header = struct.unpack_from(">Q", data, 8)[0], 16
    return kind.decode("latin-1"), header, size
