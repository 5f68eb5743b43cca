"""The tracks of an MP4: what each holds, how long, and which way up."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from worker.mp4 import places
from worker.mp4.boxes import MAX_HEADER, Box, Extent, Walk, invalid
from worker.mp4.chunks import Span, spans
from worker.mp4.edits import Shown, shown
from worker.mp4.fragments import Fragments
from worker.mp4.numbers import MAX_SECONDS, bound, seconds
from worker.mp4.samples import Samples, table

MAX_TRACKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track: its sample description, degrees clockwise, samples, and what of them is shown."""

    handler: str
    entry: Box
    rotation: int
    samples: Samples
    shown: Shown


def tracks_of(
    file: BinaryIO, extents: tuple[Extent, ...], walk: Walk, moov: Box, length: int
) -> tuple[list[Track], bool]:
    """The tracks of a movie header and of its fragments, and whether the movie has any of these."""
    traks = moov.all("trak")
    if len(traks) > MAX_TRACKS:
        raise invalid(f"it has more than {MAX_TRACKS} tracks")
    bound(sum(trak.need("mdia", "minf", "stbl", "stsz").u32(8) for trak in traks))
    clock = _movie_clock(moov)
    fragments = _fragments(file, extents, walk, moov)
    media = spans(extents)
    tracks = []
    for trak in traks:
        timescale, held = _samples(trak, media, length)
        if fragments:
            held = fragments.joined(_track_id(trak), held)
        tracks.append(_track(trak, walk, held, shown(trak, clock, timescale, held)))
    bound(sum(track.samples.count for track in tracks))
    return tracks, fragments is not None or moov.find("mvex") is not None


def _fragments(
    file: BinaryIO, extents: tuple[Extent, ...], walk: Walk, moov: Box
) -> Fragments | None:
    pieces = [extent for extent in extents if extent.kind == "moof"]
    if not pieces:
        return None
    if sum(piece.size for piece in pieces) > MAX_HEADER:
        raise invalid(f"the headers of its fragments are larger than {MAX_HEADER} bytes")
    clocks = {_track_id(trak): _clock(trak.need("mdia", "mdhd"))[0] for trak in moov.all("trak")}
    if len(clocks) != len(moov.all("trak")):
        raise invalid("its fragments belong to tracks of the same number")
    fragments = Fragments(moov, clocks)
    for piece in pieces:
        moof = walk.load(file, piece)
        places.require_inside(moof, walk)
        fragments.add(moof)
    return fragments


def _samples(trak: Box, media: Sequence[Span], length: int) -> tuple[int, Samples]:
    """The clock of a track, and the samples that the movie header has of it."""
    timescale, ticks = _clock(trak.need("mdia", "mdhd"))
    seconds(ticks, timescale, limit=MAX_SECONDS, what="one of its tracks")
    return timescale, table(trak.need("mdia", "minf", "stbl"), timescale, media, length)


def _track(trak: Box, walk: Walk, held: Samples, shown: Shown) -> Track:
    _require_self_contained(trak.find("mdia", "minf", "dinf", "dref"), walk)
    entries = walk.boxes(trak.need("mdia", "minf", "stbl", "stsd").body[8:])
    if not entries:
        raise invalid("one of its tracks has no sample description")
    return Track(
        handler=bytes(trak.need("mdia", "hdlr").body[8:12]).decode("latin-1"),
        entry=entries[0],
        rotation=_rotation(trak.need("tkhd")),
        samples=held,
        shown=shown,
    )


def _require_self_contained(dref: Box | None, walk: Walk) -> None:
    """Every entry of a data reference box has the flag that says: in this file (8.7.2)."""
    if dref and any(not entry.u32(0) & 1 for entry in walk.boxes(dref.body[8:])):
        raise invalid("one of its tracks lies in another file")


def _clock(box: Box) -> tuple[int, int]:
    """Ticks per second and duration in ticks (0: unknown) of an mvhd or mdhd box."""
    wide = box.body[0] == 1
    at, width = (20, 8) if wide else (12, 4)
    ticks = int.from_bytes(box.body[at + 4 : at + 4 + width])
    return box.u32(at), 0 if ticks == (1 << 8 * width) - 1 else ticks


def _movie_clock(moov: Box) -> int:
    timescale, ticks = _clock(moov.need("mvhd"))
    seconds(ticks, timescale, limit=MAX_SECONDS, what="it")
    return timescale


def _track_id(trak: Box) -> int:
    tkhd = trak.need("tkhd")
    return tkhd.u32(20 if tkhd.body[0] == 1 else 12)


def _rotation(tkhd: Box) -> int:
    """Degrees clockwise that a player turns the frames, from the track's matrix (8.3.2)."""
    a, b = struct.unpack_from(">2i", tkhd.body, 52 if tkhd.body[0] == 1 else 40)
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 180
    return 90 if b > 0 else 270
