"""An MP4 written again around the same media data: header first, and only our tags.

No packet is read: the kernel copies the media data, and the chunk offsets of the movie header are
updated (ISO/IEC 14496-12, 8.7.5).
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4.boxes import CONTAINERS, Box, Extent, Walk, box, invalid
from worker.formats.mp4.media_data import NotRewritable, moves_of, update_offsets
from worker.formats.mp4.presentation import enable, state_size
from worker.formats.mp4.sniff import require_mp4

XMP = bytes.fromhex("be7acfcb97a942e89c71999491e3afac")  # XMP Specification Part 3, 1.1.5: ISO base
_EPOCH = datetime(1904, 1, 1, tzinfo=UTC)  # of all times in an MP4 (ISO/IEC 14496-12, 8.2.2)
_KEPT = frozenset({"ftyp", "moov", "mdat"})
_DROPPED = frozenset({"free", "skip", "wide", "uuid"})
_DROPPED_INSIDE = frozenset({"udta", "meta", "free", "skip", "uuid"})
# Boxes with offsets into the file, other than stco and co64.
_WITH_OFFSETS = frozenset({"saio", "senc", "mvex"})
_MAX_FTYP = 1024  # bytes of the longest list of brands that is copied


@dataclass(frozen=True, slots=True, kw_only=True)
class Stamp:
    """The metadata of the new file: a `udta` box, an XMP packet, and its date of creation."""

    udta: bytes
    xmp: bytes
    created: datetime


def rewrite(source: Path, target: Path, stamp: Stamp) -> None:
    """Write the MP4 `source` to `target`, tagged and with its header first.

    Afterwards `target` holds ftyp, moov, the XMP packet, and the same media data; all other tags
    and boxes of the source are removed. Its tracks are enabled, and state the size of the stream.

    Raises `NotRewritable` for fragmented and QuickTime files, and for tracks other than one of
    video and one of audio, or of a length that has wrapped. Raises `MediaError` (media_invalid)
    for offsets outside the media data. After an exception `target` may exist, incomplete.
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
    for trak in inside.all("trak"):
        enable(trak)
        state_size(trak, walk)
    update_offsets(inside, moves)
    out.write(ftyp + bytes(moov) + packet)
    for move in moves:
        move.copy(file, out)


def _heads(file: BinaryIO, extents: Sequence[Extent], walk: Walk) -> tuple[bytes, Box]:
    kinds = {extent.kind for extent in extents}
    if unknown := kinds - _KEPT - _DROPPED:
        raise NotRewritable(f"it has {len(unknown)} kinds of boxes that are not rewritten")
    first, moov = extents[0], next((e for e in extents if e.kind == "moov"), None)
    if moov is None:
        raise invalid("it has no movie header ('moov' box)")
    if first.kind != "ftyp" or first.size > _MAX_FTYP:
        raise NotRewritable("its 'ftyp' box is not first, or too large")
    file.seek(first.start)
    ftyp = file.read(first.size)
    if ftyp[8:12] == b"qt  ":
        raise NotRewritable("it is a QuickTime file")
    return ftyp, walk.load(file, moov)


def _require_plain(moov: Box) -> None:
    handlers = []
    for trak in moov.all("trak"):
        table = trak.need("mdia", "minf", "stbl")
        if any(inside.kind in _WITH_OFFSETS for inside in table.children):
            raise NotRewritable("one of its sample tables holds offsets that are not rewritten")
        if _is_below_zero(trak.need("tkhd")):
            raise NotRewritable("one of its tracks ends before it begins")
        handlers.append(bytes(trak.need("mdia", "hdlr").body[8:12]))
    if sorted(handlers) not in ([b"vide"], [b"soun"], [b"soun", b"vide"]):
        raise NotRewritable("it has tracks other than one of video and one of audio")
    if moov.find("mvex"):
        raise NotRewritable("it is fragmented")


def _is_below_zero(tkhd: Box) -> bool:
    """Return whether its duration is negative: ffmpeg writes that for a track cut after its end."""
    at, width = (28, 8) if tkhd.body[0] == 1 else (20, 4)
    duration = int.from_bytes(tkhd.body[at : at + width], signed=True)
    return duration < -1  # all ones: unknown


def _without_tags(inside: Box) -> bytes:
    if inside.kind in _DROPPED_INSIDE:
        return b""
    kind = inside.kind.encode("latin-1")
    if inside.kind in CONTAINERS and inside.children:
        return box(kind, *map(_without_tags, inside.children))
    return box(kind, bytes(inside.body))


def _set_dates(moov: Box, created: datetime) -> None:
    """Set all dates in place; the boxes' bodies are writable views."""
    seconds = int((created.astimezone(UTC) - _EPOCH).total_seconds())
    _set_date(moov.need("mvhd"), seconds)
    for trak in moov.all("trak"):
        _set_date(trak.need("tkhd"), seconds)
        _set_date(trak.need("mdia", "mdhd"), seconds)


def _set_date(clock: Box, seconds: int) -> None:
    is_wide = clock.body[0] == 1
    date = max(0, min(seconds, (1 << (64 if is_wide else 32)) - 1))
    struct.pack_into(">QQ" if is_wide else ">II", clock.body, 4, date, date)
