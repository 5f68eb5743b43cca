"""The segments of a fragmented MP4, read from its headers: byte range and duration of each."""

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import BinaryIO

from worker.formats.mp4 import ProbeResult
from worker.formats.mp4.boxes import Extent, Walk, invalid
from worker.transcode.hls.fragment import Fragment, fragment, is_independent
from worker.transcode.hls.movie_header import Movie, movie

_DESCRIPTIVE = frozenset({"uuid", "free", "skip"})
_MAX_GAP = 0.1  # seconds between two fragments
_EARLY = 0.001  # seconds that a keyframe may be early: clocks round


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """A byte range of a file, and its seconds of video and sound.

    `independent`: it begins with an IDR picture, so it can be decoded without earlier segments.
    """

    start: int
    size: int
    seconds: float
    independent: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Segmented:
    """A fragmented MP4: its codecs (RFC 6381), number of frames, and consecutive segments.

    `size` is that of the displayed picture, in square pixels. The picture lasts `lasting` seconds,
    of which an edit list hides the first `hidden`.
    """

    codecs: str
    size: tuple[int, int]
    frames: int
    lasting: float
    hidden: float
    segments: tuple[Segment, ...]

    @property
    def seconds(self) -> float:
        """The duration of all segments."""
        return sum(segment.seconds for segment in self.segments)


def segmented(path: Path, seconds: float, source: ProbeResult) -> Segmented:
    """Read the headers of the file at `path`; group its fragments into segments of some `seconds`.

    A segment begins with the first fragment at or after each multiple of `seconds`. So segments
    begin together in all renditions with keyframes there, whatever other keyframes they have. The
    first begins with the picture or the sound of the video `source`, whichever is earlier; the last
    ends with whichever is later.

    Raises `MediaError` (media_invalid) unless it is H.264 in consecutive fragments.
    """
    with path.open("rb") as file:
        try:
            return _segmented(file, path.stat().st_size, seconds, source)
        except (struct.error, IndexError) as error:
            raise invalid("a box is shorter than the fields it must hold") from error


def _segmented(file: BinaryIO, length: int, seconds: float, source: ProbeResult) -> Segmented:
    walk = Walk()
    extents = list(walk.extents(file, length))
    index = next((index for index, extent in enumerate(extents) if extent.kind == "moov"), None)
    if index is None:
        raise invalid("it has no movie header ('moov' box)")
    header = movie(walk.load(file, extents[index]), walk)
    while index + 1 < len(extents) and extents[index + 1].kind in _DESCRIPTIVE:
        index += 1
    groups = list(_groups(extents[index + 1 :]))
    if not groups:
        raise invalid("it has no fragments")
    fragments = [fragment(walk.load(file, moof), moof.start, header) for _, moof in groups]
    times = _times(fragments, header, source)
    starts = [*(boxes[0].start for boxes, _ in groups), extents[-1].start + extents[-1].size]
    bounds = [*_segment_bounds(times, seconds), len(fragments)]
    segments = tuple(
        Segment(
            start=starts[begin],
            size=starts[end] - starts[begin],
            seconds=times[end] - times[begin],
            independent=is_independent(file, fragments[begin], header.prefix),
        )
        for begin, end in pairwise(bounds)
    )
    first, ends = fragments[0].first, max(fragment.ends for fragment in fragments)
    return Segmented(
        codecs=header.codecs,
        size=header.size,
        frames=sum(fragment.frames for fragment in fragments),
        lasting=(ends - first) / header.timescale,
        hidden=max(0.0, (header.shown_from - first) / header.timescale),
        segments=segments,
    )


def _groups(extents: Sequence[Extent]) -> Iterator[tuple[list[Extent], Extent]]:
    """Yield the boxes of each fragment, the last of which is its media data, and its header."""
    boxes: list[Extent] = []
    for extent in extents:
        boxes.append(extent)
        if extent.kind == "mdat":
            headers = [box for box in boxes if box.kind == "moof"]
            if len(headers) != 1:
                raise invalid("one of its fragments does not have exactly one header")
            yield boxes, headers[0]
            boxes = []


def _times(fragments: Sequence[Fragment], header: Movie, source: ProbeResult) -> list[float]:
    """Return the second at which each fragment's keyframe is shown, and the clip's end.

    The first fragment begins with the sound if that is earlier than the picture.
    """
    for earlier, later in pairwise(fragments):
        gap = later.decoded - earlier.decoded - earlier.lasting
        if abs(gap) > _MAX_GAP * header.timescale or later.first <= earlier.first:
            raise invalid("its fragments do not follow each other")
    first, lead = fragments[0].first, max(0.0, source.lead)
    times = [lead + (fragment.first - first) / header.timescale for fragment in fragments[1:]]
    last = lead + (fragments[-1].last + 1 - first) / header.timescale
    return [0.0, *times, max(last, source.over)]


def _segment_bounds(begins: Sequence[float], seconds: float) -> Iterator[int]:
    """Yield the indices of fragments that begin a segment; `begins` ends with the clip's end."""
    due = 0.0
    for index, begin in enumerate(begins[:-1]):
        if begin >= due - _EARLY:
            yield index
            due = seconds * (math.floor((begin + _EARLY) / seconds) + 1)
