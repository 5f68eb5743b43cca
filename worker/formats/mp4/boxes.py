"""The boxes of ISO base media files (ISO/IEC 14496-12, 4.2), read without trusting any length."""

import struct
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.errors import MediaError, UnsupportedMedia

MAX_HEADER = 16 << 20  # bytes of moov, and of all moof together, that are read into memory
MAX_BOXES = 20_000  # box headers that are read in one file, apart from those of its fragments
MAX_FRAGMENTS = 1 << 16  # 600 s with a fragment for each frame and each packet of audio
_FRAGMENT_BOXES = 16  # allowed for each: moof, mfhd, mdat, and four for each of two tracks
HEADER_BYTES = 8  # of a box; 16 if its size takes 64 bits
MAX_DEPTH = 8  # moov/trak/mdia/minf/stbl is 5; no known file goes deeper than 7
# Types of boxes that stand at the top level: a file that ends inside of one is cut short.
_TOP_LEVEL = frozenset(
    {"ftyp", "styp", "moov", "moof", "mdat", "sidx", "ssix", "mfra", "meta", "udta", "uuid"}
    | {"free", "skip", "wide", "pdin", "prft", "emsg"}
)
CONTAINERS = frozenset(
    {"moov", "trak", "mdia", "minf", "stbl", "edts", "dinf", "mvex", "moof", "traf"}
)


def invalid(sentence: str) -> MediaError:
    """Return the error for a broken or hostile file; the sentence never quotes the file."""
    return MediaError("media_invalid", sentence)


def unsupported(sentence: str) -> UnsupportedMedia:
    """Return the error for a well-formed file that is not supported."""
    return UnsupportedMedia("media_unsupported", sentence)


def box(kind: bytes, *content: bytes) -> bytes:
    """Return a box with this content."""
    size = HEADER_BYTES + sum(map(len, content))
    return b"".join((struct.pack(">I4s", size, kind), *content))


@dataclass(frozen=True, slots=True)
class Box:
    """A box in memory: its type, its content, and the boxes in it if it is a container."""

    kind: str
    body: memoryview
    children: tuple["Box", ...] = ()

    def all(self, kind: str) -> tuple["Box", ...]:
        """Return every direct child of this type."""
        return tuple(child for child in self.children if child.kind == kind)

    def find(self, *path: str) -> "Box | None":
        """Return the first box at this path of types, or None."""
        box: Box | None = self
        for kind in path:
            box = next(iter(box.all(kind)), None) if box else None
        return box

    def need(self, *path: str) -> "Box":
        """Return the first box at this path. Raises `MediaError` if no box is there."""
        if (box := self.find(*path)) is None:
            raise invalid(f"the movie header has no '{'/'.join(path)}' box")
        return box

    def u32(self, at: int) -> int:
        """Return the big-endian 32-bit number at this offset of the body."""
        return int(struct.unpack_from(">I", self.body, at)[0])


@dataclass(frozen=True, slots=True, kw_only=True)
class Extent:
    """The extent of a top-level box in its file, in bytes; `size` includes the header."""

    kind: str
    start: int
    header: int
    size: int


class Walk:
    """A reader of one file's boxes that limits how many headers are read in total."""

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
            raise unsupported(f"it has more than {MAX_FRAGMENTS} fragments")
        self._left += _FRAGMENT_BOXES

    def boxes(self, data: memoryview, depth: int = 1) -> tuple[Box, ...]:
        """Return the boxes that fill `data`; padding may follow them.

        Padding is up to 7 bytes, or any number of bytes of the same value.
        """
        if depth > MAX_DEPTH:
            raise invalid(f"its boxes are nested more than {MAX_DEPTH} levels deep")
        boxes = []
        at = 0
        while len(data) - at >= HEADER_BYTES:
            self._count()
            kind, header, size = _head(data[at : at + 16])
            if not header <= size <= len(data) - at:
                if _is_uniform(data[at:]):
                    break
                raise invalid("a box of the movie header does not fit into its parent")
            body = data[at + header : at + size]
            inside = self.boxes(body, depth + 1) if kind in CONTAINERS else ()
            boxes.append(Box(kind, body, inside))
            at += size
        return tuple(boxes)

    def extents(self, file: BinaryIO, length: int) -> Iterator[Extent]:
        """Yield the top-level boxes of a file of `length` bytes, to the last one of a movie.

        Anything may follow a complete movie: players ignore what is no box. Raises `MediaError` if
        the file ends inside a box that belongs to a movie, or is no sequence of boxes.
        """
        at, seen, held = 0, set[str](), list[Extent]()
        while at < length:
            self._count()
            file.seek(at)
            head = file.read(16)
            try:
                extent = _extent(head, at, length)
            except (MediaError, struct.error):
                if _may_follow(head, seen):
                    return
                raise
            if extent.kind == "moof":
                self._count_fragment()
            at += extent.size
            held.append(extent)
            if _is_name(extent.kind) or not _is_complete(seen):
                seen.update(held_extent.kind for held_extent in held)
                yield from held
                held = []

    def load(self, file: BinaryIO, extent: Extent) -> Box:
        """Read the top-level container at `extent` into memory, with all boxes in it."""
        if extent.size > MAX_HEADER:
            raise invalid(f"its movie header is larger than {MAX_HEADER} bytes")
        file.seek(extent.start + extent.header)
        body = memoryview(file.read(extent.size - extent.header))
        return Box(extent.kind, body, self.boxes(body))


def _extent(head: bytes, at: int, length: int) -> Extent:
    """Return the box that begins with `head` at this offset of a file; `MediaError` if cut."""
    if len(head) < HEADER_BYTES:
        raise invalid("the file ends inside the header of a box")
    kind, header, size = _head(memoryview(head))
    size = size or length - at  # 0: to the end of the file
    if size < header:
        raise invalid("a box claims to be smaller than its own header")
    if at + size > length:
        name = {"mdat": "media data", "moov": "movie header"}.get(kind, "last box")
        missing = at + size - length
        raise invalid(f"it is cut short: {missing} bytes of its {name} are missing")
    return Extent(kind=kind, start=at, header=header, size=size)


def _is_complete(seen: Collection[str]) -> bool:
    """Return whether these boxes may be all that a movie consists of."""
    return "moov" in seen and not {"mdat", "moof"}.isdisjoint(seen)


def _may_follow(head: bytes, seen: Collection[str]) -> bool:
    """Return whether bytes that begin so, and are no box, may follow these boxes of a movie.

    A cut box may not. In a fragmented movie, neither may the beginning of a header: unlike a movie
    header, fragments do not tell how many follow.
    """
    if not _is_complete(seen) or head[4:8].decode("latin-1") in _TOP_LEVEL:
        return False
    return "moof" not in seen or len(head) >= HEADER_BYTES or head[0] > 0 or not any(head)


def _is_name(kind: str) -> bool:
    """Return whether this may be the type of a box: characters that can be printed."""
    return (kind.isascii() and kind.isprintable()) or kind[0] == "\xa9"


def _is_uniform(data: memoryview) -> bool:
    return bytes(data) == bytes(data[:1]) * len(data)


def _head(data: memoryview) -> tuple[str, int, int]:
    """Return type, header size and total size of the box that begins here."""
    size, kind = struct.unpack_from(">I4s", data)
    header = HEADER_BYTES
    if size == 1:
        size, header = struct.unpack_from(">Q", data, 8)[0], 16
    return kind.decode("latin-1"), header, size
