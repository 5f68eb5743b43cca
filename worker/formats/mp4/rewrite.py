"""An MP4 made anew around the same media data: header first, our tags, and nobody else's.

Not one byte of a packet is looked at: the media data is copied by the kernel, and the chunk
offsets of the movie header follow it to its new place (ISO/IEC 14496-12, 8.7.5).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4.boxes import CONTAINERS, Box, Extent, Walk, box, invalid
from worker.formats.mp4.media_data import NotRewritable, moves_of, update_offsets
from worker.formats.mp4.sniff import require_mp4

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP Specification Part 3, 1.1.5: ISO base
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # of all times in an MP4 (ISO/IEC 14496-12, 8.2.2)
_KEPT = frozenset({"ftyp", "moov", "mdat"})
_DROPPED = frozenset({"free", "skip", "wide", "uuid"})
_DROPPED_INSIDE = frozenset({"udta", "meta", "free", "skip", "uuid"})
# Boxes with offsets into the file other than stco and co64.
_BOUND = frozenset({"saio", "senc", "mvex"})
_FTYP = 1024  # bytes of the longest brand list that is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """What the new file says of itself: a `udta` box, an XMP packet, and when it was made."""

    udta: bytes
    xmp: bytes
    created: datetime


def rewrite(source: Path, target: Path, stamp: Stamp) -> None:
    """Write the MP4 `source` to `target`, tagged and with its header first.

    Afterwards `target` holds ftyp, moov, the XMP packet, and the same media data; all other tags
    and boxes of the source are gone. Raises `NotRewritable` for fragmented or QuickTime files and
    those with tracks besides one of video and one of audio, or a length that has wrapped;
    `MediaError` (media_invalid) where offsets point nowhere. `target` may be there half written
    after an exception.
    """
    with source.open("rb") as file, target.open("wb") as out:
        try:
            _rewrite(file, source.stat().st_size, out, stamp)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def _rewrite(file: BinaryIO, length: int, out: BinaryIO, stamp: Stamp) -> None:
    require_mp4(file.read(512))
    walk = Walk()
    extents = tuple(walk.extents(file, length))
    ftyp, header = _heads(file, extents, walk)
    _require_plain(header)
    moov = bytearray(box(b"moov", *map(_without_tags, header.children), stamp.udta))
    packet = box(b"uuid", XMP, stamp.xmp)
    media = [extent for extent in extents if extent.kind == "mdat"]
    moves = moves_of(media, at=len(ftyp) + len(moov) + len(packet))
    body = memoryview(moov)[8:]
    inside = Box("moov", body, walk.boxes(body))
    _set_dates(inside, stamp.created)
    update_offsets(inside, moves)
    out.write(ftyp + bytes(moov) + packet)
    for move in moves:
        move.copy(file, out)


def _heads(file: BinaryIO, extents: Sequence[Extent], walk: Walk) -> tuple[bytes, Box]:
    kinds = {extent.kind for extent in extents}
    if strange := kinds - _KEPT - _DROPPED:
        raise NotRewritable(f"it holds {len(strange)} kinds of boxes besides a plain movie's")
    first, moov = extents[0], next((e for e in extents if e.kind == "moov"), None)
    if moov is None:
        raise invalid("it has no movie header ('moov' box)")
    if first.kind != "ftyp" or first.size > _FTYP:
        raise NotRewritable("its brands are not where they belong")
    file.seek(first.start)
    ftyp = file.read(first.size)
    if ftyp[8:12] == b"qt  ":
        raise NotRewritable("it is a QuickTime file")
    return ftyp, walk.load(file, moov)


def _require_plain(moov: Box) -> None:
    handlers = []
    for trak in moov.all("trak"):
        table = trak.need("mdia", "minf", "stbl")
        if any(inside.kind in _BOUND for inside in table.children):
            raise NotRewritable("its samples have tables that would have to move with them")
        if _is_below_zero(trak.need("tkhd")):
            raise NotRewritable("one of its tracks ends before it begins")
        handlers.append(bytes(trak.need("mdia", "hdlr").body[8:12]))
    if sorted(handlers) not in ([b"vide"], [b"soun"], [b"soun", b"vide"]):
        raise NotRewritable("it has tracks besides one of video and one of audio")
    if moov.find("mvex"):
        raise NotRewritable("it is fragmented")


def _is_below_zero(tkhd: Box) -> bool:
    """Whether its length is that of a track cut off behind its end, as ffmpeg writes it."""
    at, width = (28, 8) if tkhd.body[0] == 1 else (20, 4)
    length = int.from_bytes(tkhd.body[at : at + width], signed=True)
    return length < -1  # all ones: unknown


def _without_tags(inside: Box) -> bytes:
    if inside.kind in _DROPPED_INSIDE:
        return b""
    kind = inside.kind.encode("latin-1")
    if inside.kind in CONTAINERS and inside.children:
        return box(kind, *map(_without_tags, inside.children))
    return box(kind, bytes(inside.body))


def _set_dates(moov: Box, created: datetime) -> None:
    """In place: the boxes' bodies are writable views."""
    seconds = int((created.astimezone(UTC) - _EPOCH).total_seconds())
    _set_date(moov.need("mvhd"), seconds)
    for trak in moov.all("trak"):
        _set_date(trak.need("tkhd"), seconds)
        _set_date(trak.need("mdia", "mdhd"), seconds)


def _set_date(clock: Box, seconds: int) -> None:
    wide = clock.body[0] == 1
    held = max(0, min(seconds, (1 << (64 if wide else 32)) - 1))
    struct.pack_into(">QQ" if wide else ">II", clock.body, 4, held, held)
