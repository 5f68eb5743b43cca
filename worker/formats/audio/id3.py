"""ID3v2 tags: read in versions 2.3 and 2.4, written in 2.4 (https://id3.org/id3v2.4.0-structure).

Frames of the source that do not say what ours say are kept: only their heads are made anew.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from worker.formats.aigc_label import AIGC, carried_over
from worker.formats.audio.rewrite import MAX_PARTS, NotTaggable, names, read_at
from worker.formats.tags import Tags

MARK = b"ID3"
HEADER_BYTES = 10  # bytes of the head of a tag, and of one of a frame
VERSIONS = (3, 4)
XMP = b"XMP\0"  # XMP Specification Part 3, 1.2 (MP3): owner of a PRIV frame
_UTF8 = b"\x03"
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_STATUS = 0xFF00  # flags that say what becomes of a frame when others are changed
# Dates of 2.3, of which 2.4 made TDRC (id3v2.4.0-changes); and where ffmpeg writes comments.
_SAME = {"TYER": "TDRC", "TDAT": "TDRC", "TIME": "TDRC", "TXXX:comment": "COMM:"}


@dataclass(frozen=True, slots=True)
class Frame:
    """One statement: four letters, what follows its head, and its flags as of 2.4."""

    kind: str
    body: bytes
    flags: int = 0

    @property
    def says(self) -> str:
        """What it speaks of: frames that say the same are one too many."""
        about = self.kind
        match self.kind:
            case "TXXX":
                about += f":{user_text(self.body)[0]}"
            case "PRIV":
                about += f":{self.body.partition(bytes(1))[0].decode('latin-1')}"
            case "COMM":
                about += f":{_decoded(self.body[:1], self.body[4:]).partition(chr(0))[0]}"
        return _SAME.get(about, about)

    def bytes(self) -> bytes:
        """The frame of a tag of version 2.4."""
        head = self.kind.encode("latin-1") + synchsafe(len(self.body))
        return head + struct.pack(">H", self.flags) + self.body


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """The frames of a tag, and how many bytes it took."""

    frames: tuple[Frame, ...] = ()
    size: int = 0

    @classmethod
    def read(cls, file: BinaryIO, start: int = 0) -> Self:
        """The tag that begins there; none where there is none.

        Raises NotTaggable where it is broken, huge, or of a form that is not taken apart.
        """
        file.seek(start)
        head = file.read(HEADER_BYTES)
        if not head.startswith(MARK):
            return cls()
        version, flags, size = _head(head)
        if version not in VERSIONS or flags:
            raise NotTaggable("its ID3 tag has a form that is not taken apart")
        data = read_at(file, start + HEADER_BYTES, size, "its ID3 tag")
        return cls(frames=tuple(frames_of(data, version)), size=HEADER_BYTES + size)

    @property
    def source_tags(self) -> dict[str, str]:
        """What is passed on of it, by its name: its producer's label among it.

        Raises NotCarried where there is one that ours could not hold.
        """
        texts = (user_text(frame.body) for frame in self.frames if frame.kind == "TXXX")
        packets = (frame.body for frame in self.frames if frame.kind == "PRIV")
        packet = next((body for body in packets if body.startswith(XMP)), XMP)
        return carried_over(packet[len(XMP) :], dict(texts).get(AIGC, ""))

    def with_ours(self, tags: Tags, label: Mapping[str, str]) -> tuple[bytes, tuple[str, ...]]:
        """A tag of our frames and of theirs that say other things; and what ours replaced."""
        ours = {frame.says: frame for frame in _ours(tags, label)}
        kept = [frame for frame in self.frames if frame.says not in ours]
        replaced = (
            frame.says for frame in self.frames if ours.get(frame.says, frame).body != frame.body
        )
        frames = (frame.bytes() for frame in (*ours.values(), *kept))
        # exiftool takes a last frame for broken that nothing follows.
        body = b"".join((*frames, bytes(HEADER_BYTES)))
        return MARK + b"\4\0\0" + synchsafe(len(body)) + body, names(replaced)


def size_of(head: bytes) -> int:
    """Bytes of the tag that begins with this head; 0 where it begins none."""
    if not head.startswith(MARK):
        return 0
    _, flags, size = _head(head)
    return HEADER_BYTES + size + (HEADER_BYTES if flags & 0x10 else 0)  # a footer


def _ours(tags: Tags, label: Mapping[str, str]) -> Iterator[Frame]:
    pairs = tags.pairs(label)
    yield Frame("TIT2", _UTF8 + pairs.pop("title", "").encode())
    yield Frame("COMM", _UTF8 + b"eng\0" + pairs.pop("comment").encode())
    yield Frame("TDRC", _UTF8 + pairs.pop("date").removesuffix("Z").encode())  # is UTC by itself
    for name, value in pairs.items():
        yield Frame("TXXX", _UTF8 + name.encode() + b"\0" + value.encode())
    yield Frame("PRIV", XMP + tags.xmp(label))


def _head(head: bytes) -> tuple[int, int, int]:
    if len(head) < HEADER_BYTES:
        raise NotTaggable("its ID3 tag is cut short")
    return head[3], head[5], number(head[6:10])


def frames_of(data: bytes, version: int) -> Iterator[Frame]:
    """The frames that fill a tag of this version. Raises NotTaggable where they do not."""
    at = 0
    for _ in range(MAX_PARTS):
        if len(data) - at < HEADER_BYTES or not data[at]:
            if data.count(0, at) < len(data) - at:
                raise NotTaggable("its ID3 tag is broken")
            return
        kind, flags = data[at : at + 4], int.from_bytes(data[at + 8 : at + HEADER_BYTES])
        held = data[at + 4 : at + 8]
        end = at + HEADER_BYTES + (number(held) if version == VERSIONS[1] else int.from_bytes(held))
        if (
            not (kind.isalnum() and kind.upper() == kind)
            or end > len(data)
            or end == at + HEADER_BYTES
        ):
            raise NotTaggable("its ID3 tag is broken")
        if version == VERSIONS[0] and flags & ~_STATUS:
            raise NotTaggable("its ID3 tag has a form that is not taken apart")
        kept = flags if version == VERSIONS[1] else 0
        yield Frame(kind.decode("latin-1"), data[at + HEADER_BYTES : end], kept)
        at = end
    raise NotTaggable(f"its ID3 tag has more than {MAX_PARTS} frames")


def user_text(body: bytes) -> tuple[str, str]:
    """Name and value of a TXXX frame."""
    name, _, value = _decoded(body[:1], body[1:]).partition("\0")
    return name, value.removeprefix("\ufeff").rstrip("\0")


def _decoded(encoding: bytes, text: bytes) -> str:
    number = encoding[0] if encoding else 0
    return text.decode(_ENCODINGS[number] if number < len(_ENCODINGS) else "latin-1", "replace")


def number(held: bytes) -> int:
    """A number of 7 bits to the byte (id3v2.4.0-structure, 6.2)."""
    if any(byte & 0x80 for byte in held):
        raise NotTaggable("its ID3 tag is broken")
    return sum(byte << shift for byte, shift in zip(held, (21, 14, 7, 0), strict=True))


def synchsafe(size: int) -> bytes:
    """The same of a number. Raises NotTaggable where it has not room."""
    if size >= 1 << 28:
        raise NotTaggable("its ID3 tag would be too large")
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
