"""The tracks of an MP4: what each holds, how long, and which way up."""

import struct
from dataclasses import dataclass
from typing import BinaryIO

from worker.mp4 import places, samples
from worker.mp4.boxes import MAX_HEADER, Box, Extent, Walk, invalid

MAX_TRACKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track: its sample description, degrees clockwise, samples, and seconds shown (0: all)."""

    handler: str
    entry: Box
    rotation: int
    samples: samples.Samples
    shown: float


def tracks_of(
    file: BinaryIO, extents: tuple[Extent, ...], walk: Walk, moov: Box, length: int
) -> tuple[list[Track], bool]:
    """The tracks of a movie header and of its fragments, and whether the movie has any of these."""
    traks = moov.all("trak")
    if len(traks) > MAX_TRACKS:
        raise invalid(f"it has more than {MAX_TRACKS} tracks")
    clock = _movie_clock(moov)
    timescales = {_track_id(trak): _clock(trak.need("mdia", "mdhd"))[0] for trak in traks}
    pieces = [extent for extent in extents if extent.kind == "moof"]
    if not pieces:
        fragmented = moov.find("mvex") is not None
        return _bounded([_track(trak, clock, length, walk, None) for trak in traks]), fragmented
    if sum(piece.size for piece in pieces) > MAX_HEADER:
        raise invalid(f"the headers of its fragments are larger than {MAX_HEADER} bytes")
    fragments = samples.Fragments(moov, timescales)
    for piece in pieces:
        moof = walk.load(file, piece)
        places.require_inside(moof, walk)
        fragments.add(moof)
    return _bounded([_track(trak, clock, length, walk, fragments) for trak in traks]), True


def _bounded(tracks: list[Track]) -> list[Track]:
    samples.bound(sum(track.samples.count for track in tracks))
    return tracks


def _track(
    trak: Box, clock: int, length: int, walk: Walk, fragments: samples.Fragments | None
) -> Track:
    media = trak.need("mdia")
    table = media.need("minf", "stbl")
    timescale, ticks = _clock(media.need("mdhd"))
    samples.seconds(ticks, timescale, limit=samples.MAX_SECONDS, what="one of its tracks")
    held = samples.table(table, timescale, length)
    if fragments:
        more = fragments.samples(_track_id(trak))
        held = samples.Samples(count=held.count + more.count, seconds=held.seconds + more.seconds)
    _require_self_contained(media.find("minf", "dinf", "dref"), walk)
    entries = walk.boxes(table.need("stsd").body[8:])
    if not entries:
        raise invalid("one of its tracks has no sample description")
    return Track(
        handler=bytes(media.need("hdlr").body[8:12]).decode("latin-1"),
        entry=entries[0],
        rotation=_rotation(trak.need("tkhd")),
        samples=held,
        shown=samples.edited(trak, clock),
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
    samples.seconds(ticks, timescale, limit=samples.MAX_SECONDS, what="it")
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
