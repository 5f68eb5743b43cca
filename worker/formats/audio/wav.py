"""WAV: tags in LIST INFO, whose names are fixed, and XMP.

They stand at the end: not few programs take it that samples begin at byte 44.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from worker.formats import aigc_label as label
from worker.formats.aigc_label import AIGC
from worker.formats.audio import id3, riff
from worker.formats.audio.rewrite import MAX_TAGS, NotTaggable, RewrittenFile, names, read_at
from worker.formats.tags import Tags

_NAMES = {"title": b"INAM", "date": b"ICRD", AIGC: AIGC.encode()}
_COMMENT = b"ICMT"
_IN_PLACE = {*_NAMES, "comment", "DigitalSourceType"}  # the last is in every comment
_ID3 = (b"id3 ", b"ID3 ")
_XMP = b"_PMX"  # XMP Specification Part 3, 1.2 (WAV)


def begins(head: bytes) -> bool:
    """Whether a file that begins so is a WAV."""
    return riff.WAVE.match(head) is not None


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """All chunks as they are, then ours. Raises NotTaggable."""
    chunks = tuple(riff.chunks(file, length))
    kinds = [chunk.kind for chunk in chunks]
    if kinds.count(b"data") != 1 or b"fmt " not in kinds[: kinds.index(b"data")]:
        raise NotTaggable("it is no whole WAV: its format and its samples are not there once each")
    told = _Told.read(file, chunks)
    info, xmp = _info(tags.pairs(told.label)), tags.xmp(told.label)
    others = [(kind, value) for kind, value in told.info if kind not in info]
    held = b"".join(riff.chunk(kind, value) for kind, value in (*others, *info.items()))
    added = riff.chunk(b"LIST", b"INFO" + held) + riff.chunk(_XMP, xmp)
    kept = (chunk for chunk in chunks if chunk not in told.chunks)
    replaced = [kind for kind, value in told.info if info.get(kind, value) != value]
    replaced += [_XMP] if told.xmp not in (b"", xmp) else []
    return RewrittenFile(
        pieces=riff.whole(file, kept, added), replaced=names(kind.decode() for kind in replaced)
    )


def source_tags(file: BinaryIO, length: int) -> dict[str, str]:
    """What is passed on of its tags. Raises NotTaggable, NotCarried."""
    return _Told.read(file, riff.chunks(file, length)).label


def credentials_of(file: BinaryIO, length: int) -> Iterator[range]:
    """Where content credentials lie: in a chunk of their own (C2PA 2.2, appendix A)."""
    for chunk in riff.chunks(file, length):
        if chunk.kind == b"C2PA":
            yield range(chunk.start, chunk.start + chunk.size)


@dataclass(slots=True, kw_only=True)
class _Told:
    """What a file says of itself, and the chunks that ours take the place of."""

    info: list[tuple[bytes, bytes]] = field(default_factory=list)
    label: dict[str, str] = field(default_factory=dict)
    xmp: bytes = b""
    chunks: set[riff.RiffChunk] = field(default_factory=set)
    size: int = 0

    @classmethod
    def read(cls, file: BinaryIO, chunks: Iterable[riff.RiffChunk]) -> Self:
        found = cls()
        for chunk in chunks:
            if chunk.kind == _XMP:
                found.xmp = found._content(file, chunk)
            elif chunk.kind == b"LIST" and riff.is_info(file, chunk):
                found.info += riff.inside(found._content(file, chunk)[4:])
            elif chunk.kind in _ID3:
                found.label |= id3.Tag.read(file, chunk.start).source_tags
        said = dict(found.info).get(AIGC.encode(), b"").rstrip(b"\0")
        found.label |= label.carried_over(found.xmp, said.decode("utf-8", "replace"))
        return found

    def _content(self, file: BinaryIO, chunk: riff.RiffChunk) -> bytes:
        self.chunks.add(chunk)
        self.size += chunk.size
        if self.size > MAX_TAGS:
            raise NotTaggable(f"its tags are larger than {MAX_TAGS} bytes")
        return read_at(file, chunk.start, chunk.size, "one of its chunks")


def _info(pairs: Mapping[str, str]) -> dict[bytes, bytes]:
    """Pairs by the names of LIST INFO: all that have none are in the comment."""
    others = (f"{name}={value}" for name, value in pairs.items() if name not in _IN_PLACE)
    info = {_COMMENT: " | ".join((pairs["comment"], *others))}
    info |= {kind: pairs[name] for name, kind in _NAMES.items() if name in pairs}
    return {kind: value.encode() + b"\0" for kind, value in info.items()}
