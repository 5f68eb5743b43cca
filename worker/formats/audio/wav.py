"""WAV: tags in LIST INFO, whose names are fixed, and XMP.

They are written at the end: many programs assume that samples start at byte 44.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO, Self

from worker.formats import aigc_label
from worker.formats.aigc_label import AIGC
from worker.formats.audio import id3, riff
from worker.formats.audio.rewrite import (
    MAX_TAGS,
    NotTaggable,
    RewrittenFile,
    read_at,
    unique_names,
)
from worker.formats.tags import Tags

_NAMES = {"title": b"INAM", "date": b"ICRD", AIGC: AIGC.encode()}
_COMMENT = b"ICMT"
_OUTSIDE_COMMENT = {*_NAMES, "comment", "DigitalSourceType"}  # every comment has the last
_ID3 = (b"id3 ", b"ID3 ")
_XMP = b"_PMX"  # XMP Specification Part 3, 1.2 (WAV)


def begins(head: bytes) -> bool:
    """Return whether a file with these first bytes is a WAV."""
    return riff.WAVE.match(head) is not None


def retagged(file: BinaryIO, length: int, tags: Tags) -> RewrittenFile:
    """Return all chunks but those with tags, then our tags. Raises NotTaggable."""
    chunks = tuple(riff.chunks(file, length))
    kinds = [chunk.kind for chunk in chunks]
    if kinds.count(b"data") != 1 or b"fmt " not in kinds[: kinds.index(b"data")]:
        raise NotTaggable(
            "it is not a complete WAV: it needs one fmt chunk followed by one data chunk"
        )
    source = _SourceTags.read(file, chunks)
    info, xmp = _info(tags.pairs(source.preserved)), tags.xmp(source.preserved)
    others = [(kind, value) for kind, value in source.info if kind not in info]
    entries = b"".join(riff.chunk(kind, value) for kind, value in (*others, *info.items()))
    added = riff.chunk(b"LIST", b"INFO" + entries) + riff.chunk(_XMP, xmp)
    kept = (chunk for chunk in chunks if chunk not in source.chunks)
    replaced = [kind for kind, value in source.info if info.get(kind, value) != value]
    replaced += [_XMP] if source.xmp not in (b"", xmp) else []
    return RewrittenFile(
        pieces=riff.assembled(file, kept, added),
        replaced=unique_names(kind.decode() for kind in replaced),
    )


def source_tags(file: BinaryIO, length: int) -> dict[str, str]:
    """Return the tags to keep (`preserved_tags`). Raises NotTaggable, InvalidLabel."""
    return _SourceTags.read(file, riff.chunks(file, length)).preserved


def credentials_of(file: BinaryIO, length: int) -> Iterator[range]:
    """Yield the ranges of content credentials: C2PA chunks (C2PA 2.2, appendix A)."""
    for chunk in riff.chunks(file, length):
        if chunk.kind == b"C2PA":
            yield range(chunk.start, chunk.start + chunk.size)


@dataclass(slots=True, kw_only=True)
class _SourceTags:
    """The tags of the source; `chunks` are replaced by ours, `size` is their bytes in total."""

    info: list[tuple[bytes, bytes]] = field(default_factory=list)
    preserved: dict[str, str] = field(default_factory=dict)
    xmp: bytes = b""
    chunks: set[riff.RiffChunk] = field(default_factory=set)
    size: int = 0

    @classmethod
    def read(cls, file: BinaryIO, chunks: Iterable[riff.RiffChunk]) -> Self:
        tags = cls()
        for chunk in chunks:
            if chunk.kind == _XMP:
                tags.xmp = tags._content(file, chunk)
            elif chunk.kind == b"LIST" and riff.is_info(file, chunk):
                tags.info += riff.subchunks(tags._content(file, chunk)[4:])
            elif chunk.kind in _ID3:
                tags.preserved |= id3.Tag.read(file, chunk.start).source_tags
        label = dict(tags.info).get(AIGC.encode(), b"").rstrip(b"\0")
        tags.preserved |= aigc_label.preserved_tags(tags.xmp, label.decode("utf-8", "replace"))
        return tags

    def _content(self, file: BinaryIO, chunk: riff.RiffChunk) -> bytes:
        self.chunks.add(chunk)
        self.size += chunk.size
        if self.size > MAX_TAGS:
            raise NotTaggable(f"its tags are larger than {MAX_TAGS} bytes")
        return read_at(file, chunk.start, chunk.size, "one of its chunks")


def _info(pairs: Mapping[str, str]) -> dict[bytes, bytes]:
    """Return the tags by their LIST INFO names; tags without one are added to the comment."""
    others = (f"{name}={value}" for name, value in pairs.items() if name not in _OUTSIDE_COMMENT)
    info = {_COMMENT: " | ".join((pairs["comment"], *others))}
    info |= {kind: pairs[name] for name, kind in _NAMES.items() if name in pairs}
    return {kind: value.encode() + b"\0" for kind, value in info.items()}
