"""ID3v2 tags: read in versions 2.3 and 2.4, written in 2.4 (https://id3.org/id3v2.4.0-structure).

Frames of the source are kept unless one of ours has the same meaning: only their headers are
written again.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from worker.formats.aigc_label import AIGC, preserved_tags
from worker.formats.audio.rewrite import MAX_PARTS, NotTaggable, read_at, unique_names
from worker.formats.tags import Tags

MARK = b"ID3"
HEADER_BYTES = 10  # bytes of the header of a tag, and of that of a frame
_V3, _V4 = 3, 4
_HAS_FOOTER = 0x10  # flag of a tag
_XMP = b"XMP\0"  # XMP Specification Part 3, 1.2 (MP3): owner of a PRIV frame
_UTF8 = b"\x03"
_ENCODINGS = ("latin-1", "utf-16", "utf-16-be", "utf-8")
_STATUS = 0xFF00  # flags that say what becomes of a frame when others are changed
# Dates of 2.3, which 2.4 merged into TDRC (id3v2.4.0-changes); and where ffmpeg writes comments.
_SAME = {"TYER": "TDRC", "TDAT": "TDRC", "TIME": "TDRC", "TXXX:comment": "COMM:"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """The frames of a tag, and its size in bytes."""

    frames: tuple["_Frame", ...] = ()
    size: int = 0

    @classmethod
    def read(cls, file: BinaryIO, start: int = 0) -> Self:
        """Read the tag that begins at `start`; return an empty one if the file has no tag.

        Raises NotTaggable if it is broken, huge, or of a version that is not supported.
        """
        file.seek(start)
        head = file.read(HEADER_BYTES)
        if not head.startswith(MARK):
            return cls()
        version, flags, size = _header(head)
        if version not in {_V3, _V4} or flags:
            raise NotTaggable("its ID3 tag has a version or flags that are not supported")
        data = read_at(file, start + HEADER_BYTES, size, "its ID3 tag")
        return cls(frames=tuple(_frames(data, version)), size=HEADER_BYTES + size)

    @property
    def source_tags(self) -> dict[str, str]:
        """The tags to keep, by name (`preserved_tags`). Raises InvalidLabel."""
        texts = (_user_text(frame.body) for frame in self.frames if frame.kind == "TXXX")
        private = (frame.body for frame in self.frames if frame.kind == "PRIV")
        packet = next((body for body in private if body.startswith(_XMP)), _XMP)
        return preserved_tags(packet[len(_XMP) :], dict(texts).get(AIGC, ""))

    def with_ours(self, tags: Tags, label: Mapping[str, str]) -> tuple[bytes, tuple[str, ...]]:
        """Return a tag of our frames and the source's others, and the names that ours replaced."""
        ours = {frame.meaning: frame for frame in _our_frames(tags, label)}
        kept = [frame for frame in self.frames if frame.meaning not in ours]
        replaced = (
            frame.meaning
            for frame in self.frames
            if ours.get(frame.meaning, frame).body != frame.body
        )
        frames = (frame.bytes() for frame in (*ours.values(), *kept))
        # exiftool treats a last frame as broken if nothing follows it.
        body = b"".join((*frames, bytes(HEADER_BYTES)))
        return MARK + b"\4\0\0" + _synchsafe(len(body)) + body, unique_names(replaced)


def size_of(head: bytes) -> int:
    """Return the size in bytes of the tag with this header; 0 if it is not the header of a tag."""
    if not head.startswith(MARK):
        return 0
    _, flags, size = _header(head)
    return HEADER_BYTES + size + (HEADER_BYTES if flags & _HAS_FOOTER else 0)


def _header(head: bytes) -> tuple[int, int, int]:
    """Return version, flags and size of a tag without its header."""
    if len(head) < HEADER_BYTES:
        raise NotTaggable("its ID3 tag is cut short")
    return head[3], head[5], _number(head[6:10])


@dataclass(frozen=True, slots=True)
class _Frame:
    """One frame: its four letters, its content, and its flags as of version 2.4."""

    kind: str
    body: bytes
    flags: int = 0

    @property
    def meaning(self) -> str:
        """What the frame is about: a tag holds one frame of each meaning."""
        meaning = self.kind
        match self.kind:
            case "TXXX":
                meaning += f":{_user_text(self.body)[0]}"
            case "PRIV":
                meaning += f":{self.body.partition(bytes(1))[0].decode('latin-1')}"
            case "COMM":
                meaning += f":{_decoded(self.body[:1], self.body[4:]).partition(chr(0))[0]}"
        return _SAME.get(meaning, meaning)

    def bytes(self) -> bytes:
        """Return the frame as version 2.4 writes it."""
        head = self.kind.encode("latin-1") + _synchsafe(len(self.body))
        return head + struct.pack(">H", self.flags) + self.body


def _our_frames(tags: Tags, label: Mapping[str, str]) -> Iterator[_Frame]:
    pairs = tags.pairs(label)
    yield _Frame("TIT2", _UTF8 + pairs.pop("title", "").encode())
    yield _Frame("COMM", _UTF8 + b"eng\0" + pairs.pop("comment").encode())
    yield _Frame("TDRC", _UTF8 + pairs.pop("date").removesuffix("Z").encode())  # always UTC
    for name, value in pairs.items():
        yield _Frame("TXXX", _UTF8 + name.encode() + b"\0" + value.encode())
    yield _Frame("PRIV", _XMP + tags.xmp(label))


def _frames(data: bytes, version: int) -> Iterator[_Frame]:
    """Yield the frames that fill a tag of this version. Raises NotTaggable if they do not."""
    at = 0
    for _ in range(MAX_PARTS):
        if len(data) - at < HEADER_BYTES or not data[at]:
            if data.count(0, at) < len(data) - at:
                raise NotTaggable("its ID3 tag is broken")
            return
        kind, flags = data[at : at + 4], int.from_bytes(data[at + 8 : at + HEADER_BYTES])
        size = data[at + 4 : at + 8]
        end = at + HEADER_BYTES + (_number(size) if version == _V4 else int.from_bytes(size))
        if (
            not (kind.isalnum() and kind.upper() == kind)
            or end > len(data)
            or end == at + HEADER_BYTES
        ):
            raise NotTaggable("its ID3 tag is broken")
        if version == _V3 and flags & ~_STATUS:
            raise NotTaggable("its ID3 tag has a version or flags that are not supported")
        kept = flags if version == _V4 else 0
        yield _Frame(kind.decode("latin-1"), data[at + HEADER_BYTES : end], kept)
        at = end
    raise NotTaggable(f"its ID3 tag has more than {MAX_PARTS} frames")


def _user_text(body: bytes) -> tuple[str, str]:
    """Return name and value of a TXXX frame."""
    name, _, value = _decoded(body[:1], body[1:]).partition("\0")
    return name, value.removeprefix("\ufeff").rstrip("\0")


def _decoded(encoding: bytes, text: bytes) -> str:
    number = encoding[0] if encoding else 0
    return text.decode(_ENCODINGS[number] if number < len(_ENCODINGS) else "latin-1", "replace")


def _number(synchsafe: bytes) -> int:
    """Return a number stored in 7 bits per byte (id3v2.4.0-structure, 6.2)."""
    if any(byte & 0x80 for byte in synchsafe):
        raise NotTaggable("its ID3 tag is broken")
    return sum(byte << shift for byte, shift in zip(synchsafe, (21, 14, 7, 0), strict=True))


def _synchsafe(size: int) -> bytes:
    """Return a number in 7 bits per byte. Raises NotTaggable if it does not fit into 28 bits."""
    if size >= 1 << 28:
        raise NotTaggable("its ID3 tag would be larger than 256 MB")
    return bytes(size >> shift & 0x7F for shift in (21, 14, 7, 0))
