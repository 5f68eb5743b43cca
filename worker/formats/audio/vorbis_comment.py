"""Comments of FLAC and Ogg: names and values (https://xiph.org/vorbis/doc/v-comment.html)."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from worker.formats.aigc_label import AIGC, preserved_tags
from worker.formats.audio.rewrite import MAX_PARTS, NotTaggable, unique_names
from worker.formats.tags import Tags

# ffprobe shows DESCRIPTION as the comment; MP4s have the EU mark there.
_NAMES = {"title": "TITLE", "comment": "COMMENT", "date": "DATE", "description": "falhook.mark"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comments:
    """A comment header: the encoding program, the comments, and the bytes that follow them."""

    vendor: bytes = b""
    comments: tuple[bytes, ...] = ()
    rest: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Read a comment header. Raises NotTaggable if a length exceeds the data."""
        vendor, at = _text(data, 0)
        count, at = _number(data, at)
        if count > MAX_PARTS:
            raise NotTaggable(f"it has more than {MAX_PARTS} comments")
        comments = []
        for _ in range(count):
            comment, at = _text(data, at)
            comments.append(comment)
        return cls(vendor=vendor, comments=tuple(comments), rest=data[at:])

    def with_ours(self, tags: Tags) -> tuple[bytes, tuple[str, ...]]:
        """Return a header of our comments and the others, and the names that ours replaced."""
        ours = _our_comments(tags.pairs(self._preserved_tags()))
        kept = [comment for comment in self.comments if _name(comment) not in ours]
        replaced = (
            _name(comment)
            for comment in self.comments
            if ours.get(_name(comment), comment) != comment
        )
        comments = [*ours.values(), *kept]
        vendor_text = self.vendor or (b"falhook" if tags.names_job else b"")
        parts = [vendor_text, *comments]
        vendor, *texts = (struct.pack("<I", len(part)) + part for part in parts)
        body = b"".join((vendor, struct.pack("<I", len(comments)), *texts, self.rest))
        return body, unique_names(replaced)

    def _preserved_tags(self) -> dict[str, str]:
        for comment in self.comments:
            if _name(comment) == AIGC:
                return preserved_tags(b"", comment.partition(b"=")[2].decode("utf-8", "replace"))
        return {}


def _our_comments(pairs: Mapping[str, str]) -> dict[str, bytes]:
    values = {_NAMES.get(name, name): value for name, value in pairs.items()}
    values["DESCRIPTION"] = values["COMMENT"]
    return {name.upper(): f"{name}={value}".encode() for name, value in values.items()}


def _name(comment: bytes) -> str:
    return comment.partition(b"=")[0].decode("latin-1").upper()


def _text(data: bytes, at: int) -> tuple[bytes, int]:
    size, at = _number(data, at)
    if size > len(data) - at:
        raise NotTaggable("its comments are broken")
    return data[at : at + size], at + size


def _number(data: bytes, at: int) -> tuple[int, int]:
    if len(data) - at < 4:  # noqa: PLR2004
        raise NotTaggable("its comments are broken")
    return int.from_bytes(data[at : at + 4], "little"), at + 4
