"""ID3v2 tags: read in versions 2.3 and 2.4, written in 2.4 (https://id3.org/id3v2.4.0-structure).

Frames of the source that do not say what ours say are kept: only their heads are made anew.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO, Self

from worker.formats.aigc_label import told
from worker.formats.audio.id3_frames import (
    HEAD,
    VERSIONS,
    XMP,
    Frame,
    frames_of,
    number,
    synchsafe,
    user_text,
)
from worker.formats.audio.rewrite import NotTaggable, names, read_at
from worker.formats.marks import AIGC
from worker.formats.tags import Tags

MARK = b"ID3"
_UTF8 = b"\x03"


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
        head = file.read(HEAD)
        if not head.startswith(MARK):
            return cls()
        version, flags, size = _head(head)
        if version not in VERSIONS or flags:
            raise NotTaggable("its ID3 tag has a form that is not taken apart")
        data = read_at(file, start + HEAD, size, "its ID3 tag")
        return cls(frames=tuple(frames_of(data, version)), size=HEAD + size)

    @property
    def told(self) -> dict[str, str]:
        """What is passed on of it, by its name: its producer's label among it.

        Raises NotCarried where there is one that ours could not hold.
        """
        texts = (user_text(frame.body) for frame in self.frames if frame.kind == "TXXX")
        packets = (frame.body for frame in self.frames if frame.kind == "PRIV")
        packet = next((body for body in packets if body.startswith(XMP)), XMP)
        return told(packet[len(XMP) :], dict(texts).get(AIGC, ""))

    def with_ours(self, tags: Tags, label: Mapping[str, str]) -> tuple[bytes, tuple[str, ...]]:
        """A tag of our frames and of theirs that say other things; and what ours replaced."""
        ours = {frame.says: frame for frame in _ours(tags, label)}
        kept = [frame for frame in self.frames if frame.says not in ours]
        replaced = (
            frame.says for frame in self.frames if ours.get(frame.says, frame).body != frame.body
        )
        frames = (frame.bytes() for frame in (*ours.values(), *kept))
        # exiftool takes a last frame for broken that nothing follows.
        body = b"".join((*frames, bytes(HEAD)))
        return MARK + b"\4\0\0" + synchsafe(len(body)) + body, names(replaced)


def size_of(head: bytes) -> int:
    """Bytes of the tag that begins with this head; 0 where it begins none."""
    if not head.startswith(MARK):
        return 0
    _, flags, size = _head(head)
    return HEAD + size + (HEAD if flags & 0x10 else 0)  # a footer


def _ours(tags: Tags, label: Mapping[str, str]) -> Iterator[Frame]:
    pairs = tags.pairs(label)
    yield Frame("TIT2", _UTF8 + pairs.pop("title", "").encode())
    yield Frame("COMM", _UTF8 + b"eng\0" + pairs.pop("comment").encode())
    yield Frame("TDRC", _UTF8 + pairs.pop("date").removesuffix("Z").encode())  # is UTC by itself
    for name, value in pairs.items():
        yield Frame("TXXX", _UTF8 + name.encode() + b"\0" + value.encode())
    yield Frame("PRIV", XMP + tags.xmp(label))


def _head(head: bytes) -> tuple[int, int, int]:
    if len(head) < HEAD:
        raise NotTaggable("its ID3 tag is cut short")
    return head[3], head[5], number(head[6:10])
