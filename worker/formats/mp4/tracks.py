"""The tracks of an MP4: their samples, duration, rotation and language."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from worker.formats.mp4 import box_placement
from worker.formats.mp4.bounded_numbers import bound, seconds
from worker.formats.mp4.boxes import MAX_HEADER, Box, Extent, Walk, invalid, unsupported
from worker.formats.mp4.chunks import spans
from worker.formats.mp4.clocks import clock_of
from worker.formats.mp4.durations import require_length, require_shown
from worker.formats.mp4.edit_lists import PresentedRange, presented_range
from worker.formats.mp4.fragments import Fragments
from worker.formats.mp4.last_sample import claimed, excess_of
from worker.formats.mp4.sample_tables import Samples, indexed_samples, read_samples

MAX_TRACKS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class Track:
    """One track: its sample descriptions (`entries`), its samples, and which of them are shown.

    `rotation`: degrees clockwise. `enabled`: it is played unless the viewer selects another.
    `language`: an ISO 639-2/T code, None if not stated.
    """

    handler: str
    timescale: int
    entries: tuple[Box, ...]
    rotation: int
    samples: Samples
    shown: PresentedRange
    enabled: bool
    language: str | None

    @property
    def pieced(self) -> str | None:
        """Why its packets cannot be played consecutively, or None."""
        if len({(entry.kind, bytes(entry.body)) for entry in self.entries}) > 1:
            return "has several sample descriptions"
        if self.shown.parts > 1:
            return "is shown in several parts"
        return "has packets with the same timestamp" if self.samples.stalled else None


def tracks_of(
    file: BinaryIO, extents: tuple[Extent, ...], walk: Walk, moov: Box, length: int
) -> tuple[list[Track], bool]:
    """Return the tracks of a movie header and its fragments, and whether the movie is fragmented.

    Raises `UnsupportedMedia` for too many tracks, or honest ones that are too long. Raises
    `MediaError` for broken ones, or a movie that claims to be longer than they are.
    """
    traks = moov.all("trak")
    _require_few(traks)
    indexed = sum(indexed_samples(trak) for trak in traks)
    bound(indexed)
    movie = clock_of(moov.need("mvhd"))
    clock, claims = movie.timescale, list[float]()
    excesses = [0]
    fragments = _fragments(file, extents, walk, moov, is_continued=indexed > 0)
    if fragments:
        bound(indexed + fragments.count)
    media = spans(extents)
    tracks = []
    for trak in traks:
        media_clock = clock_of(trak.need("mdia", "mdhd"))
        timescale, excess = media_clock.timescale, excess_of(moov, trak)
        excesses.append(excess)
        claims.append(seconds(claimed(media_clock, excess), timescale))
        stbl = trak.need("mdia", "minf", "stbl")
        samples = read_samples(stbl, timescale, media, length, excess=excess)
        if fragments:
            samples = fragments.joined(_track_id(trak), samples)
        require_length(samples, timescale, claims[-1])
        shown = presented_range(trak, clock, timescale, samples)
        tracks.append(_track(trak, walk, timescale, samples, shown))
    claims.append(seconds(claimed(movie, max(excesses)), clock))
    require_shown(max(claims), (track.shown for track in tracks))
    return tracks, fragments is not None or moov.find("mvex") is not None


def _require_few(traks: Sequence[Box]) -> None:
    if len(traks) > MAX_TRACKS:
        if len({_track_id(trak) for trak in traks}) < len(traks):
            raise invalid("two of its tracks have the same ID")
        raise unsupported(f"it has {len(traks)} tracks; at most {MAX_TRACKS} are supported")


def _fragments(
    file: BinaryIO, extents: tuple[Extent, ...], walk: Walk, moov: Box, *, is_continued: bool
) -> Fragments | None:
    moofs = [extent for extent in extents if extent.kind == "moof"]
    if not moofs:
        return None
    if sum(extent.size for extent in moofs) > MAX_HEADER:
        raise invalid(f"the headers of its fragments are larger than {MAX_HEADER} bytes")
    clocks = {
        _track_id(trak): clock_of(trak.need("mdia", "mdhd")).timescale for trak in moov.all("trak")
    }
    if len(clocks) != len(moov.all("trak")):
        raise invalid("its fragments refer to tracks with the same ID")
    fragments = Fragments(moov, clocks, is_continued=is_continued)
    for extent in moofs:
        moof = walk.load(file, extent)
        box_placement.require_inside(moof, walk)
        fragments.add(moof)
    return fragments


def _track(trak: Box, walk: Walk, timescale: int, samples: Samples, shown: PresentedRange) -> Track:
    _require_self_contained(trak.find("mdia", "minf", "dinf", "dref"), walk)
    entries = walk.boxes(trak.need("mdia", "minf", "stbl", "stsd").body[8:])
    if not entries:
        raise invalid("one of its tracks has no sample description")
    return Track(
        handler=bytes(trak.need("mdia", "hdlr").body[8:12]).decode("latin-1"),
        timescale=timescale,
        entries=entries,
        rotation=_rotation(trak.need("tkhd")),
        samples=samples,
        shown=shown,
        enabled=bool(trak.need("tkhd").u32(0) & 1),
        language=_language(trak.need("mdia", "mdhd")),
    )


def default_track(tracks: Sequence[Track]) -> Track | None:
    """Return the track that a player selects: the first that is enabled, else the first."""
    return next((track for track in tracks if track.enabled), tracks[0] if tracks else None)


def _require_self_contained(dref: Box | None, walk: Walk) -> None:
    """Raise `MediaError` unless every data reference has the flag for "in this file" (8.7.2)."""
    if dref and any(not entry.u32(0) & 1 for entry in walk.boxes(dref.body[8:])):
        raise invalid("one of its tracks is stored in another file")


def _track_id(trak: Box) -> int:
    tkhd = trak.need("tkhd")
    return tkhd.u32(20 if tkhd.body[0] == 1 else 12)


def _rotation(tkhd: Box) -> int:
    """Return the degrees clockwise that a player turns frames, from the track's matrix (8.3.2)."""
    a, b = struct.unpack_from(">2i", tkhd.body, 52 if tkhd.body[0] == 1 else 40)
    if abs(a) >= abs(b):
        return 0 if a >= 0 else 180
    return 90 if b > 0 else 270


def _language(mdhd: Box) -> str | None:
    """Return three letters of five bits each (8.4.2); QuickTime's language numbers are not read."""
    packed = int.from_bytes(mdhd.body[(at := 32 if mdhd.body[0] == 1 else 20) : at + 2])
    letters = "".join(chr((packed >> shift & 31) + 0x60) for shift in (10, 5, 0))
    return letters if letters.isalpha() and letters != "und" else None
