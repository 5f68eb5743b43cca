"""Comments of FLAC and Ogg: names and values (https://xiph.org/vorbis/doc/v-comment.html)."""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

from worker.formats.aigc_label import AIGC, carried_over
from worker.formats.audio.rewrite import MAX_PARTS, NotTaggable, names
from worker.formats.tags import Tags

# DESCRIPTION is what ffprobe shows as the comment; MP4s have the mark of the EU there.
_NAMES = {"title": "TITLE", "comment": "COMMENT", "date": "DATE", "description": "falhook.mark"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Comments:
    """The program that encoded the sound, what is said of it, and what follows that."""

    vendor: bytes = b"falhook"
    said: tuple[bytes, ...] = ()
    rest: bytes = b""

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises NotTaggable where a length is more than there is."""
        vendor, at = _text(data, 0)
        count, at = _number(data, at)
        if count > MAX_PARTS:
            raise NotTaggable(f"it has more than {MAX_PARTS} comments")
        said = []
        for _ in range(count):
            comment, at = _text(data, at)
            said.append(comment)
        return cls(vendor=vendor, said=tuple(said), rest=data[at:])

    def with_ours(self, tags: Tags) -> tuple[bytes, tuple[str, ...]]:
        """Ours and those of theirs that have other names; and the names that ours replaced."""
        ours = _ours(tags.pairs(self._label()))
        kept = [comment for comment in self.said if _name(comment) not in ours]
        replaced = (
            _name(comment) for comment in self.said if ours.get(_name(comment), comment) != comment
        )
        comments = [*ours.values(), *kept]
        parts = [self.vendor, *comments]
        vendor, *said = (struct.pack("<I", len(part)) + part for part in parts)
        body = b"".join((vendor, struct.pack("<I", len(comments)), *said, self.rest))
        return body, names(replaced)

    def _label(self) -> dict[str, str]:
        for comment in self.said:
            if _name(comment) == AIGC:
                return carried_over(b"", comment.partition(b"=")[2].decode("utf-8", "replace"))
        return {}


def _ours(pairs: Mapping[str, str]) -> dict[str, bytes]:
    named = {_NAMES.get(name, name): value for name, value in pairs.items()}
    named["DESCRIPTION"] = named["COMMENT"]
    return {name.upper(): f"{name}={value}".encode() for name, value in named.items()}


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
